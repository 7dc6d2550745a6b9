//! A task's whole life in every odd repository: it works, and no byte is lost.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use makima_git::{BareClone, CheckpointKind, CheckpointRequest, Published, ScanRules, Start};

use crate::lab::{Lab, Repo, branch, noon, told, ursula};
use crate::life::{Oddity, adds_a_file, works};

fn nothing(_: &Repo) {}

fn executable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The bytes of names that other tools break at.
const NAMES: &[&[u8]] = &[
    b"new\nline",
    b"\xff\xfe",
    b"tab\there",
    b"quo\"te",
    b"back\\slash",
    b" leading",
    b"trailing ",
    b"-dash",
    b":(glob)*",
    b"*",
    b"a\r",
    b"caf\xc3\xa9",
    b"cafe\xcc\x81",
    b"#hash",
    b"!bang",
    b"dir/\x01",
];

/// Fault: a repository whose names are no text: newlines, tabs, bytes that are not UTF-8
/// Moment: a task's whole life
/// Outcome: it works, and each name and byte is as it was
/// Fault: names that differ in case only, in a repository that says it ignores case
/// Moment: a task's whole life
/// Outcome: it works, and both are there
#[tokio::test]
async fn names_are_kept_byte_for_byte() {
    let odd = Oddity {
        make: &|lab| {
            let user = lab.user();
            user.write("Makefile", "M\n").write("makefile", "m\n").write("DIR/b.txt", "B\n");
            for name in NAMES {
                user.write_bytes(name, "x\n");
            }
            user.commit("Odd names");
            user.git(&["config", "core.ignorecase", "true"]);
            user
        },
        dirty: &|user| {
            user.write_bytes(b"mine\n\xf0", "mine\n").write("MINE", "1").write("mine", "2");
        },
        edit: &|task| {
            works(task);
            task.write_bytes(b"agents\n\xf1", "new\n").write("A.TXT", "upper\n").write("MAKEFILE", "MM\n");
            for name in &NAMES[..4] {
                task.write_bytes(name, "changed\n");
            }
            fs::rename(
                task.folder.join(OsStr::from_bytes(NAMES[4])),
                task.folder.join(OsStr::from_bytes(b"moved\n")),
            )
            .unwrap();
        },
    };
    odd.lives().await;
}

/// Fault: symbolic links, and bits for execution, in a repository that says it has none of both
/// Moment: a task's whole life
/// Outcome: it works, and each is as it was
#[tokio::test]
async fn links_and_modes_are_kept() {
    let odd = Oddity {
        make: &|lab| {
            let user = lab.user();
            user.write("run", "#!/bin/sh\n").write("not", "x\n");
            executable(&user.folder.join("run"));
            symlink("../outside", user.folder.join("out")).unwrap();
            symlink("dir", user.folder.join("folder")).unwrap();
            symlink(OsStr::from_bytes(b"no\nwhere\xff"), user.folder.join("dangling")).unwrap();
            user.commit("Links");
            user
        },
        dirty: &|user| {
            executable(&user.folder.join("not"));
            symlink("/etc/passwd", user.folder.join("mine")).unwrap();
        },
        edit: &|task| {
            executable(&task.folder.join("a.txt"));
            fs::set_permissions(task.folder.join("run"), fs::Permissions::from_mode(0o644)).unwrap();
            // A link in place of a folder, a folder in place of a link.
            fs::remove_dir_all(task.folder.join("dir")).unwrap();
            symlink("a.txt", task.folder.join("dir")).unwrap();
            task.remove("folder").write("folder/x", "x\n");
        },
    };
    odd.lives().await;
}

