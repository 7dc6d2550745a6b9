//! One git process. Everything that must hold for all of them stands in `Invocation::new`; nothing else in this
//! crate, or outside of it, starts git.

mod child;

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::process::Command;

use crate::{Git, GitError};

/// Settings that stand above any repository's own: they name programs, ask for something, or change what the
/// commands used here answer.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    // Only run where a repository borrows objects; `true` lists none.
    "core.alternateRefsCommand=true",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "init.defaultRefFormat=files",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "transfer.bundleURI=false",
    "core.safecrlf=false",
    "core.splitIndex=false",
    "core.quotePath=true",
    "i18n.commitEncoding=UTF-8",
    "worktree.useRelativePaths=false",
    "checkout.workers=8",
];

/// What `git` may fetch through. `ext::` and other helpers run programs, so they are not among them.
const PROTOCOLS: &str = "file:git:http:https:ssh";

/// What a command may write to stdout before it counts as gone wrong: names of a million files are about 100 MB.
const LARGEST_ANSWER: u64 = 1 << 29;

/// A git command that is being put together.
pub(crate) struct Invocation {
    command: Command,
    name: String,
    named: bool,
    stdin: child::Stdin,
    timeout: Option<Duration>,
}

/// What a git process left.
pub(crate) struct Output {
    /// `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Invocation {
    pub(crate) fn new(git: &Git, name: &str) -> Self {
        let mut command = Command::new(git.program());
        command.env_clear().envs(git.environment().iter());
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GCM_INTERACTIVE", "never");
        command.env("GIT_ASKPASS", "false").env("SSH_ASKPASS", "false").env("SSH_ASKPASS_REQUIRE", "force");
        command.env("GIT_SSH_COMMAND", git.ssh_command()).env_remove("GIT_SSH");
        command.env("GIT_PAGER", "cat").env("GIT_EDITOR", "false").env("GIT_SEQUENCE_EDITOR", "false");
        command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_ALLOW_PROTOCOL", PROTOCOLS);
        command.env("GIT_NO_REPLACE_OBJECTS", "1").env("GIT_NO_LAZY_FETCH", "1");
        command.arg("--no-pager");
        for setting in SETTINGS {
            command.arg("-c").arg(setting);
        }
        Self { command, name: name.into(), named: false, stdin: child::Stdin::Nothing, timeout: None }
    }

    /// Runs in a folder, where git finds the repository itself (and refuses one that another user owns).
    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Names the repository, so that git searches none.
    pub(crate) fn git_dir(mut self, dir: &Path) -> Self {
        self.command.env("GIT_DIR", dir);
        self
    }

    /// Names the worktree, and runs there.
    pub(crate) fn work_tree(mut self, folder: &Path) -> Self {
        self.command.env("GIT_WORK_TREE", folder).current_dir(folder);
        self
    }

    pub(crate) fn index(mut self, file: &Path) -> Self {
        self.command.env("GIT_INDEX_FILE", file);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// One more setting that stands above the repository's own. Comes before the first argument.
    pub(crate) fn setting(mut self, setting: impl AsRef<OsStr>) -> Self {
        self.command.arg("-c").arg(setting);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.name_command();
        self.command.args(args);
        self
    }

    pub(crate) fn arg(self, arg: impl AsRef<OsStr>) -> Self {
        self.args([arg])
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = child::Stdin::Bytes(bytes.into());
        self
    }

    /// Lets git read a file itself, however large it is.
    pub(crate) fn stdin_file(mut self, file: File) -> Self {
        self.stdin = child::Stdin::File(file);
        self
    }

    pub(crate) fn within(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs it and fails unless git does its work; gives what git wrote to stdout.
    pub(crate) async fn ok(self) -> Result<Vec<u8>, GitError> {
        let name = self.name.clone();
        let output = self.output().await?;
        output.success(&name)
    }

    /// Runs it, whatever its exit code. On the heap: what runs many of them would else be as large as all of them.
    pub(crate) async fn output(self) -> Result<Output, GitError> {
        let mut stdout = Vec::new();
        let ended =
            Box::pin(child::run(self.ready(), child::Stdout::Whole(&mut stdout, LARGEST_ANSWER), None))
                .await?;
        Ok(Output { code: ended.code, stdout, stderr: ended.stderr })
    }

    /// Runs it, calling `line` with each piece of stderr that ends in a return or newline.
    pub(crate) async fn watched(self, line: &mut (dyn FnMut(&str) + Send)) -> Result<Vec<u8>, GitError> {
        let name = self.name.clone();
        let mut stdout = Vec::new();
        let to = child::Stdout::Whole(&mut stdout, LARGEST_ANSWER);
        let ended = Box::pin(child::run(self.ready(), to, Some(line))).await?;
        Output { code: ended.code, stdout, stderr: ended.stderr }.success(&name)
    }

    /// Runs it and copies what it writes; where that can't be written, git is killed.
    pub(crate) async fn copy_to(self, out: &mut (dyn AsyncWrite + Unpin + Send)) -> Result<(), GitError> {
        let name = self.name.clone();
        let ended = Box::pin(child::run(self.ready(), child::Stdout::Copied(out), None)).await?;
        Output { code: ended.code, stdout: Vec::new(), stderr: ended.stderr }.success(&name).map(drop)
    }

    fn ready(mut self) -> child::Ready {
        self.name_command();
        tracing::debug!(command = self.name, "git");
        child::Ready { command: self.command, name: self.name, stdin: self.stdin, timeout: self.timeout }
    }

    /// The command's own name stands between the settings and its arguments.
    fn name_command(&mut self) {
        if !std::mem::replace(&mut self.named, true) {
            self.command.arg(&self.name);
        }
    }
}

impl Output {
    pub(crate) fn success(self, command: &str) -> Result<Vec<u8>, GitError> {
        if self.code == Some(0) {
            return Ok(self.stdout);
        }
        let mut words = crate::error::words_of(&self.stderr);
        if words.is_empty() {
            words = self.code.map_or("ended by a signal".into(), |code| format!("exit code {code}"));
        }
        Err(GitError::Failed { command: command.into(), code: self.code, words })
    }
}
