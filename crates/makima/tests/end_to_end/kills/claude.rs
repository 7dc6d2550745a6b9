//! The real Claude Code, killed in the middle of its work, and what is left of it.

use super::{
    moments::{create, held_by_git, status},
    site::{Site, Victim, is_alive},
};
use crate::{claude::configured, lab::until};
use makima_client::Client;
use makima_model::{MessageRole, TaskId, TaskStatus, ToolCall};
use makima_testkit::{FakeModelApi, RecordedRequest, Scenario, Step};
use makima_wire::{ConversationMessage, Task};
use rustix::process::Signal;
use serde_json::json;

const WHOLE: &str = "The first block is whole.";
const CUT: &str = "The second one never";

fn scenario() -> Scenario {
    let stray = "(setsid env -i sleep 1000 >/dev/null 2>&1 & echo $! >> ../stray)";
    let command = format!("echo made > made.txt; {stray}; while [ ! -e ../go ]; do sleep 0.05; done");
    let write = |file: &str| {
        Step::call("Write", json!({ "file_path": format!("{{{{cwd}}}}/{file}"), "content": "x\n" }))
    };
    let mut stream = Step::say(WHOLE).text(format!("{CUT} comes to its end.")).chunk(10);
    stream.gate = Some("never".to_owned());
    stream.gate_after_chunks = WHOLE.len().div_ceil(10) + CUT.len() / 10;
    Scenario::new()
        .script("GO-STREAM", [write("stream.txt"), stream])
        .script(
            "GO-TOOL",
            [Step::say("I run.").tool("Bash", json!({ "command": command, "description": "run" }))],
        )
        .script("GO-TURN", [write("turn.txt"), Step::say("One is done.")])
        .script("GO-QUEUED", [Step::say("Two is done.")])
        .script("GO-NEXT", [Step::say("On it.")])
}

async fn killed(victims: &[Victim], is_apart: bool) {
    let api = FakeModelApi::start(scenario()).await;
    let lab = configured(&api, "ANTHROPIC_API_KEY");
    let mut site = if is_apart { Site::apart(lab, None) } else { Site::together(lab) };
    let client = site.client();
    let turn = held_by_git(&site, "GO-TURN", "commit-tree").await;
    client.send_message(turn, "GO-QUEUED").await.unwrap();
    // It is with the host before what is told to the daemon afterwards.
    let stream = create(&site, "GO-STREAM", None).await;
    let tool = create(&site, "GO-TOOL", None).await;
    api.until_at_gate("never").await;
    let shown = format!("{WHOLE}{CUT}");
    until("the message is streamed", async || site.streamed().contains(&shown).then_some(())).await;
    until("the tool runs", async || (!site.strays().is_empty()).then_some(())).await;
    let before = api.requests().len();

    site.end(victims, Signal::KILL);
    site.let_go();
    site.start();
    for (task, point) in [
        (stream, "turn 1, after it said “The first"),
        (tool, "turn 1, while it used Bash"),
        (turn, "after turn 1"),
    ] {
        let reason = status(&client, task, TaskStatus::Interrupted).await.status_reason.unwrap();
        assert!(reason.contains("killed") || reason.contains("signal 9"), "{reason}");
        assert!(reason.contains(point), "{reason}");
    }
    assert!(site.strays().into_iter().all(|pid| !is_alive(pid)), "the tool's child outlived its run");

    // What is stored is what the API sent, to the last complete block, and what was shown after it.
    let told = agents_words(&client, stream).await;
    assert_eq!(told.len(), 2, "{told:#?}");
    assert_eq!((call_of(&told[0]).name.as_str(), told[0].incomplete), ("Write", false));
    let streamed = told[1].content.replace("\n\n", "");
    assert_eq!((streamed.as_str(), told[1].incomplete), (shown.as_str(), true), "{told:#?}");
    let told = agents_words(&client, tool).await;
    assert_eq!((told.len(), told[0].content.as_str(), told[0].incomplete), (1, "I run.", false), "{told:#?}");
    assert!(call_of(&told[0]).input["command"].as_str().unwrap().contains("made.txt"));
    let told = agents_words(&client, turn).await;
    assert_eq!(told.iter().map(|message| message.content.as_str()).collect::<Vec<_>>(), ["", "One is done."]);
    assert_eq!(client.task(turn).await.unwrap().checkpoint_count, 1);
    // Nothing starts by itself.
    assert_eq!(api.requests().len(), before);

    for task in [stream, tool, turn] {
        client.send_message(task, "GO-NEXT").await.unwrap();
    }
    let sent = gone_on(&client, &api, stream, "GO-STREAM").await;
    assert_eq!(sent.tool_results().len(), 1);
    assert!(sent.texts("assistant").join("\n").contains(WHOLE), "{:?}", sent.texts("assistant"));
    let sent = gone_on(&client, &api, tool, "GO-TOOL").await;
    // The call that was cut off has a result that says so.
    let failed: Vec<bool> = sent.tool_results().iter().map(|result| result.is_error).collect();
    assert_eq!(failed, [true], "{:#?}", sent.messages());
    assert!(sent.texts("assistant").contains(&"I run.".to_owned()), "{:?}", sent.texts("assistant"));
    let sent = gone_on(&client, &api, turn, "GO-TURN").await;
    let said = sent.texts("user").join("\n");
    assert_eq!((said.matches("GO-QUEUED").count(), sent.tool_results().len()), (1, 1), "{said}");
    assert!(sent.texts("assistant").contains(&"One is done.".to_owned()));
    site.verify();
}

