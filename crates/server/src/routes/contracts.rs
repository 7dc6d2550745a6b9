//! Contracts.

pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod list;

use makima_model as model;
use makima_wire as wire;

fn shown(contract: model::Contract) -> wire::Contract {
    wire::Contract {
        id: contract.id,
        name: contract.name,
        description: contract.description,
        repository: contract.repository,
        base_branch: contract.base_branch,
        agent: contract.agent,
        phase: contract.phase,
        status: contract.status,
        created_at: contract.created_at,
        updated_at: contract.updated_at,
    }
}
