//! Files of one worktree that are copied into another, ignored ones too.
//!
//! An agent may have put symbolic links wherever it likes, in both: the kernel resolves each path beneath its worktree
//! (`openat2`), so that nothing outside is read or written.

use super::Worktrees;
use crate::{DaemonError, disk};
use makima_model::TaskId;
use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags},
    io::Errno,
};
use std::{fs::File, io, os::fd::OwnedFd, path::Path};

/// Why a file can't be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The other worktree isn't here.
    #[error("the worktree to copy files from is not on this machine any more")]
    NoWorktree,
    /// There is no such file.
    #[error("{file:?} can't be copied: there is no such file in the worktree")]
    Missing {
        /// Its path in the worktree.
        file: String,
    },
    /// It leads out of the worktree.
    #[error("{file:?} can't be copied: a symbolic link leads out of the worktree")]
    Outside {
        /// Its path in the worktree.
        file: String,
    },
    /// It is something else.
    #[error("{file:?} can't be copied: it is no file but a {kind}")]
    NoFile {
        /// Its path in the worktree.
        file: String,
        /// What it is.
        kind: &'static str,
    },
    /// It could not be read or written.
    #[error("{file:?} could not be copied")]
    Broken {
        /// Its path in the worktree.
        file: String,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Worktrees {
    /// Whether all these files of the task's worktree can be copied.
    pub(crate) async fn check_files(&self, task: TaskId, files: Vec<String>) -> Result<(), DaemonError> {
        let from = self.folders.worktree(task);
        disk::off_thread(move || {
            let root = root(&from)?;
            for file in &files {
                open(&root, file)?;
            }
            Ok(())
        })
        .await
    }

    /// Copies files of another task's worktree into this folder, over what is there.
    pub(super) async fn copy_files(
        &self,
        from: TaskId,
        files: Vec<String>,
        to: &Path,
    ) -> Result<(), DaemonError> {
        let _held = self.hold(from).await;
        let (from, to) = (self.folders.worktree(from), to.to_owned());
        disk::off_thread(move || {
            let (from, to) = (root(&from)?, root(&to)?);
            for file in &files {
                copy(&from, &to, file)?;
            }
            Ok(())
        })
        .await
    }
}

fn root(folder: &Path) -> Result<OwnedFd, CopyError> {
    rustix::fs::openat(CWD, folder, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|_| CopyError::NoWorktree)
}

/// The file, if it is one and lies in the worktree.
fn open(root: &OwnedFd, path: &str) -> Result<File, CopyError> {
    let file = || path.to_owned();
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    // Not to wait for somebody at the other end of a named pipe.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened =
        rustix::fs::openat2(root, path, flags, Mode::empty(), inside).map_err(|errno| match errno {
            Errno::NOENT | Errno::NOTDIR => CopyError::Missing { file: file() },
            Errno::XDEV | Errno::LOOP => CopyError::Outside { file: file() },
            Errno::NXIO => CopyError::NoFile { file: file(), kind: "socket or pipe" },
            errno => CopyError::Broken { file: file(), source: errno.into() },
        })?;
    let stat = rustix::fs::fstat(&opened)
        .map_err(|errno| CopyError::Broken { file: file(), source: errno.into() })?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(File::from(opened)),
        FileType::Directory => Err(CopyError::NoFile { file: file(), kind: "folder" }),
        _ => Err(CopyError::NoFile { file: file(), kind: "device, socket or pipe" }),
    }
}

/// Copies one file, whole or not at all; what stands in its place is replaced, never followed.
fn copy(from: &OwnedFd, to: &OwnedFd, path: &str) -> Result<(), CopyError> {
    let mut source = open(from, path)?;
    let broken = |source: io::Error| CopyError::Broken { file: path.to_owned(), source };
    let written = (|| -> io::Result<()> {
        let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
        let folder = make_folder(to, folder)?;
        let beside = format!("{name}.makima-copy");
        match rustix::fs::unlinkat(&folder, &beside, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mode = Mode::from_raw_mode(rustix::fs::fstat(&source)?.st_mode & 0o777);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut copy = File::from(rustix::fs::openat(&folder, &beside, flags, mode)?);
        io::copy(&mut source, &mut copy)?;
        Ok(rustix::fs::renameat(&folder, &beside, &folder, name)?)
    })();
    written.map_err(|error| match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::LOOP | Errno::XDEV) => CopyError::Outside { file: path.to_owned() },
        _ => broken(error),
    })
}

