//! Brings a task's branch into the user's own repository: the only write this crate does there.

use std::io;
use std::path::{Path, PathBuf};

use crate::names::BadName;
use crate::{BareClone, BranchName, GitError, Inspection, Sha, Source, loose_ref};

/// What became of a task's branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The user's repository has it now, at this commit.
    Fetched {
        /// The commit.
        commit: Sha,
    },
    /// It is checked out there: left alone.
    CheckedOut {
        /// The worktree that has it.
        worktree: PathBuf,
    },
    /// The branch has no commit yet.
    NothingYet,
    /// The source is no local repository: the branch stays in the clone.
    KeptInClone,
}

/// Why a branch was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Only task branches are ever written.
    #[error(transparent)]
    NotOurs(#[from] BadName),
    /// What its large files hold could not be brought.
    #[error("the large files of {branch} could not be brought into {repository}")]
    LargeFiles {
        /// The user's repository.
        repository: PathBuf,
        /// The branch.
        branch: BranchName,
        /// What the operating system said.
        source: io::Error,
    },
    /// git could not fetch it.
    #[error("{branch} could not be brought into {repository}")]
    Git {
        /// The user's repository.
        repository: PathBuf,
        /// The branch.
        branch: BranchName,
        /// What went wrong.
        source: GitError,
    },
}

enum FetchError {
    Git(GitError),
    LargeFiles(io::Error),
}

impl From<GitError> for FetchError {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

impl BareClone {
    /// Fetches a task branch into the source, if that is a repository on this machine. It is forced: nobody else
    /// writes below `makima/`. No tags, hooks, `FETCH_HEAD` or housekeeping. Where the branch is there at this commit
    /// already, nothing is done. What Git LFS keeps for it comes first.
    pub async fn publish(&self, source: &Source, branch: &BranchName) -> Result<Published, PublishError> {
        let Source::Local(repository) = source else { return Ok(Published::KeptInClone) };
        if !branch.is_task_branch() {
            let why = "only branches below makima/ are published";
            return Err(BadName { name: branch.to_string(), why }.into());
        }
        let (here, name) = (repository.clone(), branch.clone());
        self.fetch_into(repository, branch).await.map_err(|error| match error {
            FetchError::Git(source) => PublishError::Git { repository: here, branch: name, source },
            FetchError::LargeFiles(source) => {
                PublishError::LargeFiles { repository: here, branch: name, source }
            }
        })
    }

    async fn fetch_into(&self, repository: &Path, branch: &BranchName) -> Result<Published, FetchError> {
        let full = branch.full();
        let commit = match loose_ref::commit_of(self.dir(), &full) {
            Some(commit) => Some(commit),
            None => self.commit_of(&full).await?,
        };
        let Some(commit) = commit else { return Ok(Published::NothingYet) };
        let folder =
            if repository.is_file() { repository.parent().unwrap_or(repository) } else { repository };
        // Most turns commit nothing.
        let inside = folder.join(".git");
        let git_dir = if inside.exists() { &inside } else { folder };
        let there = loose_ref::commit_of(git_dir, &full);
        if there.as_ref() == Some(&commit) {
            return Ok(Published::Fetched { commit });
        }
        // The first turn committed nothing: the user's repository has all of it, and only lacks the name.
        if there.is_none() && loose_ref::head(git_dir).as_ref() == Some(&commit) {
            let create = format!("create {full} {commit}\n");
            let name = self.git().run("update-ref").in_folder(folder).args(["--no-deref", "--stdin"]);
            // Refused where it is there all the same, kept in another way than by a file.
            if name.stdin(create).output().await?.code == Some(0) {
                return Ok(Published::Fetched { commit });
            }
        }
        if let Some(worktree) = self.worktree_on(folder, &full).await? {
            return Ok(Published::CheckedOut { worktree });
        }
        if self.has_large_files() {
            let looked = self.git().inspect(&Source::Local(repository.into()), None).await;
            // Where it can't be looked at, the fetch says why.
            if let Ok(Inspection { local: Some(local), .. }) = looked {
                self.give_large_files(&local, &commit).await?.map_err(FetchError::LargeFiles)?;
            }
        }
        let fetch = self.git().run("fetch").in_folder(folder).env("GIT_ALLOW_PROTOCOL", "file");
        let fetch = fetch.setting("fetch.fsckObjects=false").args([
            "--quiet",
            "--no-tags",
            "--no-prune",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--no-write-commit-graph",
            "--refmap=",
            "--upload-pack=git-upload-pack",
            "--end-of-options",
        ]);
        let fetched = fetch.arg(self.dir()).arg(format!("+{full}:{full}")).ok().await;
        match fetched {
            Ok(_) => Ok(Published::Fetched { commit }),
            // It was checked out in between: git itself refuses then.
            Err(error) => match self.worktree_on(folder, &full).await? {
                Some(worktree) => Ok(Published::CheckedOut { worktree }),
                None => Err(error.into()),
            },
        }
    }

    /// The worktree of the user's repository that has this branch, by HEAD or in a rebase.
    async fn worktree_on(&self, folder: &Path, full: &str) -> Result<Option<PathBuf>, GitError> {
        let listed =
            self.git().run("worktree").in_folder(folder).args(["list", "--porcelain", "-z"]).ok().await?;
        let mut worktree = None;
        for field in listed.split(|b| *b == 0) {
            if let Some(path) = field.strip_prefix(b"worktree ") {
                use std::os::unix::ffi::OsStrExt;
                worktree = Some(PathBuf::from(std::ffi::OsStr::from_bytes(path)));
            } else if field.strip_prefix(b"branch ") == Some(full.as_bytes()) {
                return Ok(worktree);
            }
        }
        Ok(None)
    }
}
