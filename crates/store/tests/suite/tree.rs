//! Appending, rewinding, forking and taking snapshots, against a model that copies everything.

use crate::lab::{Lab, packed};
use makima_model::{
    Branch, BranchReason, Message, NativeLine, OwnerId, Position, SnapshotType, branch::settle,
};
use makima_store::{
    Reader, Snapshot, Task, conversations,
    native::{self, LineReader, Lines},
    snapshots,
};
use proptest::{prelude::*, test_runner::TestRunner};

#[derive(Debug, Clone)]
enum Step {
    Append { conversation: usize, messages: usize },
    Rewind { conversation: usize, keep: usize },
    Fork { conversation: usize, keep: usize },
    Snapshot { conversation: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let (conversation, keep) = (0..4usize, 0..20usize);
    prop_oneof![
        4 => (conversation.clone(), 1..6usize).prop_map(|(conversation, messages)| Step::Append { conversation, messages }),
        1 => (conversation.clone(), keep.clone()).prop_map(|(conversation, keep)| Step::Rewind { conversation, keep }),
        1 => (conversation.clone(), keep).prop_map(|(conversation, keep)| Step::Fork { conversation, keep }),
        1 => conversation.prop_map(|conversation| Step::Snapshot { conversation }),
    ]
}

/// Messages, each with the lines of the agent's record.
type Copied = Vec<(Message, Vec<NativeLine>)>;

/// A conversation in the database, and its copy.
struct Conversation {
    task: Task,
    branch: Branch,
    copy: Copied,
}

struct Tree<'a> {
    lab: &'a Lab,
    owner: OwnerId,
    conversations: Vec<Conversation>,
    snapshots: Vec<(Snapshot, Copied)>,
}

