//! What a source is, asked without cloning it and without writing into it.
//!
//! A user's own repository may have settings that name programs. Of the commands used here only `status` would run
//! one (a filter), so filters of the repository's own settings are switched off for it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::names::{BadName, BranchName, broken_rule};
use crate::{Git, GitError, Sha, Source};

/// Where a source stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The current branch (local) or the default one (remote); `None` where HEAD is detached or not told.
    pub head_branch: Option<String>,
    /// The commit HEAD is at; `None` where there is none yet.
    pub head_commit: Option<Sha>,
    /// Whether the repository has no branch with a commit at all.
    pub is_empty: bool,
    /// What only a local repository tells.
    pub local: Option<LocalRepository>,
}

/// The folders of a repository on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalRepository {
    /// Its worktree's root; `None` where it is bare.
    pub worktree: Option<PathBuf>,
    /// Its git folder (of this worktree).
    pub git_dir: PathBuf,
    /// The git folder that all its worktrees share.
    pub common_dir: PathBuf,
    /// Whether its history is cut off.
    pub is_shallow: bool,
}

/// What a worktree has that HEAD has not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uncommitted {
    /// Tracked files that differ, staged or not.
    pub changed: usize,
    /// Untracked files that are not ignored.
    pub untracked: usize,
}

impl Uncommitted {
    /// Whether the worktree is as HEAD has it.
    pub fn is_none(&self) -> bool {
        self.changed + self.untracked == 0
    }
}

/// Why a source can't be worked on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nothing is there.
    #[error("{path} does not exist")]
    NoSuchPath {
        /// The path.
        path: PathBuf,
    },
    /// git finds no repository there, or refuses it; its words say which.
    #[error("{repository} can't be read as a git repository")]
    NotARepository {
        /// What was asked for.
        repository: String,
        /// What git said.
        source: GitError,
    },
    /// It holds only a part of its objects and would fetch the rest from elsewhere.
    #[error("{path} is a partial clone; make it complete with `git fetch --refetch --no-filter`")]
    Partial {
        /// The path.
        path: PathBuf,
    },
    /// The branch asked for is not there.
    #[error("{repository} has no branch or tag {branch:?}")]
    NoSuchBranch {
        /// The repository.
        repository: String,
        /// What was asked for.
        branch: String,
    },
    /// What was asked for is no name.
    #[error(transparent)]
    BadName(#[from] BadName),
    /// git did not do its work.
    #[error("{repository} could not be looked at")]
    Git {
        /// The repository.
        repository: String,
        /// What went wrong.
        source: GitError,
    },
}

impl Git {
    /// Where the source stands: one `rev-parse` for a path, one `ls-remote` (within `timeout`) for a URL.
    pub async fn inspect(
        &self,
        source: &Source,
        timeout: Option<Duration>,
    ) -> Result<Inspection, SourceError> {
        match source {
            Source::Local(path) => self.inspect_local(path).await,
            Source::Remote(url) => {
                let listed = self.list_remote(source, url, timeout, &["HEAD", "refs/heads/*"]).await?;
                Ok(listed.inspection())
            }
        }
    }

    /// Whether a task could start there: the repository can be reached, and has `base` (a branch, tag or full ref
    /// name) where one is named. Nothing is cloned.
    pub async fn check_repository(
        &self,
        source: &Source,
        base: Option<&str>,
        timeout: Option<Duration>,
    ) -> Result<Inspection, SourceError> {
        let inspection = self.inspect(source, timeout).await?;
        let Some(base) = base else { return Ok(inspection) };
        let wanted = places_of(base)?;
        let found = match (source, &inspection.local) {
            (_, Some(local)) => self.has_any(&local.common_dir, &wanted).await,
            (Source::Remote(url), _) => {
                let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
                Ok(!self.list_remote(source, url, timeout, &wanted).await?.refs.is_empty())
            }
            _ => Ok(false),
        };
        match found {
            Ok(true) => Ok(inspection),
            Ok(false) => {
                Err(SourceError::NoSuchBranch { repository: source.to_string(), branch: base.into() })
            }
            Err(error) => Err(SourceError::Git { repository: source.to_string(), source: error }),
        }
    }

