//! Conversations, the agents' own records, snapshots and checkpoints.

use crate::lab::{Lab, all, packed, walk};
use makima_model::{
    BlobRef, Branch, BranchId, BranchReason, CheckpointKind, CheckpointMade, FileAction, FileChange, Message,
    MessageRole, NativeLine, NotHeld, NotHeldReason, OwnerId, Position, SnapshotType, ToolCall,
};
use makima_store::{
    Checkpoint, Engine, Order, Reader, Snapshot, StoreError, Task, checkpoints,
    conversations::{self, PackedMessage},
    native::{self, LineReader, Lines},
    snapshots, tasks,
};
use serde_json::json;
use sqlx::{Connection, PgConnection, SqliteConnection};

/// A message with everything that one can have.
fn full(lab: &Lab) -> Message {
    Message {
        thinking: Some("Hm \0.".into()),
        tool_calls: vec![ToolCall {
            id: "toolu_1".into(),
            name: "Bash".into(),
            input: json!({"command": "a\0b"}),
        }],
        tool_call_id: Some("toolu_0".into()),
        tool_name: Some("Read".into()),
        tool_result: Some("line\r\n\u{1f980}\0".into()),
        is_error: Some(false),
        token_count: Some(1234),
        cost_usd: Some(0.125),
        model: Some("claude-sonnet-4".into()),
        incomplete: true,
        ..lab.said("Nothing is lost: \0 \u{fffd} \u{10ffff}")
    }
}

async fn whole(lab: &Lab, owner: OwnerId, branch: BranchId) -> Vec<Message> {
    let mut tx = lab.read().await;
    let lineage = conversations::lineage(&mut tx, owner, branch).await.unwrap();
    let head = lineage.iter().find(|known| known.id == branch).expect("the branch is there").head();
    let stored = conversations::read(&mut tx, owner, &lineage, head, 0..head.seq).await.unwrap();
    assert!(stored.iter().enumerate().all(|(index, message)| message.seq == index as i64), "{stored:?}");
    stored.into_iter().map(|stored| stored.message).collect()
}

/// A branch of the task's conversation that starts at `base`.
async fn branch_at(lab: &Lab, task: &Task, base: Position, reason: BranchReason) -> Branch {
    let branch = Branch {
        id: lab.clock.new_id(),
        base: Some(base),
        head_seq: base.seq,
        reason,
        created_at: lab.now(),
    };
    let mut tx = lab.begin().await;
    conversations::insert(&mut tx, task.owner, task.id, &branch).await.unwrap();
    tx.commit().await.unwrap();
    branch
}

fn lines(texts: &[&str]) -> Vec<NativeLine> {
    texts
        .iter()
        .map(|text| NativeLine {
            uuid: text.is_ascii().then(|| format!("uuid of {text}")),
            line: (*text).into(),
        })
        .collect()
}

/// Lines whose message isn't at hand.
fn alone(lines: &[NativeLine]) -> Lines {
    Lines::of(lines, None).unwrap()
}

async fn record(lab: &Lab, owner: OwnerId, branch: BranchId, seq: i64, texts: &[&str]) {
    let mut tx = lab.begin().await;
    native::append(&mut tx, owner, branch, seq, "", alone(&lines(texts)));
    tx.commit().await.unwrap();
}

/// The file's lines, whose messages go up.
async fn session(lab: &Lab, owner: OwnerId, at: Position, file: &str) -> Vec<NativeLine> {
    let lineage = conversations::lineage(&mut lab.read().await, owner, at.branch).await.unwrap();
    let mut reader = LineReader::new(&lab.db, owner, &lineage, at, file).unwrap();
    let mut session = Vec::new();
    loop {
        let piece = reader.next().await.unwrap();
        if piece.is_empty() {
            assert!(session.is_sorted_by_key(|(seq, _)| *seq));
            return session.into_iter().map(|(_, line)| line).collect();
        }
        session.extend(piece);
    }
}

