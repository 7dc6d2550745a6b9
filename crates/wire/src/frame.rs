//! The frames between a daemon and the server: JSON texts on one WebSocket (`docs/protocol.md`).
//!
//! Everything durable has an identity, is acknowledged after it is durable on the other side, and may be sent again:
//! entries of a run by (run, number), commands by their id. What has none (heartbeats, deltas) may be lost.

mod command;

pub use command::{
    Bundled, BundledTag, Checkpointed, Command, CommandOutcome, CommandResult, CopiedFiles, Input,
    LastCheckpoint, Refusal, RepositorySeen, ResumeFrom, Secret, StartRun, WantedBundle, WantedDiff,
};

use crate::DeltaKind;
use makima_model::{AgentInfo, CommandId, DaemonId, Entry, Message, MessageId, NativeLine, RunId};
use serde::{Deserialize, Serialize};

/// The version of this protocol. A server and a daemon work together only where it is equal.
pub const PROTOCOL: u32 = 1;

/// What a daemon says first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// The version of the protocol that it speaks.
    pub protocol: u32,
    /// Its id, which it made once and keeps.
    pub daemon: DaemonId,
    /// Its name, for people.
    pub name: String,
    /// The machine's name.
    pub hostname: String,
    /// The version of its program.
    pub version: String,
    /// What it can run.
    pub agents: Vec<AgentInfo>,
    /// How many workers it runs at once.
    pub max_concurrent_tasks: i64,
    /// The runs that it still has something to say of: their host lives, or entries are not acknowledged.
    pub runs: Vec<RunId>,
}

/// From a daemon to the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase", tag = "frame")]
pub enum FromDaemon {
    /// Who it is: the first frame of a connection.
    Hello(Hello),
    /// It is still there. Sent at once when its trouble begins or is over: that needs no disk.
    Heartbeat {
        /// What keeps it from working, in a sentence for people: there is no room on its disk, for example.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trouble: Option<String>,
    },
    /// Entries of a run's journal, ascending, without holes among them.
    Entries {
        /// The run.
        run: RunId,
        /// The entries.
        entries: Vec<Entry>,
    },
    /// A piece of a message that is not complete: live only.
    Delta {
        /// The run.
        run: RunId,
        /// The newest entry of the run when the piece came: it is told after that one.
        after: u64,
        /// The message that it will be part of.
        message: MessageId,
        /// Whether it is said or thought.
        kind: DeltaKind,
        /// The piece.
        text: String,
    },
    /// The command is durable here and will be carried out.
    Acknowledged {
        /// The command.
        command: CommandId,
    },
    /// The command was carried out, or can't be. Sent again until it is [settled](ToDaemon::Settled).
    Finished {
        /// The command.
        command: CommandId,
        /// What came of it.
        outcome: CommandOutcome,
    },
}

/// A run that the server knows of, as it answers a hello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownRun {
    /// The run.
    pub run: RunId,
    /// The newest entry that is durable on the server; 0: none.
    pub last_entry: u64,
    /// Whether it was replaced by a newer run, or its task is gone: its agent shall be stopped.
    pub replaced: bool,
}

/// From the server to a daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase", tag = "frame")]
pub enum ToDaemon {
    /// The answer to a hello: the daemon is taken.
    Welcome {
        /// How often to send a heartbeat.
        heartbeat_seconds: u64,
        /// Those of the hello's runs that the server knows, and where to go on with each. A run that is not
        /// listed belongs to nobody: its agent shall be stopped, its journal kept.
        runs: Vec<KnownRun>,
    },
    /// The answer to a hello: the daemon is not taken, and the connection ends.
    Refused {
        /// Why, with what to do.
        message: String,
    },
    /// All entries of the run up to this number are durable.
    Ack {
        /// The run.
        run: RunId,
        /// The number.
        n: u64,
    },
    /// Something to do.
    Command {
        /// Its id: it is carried out once, however often it comes.
        id: CommandId,
        /// What.
        command: Command,
    },
    /// What came of the command is durable: the daemon may forget it.
    Settled {
        /// The command.
        command: CommandId,
    },
}

/// One line of the answer of `GET /api/v1/daemons/runs/{id}/session`: the conversation that a run goes on with, oldest
/// first, as JSON lines. Either all native lines, or, where the agent's own record isn't whole, all messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionLine {
    /// A line of the main file of the agent's own record.
    Native(NativeLine),
    /// A message.
    Message(Message),
}