/// Fault: a repository that says its disk knows no links and no bits for execution
/// Moment: a task's whole life
/// Outcome: the agent's are kept, since they are on another disk; on the user's it is believed
#[tokio::test]
async fn what_is_said_of_the_users_disk_is_not_believed_of_ours() {
    let odd = Oddity {
        make: &|lab| {
            let user = lab.user();
            user.git(&["config", "core.filemode", "false"]);
            user
        },
        dirty: &nothing,
        edit: &|task| executable(&task.folder.join("a.txt")),
    };
    odd.lives().await;
    let (lab, user) = Lab::with_user().await;
    user.git(&["config", "core.filemode", "false"]);
    user.git(&["config", "core.symlinks", "false"]);
    executable(&user.folder.join("a.txt"));
    let clone = lab.clone_of(&user).await;
    let included = clone.include_uncommitted(&user.source(), "refs/makima/x", &ursula(), noon()).await;
    assert!(matches!(included.unwrap().start, Start::Commit(_)));
    let mut task = lab.task(&user).await;
    symlink("a.txt", task.repo.folder.join("link")).unwrap();
    let tree = task.checkpoint(1).await.tree;
    assert!(task.repo.git(&["ls-tree", tree.as_str(), "link"]).starts_with("120000"));
}

/// Fault: tracked files that are ignored
/// Moment: a task's whole life
/// Outcome: they are held, and what is ignored and not tracked stays where it is
#[tokio::test]
async fn tracked_files_that_are_ignored_are_kept() {
    let odd = Oddity {
        make: &|lab| {
            let user = lab.user();
            user.write("kept.log", "kept\n").write("target/kept", "kept\n");
            user.git(&["add", "-f", "kept.log", "target/kept"]);
            user.commit("Keep a log");
            user
        },
        dirty: &|user| {
            user.write("kept.log", "changed by its user\n").write("mine.log", "ignored\n");
            user.write("forced.log", "forced\n").git(&["add", "-f", "forced.log"]);
        },
        edit: &|task| {
            works(task);
            task.write("kept.log", "changed\n").write("other.log", "ignored\n");
            task.write("target/new", "ignored\n").write("target/kept", "changed\n");
        },
    };
    for lived in odd.lives().await {
        assert!(!lived.task.folder.join("mine.log").exists());
        assert_eq!(lived.task.read("other.log"), "ignored\n");
    }
}

/// Fault: what is ignored by a file that the repository's own settings name
/// Moment: the user's uncommitted changes are taken along
/// Outcome: it is not taken
#[tokio::test]
async fn what_the_users_own_rules_ignore_is_not_taken_along() {
    let odd = Oddity {
        make: &|lab| {
            let user = lab.user();
            fs::write(lab.path().join("rules"), "secret.env\n").unwrap();
            user.git(&["config", "core.excludesFile", lab.path().join("rules").to_str().unwrap()]);
            user.write(".git/info/exclude", "private\n");
            user
        },
        dirty: &|user| {
            user.write("secret.env", "KEY\n").write("private", "x\n").write("open", "x\n");
        },
        edit: &|task| {
            task.write("secret.env", "KEY\n").write("private", "x\n").write("new", "x\n");
        },
    };
    for lived in odd.lives().await {
        let files = lived.user.git(&["ls-tree", "-r", "--name-only", branch().as_str()]);
        assert!(files.contains("new") && !files.contains("secret") && !files.contains("private"), "{files}");
    }
}

fn with_submodule(lab: &Lab) -> Repo {
    let user = lab.user();
    let inner = lab.repo("inner");
    inner.write("x", "x\n").commit("Inner");
    let url = inner.folder.to_str().unwrap().to_owned();
    user.git(&["-c", "protocol.file.allow=always", "submodule", "add", "-q", &url, "sub"]);
    user.commit("Add a submodule");
    user
}

/// Fault: a repository with submodules
/// Moment: a task's whole life
/// Outcome: its commit is kept, what is changed inside is named as not held, and nothing of the submodule is touched
#[tokio::test]
async fn a_submodule_keeps_its_commit() {
    let odd = Oddity {
        make: &with_submodule,
        dirty: &|user| {
            user.write("mine.txt", "mine\n").write("sub/dirty", "inside\n");
        },
        edit: &|task| {
            works(task);
            task.git(&["-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init"]);
            task.write("sub/new", "inside\n");
        },
    };
    for lived in odd.lives().await {
        assert_eq!(lived.made.not_held.len(), 1);
        assert_eq!(lived.made.not_held[0].path, b"sub");
        assert_eq!(lived.task.read("sub/new"), "inside\n");
        let wanted = lived.user.git(&["rev-parse", "main:sub"]);
        assert_eq!(lived.user.git(&["rev-parse", &format!("{}:sub", branch())]), wanted);
    }
}

