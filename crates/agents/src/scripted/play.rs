//! The scripted agent's program.

mod error;
mod options;
mod questions;

pub use error::PlayError;

use self::options::Options;
use super::{
    history::{self, Remembered},
    line::{Line, Outcome, Said, Told},
    scenario::{Ask, Block, Scenario, Step},
    tools::{Running, ToolResult, on_files},
};
use makima_model::{FailureKind, PermissionMode, ToolCall, Usage};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

/// How often a file or a command that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Lines that no agent should write, and some do.
const GARBAGE: &[&[u8]] = &[
    b"Segmentation fault (core dumped), or so it says",
    b"{\"type\":\"message\",\"text\":\"cut in the mid",
    b"{\"type\":\"of another protocol\",\"value\":[1,2,3]}",
    b"{\"type\":\"text\",\"text\":\"a lone \\ud800 surrogate\"}",
    b"\xff\xfe\x80 not UTF-8 \xc3",
    b"\0\0\0",
    b"",
    b"[]",
];

/// Plays a scenario until `input` ends, and answers the exit code.
///
/// `arguments` are those after the program's own name and subcommand, as the adapter gives them.
///
/// # Errors
///
/// When it can't begin or go on; the caller says so on standard error and exits with a code other than 0.
pub fn play(
    input: impl Read + Send + 'static,
    mut output: impl Write,
    arguments: &[String],
) -> Result<u8, PlayError> {
    if arguments == ["--version"] {
        writeln!(output, "{}", env!("CARGO_PKG_VERSION")).map_err(PlayError::Output)?;
        return Ok(0);
    }
    let options = Options::read(arguments)?;
    let mut player = Player::new(options, told_by(input), output)?;
    match player.run() {
        Ok(code) | Err(Cut::Exit(code)) => Ok(code),
        Err(Cut::Broken(error)) => Err(error),
        // A turn takes these up; outside of one there is nothing to cut.
        Err(Cut::Interrupted | Cut::Failed { .. }) => Ok(1),
    }
}

/// What is told, read on a thread of its own so that an interrupt is heard in the middle of a step.
fn told_by(input: impl Read + Send + 'static) -> Receiver<Result<Told, PlayError>> {
    let (tell, told) = channel();
    thread::spawn(move || {
        for line in BufReader::new(input).split(b'\n') {
            let Ok(line) = line else { break };
            let line = serde_json::from_slice(&line).map_err(|_| PlayError::Input {
                line: String::from_utf8_lossy(&line).chars().take(200).collect(),
            });
            if tell.send(line).is_err() {
                break;
            }
        }
    });
    told
}

/// Why a step doesn't go on.
enum Cut {
    Interrupted,
    Failed { kind: FailureKind, message: String },
    Exit(u8),
    Broken(PlayError),
}

impl From<PlayError> for Cut {
    fn from(error: PlayError) -> Self {
        Self::Broken(error)
    }
}

struct Player<W> {
    options: Options,
    scenario: Scenario,
    history: Vec<Remembered>,
    session: File,
    told: Receiver<Result<Told, PlayError>>,
    output: W,
    waiting: VecDeque<Vec<Said>>,
    asked: usize,
    usage: Usage,
    cost_usd: Option<f64>,
}

/// A message that is being streamed.
#[derive(Default)]
struct Draft {
    text: String,
    thinking: Option<String>,
    calls: Vec<ToolCall>,
    pieces: usize,
}

impl<W: Write> Player<W> {
    fn new(options: Options, told: Receiver<Result<Told, PlayError>>, output: W) -> Result<Self, PlayError> {
        let path = &options.scenario;
        let scenario =
            fs::read(path).map_err(|source| PlayError::ReadScenario { path: path.clone(), source })?;
        let scenario = serde_json::from_slice(&scenario)
            .map_err(|source| PlayError::Scenario { path: path.clone(), source })?;
        let (history, session) = remembered(&options.session)
            .map_err(|source| PlayError::Session { path: options.session.clone(), source })?;
        Ok(Self {
            options,
            scenario,
            history,
            session,
            told,
            output,
            waiting: VecDeque::new(),
            asked: 0,
            usage: Usage::default(),
            cost_usd: None,
        })
    }

