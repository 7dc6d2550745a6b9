//! Where in a conversation something stands: messages, the nearest checkpoint, branches.

use crate::{
    conversations::made,
    lab::{Lab, all, packed, walk},
};
use makima_model::{
    Branch, BranchReason, CheckpointId, CommitPrefix, Message, MessageRole, OwnerId, Position, Timestamp,
    ToolCall, branch::settle,
};
use makima_store::{Checkpoint, Order, Reader, Seek, Task, checkpoints, conversations};
use serde_json::json;
use std::{ops::Range, time::Duration};

fn minute(begun: Timestamp, n: i64) -> Timestamp {
    begun.plus(Duration::from_secs(60 * n as u64))
}

/// A branch of the task's at a position.
async fn branch_at(lab: &Lab, task: &Task, at: Position) -> Branch {
    let mut tx = lab.begin().await;
    let lineage = conversations::lineage(&mut tx, task.owner, at.branch).await.unwrap();
    let base = settle(&lineage, at).unwrap();
    let branch = Branch {
        id: lab.clock.new_id(),
        base: Some(base),
        head_seq: base.seq,
        reason: BranchReason::Restored,
        created_at: lab.now(),
    };
    conversations::insert(&mut tx, task.owner, task.id, &branch).await.unwrap();
    tx.commit().await.unwrap();
    branch
}

/// A checkpoint at a position, following another.
async fn checkpoint(
    lab: &Lab,
    task: &Task,
    (position, number): (Position, i64),
    previous: Option<CheckpointId>,
    at: Timestamp,
) -> Checkpoint {
    let mut made = made(lab, number);
    (made.previous, made.at, made.patch) = (previous, at, None);
    let checkpoint =
        Checkpoint { owner: task.owner, task: task.id, run: None, position, snapshot: None, made };
    let mut tx = lab.begin().await;
    assert_eq!(checkpoints::insert(&mut tx, &checkpoint).await.unwrap(), Some(number));
    tx.commit().await.unwrap();
    checkpoint
}

async fn lineage(lab: &Lab, owner: OwnerId, at: Position) -> Vec<Branch> {
    conversations::lineage(&mut lab.read().await, owner, at.branch).await.unwrap()
}

async fn numbers(reader: Reader) -> Vec<i64> {
    let (mut reader, mut numbers) = (reader, Vec::new());
    loop {
        let piece = reader.next().await.unwrap();
        if piece.is_empty() {
            return numbers;
        }
        numbers.extend(piece.into_iter().map(|stored| stored.seq));
    }
}

