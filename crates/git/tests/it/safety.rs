//! Settled points, §5, on safety checkpoints: each sentence a test, and each hard case.

use std::fs::{self, FileTimes};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::SystemTime;

use makima_git::{CheckpointKind, CheckpointRequest, RestoreError, ScanRules, Start};

use crate::everything::{Everything, git_dir};
use crate::lab::{Lab, Repo, Task, branch};
use crate::safety_naive::with_side;

/// Throws away everything that no ref keeps.
fn collect_garbage(repo: &Repo) {
    repo.git(&["reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all"]);
    repo.git(&["gc", "-q", "--prune=now"]);
    repo.git(&["fsck", "--connectivity-only", "--no-dangling"]);
}

/// There, then on to something else, and back again.
async fn comes_back(task: &mut Task, onwards: impl FnOnce(&Repo)) -> Everything {
    let one = Everything::of(task);
    task.keep(1).await;
    onwards(&task.repo);
    collect_garbage(&task.repo);
    let two = Everything::of(task);
    task.restore(1, 2, &one).await;
    task.restore(2, 3, &two).await;
    task.try_restore(3, 4).await.unwrap();
    one
}

fn names(files: &[Vec<u8>]) -> Vec<&str> {
    files.iter().map(|name| std::str::from_utf8(name).unwrap()).collect()
}

#[tokio::test]
async fn keeping_it_is_not_noticed_and_made_again_it_is_the_same() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.repo.write("a.txt", "staged\n").git(&["add", "a.txt"]);
    task.repo.write("a.txt", "unstaged\n").write("new", "x".repeat(1000));
    let before = Everything::of(&task);
    let rules = ScanRules { max_untracked_bytes: Some(10), ..ScanRules::default() };
    let request = CheckpointRequest { kind: CheckpointKind::Safety, rules, ..task.request(1) };
    let made = task.worktree.checkpoint(&request).await.unwrap().unwrap();
    assert_eq!(Everything::of(&task), before);
    assert_eq!(task.files(&made.tree), [".gitignore", "a.txt", "dir/b.txt", "new"]);
    let state = task.repo.git(&["rev-parse", "refs/makima/tasks/0190a1b2/state/1"]);
    task.repo.write("new", "since\n");
    assert_eq!(task.worktree.checkpoint(&request).await.unwrap().unwrap(), made);
    assert_eq!(task.repo.git(&["rev-parse", "refs/makima/tasks/0190a1b2/state/1"]), state);
    // Where nothing changed at all there is one all the same.
    task.last = Some(made.commit);
    let made = task.keep(2).await;
    assert_eq!(made.files_changed.len(), 1);
    assert!(task.keep(3).await.unchanged);
}

#[tokio::test]
async fn the_state_can_be_read_with_plain_git() {
    let (_lab, mut task) = with_side().await;
    task.repo.fails(&["merge", "side"]);
    let index = fs::read(git_dir(&task).join("index")).unwrap();
    task.keep(1).await;
    let state = "refs/makima/tasks/0190a1b2/state/1";
    let raw = task.repo.command(&["cat-file", "blob", &format!("{state}:index")]).output().unwrap().stdout;
    assert_eq!(raw, index);
    let show = |what: &str| task.repo.git(&["cat-file", "blob", &format!("{state}:{what}")]);
    assert_eq!(show("HEAD"), format!("ref: {}", branch().full()));
    assert_eq!(show("branches"), format!("{} {}", task.repo.git(&["rev-parse", "HEAD"]), branch().full()));
    assert_eq!(show("git/MERGE_HEAD"), task.repo.git(&["rev-parse", "side"]));
    let parents = task.repo.git(&["rev-list", "--parents", "-1", state]);
    let made = task.repo.git(&["rev-parse", "refs/makima/tasks/0190a1b2/checkpoints/1"]);
    assert_eq!(parents.split(' ').nth(1), Some(&made[..]));
    assert!(parents.contains(&task.repo.git(&["rev-parse", "side"])));
}

