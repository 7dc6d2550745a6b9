//! The only code that runs git: clones, worktrees, checkpoints, diffs.
//!
//! It knows repositories, not tasks or agents: what a commit is for, and what it is called, its caller says. It reads no
//! environment and holds no state but what lies in the repositories. Two calls on one worktree must not overlap: the
//! caller sees to it. Calls on one clone may.

mod bare_clone;
mod bundle;
mod checkpoint;
mod commit_remaining;
mod commits;
mod diff;
mod environment;
mod error;
mod forget;
mod git;
mod inspect;
mod invocation;
mod loose_ref;
mod names;
mod new_repository;
mod person;
mod publish;
mod safety;
mod scan;
mod sha;
mod source;
mod uncommitted;
mod verify;
mod worktree;

pub use bare_clone::{BareClone, Base, BaseError, CloneError, Progress};
pub use bundle::{BundleError, Bundled};
pub use checkpoint::{CheckpointError, CheckpointKind, CheckpointRequest, Made};
pub use commit_remaining::{CommitError, InProgress};
pub use commits::Commit;
pub use diff::{Action, FileChange, PatchStyle, PatchWritten};
pub use environment::Environment;
pub use error::GitError;
pub use git::{Git, Version};
pub use inspect::{Inspection, LocalRepository, SourceError, Uncommitted};
pub use names::{BadName, BranchName, TASK_BRANCHES};
pub use person::Person;
pub use publish::{PublishError, Published};
pub use safety::{RestoreError, Restored};
pub use scan::{NotHeld, NotHeldReason, ScanError, ScanRules};
pub use sha::Sha;
pub use source::{BadSource, Source};
pub use uncommitted::{IncludeError, Included};
pub use verify::{LockFile, Registered, TaskRef, tasks_kept_in};
pub use worktree::{Start, Worktree, WorktreeError};
