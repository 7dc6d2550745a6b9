//! A server and daemons of their own, each of which can be killed and started again where it was.

use super::Size;
use crate::lab::{Lab, Started, finish, processes_of, send, until, until_within, wait};
use makima_client::Client;
use makima_model::{AttemptId, Clock};
use makima_testkit::FaultProxy;
use makima_wire::{IDEMPOTENCY_KEY, ListTasks};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::Stdio,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long somebody may make no step: what one stands on may be struck again and again, and shares two cores with many others.
pub(super) const STRUCK: Duration = Duration::from_secs(300);

/// Everything that can fail.
pub(super) struct Stage {
    pub(super) lab: Lab,
    pub(super) client: Client,
    http: reqwest::Client,
    pub(super) steps: usize,
    key: String,
    address: String,
    /// The server, then the daemons.
    parts: Vec<Mutex<Option<Started>>>,
    /// What lies between each daemon and the server.
    pub(super) networks: Vec<FaultProxy>,
}

/// What an agent says at a step, and the command that it runs.
pub(super) fn word(step: usize) -> String {
    format!("word {step}")
}

/// The script of all agents: at each step they say a word and add a line to a file.
fn script(size: &Size) -> Value {
    let step = |n| {
        json!({
            "delay_s": size.pace.as_secs_f64(),
            "chunk": 4,
            "content": [
                { "type": "text", "text": word(n) },
                { "type": "tool_use", "name": "Bash", "input": { "command": format!("echo {n} >> said.txt") } },
            ],
        })
    };
    let mut steps: Vec<Value> = (0..size.steps).map(step).collect();
    steps.push(json!({ "content": [{ "type": "text", "text": word(size.steps) }] }));
    json!({ "TALK": steps })
}

