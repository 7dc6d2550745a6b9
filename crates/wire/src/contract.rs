//! Contracts.

use makima_model::{ContractId, ContractStatus, Phase, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A goal with a repository and a phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contract {
    /// Its id.
    pub id: ContractId,
    /// Its name.
    pub name: String,
    /// The goal.
    pub description: String,
    /// A local path or a git URL.
    pub repository: String,
    /// The branch its tasks start from; absent: the repository's own default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_branch: Option<String>,
    /// The agent of its tasks; absent: the daemon's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// How far its work has come.
    pub phase: Phase,
    /// Whether it is worked on.
    pub status: ContractStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A page of contracts, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContractList {
    /// The rows.
    pub contracts: Vec<Contract>,
    /// How many there are in all.
    pub total_count: i64,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A contract to make.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateContract {
    /// Its name: 1 to 200 characters, none of them a control character.
    pub name: String,
    /// The goal: at most 1,000,000 characters.
    #[serde(default)]
    pub description: String,
    /// A local path or a git URL.
    pub repository: String,
    /// The branch its tasks start from; absent: the repository's own default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_branch: Option<String>,
    /// The agent of its tasks; absent: the daemon's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}
