//! What a task starts from.

use std::path::PathBuf;

use super::{BareClone, SOURCE_HEAD, SOURCE_HEADS};
use crate::inspect::places_of;
use crate::names::BadName;
use crate::{GitError, Sha};

/// The moment of the source that a task starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The branch or tag, as it was named; `HEAD` where the source is on no branch.
    pub branch: String,
    /// Its commit; `None` where the repository has no commit yet.
    pub commit: Option<Sha>,
}

/// Why there is nothing to start from.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// The source has no such branch.
    #[error("the repository has no branch or tag {branch:?}")]
    NoSuchBranch {
        /// What was asked for.
        branch: String,
    },
    /// What was asked for is no name.
    #[error(transparent)]
    BadName(#[from] BadName),
    /// git did not do its work.
    #[error("the base commit could not be read in {clone}")]
    Git {
        /// The clone.
        clone: PathBuf,
        /// What went wrong.
        source: GitError,
    },
}

impl BareClone {
    /// The commit a task starts from: of `wanted` (a branch, tag or full ref name of the source as of the last
    /// fetch), else of the source's current branch (a local one) or HEAD (a remote one).
    pub async fn resolve_base(&self, wanted: Option<&str>) -> Result<Base, BaseError> {
        let failed = |source| BaseError::Git { clone: self.dir.clone(), source };
        let Some(wanted) = wanted else { return self.current_base().await.map_err(failed) };
        for place in places_of(wanted)? {
            let ours = match place.strip_prefix("refs/heads/") {
                Some(branch) => format!("{SOURCE_HEADS}{branch}"),
                None => place,
            };
            if let Some(commit) = self.commit_of(&ours).await.map_err(failed)? {
                let branch = wanted.strip_prefix("refs/heads/").unwrap_or(wanted).into();
                return Ok(Base { branch, commit: Some(commit) });
            }
        }
        // A new repository's branch has a name before it has a commit.
        let current = self.current_base().await.map_err(failed)?;
        match current.commit.is_none() && current.branch == wanted {
            true => Ok(current),
            false => Err(BaseError::NoSuchBranch { branch: wanted.into() }),
        }
    }

    async fn current_base(&self) -> Result<Base, GitError> {
        if let Some(branch) = self.unborn() {
            return Ok(Base { branch, commit: None });
        }
        let said = self.run("symbolic-ref").args(["-q", SOURCE_HEAD]).output().await?;
        let target = String::from_utf8_lossy(&said.stdout).trim().to_owned();
        let branch = target.strip_prefix(SOURCE_HEADS).unwrap_or("HEAD").to_owned();
        Ok(Base { branch, commit: self.commit_of(SOURCE_HEAD).await? })
    }
}