/// Pain: 7
#[tokio::test]
async fn staged_unstaged_untracked_and_flagged_files_come_back() {
    let (lab, user) = Lab::with_user().await;
    user.write("kept.log", "k\n").write("hidden", "h\n").write("gone", "g\n").write("left", "l\n");
    user.git(&["add", "-f", "kept.log"]);
    user.commit("More");
    let mut task = lab.task(&user).await;
    let repo = &task.repo;
    repo.write("a.txt", "staged\n").write("forced.log", "f\n").write("meant", "m\n").write("empty", "");
    repo.git(&["add", "a.txt", "empty"]);
    repo.git(&["add", "-f", "forced.log"]);
    repo.git(&["add", "-N", "meant"]);
    repo.git(&["update-index", "--assume-unchanged", "hidden"]);
    repo.git(&["update-index", "--skip-worktree", "left"]);
    repo.git(&["rm", "-q", "--cached", "kept.log"]);
    repo.write("a.txt", "unstaged\n").write("hidden", "changed\n").write("left", "changed\n");
    repo.remove("gone").write("sub/untracked", "u\n").write("ignored.log", "i\n");
    let onwards = |repo: &Repo| {
        repo.git(&["reset", "-q", "--hard"]);
        repo.git(&["clean", "-qfd"]);
        repo.write("a.txt", "other\n").commit("Away");
    };
    comes_back(&mut task, onwards).await;
    assert_eq!(task.repo.read("hidden"), "changed\n");
    assert_eq!(task.repo.read("ignored.log"), "i\n");
}

#[tokio::test]
async fn a_file_that_was_changed_within_the_tick_of_its_staging_is_still_told_as_changed() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    let file = task.repo.folder.join("a.txt");
    let index = git_dir(&task).join("index");
    task.repo.write("a.txt", "AAA\n").git(&["add", "a.txt"]);
    // The same size, inode and time as when it was staged; only that the index is no newer tells git to look.
    let staged = fs::metadata(&file).unwrap().modified().unwrap();
    let set = |path: &Path, time: SystemTime| {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_times(FileTimes::new().set_modified(time)).unwrap();
    };
    task.repo.git(&["config", "core.trustctime", "false"]);
    fs::write(&file, "BBB\n").unwrap();
    set(&file, staged);
    set(&index, staged);
    let one = Everything::of(&task);
    assert!(one.git.status.contains("1 MM N..."), "{}", one.git.status);
    task.keep(1).await;
    // Another index, and the file is not touched.
    task.repo.git(&["update-index", "--assume-unchanged", "dir/b.txt"]);
    task.restore(1, 2, &one).await;
    assert_eq!(fs::metadata(&index).unwrap().modified().unwrap(), staged);
}

#[tokio::test]
async fn a_merge_comes_back_with_all_its_stages_and_can_be_finished() {
    let (_lab, mut task) = with_side().await;
    task.repo.fails(&["merge", "side"]);
    task.repo.write("a", "half resolved\n");
    comes_back(&mut task, |repo| {
        repo.git(&["merge", "--abort"]);
        repo.git(&["branch", "-qD", "side"]);
    })
    .await;
    assert_eq!(task.repo.git(&["show", ":2:a"]), "ours");
    assert_eq!(task.repo.git(&["show", ":3:a"]), "side");
    task.repo.write("a", "both\n").write("d/a", "both\n").git(&["add", "-A"]);
    // What was resolved can be unresolved.
    comes_back_resolved(&mut task).await;
    task.repo.git(&["commit", "-qm", "Merged"]);
    assert_eq!(task.repo.git(&["rev-list", "--count", "--merges", "HEAD"]), "1");
}

async fn comes_back_resolved(task: &mut Task) {
    let one = Everything::of(task);
    task.keep(11).await;
    task.repo.git(&["reset", "-q", "--hard"]);
    collect_garbage(&task.repo);
    task.restore(11, 12, &one).await;
    task.repo.git(&["update-index", "--unresolve", "a"]);
    assert_eq!(task.repo.git(&["show", ":3:a"]), "side");
    task.restore(11, 13, &one).await;
}

#[tokio::test]
async fn a_rebase_comes_back_in_the_middle_and_can_be_finished() {
    for how in ["--merge", "--apply"] {
        let (_lab, mut task) = with_side().await;
        task.repo.fails(&["rebase", how, "side"]);
        let head = task.repo.git(&["rev-parse", branch().as_str()]);
        comes_back(&mut task, |repo| {
            repo.git(&["rebase", "--abort"]);
            repo.git(&["reset", "-q", "--hard", "HEAD~2"]);
            repo.git(&["branch", "-qD", "side"]);
        })
        .await;
        assert_eq!(task.repo.git(&["rev-parse", branch().as_str()]), head, "the branch that is rebased");
        task.repo.write("a", "both\n").git(&["add", "a"]);
        let more = |task: &Task| {
            let mut more = task.repo.command(&["rebase", "--continue"]);
            more.env("GIT_EDITOR", "true").output().unwrap().status.success()
        };
        assert!(!more(&task), "the next one has a conflict too");
        task.repo.write("d/a", "both\n").git(&["add", "d/a"]);
        assert!(more(&task));
        assert_eq!(task.repo.git(&["log", "--format=%s", "-3"]), "Ours 2\nOurs 1\nSide 3");
    }
}

