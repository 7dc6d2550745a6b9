//! Contracts.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod phase;

use crate::{app::ContractView, precondition::etag};
use axum::{Json, http::header, response::IntoResponse};
use makima_wire as wire;

/// A contract with its tag.
fn tagged(view: ContractView) -> impl IntoResponse {
    ([(header::ETAG, etag(view.contract.version))], Json(shown(view)))
}

pub(crate) fn shown(view: ContractView) -> wire::Contract {
    let ContractView { contract, totals } = view;
    wire::Contract {
        id: contract.id,
        name: contract.name,
        description: contract.description,
        repository: contract.repository,
        base_branch: contract.base_branch,
        agent: contract.agent,
        phase: contract.phase,
        status: contract.status,
        task_counts: totals.tasks,
        checkpoint_count: totals.checkpoints,
        total_tokens: totals.tokens,
        total_cost: totals.cost,
        last_activity_at: totals.last_change.max(Some(contract.updated_at)).unwrap_or(contract.updated_at),
        created_at: contract.created_at,
        updated_at: contract.updated_at,
    }
}
