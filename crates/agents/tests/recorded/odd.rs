//! What session files hold besides a plain conversation.

use super::*;
use makima_model::{MessageRole, TurnOutcome};

#[test]
fn a_message_of_many_lines_with_results_between_is_one_message_whose_tokens_count_once() {
    let mut writer = Writer::new();
    let asked = writer.user(None, "do both");
    let one = writer.calls(asked, "msg_1", "one");
    let done = writer.result(one, "one", "1");
    let two = writer.calls(one, "msg_1", "two");
    writer.result(two, "two", "2");
    writer.text(done, "msg_2", "done");
    let told = told(&writer.file());
    let messages = conversation(&told);
    assert_eq!(texts(&messages), ["user: do both", "assistant: ", "tool: 1", "tool: 2", "assistant: done"]);
    let calls: Vec<&str> = messages[1].tool_calls.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(calls, ["one", "two"]);
    assert_eq!((messages[2].tool_name.as_deref(), messages[1].token_count), (Some("Bash"), Some(15)));
    let turns = turns(&told);
    assert_eq!((turns.len(), turns[0].usage.total(), turns[0].tools["Bash"]), (1, 30, 2));
    assert!(!told.iter().any(|told| matches!(told, Told::Back { .. })), "{told:#?}");
}

#[test]
fn what_is_said_after_an_earlier_message_begins_a_branch() {
    let mut writer = Writer::new();
    let first = writer.user(None, "first");
    let answer = writer.text(first, "msg_1", "answer");
    let wrong = writer.user(Some(answer), "wrong");
    writer.text(wrong, "msg_2", "as you wish");
    let right = writer.user(Some(answer), "right");
    writer.text(right, "msg_3", "better");
    let told = told(&writer.file());
    assert_eq!(
        texts(&conversation(&told)),
        ["user: first", "assistant: answer", "user: right", "assistant: better"]
    );
    assert_eq!(told.iter().filter(|told| matches!(told, Told::Back { .. })).count(), 1);
    assert_eq!(turns(&told).len(), 3);
}

#[test]
fn to_go_back_before_everything_is_a_branch_from_the_beginning() {
    let mut writer = Writer::new();
    let first = writer.user(None, "first");
    writer.text(first, "msg_1", "answer");
    writer.user(None, "again");
    let told = told(&writer.file());
    assert!(told.contains(&Told::Back { to: None }));
    assert_eq!(texts(&conversation(&told)), ["user: again"]);
}

#[test]
fn two_who_write_one_session_have_a_branch_each() {
    let mut writer = Writer::new();
    let first = writer.user(None, "first");
    let answer = writer.text(first, "msg_1", "answer");
    let mine = writer.user(Some(answer), "mine");
    let yours = writer.user(Some(answer), "yours");
    let for_me = writer.text(mine, "msg_2", "for me");
    writer.text(yours, "msg_3", "for you");
    writer.user(Some(for_me), "mine again");
    assert_eq!(
        texts(&conversation(&told(&writer.file()))),
        ["user: first", "assistant: answer", "user: mine", "assistant: for me", "user: mine again"]
    );
}

#[test]
fn a_compaction_is_a_message_and_the_conversation_goes_on_behind_it() {
    let mut writer = Writer::new();
    let first = writer.user(None, "first");
    let answer = writer.text(first, "msg_1", "answer");
    let boundary = writer.line(
        None,
        "system",
        json!({"subtype": "compact_boundary", "content": "Conversation compacted", "logicalParentUuid": Writer::uuid(answer)}),
    );
    let summary = writer.line(
        Some(boundary),
        "user",
        json!({"isCompactSummary": true, "message": {"role": "user", "content": "They greeted."}}),
    );
    let next = writer.user(Some(summary), "next");
    writer.text(next, "msg_2", "yes");
    let told = told(&writer.file());
    assert_eq!(
        texts(&conversation(&told)),
        [
            "user: first",
            "assistant: answer",
            "system: The conversation was compacted.\n\nThey greeted.",
            "user: next",
            "assistant: yes"
        ]
    );
}

#[test]
fn what_the_program_put_into_the_users_mouth_is_the_programs() {
    let mut writer = Writer::new();
    let meta = json!({"isMeta": true, "message": {"role": "user", "content": "Caveat: …"}});
    let caveat = writer.line(None, "user", meta);
    let command = "<command-name>/cost</command-name>\n<command-message>cost</command-message>\n<command-args>now</command-args>";
    let command = writer.user(Some(caveat), command);
    let put_out = writer.user(Some(command), "<local-command-stdout>$0.02</local-command-stdout>");
    let asked = writer.user(Some(put_out), "go");
    writer.user(Some(asked), "[Request interrupted by user]");
    let told = told(&writer.file());
    assert_eq!(
        texts(&conversation(&told)),
        ["user: /cost now", "system: $0.02", "user: go", "system: [Request interrupted by user]"]
    );
    let outcomes: Vec<TurnOutcome> = turns(&told).iter().map(|turn| turn.outcome).collect();
    assert_eq!(outcomes, [TurnOutcome::Completed, TurnOutcome::Interrupted]);
}

