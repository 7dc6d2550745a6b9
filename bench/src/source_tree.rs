//! Trees of source files, and what a turn of an agent does to them: the same in every folder that it is done to.

use crate::content::Author;
use anyhow::Result;
use makima_testkit::Random;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// How many files lie in a folder, on average.
const FILES_A_FOLDER: usize = 14;

/// The files of a tree, and what is to come of them.
#[derive(Debug)]
pub(crate) struct SourceTree {
    author: Author,
    paths: Vec<String>,
    /// Contents of many files: to write each anew would take longer than what is measured.
    contents: Vec<String>,
}

/// One thing that is done to a tree.
#[derive(Debug)]
enum Edit {
    Write(String, String),
    Delete(String),
}

impl SourceTree {
    pub(crate) fn new(files: usize) -> Self {
        let mut author = Author::new(files as u64);
        let contents = (0..600)
            .map(|_| {
                let size = author.random.size(1_900.0, 1.0, 30, 60_000);
                author.code(size)
            })
            .collect();
        let folders = folders(&mut author.random, files.div_ceil(FILES_A_FOLDER));
        let paths = (0..files).map(|n| format!("{}/file_{n}.rs", author.random.pick(&folders))).collect();
        Self { author, paths, contents }
    }

    /// Writes all of it, with a folder that git ignores.
    pub(crate) fn write(&mut self, into: &Path) -> Result<()> {
        fs::write(into.join(".gitignore"), "/target/\n*.log\n")?;
        let target = into.join("target/debug");
        fs::create_dir_all(&target)?;
        for n in 0..200 {
            fs::write(target.join(format!("object_{n}.o")), &self.contents[n])?;
        }
        let mut made = BTreeSet::new();
        for (n, path) in self.paths.iter().enumerate() {
            let file = into.join(path);
            let folder = file.parent().unwrap_or(into).to_owned();
            if !made.contains(&folder) {
                fs::create_dir_all(&folder)?;
                made.insert(folder);
            }
            fs::write(file, format!("// {n}\n{}", self.author.random.pick(&self.contents)))?;
        }
        Ok(())
    }

    /// What a turn does: it changes eight files, adds three and deletes one, in each of the folders.
    pub(crate) fn edit(&mut self, round: usize, folders: &[PathBuf]) -> Result<()> {
        let mut edits = Vec::new();
        let mut changed = BTreeSet::new();
        while changed.len() < 8 {
            changed.insert(self.author.random.below(self.paths.len()));
        }
        for place in &changed {
            let path = self.paths[*place].clone();
            let before = fs::read_to_string(folders[0].join(&path))?;
            let mut lines: Vec<&str> = before.lines().collect();
            let added = self.author.code(160);
            let at = self.author.random.below(lines.len() + 1);
            lines.splice(at..(at + 2).min(lines.len()), added.lines());
            edits.push(Edit::Write(path, lines.join("\n") + "\n"));
        }
        for n in 0..3 {
            let folder = self.paths[self.author.random.below(self.paths.len())].clone();
            let (folder, _) = folder.rsplit_once('/').unwrap_or(("src", ""));
            let path = format!("{folder}/new_{round}_{n}.rs");
            edits.push(Edit::Write(path, self.author.code(1_500)));
        }
        let gone = (0..self.paths.len()).find(|place| !changed.contains(place));
        if let Some(place) = gone {
            edits.push(Edit::Delete(self.paths.remove(place)));
        }
        for folder in folders {
            for edit in &edits {
                match edit {
                    Edit::Write(path, content) => fs::write(folder.join(path), content)?,
                    Edit::Delete(path) => fs::remove_file(folder.join(path))?,
                }
            }
        }
        Ok(())
    }
}

/// Folders in folders, as deep as projects of this size have them.
fn folders(random: &mut Random, count: usize) -> Vec<String> {
    let mut folders = vec!["src".to_owned()];
    while folders.len() < count {
        let above = random.pick(&folders).clone();
        let above = if above.matches('/').count() < 6 { above } else { "src".to_owned() };
        folders.push(format!("{above}/part_{}", folders.len()));
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(folder: &Path) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut waiting = vec![folder.to_owned()];
        while let Some(next) = waiting.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    waiting.push(path);
                } else {
                    let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                    found.push((name, fs::read_to_string(path).unwrap()));
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn two_folders_stay_twins() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut tree, mut again) = (SourceTree::new(60), SourceTree::new(60));
        tree.write(one.path()).unwrap();
        again.write(other.path()).unwrap();
        let folders = [one.path().to_owned(), other.path().to_owned()];
        for round in 0..3 {
            let before = listed(one.path());
            assert_eq!(before, listed(other.path()));
            tree.edit(round, &folders).unwrap();
            assert_ne!(before, listed(one.path()));
        }
        // 60 files, .gitignore and 200 that are ignored; three more and one less each time.
        assert_eq!(listed(one.path()).len(), 60 + 1 + 200 + 3 * 2);
    }
}
