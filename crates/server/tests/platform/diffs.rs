//! What differs between the moments of a task's code: from the patch that is kept, else from the task's daemon.

use crate::{lab::*, on_both, runs::checkpoint};
use makima_client::ClientError;
use makima_model::{
    BlobRef, CheckpointMade, MessageRole, Point, Record, RunId, RunOutcome,
    diff::{DiffAction, FileDiff, GitDiff, LineKind},
};
use makima_server::Settings;
use makima_wire::{
    Code, DiffQuery, Task,
    frame::{Command, CommandOutcome, CommandResult, Refusal},
};
use std::time::Duration;

pub(crate) const PATCH: &str = "diff --git a/hello.txt b/hello.txt\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/hello.txt\n\
    @@ -0,0 +1 @@\n+hello\n";

fn code<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> Code {
    answer.unwrap_err().code().expect("a code")
}

fn from(point: &str) -> DiffQuery {
    DiffQuery { from: Some(point.parse().unwrap()), ..DiffQuery::default() }
}

/// Keeps a patch as a daemon does.
pub(crate) async fn keep(lab: &Lab, patch: &str) -> BlobRef {
    let hash = blake3::hash(patch.as_bytes()).to_hex().to_string();
    let url = format!("{}/api/v1/daemons/blobs/{hash}", lab.url());
    let put =
        reqwest::Client::new().put(url).bearer_auth(&lab.key).body(patch.to_owned()).send().await.unwrap();
    assert_eq!(put.status(), 204);
    BlobRef { hash, bytes: patch.len() as u64 }
}

/// A task whose run has made two checkpoints, of which the first has its patch, and has ended.
pub(crate) async fn with_two(lab: &Lab, daemon: &mut LabDaemon) -> (Task, RunId, [CheckpointMade; 2]) {
    let task = daemon.beside(lab.task("one")).await;
    let start = daemon.start().await;
    let first = CheckpointMade { patch: Some(keep(lab, PATCH).await), ..checkpoint(lab, 1, Some(1)) };
    let second = CheckpointMade { previous: Some(first.id), ..checkpoint(lab, 2, Some(2)) };
    let mut records = begun(&task);
    for made in [&first, &second] {
        records.extend([
            said(&lab.clock, MessageRole::Assistant, "a"),
            turn(0.0),
            Record::Checkpoint(made.clone()),
        ]);
    }
    records.push(ended(RunOutcome::Completed));
    daemon.tell(start.run, 1, records).await;
    lab.until(&task, |task| task.checkpoint_count == 2).await;
    (task, start.run, [first, second])
}

fn told() -> GitDiff {
    let file = FileDiff {
        path: "hello.txt".into(),
        path_bytes: None,
        old_path: None,
        action: DiffAction::Modified,
        additions: 0,
        deletions: 0,
        binary: true,
        old_mode: None,
        new_mode: None,
        hunks: Vec::new(),
        truncated: false,
    };
    GitDiff::of(vec![file])
}

