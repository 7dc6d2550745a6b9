//! The git repository that one is in.

use crate::{
    environment,
    failure::{Failure, chain},
};
use makima_git::{Environment, Git, Source, SourceError};
use std::path::PathBuf;

/// The repository that one is in.
pub(crate) struct Here {
    git: Git,
    /// Where its working copy begins.
    pub(crate) top: PathBuf,
    /// The branch that is checked out, where it has a commit.
    pub(crate) branch: Option<String>,
}

impl Here {
    /// Looks for it.
    pub(crate) async fn find() -> Result<Self, Failure> {
        let folder = environment::working_folder()
            .map_err(|error| Failure::because("the folder that you are in can't be read", &error))?;
        let git = Git::find(Environment::pick(environment::all()))
            .await
            .map_err(|error| Failure::new(chain(&error)))?;
        let inspection =
            git.inspect(&Source::Local(folder.clone()), None).await.map_err(|error| match &error {
                SourceError::NotARepository { source, .. } if !source.is_dubious_ownership() => {
                    Failure::usage(format!("{} is not in a git repository", folder.display())).hint(
                        "go to the repository that the agent shall work on, or make one here with `git init`",
                    )
                }
                _ => Failure::new(chain(&error)),
            })?;
        let worktree = inspection.local.and_then(|local| local.worktree);
        let top = worktree.ok_or_else(|| {
            Failure::usage(format!("{} is in a git repository without a working copy", folder.display()))
                .hint("go to a clone of it")
        })?;
        // A branch without a commit is none to start from.
        let branch = inspection.head_branch.filter(|_| inspection.head_commit.is_some());
        Ok(Self { git, top, branch })
    }

    /// The path as tasks and contracts name it.
    pub(crate) fn repository(&self) -> Result<String, Failure> {
        let path = self.top.to_str();
        path.map(str::to_owned)
            .ok_or_else(|| Failure::usage(format!("the path {} is not UTF-8", self.top.display())))
    }

    /// Whether `repository` names it.
    pub(crate) fn is(&self, repository: &str) -> bool {
        self.top.as_os_str() == repository
    }

    /// How many files have uncommitted changes.
    pub(crate) async fn uncommitted(&self) -> Result<usize, Failure> {
        let uncommitted =
            self.git.uncommitted(&self.top).await.map_err(|error| Failure::new(chain(&error)))?;
        Ok(uncommitted.changed + uncommitted.untracked)
    }
}
