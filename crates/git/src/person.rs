//! Who a commit is by.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::invocation::Invocation;
use crate::{BareClone, GitError};

/// A name and an address, as a commit has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

impl Person {
    /// Who commits what this crate commits.
    pub(crate) fn makima() -> Self {
        Self { name: "Makima".into(), email: "makima@localhost".into() }
    }

    /// git refuses a name that is empty when what it strips is gone.
    fn usable_name(&self) -> &str {
        let name = self.name.trim();
        if name.chars().any(char::is_alphanumeric) { name } else { "Unknown" }
    }
}

impl BareClone {
    /// The user, as the repository's settings (carried over) or the machine's name them.
    pub async fn user(&self) -> Result<Person, GitError> {
        let asked =
            self.run("config").args(["--null", "--get-regexp", "^user\\.(name|email)$"]).output().await?;
        let mut user = Person { name: String::new(), email: String::new() };
        // Exits with 1 where there is none.
        if asked.code == Some(1) {
            return Ok(user);
        }
        let said = asked.success("config")?;
        let text = String::from_utf8_lossy(&said);
        // The last one counts, as for git.
        for (name, value) in text.split('\0').filter_map(|entry| entry.split_once('\n')) {
            match name {
                "user.name" => user.name = value.into(),
                _ => user.email = value.into(),
            }
        }
        Ok(user)
    }
}

impl Invocation {
    /// Commits by `author`, through Makima, at this time.
    pub(crate) fn signed(self, author: &Person, at: SystemTime) -> Self {
        let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let date = format!("@{seconds} +0000");
        let makima = Person::makima();
        let clean = |text: &str| text.replace('\0', "");
        self.env("GIT_AUTHOR_NAME", clean(author.usable_name()))
            .env("GIT_AUTHOR_EMAIL", clean(&author.email))
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_NAME", makima.name)
            .env("GIT_COMMITTER_EMAIL", makima.email)
            .env("GIT_COMMITTER_DATE", &date)
    }
}
