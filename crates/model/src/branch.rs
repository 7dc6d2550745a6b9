//! The branch algebra: a conversation is an append-only tree.
//!
//! Messages live on a branch at a sequence number. A branch starts at a position of another, and its numbers go on from
//! there, so that a message's number is its index in the conversation that is read from that branch. Rewinding starts a
//! branch at the target, forking gives a new task a branch that starts in the old one's, and a snapshot is a position:
//! each is one small row, whatever the length, and nothing is ever copied or deleted.

use crate::{BranchId, TaskId, Timestamp, text::words};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A moment of a conversation: its first `seq` messages, read from `branch`. `seq` 0 is the empty conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The branch that is read.
    pub branch: BranchId,
    /// How many messages the conversation has there.
    pub seq: i64,
}

words! {
    /// Why a branch was begun.
    BranchReason, "reason of a branch" {
        /// With its task.
        Created = "created",
        /// By messages of a run that a newer one had replaced.
        LateRun = "late_run",
        /// By going back to a snapshot.
        Restored = "restored",
        /// By undoing what had moved the conversation.
        Undone = "undone",
        /// By going on from an earlier message in the agent's own session, which was imported.
        Imported = "imported",
    }
}

/// One branch of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its id.
    pub id: BranchId,
    /// Where it starts: its messages follow the first `base.seq` of the base. `None`: at the empty conversation.
    pub base: Option<Position>,
    /// How many messages the conversation has at its head, those of its base included: the number of the next one.
    pub head_seq: i64,
    /// Why it was begun.
    pub reason: BranchReason,
    /// When it was begun.
    pub created_at: Timestamp,
}

impl Branch {
    /// The number of the first message that is the branch's own.
    pub fn base_seq(&self) -> i64 {
        self.base.map_or(0, |base| base.seq)
    }

    /// The position after its last message.
    pub fn head(&self) -> Position {
        Position { branch: self.id, seq: self.head_seq }
    }
}

/// Messages of one branch: an index range scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The branch that holds them.
    pub branch: BranchId,
    /// Their sequence numbers.
    pub seqs: Range<i64>,
}

/// Why a position can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// A branch on the way is not there, or the bases go round in a circle.
    #[error("branch {0} is missing or is its own ancestor")]
    Broken(BranchId),
    /// The position lies behind the branch's head or before the beginning.
    #[error("message {seq} is outside branch {branch}")]
    Outside {
        /// The branch.
        branch: BranchId,
        /// The number that it doesn't have.
        seq: i64,
    },
}

/// The way from `at` back to the beginning: how far it goes in each branch that it leads through, the last one first. `branches`
/// are the position's branch and all it is based on, in any order.
pub fn way(branches: &[Branch], at: Position) -> Result<Vec<Position>, PositionError> {
    let mut way = Vec::new();
    let mut at = at;
    // A way longer than there are branches has met one twice.
    for _ in 0..=branches.len() {
        let branch = find(branches, at.branch)?;
        if at.seq < 0 || at.seq > branch.head_seq {
            return Err(PositionError::Outside { branch: at.branch, seq: at.seq });
        }
        way.push(at);
        match branch.base {
            Some(base) => at = Position { branch: base.branch, seq: base.seq.min(at.seq) },
            None => return Ok(way),
        }
    }
    Err(PositionError::Broken(at.branch))
}

/// The spans that make up the conversation at `at`, oldest first. `branches` are the position's branch and all it is based on,
/// in any order.
pub fn spans(branches: &[Branch], at: Position) -> Result<Vec<Span>, PositionError> {
    let mut spans = Vec::new();
    for at in way(branches, at)?.into_iter().rev() {
        let branch = find(branches, at.branch)?;
        if at.seq > branch.base_seq() {
            spans.push(Span { branch: branch.id, seqs: branch.base_seq()..at.seq });
        }
    }
    Ok(spans)
}