/// Fault: a `.git` file, that of a submodule
/// Moment: a task's whole life
/// Outcome: it works, and only the submodule's own repository gets the branch
#[tokio::test]
async fn a_submodule_is_a_repository_too() {
    let odd = Oddity {
        make: &|lab| {
            with_submodule(lab);
            let sub = lab.at(&lab.path().join("user/sub"));
            sub.write("a.txt", "a\n").write("dir/b.txt", "b\n").commit("More");
            sub.git(&["checkout", "-qb", "work"]);
            sub
        },
        dirty: &adds_a_file,
        edit: &works,
    };
    odd.lives().await;
}

/// Fault: a `.git` file, that of a worktree of another repository
/// Moment: a task's whole life
/// Outcome: it works, at what that worktree has
/// Fault: a base branch that is checked out
/// Moment: a task's whole life
/// Outcome: it stays where it is
#[tokio::test]
async fn a_worktree_of_a_repository_is_one_too() {
    for detached in [false, true] {
        let odd = Oddity {
            make: &|lab| {
                let main = lab.user();
                let linked = lab.path().join("linked");
                main.git(&["worktree", "add", "-q", "-b", "linked", linked.to_str().unwrap()]);
                let linked = lab.at(&linked);
                linked.write("only-here", "x\n").commit("Only here");
                if detached {
                    linked.git(&["checkout", "-q", "--detach"]);
                    linked.write("on-no-branch", "x\n").commit("On no branch");
                }
                linked
            },
            dirty: &adds_a_file,
            edit: &works,
        };
        for lived in odd.lives().await {
            let head = lived.user.git(&["rev-parse", "HEAD"]);
            assert_eq!(lived.user.git(&["rev-parse", &format!("{}^", lived.commit)]), head);
        }
    }
}

/// Fault: repositories inside of the repository
/// Moment: a task's whole life
/// Outcome: they are named as not held and stay as they are; what lies beside them is held
#[tokio::test]
async fn nested_repositories_are_named_and_left_alone() {
    let nest = |repo: &Repo, name: &str| {
        let folder = repo.folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        repo.git(&["-C", folder.to_str().unwrap(), "init", "-q", "--template="]);
        fs::write(folder.join("inner"), "inner\n").unwrap();
    };
    let odd = Oddity {
        make: &|lab| lab.user(),
        dirty: &|user| nest(user, "mine"),
        edit: &|task| {
            works(task);
            nest(task, "deep/nested");
            task.write("deep/beside", "beside\n");
            // One that is a tracked folder, too.
            task.write("dir/b.txt", "tracked\n");
            nest(task, "dir");
        },
    };
    for lived in odd.lives().await {
        let not_held: Vec<_> = lived.made.not_held.iter().map(|held| &held.path[..]).collect();
        assert_eq!(not_held, [&b"deep/nested"[..]]);
        assert_eq!(lived.task.read("deep/nested/inner"), "inner\n");
        let files = lived.user.git(&["ls-tree", "-r", "--name-only", branch().as_str()]);
        assert!(files.contains("deep/beside") && files.contains("dir/inner"), "{files}");
    }
}

/// Fault: a worktree whose `.git` its agent replaced by a repository of its own
/// Moment: a task's whole life
/// Outcome: the files are held, and that repository is named as not held
/// Pain: 13
#[tokio::test]
async fn a_git_folder_that_the_agent_puts_in_its_place_is_named() {
    let odd = Oddity {
        make: &|lab| lab.user(),
        dirty: &nothing,
        edit: &|task| {
            works(task);
            task.write("left.txt", "left\n");
        },
    };
    let lived = odd.live(false).await;
    lived.task.remove(".git").git(&["init", "-q", "--template="]);
    lived.task.write("after.txt", "after\n").commit("In a repository of its own");
    let clone = BareClone::open(&lived.lab.git, &lived.lab.path().join("clone.git"));
    let worktree = clone.worktree(&lived.task.folder).unwrap();
    let request = CheckpointRequest {
        task: "0190a1b2".into(),
        number: 2,
        kind: CheckpointKind::Manual,
        message: String::new(),
        author: ursula(),
        at: noon(),
        rules: ScanRules::default(),
        previous: Some(lived.made.commit.clone()),
        base: None,
    };
    let made = worktree.checkpoint(&request).await.unwrap().unwrap();
    assert_eq!(told(&made), ["A after.txt +1 -0"]);
    assert_eq!(made.not_held.iter().map(|held| &held.path[..]).collect::<Vec<_>>(), [b".git"]);
    assert!(matches!(clone.publish(&lived.source(), &branch()).await, Ok(Published::Fetched { .. })));
}

