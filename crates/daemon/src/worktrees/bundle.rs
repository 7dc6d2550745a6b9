//! What of a repository's clone a git bundle is made of.

use super::Worktrees;
use crate::DaemonError;
use makima_git::{BareClone, BranchName, Bundled, Sha};
use makima_wire::frame::WantedBundle;

/// What is there of it, and what isn't.
pub(crate) struct WantedRefs {
    pub(crate) clone: BareClone,
    /// A clone of the bundle stands on the first.
    pub(crate) refs: Vec<Bundled>,
    /// Commits that aren't there.
    pub(crate) missing: Vec<String>,
}

impl Worktrees {
    /// Looks for what a bundle shall hold. A repository that was never cloned here has nothing of it.
    pub(crate) async fn refs(&self, wanted: &WantedBundle) -> Result<WantedRefs, DaemonError> {
        let folder = self.folders.clone_of(&wanted.repository);
        let clone = BareClone::open(&self.git, &folder);
        let all = || wanted.tags.iter().map(|tag| tag.commit.clone());
        if !tokio::fs::try_exists(&folder).await.map_err(|source| DaemonError::read(&folder, source))? {
            return Ok(WantedRefs { clone, refs: Vec::new(), missing: all().collect() });
        }
        let tags = wanted.tags.iter().filter_map(|tag| {
            let name = format!("refs/tags/{}", tag.tag);
            Some(Bundled { name, commit: Sha::parse(&tag.commit)? })
        });
        let tags = clone.present(tags.collect()).await?;
        let is_there = |commit: &String| tags.iter().any(|tag| tag.commit.as_str() == commit);
        let missing = all().filter(|commit| !is_there(commit)).collect();
        if tags.is_empty() {
            return Ok(WantedRefs { clone, refs: tags, missing });
        }
        let names = wanted.branches.iter().map(BranchName::new);
        let mut refs = clone.branches(&names.collect::<Result<Vec<_>, _>>()?).await?;
        // Without a branch, where it was last.
        refs.extend(tags.into_iter().rev());
        Ok(WantedRefs { clone, refs, missing })
    }
}