#[tokio::test]
async fn cherry_picks_reverts_and_bisections_come_back() {
    let (_lab, mut task) = with_side().await;
    task.repo.fails(&["cherry-pick", "side~3..side"]);
    comes_back(&mut task, |repo| {
        repo.git(&["cherry-pick", "--abort"]);
        repo.git(&["branch", "-qD", "side"]);
    })
    .await;
    assert!(git_dir(&task).join("sequencer/todo").exists());
    task.repo.git(&["cherry-pick", "--abort"]);

    let (_lab, mut task) = with_side().await;
    task.repo.write("a", "more\n").commit("More");
    task.repo.fails(&["revert", "--no-edit", "HEAD~2"]);
    comes_back(&mut task, |repo| drop(repo.git(&["revert", "--abort"]))).await;
    assert!(git_dir(&task).join("REVERT_HEAD").exists());

    let (_lab, mut task) = with_side().await;
    task.repo.git(&["bisect", "start", "HEAD", "HEAD~2"]);
    comes_back(&mut task, |repo| drop(repo.git(&["bisect", "reset"]))).await;
    task.repo.git(&["bisect", "good"]);
    task.repo.git(&["bisect", "reset"]);
    assert_eq!(task.repo.git(&["symbolic-ref", "HEAD"]), branch().full());
}

/// Pain: 3
#[tokio::test]
async fn commits_that_a_restore_takes_off_the_branch_come_back_with_it() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.keep(1).await;
    task.repo.write("a.txt", "mine\n");
    let mine = task.repo.commit("Mine");
    task.repo.git(&["checkout", "-qb", "other"]);
    task.repo.write("other", "o\n").commit("On another branch");
    task.repo.write("left", "uncommitted\n");
    let two = Everything::of(&task);
    let restored = task.try_restore(1, 2).await.unwrap();
    assert_eq!(task.repo.git(&["symbolic-ref", "HEAD"]), branch().full());
    assert_eq!(task.repo.status(), "");
    assert_eq!(restored.kept.branch.as_deref(), Some("other"));
    collect_garbage(&task.repo);
    // Both branches, though HEAD is on one of them.
    task.restore(2, 3, &two).await;
    assert_eq!(task.repo.git(&["rev-parse", branch().as_str()]), mine);
    assert_eq!(task.repo.git(&["rev-parse", "other"]), task.repo.git(&["rev-parse", "HEAD"]));
}

/// Pain: 1
#[tokio::test]
async fn untracked_files_that_are_no_part_of_the_state_are_kept_first() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.repo.write("before", "b\n");
    task.keep(1).await;
    task.repo
        .write("notes/today", "hours of work\n")
        .write("before", "changed\n")
        .write(".env.log", "secret\n");
    let two = Everything::of(&task);
    let restored = task.try_restore(1, 2).await.unwrap();
    assert_eq!((task.repo.read("before"), task.repo.folder.join("notes").exists()), ("b\n".into(), false));
    assert_eq!((restored.collisions.len(), restored.left_untouched.len()), (0, 0));
    assert_eq!(task.content(&restored.kept.tree, "notes/today"), "hours of work");
    assert_eq!(task.repo.read(".env.log"), "secret\n");
    task.restore(2, 3, &two).await;
}

/// Pain: 2
#[tokio::test]
async fn ignored_files_stay_though_their_rule_goes() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.keep(1).await;
    task.repo.write(".gitignore", "*.log\n/target/\nnode_modules/\n.env\n");
    task.repo.write(".env", "secret\n").write("node_modules/x/index.js", "x\n").write("debug.log", "d\n");
    let two = Everything::of(&task);
    let restored = task.try_restore(1, 2).await.unwrap();
    assert_eq!(names(&restored.left_untouched), [".env", "node_modules/x/index.js"]);
    assert_eq!(task.repo.read(".gitignore"), "*.log\n/target/\n");
    assert_eq!(task.repo.read(".env"), "secret\n");
    assert_eq!(task.repo.read("debug.log"), "d\n");
    // And back: they were never part of it, so they stay again.
    let back = task.restore(2, 3, &two).await;
    assert_eq!(back.left_untouched.len(), 0);
    assert_eq!(Everything::of(&task), two);
}

