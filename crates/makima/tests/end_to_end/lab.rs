//! A folder with everything in it: a home, a data directory, a configuration, a repository, and `makima up` on them.

use makima_client::Client;
use makima_model::TaskId;
use makima_testkit::{TestRepo, scrubbed_command};
use makima_wire::{ListTasks, Task};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long anything may take. Only a test that fails waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `look` finds what is looked for.
pub(crate) async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, look).await
}

/// The same where it may take so long.
pub(crate) async fn until_within<T>(
    patience: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(since.elapsed() < patience, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A step of a scenario that says something.
pub(crate) fn say(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}]})
}

/// A step that says something and calls a tool.
pub(crate) fn call(text: &str, tool: &str, input: Value) -> Value {
    json!({"content": [{"type": "text", "text": text}, {"type": "tool_use", "name": tool, "input": input}]})
}

/// A step that writes a file.
pub(crate) fn write(file: &str, content: &str) -> Value {
    call("I write.", "Write", json!({"file_path": format!("{{{{cwd}}}}/{file}"), "content": content}))
}

/// A step that runs a command.
pub(crate) fn bash(command: &str) -> Value {
    call("I run.", "Bash", json!({ "command": command }))
}

/// What a finished command left.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// The one document of `--json`.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A process of ours, which ends with the test at the latest.
pub(crate) struct Started(pub(crate) Child);

impl Deref for Started {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Started {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Where it has ended already, neither does anything.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A `makima up` that is ready.
pub(crate) struct Up {
    child: Child,
    pub(crate) url: String,
    pub(crate) key: String,
    pub(crate) owner: String,
    pub(crate) web: String,
}

/// Everything of one test.
pub(crate) struct Lab {
    folder: TempDir,
    pub(crate) repo: TestRepo,
    up: Option<Up>,
    database: Option<String>,
    /// The step at which the next `makima up` is to be killed.
    pub(crate) failpoint: Option<&'static str>,
}

impl Lab {
    /// A lab whose scripted agent plays these scripts.
    pub(crate) fn new(scripts: Value) -> Self {
        Self::in_folder(tempfile::Builder::new().prefix("makima-lab-").tempdir().unwrap(), scripts)
    }

    /// The same in a folder of the test's.
    pub(crate) fn in_folder(folder: TempDir, scripts: Value) -> Self {
        let lab = Self { folder, repo: TestRepo::new(), up: None, database: None, failpoint: None };
        fs::create_dir_all(lab.data()).unwrap();
        let scenario = lab.path("scenario.json");
        fs::write(&scenario, json!({ "scripts": scripts }).to_string()).unwrap();
        let config = format!(
            "[agents.claude]\ncommand = [\"/nonexistent/claude\"]\n[agents.scripted]\nscenario = {scenario:?}\n"
        );
        fs::write(lab.data().join("makima.toml"), config).unwrap();
        lab
    }

    /// The same on another database.
    pub(crate) fn on_database(mut self, url: &str) -> Self {
        self.database = Some(url.to_owned());
        self
    }

