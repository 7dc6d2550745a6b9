//! A whole state as a commit: written, and read again.
//!
//! Its first parent is the safety checkpoint that it stands beside; the others are commits that the state names. Its tree
//! holds `HEAD`; `branches`, with the commit of each that matters; `index` byte for byte, and `index-time`; `files`,
//! the tree of what was on the disk; `staged`, the tree of what the index says; `objects`, what else index and git folder
//! name (the stages of a conflict); `git`, the files of the git folder; `collisions`, the ignored files that are held
//! because what came next has files in their places; `raw`, files that git would write otherwise; and `replaced`,
//! files that a step before had moved away when it was cut off.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::git_folder::{Files, GitFolder, IndexFile};
use super::raw::Raw;
use super::{Fault, Name};
use crate::{GitError, Person, Sha, Worktree};

/// How a worktree stood.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// The commit of the safety checkpoint.
    pub(super) checkpoint: Sha,
    /// What was on the disk.
    pub(super) files: Sha,
    pub(super) git_folder: GitFolder,
    pub(super) branches: Branches,
    pub(super) collisions: BTreeSet<Name>,
    pub(super) raw: Raw,
}

/// Branches by their full names; `None`: it was not there.
pub(super) type Branches = BTreeMap<String, Option<Sha>>;

/// What keeps a state's objects from being thrown away, beside what is in it.
#[derive(Default)]
pub(super) struct Held {
    pub(super) staged: Option<Sha>,
    pub(super) commits: BTreeSet<Sha>,
    /// Trees and blobs, by whether they are trees.
    pub(super) objects: BTreeMap<Sha, bool>,
    pub(super) replaced: Option<Sha>,
}

const GIT: &[u8] = b"git/";
const RAW: &[u8] = b"raw/";

impl Worktree {
    /// Writes a state as a commit, which no ref keeps yet.
    pub(super) async fn write_state(
        &self,
        state: &State,
        held: &Held,
        message: &str,
        at: SystemTime,
    ) -> Result<Sha, Fault> {
        let folder = &state.git_folder;
        let mut contents: Vec<(Name, &[u8])> = vec![(b"HEAD".to_vec(), &folder.head)];
        let branches = told(&state.branches);
        contents.push((b"branches".to_vec(), branches.as_bytes()));
        let time = folder.index.as_ref().map(|index| written_time(index.modified)).unwrap_or_default();
        if let Some(index) = &folder.index {
            contents.push((b"index".to_vec(), &index.bytes));
            contents.push((b"index-time".to_vec(), time.as_bytes()));
        }
        let collisions = ended(&state.collisions);
        if !collisions.is_empty() {
            contents.push((b"collisions".to_vec(), &collisions));
        }
        for (name, bytes) in &folder.files {
            contents.push(([GIT, name].concat(), bytes));
        }
        let blobs = self.write_blobs(contents.iter().map(|(_, bytes)| Ok(*bytes))).await?;
        let named: Vec<(&[u8], Sha)> = contents.iter().map(|(name, _)| &name[..]).zip(blobs).collect();
        let (git, plain): (Vec<_>, Vec<_>) = named.into_iter().partition(|(name, _)| name.starts_with(GIT));
        let mut entries = Vec::new();
        for (name, blob) in &plain {
            entry(&mut entries, false, name, blob);
        }
        entry(&mut entries, true, b"files", &state.files);
        if let Some(staged) = &held.staged {
            entry(&mut entries, true, b"staged", staged);
        }
        if let Some(replaced) = &held.replaced {
            entry(&mut entries, true, b"replaced", replaced);
        }
        if !git.is_empty() {
            let git = git.iter().map(|(name, blob)| (&name[GIT.len()..], blob));
            entry(&mut entries, true, b"git", &self.nested_tree(git).await?);
        }
        if !state.raw.is_empty() {
            let raw = state.raw.iter().map(|(name, blob)| (&name[..], blob));
            entry(&mut entries, true, b"raw", &self.nested_tree(raw).await?);
        }
        if !held.objects.is_empty() {
            let mut objects = Vec::new();
            for (object, is_tree) in &held.objects {
                entry(&mut objects, *is_tree, object.as_str().as_bytes(), object);
            }
            entry(&mut entries, true, b"objects", &self.make_tree(objects).await?);
        }
        let tree = self.make_tree(entries).await?;
        let others = held.commits.iter().filter(|commit| **commit != state.checkpoint);
        let parents = std::iter::once(&state.checkpoint).chain(others).flat_map(|one| ["-p", one.as_str()]);
        let commit = self.run("commit-tree").signed(&Person::makima(), at).stdin(message);
        let commit = commit.args(parents).args(["-F", "-"]).arg(&tree);
        Ok(Sha::read("commit-tree", &commit.ok().await?)?)
    }

