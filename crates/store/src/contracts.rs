//! Contracts.

mod totals;

pub(crate) use totals::statements as totals_statements;
pub use totals::{Totals, totals};

use crate::{
    Key, Noun, Page, Seek, StoreError, Tx,
    columns::{At, Cells, Entity, all, holding, maybe_text, one, one_of, text},
    counters::count,
    db::{affected, on},
    error::Act,
    statements::statements,
};
use makima_model::{Contract, ContractId, ContractStatus, OwnerId, Phase};

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
            version: cells.int("version")?,
        })
    }
}

/// The conditions of a [`Filter`]; one that is NULL holds of all.
macro_rules! filters {
    ($status:literal, $phase:literal, $exact:literal, $lower:literal) => {
        concat!(
            " AND (', ' || ",
            $status,
            " LIKE '%, ' || contracts.status || ',%' OR ",
            $status,
            " IS NULL)",
            " AND (', ' || ",
            $phase,
            " LIKE '%, ' || contracts.phase || ',%' OR ",
            $phase,
            " IS NULL)",
            " AND (contracts.name LIKE ",
            $exact,
            " ESCAPE '\\' OR LOWER(contracts.name) LIKE ",
            $lower,
            " ESCAPE '\\'",
            " OR contracts.description LIKE ",
            $exact,
            " ESCAPE '\\'",
            " OR LOWER(contracts.description) LIKE ",
            $lower,
            " ESCAPE '\\' OR ",
            $exact,
            " IS NULL)",
        )
    };
}
use filters;

statements! {
    INSERT = "INSERT INTO contracts (id, owner_id, name, description, repository, base_branch, agent, phase, status, \
        created_at, updated_at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    GET = "SELECT * FROM contracts WHERE id = $1 AND owner_id = $2 AND deleted_at IS NULL";
    // Changes nothing: who has the row's lock changes it by what it reads.
    LOCK = "UPDATE contracts SET updated_at = updated_at WHERE id = $1 AND owner_id = $2 \
        AND deleted_at IS NULL RETURNING *";
    HOLD = "UPDATE contracts SET updated_at = updated_at WHERE id = $1 AND owner_id = $2";
    CHANGE = "UPDATE contracts SET name = $3, description = $4, phase = $5, status = $6, updated_at = $7, \
        version = version + 1 \
        WHERE id = $1 AND owner_id = $2";
    COUNT_FILTERED = concat!("SELECT COUNT(*) FROM contracts WHERE owner_id = $1 AND deleted_at IS NULL", filters!("$2", "$3", "$4", "$5"));
    @lists {
        FILTERED = concat!("SELECT * FROM contracts WHERE owner_id = $4 AND deleted_at IS NULL", filters!("$5", "$6", "$7", "$8"));
        OF_OWNER = "SELECT * FROM contracts WHERE owner_id = $4 AND deleted_at IS NULL";
        WITH_STATUS = "SELECT * FROM contracts WHERE owner_id = $4 AND status = $5 AND deleted_at IS NULL";
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
        .bind(contract.version)
        .execute(c)
        .await
        .map(affected))
    .act("make a contract")?;
    tx.outbox.count(contract.owner, contract.owner.uuid(), Noun::Contract, contract.status.as_str(), "", 1);
    Ok(())
}

/// The contract with this id, unless it lies in the trash.
pub async fn get(tx: &mut Tx, owner: OwnerId, id: ContractId) -> Result<Option<Contract>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(GET).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("read a contract")?))
}

/// The contract with this id, which nobody else changes until the end of this transaction.
pub async fn lock(tx: &mut Tx, owner: OwnerId, id: ContractId) -> Result<Option<Contract>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(LOCK).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("lock a contract")?))
}

/// Keeps others from locking or holding a contract, in the trash or not, until the end of this transaction.
pub async fn hold(tx: &mut Tx, owner: OwnerId, id: ContractId) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(HOLD).bind(id.uuid()).bind(owner.uuid()).execute(c).await.map(affected))
        .act("hold a contract")?;
    Ok(())
}

