//! Runs and commands: their files can be read, journals have no holes, and nothing that the server waits for is gone.

use super::{Inventory, Looked, Missed, unread};
use crate::{
    commands::CommandFile,
    disk,
    journal::{Whole, read_whole},
    runs::SPEC,
};
use makima_model::{CommandId, Record, RunId, TaskId, verify::Known};
use makima_wire::frame::{Command, CommandOutcome, CommandResult, StartRun};
use std::collections::{BTreeMap, BTreeSet};

const LEFT_ALONE: &str =
    "the daemon leaves it alone: keep a copy of the daemon's folder and report it with this line";
const STRANGE: &str = "is this the database of the server that the daemon belongs to? Then keep a copy of the daemon's folder and report it \
    with this line";

/// What runs and commands still have to tell, and who works on a task.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Commits of checkpoints, by task.
    pub(super) commits: BTreeMap<TaskId, BTreeSet<String>>,
    /// Tasks that a run or a command works on.
    pub(super) busy: BTreeSet<TaskId>,
}

impl Inventory {
    pub(super) fn look_at_run(&self, run: RunId, known: &Known, kept: &mut Kept, looked: &mut Looked) {
        let folder = self.root.join("runs").join(run.to_string());
        let object = format!("run {run}");
        let spec = disk::read_json::<StartRun>(&folder.join(SPEC));
        let task = spec.as_ref().ok().and_then(|spec| spec.as_ref().map(|spec| spec.task));
        let journal = read_whole(&folder, |entry| {
            if let (Record::Checkpoint(made), Some(task)) = (&entry.record, task) {
                kept.commits.entry(task).or_default().insert(made.commit_sha.clone());
            }
        });
        if !folder.exists() {
            // The server has all of it.
            return;
        }
        looked.report.count("journals", 1);
        match &spec {
            Ok(Some(spec)) => {
                kept.busy.insert(spec.task);
            }
            Ok(None) if journal.as_ref().is_ok_and(|found| found.last > 0) => looked.add(
                "run_spec",
                object.clone(),
                "it has a journal, and what it was started with is not there".to_owned(),
                LEFT_ALONE,
            ),
            // It was never begun.
            Ok(None) => {}
            Err(error) => looked.add("run_spec", object.clone(), unread(error), LEFT_ALONE),
        }
        let Whole { last, has_ended, wrong } = match journal {
            Ok(found) => found,
            Err(error) => return looked.add("journal", object, unread(&error), LEFT_ALONE),
        };
        if let Some(wrong) = wrong {
            return looked.add(
                "journal",
                object,
                format!("behind entry {last} of its journal {wrong}"),
                "what stands there is cut off when the run goes on: keep a copy of the daemon's folder and report it with this line",
            );
        }
        let Some(server) = known.runs.get(&run) else {
            return looked.add("run_unknown", object, "the server knows of no such run".to_owned(), STRANGE);
        };
        if Some(server.daemon) != self.listed.daemon {
            let found = format!("on the server it is on daemon {}", server.daemon);
            return looked.add("run_unknown", object, found, STRANGE);
        }
        if last < server.last_entry {
            looked.add(
                "journal_behind",
                object,
                format!(
                    "the server has its entries up to {}, and its journal only up to {last}{}",
                    server.last_entry,
                    if has_ended { ", where it ends" } else { "" }
                ),
                "what it says next would be taken for what the server has: stop the task, and report it with this line",
            );
        }
    }

    pub(super) fn look_at_command(
        &self,
        command: CommandId,
        known: &Known,
        kept: &mut Kept,
        looked: &mut Looked,
    ) {
        let object = format!("command {command}");
        let file =
            disk::read_json::<CommandFile>(&self.root.join("commands").join(format!("{command}.json")));
        let file = match file {
            Ok(Some(file)) => file,
            // The server has what came of it.
            Ok(None) => return,
            Err(error) => return looked.add("command_file", object, unread(&error), LEFT_ALONE),
        };
        looked.report.count("commands of the daemon", 1);
        if !known.commands.contains_key(&command) {
            looked.add("command_unknown", object, "the server knows of no such command".to_owned(), STRANGE);
        }
        if let Command::Checkpoint { task, .. } = &file.command {
            match &file.outcome {
                Some(CommandOutcome::Done(CommandResult::Checkpoint(made))) => {
                    kept.commits.entry(*task).or_default().insert(made.made.commit_sha.clone());
                }
                Some(_) => {}
                None => {
                    kept.busy.insert(*task);
                }
            }
        }
    }

    /// What the server waits for, and nobody here works on.
    pub(super) fn look_for_missing(&self, known: &Known, looked: &mut Looked) {
        let stop = "what it had to say is lost: restart the daemon, then say something to the task to go on";
        for (run, of) in &known.runs {
            let is_ours = of.is_the_daemons && Some(of.daemon) == self.listed.daemon;
            let spec = self.root.join("runs").join(run.to_string()).join(SPEC);
            if is_ours && !spec.exists() {
                let found = "it lives, and the daemon knows nothing of it";
                looked.doubt(Missed::Run(*run), "run_missing", format!("run {run}"), found, stop);
            }
        }
        for (command, is_open) in &known.commands {
            let file = self.root.join("commands").join(format!("{command}.json"));
            if *is_open && !file.exists() {
                let found = "the daemon has acknowledged it, and knows nothing of it";
                let advice =
                    "nothing will come of it: do again what it was for, and report it with this line";
                let object = format!("command {command}");
                looked.doubt(Missed::Command(*command), "command_missing", object, found, advice);
            }
        }
    }
}
