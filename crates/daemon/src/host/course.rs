//! The course of a run: turn after turn, until nothing is queued or somebody stops it.
//!
//! Everything happens in one loop, so nothing needs a lock: what the agent writes, what the daemon says and what time brings
//! becomes records and writes; the records are made durable together, and only then is anything said.

use super::{
    agent_process::AgentProcess,
    daemon_side::{DaemonSide, Event},
    lines::{LONGEST, Line, Lines},
    quiet::Quiet,
    reached::Reached,
    spec::HostSpec,
    streamed::Streamed,
};
use crate::{
    DaemonError,
    error::told,
    journal::Journal,
    socket::{FromHost, Piece, ToHost},
    trouble::told_with_advice,
};
use makima_agents::{Act, Dialogue, Exit, Input};
use makima_model::{
    Answer, Clock, MessageId, NoticeLevel, QuestionId, Record, RunEnd, RunOutcome, StopReason,
};
use rustix::process::{Signal, WaitStatus};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    path::Path,
    time::{Duration, Instant},
};
use tokio::{
    io::AsyncReadExt,
    net::UnixListener,
    process::ChildStdout,
    signal::unix::{SignalKind, signal},
};

/// How long the output of an agent that has exited is waited for, when nothing that could hold it is alive.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long to wait before a journal that could not be written is tried again. The agent waits meanwhile.
const NEXT_TRY: Duration = Duration::from_secs(1);

/// How far an agent has been brought to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It works, or waits for the daemon between two turns.
    Working,
    /// Its turn was interrupted.
    Interrupted,
    /// Its input is closed.
    Closed,
    /// It was sent SIGTERM.
    Terminated,
    /// It was sent SIGKILL.
    Killed,
}

pub(super) struct Course {
    spec: HostSpec,
    journal: Journal,
    daemon: DaemonSide,
    dialogue: Box<dyn Dialogue>,
    queue: VecDeque<Vec<Input>>,
    /// All inputs that were ever taken: the same one again is no other.
    taken: BTreeSet<MessageId>,
    answered: BTreeMap<QuestionId, Answer>,
    /// Turns that the daemon has not kept yet.
    unkept: BTreeSet<u32>,
    /// When the journal is written again that the disk did not take: until then the agent is not read.
    held_up: Option<Instant>,
    /// Up to where the journal may be written before the agent waits; nobody has said it before a daemon comes.
    room: Option<u64>,
    /// Whether the agent waits for room: what it writes stays in its pipe.
    is_waiting: bool,
    stage: Stage,
    stop: Option<StopReason>,
    /// Whether the agent's work is done, and only its exit is waited for.
    is_done: bool,
    deadline: Option<Instant>,
    quiet: Quiet,
    reached: Reached,
    streamed: Streamed,
    /// What is to be made durable, and what is to be written, closed and said once it is.
    records: Vec<Record>,
    writes: Vec<Vec<u8>>,
    is_closing: bool,
    says: Vec<FromHost>,
}

impl Course {
    pub(super) fn begin(
        folder: &Path,
        spec: HostSpec,
        journal: Journal,
        listener: UnixListener,
    ) -> Result<Self, DaemonError> {
        let dialogue = spec.agent()?.dialogue(&spec.launch(folder), Clock::system());
        let first: Vec<Input> = spec.inputs.iter().map(input).collect();
        Ok(Self {
            daemon: DaemonSide::open(listener, journal.durable()),
            taken: first.iter().map(|input| input.id).collect(),
            quiet: Quiet::new(spec.patience.quiet),
            reached: Reached::default(),
            streamed: Streamed::open(folder),
            queue: (!first.is_empty()).then_some(first).into_iter().collect(),
            spec,
            journal,
            dialogue,
            answered: BTreeMap::new(),
            unkept: BTreeSet::new(),
            held_up: None,
            room: None,
            is_waiting: false,
            stage: Stage::Working,
            stop: None,
            is_done: false,
            deadline: None,
            records: Vec::new(),
            writes: Vec::new(),
            is_closing: false,
            says: Vec::new(),
        })
    }

