//! Takes what a user has not committed into the daemon's clone, for a task that shall start with it.
//!
//! The user's repository is only read: its index is copied, objects that only it has are read out of it, and
//! everything else is done with the clone as git folder and the user's folder as worktree. So it is also the clone's
//! settings that hold, and no filter of the user's repository is run (but Git LFS, which is carried over).
//!
//! The task then starts at the user's HEAD with these changes uncommitted: `Start::Uncommitted`.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::bare_clone::SOURCE_DETACHED;
use crate::inspect::{LocalRepository, SourceError};
use crate::names::{BadName, broken_rule};
use crate::scan::Site;
use crate::{BareClone, GitError, Person, ScanError, ScanRules, Sha, Source, Start};

/// Why a user's changes could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum IncludeError {
    /// Only a repository with a worktree on this machine has uncommitted changes.
    #[error("{repository} has no worktree here, so nothing uncommitted")]
    NoWorktree {
        /// The source.
        repository: String,
    },
    /// The source can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The worktree can't be read, or kept changing.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The ref to keep it under is no name.
    #[error(transparent)]
    BadName(#[from] BadName),
    /// git could not take its objects.
    #[error("the uncommitted changes of {repository} could not be taken")]
    Git {
        /// The source.
        repository: String,
        /// What went wrong.
        source: GitError,
    },
    /// A folder for our index could not be made.
    #[error("{path} could not be written")]
    Write {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl BareClone {
    /// Makes a commit of the user's worktree (tracked changes, and untracked files that are not ignored) in this
    /// clone, kept by the ref `keep` (`refs/makima/tasks/<task id>/uncommitted`, say), on top of the user's HEAD.
    /// Answers what to start the task's worktree from: `Start::Commit` where nothing is uncommitted.
    ///
    /// The clone must have been brought up to date first.
    pub async fn include_uncommitted(
        &self,
        source: &Source,
        keep: &str,
        author: &Person,
        at: SystemTime,
    ) -> Result<Start, IncludeError> {
        if let Some(why) = broken_rule(keep) {
            return Err(BadName { name: keep.into(), why }.into());
        }
        let failed = |error| IncludeError::Git { repository: source.to_string(), source: error };
        let state = self.git().inspect(source, None).await?;
        let local = state.local.as_ref().filter(|local| local.worktree.is_some());
        let no_worktree = || IncludeError::NoWorktree { repository: source.to_string() };
        let local = local.ok_or_else(no_worktree)?;
        let folder = local.worktree.clone().ok_or_else(no_worktree)?;
        // A folder of its own: the index is thrown away again.
        let private = self.dir().join("makima").join(keep.replace('/', "-"));
        let written = |source| IncludeError::Write { path: private.clone(), source };
        std::fs::create_dir_all(&private).map_err(written)?;
        let sparse = self.git().setting(&folder, "core.sparseCheckout").await.map_err(failed)?;
        let site = Site {
            git: self.git().clone(),
            git_dir: self.dir().into(),
            folder,
            own_index: local.git_dir.join("index"),
            private: private.clone(),
            is_sparse: Some(sparse.is_some_and(|value| value.eq_ignore_ascii_case(b"true"))),
        };
        site.discard_index().map_err(written)?;
        let taken = self.take(&site, local, state.head_commit.as_ref(), keep, author, at).await;
        std::fs::remove_dir_all(&private).map_err(written)?;
        taken.map_err(|error| match error {
            TakeError::Scan(error) => error.into(),
            TakeError::Git(error) => failed(error),
        })
    }

    async fn take(
        &self,
        site: &Site,
        local: &LocalRepository,
        head: Option<&Sha>,
        keep: &str,
        author: &Person,
        at: SystemTime,
    ) -> Result<Start, TakeError> {
        if let Some(head) = head {
            self.bring_head(local, head).await?;
        }
        self.bring_staged(local).await?;
        let tree = site.scan(&ScanRules::default(), None).await?.tree;
        let of_head = match head {
            Some(head) => self.git().objects(self.run("cat-file"), &[&format!("{head}^{{tree}}")]).await?,
            None => vec![Some(self.empty_tree().await?)],
        };
        if of_head.first() == Some(&Some(tree.clone())) {
            return Ok(head.map_or(Start::Nothing, |head| Start::Commit(head.clone())));
        }
        let commit = self.run("commit-tree").signed(author, at).args(["-m", "Uncommitted changes"]);
        let commit = match head {
            Some(head) => commit.arg("-p").arg(head),
            None => commit,
        };
        let files = Sha::read("commit-tree", &commit.arg(&tree).ok().await?)?;
        let update = format!("update {keep} {files}\n");
        self.run("update-ref").args(["--no-deref", "--stdin"]).stdin(update).ok().await?;
        Ok(match head {
            Some(head) => Start::Uncommitted { head: head.clone(), files },
            None => Start::UncommittedNothing { files },
        })
    }

    /// HEAD may have moved since the fetch.
    async fn bring_head(&self, local: &LocalRepository, head: &Sha) -> Result<(), GitError> {
        if self.commit_of_sha(head).await? {
            return Ok(());
        }
        let fetch = self.run("fetch").args([
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
        ]);
        let fetch = fetch.args([
            "--refmap=",
            "--upload-pack=git-upload-pack",
            "--update-shallow",
            "--end-of-options",
        ]);
        fetch.arg(&local.git_dir).arg(format!("+HEAD:{SOURCE_DETACHED}")).ok().await.map(drop)
    }

    async fn commit_of_sha(&self, commit: &Sha) -> Result<bool, GitError> {
        let found = self.git().objects(self.run("cat-file"), &[&format!("{commit}^{{commit}}")]).await?;
        Ok(found.first().is_some_and(Option::is_some))
    }

    /// Copies the objects that are staged and not committed. They are read by `pack-objects` there and written by
    /// `unpack-objects` here: an `add` that saw them there would not write them here.
    async fn bring_staged(&self, local: &LocalRepository) -> Result<(), GitError> {
        let folder = local.worktree.as_deref().unwrap_or(&local.git_dir);
        let listed = self.git().run("ls-files").in_folder(folder).args(["-z", "--stage"]).ok().await?;
        let mut staged = BTreeSet::new();
        for line in listed.split(|b| *b == 0).filter(|line| !line.starts_with(b"160000")) {
            let name = line.split(|b| *b == b' ').nth(1).and_then(|name| std::str::from_utf8(name).ok());
            staged.extend(name.and_then(Sha::parse));
        }
        let names: Vec<&str> = staged.iter().map(Sha::as_str).collect();
        if names.is_empty() {
            return Ok(());
        }
        let here = self.git().objects(self.run("cat-file"), &names).await?;
        let missing: Vec<&str> =
            names.into_iter().zip(here).filter(|(_, here)| here.is_none()).map(|(name, _)| name).collect();
        if missing.is_empty() {
            return Ok(());
        }
        // A file that is only meant to be added has no object yet.
        let there = self.git().objects(self.git().run("cat-file").in_folder(folder), &missing).await?;
        let missing: Vec<&str> = missing
            .into_iter()
            .zip(there)
            .filter(|(_, there)| there.is_some())
            .map(|(name, _)| name)
            .collect();
        let pack = self.git().run("pack-objects").in_folder(folder);
        let pack = pack.args(["--stdout", "-q"]).stdin(missing.join("\n") + "\n").ok().await?;
        self.run("unpack-objects").arg("-q").stdin(pack).ok().await.map(drop)
    }
}

enum TakeError {
    Scan(ScanError),
    Git(GitError),
}

impl From<ScanError> for TakeError {
    fn from(error: ScanError) -> Self {
        Self::Scan(error)
    }
}

impl From<GitError> for TakeError {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}