on_both_engines! {
    async fn a_message_is_found_where_it_stands_and_by_its_number_and_time(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let task = lab.task(owner).await;
        let begun = lab.now();
        let said: Vec<Message> =
            (0..6).map(|n| Message { timestamp: minute(begun, n * 2), ..lab.said(format!("{n}")) }).collect();
        lab.append(owner, task.conversation, &said[..4]).await;
        let rewound = branch_at(&lab, &task, Position { branch: task.conversation, seq: 3 }).await;
        lab.append(owner, rewound.id, &said[4..]).await;
        // A run that tells again what it has told stands in two places.
        lab.append(owner, rewound.id, &said[..1]).await;
        let at = Position { branch: rewound.id, seq: 5 };
        let lineage = lineage(&lab, owner, at).await;
        let mut tx = lab.read().await;

        let places = conversations::places(&mut tx, owner, said[0].id).await.unwrap();
        let told: Vec<_> = places.iter().map(|place| (place.branch, place.seq, place.at)).collect();
        assert_eq!(told, [(rewound.id, 5, begun), (task.conversation, 0, begun)]);
        assert_eq!(places[1].after(), Position { branch: task.conversation, seq: 1 });
        assert_eq!(conversations::places(&mut tx, other, said[0].id).await.unwrap(), []);

        for (seq, id) in [(0, Some(0)), (2, Some(2)), (3, Some(4)), (4, Some(5)), (5, None), (-1, None)] {
            let place = conversations::place(&mut tx, owner, &lineage, at, seq).await.unwrap();
            assert_eq!(place.map(|place| place.at), id.map(|n| minute(begun, n * 2)), "{seq}");
        }
        // Messages 0, 1, 2, 4, 5, each two minutes apart.
        for (n, until) in [(-1, 0), (0, 1), (1, 1), (4, 3), (6, 3), (7, 3), (8, 4), (9, 4), (10, 5), (99, 5)] {
            let time = if n < 0 { begun.minus(Duration::from_secs(60)) } else { minute(begun, n) };
            let found = conversations::until(&mut tx, owner, &lineage, at, time).await.unwrap();
            assert_eq!(found, until, "{n}");
            let of_nothing = Position { seq: 0, ..at };
            assert_eq!(conversations::until(&mut tx, owner, &lineage, of_nothing, time).await.unwrap(), 0);
        }
    }

    async fn results_are_left_out_of_what_is_read_and_counted(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let role = |role, n: i64| Message { role, ..lab.said(format!("{n}")) };
        let roles = [MessageRole::User, MessageRole::Tool, MessageRole::Assistant, MessageRole::Tool, MessageRole::Tool];
        let said: Vec<Message> = (0..1_300).map(|n| role(roles[n as usize % 5], n)).collect();
        lab.append(owner, task.conversation, &said[..700]).await;
        let rewound = branch_at(&lab, &task, Position { branch: task.conversation, seq: 650 }).await;
        lab.append(owner, rewound.id, &said[650..]).await;
        let at = Position { branch: rewound.id, seq: 1_300 };
        let lineage = lineage(&lab, owner, at).await;
        let kept = |seqs: Range<i64>| -> Vec<i64> { seqs.filter(|seq| [0, 2].contains(&(seq % 5))).collect() };
        for seqs in [0..1_300, 1..5, 3..5, 640..660, 1_299..1_300] {
            let reader = Reader::new(&lab.db, owner, &lineage, at, seqs.clone()).unwrap().without_results();
            assert_eq!(numbers(reader).await, kept(seqs));
        }
        let mut tx = lab.read().await;
        for (end, count) in [(1_300, 10), (655, 4), (651, 1), (5, 10), (0, 1), (1_300, 1_000)] {
            let before = conversations::last_before(&mut tx, owner, &lineage, at, end, count).await.unwrap();
            let expected: Vec<i64> = kept(0..end).into_iter().rev().take(count).collect();
            assert_eq!(before, expected, "{end} {count}");
            let after = conversations::first_after(&mut tx, owner, &lineage, at, end, count).await.unwrap();
            let expected: Vec<i64> = kept(end..1_300).into_iter().take(count).collect();
            assert_eq!(after, expected, "{end} {count}");
        }
    }

    async fn the_agents_last_message_before_another_is_found(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let call = ToolCall { id: "call".into(), name: "Bash".into(), input: json!({ "command": "ls" }) };
        let asks = Message { tool_calls: vec![call], ..lab.said("I look.") };
        let result = || Message { role: MessageRole::Tool, ..lab.said("") };
        lab.append(owner, task.conversation, &[asks.clone(), result(), result(), lab.said("later")]).await;
        let rewound = branch_at(&lab, &task, Position { branch: task.conversation, seq: 2 }).await;
        lab.append(owner, rewound.id, &[result(), result()]).await;
        let at = Position { branch: rewound.id, seq: 4 };
        let lineage = lineage(&lab, owner, at).await;
        let mut tx = lab.read().await;
        for (seq, found) in [(4, Some(0)), (3, Some(0)), (1, Some(0)), (0, None)] {
            let message = conversations::agent_before(&mut tx, owner, &lineage, at, seq).await.unwrap();
            assert_eq!(message.as_ref().map(|stored| stored.seq), found, "{seq}");
            assert!(message.is_none_or(|unread| unread.read().unwrap() == asks));
        }
    }

    async fn the_nearest_checkpoint_is_the_last_one_on_the_way(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let task = lab.task(owner).await;
        let said: Vec<Message> = (0..6).map(|n| lab.said(format!("{n}"))).collect();
        lab.append(owner, task.conversation, &said).await;
        let root = |seq| Position { branch: task.conversation, seq };
        let (begun, late) = (lab.now(), lab.now().plus(Duration::from_secs(100)));
        let first = checkpoint(&lab, &task, (root(2), 1), None, begun).await;
        // Made after another at the same place, by a clock that goes behind.
        let before = checkpoint(&lab, &task, (root(4), 2), Some(first.made.id), late).await;
        let after = checkpoint(&lab, &task, (root(4), 3), Some(before.made.id), begun).await;
        let rewound = branch_at(&lab, &task, root(4)).await;
        let left = Position { branch: rewound.id, seq: 4 };
        let side = checkpoint(&lab, &task, (left, 4), Some(after.made.id), late).await;
        let again = branch_at(&lab, &task, root(3)).await;
        let again = Position { branch: again.id, seq: 3 };
        for (at, nearest) in [
            (root(0), None),
            (root(1), None),
            (root(2), Some(&first)),
            (root(3), Some(&first)),
            (root(4), Some(&after)),
            (root(6), Some(&after)),
            (left, Some(&side)),
            // What is on a branch that it doesn't lead through is no matter, whatever its number.
            (again, Some(&first)),
        ] {
            let lineage = lineage(&lab, owner, at).await;
            let mut tx = lab.read().await;
            let found = checkpoints::nearest(&mut tx, owner, &lineage, at).await.unwrap();
            assert_eq!(found.as_ref(), nearest, "{at:?}");
            assert_eq!(checkpoints::nearest(&mut tx, other, &lineage, at).await.unwrap(), None);
        }
    }

    async fn checkpoints_are_found_by_the_beginning_of_their_commit(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let (task, elsewhere) = (lab.task(owner).await, lab.task(owner).await);
        let at = |task: &Task| Position { branch: task.conversation, seq: 0 };
        let mut made_of = Vec::new();
        for (of, number) in [(&elsewhere, 1), (&task, 1), (&task, 2), (&elsewhere, 2)] {
            made_of.push(checkpoint(&lab, of, (at(of), number), None, lab.now()).await);
        }
        let found = async |owner, prefix: &str| {
            let prefix = CommitPrefix::parse(prefix).unwrap();
            let found = checkpoints::of_commit(&mut lab.read().await, owner, task.id, &prefix).await.unwrap();
            found.into_iter().map(|one| one.id).collect::<Vec<_>>()
        };
        // Those of the task come first, of each the newest.
        let ids = |which: &[usize]| which.iter().map(|n| made_of[*n].made.id).collect::<Vec<_>>();
        assert_eq!(found(owner, &"0".repeat(39)).await, ids(&[2, 1, 3, 0]));
        assert_eq!(found(owner, &format!("{:040}", 1)).await, ids(&[1, 0]));
        assert_eq!(found(owner, &"0".repeat(41)).await, []);
        assert_eq!(found(owner, "fffffff").await, []);
        assert_eq!(found(other, "0000000").await, []);
    }

    async fn the_branches_of_a_task_are_listed_with_what_they_are_based_on(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let (task, fork) = (lab.task(owner).await, lab.task(owner).await);
        lab.append(owner, task.conversation, &[lab.said("a"), lab.said("b")]).await;
        let mut tx = lab.begin().await;
        conversations::append(&mut tx, owner, task.conversation, 1, packed(&[lab.said("c")])).await.unwrap();
        tx.commit().await.unwrap();
        let rewound = branch_at(&lab, &task, Position { branch: task.conversation, seq: 1 }).await;
        let forked = branch_at(&lab, &fork, Position { branch: rewound.id, seq: 1 }).await;

        let list = async |owner, task: &Task, seek: Seek, total| {
            conversations::list(&mut lab.read().await, owner, task.id, seek, total).await.unwrap()
        };
        let ids = |rows: &[Branch]| rows.iter().map(|branch| branch.id).collect::<Vec<_>>();
        assert_eq!(ids(&list(owner, &task, all(), None).await.rows), [rewound.id, task.conversation]);
        let walked = walk(Order::Oldest, 1, 2, async |seek| list(owner, &task, seek, None).await).await;
        assert_eq!(ids(&walked), [task.conversation, rewound.id]);
        assert_eq!(list(owner, &task, all(), Some(7)).await.total, 7);
        assert_eq!(list(other, &task, all(), None).await.rows, []);

        let history = conversations::history(&mut lab.read().await, owner, fork.id).await.unwrap();
        assert_eq!(ids(&history.own), [fork.conversation, forked.id]);
        let mut known = ids(&history.all);
        let mut expected = vec![fork.conversation, forked.id, task.conversation];
        known.sort();
        expected.sort();
        assert_eq!(known, expected);
        let history = conversations::history(&mut lab.read().await, other, fork.id).await.unwrap();
        assert_eq!((history.own, history.all), (vec![], vec![]));
    }
}
