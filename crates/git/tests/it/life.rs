//! A task's whole life beside a user's repository, after which everything on disk is held against what it was, byte for byte.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use makima_git::{BranchName, CheckpointRequest, Made, Published, ScanRules, Sha, Source, Start};

use crate::lab::{Lab, Repo, branch, noon, ursula};

/// What lies at a path: `file`, `exec` or `link`, and its bytes.
pub(crate) type Disk = BTreeMap<Vec<u8>, (&'static str, Vec<u8>)>;

/// A repository that is odd in one way, and what is done beside it.
pub(crate) struct Oddity<'a> {
    /// Makes the user's repository, nothing in it uncommitted.
    pub(crate) make: &'a dyn Fn(&Lab) -> Repo,
    /// What the user has not committed.
    pub(crate) dirty: &'a dyn Fn(&Repo),
    /// What the agent does.
    pub(crate) edit: &'a dyn Fn(&Repo),
}

/// What is left when a life is over.
pub(crate) struct Lived {
    pub(crate) lab: Lab,
    pub(crate) user: Repo,
    pub(crate) task: Repo,
    pub(crate) made: Made,
    pub(crate) commit: Sha,
}

/// A new file of the user.
pub(crate) fn adds_a_file(user: &Repo) {
    user.write("mine.txt", "the user's own\n");
}

/// A change, a new file and a deletion.
pub(crate) fn works(task: &Repo) {
    task.write("a.txt", "one\n2\nthree\n").write("made/new.bin", b"\0\x01\r\n\xff\n").remove("dir/b.txt");
}

impl Oddity<'_> {
    /// A life without and one with the user's uncommitted changes.
    pub(crate) async fn lives(&self) -> [Lived; 2] {
        [self.live(false).await, self.live(true).await]
    }

    pub(crate) async fn live(&self, include: bool) -> Lived {
        // Too large for the stack of a test.
        Box::pin(self.live_on_the_heap(include)).await
    }

    async fn live_on_the_heap(&self, include: bool) -> Lived {
        let lab = Lab::new().await;
        let user = (self.make)(&lab);
        let clean = files_of(&user);
        (self.dirty)(&user);
        let wanted = if include { files_of(&user) } else { clean };
        let before = everything(&lab);

        lab.git.uncommitted(&user.folder).await.unwrap();
        let source = user.source();
        lab.git.check_repository(&source, None, None).await.unwrap();
        let clone = lab.clone_of(&user).await;
        let base = clone.resolve_base(None).await.unwrap().commit;
        let start = if include {
            clone.include_uncommitted(&source, "refs/makima/x", &ursula(), noon()).await.unwrap().start
        } else {
            base.clone().map_or(Start::Nothing, Start::Commit)
        };
        let worktree = clone.add_worktree(&lab.path().join("tasks/one"), &branch(), &start).await.unwrap();
        let task = lab.at(worktree.folder());
        same(&files_of(&task), &wanted, "the worktree as it begins");

        (self.edit)(&task);
        let on_disk = files_of(&task);
        let request = CheckpointRequest {
            task: "0190a1b2".into(),
            number: 1,
            kind: makima_git::CheckpointKind::Manual,
            message: "Checkpoint".into(),
            author: ursula(),
            at: noon(),
            rules: ScanRules::default(),
            previous: base.clone(),
            base,
        };
        let made = worktree.checkpoint(&request).await.unwrap().unwrap();
        same(&files_of(&task), &on_disk, "the worktree after its checkpoint");
        let back = BranchName::new("makima/back").unwrap();
        let start = Start::Commit(made.commit.clone());
        let again = clone.add_worktree(&lab.path().join("tasks/back"), &back, &start).await.unwrap();
        same(&files_of(&lab.at(again.folder())), &on_disk, "the checkpoint");

        let committed = worktree.commit_remaining(&branch(), "Done", &ursula(), noon()).await.unwrap();
        let commit = committed.unwrap_or_else(|| made.commit.clone());
        assert_eq!(task.git(&["rev-parse", &format!("{commit}^{{tree}}")]), made.tree.as_str());
        same(&files_of(&task), &on_disk, "the worktree after its commit");
        let published = clone.publish(&source, &branch()).await.unwrap();
        assert_eq!(published, Published::Fetched { commit: commit.clone() });
        only_the_branch_is_new(&before, &everything(&lab));

        let seen = lab.path().join("tasks/seen");
        user.git(&["worktree", "add", "-q", "--detach", seen.to_str().unwrap(), branch().as_str()]);
        same(&files_of(&lab.at(&seen)), &on_disk, "the branch, checked out by its user");
        user.git(&["fsck", "--connectivity-only"]);
        lab.at(clone.dir()).git(&["fsck", "--connectivity-only"]);
        Lived { lab, user, task, made, commit }
    }
}

