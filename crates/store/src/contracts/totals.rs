//! What the tasks of contracts come to.

use super::{Bound, Filter, filters, key};
use crate::{
    StoreError, Tx,
    columns::{At, Cells, Entity, all},
    db::on,
    error::Act,
    statements::statements,
};
use makima_model::{Contract, ContractId, OwnerId, TaskStatus, Timestamp};
use std::collections::{BTreeMap, HashMap};

/// What the tasks of one contract come to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Totals {
    /// How many of its tasks stand where; a status that none has is absent.
    pub tasks: BTreeMap<TaskStatus, i64>,
    /// How many checkpoints they have.
    pub checkpoints: i64,
    /// The tokens of all their runs.
    pub tokens: i64,
    /// The cost of all their runs, in US dollars.
    pub cost: f64,
    /// When one of them last changed; `None` where there are none.
    pub last_change: Option<Timestamp>,
}

/// The tasks of one contract that stand in one status.
struct Part {
    contract: ContractId,
    status: TaskStatus,
    tasks: i64,
    checkpoints: i64,
    tokens: i64,
    cost: f64,
    last_change: Timestamp,
}

impl Entity for Part {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            contract: cells.id("contract_id")?,
            status: cells.word("status")?,
            tasks: cells.int("tasks")?,
            checkpoints: cells.int("checkpoints")?,
            tokens: cells.int("tokens")?,
            cost: cells.real("cost")?,
            last_change: cells.at("last_change")?,
        })
    }
}

statements! {
    PARTS = concat!(
        "SELECT tasks.contract_id, tasks.status, COUNT(*) AS tasks, \
        CAST(SUM(tasks.checkpoint_count) AS BIGINT) AS checkpoints, CAST(SUM(tasks.total_tokens) AS BIGINT) AS tokens, \
        SUM(tasks.total_cost) AS cost, MAX(tasks.updated_at) AS last_change \
        FROM contracts JOIN tasks ON tasks.contract_id = contracts.id WHERE contracts.owner_id = $1 \
        AND tasks.deleted_at IS NULL \
        AND (contracts.created_at, contracts.id) >= ($2, $3) AND (contracts.created_at, contracts.id) <= ($4, $5)",
        filters!("$6", "$7", "$8", "$9"),
        " GROUP BY tasks.contract_id, tasks.status"
    );
}

/// What the tasks of the contracts of a page come to: those that `filter` holds of, from the one end of the page to the other.
/// A contract without tasks is absent.
pub async fn totals(
    tx: &mut Tx,
    owner: OwnerId,
    page: &[Contract],
    filter: &Filter,
) -> Result<HashMap<ContractId, Totals>, StoreError> {
    let mut totals: HashMap<ContractId, Totals> = HashMap::new();
    let keys = page.iter().map(key).map(|key| (key.at, key.id));
    let (Some(first), Some(last)) = (keys.clone().min(), keys.max()) else { return Ok(totals) };
    let bound = Bound::of(filter);
    let rows = on!(tx, |c| sqlx::query_as(PARTS)
        .bind(owner.uuid())
        .bind(At(first.0))
        .bind(first.1)
        .bind(At(last.0))
        .bind(last.1)
        .bind(bound.status.as_deref())
        .bind(bound.phase.as_deref())
        .bind(bound.exact.as_deref())
        .bind(bound.lower.as_deref())
        .fetch_all(c)
        .await);
    let parts: Vec<Part> = all(rows.act("add up the tasks of contracts")?);
    for part in parts {
        let total = totals.entry(part.contract).or_default();
        total.tasks.insert(part.status, part.tasks);
        total.checkpoints += part.checkpoints;
        total.tokens += part.tokens;
        total.cost += part.cost;
        total.last_change = total.last_change.max(Some(part.last_change));
    }
    Ok(totals)
}
