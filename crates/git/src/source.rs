//! Where a repository comes from: a local path or a git URL, told apart as git itself does.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// A repository that tasks work on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A repository on this machine (an absolute path, or `file://`): a worktree, a folder in one, or a bare one.
    Local(PathBuf),
    /// A repository that git reaches through ssh, https, http or git.
    Remote(String),
}

/// What names no repository that could be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSource {
    /// A path that depends on a current folder.
    #[error("{path:?} is not an absolute path")]
    Relative {
        /// The path.
        path: String,
    },
    /// A URL scheme or remote helper that is not allowed: some of them run programs.
    #[error("{url:?} is reached through {protocol:?}; use a path, ssh, https, http, git or file")]
    Protocol {
        /// The URL.
        url: String,
        /// What is not allowed.
        protocol: String,
    },
}

impl Source {
    /// Reads what the user gave as `repository`.
    pub fn parse(text: &str) -> Result<Self, BadSource> {
        let refuse = |protocol: &str| BadSource::Protocol { url: text.into(), protocol: protocol.into() };
        if let Some((scheme, rest)) = text.split_once("://") {
            return match scheme {
                "file" => Self::local(&decoded(rest), text),
                "ssh" | "git+ssh" | "ssh+git" | "https" | "http" | "git" => Ok(Self::Remote(text.into())),
                other => Err(refuse(other)),
            };
        }
        if let Some((helper, _)) = text.split_once("::").filter(|(name, _)| !name.contains('/')) {
            return Err(refuse(helper));
        }
        // As git: a colon before any slash makes it `host:path`.
        match (text.find(':'), text.find('/')) {
            (Some(colon), slash) if colon > 0 && slash.is_none_or(|slash| colon < slash) => {
                Ok(Self::Remote(text.into()))
            }
            _ => Self::local(text.as_ref(), text),
        }
    }

    fn local(path: &Path, text: &str) -> Result<Self, BadSource> {
        match path.is_absolute() {
            true => Ok(Self::Local(path.into())),
            false => Err(BadSource::Relative { path: text.into() }),
        }
    }

    /// The path of a local repository.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Local(path) => Some(path),
            Self::Remote(_) => None,
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(f),
            Self::Remote(url) => f.write_str(&crate::error::words_of(url.as_bytes())),
        }
    }
}

/// A `file://` URL's path: `%20` and the like decoded, the host left out.
fn decoded(rest: &str) -> PathBuf {
    let path = rest.find('/').map_or("", |at| &rest[at..]).as_bytes();
    let mut bytes = Vec::with_capacity(path.len());
    let mut at = 0;
    while at < path.len() {
        let hex = path.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| path[at] == b'%') {
            Some(byte) => {
                bytes.push(byte);
                at += 3;
            }
            None => {
                bytes.push(path[at]);
                at += 1;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_urls_are_told_apart_as_git_does() {
        let local = |path: &str| Ok(Source::Local(path.into()));
        let remote = |url: &str| Ok(Source::Remote(url.into()));
        assert_eq!(Source::parse("/a/b"), local("/a/b"));
        assert_eq!(Source::parse("/a:b"), local("/a:b"));
        assert_eq!(Source::parse("file:///a%20b/c%"), local("/a b/c%"));
        assert_eq!(Source::parse("git@host:x/y.git"), remote("git@host:x/y.git"));
        assert_eq!(Source::parse("https://host/x"), remote("https://host/x"));
        assert!(matches!(Source::parse("a/b:c"), Err(BadSource::Relative { .. })));
        assert!(matches!(Source::parse(""), Err(BadSource::Relative { .. })));
    }

    #[test]
    fn what_runs_programs_is_refused() {
        for url in ["ext::sh -c evil", "fd::7", "ftp://host/x", "ext://x"] {
            assert!(matches!(Source::parse(url), Err(BadSource::Protocol { .. })), "{url}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(Source::Remote("https://me:key@host/x".into()).to_string(), "https://host/x");
    }
}