#[test]
fn what_subagents_said_is_kept_and_no_part_of_the_conversation() {
    let mut writer = Writer::new();
    let first = writer.user(None, "first");
    let call = writer.calls(first, "msg_1", "task");
    let aside = json!({"isSidechain": true, "message": {"role": "user", "content": "sub"}});
    writer.line(None, "user", aside);
    let said = json!({"id": "msg_s", "content": [{"type": "text", "text": "sub says"}], "usage": {"input_tokens": 99}});
    writer.line(Some(2), "assistant", json!({"isSidechain": true, "message": said}));
    writer.result(call, "task", "done");
    let told = told(&writer.file());
    assert_eq!(texts(&conversation(&told)), ["user: first", "assistant: ", "tool: done"]);
    assert_eq!((native(&told).len(), turns(&told)[0].usage.total()), (5, 15));
}

#[test]
fn a_cost_is_told_where_the_file_tells_it() {
    let mut writer = Writer::new();
    let first = writer.user(None, "first");
    let answer = writer.text(first, "msg_1", "answer");
    writer.lines[answer]["costUSD"] = json!(0.25);
    let next = writer.user(Some(answer), "next");
    writer.text(next, "msg_2", "yes");
    let (with, total) = (writer.file(), json!({"type": "cost-state", "totalCostUSD": 0.75}));
    let costs = |file: &[u8]| turns(&told(file)).iter().map(|turn| turn.cost_usd).collect::<Vec<_>>();
    assert_eq!(costs(&with), [Some(0.25), None]);
    assert_eq!(conversation(&told(&with))[1].cost_usd, Some(0.25));
    // Of newer versions there are totals alone, which go on from one to the next.
    writer.lines[answer]["costUSD"] = Value::Null;
    writer.lines.insert(2, json!({"type": "cost-state", "totalCostUSD": 0.5}));
    writer.lines.push(total);
    assert_eq!(costs(&writer.file()), [Some(0.5), Some(0.25)]);
}

#[test]
fn torn_lines_garbage_and_lines_of_unknown_kinds_take_nothing_from_the_rest() {
    let mut writer = Writer::new();
    let first = writer.user(None, "first");
    let strange = writer.line(Some(first), "hologram", json!({"depth": 3}));
    writer.text(strange, "msg_1", "answer");
    let mut file = b"garbage\n\n[1]\n\xff\xfe\n{\"type\": 5, \"uuid\": []}\n".to_vec();
    file.extend(writer.file());
    file.extend(br#"{"type":"user","uuid":"x","parentUuid":"y","mess"#);
    assert_eq!(survey(&file, &[]).unreadable, 3);
    let told = told(&file);
    assert_eq!(texts(&conversation(&told)), ["user: first", "assistant: answer"]);
}

#[test]
fn lines_that_name_no_parents_stand_in_their_order() {
    let line = |kind: &str, text: &str| json!({"type": kind, "message": {"role": kind, "content": text}, "sessionId": "s"});
    let told = told(&file(&[line("user", "one"), line("assistant", "two"), line("user", "three")]));
    assert_eq!(texts(&conversation(&told)), ["user: one", "assistant: two", "user: three"]);
}

#[test]
fn lines_that_come_again_are_not_said_again() {
    let mut writer = Writer::new();
    let first = writer.user(None, "first");
    writer.text(first, "msg_1", "answer");
    writer.lines.extend_from_within(..);
    assert_eq!(texts(&conversation(&told(&writer.file()))), ["user: first", "assistant: answer"]);
}

#[test]
fn a_line_of_many_megabytes_is_read() {
    let mut writer = Writer::new();
    let first = writer.user(None, "first");
    writer.text(first, "msg_1", &"x\u{1}é".repeat(700_000));
    assert_eq!(conversation(&told(&writer.file()))[1].content.chars().count(), 2_100_000);
}

#[test]
fn a_message_whose_lines_are_far_apart_holds_up_what_is_between_only_so_far() {
    let mut writer = Writer::new();
    let first = writer.user(None, "first");
    let begun = writer.calls(first, "msg_1", "one");
    let mut last = writer.result(begun, "one", "1");
    for n in 0..20 {
        last =
            writer.says(last, &format!("msg_far_{n}"), json!({"type": "text", "text": "x".repeat(1 << 20)}));
    }
    writer.text(last, "msg_1", "and more");
    let file = writer.file();
    let mut reader = SessionReader::new(Uuid::from_u128(7), &mut survey(&file, &[]), start());
    let (mut told, mut most, mut held) = (Vec::new(), 0, 0);
    for (line, end) in lines(&file) {
        let now = reader.read(line, end);
        held += line.len();
        held -= native(&now).iter().map(|line| line.line.len()).sum::<usize>();
        most = most.max(held);
        told.extend(now);
    }
    told.extend(reader.cut());
    assert!(most < 20 << 20, "{most} bytes were held");
    let messages = conversation(&told);
    assert_eq!((messages.len(), messages[23].content.as_str()), (24, "and more"));
    assert_eq!((messages[23].role, messages[23].token_count), (MessageRole::Assistant, None));
}
