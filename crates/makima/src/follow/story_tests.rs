//! Stories as a terminal shows them.

use super::{Heard, Piece, Story, files, summary::summary};
use crate::printer::{clean, screen::Screen};
use insta::assert_snapshot;
use makima_client::FeedEvent;
use makima_model::{FileAction, FileChange, Published, TaskStatus};
use makima_wire::Task;
use serde_json::{Value, json};

const TASK: &str = "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0123";
const AT: &str = "2026-01-15T09:30:00.000000Z";

/// Ids that end in a number.
fn id(n: u32) -> String {
    format!("0199aaaa-bbbb-7ccc-8ddd-0000000{n:05}")
}

fn read(event: &str, data: Value) -> Heard {
    Heard::read(&FeedEvent { id: None, event: event.to_owned(), data: data.to_string() })
}

fn message(n: u32, role: &str, more: Value) -> Heard {
    let mut message = json!({
        "id": id(n), "role": role, "content": "", "timestamp": AT, "index": n, "runNumber": 1,
    });
    for (key, value) in more.as_object().unwrap() {
        message[key] = value.clone();
    }
    read("message", json!({"taskId": TASK, "message": message}))
}

fn says(n: u32, content: &str) -> Heard {
    message(n, "assistant", json!({ "content": content }))
}

fn calls(n: u32, content: &str, calls: &[(&str, &str, Value)]) -> Heard {
    let calls: Vec<Value> =
        calls.iter().map(|(id, name, input)| json!({"id": id, "name": name, "input": input})).collect();
    message(n, "assistant", json!({ "content": content, "toolCalls": calls }))
}

fn result(n: u32, call: &str, text: &str, failed: bool) -> Heard {
    message(n, "tool", json!({ "toolCallId": call, "toolResult": text, "isError": failed }))
}

fn delta(n: u32, kind: &str, text: &str) -> Heard {
    read("delta", json!({"taskId": TASK, "messageId": id(n), "kind": kind, "text": text}))
}

fn event(kind: &str, data: Value) -> Heard {
    read(
        "task",
        json!({
            "id": id(9), "taskId": TASK, "seq": 1, "runNumber": 1, "eventType": kind, "eventData": data,
            "createdAt": AT,
        }),
    )
}

fn task(status: TaskStatus) -> Task {
    serde_json::from_value(json!({
        "id": TASK, "name": "Fix it", "plan": "Fix it", "role": "worker", "status": status, "repository": "/r",
        "branchName": "makima/fix-it-ffff0123", "baseBranch": "main", "worktreePath": "/w/t", "runNumber": 1,
        "messageCount": 4, "totalTokens": 12345, "totalCost": 0.01234, "checkpointCount": 1,
        "conversationState": {"branchId": id(1), "messageCount": 4},
        "createdAt": AT, "updatedAt": AT, "startedAt": AT, "completedAt": "2026-01-15T09:31:02.000000Z",
    }))
    .unwrap()
}

/// What stands on a screen of 60 columns in the end.
fn screen(story: &mut Story, heard: &[Heard]) -> String {
    let mut out = String::new();
    for piece in heard.iter().flat_map(|heard| story.hear(heard)) {
        let open = !out.is_empty() && !out.ends_with('\n');
        match piece {
            Piece::Text(_, text) => out.push_str(&clean(&text)),
            Piece::Close if open => out.push('\n'),
            Piece::Close => {}
            Piece::Line(line) => {
                let begin = if open { "\n" } else { "" };
                out.push_str(&format!("{begin}{}\n", line.render(&Screen::plain(60))));
            }
        }
    }
    out
}

fn told(heard: &[Heard]) -> String {
    let mut story = Story::of_plan("Fix it");
    story.of_task(&task(TaskStatus::Running));
    screen(&mut story, heard)
}

