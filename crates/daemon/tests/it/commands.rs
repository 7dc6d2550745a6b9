//! Commands that are no part of a run's course.

use crate::lab::{Lab, eventually, text, write};
use makima_failpoints::Failpoints;
use makima_model::{CheckpointKind, CheckpointMade, Record, RunOutcome};
use makima_wire::{
    Code,
    frame::{Command, CommandOutcome, CommandResult, CopiedFiles, LastCheckpoint, Refusal, StartRun},
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

/// Fault: a daemon is told a command twice: the server sent it before it knew what had come of it
/// Moment: when the run that it began is over and the server has all of it
/// Outcome: the run is not begun again, whose entries would be taken for those that the server has
#[tokio::test]
async fn a_start_that_is_told_again_when_its_run_is_over_begins_nothing() {
    let lab = Lab::new(json!({"GO": [{"content": [text("Done.")]}]})).await;
    let daemon = lab.daemon().await;
    let (run, id) = (lab.run("GO"), lab.clock.new_id());
    let start = Command::StartRun(Box::new(run.clone()));
    lab.server.command(id, start.clone());
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    let file = lab.data().join(format!("commands/{id}.json"));
    eventually(|| (!file.exists() && !lab.run_folder(run.run).exists()).then_some(())).await;
    let story = lab.story(&run);
    lab.server.command(id, start);
    // They are taken one after the other: once something came of this one, the one before was taken.
    lab.order(Command::CheckFiles { task: run.task, files: Vec::new() }).await;
    assert!(!lab.run_folder(run.run).exists(), "it has begun again");
    assert_eq!(lab.story(&run), story);
    lab.verify();
    daemon.stop().await;
}

/// Fault: a daemon is killed twice, and its disk has no room for what came of the start of a run
/// Moment: when that run is over and the server has all of it, but was not told of the start
/// Outcome: the third daemon does not begin the run again: the folder stayed until the start was settled
#[tokio::test]
async fn a_start_whose_outcome_was_never_kept_is_not_repeated_when_its_run_is_over() {
    let mut lab = Lab::new(json!({"GO": [{"content": [text("Done.")]}]})).await;
    lab.server.kept().is_unsettled = true;
    lab.failpoints.freeze_at("run.accepted");
    let daemon = lab.daemon().await;
    let (run, id) = (lab.run("GO"), lab.clock.new_id());
    lab.server.command(id, Command::StartRun(Box::new(run.clone())));
    eventually(|| lab.failpoints.is_frozen().then_some(())).await;
    daemon.detach().await;
    // Whatever is written of the command would be written here first.
    let beside = lab.data().join(format!("commands/{id}.json.new"));
    std::fs::create_dir(&beside).unwrap();
    lab.failpoints = Failpoints::default();
    let daemon = lab.daemon().await;
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    let story = lab.story(&run);
    lab.order(Command::CheckFiles { task: run.task, files: Vec::new() }).await;
    daemon.detach().await;
    std::fs::remove_dir(&beside).unwrap();
    lab.server.kept().is_unsettled = false;
    let daemon = lab.daemon().await;
    let file = lab.data().join(format!("commands/{id}.json"));
    eventually(|| {
        let violations = lab.server.kept().violations.clone();
        assert!(violations.is_empty(), "it has begun again: {violations:?}");
        (!file.exists() && !lab.run_folder(run.run).exists()).then_some(())
    })
    .await;
    assert_eq!(lab.story(&run), story);
    lab.verify();
    daemon.stop().await;
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

#[tokio::test]
async fn a_task_goes_on_from_anothers_checkpoint_and_gets_its_ignored_files() {
    let lab = Lab::new(json!({
        "FIRST": [
            {"content": [write("a.txt", "a\n"), write(".gitignore", ".env\n")]},
            {"content": [write(".env", "KEY=1\n"), crate::lab::bash("ln -s /etc/hostname leaves")]},
            {"content": [text("Done.")]},
        ],
        "NEXT": [
            {"content": [crate::lab::bash("cat a.txt .env > seen.txt")]},
            {"content": [text("Done.")]},
        ],
    }))
    .await;
    let daemon = lab.daemon().await;
    let first = lab.run("FIRST");
    lab.start(&first);
    assert_eq!(lab.ended(&first).await.outcome, RunOutcome::Completed);
    let made = checkpoint(&lab, &first).await;

    let look = |files: &[&str]| Command::CheckFiles {
        task: first.task,
        files: files.iter().map(|file| (*file).to_owned()).collect(),
    };
    assert_eq!(lab.order(look(&["a.txt", ".env"])).await, CommandOutcome::Done(CommandResult::Done));
    for refused in ["leaves", "none.txt"] {
        match lab.order(look(&["a.txt", refused])).await {
            CommandOutcome::Refused(Refusal { code: Code::Unprocessable, message }) => {
                assert!(message.contains(refused), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }

    let mut next = lab.run("NEXT");
    next.base_branch = Some("main".to_owned());
    next.base_commit = Some(made.commit_sha.clone());
    next.copied = Some(CopiedFiles { task: first.task, files: vec![".env".to_owned()] });
    lab.start(&next);
    assert_eq!(lab.ended(&next).await.outcome, RunOutcome::Completed);
    assert_eq!(lab.repo.git(["show", &format!("{}:seen.txt", next.branch_name)]), "a\nKEY=1");
    // It is ignored there too, and no part of any commit.
    assert_eq!(std::fs::read_to_string(lab.worktree(&next).join(".env")).unwrap(), "KEY=1\n");

    let mut broken = lab.run("NEXT");
    broken.copied = Some(CopiedFiles { task: first.task, files: vec!["leaves".to_owned()] });
    lab.start(&broken);
    let end = lab.ended(&broken).await;
    assert_eq!(end.outcome, RunOutcome::Failed);
    assert!(end.reason.unwrap().contains("leads out of the worktree"));
    daemon.stop().await;
}

/// What is here of a task: its worktree, what is known of it, its runs' folders, and its refs and branch in the clone.
fn left_of(lab: &Lab, run: &StartRun) -> Vec<String> {
    let data = lab.data();
    let mut left = Vec::new();
    for path in
        [lab.worktree(run), data.join("tasks").join(format!("{}.json", run.task)), lab.run_folder(run.run)]
    {
        if path.exists() {
            left.push(path.strip_prefix(&data).unwrap().display().to_string());
        }
    }
    for clone in std::fs::read_dir(data.join("repositories")).unwrap() {
        let clone = clone.unwrap().path();
        if !clone.is_dir() {
            continue;
        }
        let refs = lab.repo.git(["-C", clone.to_str().unwrap(), "for-each-ref", "--format=%(refname)"]);
        // What was published there the clone has from the user's repository: that is the user's.
        let (branch, below) =
            (format!("refs/heads/{}", run.branch_name), format!("refs/makima/tasks/{}/", run.task));
        let ours = |name: &&str| *name == branch || name.starts_with(&below);
        left.extend(refs.lines().filter(ours).map(str::to_owned));
    }
    left
}

/// Fault: the daemon is killed
/// Moment: when it has kept the command to erase a task and not begun
/// Outcome: the next daemon erases it
/// Moment: when what worked on the task is stopped
/// Outcome: the next daemon erases it
/// Moment: when the worktree is gone
/// Outcome: the next daemon erases the rest
/// Moment: when the refs are gone
/// Outcome: the next daemon erases the rest
/// Moment: when the runs are gone and what came of it is not kept
/// Outcome: the next daemon finds nothing left to do, and says that it is done, once
/// Moment: when what came of it is kept and not told
/// Outcome: the next daemon says that it is done, once
#[tokio::test]
#[ignore = "long: a daemon dies at each of eight steps"]
async fn a_task_is_erased_wherever_the_daemon_dies_and_the_users_repository_left_alone() {
    let mut lab = Lab::new(json!({
        "GO": [{"content": [text("Done."), write("a.txt", "a")]}],
        "STAY": [
            {"content": [text("stays"), write("b.txt", "b")]},
            {"content": [text("never")], "wait_for_file": "{{LAB}}/never"},
        ],
    }))
    .await;
    let daemon = lab.daemon().await;
    let other = lab.run("GO");
    lab.start(&other);
    lab.ended(&other).await;
    // Its run's folder goes once the server has its end.
    eventually(|| (!lab.run_folder(other.run).exists()).then_some(())).await;
    daemon.detach().await;
    let kept = left_of(&lab, &other);
    assert!(kept.len() > 3, "{kept:?}");
    for step in [
        "command.kept",
        "purge.stopped",
        "purge.worktree",
        "purge.refs",
        "purge.worktree_gone",
        "purge.runs_gone",
        "command.done",
        "command.told",
    ] {
        lab.failpoints = Failpoints::default();
        let daemon = lab.daemon().await;
        let run = lab.run("GO");
        lab.start(&run);
        lab.ended(&run).await;
        let published = lab.repo.git(["rev-parse", &run.branch_name]);
        assert!(!left_of(&lab, &run).is_empty(), "{step}");
        lab.failpoints.freeze_at(step);
        let id = lab.clock.new_id();
        lab.server.command(id, Command::PurgeTask { task: run.task });
        eventually(|| lab.failpoints.is_frozen().then_some(())).await;
        daemon.detach().await;
        assert_eq!(lab.server.kept().finished.get(&id), None, "{step}");
        lab.verify();

        lab.failpoints = Failpoints::default();
        let daemon = lab.daemon().await;
        let outcome = lab.server.until(|kept| kept.finished.get(&id).cloned()).await;
        assert_eq!(outcome, CommandOutcome::Done(CommandResult::Done), "{step}");
        assert_eq!(left_of(&lab, &run), [""; 0], "{step}");
        assert_eq!(left_of(&lab, &other), kept, "{step}");
        assert_eq!(lab.repo.git(["rev-parse", &run.branch_name]), published);
        daemon.detach().await;
    }
    // One whose agent still works: it is stopped first.
    let daemon = lab.daemon().await;
    let run = lab.run("STAY");
    lab.start(&run);
    lab.said(&run, "stays").await;
    assert_eq!(
        lab.order(Command::PurgeTask { task: run.task }).await,
        CommandOutcome::Done(CommandResult::Done)
    );
    assert_eq!(left_of(&lab, &run), [""; 0]);
    // And one that never ran here.
    let never = lab.clock.new_id();
    assert_eq!(
        lab.order(Command::PurgeTask { task: never }).await,
        CommandOutcome::Done(CommandResult::Done)
    );
    // Not the checker: the lab's server still has what it was told of them.
    assert_eq!(lab.server.kept().violations, [""; 0]);
    daemon.stop().await;
}

#[tokio::test]
async fn the_next_checkpoint_follows_the_one_before_that_which_was_put_away() {
    let lab = Lab::new(json!({"GO": [{"content": [text("Done."), write("a.txt", "a\n")]}]})).await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    lab.ended(&run).await;
    let worktree = lab.worktree(&run);
    std::fs::write(worktree.join("b.txt"), "b\n").unwrap();
    let first = checkpoint(&lab, &run).await;
    std::fs::write(worktree.join("c.txt"), "c\n").unwrap();
    let second = checkpoint(&lab, &run).await;
    let last = LastCheckpoint::from(&first);
    let away = |checkpoint, last| Command::PutCheckpointAway { task: run.task, checkpoint, last };
    let refused = lab.order(away(first.id, None)).await;
    assert!(matches!(refused, CommandOutcome::Refused(Refusal { code: Code::Conflict, .. })), "{refused:?}");
    for _ in 0..2 {
        let done = lab.order(away(second.id, Some(last.clone()))).await;
        assert_eq!(done, CommandOutcome::Done(CommandResult::Done));
    }
    let third = checkpoint(&lab, &run).await;
    assert_eq!((third.previous, third.number), (Some(first.id), second.number + 1));
    let files: Vec<&str> = third.files_changed.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(files, ["c.txt"]);
    // One that is had again before the next is made is followed again.
    lab.order(away(third.id, Some(last))).await;
    lab.order(Command::BringCheckpointBack { task: run.task, checkpoint: third.id }).await;
    assert_eq!(checkpoint(&lab, &run).await.previous, Some(third.id));
    lab.verify();
    daemon.stop().await;
}
