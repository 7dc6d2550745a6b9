//! Goes back to a state that was kept.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;

use super::git_folder;
use super::keep::{DISK, Place, Present, STATE};
use super::lock::{IndexLock, NEXT};
use super::state::State;
use super::swap::Swap;
use super::way::Changes;
use super::{Fault, Name, file_in};
use crate::names::BadName;
use crate::scan::TRIES;
use crate::{
    CheckpointError, CheckpointKind, CheckpointRequest, GitError, Made, NotHeld, ScanError, Worktree,
};

/// What was done to come back to a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The safety checkpoint of how the worktree was before.
    pub kept: Made,
    /// Ignored files in whose places the state has its own: they are in that checkpoint.
    pub collisions: Vec<Vec<u8>>,
    /// Files that are no part of the state, nor ignored by its rules; they were by the rules before.
    pub left_untouched: Vec<Vec<u8>>,
}

/// Why a worktree is not what it was. Where something has been changed already, the same call goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is no such state here.
    #[error("no state of {path} is kept under the number {number}")]
    NotKept {
        /// The worktree.
        path: PathBuf,
        /// The number of the checkpoint.
        number: u64,
    },
    /// A repository, or something that is no file, is where the state has one of its own. Nothing was changed.
    #[error("{in_the_way} is in the way: it belongs to no checkpoint and is not touched")]
    InTheWay {
        /// What is in the way.
        in_the_way: PathBuf,
    },
    /// Another worktree is on a branch that would move. Nothing was changed.
    #[error("the branch {branch} is checked out in another worktree")]
    BranchElsewhere {
        /// Its full name.
        branch: String,
    },
    /// Another git works on the index, or was killed while it did. Nothing was changed.
    #[error("the index of {path} is locked")]
    Locked {
        /// The worktree.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The worktree could not be read, or something wrote beside us.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The task's id can't stand in a ref.
    #[error(transparent)]
    BadName(#[from] BadName),
    /// git could not do it.
    #[error("{path} could not be brought back to what it was")]
    Git {
        /// The worktree.
        path: PathBuf,
        /// What went wrong.
        source: GitError,
    },
    /// A file could not be moved or written.
    #[error("the files of {path} could not be brought back to what they were")]
    Files {
        /// The worktree.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Worktree {
    /// Makes the worktree what it was at the safety checkpoint `to` of the same task: files, index, HEAD and its
    /// branch, and what it was in the middle of. How it is now is kept first as the safety checkpoint that `keep` asks
    /// for, to which one comes back in the same way.
    ///
    /// Whoever works in the worktree has to be stopped. What is written all the same is found: then it is kept, and after
    /// some tries it is `WorktreeChanging`. Cut off and called again it goes on.
    pub async fn restore(&self, to: u64, keep: &CheckpointRequest) -> Result<Restored, RestoreError> {
        let keep = CheckpointRequest { kind: CheckpointKind::Safety, ..keep.clone() };
        let fails = |fault: Fault| self.fails(fault);
        let name = keep.named(STATE, &to.to_string())?;
        let target = self.read_state(&name).await.map_err(|error| fails(error.into()))?;
        let target =
            target.ok_or_else(|| RestoreError::NotKept { path: self.folder().into(), number: to })?;
        let (first, collisions, not_held) = self.go_back(&target, &keep).await?;
        let left_untouched = self.left_untouched().await.map_err(|error| fails(error.into()))?;
        // It was made before HEAD moved.
        let branch =
            first.git_folder.branch().and_then(|name| name.strip_prefix("refs/heads/").map(str::to_owned));
        let kept = self.checkpoint(&keep).await.map_err(|error| self.fails_to_keep(error))?;
        let kept = kept.ok_or_else(|| fails(io::ErrorKind::NotFound.into()))?;
        let collisions = collisions.into_iter().collect();
        Ok(Restored { kept: Made { branch, not_held, ..kept }, collisions, left_untouched })
    }

    fn fails(&self, fault: Fault) -> RestoreError {
        let path = self.folder().to_path_buf();
        match fault {
            Fault::Git(source) => RestoreError::Git { path, source },
            Fault::File(source) => RestoreError::Files { path, source },
            Fault::Scan(error) => error.into(),
            Fault::BadName(error) => error.into(),
            Fault::InTheWay(name) => RestoreError::InTheWay { in_the_way: file_in(&path, &name) },
            Fault::Disturbed => ScanError::WorktreeChanging { path, source: None }.into(),
        }
    }

    fn fails_to_keep(&self, error: CheckpointError) -> RestoreError {
        match error {
            CheckpointError::Scan(error) => error.into(),
            CheckpointError::BadName(error) => error.into(),
            CheckpointError::Write { path, source, .. } => RestoreError::Git { path, source },
            CheckpointError::GitFolder { path, source } => RestoreError::Files { path, source },
        }
    }

    /// Under the index's lock: keeps what is there and goes to the target, again as long as something disturbs.
    async fn go_back(
        &self,
        target: &State,
        keep: &CheckpointRequest,
    ) -> Result<(State, BTreeSet<Name>, Vec<NotHeld>), RestoreError> {
        let fails = |fault: Fault| self.fails(fault);
        let lock = self.lock_index(target)?;
        let name = keep.named(STATE, &keep.number.to_string())?;
        let mut first = self.read_state(&name).await.map_err(|error| fails(error.into()))?;
        let mut is_begun = first.is_some();
        if is_begun {
            let head = "HEAD".to_owned();
            self.unlock(target.branches.keys().chain([&head])).map_err(fails)?;
        }
        let mut collisions =
            first.iter().flat_map(|first| first.collisions.iter().cloned()).collect::<BTreeSet<_>>();
        for _ in 0..TRIES {
            let present = self.look(&keep.rules, Some(target)).await.map_err(fails)?;
            if let Some(branch) = self.branch_elsewhere(&present.branches, &target.branches) {
                return Err(RestoreError::BranchElsewhere { branch });
            }
            let place = if is_begun { Place::Beside } else { Place::Numbered };
            let now = self.keep_present(keep, &present, place).await.map_err(fails)?;
            self.clear_swap().map_err(|error| fails(error.into()))?;
            collisions.extend(now.collisions.iter().cloned());
            let first = match place {
                Place::Numbered => first.insert(now),
                Place::Beside => first.get_or_insert(now),
            };
            match self.go(&present, target, first, &mut is_begun).await {
                Err(Fault::Disturbed) => {}
                done => {
                    done.map_err(fails)?;
                    lock.install().map_err(|error| fails(error.into()))?;
                    self.clear_swap().map_err(|error| fails(error.into()))?;
                    return Ok((first.clone(), collisions, present.scanned.not_held));
                }
            }
        }
        Err(fails(Fault::Disturbed))
    }

    fn lock_index(&self, target: &State) -> Result<IndexLock, RestoreError> {
        let path = || self.folder().to_path_buf();
        let private = self.private();
        let taken = fs::create_dir_all(&private)
            .and_then(|()| IndexLock::take(self.git_dir(), &private, target.git_folder.index.as_ref()));
        taken.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => RestoreError::Locked { path: path(), source },
            _ => RestoreError::Files { path: path(), source },
        })
    }

    /// One way to the target from what was kept just now. What can't be done is found out before anything is.
    async fn go(
        &self,
        present: &Present,
        target: &State,
        first: &State,
        is_begun: &mut bool,
    ) -> Result<(), Fault> {
        let changes = &present.changes;
        let mut swap = Swap::new(self, changes)?;
        let (written_since, ()) = tokio::try_join!(
            self.changed_on_disk(),
            self.try_branches(&present.branches, &target.branches),
        )?;
        if written_since.iter().any(|name| changes.contains_key(name)) {
            return Err(Fault::Disturbed);
        }
        let disk = self.private().join(DISK);
        let load = self.run("read-tree").index(&disk).setting("core.sparseCheckout=false");
        load.args(["-i", "-m", target.files.as_str()]).ok().await?;
        swap.write(&disk, &target.raw).await?;
        // Gone on from half-way: what is new since the first step is somebody's, or was ignored before.
        let leaving = match *is_begun {
            true => Some(self.changes_between(&first.files, &target.files).await?),
            false => None,
        };
        *is_begun = true;
        let was_there =
            |leaving: &Changes, name: &Name| leaving.get(name).is_some_and(|change| change.has_file());
        // First, since an index may have a part among these files.
        let (now, then) = (&present.git_folder, &target.git_folder);
        git_folder::put(self.git_dir(), &self.private().join("new"), &now.files, &then.files).await?;
        let may_go = |name: &Name| leaving.as_ref().is_none_or(|leaving| was_there(leaving, name));
        swap.swap(&self.private().join(NEXT), may_go).await?;
        self.put_branches(&present.branches, &target.branches).await?;
        self.put_head(now, then).await?;
        let differs = self.changed_on_disk().await?;
        if differs.iter().any(|name| !changes.get(name).is_some_and(|change| change.gets_file())) {
            return Err(Fault::Disturbed);
        }
        swap.check()
    }

    /// Files that the index of the target has not and its rules don't ignore; not those of repositories within.
    async fn left_untouched(&self) -> Result<Vec<Name>, GitError> {
        let list = self.run("ls-files").index(&self.private().join(DISK));
        let said = list.args(["-z", "--others", "--exclude-standard"]).ok().await?;
        let names = said.split(|b| *b == 0).filter(|name| !name.is_empty() && !name.ends_with(b"/"));
        Ok(names.map(<[u8]>::to_vec).collect())
    }
}
