//! Changing a contract: what it is called, whether it is worked on, how far it has come.

use super::{
    App,
    contracts::{ContractView, note},
    operations::no_contract,
    texts,
};
use crate::{caller::Caller, error::ApiError, precondition::Expected};
use makima_model::{Contract, ContractId, EventKind, Phase};
use makima_store::contracts;
use makima_wire::{ChangeContract, Code};
use serde_json::{Map, Value, json};

impl App {
    /// Changes a contract's name, description or status, if it still is what is expected, and tells of it with what was before.
    /// What is the same already changes nothing.
    pub(crate) async fn change_contract(
        &self,
        by: Caller,
        id: ContractId,
        expected: &Expected,
        wanted: ChangeContract,
    ) -> Result<ContractView, ApiError> {
        if by.has_done::<ContractId>().is_some() {
            return self.contract(by, id).await;
        }
        let name = wanted.name.as_deref().map(|name| texts::name("name", name)).transpose()?;
        wanted.description.as_deref().map(|text| texts::long("description", text)).transpose()?;
        let mut tx = self.db().begin().await?;
        let before = contracts::lock(&mut tx, by.owner, id).await?;
        let Some(before) = before else { return Err(no_contract(&mut tx, by.owner, id).await?) };
        expected.holds_of(Some(before.version))?;
        let mut after = before.clone();
        after.name = name.unwrap_or(after.name);
        after.description = wanted.description.unwrap_or(after.description);
        after.status = wanted.status.unwrap_or(after.status);
        if after != before {
            after.updated_at = self.clock().now();
            contracts::change(&mut tx, &before, &after).await?;
            self.note(&mut tx, by, id).await?;
            let data = difference(&before, &after);
            note(&mut tx, self.clock(), &after, EventKind::Phase, "contract_updated", data);
        }
        tx.commit().await?;
        self.contract(by, id).await
    }

    /// Takes a contract to another phase, whichever.
    pub(crate) async fn set_phase(
        &self,
        by: Caller,
        id: ContractId,
        phase: Phase,
    ) -> Result<ContractView, ApiError> {
        if by.has_done::<ContractId>().is_some() {
            return self.contract(by, id).await;
        }
        let mut tx = self.db().begin().await?;
        let before = contracts::lock(&mut tx, by.owner, id).await?;
        let Some(before) = before else { return Err(no_contract(&mut tx, by.owner, id).await?) };
        if before.phase == phase {
            return Err(ApiError::new(Code::Conflict, format!("the contract is in phase {phase} already")));
        }
        let after = Contract { phase, updated_at: self.clock().now(), ..before.clone() };
        contracts::change(&mut tx, &before, &after).await?;
        self.note(&mut tx, by, id).await?;
        let data = json!({ "previousPhase": before.phase, "newPhase": phase });
        note(&mut tx, self.clock(), &after, EventKind::Phase, "phase_change", data);
        tx.commit().await?;
        self.contract(by, id).await
    }
}

/// What a change changed. The new description isn't told: it is the contract's own until the next change tells it.
fn difference(before: &Contract, after: &Contract) -> Value {
    let mut data = Map::new();
    if before.name != after.name {
        data.insert("previousName".to_owned(), json!(before.name));
        data.insert("newName".to_owned(), json!(after.name));
    }
    if before.description != after.description {
        data.insert("previousDescription".to_owned(), json!(before.description));
    }
    if before.status != after.status {
        data.insert("previousStatus".to_owned(), json!(before.status));
        data.insert("newStatus".to_owned(), json!(after.status));
    }
    Value::Object(data)
}
