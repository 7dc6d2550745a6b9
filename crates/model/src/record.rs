//! What a run's journal holds: everything that happened in it, in order.
//!
//! The journal is a run's one durable record on its machine. Its entries are numbered from 1 without holes; the server
//! takes each number of a run once, so an entry may be sent as often as it takes until it is acknowledged.

use crate::{
    AgentFailure, Answer, CheckpointMade, Message, MessageId, Question, QuestionId, RunEnd, Timestamp,
    TurnEnd, text::words,
};
use serde::{Deserialize, Serialize};

/// One line of a run's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number in the run, from 1.
    pub n: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What happened.
    pub record: Record,
}

words! {
    /// How much a notice matters.
    NoticeLevel, "level of a notice" {
        /// Worth knowing.
        Info = "info",
        /// Something is not as it should be, and the work goes on.
        Warning = "warning",
        /// Something went wrong.
        Error = "error",
    }
}

/// A line of the agent's own record, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeLine {
    /// The agent's id of the line, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// The line, without its end.
    pub line: String,
}

/// What became of the task branch in the user's own repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "to")]
pub enum Published {
    /// It was fetched there and points at this commit.
    Repository {
        /// The commit.
        commit: String,
    },
    /// It is checked out there and was left alone.
    CheckedOut {
        /// Where it is checked out.
        worktree: String,
    },
    /// The repository is remote: the branch stays in the daemon's clone.
    Clone,
    /// The repository could not take it.
    Failed {
        /// Git's words.
        message: String,
    },
}

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase", tag = "type")]
pub enum Record {
    /// The worktree is there.
    Prepared {
        /// Where.
        worktree_path: String,
        /// The task's branch.
        branch_name: String,
        /// The branch that it was begun from.
        base_branch: String,
        /// The commit that it was begun from; empty in a repository without a commit.
        base_commit: String,
    },
    /// The agent's program runs.
    Spawned {
        /// Its process id.
        pid: u32,
    },
    /// The agent told who it is.
    Session {
        /// The agent's own id of the conversation.
        session_id: String,
        /// The version of the agent's program, where it tells it.
        version: Option<String>,
        /// The model, where it tells it.
        model: Option<String>,
    },
    /// A message is complete.
    Message {
        /// The message.
        message: Message,
    },
    /// Lines that the agent added to its own record.
    Native {
        /// The message that they belong to; `None`: they stand before the first.
        message: Option<MessageId>,
        /// Which of the session's files, relative to the session: empty for the main one.
        file: String,
        /// The lines.
        lines: Vec<NativeLine>,
    },
    /// The agent waits for its owner.
    Asked {
        /// The question.
        question: Question,
    },
    /// The agent has its answer.
    Answered {
        /// The question.
        question: QuestionId,
        /// The answer; `None`: the agent no longer wants one.
        answer: Option<Answer>,
    },
    /// A turn ended.
    TurnEnded(TurnEnd),
    /// A checkpoint was made.
    Checkpoint(CheckpointMade),
    /// The turn changed no file: the last checkpoint still holds.
    Unchanged {
        /// The turn, from 1.
        turn: u32,
    },
    /// The checkpoint after a turn could not be made.
    CheckpointFailed {
        /// The turn, from 1.
        turn: u32,
        /// Why.
        message: String,
    },
    /// The task branch was taken to the user's repository, or not.
    Published {
        /// What became of it.
        published: Published,
    },
    /// Something to know that nobody said: a retry, a warning, output that is not the protocol's.
    Notice {
        /// How much it matters.
        level: NoticeLevel,
        /// What to know.
        text: String,
        /// Of a limit or an error of the model's service: what it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<AgentFailure>,
    },
    /// The run ended. Nothing follows.
    Ended(RunEnd),
}