impl<'a> Tree<'a> {
    async fn new(lab: &'a Lab) -> Self {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let branch = Branch {
            id: task.conversation,
            base: None,
            head_seq: 0,
            reason: BranchReason::Created,
            created_at: task.created_at,
        };
        let conversations = vec![Conversation { task, branch, copy: Vec::new() }];
        Self { lab, owner, conversations, snapshots: Vec::new() }
    }

    async fn take(&mut self, step: &Step) {
        match *step {
            Step::Append { conversation, messages } => {
                let at = conversation % self.conversations.len();
                self.append(at, messages).await;
            }
            Step::Rewind { conversation, keep } => {
                let at = conversation % self.conversations.len();
                self.snapshot(at).await;
                let task = self.conversations[at].task.clone();
                let keep = keep.min(self.conversations[at].copy.len());
                self.conversations[at].branch = self.begin(at, keep, &task).await;
                self.conversations[at].copy.truncate(keep);
            }
            Step::Fork { conversation, keep } => {
                let at = conversation % self.conversations.len();
                let keep = keep.min(self.conversations[at].copy.len());
                let task = self.lab.task(self.owner).await;
                let branch = self.begin(at, keep, &task).await;
                let copy = self.conversations[at].copy[..keep].to_vec();
                self.conversations.push(Conversation { task, branch, copy });
            }
            Step::Snapshot { conversation } => self.snapshot(conversation % self.conversations.len()).await,
        }
    }

    async fn append(&mut self, at: usize, messages: usize) {
        let said: Vec<Message> = (0..messages).map(|n| self.lab.said(format!("{n}"))).collect();
        let Conversation { branch, copy, .. } = &mut self.conversations[at];
        let mut tx = self.lab.begin().await;
        let first = conversations::append(&mut tx, self.owner, branch.id, 1, packed(&said)).await.unwrap();
        assert_eq!(first, Some(branch.head_seq));
        for (seq, message) in (branch.head_seq..).zip(said) {
            let line = NativeLine { uuid: None, line: format!("line of {}", message.id) };
            let lines = Lines::of(std::slice::from_ref(&line), None).unwrap();
            native::append(&mut tx, self.owner, branch.id, seq, "", lines);
            copy.push((message, vec![line]));
        }
        tx.commit().await.unwrap();
        branch.head_seq += messages as i64;
    }

    /// A branch of `task` at the first `keep` messages of a conversation.
    async fn begin(&self, at: usize, keep: usize, task: &Task) -> Branch {
        let position = Position { branch: self.conversations[at].branch.id, seq: keep as i64 };
        let mut tx = self.lab.begin().await;
        let lineage = conversations::lineage(&mut tx, self.owner, position.branch).await.unwrap();
        let base = settle(&lineage, position).unwrap();
        let branch = Branch {
            id: self.lab.clock.new_id(),
            base: Some(base),
            head_seq: base.seq,
            reason: BranchReason::Created,
            created_at: self.lab.now(),
        };
        conversations::insert(&mut tx, self.owner, task.id, &branch).await.unwrap();
        tx.commit().await.unwrap();
        branch
    }

    async fn snapshot(&mut self, at: usize) {
        let conversation = &self.conversations[at];
        let snapshot = Snapshot {
            id: self.lab.clock.new_id(),
            owner: self.owner,
            task: conversation.task.id,
            checkpoint: None,
            kind: SnapshotType::Auto,
            position: conversation.branch.head(),
            metadata: None,
            created_at: self.lab.now(),
        };
        let mut tx = self.lab.begin().await;
        snapshots::insert(&mut tx, &snapshot).await.unwrap();
        tx.commit().await.unwrap();
        let copy = conversation.copy.clone();
        self.snapshots.push((snapshot, copy));
    }

    /// Every conversation and every snapshot reads as its copy.
    async fn check(&self) {
        for conversation in &self.conversations {
            self.check_position(conversation.branch.head(), &conversation.copy).await;
        }
        for (snapshot, copy) in &self.snapshots {
            let kept = snapshots::get(&mut self.lab.read().await, self.owner, snapshot.id).await.unwrap();
            assert_eq!(kept.as_ref(), Some(snapshot));
            self.check_position(snapshot.position, copy).await;
        }
    }

    async fn check_position(&self, at: Position, copy: &[(Message, Vec<NativeLine>)]) {
        let (lab, owner) = (self.lab, self.owner);
        let lineage = conversations::lineage(&mut lab.read().await, owner, at.branch).await.unwrap();
        let mut reader = Reader::new(&lab.db, owner, &lineage, at, 0..at.seq).unwrap();
        let mut read = Vec::new();
        while let piece = reader.next().await.unwrap()
            && !piece.is_empty()
        {
            read.extend(piece);
        }
        assert!(read.iter().map(|stored| stored.seq).eq(0..at.seq), "{read:?}");
        assert!(read.iter().map(|stored| &stored.message).eq(copy.iter().map(|(message, _)| message)));
        let mut reader = LineReader::new(&lab.db, owner, &lineage, at, "").unwrap();
        let mut lines = Vec::new();
        while let piece = reader.next().await.unwrap()
            && !piece.is_empty()
        {
            lines.extend(piece);
        }
        assert!(lines.iter().map(|(_, line)| line).eq(copy.iter().flat_map(|(_, lines)| lines)));
    }
}

/// Many short stories in one database: making one for each would take longer than the stories do.
fn reads_as_if_everything_were_copied(lab: impl Future<Output = Lab>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let lab = runtime.block_on(lab);
    let config =
        ProptestConfig { cases: 12, failure_persistence: None, max_shrink_iters: 200, ..Default::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 1..25), |steps| {
            runtime.block_on(async {
                let mut tree = Tree::new(&lab).await;
                for step in &steps {
                    tree.take(step).await;
                }
                tree.check().await;
            });
            Ok(())
        })
        .unwrap();
    runtime.block_on(lab.db.close());
}

#[test]
fn the_tree_reads_as_if_everything_were_copied_on_sqlite() {
    reads_as_if_everything_were_copied(Lab::on_sqlite());
}

#[test]
fn the_tree_reads_as_if_everything_were_copied_on_postgres() {
    reads_as_if_everything_were_copied(Lab::on_postgres());
}