/// Fault: a sparse checkout
/// Moment: a task's whole life
/// Outcome: the task has all files, and none that the user left out counts as deleted
#[tokio::test]
async fn a_sparse_checkout_deletes_nothing() {
    for args in [&["set", "--cone", "dir"][..], &["set", "--cone", "--sparse-index", "dir"]] {
        let lab = Lab::new().await;
        let user = lab.user();
        user.write("left/out/c.txt", "c\n").commit("More");
        user.git(&[&["sparse-checkout"][..], args].concat());
        assert!(!user.folder.join("left").exists());
        user.write("dir/b.txt", "changed\n").write("dir/new", "new\n");
        user.write("dir/staged", "staged\n").git(&["add", "dir/staged"]);
        let clone = lab.clone_of(&user).await;
        let start = clone
            .include_uncommitted(&user.source(), "refs/makima/x", &ursula(), noon())
            .await
            .unwrap()
            .start;
        let worktree = clone.add_worktree(&lab.path().join("tasks/one"), &branch(), &start).await.unwrap();
        let task = lab.at(worktree.folder());
        assert_eq!(task.status(), " M dir/b.txt\n?? dir/new\n?? dir/staged");
        assert_eq!(task.read("left/out/c.txt"), "c\n");
        // The agent makes its own sparse.
        task.git(&[&["sparse-checkout"][..], args].concat());
        assert!(!task.folder.join("left").exists());
        task.write("dir/b.txt", "by the agent\n");
        worktree.commit_remaining(&branch(), "Done", &ursula(), noon()).await.unwrap().unwrap();
        clone.publish(&user.source(), &branch()).await.unwrap();
        assert_eq!(
            user.git(&["diff", "--name-status", "main", branch().as_str()]),
            "M\tdir/b.txt\nA\tdir/new\nA\tdir/staged"
        );
        assert_eq!(task.status(), "");
    }
}

/// Fault: a shallow clone
/// Moment: a task's whole life
/// Outcome: it works; so it does when the user gets the rest of the history meanwhile
#[tokio::test]
async fn a_shallow_clone_stays_as_shallow() {
    let odd = Oddity {
        make: &|lab| {
            let up = lab.user();
            up.write("a.txt", "1\n").commit("One");
            up.write("a.txt", "2\n").commit("Two");
            let url = format!("file://{}", up.folder.display());
            let folder = lab.path().join("shallow");
            up.git(&["clone", "-q", "--depth=1", &url, folder.to_str().unwrap()]);
            lab.at(&folder)
        },
        dirty: &adds_a_file,
        edit: &works,
    };
    for lived in odd.lives().await {
        lived.user.git(&["fetch", "-q", "--unshallow"]);
        let clone = lived.lab.clone_of(&lived.user).await;
        let head = lived.task.write("a.txt", "later\n").commit("Later");
        clone.publish(&lived.source(), &branch()).await.unwrap();
        assert_eq!(lived.user.git(&["rev-parse", branch().as_str()]), head);
        assert_eq!(lived.user.git(&["rev-list", "--count", branch().as_str()]), "5");
    }
}

/// Fault: a repository without a commit
/// Moment: a task's whole life
/// Outcome: it works, and the branch's first commit is the agent's
#[tokio::test]
async fn a_repository_without_a_commit_works() {
    let odd = Oddity {
        make: &|lab| lab.repo("user"),
        dirty: &|user| {
            user.write("mine.txt", "mine\n").write("staged", "staged\n").git(&["add", "staged"]);
        },
        edit: &|task| {
            task.write("first", "first\n");
        },
    };
    for lived in odd.lives().await {
        assert_eq!(lived.user.git(&["rev-list", "--count", branch().as_str()]), "1");
    }
}

