//! What differs between two commits or trees: numbers for every file, and the patch for people to read.

mod parse;
mod split;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use tokio::io::AsyncWrite;

use self::split::Split;
use crate::invocation::Invocation;
use crate::{BareClone, GitError, Sha};

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Added,
    /// Its content, mode or kind changed.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another name, and perhaps other content.
    Renamed,
}

impl Action {
    /// `A`, `M`, `D` or `R`.
    pub fn letter(self) -> char {
        match self {
            Self::Added => 'A',
            Self::Modified => 'M',
            Self::Deleted => 'D',
            Self::Renamed => 'R',
        }
    }
}

/// One file that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// What became of it.
    pub action: Action,
    /// Its name, relative to the root, as bytes: it need not be UTF-8.
    pub path: Vec<u8>,
    /// Its name before, where it was renamed.
    pub old_path: Option<Vec<u8>>,
    /// Lines that are new; 0 where it is binary.
    pub lines_added: u64,
    /// Lines that are gone; 0 where it is binary.
    pub lines_removed: u64,
    /// Whether git takes it for binary.
    pub binary: bool,
}

/// How much of a patch was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatchWritten {
    /// Bytes written.
    pub bytes: u64,
    /// Whether the limit cut it off.
    pub truncated: bool,
}

impl PatchWritten {
    /// Of what doesn't differ.
    const NOTHING: Self = Self { bytes: 0, truncated: false };
}

/// How a patch is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatchStyle<'a> {
    /// How many lines around a change go with it.
    pub context: u32,
    /// Whether changes of white space alone are none.
    pub ignore_whitespace: bool,
    /// The files that it is about, by their names; none: all. A renamed one is known as such by both of its names.
    pub paths: &'a [&'a [u8]],
}

impl Default for PatchStyle<'_> {
    /// As `git diff` has it.
    fn default() -> Self {
        Self { context: 3, ignore_whitespace: false, paths: &[] }
    }
}

impl BareClone {
    /// The files that differ between two commits or trees. `None` as the older one is the empty tree.
    pub async fn changes(&self, from: Option<&Sha>, to: &Sha) -> Result<Vec<FileChange>, GitError> {
        changes(|command| self.run(command), from, to).await
    }

    /// Writes the patch between two commits or trees, as `git diff` has it (renames found, names
    /// quoted as git quotes them, binary files only named), at most `limit` bytes of it. No program that the repository
    /// names is run for it. Answers the files that differ too, with their lines counted, for which git compares them once more.
    pub async fn patch(
        &self,
        from: Option<&Sha>,
        to: &Sha,
        style: PatchStyle<'_>,
        limit: Option<u64>,
        out: &mut (dyn AsyncWrite + Unpin + Send),
    ) -> Result<(Vec<FileChange>, PatchWritten), GitError> {
        patch(|command| self.run(command), from, to, style, limit, out).await
    }

    /// The same patch alone.
    pub async fn patch_alone(
        &self,
        from: Option<&Sha>,
        to: &Sha,
        style: PatchStyle<'_>,
        limit: Option<u64>,
        out: &mut (dyn AsyncWrite + Unpin + Send),
    ) -> Result<PatchWritten, GitError> {
        let run = |command: &str| self.run(command);
        let from = older(run, from).await?;
        if from == *to {
            return Ok(PatchWritten::NOTHING);
        }
        let mut split = Split::of_patch_alone(out, limit);
        write(between(run), &[&from, to], style, &mut split).await?;
        Ok(split.written())
    }
}

const QUIET: [&str; 5] = ["-r", "-M", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none"];

const RECORDS: [&str; 3] = ["-z", "--raw", "--numstat"];

fn between(run: impl Fn(&str) -> Invocation) -> Invocation {
    run("diff-tree").setting("diff.renameLimit=1000").args(QUIET)
}

pub(crate) async fn changes(
    run: impl Fn(&str) -> Invocation,
    from: Option<&Sha>,
    to: &Sha,
) -> Result<Vec<FileChange>, GitError> {
    let from = older(&run, from).await?;
    if from == *to {
        return Ok(Vec::new());
    }
    let diff = between(run).args(RECORDS);
    recorded(diff.arg("--end-of-options").arg(&from).arg(to)).await
}

async fn recorded(diff: Invocation) -> Result<Vec<FileChange>, GitError> {
    let said = diff.ok().await?;
    parse::changes(&said, false).ok_or_else(|| GitError::unreadable("diff-tree", &said))
}

pub(crate) async fn patch(
    run: impl Fn(&str) -> Invocation,
    from: Option<&Sha>,
    to: &Sha,
    style: PatchStyle<'_>,
    limit: Option<u64>,
    out: &mut (dyn AsyncWrite + Unpin + Send),
) -> Result<(Vec<FileChange>, PatchWritten), GitError> {
    let from = older(&run, from).await?;
    if from == *to {
        return Ok((Vec::new(), PatchWritten::NOTHING));
    }
    patch_of(between(run), &[&from, to], style, limit, out).await
}

/// The same of a commit that follows none.
pub(crate) async fn patch_of_root(
    run: impl Fn(&str) -> Invocation,
    commit: &Sha,
    style: PatchStyle<'_>,
    limit: Option<u64>,
    out: &mut (dyn AsyncWrite + Unpin + Send),
) -> Result<(Vec<FileChange>, PatchWritten), GitError> {
    let diff = between(run).args(["--root", "--no-commit-id"]);
    patch_of(diff, &[commit], style, limit, out).await
}

async fn patch_of(
    diff: Invocation,
    ends: &[&Sha],
    style: PatchStyle<'_>,
    limit: Option<u64>,
    out: &mut (dyn AsyncWrite + Unpin + Send),
) -> Result<(Vec<FileChange>, PatchWritten), GitError> {
    let mut split = Split::new(out, limit);
    write(diff.args(RECORDS), ends, style, &mut split).await?;
    let changes = parse::changes(&split.head, style.ignore_whitespace)
        .ok_or_else(|| GitError::unreadable("diff-tree", &split.head))?;
    Ok((changes, split.written()))
}

/// Has git write a patch, as much of it as is taken.
async fn write(
    diff: Invocation,
    ends: &[&Sha],
    style: PatchStyle<'_>,
    split: &mut Split<'_>,
) -> Result<(), GitError> {
    let diff = diff.args([
        "-p",
        "--full-index",
        "--no-color",
        "--src-prefix=a/",
        "--dst-prefix=b/",
        "--submodule=short",
    ]);
    let diff = diff.arg(format!("-U{}", style.context));
    let diff = diff.args(style.ignore_whitespace.then_some("--ignore-all-space"));
    let diff = diff.arg("--end-of-options").args(ends);
    let literal = |path: &&[u8]| OsString::from_vec([b":(literal)", *path].concat());
    let paths = style.paths.iter().map(literal);
    let copied = diff.arg("--").args(paths).copy_to(split).await;
    // Cut off, git was ended: its own words don't count.
    if split.is_cut { Ok(()) } else { copied.map(drop) }
}

async fn older(run: impl Fn(&str) -> Invocation, from: Option<&Sha>) -> Result<Sha, GitError> {
    match from {
        Some(from) => Ok(from.clone()),
        None => Sha::read("mktree", &run("mktree").stdin("").ok().await?),
    }
}