/// Pain: 2
#[tokio::test]
async fn an_ignored_file_in_the_place_of_a_tracked_one_is_kept_first_and_named() {
    let (lab, user) = Lab::with_user().await;
    user.write("conf.log", "tracked\n").write("deep/er/x", "x\n").git(&["add", "-f", "."]);
    user.commit("More");
    let mut task = lab.task(&user).await;
    task.keep(1).await;
    task.repo.git(&["rm", "-qr", "conf.log", "deep", "a.txt"]);
    task.repo.write(".gitignore", "*.log\n/deep\n/a.txt\n").commit("Away");
    // A file, one where a folder will be, and a folder of them where a file will be.
    task.repo.write("conf.log", "of now\n").write("deep", "d\n").write("a.txt/in/side.log", "i\n");
    assert_eq!(task.repo.status(), "");
    let two = Everything::of(&task);
    let restored = task.try_restore(1, 2).await.unwrap();
    assert_eq!(names(&restored.collisions), ["a.txt/in/side.log", "conf.log", "deep"]);
    assert_eq!(task.repo.read("conf.log"), "tracked\n");
    assert_eq!(task.repo.read("deep/er/x"), "x\n");
    assert_eq!(task.content(&restored.kept.tree, "conf.log"), "of now");
    task.restore(2, 3, &two).await;
    assert_eq!(Everything::of(&task), two);
}

#[tokio::test]
async fn a_file_that_the_target_ignores_is_left_where_it_is() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.keep(1).await;
    task.repo.write(".gitignore", "").write("big.log", "b\n").write("seen", "s\n");
    let restored = task.try_restore(1, 2).await.unwrap();
    assert_eq!((task.repo.status(), task.repo.read("big.log")), (String::new(), "b\n".into()));
    assert!(!task.repo.folder.join("seen").exists());
    assert_eq!(restored.left_untouched.len(), 0);
}

#[tokio::test]
async fn a_file_that_was_gone_goes_though_it_is_ignored() {
    let (lab, user) = Lab::with_user().await;
    user.write("kept.log", "k\n").git(&["add", "-f", "kept.log"]);
    user.commit("Keep a log");
    let mut task = lab.task(&user).await;
    task.repo.remove("kept.log");
    comes_back(&mut task, |repo| drop(repo.git(&["checkout", "-q", "kept.log"]))).await;
    assert_eq!(task.repo.status(), " D kept.log");
}

#[tokio::test]
async fn files_links_modes_and_folders_take_each_others_places() {
    let (lab, user) = Lab::with_user().await;
    user.write("f", "f\n").write("d/e/x", "x\n").write("s", "#!/bin/sh\n").commit("More");
    let mut task = lab.task(&user).await;
    let folder = task.repo.folder.clone();
    symlink("no/where", folder.join("link")).unwrap();
    fs::set_permissions(folder.join("s"), fs::Permissions::from_mode(0o755)).unwrap();
    task.repo.write("Case", "c\n").write_bytes(b"new\nline", "n\n").write_bytes(b"\xff\xfe", "b\n");
    comes_back(&mut task, |repo| {
        repo.remove("f").write("f/inside", "i\n").remove("link").write("link", "a file\n");
        fs::remove_dir_all(folder.join("d")).unwrap();
        symlink("f", folder.join("d")).unwrap();
        fs::set_permissions(folder.join("s"), fs::Permissions::from_mode(0o644)).unwrap();
        fs::rename(folder.join("Case"), folder.join("case")).unwrap();
        repo.write_bytes(b"new\nline", "changed\n").git(&["add", "-A"]);
    })
    .await;
    assert!(!folder.join("case").exists());
}

