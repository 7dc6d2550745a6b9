//! Commands that are no part of a run's course.

use crate::lab::{Lab, text, write};
use makima_model::{CheckpointKind, CheckpointMade, Record, RunOutcome};
use makima_wire::{
    Code,
    frame::{Command, CommandOutcome, CommandResult, Refusal, StartRun},
};
use serde_json::json;

async fn checkpoint(lab: &Lab, run: &StartRun) -> CheckpointMade {
    let command = Command::Checkpoint {
        task: run.task,
        run: run.run,
        id: lab.clock.new_id(),
        message: "By hand".to_owned(),
        last: None,
    };
    match lab.order(command).await {
        CommandOutcome::Done(CommandResult::Checkpoint(made)) => made.made,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn checkpoints_by_hand_are_made_of_live_and_of_ended_runs() {
    let lab = Lab::new(json!({"GO": [
        {"content": [text("works"), write("a.txt", "a\n")]},
        {"content": [text("more"), write("b.txt", "b\n")]},
        {"content": [text("Done.")], "wait_for_file": "{{LAB}}/go"},
    ]}))
    .await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    lab.until(&run, |record| match record {
        Record::Message { message } => {
            message.tool_result.as_ref().filter(|told| told.contains("b.txt")).map(|_| ())
        }
        _ => None,
    })
    .await;
    let live = checkpoint(&lab, &run).await;
    assert_eq!((live.number, live.kind, live.previous), (1, CheckpointKind::Manual, None));
    let files: Vec<&str> = live.files_changed.iter().map(|file| file.path.as_str()).collect();
    assert_eq!((files, live.lines_added), (vec!["a.txt", "b.txt"], 2));
    assert!(lab.server.kept().blobs.contains_key(&live.patch.unwrap().hash));
    lab.open("go");
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    // The turn changed nothing more.
    assert!(lab.story(&run).contains(&"unchanged 1".to_owned()), "{:?}", lab.story(&run));
    let after = checkpoint(&lab, &run).await;
    assert_eq!((after.number, after.previous), (2, Some(live.id)));
    assert_eq!(after.commit_sha, lab.repo.git(["rev-parse", &run.branch_name]));
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn a_task_that_never_ran_here_has_no_checkpoint() {
    let lab = Lab::new(json!({})).await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    let command = Command::Checkpoint {
        task: run.task,
        run: run.run,
        id: lab.clock.new_id(),
        message: String::new(),
        last: None,
    };
    let outcome = lab.order(command).await;
    assert!(matches!(outcome, CommandOutcome::Refused(Refusal { code: Code::NotFound, .. })), "{outcome:?}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_repository_is_seen_or_refused_with_gits_words() {
    let lab = Lab::new(json!({})).await;
    let daemon = lab.daemon().await;
    lab.repo.write("mine.txt", "mine");
    let repository = lab.repo.path().to_str().unwrap().to_owned();
    let seen =
        lab.order(Command::CheckRepository { repository: repository.clone(), base_branch: None }).await;
    let CommandOutcome::Done(CommandResult::Repository(seen)) = seen else { panic!("{seen:?}") };
    assert_eq!((seen.base_branch.as_str(), seen.base_commit), ("main", Some(lab.repo.head())));
    assert_eq!(seen.uncommitted_files, Some(1));
    for (repository, base_branch) in [
        (lab.file("nowhere").to_str().unwrap().to_owned(), None),
        (repository, Some("no-such-branch".to_owned())),
        ("relative/path".to_owned(), None),
    ] {
        let outcome = lab.order(Command::CheckRepository { repository, base_branch }).await;
        assert!(
            matches!(outcome, CommandOutcome::Refused(Refusal { code: Code::RepositoryNotFound, .. })),
            "{outcome:?}"
        );
    }
    daemon.stop().await;
}
