//! What differs between two commits of a task's clone.

use super::{TaskFile, Worktrees, checkpoint::file_change};
use crate::DaemonError;
use makima_git::{PatchStyle, Sha};
use makima_model::{
    FileChange,
    diff::{GitDiff, read},
};
use makima_wire::frame::WantedDiff;
use tokio::io::sink;

/// How much of a patch is read. What is above is told without its lines.
const LARGEST: u64 = 64 << 20;

impl Worktrees {
    /// Tells it. Nobody is kept from the worktree meanwhile: commits don't change.
    pub(crate) async fn diff(&self, wanted: &WantedDiff) -> Result<GitDiff, DaemonError> {
        let file = TaskFile::find(&self.folders, wanted.task).await?;
        let (_, clone) = self.place(&file)?;
        let sha = |text: &str| {
            Sha::parse(text).ok_or_else(|| DaemonError::NoCommit { text: text.chars().take(80).collect() })
        };
        let from = wanted.from.as_deref().map(sha).transpose()?;
        let to = sha(&wanted.to)?;
        let mut paths = Vec::new();
        if let Some(path) = &wanted.path {
            for found in clone.changes(from.as_ref(), &to).await? {
                let shown = file_change(&found);
                if shown.path == *path || shown.old_path.as_ref() == Some(path) {
                    paths.extend([Some(found.path), found.old_path].into_iter().flatten());
                }
            }
            if paths.is_empty() {
                return Ok(GitDiff::default());
            }
        }
        let paths: Vec<&[u8]> = paths.iter().map(Vec::as_slice).collect();
        let style = PatchStyle {
            context: wanted.context,
            ignore_whitespace: wanted.ignore_whitespace,
            paths: &paths,
        };
        let mut patch = Vec::new();
        let written = clone.patch_alone(from.as_ref(), &to, style, Some(LARGEST), &mut patch).await?;
        let diff = read(&patch, None, wanted.limits);
        if !written.truncated {
            return Ok(diff);
        }
        let (changes, _) = clone.patch(from.as_ref(), &to, style, Some(0), &mut sink()).await?;
        let all: Vec<FileChange> = changes.iter().map(file_change).collect();
        Ok(diff.completed(&all))
    }
}