#[tokio::test]
async fn nothing_yet_a_first_file_and_a_first_commit_come_back() {
    let lab = Lab::new().await;
    let user = lab.repo("user");
    let mut task = lab.task(&user).await;
    let nothing = Everything::of(&task);
    task.keep(1).await;
    task.repo.write("first", "f\n").write("staged", "s\n").git(&["add", "staged"]);
    let files = Everything::of(&task);
    task.keep(2).await;
    task.repo.commit("Begin");
    let commit = Everything::of(&task);
    task.restore(1, 3, &nothing).await;
    task.restore(2, 4, &files).await;
    task.restore(3, 5, &commit).await;
    task.restore(4, 6, &nothing).await;
    task.restore(5, 7, &files).await;
}

#[tokio::test]
async fn a_detached_head_comes_back() {
    let (_lab, mut task) = with_side().await;
    task.repo.git(&["checkout", "-q", "--detach", "HEAD~"]);
    task.repo.write("a", "detached\n");
    comes_back(&mut task, |repo| {
        repo.git(&["stash", "-q"]);
        repo.git(&["checkout", "-q", "side"]);
        repo.git(&["branch", "-qD", branch().as_str()]);
    })
    .await;
}

#[tokio::test]
async fn a_sparse_worktree_comes_back_sparse() {
    let (_lab, mut task) = with_side().await;
    task.repo.write("e/x", "x\n").commit("More");
    task.repo.git(&["sparse-checkout", "set", "--cone", "d"]);
    assert!(!task.repo.folder.join("e").exists());
    task.repo.write("d/a", "changed\n").write("d/new", "n\n");
    comes_back(&mut task, |repo| {
        repo.git(&["sparse-checkout", "disable"]);
        repo.write("e/x", "changed\n").git(&["add", "-A"]);
    })
    .await;
    assert!(!task.repo.folder.join("e").exists());
    assert_eq!(task.repo.git(&["sparse-checkout", "list"]), "d");
    task.repo.git(&["sparse-checkout", "disable"]);
    assert_eq!(task.repo.read("e/x"), "x\n");
}

#[tokio::test]
async fn indexes_of_other_forms_come_back() {
    for form in [&["--index-version=4"][..], &["--split-index"], &["--untracked-cache"]] {
        let (_lab, mut task) = with_side().await;
        let form = [&["update-index"][..], form].concat();
        task.repo.git(&form);
        task.repo.write("a", "staged\n").git(&["add", "a"]);
        task.repo.write("new", "n\n");
        let one = Everything::of(&task);
        task.keep(1).await;
        task.repo.git(&["update-index", "--no-split-index", "--index-version=2"]);
        task.repo.git(&["reset", "-q", "--hard", "HEAD~"]);
        for shared in fs::read_dir(git_dir(&task)).unwrap().flatten() {
            if shared.file_name().to_str().unwrap().starts_with("sharedindex.") {
                fs::remove_file(shared.path()).unwrap();
            }
        }
        task.restore(1, 2, &one).await;
    }
}

#[tokio::test]
async fn line_endings_come_back_as_they_were() {
    let lab = Lab::new().await;
    let user = lab.repo("user");
    user.git(&["config", "core.autocrlf", "true"]);
    user.write("a.txt", "one\r\ntwo\r\n").write("raw.bin", "a\r\n").write(".gitattributes", "*.bin -text\n");
    user.commit("Begin");
    let mut task = lab.task(&user).await;
    task.repo.write("a.txt", "one\r\nmore\r\n").write("new.txt", "n\r\n").write("raw.bin", "b\r\nc\n");
    comes_back(&mut task, |repo| {
        // By these rules the files would have been written otherwise.
        repo.write(".gitattributes", "* -text\n").write("a.txt", "x\n").write("raw.bin", "y\n");
        repo.git(&["rm", "-q", "--cached", "a.txt"]);
    })
    .await;
    assert_eq!(task.repo.read("a.txt"), "one\r\nmore\r\n");
}

