//! Shapes that many bodies share.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, marker::PhantomData, str::FromStr};
use utoipa::ToSchema;

/// Which end of a list comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The newest.
    #[default]
    Desc,
    /// The oldest.
    Asc,
}

/// The query of every list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct List {
    /// How many rows at most: 100 unless told, 1000 at most.
    #[param(minimum = 1, maximum = 1000)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page before ended: its `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// `desc`: newest first, as without it. `asc`: oldest first.
    #[param(inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

/// Words of a query: repeated (`status=a&status=b`), or with commas between them (`status=a,b`). None at all means any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words<T>(pub Vec<T>);

impl<T> Words<T> {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for Words<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: fmt::Display> fmt::Display for Words<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            write!(f, "{word}")?;
        }
        Ok(())
    }
}

impl<T: fmt::Display> Serialize for Words<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, T: FromStr<Err: fmt::Display> + PartialEq> Deserialize<'de> for Words<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: FromStr<Err: fmt::Display> + PartialEq> de::Visitor<'de> for Reader<T> {
            type Value = Words<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("words, repeated or with commas between them")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut values: A) -> Result<Words<T>, A::Error> {
                let mut words = Vec::new();
                while let Some(value) = values.next_element::<std::borrow::Cow<'de, str>>()? {
                    for word in value.split(',') {
                        let word = word.trim().parse().map_err(de::Error::custom)?;
                        if !words.contains(&word) {
                            words.push(word);
                        }
                    }
                }
                Ok(Words(words))
            }
        }
        deserializer.deserialize_seq(Reader(PhantomData))
    }
}

/// The answer of `/healthz` and `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: String,
    /// The server's version.
    pub version: String,
}
