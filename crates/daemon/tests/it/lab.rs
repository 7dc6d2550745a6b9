//! A daemon with all that it needs: a server, a repository, a scenario, a data folder.

use crate::server::Server;
use makima_agents::AgentConfig;
use makima_daemon::{CheckpointRules, Daemon, DaemonConfig, host::Patience};
use makima_failpoints::Failpoints;
use makima_model::{
    Clock, Entry, MessageId, MessageRole, Record, RunEnd, RunId, StopReason, TaskId, branch_name,
};
use makima_testkit::TestRepo;
use makima_wire::frame::{Command, CommandOutcome, Input, Secret, StartRun};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

pub struct Lab {
    pub server: Server,
    pub repo: TestRepo,
    pub clock: Clock,
    pub patience: Patience,
    pub agents: BTreeMap<String, AgentConfig>,
    pub failpoints: Failpoints,
    folder: TempDir,
}

impl Lab {
    /// A lab whose agent plays these scripts.
    pub async fn new(scripts: Value) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), scripts).await
    }

    /// The same in a folder of the test's.
    pub async fn in_folder(folder: TempDir, scripts: Value) -> Self {
        let scenario = folder.path().join("scenario.json");
        let vars = json!({"LAB": folder.path()});
        fs::write(&scenario, json!({"scripts": scripts, "vars": vars}).to_string()).unwrap();
        let scripted = AgentConfig { scenario: Some(scenario), ..AgentConfig::default() };
        let ms = Duration::from_millis;
        Self {
            server: Server::start().await,
            repo: TestRepo::new(),
            clock: Clock::system(),
            patience: Patience {
                interrupt: ms(5000),
                exit: ms(10_000),
                stop: ms(300),
                daemon: ms(30_000),
                quiet: ms(600_000),
            },
            agents: BTreeMap::from([("scripted".to_owned(), scripted)]),
            failpoints: Failpoints::default(),
            folder,
        }
    }

    /// A file of the lab: `{{LAB}}/<name>` in a scenario.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lets a step go on that waits for this file.
    pub fn open(&self, gate: &str) {
        fs::write(self.file(gate), "").unwrap();
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn run_folder(&self, run: RunId) -> PathBuf {
        self.data().join("runs").join(run.to_string())
    }

    pub fn worktree(&self, run: &StartRun) -> PathBuf {
        self.data().join("worktrees").join(run.task.to_string())
    }

    pub fn config(&self) -> DaemonConfig {
        DaemonConfig {
            data_dir: self.data(),
            server_url: self.server.url.clone(),
            api_key: "key".to_owned(),
            name: "lab".to_owned(),
            hostname: "lab".to_owned(),
            version: "0".to_owned(),
            max_concurrent_tasks: 4,
            heartbeat_seconds: 10,
            max_journal_bytes: 1 << 30,
            agents: self.agents.clone(),
            environment: BTreeMap::from([
                ("PATH".into(), path_variable()),
                ("HOME".into(), self.folder.path().into()),
                ("GIT_CONFIG_NOSYSTEM".into(), "1".into()),
                ("SECRET".into(), "never seen by an agent".into()),
            ]),
            trusted_repositories: BTreeSet::new(),
            checkpoint: CheckpointRules::default(),
            program: program(),
            patience: self.patience,
            clock: self.clock.clone(),
            failpoints: self.failpoints.clone(),
        }
    }

    /// A daemon that is connected.
    pub async fn daemon(&self) -> Daemon {
        let daemon = Daemon::start(self.config()).await.unwrap();
        daemon.connected().await.unwrap();
        daemon
    }

    /// A run of a new task that is told this first.
    pub fn run(&self, say: &str) -> StartRun {
        let task: TaskId = self.clock.new_id();
        StartRun {
            run: self.clock.new_id(),
            run_number: 1,
            task,
            task_name: "Do it".to_owned(),
            contract: None,
            owner: self.clock.new_id(),
            agent: "scripted".to_owned(),
            permission_mode: None,
            repository: self.repo.path().to_str().unwrap().to_owned(),
            base_branch: None,
            base_commit: None,
            branch_name: branch_name("Do it", task),
            include_uncommitted: false,
            commit_on_finish: true,
            last_checkpoint: None,
            resume: None,
            copied: None,
            inputs: vec![self.input(say)],
            tool_key: Some(Secret("mt_key".to_owned())),
        }
    }

    pub fn input(&self, content: &str) -> Input {
        Input { id: self.clock.new_id(), content: content.to_owned() }
    }

    pub fn start(&self, run: &StartRun) {
        self.server.command(self.clock.new_id(), Command::StartRun(Box::new(run.clone())));
    }

    /// Gives a command and waits for what comes of it.
    pub async fn order(&self, command: Command) -> CommandOutcome {
        let id = self.clock.new_id();
        self.server.command(id, command);
        self.server.until(|kept| kept.finished.get(&id).cloned()).await
    }

    pub async fn stop(&self, run: &StartRun) -> CommandOutcome {
        self.order(Command::Stop { run: run.run, reason: StopReason::Owner }).await
    }

    /// Waits until a record of the run fits, and answers what it gives.
    pub async fn until<T>(&self, run: &StartRun, found: impl Fn(&Record) -> Option<T>) -> T {
        self.server
            .until(|kept| kept.entries.get(&run.run)?.iter().find_map(|entry: &Entry| found(&entry.record)))
            .await
    }

    /// Waits until the agent has said this.
    pub async fn said(&self, run: &StartRun, text: &str) -> MessageId {
        self.until(run, |record| match record {
            Record::Message { message }
                if message.role == MessageRole::Assistant && message.content == text =>
            {
                Some(message.id)
            }
            _ => None,
        })
        .await
    }

    pub async fn ended(&self, run: &StartRun) -> RunEnd {
        self.until(run, |record| match record {
            Record::Ended(end) => Some(end.clone()),
            _ => None,
        })
        .await
    }

    /// The records of a run in words, what comes at any time left out: `turn 1`, `checkpoint 1`, `assistant: text`.
    pub fn story(&self, run: &StartRun) -> Vec<String> {
        self.server.kept().records(run.run).iter().filter_map(told).collect()
    }

    /// Nothing that must not happen did, no process of the runs is left, and the daemon's folder agrees with what the server
    /// has.
    pub fn verify(&self) {
        {
            let kept = self.server.kept();
            assert_eq!(kept.violations, [""; 0]);
            for run in kept.entries.keys() {
                assert_eq!(processes_of(*run), [0; 0], "processes of {run}");
            }
        }
        // On a thread of its own, since the test's is busy with the test.
        let look = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(crate::verify::look(self))
        };
        let report = std::thread::scope(|scope| scope.spawn(look).join()).unwrap();
        assert_eq!(report.findings, []);
    }
}

