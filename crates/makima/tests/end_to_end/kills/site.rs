//! Server and daemon, in one process or apart, that are killed and started again on the same data; and a git that stops
//! where it is told to.

use crate::lab::{Lab, Started, processes_of, wait};
use makima_client::Client;
use makima_model::TaskId;
use makima_testkit::TestDatabase;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader},
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// What may be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Victim {
    /// The server, and with `makima up` its daemon too.
    Server,
    /// A daemon of its own.
    Daemon,
    /// The hosts of all runs.
    Hosts,
    /// The agents of all runs.
    Agents,
    /// Every process there is.
    Machine,
}

pub(super) struct Site {
    pub(super) lab: Lab,
    is_apart: bool,
    database: Option<TestDatabase>,
    address: String,
    key: String,
    server: Option<Started>,
    daemon: Option<Started>,
    /// The step at which the next server or daemon that is started kills itself.
    failpoint: Option<(Victim, &'static str)>,
}

impl Site {
    /// `makima up`.
    pub(super) fn together(lab: Lab) -> Self {
        Self::new(lab, false, None)
    }

    /// `makima server` and `makima daemon`.
    pub(super) fn apart(lab: Lab, database: Option<TestDatabase>) -> Self {
        Self::new(lab, true, database)
    }

    fn new(lab: Lab, is_apart: bool, database: Option<TestDatabase>) -> Self {
        let config = lab.data().join("makima.toml");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(config, format!("{text}[daemon]\nmax_concurrent_tasks = 8\n")).unwrap();
        let mut site = Self {
            lab,
            is_apart,
            database,
            address: "127.0.0.1:0".to_owned(),
            key: String::new(),
            server: None,
            daemon: None,
            failpoint: None,
        };
        site.install_git();
        site.start();
        site
    }

    /// Starts what doesn't run, and waits until it is ready.
    pub(super) fn start(&mut self) {
        if self.server.is_none() {
            let mut command = self.command(if self.is_apart { "server" } else { "up" }, Victim::Server);
            command.args(["--listen", &self.address]).args(self.servers_data());
            let (server, ready) = self.ready(command);
            self.server = Some(server);
            let url = ready["url"].as_str().unwrap();
            self.address = url.strip_prefix("http://").unwrap().to_owned();
            if self.key.is_empty() {
                self.key = match ready["apiKey"].as_str() {
                    Some(key) => key.to_owned(),
                    None => {
                        let mut user = self.lab.makima(&["user", "create", "ada", "--json"]);
                        let output = user.args(self.servers_data()).output().unwrap();
                        let user: Value = serde_json::from_slice(&output.stdout).unwrap();
                        user["apiKey"].as_str().unwrap().to_owned()
                    }
                };
            }
        }
        if self.is_apart && self.daemon.is_none() {
            let mut command = self.command("daemon", Victim::Daemon);
            command.args(["--server-url", &self.url()]).env("MAKIMA_API_KEY", &self.key);
            self.daemon = Some(self.ready(command).0);
        }
    }

    pub(super) fn client(&self) -> Client {
        Client::new(&self.url(), Some(self.key.clone())).unwrap()
    }