#[tokio::test]
async fn bytes_that_the_rules_would_write_otherwise_come_back() {
    for (setting, rules) in
        [("true", ""), ("false", "* text=auto\n*.utf16 text working-tree-encoding=UTF-16LE\n")]
    {
        let lab = Lab::new().await;
        let user = lab.repo("user");
        user.git(&["config", "core.autocrlf", setting]);
        user.write(".gitattributes", rules).write("a.txt", "one\ntwo\n").write("same.txt", "s\n");
        user.commit("Begin");
        let mut task = lab.task(&user).await;
        // Mixed ones, those of another system, an encoding without its mark, and a change of nothing else.
        task.repo.write("a.txt", "one\r\nmore\n").write("new\nline.txt", "n\r\nm\n").write("lf.txt", "l\n");
        task.repo.write("x.utf16", "x\0\r\0\n\0y\0\n\0").write("same.txt", "s\r\n");
        let one = Everything::of(&task);
        task.keep(1).await;
        task.repo.write("same.txt", "s\n");
        let two = Everything::of(&task);
        task.restore(1, 2, &one).await;
        task.restore(2, 3, &two).await;
        task.repo.git(&["add", "-A"]);
        task.repo.commit("Normalised");
        task.repo.write("a.txt", "x\n").remove("new\nline.txt");
        let three = Everything::of(&task);
        collect_garbage(&task.repo);
        task.restore(1, 4, &one).await;
        task.restore(4, 5, &three).await;
        assert_eq!(Everything::of(&task).files, three.files);
    }
}

/// What a large file's filter keeps elsewhere is not the state's.
#[tokio::test]
async fn files_of_a_filter_are_written_by_the_filter() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    let config = lab.at(task.clone.dir());
    config.git(&["config", "filter.lfs.clean", "tr a-z n-za-m"]);
    config.git(&["config", "filter.lfs.smudge", "tr a-z n-za-m"]);
    task.repo.write(".gitattributes", "*.bin filter=lfs -text\n").write("x.bin", "abc\n").commit("Filtered");
    task.repo.write("x.bin", "changed\n");
    comes_back(&mut task, |repo| drop(repo.write("x.bin", "more\n").commit("More"))).await;
    assert_eq!(task.repo.git(&["cat-file", "blob", "HEAD:x.bin"]), "nop");
}

/// Pain: 13
#[tokio::test]
async fn repositories_within_are_never_touched() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.keep(1).await;
    let nested = lab.repo("tasks/one/nested");
    nested.write("x", "x\n").commit("Inner");
    nested.write("x", "changed\n");
    task.repo.write("a.txt", "changed\n").write("new", "n\n");
    let (before, link) = (nested.fingerprint(), fs::read(task.repo.folder.join(".git")).unwrap());
    let restored = task.try_restore(1, 2).await.unwrap();
    assert_eq!(restored.kept.not_held.len(), 1);
    assert_eq!(
        (task.repo.read("a.txt"), task.repo.folder.join("new").exists()),
        ("one\ntwo\nthree\n".into(), false)
    );
    assert_eq!(nested.fingerprint(), before);
    assert_eq!(fs::read(task.repo.folder.join(".git")).unwrap(), link);
    task.repo.git(&["fsck", "--no-dangling"]);
}

#[tokio::test]
async fn a_repository_or_a_pipe_in_the_way_is_refused_and_nothing_changes() {
    for in_the_way in ["a.txt", "dir"] {
        let (lab, user) = Lab::with_user().await;
        let mut task = lab.task(&user).await;
        task.keep(1).await;
        task.repo.remove("a.txt").remove("dir/b.txt").write("other", "o\n");
        let _ = fs::remove_dir(task.repo.folder.join("dir"));
        lab.repo(&format!("tasks/one/{in_the_way}")).write("x", "x\n").commit("Inner");
        let before = Everything::of(&task);
        let refused = task.try_restore(1, 2).await.unwrap_err();
        let said =
            matches!(&refused, RestoreError::InTheWay { in_the_way: path } if path.ends_with(in_the_way));
        assert!(said, "{refused:?}");
        assert_eq!(Everything::of(&task), before);
    }
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.keep(1).await;
    task.repo.remove("a.txt");
    let made = std::process::Command::new("mkfifo").arg(task.repo.folder.join("a.txt")).status().unwrap();
    assert!(made.success());
    let refused = task.try_restore(1, 2).await.unwrap_err();
    assert!(matches!(refused, RestoreError::InTheWay { .. }), "{refused:?}");
}

