//! A checkpoint: a git commit that holds a worktree as it was, plus the position in the conversation at that moment.

use crate::{
    CheckpointId, Timestamp,
    text::{never_null, words},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

words! {
    /// What a checkpoint was made for.
    CheckpointKind, "kind of checkpoint" {
        /// A turn that changed files.
        Turn = "turn",
        /// Somebody who asked for it.
        Manual = "manual",
    }
}

words! {
    /// What happened to a file.
    FileAction, "action on a file" {
        /// It is new.
        Added = "A",
        /// Its content or mode changed.
        Modified = "M",
        /// It is gone.
        Deleted = "D",
        /// It has another name.
        Renamed = "R",
    }
}

/// One file that differs between two commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileChange {
    /// The file, relative to the worktree; lossy where the name is not UTF-8.
    pub path: String,
    /// The name's bytes in base64, where it is not UTF-8.
    #[serde(default, deserialize_with = "never_null", skip_serializing_if = "Option::is_none")]
    pub path_bytes: Option<String>,
    /// What happened.
    pub action: FileAction,
    /// Of a rename: the name before.
    #[serde(default, deserialize_with = "never_null", skip_serializing_if = "Option::is_none")]
    pub old_path: Option<String>,
    /// Lines added; 0 for a binary file.
    pub additions: u64,
    /// Lines removed; 0 for a binary file.
    pub deletions: u64,
    /// Whether git sees no lines in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub binary: bool,
}

/// A file's name as text, and its bytes in base64 where it is none.
pub fn shown_path(bytes: &[u8]) -> (String, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(path) => (path.to_owned(), None),
        Err(_) => (String::from_utf8_lossy(bytes).into_owned(), Some(BASE64_STANDARD.encode(bytes))),
    }
}

words! {
    /// Why a checkpoint doesn't hold a file.
    NotHeldReason, "reason not to hold a file" {
        /// A repository inside the repository.
        NestedRepository = "nested_repository",
        /// An untracked file above the size limit of automatic checkpoints.
        TooLarge = "too_large",
        /// An untracked file that may not be read.
        Unreadable = "unreadable",
        /// A name that git keeps in no tree, such as `git~1`.
        InvalidName = "invalid_name",
    }
}

/// Something in the worktree that a checkpoint doesn't hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotHeld {
    /// The file or folder, relative to the worktree; lossy where the name is not UTF-8.
    pub path: String,
    /// Why.
    pub reason: NotHeldReason,
}

/// A blob in the server's store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlobRef {
    /// BLAKE3 of its bytes, in hex.
    pub hash: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// A checkpoint as the daemon made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointMade {
    /// Its id.
    pub id: CheckpointId,
    /// Its number in the task, from 1.
    pub number: i64,
    /// What it was made for.
    pub kind: CheckpointKind,
    /// The turn of the run that it was made after, from 1; `None` by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
    /// When.
    pub at: Timestamp,
    /// The commit that holds the worktree.
    pub commit_sha: String,
    /// The branch that the worktree was on; empty where its HEAD was detached.
    pub branch_name: String,
    /// What it is called.
    pub message: String,
    /// The checkpoint before it, which the changes are told against; `None`: the task's base commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<CheckpointId>,
    /// What changed.
    pub files_changed: Vec<FileChange>,
    /// Lines added in all files.
    pub lines_added: u64,
    /// Lines removed in all files.
    pub lines_removed: u64,
    /// What the worktree has and the commit hasn't.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_held: Vec<NotHeld>,
    /// The patch against the checkpoint before it, already in the server's store; `None` where it is above the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<BlobRef>,
}
