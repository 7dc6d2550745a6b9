//! The commits that were made in a session's repository while it went on. The repository is read, and nothing is written there.

use makima_agents::claude::recorded::Survey;
use makima_daemon::file_change;
use makima_git::{BranchName, Commit, Git, GitError, Source};
use makima_model::{MessageId, Timestamp};
use makima_wire::ImportedCommit;
use std::path::PathBuf;

/// The most commits of a session.
const MOST: usize = 1000;

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

    /// The commits, oldest first, each after the last message before it: `said` are the messages that there are, in the order
    /// in which they were said.
    pub(super) async fn commits(
        &self,
        said: &[(Timestamp, MessageId)],
    ) -> Result<Vec<ImportedCommit>, GitError> {
        let mut all = Vec::with_capacity(self.commits.len());
        for commit in &self.commits {
            let Some(at) = Timestamp::from_unix(commit.at) else { continue };
            // A commit's time has no fractions: what was said within its second was said before it.
            let before = Timestamp::from_unix(commit.at + 1).unwrap_or(at);
            let after = said.iter().rev().find(|(when, _)| *when < before).map(|(_, id)| *id);
            let changes = self.git.changes_in(&self.top, commit.parent.as_ref(), &commit.sha).await?;
            all.push(ImportedCommit {
                commit_sha: commit.sha.to_string(),
                branch_name: self.branch.clone().unwrap_or_default(),
                message: commit.subject.replace('\0', " "),
                at,
                after,
                files_changed: changes.iter().map(file_change).collect(),
            });
        }
        Ok(all)
    }
}
