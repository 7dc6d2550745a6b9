//! Operations: changes that somebody made to history, each recorded, and undone by another.
//!
//! One is `prepared` before its effect and finished after it. What it changed stands in it twice, as it was before and as it is
//! after: undoing it is making things as they were before.

use crate::{
    BranchId, CheckpointId, ContractId, OperationId, Origin, OwnerId, Position, PrincipalId, TaskId,
    TaskStatus, Timestamp, text::words,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

words! {
    /// What an operation does.
    OperationKind, "kind of operation" {
        /// Puts a task or a contract into the trash.
        Delete = "delete",
        /// Erases a task or a contract for good.
        Purge = "purge",
        /// Takes a conversation back to a snapshot.
        Restore = "restore",
        /// Makes a checkpoint by hand.
        Checkpoint = "checkpoint",
        /// Makes things as they were before another operation.
        Undo = "undo",
    }
}

words! {
    /// How far an operation has come.
    OperationState, "state of an operation" {
        /// It is begun: its effect is yet to come, or is found by whoever goes on with it.
        Prepared = "prepared",
        /// It is done.
        Done = "done",
        /// It could not be done, and nothing has changed.
        Failed = "failed",
        /// It was given up, since the daemon that it waited for is away. Nothing has changed, but on that daemon perhaps.
        Abandoned = "abandoned",
    }
}

impl OperationState {
    /// Whether an operation may go from `self` to `next`.
    pub fn may_become(self, next: Self) -> bool {
        self == Self::Prepared && next != Self::Prepared
    }
}

/// Where the conversation of a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// The branch that is read.
    pub branch_id: BranchId,
    /// How many messages it has there.
    pub message_count: i64,
}

impl From<Position> for Head {
    fn from(at: Position) -> Self {
        Self { branch_id: at.branch, message_count: at.seq }
    }
}

impl From<Head> for Position {
    fn from(head: Head) -> Self {
        Self { branch: head.branch_id, seq: head.message_count }
    }
}

/// What an operation changes, as it is at one moment. What it doesn't change is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Circumstances {
    /// Whether it lies in the trash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<bool>,
    /// Where the task stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<TaskStatus>,
    /// Of a contract: the tasks that go with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<TaskId>>,
    /// Where the conversation stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Head>,
    /// The checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_id: Option<CheckpointId>,
    /// Whether that checkpoint is one of its task's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<bool>,
    /// Whether everything of it is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<bool>,
    /// Tasks that have messages of it for their own now, since they go on from them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_over_to: Option<Vec<TaskId>>,
}

/// A change of history.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// Whose it is.
    pub owner: OwnerId,
    /// What it does.
    pub kind: OperationKind,
    /// How far it has come.
    pub state: OperationState,
    /// The task that it is done to.
    pub task: Option<TaskId>,
    /// The contract that it is done to, or that the task belongs to.
    pub contract: Option<ContractId>,
    /// Who asked for it.
    pub principal: PrincipalId,
    /// Where it was asked for.
    pub origin: Origin,
    /// What was asked for.
    pub request: Value,
    /// What it changes, as it was.
    pub before: Circumstances,
    /// What it changed, as it is once it is done.
    pub after: Option<Circumstances>,
    /// The operation that it undoes.
    pub undoes: Option<OperationId>,
    /// The operation that undid it.
    pub undone_by: Option<OperationId>,
    /// Why it failed, or was abandoned.
    pub error: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was finished.
    pub finished_at: Option<Timestamp>,
}

/// What makes things as they were before an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reversal {
    /// Putting into the trash what was taken out.
    Delete,
    /// Taking out of the trash what was put there.
    TakeOut,
    /// Going to where the conversation stood.
    Return {
        /// Where it stood before.
        to: Head,
        /// Where the operation left it; it stands elsewhere if it went on.
        from: Head,
    },
    /// Putting a checkpoint away.
    PutAway(CheckpointId),
    /// Having a checkpoint that was put away again.
    BringBack(CheckpointId),
}

/// Why an operation can't be undone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotUndoable {
    /// It has changed nothing, or not yet.
    #[error("the operation is {0}: there is nothing to undo")]
    NotDone(OperationState),
    /// It is undone already.
    #[error("the operation is undone already; undo operation {0} to have it again")]
    Undone(OperationId),
    /// What it did can't be taken back.
    #[error("what was erased for good can't be had again")]
    Erased,
}

