//! A checkpoint: a commit that holds a worktree as it is, which the agent never notices.
//!
//! HEAD, the branch and the worktree's own index do not move; no hook runs and no key is asked for. Where nothing
//! differs from HEAD, HEAD's own commit is the checkpoint.

mod before;

use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use tokio::io::AsyncWrite;

use self::before::{Before, Previous};
use crate::diff::PatchStyle;
use crate::names::{BadName, broken_rule};
use crate::scan::{Head, Scanned};
use crate::{FileChange, GitError, NotHeld, PatchWritten, Person, ScanError, ScanRules, Sha, Worktree, diff};

/// What a checkpoint is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointKind {
    /// A turn of the agent: only where a file or HEAD changed, and the size limit holds.
    Turn,
    /// Somebody who asked for it: always made, whatever its size.
    Manual,
    /// A change of the worktree that comes next: always made, whatever its size, with all that is needed to undo that
    /// change (`Worktree::restore`) kept beside it.
    Safety,
}

/// A checkpoint that is to be made.
#[derive(Debug, Clone)]
pub struct CheckpointRequest {
    /// The task, as it stands in refs and trailers.
    pub task: String,
    /// Its number in the task.
    pub number: u64,
    /// What it is made for.
    pub kind: CheckpointKind,
    /// What it says.
    pub message: String,
    /// The user.
    pub author: Person,
    /// When.
    pub at: SystemTime,
    /// What it holds. The size limit counts for turns only.
    pub rules: ScanRules,
    /// The commit of the checkpoint before it, if there is one. It may be missing here: another machine made it.
    pub previous: Option<Sha>,
    /// The task's base commit, which counts where there is no previous one; `None` where the task began with nothing.
    pub base: Option<Sha>,
}

/// A checkpoint that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its commit.
    pub commit: Sha,
    /// The tree of that commit: the worktree.
    pub tree: Sha,
    /// What HEAD was; `None` where it had no commit yet.
    pub head_commit: Option<Sha>,
    /// The branch HEAD is on; `None` where it is detached.
    pub branch: Option<String>,
    /// What differs from the previous one.
    pub files_changed: Vec<FileChange>,
    /// Lines added in all files.
    pub lines_added: u64,
    /// Lines removed in all files.
    pub lines_removed: u64,
    /// What the worktree has and the commit has not. Empty where the checkpoint had been made before.
    pub not_held: Vec<NotHeld>,
    /// Whether files and HEAD are those of the previous one.
    pub unchanged: bool,
}

