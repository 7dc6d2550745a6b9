//! The key that is meant by a word.

use super::{Named, only};
use crate::failure::Failure;
use makima_client::Client;
use makima_wire::Key;
use std::{convert::Infallible, str::FromStr};

/// A word that names a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRef(String);

impl FromStr for KeyRef {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(Self(word.to_owned()))
    }
}

impl Named for Key {
    const KIND: &'static str = "a key";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn name(&self) -> &str {
        &self.name
    }
}

impl KeyRef {
    /// The key, if exactly one is meant.
    pub(crate) async fn find(&self, client: &Client) -> Result<Key, Failure> {
        only(&self.0, client.keys().await?.keys)
    }
}