    /// How much of a user's worktree is not committed, and so not part of a task unless it is asked for.
    /// The index is not refreshed on disk; submodules are not looked into.
    pub async fn uncommitted(&self, worktree: &Path) -> Result<Uncommitted, GitError> {
        let mut status = self.run("status").in_folder(worktree);
        for setting in self.filters_off(worktree).await? {
            status = status.setting(setting);
        }
        let args = ["--porcelain", "-z", "--untracked-files=all", "--ignore-submodules=all", "--no-renames"];
        let said = status.args(args).ok().await?;
        let lines: Vec<&[u8]> = said.split(|b| *b == 0).filter(|line| !line.is_empty()).collect();
        let untracked = lines.iter().filter(|line| line.starts_with(b"??")).count();
        Ok(Uncommitted { changed: lines.len() - untracked, untracked })
    }

    async fn inspect_local(&self, path: &Path) -> Result<Inspection, SourceError> {
        if !path.exists() {
            return Err(SourceError::NoSuchPath { path: path.into() });
        }
        let repository = || path.display().to_string();
        let folder = if path.is_file() { path.parent().unwrap_or(path) } else { path };
        let asked = self.run("rev-parse").in_folder(folder).args([
            "--path-format=absolute",
            "--is-bare-repository",
            "--is-inside-work-tree",
            "--is-shallow-repository",
            "--git-dir",
            "--git-common-dir",
        ]);
        let said = asked.ok().await;
        let said = said.map_err(|source| SourceError::NotARepository { repository: repository(), source })?;
        let failed = |source| SourceError::Git { repository: repository(), source };
        let lines: Vec<&[u8]> = said.split(|b| *b == b'\n').collect();
        let [_bare, inside, shallow, git_dir, common_dir, ..] = lines[..] else {
            return Err(failed(GitError::unreadable("rev-parse", &said)));
        };
        let path_of = |line: &[u8]| PathBuf::from(OsString::from_vec(line.to_vec()));
        let worktree = match inside {
            b"true" => Some(self.top_of(folder).await.map_err(failed)?),
            _ => None,
        };
        let local = LocalRepository {
            worktree,
            git_dir: path_of(git_dir),
            common_dir: path_of(common_dir),
            is_shallow: shallow == b"true",
        };
        if self.lacks_objects(folder).await.map_err(failed)? {
            return Err(SourceError::Partial { path: path.into() });
        }
        let branch = self.run("symbolic-ref").in_folder(folder).args(["-q", "HEAD"]).output().await;
        let branch = branch.map_err(failed)?;
        // One whose name is no text can't be told, so HEAD counts as detached: what it is at is the same.
        let branch = std::str::from_utf8(&branch.stdout).ok();
        let branch = branch.and_then(|name| name.trim().strip_prefix("refs/heads/")).map(str::to_owned);
        let found =
            self.objects(self.run("cat-file").in_folder(folder), &["HEAD^{commit}"]).await.map_err(failed)?;
        let head_commit = found.into_iter().next().flatten();
        let is_empty = match &head_commit {
            Some(_) => false,
            None => {
                let any =
                    self.run("for-each-ref").in_folder(folder).args(["--count=1", "refs/heads", "refs/tags"]);
                any.ok().await.map_err(failed)?.is_empty()
            }
        };
        Ok(Inspection { head_branch: branch, head_commit, is_empty, local: Some(local) })
    }

    async fn top_of(&self, folder: &Path) -> Result<PathBuf, GitError> {
        let said = self.run("rev-parse").in_folder(folder).arg("--show-toplevel").ok().await?;
        let line = said.strip_suffix(b"\n").unwrap_or(&said);
        Ok(OsString::from_vec(line.to_vec()).into())
    }

    /// Whether it is a partial clone: then git would fetch what is missing, by a program that its settings may name.
    async fn lacks_objects(&self, folder: &Path) -> Result<bool, GitError> {
        let signs = r"^(extensions\.partialclone|remote\..*\.(promisor|partialclonefilter))$";
        let asked = self.run("config").in_folder(folder).args(["--name-only", "--get-regexp", signs]);
        let answer = asked.output().await?;
        match answer.code {
            Some(1) => Ok(false),
            _ => answer.success("config").map(|_| true),
        }
    }

    /// The value of a setting as the repository at `folder` has it, from whichever file.
    pub(crate) async fn setting(&self, folder: &Path, key: &str) -> Result<Option<Vec<u8>>, GitError> {
        let asked = self.run("config").in_folder(folder).args(["--null", "--get", key]).output().await?;
        match asked.code {
            Some(0) => Ok(asked.stdout.strip_suffix(b"\0").map(<[u8]>::to_vec)),
            Some(1) => Ok(None),
            _ => asked.success("config").map(|_| None),
        }
    }

