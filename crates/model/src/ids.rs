//! One type for each kind of id, so that a task's id can't be handed to what wants a run's.

use serde::{Deserialize, Deserializer, Serialize};
use std::{fmt, str::FromStr};
use utoipa::ToSchema;
use uuid::Uuid;

/// A text that is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a UUID")]
pub struct IdError {
    /// What was given, cut to 64 characters.
    pub text: String,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String, format = "uuid")]
        pub struct $name(Uuid);

        impl $name {
            /// The bare UUID.
            pub fn uuid(self) -> Uuid {
                self.0
            }

            /// The last eight hex digits: the first ones of a UUIDv7 are the clock.
            pub fn short(self) -> String {
                self.0.simple().to_string()[24..].to_owned()
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                // Only the hyphenated form: `{…}` and `urn:uuid:…` are ids to nobody here.
                match Uuid::try_parse(text) {
                    Ok(id) if text.len() == 36 => Ok(Self(id)),
                    _ => Err(IdError { text: text.chars().take(64).collect() }),
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )*};
}

ids! {
    /// A row of `users` that things belong to: a person or a team.
    OwnerId
    /// Who acts: the row of `users` that a key was made for.
    PrincipalId
    /// An API key.
    KeyId
    /// A contract.
    ContractId
    /// A task.
    TaskId
    /// One start of a task's agent on one daemon.
    RunId
    /// A machine that runs agents.
    DaemonId
    /// A conversation of a chat.
    ChatConversationId
    /// A message of a conversation.
    MessageId
    /// A branch of a conversation.
    BranchId
    /// A kept position in a conversation.
    SnapshotId
    /// A checkpoint.
    CheckpointId
    /// An event.
    EventId
    /// A question that waits for its owner.
    QuestionId
    /// A change of history.
    OperationId
    /// A command from the server to a daemon.
    CommandId
    /// A session that is imported.
    ImportId
    /// An export that is being made.
    ExportId
    /// An attempt to carry out a request that is to be carried out once.
    AttemptId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_id_is_the_end_of_the_long_one() {
        let id: TaskId = "01932f4e-7b1c-7cc3-98c4-dc0c0c07398f".parse().unwrap();
        assert_eq!(id.short(), "0c07398f");
        assert_eq!(id.to_string(), "01932f4e-7b1c-7cc3-98c4-dc0c0c07398f");
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        for text in ["", "x", "01932f4e7b1c7cc398c4dc0c0c07398f", "{01932f4e-7b1c-7cc3-98c4-dc0c0c07398f}"] {
            assert!(text.parse::<TaskId>().is_err(), "{text}");
        }
    }
}
