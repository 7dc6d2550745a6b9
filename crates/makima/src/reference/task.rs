//! The task that is meant by a word.

use super::{Named, only};
use crate::{failure::Failure, pages::all_tasks};
use makima_client::Client;
use makima_model::TaskId;
use makima_wire::Task;
use std::{convert::Infallible, str::FromStr};

/// A word that names a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaskRef(String);

impl FromStr for TaskRef {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(Self(word.to_owned()))
    }
}

impl Named for Task {
    const KIND: &'static str = "a task";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn name(&self) -> &str {
        &self.name
    }
}

impl TaskRef {
    /// The word.
    pub(super) fn word(&self) -> &str {
        &self.0
    }

    /// The task, if exactly one is meant.
    pub(crate) async fn find(&self, client: &Client) -> Result<Task, Failure> {
        if let Ok(id) = self.0.parse::<TaskId>() {
            return Ok(client.task(id).await?);
        }
        only(&self.0, all_tasks(client).await?)
    }
}
