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
        let git = self.git();
        let read = async |key| -> Result<String, GitError> {
            let value = git.setting(self.dir(), key).await?;
            Ok(value.map(|value| String::from_utf8_lossy(&value).into_owned()).unwrap_or_default())
        };
        Ok(Person { name: read("user.name").await?, email: read("user.email").await? })
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
