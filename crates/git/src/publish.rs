//! Brings a task's branch into the user's own repository: the only write this crate does there.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::names::BadName;
use crate::{BareClone, BranchName, GitError, Inspection, Sha, Source, loose_ref};

/// How old the lock of a branch is that nobody holds: git has one for as long as it takes to write a line.
const LEFT: Duration = Duration::from_secs(60);

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
    /// It is in the user's repository, and not where it was left: somebody has worked on it there.
    #[error(
        "{branch} of {repository} is at {found}, where the task did not leave it, so it was left alone: rename it there, and the task's \
         work is brought under its name again"
    )]
    Moved {
        /// The user's repository.
        repository: PathBuf,
        /// The branch.
        branch: BranchName,
        /// Where it is.
        found: Sha,
    },
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
    Moved(Sha),
    LargeFiles(io::Error),
}

impl From<GitError> for FetchError {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

impl BareClone {
    /// Fetches a task branch into the source, if that is a repository on this machine. It is forced, since an agent may write its
    /// commits anew, but only where the branch is as it was left there, or goes on from where it is: what somebody else has
    /// committed to it is never lost. No tags, hooks, `FETCH_HEAD` or housekeeping. Where the branch is there at this commit
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
            FetchError::Moved(found) => PublishError::Moved { repository: here, branch: name, found },
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
            self.note_published(branch, &commit).await?;
            return Ok(Published::Fetched { commit });
        }
        // The first turn committed nothing: the user's repository has all of it, and only lacks the name.
        if there.is_none() && loose_ref::head(git_dir).as_ref() == Some(&commit) {
            let create = format!("create {full} {commit}\n");
            let name = self.git().run("update-ref").in_folder(folder).args(["--no-deref", "--stdin"]);
            // Refused where it is there all the same, kept in another way than by a file.
            if name.stdin(create).output().await?.code == Some(0) {
                self.note_published(branch, &commit).await?;
                return Ok(Published::Fetched { commit });
            }
        }
        if let Some(worktree) = self.worktree_on(folder, &full).await? {
            return Ok(Published::CheckedOut { worktree });
        }
        if let Some(found) = self.moved_there(folder, branch, &commit).await? {
            return Err(FetchError::Moved(found));
        }
        if self.has_large_files() {
            let looked = self.git().inspect(&Source::Local(repository.into()), None).await;
            // Where it can't be looked at, the fetch says why.
            if let Ok(Inspection { local: Some(local), .. }) = looked {
                self.give_large_files(&local, &commit).await?.map_err(FetchError::LargeFiles)?;
            }
        }
        let mut fetched = self.fetch_by(folder, &full).await;
        if fetched.is_err() && self.clear_lock_of(folder, &full).await? {
            fetched = self.fetch_by(folder, &full).await;
        }
        match fetched {
            Ok(_) => {
                self.note_published(branch, &commit).await?;
                Ok(Published::Fetched { commit })
            }
            // It was checked out in between: git itself refuses then.
            Err(error) => match self.worktree_on(folder, &full).await? {
                Some(worktree) => Ok(Published::CheckedOut { worktree }),
                None => Err(error.into()),
            },
        }
    }

    /// Has the user's git fetch the branch from here.
    async fn fetch_by(&self, folder: &Path, full: &str) -> Result<Vec<u8>, GitError> {
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
        fetch.arg(self.dir()).arg(format!("+{full}:{full}")).ok().await
    }

    /// Removes the lock of the branch in the user's repository, if it is as old as none is that anybody holds: the machine went down while
    /// the branch was written. Answers whether there was one.
    async fn clear_lock_of(&self, folder: &Path, full: &str) -> Result<bool, GitError> {
        let name = format!("{full}.lock");
        let asked = self.git().run("rev-parse").in_folder(folder).args(["--git-path", &name]).ok().await?;
        use std::os::unix::ffi::OsStrExt;
        let lock = folder.join(std::ffi::OsStr::from_bytes(asked.trim_ascii_end()));
        let written = lock.metadata().and_then(|found| found.modified());
        let is_left = written.is_ok_and(|at| at.elapsed().is_ok_and(|age| age >= LEFT));
        Ok(is_left && std::fs::remove_file(lock).is_ok())
    }

    /// Where the branch is in the user's repository, if it would be lost there: neither where it was left, nor on the way to `commit`.
    async fn moved_there(
        &self,
        folder: &Path,
        branch: &BranchName,
        commit: &Sha,
    ) -> Result<Option<Sha>, GitError> {
        let asked = self.git().run("cat-file").in_folder(folder);
        let found = self.git().objects(asked, &[&format!("{}^{{commit}}", branch.full())]).await?;
        let Some(found) = found.into_iter().next().flatten() else { return Ok(None) };
        if self.commit_of(&left_at(branch)).await?.as_ref() == Some(&found) {
            return Ok(None);
        }
        // One that isn't here is an ancestor of nothing.
        let ancestor = self.run("merge-base").args(["--is-ancestor", found.as_str(), commit.as_str()]);
        Ok((ancestor.output().await?.code != Some(0)).then_some(found))
    }

    /// Keeps where the branch was left in the user's repository.
    async fn note_published(&self, branch: &BranchName, commit: &Sha) -> Result<(), GitError> {
        let name = left_at(branch);
        if loose_ref::commit_of(self.dir(), &name).as_ref() == Some(commit) {
            return Ok(());
        }
        let update = format!("update {name} {commit}\n");
        self.run("update-ref").args(["--no-deref", "--stdin"]).stdin(update).ok().await.map(drop)
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

/// The ref of where a branch was left in the user's repository.
pub(crate) fn left_at(branch: &BranchName) -> String {
    format!("refs/makima/published/{branch}")
}
