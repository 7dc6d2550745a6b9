//! Names, modes, states and line endings that break other tools.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::lab::{Lab, told};

#[tokio::test]
async fn names_are_bytes() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    let names: [&[u8]; 6] =
        [b"\xff\xfe", b"new\nline", b" leading", b"tab\tand\"quote", b"-dash", b":(glob)*"];
    for name in names {
        task.repo.write_bytes(name, "x\n");
    }
    let made = task.checkpoint(1).await;
    let mut found: Vec<&[u8]> = made.files_changed.iter().map(|file| &file.path[..]).collect();
    found.sort_unstable();
    let mut wanted = names.to_vec();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn links_modes_and_kinds_are_held() {
    let (lab, user) = Lab::with_user().await;
    user.write("was-file", "x\n").write("was-dir/x", "x\n").write("script", "#!/bin/sh\n").commit("More");
    let mut task = lab.task(&user).await;
    symlink("no/where", task.repo.folder.join("link")).unwrap();
    fs::set_permissions(task.repo.folder.join("script"), fs::Permissions::from_mode(0o755)).unwrap();
    task.repo.remove("was-file").write("was-file/inside", "y\n");
    fs::remove_dir_all(task.repo.folder.join("was-dir")).unwrap();
    task.repo.write("was-dir", "now a file\n");
    // A folder whose place a link took: what is behind it is not ours.
    fs::remove_dir_all(task.repo.folder.join("dir")).unwrap();
    symlink("was-file", task.repo.folder.join("dir")).unwrap();
    let made = task.checkpoint(1).await;
    let listed = task.repo.git(&["ls-tree", "-r", made.tree.as_str()]);
    let listed: Vec<_> = listed.lines().map(|line| (&line[..6], line.split('\t').nth(1).unwrap())).collect();
    let wanted = [
        ("100644", ".gitignore"),
        ("100644", "a.txt"),
        ("120000", "dir"),
        ("120000", "link"),
        ("100755", "script"),
        ("100644", "was-dir"),
        ("100644", "was-file/inside"),
    ];
    assert_eq!(listed, wanted);
}

#[tokio::test]
async fn a_repository_without_a_commit_has_checkpoints() {
    let lab = Lab::new().await;
    let user = lab.repo("user");
    let mut task = lab.task(&user).await;
    assert_eq!(task.turn(1, None).await, None);
    task.repo.write("first", "first\n");
    let made = task.checkpoint(1).await;
    assert_eq!((told(&made), made.head_commit.as_ref()), (vec!["A first +1 -0".into()], None));
    assert_eq!(task.repo.git(&["rev-list", "--count", made.commit.as_str()]), "1");
    assert_eq!(task.turn(2, None).await, None);
    assert_eq!(task.repo.status(), "?? first");
    let head = task.repo.commit("By the agent");
    let made = task.turn(2, None).await.unwrap();
    assert_eq!(made.commit.as_str(), head);
}

#[tokio::test]
async fn a_detached_head_has_checkpoints() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.repo.git(&["checkout", "-q", "--detach"]);
    task.repo.write("a.txt", "x\n");
    let made = task.checkpoint(1).await;
    assert_eq!((told(&made), made.branch), (vec!["M a.txt +1 -3".into()], None));
}

#[tokio::test]
async fn a_conflict_stays_a_conflict() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.repo.git(&["checkout", "-qb", "side"]);
    task.repo.write("a.txt", "side\n").remove("dir/b.txt").commit("Side");
    task.repo.git(&["checkout", "-q", "-"]);
    task.repo.write("a.txt", "ours\n").write("dir/b.txt", "ours\n").commit("Ours");
    task.repo.fails(&["merge", "side"]);
    let (status, stages) = (task.repo.status(), task.repo.git(&["ls-files", "-u"]));
    let made = task.checkpoint(1).await;
    assert!(task.content(&made.tree, "a.txt").contains("<<<<<<<"));
    assert_eq!(task.content(&made.tree, "dir/b.txt"), "ours");
    task.repo.remove("dir/b.txt");
    let made = task.checkpoint(2).await;
    assert_eq!(told(&made), ["D dir/b.txt +0 -1"]);
    assert_eq!(task.repo.git(&["ls-files", "-u"]), stages);
    task.repo.write("dir/b.txt", "ours\n");
    assert_eq!(task.repo.status(), status);
    assert!(task.repo.git(&["rev-parse", "MERGE_HEAD"]).len() == 40);
}

#[tokio::test]
async fn line_endings_are_as_configured() {
    let lab = Lab::new().await;
    let user = lab.repo("user");
    user.git(&["config", "core.autocrlf", "true"]);
    user.write("a.txt", "one\r\ntwo\r\n").write("raw.bin", "a\r\n").write(".gitattributes", "*.bin -text\n");
    user.commit("Begin");
    let mut task = lab.task(&user).await;
    assert_eq!(task.repo.read("a.txt"), "one\r\ntwo\r\n");
    assert_eq!(task.turn(1, None).await, None);
    task.repo.write("a.txt", "one\r\ntwo\r\nthree\r\n").write("b.txt", "b\r\n");
    let made = task.checkpoint(1).await;
    assert_eq!(told(&made), ["M a.txt +1 -0", "A b.txt +1 -0"]);
    assert_eq!(task.content(&made.tree, "b.txt"), "b");
}

#[tokio::test]
async fn a_file_that_is_only_meant_to_be_added_is_held() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.repo.write("meant", "meant\n").git(&["add", "-N", "meant"]);
    assert_eq!(told(&task.checkpoint(1).await), ["A meant +1 -0"]);
    assert_eq!(task.repo.status(), " A meant");
}

#[tokio::test]
async fn an_index_of_another_form_is_read() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    for (number, form) in [(1, "--index-version=4"), (2, "--split-index")] {
        task.repo.git(&["update-index", form]);
        task.repo.write("a.txt", number.to_string()).write("new", number.to_string());
        assert_eq!(task.checkpoint(number).await.files_changed.len(), 2, "{form}");
    }
}

#[tokio::test]
async fn a_submodule_is_named_and_its_commit_held() {
    let (lab, user) = Lab::with_user().await;
    let inner = lab.repo("inner");
    inner.write("x", "x\n").commit("Inner");
    let url = inner.folder.to_str().unwrap();
    user.git(&["-c", "protocol.file.allow=always", "submodule", "add", "-q", url, "sub"]);
    user.commit("Add a submodule");
    let mut task = lab.task(&user).await;
    assert_eq!(fs::read_dir(task.repo.folder.join("sub")).unwrap().count(), 0);
    task.repo.write("a.txt", "x\n");
    let made = task.checkpoint(1).await;
    assert_eq!((told(&made), made.not_held), (vec!["M a.txt +1 -3".into()], vec![]));
    task.repo.git(&["-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init"]);
    let sub = lab.at(&task.repo.folder.join("sub"));
    sub.write("x", "changed\n").commit("Changed");
    let made = task.checkpoint(2).await;
    assert_eq!((told(&made), made.not_held.len()), (vec!["M sub +1 -1".into()], 1));
}

#[tokio::test]
async fn a_name_that_no_tree_keeps_is_named() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.repo.write("git~1", "x\n").write("b", "b\n");
    let made = task.checkpoint(1).await;
    assert_eq!(told(&made), ["A b +1 -0"]);
    assert_eq!(made.not_held[0].path, b"git~1");
}
