//! Contracts: made, read, listed.

use super::{App, Listed, lists, operations::no_contract, texts};
use crate::{caller::Caller, cursor::ListMark, error::ApiError};
use makima_model::{Clock, Contract, ContractId, ContractStatus, EventKind, OwnerId, Phase};
use makima_store::{
    StoreError, Tx,
    contracts::{self, Filter, Totals},
    events::{self, NewHistory},
};
use makima_wire::{CreateContract, ListContracts};
use serde_json::{Value, json};

/// A contract, and what its tasks come to.
pub(crate) struct ContractView {
    pub(crate) contract: Contract,
    pub(crate) totals: Totals,
}

/// Notes in the timeline what happened to a contract: it is as it was then.
pub(super) fn note(
    tx: &mut Tx,
    clock: &Clock,
    contract: &Contract,
    kind: EventKind,
    subtype: &str,
    data: Value,
) {
    events::append_history(
        tx,
        NewHistory {
            id: clock.new_id(),
            owner: contract.owner,
            contract: Some(contract.id),
            task: None,
            kind,
            subtype: subtype.to_owned(),
            phase: Some(contract.phase),
            data,
            created_at: clock.now(),
        },
    );
}

impl App {
    /// Makes a contract, once a connected daemon has not said that its repository is none.
    pub(crate) async fn create_contract(
        &self,
        by: Caller,
        wanted: CreateContract,
    ) -> Result<ContractView, ApiError> {
        if let Some(id) = by.has_done() {
            return self.contract(by, id).await;
        }
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
            version: 1,
        };
        let mut tx = self.db().begin().await?;
        contracts::insert(&mut tx, &contract).await?;
        self.note(&mut tx, by, contract.id).await?;
        let data = json!({ "newPhase": contract.phase });
        note(&mut tx, self.clock(), &contract, EventKind::Phase, "phase_change", data);
        tx.commit().await?;
        Ok(ContractView { contract, totals: Totals::default() })
    }

    /// The contract.
    pub(crate) async fn contract(&self, by: Caller, id: ContractId) -> Result<ContractView, ApiError> {
        contract_view(&mut self.db().read().await?, by.owner, id).await
    }

    /// A page of contracts.
    pub(crate) async fn contracts(
        &self,
        by: Caller,
        wanted: &ListContracts,
    ) -> Result<Listed<ContractView>, ApiError> {
        let list = wanted.list();
        let filter = Filter {
            status: wanted.status.0.clone(),
            phase: wanted.phase.0.clone(),
            text: wanted.q.as_deref().map(texts::sought).transpose()?,
        };
        let mark = ListMark::new("contracts", by.owner, list.order, &[&format!("{filter:?}")]);
        let mut tx;
        let page = if filter.is_counted() {
            let seek = lists::seek(&list, mark)?;
            tx = self.db().read().await?;
            lists::listed(contracts::list(&mut tx, by.owner, &filter, seek, None).await?, mark)
        } else {
            let (seek, total) = lists::seek_counted(&list, mark)?;
            tx = self.db().read().await?;
            lists::listed_counted(contracts::list(&mut tx, by.owner, &filter, seek, total).await?, mark)
        };
        let rows = views(&mut tx, by.owner, page.rows, &filter).await?;
        Ok(Listed { rows, total: page.total, cursor: page.cursor })
    }
}

/// The contract, or 404.
pub(crate) async fn existing_contract(
    tx: &mut Tx,
    owner: OwnerId,
    id: ContractId,
) -> Result<Contract, ApiError> {
    match contracts::get(tx, owner, id).await? {
        Some(contract) => Ok(contract),
        None => Err(no_contract(tx, owner, id).await?),
    }
}

/// The contract as it is shown, or 404.
pub(crate) async fn contract_view(
    tx: &mut Tx,
    owner: OwnerId,
    id: ContractId,
) -> Result<ContractView, ApiError> {
    let contract = existing_contract(tx, owner, id).await?;
    let mut views = views(tx, owner, vec![contract], &Filter::default()).await?;
    views.pop().ok_or_else(|| ApiError::not_found("contract"))
}

/// Contracts of a page, as they are shown.
async fn views(
    tx: &mut Tx,
    owner: OwnerId,
    page: Vec<Contract>,
    filter: &Filter,
) -> Result<Vec<ContractView>, StoreError> {
    let mut totals = contracts::totals(tx, owner, &page, filter).await?;
    let view = |contract: Contract| ContractView {
        totals: totals.remove(&contract.id).unwrap_or_default(),
        contract,
    };
    Ok(page.into_iter().map(view).collect())
}
