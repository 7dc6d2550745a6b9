//! Files that git would not write as they are: with line endings, or an encoding, that its rules would give otherwise.
//!
//! A tree holds them as the rules clean them, so their bytes are kept beside it. What a filter turns into something else,
//! such as a large file into a pointer, is the filter's to bring back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::keep::DISK;
use super::state::{ended, split_at_tab};
use super::{Fault, Name, file_in};
use crate::{GitError, Sha, Worktree};

/// The blobs of their bytes, by their paths.
pub(super) type Raw = BTreeMap<Name, Sha>;

/// What the settings say of files that have no rules of their own.
struct LineEndings {
    /// They are converted at all.
    automatic: bool,
    /// When they are written, too.
    writes_crlf: bool,
}

/// Files with rules of their own, but for those that say that nothing is converted.
const WITH_RULES: [&str; 2] =
    [":(exclude,attr:!text !eol !crlf !ident !working-tree-encoding)", ":(exclude,attr:-text)"];

impl Worktree {
    /// Writes the bytes of those that are on the disk, by our index of it.
    pub(super) async fn write_raw(&self) -> Result<Raw, Fault> {
        let converted = self.converted().await?;
        if converted.is_empty() {
            return Ok(Raw::new());
        }
        let written = self.private().join("converted");
        remove(&written)?;
        fs::create_dir_all(&written)?;
        let write = self.run("checkout-index").work_tree(&written).index(&self.private().join(DISK));
        write.args(["-z", "--stdin"]).stdin(ended(&converted)).ok().await?;
        let mut others = Vec::new();
        for name in converted {
            let (here, there) = (file_in(self.folder(), &name), file_in(&written, &name));
            if !is_same(&here, &there)? {
                // In its place, to be hashed from there.
                fs::copy(&here, &there)?;
                others.push((name, there));
            }
        }
        let blobs = self.write_blobs(others.iter().map(|(_, path)| File::open(path))).await?;
        remove(&written)?;
        Ok(others.into_iter().map(|(name, _)| name).zip(blobs).collect())
    }

    /// Files that git may write otherwise: by rules that change what it writes; or that have another size than their
    /// blob, since they were changed when they were read.
    async fn converted(&self) -> Result<BTreeSet<Name>, Fault> {
        let settings = self.line_endings().await?;
        let rules = if settings.automatic { &WITH_RULES[1..] } else { &WITH_RULES[..] };
        let list = self.run("ls-files").index(&self.private().join(DISK)).args(["-z", "--stage", "--"]);
        let listed = list.args(rules).ok().await?;
        let mut files = BTreeMap::new();
        for line in listed.split(|b| *b == 0).filter(|line| line.starts_with(b"100")) {
            // `<mode> <oid> <stage>\t<path>`
            let (about, path) = split_at_tab("ls-files", line)?;
            let blob = about.split(|b| *b == b' ').nth(1).unwrap_or_default();
            files.insert(path.to_vec(), Sha::read("ls-files", blob)?);
        }
        if files.is_empty() {
            return Ok(BTreeSet::new());
        }
        let asked: String = files.values().map(|blob| format!("{blob}\n")).collect();
        let sizes = self.run("cat-file").arg("--batch-check=%(objectsize)").stdin(asked);
        let check = self.run("check-attr").args(["-z", "--stdin", "eol", "ident", "working-tree-encoding"]);
        let (said, rules) = tokio::try_join!(sizes.ok(), check.stdin(ended(files.keys())).ok())?;
        let sizes = String::from_utf8_lossy(&said);
        let mut converted =
            if settings.writes_crlf { files.keys().cloned().collect() } else { by_rules(&rules) };
        for (path, size) in files.into_keys().zip(sizes.lines()) {
            let size: u64 = size.parse().map_err(|_| GitError::unreadable("cat-file", size.as_bytes()))?;
            let found = file_in(self.folder(), &path).symlink_metadata().ok().filter(fs::Metadata::is_file);
            match found.map(|found| found.len()) {
                Some(length) if length != size => drop(converted.insert(path)),
                Some(_) => {}
                None => drop(converted.remove(&path)),
            }
        }
        Ok(converted)
    }

    async fn line_endings(&self) -> Result<LineEndings, GitError> {
        let asked = self.run("config").args(["--null", "--get-regexp", "^core\\.(autocrlf|eol)$"]);
        let said = asked.output().await?.stdout;
        // The last one counts, as for git.
        let (mut automatic, mut eol) = ("false", "native");
        let text = String::from_utf8_lossy(&said);
        for (name, value) in text.split('\0').filter_map(|entry| entry.split_once('\n')) {
            *(if name == "core.eol" { &mut eol } else { &mut automatic }) = value;
        }
        let is_automatic = automatic != "false";
        let writes_crlf = eol == "crlf" || (is_automatic && automatic != "input");
        Ok(LineEndings { automatic: is_automatic, writes_crlf })
    }

    /// Puts the bytes into files that git has written by its rules.
    pub(super) async fn put_raw(&self, raw: &Raw, name: &Name, file: &Path) -> Result<(), Fault> {
        let Some(blob) = raw.get(name) else { return Ok(()) };
        let mut file = tokio::fs::File::create(file).await?;
        Ok(self.run("cat-file").args(["blob", blob.as_str()]).copy_to(&mut file).await?)
    }
}

/// `<path> <attribute> <value>`, each with a NUL after it: those that are not written as their blobs are.
fn by_rules(said: &[u8]) -> BTreeSet<Name> {
    let fields: Vec<&[u8]> = said.split(|b| *b == 0).collect();
    let writes = |attribute: &[u8], value: &[u8]| match attribute {
        b"eol" => value == b"crlf",
        _ => !matches!(value, b"unspecified" | b"unset"),
    };
    let rules = fields.chunks_exact(3).filter(|rule| writes(rule[1], rule[2]));
    rules.map(|rule| rule[0].to_vec()).collect()
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let mut bytes = BufReader::new(one).bytes().zip(BufReader::new(other).bytes());
    Ok(bytes.all(|(one, other)| matches!((one, other), (Ok(one), Ok(other)) if one == other)))
}