/// Makes a contract that is [locked](lock) and was `before` what it is in `after`: its name, description, phase and status. It
/// has another version then.
pub async fn change(tx: &mut Tx, before: &Contract, after: &Contract) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(CHANGE)
        .bind(before.id.uuid())
        .bind(before.owner.uuid())
        .bind(text(&after.name))
        .bind(text(&after.description))
        .bind(after.phase.as_str())
        .bind(after.status.as_str())
        .bind(At(after.updated_at))
        .execute(c)
        .await
        .map(affected))
    .act("change a contract")?;
    for (status, by) in [(before.status, -1), (after.status, 1)] {
        tx.outbox.count(before.owner, before.owner.uuid(), Noun::Contract, status.as_str(), "", by);
    }
    Ok(())
}

/// Which contracts of a list: all conditions hold of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those that stand in one of these; none: in any.
    pub status: Vec<ContractStatus>,
    /// Those that have come to one of these; none: to any.
    pub phase: Vec<Phase>,
    /// Those with this text in their name or description, whatever its case.
    pub text: Option<String>,
}

impl Filter {
    /// Whether a count is kept of what it holds of.
    pub fn is_counted(&self) -> bool {
        self.phase.is_empty() && self.text.is_none()
    }
}

/// The owner's contracts of which a filter holds. Where [no count is kept](Filter::is_counted) of these they are counted,
/// unless `total` is known from an earlier page.
pub async fn list(
    tx: &mut Tx,
    owner: OwnerId,
    filter: &Filter,
    seek: Seek,
    total: Option<i64>,
) -> Result<Page<Contract>, StoreError> {
    let (at, id) = seek.key();
    let bound = Bound::of(filter);
    let rows = match filter.status[..] {
        [] if filter.is_counted() => on!(tx, |c| sqlx::query_as(OF_OWNER.in_order(seek.order))
            .bind(at)
            .bind(id)
            .bind(seek.rows())
            .bind(owner.uuid())
            .fetch_all(c)
            .await),
        [status] if filter.is_counted() => on!(tx, |c| sqlx::query_as(WITH_STATUS.in_order(seek.order))
            .bind(at)
            .bind(id)
            .bind(seek.rows())
            .bind(owner.uuid())
            .bind(status.as_str())
            .fetch_all(c)
            .await),
        _ => on!(tx, |c| sqlx::query_as(FILTERED.in_order(seek.order))
            .bind(at)
            .bind(id)
            .bind(seek.rows())
            .bind(owner.uuid())
            .bind(bound.status.as_deref())
            .bind(bound.phase.as_deref())
            .bind(bound.exact.as_deref())
            .bind(bound.lower.as_deref())
            .fetch_all(c)
            .await),
    };
    let contracts = all(rows.act("list the contracts")?);
    let total = match total {
        _ if filter.is_counted() => kept(tx, owner, &filter.status).await?,
        Some(total) => total,
        None => on!(tx, |c| sqlx::query_scalar(COUNT_FILTERED)
            .bind(owner.uuid())
            .bind(bound.status.as_deref())
            .bind(bound.phase.as_deref())
            .bind(bound.exact.as_deref())
            .bind(bound.lower.as_deref())
            .fetch_one(c)
            .await)
        .act("count the contracts")?,
    };
    Ok(seek.page(contracts, total, key))
}

/// How many contracts stand in one of these, or in any.
async fn kept(tx: &mut Tx, owner: OwnerId, status: &[ContractStatus]) -> Result<i64, StoreError> {
    if status.is_empty() {
        return count(tx, owner, owner.uuid(), Noun::Contract, None, None).await;
    }
    let mut total = 0;
    for status in status {
        total += count(tx, owner, owner.uuid(), Noun::Contract, Some(status.as_str()), None).await?;
    }
    Ok(total)
}

fn key(contract: &Contract) -> Key {
    Key { at: contract.created_at, id: contract.id.uuid() }
}

/// A filter as its statements take it.
struct Bound {
    status: Option<String>,
    phase: Option<String>,
    exact: Option<String>,
    lower: Option<String>,
}

impl Bound {
    fn of(filter: &Filter) -> Self {
        let (exact, lower) = filter.text.as_deref().map(holding).unzip();
        Self {
            status: one_of(filter.status.iter().map(|status| status.as_str())),
            phase: one_of(filter.phase.iter().map(|phase| phase.as_str())),
            exact,
            lower,
        }
    }
}
