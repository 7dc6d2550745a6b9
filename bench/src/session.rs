//! A session of an agent: what its program wrote to its standard output, put through the adapter, as a run host does it, into the
//! entries of a run's journal.

mod long;
mod recorded;

pub(crate) use long::long;
pub(crate) use recorded::recorded;

use anyhow::Result;
use makima_agents::{Act, Agent, Dialogue, Exit, Input, Launch, claude::Claude};
use makima_model::{
    BlobRef, CheckpointId, CheckpointKind, CheckpointMade, Clock, Entry, FileAction, FileChange, Message,
    MessageId, PermissionMode, Record, RunId,
};
use std::collections::BTreeMap;

/// How many entries and bytes the daemon puts into a frame.
const MOST_ENTRIES: usize = 256;
const MOST_BYTES: usize = 1 << 20;

/// How much the program wrote.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stdout {
    /// Everything but deltas and mirror frames: what storage is measured by.
    pub(crate) counted: u64,
    pub(crate) deltas: u64,
    pub(crate) mirror: u64,
}

/// A session from its beginning to its end.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) records: Vec<Record>,
    pub(crate) stdout: Stdout,
}

/// Entries as they go over the network.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) text: String,
    /// The number of its last entry.
    pub(crate) last: u64,
}

impl Session {
    /// Its messages from number `start` on, round and round, each with an id of its own.
    pub(crate) fn messages(&self, start: usize, count: usize, clock: &Clock) -> Vec<Message> {
        let messages = self.records.iter().filter_map(|record| match record {
            Record::Message { message } => Some(message),
            _ => None,
        });
        let length = messages.clone().count().max(1);
        let some = messages.cycle().skip(start % length).take(count);
        some.map(|message| Message { id: clock.new_id(), ..message.clone() }).collect()
    }

    /// The frames in which a daemon sends them.
    pub(crate) fn frames(&self, run: RunId) -> Result<Vec<Frame>> {
        let at = Clock::system().now();
        let (mut frames, mut text, mut count) = (Vec::new(), String::new(), 0);
        let finished = |text: &str, last: u64| Frame {
            text: format!(r#"{{"frame":"entries","run":"{run}","entries":[{text}]}}"#),
            last,
        };
        let mut last = 0;
        for (n, record) in (1..).zip(&self.records) {
            if count == MOST_ENTRIES || text.len() >= MOST_BYTES {
                frames.push(finished(&text, last));
                text.clear();
                count = 0;
            }
            text.push_str(if count == 0 { "" } else { "," });
            text.push_str(&serde_json::to_string(&Entry { n, at, record: record.clone() })?);
            (last, count) = (n, count + 1);
        }
        if count > 0 {
            frames.push(finished(&text, last));
        }
        Ok(frames)
    }

    /// The sizes of the messages' JSON, ascending.
    pub(crate) fn message_sizes(&self) -> Result<Vec<usize>> {
        let mut sizes = Vec::new();
        for record in &self.records {
            if let Record::Message { message } = record {
                sizes.push(serde_json::to_vec(message)?.len());
            }
        }
        sizes.sort_unstable();
        Ok(sizes)
    }

    /// How many lines of the agent's own record there are.
    pub(crate) fn native_lines(&self) -> usize {
        let lines = |record: &Record| match record {
            Record::Native { lines, .. } => lines.len(),
            _ => 0,
        };
        self.records.iter().map(lines).sum()
    }
}

/// Puts what a program writes through its adapter.
struct Recorder {
    dialogue: Box<dyn Dialogue>,
    clock: Clock,
    session: Session,
    checkpoints: i64,
    last: Option<CheckpointId>,
}

impl Recorder {
    fn new() -> Self {
        let clock = Clock::system();
        let agent = Claude {
            name: "claude".to_owned(),
            command: vec!["claude".to_owned()],
            environment: BTreeMap::new(),
            permission_mode: PermissionMode::Bypass,
        };
        let launch = Launch {
            run: clock.new_id(),
            task: clock.new_id(),
            contract: None,
            worktree: "/w".into(),
            folder: "/f".into(),
            permission_mode: PermissionMode::Bypass,
            resume: None,
            trusted: false,
            root: false,
            instructions: None,
            environment: BTreeMap::new(),
            variables: BTreeMap::new(),
        };
        let records = vec![
            Record::Prepared {
                worktree_path: "/srv/worktrees/one".into(),
                branch_name: "makima/one-0a1b2c3d".into(),
                base_branch: "main".into(),
                base_commit: "1".repeat(40),
            },
            Record::Spawned { pid: 4711 },
        ];
        Self {
            dialogue: agent.dialogue(&launch, clock.clone()),
            clock,
            session: Session { records, stdout: Stdout::default() },
            checkpoints: 0,
            last: None,
        }
    }

