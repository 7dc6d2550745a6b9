//! One reading of a worktree: what changed, what is new, what must go again; then one write of our index.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;

use super::{NotHeld, NotHeldReason, ScanError, ScanRules, Site};
use crate::GitError;

type Name = Vec<u8>;

/// What becomes of our index.
#[derive(Default)]
struct Plan {
    put: BTreeSet<Name>,
    take_out: BTreeSet<Name>,
    not_held: BTreeMap<Name, NotHeldReason>,
}

impl Site {
    /// Brings our index to what the worktree is. Answers what it does not hold.
    pub(super) async fn read_into_index(&self, rules: &ScanRules) -> Result<Vec<NotHeld>, ScanError> {
        let prepared = self.prepare_index().await.map_err(|error| self.failed(error))?;
        let failed = |source| ScanError::Git { path: self.folder.clone(), source };
        let mut plan = self.plan(rules, prepared.is_fresh).await.map_err(failed)?;
        for submodule in prepared.submodules {
            if self.path_of(&submodule).join(".git").exists() {
                plan.not_held.insert(submodule, NotHeldReason::NestedRepository);
            }
        }
        self.write(&mut plan).await.map_err(failed)?;
        Ok(plan.not_held.into_iter().map(|(path, reason)| NotHeld { path, reason }).collect())
    }

    /// Four readers of our index side by side, none of which writes.
    async fn plan(&self, rules: &ScanRules, is_fresh: bool) -> Result<Plan, GitError> {
        let (changed, new, ignored, wanted) = tokio::try_join!(
            self.ours("diff-files").args(["--raw", "-z", "--ignore-submodules=dirty", "--no-renames"]).ok(),
            self.ours("ls-files").args(["-z", "--others", "--exclude-standard"]).ok(),
            async {
                // What was copied just now holds only what the worktree's own index holds.
                if is_fresh { Ok(Vec::new()) } else { self.ours("ls-files").args(TRACKED_IGNORED).ok().await }
            },
            self.wanted(&rules.include),
        )?;
        let mut plan = Plan::default();
        for name in names(&new).chain(names(&wanted)) {
            self.consider_new(&mut plan, rules, name);
        }
        self.consider_changed(&mut plan, rules, &changed).await?;
        let ignored: BTreeSet<Name> = names(&ignored).map(<[u8]>::to_vec).collect();
        if !ignored.is_empty() {
            let own = self.run("ls-files").index(&self.own_index).args(TRACKED_IGNORED).ok().await?;
            let own: BTreeSet<&[u8]> = names(&own).collect();
            let wanted: BTreeSet<&[u8]> = names(&wanted).collect();
            let gone =
                ignored.into_iter().filter(|name| !own.contains(&name[..]) && !wanted.contains(&name[..]));
            plan.take_out.extend(gone);
        }
        plan.put.retain(|name| !plan.take_out.contains(name));
        Ok(plan)
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

    fn consider_new(&self, plan: &mut Plan, rules: &ScanRules, name: &[u8]) {
        if let Some(folder) = name.strip_suffix(b"/") {
            plan.not_held.insert(folder.to_vec(), NotHeldReason::NestedRepository);
            return;
        }
        match self.why_not(rules, name) {
            Some(reason) => drop(plan.not_held.insert(name.to_vec(), reason)),
            None => drop(plan.put.insert(name.to_vec())),
        }
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

    async fn consider_changed(&self, plan: &mut Plan, rules: &ScanRules, raw: &[u8]) -> Result<(), GitError> {
        let mut large = Vec::new();
        let mut fields = raw.split(|b| *b == 0);
        while let (Some(about), Some(name)) = (fields.next().filter(|about| !about.is_empty()), fields.next())
        {
            // `:<mode> <mode> <oid> <oid> <letter>`
            let parts: Vec<&[u8]> = about.split(|b| *b == b' ').collect();
            let [before, after, .., letter] = parts[..] else {
                return Err(GitError::unreadable("diff-files", about));
            };
            let is_there = match letter {
                b"D" => false,
                b"U" => self.path_of(name).symlink_metadata().is_ok_and(|found| !found.is_dir()),
                _ => true,
            };
            if is_there && after == b"160000" && before != b":160000" {
                plan.not_held.insert(name.to_vec(), NotHeldReason::NestedRepository);
                plan.take_out.insert(name.to_vec());
            } else if is_there {
                if self.why_not(rules, name) == Some(NotHeldReason::TooLarge) {
                    large.push(name);
                }
                plan.put.insert(name.to_vec());
            } else {
                plan.take_out.insert(name.to_vec());
            }
        }
        // Tracked in our index may be untracked in the worktree's own, and then the limit holds.
        if !large.is_empty() {
            let own = self.run("ls-files").index(&self.own_index).arg("-z").ok().await?;
            let own: BTreeSet<&[u8]> = names(&own).collect();
            for name in large.into_iter().filter(|name| !own.contains(name)) {
                plan.take_out.insert(name.to_vec());
                plan.not_held.insert(name.to_vec(), NotHeldReason::TooLarge);
            }
        }
        Ok(())
    }

    async fn write(&self, plan: &mut Plan) -> Result<(), GitError> {
        if !plan.take_out.is_empty() {
            let paths = joined(&plan.take_out);
            self.ours("update-index").args(["-z", "--force-remove", "--stdin"]).stdin(paths).ok().await?;
        }
        if !plan.put.is_empty() {
            let update = self.ours("update-index").args(["-z", "--add", "--remove", "--replace", "--stdin"]);
            let done = update.stdin(joined(&plan.put)).output().await?;
            for line in done.stderr.split(|b| *b == b'\n') {
                if let Some(name) = line.strip_prefix(b"Ignoring path ") {
                    plan.not_held.insert(name.to_vec(), NotHeldReason::InvalidName);
                }
            }
            done.success("update-index")?;
        }
        Ok(())
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
