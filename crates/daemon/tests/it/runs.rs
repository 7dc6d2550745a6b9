//! Runs from their beginning to their end.

use crate::lab::{Lab, eventually, text, write};
use makima_model::{MessageRole, NativeLine, Published, Record, RunOutcome};
use makima_wire::frame::{Command, CommandOutcome, ResumeFrom, SessionLine};
use serde_json::{Value, json};

fn writes_a_file() -> Value {
    json!({"GO": [{"content": [write("new.txt", "new\n")]}, {"content": [text("Done.")]}]})
}

#[tokio::test]
async fn a_run_works_in_a_worktree_is_checkpointed_published_and_forgotten() {
    let lab = Lab::new(writes_a_file()).await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    assert_eq!(
        lab.story(&run),
        [
            "prepared",
            "spawned",
            "user: GO",
            "assistant: ",
            "tool: Write",
            "assistant: Done.",
            "turn 1 completed",
            "checkpoint 1",
            "published",
            "published",
            "ended completed"
        ]
    );
    // What was left uncommitted is on the branch, in the user's repository; the user's own branch is untouched.
    assert_eq!(lab.repo.git(["show", &format!("{}:new.txt", run.branch_name)]), "new");
    assert_eq!(lab.repo.git(["log", "-1", "--format=%s", &run.branch_name]), "Do it");
    assert_eq!(lab.repo.status(), "");
    let patch = lab.until(&run, |record| match record {
        Record::Checkpoint(made) => made.patch.clone(),
        _ => None,
    });
    let patch = patch.await;
    let text = String::from_utf8(lab.server.kept().blobs[&patch.hash].clone()).unwrap();
    assert!(text.contains("+new") && text.len() as u64 == patch.bytes, "{text}");
    eventually(|| (!lab.run_folder(run.run).exists()).then_some(())).await;
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn what_is_left_uncommitted_stays_so_where_that_is_wanted() {
    let lab = Lab::new(writes_a_file()).await;
    let daemon = lab.daemon().await;
    let mut run = lab.run("GO");
    run.commit_on_finish = false;
    lab.start(&run);
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    assert_eq!(lab.repo.git(["rev-parse", &run.branch_name]), lab.repo.head());
    assert!(lab.worktree(&run).join("new.txt").exists());
    daemon.stop().await;
}

#[tokio::test]
async fn a_worktree_is_made_ready_for_its_first_checkpoint_while_the_agent_works() {
    let lab =
        Lab::new(json!({"GO": [{"content": [write("new.txt", "new\n")], "wait_for_file": "{{LAB}}/go"}]}));
    let lab = lab.await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    let is_ready = || {
        let clones = std::fs::read_dir(lab.data().join("repositories")).ok()?;
        let mut worktrees =
            clones.filter_map(|clone| std::fs::read_dir(clone.ok()?.path().join("worktrees")).ok());
        let git_dir = worktrees.next()?.next()?.ok()?.path();
        git_dir.join("makima/seed").exists().then_some(())
    };
    eventually(is_ready).await;
    lab.open("go");
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    let files = lab.until(&run, |record| match record {
        Record::Checkpoint(made) => Some(made.files_changed.clone()),
        _ => None,
    });
    assert_eq!(files.await.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["new.txt"]);
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn what_is_left_in_the_middle_of_a_merge_is_not_committed_and_that_is_told() {
    let lab = Lab::new(writes_a_file()).await;
    let daemon = lab.daemon().await;
    let first = lab.run("nothing");
    lab.start(&first);
    lab.ended(&first).await;
    let merging = lab.data().join("repositories");
    let clone =
        std::fs::read_dir(merging).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir());
    let worktrees = clone.unwrap().join("worktrees");
    let git_dir = std::fs::read_dir(worktrees).unwrap().next().unwrap().unwrap().path();
    std::fs::write(git_dir.join("MERGE_HEAD"), format!("{}\n", lab.repo.head())).unwrap();
    let mut again = lab.run("GO");
    (again.task, again.branch_name) = (first.task, first.branch_name.clone());
    lab.start(&again);
    assert_eq!(lab.ended(&again).await.outcome, RunOutcome::Completed);
    let notice = lab.until(&again, |record| match record {
        Record::Notice { text, .. } if text.contains("not committed") => Some(text.clone()),
        _ => None,
    });
    assert!(notice.await.contains("in the middle of a merge"));
    daemon.stop().await;
}

#[tokio::test]
async fn what_is_said_in_a_turn_is_said_to_the_agent_after_the_turns_checkpoint_and_once() {
    let lab = Lab::new(json!({
        "ONE": [{"content": [write("one.txt", "1")], "wait_for_file": "{{LAB}}/go"}, {"content": [text("one")]}],
        "TWO": [{"content": [text("two")]}],
    }))
    .await;
    let daemon = lab.daemon().await;
    let run = lab.run("ONE");
    lab.start(&run);
    lab.until(&run, |record| matches!(record, Record::Spawned { .. }).then_some(())).await;
    let input = lab.input("TWO");
    for _ in 0..2 {
        let outcome = lab.order(Command::Input { run: run.run, input: input.clone() }).await;
        assert!(matches!(outcome, CommandOutcome::Done(_)), "{outcome:?}");
    }
    lab.open("go");
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    let story: Vec<String> = lab.story(&run).into_iter().filter(|line| line != "published").collect();
    assert_eq!(
        story,
        [
            "prepared",
            "spawned",
            "user: ONE",
            "assistant: ",
            "tool: Write",
            "assistant: one",
            "turn 1 completed",
            "checkpoint 1",
            "user: TWO",
            "assistant: two",
            "turn 2 completed",
            "unchanged 2",
            "ended completed"
        ]
    );
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn runs_of_two_tasks_work_beside_each_other() {
    let lab = Lab::new(json!({
        "WAIT": [{"content": [text("waits"), write("a.txt", "a")]},
                 {"content": [text("waited")], "wait_for_file": "{{LAB}}/go"}],
        "QUICK": [{"content": [text("quick")]}],
    }))
    .await;
    let daemon = lab.daemon().await;
    let (slow, quick) = (lab.run("WAIT"), lab.run("QUICK"));
    lab.start(&slow);
    lab.said(&slow, "waits").await;
    lab.start(&quick);
    assert_eq!(lab.ended(&quick).await.outcome, RunOutcome::Completed);
    assert!(!lab.story(&slow).contains(&"ended completed".to_owned()));
    lab.open("go");
    assert_eq!(lab.ended(&slow).await.outcome, RunOutcome::Completed);
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn a_branch_that_is_checked_out_by_its_user_is_left_alone_and_that_is_told() {
    let lab = Lab::new(writes_a_file()).await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.repo.branch(&run.branch_name).checkout(&run.branch_name);
    let head = lab.repo.head();
    lab.start(&run);
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    let told = lab.until(&run, |record| match record {
        Record::Published { published: Published::CheckedOut { worktree } } => Some(worktree.clone()),
        _ => None,
    });
    assert_eq!(told.await, lab.repo.path().to_str().unwrap());
    assert_eq!(lab.repo.head(), head);
    daemon.stop().await;
}

#[tokio::test]
async fn uncommitted_changes_are_taken_into_a_new_worktree_where_that_is_wanted() {
    let lab = Lab::new(writes_a_file()).await;
    let daemon = lab.daemon().await;
    lab.repo.write("mine.txt", "mine\n");
    let mut run = lab.run("GO");
    run.include_uncommitted = true;
    lab.start(&run);
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    assert_eq!(lab.repo.git(["show", &format!("{}:mine.txt", run.branch_name)]), "mine");
    assert_eq!(lab.repo.status(), "?? mine.txt");
    daemon.stop().await;
}

#[tokio::test]
async fn a_task_goes_on_in_its_worktree_with_the_session_that_the_server_holds() {
    let lab = Lab::new(json!({
        "GO": [{"content": [write("new.txt", "new\n")]}, {"content": [text("Done.")]}],
        "MORE": [{"content": [text("it has {{n}} messages")]}],
    }))
    .await;
    let daemon = lab.daemon().await;
    let first = lab.run("GO");
    lab.start(&first);
    lab.ended(&first).await;
    let mut again = lab.run("MORE");
    (again.task, again.branch_name, again.run_number) = (first.task, first.branch_name.clone(), 2);
    let records = lab.server.kept().records(first.run);
    let session_id = records.iter().find_map(|record| match record {
        Record::Session { session_id, .. } => Some(session_id.clone()),
        _ => None,
    });
    let native: Vec<SessionLine> = records
        .iter()
        .filter_map(|record| match record {
            Record::Native { lines, .. } => Some(lines.clone()),
            _ => None,
        })
        .flatten()
        .map(|line: NativeLine| SessionLine::Native(line))
        .collect();
    let messages = native.len();
    lab.server.kept().sessions.insert(again.run, native);
    again.resume = Some(ResumeFrom { session_id: session_id.unwrap(), message_count: messages as i64 });
    lab.start(&again);
    assert_eq!(lab.ended(&again).await.outcome, RunOutcome::Completed);
    let said = lab.until(&again, |record| match record {
        Record::Message { message } if message.role == MessageRole::Assistant => {
            Some(message.content.clone())
        }
        _ => None,
    });
    // With what it is told now.
    assert_eq!(said.await, format!("it has {} messages", messages + 1));
    // The worktree is the one that the first run left.
    assert!(lab.story(&again).contains(&"unchanged 1".to_owned()), "{:?}", lab.story(&again));
    daemon.stop().await;
}

#[tokio::test]
async fn an_agent_sees_its_ids_and_no_secret_of_the_daemon() {
    let lab = Lab::new(json!({"GO": [
        {"content": [crate::lab::bash("env > env.txt")]},
        {"content": [text("Done.")]},
    ]}))
    .await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    lab.ended(&run).await;
    let seen = lab.repo.git(["show", &format!("{}:env.txt", run.branch_name)]);
    for line in [
        format!("MAKIMA_RUN_ID={}", run.run),
        format!("MAKIMA_TASK_ID={}", run.task),
        "MAKIMA_TOOL_KEY=mt_key".to_owned(),
    ] {
        assert!(seen.lines().any(|seen| seen == line), "{line} in {seen}");
    }
    assert!(!seen.contains("SECRET"), "{seen}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_line_of_many_megabytes_arrives_whole() {
    let long = "lorem ".repeat((13 << 20) / 6);
    let script = json!({"LONG": [{"content": [text(&long)], "chunk": long.len()}]});
    let lab = Lab::new(script).await;
    let daemon = lab.daemon().await;
    let run = lab.run("LONG");
    lab.start(&run);
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    assert!(lab.story(&run).contains(&format!("assistant: {long}")));
    lab.verify();
    daemon.stop().await;
}
