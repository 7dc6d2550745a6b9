//! Refs that stand in files of their own, read without a git process: git reads such a file before all else, so what it
//! says is what git would say. `None` means only that git has to be asked: there is no such file, or it says
//! something else than a commit, or refs are kept in another form.

use std::fs;
use std::io;
use std::path::Path;

use crate::Sha;
use crate::names::broken_rule;

/// The commit of a ref of a repository, by its git folder (the one that all its worktrees share).
pub(crate) fn commit_of(common_dir: &Path, full_name: &str) -> Option<Sha> {
    if broken_rule(full_name).is_some() || !full_name.starts_with("refs/") {
        return None;
    }
    Sha::parse(fs::read_to_string(common_dir.join(full_name)).ok()?.trim_end())
}

/// The commit HEAD of a worktree is at, by the worktree's git folder.
pub(crate) fn head(git_dir: &Path) -> Option<Sha> {
    let head = fs::read_to_string(git_dir.join("HEAD")).ok()?;
    let head = head.trim_end();
    match head.strip_prefix("ref: ") {
        // Only branches are the same for all worktrees.
        Some(name) if name.starts_with("refs/heads/") => {
            // The first worktree of a repository has no such file: its git folder is the one of all.
            let common_dir = match fs::read_to_string(git_dir.join("commondir")) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
                read => read.ok()?,
            };
            commit_of(&git_dir.join(common_dir.trim_end()), name)
        }
        Some(_) => None,
        None => Sha::parse(head),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_commit_in_a_file_is_left_to_git() {
        let folder = tempfile::tempdir().unwrap();
        let (common, git_dir) = (folder.path(), folder.path().join("worktrees/one"));
        let write = |name: &str, text: &str| {
            fs::create_dir_all(common.join(name).parent().unwrap()).unwrap();
            fs::write(common.join(name), text).unwrap();
        };
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        write("worktrees/one/commondir", "../..\n");
        write("worktrees/one/HEAD", "ref: refs/heads/a/b\n");
        assert_eq!(head(&git_dir), None);
        write("refs/heads/a/b", &format!("{one}\n"));
        assert_eq!(head(&git_dir), Sha::parse(&one));
        assert_eq!(commit_of(common, "refs/heads/a/b"), Sha::parse(&one));
        write("refs/heads/a/b", "ref: refs/heads/c\n");
        assert_eq!(head(&git_dir), None);
        write("worktrees/one/HEAD", "ref: refs/bisect/bad\n");
        write("refs/bisect/bad", &one);
        assert_eq!(head(&git_dir), None);
        write("worktrees/one/HEAD", &format!("{two}\n"));
        assert_eq!(head(&git_dir), Sha::parse(&two));
        write("HEAD", "ref: refs/heads/a/c\n");
        assert_eq!(head(common), None);
        write("refs/heads/a/c", &format!("{two}\n"));
        assert_eq!(head(common), Sha::parse(&two));
        write("refs/heads/outside", &one);
        assert_eq!(commit_of(&git_dir, "refs/../../../refs/heads/outside"), None);
        assert_eq!(commit_of(&common.join("refs"), "heads/outside"), None);
    }
}