    /// A path in the lab.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// The program, in the repository, knowing nothing of the machine but its tools.
    pub(crate) fn makima(&self, arguments: &[&str]) -> Command {
        let mut command = scrubbed_command(env!("CARGO_BIN_EXE_makima"));
        command
            .args(arguments)
            .current_dir(self.repo.path())
            .env("HOME", self.folder.path())
            .env("MAKIMA_DATA_DIR", self.data())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn finish(&self, arguments: &[&str]) -> Finished {
        finish(self.start(arguments))
    }

    /// Starts a command whose streams are kept for [`finish`].
    pub(crate) fn start(&self, arguments: &[&str]) -> Started {
        let mut command = self.makima(arguments);
        start(&mut command)
    }

    /// Starts `makima up` on any port, and waits until it is ready.
    pub(crate) fn up(&mut self) -> &Up {
        self.up_with(&[])
    }

    /// The same with more arguments.
    pub(crate) fn up_with(&mut self, more: &[&str]) -> &Up {
        self.up_at("127.0.0.1:0", more)
    }

    /// The same at an address of its own.
    pub(crate) fn up_at(&mut self, address: &str, more: &[&str]) -> &Up {
        assert!(self.up.is_none(), "it is up already");
        let mut command = self.makima(&["up", "--json", "--listen", address]);
        command.args(more);
        if let Some(step) = self.failpoint {
            command.env("MAKIMA_FAILPOINT", step);
        }
        if let Some(url) = &self.database {
            command.args(["--database-url", url]);
        }
        let log = fs::File::options().create(true).append(true).open(self.path("up.log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("`makima up` said {line:?} ({error}): {}", self.log()));
        let text = |key: &str| ready[key].as_str().unwrap().to_owned();
        self.up.insert(Up {
            url: text("url"),
            key: text("apiKey"),
            owner: text("ownerId"),
            web: text("webUrl"),
            child,
        })
    }

    /// Whether everything that is kept agrees with everything else: the last word of a test that breaks something.
    pub(crate) fn verify(&self) {
        self.verify_with(&[]);
    }

    /// The same with the data directories of more daemons.
    pub(crate) fn verify_with(&self, daemons: &[PathBuf]) {
        let database = self.database.iter().flat_map(|url| ["--database-url".to_owned(), url.clone()]);
        self.verify_at(&database.collect::<Vec<_>>(), daemons);
    }

    /// The same where these arguments name the server's data.
    pub(crate) fn verify_at(&self, data: &[String], daemons: &[PathBuf]) {
        let mut command = self.makima(&["doctor", "--verify", "--json"]);
        command.args(data);
        for daemon in daemons {
            command.arg("--daemon-dir").arg(daemon);
        }
        let looked = finish(start(&mut command));
        let Finished { code, stderr, .. } = &looked;
        assert_eq!(*code, Some(0), "what is kept doesn't agree: {:#}\n{stderr}", looked.json());
    }

    /// What `makima up` said on standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("up.log")).unwrap_or_default()
    }

    /// Sends a signal to `makima up` and waits until it has ended.
    pub(crate) fn end_up(&mut self, signal: rustix::process::Signal) -> ExitStatus {
        let mut up = self.up.take().expect("it is up");
        send(&up.child, signal);
        wait(&mut up.child)
    }

    /// Waits until `makima up` has been killed at its step.
    pub(crate) fn killed(&mut self) {
        use std::os::unix::process::ExitStatusExt;
        let mut up = self.up.take().expect("it is up");
        assert_eq!(wait(&mut up.child).signal(), Some(9));
        self.failpoint = None;
    }

    /// The process of `makima up`.
    pub(crate) fn pid(&self) -> u32 {
        self.up.as_ref().expect("it is up").child.id()
    }

    /// The link that `makima up` printed.
    pub(crate) fn web_url(&self) -> String {
        self.up.as_ref().expect("it is up").web.clone()
    }

    pub(crate) fn client(&self) -> Client {
        let up = self.up.as_ref().expect("it is up");
        Client::new(&up.url, Some(up.key.clone())).unwrap()
    }

    /// The only task that there is, once there is one.
    pub(crate) async fn task(&self) -> Task {
        let client = self.client();
        until("there is a task", async || {
            let mut page = client.tasks(&ListTasks::default()).await.unwrap();
            assert!(page.tasks.len() <= 1, "{page:?}");
            page.tasks.pop()
        })
        .await
    }

    /// The task once `seen` holds of it.
    pub(crate) async fn task_when(&self, id: TaskId, what: &str, seen: impl Fn(&Task) -> bool) -> Task {
        let client = self.client();
        until(what, async || {
            let task = client.task(id).await.unwrap();
            seen(&task).then_some(task)
        })
        .await
    }

    /// What the agent said, oldest first.
    pub(crate) async fn said(&self, task: TaskId) -> Vec<String> {
        let conversation = self.client().conversation(task).await.unwrap();
        conversation
            .messages
            .into_iter()
            .filter(|message| message.role == makima_model::MessageRole::Assistant)
            .map(|message| message.content)
            .collect()
    }

    /// A file of a task's newest checkpoint.
    pub(crate) fn kept(&self, task: &Task, file: &str) -> String {
        let (worktree, sha) =
            (task.worktree_path.as_ref().unwrap(), task.last_checkpoint_sha.as_ref().unwrap());
        self.repo.git(["-C", worktree, "show", &format!("{sha}:{file}")])
    }

    /// A file of a commit of the user's repository.
    pub(crate) fn committed(&self, branch: &str, file: &str) -> String {
        self.repo.git(["show", &format!("{branch}:{file}")])
    }
}

/// Starts a command whose streams are kept.
pub(crate) fn start(command: &mut Command) -> Started {
    Started(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// Collects what a command says until it has ended.
pub(crate) fn finish(mut child: Started) -> Finished {
    let read = |stream: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut text = String::new();
            stream.unwrap().read_to_string(&mut text).unwrap();
            text
        })
    };
    let stdout = read(child.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>));
    let stderr = read(child.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>));
    let status = wait(&mut child);
    Finished { code: status.code(), stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// Sends a signal to a process that we started.
pub(crate) fn send(child: &Child, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
}

/// Waits for the end of a process that we started; one that doesn't end fails the test.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let since = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if since.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            panic!("process {} did not end", child.id());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- makima up said:\n{}", self.log());
        }
        if let Some(mut up) = self.up.take() {
            // In good order, so that no agent outlives the test.
            send(&up.child, rustix::process::Signal::INT);
            let since = Instant::now();
            while up.child.try_wait().is_ok_and(|status| status.is_none()) {
                if since.elapsed() > PATIENCE / 2 {
                    let _ = up.child.kill();
                    let _ = up.child.wait();
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        for pid in processes_of(self.folder.path()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// The processes that work in a folder of a test: those that a detached daemon has left.
pub(crate) fn processes_of(folder: &Path) -> Vec<rustix::process::Pid> {
    let Some(folder) = folder.to_str() else { return Vec::new() };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| {
            let pid = rustix::process::Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            let command = fs::read(entry.path().join("cmdline")).ok()?;
            String::from_utf8_lossy(&command).contains(folder).then_some(pid)
        })
        .collect()
}
