//! Something of everything, so that ids in paths and bodies lead to what is there.

use crate::lab::{Lab, until};
use makima_model::{Chat, Clock, ImportSource, PermissionMode, TaskStatus};
use makima_wire::{CreateContract, CreateImport, CreateSnapshot, CreateTask, Deletion, List, SayInChat};
use serde_json::{Value, json};

/// An id of nothing.
pub(crate) const UNKNOWN: &str = "01932f4e-7b1c-7cc3-98c4-dc0c0c07398f";

/// What there is, as `hooks.py` wants it.
pub(crate) struct Seed {
    pub(crate) paths: Value,
    pub(crate) fields: Value,
}

impl Seed {
    /// Makes contracts, tasks that have ended, wait and have not begun, and what belongs to them.
    pub(crate) async fn sow(lab: &Lab) -> Self {
        let client = lab.client();
        let repository = lab.repo.path().to_str().unwrap().to_owned();
        let mut contracts = Vec::new();
        for name in ["one", "two"] {
            let contract = CreateContract {
                name: name.into(),
                repository: repository.clone(),
                ..CreateContract::default()
            };
            contracts.push(client.create_contract(&contract).await.unwrap().id);
        }
        let contract = contracts[0];

        let done =
            CreateTask { plan: "GO-WORK".into(), contract_id: Some(contract), ..CreateTask::default() };
        let done = client.create_task(&done).await.unwrap().id;
        let asks = CreateTask {
            plan: "GO-ASK".into(),
            repository: Some(repository.clone()),
            permission_mode: Some(PermissionMode::Ask),
            ..CreateTask::default()
        };
        let asks = client.create_task(&asks).await.unwrap().id;
        let wanted = CreateTask {
            plan: "GO-WORK".into(),
            repository: Some(repository.clone()),
            start: Some(false),
            ..CreateTask::default()
        };
        let idle = client.create_task(&wanted).await.unwrap().id;
        let later = client.create_task(&wanted).await.unwrap().id;
        lab.task_when(done, "it has ended", |task| task.status.is_over()).await;
        let question = until("it asks", async || client.task(asks).await.unwrap().pending_question).await.id;

        let snapshot = client.create_snapshot(done, &CreateSnapshot::default()).await.unwrap().id;
        let say = SayInChat { content: "What now?".into(), ..SayInChat::default() };
        let mut conversations = Vec::new();
        for chat in [Chat::Contract(contract), Chat::Mesh] {
            conversations.push(client.say_in_chat(chat, &say).await.unwrap().conversation_id);
        }
        let key = client.create_key("another").await.unwrap().key.id;
        let endless = CreateTask {
            plan: "GO-ON".into(),
            repository: Some(repository.clone()),
            ..CreateTask::default()
        };
        let endless = client.create_task(&endless).await.unwrap().id;
        lab.task_when(endless, "it runs", |task| task.status == TaskStatus::Running).await;
        let link = client.create_sign_in_link().await.unwrap().token;
        let daemon = client.daemons().await.unwrap().daemons[0].id;
        let checkpoint = client.checkpoints(done, &List::default()).await.unwrap().checkpoints.remove(0);
        let commit = checkpoint.commit_sha;

        // One goes on, and one is finished.
        let mut imports = Vec::new();
        for session in ["goes-on", "is-finished"] {
            let import = CreateImport {
                source: ImportSource::ClaudeCode,
                session_id: session.into(),
                copy: 0,
                name: None,
                plan: "GO-WORK".into(),
                repository: repository.clone(),
                base_branch: None,
                base_commit: None,
                started_at: Clock::system().now(),
            };
            imports.push(client.create_import(&import).await.unwrap().id);
        }

        // Changes of history that can be undone.
        let mut operations = Vec::new();
        for _ in 0..4 {
            let doomed = client.create_task(&wanted).await.unwrap().id;
            operations.push(client.delete_task(doomed, Deletion::default()).await.unwrap().id.to_string());
        }
        operations.push(UNKNOWN.to_owned());

        Self {
            paths: json!({
                "/api/v1/contracts/{id}": {
                    "id": [contracts[0], contracts[1], UNKNOWN],
                    "cid": [conversations[0], UNKNOWN],
                },
                "/api/v1/mesh/chat": { "cid": [conversations[1], UNKNOWN] },
                "/api/v1/mesh/tasks/{id}": { "id": [done, asks, later, UNKNOWN], "sid": [snapshot, UNKNOWN] },
                "/api/v1/mesh/tasks/{id}/checkpoints/{cid}": {
                    "id": [done, UNKNOWN],
                    "cid": [checkpoint.id, UNKNOWN],
                },
                "/api/v1/mesh/tasks/{id}/answer": { "id": [asks, UNKNOWN] },
                "/api/v1/mesh/tasks/{id}/reassign": { "id": [idle, UNKNOWN] },
                "/api/v1/mesh/tasks/{id}/stop": { "id": [endless, UNKNOWN] },
                "/api/v1/imports/{id}/entries": { "id": [imports[0], UNKNOWN] },
                "/api/v1/imports/{id}/finish": { "id": [imports[1], UNKNOWN] },
                "/api/v1/keys/{id}": { "id": [key, UNKNOWN] },
                "/api/v1/operations/{id}": { "id": operations },
            }),
            // No other repository: those of the world are none of a test's business.
            fields: json!({
                "CreateContract": { "repository": [repository] },
                "CreateImport": { "repository": [repository] },
                "FinishImport": { "bytes": [0] },
                "CreateTask": {
                    "repository": [repository],
                    "contractId": [contract],
                    "parentTaskId": [done],
                    "continueFromTaskId": [done],
                    "checkpointSha": [commit],
                    "agent": ["scripted"],
                    "baseBranch": ["main"],
                    "targetDaemonId": [daemon],
                },
                "ReassignTask": { "targetDaemonId": [daemon] },
                "AnswerQuestion": { "questionId": [question], "answer": ["allow", "deny", "perhaps"] },
                "SignIn": { "token": [link, "ml_none"] },
                "SayInChat": { "contextTaskId": [done] },
            }),
        }
    }
}