fn call_of(message: &ConversationMessage) -> &ToolCall {
    message.tool_calls.as_ref().and_then(|calls| calls.first()).expect("it calls a tool")
}

async fn agents_words(client: &Client, task: TaskId) -> Vec<ConversationMessage> {
    let messages = client.conversation(task).await.unwrap().messages;
    messages.into_iter().filter(|message| message.role == MessageRole::Assistant).collect()
}

/// Waits until a task that was told to go on is done; answers what the model was sent for it.
async fn gone_on(client: &Client, api: &FakeModelApi, task: TaskId, plan: &str) -> RecordedRequest {
    let done: Task = until("the task has gone on", async || {
        let task = client.task(task).await.unwrap();
        (task.run_number == 2 && task.status.is_over()).then_some(task)
    })
    .await;
    assert_eq!(done.status, TaskStatus::Completed, "{done:?}");
    assert_eq!(agents_words(client, task).await.pop().unwrap().content, "On it.");
    let sent = api.requests();
    let of_task = |request: &&RecordedRequest| {
        request.picked.as_deref() == Some("GO-NEXT[0]") && request.texts("user").join("\n").contains(plan)
    };
    sent.iter().rfind(of_task).unwrap().clone()
}

/// Fault: Claude Code is killed
/// Moment: while it streams the second block of a message
/// Outcome: all that was shown is kept, the message marked as incomplete; the model is sent it when the task goes on
/// Moment: while a tool runs
/// Outcome: the call is kept, no process is left; the model is told that the call was cut off when the task goes on
/// Moment: between two turns
/// Outcome: the turn has its checkpoint, and the message that waited is said when the task goes on
/// Pain: 16, 17
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: the real Claude Code is started six times"]
async fn a_killed_claude_leaves_what_it_said_and_goes_on_from_there() {
    killed(&[Victim::Agents], false).await;
}

/// Fault: Claude Code and the daemon beside it are killed
/// Moment: while it streams the second block of a message
/// Outcome: all that was shown is kept, the message marked as incomplete; the model is sent it when the task goes on
/// Moment: while a tool runs
/// Outcome: the call is kept, no process is left; the model is told that the call was cut off when the task goes on
/// Moment: between two turns
/// Outcome: the turn has its checkpoint, and the message that waited is said when the task goes on
/// Pain: 17, 22
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: the real Claude Code is started six times"]
async fn a_claude_killed_with_its_daemon_leaves_what_it_said_and_goes_on_from_there() {
    killed(&[Victim::Agents, Victim::Daemon], true).await;
}

/// Fault: the machine of Claude Code: every process is killed at once
/// Moment: while it streams the second block of a message
/// Outcome: all that was shown is kept, the message marked as incomplete; the model is sent it when the task goes on
/// Moment: while a tool runs
/// Outcome: the call is kept, no process is left; the model is told that the call was cut off when the task goes on
/// Moment: between two turns
/// Outcome: the turn has its checkpoint, and the message that waited is said when the task goes on
/// Pain: 17, 22
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: the real Claude Code is started six times"]
async fn a_claude_whose_machine_went_down_leaves_what_it_said_and_goes_on_from_there() {
    killed(&[Victim::Machine], false).await;
}
