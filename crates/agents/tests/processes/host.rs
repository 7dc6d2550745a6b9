//! A run host as small as can be: it starts an agent's program, and carries out what the dialogue says.

use makima_agents::{Act, Agent, Delta, Dialogue, Ending, Exit, Input, Launch, Program};
use makima_model::{Answer, Clock, Message, MessageRole, Question, QuestionId, Record, TurnEnd};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::ExitStatusExt,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

/// Far above what anything takes: only a real fault reaches it.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running agent, and all that it said so far.
pub(crate) struct Host {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    stderr: Option<JoinHandle<String>>,
    dialogue: Box<dyn Dialogue>,
    clock: Clock,
    /// Every record, in order.
    pub(crate) records: Vec<Record>,
    /// Every live piece, in order.
    pub(crate) deltas: Vec<Delta>,
    /// Every line of the agent, as it came.
    pub(crate) stdout: Vec<Vec<u8>>,
}

impl Host {
    /// Starts `agent` for `launch`.
    pub(crate) fn start(agent: &dyn Agent, launch: &Launch) -> Self {
        let clock = Clock::system();
        let mut child = spawn(&agent.launch(launch).unwrap());
        let stdout = child.stdout.take().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n') {
                if send.send(line.unwrap()).is_err() {
                    break;
                }
            }
        });
        let stderr = thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut host = Self {
            input: child.stdin.take(),
            child,
            lines,
            stderr: Some(stderr),
            dialogue: agent.dialogue(launch, clock.clone()),
            clock,
            records: Vec::new(),
            deltas: Vec::new(),
            stdout: Vec::new(),
        };
        let acts = host.dialogue.open();
        host.act(acts);
        host
    }

    fn act(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Write(bytes) => {
                    let input = self.input.as_mut().expect("the agent's input is open");
                    // A program that is gone tells so by its end.
                    let _ = input.write_all(&bytes).and_then(|()| input.flush());
                }
                Act::Record(record) => self.records.push(record),
                Act::Delta(delta) => self.deltas.push(delta),
            }
        }
    }

    /// Says texts, as one turn.
    pub(crate) fn say(&mut self, texts: &[&str]) {
        let inputs: Vec<Input> =
            texts.iter().map(|text| Input { id: self.clock.new_id(), content: (*text).to_owned() }).collect();
        let acts = self.dialogue.say(&inputs);
        self.act(acts);
    }

    /// Reads until `done`.
    pub(crate) fn until(&mut self, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    let acts = self.dialogue.read(&line);
                    self.stdout.push(line);
                    self.act(acts);
                }
                Err(RecvTimeoutError::Timeout) => panic!("nothing came: {:#?}", self.records),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the agent ended: {} {:#?}", self.stderr(), self.records)
                }
            }
        }
    }

    fn stderr(&mut self) -> String {
        self.stderr.take().map(|stderr| stderr.join().unwrap()).unwrap_or_default()
    }

    /// Reads until the turn that is open has ended, and answers how.
    pub(crate) fn until_idle(&mut self) -> TurnEnd {
        self.until(|host| host.dialogue.is_idle());
        self.turns().pop().expect("a turn has ended")
    }

    /// Reads until the agent asks, and answers its last question.
    pub(crate) fn until_asked(&mut self) -> Question {
        let asked = self.questions().len();
        self.until(|host| host.questions().len() > asked);
        self.questions().pop().unwrap()
    }

    pub(crate) fn interrupt(&mut self) {
        let acts = self.dialogue.interrupt();
        self.act(acts);
    }

    pub(crate) fn answer(&mut self, question: QuestionId, answer: Answer) {
        let acts = self.dialogue.answer(question, &answer).unwrap();
        self.act(acts);
    }

    /// Kills the program, as by SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Closes the agent's input and reads what it says until it ends.
    pub(crate) fn finish(mut self) -> Ended {
        self.input = None;
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            let acts = self.dialogue.read(&line);
            self.stdout.push(line);
            // What is still to be written has nobody to read it.
            let acts = acts.into_iter().filter(|act| !matches!(act, Act::Write(_))).collect();
            self.act(acts);
        }
        let status = self.child.wait().unwrap();
        let stderr = self.stderr();
        let exit = Exit { code: status.code(), signal: status.signal(), stderr };
        let ending = self.dialogue.ended(&exit);
        let mut records = self.records;
        records.extend(ending.records.clone());
        Ended { records, exit, ending }
    }

    pub(crate) fn turns(&self) -> Vec<TurnEnd> {
        turns(&self.records)
    }

    pub(crate) fn questions(&self) -> Vec<Question> {
        let asked = self.records.iter().filter_map(|record| match record {
            Record::Asked { question } => Some(question.clone()),
            _ => None,
        });
        asked.collect()
    }
}