    /// Settings that switch off every filter that the repository's own settings (not the user's) define.
    async fn filters_off(&self, folder: &Path) -> Result<Vec<String>, GitError> {
        let off =
            |driver| ["clean=", "process=", "smudge=", "required=false"].map(|set| format!("{driver}.{set}"));
        Ok(self.own_filters(folder).await?.into_iter().flat_map(off).collect())
    }

    /// The filters that the repository's own settings define: `filter.lfs`, say.
    pub(crate) async fn own_filters(&self, folder: &Path) -> Result<BTreeSet<String>, GitError> {
        let asked = self.run("config").in_folder(folder);
        let asked = asked
            .args(["--null", "--show-scope", "--name-only", "--get-regexp", "^filter\\."])
            .output()
            .await?;
        let text = String::from_utf8_lossy(&asked.stdout);
        let fields: Vec<&str> = text.split('\0').collect();
        let own = fields.chunks_exact(2).filter(|pair| matches!(pair[0], "local" | "worktree"));
        Ok(own.filter_map(|pair| pair[1].rsplit_once('.')).map(|(driver, _)| driver.to_owned()).collect())
    }

    /// The full names of the objects that `names` mean, in their order; `None` where there is none.
    pub(crate) async fn objects(
        &self,
        at: crate::invocation::Invocation,
        names: &[&str],
    ) -> Result<Vec<Option<Sha>>, GitError> {
        let asked = at.arg("--batch-check=%(objectname) %(objecttype)").stdin(names.join("\n") + "\n");
        let said = asked.ok().await?;
        let text = String::from_utf8_lossy(&said);
        let found: Vec<_> = text.lines().map(|line| line.split(' ').next().and_then(Sha::parse)).collect();
        // A name that is missing and looks like an object's own is answered with itself.
        let found = found
            .into_iter()
            .zip(text.lines())
            .map(|(sha, line)| sha.filter(|_| !line.ends_with(" missing")));
        Ok(found.collect())
    }

    async fn has_any(&self, common_dir: &Path, names: &[String]) -> Result<bool, GitError> {
        let names: Vec<String> = names.iter().map(|name| format!("{name}^{{commit}}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = self.objects(self.run("cat-file").git_dir(common_dir), &names).await?;
        Ok(found.iter().any(Option::is_some))
    }

    async fn list_remote(
        &self,
        source: &Source,
        url: &str,
        timeout: Option<Duration>,
        patterns: &[&str],
    ) -> Result<Listed, SourceError> {
        let asked = self.run("ls-remote").in_folder(Path::new("/")).within(timeout);
        let asked =
            asked.args(["--symref", "--upload-pack=git-upload-pack", "--end-of-options", url]).args(patterns);
        let said = asked.ok().await;
        let said = said
            .map_err(|error| SourceError::NotARepository { repository: source.to_string(), source: error })?;
        Ok(Listed::read(&String::from_utf8_lossy(&said)))
    }
}

/// The refs that the name of a base may mean, the likeliest first.
pub(crate) fn places_of(base: &str) -> Result<Vec<String>, BadName> {
    if base.starts_with("refs/") {
        return match broken_rule(base) {
            Some(why) => Err(BadName { name: base.into(), why }),
            None => Ok(vec![base.into()]),
        };
    }
    let name = BranchName::new(base)?;
    Ok(vec![name.full(), format!("refs/tags/{name}")])
}

#[derive(Debug, Default)]
struct Listed {
    head_branch: Option<String>,
    head_commit: Option<Sha>,
    refs: Vec<String>,
}

impl Listed {
    fn read(text: &str) -> Self {
        let mut listed = Self::default();
        for (left, name) in text.lines().filter_map(|line| line.split_once('\t')) {
            match (left.strip_prefix("ref: "), name) {
                (Some(target), "HEAD") => {
                    // As of a local one: a name that is no text can't be told.
                    let branch = target.strip_prefix("refs/heads/");
                    listed.head_branch =
                        branch.filter(|name| !name.contains(char::REPLACEMENT_CHARACTER)).map(str::to_owned);
                }
                (None, "HEAD") => listed.head_commit = Sha::parse(left),
                (None, name) => listed.refs.push(name.into()),
                _ => {}
            }
        }
        listed
    }

    fn inspection(self) -> Inspection {
        let is_empty = self.head_commit.is_none() && self.refs.is_empty();
        Inspection { head_branch: self.head_branch, head_commit: self.head_commit, is_empty, local: None }
    }
}
