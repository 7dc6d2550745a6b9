//! Reads the whole state of a worktree, and keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::git_folder::{GitFolder, IndexFile};
use super::raw::Raw;
use super::state::{Branches, Held, State, ended, split_at_tab};
use super::way::{Change, Changes, Kind, collisions};
use super::{Fault, Name};
use crate::scan::{Scanned, TRIES, copy_with_time};
use crate::{CheckpointError, CheckpointRequest, GitError, NotHeld, ScanError, ScanRules, Sha, Worktree};

/// A worktree as it is, with everything written that its commits will hold.
pub(super) struct Present {
    pub(super) scanned: Scanned,
    /// What is on the disk: without what a sparse worktree leaves out.
    pub(super) files: Sha,
    pub(super) git_folder: GitFolder,
    pub(super) branches: Branches,
    pub(super) collisions: BTreeSet<Name>,
    /// What has to change to come to the target.
    pub(super) changes: Changes,
    raw: Raw,
    held: Held,
}

/// Where a state is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Under its number, with its checkpoint.
    Numbered,
    /// Beside the numbered one, which is the state before the first step: this one was found on the way.
    Beside,
}

/// Our index of what is on the disk.
pub(super) const DISK: &str = "disk-index";

impl Worktree {
    /// Keeps the whole state under the checkpoint's number, unless it has been done. Answers what is not held.
    pub(crate) async fn keep_state(
        &self,
        request: &CheckpointRequest,
    ) -> Result<Vec<NotHeld>, CheckpointError> {
        let kept = async {
            let name = request.named(STATE, &request.number.to_string())?;
            if self.branches_now(&[name].into()).await?.values().any(Option::is_some) {
                return Ok(Vec::new());
            }
            let present = self.look(&request.rules, None).await?;
            self.keep_present(request, &present, Place::Numbered).await?;
            Ok(present.scanned.not_held)
        };
        kept.await.map_err(|fault: Fault| fault.of_checkpoint(self, request.number))
    }

    /// The worktree as it is; of one moment, or it fails with `WorktreeChanging`.
    pub(super) async fn look(&self, rules: &ScanRules, target: Option<&State>) -> Result<Present, Fault> {
        let rules = ScanRules { max_untracked_bytes: None, ..rules.clone() };
        for _ in 0..TRIES {
            let git_folder = GitFolder::read(self.git_dir())?;
            let scanned = self.site().scan(&rules, None).await?;
            let present = self.look_closely(git_folder, scanned, target).await?;
            if GitFolder::read(self.git_dir())? == present.git_folder {
                return Ok(present);
            }
        }
        Err(ScanError::WorktreeChanging { path: self.folder().into(), source: None }.into())
    }

    async fn look_closely(
        &self,
        git_folder: GitFolder,
        mut scanned: Scanned,
        target: Option<&State>,
    ) -> Result<Present, Fault> {
        let of_target = target.iter().flat_map(|target| target.branches.keys().cloned());
        let names = git_folder.branches().into_iter().chain(of_target).collect();
        let nothing = BTreeSet::new();
        let (branches, mut held, mut files) = tokio::try_join!(
            async { Ok(self.branches_now(&names).await?) },
            self.held(&git_folder),
            self.trees(&mut scanned, &nothing),
        )?;
        held.commits.extend(branches.values().flatten().cloned());
        let (mut changes, mut found) = (Changes::new(), nothing);
        if let Some(target) = target {
            changes = self.changes_between(&files, &target.files).await?;
            found = collisions(self.folder(), &changes)?;
            if !found.is_empty() {
                files = self.trees(&mut scanned, &found).await?;
                changes = self.changes_between(&files, &target.files).await?;
            }
        }
        let raw = self.write_raw().await?;
        if let Some(target) = target {
            // In both trees they are the same.
            let same = Change { now: Some(Kind::File), then: Some(Kind::File) };
            for name in
                raw.keys().chain(target.raw.keys()).filter(|name| raw.get(*name) != target.raw.get(*name))
            {
                changes.entry(name.clone()).or_insert(same);
            }
        }
        Ok(Present { scanned, files, git_folder, branches, collisions: found, changes, raw, held })
    }

    /// Adds files to what was scanned. Answers the tree of what is on the disk, which our index of it has then.
    async fn trees(&self, scanned: &mut Scanned, added: &BTreeSet<Name>) -> Result<Sha, Fault> {
        let index = self.private_index(DISK)?;
        copy_with_time(&self.site().index_file(), &index)?;
        let update = |args: &[&str], names: &BTreeSet<Name>| {
            self.run("update-index").index(&index).args(args).stdin(ended(names))
        };
        if !added.is_empty() {
            update(&["-z", "--add", "--replace", "--stdin"], added).ok().await?;
            scanned.tree = self.tree_of(&index).await?;
        }
        let listed = self.run("ls-files").index(&index).args(["-z", "-v"]).ok().await?;
        let skipped = listed.split(|b| *b == 0).filter_map(|line| line.strip_prefix(b"S "));
        let skipped: BTreeSet<Name> = skipped.map(<[u8]>::to_vec).collect();
        if skipped.is_empty() {
            return Ok(scanned.tree.clone());
        }
        update(&["-z", "--force-remove", "--stdin"], &skipped).ok().await?;
        Ok(self.tree_of(&index).await?)
    }

