//! A user's repository, the daemon's clone of it and a task's worktree, in one temporary folder.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use makima_git::{
    BareClone, BranchName, CheckpointKind, CheckpointRequest, Environment, Git, Made, Person, ScanRules, Sha,
    Source, Start, Worktree,
};
use tempfile::TempDir;

pub(crate) struct Lab {
    pub(crate) git: Git,
    root: TempDir,
}

impl Lab {
    /// An empty folder, and git with no settings but its own.
    pub(crate) async fn new() -> Self {
        let root = tempfile::Builder::new().prefix("makima-git-").tempdir().unwrap();
        fs::create_dir(root.path().join("home")).unwrap();
        let environment =
            Environment::hermetic(path_variable(), root.path().canonicalize().unwrap().join("home"));
        Self { git: Git::find(environment).await.unwrap(), root }
    }

    /// The environment that `git` was found in.
    pub(crate) fn environment(&self) -> Environment {
        self.git.environment().clone()
    }

    /// An executable shell script; answers the folder it is in.
    pub(crate) fn script(&self, name: &str, body: &str) -> PathBuf {
        let folder = self.path().join("bin");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    /// With a repository `user` that has one commit on `main`.
    pub(crate) async fn with_user() -> (Self, Repo) {
        let lab = Self::new().await;
        let user = lab.user();
        (lab, user)
    }

    /// A repository `user` that has one commit on `main`.
    pub(crate) fn user(&self) -> Repo {
        let user = self.repo("user");
        user.write("a.txt", "one\ntwo\nthree\n")
            .write("dir/b.txt", "b\n")
            .write(".gitignore", "*.log\n/target/\n");
        user.commit("Begin");
        user
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.root.path().canonicalize().unwrap()
    }

    pub(crate) fn repo(&self, name: &str) -> Repo {
        let repo = Repo { folder: self.path().join(name), home: self.path().join("home") };
        fs::create_dir_all(&repo.folder).unwrap();
        repo.git(&["init", "-q", "-b", "main", "--template="]);
        repo.git(&["config", "user.name", "Ursula User"]);
        repo.git(&["config", "user.email", "ursula@example.com"]);
        repo
    }

    pub(crate) fn at(&self, folder: &Path) -> Repo {
        Repo { folder: folder.into(), home: self.path().join("home") }
    }

    pub(crate) async fn clone_of(&self, repo: &Repo) -> BareClone {
        self.git.ensure_clone(&self.path().join("clone.git"), &repo.source(), &mut |_| {}).await.unwrap()
    }

    /// A task's worktree at the source's current branch.
    pub(crate) async fn task(&self, repo: &Repo) -> Task {
        let clone = self.clone_of(repo).await;
        let base = clone.resolve_base(None).await.unwrap().commit;
        let start = base.clone().map_or(Start::Nothing, Start::Commit);
        let worktree = clone.add_worktree(&self.path().join("tasks/one"), &branch(), &start).await.unwrap();
        let repo = self.at(worktree.folder());
        Task { clone, worktree, repo, last: base }
    }
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where git is")]
pub(crate) fn path_variable() -> OsString {
    std::env::var_os("PATH").unwrap()
}

pub(crate) fn branch() -> BranchName {
    BranchName::new("makima/do-it-0a1b2c3d").unwrap()
}

pub(crate) fn ursula() -> Person {
    Person { name: "Ursula User".into(), email: "ursula@example.com".into() }
}

pub(crate) fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_760_000_000)
}

/// A task's worktree, seen by the crate and by plain git.
pub(crate) struct Task {
    pub(crate) clone: BareClone,
    pub(crate) worktree: Worktree,
    pub(crate) repo: Repo,
    pub(crate) last: Option<Sha>,
}

impl Task {
    pub(crate) fn request(&self, number: u64) -> CheckpointRequest {
        CheckpointRequest {
            task: "0190a1b2".into(),
            number,
            kind: CheckpointKind::Manual,
            message: format!("Checkpoint {number}"),
            author: ursula(),
            at: noon(),
            rules: ScanRules::default(),
            previous: self.last.clone(),
            base: None,
        }
    }