#[tokio::test]
async fn submodules_keep_what_is_in_them() {
    let (lab, user) = Lab::with_user().await;
    let inner = lab.repo("inner");
    inner.write("x", "x\n").commit("Inner");
    let url = inner.folder.to_str().unwrap();
    user.git(&["-c", "protocol.file.allow=always", "submodule", "add", "-q", url, "sub"]);
    user.commit("Add a submodule");
    let mut task = lab.task(&user).await;
    let one = Everything::of(&task);
    task.keep(1).await;
    // Empty, it goes with its entry and comes back with it.
    task.repo.git(&["rm", "-qf", "sub"]);
    task.repo.write("a.txt", "x\n");
    let two = Everything::of(&task);
    task.restore(1, 2, &one).await;
    assert_eq!(fs::read_dir(task.repo.folder.join("sub")).unwrap().count(), 0);
    task.restore(2, 3, &two).await;
    task.restore(1, 4, &one).await;
    task.repo.git(&["-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init"]);
    let sub = lab.at(&task.repo.folder.join("sub"));
    sub.write("x", "changed\n").write("new", "n\n");
    let before = sub.fingerprint();
    task.repo.write("a.txt", "y\n");
    task.try_restore(2, 5).await.unwrap();
    assert_eq!(sub.fingerprint(), before);
}

#[tokio::test]
async fn a_branch_that_another_worktree_is_on_is_not_moved() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.keep(1).await;
    task.repo.write("a.txt", "x\n").commit("Mine");
    task.repo.git(&["checkout", "-qb", "other"]);
    let start = Start::Commit(task.last.clone().unwrap());
    task.clone.add_worktree(&lab.path().join("tasks/two"), &branch(), &start).await.unwrap();
    let before = Everything::of(&task);
    let refused = task.try_restore(1, 2).await.unwrap_err();
    assert!(matches!(refused, RestoreError::BranchElsewhere { .. }), "{refused:?}");
    assert_eq!(Everything::of(&task), before);
}

#[tokio::test]
async fn a_branch_that_cannot_be_made_again_is_found_out_before_anything_changes() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.keep(1).await;
    task.repo.git(&["checkout", "-q", "--detach"]);
    task.repo.git(&["branch", "-qD", branch().as_str()]);
    task.repo.git(&["branch", &format!("{}/below", branch())]);
    task.repo.write("a.txt", "x\n");
    let before = Everything::of(&task);
    assert!(matches!(task.try_restore(1, 2).await, Err(RestoreError::Git { .. })));
    assert_eq!(Everything::of(&task), before);
}

#[tokio::test]
async fn an_index_that_another_git_has_locked_is_left_to_it() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.keep(1).await;
    task.repo.write("a.txt", "x\n");
    let lock = git_dir(&task).join("index.lock");
    fs::write(&lock, "").unwrap();
    assert!(matches!(task.try_restore(1, 2).await, Err(RestoreError::Locked { .. })));
    assert_eq!(task.repo.read("a.txt"), "x\n");
    fs::remove_file(&lock).unwrap();
    task.try_restore(1, 2).await.unwrap();
    assert!(!lock.exists());
}

#[tokio::test]
async fn what_was_never_kept_is_told() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.checkpoint(1).await;
    let refused = task.try_restore(1, 2).await.unwrap_err();
    assert!(matches!(refused, RestoreError::NotKept { number: 1, .. }), "{refused:?}");
    let request = CheckpointRequest { task: "../x".into(), ..task.request(2) };
    assert!(matches!(task.worktree.restore(1, &request).await, Err(RestoreError::BadName(_))));
}

#[tokio::test]
async fn no_hook_and_no_monitor_of_the_clone_runs() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    let mark = lab.path().join("ran");
    let trap = lab.script("trap", &format!("echo \"$0 $*\" >> {}", mark.display())).join("trap");
    let hooks = task.clone.dir().join("hooks");
    fs::create_dir_all(&hooks).unwrap();
    for hook in ["post-checkout", "post-index-change", "reference-transaction", "post-rewrite"] {
        fs::copy(&trap, hooks.join(hook)).unwrap();
    }
    let config = lab.at(task.clone.dir());
    config.git(&["config", "core.fsmonitor", trap.to_str().unwrap()]);
    config.git(&["config", "core.hooksPath", hooks.to_str().unwrap()]);
    config.git(&["config", "commit.gpgSign", "true"]);
    config.git(&["config", "gpg.program", trap.to_str().unwrap()]);
    let _ = fs::remove_file(&mark);
    task.keep(1).await;
    task.repo.write("a.txt", "x\n").write("new", "n\n");
    task.try_restore(1, 2).await.unwrap();
    task.try_restore(2, 3).await.unwrap();
    assert!(!mark.exists(), "{}", fs::read_to_string(&mark).unwrap());
    // It is a trap.
    drop(task.repo.command(&["status"]).output().unwrap());
    assert!(mark.exists());
}
