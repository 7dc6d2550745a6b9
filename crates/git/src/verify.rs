//! What a clone keeps for tasks, as git has it: the refs, whether everything that they lead to is there, the worktrees that are
//! registered, and locks that were left. It only looks.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::{BareClone, GitError, Sha};

/// Where what is kept for tasks is kept.
const TASKS: &str = "refs/makima/tasks/";

/// A ref below [`TASKS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRef {
    /// The task, as the ref names it.
    pub task: String,
    /// What stands behind that, such as `checkpoints/3`.
    pub rest: String,
    /// What it leads to.
    pub object: Sha,
}

impl TaskRef {
    /// All of its name.
    pub fn name(&self) -> String {
        format!("{TASKS}{}/{}", self.task, self.rest)
    }
}

/// A worktree as the clone has it registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its folder.
    pub folder: PathBuf,
    /// Its git folder, inside the clone.
    pub git_dir: PathBuf,
}

/// A lock file of git's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockFile {
    /// The file.
    pub path: PathBuf,
    /// When it was made.
    pub since: SystemTime,
}

impl BareClone {
    /// What is kept for tasks.
    pub async fn task_refs(&self) -> Result<Vec<TaskRef>, GitError> {
        let asked = self.run("for-each-ref").args(["--format=%(objectname) %(refname)", TASKS]);
        let listed = asked.ok().await?;
        let read = |line: &str| {
            let (object, name) = line.split_once(' ')?;
            let (task, rest) = name.strip_prefix(TASKS)?.split_once('/')?;
            Some(TaskRef { task: task.to_owned(), rest: rest.to_owned(), object: Sha::parse(object)? })
        };
        Ok(String::from_utf8_lossy(&listed).lines().filter_map(read).collect())
    }

    /// Which of these objects are not there.
    pub async fn absent(&self, objects: &[&Sha]) -> Result<Vec<Sha>, GitError> {
        if objects.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<&str> = objects.iter().map(|object| object.as_str()).collect();
        let found = self.git().objects(self.run("cat-file"), &names).await?;
        let absent = objects.iter().zip(found).filter(|(_, found)| found.is_none());
        Ok(absent.map(|(object, _)| (*object).clone()).collect())
    }

    /// Which objects are missing that these, which are there, lead to: commits, trees and files.
    pub async fn missing_behind(&self, objects: &[&Sha]) -> Result<Vec<Sha>, GitError> {
        let names: String = objects.iter().map(|object| format!("{}\n", object.as_str())).collect();
        let asked = self.run("rev-list").args(["--objects", "--missing=print", "--quiet", "--stdin"]);
        let told = asked.stdin(names).ok().await?;
        let missing = String::from_utf8_lossy(&told);
        Ok(missing.lines().filter_map(|line| Sha::parse(line.strip_prefix('?')?)).collect())
    }

    /// The worktrees that it has.
    pub fn registered(&self) -> io::Result<Vec<Registered>> {
        let mut registered = Vec::new();
        for git_dir in folders_of(&self.dir().join("worktrees"))? {
            let named = fs::read(git_dir.join("gitdir")).unwrap_or_default();
            let named = named.strip_suffix(b"\n").unwrap_or(&named);
            if let Some(folder) = named.strip_suffix(b"/.git") {
                use std::os::unix::ffi::OsStrExt;
                registered.push(Registered {
                    folder: Path::new(std::ffi::OsStr::from_bytes(folder)).into(),
                    git_dir,
                });
            }
        }
        Ok(registered)
    }

    /// The lock files that are there now.
    pub fn locks(&self) -> io::Result<Vec<LockFile>> {
        let mut locks = Vec::new();
        let mut places = vec![self.dir().to_owned(), self.dir().join("refs")];
        places.extend(folders_of(&self.dir().join("worktrees"))?);
        while let Some(place) = places.pop() {
            let entries = match fs::read_dir(&place) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                let path = entry.path();
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_folder && path.starts_with(self.dir().join("refs")) {
                    places.push(path);
                } else if path.extension().is_some_and(|ending| ending == "lock") {
                    // One that is gone again held something for a moment.
                    if let Ok(since) = entry.metadata().and_then(|metadata| metadata.modified()) {
                        locks.push(LockFile { path, since });
                    }
                }
            }
        }
        Ok(locks)
    }
}

fn folders_of(place: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    Ok(folders)
}
