//! Real git repositories that know nothing of the machine they are on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicU64, Ordering},
};

use tempfile::TempDir;

use crate::environment::scrubbed_command;

/// When the first commit of every repository was made; each later one is a minute younger, so commit ids repeat.
const FIRST_COMMIT: u64 = 1_750_000_000;

/// A git repository in a folder of its own, which goes away with this.
///
/// Its git reads no configuration of the machine or the user, and its dates are fixed: the same calls give the same
/// commit ids everywhere.
#[derive(Debug)]
pub struct TestRepo {
    folder: TempDir,
    path: PathBuf,
    commits: AtomicU64,
}

impl TestRepo {
    /// A repository on branch `main` with one commit, of a `README.md`.
    pub fn new() -> Self {
        let repo = Self::empty();
        repo.commit_files([("README.md", "# A repository\n")], "Begin");
        repo
    }

    /// A repository on branch `main` without any commit.
    pub fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("makima-repo-").tempdir().expect("a temporary folder");
        let path = folder.path().join("repo");
        fs::create_dir(&path).expect("a folder for the repository");
        fs::create_dir(folder.path().join("home")).expect("a home folder");
        let path = path.canonicalize().expect("the path of the repository");
        let repo = Self { folder, path, commits: AtomicU64::new(0) };
        // An empty template: no hooks and no excludes of the machine's.
        repo.git(["init", "--quiet", "--initial-branch=main", "--template="]);
        for (key, value) in [
            ("user.name", "Test Author"),
            ("user.email", "author@example.com"),
            ("commit.gpgSign", "false"),
            ("core.autocrlf", "false"),
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
        ] {
            repo.git(["config", "--local", key, value]);
        }
        repo
    }

    /// The folder of the work tree, without symbolic links in it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The repository as a `file://` URL.
    pub fn url(&self) -> String {
        format!("file://{}", self.path.display())
    }

    /// Writes a file of the work tree and commits nothing: an uncommitted change.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let file = self.path.join(path);
        fs::create_dir_all(file.parent().expect("a file lies in a folder")).expect("folders for the file");
        fs::write(&file, content)
            .unwrap_or_else(|error| panic!("could not write {}: {error}", file.display()));
        self
    }

    /// Reads a file of the work tree.
    pub fn read(&self, path: &str) -> String {
        let file = self.path.join(path);
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("could not read {}: {error}", file.display()))
    }

    /// Deletes a file of the work tree and commits nothing.
    pub fn delete(&self, path: &str) -> &Self {
        let file = self.path.join(path);
        fs::remove_file(&file).unwrap_or_else(|error| panic!("could not delete {}: {error}", file.display()));
        self
    }

    /// Commits everything that differs in the work tree, and answers the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(["add", "--all"]);
        self.git(["commit", "--quiet", "--allow-empty", "--message", message]);
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.head()
    }

    /// Writes files, commits everything, and answers the commit's id.
    pub fn commit_files<'a>(
        &self,
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
        message: &str,
    ) -> String {
        for (path, content) in files {
            self.write(path, content);
        }
        self.commit(message)
    }

    /// Makes a branch at the current commit and stays where it is.
    pub fn branch(&self, name: &str) -> &Self {
        self.git(["branch", "--", name]);
        self
    }

    /// Goes to a branch or commit.
    pub fn checkout(&self, name: &str) -> &Self {
        self.git(["checkout", "--quiet", name, "--"]);
        self
    }

    /// The id of the current commit.
    pub fn head(&self) -> String {
        self.git(["rev-parse", "HEAD"])
    }

    /// What differs from the current commit, in git's short form; empty when nothing does.
    pub fn status(&self) -> String {
        self.git(["status", "--porcelain", "--untracked-files=all"])
    }

    /// What git prints, without the newline at its end.
    ///
    /// # Panics
    ///
    /// If git fails, with its own words.
    pub fn git<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> String {
        let mut command = self.command();
        command.args(arguments);
        let output = command.output().expect("git can be run");
        assert!(output.status.success(), "{}", failure(&command, &output));
        String::from_utf8(output.stdout).expect("git prints text").trim_end_matches('\n').to_owned()
    }

    /// The git command, for what may fail or prints bytes.
    pub fn command(&self) -> Command {
        let mut command = scrubbed_command("git");
        let date = format!("@{} +0000", FIRST_COMMIT + 60 * self.commits.load(Ordering::Relaxed));
        command
            .current_dir(&self.path)
            .env("HOME", self.folder.path().join("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .env("LC_ALL", "C");
        command
    }
}

impl Default for TestRepo {
    fn default() -> Self {
        Self::new()
    }
}

fn failure(command: &Command, output: &Output) -> String {
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
    format!(
        "git {} failed ({}): {}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_calls_give_the_same_commits() {
        let build = || {
            let repo = TestRepo::new();
            repo.branch("side").checkout("side").commit_files([("a/b.txt", "b\n")], "Add b");
            repo
        };
        let (one, other) = (build(), build());
        assert_eq!(one.head(), other.head());
        assert_eq!(one.git(["rev-parse", "--abbrev-ref", "HEAD"]), "side");
        assert_ne!(one.git(["rev-parse", "main"]), one.head());
    }

    #[test]
    fn uncommitted_changes_stay_uncommitted() {
        let repo = TestRepo::new();
        let head = repo.head();
        repo.write("README.md", "changed\n").write("new/file", "new\n");
        assert_eq!(repo.status(), " M README.md\n?? new/file");
        assert_eq!(repo.head(), head);
    }

    #[test]
    fn nothing_of_it_is_left() {
        let repo = TestRepo::new();
        let folder = repo.folder.path().to_owned();
        drop(repo);
        assert!(!folder.exists());
    }
}