/// The first of these branches whose conversation has had the moment `at`: it lies on the way to its head. `branches` are those
/// and all that they are based on.
pub fn holder<'a>(
    branches: &[Branch],
    own: impl IntoIterator<Item = &'a Branch>,
    at: Position,
) -> Result<Option<&'a Branch>, PositionError> {
    for branch in own {
        let passed = way(branches, branch.head())?.into_iter().find(|passed| passed.branch == at.branch);
        if passed.is_some_and(|passed| (0..=passed.seq).contains(&at.seq)) {
            return Ok(Some(branch));
        }
    }
    Ok(None)
}

/// The branch that a task's conversation went on from at this time: the newest that there was, but for those of late runs, from
/// which it never does. Before the first there is the first, whose messages may be older than it is. `branches` are the task's own,
/// oldest first.
pub fn current_at(branches: &[Branch], at: Timestamp) -> Option<&Branch> {
    let mut current = branches.iter().filter(|branch| branch.reason != BranchReason::LateRun);
    let first = current.next()?;
    Some(current.take_while(|branch| branch.created_at <= at).last().unwrap_or(first))
}

/// The same moment, named by the branch that holds its last message, so that a branch begun there doesn't hang on one
/// that it takes nothing from. The empty conversation is named by the branch without a base.
pub fn settle(branches: &[Branch], at: Position) -> Result<Position, PositionError> {
    let mut at = at;
    for _ in 0..=branches.len() {
        let branch = find(branches, at.branch)?;
        if at.seq < 0 || at.seq > branch.head_seq {
            return Err(PositionError::Outside { branch: at.branch, seq: at.seq });
        }
        match branch.base {
            Some(base) if at.seq <= base.seq => at.branch = base.branch,
            _ => return Ok(at),
        }
    }
    Err(PositionError::Broken(at.branch))
}

/// A branch of a conversation that is erased, of which others need the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heirloom {
    /// The branch.
    pub branch: BranchId,
    /// How many messages it still has: the number of the first that nobody needs.
    pub head_seq: i64,
    /// The first of those who need it: it is theirs from then on.
    pub heir: TaskId,
}

/// What others need of a conversation that is erased: `branches` are all of it, `bases` where branches of others start in it, the
/// first heirs first. A base beside them is no matter.
pub fn heirlooms(branches: &[Branch], bases: &[(TaskId, Position)]) -> Vec<Heirloom> {
    let mut heirlooms: Vec<Heirloom> = Vec::new();
    for (heir, base) in bases {
        let mut at = Some(*base);
        while let Some(Position { branch, seq }) = at {
            let Ok(own) = find(branches, branch) else { break };
            match heirlooms.iter_mut().find(|heirloom| heirloom.branch == branch) {
                // Of what lies below it, no more is needed than for the one before.
                Some(heirloom) if heirloom.head_seq >= seq => break,
                Some(heirloom) => heirloom.head_seq = seq,
                None => heirlooms.push(Heirloom { branch, head_seq: seq, heir: *heir }),
            }
            at = own.base.map(|below| Position { seq: below.seq.min(seq), ..below });
        }
    }
    heirlooms
}

