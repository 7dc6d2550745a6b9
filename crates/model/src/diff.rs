//! What differs between two commits, file by file and line by line, as it is read from a patch (specification, §2.4).

mod lines;
mod read;

pub use read::{Limits, read};

use crate::{FileAction, FileChange, text::words};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use utoipa::ToSchema;

words! {
    /// What became of a file between two commits.
    DiffAction, "what became of a file" {
        /// It is new.
        Added = "added",
        /// Its content or mode changed.
        Modified = "modified",
        /// It is gone.
        Deleted = "deleted",
        /// It has another name, and perhaps other content.
        Renamed = "renamed",
    }
}

words! {
    /// What became of a line.
    LineKind, "what became of a line" {
        /// It is in both.
        Context = "context",
        /// It is new.
        Added = "added",
        /// It is gone.
        Removed = "removed",
    }
}

/// One line of a hunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiffLine {
    /// What became of it.
    pub kind: LineKind,
    /// The line, without its end; lossy where it is not UTF-8.
    pub text: String,
    /// Its number in the older file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_line: Option<u64>,
    /// Its number in the newer file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_line: Option<u64>,
    /// Whether the file ends with it, without a line end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_newline: bool,
}

/// Lines that changed, with those around them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiffHunk {
    /// Where it begins in the older file, from 1; 0 where that has no lines here.
    pub old_start: u64,
    /// How many lines it has there.
    pub old_lines: u64,
    /// Where it begins in the newer file.
    pub new_start: u64,
    /// How many lines it has there.
    pub new_lines: u64,
    /// What git takes for the heading that it is under, such as a function's first line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The lines.
    pub lines: Vec<DiffLine>,
}

/// One file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileDiff {
    /// The file, relative to the worktree; lossy where the name is not UTF-8.
    pub path: String,
    /// The name's bytes in base64, where it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_bytes: Option<String>,
    /// Of a rename: the name before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_path: Option<String>,
    /// What became of it.
    pub action: DiffAction,
    /// Lines added; 0 for a binary file.
    pub additions: u64,
    /// Lines removed; 0 for a binary file.
    pub deletions: u64,
    /// Whether git sees no lines in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub binary: bool,
    /// Its mode before, as git writes it (`100644`), where that is another or it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_mode: Option<String>,
    /// Its mode now, where that is another or it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_mode: Option<String>,
    /// The hunks; none where the file is binary, only its name or mode changed, or they are left out.
    pub hunks: Vec<DiffHunk>,
    /// Whether hunks of it are left out, since it or the whole has too many lines. Asked for by its path it has more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// How much differs in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiffStats {
    /// Files that differ.
    pub files_changed: u64,
    /// Lines added in all of them.
    pub insertions: u64,
    /// Lines removed in all of them.
    pub deletions: u64,
}

/// What differs between two commits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitDiff {
    /// The files, in git's order.
    pub files: Vec<FileDiff>,
    /// How much it is.
    pub stats: DiffStats,
    /// Whether hunks of some file are left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

impl FileDiff {
    /// Whether it is called this, or was.
    pub fn has_name(&self, name: &str) -> bool {
        self.path == name || self.old_path.as_deref() == Some(name)
    }

    /// What is known of a file without its patch: everything but modes and hunks.
    fn without_hunks(change: &FileChange) -> Self {
        Self {
            path: change.path.clone(),
            path_bytes: change.path_bytes.clone(),
            old_path: change.old_path.clone(),
            action: match change.action {
                FileAction::Added => DiffAction::Added,
                FileAction::Modified => DiffAction::Modified,
                FileAction::Deleted => DiffAction::Deleted,
                FileAction::Renamed => DiffAction::Renamed,
            },
            additions: change.additions,
            deletions: change.deletions,
            binary: change.binary,
            old_mode: None,
            new_mode: None,
            hunks: Vec::new(),
            truncated: change.additions + change.deletions > 0,
        }
    }
}

impl GitDiff {
    /// These files, counted.
    pub fn of(files: Vec<FileDiff>) -> Self {
        let stats = DiffStats {
            files_changed: files.len() as u64,
            insertions: files.iter().map(|file| file.additions).sum(),
            deletions: files.iter().map(|file| file.deletions).sum(),
        };
        Self { truncated: files.iter().any(|file| file.truncated), files, stats }
    }

    /// What a patch says that was cut off at its end, made whole from the list of all files that differ: the last file that it tells of,
    /// and those that it doesn't come to, have no hunks.
    pub fn completed(self, all: &[FileChange]) -> Self {
        let mut files = self.files;
        files.pop();
        let read: HashSet<(String, Option<String>)> =
            files.iter().map(|file| (file.path.clone(), file.path_bytes.clone())).collect();
        let is_left =
            |change: &&FileChange| !read.contains(&(change.path.clone(), change.path_bytes.clone()));
        files.extend(all.iter().filter(is_left).map(FileDiff::without_hunks));
        Self::of(files)
    }
}