impl Lived {
    pub(crate) fn source(&self) -> Source {
        self.user.source()
    }
}

/// What a worktree has on disk of that which is tracked, or untracked and not ignored: asked of plain git, by name alone.
pub(crate) fn files_of(repo: &Repo) -> Disk {
    // Whatever the repository says of its disk: this is on ours.
    let ours = ["-c", "core.ignorecase=false", "-c", "core.filemode=true", "-c", "core.symlinks=true"];
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let names = repo.bytes(&[&ours[..], &list].concat());
    let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.filter_map(|name| Some((name.to_vec(), at(&repo.folder.join(OsStr::from_bytes(name)))?))).collect()
}

fn at(path: &Path) -> Option<(&'static str, Vec<u8>)> {
    let found = path.symlink_metadata().ok()?;
    if found.is_symlink() {
        return Some(("link", fs::read_link(path).unwrap().into_os_string().into_vec()));
    }
    let kind = if found.permissions().mode() & 0o100 != 0 { "exec" } else { "file" };
    found.is_file().then(|| (kind, fs::read(path).unwrap()))
}

/// Says which paths differ, not all that is in them.
pub(crate) fn same(found: &Disk, wanted: &Disk, what: &str) {
    let names = found.keys().chain(wanted.keys());
    let differ: Vec<_> = names.filter(|name| found.get(*name) != wanted.get(*name)).collect();
    let told = differ.iter().map(|name| {
        let show = |disk: &Disk| {
            disk.get(*name).map(|(kind, bytes)| {
                format!("{kind} {} {}", bytes.len(), bytes[..bytes.len().min(40)].escape_ascii())
            })
        };
        format!("{}: {:?}, not {:?}", name.escape_ascii(), show(found), show(wanted))
    });
    assert!(differ.is_empty(), "{what}: {:#?}", told.collect::<Vec<_>>());
}

/// All that is the user's: what lies in the lab and is not ours, its git folders included.
pub(crate) fn everything(lab: &Lab) -> BTreeMap<PathBuf, (&'static str, Vec<u8>)> {
    let ours = |name: &OsStr| {
        ["clone.git", "clone.git.lock", "tasks", "home", "bin"].iter().any(|known| name == *known)
    };
    let mut found = BTreeMap::new();
    let mut folders = vec![lab.path()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            if folder == lab.path() && ours(&entry.file_name()) {
                continue;
            }
            match at(&entry.path()) {
                Some(what) => drop(found.insert(entry.path(), what)),
                None if entry.file_type().unwrap().is_dir() => folders.push(entry.path()),
                None => {}
            }
        }
    }
    found
}

/// Nothing is gone or changed, and what is new is the branch: its ref, the log of it, and its objects.
pub(crate) fn only_the_branch_is_new(
    before: &BTreeMap<PathBuf, (&'static str, Vec<u8>)>,
    after: &BTreeMap<PathBuf, (&'static str, Vec<u8>)>,
) {
    let gone: Vec<_> = before.iter().filter(|(path, what)| after.get(*path) != Some(*what)).collect();
    let gone: Vec<_> = gone.into_iter().map(|(path, _)| path).collect();
    assert!(gone.is_empty(), "changed or gone in the user's repository: {gone:?}");
    let of_the_branch = |path: &PathBuf| {
        let path = path.to_string_lossy();
        ["/objects/", "/refs/heads/makima/", "/logs/refs/heads/makima/"]
            .iter()
            .any(|part| path.contains(part))
    };
    let new: Vec<_> =
        after.keys().filter(|path| !before.contains_key(*path) && !of_the_branch(path)).collect();
    assert!(new.is_empty(), "new in the user's repository: {new:?}");
}
