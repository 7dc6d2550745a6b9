//! `makima run`, `makima task send`, `makima task answer`.

use crate::lab::{Lab, bash, call, finish, say, send, until, write};
use makima_model::{MessageRole, TaskStatus};
use makima_testkit::TestDatabase;
use makima_wire::{List, ListTasks};
use rustix::process::Signal;
use serde_json::json;

fn work() -> serde_json::Value {
    json!({
        "WORK": [
            {"content": [
                {"type": "thinking", "thinking": "A file is wanted."},
                {"type": "text", "text": "I write the file first."},
                {"type": "tool_use", "name": "Write", "input": {"file_path": "{{cwd}}/new.txt", "content": "one\ntwo\n"}}]},
            bash("seq 1 50"),
            bash("echo wrong >&2; exit 3"),
            say("Done, with a failure on the way."),
        ],
        "MORE": [write("more.txt", "more\n"), say("More is done.")],
    })
}

async fn a_task_runs_to_its_end(mut lab: Lab) {
    lab.up();
    let head = lab.repo.head();
    let ran = lab.finish(&["run", "Please WORK", "--name", "The work"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for shown in [
        "I write the file first.",
        "● Write  new.txt +2",
        "● Bash  seq 1 50",
        "… 45 more lines",
        "failed: ",
        "Done, with a failure on the way.",
        "◆ checkpoint 1: 1 file, +2 −0",
        "completed",
        "A new.txt  +2",
        "tokens",
        "task send",
    ] {
        assert!(ran.stdout.contains(shown), "{shown} is missing: {ran:?}");
    }
    assert_eq!(ran.stdout.matches("I write the file first.").count(), 1, "{ran:?}");
    assert_eq!(ran.stdout.matches("A file is wanted.").count(), 1, "{ran:?}");

    let task = lab.task().await;
    assert_eq!((task.name.as_str(), task.status), ("The work", TaskStatus::Completed));
    assert_eq!(task.agent.as_deref(), Some("scripted"));
    assert!(task.total_tokens > 0);
    // The work is on its branch, and nothing else has changed.
    assert_eq!(lab.committed(&task.branch_name, "new.txt"), "one\ntwo");
    assert_eq!((lab.repo.head(), lab.repo.status()), (head, String::new()));

    let conversation = lab.client().conversation(task.id).await.unwrap();
    let roles: Vec<MessageRole> = conversation.messages.iter().map(|message| message.role).collect();
    use MessageRole::{Assistant, Tool, User};
    assert_eq!(roles, [User, Assistant, Tool, Assistant, Tool, Assistant, Tool, Assistant]);
    let checkpoints = lab.client().checkpoints(task.id, &List::default()).await.unwrap();
    assert_eq!(checkpoints.total_count, 1);
    assert_eq!(checkpoints.checkpoints[0].message_count, 8);

    // A message after the end goes on with the same conversation, in the same worktree.
    let more = lab.finish(&["task", "send", "The work", "And MORE"]);
    assert_eq!(more.code, Some(0), "{more:?}");
    assert!(more.stdout.contains("More is done.") && !more.stdout.contains("And MORE"), "{more:?}");
    assert!(!more.stdout.contains("I write the file first."), "{more:?}");
    let task = lab.client().task(task.id).await.unwrap();
    assert_eq!((task.run_number, task.checkpoint_count), (2, 2));
    assert_eq!(lab.committed(&task.branch_name, "more.txt"), "more");
    assert_eq!(lab.committed(&task.branch_name, "new.txt"), "one\ntwo");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_runs_to_its_end_on_sqlite() {
    a_task_runs_to_its_end(Lab::new(work())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_runs_to_its_end_on_postgresql() {
    let database = TestDatabase::create();
    a_task_runs_to_its_end(Lab::new(work()).on_database(&database.url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn for_programs_there_is_one_document_at_the_end() {
    let mut lab = Lab::new(work());
    lab.up();
    let ran = lab.finish(&["run", "Please WORK", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let document = ran.json();
    assert_eq!(document["status"], "completed");
    assert_eq!(document["filesChanged"][0]["path"], "new.txt");
    assert_eq!(document["branchName"], lab.task().await.branch_name);
    let sent =
        lab.finish(&["task", "send", document["id"].as_str().unwrap(), "MORE", "--no-follow", "--json"]);
    assert_eq!(sent.code, Some(0), "{sent:?}");
    assert!(sent.json()["messageId"].is_string(), "{sent:?}");
    let id = lab.task().await.id;
    lab.task_when(id, "the second run has ended", |task| task.run_number == 2 && task.status.is_over()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_says_why_and_exits_with_1() {
    let error = json!({"error": {"status": 529, "type": "overloaded_error", "message": "Overloaded"}});
    let mut lab = Lab::new(json!({ "FAIL": [error] }));
    lab.up();
    let ran = lab.finish(&["run", "FAIL"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("Overloaded") && ran.stdout.contains("failed"), "{ran:?}");
    assert_eq!(lab.task().await.status, TaskStatus::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_stops_the_agent_in_good_order_and_keeps_everything() {
    let mut endless = write("kept.txt", "kept\n");
    endless["usage"] = json!({"input_tokens": 7});
    let forever =
        json!({"content": [{"type": "text", "text": "I go on. "}], "endless": true, "chunk_delay_s": 0.02});
    let mut lab = Lab::new(json!({ "FOREVER": [endless, forever], "GO ON": [say("I went on.")] }));
    lab.up();
    let run = lab.start(&["run", "FOREVER"]);
    let task = lab.task().await;
    until("it has begun to go on", async || {
        let written = task_file(&lab, task.id, "kept.txt").await;
        written.then_some(())
    })
    .await;
    send(&run, Signal::INT);
    let ran = finish(run);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("stopping the agent in good order"), "{ran:?}");
    assert!(ran.stderr.contains("everything is kept"), "{ran:?}");
    assert!(ran.stdout.contains("interrupted"), "{ran:?}");
    assert!(ran.stdout.contains(&format!("task send {}", task.id.short())), "{ran:?}");
    let task = lab.client().task(task.id).await.unwrap();
    assert_eq!((task.status, task.checkpoint_count), (TaskStatus::Interrupted, 1));
    // A checkpoint is in Makima's own clone: the branch gets it when the work is complete.
    assert_eq!(lab.kept(&task, "kept.txt"), "kept");
    assert!(ran.stdout.contains("kept in checkpoint 1"), "{ran:?}");

    // As it was told: one goes on with a message.
    let more = lab.finish(&["task", "send", &task.id.short(), "GO ON"]);
    assert_eq!(more.code, Some(0), "{more:?}");
    assert!(more.stdout.contains("I went on."), "{more:?}");
    assert_eq!(lab.committed(&task.branch_name, "kept.txt"), "kept");
}

/// Whether a file is in a task's worktree.
async fn task_file(lab: &Lab, task: makima_model::TaskId, file: &str) -> bool {
    let task = lab.client().task(task).await.unwrap();
    task.worktree_path.is_some_and(|worktree| std::path::Path::new(&worktree).join(file).exists())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_is_asked_for_and_answered_from_another_terminal() {
    let mut lab = Lab::new(json!({
        "ASK": [write("asked.txt", "asked\n"), bash("echo ran > ran.txt"), say("That was all.")],
    }));
    lab.up();
    let run = lab.start(&["run", "ASK", "--permission-mode", "acceptEdits"]);
    let id = lab.task().await.id;
    let task = lab.task_when(id, "it waits", |task| task.status == TaskStatus::Waiting).await;
    let question = task.pending_question.unwrap();
    assert_eq!(question.tool_name.as_deref(), Some("Bash"));

    let wrong = lab.finish(&["task", "answer", &id.short(), "perhaps"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("echo ran > ran.txt"), "{wrong:?}");
    let answered = lab.finish(&["task", "answer", &id.short(), "allow"]);
    assert_eq!(answered.code, Some(0), "{answered:?}");

    let ran = finish(run);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("│ echo ran > ran.txt"), "{ran:?}");
    assert!(ran.stdout.contains(&format!("task answer {} allow", id.short())), "{ran:?}");
    assert_eq!(lab.committed(&task.branch_name, "ran.txt"), "ran");
    let again = lab.finish(&["task", "answer", &id.short(), "allow"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.stderr.contains("asks nothing"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_is_told_to_the_agent_with_its_reason() {
    let mut lab = Lab::new(json!({ "ASK": [bash("echo ran > ran.txt"), say("As you like.")] }));
    lab.up();
    let run = lab.start(&["run", "ASK", "--permission-mode", "ask"]);
    let id = lab.task().await.id;
    lab.task_when(id, "it waits", |task| task.pending_question.is_some()).await;
    let answered = lab.finish(&["task", "answer", &id.short(), "deny", "--message", "Not on a Friday"]);
    assert_eq!(answered.code, Some(0), "{answered:?}");
    let ran = finish(run);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("failed: Not on a Friday"), "{ran:?}");
    assert!(ran.stdout.contains("none changed"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn words_answer_a_question() {
    let ask = json!({"content": [], "ask": {"text": "Which colour?", "choices": ["red", "blue"]}});
    let mut lab = Lab::new(json!({ "ASK": [ask, say("I take it.")] }));
    lab.up();
    let run = lab.start(&["run", "ASK"]);
    let id = lab.task().await.id;
    lab.task_when(id, "it waits", |task| task.pending_question.is_some()).await;
    assert_eq!(lab.finish(&["task", "answer", &id.short(), "green"]).code, Some(0));
    let ran = finish(run);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("? Which colour?") && ran.stdout.contains("1. red"), "{ran:?}");
    let conversation = lab.client().conversation(id).await.unwrap();
    let answer = conversation.messages.iter().find_map(|message| message.tool_result.clone());
    assert_eq!(answer.as_deref(), Some("green"));
}

#[tokio::test(flavor = "multi_thread")]
async fn uncommitted_changes_are_left_out_and_said_so() {
    let mut lab = Lab::new(json!({ "LOOK": [bash("cat README.md; ls"), say("Seen.")] }));
    lab.up();
    lab.repo.write("README.md", "changed\n").write("untracked.txt", "new\n");
    let ran = lab.finish(&["run", "LOOK"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("2 files with uncommitted changes"), "{ran:?}");
    assert!(ran.stderr.contains("--include-uncommitted"), "{ran:?}");
    assert!(!ran.stdout.contains("  changed\n  ") && !ran.stdout.contains("untracked.txt"), "{ran:?}");
    assert!(ran.stdout.contains("  # A repository\n"), "{ran:?}");
    assert_eq!(lab.repo.status(), " M README.md\n?? untracked.txt");
}

#[tokio::test(flavor = "multi_thread")]
async fn uncommitted_changes_are_there_where_they_are_included() {
    let mut lab = Lab::new(json!({ "LOOK": [bash("cat README.md untracked.txt"), say("Seen.")] }));
    lab.up();
    lab.repo.write("README.md", "changed\n").write("untracked.txt", "new\n");
    let ran = lab.finish(&["run", "LOOK", "--include-uncommitted"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.stderr.contains("uncommitted"), "{ran:?}");
    assert!(ran.stdout.contains("  changed\n  new\n"), "{ran:?}");
    assert_eq!(lab.repo.status(), " M README.md\n?? untracked.txt");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_missing_is_named_with_what_to_do() {
    let mut lab = Lab::new(json!({}));
    lab.up();
    let ran = lab.finish(&["run", "plan", "--agent", "claude"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("\"claude\"") && ran.stderr.contains("install"), "{ran:?}");
    let page = lab.client().tasks(&ListTasks::default()).await.unwrap();
    assert_eq!(page.total_count, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_branch_is_where_the_work_begins() {
    let mut lab = Lab::new(json!({ "LOOK": [bash("cat side.txt"), write("new.txt", "n\n"), say("Seen.")] }));
    lab.repo.branch("side").checkout("side");
    lab.repo.commit_files([("side.txt", "on the side\n")], "Side");
    lab.repo.checkout("main");
    lab.up();
    let missing = lab.finish(&["run", "LOOK", "--base-branch", "nowhere"]);
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(missing.stderr.contains("nowhere"), "{missing:?}");
    let ran = lab.finish(&["run", "LOOK", "--base-branch", "side"]);
    assert!(ran.stdout.contains("on the side"), "{ran:?}");
    // From a folder inside the repository, and from the branch that one is on.
    lab.repo.checkout("side").write("folder/file", "");
    lab.repo.commit("Add a folder");
    let mut command = lab.makima(&["run", "LOOK", "--json"]);
    command.current_dir(lab.repo.path().join("folder"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["baseBranch"], "side");
    assert_eq!(document["repository"], lab.repo.path().to_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_not_there_is_not_found() {
    let mut lab = Lab::new(json!({}));
    lab.up();
    for arguments in [["task", "send", "abcd", "more"], ["task", "answer", "No such name", "allow"]] {
        let finished = lab.finish(&arguments);
        assert_eq!(finished.code, Some(3), "{finished:?}");
        assert!(finished.stderr.contains("there is no task"), "{finished:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn escape_sequences_of_an_agent_do_not_reach_the_terminal() {
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2Jx";
    let mut lab = Lab::new(
        json!({ "EVIL": [call(evil, "Bash", json!({ "command": "printf '\\033[2J\\033[31mred\\n'" })), say("end")] }),
    );
    lab.up();
    for arguments in [&["run", "EVIL"][..], &["run", "EVIL", "--json"]] {
        let ran = lab.finish(arguments);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(!ran.stdout.contains('\u{1b}') && !ran.stdout.contains('\u{7}'), "{ran:?}");
    }
}
