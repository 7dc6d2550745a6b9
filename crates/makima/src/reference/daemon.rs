//! The daemon that is meant by a word.

use super::{Named, only};
use crate::failure::Failure;
use makima_client::Client;
use makima_wire::Daemon;
use std::{convert::Infallible, str::FromStr};

/// A word that names a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DaemonRef(String);

impl FromStr for DaemonRef {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(Self(word.to_owned()))
    }
}

impl Named for Daemon {
    const KIND: &'static str = "a daemon";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn name(&self) -> &str {
        &self.name
    }
}

impl DaemonRef {
    /// The daemon, if exactly one is meant.
    pub(crate) async fn find(&self, client: &Client) -> Result<Daemon, Failure> {
        only(&self.0, client.daemons().await?.daemons)
    }
}