impl Operation {
    /// What undoes it.
    pub fn reversal(&self) -> Result<Reversal, NotUndoable> {
        if let Some(by) = self.undone_by {
            return Err(NotUndoable::Undone(by));
        }
        let (OperationState::Done, Some(after)) = (self.state, &self.after) else {
            return Err(NotUndoable::NotDone(self.state));
        };
        if self.kind == OperationKind::Purge {
            return Err(NotUndoable::Erased);
        }
        if let (Some(to), Some(from)) = (self.before.conversation, after.conversation) {
            return Ok(Reversal::Return { to, from });
        }
        match (after.deleted, after.checkpoint_id, after.kept) {
            (Some(true), _, _) => Ok(Reversal::TakeOut),
            (Some(false), _, _) => Ok(Reversal::Delete),
            (None, Some(checkpoint), Some(true)) => Ok(Reversal::PutAway(checkpoint)),
            (None, Some(checkpoint), Some(false)) => Ok(Reversal::BringBack(checkpoint)),
            // What it did to them has been erased since.
            (None, _, _) => Err(NotUndoable::Erased),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;
    use serde_json::json;

    fn done(kind: OperationKind, before: Circumstances, after: Circumstances) -> Operation {
        let clock = Clock::standing_at("2026-01-15T09:30:00Z".parse().unwrap());
        Operation {
            id: clock.new_id(),
            owner: clock.new_id(),
            kind,
            state: OperationState::Done,
            task: Some(clock.new_id()),
            contract: None,
            principal: clock.new_id(),
            origin: Origin::Api,
            request: json!({}),
            before,
            after: Some(after),
            undoes: None,
            undone_by: None,
            error: None,
            created_at: clock.now(),
            finished_at: Some(clock.now()),
        }
    }

    fn deleted(deleted: bool) -> Circumstances {
        Circumstances { deleted: Some(deleted), ..Circumstances::default() }
    }

    #[test]
    fn an_operation_is_finished_once() {
        use OperationState::*;
        for from in OperationState::ALL {
            for to in OperationState::ALL {
                assert_eq!(from.may_become(*to), *from == Prepared && *to != Prepared, "{from} to {to}");
            }
        }
    }

    #[test]
    fn what_undoes_is_undone_by_the_opposite() {
        let (clock, kind) =
            (Clock::standing_at("2026-01-15T09:30:00Z".parse().unwrap()), OperationKind::Undo);
        assert_eq!(
            done(OperationKind::Delete, deleted(false), deleted(true)).reversal(),
            Ok(Reversal::TakeOut)
        );
        assert_eq!(done(kind, deleted(true), deleted(false)).reversal(), Ok(Reversal::Delete));
        let id = clock.new_id();
        let kept =
            |kept| Circumstances { checkpoint_id: Some(id), kept: Some(kept), ..Circumstances::default() };
        assert_eq!(
            done(OperationKind::Checkpoint, kept(false), kept(true)).reversal(),
            Ok(Reversal::PutAway(id))
        );
        assert_eq!(done(kind, kept(true), kept(false)).reversal(), Ok(Reversal::BringBack(id)));
        let at = |message_count| Head { branch_id: clock.new_id(), message_count };
        let (to, from) = (at(3), at(1));
        let stood = |head| Circumstances { conversation: Some(head), ..Circumstances::default() };
        assert_eq!(
            done(OperationKind::Restore, stood(to), stood(from)).reversal(),
            Ok(Reversal::Return { to, from })
        );
    }

    #[test]
    fn what_is_not_done_or_undone_or_erased_is_not_undone() {
        let operation = done(OperationKind::Delete, deleted(false), deleted(true));
        for state in [OperationState::Prepared, OperationState::Failed, OperationState::Abandoned] {
            let operation = Operation { state, after: None, ..operation.clone() };
            assert_eq!(operation.reversal(), Err(NotUndoable::NotDone(state)));
        }
        let by = operation.id;
        let undone = Operation { undone_by: Some(by), ..operation.clone() };
        assert_eq!(undone.reversal(), Err(NotUndoable::Undone(by)));
        let purged = Operation { kind: OperationKind::Purge, ..operation.clone() };
        assert_eq!(purged.reversal(), Err(NotUndoable::Erased));
        let forgotten = Operation { after: Some(Circumstances::default()), ..operation };
        assert_eq!(forgotten.reversal(), Err(NotUndoable::Erased));
    }
}
