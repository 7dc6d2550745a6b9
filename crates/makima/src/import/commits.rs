//! The commits that were made in a session's repository while it went on. The repository is read, and nothing is written there.

use makima_agents::claude::recorded::Survey;
use makima_daemon::file_change;
use makima_git::{BranchName, Commit, Git, GitError, Sha, Source};
use makima_model::{MessageId, Timestamp};
use makima_wire::ImportedCommit;
use std::path::PathBuf;

/// The most commits of a session.
const MOST: usize = 1000;

/// The largest patch that is taken along.
const LARGEST_PATCH: u64 = 16 << 20;

/// What a commit changed, line by line.
pub(super) struct Patch {
    /// BLAKE3 of it, in hex.
    pub(super) hash: String,
    pub(super) bytes: Vec<u8>,
}

/// The repository that a session worked on, as it is here now.
pub(super) struct Repository {
    git: Git,
    /// Where its working copy begins.
    pub(super) top: PathBuf,
    branch: Option<String>,
    /// The commit that the session began at.
    pub(super) base: Option<String>,
    commits: Vec<Commit>,
}

impl Repository {
    /// Looks for it where the session began; `None` where it is no longer there, or never was one.
    pub(super) async fn of(git: &Git, survey: &Survey) -> Result<Option<Self>, GitError> {
        let Some(folder) = survey.folder.as_deref().map(PathBuf::from) else { return Ok(None) };
        if !folder.is_absolute() || !folder.is_dir() {
            return Ok(None);
        }
        // What git refuses is no repository that anything can be learned of.
        let Ok(inspection) = git.inspect(&Source::Local(folder), None).await else { return Ok(None) };
        let Some(top) = inspection.local.and_then(|local| local.worktree) else { return Ok(None) };
        let branch = survey.git_branch.clone().filter(|branch| BranchName::new(branch.as_str()).is_ok());
        let (mut base, mut commits) = (None, Vec::new());
        if let (Some(from), Some(to)) = (survey.started_at, survey.ended_at) {
            let (from, to) = (from.utc().timestamp(), to.utc().timestamp());
            commits = git.commits_between(&top, branch.as_deref(), (from, to), MOST).await?;
            base = git.commit_at(&top, branch.as_deref(), from - 1).await?.map(|sha| sha.to_string());
        }
        Ok(Some(Self { git: git.clone(), top, branch, base, commits }))
    }

    /// How many commits there are.
    pub(super) fn len(&self) -> usize {
        self.commits.len()
    }

    /// Commit `n` of them, oldest first, after the last message before it, with what it changed since the one before, or since the commit
    /// that the session began at: `said` are the messages that there are, in the order in which they were said.
    pub(super) async fn commit(
        &self,
        n: usize,
        said: &[(Timestamp, MessageId)],
    ) -> Result<Option<(ImportedCommit, Option<Patch>)>, GitError> {
        let Some(commit) = self.commits.get(n) else { return Ok(None) };
        let Some(at) = Timestamp::from_unix(commit.at) else { return Ok(None) };
        // A commit's time has no fractions: what was said within its second was said before it.
        let end = Timestamp::from_unix(commit.at + 1).unwrap_or(at);
        let after = said.iter().rev().find(|(when, _)| *when < end).map(|(_, id)| *id);
        let base = self.base.as_deref().and_then(Sha::parse);
        let before =
            n.checked_sub(1).and_then(|n| self.commits.get(n)).map(|before| &before.sha).or(base.as_ref());
        let mut patch = Vec::new();
        let (changes, written) =
            self.git.patch_in(&self.top, before, &commit.sha, Some(LARGEST_PATCH), &mut patch).await?;
        let patch = (!written.truncated && !patch.is_empty()).then(|| Patch::of(patch));
        let commit = ImportedCommit {
            commit_sha: commit.sha.to_string(),
            branch_name: self.branch.clone().unwrap_or_default(),
            message: commit.subject.replace('\0', " "),
            at,
            after,
            files_changed: changes.iter().map(file_change).collect(),
            patch_hash: patch.as_ref().map(|patch| patch.hash.clone()),
        };
        Ok(Some((commit, patch)))
    }
}

impl Patch {
    fn of(bytes: Vec<u8>) -> Self {
        Self { hash: blake3::hash(&bytes).to_hex().to_string(), bytes }
    }
}
