//! Keys, links to sign in with, and who one is.

use crate::shape::Name;
use makima_model::{ContractId, KeyId, OwnerId, PrincipalId, TaskId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An API key. The secret itself is told once, when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// Its id.
    pub id: KeyId,
    /// What it is called.
    pub name: String,
    /// Who acts with it.
    pub principal_id: PrincipalId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked; absent while it opens the door.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// The owner's keys, oldest first, revoked ones too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyList {
    /// The rows.
    pub keys: Vec<Key>,
    /// How many there are.
    pub total_count: i64,
}

/// A key to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateKey {
    /// What to call it: 1 to 200 characters, none of them a control character.
    #[schema(value_type = Name)]
    pub name: String,
}

/// A key that was just made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedKey {
    /// The key.
    #[serde(flatten)]
    pub key: Key,
    /// The secret: told this once, and kept nowhere.
    pub api_key: String,
}

/// A link that signs a browser in, once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignInLink {
    /// The address to open.
    pub url: String,
    /// What signs in: the part of the address behind `#`.
    pub token: String,
    /// Until when it does.
    pub expires_at: Timestamp,
}

/// What a link was opened with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignIn {
    /// The link's token.
    pub token: String,
}

/// What opened the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// An API key.
    Key,
    /// A browser's session.
    Session,
    /// An agent's own key.
    Tool,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// Who acts.
    pub principal_id: PrincipalId,
    /// Their name.
    pub principal_name: String,
    /// Whose things are opened.
    pub owner_id: OwnerId,
    /// Their name.
    pub owner_name: String,
    /// What opened the door.
    pub via: Via,
    /// Of an agent: its task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// Of an agent: its contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<ContractId>,
}
