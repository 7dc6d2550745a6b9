//! Sessions that agents recorded without us.

use crate::{
    diffs::{PATCH, keep},
    lab::*,
    on_both,
};
use futures::StreamExt;
use makima_client::{ClientError, daemon::DaemonClient};
use makima_model::{
    FileAction, FileChange, ImportSource, MessageId, MessageRole, Point, RunOutcome, TaskStatus, Timestamp,
    TurnEnd, TurnOutcome, Usage,
};
use makima_store::conversations;
use makima_wire::{
    AppendToImport, CreateImport, DiffQuery, FilePart, FinishImport, Import, ImportEntry, ImportedCommit,
    ImportedLine, ImportedMessage, List, ListImports,
    frame::{Hello, PROTOCOL, SessionLine},
};

fn session(id: &str) -> CreateImport {
    CreateImport {
        source: ImportSource::ClaudeCode,
        session_id: id.into(),
        copy: 0,
        name: None,
        plan: "Fix the parser".into(),
        repository: "/srv/project".into(),
        base_branch: Some("main".into()),
        base_commit: Some("a".repeat(40)),
        started_at: at(0),
    }
}

fn at(second: u32) -> Timestamp {
    format!("2025-08-01T10:00:{second:02}Z").parse().unwrap()
}

fn part(bytes: u64) -> FilePart {
    FilePart { bytes, digest: format!("{bytes:064x}") }
}

fn said(lab: &Lab, role: MessageRole, content: &str, second: u32) -> (MessageId, ImportEntry) {
    let message = makima_model::Message::said(lab.clock.new_id(), role, content, at(second));
    (message.id, ImportEntry::Message { message: ImportedMessage::from(message) })
}

fn line(of: MessageId, line: &str) -> ImportEntry {
    let lines = vec![ImportedLine { uuid: None, line: line.into() }];
    ImportEntry::Lines { message: Some(of), lines }
}

fn turn(tokens: i64) -> ImportEntry {
    let end = TurnEnd {
        turn: 1,
        outcome: TurnOutcome::Completed,
        usage: Usage { input_tokens: tokens, ..Usage::default() },
        cost_usd: Some(0.5),
        duration_ms: 3,
        tools: [("Bash".to_owned(), 2)].into(),
        failure: None,
    };
    ImportEntry::Turn { at: at(9), end }
}

async fn append(
    lab: &Lab,
    import: &Import,
    (from, to): (u64, u64),
    entries: Vec<ImportEntry>,
) -> Result<Import, ClientError> {
    let more = AppendToImport { from, reached: part(to), is_end: true, entries };
    lab.client.append_to_import(import.id, &more).await
}

async fn finish(lab: &Lab, import: &Import, bytes: u64) -> Import {
    let end = FinishImport { bytes, interrupted: false, ended_at: at(30) };
    lab.client.finish_import(import.id, &end).await.unwrap()
}

