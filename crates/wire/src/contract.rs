//! Contracts.

use crate::{
    List, Order, Words,
    shape::{Name, Repository, Sought, Text},
};
use makima_model::{ContractId, ContractStatus, Phase, TaskStatus, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    /// How many of its tasks stand where. A status that none has is absent.
    pub task_counts: BTreeMap<TaskStatus, i64>,
    /// How many checkpoints its tasks have.
    pub checkpoint_count: i64,
    /// Tokens read and written by all runs of its tasks.
    pub total_tokens: i64,
    /// What they cost, in US dollars, as far as the agents tell it.
    pub total_cost: f64,
    /// When it or one of its tasks last changed.
    pub last_activity_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed itself.
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
    #[schema(value_type = Name)]
    pub name: String,
    /// The goal: at most 1,000,000 characters.
    #[schema(value_type = Text)]
    #[serde(default)]
    pub description: String,
    /// A local path or a git URL.
    #[schema(value_type = Repository)]
    pub repository: String,
    /// The branch its tasks start from; absent: the repository's own default.
    #[schema(value_type = Option<Name>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_branch: Option<String>,
    /// The agent of its tasks; absent: the daemon's default.
    #[schema(value_type = Option<Name>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// Which contracts: all conditions that are given hold of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListContracts {
    /// Those that stand in one of these; repeated or with commas.
    #[param(value_type = Option<Vec<ContractStatus>>, inline)]
    #[serde(default, skip_serializing_if = "Words::is_empty")]
    pub status: Words<ContractStatus>,
    /// Those that have come to one of these; repeated or with commas.
    #[param(value_type = Option<Vec<Phase>>, inline)]
    #[serde(default, skip_serializing_if = "Words::is_empty")]
    pub phase: Words<Phase>,
    /// Those that have this text in their name or description; case doesn't matter.
    #[param(value_type = Option<Sought>, inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
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

impl ListContracts {
    /// What every list has.
    pub fn list(&self) -> List {
        List { limit: self.limit, cursor: self.cursor.clone(), order: self.order }
    }
}

/// What to change of a contract; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeContract {
    /// Its name: 1 to 200 characters, none of them a control character.
    #[schema(value_type = Option<Name>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The goal: at most 1,000,000 characters.
    #[schema(value_type = Option<Text>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it is worked on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ContractStatus>,
}

/// The phase that a contract has come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetPhase {
    /// Any but the present one, forward or back.
    pub phase: Phase,
}
