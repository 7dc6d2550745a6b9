//! Whether a daemon's data folder agrees with itself, with its clones and with what the server knows. It only looks, also while
//! the daemon works: so the order of looks matters. First what lies there is [listed](Inventory::list); then the server is asked
//! what it knows of that; then all of it is [looked at](Inventory::look). Whatever is listed was known to the server before it
//! came to lie here, and what a journal has only grows. The other way round, what the server knows may have come and gone
//! meanwhile: what is missed so is a [`Doubt`], and counts if the server still knows of it afterwards.

mod locks;
mod runs;
mod tasks;

use crate::{DaemonError, disk, error::told, folders::Identity};
use makima_git::Git;
use makima_model::{
    CommandId, RunId, TaskId,
    verify::{Finding, Known, Listed, Progress, Report},
};
use runs::Kept;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What lies in a daemon's data folder.
#[derive(Debug)]
pub struct Inventory {
    root: PathBuf,
    listed: Listed,
}

/// Something that is not here, and is wrong if the server still knows of it when it is asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    what: Missed,
    finding: Finding,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Missed {
    Run(RunId),
    Command(CommandId),
    Task(TaskId),
    /// A commit of a task that is kept for no checkpoint that is known: the other way round.
    Commit(TaskId, String),
}

/// What a look came to.
#[derive(Debug, Default)]
pub struct Looked {
    /// What is certain.
    pub report: Report,
    /// What isn't.
    pub doubts: Vec<Doubt>,
}

impl Inventory {
    /// Lists what lies in the data folder; `None` where there is no such folder.
    pub fn list(root: &Path) -> Result<Option<Self>, DaemonError> {
        if !root.is_dir() {
            return Ok(None);
        }
        let identity: Option<Identity> = disk::read_json(&root.join("daemon.json"))?;
        let listed = Listed {
            daemon: identity.map(|identity| identity.id),
            runs: names(&root.join("runs"))?,
            commands: names(&root.join("commands"))?,
            tasks: tasks_in(root)?,
        };
        Ok(Some(Self { root: root.to_owned(), listed }))
    }

    /// What lies there.
    pub fn listed(&self) -> &Listed {
        &self.listed
    }

    /// Looks at all of it.
    pub async fn look(
        &self,
        git: &Git,
        known: &Known,
        watch: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Looked {
        let mut looked = Looked::default();
        let mut kept = Kept::default();
        let of = (self.listed.runs.len() + self.listed.commands.len()) as u64;
        for (done, run) in (0..).zip(&self.listed.runs) {
            watch(Progress { what: "journals", done, of });
            self.look_at_run(*run, known, &mut kept, &mut looked);
        }
        for command in &self.listed.commands {
            self.look_at_command(*command, known, &mut kept, &mut looked);
        }
        self.look_for_missing(known, &mut looked);
        self.look_at_uploads(&mut looked);
        self.look_at_tasks(git, known, &kept, &mut looked, watch).await;
        looked
    }

    /// Blobs on their way: each is what its name says.
    fn look_at_uploads(&self, looked: &mut Looked) {
        for entry in fs::read_dir(self.root.join("blobs")).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.len() != 64 {
                continue;
            }
            looked.report.count("blobs on their way", 1);
            let mut hasher = blake3::Hasher::new();
            // One that is gone has arrived meanwhile.
            let read = fs::File::open(entry.path()).and_then(|file| hasher.update_reader(file).map(drop));
            if read.is_ok() && hasher.finalize().to_hex().as_str() != name {
                looked.add(
                    "upload_changed",
                    format!("blob {name}"),
                    "its bytes hash to something else: the server won't take it".to_owned(),
                    "the diffs that it holds are lost; its commit has everything: remove the file",
                );
            }
        }
    }
}

impl Looked {
    fn add(&mut self, rule: &str, object: String, found: String, advice: &str) {
        self.report.add(finding(rule, object, found, advice));
    }

    fn doubt(&mut self, what: Missed, rule: &str, object: String, found: &str, advice: &str) {
        self.doubts.push(Doubt { what, finding: finding(rule, object, found.to_owned(), advice) });
    }

    /// What is certain now that the server was asked again.
    pub fn settled(mut self, known: &Known) -> Report {
        for Doubt { what, finding } in self.doubts {
            let stands = match what {
                Missed::Run(run) => known.runs.get(&run).is_some_and(|run| run.is_the_daemons),
                Missed::Command(command) => known.commands.get(&command).is_some_and(|is_open| *is_open),
                Missed::Task(task) => known.tasks.contains_key(&task),
                Missed::Commit(task, commit) => {
                    known.tasks.get(&task).is_some_and(|made| made.iter().all(|made| made.commit != commit))
                }
            };
            if stands {
                self.report.add(finding);
            }
        }
        self.report
    }
}

fn finding(rule: &str, object: String, found: String, advice: &str) -> Finding {
    Finding { rule: rule.to_owned(), object, found, advice: advice.to_owned() }
}

/// Why a file can't be read, in one line.
fn unread(error: &DaemonError) -> String {
    told(error)
}

/// The tasks of which there is a file, a worktree or a ref. Of those that are erased there is none.
fn tasks_in(root: &Path) -> Result<Vec<TaskId>, DaemonError> {
    let mut tasks = BTreeSet::new();
    for folder in ["tasks", "worktrees"] {
        tasks.extend(names::<TaskId>(&root.join(folder))?);
    }
    for path in clones_in(root) {
        let kept = makima_git::tasks_kept_in(&path).map_err(|source| DaemonError::read(&path, source))?;
        tasks.extend(kept.iter().filter_map(|task| task.parse::<TaskId>().ok()));
    }
    Ok(tasks.into_iter().collect())
}

/// The clones. Beside each lies a lock.
fn clones_in(root: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(root.join("repositories")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir())
}

/// The ids by which files and folders are named; none where there is no such place.
fn names<T: std::str::FromStr + Ord>(folder: &Path) -> Result<Vec<T>, DaemonError> {
    if folder.is_dir() { crate::folders::names(folder) } else { Ok(Vec::new()) }
}
