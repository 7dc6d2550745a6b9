//! The task that is meant by a word: its id, the beginning of its id or short id, or its name.

use crate::failure::Failure;
use makima_client::Client;
use makima_model::TaskId;
use makima_wire::{List, Task};
use std::{convert::Infallible, str::FromStr};

/// The least characters of an id that name a task.
const SHORTEST: usize = 4;

/// A word that names a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaskRef(String);

impl FromStr for TaskRef {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(Self(word.to_owned()))
    }
}

impl TaskRef {
    /// The task, if exactly one is meant.
    pub(crate) async fn find(&self, client: &Client) -> Result<Task, Failure> {
        if let Ok(id) = self.0.parse::<TaskId>() {
            return Ok(client.task(id).await?);
        }
        let mut meant = Vec::new();
        let mut list = List { limit: Some(1000), cursor: None };
        loop {
            let page = client.tasks(None, &list).await?;
            meant.extend(page.tasks.into_iter().filter(|task| self.means(task.id, &task.name)));
            list.cursor = page.cursor;
            if list.cursor.is_none() {
                break;
            }
        }
        self.only(meant)
    }

    fn only(&self, mut meant: Vec<Task>) -> Result<Task, Failure> {
        match meant.len() {
            0 => Err(Failure::not_found(format!("there is no task {:?}", self.0)).hint(
                "a task is named by 4 or more of the first characters of its id or short id, or by its name",
            )),
            1 => Ok(meant.swap_remove(0)),
            n => {
                let some: Vec<String> =
                    meant.iter().take(5).map(|task| format!("{} ({})", task.id.short(), task.name)).collect();
                let more = if n > some.len() { ", …" } else { "" };
                Err(Failure::usage(format!("{:?} means {n} tasks", self.0))
                    .hint(format!("say which: {}{more}", some.join(", "))))
            }
        }
    }

    /// Whether the word may mean this task.
    fn means(&self, id: TaskId, name: &str) -> bool {
        let word = self.0.to_ascii_lowercase();
        let enough = word.chars().filter(|c| c.is_ascii_hexdigit()).count() >= SHORTEST;
        let begins = || id.to_string().starts_with(&word) || id.short().starts_with(&word);
        name == self.0 || (enough && begins())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_characters_of_either_id_are_enough_and_a_name_is_whole() {
        let id: TaskId = "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0123".parse().unwrap();
        let means = |word: &str| TaskRef(word.to_owned()).means(id, "Fix the parser");
        for word in [
            "0199",
            "0199AAAA-bb",
            "ffff",
            "ffff0123",
            "Fix the parser",
            "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0123",
        ] {
            assert!(means(word), "{word}");
        }
        for word in ["019", "fff", "0123", "ffff01234", "Fix the", "", "-", "eeee"] {
            assert!(!means(word), "{word}");
        }
    }
}