    fn run(&mut self) -> Result<u8, Cut> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.write(&Line::Ready { session: self.options.session_id.clone(), version })?;
        let mut code = 0;
        while let Some(messages) = self.next_turn()? {
            (self.usage, self.cost_usd) = (Usage::default(), None);
            let outcome = match self.turn(messages) {
                Ok(()) => Outcome::Completed,
                Err(Cut::Interrupted) => Outcome::Interrupted,
                Err(Cut::Failed { kind, message }) => Outcome::Failed { kind, message },
                Err(end) => return Err(end),
            };
            code = u8::from(matches!(outcome, Outcome::Failed { .. }));
            self.write(&Line::Turn { outcome, usage: self.usage, cost_usd: self.cost_usd })?;
        }
        Ok(code)
    }

    fn next_turn(&mut self) -> Result<Option<Vec<Said>>, Cut> {
        loop {
            if let Some(messages) = self.waiting.pop_front() {
                return Ok(Some(messages));
            }
            match self.told.recv() {
                Ok(told) => self.hear(told?),
                Err(_) => return Ok(None),
            }
        }
    }

    /// Takes what needs no answer now. An interrupt or an answer that comes too late is for nobody.
    fn hear(&mut self, told: Told) {
        if let Told::Say { messages } = told {
            self.waiting.push_back(messages);
        }
    }

    fn turn(&mut self, messages: Vec<Said>) -> Result<(), Cut> {
        for Said { id, content } in messages {
            let native = self.remember(Remembered::User { uuid: id.clone(), text: content })?;
            self.write(&Line::Heard { id, native })?;
        }
        while self.step()? {}
        Ok(())
    }

    /// Plays the next step; answers whether another follows.
    fn step(&mut self) -> Result<bool, Cut> {
        let step = self.scenario.next(&self.history, &self.options.worktree.to_string_lossy());
        self.pause(step.delay())?;
        if step.gate_after_chunks == 0 {
            self.pass_gate(&step)?;
        }
        if step.garbage {
            for line in GARBAGE {
                self.write_bytes(line)?;
            }
        }
        if let Some(error) = &step.error {
            let message = format!("{} {}", error.status, error.message);
            return Err(Cut::Failed { kind: failure_kind(error.status, &error.kind), message });
        }
        let mut draft = Draft::default();
        let streamed = self.stream(&step, &mut draft).and_then(|()| self.break_off(&step));
        self.usage += step.usage.into();
        if let Some(cost) = step.cost_usd {
            self.cost_usd = Some(self.cost_usd.unwrap_or_default() + cost);
        }
        if let Err(cut) = streamed {
            if matches!(cut, Cut::Interrupted | Cut::Failed { .. }) && draft.pieces > 0 {
                draft.calls.clear();
                self.complete(draft, &step, true)?;
            }
            return Err(cut);
        }
        let calls = self.complete(draft, &step, false)?;
        let more = !calls.is_empty();
        self.call(calls)?;
        Ok(more)
    }

    /// Waits for the file of a step that waits for one.
    fn pass_gate(&mut self, step: &Step) -> Result<(), Cut> {
        if let Some(file) = &step.wait_for_file {
            let file = self.options.worktree.join(file);
            while !file.exists() {
                self.pause(LOOK)?;
            }
        }
        Ok(())
    }

    fn stream(&mut self, step: &Step, draft: &mut Draft) -> Result<(), Cut> {
        for block in &step.content {
            match block {
                Block::Text { text } => {
                    if !draft.text.is_empty() {
                        draft.text.push_str("\n\n");
                    }
                    for piece in pieces(text, step.chunk) {
                        self.cut_off(step, draft)?;
                        self.write(&Line::Text { text: piece.to_owned() })?;
                        draft.text.push_str(piece);
                        self.pause(step.chunk_delay())?;
                    }
                }
                Block::Thinking { thinking, .. } => {
                    for piece in pieces(thinking, step.chunk) {
                        self.cut_off(step, draft)?;
                        self.write(&Line::Thinking { text: piece.to_owned() })?;
                        draft.thinking.get_or_insert_default().push_str(piece);
                        self.pause(step.chunk_delay())?;
                    }
                }
                Block::ToolUse { id, name, input } => {
                    let id = id.clone().unwrap_or_else(|| self.call_id(draft));
                    draft.calls.push(ToolCall { id, name: name.clone(), input: input.clone() });
                }
            }
        }
        if let Some(Ask { text, choices, kind }) = &step.ask {
            let input = json!({"text": text, "choices": choices, "kind": kind});
            draft.calls.push(ToolCall { id: self.call_id(draft), name: "Ask".to_owned(), input });
        }
        Ok(())
    }

    /// Unique in the conversation, and the same each time that it is played.
    fn call_id(&self, draft: &Draft) -> String {
        format!("call-{}-{}", self.history.len(), draft.calls.len())
    }

    fn cut_off(&mut self, step: &Step, draft: &mut Draft) -> Result<(), Cut> {
        if draft.pieces > 0 && step.gate_after_chunks == draft.pieces {
            self.pass_gate(step)?;
        }
        if step.drop_after_chunks == Some(draft.pieces) {
            let message = "The connection to the model's service was cut".to_owned();
            return Err(Cut::Failed { kind: FailureKind::ServerError, message });
        }
        draft.pieces += 1;
        Ok(())
    }

    /// What may happen when the content of a message has been streamed and the message isn't complete.
    fn break_off(&mut self, step: &Step) -> Result<(), Cut> {
        if step.crash {
            // SIGKILL: nothing is cleaned up, nothing said.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
        if step.hang || step.crash {
            loop {
                thread::sleep(Duration::from_secs(60));
            }
        }
        if step.endless {
            loop {
                self.write(&Line::Text { text: "and so on, ".repeat(8) })?;
                self.pause(step.chunk_delay())?;
            }
        }
        step.exit.map_or(Ok(()), |exit| Err(Cut::Exit(exit.code)))
    }

    fn complete(&mut self, draft: Draft, step: &Step, incomplete: bool) -> Result<Vec<ToolCall>, Cut> {
        let Draft { text, thinking, calls, .. } = draft;
        let uuid = format!("message-{}", self.history.len());
        let native =
            self.remember(Remembered::Assistant { uuid, text: text.clone(), calls: calls.clone() })?;
        let usage = step.usage.into();
        self.write(&Line::Message { native, text, thinking, calls: calls.clone(), usage, incomplete })?;
        Ok(calls)
    }

    fn call(&mut self, calls: Vec<ToolCall>) -> Result<(), Cut> {
        let mut interrupted = false;
        for ToolCall { id, name, input } in calls {
            // A call without a result would be an open end in the conversation.
            let result = match interrupted {
                true => Err("Interrupted".to_owned()),
                false => match self.use_tool(&name, &input) {
                    Ok(result) => result,
                    Err(Cut::Interrupted) => {
                        interrupted = true;
                        Err("Interrupted".to_owned())
                    }
                    Err(cut) => return Err(cut),
                },
            };
            let error = result.is_err();
            let (Ok(text) | Err(text)) = result;
            let uuid = format!("message-{}", self.history.len());
            let native = self.remember(Remembered::Tool {
                uuid,
                call: id.clone(),
                tool: name.clone(),
                text: text.clone(),
                error,
            })?;
            self.write(&Line::Result { native, call: id, tool: name, text, error })?;
        }
        if interrupted { Err(Cut::Interrupted) } else { Ok(()) }
    }

    fn use_tool(&mut self, tool: &str, input: &Value) -> Result<ToolResult, Cut> {
        let mode = self.options.mode.unwrap_or(PermissionMode::Bypass);
        let must_ask = match tool {
            "Bash" => mode != PermissionMode::Bypass,
            "Write" | "Edit" => mode == PermissionMode::Ask,
            _ => false,
        };
        if must_ask
            && let refusal @ Err(_) = self.permission(&format!("{tool}: may it run?"), Some((tool, input)))?
        {
            return Ok(refusal);
        }
        match tool {
            "Bash" => self.run_command(input),
            "Ask" => self.ask_as_told(input),
            "AskUserQuestion" => self.ask_all(input),
            _ => Ok(on_files(tool, input, &self.options.worktree)
                .unwrap_or_else(|| Err(format!("There is no tool {tool}")))),
        }
    }

    fn run_command(&mut self, input: &Value) -> Result<ToolResult, Cut> {
        let mut running = match Running::start(input, &self.options.worktree) {
            Ok(running) => running,
            Err(error) => return Ok(Err(error)),
        };
        while !running.is_over() {
            if let Err(cut) = self.pause(LOOK) {
                running.kill();
                return Err(cut);
            }
        }
        Ok(running.result())
    }

    /// Lets `time` pass, and hears what is said meanwhile.
    fn pause(&mut self, time: Duration) -> Result<(), Cut> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.told.recv_timeout(left) {
                Ok(told) => match told? {
                    Told::Interrupt => return Err(Cut::Interrupted),
                    told => self.hear(told),
                },
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => {
                    thread::sleep(left);
                    return Ok(());
                }
            }
        }
    }

    /// Takes a line into the session, and answers it as it stands there.
    fn remember(&mut self, line: Remembered) -> Result<String, Cut> {
        let broken = |source| PlayError::Session { path: self.options.session.clone(), source };
        let native = serde_json::to_string(&line).map_err(|error| broken(error.into()))?;
        writeln!(self.session, "{native}").map_err(broken)?;
        self.history.push(line);
        Ok(native)
    }

    fn write(&mut self, line: &Line) -> Result<(), Cut> {
        let line = serde_json::to_vec(line).map_err(|error| PlayError::Output(error.into()))?;
        self.write_bytes(&line)
    }

    fn write_bytes(&mut self, line: &[u8]) -> Result<(), Cut> {
        let written = self.output.write_all(&[line, b"\n"].concat()).and_then(|()| self.output.flush());
        written.map_err(|error| PlayError::Output(error).into())
    }
}

