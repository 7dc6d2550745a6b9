//! One reading of a worktree: what changed, what is new, what must go again; then one write of our index.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;

use super::index::Prepared;
use super::kept::Kept;
use super::{NotHeld, NotHeldReason, ScanError, ScanRules, Site};
use crate::GitError;

type Name = Vec<u8>;

/// What becomes of our index.
#[derive(Default)]
struct Plan {
    /// As the worktree has them: also those that are gone from it.
    put: BTreeSet<Name>,
    /// Though the worktree has them, or git would not look.
    take_out: BTreeSet<Name>,
    not_held: BTreeMap<Name, NotHeldReason>,
}

impl Site {
    /// Brings our index to what the worktree is. Answers what it does not hold, and what is known of the index now.
    pub(super) async fn read_into_index(
        &self,
        rules: &ScanRules,
    ) -> Result<(Vec<NotHeld>, Prepared), ScanError> {
        let mut prepared = self.prepare_index().await.map_err(|error| self.failed(error))?;
        let failed = |source| ScanError::Git { path: self.folder.clone(), source };
        let mut plan = self.plan(rules, &mut prepared.kept).await.map_err(failed)?;
        for submodule in &prepared.kept.submodules {
            if self.path_of(submodule).join(".git").exists() {
                plan.not_held.insert(submodule.clone(), NotHeldReason::NestedRepository);
            }
        }
        if self.has_other_repository() {
            plan.not_held.insert(b".git".to_vec(), NotHeldReason::NestedRepository);
        }
        self.write(&mut plan).await.map_err(|error| match error {
            WriteError::Git(error) => failed(error),
            WriteError::File(source) => ScanError::Index { path: self.folder.clone(), source },
        })?;
        let not_held = plan.not_held.into_iter().map(|(path, reason)| NotHeld { path, reason }).collect();
        Ok((not_held, prepared))
    }

    /// Whether a repository stands in the place of the file that says where this worktree's own is.
    fn has_other_repository(&self) -> bool {
        let inside = self.folder.join(".git");
        self.own_index.parent() != Some(&inside)
            && inside.symlink_metadata().is_ok_and(|found| found.is_dir())
    }

    /// Readers of our index side by side, none of which writes.
    async fn plan(&self, rules: &ScanRules, kept: &mut Kept) -> Result<Plan, GitError> {
        let (changed, new, ignored, wanted) = tokio::try_join!(
            self.ours("diff-files").args(["--raw", "-z", "--ignore-submodules=dirty", "--no-renames"]).ok(),
            self.others(),
            self.ignored(&kept.extra),
            self.wanted(&rules.include),
        )?;
        let (new, closed) = new;
        let mut plan = Plan::default();
        plan.not_held.extend(closed.into_iter().map(|folder| (folder, NotHeldReason::Unreadable)));
        let missing: Vec<Name> = kept.missing.iter().filter(|name| self.is_file(name)).cloned().collect();
        for name in missing {
            // Tracked and there again, so no rule for untracked files holds for it.
            kept.missing.remove(&name);
            plan.put.insert(name);
        }
        for name in names(&new).chain(names(&wanted)) {
            if !plan.put.contains(name) && self.consider_new(&mut plan, rules, name) {
                kept.extra.insert(name.to_vec());
            }
        }
        self.consider_changed(&mut plan, rules, kept, &changed).await?;
        self.consider_ignored(&mut plan, kept, ignored, &wanted).await?;
        plan.put.retain(|name| !plan.take_out.contains(name));
        Ok(plan)
    }

    /// What is untracked and not ignored; and the folders that git could not look into, which it only warns of.
    async fn others(&self) -> Result<(Vec<u8>, Vec<Name>), GitError> {
        let listed = self.ours("ls-files").args(["-z", "--others", "--exclude-standard"]).output().await?;
        let warned = listed.stderr.split(|byte| *byte == b'\n');
        let closed = warned.filter_map(|line| {
            let line = line.strip_prefix(b"warning: could not open directory '")?;
            let end = line.windows(4).position(|part| part == b"/': ")?;
            Some(line[..end].to_vec())
        });
        let closed = closed.collect();
        Ok((listed.success("ls-files")?, closed))
    }

