//! Patches for people to read.

use makima_git::{PatchStyle, Sha};

use crate::lab::Lab;

#[tokio::test]
async fn a_patch_is_that_of_git_diff_and_bounded() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    let base = task.last.clone();
    task.repo.write("a.txt", "one\n2\nthree\n").write("bin", b"\0\x01").write_bytes(b"\xff\n", "odd\n");
    let made = task.checkpoint(1).await;
    let mut patch = Vec::new();
    let (changes, written) =
        task.clone.patch(base.as_ref(), &made.commit, PatchStyle::default(), None, &mut patch).await.unwrap();
    let wanted =
        task.repo.git(&["diff", "--full-index", base.as_ref().unwrap().as_str(), made.commit.as_str()]);
    assert_eq!(String::from_utf8(patch.clone()).unwrap().trim_end(), wanted.trim_end());
    assert_eq!((written.bytes, written.truncated), (patch.len() as u64, false));
    let mut short = Vec::new();
    let (same, written) = task
        .clone
        .patch(base.as_ref(), &made.commit, PatchStyle::default(), Some(10), &mut short)
        .await
        .unwrap();
    assert_eq!((&short[..], written.bytes, written.truncated), (&patch[..10], 10, true));
    let mut none = Vec::new();
    let (numbers, written) = task
        .clone
        .patch(base.as_ref(), &made.commit, PatchStyle::default(), Some(0), &mut none)
        .await
        .unwrap();
    assert_eq!((&numbers, &none, written.truncated), (&changes, &Vec::new(), true));
    for (limit, wanted) in [(None, &patch), (Some(10), &short)] {
        let mut alone = Vec::new();
        let written = task
            .clone
            .patch_alone(base.as_ref(), &made.commit, PatchStyle::default(), limit, &mut alone)
            .await
            .unwrap();
        assert_eq!(
            (&alone, written.bytes, written.truncated),
            (wanted, wanted.len() as u64, limit.is_some())
        );
    }
    let bare = task.clone.changes(base.as_ref(), &made.commit).await.unwrap();
    assert_eq!([&changes, &same, &bare], [&made.files_changed; 3]);
}

#[tokio::test]
async fn a_patch_has_the_lines_around_that_are_wanted_and_white_space_if_it_matters() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.repo.write("a.txt", "1\n2\n3\n4\n5\n").write("b.txt", "b\n");
    let first = task.checkpoint(1).await;
    task.repo.write("a.txt", "1\n2\n3\nfour\n5\n").write("b.txt", "  b\n");
    let second = task.checkpoint(2).await;
    let patch = async |style| {
        let mut patch = Vec::new();
        task.clone.patch(Some(&first.commit), &second.commit, style, None, &mut patch).await.unwrap();
        String::from_utf8(patch).unwrap()
    };
    let bare = patch(PatchStyle { context: 0, ..PatchStyle::default() }).await;
    assert!(bare.contains("@@ -4 +4 @@"), "{bare}");
    assert!(bare.contains("+  b\n"), "{bare}");
    let loose = patch(PatchStyle { context: 9, ignore_whitespace: true, ..PatchStyle::default() }).await;
    assert!(loose.contains("@@ -1,5 +1,5 @@"), "{loose}");
    assert!(!loose.contains("b.txt"), "{loose}");
    let one = patch(PatchStyle { paths: &[b"b.txt"], ..PatchStyle::default() }).await;
    assert!(one.contains("b/b.txt") && !one.contains("a.txt"), "{one}");
    assert_eq!(patch(PatchStyle { paths: &[b"*.txt"], ..PatchStyle::default() }).await, "");
}

#[tokio::test]
async fn the_first_patch_is_against_nothing() {
    let lab = Lab::new().await;
    let user = lab.repo("user");
    let commit = user.write("a", "a\n").commit("First");
    let clone = lab.clone_of(&user).await;
    let mut patch = Vec::new();
    clone.patch(None, &Sha::parse(&commit).unwrap(), PatchStyle::default(), None, &mut patch).await.unwrap();
    assert!(String::from_utf8(patch).unwrap().contains("+++ b/a\n"));
    let missing = Sha::parse(&"1".repeat(40)).unwrap();
    assert!(clone.patch(None, &missing, PatchStyle::default(), None, &mut Vec::new()).await.is_err());
}
