//! What the server tells a daemon to do, and what comes of it.

use crate::Code;
use makima_model::{
    Answer, CheckpointId, CheckpointMade, ContractId, ExportId, MessageId, OwnerId, PermissionMode,
    QuestionId, RunId, StopReason, TaskId,
    diff::{GitDiff, Limits},
};
use serde::{Deserialize, Serialize};

/// Something to say to an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The id that it has in the conversation.
    pub id: MessageId,
    /// What to say.
    pub content: String,
}

/// Which conversation a run goes on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResumeFrom {
    /// The agent's own id of the conversation.
    pub session_id: String,
    /// How many messages it has: what the daemon fetches from the server is written before the agent starts.
    pub message_count: i64,
}

/// The checkpoint that the next one follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastCheckpoint {
    /// Its id.
    pub id: CheckpointId,
    /// Its commit.
    pub commit: String,
    /// Its number.
    pub number: i64,
}

impl From<&CheckpointMade> for LastCheckpoint {
    fn from(made: &CheckpointMade) -> Self {
        Self { id: made.id, commit: made.commit_sha.clone(), number: made.number }
    }
}

/// A run to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartRun {
    /// The run.
    pub run: RunId,
    /// Its number in the task.
    pub run_number: i64,
    /// The task.
    pub task: TaskId,
    /// The task's name.
    pub task_name: String,
    /// The contract, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<ContractId>,
    /// Whose it is.
    pub owner: OwnerId,
    /// The agent, by its name in the daemon's configuration.
    pub agent: String,
    /// What it may do without asking; `None`: as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_mode: Option<PermissionMode>,
    /// A local path or a git URL.
    pub repository: String,
    /// The branch to begin from; `None`: the repository's own default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_branch: Option<String>,
    /// The commit that the task was begun from, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_commit: Option<String>,
    /// The task's branch.
    pub branch_name: String,
    /// Whether the user's uncommitted changes are taken into a new worktree.
    pub include_uncommitted: bool,
    /// Whether what is left uncommitted at the end is committed.
    pub commit_on_finish: bool,
    /// The newest checkpoint of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_checkpoint: Option<LastCheckpoint>,
    /// The conversation to go on with; `None`: a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<ResumeFrom>,
    /// Files to copy into a new worktree from another task's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied: Option<CopiedFiles>,
    /// What to say first, as one turn.
    pub inputs: Vec<Input>,
    /// The key with which the agent's own calls are made. It is made when the command is sent, not before: the server keeps
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_key: Option<Secret>,
}

/// A difference that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WantedDiff {
    /// The task.
    pub task: TaskId,
    /// The older commit; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The newer commit.
    pub to: String,
    /// How many lines around a change go with it.
    pub context: u32,
    /// Whether changes of white space alone are none.
    pub ignore_whitespace: bool,
    /// The one file that is asked for, by its name before or now as it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How much of it may be told.
    pub limits: Limits,
}

/// Commits of one repository that are wanted as one git bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WantedBundle {
    /// The export that it is for: where its parts are sent.
    pub export: ExportId,
    /// Its number in that, from 1.
    pub number: u32,
    /// The repository, as its tasks have it.
    pub repository: String,
    /// Branches of tasks, as far as they are there. A clone of the bundle is on the first.
    pub branches: Vec<String>,
    /// Commits, and the tag that each has in the bundle.
    pub tags: Vec<BundledTag>,
}

/// A commit of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BundledTag {
    /// The tag's name, without `refs/tags/`.
    pub tag: String,
    /// The commit.
    pub commit: String,
}

/// What came of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bundled {
    /// How many bytes were sent; 0: there was nothing to make one of.
    pub bytes: u64,
    /// Commits that the clone doesn't have.
    pub missing: Vec<String>,
}

/// Files of a task's worktree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopiedFiles {
    /// The task.
    pub task: TaskId,
    /// Their paths in its worktree.
    pub files: Vec<String>,
}