    /// Those that git would not add now. Only what is in our index alone is asked for: what is tracked stays, whatever
    /// it is called, and to ask for all files costs more than all else that a checkpoint does.
    pub(crate) async fn ignored(&self, extra: &BTreeSet<Name>) -> Result<BTreeSet<Name>, GitError> {
        // With a dot before it no name is taken for a pattern. What is behind a link is gone, and git refuses to look.
        let mut asked = Vec::new();
        for name in extra.iter().filter(|name| !self.is_behind_link(name)) {
            asked.extend_from_slice(b"./");
            asked.extend_from_slice(name);
            asked.push(0);
        }
        if asked.is_empty() {
            return Ok(BTreeSet::new());
        }
        let check = self.run("check-ignore").args(["-z", "--no-index", "--stdin"]);
        let output = check.stdin(asked).output().await?;
        // Exits with 1 where it names none.
        if output.code == Some(1) {
            return Ok(BTreeSet::new());
        }
        let listed = output.success("check-ignore")?;
        Ok(names(&listed).map(|name| name.strip_prefix(b"./").unwrap_or(name).to_vec()).collect())
    }

    async fn consider_ignored(
        &self,
        plan: &mut Plan,
        kept: &mut Kept,
        mut ignored: BTreeSet<Name>,
        wanted: &[u8],
    ) -> Result<(), GitError> {
        for name in names(wanted) {
            ignored.remove(name);
        }
        if ignored.is_empty() {
            return Ok(());
        }
        let own = self.run("ls-files").index(&self.own_index).args(TRACKED_IGNORED).ok().await?;
        for name in names(&own) {
            ignored.remove(name);
            kept.extra.remove(name);
        }
        kept.extra.retain(|name| !ignored.contains(name));
        plan.take_out.append(&mut ignored);
        Ok(())
    }

    /// Ignored files that are held all the same.
    async fn wanted(&self, include: &[String]) -> Result<Vec<u8>, GitError> {
        if include.is_empty() {
            return Ok(Vec::new());
        }
        let listed = self.ours("ls-files").args([
            "-z",
            "--others",
            "--cached",
            "--ignored",
            "--exclude-standard",
            "--",
        ]);
        listed.args(include).ok().await
    }

    /// Whether it is put into our index.
    fn consider_new(&self, plan: &mut Plan, rules: &ScanRules, name: &[u8]) -> bool {
        if let Some(folder) = name.strip_suffix(b"/") {
            plan.not_held.insert(folder.to_vec(), NotHeldReason::NestedRepository);
            return false;
        }
        match self.why_not(rules, name) {
            Some(reason) => drop(plan.not_held.insert(name.to_vec(), reason)),
            None => return plan.put.insert(name.to_vec()),
        }
        false
    }

    fn why_not(&self, rules: &ScanRules, name: &[u8]) -> Option<NotHeldReason> {
        let path = self.path_of(name);
        let found = path.symlink_metadata().ok().filter(std::fs::Metadata::is_file)?;
        if rules.max_untracked_bytes.is_some_and(|most| found.len() > most) {
            return Some(NotHeldReason::TooLarge);
        }
        // Opening each would cost more than it tells: only those that look closed.
        let open = found.mode() & 0o444 == 0o444 || std::fs::File::open(path).is_ok();
        (!open).then_some(NotHeldReason::Unreadable)
    }

    async fn consider_changed(
        &self,
        plan: &mut Plan,
        rules: &ScanRules,
        kept: &mut Kept,
        raw: &[u8],
    ) -> Result<(), GitError> {
        let mut large = Vec::new();
        let mut fields = raw.split(|b| *b == 0);
        while let (Some(about), Some(name)) = (fields.next().filter(|about| !about.is_empty()), fields.next())
        {
            // `:<mode> <mode> <oid> <oid> <letter>`
            let parts: Vec<&[u8]> = about.split(|b| *b == b' ').collect();
            let [before, after, .., letter] = parts[..] else {
                return Err(GitError::unreadable("diff-files", about));
            };
            let is_special = self.is_special(name);
            let is_there = match letter {
                b"D" => false,
                b"U" => self.path_of(name).symlink_metadata().is_ok_and(|found| !found.is_dir()),
                _ => true,
            } && !is_special;
            let is_repository = is_there && after == b"160000" && before != b":160000";
            if is_there && !is_repository {
                if self.why_not(rules, name) == Some(NotHeldReason::TooLarge) {
                    large.push(name);
                }
                plan.put.insert(name.to_vec());
                continue;
            }
            if is_repository {
                plan.not_held.insert(name.to_vec(), NotHeldReason::NestedRepository);
            }
            if is_repository || is_special || self.is_behind_link(name) {
                plan.take_out.insert(name.to_vec());
            } else {
                plan.put.insert(name.to_vec());
            }
            if !kept.extra.remove(name) {
                kept.missing.insert(name.to_vec());
            }
        }
        // Tracked in our index may be untracked in the worktree's own, and then the limit holds.
        if !large.is_empty() {
            let own = self.run("ls-files").index(&self.own_index).arg("-z").ok().await?;
            let own: BTreeSet<&[u8]> = names(&own).collect();
            for name in large.into_iter().filter(|name| !own.contains(name)) {
                kept.extra.remove(name);
                plan.take_out.insert(name.to_vec());
                plan.not_held.insert(name.to_vec(), NotHeldReason::TooLarge);
            }
        }
        Ok(())
    }