    /// Makes a checkpoint by hand; the next is against this one.
    pub(crate) async fn checkpoint(&mut self, number: u64) -> Made {
        let made = self.worktree.checkpoint(&self.request(number)).await.unwrap().unwrap();
        self.last = Some(made.commit.clone());
        made
    }

    pub(crate) async fn turn(&self, number: u64, most: Option<u64>) -> Option<Made> {
        let rules = ScanRules { max_untracked_bytes: most, ..ScanRules::default() };
        let request = CheckpointRequest { kind: CheckpointKind::Turn, rules, ..self.request(number) };
        self.worktree.checkpoint(&request).await.unwrap()
    }

    /// The names in a tree, quoted as git quotes them.
    pub(crate) fn files(&self, tree: &Sha) -> Vec<String> {
        self.repo.git(&["ls-tree", "-r", "--name-only", tree.as_str()]).lines().map(str::to_owned).collect()
    }

    pub(crate) fn content(&self, tree: &Sha, path: &str) -> String {
        self.repo.git(&["cat-file", "blob", &format!("{tree}:{path}")])
    }
}

/// `A a.txt +1 -0` for each file.
pub(crate) fn told(made: &Made) -> Vec<String> {
    let line = |file: &makima_git::FileChange| {
        let old = file.old_path.as_ref().map(|old| format!("{} > ", String::from_utf8_lossy(old)));
        let path = String::from_utf8_lossy(&file.path);
        let numbers = match file.binary {
            true => "binary".into(),
            false => format!("+{} -{}", file.lines_added, file.lines_removed),
        };
        format!("{} {}{path} {numbers}", file.action.letter(), old.unwrap_or_default())
    };
    made.files_changed.iter().map(line).collect()
}

/// A repository seen by plain git, as its user has it.
pub(crate) struct Repo {
    pub(crate) folder: PathBuf,
    home: PathBuf,
}

impl Repo {
    pub(crate) fn source(&self) -> Source {
        Source::Local(self.folder.clone())
    }

    pub(crate) fn write(&self, path: impl AsRef<OsStr>, content: impl AsRef<[u8]>) -> &Self {
        let file = self.folder.join(path.as_ref());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
        self
    }

    pub(crate) fn write_bytes(&self, path: &[u8], content: &str) -> &Self {
        self.write(OsStr::from_bytes(path), content)
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.join(path)).unwrap()
    }

    pub(crate) fn remove(&self, path: &str) -> &Self {
        fs::remove_file(self.folder.join(path)).unwrap();
        self
    }

    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub(crate) fn status(&self) -> String {
        self.git(&["status", "--porcelain", "-uall"])
    }

    /// What git prints, without the last newline.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        let (said, words) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "git {}: {words}{said}", args.join(" "));
        said.trim_end_matches('\n').to_owned()
    }

    /// What git prints, byte for byte.
    pub(crate) fn bytes(&self, args: &[&str]) -> Vec<u8> {
        let output = self.command(args).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {}: {words}", args.join(" "));
        output.stdout
    }

    pub(crate) fn fails(&self, args: &[&str]) {
        assert!(!self.command(args).output().unwrap().status.success(), "git {}", args.join(" "));
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.current_dir(&self.folder).args(args).env_clear().env("PATH", path_variable());
        command.env("HOME", &self.home).env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C");
        command.env("GIT_AUTHOR_NAME", "Agent").env("GIT_AUTHOR_EMAIL", "agent@example.com");
        command.env("GIT_COMMITTER_NAME", "Agent").env("GIT_COMMITTER_EMAIL", "agent@example.com");
        command
    }

    /// Every file below the folder with what a write would change: for proofs that nothing was written.
    pub(crate) fn fingerprint(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let about = entry.metadata().unwrap();
                found.push(format!("{:?} {} {:?}", entry.path(), about.len(), about.modified().unwrap()));
                if about.is_dir() {
                    folders.push(entry.path());
                }
            }
        }
        found.sort();
        found
    }
}
