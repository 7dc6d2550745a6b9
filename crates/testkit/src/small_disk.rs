//! Disks of a test's own: small ones that can be filled, and folders that nothing can be written to.
//!
//! Not even root may write where there is no room, or to a read-only file system, whatever modes say. Mounting needs rights that
//! tests have only in namespaces of their own; what is mounted there nobody else sees, and it is gone with the last process of
//! the test, however that ends.

use crate::environment::variable;
use std::{
    any::type_name,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// Set in the process that may mount.
const INSIDE: &str = "MAKIMA_TEST_MAY_MOUNT";
/// How much is written at once to fill a disk.
const PIECE: usize = 64 << 10;

/// Runs a test's body where it may mount: `#[test] fn name() { with_own_mounts(async { … }) }`, and nothing beside it.
///
/// The test's program is started again, for this test alone, in a mount namespace of its own; for a user who isn't root, in a
/// user namespace of its own too.
///
/// # Panics
///
/// If the body does, or where this machine allows no such namespaces: what is missing fails, it is never skipped.
pub fn with_own_mounts<F: Future<Output = ()>>(body: F) {
    if variable(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        return runtime.expect("a runtime").block_on(body);
    }
    drop(body);
    let output = Command::new("unshare")
        .args((!is_root()).then_some("--map-root-user"))
        .args(["--mount", "--"])
        .arg(std::env::current_exe().expect("the test's own program"))
        .args(["--exact", &test_of::<F>(), "--include-ignored", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap_or_else(|error| panic!("this test needs unshare, of util-linux: {error}"));
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if complained.starts_with("unshare:") {
        panic!(
            "this test needs a mount namespace of its own, which this machine doesn't allow: run it as root, or allow user \
             namespaces ({})",
            complained.trim()
        );
    }
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{complained}");
}

/// The name by which the harness knows the test whose body this is: that of the function, without the crate's.
fn test_of<F>() -> String {
    let name = type_name::<F>();
    let name = name.split_once("::{{closure}}").map_or(name, |(function, _)| function);
    name.split_once("::").map_or(name, |(_, test)| test).to_owned()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A small disk, mounted in a folder of its own until it is dropped. Only inside of [`with_own_mounts`].
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// An empty disk of so many bytes.
    pub fn mount(bytes: u64) -> Self {
        let folder = tempfile::Builder::new().prefix("makima-disk-").tempdir().expect("a temporary folder");
        mount(["-t", "tmpfs", "-o", &format!("size={bytes},mode=0700"), "tmpfs"], folder.path());
        Self { folder }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A folder on it, which goes away with the answer.
    pub fn folder(&self) -> TempDir {
        tempfile::tempdir_in(self.path()).expect("a folder on the disk")
    }

    /// Takes all room but for so many bytes.
    pub fn fill(&self, but: u64) {
        let mut filler =
            File::options().create(true).append(true).open(self.filler()).expect("a file that fills");
        let piece = vec![0; PIECE];
        loop {
            match filler.write(&piece) {
                Ok(1..) => {}
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                Err(error) => panic!("the disk can't be filled: {error}"),
            }
        }
        let length = filler.metadata().expect("the length of what fills").len();
        filler.set_len(length.saturating_sub(but)).expect("some room is given back");
    }

    /// Gives the room back that was taken.
    pub fn make_room(&self) {
        fs::remove_file(self.filler()).expect("what fills is there");
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(self.path());
    }
}

/// A folder that nothing can be written to through its path until this is dropped; files that are open already can. Only
/// inside of [`with_own_mounts`].
#[derive(Debug)]
pub struct ReadOnly {
    folder: PathBuf,
}

impl ReadOnly {
    /// Makes it so.
    pub fn make(folder: &Path) -> Self {
        let path = folder.to_str().expect("a path of a test's");
        mount(["--bind", path], folder);
        mount(["-o", "remount,ro,bind"], folder);
        Self { folder: folder.to_owned() }
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        unmount(&self.folder);
    }
}

fn mount<const N: usize>(arguments: [&str; N], folder: &Path) {
    let output = Command::new("mount").args(arguments).arg(folder).output();
    let output = output.unwrap_or_else(|error| panic!("this test needs mount: {error}"));
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "nothing could be mounted over {}: {complained}", folder.display());
}

/// Whoever still uses it keeps it; the folder below is seen again.
fn unmount(folder: &Path) {
    let status = Command::new("umount").arg("--lazy").arg(folder).status();
    if !status.is_ok_and(|status| status.success()) {
        eprintln!("{} stays mounted until the test's processes have ended", folder.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_disk_is_full_until_there_is_room_and_the_test_s_alone() {
        with_own_mounts(async {
            let disk = SmallDisk::mount(1 << 20);
            let file = disk.path().join("file");
            disk.fill(0);
            let error = fs::write(&file, [1; PIECE]).expect_err("there is no room");
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            disk.make_room();
            fs::write(&file, [1; PIECE]).expect("there is room");
            drop(disk);
            assert!(!file.parent().expect("the folder").exists());
        });
    }

    #[test]
    fn a_read_only_folder_can_be_written_afterwards() {
        with_own_mounts(async {
            let folder = tempfile::tempdir().expect("a folder");
            let read_only = ReadOnly::make(folder.path());
            let error = fs::write(folder.path().join("file"), "").expect_err("it is read-only");
            assert_eq!(error.kind(), io::ErrorKind::ReadOnlyFilesystem);
            drop(read_only);
            fs::write(folder.path().join("file"), "").expect("it can be written");
        });
    }
}
