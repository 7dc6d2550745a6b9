//! Tasks that go on from another task's worktree.

use crate::{
    lab::{Lab, LabDaemon, begun, ended},
    on_both,
};
use makima_client::ClientError;
use makima_model::{CheckpointId, CheckpointKind, CheckpointMade, Record, RunOutcome, TaskId};
use makima_wire::{
    Code, CreateTask, List, Task,
    frame::{Checkpointed, Command, CommandOutcome, CommandResult, CopiedFiles, Refusal},
};

fn refused(answer: Result<Task, ClientError>) -> Code {
    answer.unwrap_err().code().expect("a refusal")
}

fn made(lab: &Lab, id: CheckpointId, number: i64, digit: char) -> CheckpointMade {
    CheckpointMade {
        id,
        number,
        kind: CheckpointKind::Manual,
        turn: None,
        at: lab.clock.now(),
        commit_sha: digit.to_string().repeat(40),
        branch_name: "makima/one".into(),
        message: "m".into(),
        previous: None,
        files_changed: Vec::new(),
        lines_added: 0,
        lines_removed: 0,
        not_held: Vec::new(),
        patch: None,
    }
}

/// A task whose run has ended with one checkpoint, of commit `aaaa…`.
async fn source(lab: &Lab, daemon: &mut LabDaemon) -> Task {
    let task = daemon.beside(lab.task("first")).await;
    let run = daemon.start().await.run;
    daemon.tell(run, 1, begun(&task)).await;
    let checkpoint = Record::Checkpoint(made(lab, lab.clock.new_id(), 1, 'a'));
    daemon.tell(run, 4, vec![checkpoint, ended(RunOutcome::Completed)]).await;
    lab.client.task(task.id).await.unwrap()
}

fn from(task: TaskId) -> CreateTask {
    CreateTask { plan: "go on".into(), continue_from_task_id: Some(task), ..CreateTask::default() }
}

