//! A naive copy of everything that a worktree is, to hold another moment against; and ways to get in between.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::Poll;

use makima_git::{CheckpointKind, CheckpointRequest, Made, RestoreError, Restored};

use crate::lab::{Repo, Task};

type Name = Vec<u8>;

/// All files of a worktree, and all that git says and keeps of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Everything {
    /// Content, kind and executable bit of every file, ignored ones too.
    pub(crate) files: BTreeMap<Name, (char, Vec<u8>)>,
    /// Those that are tracked, or untracked and not ignored.
    pub(crate) seen: BTreeSet<Name>,
    pub(crate) git: Git,
}

/// What git says and keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Git {
    /// Modes, objects, stages and flags.
    pub(crate) entries: String,
    /// What differs in tracked files, and on which branch and commit.
    pub(crate) status: String,
    pub(crate) branches: String,
    /// The index and what the worktree is in the middle of, byte for byte.
    pub(crate) folder: BTreeMap<Name, Vec<u8>>,
}

impl Everything {
    pub(crate) fn of(task: &Task) -> Self {
        let mut files = BTreeMap::new();
        below(&task.repo.folder, &[], &mut |name, path| {
            // A repository's own files, a nested one's too.
            if !name.split(|b| *b == b'/').any(|part| part == b".git") {
                files.insert(name, (kind(path), content(path)));
            }
        });
        let mut folder = BTreeMap::new();
        let git_dir = git_dir(task);
        below(&git_dir, &[], &mut |name, path| {
            let others = [&b"makima/"[..], b"logs/", b"COMMIT_EDITMSG", b"gitdir", b"commondir"];
            if !others.iter().any(|other| name.starts_with(other)) {
                folder.insert(name, content(path));
            }
        });
        let git = Git {
            entries: said(&task.repo, &["ls-files", "--stage", "-v", "-t"]),
            status: said(&task.repo, &["status", "--porcelain=v2", "--branch", "-uno"]),
            branches: said(&task.repo, &["for-each-ref", "refs/heads"]),
            folder,
        };
        let listed = bytes_said(&task.repo, &["ls-files", "-z", "-co", "--exclude-standard"]);
        let listed: BTreeSet<&[u8]> = listed.split(|b| *b == 0).collect();
        let seen = files.keys().filter(|name| listed.contains(&name[..])).cloned().collect();
        Self { files, seen, git }
    }

    fn ignored(&self) -> BTreeMap<&Name, &(char, Vec<u8>)> {
        self.files.iter().filter(|(name, _)| !self.seen.contains(*name)).collect()
    }
}

pub(crate) fn git_dir(task: &Task) -> PathBuf {
    task.clone.dir().join("worktrees/one")
}

/// Without writing an index anew.
fn said(repo: &Repo, args: &[&str]) -> String {
    String::from_utf8_lossy(&bytes_said(repo, args)).into_owned()
}

fn bytes_said(repo: &Repo, args: &[&str]) -> Vec<u8> {
    let output = repo.command(args).env("GIT_OPTIONAL_LOCKS", "0").output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn below(folder: &Path, name: &[u8], each: &mut dyn FnMut(Name, &Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let slash: &[u8] = if name.is_empty() { b"" } else { b"/" };
        let inside = [name, slash, entry.file_name().as_bytes()].concat();
        match entry.file_type().unwrap().is_dir() {
            true => below(&entry.path(), &inside, each),
            false => each(inside, &entry.path()),
        }
    }
}

fn kind(path: &Path) -> char {
    let found = path.symlink_metadata().unwrap();
    match (found.is_symlink(), found.permissions().mode() & 0o100 != 0) {
        (true, _) => 'l',
        (false, true) => 'x',
        (false, false) => '-',
    }
}

fn content(path: &Path) -> Vec<u8> {
    match fs::read_link(path) {
        Ok(target) => target.as_os_str().as_bytes().to_vec(),
        Err(_) => fs::read(path).unwrap_or_default(),
    }
}

impl Task {
    /// Keeps everything under a number.
    pub(crate) async fn keep(&mut self, number: u64) -> Made {
        let request = CheckpointRequest { kind: CheckpointKind::Safety, ..self.request(number) };
        let made = self.worktree.checkpoint(&request).await.unwrap().unwrap();
        self.last = Some(made.commit.clone());
        made
    }

    pub(crate) async fn try_restore(&self, to: u64, keep: u64) -> Result<Restored, RestoreError> {
        self.worktree.restore(to, &self.request(keep)).await
    }

    /// Goes back to what `wanted` is a copy of, and makes sure that it is there and nothing else is gone.
    pub(crate) async fn restore(&self, to: u64, keep: u64, wanted: &Everything) -> Restored {
        let before = Everything::of(self);
        let restored = self.try_restore(to, keep).await.unwrap();
        self.is_back(&before, wanted, &restored);
        restored
    }

    pub(crate) fn is_back(&self, before: &Everything, wanted: &Everything, restored: &Restored) {
        let now = Everything::of(self);
        assert_eq!(now.git.status, wanted.git.status);
        assert_eq!(now.git.entries, wanted.git.entries);
        assert_eq!(lossy(&now.git.folder), lossy(&wanted.git.folder));
        assert_eq!(now.git.folder, wanted.git.folder);
        let head = |git: &Git| git.folder[&b"HEAD"[..]].clone();
        let branch = String::from_utf8(head(&wanted.git)).unwrap();
        if let Some(branch) = branch.trim().strip_prefix("ref: ") {
            let at = |git: &Git| git.branches.lines().find(|line| line.ends_with(branch)).map(str::to_owned);
            assert_eq!(at(&now.git), at(&wanted.git));
        }
        for name in &wanted.seen {
            let shown = String::from_utf8_lossy(name);
            assert_eq!(now.files.get(name), wanted.files.get(name), "{shown}");
        }
        let others = now.seen.difference(&wanted.seen).cloned();
        // What the rules of then, outside of the worktree's files, would have shown.
        assert_eq!(others.collect::<Vec<_>>(), restored.left_untouched, "of {:?}", wanted.seen);
        for (name, file) in before.ignored() {
            let shown = String::from_utf8_lossy(name);
            let collided = restored.collisions.contains(name);
            assert!(collided || now.files.get(name) == Some(file), "{shown} was ignored and is touched");
        }
    }
}

fn lossy(folder: &BTreeMap<Name, Vec<u8>>) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    folder.iter().map(|(name, bytes)| (text(name), text(bytes))).filter(|(name, _)| name != "index").collect()
}

/// Runs until it has waited so often; then `between` is done, and it goes on if that says so. `None` where it
/// did not.
pub(crate) async fn in_between<F: Future>(
    future: F,
    waits: usize,
    between: impl FnOnce() -> bool,
) -> Option<F::Output> {
    let mut future = pin!(future);
    let (mut waited, mut between) = (0, Some(between));
    std::future::poll_fn(move |context| {
        if let Poll::Ready(done) = future.as_mut().poll(context) {
            return Poll::Ready(Some(done));
        }
        waited += 1;
        let between = if waited > waits { between.take() } else { None };
        if between.is_some_and(|between| !between()) { Poll::Ready(None) } else { Poll::Pending }
    })
    .await
}

pub(crate) fn name(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}
