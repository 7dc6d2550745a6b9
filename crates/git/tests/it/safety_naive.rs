//! Whatever was done to a worktree: going back to a safety checkpoint gives what it was, and going back from there what
//! it was in between. Held against a copy of everything.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use proptest::prelude::*;

use crate::everything::{Everything, name};
use crate::lab::{Lab, Task};

#[derive(Debug, Clone)]
enum Edit {
    Write(usize, u8),
    Remove(usize),
    Move(usize, usize),
    Link(usize),
    Executable(usize),
    Ignore(usize, usize),
    Git(&'static [&'static str], usize),
    Whole(&'static [&'static str]),
}

/// Where rules for ignored files stand.
const RULES: &[&str] = &[".gitignore", "d/.gitignore", "d/e/.gitignore", "INFO"];
/// How line endings are treated: for all of the time, since git looks at no file again because of another rule.
const ATTRIBUTES: &[&str] = &["", "* text=auto\n", "* text=auto eol=crlf\n", "* text=auto\nd/** -text\n"];
/// The last one ignores the file that it stands in, too.
const IGNORED: &[&str] = &["", "*.log\n", "*.tmp\n/d/\n", "a\n!b.log\n", "*\n"];
const NAMES: &[&[u8]] =
    &[b"a", b"A", b"b.log", b"d/a", b"d/b.log", b"d/e/c", b"x", b"x/y", b"t.tmp", b"d", b"n\nl", b"\xff\xfe"];

/// What is done with one file.
const OF_A_FILE: &[&[&str]] = &[
    &["add", "-A"],
    &["add", "-f"],
    &["add", "-N"],
    &["rm", "-rq", "--cached"],
    &["update-index", "--assume-unchanged"],
    &["update-index", "--skip-worktree"],
    &["update-index", "--no-skip-worktree"],
    &["update-index", "--chmod=+x"],
    &["checkout", "-q", "HEAD"],
    &["reset", "-q"],
];

/// What is done with the whole worktree. Much of it stops in a conflict, or says no: so it goes.
const OF_ALL: &[&[&str]] = &[
    &["add", "-A"],
    &["commit", "-qm", "By the agent"],
    &["commit", "-qam", "By the agent"],
    &["commit", "-q", "--amend", "-m", "Amended"],
    &["checkout", "-q", "side"],
    &["checkout", "-q", "makima/do-it-0a1b2c3d"],
    &["checkout", "-qb", "new"],
    &["checkout", "-q", "--detach"],
    &["checkout", "-q", "--orphan", "orphan"],
    &["reset", "-q", "--hard"],
    &["reset", "-q", "--hard", "HEAD~"],
    &["reset", "-q", "--soft", "HEAD~"],
    &["reset", "-q", "HEAD~"],
    &["merge", "-q", "side"],
    &["merge", "--no-commit", "--squash", "side"],
    &["cherry-pick", "side~2..side"],
    &["rebase", "-q", "side"],
    &["rebase", "-q", "--apply", "side"],
    &["rebase", "--skip"],
    &["rebase", "--abort"],
    &["revert", "--no-edit", "HEAD"],
    &["merge", "--abort"],
    &["cherry-pick", "--abort"],
    &["bisect", "start", "side", "side~3"],
    &["bisect", "reset"],
    &["stash", "-q"],
    &["clean", "-qfd"],
];

fn edits(most: usize) -> impl Strategy<Value = Vec<Edit>> {
    let name = || 0..NAMES.len();
    let edit = prop_oneof![
        6 => (name(), 0u8..4).prop_map(|(n, c)| Edit::Write(n, c)),
        2 => name().prop_map(Edit::Remove),
        1 => (name(), name()).prop_map(|(a, b)| Edit::Move(a, b)),
        1 => name().prop_map(Edit::Link),
        1 => name().prop_map(Edit::Executable),
        2 => (0..RULES.len(), 0..IGNORED.len()).prop_map(|(w, i)| Edit::Ignore(w, i)),
        5 => (0..OF_A_FILE.len(), name()).prop_map(|(what, n)| Edit::Git(OF_A_FILE[what], n)),
        4 => (0..OF_ALL.len()).prop_map(|what| Edit::Whole(OF_ALL[what])),
    ];
    proptest::collection::vec(edit, 1..most)
}

