//! What `claude.rs` shows of the real Claude Code, with the scripted agent, in seconds.

use crate::lab::{Lab, bash, call, say, until, write};
use makima_client::Client;
use makima_model::{MessageRole, PermissionMode, TaskStatus};
use makima_testkit::TestDatabase;
use makima_wire::{AnswerQuestion, CreateTask, List, Task};
use serde_json::{Value, json};

fn scripts() -> Value {
    let mut end_of_turn = say("It failed with 3, as it should.");
    end_of_turn["wait_for_file"] = json!("../gate");
    let edit = json!({ "file_path": "{{cwd}}/a.txt", "old_string": "one", "new_string": "two" });
    let mut slow = say("This answer has no end, ");
    slow["endless"] = json!(true);
    json!({
        "GO-WORK": [write("a.txt", "one\n"), call("I edit.", "Edit", edit), bash("cat a.txt"), bash("exit 3"), end_of_turn],
        "GO-NEXT": [say("Next: {{n}} messages.")],
        "GO-ASK": [write("b.txt", "b\n"), bash("rm b.txt"), say("So it stays.")],
        "GO-SLOW": [write("slow.txt", "slow\n"), slow],
    })
}

fn lab(database: Option<&TestDatabase>) -> Lab {
    let mut lab = Lab::new(scripts());
    if let Some(database) = database {
        lab = lab.on_database(&database.url());
    }
    lab.up();
    lab
}

async fn begin(lab: &Lab, plan: &str, mode: Option<PermissionMode>) -> Task {
    let task = CreateTask {
        plan: plan.into(),
        repository: Some(lab.repo.path().to_str().unwrap().into()),
        permission_mode: mode,
        ..CreateTask::default()
    };
    lab.client().create_task(&task).await.unwrap()
}

async fn said(client: &Client, task: &Task) -> Vec<(MessageRole, String)> {
    let messages = client.conversation(task.id).await.unwrap().messages;
    let words = |message: &makima_wire::ConversationMessage| match message.is_error {
        Some(is_error) => {
            format!("{} {}", message.tool_name.as_deref().unwrap(), if is_error { "failed" } else { "done" })
        }
        None => message.content.clone(),
    };
    messages.iter().map(|message| (message.role, words(message))).collect()
}

/// Several tools, an edit, a command that fails; a follow-up within the turn, and one after the end.
async fn work(database: Option<TestDatabase>) {
    let lab = lab(database.as_ref());
    let client = lab.client();
    let task = begin(&lab, "GO-WORK", None).await;
    let working = lab.task_when(task.id, "its last tool has failed", |task| task.message_count >= 9).await;
    client.send_message(task.id, "GO-NEXT within the turn").await.unwrap();
    let worktree = std::path::PathBuf::from(working.worktree_path.unwrap());
    std::fs::write(worktree.join("../gate"), "").unwrap();
    let done = lab.task_when(task.id, "it has ended", |task| task.status.is_over()).await;
    assert_eq!((done.status, done.run_number), (TaskStatus::Completed, 1), "{done:?}");
    use MessageRole::{Assistant, Tool, User};
    let expected = [
        (User, "GO-WORK"),
        (Assistant, "I write."),
        (Tool, "Write done"),
        (Assistant, "I edit."),
        (Tool, "Edit done"),
        (Assistant, "I run."),
        (Tool, "Bash done"),
        (Assistant, "I run."),
        (Tool, "Bash failed"),
        (Assistant, "It failed with 3, as it should."),
        (User, "GO-NEXT within the turn"),
        (Assistant, "Next: 11 messages."),
    ];
    let expected: Vec<_> = expected.into_iter().map(|(role, words)| (role, words.to_owned())).collect();
    assert_eq!(said(&client, &task).await, expected);
    assert_eq!(lab.committed(&task.branch_name, "a.txt"), "two");
    assert_eq!(client.checkpoints(task.id, &List::default()).await.unwrap().total_count, 1);

    client.send_message(task.id, "GO-NEXT after the end").await.unwrap();
    let again = lab
        .task_when(task.id, "it has ended again", |task| task.run_number == 2 && task.status.is_over())
        .await;
    assert_eq!(again.status, TaskStatus::Completed, "{again:?}");
    // Its session was written from the server's record: it counts all that was said before.
    assert_eq!(said(&client, &task).await.last().unwrap().1, "Next: 13 messages.");
}

/// Permissions answered through the API: one allowed, one denied.
async fn permissions(database: Option<TestDatabase>) {
    let lab = lab(database.as_ref());
    let client = lab.client();
    let task = begin(&lab, "GO-ASK", Some(PermissionMode::Ask)).await;
    for (tool, answer) in [("Write", "allow"), ("Bash", "deny")] {
        let question = until("it asks", async || {
            let now = client.task(task.id).await.unwrap();
            now.pending_question.filter(|question| question.tool_name.as_deref() == Some(tool))
        })
        .await;
        let answer = AnswerQuestion { question_id: question.id, answer: answer.into(), message: None };
        client.answer(task.id, &answer).await.unwrap();
    }
    let done = lab.task_when(task.id, "it has ended", |task| task.status.is_over()).await;
    assert_eq!(done.status, TaskStatus::Completed, "{done:?}");
    assert_eq!(lab.committed(&task.branch_name, "b.txt"), "b");
}

/// A stop in the middle of an answer: what was streamed is kept and marked as cut off.
async fn interrupt(database: Option<TestDatabase>) {
    let lab = lab(database.as_ref());
    let client = lab.client();
    let task = begin(&lab, "GO-SLOW", None).await;
    lab.task_when(task.id, "it works", |task| task.message_count >= 3).await;
    let stopped = client.stop_task(task.id).await.unwrap();
    assert_eq!(stopped.status, TaskStatus::Interrupted, "{stopped:?}");
    let messages = client.conversation(task.id).await.unwrap().messages;
    // Stopped before it began to answer, there is nothing that could be cut off.
    let cut = messages.iter().filter(|message| message.content.starts_with("This answer has no end"));
    assert!(cut.clone().all(|message| message.incomplete), "{messages:#?}");
    let checkpoints = client.checkpoints(task.id, &List::default()).await.unwrap().checkpoints;
    assert_eq!(checkpoints[0].files_changed[0].path, "slow.txt");
}

macro_rules! on_both {
    ($($name:ident)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                super::$name(None).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() {
                super::$name(Some(TestDatabase::create())).await;
            }
        }
    )*};
}

on_both! { work permissions interrupt }