#[test]
fn a_turn_reads_well() {
    let output: String = (1..=125).map(|n| format!("test number {n} ... ok\n")).collect();
    let edit = json!({"file_path": "/w/t/src/parser.rs", "old_string": "a", "new_string": "b\nc"});
    let text = told(&[
        event("session", json!({"sessionId": "s", "version": "2.1.197", "model": "m-1"})),
        message(1, "user", json!({"content": "Fix it"})),
        delta(2, "thinking", "First the tests. "),
        delta(2, "thinking", "Then the parser."),
        delta(2, "text", "I run the tests"),
        delta(2, "text", " first."),
        message(
            2,
            "assistant",
            json!({
                "content": "I run the tests first.", "thinking": "First the tests. Then the parser.",
                "toolCalls": [{"id": "c1", "name": "Bash", "input": {"command": "cargo test --workspace --all-targets --no-fail-fast -- --nocapture"}}],
            }),
        ),
        result(3, "c1", &output, false),
        calls(
            4,
            "Two at once.",
            &[
                ("c2", "Read", json!({"file_path": "/w/t/src/parser.rs"})),
                ("c3", "Bash", json!({"command": "exit 3"})),
            ],
        ),
        result(5, "c2", "one\ntwo\n", false),
        result(6, "c3", "out\nerr\nExit code 3", true),
        calls(7, "", &[("c4", "Edit", edit)]),
        result(8, "c4", "The file has been updated", false),
        says(9, "Done."),
        event("turn", json!({"turn": 1, "outcome": "completed"})),
        event("checkpoint", json!({"number": 1, "filesChanged": [{}], "linesAdded": 2, "linesRemoved": 1})),
        event("published", json!({"to": "repository", "commit": "abc"})),
        event("status_change", json!({})),
    ]);
    assert_snapshot!(text);
}

#[test]
fn what_goes_wrong_is_told_once() {
    let text = told(&[
        event("output", json!({"level": "warning", "text": "retry 1 of 10 in 2 s"})),
        event("output", json!({"level": "error", "text": "a\u{1b}[2Jb\nsecond"})),
        event(
            "turn",
            json!({"turn": 1, "outcome": "failed", "failure": {"kind": "other", "message": "529 Overloaded"}}),
        ),
        event("checkpoint", json!({"turn": 1, "message": "no space left on device"})),
        event(
            "output",
            json!({"level": "error", "text": "529 Overloaded", "failure": {"kind": "other", "message": "529 Overloaded"}}),
        ),
        event("unheard_of", json!({})),
        read("history", json!({"any": "thing"})),
        read("news", json!(7)),
    ]);
    assert_snapshot!(text);
}

#[test]
fn a_message_of_another_person_is_shown_and_ones_own_is_not() {
    let mut story = Story::of_plan("Fix it");
    story.knows(id(3).parse().unwrap());
    let text = screen(
        &mut story,
        &[
            message(1, "user", json!({"content": "Fix it"})),
            message(2, "user", json!({"content": "And that\ntoo"})),
            message(3, "user", json!({"content": "my own"})),
            // The same words, said again by somebody else.
            message(4, "user", json!({"content": "Fix it"})),
        ],
    );
    assert_eq!(text, "> And that\n> too\n> Fix it\n");
}

#[test]
fn text_that_was_streamed_is_never_told_twice() {
    let whole = "Grüße an alle: one, two, three.";
    for cut in whole.char_indices().map(|(at, _)| at) {
        let pieces = [delta(1, "text", &whole[..cut]), says(1, whole)];
        let pieces = if cut == 0 { &pieces[1..] } else { &pieces };
        assert_eq!(told(pieces), format!("{whole}\n"), "{cut}");
    }
}

#[test]
fn after_a_break_the_rest_comes_with_the_whole_message() {
    let mut story = Story::default();
    let mut text = screen(&mut story, &[delta(1, "text", "one, ")]);
    story.interrupted();
    // What was said during the break is missed: a later piece would stand in the wrong place.
    text += &screen(&mut story, &[delta(1, "text", "four.")]);
    text +=
        &screen(&mut story, &[says(1, "one, two, three, four."), delta(2, "text", "Next"), says(2, "Next.")]);
    assert_eq!(text, "one, two, three, four.\n\nNext.\n");
}