    pub(super) async fn write_blobs<R: io::Read>(
        &self,
        contents: impl Iterator<Item = io::Result<R>>,
    ) -> Result<Vec<Sha>, Fault> {
        let folder = self.private().join("state");
        fs::create_dir_all(&folder)?;
        let mut asked = 0;
        for bytes in contents {
            io::copy(&mut bytes?, &mut fs::File::create(folder.join(asked.to_string()))?)?;
            asked += 1;
        }
        let paths: String = (0..asked).map(|number| format!("{number}\n")).collect();
        let hash = self.git().run("hash-object").git_dir(self.git_dir()).in_folder(&folder);
        let said = hash.args(["-w", "--no-filters", "--stdin-paths"]).stdin(paths).ok().await?;
        fs::remove_dir_all(&folder)?;
        let lines = said.split(|b| *b == b'\n').filter(|line| !line.is_empty());
        let blobs = lines.map(|line| Sha::read("hash-object", line)).collect::<Result<Vec<_>, _>>()?;
        match blobs.len() == asked {
            true => Ok(blobs),
            false => Err(GitError::unreadable("hash-object", &said).into()),
        }
    }

    async fn make_tree(&self, entries: Vec<u8>) -> Result<Sha, GitError> {
        // What a damaged index names may be missing, and the rest is kept all the same.
        Sha::read("mktree", &self.run("mktree").args(["-z", "--missing"]).stdin(entries).ok().await?)
    }

    /// A tree of files whose names have folders, which stand in one of them all.
    async fn nested_tree<'a>(&self, files: impl Iterator<Item = (&'a [u8], &'a Sha)>) -> Result<Sha, Fault> {
        let index = self.private_index("tree-index")?;
        let mut entries = Vec::new();
        for (name, blob) in files {
            entries.extend_from_slice(format!("100644 {blob}\t").as_bytes());
            entries.extend_from_slice(name);
            entries.push(0);
        }
        let update = self.run("update-index").index(&index).args(["-z", "--index-info"]);
        update.stdin(entries).ok().await?;
        Ok(self.tree_of(&index).await?)
    }

    /// The state under a ref, if there is one.
    pub(super) async fn read_state(&self, name: &str) -> Result<Option<State>, GitError> {
        let asked = [format!("{name}^{{commit}}"), format!("{name}^"), format!("{name}:files")];
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        let found = self.git().objects(self.run("cat-file"), &asked).await?;
        let [Some(commit), Some(checkpoint), Some(files)] = &found[..] else { return Ok(None) };
        let list = self.run("ls-tree").args(["-r", "-z", "--full-tree", commit.as_str(), "--"]);
        let names = ["HEAD", "branches", "index", "index-time", "collisions", "git", "raw"];
        let listed = list.args(names).ok().await?;
        let (mut blobs, mut raw) = (Vec::new(), Raw::new());
        for line in listed.split(|b| *b == 0).filter(|line| !line.is_empty()) {
            // `<mode> blob <oid>\t<path>`
            let (about, path) = split_at_tab("ls-tree", line)?;
            let oid = about.rsplit(|b| *b == b' ').next().unwrap_or_default();
            let blob = Sha::read("ls-tree", oid)?;
            match path.strip_prefix(RAW) {
                Some(name) => drop(raw.insert(name.to_vec(), blob)),
                None => blobs.push((path, blob)),
            }
        }
        let asked: String = blobs.iter().map(|(_, blob)| format!("{blob}\n")).collect();
        let said = self.run("cat-file").arg("--batch").stdin(asked).ok().await?;
        let mut contents = read_blobs(&said)?.into_iter();
        let mut plain: BTreeMap<&[u8], Vec<u8>> = BTreeMap::new();
        let mut git = Files::new();
        for ((path, _), bytes) in blobs.iter().zip(&mut contents) {
            match path.strip_prefix(GIT) {
                Some(name) => drop(git.insert(name.to_vec(), bytes)),
                None => drop(plain.insert(path, bytes)),
            }
        }
        let time = plain.remove(&b"index-time"[..]).unwrap_or_default();
        let index = plain.remove(&b"index"[..]);
        let index = index.map(|bytes| IndexFile { bytes, modified: read_time(&time) });
        let head = plain.remove(&b"HEAD"[..]).unwrap_or_default();
        let collisions = plain.remove(&b"collisions"[..]).unwrap_or_default();
        Ok(Some(State {
            checkpoint: checkpoint.clone(),
            files: files.clone(),
            git_folder: GitFolder { head, index, files: git },
            branches: read_branches(&plain.remove(&b"branches"[..]).unwrap_or_default()),
            collisions: collisions.split(|b| *b == 0).filter(|n| !n.is_empty()).map(<[u8]>::to_vec).collect(),
            raw,
        }))
    }
}

