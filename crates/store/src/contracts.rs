//! Contracts.

use crate::{
    Key, Noun, Page, Seek, StoreError, Tx,
    columns::{At, Cells, Entity, all, maybe_text, one, text},
    counters::count,
    db::{affected, on},
    error::Act,
    statements::statements,
};
use makima_model::{Contract, ContractId, ContractStatus, OwnerId};

impl Entity for Contract {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: cells.id("id")?,
            owner: cells.id("owner_id")?,
            name: cells.text("name")?,
            description: cells.text("description")?,
            repository: cells.text("repository")?,
            base_branch: cells.maybe_text("base_branch")?,
            agent: cells.maybe_text("agent")?,
            phase: cells.word("phase")?,
            status: cells.word("status")?,
            created_at: cells.at("created_at")?,
            updated_at: cells.at("updated_at")?,
        })
    }
}

statements! {
    INSERT = "INSERT INTO contracts (id, owner_id, name, description, repository, base_branch, agent, phase, status, \
        created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    GET = "SELECT * FROM contracts WHERE id = $1 AND owner_id = $2";
    @lists {
        OF_OWNER = "SELECT * FROM contracts WHERE owner_id = $4";
        WITH_STATUS = "SELECT * FROM contracts WHERE owner_id = $4 AND status = $5";
    }
}

/// Makes a contract.
pub async fn insert(tx: &mut Tx, contract: &Contract) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(INSERT)
        .bind(contract.id.uuid())
        .bind(contract.owner.uuid())
        .bind(text(&contract.name))
        .bind(text(&contract.description))
        .bind(text(&contract.repository))
        .bind(maybe_text(contract.base_branch.as_deref()))
        .bind(maybe_text(contract.agent.as_deref()))
        .bind(contract.phase.as_str())
        .bind(contract.status.as_str())
        .bind(At(contract.created_at))
        .bind(At(contract.updated_at))
        .execute(c)
        .await
        .map(affected))
    .act("make a contract")?;
    tx.outbox.count(contract.owner, contract.owner.uuid(), Noun::Contract, contract.status.as_str(), "", 1);
    Ok(())
}

/// The contract with this id.
pub async fn get(tx: &mut Tx, owner: OwnerId, id: ContractId) -> Result<Option<Contract>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(GET).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("read a contract")?))
}

/// The owner's contracts, all or those of one status.
pub async fn list(
    tx: &mut Tx,
    owner: OwnerId,
    status: Option<ContractStatus>,
    seek: Seek,
) -> Result<Page<Contract>, StoreError> {
    let (at, id) = seek.key();
    let rows = match status {
        None => on!(tx, |c| sqlx::query_as(OF_OWNER.in_order(seek.order))
            .bind(at)
            .bind(id)
            .bind(seek.rows())
            .bind(owner.uuid())
            .fetch_all(c)
            .await),
        Some(status) => on!(tx, |c| sqlx::query_as(WITH_STATUS.in_order(seek.order))
            .bind(at)
            .bind(id)
            .bind(seek.rows())
            .bind(owner.uuid())
            .bind(status.as_str())
            .fetch_all(c)
            .await),
    };
    let contracts = all(rows.act("list the contracts")?);
    let total =
        count(tx, owner, owner.uuid(), Noun::Contract, status.map(ContractStatus::as_str), None).await?;
    Ok(seek.page(contracts, total, |contract: &Contract| Key {
        at: contract.created_at,
        id: contract.id.uuid(),
    }))
}
