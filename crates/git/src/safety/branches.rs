//! The branches of a state, and HEAD: read, and put where they were.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use super::git_folder::GitFolder;
use super::state::Branches;
use super::{Fault, is_absent};
use crate::{GitError, Worktree};

impl Worktree {
    /// The commit that each is at.
    pub(super) async fn branches_now(&self, names: &BTreeSet<String>) -> Result<Branches, GitError> {
        let asked: Vec<String> = names.iter().map(|name| format!("{name}^{{commit}}")).collect();
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        let found = match asked[..] {
            [] => Vec::new(),
            _ => self.git().objects(self.run("cat-file"), &asked).await?,
        };
        Ok(names.iter().cloned().zip(found).collect())
    }

    /// A branch that is to be moved and that another worktree of the clone has checked out.
    pub(super) fn branch_elsewhere(&self, now: &Branches, then: &Branches) -> Option<String> {
        let mine = self.git_dir();
        let others = fs::read_dir(mine.parent()?).into_iter().flatten().flatten();
        let heads =
            others.filter(|other| other.path() != mine).map(|other| fs::read(other.path().join("HEAD")));
        let taken = heads.flatten().filter_map(|head| GitFolder { head, ..GitFolder::default() }.branch());
        let moves = |name: &String| then.get(name).is_some_and(|commit| now.get(name) != Some(commit));
        taken.into_iter().find(moves)
    }

    /// Finds out, without a change, whether the branches can be put where they were.
    pub(super) async fn try_branches(&self, now: &Branches, then: &Branches) -> Result<(), GitError> {
        let steps = steps(now, then);
        if steps.is_empty() {
            return Ok(());
        }
        let update = self.run("update-ref").args(["--no-deref", "--stdin"]);
        update.stdin(format!("start\n{steps}prepare\nabort\n")).ok().await.map(drop)
    }

    pub(super) async fn put_branches(&self, now: &Branches, then: &Branches) -> Result<(), GitError> {
        let steps = steps(now, then);
        if steps.is_empty() {
            return Ok(());
        }
        let update = self.run("update-ref").args(["--no-deref", "-m", "restore: by Makima", "--stdin"]);
        update.stdin(steps).ok().await.map(drop)
    }

    pub(super) async fn put_head(&self, now: &GitFolder, then: &GitFolder) -> Result<(), GitError> {
        if now.head == then.head {
            return Ok(());
        }
        let head = String::from_utf8_lossy(&then.head);
        let put = match head.trim_end().strip_prefix("ref: ") {
            Some(name) => self.run("symbolic-ref").args(["-m", "restore: by Makima", "HEAD", name]),
            None => {
                let update = self.run("update-ref").args(["--no-deref", "-m", "restore: by Makima"]);
                update.args(["HEAD", head.trim_end()])
            }
        };
        put.ok().await.map(drop)
    }

    /// Removes the locks that a git of ours left at refs when it was killed.
    pub(super) fn unlock<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> Result<(), Fault> {
        // The git folder is `worktrees/<name>` of the clone.
        let clone = self.git_dir().ancestors().nth(2).ok_or(io::ErrorKind::NotFound)?;
        for name in names {
            let folder = if name == "HEAD" { self.git_dir() } else { clone };
            match fs::remove_file(folder.join(format!("{name}.lock"))) {
                Err(error) if !is_absent(&error) => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// What `update-ref` is told; each is moved only from where it is known to be.
fn steps(now: &Branches, then: &Branches) -> String {
    let mut steps = String::new();
    for (name, commit) in then {
        let old = now.get(name).and_then(Option::as_ref);
        steps += &match (commit, old) {
            (commit, old) if commit.as_ref() == old => continue,
            (Some(commit), Some(old)) => format!("update {name} {commit} {old}\n"),
            (Some(commit), None) => format!("create {name} {commit}\n"),
            (None, Some(old)) => format!("delete {name} {old}\n"),
            (None, None) => continue,
        };
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sha;

    #[test]
    fn only_what_differs_is_moved_and_only_from_where_it_is() {
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        let branches = |all: &[(&str, Option<&String>)]| -> Branches {
            all.iter().map(|(name, sha)| ((*name).into(), sha.and_then(|sha| Sha::parse(sha)))).collect()
        };
        let now = branches(&[("a", Some(&one)), ("b", Some(&one)), ("c", None), ("d", Some(&one))]);
        let then = branches(&[("a", Some(&one)), ("b", Some(&two)), ("c", Some(&two)), ("d", None)]);
        let wanted = format!("update b {two} {one}\ncreate c {two}\ndelete d {one}\n");
        assert_eq!(steps(&now, &then), wanted);
    }
}
