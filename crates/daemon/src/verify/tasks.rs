//! Tasks: their files, their worktrees, and what their clones keep of them.

use super::{Inventory, Looked, Missed, clones_in, locks, runs::Kept, unread};
use crate::{disk, folders::clone_name, worktrees::TaskFile};
use makima_git::{BareClone, Git, Registered, Sha, TaskRef};
use makima_model::{
    TaskId,
    verify::{Known, KnownCheckpoint, Progress},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

const RETURN: &str = "its files are gone but for its checkpoints: say something to the task, and its worktree is made anew where its branch stands";
const GONE: &str = "the checkpoint can't be gone back to: keep a copy of the daemon's folder and report it with this line; the server may still have its diff";

/// The clones that tasks have, with the tasks of each.
type Clones = BTreeMap<PathBuf, BTreeMap<TaskId, TaskFile>>;

impl Inventory {
    pub(super) async fn look_at_tasks(
        &self,
        git: &Git,
        known: &Known,
        kept: &Kept,
        looked: &mut Looked,
        watch: &mut (dyn FnMut(Progress<'_>) + Send),
    ) {
        for task in known.tasks.keys().filter(|task| !self.file(**task).exists()) {
            let found = "it has a worktree, and the daemon knows nothing of it";
            looked.doubt(Missed::Task(*task), "task_missing", format!("task {task}"), found, RETURN);
        }
        let clones = self.clones(known, looked);
        let of = clones.len() as u64;
        let mut left = locks::Left::default();
        for (done, (dir, tasks)) in (0..).zip(&clones) {
            watch(Progress { what: "clones", done, of });
            let clone = BareClone::open(git, dir);
            looked.report.count("clones", 1);
            if !dir.join("makima.config").exists() {
                let object = format!("clone {}", dir.display());
                looked.add("clone_missing", object, "tasks have it, and it is not there".to_owned(), GONE);
                continue;
            }
            self.look_at_worktrees(&clone, tasks, looked);
            left.look(&clone, &kept.busy);
            if let Err(error) = self.look_at_refs(&clone, tasks, known, kept, looked).await {
                let object = format!("clone {}", dir.display());
                looked.add(
                    "clone_broken",
                    object,
                    format!("git can't read it: {}", crate::error::told(&error)),
                    GONE,
                );
            }
        }
        let listed = names_of_busy(self, known);
        left.settle(&listed, looked).await;
    }

    fn file(&self, task: TaskId) -> PathBuf {
        self.root.join("tasks").join(format!("{task}.json"))
    }

    fn clones(&self, known: &Known, looked: &mut Looked) -> Clones {
        let mut clones = Clones::new();
        for task in &self.listed.tasks {
            let object = format!("task {task}");
            if !known.tasks.contains_key(task) && !known.leaving.contains(task) {
                self.tell_left(*task, looked);
            }
            match disk::read_json::<TaskFile>(&self.file(*task)) {
                Ok(Some(file)) => {
                    looked.report.count("tasks of the daemon", 1);
                    let dir = self.root.join("repositories").join(clone_name(&file.repository));
                    clones.entry(dir).or_default().insert(*task, file);
                }
                // It was removed meanwhile, or something else is left of it.
                Ok(None) => {}
                Err(error) => looked.add("task_file", object, unread(&error), GONE),
            }
        }
        clones
    }

    /// Tells what is there of a task that the server doesn't know. A daemon erases what it has before the server does, so by now
    /// nothing is there of one that was.
    fn tell_left(&self, task: TaskId, looked: &mut Looked) {
        let mut left = Vec::new();
        left.extend(self.file(task).exists().then(|| "its file".to_owned()));
        left.extend(
            self.root.join("worktrees").join(task.to_string()).exists().then(|| "its worktree".to_owned()),
        );
        for clone in clones_in(&self.root) {
            let kept = makima_git::tasks_kept_in(&clone).unwrap_or_default();
            let named = || format!("its refs in clone {}", clone.display());
            left.extend(kept.contains(&task.to_string()).then(named));
        }
        if !left.is_empty() {
            let found = format!(
                "the server knows of no such task, or erased it, and this is here: {}",
                left.join(", ")
            );
            let advice = "is this the database of the server that the daemon belongs to? Then remove what is here of it";
            looked.add("task_unknown", format!("task {task}"), found, advice);
        }
    }

    fn look_at_worktrees(&self, clone: &BareClone, tasks: &BTreeMap<TaskId, TaskFile>, looked: &mut Looked) {
        // As git knows them: without symbolic links.
        let root = self.root.canonicalize().unwrap_or_else(|_| self.root.clone()).join("worktrees");
        let registered: BTreeSet<PathBuf> =
            clone.registered().into_iter().flatten().map(|Registered { folder, .. }| folder).collect();
        for task in tasks.keys() {
            let folder = root.join(task.to_string());
            let object = format!("task {task}");
            looked.report.count("worktrees", 1);
            if !folder.is_dir() {
                let found = format!("its worktree {} is gone", folder.display());
                looked.doubt(Missed::Task(*task), "worktree_missing", object, &found, RETURN);
            } else if !registered.contains(&folder) {
                let found = format!("git doesn't know its worktree {}", folder.display());
                let advice = "move the folder away, and say something to the task: its worktree is made anew where its branch stands";
                looked.doubt(Missed::Task(*task), "worktree_unregistered", object, &found, advice);
            }
        }
    }

    /// Every checkpoint's commit is kept by a ref and is there whole, and what is kept is some checkpoint's.
    async fn look_at_refs(
        &self,
        clone: &BareClone,
        tasks: &BTreeMap<TaskId, TaskFile>,
        known: &Known,
        kept: &Kept,
        looked: &mut Looked,
    ) -> Result<(), makima_git::GitError> {
        let refs = clone.task_refs().await?;
        for task in tasks.keys() {
            let own: Vec<&TaskRef> = refs.iter().filter(|kept| kept.task == task.to_string()).collect();
            let made = known.tasks.get(task).map(Vec::as_slice).unwrap_or_default();
            looked.report.count("checkpoints in clones", made.len() as u64);
            for checkpoint in made {
                look_at_checkpoint(*task, checkpoint, &own, looked);
            }
            // The file is read anew: it is written after the ref.
            let newest =
                disk::read_json::<TaskFile>(&self.file(*task)).ok().flatten().and_then(|file| file.made);
            let told = newest.map(|made| made.checkpoint.commit_sha);
            let highest = made.iter().map(|made| made.number).max().unwrap_or(0);
            for (number, kept_ref) in own.iter().filter_map(|kept| Some((number_of(kept)?, kept))) {
                let commit = kept_ref.object.as_str();
                let is_known = made.iter().any(|made| made.commit == commit)
                    || told.as_deref() == Some(commit)
                    || kept.commits.get(task).is_some_and(|commits| commits.contains(commit));
                // Above them all, it may be one that was being made when somebody was killed: the next one takes it up.
                if number <= highest && !is_known {
                    looked.doubt(
                        Missed::Commit(*task, commit.to_owned()),
                        "checkpoint_unknown",
                        format!("ref {}", kept_ref.name()),
                        "it is no checkpoint's that the server knows",
                        "nothing is lost: report it with this line; `git update-ref -d` in the clone removes it",
                    );
                }
            }
        }
        self.look_at_objects(clone, &refs, looked).await
    }

    async fn look_at_objects(
        &self,
        clone: &BareClone,
        refs: &[TaskRef],
        looked: &mut Looked,
    ) -> Result<(), makima_git::GitError> {
        let objects: Vec<&Sha> = refs.iter().map(|kept| &kept.object).collect();
        let absent: BTreeSet<Sha> = clone.absent(&objects).await?.into_iter().collect();
        for kept in refs.iter().filter(|kept| absent.contains(&kept.object)) {
            let found = format!("what it keeps, {}, is not there", kept.object);
            looked.add("object_missing", format!("ref {}", kept.name()), found, GONE);
        }
        let present: Vec<&Sha> = objects.into_iter().filter(|object| !absent.contains(object)).collect();
        for missing in clone.missing_behind(&present).await? {
            let object = format!("object {missing} of clone {}", clone.dir().display());
            looked.add(
                "object_missing",
                object,
                "a checkpoint leads to it, and it is not there".to_owned(),
                GONE,
            );
        }
        Ok(())
    }
}

fn look_at_checkpoint(task: TaskId, checkpoint: &KnownCheckpoint, refs: &[&TaskRef], looked: &mut Looked) {
    // The server gives one another number whose number it has: any ref of the task keeps it as well.
    if refs.iter().any(|kept| kept.object.as_str() == checkpoint.commit) {
        return;
    }
    let object = format!("checkpoint {}", checkpoint.id);
    let found = match refs.iter().find(|kept| number_of(kept) == Some(checkpoint.number)) {
        Some(kept) => {
            format!("its commit is {}, and ref {} leads to {}", checkpoint.commit, kept.name(), kept.object)
        }
        None => format!("no ref keeps its commit {}", checkpoint.commit),
    };
    let advice = "git may throw it away: if `git cat-file -t` finds the commit in the clone, make the ref anew with `git update-ref`";
    looked.doubt(Missed::Task(task), "checkpoint_unkept", object, &found, advice);
}

fn number_of(kept: &TaskRef) -> Option<i64> {
    kept.rest.strip_prefix("checkpoints/")?.parse().ok()
}

/// The tasks that somebody works on now, by what lies there now and what the server knew.
fn names_of_busy(inventory: &Inventory, known: &Known) -> BTreeSet<TaskId> {
    let mut busy: BTreeSet<TaskId> = BTreeSet::new();
    busy.extend(known.runs.values().filter(|run| run.is_the_daemons).map(|run| run.task));
    for entry in fs::read_dir(inventory.root.join("runs")).into_iter().flatten().flatten() {
        let spec = disk::read_json::<makima_wire::frame::StartRun>(&entry.path().join(crate::runs::SPEC));
        busy.extend(spec.ok().flatten().map(|spec| spec.task));
    }
    busy
}