/// Something that no log may tell.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Something for a daemon to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase", tag = "command")]
pub enum Command {
    /// Start a run. Done when it is durable here; how it goes is told by its entries.
    StartRun(Box<StartRun>),
    /// Say something at the end of the turn. Refused with `NOT_RUNNING` by a run that takes no more.
    Input {
        /// The run.
        run: RunId,
        /// What to say.
        input: Input,
    },
    /// Answer a question.
    Answer {
        /// The run.
        run: RunId,
        /// The question.
        question: QuestionId,
        /// The answer.
        answer: Answer,
    },
    /// Interrupt the agent, let its turn end, and end the run. Done when it has ended.
    Stop {
        /// The run.
        run: RunId,
        /// Why.
        reason: StopReason,
    },
    /// Make a checkpoint by hand. The answer is a [`Checkpointed`].
    Checkpoint {
        /// The task.
        task: TaskId,
        /// The run whose worktree it is: the newest of the task.
        run: RunId,
        /// The id that it will have.
        id: CheckpointId,
        /// What to call it.
        message: String,
        /// The newest checkpoint that the server knows.
        last: Option<LastCheckpoint>,
    },
    /// The next checkpoint of a task follows this one instead of the newest that was made, which is put away. Refused with
    /// `CONFLICT` where that isn't the newest.
    PutCheckpointAway {
        /// The task.
        task: TaskId,
        /// The checkpoint that is put away.
        checkpoint: CheckpointId,
        /// The one that the next follows.
        last: Option<LastCheckpoint>,
    },
    /// The next checkpoint of a task follows this one again, if it still is the newest that was made.
    BringCheckpointBack {
        /// The task.
        task: TaskId,
        /// The checkpoint that was put away.
        checkpoint: CheckpointId,
    },
    /// Erase everything of a task: what is known of its runs, its worktree, its branch and its refs in the daemon's own clone. What
    /// still works is stopped first. The user's own repository is left alone.
    PurgeTask {
        /// The task.
        task: TaskId,
    },
    /// Tell what differs between two commits that the clone of a task's repository has. The answer is a [`GitDiff`]. Refused with
    /// `CONFLICT` where it hasn't one of them.
    Diff(WantedDiff),
    /// Make a git bundle of commits, and send it in parts. The answer is a [`Bundled`], once all parts are there. Refused with
    /// `CONFLICT` where that can't be done, and with `NOT_FOUND` where nobody wants it any more.
    Bundle(WantedBundle),
    /// Look whether files of a task's worktree can be copied: they are there, files, and none leads out of it.
    CheckFiles {
        /// The task.
        task: TaskId,
        /// Their paths in its worktree.
        files: Vec<String>,
    },
    /// Look whether a repository and its branch can be reached from here. The answer is a [`RepositorySeen`].
    CheckRepository {
        /// A local path or a git URL.
        repository: String,
        /// The branch; `None`: the repository's own default.
        base_branch: Option<String>,
    },
}

/// What came of a checkpoint by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpointed {
    /// The checkpoint. Entries that were said before it were sent before it.
    pub made: CheckpointMade,
}

/// A repository that can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositorySeen {
    /// The branch that a task would begin from.
    pub base_branch: String,
    /// The commit; `None` in a repository without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_commit: Option<String>,
    /// Of a local repository: how many files have uncommitted changes, untracked ones counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncommitted_files: Option<u64>,
}

/// Why a command can't be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The code that the caller is answered with.
    pub code: Code,
    /// Why, in a sentence for people.
    pub message: String,
}

/// What a command that was carried out answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum CommandResult {
    /// Nothing more than that it was done.
    Done,
    /// Of [`Command::Checkpoint`].
    Checkpoint(Box<Checkpointed>),
    /// Of [`Command::CheckRepository`].
    Repository(RepositorySeen),
    /// Of [`Command::Diff`].
    Diff(GitDiff),
    /// Of [`Command::Bundle`].
    Bundle(Bundled),
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandOutcome {
    /// It was carried out.
    Done(CommandResult),
    /// It can't be.
    Refused(Refusal),
}
