//! The commits of a branch that were made within some time, asked without writing anything.

use std::path::Path;

use tokio::io::AsyncWrite;

use crate::diff::{patch, patch_of_root};
use crate::{BranchName, FileChange, Git, GitError, PatchStyle, PatchWritten, Sha};

/// A commit of somebody's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub sha: Sha,
    /// The first of the commits that it was made on; `None`: it is the first of all.
    pub parent: Option<Sha>,
    /// When it was committed, in seconds since the beginning of 1970.
    pub at: i64,
    /// The first line of what it says.
    pub subject: String,
}

impl Git {
    /// The commits of a repository's branch (of HEAD where there is none of that name) that were committed within these seconds,
    /// oldest first, and the newest `most` of them. `folder` is anywhere in the repository.
    pub async fn commits_between(
        &self,
        folder: &Path,
        branch: Option<&str>,
        (from, to): (i64, i64),
        most: usize,
    ) -> Result<Vec<Commit>, GitError> {
        let Some(head) = self.head_of(folder, branch).await? else { return Ok(Vec::new()) };
        let log = self.run("log").in_folder(folder).args([
            "-z",
            "--no-show-signature",
            "--format=%H%x00%P%x00%ct%x00%s",
            &format!("--since=@{from} +0000"),
            &format!("--until=@{to} +0000"),
            &format!("--max-count={most}"),
            "--end-of-options",
        ]);
        let said = log.arg(&head).arg("--").ok().await?;
        let mut commits = read(&said).ok_or_else(|| GitError::unreadable("log", &said))?;
        commits.retain(|commit| (from..=to).contains(&commit.at));
        commits.sort_by_key(|commit| commit.at);
        Ok(commits)
    }

    /// The commit that a branch stood at then, if it had one.
    pub async fn commit_at(
        &self,
        folder: &Path,
        branch: Option<&str>,
        at: i64,
    ) -> Result<Option<Sha>, GitError> {
        let Some(head) = self.head_of(folder, branch).await? else { return Ok(None) };
        let log = self.run("log").in_folder(folder).args([
            "--no-show-signature",
            "--format=%H",
            &format!("--until=@{at} +0000"),
            "--max-count=1",
            "--end-of-options",
        ]);
        let said = log.arg(&head).arg("--").ok().await?;
        Ok(std::str::from_utf8(&said).ok().and_then(|text| Sha::parse(text.trim())))
    }

    /// The files that differ between two commits of a repository, and the patch, as [`BareClone::patch`] has them. `None` as the
    /// older one: the newer one follows none. The empty tree need not be there, and nothing is written to the repository to have it.
    pub async fn patch_in(
        &self,
        folder: &Path,
        from: Option<&Sha>,
        to: &Sha,
        limit: Option<u64>,
        out: &mut (dyn AsyncWrite + Unpin + Send),
    ) -> Result<(Vec<FileChange>, PatchWritten), GitError> {
        let run = |command: &str| self.run(command).in_folder(folder);
        let style = PatchStyle::default();
        match from {
            Some(_) => patch(run, from, to, style, limit, out).await,
            None => patch_of_root(run, to, style, limit, out).await,
        }
    }

    async fn head_of(&self, folder: &Path, branch: Option<&str>) -> Result<Option<Sha>, GitError> {
        // What is no name of a branch would be a line of its own to git.
        let branch = branch.filter(|branch| BranchName::new(*branch).is_ok());
        let named = branch.map(|branch| format!("refs/heads/{branch}^{{commit}}"));
        let names: Vec<&str> = named.as_deref().into_iter().chain(["HEAD^{commit}"]).collect();
        let found = self.objects(self.run("cat-file").in_folder(folder), &names).await?;
        Ok(found.into_iter().flatten().next())
    }
}

fn read(said: &[u8]) -> Option<Vec<Commit>> {
    let text = String::from_utf8_lossy(said);
    let mut fields = text.split('\0').peekable();
    let mut commits = Vec::new();
    while fields.peek().is_some_and(|field| !field.is_empty()) {
        let (sha, parents) = (Sha::parse(fields.next()?)?, fields.next()?);
        commits.push(Commit {
            sha,
            parent: parents.split(' ').next().and_then(Sha::parse),
            at: fields.next()?.parse().ok()?,
            subject: fields.next()?.to_owned(),
        });
    }
    Some(commits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_read_with_their_first_parent() {
        let (one, two) = ("a".repeat(40), "b".repeat(40));
        let said = format!("{two}\0{one} {two}\x0017\0Merge\0{one}\0\x005\0Begin\0");
        let commits = read(said.as_bytes()).unwrap();
        let told: Vec<_> = commits
            .iter()
            .map(|commit| (commit.at, commit.subject.as_str(), commit.parent.is_some()))
            .collect();
        assert_eq!(told, [(17, "Merge", true), (5, "Begin", false)]);
        assert_eq!(read(b"").map(|commits| commits.len()), Some(0));
    }
}
