//! Settings of a local repository that its clone takes over: who the user is, where `origin` is, how line endings
//! and large files are treated. Nothing that names a program is, but for Git LFS's own filters, word by word.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::BareClone;
use crate::inspect::LocalRepository;
use crate::{Git, GitError};

/// Taken over from whichever file the user's repository has them from.
const EFFECTIVE: &[&str] = &[
    "user.name",
    "user.email",
    "core.autocrlf",
    "core.eol",
    "remote.origin.url",
    "remote.origin.pushurl",
    "lfs.url",
    "lfs.pushurl",
    "lfs.fetchinclude",
    "lfs.fetchexclude",
    "lfs.concurrenttransfers",
    "lfs.skipdownloaderrors",
    "lfs.repositoryformatversion",
];

/// Files of rules, beside those that every repository has. Where they are named for all repositories, ours sees that too.
const RULES: &[&str] = &["core.excludesfile", "core.attributesfile"];

/// What `git lfs install` writes. Any other program in these places stays behind.
const LFS_FILTERS: &[(&str, &str)] = &[
    ("filter.lfs.clean", "git-lfs clean -- %f"),
    ("filter.lfs.smudge", "git-lfs smudge -- %f"),
    ("filter.lfs.smudge", "git-lfs smudge --skip -- %f"),
    ("filter.lfs.process", "git-lfs filter-process"),
    ("filter.lfs.process", "git-lfs filter-process --skip"),
    ("filter.lfs.required", "true"),
];

/// Name and value of a setting.
pub(super) type Setting = (String, String);

/// The settings that a clone of this local repository takes over.
pub(super) async fn of_local(git: &Git, local: &LocalRepository) -> Result<Vec<Setting>, GitError> {
    let folder = local.worktree.as_deref().unwrap_or(&local.git_dir);
    let listed = git.run("config").in_folder(folder).args(["--null", "--show-scope", "--list"]).ok().await?;
    let text = String::from_utf8_lossy(&listed);
    let fields: Vec<&str> = text.split('\0').collect();
    let mut taken: Vec<Setting> = Vec::new();
    for pair in fields.chunks_exact(2) {
        let Some((name, value)) = pair[1].split_once('\n') else { continue };
        let lfs = LFS_FILTERS.contains(&(name, value));
        let rules = RULES.contains(&name) && matches!(pair[0], "local" | "worktree");
        if !lfs && !rules && !EFFECTIVE.contains(&name) {
            continue;
        }
        let value = match name.starts_with("remote.") {
            _ if rules => match rules_file(git, value, folder) {
                Some(file) => file,
                None => continue,
            },
            true => from_anywhere(value, folder),
            false => value.into(),
        };
        // The last one counts, as for git.
        taken.retain(|(known, _)| known != name);
        taken.push((name.into(), value));
    }
    Ok(taken)
}

/// Where a file of rules is. Anything else than a file (a pipe, say) would be waited for by every git.
fn rules_file(git: &Git, value: &str, folder: &Path) -> Option<String> {
    let path = match (value.strip_prefix("~/"), git.environment().get("HOME")) {
        (Some(rest), Some(home)) => Path::new(home).join(rest),
        _ => folder.join(value),
    };
    path.is_file().then(|| path.to_string_lossy().into_owned())
}

/// A relative path of the user's repository means another folder in ours.
fn from_anywhere(url: &str, folder: &Path) -> String {
    let relative = !url.contains(':') && !url.starts_with('/');
    if relative { folder.join(url).to_string_lossy().into_owned() } else { url.into() }
}

/// Names the branch that the source is on, where it has no commit yet.
const UNBORN: &str = "makima.unborn";

impl BareClone {
    pub(super) fn write_unborn(&self, branch: Option<&str>) -> std::io::Result<()> {
        replace(&self.dir, UNBORN, branch.unwrap_or_default().as_bytes())
    }

    pub(super) fn unborn(&self) -> Option<String> {
        std::fs::read_to_string(self.dir.join(UNBORN)).ok().filter(|branch| !branch.is_empty())
    }

    /// Writes `makima.config` anew, whole or not at all, if it differs.
    pub(super) fn write_settings(&self, settings: &[Setting]) -> std::io::Result<()> {
        replace(&self.dir, "makima.config", as_file(settings).as_bytes())
    }

    /// Takes over what the user ignores, and how files are treated, in this one repository.
    pub(super) fn copy_private_rules(&self, local: &LocalRepository) -> std::io::Result<()> {
        std::fs::create_dir_all(self.dir.join("info"))?;
        for name in ["exclude", "attributes"] {
            let rules = match std::fs::read(local.common_dir.join("info").join(name)) {
                Ok(rules) => rules,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
                Err(error) => return Err(error),
            };
            replace(&self.dir.join("info"), name, &rules)?;
        }
        Ok(())
    }
}

fn replace(folder: &Path, name: &str, content: &[u8]) -> std::io::Result<()> {
    let file = folder.join(name);
    if std::fs::read(&file).is_ok_and(|old| old == content) || (content.is_empty() && !file.exists()) {
        return Ok(());
    }
    let new = folder.join(format!("{name}.new"));
    std::fs::write(&new, content)?;
    std::fs::rename(&new, &file)
}

fn as_file(settings: &[Setting]) -> String {
    let mut file = String::from("# Written anew at every fetch: what is carried over from the source.\n");
    for (name, value) in settings {
        let Some((section, key)) = name.rsplit_once('.') else { continue };
        let header = match section.split_once('.') {
            Some((section, sub)) => format!("{section} {}", quoted(sub)),
            None => section.into(),
        };
        file += &format!("[{header}]\n\t{key} = {}\n", quoted(value));
    }
    file
}

fn quoted(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
    format!("\"{escaped}\"")
}

/// How a path is written where git reads a URL.
pub(super) fn url_of(path: &Path) -> &std::ffi::OsStr {
    std::ffi::OsStr::from_bytes(path.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_as_git_reads_them() {
        let file =
            as_file(&[("user.name".into(), "A \"B\" \\C".into()), ("remote.origin.url".into(), "x".into())]);
        assert!(file.contains("[user]\n\tname = \"A \\\"B\\\" \\\\C\"\n"));
        assert!(file.contains("[remote \"origin\"]\n\turl = \"x\"\n"));
    }
}
