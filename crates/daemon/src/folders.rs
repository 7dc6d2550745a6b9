//! What lies where in a daemon's data folder.

use crate::{DaemonError, disk};
use makima_model::{Clock, CommandId, DaemonId, RunId, TaskId};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The ending of the name of a run's folder that is being removed.
pub(crate) const GONE: &str = "gone";

/// A daemon's data folder, held by this daemon alone.
#[derive(Debug)]
pub struct Folders {
    root: PathBuf,
    _lock: disk::Lock,
}

/// The file that makes a daemon the same one tomorrow.
#[derive(Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) id: DaemonId,
}

impl Folders {
    /// Takes the folder, making what isn't there.
    pub fn open(root: &Path) -> Result<Self, DaemonError> {
        disk::make_folder(root)?;
        let root = root.canonicalize().map_err(|source| DaemonError::read(root, source))?;
        let lock = disk::lock(&root.join("daemon.lock"))?
            .ok_or_else(|| DaemonError::FolderHeld { path: root.clone() })?;
        let folders = Self { root, _lock: lock };
        for name in ["blobs", "commands", "repositories", "runs", "tasks", "worktrees"] {
            disk::make_folder(&folders.root.join(name))?;
        }
        Ok(folders)
    }

    /// Where all of it is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The daemon's id, made when it is first asked for.
    pub(crate) fn identity(&self, clock: &Clock) -> Result<DaemonId, DaemonError> {
        let path = self.root.join("daemon.json");
        if let Some(Identity { id }) = disk::read_json(&path)? {
            return Ok(id);
        }
        let id = clock.new_id();
        disk::write_json(&path, &Identity { id })?;
        Ok(id)
    }

    /// Of a run: its spec, its journal, its host's files.
    pub(crate) fn run(&self, run: RunId) -> PathBuf {
        self.root.join("runs").join(run.to_string())
    }

    /// The runs that have a folder, oldest first.
    pub(crate) fn runs(&self) -> Result<Vec<RunId>, DaemonError> {
        names(&self.root.join("runs"))
    }

    /// Removes what is left of runs that were being removed.
    pub(crate) fn sweep_runs(&self) -> Result<(), DaemonError> {
        let folder = self.root.join("runs");
        let failed = |source| DaemonError::read(&folder, source);
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|ending| ending == GONE) {
                fs::remove_dir_all(&path).map_err(|source| DaemonError::write(&path, source))?;
            }
        }
        Ok(())
    }

    /// The daemon's own clone of a repository.
    pub fn clone_of(&self, repository: &str) -> PathBuf {
        self.root.join("repositories").join(clone_name(repository))
    }

    /// All clones that are complete, and what is beside them.
    pub(crate) fn clones(&self) -> Result<Vec<PathBuf>, DaemonError> {
        let folder = self.root.join("repositories");
        let entries = fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = entries.map_err(|source| DaemonError::read(&folder, source))?;
        Ok(entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
    }

    /// Where a task's agents work.
    pub(crate) fn worktree(&self, task: TaskId) -> PathBuf {
        self.root.join("worktrees").join(task.to_string())
    }

    /// What is known of a task's worktree.
    pub(crate) fn task(&self, task: TaskId) -> PathBuf {
        self.root.join("tasks").join(format!("{task}.json"))
    }

    /// A command that the server doesn't know the end of.
    pub(crate) fn command(&self, command: CommandId) -> PathBuf {
        self.root.join("commands").join(format!("{command}.json"))
    }

    /// The commands that have a file, oldest first.
    pub(crate) fn commands(&self) -> Result<Vec<CommandId>, DaemonError> {
        names(&self.root.join("commands"))
    }

    /// A blob that has to be uploaded: it is there until it was.
    pub(crate) fn blob(&self, hash: &str) -> PathBuf {
        self.root.join("blobs").join(hash)
    }
}

/// What the clone of a repository is called.
pub(crate) fn clone_name(repository: &str) -> String {
    blake3::hash(repository.as_bytes()).to_hex()[..32].to_owned()
}

/// The ids that the files and folders in `folder` are named by, ascending. Others are left alone.
pub(crate) fn names<T: std::str::FromStr + Ord>(folder: &Path) -> Result<Vec<T>, DaemonError> {
    let failed = |source| DaemonError::read(folder, source);
    let mut ids = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        ids.extend(name.strip_suffix(".json").unwrap_or(&name).parse::<T>().ok());
    }
    ids.sort();
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_daemon_and_keeps_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let first = Folders::open(folder.path()).unwrap();
        let id = first.identity(&clock).unwrap();
        let error = Folders::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("another daemon") && error.contains("--data-dir"), "{error}");
        drop(first);
        assert_eq!(Folders::open(folder.path()).unwrap().identity(&clock).unwrap(), id);
    }

    #[test]
    fn runs_and_commands_are_listed_by_age_and_strange_files_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (folders, clock) = (Folders::open(folder.path()).unwrap(), Clock::system());
        let runs: Vec<RunId> = (0..3).map(|_| clock.new_id()).collect();
        runs.iter().rev().for_each(|run| disk::make_folder(&folders.run(*run)).unwrap());
        fs::write(folders.root.join("runs/notes.txt"), "").unwrap();
        assert_eq!(folders.runs().unwrap(), runs);
        let command: CommandId = clock.new_id();
        disk::write_json(&folders.command(command), &1).unwrap();
        fs::write(disk::beside(&folders.command(clock.new_id())), "").unwrap();
        assert_eq!(folders.commands().unwrap(), [command]);
    }
}
