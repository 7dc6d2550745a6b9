//! Contracts: made, read, listed.

use super::{App, Listed, lists, texts};
use crate::{caller::Caller, cursor::ListMark, error::ApiError};
use makima_model::{Contract, ContractId, ContractStatus, EventKind, Phase};
use makima_store::{
    contracts,
    events::{self, NewHistory},
};
use makima_wire::{CreateContract, List};
use serde_json::json;

impl App {
    /// Makes a contract, once a connected daemon has not said that its repository is none.
    pub(crate) async fn create_contract(
        &self,
        by: Caller,
        wanted: CreateContract,
    ) -> Result<Contract, ApiError> {
        let name = texts::name("name", &wanted.name)?;
        texts::long("description", &wanted.description)?;
        let repository = texts::repository(&wanted.repository)?;
        let base_branch = wanted.base_branch.as_deref().map(texts::branch).transpose()?;
        let agent = wanted.agent.as_deref().map(|agent| texts::name("agent", agent)).transpose()?;
        self.check_repository(by.owner, None, &repository, base_branch.as_deref()).await?;

        let now = self.clock().now();
        let contract = Contract {
            id: self.clock().new_id(),
            owner: by.owner,
            name,
            description: wanted.description,
            repository,
            base_branch,
            agent,
            phase: Phase::Research,
            status: ContractStatus::Active,
            created_at: now,
            updated_at: now,
        };
        let mut tx = self.db().begin().await?;
        contracts::insert(&mut tx, &contract).await?;
        events::append_history(
            &mut tx,
            NewHistory {
                id: self.clock().new_id(),
                owner: by.owner,
                contract: Some(contract.id),
                task: None,
                kind: EventKind::Phase,
                subtype: "phase_change".to_owned(),
                phase: Some(contract.phase),
                data: json!({ "newPhase": contract.phase }),
                created_at: now,
            },
        );
        tx.commit().await?;
        Ok(contract)
    }

    /// The contract.
    pub(crate) async fn contract(&self, by: Caller, id: ContractId) -> Result<Contract, ApiError> {
        let mut tx = self.db().read().await?;
        contracts::get(&mut tx, by.owner, id).await?.ok_or_else(|| ApiError::not_found("contract"))
    }

    /// A page of contracts.
    pub(crate) async fn contracts(&self, by: Caller, list: &List) -> Result<Listed<Contract>, ApiError> {
        let mark = ListMark::new("contracts", by.owner, &[]);
        let seek = lists::seek(list, mark)?;
        let mut tx = self.db().read().await?;
        let page = contracts::list(&mut tx, by.owner, None, seek).await?;
        Ok(lists::listed(page, mark))
    }
}