fn told(record: &Record) -> Option<String> {
    Some(match record {
        Record::Prepared { .. } => "prepared".to_owned(),
        Record::Spawned { .. } => "spawned".to_owned(),
        Record::Message { message } if message.role == MessageRole::Tool => {
            format!("tool: {}", message.tool_name.clone().unwrap_or_default())
        }
        Record::Message { message } => format!("{}: {}", message.role, message.content),
        Record::Asked { question } => format!("asked: {}", question.text),
        Record::Answered { .. } => "answered".to_owned(),
        Record::TurnEnded(end) => format!("turn {} {}", end.turn, end.outcome),
        Record::Checkpoint(made) => format!("checkpoint {}", made.number),
        Record::Unchanged { turn } => format!("unchanged {turn}"),
        Record::CheckpointFailed { turn, message } => format!("checkpoint of {turn} failed: {message}"),
        Record::Published { .. } => "published".to_owned(),
        Record::Ended(end) => format!("ended {}", end.outcome),
        Record::Session { .. } | Record::Native { .. } | Record::Notice { .. } => return None,
    })
}

/// A block of a script: the agent says this.
pub fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// A block of a script: the agent writes a file of its worktree.
pub fn write(file: &str, content: &str) -> Value {
    let input = json!({"file_path": format!("{{{{cwd}}}}/{file}"), "content": content});
    json!({"type": "tool_use", "name": "Write", "input": input})
}

/// A block of a script: the agent runs a command in its worktree.
pub fn bash(command: &str) -> Value {
    json!({"type": "tool_use", "name": "Bash", "input": {"command": command}})
}

/// The processes that carry the run's id in their environment.
pub fn processes_of(run: RunId) -> Vec<i32> {
    let mark = format!("MAKIMA_RUN_ID={run}").into_bytes();
    let ids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark)
    })
    .collect()
}

/// Whether a process is there and is no zombie.
pub fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
}

/// Waits until a file holds a number, and answers it.
pub async fn number_in(file: &Path) -> i32 {
    eventually(|| fs::read_to_string(file).ok()?.trim().parse().ok()).await
}

/// Waits for what nobody tells of.
pub async fn eventually<T>(found: impl Fn() -> Option<T>) -> T {
    loop {
        if let Some(found) = found() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The host's process id.
pub fn host_of(lab: &Lab, run: &StartRun) -> i32 {
    let file = fs::read(lab.run_folder(run.run).join("process.json")).unwrap();
    let process: Value = serde_json::from_slice(&file).unwrap();
    i32::try_from(process["pid"].as_i64().unwrap()).unwrap()
}

pub fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("examples/makima-host");
    assert!(program.exists(), "build it: cargo build -p makima-daemon --example makima-host");
    program
}

fn path_variable() -> std::ffi::OsString {
    let command = makima_testkit::scrubbed_command("true");
    let path = command.get_envs().find(|(name, _)| *name == "PATH");
    path.unwrap().1.unwrap().to_owned()
}