/// Fault: a detached HEAD
/// Moment: a task's whole life
/// Outcome: the task begins at its commit
#[tokio::test]
async fn a_detached_head_is_where_the_task_begins() {
    let odd = Oddity {
        make: &|lab| {
            let user = lab.user();
            user.git(&["checkout", "-q", "--detach"]);
            user.write("x", "x\n").commit("On no branch");
            user
        },
        dirty: &adds_a_file,
        edit: &works,
    };
    odd.lives().await;
}

/// A repository in which `merge side` conflicts.
fn with_conflict(lab: &Lab) -> Repo {
    let user = lab.user();
    user.git(&["checkout", "-qb", "side"]);
    user.write("a.txt", "side\n").write("theirs", "x\n").remove("dir/b.txt").commit("Side");
    user.git(&["checkout", "-q", "main"]);
    user.write("a.txt", "ours\n").write("dir/b.txt", "ours\n").commit("Ours");
    user
}

/// Fault: a repository in the middle of a merge, rebase or cherry-pick
/// Moment: a task's whole life
/// Outcome: it works, with the conflicting files as they are where the user's changes are taken along
#[tokio::test]
async fn a_repository_in_the_middle_of_something_works() {
    for act in ["merge", "rebase", "cherry-pick"] {
        let odd = Oddity {
            make: &with_conflict,
            dirty: &|user| user.fails(&[act, "side"]),
            edit: &|task| {
                task.write("new", "new\n").write("a.txt", "resolved\n");
            },
        };
        let lived = match act {
            // It moves the user's HEAD.
            "rebase" => vec![odd.live(true).await],
            _ => odd.lives().await.into(),
        };
        for lived in lived {
            assert!(lived.user.git(&["ls-files", "-u"]).contains("a.txt"), "{act}");
        }
    }
}

/// Fault: `core.autocrlf` and attributes for line endings
/// Moment: a task's whole life
/// Outcome: files are on disk as the user's are, byte for byte
#[tokio::test]
async fn line_endings_are_the_users() {
    let odd = Oddity {
        make: &|lab| {
            let user = lab.repo("user");
            user.git(&["config", "core.autocrlf", "true"]);
            user.write(
                ".gitattributes",
                "*.bin -text\r\n*.sh eol=lf\r\n*.utf text working-tree-encoding=UTF-16LE-BOM\r\n",
            );
            user.write("a.txt", "one\r\ntwo\r\n").write("dir/b.txt", "b\r\n").write("raw.bin", "a\r\nb\n\0");
            user.write("x.sh", "#!/bin/sh\nexit\n").write("w.utf", b"\xff\xfea\0\r\0\n\0");
            user.commit("Begin");
            user
        },
        dirty: &|user| {
            user.write("mine.txt", "1\r\n2\r\n").write("mine.bin", "1\r\n2\n");
        },
        edit: &|task| {
            task.write("a.txt", "one\r\n2\r\n").write("new.txt", "x\r\ny\r\n").write("new.bin", "\n\r\n\r");
            task.write("x.sh", "#!/bin/sh\necho\n").write("w.utf", b"\xff\xfeb\0\r\0\n\0");
        },
    };
    odd.lives().await;
}

