//! What a repository tells agents, read without trusting the repository.

use std::{fs::File, io::Read, path::Path};

/// The most that is read of one file: what is longer would crowd out the work itself.
const MOST: u64 = 64 * 1024;

/// Reads those of `files` that are there, relative to `worktree`, each under its name. A file that leads out of the worktree, by a symlink
/// or otherwise, is passed over; one that is too long is cut, and says so.
pub fn instructions(worktree: &Path, files: &[&str]) -> Option<String> {
    let parts: Vec<String> = files.iter().filter_map(|file| read(worktree, file)).collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

fn read(worktree: &Path, file: &str) -> Option<String> {
    let root = worktree.canonicalize().ok()?;
    let path = root.join(file).canonicalize().ok()?;
    // A FIFO or device would be waited for: only plain files are opened.
    if !path.starts_with(&root) || !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(&path).ok()?.take(MOST + 1).read_to_end(&mut bytes).ok()?;
    let cut = bytes.len() as u64 > MOST;
    bytes.truncate(usize::try_from(MOST).unwrap_or(usize::MAX));
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim();
    let rest = if cut { "\n[The file goes on; read it for the rest.]" } else { "" };
    (!text.is_empty()).then(|| format!("Contents of {file} of this repository:\n\n{text}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn files_that_are_there_are_read_in_order() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".claude")).unwrap();
        fs::write(folder.path().join("CLAUDE.md"), "Use tabs.\n").unwrap();
        fs::write(folder.path().join(".claude/CLAUDE.md"), "Be kind.").unwrap();
        let text = instructions(folder.path(), &["CLAUDE.md", "none.md", ".claude/CLAUDE.md"]).unwrap();
        assert_eq!(
            text,
            "Contents of CLAUDE.md of this repository:\n\nUse tabs.\n\n\
             Contents of .claude/CLAUDE.md of this repository:\n\nBe kind."
        );
    }

    #[test]
    fn nothing_outside_the_worktree_is_read() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        let folder = tempfile::tempdir().unwrap();
        symlink(outside.path().join("secret"), folder.path().join("CLAUDE.md")).unwrap();
        symlink(outside.path(), folder.path().join(".claude")).unwrap();
        assert_eq!(instructions(folder.path(), &["CLAUDE.md", ".claude/secret", "../secret"]), None);
    }

    #[test]
    fn a_symlink_within_the_worktree_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("AGENTS.md"), "Test first.").unwrap();
        symlink("AGENTS.md", folder.path().join("CLAUDE.md")).unwrap();
        assert!(instructions(folder.path(), &["CLAUDE.md"]).unwrap().contains("Test first."));
    }

    #[test]
    fn a_long_file_is_cut_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("CLAUDE.md"), "ü".repeat(50_000)).unwrap();
        let text = instructions(folder.path(), &["CLAUDE.md"]).unwrap();
        assert!(text.len() < 70_000 && text.ends_with("read it for the rest.]"), "{}", text.len());
    }
}