    /// Ends all of these at once, and waits until those that are killed are gone, and a daemon or server in any case.
    pub(super) fn end(&mut self, victims: &[Victim], signal: Signal) {
        let of = |started: &Option<Started>| started.iter().map(|child| child.id().cast_signed()).collect();
        let pids: BTreeSet<i32> = victims
            .iter()
            .flat_map(|victim| match victim {
                Victim::Server => of(&self.server),
                Victim::Daemon => of(&self.daemon),
                Victim::Hosts => self.hosts().into_values().collect::<Vec<_>>(),
                Victim::Agents => self.hosts().into_values().flat_map(agents_below).collect(),
                Victim::Machine => self.everything(),
            })
            .collect();
        assert!(!pids.is_empty(), "nothing to end of {victims:?}");
        pids.iter().for_each(|pid| send(*pid, signal));
        let is_ended = |victim: Victim| victims.contains(&victim) || victims.contains(&Victim::Machine);
        for (victim, process) in [(Victim::Server, &mut self.server), (Victim::Daemon, &mut self.daemon)] {
            if let Some(mut process) = process.take_if(|_| is_ended(victim)) {
                wait(&mut process);
            }
        }
        // What is killed is gone when the kernel gets round to it: until then one may still talk to it.
        while signal == Signal::KILL && pids.iter().any(|pid| is_alive(*pid)) {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Replaces a server or daemon, in good order, by one that kills itself at this step.
    pub(super) fn arm(&mut self, victim: Victim, step: &'static str) {
        self.end(&[victim], Signal::TERM);
        self.arm_next(victim, step);
    }

    /// Starts one that kills itself at this step, where there is none.
    pub(super) fn arm_next(&mut self, victim: Victim, step: &'static str) {
        self.failpoint = Some((victim, step));
        self.start();
    }

    /// Waits until it has killed itself.
    pub(super) fn killed(&mut self) {
        let armed = self.failpoint.take();
        let process = match armed {
            Some((Victim::Server, _)) => self.server.take(),
            Some((Victim::Daemon, _)) => self.daemon.take(),
            other => panic!("{other:?} is not armed"),
        };
        assert_eq!(wait(&mut process.unwrap()).signal(), Some(9), "{armed:?}");
    }

    /// Whether an agent of this task's is there.
    pub(super) fn has_agent(&self, task: TaskId) -> bool {
        self.hosts().get(&task).is_some_and(|host| !agents_below(*host).is_empty())
    }

    /// What the daemon has.
    pub(super) fn daemons_data(&self) -> PathBuf {
        self.lab.data().join("daemon")
    }

    /// The process of each task's newest run host.
    pub(super) fn hosts(&self) -> BTreeMap<TaskId, i32> {
        let runs = fs::read_dir(self.daemons_data().join("runs")).into_iter().flatten().flatten();
        runs.filter_map(|run| {
            let read = |name: &str| -> Option<Value> {
                serde_json::from_slice(&fs::read(run.path().join(name)).ok()?).ok()
            };
            let task = read("spec.json")?["task"].as_str()?.parse().ok()?;
            Some((task, i32::try_from(read("process.json")?["pid"].as_i64()?).ok()?))
        })
        .collect()
    }

    /// What each agent has streamed of a message that isn't complete.
    pub(super) fn streamed(&self) -> Vec<String> {
        let runs = fs::read_dir(self.daemons_data().join("runs")).into_iter().flatten().flatten();
        let files = runs.filter_map(|run| fs::read_to_string(run.path().join("streamed.jsonl")).ok());
        let text = |line: &str| Some(serde_json::from_str::<Value>(line).ok()?["text"].as_str()?.to_owned());
        files.map(|file| file.lines().filter_map(text).collect()).collect()
    }

    /// Has git stop before the first command that this is a part of, until [let go](Self::let_go).
    pub(super) fn hold(&self, command: &str) -> Hold {
        let file = self.hold_of(command);
        fs::write(&file, format!("{command}\n")).unwrap();
        Hold { reached: file.with_extension("reached") }
    }

    /// Lets git go on before this command.
    pub(super) fn let_go_before(&self, command: &str) {
        fs::remove_file(self.hold_of(command)).unwrap();
    }

    /// Lets git do its work again.
    pub(super) fn let_go(&self) {
        for hold in fs::read_dir(self.holds()).unwrap() {
            fs::remove_file(hold.unwrap().path()).unwrap();
        }
    }

    fn command(&self, verb: &str, what: Victim) -> Command {
        let mut command = self.lab.makima(&[verb, "--json"]);
        if let Some((_, step)) = self.failpoint.filter(|(victim, _)| *victim == what) {
            command.env("MAKIMA_FAILPOINT", step);
        }
        let path = format!("{}:{}", self.lab.path("bin").display(), path_of(&command));
        command.env("PATH", path);
        command
    }

    fn servers_data(&self) -> Vec<String> {
        let data =
            self.is_apart.then(|| ["--data-dir".to_owned(), self.lab.path("server").display().to_string()]);
        let database = self.database.as_ref().map(|database| ["--database-url".to_owned(), database.url()]);
        [data, database].into_iter().flatten().flatten().collect()
    }

    /// Whether everything that is kept agrees with everything else.
    pub(super) fn verify(&self) {
        let daemons = if self.is_apart { vec![self.lab.data()] } else { Vec::new() };
        self.lab.verify_at(&self.servers_data(), &daemons);
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn ready(&self, mut command: Command) -> (Started, Value) {
        let log = fs::File::options().create(true).append(true).open(self.lab.path("up.log")).unwrap();
        let mut child = Started(command.stdout(Stdio::piped()).stderr(log).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line);
        (
            child,
            ready.unwrap_or_else(|error| panic!("{command:?} said {line:?} ({error}): {}", self.lab.log())),
        )
    }

    fn hold_of(&self, command: &str) -> PathBuf {
        self.holds().join(format!("{}.hold", command.replace(' ', "-")))
    }

    fn holds(&self) -> PathBuf {
        self.lab.path("holds")
    }

    fn install_git(&self) {
        let (git, holds) = (self.lab.path("bin").join("git"), self.holds());
        fs::create_dir_all(git.parent().unwrap()).unwrap();
        fs::create_dir_all(&holds).unwrap();
        let path = path_of(&self.lab.makima(&[]));
        let real =
            path.split(':').map(|folder| Path::new(folder).join("git")).find(|git| git.exists()).unwrap();
        // A held git goes with its daemon, as one does whose pipes break.
        let script = format!(
            r#"#!/bin/sh
for hold in {}/*.hold; do
    [ -e "$hold" ] && read -r wanted < "$hold" || continue
    case "$*" in *"$wanted"*)
        : > "${{hold%.hold}}.reached"
        while [ -e "$hold" ]; do kill -0 $PPID 2>/dev/null || exit 1; sleep 0.02; done ;;
    esac
done
exec {} "$@"
"#,
            holds.display(),
            real.display()
        );
        fs::write(&git, script).unwrap();
        fs::set_permissions(&git, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// All processes that came from here, whoever is their parent now.
    fn everything(&self) -> Vec<i32> {
        let folder = self.lab.path("");
        let own = [&self.server, &self.daemon].into_iter().flatten().map(|child| child.id().cast_signed());
        let named = processes_of(&folder).into_iter().map(|pid| pid.as_raw_nonzero().get());
        let mut found: BTreeSet<i32> = own.chain(named).chain(self.strays()).collect();
        let all: Vec<i32> = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        loop {
            let before = found.len();
            found.extend(
                all.iter()
                    .filter(|pid| parent_of(**pid).is_some_and(|parent| found.contains(&parent)))
                    .copied()
                    .collect::<Vec<_>>(),
            );
            if found.len() == before {
                return found.into_iter().collect();
            }
        }
    }

    /// Processes that a tool left, with a session of their own and an empty environment.
    pub(super) fn strays(&self) -> Vec<i32> {
        let file = self.daemons_data().join("worktrees/stray");
        let said = fs::read_to_string(file).unwrap_or_default();
        said.lines().filter_map(|line| line.parse().ok()).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // In good order, so that no agent outlives the test; the lab sees to what is left.
        self.let_go();
        for process in [&mut self.server, &mut self.daemon] {
            if let Some(mut process) = process.take() {
                send(process.id().cast_signed(), Signal::INT);
                if !std::thread::panicking() {
                    wait(&mut process);
                }
            }
        }
        self.strays().into_iter().filter(|pid| is_alive(*pid)).for_each(|pid| send(pid, Signal::KILL));
    }
}

/// A place where git is to stop.
pub(super) struct Hold {
    reached: PathBuf,
}

impl Hold {
    pub(super) fn is_reached(&self) -> bool {
        self.reached.exists()
    }
}

/// Whether a process is there and is no zombie. Its first thread may be one while others are still there.
pub(super) fn is_alive(pid: i32) -> bool {
    let mut threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.any(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
    })
}

fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

fn agents_below(host: i32) -> Vec<i32> {
    let children = fs::read_to_string(format!("/proc/{host}/task/{host}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).filter(|pid| is_agent(*pid)).collect()
}

fn is_agent(pid: i32) -> bool {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let is = |word: &str| command.windows(word.len()).any(|part| part == word.as_bytes());
    is("scripted-agent") || is("stream-json")
}

fn send(pid: i32, signal: Signal) {
    // It may be gone already.
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

fn path_of(command: &Command) -> String {
    let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path);
    path.unwrap().to_str().unwrap().to_owned()
}
