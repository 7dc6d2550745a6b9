//! A checkpoint's tree is that of a naive `git add -A && git write-tree`, whatever was done to the worktree.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use proptest::prelude::*;

use crate::lab::{Lab, Repo, Task};

#[derive(Debug, Clone)]
enum Edit {
    Write(usize, u8),
    Remove(usize),
    Move(usize, usize),
    Link(usize),
    Executable(usize),
    Ignore(usize, usize),
    Add(usize),
    ForceAdd(usize),
    Untrack(usize),
    Hide(usize),
    Commit,
    Warm,
    Checkpoint,
}

/// Where rules for ignored files stand: nested ones, and those outside of the worktree.
const RULES: &[&str] = &[".gitignore", "d/.gitignore", "d/e/.gitignore", "INFO", "GLOBAL"];
/// The last one ignores the file that it stands in, too.
const IGNORED: &[&str] = &["", "*.log\n", "*.tmp\n/d/\n", "a\n!b.log\n", "*\n"];
const NAMES: &[&str] = &["a", "b.log", "d/a", "d/b.log", "d/e/c", "x", "x/y", "t.tmp", "d"];

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let name = || 0..NAMES.len();
    let edit = prop_oneof![
        4 => (name(), 0u8..4).prop_map(|(n, c)| Edit::Write(n, c)),
        2 => name().prop_map(Edit::Remove),
        1 => (name(), name()).prop_map(|(a, b)| Edit::Move(a, b)),
        1 => name().prop_map(Edit::Link),
        1 => name().prop_map(Edit::Executable),
        2 => (0..RULES.len(), 0..IGNORED.len()).prop_map(|(w, i)| Edit::Ignore(w, i)),
        1 => name().prop_map(Edit::Add),
        1 => name().prop_map(Edit::ForceAdd),
        1 => name().prop_map(Edit::Untrack),
        1 => name().prop_map(Edit::Hide),
        1 => Just(Edit::Commit),
        1 => Just(Edit::Warm),
        4 => Just(Edit::Checkpoint),
    ];
    proptest::collection::vec(edit, 1..16)
}

fn make(lab: &Lab, repo: &Repo, edit: &Edit) {
    let path = |name: &usize| repo.folder.join(NAMES[*name]);
    let gone = |name: &usize| {
        let _ = fs::remove_file(path(name)).or_else(|_| fs::remove_dir_all(path(name)));
    };
    let quiet = |args: &[&str]| drop(repo.command(args).output().unwrap());
    let folder = |name: &usize| fs::create_dir_all(path(name).parent().unwrap()).is_ok();
    match edit {
        Edit::Write(name, content) if folder(name) => {
            gone(name);
            fs::write(path(name), [b'a' + content, b'\n']).unwrap();
        }
        Edit::Remove(name) => gone(name),
        Edit::Move(from, to) if folder(to) => {
            let _ = fs::rename(path(from), path(to));
        }
        Edit::Link(name) if folder(name) => {
            gone(name);
            symlink("d", path(name)).unwrap();
        }
        Edit::Executable(name) if path(name).is_file() => {
            fs::set_permissions(path(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        Edit::Ignore(place, what) => {
            let file = match RULES[*place] {
                "INFO" => lab.path().join("clone.git/info/exclude"),
                "GLOBAL" => lab.path().join("home/git/ignore"),
                name => repo.folder.join(name),
            };
            if fs::create_dir_all(file.parent().unwrap()).is_ok() {
                let _ = fs::write(file, IGNORED[*what]);
            }
        }
        Edit::Add(name) => quiet(&["add", "-A", "--", NAMES[*name]]),
        Edit::ForceAdd(name) => quiet(&["add", "-f", "--", NAMES[*name]]),
        Edit::Untrack(name) => quiet(&["rm", "-rq", "--cached", "--", NAMES[*name]]),
        Edit::Hide(name) => quiet(&["update-index", "--assume-unchanged", "--", NAMES[*name]]),
        Edit::Commit => quiet(&["commit", "-qm", "By the agent"]),
        Edit::Write(..)
        | Edit::Move(..)
        | Edit::Link(_)
        | Edit::Executable(_)
        | Edit::Warm
        | Edit::Checkpoint => {}
    }
}

/// The same worktree and index, copied, and then done as anybody would.
fn reference(lab: &Lab, task: &Task) -> String {
    let index = lab.path().join("reference-index");
    let own = lab.path().join("clone.git/worktrees/one/index");
    fs::copy(own, &index).unwrap();
    let git = |args: &[&str]| {
        let mut command = task.repo.command(args);
        command.env("GIT_INDEX_FILE", &index).env("XDG_CONFIG_HOME", lab.path().join("home"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    // As if it were read for the first time: no flag hides a thing.
    for name in git(&["ls-files", "-v", "-z"]).split('\0').filter_map(|line| line.strip_prefix("h ")) {
        git(&["update-index", "--no-assume-unchanged", "--", name]);
    }
    git(&["add", "-A"]);
    git(&["write-tree"]).trim().into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_checkpoint_is_what_add_all_would_give(edits in edits()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (lab, user) = Lab::with_user().await;
            let mut task = lab.task(&user).await;
            let mut number = 0;
            for edit in edits.iter().chain([&Edit::Checkpoint]) {
                make(&lab, &task.repo, edit);
                if matches!(edit, Edit::Warm) {
                    task.worktree.warm().await.unwrap();
                }
                if matches!(edit, Edit::Checkpoint) {
                    number += 1;
                    let wanted = reference(&lab, &task);
                    let made = task.checkpoint(number).await;
                    assert_eq!(made.tree.as_str(), wanted, "after {edits:?}");
                }
            }
        });
    }
}