async fn texts(lab: &Lab, import: &Import) -> Vec<String> {
    let conversation = lab.client.conversation(import.task_id).await.unwrap();
    conversation.messages.into_iter().map(|message| message.content).collect()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> (u16, serde_json::Value) {
    match answer.unwrap_err() {
        ClientError::Refused { status, body, .. } => (status.as_u16(), body.details.unwrap_or_default()),
        other => panic!("{other}"),
    }
}

on_both! {
    async fn a_session_becomes_a_task_with_its_own_times(engine) {
        let lab = Lab::new(engine).await;
        let import = lab.client.create_import(&session("one")).await.unwrap();
        let begun = lab.client.task(import.task_id).await.unwrap();
        assert_eq!((begun.status, begun.name.as_str()), (TaskStatus::Interrupted, "Fix the parser"));
        let (asked, question) = said(&lab, MessageRole::User, "Fix the parser", 1);
        let (_, answer) = said(&lab, MessageRole::Assistant, "Fixed.", 2);
        append(&lab, &import, (0, 100), vec![question, line(asked, "{}"), answer, turn(70)]).await.unwrap();
        let finished = finish(&lab, &import, 100).await;
        assert_eq!((finished.ends, finished.reached), (vec![part(100)], part(100)));
        assert_eq!(finished.finished_bytes, Some(100));
        let task = lab.client.task(import.task_id).await.unwrap();
        assert_eq!((task.status, task.run_number, task.message_count), (TaskStatus::Completed, 0, 2));
        assert_eq!((task.created_at, task.started_at, task.completed_at), (at(0), Some(at(0)), Some(at(30))));
        assert_eq!((task.total_tokens, task.total_cost, task.status_reason), (70, 0.5, None));
        assert_eq!(texts(&lab, &import).await, ["Fix the parser", "Fixed."]);
        let events = lab.client.events(task.id, &List::default()).await.unwrap().events;
        let kinds: Vec<_> = events.iter().rev().map(|event| (event.event_type.as_str(), event.created_at)).collect();
        assert_eq!(kinds, [("status_change", at(0)), ("turn", at(9)), ("status_change", at(30))]);
        assert_eq!(lab.count("SELECT COUNT(*) FROM history_events WHERE created_at < '2025-08-01T10:01:00Z'").await, 3);
        lab.verify().await;
    }

    async fn what_was_taken_is_not_taken_again(engine) {
        let lab = Lab::new(engine).await;
        let import = lab.client.create_import(&session("one")).await.unwrap();
        let (_, one) = said(&lab, MessageRole::User, "one", 1);
        let (_, two) = said(&lab, MessageRole::Assistant, "two", 2);
        append(&lab, &import, (0, 10), vec![one.clone()]).await.unwrap();
        // The answer was lost, and the very same comes again.
        append(&lab, &import, (0, 10), vec![one.clone()]).await.unwrap();
        for (from, to) in [(0, 20), (5, 20), (20, 30)] {
            let answer = append(&lab, &import, (from, to), vec![two.clone()]).await;
            assert_eq!(refused(answer), (409, serde_json::json!({ "bytes": 10 })), "{from}");
        }
        assert_eq!(refused(append(&lab, &import, (10, 20), vec![one]).await).0, 409);
        append(&lab, &import, (10, 20), vec![two]).await.unwrap();
        assert_eq!(texts(&lab, &import).await, ["one", "two"]);
        assert_eq!(refused(lab.client.create_import(&session("one")).await).0, 409);
        let wanted = ListImports { session_id: Some("one".into()), ..ListImports::default() };
        let listed = lab.client.imports(&wanted).await.unwrap();
        assert_eq!((listed.total_count, listed.imports[0].reached.bytes), (1, 20));
        let first = finish(&lab, &import, 20).await;
        let (before, events) = (lab.client.task(import.task_id).await.unwrap(), lab.count("SELECT COUNT(*) FROM history_events").await);
        assert_eq!(finish(&lab, &import, 20).await, first);
        assert_eq!(lab.client.task(import.task_id).await.unwrap(), before);
        assert_eq!(lab.count("SELECT COUNT(*) FROM history_events").await, events);
        lab.verify().await;
    }

    async fn what_was_gone_back_from_is_a_branch(engine) {
        let lab = Lab::new(engine).await;
        let import = lab.client.create_import(&session("one")).await.unwrap();
        let (first, one) = said(&lab, MessageRole::User, "one", 1);
        let (_, two) = said(&lab, MessageRole::Assistant, "two", 2);
        let (_, other) = said(&lab, MessageRole::Assistant, "other", 3);
        append(&lab, &import, (0, 10), vec![one, two, ImportEntry::Back { to: Some(first) }, other]).await.unwrap();
        assert_eq!(texts(&lab, &import).await, ["one", "other"]);
        let (_, anew) = said(&lab, MessageRole::User, "anew", 4);
        append(&lab, &import, (10, 20), vec![ImportEntry::Back { to: None }, anew]).await.unwrap();
        assert_eq!(texts(&lab, &import).await, ["anew"]);
        let mut tx = lab.database().await.read().await.unwrap();
        let branches = conversations::of_task(&mut tx, lab.owner, import.task_id).await.unwrap();
        let told: Vec<_> = branches.iter().map(|branch| (branch.reason.as_str(), branch.base_seq(), branch.head_seq)).collect();
        assert_eq!(told, [("created", 0, 2), ("imported", 1, 2), ("imported", 0, 1)]);
        let stranger = lab.clock.new_id();
        let answer = append(&lab, &import, (20, 30), vec![ImportEntry::Back { to: Some(stranger) }]).await;
        assert_eq!(refused(answer).0, 422);
        lab.verify().await;
    }

    async fn commits_are_checkpoints_where_the_conversation_stood(engine) {
        let lab = Lab::new(engine).await;
        let import = lab.client.create_import(&session("one")).await.unwrap();
        let (first, one) = said(&lab, MessageRole::User, "one", 1);
        let (_, two) = said(&lab, MessageRole::Assistant, "two", 2);
        let commit = |sha: &str, second, after| ImportEntry::Commit { commit: ImportedCommit {
            commit_sha: sha.repeat(40),
            branch_name: "main".into(),
            message: "Begin".into(),
            at: at(second),
            after,
            files_changed: vec![FileChange {
                path: "a.txt".into(),
                path_bytes: None,
                action: FileAction::Added,
                old_path: None,
                additions: 3,
                deletions: 1,
                binary: false,
            }],
            patch_hash: None,
        } };
        append(&lab, &import, (0, 10), vec![one, two]).await.unwrap();
        for _ in 0..2 {
            append(&lab, &import, (10, 10), vec![commit("b", 5, None), commit("c", 6, Some(first))]).await.unwrap();
        }
        let checkpoints = lab.client.checkpoints(import.task_id, &List::default()).await.unwrap();
        let told: Vec<_> = checkpoints.checkpoints.iter().map(|made| (made.checkpoint_number, made.message_count, made.lines_added)).collect();
        assert_eq!((told, checkpoints.total_count), (vec![(2, 1, 3), (1, 0, 3)], 2));
        assert_eq!(checkpoints.checkpoints[0].previous_checkpoint_id, Some(checkpoints.checkpoints[1].id));
        let (_, three) = said(&lab, MessageRole::User, "three", 3);
        assert_eq!(refused(append(&lab, &import, (10, 10), vec![three]).await).0, 422);

        // What it changed is told though no daemon has it, once its patch was sent.
        let with_patch = |hash: &str| {
            let mut commit = commit("d", 7, Some(first));
            if let ImportEntry::Commit { commit } = &mut commit {
                commit.patch_hash = Some(hash.to_owned());
            }
            vec![commit]
        };
        assert_eq!(refused(append(&lab, &import, (10, 10), with_patch(&"0".repeat(64))).await).0, 422);
        let kept = keep(&lab, PATCH).await;
        append(&lab, &import, (10, 10), with_patch(&kept.hash)).await.unwrap();
        let told = lab.client.checkpoint_diff(import.task_id, &Point::Number(3), &DiffQuery::default()).await.unwrap();
        assert_eq!(told.diff.files[0].hunks[0].lines[0].text, "hello");
        lab.verify().await;
    }

    async fn an_imported_task_goes_on_with_the_agents_own_session(engine) {
        let lab = Lab::new(engine).await;
        let import = lab.client.create_import(&session("own-session")).await.unwrap();
        let (asked, one) = said(&lab, MessageRole::User, "one", 1);
        let (answered, two) = said(&lab, MessageRole::Assistant, "two", 2);
        let entries = vec![one, line(asked, "{\"odd\" : 1}"), two, line(answered, "{\"b\":2}")];
        append(&lab, &import, (0, 10), entries).await.unwrap();
        finish(&lab, &import, 10).await;
        let hello = Hello {
            protocol: PROTOCOL,
            daemon: lab.clock.new_id(),
            name: "desk".into(),
            hostname: "desk.local".into(),
            version: "test".into(),
            agents: vec![makima_model::AgentInfo { name: "claude".into(), version: None, default: true }],
            max_concurrent_tasks: 1,
            runs: Vec::new(),
        };
        let mut daemon = LabDaemon::greet(&lab, hello).await.unwrap();
        daemon.beside(lab.client.send_message(import.task_id, "go on")).await.unwrap();
        let start = daemon.start().await;
        let resume = start.resume.as_ref().unwrap();
        assert_eq!((resume.session_id.as_str(), resume.message_count), ("own-session", 2));
        assert_eq!((start.run_number, start.base_commit.as_deref()), (1, Some(&*"a".repeat(40))));
        let client = DaemonClient::new(&lab.url(), &lab.key).unwrap();
        let lines: Vec<_> = client.session(start.run).await.unwrap().collect().await;
        let native: Vec<&str> = lines.iter().map(|line| match line.as_ref().unwrap() {
            SessionLine::Native(line) => line.line.as_str(),
            SessionLine::Message(message) => panic!("{message:?} has lines"),
        }).collect();
        assert_eq!(native, ["{\"odd\" : 1}", "{\"b\":2}"]);

        // It goes on here, and its file elsewhere: neither is in the other's way.
        let task = lab.client.task(import.task_id).await.unwrap();
        let mut records = begun(&task);
        records.extend([heard(start.inputs[0].id, lab.clock.now(), "go on"), ended(RunOutcome::Completed)]);
        daemon.tell(start.run, 1, records).await;
        let (_, aside) = said(&lab, MessageRole::User, "aside", 4);
        append(&lab, &import, (10, 20), vec![aside]).await.unwrap();
        let status = lab.client.task(import.task_id).await.unwrap().status;
        finish(&lab, &import, 20).await;
        assert_eq!(texts(&lab, &import).await, ["one", "two", "go on"]);
        assert_eq!(lab.client.task(import.task_id).await.unwrap().status, status);
        lab.verify().await;
    }

    async fn a_session_of_a_run_is_no_import(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        daemon.tell(start.run, 1, begun(&task)).await;
        let (status, details) = refused(lab.client.create_import(&session("session-1")).await);
        assert_eq!((status, details["taskId"].as_str().unwrap()), (409, task.id.to_string().as_str()));
    }

    async fn nobody_elses_import_is_there_and_none_of_a_task_in_the_trash_goes_on(engine) {
        let lab = Lab::new(engine).await;
        let import = lab.client.create_import(&session("one")).await.unwrap();
        let stranger = lab.stranger().await;
        let more = AppendToImport { from: 0, reached: part(1), is_end: false, entries: Vec::new() };
        let end = FinishImport { bytes: 0, interrupted: false, ended_at: at(1) };
        assert_eq!(refused(stranger.append_to_import(import.id, &more).await).0, 404);
        assert_eq!(refused(stranger.finish_import(import.id, &end).await).0, 404);
        assert_eq!(stranger.imports(&ListImports::default()).await.unwrap().total_count, 0);
        // The same session is another owner's too.
        stranger.create_import(&session("one")).await.unwrap();
        lab.client.delete_task(import.task_id, makima_wire::Deletion::default()).await.unwrap();
        assert!(lab.client.imports(&ListImports::default()).await.unwrap().imports[0].in_trash);
        assert_eq!(refused(lab.client.append_to_import(import.id, &more).await).0, 404);
        lab.verify().await;
    }

    async fn what_cannot_be_is_refused_and_changes_nothing(engine) {
        let lab = Lab::new(engine).await;
        for bad in [
            CreateImport { session_id: String::new(), ..session("x") },
            CreateImport { session_id: "two words".into(), ..session("x") },
            CreateImport { plan: " ".into(), ..session("x") },
            CreateImport { repository: "ext::sh".into(), ..session("x") },
            CreateImport { started_at: "1970-01-01T00:00:00Z".parse().unwrap(), ..session("x") },
        ] {
            assert_eq!(refused(lab.client.create_import(&bad).await).0, 422, "{bad:?}");
        }
        let import = lab.client.create_import(&session("one")).await.unwrap();
        let (id, ok) = said(&lab, MessageRole::Assistant, "x", 1);
        let ImportEntry::Message { message } = ok.clone() else { unreachable!() };
        let odd = |change: fn(&mut ImportedMessage)| {
            let mut message = message.clone();
            change(&mut message);
            vec![ImportEntry::Message { message }]
        };
        for entries in [
            odd(|message| message.token_count = Some(-1)),
            odd(|message| message.cost_usd = Some(-0.5)),
            odd(|message| message.timestamp = "0001-01-01T00:00:00Z".parse().unwrap()),
            vec![ok.clone(), ok],
            vec![line(id, "of no message")],
            vec![turn(-1)],
        ] {
            assert_eq!(refused(append(&lab, &import, (0, 10), entries).await).0, 422);
        }
        assert_eq!(texts(&lab, &import).await, Vec::<String>::new());
        assert_eq!(lab.client.imports(&ListImports::default()).await.unwrap().imports[0].reached.bytes, 0);
        lab.verify().await;
    }
}