/// Fault: a file that its attributes' encoding or filter refuses
/// Moment: a turn's checkpoint, the commit of the rest, and the user's uncommitted changes taken along
/// Outcome: it is held as it is, and so is everything beside it
#[tokio::test]
async fn what_its_encoding_refuses_is_held_as_it_is() {
    let (lab, user) = Lab::with_user().await;
    user.write(".gitattributes", "*.utf working-tree-encoding=UTF-16\n*.strict filter=strict\n");
    user.write("x.utf", b"\xff\xfea\0\n\0").commit("Encoded");
    fs::write(
        lab.path().join("home/.gitconfig"),
        "[filter \"strict\"]\n\tclean = false\n\trequired = true\n",
    )
    .unwrap();
    user.write("mine.utf", "no BOM");
    let clone = lab.clone_of(&user).await;
    let included = clone.include_uncommitted(&user.source(), "refs/makima/x", &ursula(), noon()).await;
    let Start::Uncommitted { files, .. } = included.unwrap().start else { panic!() };
    let ours = lab.at(clone.dir());
    assert_eq!(ours.git(&["cat-file", "blob", &format!("{files}:mine.utf")]), "no BOM");
    let mut task = lab.task(&user).await;
    let odd =
        [("x.utf", "neither"), ("odd\nname.utf", "nor this"), ("y.strict", "refused"), ("plain", "plain")];
    for (name, content) in odd {
        task.repo.write(name, content);
    }
    let made = task.checkpoint(1).await;
    let commit = task.worktree.commit_remaining(&branch(), "Done", &ursula(), noon()).await.unwrap().unwrap();
    for (name, content) in odd {
        assert_eq!(task.content(&made.tree, name), content, "{name:?}");
        assert_eq!(task.content(&commit, name), content, "{name:?}");
    }
}

/// Fault: a tracked file that became a pipe
/// Moment: a task's whole life
/// Outcome: it counts as deleted, and nothing waits for its other end
#[tokio::test]
async fn a_pipe_in_the_place_of_a_file_stops_nothing() {
    let odd = Oddity {
        make: &|lab| lab.user(),
        dirty: &nothing,
        edit: &|task| {
            task.remove("a.txt").write("new", "new\n");
            for name in ["a.txt", "other"] {
                let pipe = task.folder.join(name);
                rustix::fs::mknodat(rustix::fs::CWD, pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0)
                    .unwrap();
            }
        },
    };
    for lived in odd.lives().await {
        assert_eq!(told(&lived.made), ["D a.txt +0 -3", "A new +1 -0"]);
    }
}

/// Fault: a branch whose name is not UTF-8, checked out
/// Moment: a task's whole life
/// Outcome: the task begins at its commit
#[tokio::test]
async fn a_branch_whose_name_is_no_text_is_begun_at() {
    let odd = Oddity {
        make: &|lab| {
            let user = lab.user();
            let mut checkout = user.command(&["checkout", "-qb"]);
            assert!(checkout.arg(OsStr::from_bytes(b"br\xffanch")).status().unwrap().success());
            user.write("on-it", "x\n").commit("On it");
            user
        },
        dirty: &adds_a_file,
        edit: &works,
    };
    odd.lives().await;
}

/// Fault: objects named by SHA-256
/// Moment: a task's whole life
/// Outcome: it works
#[tokio::test]
async fn a_repository_of_sha256_works() {
    let odd = Oddity {
        make: &|lab| {
            let user = lab.at(&lab.path().join("user"));
            fs::create_dir(&user.folder).unwrap();
            user.git(&["init", "-q", "-b", "main", "--template=", "--object-format=sha256"]);
            user.write("a.txt", "a\n").write("dir/b.txt", "b\n").commit("Begin");
            user
        },
        dirty: &adds_a_file,
        edit: &works,
    };
    for lived in odd.lives().await {
        assert_eq!(lived.commit.as_str().len(), 64);
    }
}

/// Fault: files that Git LFS keeps, some of which are on no server
/// Moment: a task's whole life
/// Outcome: both have all bytes, and no server is asked
#[tokio::test]
async fn files_that_git_lfs_keeps_come_along_both_ways() {
    let bytes = |seed: u8| -> Vec<u8> {
        (0..100_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0] ^ seed).collect()
    };
    let odd = Oddity {
        make: &|lab| {
            let there = lab.environment().program("git-lfs").is_some();
            assert!(there, "Git LFS is missing: `make tools` installs it");
            let user = lab.user();
            user.git(&["lfs", "install", "--local", "--skip-repo"]);
            // Where nobody answers.
            user.git(&["config", "remote.origin.url", "http://127.0.0.1:9/nothing"]);
            user.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
            user.write("large.bin", bytes(1)).write("empty.bin", "").commit("Large");
            assert!(user.git(&["cat-file", "blob", "HEAD:large.bin"]).contains("git-lfs.github.com"));
            user
        },
        dirty: &|user| {
            user.write("mine.bin", bytes(2));
        },
        edit: &|task| {
            works(task);
            task.write("large.bin", bytes(3)).write("made/agents.bin", bytes(4));
        },
    };
    for lived in odd.lives().await {
        let pointer = lived.user.git(&["cat-file", "blob", &format!("{}:large.bin", branch())]);
        assert!(pointer.contains("oid sha256:"), "{pointer}");
    }
}