    fn open(&mut self) {
        let acts = self.dialogue.open();
        self.take(acts);
    }

    fn say(&mut self, content: &str) -> MessageId {
        let id = self.clock.new_id();
        self.say_as(id, content);
        id
    }

    fn say_as(&mut self, id: MessageId, content: &str) {
        let acts = self.dialogue.say(&[Input { id, content: content.to_owned() }]);
        self.take(acts);
    }

    /// A line of the program's output, without its end.
    fn read(&mut self, line: &[u8]) {
        let bytes = line.len() as u64 + 1;
        let stdout = &mut self.session.stdout;
        let is_of = |kind: &str| line.starts_with(format!("{{\"type\":\"{kind}\"").as_bytes());
        if is_of("stream_event") {
            stdout.deltas += bytes;
        } else if is_of("transcript_mirror") {
            stdout.mirror += bytes;
        } else {
            stdout.counted += bytes;
        }
        let acts = self.dialogue.read(line);
        self.take(acts);
    }

    fn take(&mut self, acts: Vec<Act>) {
        for act in acts {
            if let Act::Record(record) = act {
                let turn = match &record {
                    Record::TurnEnded(end) => Some(end.turn),
                    _ => None,
                };
                self.session.records.push(record);
                if let Some(turn) = turn {
                    let made = self.checkpoint(turn);
                    self.session.records.push(Record::Checkpoint(made));
                }
            }
        }
    }

    /// The checkpoint that the daemon makes after a turn.
    fn checkpoint(&mut self, turn: u32) -> CheckpointMade {
        self.checkpoints += 1;
        let id = self.clock.new_id();
        let file = |n: i64| FileChange {
            path: format!("crates/session/src/part_{}/file_{n}.rs", self.checkpoints % 17),
            path_bytes: None,
            action: if n == 0 { FileAction::Added } else { FileAction::Modified },
            old_path: None,
            additions: 12,
            deletions: 7,
            binary: false,
        };
        let files_changed: Vec<FileChange> = (0..1 + self.checkpoints % 7).map(file).collect();
        let hash = |seed: i64| blake3::hash(&seed.to_le_bytes()).to_hex().to_string();
        CheckpointMade {
            id,
            number: self.checkpoints,
            kind: CheckpointKind::Turn,
            turn: Some(turn),
            at: self.clock.now(),
            commit_sha: hash(self.checkpoints)[..40].to_owned(),
            branch_name: "makima/one-0a1b2c3d".into(),
            message: format!("Make the session faster (turn {turn})"),
            previous: self.last.replace(id),
            lines_added: 12 * files_changed.len() as u64,
            lines_removed: 7 * files_changed.len() as u64,
            files_changed,
            not_held: Vec::new(),
            patch: Some(BlobRef { hash: hash(-self.checkpoints), bytes: 3000 }),
        }
    }

    fn finish(mut self) -> Session {
        let ending = self.dialogue.ended(&Exit { code: Some(0), ..Exit::default() });
        self.session.records.extend(ending.records);
        self.session.records.push(Record::Ended(ending.end));
        self.session
    }
}

/// The number in the middle; 0 of none.
pub(crate) fn median_size(sorted: &[usize]) -> usize {
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}