/// A checkpoint as a daemon makes it.
pub(crate) fn made(lab: &Lab, number: i64) -> CheckpointMade {
    CheckpointMade {
        id: lab.clock.new_id(),
        number,
        kind: CheckpointKind::Turn,
        turn: Some(2),
        at: lab.now(),
        commit_sha: format!("{number:040}"),
        branch_name: "makima/fix".into(),
        message: format!("turn {number}"),
        previous: None,
        files_changed: vec![FileChange {
            path: "src/\u{fffd}.rs".into(),
            path_bytes: Some("c3JjL/8ucnM=".into()),
            action: FileAction::Renamed,
            old_path: Some("src/a.rs".into()),
            additions: 3,
            deletions: 1,
            binary: false,
        }],
        lines_added: 3,
        lines_removed: 1,
        not_held: vec![NotHeld { path: "vendor".into(), reason: NotHeldReason::NestedRepository }],
        patch: Some(BlobRef { hash: "ab".repeat(32), bytes: 120 }),
    }
}

on_both_engines! {
    async fn a_message_is_read_back_as_it_was_said(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let task = lab.task(owner).await;
        let messages = [full(&lab), lab.said(""), lab.said("x".repeat(2_000_000))];
        assert_eq!(lab.append(owner, task.conversation, &messages[..1]).await, 0);
        assert_eq!(lab.append(owner, task.conversation, &messages[1..]).await, 1);
        assert_eq!(whole(&lab, owner, task.conversation).await, messages);
        let mut tx = lab.begin().await;
        let read = tasks::get(&mut tx, owner, task.id).await.unwrap().unwrap();
        assert_eq!(read.message_count, 3);
        assert_eq!(conversations::append(&mut tx, other, task.conversation, 1, packed(&messages)).await.unwrap(), None);
        assert_eq!(conversations::lineage(&mut tx, other, task.conversation).await.unwrap(), []);
        assert_eq!(conversations::of_task(&mut tx, other, task.id).await.unwrap(), []);
        let lineage = conversations::lineage(&mut tx, owner, task.conversation).await.unwrap();
        let head = lineage[0].head();
        assert_eq!(conversations::read(&mut tx, other, &lineage, head, 0..9).await.unwrap(), []);
    }

    async fn a_message_that_is_passed_on_is_the_same_when_it_is_read(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let messages = [full(&lab), lab.said(""), lab.said("a \0 \" ü")];
        lab.append(owner, task.conversation, &messages).await;
        let lineage = conversations::lineage(&mut lab.read().await, owner, task.conversation).await.unwrap();
        let reader = || Reader::new(&lab.db, owner, &lineage, lineage[0].head(), 0..3).unwrap();
        let unread = reader().next_unread().await.unwrap();
        let call = unread[0].calls().unwrap().remove(0);
        assert_eq!((call.id.as_str(), call.input.get()), ("toolu_1", "{\"command\":\"a\\u0000b\"}"));
        let same = reader().next().await.unwrap();
        assert_eq!((unread.len(), same.len()), (3, 3));
        for ((unread, same), said) in unread.into_iter().zip(same).zip(&messages) {
            assert_eq!(
                (unread.branch, unread.task, unread.seq, unread.run_number),
                (same.branch, same.task, same.seq, same.run_number)
            );
            assert_eq!((&unread.read().unwrap(), &same.message), (said, said));
        }
    }

    async fn a_message_is_found_before_and_after_it_is_committed(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let task = lab.task(owner).await;
        let messages = [lab.said("one"), lab.said("two")];
        let place = Some((task.conversation, 1));
        let mut tx = lab.begin().await;
        conversations::append(&mut tx, owner, task.conversation, 1, packed(&messages)).await.unwrap();
        assert_eq!(conversations::find(&mut tx, owner, messages[1].id).await.unwrap(), place);
        tx.commit().await.unwrap();
        let mut tx = lab.read().await;
        assert_eq!(conversations::find(&mut tx, owner, messages[1].id).await.unwrap(), place);
        assert_eq!(conversations::find(&mut tx, other, messages[1].id).await.unwrap(), None);
        assert_eq!(conversations::find(&mut tx, owner, lab.clock.new_id()).await.unwrap(), None);
    }

    async fn a_branch_goes_on_from_its_base_and_both_are_read(lab: Lab) {
        let owner = lab.owner().await;
        let (task, fork) = (lab.task(owner).await, lab.task(owner).await);
        let said: Vec<Message> = (0..6).map(|n| lab.said(format!("{n}"))).collect();
        lab.append(owner, task.conversation, &said[..4]).await;
        let side = branch_at(&lab, &task, Position { branch: task.conversation, seq: 2 }, BranchReason::LateRun).await;
        assert_eq!(lab.append(owner, side.id, &said[4..5]).await, 2);
        let forked = branch_at(&lab, &fork, Position { branch: side.id, seq: 3 }, BranchReason::Created).await;
        assert_eq!(lab.append(owner, forked.id, &said[5..]).await, 3);

        assert_eq!(whole(&lab, owner, task.conversation).await, said[..4]);
        assert_eq!(whole(&lab, owner, side.id).await, [&said[..2], &said[4..5]].concat());
        assert_eq!(whole(&lab, owner, forked.id).await, [&said[..2], &said[4..]].concat());
        let mut tx = lab.read().await;
        let branches = conversations::of_task(&mut tx, owner, task.id).await.unwrap();
        assert_eq!(branches.last(), Some(&Branch { head_seq: 3, ..side }));
        let lineage = conversations::lineage(&mut tx, owner, forked.id).await.unwrap();
        assert_eq!(lineage.len(), 3);
        let at = Position { branch: forked.id, seq: 4 };
        let middle = conversations::read(&mut tx, owner, &lineage, at, 1..3).await.unwrap();
        assert_eq!(middle.iter().map(|stored| (stored.task, stored.seq)).collect::<Vec<_>>(), [(task.id, 1), (task.id, 2)]);
    }

    async fn a_position_behind_the_head_is_refused(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let mut tx = lab.read().await;
        let lineage = conversations::lineage(&mut tx, owner, task.conversation).await.unwrap();
        let at = Position { branch: task.conversation, seq: 1 };
        let error = conversations::read(&mut tx, owner, &lineage, at, 0..1).await.unwrap_err();
        assert!(matches!(error, StoreError::Position(_)), "{error:?}");
        assert!(matches!(Reader::new(&lab.db, owner, &lineage, at, 0..1), Err(StoreError::Position(_))));
    }

    async fn a_long_conversation_is_read_in_pieces_that_are_never_large(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        // Nothing to compress: what is packed is as large as what is said.
        let noise = |n: u64| (0..25_000u64).map(|i| char::from((scattered(n * 25_000 + i) % 94 + 33) as u8)).collect::<String>();
        let mut said: Vec<Message> = (0..1_200).map(|n| lab.said(format!("{n}"))).collect();
        said.extend((0..100).map(|n| lab.said(noise(n))));
        lab.append(owner, task.conversation, &said[..1_250]).await;
        let rewound = branch_at(&lab, &task, Position { branch: task.conversation, seq: 1_250 }, BranchReason::Created).await;
        lab.append(owner, rewound.id, &said[1_250..]).await;

        let lineage = conversations::lineage(&mut lab.read().await, owner, rewound.id).await.unwrap();
        let at = Position { branch: rewound.id, seq: 1_300 };
        let mut reader = Reader::new(&lab.db, owner, &lineage, at, 3..1_300).unwrap();
        let mut read = Vec::new();
        loop {
            let piece = reader.next().await.unwrap();
            let bytes: usize = piece.iter().map(|stored| stored.message.content.len()).sum();
            assert!(piece.len() <= 500 && bytes <= 2 << 20, "{} messages, {bytes} bytes", piece.len());
            if piece.is_empty() {
                break;
            }
            read.extend(piece.into_iter().map(|stored| stored.message));
        }
        assert!(read == said[3..], "all of them are read, in order");
    }

    async fn the_end_of_a_run_is_its_last_message_on_the_branch(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let task = lab.task(owner).await;
        for (run, messages) in [(1, 2), (2, 3), (1, 1), (2, 1)] {
            let said: Vec<Message> = (0..messages).map(|_| lab.said("x")).collect();
            let mut tx = lab.begin().await;
            conversations::append(&mut tx, owner, task.conversation, run, packed(&said)).await.unwrap();
            tx.commit().await.unwrap();
        }
        let mut tx = lab.read().await;
        for (owner, run, end) in [(owner, 1, Some(6)), (owner, 2, Some(7)), (owner, 3, None), (other, 1, None)] {
            let found = conversations::end_of_run(&mut tx, owner, task.conversation, run).await.unwrap();
            assert_eq!(found, end, "run {run}");
        }
    }

    async fn a_turns_cost_is_shared_by_tokens(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let tokens = |count| Message { token_count: Some(count), ..lab.said("x") };
        let asked = Message { role: MessageRole::User, ..lab.said("?") };
        lab.append(owner, task.conversation, &[tokens(50), asked, tokens(30)]).await;
        let mut tx = lab.begin().await;
        conversations::append(&mut tx, owner, task.conversation, 1, packed(&[tokens(10)])).await.unwrap();
        conversations::share_cost(&mut tx, owner, task.conversation, 1, 0.8);
        tx.commit().await.unwrap();
        let costs: Vec<_> = whole(&lab, owner, task.conversation).await.iter().map(|said| said.cost_usd).collect();
        assert_eq!(costs[..2], [None, None]);
        let near = |cost: Option<f64>, usd: f64| cost.is_some_and(|cost| (cost - usd).abs() < 1e-9);
        assert!(near(costs[2], 0.6) && near(costs[3], 0.2), "{costs:?}");
    }

    async fn a_cost_without_tokens_is_shared_evenly(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        lab.append(owner, task.conversation, &[lab.said("a"), lab.said("b")]).await;
        let mut tx = lab.begin().await;
        conversations::share_cost(&mut tx, owner, task.conversation, 0, 0.5);
        tx.commit().await.unwrap();
        let costs: Vec<_> = whole(&lab, owner, task.conversation).await.iter().map(|said| said.cost_usd).collect();
        assert_eq!(costs, [Some(0.25), Some(0.25)]);
    }

    async fn a_prefix_of_the_conversation_is_a_prefix_of_the_session(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let task = lab.task(owner).await;
        let said: Vec<Message> = (0..3).map(|n| lab.said(format!("{n}"))).collect();
        let first = task.conversation;
        record(&lab, owner, first, -1, &["summary"]).await;
        lab.append(owner, first, &said).await;
        record(&lab, owner, first, 0, &["zero", "attachment"]).await;
        record(&lab, owner, first, 2, &["two"]).await;
        record(&lab, owner, first, 1, &["one"]).await;
        record(&lab, owner, first, 0, &["late \0 \u{1f980} {\"a\":\"\\ud800\"}"]).await;
        let mut tx = lab.begin().await;
        native::append(&mut tx, owner, first, 1, "agent-7.jsonl", alone(&lines(&["of a side chain"])));
        tx.commit().await.unwrap();
        // A run that goes on from the middle writes its own beginning before its first message.
        let rewound = branch_at(&lab, &task, Position { branch: first, seq: 2 }, BranchReason::Created).await;
        record(&lab, owner, rewound.id, 1, &["resumed"]).await;
        lab.append(owner, rewound.id, &said[..1]).await;
        record(&lab, owner, rewound.id, 2, &["new two"]).await;

        let until_one = ["summary", "zero", "attachment", "late \0 \u{1f980} {\"a\":\"\\ud800\"}", "one"];
        let at = |branch, seq| Position { branch, seq };
        assert_eq!(session(&lab, owner, at(first, 2), "").await, lines(&until_one));
        assert_eq!(session(&lab, owner, at(first, 3), "").await, lines(&[&until_one[..], &["two"]].concat()));
        assert_eq!(session(&lab, owner, at(first, 3), "agent-7.jsonl").await, lines(&["of a side chain"]));
        let resumed = lines(&[&until_one[..], &["resumed", "new two"]].concat());
        assert_eq!(session(&lab, owner, at(rewound.id, 3), "").await, resumed);
        let lineage = conversations::lineage(&mut lab.read().await, owner, first).await.unwrap();
        let mut strangers = LineReader::new(&lab.db, other, &lineage, at(first, 3), "").unwrap();
        assert_eq!(strangers.next().await.unwrap(), []);
    }

    async fn what_a_message_says_takes_no_room_again_in_the_record(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let noise = |n: u64| (0..2_500).map(|i| format!("{:016x}", scattered(n * 2_500 + i))).collect::<String>();
        let said: Vec<Message> = (0..3).map(|n| lab.said(noise(n))).collect();
        let record = |n: usize| {
            let line = json!({"type": "assistant", "message": {"content": said[n].content}}).to_string();
            [NativeLine { uuid: None, line }]
        };
        let branch = task.conversation;
        // With its message, in either order; and later than it.
        let mut tx = lab.begin().await;
        native::append(&mut tx, owner, branch, 0, "", alone(&record(0)));
        conversations::append(&mut tx, owner, branch, 1, packed(&said)).await.unwrap();
        native::append(&mut tx, owner, branch, 1, "", alone(&record(1)));
        native::append(&mut tx, owner, branch, 1, "", alone(&lines(&["more"])));
        tx.commit().await.unwrap();
        let mut tx = lab.begin().await;
        native::append(&mut tx, owner, branch, 2, "", alone(&record(2)));
        tx.commit().await.unwrap();

        const BYTES: &str = "SELECT CAST(SUM(length(body)) AS BIGINT) FROM native_entries";
        let bytes: i64 = match lab.db.engine() {
            Engine::Sqlite => {
                let mut connection = SqliteConnection::connect(&lab.url()).await.unwrap();
                sqlx::query_scalar(BYTES).fetch_one(&mut connection).await.unwrap()
            }
            Engine::Postgres => {
                let mut connection = PgConnection::connect(&lab.url()).await.unwrap();
                sqlx::query_scalar(BYTES).fetch_one(&mut connection).await.unwrap()
            }
        };
        assert!(bytes < 1000, "{bytes} bytes for three records of 40,000");
        let expected = [record(0), record(1), [lines(&["more"]).remove(0)], record(2)].concat();
        assert_eq!(session(&lab, owner, Position { branch, seq: 3 }, "").await, expected);
    }

    async fn lines_packed_ahead_are_read_back_whatever_stands_in_their_place(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let branch = task.conversation;
        let said: Vec<Message> = (0..3).map(|n| lab.said(format!("{n} is what was said. ").repeat(50))).collect();
        let messages = packed(&said);
        // What daemons send again is packed again; and one may send something else by the same id.
        let again = packed(&[Message { content: "something else. ".repeat(50), ..said[0].clone() }]).remove(0);
        let line = |of: &Message| NativeLine { uuid: None, line: json!({"content": of.content}).to_string() };
        let beside = |message: &PackedMessage, line: NativeLine| {
            let mut lines = Lines::of(&[line], Some(message)).unwrap();
            native::pack([&mut lines]);
            lines
        };
        let its_own = beside(&messages[0], line(&said[0]));
        // A transaction that fails takes nothing away from what was packed for it.
        let mut tx = lab.begin().await;
        conversations::append(&mut tx, owner, branch, 1, messages.clone()).await.unwrap();
        native::append(&mut tx, owner, branch, 0, "", its_own.clone());
        drop(tx);
        let mut tx = lab.begin().await;
        conversations::append(&mut tx, owner, branch, 1, messages.clone()).await.unwrap();
        native::append(&mut tx, owner, branch, -1, "", beside(&messages[0], line(&said[0])));
        native::append(&mut tx, owner, branch, 0, "", its_own);
        native::append(&mut tx, owner, branch, 1, "", beside(&messages[0], line(&said[0])));
        tx.commit().await.unwrap();
        let mut tx = lab.begin().await;
        native::append(&mut tx, owner, branch, 1, "", beside(&messages[2], line(&said[2])));
        native::append(&mut tx, owner, branch, 2, "", beside(&again, line(&said[0])));
        tx.commit().await.unwrap();

        let expected = [0, 0, 0, 2, 0].map(|n| line(&said[n]));
        assert_eq!(session(&lab, owner, Position { branch, seq: 3 }, "").await, expected);
        assert_eq!(whole(&lab, owner, branch).await, said);
    }

    async fn a_long_session_is_read_whole(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        lab.append(owner, task.conversation, &[lab.said("one"), lab.said("two")]).await;
        let texts: Vec<String> = (0..1_300).map(|n| format!("line {n}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        record(&lab, owner, task.conversation, 0, &texts[..700]).await;
        record(&lab, owner, task.conversation, 1, &texts[700..]).await;
        let at = Position { branch: task.conversation, seq: 2 };
        assert_eq!(session(&lab, owner, at, "").await, lines(&texts));
    }

    async fn the_newest_snapshot_is_the_tasks_present_one(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let task = lab.task(owner).await;
        let snapshot = |seq, kind| Snapshot {
            id: lab.clock.new_id(),
            owner,
            task: task.id,
            checkpoint: None,
            kind,
            position: Position { branch: task.conversation, seq },
            metadata: Some(json!({"turn": seq})),
            created_at: lab.now(),
        };
        let first = snapshot(1, SnapshotType::Auto);
        let second = Snapshot { metadata: None, ..snapshot(2, SnapshotType::Manual) };
        let mut tx = lab.begin().await;
        assert_eq!(snapshots::latest_of_task(&mut tx, owner, task.id).await.unwrap(), None);
        snapshots::insert(&mut tx, &first).await.unwrap();
        snapshots::insert(&mut tx, &second).await.unwrap();
        assert_eq!(snapshots::get(&mut tx, owner, first.id).await.unwrap().as_ref(), Some(&first));
        assert_eq!(snapshots::get(&mut tx, other, first.id).await.unwrap(), None);
        assert_eq!(snapshots::latest_of_task(&mut tx, other, task.id).await.unwrap(), None);
        assert_eq!(snapshots::latest_of_task(&mut tx, owner, task.id).await.unwrap(), Some(second));
    }

    async fn the_snapshots_of_a_task_are_walked_and_counted(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let (task, another) = (lab.task(owner).await, lab.task(owner).await);
        let at = lab.now();
        let mut made = Vec::new();
        let mut tx = lab.begin().await;
        for n in 0..6 {
            let snapshot = Snapshot {
                id: lab.clock.new_id(),
                owner,
                task: if n == 5 { another.id } else { task.id },
                checkpoint: None,
                kind: if n == 2 { SnapshotType::Manual } else { SnapshotType::Auto },
                position: Position { branch: task.conversation, seq: n },
                metadata: None,
                created_at: at,
            };
            snapshots::insert(&mut tx, &snapshot).await.unwrap();
            made.push(snapshot);
        }
        tx.commit().await.unwrap();
        made.pop();
        for order in [Order::Oldest, Order::Newest] {
            let walked = walk(order, 2, 5, async |seek| {
                snapshots::list(&mut lab.read().await, owner, task.id, seek).await.unwrap()
            });
            assert_eq!(walked.await, made);
            made.reverse();
        }
        let strangers = snapshots::list(&mut lab.read().await, other, task.id, all()).await.unwrap();
        assert_eq!((strangers.rows.len(), strangers.total), (0, 0));
    }

    async fn a_checkpoint_and_its_snapshot_name_each_other(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let (daemon, task) = (lab.daemon(owner).await, lab.task(owner).await);
        let run = lab.run(&task, daemon, 1).await;
        let position = Position { branch: task.conversation, seq: 4 };
        let made = made(&lab, 1);
        let snapshot = Snapshot {
            id: lab.clock.new_id(),
            owner,
            task: task.id,
            checkpoint: Some(made.id),
            kind: SnapshotType::Checkpoint,
            position,
            metadata: None,
            created_at: lab.now(),
        };
        let checkpoint =
            Checkpoint { owner, task: task.id, run: Some(run.id), position, snapshot: Some(snapshot.id), made };
        let mut tx = lab.begin().await;
        assert_eq!(checkpoints::insert(&mut tx, &checkpoint).await.unwrap(), Some(1));
        snapshots::insert(&mut tx, &snapshot).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = lab.read().await;
        assert_eq!(checkpoints::by_id(&mut tx, owner, checkpoint.made.id).await.unwrap().as_ref(), Some(&checkpoint));
        assert_eq!(checkpoints::by_number(&mut tx, owner, task.id, 1).await.unwrap(), Some(checkpoint.clone()));
        assert_eq!(checkpoints::by_number(&mut tx, owner, task.id, 2).await.unwrap(), None);
        assert_eq!(checkpoints::by_id(&mut tx, other, checkpoint.made.id).await.unwrap(), None);
        assert_eq!(checkpoints::by_number(&mut tx, other, task.id, 1).await.unwrap(), None);
        assert_eq!(checkpoints::latest(&mut tx, other, task.id).await.unwrap(), None);
        let task = tasks::get(&mut tx, owner, task.id).await.unwrap().unwrap();
        assert_eq!(task.checkpoint_count, 1);
        assert_eq!(task.last_checkpoint_sha, Some(checkpoint.made.commit_sha));
        assert_eq!(task.checkpoint_message, Some(checkpoint.made.message));
    }

    async fn a_checkpoint_comes_once_and_gets_a_free_number(lab: Lab) {
        let owner = lab.owner().await;
        let (task, other_task) = (lab.task(owner).await, lab.task(owner).await);
        let position = Position { branch: task.conversation, seq: 0 };
        let of = |task: &Task, number| Checkpoint {
            owner,
            task: task.id,
            run: None,
            position,
            snapshot: None,
            made: CheckpointMade { kind: CheckpointKind::Manual, turn: None, patch: None, ..made(&lab, number) },
        };
        let (first, second, elsewhere) = (of(&task, 1), of(&task, 1), of(&other_task, 1));
        let mut tx = lab.begin().await;
        assert_eq!(checkpoints::insert(&mut tx, &first).await.unwrap(), Some(1));
        assert_eq!(checkpoints::insert(&mut tx, &first).await.unwrap(), None);
        assert_eq!(checkpoints::insert(&mut tx, &second).await.unwrap(), Some(2));
        assert_eq!(checkpoints::insert(&mut tx, &elsewhere).await.unwrap(), Some(1));
        assert_eq!(checkpoints::insert(&mut tx, &of(&task, 7)).await.unwrap(), Some(7));
        tx.commit().await.unwrap();
        let mut tx = lab.read().await;
        assert_eq!(checkpoints::latest(&mut tx, owner, task.id).await.unwrap().unwrap().made.number, 7);
        assert_eq!(tasks::get(&mut tx, owner, task.id).await.unwrap().unwrap().checkpoint_count, 3);
        let listed = checkpoints::list(&mut tx, owner, task.id, all()).await.unwrap();
        assert_eq!(listed.rows.iter().map(|row| row.made.number).collect::<Vec<_>>(), [7, 2, 1]);
        let walked = walk(Order::Oldest, 2, 3, async |seek| {
            checkpoints::list(&mut lab.read().await, owner, task.id, seek).await.unwrap()
        });
        assert_eq!(walked.await.iter().map(|row| row.made.number).collect::<Vec<_>>(), [1, 2, 7]);
        let strangers = checkpoints::list(&mut tx, lab.clock.new_id(), task.id, all()).await.unwrap();
        assert_eq!((strangers.rows.len(), strangers.total), (0, 0));
    }
}

/// Numbers without a pattern: splitmix64.
fn scattered(n: u64) -> u64 {
    let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