    /// Runs the agent to its end. Afterwards no process of it is left.
    pub(super) async fn run(mut self) -> Result<RunEnd, DaemonError> {
        let signals =
            |kind| signal(kind).map_err(|source| DaemonError::Host { act: "watch for signals", source });
        let mut children = signals(SignalKind::child())?;
        let mut terminate = signals(SignalKind::terminate())?;
        let (mut agent, mut stdout) = match AgentProcess::start(self.spec.run, &self.spec.program) {
            Ok(started) => started,
            Err(error) => return Ok(self.not_started(&error)),
        };
        self.records.push(Record::Spawned { pid: agent.id() });
        let acts = self.dialogue.open();
        self.take(acts);
        let mut lines = Lines::new(LONGEST);
        let mut is_open = true;
        self.proceed();
        let status = loop {
            self.settle(&mut agent);
            if self.look_for_room() {
                self.settle(&mut agent);
            }
            let (deadline, daemon_gone) = (self.deadline, self.daemon_gone_at());
            let is_at_work = self.stage == Stage::Working && !self.dialogue.is_idle();
            let quiet = self.quiet.at().filter(|_| is_at_work && !self.is_paused());
            tokio::select! {
                read = stdout.read_buf(lines.room()), if is_open && !self.is_paused() => {
                    is_open = matches!(read, Ok(1..));
                    self.quiet.heard();
                    self.read(&mut lines);
                    if !is_open && self.deadline.is_none() {
                        // An agent that says nothing more has to go.
                        self.deadline = Some(Instant::now() + self.spec.patience.stop);
                    }
                }
                event = self.daemon.next() => self.hear(event),
                _ = children.recv() => {}
                _ = terminate.recv() => self.stop(StopReason::Shutdown),
                () = until(self.held_up) => self.quiet.heard(),
                () = until(deadline) => self.step(&agent),
                () = until(quiet) => {
                    let told = self.quiet.tell();
                    self.note(told);
                }
                () = until(daemon_gone) => self.stop(StopReason::DaemonLost),
            }
            // Whatever was heard of first: an agent that is gone is told nothing more.
            if let Some(status) = agent.reap() {
                break status;
            }
            self.proceed();
        };
        self.end(agent, stdout, lines, status).await
    }

    /// Whether the agent waits: for the disk, or for room. What it writes stays in its pipe.
    fn is_paused(&self) -> bool {
        self.held_up.is_some() || self.is_waiting
    }

    /// Takes what the agent wrote, line by line.
    fn read(&mut self, lines: &mut Lines) {
        while let Some(line) = lines.next() {
            let acts = match line {
                Line::Whole(line) => self.dialogue.read(line),
                Line::TooLong => vec![too_long()],
            };
            self.take(acts);
        }
    }