/// What a session file holds, and the file, at its end.
fn remembered(path: &Path) -> io::Result<(Vec<Remembered>, File)> {
    let held = match fs::read(path) {
        Ok(held) => held,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok((history::read(&held), File::options().create(true).append(true).open(path)?))
}

fn pieces(text: &str, length: Option<usize>) -> Vec<&str> {
    let length = length.unwrap_or(24).max(1);
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).step_by(length).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).filter_map(|(from, to)| text.get(*from..to)).collect()
}

fn failure_kind(status: u16, kind: &str) -> FailureKind {
    match (kind, status) {
        ("rate_limit_error", _) | (_, 429) => FailureKind::RateLimit,
        ("authentication_error" | "permission_error", _) | (_, 401 | 403) => FailureKind::Authentication,
        ("billing_error", _) | (_, 402) => FailureKind::Billing,
        ("not_found_error", _) | (_, 404) => FailureKind::ModelNotFound,
        ("overloaded_error" | "api_error", _) | (_, 500..) => FailureKind::ServerError,
        ("invalid_request_error", _) | (_, 400) => FailureKind::InvalidRequest,
        _ => FailureKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_whole_characters_and_make_the_text_again() {
        assert_eq!(pieces("grüße!", Some(2)), ["gr", "üß", "e!"]);
        assert_eq!(pieces("", None), Vec::<&str>::new());
        assert_eq!(pieces("abc", Some(0)).concat(), "abc");
    }
}