fn find(branches: &[Branch], id: BranchId) -> Result<&Branch, PositionError> {
    branches.iter().find(|branch| branch.id == id).ok_or(PositionError::Broken(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;
    use proptest::prelude::*;

    /// The tree, with a message's text where the database has a row.
    struct Tree {
        clock: Clock,
        branches: Vec<Branch>,
        rows: Vec<(BranchId, i64, u32)>,
    }

    impl Tree {
        fn new() -> Self {
            let clock = Clock::standing_at("2026-01-15T09:30:00Z".parse().unwrap());
            Self { clock, branches: Vec::new(), rows: Vec::new() }
        }

        fn begin(&mut self, base: Option<Position>) -> usize {
            let base = base.map(|base| settle(&self.branches, base).unwrap());
            self.branches.push(Branch {
                id: self.clock.new_id(),
                base,
                head_seq: base.map_or(0, |base| base.seq),
                reason: BranchReason::Created,
                created_at: self.clock.now(),
            });
            self.branches.len() - 1
        }

        fn append(&mut self, branch: usize, text: u32) {
            let branch = &mut self.branches[branch];
            self.rows.push((branch.id, branch.head_seq, text));
            branch.head_seq += 1;
        }

        fn read(&self, at: Position) -> Vec<u32> {
            let spans = spans(&self.branches, at).unwrap();
            assert!(spans.windows(2).all(|two| two[0].seqs.end == two[1].seqs.start), "{spans:?}");
            spans
                .iter()
                .flat_map(|span| {
                    span.seqs.clone().map(|seq| {
                        self.rows.iter().find(|row| (row.0, row.1) == (span.branch, seq)).unwrap().2
                    })
                })
                .collect()
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Append { conversation: usize, text: u32 },
        Rewind { conversation: usize, keep: usize },
        Fork { conversation: usize, keep: usize },
        Snapshot { conversation: usize },
    }

    fn step() -> impl Strategy<Value = Step> {
        let (conversation, keep) = (0..8usize, 0..40usize);
        prop_oneof![
            6 => (conversation.clone(), any::<u32>()).prop_map(|(conversation, text)| Step::Append { conversation, text }),
            1 => (conversation.clone(), keep.clone()).prop_map(|(conversation, keep)| Step::Rewind { conversation, keep }),
            1 => (conversation.clone(), keep).prop_map(|(conversation, keep)| Step::Fork { conversation, keep }),
            1 => conversation.prop_map(|conversation| Step::Snapshot { conversation }),
        ]
    }

    proptest! {
        /// Against a model that copies the whole conversation at each rewind, fork and snapshot.
        #[test]
        fn the_tree_reads_as_if_everything_were_copied(steps in prop::collection::vec(step(), 1..120)) {
            let mut tree = Tree::new();
            let mut heads = vec![tree.begin(None)];
            let mut copies: Vec<Vec<u32>> = vec![Vec::new()];
            let mut snapshots: Vec<(Position, Vec<u32>)> = Vec::new();
            for step in steps {
                match step {
                    Step::Append { conversation, text } => {
                        let at = conversation % heads.len();
                        tree.append(heads[at], text);
                        copies[at].push(text);
                    }
                    Step::Rewind { conversation, keep } => {
                        let at = conversation % heads.len();
                        let keep = keep.min(copies[at].len());
                        snapshots.push((tree.branches[heads[at]].head(), copies[at].clone()));
                        let target = Position { branch: tree.branches[heads[at]].id, seq: keep as i64 };
                        heads[at] = tree.begin(Some(target));
                        copies[at].truncate(keep);
                    }
                    Step::Fork { conversation, keep } => {
                        let at = conversation % heads.len();
                        let keep = keep.min(copies[at].len());
                        let target = Position { branch: tree.branches[heads[at]].id, seq: keep as i64 };
                        let fork = tree.begin(Some(target));
                        heads.push(fork);
                        copies.push(copies[at][..keep].to_vec());
                    }
                    Step::Snapshot { conversation } => {
                        let at = conversation % heads.len();
                        snapshots.push((tree.branches[heads[at]].head(), copies[at].clone()));
                    }
                }
                for (head, copy) in heads.iter().zip(&copies) {
                    prop_assert_eq!(&tree.read(tree.branches[*head].head()), copy);
                }
            }
            for (position, copy) in &snapshots {
                prop_assert_eq!(&tree.read(*position), copy);
            }
        }
    }

    proptest! {
        /// A conversation is erased but for its heirlooms: whoever goes on from it reads what they read before.
        #[test]
        fn whoever_goes_on_from_an_erased_conversation_has_what_they_had(
            steps in prop::collection::vec((0..8usize, 0..12usize, any::<bool>()), 1..40)
        ) {
            let mut tree = Tree::new();
            tree.begin(None);
            let mut foreign = vec![false];
            for (at, keep, is_foreign) in steps {
                let at = at % tree.branches.len();
                if keep > 5 {
                    tree.append(at, 0);
                    continue;
                }
                let branch = &tree.branches[at];
                let seq = branch.head_seq.min(keep as i64);
                let base = Position { branch: branch.id, seq };
                tree.begin(Some(base));
                foreign.push(foreign[at] || is_foreign);
            }
            let ids = |is: bool| tree.branches.iter().zip(&foreign).filter(move |(_, foreign)| **foreign == is);
            let own: Vec<Branch> = ids(false).map(|(branch, _)| branch.clone()).collect();
            let heads: Vec<Position> = ids(true).map(|(branch, _)| branch.head()).collect();
            let bases: Vec<(TaskId, Position)> = ids(true)
                .filter_map(|(branch, _)| branch.base)
                .map(|base| (tree.clock.new_id(), base))
                .collect();
            let before: Vec<_> = heads.iter().map(|head| spans(&tree.branches, *head).unwrap()).collect();
            let heirlooms = heirlooms(&own, &bases);
            let mut left: Vec<Branch> = ids(true).map(|(branch, _)| branch.clone()).collect();
            for Heirloom { branch, head_seq, .. } in heirlooms {
                let branch = find(&own, branch).unwrap();
                prop_assert!(head_seq <= branch.head_seq);
                left.push(Branch { head_seq, ..branch.clone() });
            }
            let after: Vec<_> = heads.iter().map(|head| spans(&left, *head).unwrap()).collect();
            prop_assert_eq!(before, after);
        }
    }

    proptest! {
        /// Every moment of every branch is known by what it reads as: on the way to a head is what its conversation begins with.
        #[test]
        fn a_branch_holds_the_moments_that_its_conversation_begins_with(
            steps in prop::collection::vec((0..6usize, 0..12usize), 1..30),
        ) {
            let mut tree = Tree::new();
            tree.begin(None);
            for (text, (at, keep)) in (0..).zip(steps) {
                let at = at % tree.branches.len();
                tree.append(at, text);
                if keep < 6 {
                    let branch = &tree.branches[at];
                    tree.begin(Some(Position { branch: branch.id, seq: branch.head_seq.min(keep as i64) }));
                }
            }
            for own in &tree.branches {
                let whole = tree.read(own.head());
                for branch in &tree.branches {
                    for seq in branch.base_seq() + 1..=branch.head_seq {
                        let at = Position { branch: branch.id, seq };
                        let is = holder(&tree.branches, [own], at).unwrap().is_some();
                        prop_assert_eq!(is, whole.starts_with(&tree.read(at)));
                    }
                }
                let behind = Position { branch: own.id, seq: own.head_seq + 1 };
                prop_assert_eq!(holder(&tree.branches, &tree.branches, behind), Ok(None));
            }
        }
    }

    #[test]
    fn a_time_is_on_the_branch_that_was_the_newest_then() {
        let mut tree = Tree::new();
        let minute = |minute: u32| -> Timestamp { format!("2026-01-15T09:{minute:02}:00Z").parse().unwrap() };
        for at in [10, 20, 30] {
            tree.clock.set(minute(at));
            tree.begin(None);
        }
        tree.branches[1].reason = BranchReason::LateRun;
        let [first, _, third] = [0, 1, 2].map(|n| tree.branches[n].id);
        let current = |at| current_at(&tree.branches, minute(at)).map(|branch| branch.id);
        assert_eq!([5, 10, 25, 30, 40].map(current), [first, first, first, third, third].map(Some));
        assert_eq!(current_at(&[], minute(10)), None);
    }

    #[test]
    fn a_position_that_does_not_exist_is_refused() {
        let mut tree = Tree::new();
        let branch = tree.begin(None);
        tree.append(branch, 1);
        let id = tree.branches[branch].id;
        for seq in [-1, 2] {
            let outside = Err(PositionError::Outside { branch: id, seq });
            assert_eq!(spans(&tree.branches, Position { branch: id, seq }), outside);
        }
        let stranger = tree.clock.new_id();
        assert_eq!(
            spans(&tree.branches, Position { branch: stranger, seq: 0 }),
            Err(PositionError::Broken(stranger))
        );
    }

    #[test]
    fn bases_in_a_circle_end_in_an_error() {
        let mut tree = Tree::new();
        let one = tree.begin(None);
        let two = tree.begin(Some(tree.branches[one].head()));
        tree.branches[one].base = Some(tree.branches[two].head());
        let at = tree.branches[one].head();
        assert!(matches!(spans(&tree.branches, at), Err(PositionError::Broken(_))));
        assert!(matches!(settle(&tree.branches, at), Err(PositionError::Broken(_))));
    }
}