/// Why there is no checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The worktree could not be read, or kept changing.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The task's id can't stand in a ref.
    #[error(transparent)]
    BadName(#[from] BadName),
    /// git could not write it.
    #[error("checkpoint {number} of {path} could not be written")]
    Write {
        /// The worktree.
        path: PathBuf,
        /// The checkpoint's number.
        number: u64,
        /// What went wrong.
        source: GitError,
    },
    /// What git keeps of the worktree beside its files could not be read.
    #[error("the git folder of {path} could not be read")]
    GitFolder {
        /// The worktree.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Worktree {
    /// Makes a checkpoint; `None` where it is for a turn that changed neither a file nor HEAD. Made again under the
    /// same number it is found as it is.
    pub async fn checkpoint(&self, request: &CheckpointRequest) -> Result<Option<Made>, CheckpointError> {
        Ok(self.make(request, None).await?.map(|(made, _)| made))
    }

    /// Makes a checkpoint as [`checkpoint`](Self::checkpoint) does, and writes what differs from the previous one as
    /// [`BareClone::patch`](crate::BareClone::patch) does.
    pub async fn checkpoint_with_patch(
        &self,
        request: &CheckpointRequest,
        limit: u64,
        out: &mut (dyn AsyncWrite + Unpin + Send),
    ) -> Result<Option<(Made, PatchWritten)>, CheckpointError> {
        self.make(request, Some((limit, out))).await
    }

    async fn make(
        &self,
        request: &CheckpointRequest,
        patch: Option<Patch<'_>>,
    ) -> Result<Option<(Made, PatchWritten)>, CheckpointError> {
        let failed =
            |source| CheckpointError::Write { path: self.folder().into(), number: request.number, source };
        let name = request.ref_name()?;
        let not_held = match request.kind {
            CheckpointKind::Safety => self.keep_state(request).await?,
            CheckpointKind::Turn | CheckpointKind::Manual => Vec::new(),
        };
        let before = self.before(request.previous.as_ref(), request.base.as_ref(), Some(&name));
        let Before { head, previous, made } = before.await.map_err(failed)?;
        if let Some((commit, tree)) = made {
            let head = Head { commit: self.head_of(&commit).await.map_err(failed)?, tree: None };
            let scanned = Scanned { tree, head, not_held };
            let differs = self.differs(&previous, &scanned, patch).await.map_err(failed)?;
            return Ok(Some(Made::new(commit, scanned, differs, &previous)));
        }
        let limit = request.rules.max_untracked_bytes.filter(|_| request.kind == CheckpointKind::Turn);
        let rules = ScanRules { max_untracked_bytes: limit, ..request.rules.clone() };
        let scanned = self.site().scan(&rules, Some(head)).await?;
        if request.kind == CheckpointKind::Turn && previous.is(&scanned) {
            return Ok(None);
        }
        let keep = self.keep(request, &name, &scanned);
        let differs = self.differs(&previous, &scanned, patch);
        let (commit, differs) = tokio::try_join!(keep, differs).map_err(failed)?;
        Ok(Some(Made::new(commit, scanned, differs, &previous)))
    }

    /// Lets go of a checkpoint that was not made to its end, so that its number is free. One that isn't there is gone already.
    pub async fn unmake_checkpoint(&self, request: &CheckpointRequest) -> Result<(), CheckpointError> {
        let failed =
            |source| CheckpointError::Write { path: self.folder().into(), number: request.number, source };
        let delete = format!("delete {}\n", request.ref_name()?);
        self.run("update-ref").args(["--no-deref", "--stdin"]).stdin(delete).ok().await.map_err(failed)?;
        Ok(())
    }

    /// Whether the worktree's files or its HEAD are others than those of an earlier checkpoint (or base commit).
    /// Costs as much as a checkpoint; who wants one anyway asks for one of kind `Turn`.
    pub async fn changed_since(&self, earlier: Option<&Sha>, rules: &ScanRules) -> Result<bool, ScanError> {
        let failed = |source| ScanError::Git { path: self.folder().into(), source };
        let Before { head, previous, .. } = self.before(None, earlier, None).await.map_err(failed)?;
        if head.commit != previous.head {
            return Ok(true);
        }
        Ok(!previous.is(&self.site().scan(rules, Some(head)).await?))
    }

    /// Makes the commit and the ref that keeps it.
    async fn keep(
        &self,
        request: &CheckpointRequest,
        name: &str,
        scanned: &Scanned,
    ) -> Result<Sha, GitError> {
        let commit = self.commit(request, scanned).await?;
        // Only we write this ref, and one at a time: a lock was left by a git that was killed.
        self.clear_lock(&self.git_dir().join("../..").join(format!("{name}.lock")))?;
        let create = format!("create {name} {commit}\n");
        self.run("update-ref").args(["--no-deref", "--stdin"]).stdin(create).ok().await?;
        Ok(commit)
    }

    /// The commit of a checkpoint: a new one, where HEAD's own doesn't serve.
    pub(crate) async fn commit(
        &self,
        request: &CheckpointRequest,
        scanned: &Scanned,
    ) -> Result<Sha, GitError> {
        let head = &scanned.head;
        if let Some(commit) = head.commit.as_ref().filter(|_| head.tree.as_ref() == Some(&scanned.tree)) {
            return Ok(commit.clone());
        }
        let commit = self.run("commit-tree").signed(&request.author, request.at);
        let parent = head.commit.iter().flat_map(|head| ["-p", head.as_str()]);
        let commit = commit.stdin(request.full_message()).args(parent).args(["-F", "-"]);
        Sha::read("commit-tree", &commit.arg(&scanned.tree).ok().await?)
    }

    async fn differs(
        &self,
        previous: &Previous,
        scanned: &Scanned,
        patch: Option<Patch<'_>>,
    ) -> Result<Differs, GitError> {
        let (from, to) = (previous.tree.as_ref(), &scanned.tree);
        let changes = async {
            match patch {
                Some((limit, out)) => {
                    diff::patch(
                        |command| self.run(command),
                        from,
                        to,
                        PatchStyle::default(),
                        Some(limit),
                        out,
                    )
                    .await
                }
                None => {
                    let files = diff::changes(|command| self.run(command), from, to).await?;
                    Ok((files, PatchWritten { bytes: 0, truncated: false }))
                }
            }
        };
        let (branch, (files, patch)) = tokio::try_join!(self.branch(), changes)?;
        Ok(Differs { branch, files, patch })
    }
}

/// At most how much of it, and where to.
type Patch<'a> = (u64, &'a mut (dyn AsyncWrite + Unpin + Send));

const TRAILER: &str = "Makima-Checkpoint: ";

struct Differs {
    branch: Option<String>,
    files: Vec<FileChange>,
    patch: PatchWritten,
}

impl Made {
    fn new(commit: Sha, scanned: Scanned, differs: Differs, previous: &Previous) -> (Self, PatchWritten) {
        let unchanged = previous.is(&scanned);
        let Scanned { tree, head, not_held } = scanned;
        let made = Self {
            commit,
            tree,
            head_commit: head.commit,
            branch: differs.branch,
            lines_added: differs.files.iter().map(|file| file.lines_added).sum(),
            lines_removed: differs.files.iter().map(|file| file.lines_removed).sum(),
            files_changed: differs.files,
            not_held,
            unchanged,
        };
        (made, differs.patch)
    }
}

impl CheckpointRequest {
    pub(crate) fn ref_name(&self) -> Result<String, BadName> {
        self.named("checkpoints", &self.number.to_string())
    }

    /// A ref of the task's.
    pub(crate) fn named(&self, folder: &str, number: &str) -> Result<String, BadName> {
        let name = format!("refs/makima/tasks/{}/{folder}/{number}", self.task);
        match broken_rule(&name).or_else(|| self.task.contains('/').then_some("it holds a slash")) {
            Some(why) => Err(BadName { name: self.task.clone(), why }),
            None => Ok(name),
        }
    }

    fn full_message(&self) -> String {
        let message = self.message.replace('\0', "");
        let message = message.trim();
        let message = if message.is_empty() { "Checkpoint" } else { message };
        format!("{message}\n\nMakima-Task: {}\n{TRAILER}{}\n", self.task, self.number)
    }
}
