//! A checkpoint: a commit that holds a worktree as it is, which the agent never notices.
//!
//! HEAD, the branch and the worktree's own index do not move; no hook runs and no key is asked for. Where nothing
//! differs from HEAD, HEAD's own commit is the checkpoint.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::names::{BadName, broken_rule};
use crate::scan::{Head, Scanned};
use crate::{FileChange, GitError, NotHeld, Person, ScanError, ScanRules, Sha, Worktree, diff};

/// What a checkpoint is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointKind {
    /// A turn of the agent: only where a file or HEAD changed, and the size limit holds.
    Turn,
    /// Somebody who asked for it: always made, whatever its size.
    Manual,
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
    /// The commit of the checkpoint before it, else the task's base commit; `None` where the task began with nothing.
    pub previous: Option<Sha>,
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
}

/// What the previous checkpoint was.
struct Previous {
    tree: Option<Sha>,
    head: Option<Sha>,
}

impl Worktree {
    /// Makes a checkpoint; `None` where it is for a turn that changed neither a file nor HEAD. Made again under the
    /// same number it is found as it is.
    pub async fn checkpoint(&self, request: &CheckpointRequest) -> Result<Option<Made>, CheckpointError> {
        let failed =
            |source| CheckpointError::Write { path: self.folder().into(), number: request.number, source };
        let name = request.ref_name()?;
        let known = [format!("{name}^{{commit}}"), format!("{name}^{{tree}}")];
        let known =
            self.git().objects(self.run("cat-file"), &[&known[0], &known[1]]).await.map_err(failed)?;
        let previous = self.previous(request.previous.as_ref()).await.map_err(failed)?;
        if let [Some(commit), Some(tree)] = &known[..] {
            let head = self.head_under(commit).await.map_err(failed)?;
            let head = Head { commit: head, tree: None };
            let scanned = Scanned { tree: tree.clone(), head, not_held: Vec::new() };
            return self.told(&previous, scanned, commit.clone()).await.map(Some).map_err(failed);
        }
        let limit = request.rules.max_untracked_bytes.filter(|_| request.kind == CheckpointKind::Turn);
        let rules = ScanRules { max_untracked_bytes: limit, ..request.rules.clone() };
        let scanned = self.site().scan(&rules).await?;
        if request.kind == CheckpointKind::Turn && previous.is(&scanned) {
            return Ok(None);
        }
        let commit = self.commit_scanned(request, &scanned).await.map_err(failed)?;
        let create = format!("create {name} {commit}\n");
        let update = self.run("update-ref").args(["--no-deref", "--stdin"]).stdin(create);
        let (_, made) =
            tokio::try_join!(update.ok(), self.told(&previous, scanned, commit)).map_err(failed)?;
        Ok(Some(made))
    }

    /// Whether the worktree's files or its HEAD are others than those of an earlier checkpoint (or base commit).
    /// Costs as much as a checkpoint; who wants one anyway asks for one of kind `Turn`.
    pub async fn changed_since(&self, earlier: Option<&Sha>, rules: &ScanRules) -> Result<bool, ScanError> {
        let failed = |source| ScanError::Git { path: self.folder().into(), source };
        let previous = self.previous(earlier).await.map_err(failed)?;
        if self.head().await.map_err(failed)? != previous.head {
            return Ok(true);
        }
        Ok(!previous.is(&self.site().scan(rules).await?))
    }

    async fn commit_scanned(&self, request: &CheckpointRequest, scanned: &Scanned) -> Result<Sha, GitError> {
        if let (Some(head), true) = (&scanned.head.commit, scanned.head.tree.as_ref() == Some(&scanned.tree))
        {
            return Ok(head.clone());
        }
        let commit =
            self.run("commit-tree").signed(&request.author, request.at).stdin(request.full_message());
        let commit = match &scanned.head.commit {
            Some(head) => commit.arg("-p").arg(head),
            None => commit,
        };
        Sha::read("commit-tree", &commit.args(["-F", "-"]).arg(&scanned.tree).ok().await?)
    }

    async fn told(&self, previous: &Previous, scanned: Scanned, commit: Sha) -> Result<Made, GitError> {
        let unchanged = previous.is(&scanned);
        let (branch, files_changed) = tokio::try_join!(
            self.branch(),
            diff::changes(|command| self.run(command), previous.tree.as_ref(), &scanned.tree)
        )?;
        let Scanned { tree, head, not_held } = scanned;
        Ok(Made {
            commit,
            tree,
            head_commit: head.commit,
            branch,
            lines_added: files_changed.iter().map(|file| file.lines_added).sum(),
            lines_removed: files_changed.iter().map(|file| file.lines_removed).sum(),
            files_changed,
            not_held,
            unchanged,
        })
    }

    async fn previous(&self, commit: Option<&Sha>) -> Result<Previous, GitError> {
        let Some(commit) = commit else { return Ok(Previous { tree: None, head: None }) };
        let tree = format!("{commit}^{{tree}}");
        let names = [tree.as_str()];
        let tree = self.git().objects(self.run("cat-file"), &names);
        let (head, tree) = tokio::try_join!(self.head_under(commit), tree)?;
        let tree = tree.into_iter().next().flatten();
        Ok(Previous { tree: Some(tree.ok_or_else(|| missing(commit))?), head })
    }

    /// What HEAD was when this checkpoint was made: its parent, or itself where it is a commit of the agent's.
    async fn head_under(&self, commit: &Sha) -> Result<Option<Sha>, GitError> {
        let text = self.run("cat-file").args(["commit", commit.as_str()]).ok().await?;
        let text = String::from_utf8_lossy(&text);
        let (header, message) = text.split_once("\n\n").unwrap_or((&text, ""));
        let ours = header.lines().any(|line| line.starts_with("committer Makima <makima@localhost> "))
            && message.lines().any(|line| line.starts_with(TRAILER));
        if !ours {
            return Ok(Some(commit.clone()));
        }
        Ok(header.lines().find_map(|line| line.strip_prefix("parent ")).and_then(Sha::parse))
    }
}

const TRAILER: &str = "Makima-Checkpoint: ";

fn missing(commit: &Sha) -> GitError {
    GitError::Failed { command: "cat-file".into(), code: None, words: format!("{commit} is not there") }
}

impl Previous {
    fn is(&self, scanned: &Scanned) -> bool {
        // A task that began with nothing and has nothing yet: the empty tree is no change.
        let files = match &self.tree {
            Some(tree) => *tree == scanned.tree,
            None => is_empty_tree(&scanned.tree),
        };
        files && self.head == scanned.head.commit
    }
}

/// The empty tree has the same name in every repository.
fn is_empty_tree(tree: &Sha) -> bool {
    const SHA1: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    const SHA256: &str = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321";
    matches!(tree.as_str(), SHA1 | SHA256)
}

impl CheckpointRequest {
    fn ref_name(&self) -> Result<String, BadName> {
        let name = format!("refs/makima/tasks/{}/checkpoints/{}", self.task, self.number);
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