    fn take(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Write(bytes) => self.writes.push(bytes),
                Act::Delta(delta) => {
                    self.streamed.add(&delta);
                    self.daemon.show_delta(Piece { after: self.newest(), delta });
                }
                Act::Record(record) => self.note(record),
            }
        }
    }

    /// The number of the newest entry, those counted that aren't durable yet.
    fn newest(&self) -> u64 {
        self.journal.durable().n + self.records.len() as u64
    }

    fn note(&mut self, record: Record) {
        self.quiet.note(&record);
        self.reached.note(&record);
        self.streamed.note(&record);
        if let Record::TurnEnded(end) = &record {
            self.unkept.insert(end.turn);
            self.says.push(FromHost::TurnEnded { turn: end.turn });
        }
        self.records.push(record);
    }

    /// Makes the records durable; then what rests on them is written and said.
    fn settle(&mut self, agent: &mut AgentProcess) {
        let is_durable = self.make_durable();
        // An agent that is to stop is told so whatever the disk does.
        if is_durable || self.stop.is_some() {
            self.writes.drain(..).for_each(|bytes| agent.write(bytes));
            if self.is_closing {
                agent.close_input();
            }
        }
        if is_durable {
            self.streamed.write();
            self.says.drain(..).for_each(|what| self.daemon.tell(what));
        }
    }

    /// Whether the records are durable. Where the disk doesn't take them they wait, and the agent with them.
    fn make_durable(&mut self) -> bool {
        if self.held_up.is_some_and(|next| Instant::now() < next) {
            return false;
        }
        if let Err(error) = self.journal.append(&self.records) {
            if self.held_up.is_none() {
                tracing::error!(error = told(&error), "the journal can't be written; the agent waits");
                let why = format!("an agent is paused: {}", told_with_advice(&error));
                self.daemon.show_held_up(Some(why));
            }
            self.held_up = Some(Instant::now() + NEXT_TRY);
            return false;
        }
        self.records.clear();
        if self.held_up.take().is_some() {
            tracing::warn!("the journal can be written again; the agent goes on");
            self.daemon.show_held_up(None);
        }
        self.daemon.show(self.journal.durable());
        true
    }

    /// Makes what an agent that is gone has said durable, however long the disk doesn't take it.
    async fn make_rest_durable(&mut self) {
        while !self.make_durable() {
            // A daemon that comes is shown why; it has nothing more to say to this run.
            let _ = tokio::time::timeout(NEXT_TRY, self.daemon.next()).await;
        }
    }

    /// Whether an agent that works has to wait for room, or may go on. An agent that is being stopped is read to its end: its
    /// last words have their room.
    fn look_for_room(&mut self) -> bool {
        let is_full = self.room.is_some_and(|until| self.journal.durable().end >= until);
        let waits = is_full && self.stage == Stage::Working;
        if waits == self.is_waiting {
            return false;
        }
        self.is_waiting = waits;
        self.quiet.heard();
        let (level, text) = match waits {
            true => (
                NoticeLevel::Warning,
                "the agent is paused: as much of what it said as may wait on its machine (daemon.max_journal_bytes) waits for \
                 the server; it goes on by itself",
            ),
            false => (NoticeLevel::Info, "the agent is no longer paused"),
        };
        self.note(Record::Notice { level, text: text.to_owned(), failure: None });
        self.says.push(FromHost::Waits { waits });
        true
    }

    /// Begins the next turn or the end, if it is time for it.
    fn proceed(&mut self) {
        if self.held_up.is_some() && self.stop.is_none() {
            return;
        }
        let is_idle = self.dialogue.is_idle();
        match self.stage {
            Stage::Working if self.stop.is_some() => {
                let acts = self.dialogue.interrupt();
                self.take(acts);
                self.stage = Stage::Interrupted;
                self.deadline = Some(Instant::now() + self.spec.patience.interrupt);
                if is_idle {
                    self.close(self.spec.patience.stop);
                }
            }
            Stage::Working if is_idle && self.unkept.is_empty() => match self.queue.pop_front() {
                Some(inputs) => {
                    self.quiet.heard();
                    let acts = self.dialogue.say(&inputs);
                    self.take(acts);
                }
                None => {
                    self.is_done = true;
                    self.close(self.spec.patience.exit);
                }
            },
            Stage::Interrupted if is_idle => self.close(self.spec.patience.stop),
            _ => {}
        }
    }

    fn close(&mut self, patience: Duration) {
        self.is_closing = true;
        self.stage = Stage::Closed;
        self.deadline = Some(Instant::now() + patience);
    }

    /// The time for the present stage is over.
    fn step(&mut self, agent: &AgentProcess) {
        let patience = self.spec.patience.stop;
        match self.stage {
            Stage::Interrupted => self.close(patience),
            Stage::Working | Stage::Closed => {
                agent.signal(Signal::TERM);
                self.stage = Stage::Terminated;
                self.deadline = Some(Instant::now() + patience);
            }
            Stage::Terminated | Stage::Killed => {
                agent.signal(Signal::KILL);
                self.stage = Stage::Killed;
                self.deadline = None;
            }
        }
    }

    fn stop(&mut self, reason: StopReason) {
        if self.stop.is_none() {
            self.stop = Some(reason);
        }
    }

    fn daemon_gone_at(&self) -> Option<Instant> {
        if self.stop.is_some() { None } else { self.daemon.gone_at(self.spec.patience.daemon) }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Came => {
                let unkept = self.unkept.iter().map(|turn| FromHost::TurnEnded { turn: *turn });
                self.says.extend(unkept);
                self.says.push(FromHost::Waits { waits: self.is_waiting });
            }
            Event::Said(ToHost::Room { until }) => self.room = Some(until),
            Event::Said(ToHost::Stop { reason }) => self.stop(reason),
            Event::Said(ToHost::TurnKept { turn, records }) => {
                // Said twice where two daemons came one after the other: it is written once.
                if self.unkept.remove(&turn) {
                    self.records.extend(records);
                }
            }
            Event::Said(ToHost::Input { input: said }) => {
                let id = said.id;
                let is_open = self.stage == Stage::Working && self.stop.is_none();
                let is_new = is_open && self.taken.insert(id);
                if is_new {
                    self.queue.push_back(vec![input(&said)]);
                }
                self.says.push(FromHost::Input { id, is_taken: self.taken.contains(&id) });
            }
            Event::Said(ToHost::Answer { question, answer }) => {
                let refusal = self.answer(question, &answer);
                self.says.push(FromHost::Answer { question, answer, refusal });
            }
        }
    }

    fn answer(&mut self, question: QuestionId, answer: &Answer) -> Option<String> {
        if self.answered.get(&question) == Some(answer) {
            return None;
        }
        match self.dialogue.answer(question, answer) {
            Ok(acts) => {
                self.take(acts);
                self.answered.insert(question, answer.clone());
                None
            }
            Err(error) => Some(told(&error)),
        }
    }

    async fn end(
        mut self,
        agent: AgentProcess,
        mut stdout: ChildStdout,
        mut lines: Lines,
        status: WaitStatus,
    ) -> Result<RunEnd, DaemonError> {
        agent.end_descendants().await;
        let _ = tokio::time::timeout(LAST_WORDS, async {
            while let Ok(1..) = stdout.read_buf(lines.room()).await {
                self.read(&mut lines);
            }
        })
        .await;
        self.read(&mut lines);
        let acts = match lines.rest() {
            Some(Line::Whole(line)) => self.dialogue.read(line),
            Some(Line::TooLong) => vec![too_long()],
            None => Vec::new(),
        };
        self.take(acts);
        let mut exit = agent.exit(status).await;
        let is_over = self.is_done || (self.dialogue.is_idle() && self.queue.is_empty());
        if let (None, true, Some(signal)) = (self.stop, is_over, status.terminating_signal()) {
            let text = format!(
                "the agent's program did not exit by itself when its work was done: signal {signal} ended it"
            );
            self.records.push(Record::Notice { level: NoticeLevel::Warning, text, failure: None });
            exit = Exit { code: Some(0), signal: None, stderr: exit.stderr };
        }
        let ending = self.dialogue.ended(&exit);
        let mut cut = None;
        for record in ending.records {
            if let Record::TurnEnded(_) = record {
                cut = Some(self.reached.to_string());
            }
            self.note(record);
        }
        self.make_rest_durable().await;
        Ok(match (self.stop, cut) {
            (Some(reason), _) => stopped(reason, self.spec.patience.daemon),
            (None, Some(point)) => {
                RunEnd { reason: ending.end.reason.map(|reason| format!("{reason} ({point})")), ..ending.end }
            }
            // What waits to be said to it is not said.
            (None, None) if exit.was_killed() && !self.queue.is_empty() => RunEnd {
                outcome: RunOutcome::Interrupted,
                reason: Some(exit.told(&self.reached.to_string())),
                failure: None,
            },
            (None, None) => ending.end,
        })
    }

    fn not_started(&self, error: &io::Error) -> RunEnd {
        let program = self.spec.program.command.first().map_or("", String::as_str);
        let name = &self.spec.agent.name;
        let reason = match error.kind() {
            io::ErrorKind::NotFound if !self.spec.worktree.is_dir() => {
                format!("the worktree {} is gone", self.spec.worktree.display())
            }
            io::ErrorKind::NotFound => format!(
                "the program {program:?} of the agent {name} was not found: install it, or set agents.{name}.command"
            ),
            _ => format!("the program {program:?} of the agent {name} could not be started: {error}"),
        };
        RunEnd { outcome: RunOutcome::Failed, reason: Some(reason), failure: None }
    }
}

/// How a run ends that somebody stopped.
pub(crate) fn stopped(reason: StopReason, patience: Duration) -> RunEnd {
    let reason = match reason {
        StopReason::Owner => "stopped by its owner".to_owned(),
        StopReason::Shutdown => "shutdown".to_owned(),
        StopReason::DaemonLost => format!("its daemon was gone for {} s", patience.as_secs()),
        StopReason::Replaced => "a newer run of the task took its place".to_owned(),
    };
    RunEnd { outcome: RunOutcome::Interrupted, reason: Some(reason), failure: None }
}

fn input(input: &makima_wire::frame::Input) -> Input {
    Input { id: input.id, content: input.content.clone() }
}

fn too_long() -> Act {
    let text = format!("the agent wrote a line of more than {} MiB; it was passed over", LONGEST >> 20);
    Act::Record(Record::Notice { level: NoticeLevel::Warning, text, failure: None })
}

async fn until(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when.into()).await,
        None => std::future::pending().await,
    }
}
