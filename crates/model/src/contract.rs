//! A contract: a goal with a repository and a phase.

use crate::{ContractId, OwnerId, Timestamp, text::words};

words! {
    /// How far a contract's work has come. Any phase may follow any other.
    Phase, "phase" {
        /// What is there, and what is wanted.
        Research = "research",
        /// What shall be built.
        Specify = "specify",
        /// In which steps.
        Plan = "plan",
        /// The work itself.
        Execute = "execute",
        /// Whether it is right.
        Review = "review",
    }
}

words! {
    /// Whether a contract is worked on.
    ContractStatus, "status of a contract" {
        /// It is.
        Active = "active",
        /// It is done.
        Completed = "completed",
        /// It is put away.
        Archived = "archived",
    }
}

/// A goal with a repository and a phase.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// Its id.
    pub id: ContractId,
    /// Whose it is.
    pub owner: OwnerId,
    /// Its name, for people.
    pub name: String,
    /// The goal.
    pub description: String,
    /// A local path or a git URL.
    pub repository: String,
    /// The branch its tasks start from; `None`: the repository's own default.
    pub base_branch: Option<String>,
    /// The agent of its tasks; `None`: the daemon's default.
    pub agent: Option<String>,
    /// Where its work stands.
    pub phase: Phase,
    /// Whether it is worked on.
    pub status: ContractStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Its number among all that it has been: 1 when it is made, and one more with each change.
    pub version: i64,
}