impl Stage {
    pub(super) async fn set(size: &Size) -> Self {
        let lab = Lab::new(script(size));
        let file = lab.data().join("makima.toml");
        let config = fs::read_to_string(&file).unwrap();
        let config = format!("{config}[daemon]\nheartbeat_seconds = {}\n", size.heartbeat);
        fs::write(file, &config).unwrap();
        for folder in (1..=size.daemons).map(|daemon| data_of(&lab, daemon)) {
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("makima.toml"), &config).unwrap();
        }
        let (server, address) = start_server(&lab, "127.0.0.1:0");
        let mut networks = Vec::new();
        for _ in 0..size.daemons {
            networks.push(FaultProxy::before(&format!("http://{address}")).await);
        }
        let user = lab.finish(&["user", "create", "ada", "--json"]);
        let key = user.json()["apiKey"].as_str().unwrap().to_owned();
        let client = Client::new(&format!("http://{address}"), Some(key.clone())).unwrap();
        let stage = Self {
            client,
            http: reqwest::Client::new(),
            steps: size.steps,
            key,
            address,
            parts: std::iter::once(Some(server))
                .chain((0..size.daemons).map(|_| None))
                .map(Mutex::new)
                .collect(),
            networks,
            lab,
        };
        stage.stand().await;
        stage
    }

    /// How many parts there are: the server is the first.
    pub(super) fn parts(&self) -> usize {
        self.parts.len()
    }

    fn part(&self, number: usize) -> MutexGuard<'_, Option<Started>> {
        self.parts[number].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process of a part.
    pub(super) fn pid(&self, number: usize) -> Option<Pid> {
        self.part(number).as_ref().map(|process| Pid::from_child(process))
    }

    /// Kills a part, if it stands.
    pub(super) fn kill(&self, number: usize) {
        if let Some(mut process) = self.part(number).take() {
            send(&process, Signal::KILL);
            wait(&mut process);
        }
    }

    /// Starts a part again, if it doesn't stand.
    pub(super) fn start(&self, number: usize) {
        let mut part = self.part(number);
        if part.is_none() {
            *part = Some(match number {
                0 => start_server(&self.lab, &self.address).0,
                daemon => self.start_daemon(daemon),
            });
        }
    }

    fn start_daemon(&self, number: usize) -> Started {
        let name = format!("daemon {number}");
        let url = self.networks[number - 1].url();
        let mut command = self.lab.makima(&["daemon", "--server-url", &url, "--name", &name]);
        command.args(["--max-concurrent-tasks", "100"]).env("MAKIMA_API_KEY", &self.key);
        command.env("MAKIMA_DATA_DIR", data_of(&self.lab, number));
        let log = log(&self.lab);
        Started(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
    }

    /// Starts what doesn't stand, and waits until all daemons are connected.
    pub(super) async fn stand(&self) {
        (0..self.parts()).for_each(|number| self.start(number));
        until("all daemons are connected", async || {
            let daemons = self.client.daemons().await.ok()?.daemons;
            let online = daemons.iter().filter(|daemon| daemon.status == makima_model::DaemonStatus::Online);
            (online.count() + 1 == self.parts()).then_some(())
        })
        .await;
    }

    /// The processes of run hosts or of agents.
    pub(super) fn hosted(&self, kind: &str) -> Vec<Pid> {
        let is_it = |pid: &Pid| {
            let command = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
            String::from_utf8_lossy(&command).split('\0').nth(1) == Some(kind)
        };
        self.processes().into_iter().filter(is_it).collect()
    }

    /// How many runs a part hosts. The folder of a run lies in its daemon's.
    pub(super) fn runs_of(&self, number: usize) -> usize {
        let folder = data_of(&self.lab, number);
        let is_of_it = |pid: &Pid| {
            let command = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
            let run = String::from_utf8_lossy(&command).split('\0').nth(2).map(PathBuf::from);
            run.is_some_and(|run| run.starts_with(&folder))
        };
        self.hosted("run-host").iter().filter(|pid| is_of_it(pid)).count()
    }

    /// All processes of the stage: those that name its folder, and those that work in it.
    pub(super) fn processes(&self) -> Vec<Pid> {
        let folder = self.lab.path("");
        let mut processes = processes_of(&folder);
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| Pid::from_raw(name.parse().ok()?));
            let Some(pid) = pid.filter(|pid| !processes.contains(pid)) else { continue };
            if fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd: PathBuf| cwd.starts_with(&folder)) {
                processes.push(pid);
            }
        }
        processes
    }

    /// Asks for something under one key until it is answered, however often the server is killed over it: longer than a client tries.
    pub(super) async fn done_once<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> T {
        let key = Clock::system().new_id::<AttemptId>().to_string();
        let url = format!("http://{}/api/v1{path}", self.address);
        until_within(STRUCK, "it is done", async || {
            let request =
                self.http.post(&url).bearer_auth(&self.key).header(IDEMPOTENCY_KEY, &key).json(body);
            let answer = request.send().await.ok()?;
            let (status, text) = (answer.status(), answer.text().await.ok()?);
            match status.as_u16() {
                200 | 201 => Some(serde_json::from_str(&text).unwrap()),
                503 => None,
                409 if text.contains("REQUEST_IN_PROGRESS") => None,
                _ => panic!("{status}: {text}"),
            }
        })
        .await
    }

    /// How many messages the server has of all tasks, as far as it can be asked.
    pub(super) async fn said(&self) -> u64 {
        until("the server tells of its tasks", async || {
            let list = ListTasks { limit: Some(1000), ..ListTasks::default() };
            let tasks = self.client.tasks(&list).await.ok()?.tasks;
            Some(tasks.iter().map(|task| task.message_count.unsigned_abs()).sum())
        })
        .await
    }

    /// Waits until so many messages are there.
    pub(super) async fn until_said(&self, wanted: u64) {
        loop {
            let said = self.said().await;
            if said >= wanted {
                return;
            }
            until("agents go on", async || (self.said().await > said).then_some(())).await;
        }
    }

    /// Ends everything in good order, looks whether everything agrees, and that nothing is left.
    pub(super) async fn clear(self) {
        for number in (0..self.parts()).rev() {
            let mut process = self.part(number).take().expect("it stands");
            send(&process, Signal::INT);
            assert!(wait(&mut process).success(), "{}", self.lab.log());
        }
        let left = self.processes();
        assert!(left.is_empty(), "{left:?} are left");
        let daemons: Vec<PathBuf> = (1..self.parts()).map(|daemon| data_of(&self.lab, daemon)).collect();
        self.lab.verify_with(&daemons);
    }
}

/// What all parts say.
fn log(lab: &Lab) -> fs::File {
    fs::File::options().create(true).append(true).open(lab.path("up.log")).unwrap()
}

/// The data directory of a daemon, the first of which is 1.
fn data_of(lab: &Lab, daemon: usize) -> PathBuf {
    lab.path(&format!("daemon-{daemon}"))
}

/// Starts the server, and waits until it is ready. Answers where it listens.
fn start_server(lab: &Lab, listen: &str) -> (Started, String) {
    let mut command = lab.makima(&["server", "--json", "--listen", listen]);
    let mut server = Started(command.stdout(Stdio::piped()).stderr(log(lab)).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let ready = serde_json::from_str::<Value>(&line);
    let Ok(ready) = ready else {
        panic!("the server did not start: {:?}", finish(server));
    };
    let address = ready["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
    (server, address)
}

/// Kills a process of the stage; it may be gone already.
pub(super) fn kill(pid: Pid) {
    let _ = kill_process(pid, Signal::KILL);
}