fn make(task: &Task, edit: &Edit) {
    let repo = &task.repo;
    let path = |n: &usize| repo.folder.join(name(NAMES[*n]));
    let gone = |n: &usize| {
        let _ = fs::remove_file(path(n)).or_else(|_| fs::remove_dir_all(path(n)));
    };
    let folder = |n: &usize| fs::create_dir_all(path(n).parent().unwrap()).is_ok();
    match edit {
        Edit::Write(n, content) if folder(n) => {
            gone(n);
            let contents = [&b"a\n"[..], b"b\n", b"a\r\nb\r\n", b"a\r\nb\n"];
            fs::write(path(n), contents[usize::from(*content)]).unwrap();
        }
        Edit::Remove(n) => gone(n),
        Edit::Move(from, to) if folder(to) => {
            let _ = fs::rename(path(from), path(to));
        }
        Edit::Link(n) if folder(n) => {
            gone(n);
            // A link to itself is what git itself can't look behind.
            symlink(if NAMES[*n] == b"d" { "dir" } else { "d" }, path(n)).unwrap();
        }
        Edit::Executable(n) if path(n).is_file() => {
            fs::set_permissions(path(n), fs::Permissions::from_mode(0o755)).unwrap();
        }
        Edit::Ignore(place, what) => {
            let file = match RULES[*place] {
                "INFO" => task.clone.dir().join("info/exclude"),
                name => repo.folder.join(name),
            };
            if fs::create_dir_all(file.parent().unwrap()).is_ok() {
                let _ = fs::write(file, IGNORED[*what]);
            }
        }
        Edit::Git(args, n) => drop(repo.command(args).arg("--").arg(name(NAMES[*n])).output().unwrap()),
        Edit::Whole(args) => drop(repo.command(args).env("GIT_EDITOR", "true").output().unwrap()),
        Edit::Write(..) | Edit::Move(..) | Edit::Link(_) | Edit::Executable(_) => {}
    }
}

/// A task with a branch that conflicts with its own.
pub(crate) async fn with_side() -> (Lab, Task) {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    let repo = &task.repo;
    repo.write("a", "base\n").write("d/a", "base\n").write("x", "base\n").commit("More");
    repo.git(&["checkout", "-qb", "side"]);
    repo.write("a", "side\n").commit("Side 1");
    repo.write("d/a", "side\n").commit("Side 2");
    repo.remove("x").write("x/y", "side\n").commit("Side 3");
    repo.git(&["checkout", "-q", "-"]);
    repo.write("a", "ours\n").commit("Ours 1");
    repo.write("d/a", "ours\n").write("t", "t\n").commit("Ours 2");
    (lab, task)
}

fn there_and_back(attributes: &str, first: &[Edit], second: &[Edit]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (_lab, mut task) = with_side().await;
        fs::write(task.clone.dir().join("info/attributes"), attributes).unwrap();
        for edit in first {
            make(&task, edit);
        }
        let one = Everything::of(&task);
        task.keep(1).await;
        assert_eq!(Everything::of(&task), one, "keeping it was noticed");
        for edit in second {
            make(&task, edit);
        }
        // Rules outside of the worktree are no part of its state, and hold for all of the time.
        let two = Everything::of(&task);
        task.restore(1, 2, &one).await;
        let other = Everything::of(&task);
        task.restore(2, 3, &two).await;
        for (name, file) in &two.files {
            assert_eq!(
                Everything::of(&task).files.get(name),
                Some(file),
                "{}",
                String::from_utf8_lossy(name)
            );
        }
        task.restore(3, 4, &other).await;
        task.repo.git(&["fsck", "--connectivity-only", "--no-dangling"]);
    });
}

/// Found among hundreds: a branch without a commit, with nothing staged.
#[test]
fn going_back_to_a_branch_without_a_commit_and_from_there_leaves_all_objects() {
    let orphan = Edit::Whole(&["checkout", "-q", "--orphan", "orphan"]);
    there_and_back("", &[orphan], &[Edit::Write(0, 0), Edit::Whole(&["reset", "-q", "--hard"])]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, failure_persistence: None, ..ProptestConfig::default() })]

    /// Pain: 5, 7, 8
    #[test]
    fn going_back_gives_what_was_and_going_back_again_what_was_in_between(
        attributes in 0..ATTRIBUTES.len(),
        first in edits(10),
        second in edits(10),
    ) {
        there_and_back(ATTRIBUTES[attributes], &first, &second);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    #[ignore = "long: hundreds of worktrees"]
    fn going_back_gives_what_was_for_hundreds_of_worktrees(
        attributes in 0..ATTRIBUTES.len(),
        first in edits(24),
        second in edits(24),
    ) {
        there_and_back(ATTRIBUTES[attributes], &first, &second);
    }
}
