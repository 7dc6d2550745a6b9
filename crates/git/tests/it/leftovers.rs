//! What a git leaves that was killed or found no room.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use crate::lab::Lab;

/// Fault: a git finds no room, or is killed
/// Moment: while it writes an object or a pack
/// Outcome: what it left is removed when the clone is next brought up to date, not what another git is writing
#[tokio::test]
async fn half_written_objects_go_and_those_that_are_being_written_stay() {
    let (lab, user) = Lab::with_user().await;
    let clone = lab.clone_of(&user).await;
    let objects = clone.dir().join("objects");
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let make = |name: &str, age: bool| {
        let path = objects.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = File::create(&path).unwrap();
        if age {
            file.set_modified(an_hour_ago).unwrap();
        }
        (path, file)
    };
    let (object, _) = make("ab/tmp_obj_aBcDeF", true);
    let (pack, _) = make("pack/tmp_pack_aBcDeF", true);
    let (fresh, _) = make("pack/tmp_pack_fresh", false);
    let (open, _held) = make("pack/tmp_idx_open", true);
    lab.clone_of(&user).await;
    let is_there = [&object, &pack, &fresh, &open].map(|file| file.exists());
    assert_eq!(is_there, [false, false, true, true]);
    user.git(&["-C", clone.dir().to_str().unwrap(), "fsck", "--no-dangling"]);
}
