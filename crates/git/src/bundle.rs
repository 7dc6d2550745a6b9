//! Commits as one file that `git clone` takes: a git bundle.
//!
//! `git bundle` names in one what is named in the repository. The header of ours is written here, as gitformat-bundle(5) has it, so that
//! commits are called in it what their caller says; what follows is git's own pack.

use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::{BareClone, BranchName, GitError, Sha};

/// A commit of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundled {
    /// The full name of its ref in the bundle.
    pub name: String,
    /// The commit.
    pub commit: Sha,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Nobody could clone it.
    #[error(
        "the repository is a shallow clone, which a bundle can't be made of: `git fetch --unshallow` there first"
    )]
    Shallow,
    /// It couldn't be written, or git couldn't make it.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl BareClone {
    /// The commits of these branches, as far as they are there.
    pub async fn branches(&self, names: &[BranchName]) -> Result<Vec<Bundled>, GitError> {
        let names: Vec<String> = names.iter().map(BranchName::full).collect();
        let asked: Vec<String> = names.iter().map(|name| format!("{name}^{{commit}}")).collect();
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        let found = self.git().objects(self.run("cat-file"), &asked).await?;
        let found = names.into_iter().zip(found);
        Ok(found.filter_map(|(name, commit)| Some(Bundled { name, commit: commit? })).collect())
    }

    /// Those of these commits that are there.
    pub async fn present(&self, commits: Vec<Bundled>) -> Result<Vec<Bundled>, GitError> {
        let asked: Vec<String> =
            commits.iter().map(|bundled| format!("{}^{{commit}}", bundled.commit)).collect();
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        let found = self.git().objects(self.run("cat-file"), &asked).await?;
        let found = commits.into_iter().zip(found);
        Ok(found.filter_map(|(bundled, found)| found.map(|_| bundled)).collect())
    }

    /// Writes a bundle of commits that are there, with all that they follow. A clone of it stands on the first.
    pub async fn bundle(
        &self,
        commits: &[Bundled],
        out: &mut (dyn AsyncWrite + Unpin + Send),
    ) -> Result<(), BundleError> {
        if self.dir().join("shallow").exists() {
            return Err(BundleError::Shallow);
        }
        let written = |source| GitError::Run { command: "bundle".into(), source };
        out.write_all(header(commits).as_bytes()).await.map_err(written)?;
        let wanted: String = commits.iter().map(|bundled| format!("{}\n", bundled.commit)).collect();
        let pack = self.run("pack-objects").args(["--quiet", "--stdout", "--revs", "--delta-base-offset"]);
        pack.stdin(wanted).copy_to(out).await?;
        Ok(())
    }
}

fn header(commits: &[Bundled]) -> String {
    let is_sha256 = commits.iter().any(|bundled| bundled.commit.as_str().len() == 64);
    let mut header = String::from(if is_sha256 {
        "# v3 git bundle\n@object-format=sha256\n"
    } else {
        "# v2 git bundle\n"
    });
    let head = commits.first().map(|first| (first.commit.as_str(), "HEAD"));
    let named = commits.iter().map(|bundled| (bundled.commit.as_str(), bundled.name.as_str()));
    for (commit, name) in head.into_iter().chain(named) {
        header.push_str(&format!("{commit} {name}\n"));
    }
    header.push('\n');
    header
}
