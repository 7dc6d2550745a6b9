//! Which texts from outside are taken. What breaks a rule is 422, and the sentence says which.

use crate::error::ApiError;
use makima_model::CommitPrefix;

/// The longest plan, description or message, in characters.
const LONG: usize = 1_000_000;

/// A name: 1 to 200 characters, not only spaces, no control characters.
pub(super) fn name(what: &str, text: &str) -> Result<String, ApiError> {
    let characters = text.chars().count();
    let text = text.trim();
    if text.is_empty() || characters > 200 {
        return Err(ApiError::unprocessable(format!(
            "{what} must have 1 to 200 characters, not only spaces, and has {characters}"
        )));
    }
    if text.contains(char::is_control) {
        return Err(ApiError::unprocessable(format!("{what} has a control character or a line break in it")));
    }
    Ok(text.to_owned())
}

/// A long text that may be empty.
pub(super) fn long(what: &str, text: &str) -> Result<(), ApiError> {
    let characters = text.chars().count();
    if characters > LONG {
        return Err(ApiError::unprocessable(format!(
            "{what} has {characters} characters; at most {LONG} are taken"
        )));
    }
    if text.contains('\0') {
        return Err(ApiError::unprocessable(format!("{what} has a NUL character in it")));
    }
    Ok(())
}

/// A long text that says something.
pub(super) fn said(what: &str, text: &str) -> Result<(), ApiError> {
    if text.trim().is_empty() {
        return Err(ApiError::unprocessable(format!("{what} is empty")));
    }
    long(what, text)
}

/// A BLAKE3 hash in hexadecimal.
pub(super) fn hash(field: &str, text: &str) -> Result<(), ApiError> {
    let is_one = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match is_one {
        true => Ok(()),
        false => Err(ApiError::unprocessable(format!("{field} must be 64 hexadecimal digits in lower case"))),
    }
}

/// A commit's name, whole or its first seven digits and more.
pub(super) fn sha(what: &str, text: &str) -> Result<CommitPrefix, ApiError> {
    let refused = || ApiError::bad_request(format!("{what} must have 7 to 64 hexadecimal digits"));
    CommitPrefix::parse(text).ok_or_else(refused)
}

/// A file of a worktree: relative, without a way out, and none of git's own.
pub(super) fn file_of_worktree(what: &str, path: &str) -> Result<(), ApiError> {
    let parts = || path.split('/');
    let good = !path.is_empty()
        && path.len() <= 4096
        && !path.contains('\0')
        && parts().all(|part| !part.is_empty() && part != "." && part != "..")
        && parts().all(|part| !part.eq_ignore_ascii_case(".git"));
    if good {
        return Ok(());
    }
    let shown: String = path.chars().take(200).collect();
    Err(ApiError::unprocessable(format!(
        "{what}: {shown:?} is no path of a file in a worktree: it must be relative, without `.` and `..`, and not in `.git`"
    )))
}

/// A text to look for: at most 1,000 characters, and not nothing.
pub(super) fn sought(text: &str) -> Result<String, ApiError> {
    if text.trim().is_empty() || text.chars().count() > 1000 || text.contains('\0') {
        return Err(ApiError::bad_request("q must have 1 to 1000 characters, and not only spaces"));
    }
    Ok(text.trim().to_owned())
}

/// A repository: an absolute path or a URL that git takes. Whether it is there, a daemon looks.
pub(super) fn repository(text: &str) -> Result<String, ApiError> {
    let text =
        name("repository", text).or_else(|error| if text.len() > 200 { path(text) } else { Err(error) })?;
    // `ext::` and the like run programs; `-x` would be an option.
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    let good = match scheme {
        Some(scheme) => ["file", "ssh", "https", "http", "git", "git+ssh"].contains(&scheme),
        None => text.starts_with('/') || is_scp(&text),
    };
    if good {
        return Ok(text);
    }
    Err(ApiError::unprocessable(
        "repository must be an absolute path, or a URL that begins with https://, ssh:// or file://, or user@host:path",
    ))
}

/// Paths may be longer than names.
fn path(text: &str) -> Result<String, ApiError> {
    if text.len() > 4096 || text.contains(char::is_control) {
        return Err(ApiError::unprocessable(
            "repository is longer than a path can be, or has a control character in it",
        ));
    }
    Ok(text.to_owned())
}

/// `user@host:path`, as ssh has it.
fn is_scp(text: &str) -> bool {
    let Some((host, path)) = text.split_once(':') else { return false };
    let word = |text: &str| {
        !text.is_empty()
            && !text.starts_with('-')
            && text.chars().all(|c| c.is_alphanumeric() || "._-".contains(c))
    };
    let host = match host.split_once('@') {
        Some((user, host)) if word(user) => host,
        Some(_) => return false,
        None => host,
    };
    word(host) && !path.is_empty() && !path.starts_with(':')
}

/// A branch that a task begins from. Whether it is there, a daemon looks.
pub(super) fn branch(text: &str) -> Result<String, ApiError> {
    let text = name("baseBranch", text)?;
    let bad = text.starts_with(['-', '/'])
        || text.ends_with(['/', '.'])
        || text.ends_with(".lock")
        || text.contains("..")
        || text.contains("//")
        || text.contains("@{")
        || text.contains([' ', '~', '^', ':', '?', '*', '[', '\\']);
    if bad { Err(ApiError::unprocessable("baseBranch is no name of a branch")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_paths_and_urls_that_run_nothing() {
        for good in [
            "/home/me/project",
            "https://example.org/a/b.git",
            "ssh://git@example.org/a.git",
            "git@example.org:a/b.git",
            "example.org:a/b.git",
            "file:///srv/a.git",
        ] {
            assert!(repository(good).is_ok(), "{good}");
        }
        assert!(repository(&format!("/{}", "a".repeat(300))).is_ok());
        for bad in
            ["", "project", "../project", "ext::sh -c x", "-oProxyCommand=x:y", "fd::7", "a\nb", "ext://x"]
        {
            assert!(repository(bad).is_err(), "{bad}");
        }
        assert!(repository(&format!("/{}", "a".repeat(5000))).is_err());
    }

    #[test]
    fn branches_are_names_that_git_takes() {
        assert!(branch("feature/x-1").is_ok());
        for bad in ["", "-x", "a..b", "a b", "a~1", "x.lock", "a/", "@{u}", "a\u{7}"] {
            assert!(branch(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn files_of_a_worktree_stay_in_it() {
        for good in [".env", "a/b c/é.txt", "...", "gitignore"] {
            assert!(file_of_worktree("copyFiles", good).is_ok(), "{good}");
        }
        for bad in
            ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", ".git/config", "a/.GIT/x", "a\0b"]
        {
            assert!(file_of_worktree("copyFiles", bad).is_err(), "{bad}");
        }
        assert!(file_of_worktree("copyFiles", &"a".repeat(5000)).is_err());
    }

    #[test]
    fn commits_are_named_by_seven_digits_or_more() {
        assert_eq!(sha("sha", "ABCDEF0").unwrap().as_str(), "abcdef0");
        for bad in ["", "abcdef", "abcdefg", "abc def0", &"a".repeat(65)] {
            assert!(sha("sha", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn texts_have_a_length() {
        assert!(said("plan", &"é".repeat(1_000_000)).is_ok());
        for bad in [String::new(), " \n".into(), "a\0".into(), "é".repeat(1_000_001)] {
            assert!(said("plan", &bad).is_err());
        }
    }
}
