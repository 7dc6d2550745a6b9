//! Makes a worktree, or finds it as an earlier run left it.

use std::path::Path;

use super::{INITIALIZING, Start, Worktree, WorktreeError, is_half_made, resolved};
use crate::commit_remaining::new_index::NewIndex;
use crate::{BareClone, BranchName, GitError, Sha};

impl BareClone {
    /// The worktree of a task in `folder`, on `branch`. If the worktree is there already it is left as it is; if
    /// only the branch is, the worktree is made at the branch's commit; else both are made from `start`.
    ///
    /// Submodules are not initialised.
    pub async fn add_worktree(
        &self,
        folder: &Path,
        branch: &BranchName,
        start: &Start,
    ) -> Result<Worktree, WorktreeError> {
        let failed = |source| WorktreeError::Git { path: folder.into(), act: "made", source };
        let reach = |source| WorktreeError::Reach { path: folder.into(), source };
        if let Some((folder, git_dir)) = self.find(folder).map_err(reach)? {
            if folder.is_dir() && !is_half_made(&git_dir) {
                let worktree = Worktree { git: self.git().clone(), folder, git_dir };
                if let Some(left) = NewIndex::left(&worktree.site()).map_err(reach)? {
                    let head = worktree.commit_of_head().await.map_err(failed)?;
                    left.finish(head.as_ref()).map_err(reach)?;
                }
                return Ok(worktree);
            }
            // Half made, or its folder is gone: nothing in it that is in no commit.
            self.remove_worktree(&folder).await?;
        }
        let folder = resolved(folder).map_err(reach)?;
        if std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(WorktreeError::Occupied { path: folder, clone: self.dir().into() });
        }
        if let Some(parent) = folder.parent() {
            std::fs::create_dir_all(parent).map_err(reach)?;
        }
        let existing = self.commit_of(&branch.full()).await.map_err(failed)?;
        let begin = match (&existing, start) {
            (Some(commit), _) | (None, Start::Commit(commit) | Start::Uncommitted { head: commit, .. }) => {
                commit.clone()
            }
            (None, Start::Nothing | Start::UncommittedNothing { .. }) => {
                self.placeholder().await.map_err(failed)?
            }
        };
        // `worktree add` knows no branch without a commit before 2.42: so detached, and the branch after it.
        let add = self.run("worktree").args([
            "add",
            "--detach",
            "--no-checkout",
            "--lock",
            "--reason",
            INITIALIZING,
        ]);
        add.arg("--end-of-options").arg(&folder).arg(&begin).ok().await.map_err(failed)?;
        let found = self.find(&folder).map_err(reach)?;
        let (folder, git_dir) =
            found.ok_or_else(|| WorktreeError::NotAWorktree { path: folder, clone: self.dir().into() })?;
        let worktree = Worktree { git: self.git().clone(), folder, git_dir };
        let start = match &existing {
            Some(commit) => &Start::Commit(commit.clone()),
            None => start,
        };
        if let Err(error) = worktree.fill(branch, start, existing.is_none()).await {
            // Where there was no room for it, it must not take what there is; what stays is thrown away by the next.
            let _ = self.remove_worktree(&worktree.folder).await;
            return Err(failed(error));
        }
        std::fs::remove_file(worktree.git_dir.join("locked")).map_err(reach)?;
        Ok(worktree)
    }

    /// A commit of nothing, which no ref keeps.
    async fn placeholder(&self) -> Result<Sha, GitError> {
        let tree = self.empty_tree().await?;
        let commit = self.run("commit-tree").signed(&crate::Person::makima(), std::time::UNIX_EPOCH);
        Sha::read("commit-tree", &commit.args(["-m", "Nothing yet"]).arg(&tree).ok().await?)
    }

    pub(crate) async fn empty_tree(&self) -> Result<Sha, GitError> {
        Sha::read("mktree", &self.run("mktree").stdin("").ok().await?)
    }
}

impl Worktree {
    async fn fill(&self, branch: &BranchName, start: &Start, is_new: bool) -> Result<(), GitError> {
        let head = match start {
            Start::Commit(head) | Start::Uncommitted { head, .. } => Some(head),
            Start::Nothing | Start::UncommittedNothing { .. } => None,
        };
        if let Some(head) = head.filter(|_| is_new) {
            let create = format!("create {} {head}\n", branch.full());
            self.run("update-ref").args(["--no-deref", "--stdin"]).stdin(create).ok().await?;
        }
        self.run("symbolic-ref").args(["HEAD", &branch.full()]).ok().await?;
        let (Start::Commit(files) | Start::Uncommitted { files, .. } | Start::UncommittedNothing { files }) =
            start
        else {
            return Ok(());
        };
        self.run("read-tree").args(["--reset", "-u", "--no-recurse-submodules"]).arg(files).ok().await?;
        match start {
            // The files stay, and only the index goes to HEAD: so the changes are uncommitted.
            Start::Uncommitted { head, .. } => drop(self.run("read-tree").arg("-m").arg(head).ok().await?),
            Start::UncommittedNothing { .. } => drop(self.run("read-tree").arg("--empty").ok().await?),
            _ => return Ok(()),
        }
        self.add_ignored().await
    }

    /// What is ignored and came along all the same was added by force, and would be held no more were it not again.
    async fn add_ignored(&self) -> Result<(), GitError> {
        let listed = ["-z", "--others", "--ignored", "--exclude-standard"];
        let ignored = self.run("ls-files").args(listed).ok().await?;
        if ignored.is_empty() {
            return Ok(());
        }
        self.run("update-index").args(["-z", "--add", "--stdin"]).stdin(ignored).ok().await.map(drop)
    }
}
