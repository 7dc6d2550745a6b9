//! A new repository out of files that lie in a folder.

use std::path::Path;
use std::time::SystemTime;

use crate::{BranchName, Git, GitError, Person};

impl Git {
    /// Makes `folder` a repository whose branch `branch` has one commit: all that lies in it. Hooks and settings of the
    /// machine's templates are left out, so that it is the same everywhere.
    pub async fn create_repository(
        &self,
        folder: &Path,
        branch: &BranchName,
        message: &str,
        author: &Person,
        at: SystemTime,
    ) -> Result<(), GitError> {
        let initial = format!("--initial-branch={}", branch.as_str());
        self.run("init").in_folder(folder).args(["--quiet", "--template=", &initial]).ok().await?;
        self.run("add").in_folder(folder).args(["--all", "--", "."]).ok().await?;
        let commit = self.run("commit").in_folder(folder).args(["--quiet", "--no-verify", "--allow-empty"]);
        commit.arg(format!("--message={message}")).signed(author, at).ok().await?;
        Ok(())
    }
}