#[test]
fn who_comes_in_the_middle_of_a_message_gets_it_whole() {
    let mut story = Story::joined();
    let heard =
        [delta(1, "text", "middle"), says(1, "the middle."), delta(2, "text", "Ne"), says(2, "Next.")];
    assert_eq!(screen(&mut story, &heard), "the middle.\n\nNext.\n");
}

#[test]
fn an_attempt_that_was_given_up_stands_apart() {
    let heard = [delta(1, "text", "I beg"), delta(2, "text", "I begin"), says(2, "I begin anew.")];
    assert_eq!(told(&heard), "I beg\n\nI begin anew.\n");
    let heard = [delta(1, "text", "I beg"), says(2, "I begin anew.")];
    assert_eq!(told(&heard), "I beg\n\nI begin anew.\n");
    let missed = [delta(1, "text", "a"), delta(1, "text", "c"), says(1, "abc")];
    assert_eq!(told(&missed), "ac\nabc\n");
}

#[test]
fn what_was_cut_off_is_not_told_again() {
    let cut = |content: &str| message(1, "assistant", json!({ "content": content, "incomplete": true }));
    assert_eq!(told(&[delta(1, "text", "one, two"), cut("one")]), "one, two\n(cut off here)\n");
    assert_eq!(told(&[delta(1, "text", "one"), cut("one, two")]), "one, two\n(cut off here)\n");
}

/// Every order that keeps the order of the pieces among themselves, and of what is stored among itself, where no message is
/// complete before its last piece has come.
fn orders(pieces: &[Heard], stored: &[Heard]) -> Vec<Vec<Heard>> {
    fn last_piece_of(stored: &Heard, pieces: &[Heard]) -> bool {
        let Heard::Message(_, message) = stored else { return false };
        pieces.iter().any(|piece| matches!(piece, Heard::Delta(delta) if delta.message_id == message.id))
    }
    let mut all = Vec::new();
    if let [first, rest @ ..] = pieces {
        for order in orders(rest, stored) {
            all.push(std::iter::once(first.clone()).chain(order).collect());
        }
    }
    if let [first, rest @ ..] = stored
        && !last_piece_of(first, pieces)
    {
        for order in orders(pieces, rest) {
            all.push(std::iter::once(first.clone()).chain(order).collect());
        }
    }
    if all.is_empty() { vec![Vec::new()] } else { all }
}

#[test]
fn however_far_the_pieces_run_ahead_everything_stands_in_its_place() {
    let pieces = [
        delta(1, "thinking", "hm"),
        delta(1, "text", "I wri"),
        delta(1, "text", "te."),
        delta(4, "text", "I r"),
        delta(4, "text", "un."),
        delta(6, "text", "Do"),
        delta(6, "text", "ne."),
    ];
    let write = json!({"file_path": "/w/t/a", "content": "1\n"});
    let stored = [
        event("session", json!({"sessionId": "s", "version": "1", "model": "m"})),
        calls(1, "I write.", &[("c1", "Write", write), ("c2", "Bash", json!({"command": "true"}))]),
        result(2, "c1", "", false),
        result(3, "c2", "fine", false),
        calls(4, "I run.", &[("c3", "Bash", json!({"command": "false"}))]),
        result(5, "c3", "bad", true),
        says(6, "Done."),
        event("checkpoint", json!({"number": 1, "filesChanged": [{}], "linesAdded": 1, "linesRemoved": 0})),
    ];
    let expected = "\
thinking: hm
I write.
● Write  a +1
● Bash  true
  fine

I run.
● Bash  false
  failed: bad

Done.
◆ checkpoint 1: 1 file, +1 −0
";
    let orders = orders(&pieces, &stored);
    assert!(orders.len() > 100, "{}", orders.len());
    for order in orders {
        // When the session is told of depends on what came first; nothing else does.
        let text = told(&order);
        assert!(text.contains("m, version 1\n"), "{text}");
        let text = text.replacen("m, version 1\n", "", 1);
        assert_eq!(text.trim_start_matches('\n'), expected, "{order:#?}");
    }
}

