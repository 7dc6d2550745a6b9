//! Names of branches and refs, checked before git sees them by the rules of `git check-ref-format`.

use std::fmt;

/// The folder of task branches: the only one this crate ever writes in a user's repository.
pub const TASK_BRANCHES: &str = "makima/";

/// A branch name (without `refs/heads/`) that git accepts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BranchName(String);

/// A name that git does not accept for a branch or ref.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no name for a branch: {why}")]
pub struct BadName {
    /// The name as it was given.
    pub name: String,
    /// The rule it breaks.
    pub why: &'static str,
}

impl BranchName {
    /// Checks a branch name.
    pub fn new(name: impl Into<String>) -> Result<Self, BadName> {
        let name = name.into();
        let why = broken_rule(&name)
            .or_else(|| name.starts_with('-').then_some("it begins with a dash"))
            .or_else(|| (name == "HEAD").then_some("HEAD is not a branch"));
        match why {
            Some(why) => Err(BadName { name, why }),
            None => Ok(Self(name)),
        }
    }

    /// The name as text, without `refs/heads/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The full ref name.
    pub fn full(&self) -> String {
        format!("refs/heads/{}", self.0)
    }

    /// Whether this is a branch of ours.
    pub fn is_task_branch(&self) -> bool {
        self.0.starts_with(TASK_BRANCHES)
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The rule of `git check-ref-format --allow-onelevel` that `name` breaks, if any.
pub(crate) fn broken_rule(name: &str) -> Option<&'static str> {
    let forbidden = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    let part = |bad: fn(&str) -> bool| name.split('/').any(bad);
    if name.is_empty() {
        Some("it is empty")
    } else if name.chars().any(forbidden) {
        Some("it holds a space, a control character or one of ~ ^ : ? * [ \\")
    } else if name.contains("..") || name.contains("@{") {
        Some("it holds .. or @{")
    } else if name == "@" {
        Some("@ alone means HEAD")
    } else if name.ends_with('.') {
        Some("it ends with a dot")
    } else if part(str::is_empty) {
        Some("it begins or ends with a slash, or has two in a row")
    } else if part(|part| part.starts_with('.')) {
        Some("a part of it begins with a dot")
    } else if part(|part| part.ends_with(".lock")) {
        Some("a part of it ends with .lock")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_are_accepted() {
        for name in ["main", "feature/x", "a.b", "ünïcode", "a@b", "x/HEAD", "a-", "makima/fix-it-0a1b2c3d"]
        {
            assert_eq!(BranchName::new(name).map(|b| b.full()), Ok(format!("refs/heads/{name}")));
        }
    }

    #[test]
    fn every_rule_is_kept() {
        let wrong = [
            "", "@", "HEAD", "-x", "/a", "a/", "a//b", ".a", "a/.b", "a..b", "a.lock", "a.lock/b", "a b",
            "a\tb", "a\nb", "a~b", "a^b", "a:b", "a?b", "a*b", "a[b", "a\\b", "a.", "a@{b", "a\u{7f}",
        ];
        for name in wrong {
            assert!(BranchName::new(name).is_err(), "{name:?}");
        }
    }
}