/// Fault: 78,000 files
/// Moment: a task's whole life
/// Outcome: it works, and every one is as it was
#[tokio::test]
#[ignore = "long: 78,000 files, read again at each step"]
async fn a_repository_of_78_000_files_works() {
    let odd = Oddity {
        make: &|lab| {
            let user = lab.user();
            // Housekeeping of the user's own would go on beside the test.
            user.git(&["config", "gc.auto", "0"]);
            for number in 0..78_000 {
                user.write(format!("f/{}/{number}", number % 780), format!("file {number}\n"));
            }
            user.commit("Many");
            user
        },
        dirty: &|user| {
            user.write("f/7/7", "changed by its user\n");
            adds_a_file(user);
        },
        edit: &|task| {
            works(task);
            fs::rename(task.folder.join("f/8"), task.folder.join("moved")).unwrap();
            fs::remove_dir_all(task.folder.join("f/9")).unwrap();
        },
    };
    odd.live(true).await;
}

const LARGE: u64 = 3 << 30;

/// Zeros, with something else at the places that break what counts in 32 bits.
fn write_large(file: &Path) {
    use std::os::unix::fs::FileExt;
    let file = fs::File::create(file).unwrap();
    file.set_len(LARGE).unwrap();
    for place in [0, (1 << 29) - 3, (1 << 31) - 4, (1 << 31) + 9, LARGE - 7] {
        file.write_all_at(format!("{place:07}").as_bytes().first_chunk::<7>().unwrap(), place).unwrap();
    }
}

/// Whether a blob is what a file has, neither of them held in memory.
fn is_blob_of(repo: &Repo, blob: &str, file: &Path) -> bool {
    use std::io::Read;
    let mut git = repo.command(&["cat-file", "blob", blob]);
    let mut git = git.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let (mut stored, mut file) = (git.stdout.take().unwrap(), fs::File::open(file).unwrap());
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut bytes = 0;
    loop {
        let read = stored.read(&mut left).unwrap();
        if read == 0 {
            return git.wait().unwrap().success() && file.read(&mut right).unwrap() == 0 && bytes == LARGE;
        }
        file.read_exact(&mut right[..read]).unwrap();
        if left[..read] != right[..read] {
            return false;
        }
        bytes += read as u64;
    }
}

/// The most memory that this process ever had, in MiB.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Fault: one file of 3 GB
/// Moment: a task's whole life
/// Outcome: a turn's checkpoint names it while it is untracked, and holds it when it is tracked; memory stays flat
/// Pain: 11, 12
#[tokio::test]
#[ignore = "long: three gigabytes, stored and compared several times"]
async fn a_file_of_three_gigabytes_is_held_in_little_memory() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    let file = task.repo.folder.join("large");
    write_large(&file);
    task.repo.write("small", "small\n");
    let made = task.turn(1, Some(100 << 20)).await.unwrap();
    assert_eq!(told(&made), ["A small +1 -0"]);
    assert_eq!(made.not_held[0].path, b"large");
    task.last = Some(made.commit);
    // Of this limit only what is untracked is.
    task.repo.git(&["add", "--intent-to-add", "large"]);
    let made = task.turn(2, Some(100 << 20)).await.unwrap();
    assert_eq!((made.files_changed.len(), made.not_held.len()), (1, 0));
    assert!(is_blob_of(&task.repo, &format!("{}:large", made.tree), &file));
    task.worktree.commit_remaining(&branch(), "Done", &ursula(), noon()).await.unwrap().unwrap();
    task.clone.publish(&user.source(), &branch()).await.unwrap();
    assert!(is_blob_of(&user, &format!("{}:large", branch()), &file));
    let peak = peak_memory();
    println!("peak memory: {peak} MiB");
    assert!(peak < 150, "{peak} MiB");
}