on_both! {
    async fn it_begins_with_a_checkpoint_of_this_moment(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let source = source(&lab, &mut daemon).await;
        let wanted = CreateTask {
            copy_files: Some(vec![".env".into()]),
            ..from(source.id)
        };
        let answering = async {
            let (id, command) = daemon.command().await;
            let Command::Checkpoint { task, id: checkpoint, .. } = command else { panic!("{command:?}") };
            assert_eq!(task, source.id);
            let made = made(&lab, checkpoint, 2, 'b');
            daemon.finish(id, CommandOutcome::Done(CommandResult::Checkpoint(Box::new(Checkpointed { made })))).await;
            let (id, command) = daemon.command().await;
            assert_eq!(command, Command::CheckFiles { task: source.id, files: vec![".env".into()] });
            daemon.finish(id, CommandOutcome::Done(CommandResult::Done)).await;
            daemon.start().await
        };
        let (task, start) = tokio::join!(lab.client.create_task(&wanted), answering);
        let task = task.unwrap();
        assert_eq!(task.continue_from_task_id, Some(source.id));
        assert_eq!(start.agent, source.agent.unwrap(), "the same agent goes on, unless another is named");
        assert_eq!((start.repository, start.base_commit), (source.repository, Some("b".repeat(40))));
        assert_eq!(start.copied, Some(CopiedFiles { task: source.id, files: vec![".env".into()] }));
        assert_eq!(start.resume, None, "the conversation is its own");
        let output = lab.client.output(task.id, &List::default()).await.unwrap();
        assert_eq!(output.events, [], "there is nothing to be said");
    }

    async fn where_the_daemon_is_away_it_begins_with_the_newest_checkpoint_and_says_so(engine) {
        let settings = makima_server::Settings {
            silence: std::time::Duration::from_millis(500),
            grace: std::time::Duration::ZERO,
            ..Default::default()
        };
        let lab = Lab::with(engine, settings).await;
        let mut daemon = lab.daemon().await;
        let source = source(&lab, &mut daemon).await;
        drop(daemon);
        let away = async {
            while lab.client.daemons().await.unwrap().daemons[0].status == makima_model::DaemonStatus::Online {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(crate::lab::PATIENCE, away).await.expect("it is away at some time");
        let task = lab.client.create_task(&from(source.id)).await.unwrap();
        assert_eq!(task.base_commit, Some("a".repeat(40)));
        let output = lab.client.output(task.id, &List::default()).await.unwrap();
        let data = &output.events[0].event_data;
        assert_eq!(data["level"], "warning");
        assert!(data["text"].as_str().unwrap().contains("checkpoint 1"), "{data}");
    }

    async fn it_begins_with_the_checkpoint_that_was_named(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let source = source(&lab, &mut daemon).await;
        let at = |sha: &str| CreateTask { checkpoint_sha: Some(sha.into()), ..from(source.id) };
        let task = daemon.beside(lab.client.create_task(&at("AAAAAAA"))).await.unwrap();
        assert_eq!(task.base_commit, Some("a".repeat(40)));
        assert_eq!(refused(lab.client.create_task(&at("bbbbbbb")).await), Code::NotFound);
        for bad in ["aaaaaa", "", "%%%%%%%", "_______", "HEAD~10"] {
            assert_eq!(refused(lab.client.create_task(&at(bad)).await), Code::BadRequest, "{bad}");
        }
    }

    async fn what_contradicts_it_makes_nothing(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let source = source(&lab, &mut daemon).await;
        let unstarted = CreateTask {
            plan: "later".into(),
            repository: Some("/srv/project".into()),
            start: Some(false),
            ..CreateTask::default()
        };
        let unstarted = daemon.beside(lab.client.create_task(&unstarted)).await.unwrap();
        let other = lab.daemon().await;
        let before = lab.client.tasks(&makima_wire::ListTasks::default()).await.unwrap().total_count;
        let own = || from(source.id);
        for (code, wanted) in [
            (Code::NotFound, from(lab.clock.new_id())),
            (Code::Conflict, from(unstarted.id)),
            (Code::Unprocessable, CreateTask { include_uncommitted: true, ..own() }),
            (Code::Unprocessable, CreateTask { base_branch: Some("main".into()), ..own() }),
            (Code::Unprocessable, CreateTask { repository: Some("/srv/other".into()), ..own() }),
            (Code::Unprocessable, CreateTask { target_daemon_id: Some(other.id), ..own() }),
            (Code::Unprocessable, CreateTask { continue_from_task_id: None, repository: Some("/x".into()), checkpoint_sha: Some("a".repeat(7)), ..own() }),
            (Code::Unprocessable, CreateTask { continue_from_task_id: None, repository: Some("/x".into()), copy_files: Some(vec!["a".into()]), ..own() }),
        ] {
            assert_eq!(refused(lab.client.create_task(&wanted).await), code, "{wanted:?}");
        }
        for file in ["", "/etc/passwd", "../x", "a/../../x", ".git/config"] {
            let wanted = CreateTask {
                checkpoint_sha: Some("a".repeat(7)),
                copy_files: Some(vec![file.into()]),
                ..own()
            };
            assert_eq!(refused(lab.client.create_task(&wanted).await), Code::Unprocessable, "{file}");
        }
        let leaving = CreateTask {
            checkpoint_sha: Some("a".repeat(7)),
            copy_files: Some(vec!["link".into()]),
            ..own()
        };
        let answering = async {
            let (id, _) = daemon.command().await;
            let refusal = Refusal { code: Code::Unprocessable, message: "a symbolic link leads out".into() };
            daemon.finish(id, CommandOutcome::Refused(refusal)).await;
        };
        let (answer, ()) = tokio::join!(lab.client.create_task(&leaving), answering);
        assert_eq!(refused(answer), Code::Unprocessable);
        assert_eq!(refused(lab.stranger().await.create_task(&own()).await), Code::NotFound);
        let after = lab.client.tasks(&makima_wire::ListTasks::default()).await.unwrap().total_count;
        assert_eq!(after, before);
    }
}
