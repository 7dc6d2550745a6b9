//! Takes what a user has not committed into the daemon's clone, for a task that shall start with it.
//!
//! The user's repository is only read: its index is copied, objects that only it has are read out of it, and
//! everything else is done with the clone as git folder and the user's folder as worktree. So it is also the clone's
//! settings that hold, and no filter of the user's repository is run (but Git LFS, which is carried over). What would have
//! to pass such a filter is not taken: stored as it lies there it could be a secret in plain text.
//!
//! The task then starts at the user's HEAD with these changes uncommitted: `Start::Uncommitted`.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::bare_clone::SOURCE_DETACHED;
use crate::inspect::{LocalRepository, SourceError};
use crate::names::{BadName, broken_rule};
use crate::scan::{Scanned, Site};
use crate::{
    BareClone, GitError, InProgress, NotHeld, Person, ScanError, ScanRules, Sha, Source, Start, diff,
};

/// What was taken of a user's worktree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Included {
    /// What to start the task's worktree from: `Start::Commit` where nothing is uncommitted.
    pub start: Start,
    /// What lies in the user's worktree and was not taken.
    pub not_held: Vec<NotHeld>,
    /// What the user is in the middle of. The files were taken as they are; that was not.
    pub in_progress: Option<InProgress>,
}

/// Why a user's changes could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum IncludeError {
    /// Only a repository with a worktree on this machine has uncommitted changes.
    #[error("{repository} has no worktree here, so nothing uncommitted")]
    NoWorktree {
        /// The source.
        repository: String,
    },
    /// The source can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The worktree can't be read, or kept changing.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The ref to keep it under is no name.
    #[error(transparent)]
    BadName(#[from] BadName),
    /// A changed file passes a filter that only the repository's own settings define.
    #[error(
        "{} passes the filter {driver:?} of {repository}, which is not run: commit it, or start without what is uncommitted",
        String::from_utf8_lossy(file)
    )]
    Filtered {
        /// The source.
        repository: String,
        /// The file.
        file: Vec<u8>,
        /// The filter.
        driver: String,
    },
    /// git could not take its objects.
    #[error("the uncommitted changes of {repository} could not be taken")]
    Git {
        /// The source.
        repository: String,
        /// What went wrong.
        source: GitError,
    },
    /// A folder for our index could not be made.
    #[error("{path} could not be written")]
    Write {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl BareClone {
    /// Makes a commit of the user's worktree (tracked changes, and untracked files that are not ignored) in this
    /// clone, kept by the ref `keep` (`refs/makima/tasks/<task id>/uncommitted`, say), on top of the user's HEAD.
    ///
    /// The clone must have been brought up to date first.
    pub async fn include_uncommitted(
        &self,
        source: &Source,
        keep: &str,
        author: &Person,
        at: SystemTime,
    ) -> Result<Included, IncludeError> {
        if let Some(why) = broken_rule(keep) {
            return Err(BadName { name: keep.into(), why }.into());
        }
        let failed = |error| IncludeError::Git { repository: source.to_string(), source: error };
        let state = self.git().inspect(source, None).await?;
        let local = state.local.as_ref().filter(|local| local.worktree.is_some());
        let no_worktree = || IncludeError::NoWorktree { repository: source.to_string() };
        let local = local.ok_or_else(no_worktree)?;
        let folder = local.worktree.clone().ok_or_else(no_worktree)?;
        // A folder of its own: the index is thrown away again.
        let private = self.dir().join("makima").join(keep.replace('/', "-"));
        let written = |source| IncludeError::Write { path: private.clone(), source };
        std::fs::create_dir_all(&private).map_err(written)?;
        let sparse = self.git().setting(&folder, "core.sparseCheckout").await.map_err(failed)?;
        let mut settings = Vec::new();
        // What is true of the disk that the user's folder is on.
        for name in ["core.filemode", "core.symlinks"] {
            if let Some(value) = self.git().setting(&folder, name).await.map_err(failed)? {
                settings.push(format!("{name}={}", String::from_utf8_lossy(&value)));
            }
        }
        let in_progress = InProgress::by_signs(&local.git_dir);
        let site = Site {
            git: self.git().clone(),
            git_dir: self.dir().into(),
            folder,
            own_index: local.git_dir.join("index"),
            private: private.clone(),
            is_sparse: Some(sparse.is_some_and(|value| value.eq_ignore_ascii_case(b"true"))),
            settings,
        };
        site.discard_index().map_err(written)?;
        let taken = self.take(&site, local, state.head_commit.as_ref(), keep, author, at).await;
        std::fs::remove_dir_all(&private).map_err(written)?;
        let (start, not_held) = taken.map_err(|error| match error {
            TakeError::Scan(error) => error.into(),
            TakeError::Git(error) => failed(error),
            TakeError::Write(error) => written(error),
            TakeError::Filtered { file, driver } => {
                IncludeError::Filtered { repository: source.to_string(), file, driver }
            }
        })?;
        Ok(Included { start, not_held, in_progress })
    }

    async fn take(
        &self,
        site: &Site,
        local: &LocalRepository,
        head: Option<&Sha>,
        keep: &str,
        author: &Person,
        at: SystemTime,
    ) -> Result<(Start, Vec<NotHeld>), TakeError> {
        if let Some(head) = head {
            self.bring_head(local, head).await?;
        }
        self.bring_staged(local, &site.private).await?;
        let Scanned { tree, not_held, .. } = site.scan(&ScanRules::default(), None).await?;
        let of_head = match head {
            Some(head) => self.git().objects(self.run("cat-file"), &[&format!("{head}^{{tree}}")]).await?,
            None => vec![Some(self.empty_tree().await?)],
        };
        if of_head.first() == Some(&Some(tree.clone())) {
            return Ok((head.map_or(Start::Nothing, |head| Start::Commit(head.clone())), not_held));
        }
        let of_head = of_head.into_iter().next().flatten();
        self.refuse_filtered(site, of_head.as_ref(), &tree).await?;
        let commit = self.run("commit-tree").signed(author, at).args(["-m", "Uncommitted changes"]);
        let commit = match head {
            Some(head) => commit.arg("-p").arg(head),
            None => commit,
        };
        let files = Sha::read("commit-tree", &commit.arg(&tree).ok().await?)?;
        let update = format!("update {keep} {files}\n");
        self.run("update-ref").args(["--no-deref", "--stdin"]).stdin(update).ok().await?;
        let start = match head {
            Some(head) => Start::Uncommitted { head: head.clone(), files },
            None => Start::UncommittedNothing { files },
        };
        Ok((start, not_held))
    }

    /// Refuses a changed file that the user's git would store in another form, by a program that we don't run.
    async fn refuse_filtered(&self, site: &Site, from: Option<&Sha>, to: &Sha) -> Result<(), TakeError> {
        let theirs = self.git().own_filters(&site.folder).await?;
        if theirs.is_empty() {
            return Ok(());
        }
        let known =
            self.run("config").args(["--null", "--name-only", "--get-regexp", "^filter\\."]).output().await?;
        let known = String::from_utf8_lossy(&known.stdout).into_owned();
        let known: BTreeSet<&str> =
            known.split('\0').filter_map(|name| name.rsplit_once('.')).map(|(driver, _)| driver).collect();
        let changed = diff::changes(|command| self.run(command), from, to).await?;
        let names: Vec<&[u8]> = changed.iter().map(|file| &file.path[..]).collect();
        let check = site.ours("check-attr").args(["-z", "--stdin", "filter"]).stdin(names.join(&0));
        let said = check.ok().await?;
        let fields: Vec<&[u8]> = said.split(|byte| *byte == 0).collect();
        for about in fields.chunks_exact(3) {
            let driver = String::from_utf8_lossy(about[2]).into_owned();
            let name = format!("filter.{driver}");
            if theirs.contains(&name) && !known.contains(&name[..]) {
                return Err(TakeError::Filtered { file: about[0].to_vec(), driver });
            }
        }
        Ok(())
    }

    /// HEAD may have moved since the fetch.
    async fn bring_head(&self, local: &LocalRepository, head: &Sha) -> Result<(), GitError> {
        if self.commit_of_sha(head).await? {
            return Ok(());
        }
        let fetch = self.run("fetch").args([
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
        ]);
        let fetch = fetch.args([
            "--refmap=",
            "--upload-pack=git-upload-pack",
            "--update-shallow",
            "--end-of-options",
        ]);
        fetch.arg(&local.git_dir).arg(format!("+HEAD:{SOURCE_DETACHED}")).ok().await.map(drop)
    }

    async fn commit_of_sha(&self, commit: &Sha) -> Result<bool, GitError> {
        let found = self.git().objects(self.run("cat-file"), &[&format!("{commit}^{{commit}}")]).await?;
        Ok(found.first().is_some_and(Option::is_some))
    }

    /// Copies the objects that are staged and not committed. They are read by `pack-objects` there and written by
    /// `unpack-objects` here: an `add` that saw them there would not write them here.
    async fn bring_staged(&self, local: &LocalRepository, private: &Path) -> Result<(), TakeError> {
        let folder = local.worktree.as_deref().unwrap_or(&local.git_dir);
        let listed = self.git().run("ls-files").in_folder(folder).args(["-z", "--stage"]).ok().await?;
        let mut staged = BTreeSet::new();
        for line in listed.split(|b| *b == 0).filter(|line| !line.starts_with(b"160000")) {
            let name = line.split(|b| *b == b' ').nth(1).and_then(|name| std::str::from_utf8(name).ok());
            staged.extend(name.and_then(Sha::parse));
        }
        let names: Vec<&str> = staged.iter().map(Sha::as_str).collect();
        if names.is_empty() {
            return Ok(());
        }
        let here = self.git().objects(self.run("cat-file"), &names).await?;
        let missing: Vec<&str> =
            names.into_iter().zip(here).filter(|(_, here)| here.is_none()).map(|(name, _)| name).collect();
        if missing.is_empty() {
            return Ok(());
        }
        // A file that is only meant to be added has no object yet.
        let there = self.git().objects(self.git().run("cat-file").in_folder(folder), &missing).await?;
        let missing: Vec<&str> = missing
            .into_iter()
            .zip(there)
            .filter(|(_, there)| there.is_some())
            .map(|(name, _)| name)
            .collect();
        let pack = self.git().run("pack-objects").in_folder(folder);
        let pack = pack.args(["--stdout", "-q"]).stdin(missing.join("\n") + "\n");
        // They may be larger than our memory.
        let file = private.join("staged.pack");
        pack.copy_to(&mut tokio::fs::File::create(&file).await?).await?;
        self.run("unpack-objects").arg("-q").stdin_file(File::open(&file)?).ok().await?;
        Ok(())
    }
}

enum TakeError {
    Scan(ScanError),
    Git(GitError),
    Write(io::Error),
    Filtered { file: Vec<u8>, driver: String },
}

impl From<io::Error> for TakeError {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl From<ScanError> for TakeError {
    fn from(error: ScanError) -> Self {
        Self::Scan(error)
    }
}

impl From<GitError> for TakeError {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}
