//! Forgets a task: its branch and its refs in the daemon's clone. The objects stay until git tidies up; what other tasks rest on is
//! kept by their own refs.

use crate::{BareClone, BranchName, GitError};

impl BareClone {
    /// Removes every ref below `refs/makima/tasks/<task>/`, and the task's branch, which no worktree may be on. What isn't there is
    /// removed already.
    pub async fn forget_task(&self, task: &str, branch: &BranchName) -> Result<(), GitError> {
        let (below, branch) = (format!("refs/makima/tasks/{task}/"), format!("refs/heads/{branch}"));
        let listed = self.run("for-each-ref").args(["--format=%(refname)", &below, &branch]).ok().await?;
        let listed = String::from_utf8_lossy(&listed).into_owned();
        // A pattern takes what it is a beginning of as well: only this branch is ours to remove.
        let ours = |name: &&str| name.starts_with(&below) || *name == branch;
        let deletions: String = listed.lines().filter(ours).map(|name| format!("delete {name}\n")).collect();
        if deletions.is_empty() {
            return Ok(());
        }
        self.run("update-ref").args(["--no-deref", "--stdin"]).stdin(deletions).ok().await.map(drop)
    }
}