    async fn write(&self, plan: &mut Plan) -> Result<(), WriteError> {
        self.take_out(&plan.take_out).await?;
        if plan.put.is_empty() {
            return Ok(());
        }
        let before = self.before_reading(&plan.put)?;
        // What git stumbles over is read by us: what was cut off while it read, what a filter refuses.
        let mut by_us = BTreeSet::new();
        loop {
            let mut more = match self.put(plan).await {
                Ok(()) => break,
                Err(error) if error.is_lasting() => return Err(error.into()),
                Err(error) => {
                    let mut more = self.written_since(&before, &plan.put);
                    more.append(&mut self.converted(&plan.put).await?);
                    if more.is_empty() {
                        return Err(error.into());
                    }
                    more
                }
            };
            self.release_index()?;
            plan.put.retain(|name| !more.contains(name));
            by_us.append(&mut more);
        }
        by_us.append(&mut self.written_since(&before, &plan.put));
        self.put_steady(&by_us).await
    }

    pub(super) async fn take_out(&self, names: &BTreeSet<Name>) -> Result<(), GitError> {
        if names.is_empty() {
            return Ok(());
        }
        let update = self.ours("update-index").args(["-z", "--force-remove", "--stdin"]);
        update.stdin(joined(names)).ok().await.map(drop)
    }

    async fn put(&self, plan: &mut Plan) -> Result<(), GitError> {
        let update = self.ours("update-index").args(["-z", "--add", "--remove", "--replace", "--stdin"]);
        let done = update.stdin(joined(&plan.put)).output().await?;
        for line in done.stderr.split(|b| *b == b'\n') {
            if let Some(name) = line.strip_prefix(b"Ignoring path ") {
                plan.not_held.insert(name.to_vec(), NotHeldReason::InvalidName);
            }
        }
        done.success("update-index").map(drop)
    }

    /// Those whose attributes name a filter or an encoding, either of which may refuse what they hold.
    async fn converted(&self, names: &BTreeSet<Name>) -> Result<BTreeSet<Name>, GitError> {
        let check = self.ours("check-attr").args(["-z", "--stdin", "working-tree-encoding", "filter"]);
        let said = check.stdin(joined(names)).ok().await?;
        let fields: Vec<&[u8]> = said.split(|byte| *byte == 0).collect();
        let set = fields.chunks_exact(3).filter(|about| !matches!(about[2], b"unspecified" | b"unset"));
        Ok(set.map(|about| about[0].to_vec()).collect())
    }
}

/// Why our index could not be written.
pub(super) enum WriteError {
    File(std::io::Error),
    Git(GitError),
}

impl From<std::io::Error> for WriteError {
    fn from(error: std::io::Error) -> Self {
        Self::File(error)
    }
}

impl From<GitError> for WriteError {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

const TRACKED_IGNORED: [&str; 4] = ["-z", "--cached", "--ignored", "--exclude-standard"];

fn names(listed: &[u8]) -> impl Iterator<Item = &[u8]> {
    listed.split(|b| *b == 0).filter(|name| !name.is_empty())
}

fn joined(names: &BTreeSet<Name>) -> Vec<u8> {
    let mut all = Vec::new();
    for name in names {
        all.extend_from_slice(name);
        all.push(0);
    }
    all
}