fn entry(entries: &mut Vec<u8>, is_tree: bool, name: &[u8], object: &Sha) {
    let kind = if is_tree { "040000 tree" } else { "100644 blob" };
    entries.extend_from_slice(format!("{kind} {object}\t").as_bytes());
    entries.extend_from_slice(name);
    entries.push(0);
}

/// Each name with a NUL after it.
pub(super) fn ended<'a>(names: impl IntoIterator<Item = &'a Name>) -> Vec<u8> {
    names.into_iter().flat_map(|name| name.iter().copied().chain([0])).collect()
}

pub(super) fn split_at_tab<'a>(command: &str, line: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), GitError> {
    let tab = line.iter().position(|b| *b == b'\t').ok_or_else(|| GitError::unreadable(command, line))?;
    Ok((&line[..tab], &line[tab + 1..]))
}

/// `<oid> blob <size>`, the bytes, and a newline; again and again.
fn read_blobs(mut said: &[u8]) -> Result<Vec<Vec<u8>>, GitError> {
    let mut blobs = Vec::new();
    while !said.is_empty() {
        let one = || {
            let end = said.iter().position(|b| *b == b'\n')?;
            let size = std::str::from_utf8(&said[..end]).ok()?.rsplit(' ').next()?.parse().ok()?;
            let (bytes, rest) = said.get(end + 1..)?.split_at_checked(size)?;
            Some((bytes.to_vec(), rest.get(1..)?))
        };
        let (bytes, rest) = one().ok_or_else(|| GitError::unreadable("cat-file", said))?;
        blobs.push(bytes);
        said = rest;
    }
    Ok(blobs)
}

fn told(branches: &Branches) -> String {
    let one = |(name, commit): (&String, &Option<Sha>)| {
        format!("{} {name}\n", commit.as_ref().map_or("-", Sha::as_str))
    };
    branches.iter().map(one).collect()
}

fn read_branches(bytes: &[u8]) -> Branches {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(commit, name)| (name.into(), Sha::parse(commit))).collect()
}

fn written_time(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{} {}\n", since.as_secs(), since.subsec_nanos())
}

/// A time that can't be read is taken as long ago: then git looks at every file again.
fn read_time(bytes: &[u8]) -> SystemTime {
    let text = String::from_utf8_lossy(bytes);
    let read = || {
        let (seconds, nanos) = text.trim().split_once(' ')?;
        Some(Duration::new(seconds.parse().ok()?, nanos.parse().ok()?))
    };
    UNIX_EPOCH + read().unwrap_or_default().max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_and_times_are_read_as_they_are_written() {
        let branches: Branches =
            [("refs/heads/a".to_owned(), Sha::parse(&"1".repeat(40))), ("refs/heads/b".to_owned(), None)]
                .into();
        assert_eq!(read_branches(told(&branches).as_bytes()), branches);
        let time = UNIX_EPOCH + Duration::new(1_760_000_000, 123_456_789);
        assert_eq!(read_time(written_time(time).as_bytes()), time);
        // git takes an index without a time for one that it need not look behind.
        assert_eq!(read_time(b""), UNIX_EPOCH + Duration::from_secs(1));
    }

    #[test]
    fn blobs_are_read_by_their_sizes() {
        assert_eq!(read_blobs(b"a blob 3\nx\n\n\nb blob 0\n\n").unwrap(), [b"x\n\n".to_vec(), Vec::new()]);
        assert!(read_blobs(b"a blob 9\nx\n").is_err());
    }
}