/// An agent that has ended.
pub(crate) struct Ended {
    pub(crate) records: Vec<Record>,
    pub(crate) exit: Exit,
    pub(crate) ending: Ending,
}

impl Ended {
    pub(crate) fn messages(&self) -> Vec<Message> {
        messages(&self.records)
    }

    pub(crate) fn turns(&self) -> Vec<TurnEnd> {
        turns(&self.records)
    }

    /// The session id that the agent told.
    pub(crate) fn session_id(&self) -> String {
        let told = self.records.iter().find_map(|record| match record {
            Record::Session { session_id, .. } => Some(session_id.clone()),
            _ => None,
        });
        told.expect("a session")
    }

    /// The session file as the server would have it written: native lines where there are any, else the message.
    pub(crate) fn session_file(&self, agent: &dyn Agent, launch: &Launch, native: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let mut file = agent.session_file(&self.session_id(), &launch.worktree);
        for message in self.messages() {
            let mut any = false;
            for line in self.native_of(&message).filter(|_| native) {
                file.native(line, &mut out);
                any = true;
            }
            if !any {
                file.message(&message, &mut out);
            }
        }
        file.finish(&mut out);
        out
    }

    fn native_of<'a>(&'a self, of: &Message) -> impl Iterator<Item = &'a makima_model::NativeLine> {
        let of = of.id;
        self.records.iter().flat_map(move |record| match record {
            Record::Native { message, file, lines } if *message == Some(of) && file.is_empty() => {
                lines.as_slice()
            }
            _ => &[],
        })
    }
}

pub(crate) fn messages(records: &[Record]) -> Vec<Message> {
    let said = records.iter().filter_map(|record| match record {
        Record::Message { message } => Some(message.clone()),
        _ => None,
    });
    said.collect()
}

fn turns(records: &[Record]) -> Vec<TurnEnd> {
    let ended = records.iter().filter_map(|record| match record {
        Record::TurnEnded(end) => Some(end.clone()),
        _ => None,
    });
    ended.collect()
}

/// A conversation in few words: one line a message.
pub(crate) fn outline(messages: &[Message]) -> Vec<String> {
    let line = |message: &Message| {
        let calls: Vec<&str> = message.tool_calls.iter().map(|call| call.name.as_str()).collect();
        match message.role {
            MessageRole::Tool => format!(
                "tool {}{}: {}",
                message.tool_name.as_deref().unwrap_or_default(),
                if message.is_error == Some(true) { " failed" } else { "" },
                message.tool_result.as_deref().unwrap_or_default(),
            ),
            role => format!(
                "{role}{}: {}{}",
                if message.incomplete { " (incomplete)" } else { "" },
                message.content,
                if calls.is_empty() { String::new() } else { format!(" [{}]", calls.join(", ")) },
            ),
        }
    };
    messages.iter().map(line).collect()
}

fn spawn(program: &Program) -> Child {
    for folder in &program.folders {
        fs::create_dir_all(folder).unwrap();
    }
    for file in &program.files {
        fs::create_dir_all(file.path.parent().unwrap()).unwrap();
        fs::write(&file.path, &file.contents).unwrap();
    }
    let mut command = Command::new(&program.command[0]);
    command
        .args(&program.command[1..])
        .env_clear()
        .envs(&program.environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(folder) = &program.working_folder {
        command.current_dir(folder);
    }
    command.spawn().unwrap()
}
