//! Makes a clone, and brings it up to date.
//!
//! A clone is made in a folder beside its place and renamed when it is complete; what an interrupted one left is
//! thrown away by the next. A lock file beside it (`<dir>.lock`) lets one at a time work, across processes too.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::carried::{self, Setting};
use super::{BareClone, Progress, SOURCE_DETACHED, SOURCE_HEAD, SOURCE_HEADS};
use crate::inspect::{Inspection, LocalRepository, SourceError};
use crate::invocation::Invocation;
use crate::{Git, GitError, Source};

/// Why there is no clone, or none that is up to date.
#[derive(Debug, thiserror::Error)]
pub enum CloneError {
    /// The source can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// git could not clone it.
    #[error("{repository} could not be cloned")]
    Clone {
        /// The source.
        repository: String,
        /// What went wrong.
        source: GitError,
    },
    /// git could not fetch from it.
    #[error("{repository} could not be fetched")]
    Fetch {
        /// The source.
        repository: String,
        /// What went wrong.
        source: GitError,
    },
    /// The clone's folder could not be written.
    #[error("{path} could not be written")]
    Write {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

type Watch<'a> = &'a mut (dyn FnMut(Progress) + Send);

impl Git {
    /// Makes the clone of `source` in `dir`, or fetches what is new into it; the same again changes nothing.
    /// Waits for another call on the same folder. `watch` is told how far it has come.
    pub async fn ensure_clone(
        &self,
        dir: &Path,
        source: &Source,
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<BareClone, CloneError> {
        let written = |source| CloneError::Write { path: dir.into(), source };
        let _lock = lock(dir).await.map_err(written)?;
        let state = self.inspect(source, None).await?;
        let clone = BareClone::open(self, dir);
        if !dir.join("makima.config").exists() {
            let partial = beside(dir, "partial");
            clear(&partial).map_err(written)?;
            if let Err(error) = self.make_clone(&partial, source, &state, watch).await {
                // Where there was no room for it, it must not take what there is; what stays is thrown away by the next.
                let _ = clear(&partial);
                return Err(error);
            }
            std::fs::rename(&partial, dir).map_err(written)?;
        }
        clone.clear_leftovers().map_err(written)?;
        clone.refresh(source, &state, watch).await?;
        Ok(clone)
    }

    async fn make_clone(
        &self,
        dir: &Path,
        source: &Source,
        state: &Inspection,
        watch: Watch<'_>,
    ) -> Result<(), CloneError> {
        let failed = |error| CloneError::Clone { repository: source.to_string(), source: error };
        let linked = state.local.as_ref().is_some_and(|local| !borrows(local));
        let made = self.copy(dir, source, state, linked, watch).await;
        match made {
            // Housekeeping there may move objects while they are linked one by one: so once more, as from a URL.
            Err(_) if linked => {
                clear(dir).map_err(|source| CloneError::Write { path: dir.into(), source })?;
                self.copy(dir, source, state, false, watch).await.map_err(failed)?;
            }
            made => made.map_err(failed)?,
        }
        let clone = BareClone::open(self, dir);
        clone.prepare().await.map_err(failed)?;
        clone.write_settings(&[]).map_err(|source| CloneError::Write { path: dir.into(), source })
    }
}

impl Git {
    /// `linked`: objects are hard links to the source's. Otherwise they are copied, borrowed ones too.
    async fn copy(
        &self,
        dir: &Path,
        source: &Source,
        state: &Inspection,
        linked: bool,
        watch: Watch<'_>,
    ) -> Result<(), GitError> {
        let asked = self.run("clone").in_folder(Path::new("/"));
        let asked = asked.args(["--bare", "--template=", "--no-single-branch", "--progress"]);
        let asked = asked.arg(if linked { "--local" } else { "--no-local" });
        let asked =
            asked.args(["--upload-pack=git-upload-pack", "--end-of-options"]).arg(place(source, state));
        let mut line = |line: &str| Progress::read(line).into_iter().for_each(&mut *watch);
        asked.arg(dir).watched(&mut line).await.map(drop)
    }
}

impl BareClone {
    /// Turns what `git clone --bare` made into our layout.
    async fn prepare(&self) -> Result<(), GitError> {
        let listed =
            self.run("for-each-ref").args(["--format=%(objectname) %(refname)", "refs/heads"]).ok().await?;
        // Names are bytes: git takes those that are no text, too.
        let mut moves = Vec::new();
        for line in listed.split(|byte| *byte == b'\n') {
            let Some(at) = line.iter().position(|byte| *byte == b' ') else { continue };
            let (commit, name) = (&line[..at], &line[at + 1..]);
            let branch = name.strip_prefix(b"refs/heads/").unwrap_or(name);
            for part in [&b"update "[..], SOURCE_HEADS.as_bytes(), branch, b" ", commit, b"\ndelete ", name] {
                moves.extend_from_slice(part);
            }
            moves.push(b'\n');
        }
        // HEAD first: its branch can't be deleted under it, and ours is never checked out here.
        self.run("symbolic-ref").args(["HEAD", "refs/heads/makima/none"]).ok().await?;
        self.run("update-ref").args(["--no-deref", "--stdin"]).stdin(moves).ok().await?;
        let remove = self.run("config").args(["--local", "--remove-section", "remote.origin"]);
        remove.output().await?;
        for (name, value) in
            [("include.path", "makima.config"), ("gc.auto", "0"), ("maintenance.auto", "false")]
        {
            self.run("config").args(["--local", name, value]).ok().await?;
        }
        Ok(())
    }

    async fn refresh(&self, source: &Source, state: &Inspection, watch: Watch<'_>) -> Result<(), CloneError> {
        let written = |source| CloneError::Write { path: self.dir.clone(), source };
        let failed = |error| CloneError::Fetch { repository: source.to_string(), source: error };
        let settings = match &state.local {
            Some(local) => {
                self.copy_private_rules(local).map_err(written)?;
                self.take_large_files(local).await.map_err(failed)?.map_err(written)?;
                carried::of_local(&self.git, local).await.map_err(failed)?
            }
            None => vec![("remote.origin.url".into(), source_url(source))],
        };
        let has_origin = settings.iter().any(|(name, _)| name == "remote.origin.url");
        self.write_settings(&with_refspec(settings, has_origin)).map_err(written)?;
        clear_locks(&self.dir.join("refs/makima/source")).map_err(written)?;
        if !state.is_empty {
            let fetch = self.fetch(source, state, has_origin);
            fetch
                .watched(&mut |line| Progress::read(line).into_iter().for_each(&mut *watch))
                .await
                .map_err(failed)?;
        }
        self.point_source_head(state).await.map_err(failed)?;
        let unborn = state.head_branch.as_deref().filter(|_| state.head_commit.is_none());
        self.write_unborn(unborn).map_err(written)
    }

    /// A symbolic ref to a branch without a commit would be one that leads nowhere, which `git fsck` calls broken.
    async fn point_source_head(&self, state: &Inspection) -> Result<(), GitError> {
        let head = match (&state.head_branch, &state.head_commit) {
            (Some(branch), Some(_)) => format!("{SOURCE_HEADS}{branch}"),
            (None, Some(_)) => SOURCE_DETACHED.into(),
            (_, None) => {
                let delete = format!("delete {SOURCE_HEAD}\n");
                return self
                    .run("update-ref")
                    .args(["--no-deref", "--stdin"])
                    .stdin(delete)
                    .ok()
                    .await
                    .map(drop);
            }
        };
        self.run("symbolic-ref").args([SOURCE_HEAD, &head]).ok().await.map(drop)
    }

    fn fetch(&self, source: &Source, state: &Inspection, has_origin: bool) -> Invocation {
        // What `origin/main` means to the user it means to the agent: of a clone, the branches of its own origin.
        let remotes = match has_origin && state.local.is_some() {
            true => "+refs/remotes/origin/*:refs/remotes/origin/*",
            false => "+refs/heads/*:refs/remotes/origin/*",
        };
        let fetch = self.run("fetch").args([
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--no-write-commit-graph",
            "--prune",
            "--no-prune-tags",
            "--force",
            "--tags",
            "--progress",
            "--refmap=",
            "--upload-pack=git-upload-pack",
        ]);
        let shallow = state.local.as_ref().is_some_and(|local| local.is_shallow);
        let fetch = if shallow { fetch.arg("--update-shallow") } else { fetch };
        let fetch = fetch.arg("--end-of-options").arg(place(source, state));
        let fetch = fetch.args([&format!("+refs/heads/*:{SOURCE_HEADS}*"), remotes]);
        match (&state.head_branch, &state.head_commit) {
            (None, Some(_)) => fetch.arg(format!("+HEAD:{SOURCE_DETACHED}")),
            _ => fetch,
        }
    }
}

fn with_refspec(mut settings: Vec<Setting>, has_origin: bool) -> Vec<Setting> {
    if has_origin {
        settings.push(("remote.origin.fetch".into(), "+refs/heads/*:refs/remotes/origin/*".into()));
    }
    settings
}

fn source_url(source: &Source) -> String {
    match source {
        Source::Local(path) => path.to_string_lossy().into_owned(),
        Source::Remote(url) => url.clone(),
    }
}

/// What git is told to clone or fetch from.
fn place<'a>(source: &'a Source, state: &'a Inspection) -> &'a std::ffi::OsStr {
    match (source, &state.local) {
        (_, Some(local)) => carried::url_of(&local.git_dir),
        (Source::Local(path), None) => carried::url_of(path),
        (Source::Remote(url), None) => url.as_ref(),
    }
}

fn borrows(local: &LocalRepository) -> bool {
    let info = local.common_dir.join("objects/info");
    ["alternates", "http-alternates"].iter().any(|name| info.join(name).exists())
}

fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = dir.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// Removes locks of refs that only we write, under the lock of the clone: a git that was killed left them.
fn clear_locks(folder: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            clear_locks(&path)?;
        } else if path.extension().is_some_and(|ending| ending == "lock") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn clear(dir: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Held until the file is dropped; the operating system lets it go when the process ends, however it ends.
async fn lock(dir: &Path) -> io::Result<File> {
    if let Some(parent) = dir.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let file = File::options().create(true).append(true).open(beside(dir, "lock"))?;
    let waiting = tokio::task::spawn_blocking(move || file.lock().map(|()| file));
    waiting.await.map_err(io::Error::other)?
}