    /// Writes what the index and the git folder name, and finds what they name that is there already.
    async fn held(&self, git_folder: &GitFolder) -> Result<Held, Fault> {
        let mut held = Held { replaced: self.replaced_tree().await?, ..Held::default() };
        if let Some(index) = &git_folder.index {
            held.staged = Some(self.staged(index, &mut held.objects).await?);
        }
        let asked: String =
            git_folder.names_of_objects().iter().map(|name| format!("{name}^{{}}\n")).collect();
        if asked.is_empty() {
            return Ok(held);
        }
        let check = self.run("cat-file").arg("--batch-check=%(objectname) %(objecttype)").stdin(asked);
        // What names nothing, or more than one, is no object's name.
        for line in String::from_utf8_lossy(&check.ok().await?).lines() {
            match line.split_once(' ').and_then(|(name, kind)| Some((Sha::parse(name)?, kind))) {
                Some((commit, "commit")) => drop(held.commits.insert(commit)),
                Some((object, kind @ ("tree" | "blob"))) => drop(held.objects.insert(object, kind == "tree")),
                _ => {}
            }
        }
        Ok(held)
    }

    /// The tree of what the index says, without conflicts; their stages, resolved ones too, are told apart.
    async fn staged(&self, own: &IndexFile, objects: &mut BTreeMap<Sha, bool>) -> Result<Sha, Fault> {
        let index = self.private_index("staged-index")?;
        fs::write(&index, &own.bytes)?;
        let list = |what: &str| self.run("ls-files").index(&index).args(["-z", what]).ok();
        let (unmerged, resolved) = tokio::try_join!(list("--unmerged"), list("--resolve-undo"))?;
        let mut conflicts = BTreeSet::new();
        for (listed, is_open) in [(&unmerged, true), (&resolved, false)] {
            for line in listed.split(|b| *b == 0).filter(|line| !line.is_empty()) {
                // `<mode> <oid> <stage>\t<path>`
                let (about, path) = split_at_tab("ls-files", line)?;
                let mut about = about.split(|b| *b == b' ');
                let is_submodule = about.next() == Some(b"160000");
                let object = Sha::read("ls-files", about.next().unwrap_or_default())?;
                if !is_submodule {
                    objects.insert(object, false);
                }
                if is_open {
                    conflicts.insert(path.to_vec());
                }
            }
        }
        if !conflicts.is_empty() {
            let update = self.run("update-index").index(&index).args(["-z", "--force-remove", "--stdin"]);
            update.stdin(ended(&conflicts)).ok().await?;
        }
        Ok(self.tree_of(&index).await?)
    }

    /// What a step before moved away and did not come to look at again.
    async fn replaced_tree(&self) -> Result<Option<Sha>, Fault> {
        let folder = self.replaced();
        let mut names = BTreeSet::new();
        if folder.exists() {
            files_below(&folder, &[], &mut names)?;
        }
        if names.is_empty() {
            return Ok(None);
        }
        let index = self.private_index("replaced-index")?;
        let update = self.run("update-index").work_tree(&folder).index(&index);
        let update = update.setting("core.autocrlf=false").args(["-z", "--add", "--stdin"]);
        update.stdin(ended(&names)).ok().await?;
        Ok(Some(self.tree_of(&index).await?))
    }

    /// Keeps what was looked at.
    pub(super) async fn keep_present(
        &self,
        request: &CheckpointRequest,
        present: &Present,
        place: Place,
    ) -> Result<State, Fault> {
        let state = State {
            checkpoint: self.commit(request, &present.scanned).await?,
            files: present.files.clone(),
            git_folder: present.git_folder.clone(),
            branches: present.branches.clone(),
            collisions: present.collisions.clone(),
            raw: present.raw.clone(),
        };
        let (task, number) = (&request.task, request.number);
        let message = format!("State at checkpoint {number}\n\nMakima-Task: {task}\n");
        let commit = self.write_state(&state, &present.held, &message, request.at).await?;
        let updates = match place {
            Place::Numbered => vec![
                (request.ref_name()?, &state.checkpoint),
                (request.named(STATE, &number.to_string())?, &commit),
            ],
            Place::Beside => vec![(request.named(STATE, &format!("{number}.{commit}"))?, &commit)],
        };
        self.unlock(updates.iter().map(|(name, _)| name))?;
        let steps: String = updates.iter().map(|(name, to)| format!("update {name} {to}\n")).collect();
        self.run("update-ref").args(["--no-deref", "--stdin"]).stdin(steps).ok().await?;
        Ok(state)
    }

    /// Files that differ from what our index of the disk says.
    pub(super) async fn changed_on_disk(&self) -> Result<BTreeSet<Name>, GitError> {
        let index = self.private().join(DISK);
        let diff = self.run("diff-files").index(&index);
        let said = diff.args(["--name-only", "-z", "--no-renames", "--ignore-submodules=all"]).ok().await?;
        Ok(said.split(|b| *b == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect())
    }
}

/// The folder of refs.
pub(super) const STATE: &str = "state";

fn files_below(folder: &Path, name: &[u8], names: &mut BTreeSet<Name>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let slash: &[u8] = if name.is_empty() { b"" } else { b"/" };
        let inside = [name, slash, entry.file_name().as_bytes()].concat();
        match entry.file_type()?.is_dir() {
            true => files_below(&entry.path(), &inside, names)?,
            false => drop(names.insert(inside)),
        }
    }
    Ok(())
}
