//! Commits what an agent left uncommitted, when its task is completed.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::scan::Site;
use crate::{BranchName, GitError, Person, ScanError, ScanRules, Sha, Worktree};

/// What a worktree may be in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InProgress {
    /// A merge.
    Merge,
    /// A rebase, or patches being applied.
    Rebase,
    /// A cherry-pick or revert.
    CherryPick,
    /// A bisection.
    Bisect,
    /// Conflicts that are not resolved.
    Conflicts,
}

/// Why nothing was committed. All is as it was.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The worktree is in the middle of something.
    #[error("{path} is in the middle of {}", what.words())]
    InProgress {
        /// The worktree.
        path: PathBuf,
        /// Of what.
        what: InProgress,
    },
    /// HEAD is not on the task's branch.
    #[error("{path} is on {}, not on {wanted}", found.as_deref().unwrap_or("no branch"))]
    OtherBranch {
        /// The worktree.
        path: PathBuf,
        /// The task's branch.
        wanted: BranchName,
        /// Where HEAD is.
        found: Option<String>,
    },
    /// Another git works on the index, or was killed while it did.
    #[error("the index of {path} is locked")]
    Locked {
        /// The worktree.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The worktree could not be read.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// git could not commit.
    #[error("what {path} holds could not be committed")]
    Git {
        /// The worktree.
        path: PathBuf,
        /// What went wrong.
        source: GitError,
    },
}

impl InProgress {
    /// By what git leaves in the git folder of a worktree meanwhile.
    pub(crate) fn by_signs(git_dir: &Path) -> Option<Self> {
        let signs = [
            ("MERGE_HEAD", Self::Merge),
            ("rebase-merge", Self::Rebase),
            ("rebase-apply", Self::Rebase),
            ("CHERRY_PICK_HEAD", Self::CherryPick),
            ("REVERT_HEAD", Self::CherryPick),
            ("sequencer", Self::CherryPick),
            ("BISECT_LOG", Self::Bisect),
        ];
        signs.into_iter().find(|(sign, _)| git_dir.join(sign).exists()).map(|(_, what)| what)
    }

    /// As people say it: `a merge`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Merge => "a merge",
            Self::Rebase => "a rebase",
            Self::CherryPick => "a cherry-pick or revert",
            Self::Bisect => "a bisection",
            Self::Conflicts => "resolving conflicts",
        }
    }
}

impl Worktree {
    /// What the worktree is in the middle of, if anything.
    pub async fn in_progress(&self) -> Result<Option<InProgress>, GitError> {
        if let Some(what) = InProgress::by_signs(self.git_dir()) {
            return Ok(Some(what));
        }
        let unmerged = self.run("ls-files").args(["-z", "--unmerged"]).ok().await?;
        Ok((!unmerged.is_empty()).then_some(InProgress::Conflicts))
    }

    /// Commits everything that is not ignored to the task's branch, as `git add -A && git commit` would, without hooks
    /// and keys; nested repositories are left out. `None` where there is nothing to commit. Afterwards the
    /// worktree's index is that of the commit.
    pub async fn commit_remaining(
        &self,
        branch: &BranchName,
        message: &str,
        author: &Person,
        at: SystemTime,
    ) -> Result<Option<Sha>, CommitError> {
        let path = || self.folder().to_path_buf();
        let failed = |source| CommitError::Git { path: path(), source };
        if let Some(what) = self.in_progress().await.map_err(failed)? {
            return Err(CommitError::InProgress { path: path(), what });
        }
        let found = self.branch().await.map_err(failed)?;
        if found.as_deref() != Some(branch.as_str()) {
            return Err(CommitError::OtherBranch { path: path(), wanted: branch.clone(), found });
        }
        self.release_left_index().map_err(|source| CommitError::Locked { path: path(), source })?;
        let site = self.site();
        let scanned = site.scan(&ScanRules::default(), None).await?;
        let nothing = match &scanned.head.tree {
            Some(tree) => *tree == scanned.tree,
            None => self.is_empty(&scanned.tree).await.map_err(failed)?,
        };
        if nothing {
            return Ok(None);
        }
        let commit = self.run("commit-tree").signed(author, at).stdin(message.replace('\0', ""));
        let commit = match &scanned.head.commit {
            Some(head) => commit.arg("-p").arg(head),
            None => commit,
        };
        let made = commit.args(["-F", "-"]).arg(&scanned.tree).ok().await.map_err(failed)?;
        let made = Sha::read("commit-tree", &made).map_err(failed)?;
        let index = NewIndex::of(&site).map_err(|source| CommitError::Locked { path: path(), source })?;
        let old =
            scanned.head.commit.map_or_else(|| "0".repeat(made.as_str().len()), |head| head.to_string());
        let update = self.run("update-ref").args(["-m", "commit: by Makima", "HEAD", made.as_str(), &old]);
        update.ok().await.map_err(failed)?;
        index.install().map_err(|source| CommitError::Locked { path: path(), source })?;
        Ok(Some(made))
    }

    async fn is_empty(&self, tree: &Sha) -> Result<bool, GitError> {
        Ok(self.run("ls-tree").args(["-z", tree.as_str()]).ok().await?.is_empty())
    }
}

impl Worktree {
    /// Lets go of the index, where a process of ours was killed while it held it. git's locks are files that nobody owns;
    /// ours is told by its other name.
    pub(crate) fn release_left_index(&self) -> io::Result<()> {
        let site = self.site();
        let (lock, own) = (site.own_index.with_extension("lock"), new_index_file(&site));
        let found = |file: &Path| match std::fs::symlink_metadata(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found.map(|found| Some((found.dev(), found.ino()))),
        };
        let Some(ours) = found(&own)? else { return Ok(()) };
        if found(&lock)? == Some(ours) {
            std::fs::remove_file(lock)?;
        }
        std::fs::remove_file(own)
    }
}

/// The other name of our lock.
fn new_index_file(site: &Site) -> PathBuf {
    site.private.join("new-index")
}

/// What will be the worktree's index, held under git's own lock until the branch has moved.
struct NewIndex {
    lock: PathBuf,
    own: PathBuf,
    index: PathBuf,
    is_installed: bool,
}

impl NewIndex {
    fn of(site: &Site) -> io::Result<Self> {
        let own = new_index_file(site);
        let (mut file, ours) = (File::create(&own)?, File::open(site.index_file())?);
        io::copy(&mut io::BufReader::new(&ours), &mut file)?;
        file.set_times(std::fs::FileTimes::new().set_modified(ours.metadata()?.modified()?))?;
        let lock = site.own_index.with_extension("lock");
        std::fs::hard_link(&own, &lock)?;
        Ok(Self { lock, own, index: site.own_index.clone(), is_installed: false })
    }

    fn install(mut self) -> io::Result<()> {
        std::fs::rename(&self.lock, &self.index)?;
        self.is_installed = true;
        Ok(())
    }
}

impl Drop for NewIndex {
    fn drop(&mut self) {
        if !self.is_installed {
            let _ = std::fs::remove_file(&self.lock);
        }
        let _ = std::fs::remove_file(&self.own);
    }
}