/// The folder, made with those above it; none of them a symbolic link.
fn make_folder(root: &OwnedFd, path: &str) -> io::Result<OwnedFd> {
    let mut folder = root.try_clone()?;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        match rustix::fs::mkdirat(&folder, part, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let strictly = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        folder = rustix::fs::openat2(&folder, part, flags, Mode::empty(), strictly)?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    struct Lab {
        folder: tempfile::TempDir,
    }

    impl Lab {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            for name in ["from", "to", "outside"] {
                fs::create_dir(folder.path().join(name)).unwrap();
            }
            fs::write(folder.path().join("outside/secret"), "secret").unwrap();
            Self { folder }
        }

        fn at(&self, path: &str) -> std::path::PathBuf {
            self.folder.path().join(path)
        }

        fn copy(&self, file: &str) -> Result<(), CopyError> {
            copy(&root(&self.at("from")).unwrap(), &root(&self.at("to")).unwrap(), file)
        }
    }

    #[test]
    fn a_file_is_copied_with_its_folders_and_its_mode() {
        let lab = Lab::new();
        fs::create_dir_all(lab.at("from/a/b")).unwrap();
        fs::write(lab.at("from/a/b/run.sh"), "#!/bin/sh").unwrap();
        fs::set_permissions(lab.at("from/a/b/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        lab.copy("a/b/run.sh").unwrap();
        lab.copy("a/b/run.sh").unwrap();
        assert_eq!(fs::read_to_string(lab.at("to/a/b/run.sh")).unwrap(), "#!/bin/sh");
        assert_eq!(lab.at("to/a/b/run.sh").metadata().unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::read_dir(lab.at("to/a/b")).unwrap().count(), 1);
    }

    #[test]
    fn a_link_within_the_worktree_is_followed_and_one_that_leaves_it_is_refused() {
        use std::os::unix::fs::symlink;
        let lab = Lab::new();
        fs::write(lab.at("from/real"), "real").unwrap();
        symlink("real", lab.at("from/inside")).unwrap();
        symlink("../outside/secret", lab.at("from/out")).unwrap();
        symlink(lab.at("outside/secret"), lab.at("from/absolute")).unwrap();
        symlink("../outside", lab.at("from/folder")).unwrap();
        symlink("round", lab.at("from/round")).unwrap();
        lab.copy("inside").unwrap();
        assert_eq!(fs::read_to_string(lab.at("to/inside")).unwrap(), "real");
        for file in ["out", "absolute", "folder/secret", "round"] {
            assert!(matches!(lab.copy(file), Err(CopyError::Outside { .. })), "{file}");
        }
        assert_eq!(fs::read_dir(lab.at("to")).unwrap().count(), 1);
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        use std::os::unix::fs::symlink;
        let lab = Lab::new();
        fs::create_dir(lab.at("from/dir")).unwrap();
        fs::write(lab.at("from/dir/file"), "new").unwrap();
        fs::write(lab.at("from/file"), "new").unwrap();
        symlink("../outside", lab.at("to/dir")).unwrap();
        symlink("../outside/secret", lab.at("to/file")).unwrap();
        assert!(lab.copy("dir/file").is_err());
        // The link itself is replaced.
        lab.copy("file").unwrap();
        assert_eq!(fs::read_to_string(lab.at("to/file")).unwrap(), "new");
        assert_eq!(fs::read_to_string(lab.at("outside/secret")).unwrap(), "secret");
        assert_eq!(fs::read_dir(lab.at("outside")).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_file_is_named() {
        let lab = Lab::new();
        fs::create_dir(lab.at("from/dir")).unwrap();
        rustix::fs::mknodat(CWD, lab.at("from/pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert!(matches!(lab.copy("dir"), Err(CopyError::NoFile { kind: "folder", .. })));
        assert!(matches!(lab.copy("pipe"), Err(CopyError::NoFile { .. })));
        assert!(matches!(lab.copy("none"), Err(CopyError::Missing { .. })));
        assert!(matches!(lab.copy("dir/none/x"), Err(CopyError::Missing { .. })));
        assert!(matches!(root(&lab.at("nowhere")), Err(CopyError::NoWorktree)));
    }
}