on_both! {
    async fn what_is_kept_is_told_while_every_daemon_is_away(engine) {
        let short = Duration::from_secs(1);
        let lab = Lab::with(engine, Settings { silence: short, grace: Duration::ZERO, ..Settings::default() }).await;
        let mut daemon = lab.daemon().await;
        let (task, _, [first, _]) = with_two(&lab, &mut daemon).await;
        drop(daemon);
        for point in ["checkpoint:1", &first.id.to_string(), &first.commit_sha] {
            let point: Point = point.parse().unwrap();
            let found = lab.client.checkpoint_diff(task.id, &point, &DiffQuery::default()).await.unwrap();
            assert_eq!((found.checkpoint.id, found.previous_checkpoint), (first.id, None));
            let file = &found.diff.files[0];
            assert_eq!((file.path.as_str(), file.action, file.additions), ("hello.txt", DiffAction::Added, 1));
            let line = &file.hunks[0].lines[0];
            assert_eq!((line.kind, line.text.as_str(), line.new_line), (LineKind::Added, "hello", Some(1)));
        }
        let other = DiffQuery { path: Some("other.txt".into()), ..DiffQuery::default() };
        let found = lab.client.checkpoint_diff(task.id, &Point::Number(1), &other).await.unwrap();
        assert_eq!(found.diff, GitDiff::default());
        // The same moment under another name is what is kept, and one differs from itself in nothing.
        assert_eq!(lab.client.checkpoint_diff(task.id, &Point::Number(1), &from("~1000")).await.unwrap().diff.files.len(), 1);
        assert_eq!(lab.client.checkpoint_diff(task.id, &Point::Number(1), &from("checkpoint:1")).await.unwrap().diff, GitDiff::default());
        // Whatever else is asked needs the daemon.
        let offline = async || lab.client.daemons().await.unwrap().daemons[0].status == makima_model::DaemonStatus::Offline;
        while !offline().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let wide = DiffQuery { context: Some(9), ..DiffQuery::default() };
        assert_eq!(code(lab.client.checkpoint_diff(task.id, &Point::Number(1), &wide).await), Code::NoDaemon);
        assert_eq!(code(lab.client.checkpoint_diff(task.id, &Point::Number(2), &DiffQuery::default()).await), Code::NoDaemon);
        lab.verify().await;
    }

    async fn what_is_not_kept_is_asked_of_the_daemon_and_read_once(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (task, _, [first, second]) = with_two(&lab, &mut daemon).await;
        let asked_before = lab.count("SELECT COUNT(*) FROM daemon_commands").await;
        let client = lab.client.clone();
        let how = DiffQuery { context: Some(0), ignore_whitespace: Some(true), path: Some("hello.txt".into()), from: None };
        let again = how.clone();
        let asking = tokio::spawn(async move { client.checkpoint_diff(task.id, &Point::Number(2), &how).await });
        let (command, Command::Diff(wanted)) = daemon.command().await else { panic!("no diff") };
        assert_eq!((wanted.task, wanted.from.as_ref(), &wanted.to), (task.id, Some(&first.commit_sha), &second.commit_sha));
        assert_eq!((wanted.context, wanted.ignore_whitespace, wanted.path.as_deref()), (0, true, Some("hello.txt")));
        daemon.finish(command, CommandOutcome::Done(CommandResult::Diff(told()))).await;
        let found = asking.await.unwrap().unwrap();
        assert_eq!((&found.diff, found.previous_checkpoint.as_ref().unwrap().id), (&told(), first.id));
        // Commits don't change: the daemon is asked once.
        assert_eq!(lab.client.checkpoint_diff(task.id, &Point::Number(2), &again).await.unwrap(), found);
        // It was asked over the connection that is here, and nothing of that was written down.
        assert_eq!(lab.count("SELECT COUNT(*) FROM daemon_commands").await, asked_before);

        // A patch whose file is gone, or isn't what it was, is as none.
        let hash = &first.patch.as_ref().unwrap().hash;
        std::fs::write(lab.folder().join("blobs").join(&hash[..2]).join(hash), "something else").unwrap();
        let client = lab.client.clone();
        let asking = tokio::spawn(async move { client.checkpoint_diff(task.id, &Point::Number(1), &DiffQuery::default()).await });
        let (command, Command::Diff(wanted)) = daemon.command().await else { panic!("no diff") };
        assert_eq!((wanted.from, wanted.to), (lab.client.task(task.id).await.unwrap().base_commit, first.commit_sha));
        let refusal = Refusal { code: Code::Conflict, message: "bad object".into() };
        daemon.finish(command, CommandOutcome::Refused(refusal)).await;
        let refused = asking.await.unwrap().unwrap_err();
        assert_eq!(refused.code(), Some(Code::Conflict));
        assert!(refused.to_string().contains("bad object"), "{refused}");
    }

    /// Fault: the daemon's connection ends
    /// Moment: while it is asked for a difference
    /// Outcome: it is asked again when it is back; what it says of the first question is settled
    async fn a_question_outlives_the_connection_that_it_was_asked_over(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (task, run, _) = with_two(&lab, &mut daemon).await;
        let asked_before = lab.count("SELECT COUNT(*) FROM daemon_commands").await;
        let client = lab.client.clone();
        let how = DiffQuery { context: Some(0), ..DiffQuery::default() };
        let asking = tokio::spawn(async move { client.checkpoint_diff(task.id, &Point::Number(2), &how).await });
        let (unanswered, Command::Diff(first)) = daemon.command().await else { panic!("no diff") };
        let id = daemon.id;
        drop(daemon);
        let mut daemon = LabDaemon::connect(&lab, id, &[run]).await;
        let (command, Command::Diff(second)) = daemon.command().await else { panic!("no diff") };
        assert_eq!(first, second);
        // What the daemon says of what nobody waits for any more is settled all the same.
        daemon.finish(unanswered, CommandOutcome::Done(CommandResult::Diff(told()))).await;
        daemon.settled(unanswered).await;
        daemon.finish(command, CommandOutcome::Done(CommandResult::Diff(told()))).await;
        assert_eq!(asking.await.unwrap().unwrap().diff, told());
        // The question is forgotten beside its answer.
        while lab.count("SELECT COUNT(*) FROM daemon_commands").await > asked_before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn what_can_not_be_compared_is_refused(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (task, ..) = with_two(&lab, &mut daemon).await;
        let eve = lab.stranger().await;
        assert_eq!(code(eve.checkpoint_diff(task.id, &Point::Number(1), &DiffQuery::default()).await), Code::NotFound);
        assert_eq!(code(lab.client.checkpoint_diff(task.id, &Point::Number(9), &DiffQuery::default()).await), Code::NotFound);
        assert_eq!(code(lab.client.checkpoint_diff(task.id, &Point::Number(1), &from("checkpoint:9")).await), Code::NotFound);
        for (path, expected) in [
            ("1/diff?from=whenever", Code::BadRequest),
            ("1/diff?context=-1", Code::BadRequest),
            ("1/diff?context=100001", Code::BadRequest),
            ("1/diff?ignoreWhitespace=perhaps", Code::BadRequest),
            ("1/diff?lines=3", Code::BadRequest),
            ("1/diff?path=../etc/passwd", Code::Unprocessable),
            ("head/diff", Code::BadRequest),
            ("%00/diff", Code::BadRequest),
            ("abcdef0/diff", Code::NotFound),
        ] {
            let path = format!("/mesh/tasks/{}/checkpoints/{path}", task.id);
            assert_eq!(code(lab.client.get::<serde_json::Value>(&path).await), expected, "{path}");
        }
    }
}