#[test]
fn what_waited_for_a_message_that_never_came_is_told_at_the_end() {
    let mut story = Story::default();
    let mut heard = story.hear(&delta(1, "text", "I be"));
    let session = event("session", json!({"sessionId": "s", "version": "1", "model": "m"}));
    assert_eq!(story.hear(&session), []);
    heard.extend(story.end());
    assert!(
        matches!(heard.as_slice(), [.., Piece::Text(_, text), Piece::Close, Piece::Line(_)] if text == "I be")
    );
    assert_eq!(story.end(), [Piece::Close]);
}

#[test]
fn a_warning_is_told_at_once() {
    let heard = [delta(1, "text", "I be"), event("output", json!({"level": "warning", "text": "retrying"}))];
    assert_eq!(told(&heard), "I be\nretrying\n");
}

#[test]
fn no_escape_sequence_of_an_agent_reaches_the_screen() {
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}\rx";
    let text = told(&[
        delta(1, "text", evil),
        calls(1, evil, &[("c", evil, json!({ "command": evil })), ("d", "Bash", json!({ "command": evil }))]),
        result(2, "c", evil, true),
        result(3, "d", evil, false),
        message(4, "user", json!({ "content": evil })),
        message(5, "system", json!({ "content": evil })),
        event("output", json!({ "level": "info", "text": evil })),
        event("session", json!({ "sessionId": evil, "version": evil, "model": evil })),
        event("turn", json!({ "outcome": "failed", "failure": { "message": evil } })),
        event("checkpoint", json!({ "message": evil })),
    ]);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    assert!(!text.contains('\u{202e}'), "{text:?}");
}

fn change(action: FileAction, path: &str) -> FileChange {
    FileChange {
        path: path.to_owned(),
        path_bytes: None,
        action,
        old_path: None,
        additions: 3,
        deletions: 1,
        binary: false,
    }
}

fn ended(task: &Task, files: &[FileChange], published: Option<&Published>) -> String {
    let lines = summary(task, Some(files), published, "makima");
    lines.iter().map(|line| line.render(&Screen::plain(100)) + "\n").collect()
}

#[test]
fn the_end_says_what_came_of_it_and_how_to_go_on() {
    let files = files::together(&[
        change(FileAction::Modified, "src/parser.rs"),
        change(FileAction::Added, "tests/empty.rs"),
        change(FileAction::Deleted, "old\u{1b}[2J.rs"),
    ]);
    let published = Published::Repository { commit: "abc".to_owned() };
    let text = ended(&task(TaskStatus::Completed), &files, Some(&published));
    assert_snapshot!(text);
}

#[test]
fn a_failure_says_why_and_that_nothing_was_changed() {
    let mut task = task(TaskStatus::Failed);
    task.status_reason = Some("529 Overloaded".to_owned());
    task.total_cost = 0.0;
    let text = ended(&task, &[], None);
    assert_snapshot!(text);
}

#[test]
fn a_long_list_of_files_is_cut() {
    let files: Vec<FileChange> = (0..30).map(|n| change(FileAction::Added, &format!("f{n:02}"))).collect();
    let published = Published::CheckedOut { worktree: "/home/me/r".to_owned() };
    let text = ended(&task(TaskStatus::Interrupted), &files, Some(&published));
    assert!(text.contains("f19") && !text.contains("f20") && text.contains("… 10 more"), "{text}");
    assert!(text.contains("it is checked out in /home/me/r"), "{text}");
}
