//! The task or contract that is meant by a word.

use super::Named;
use crate::{
    failure::Failure,
    pages::{all_contracts, all_tasks},
};
use makima_client::{Client, ClientError, Export};
use makima_model::{ContractId, TaskId};
use makima_wire::{Code, Contract, ExportQuery, Task};
use std::{convert::Infallible, str::FromStr};

/// A word that names a task or a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExportRef(String);

/// What it names.
pub(crate) enum Exportable {
    Task(Box<Task>),
    Contract(Box<Contract>),
}

impl FromStr for ExportRef {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(Self(word.to_owned()))
    }
}

impl Exportable {
    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Task(task) => &task.name,
            Self::Contract(contract) => &contract.name,
        }
    }

    /// Exports it.
    pub(crate) async fn export(&self, client: &Client, how: &ExportQuery) -> Result<Export, ClientError> {
        match self {
            Self::Task(task) => client.export_task(task.id, how).await,
            Self::Contract(contract) => client.export_contract(contract.id, how).await,
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Task(task) => format!("task {} ({})", task.short(), task.name),
            Self::Contract(contract) => format!("contract {} ({})", contract.short(), contract.name),
        }
    }
}

impl ExportRef {
    /// The one task or contract that is meant.
    pub(crate) async fn find(&self, client: &Client) -> Result<Exportable, Failure> {
        let word = &self.0;
        let mut meant = match word.parse::<TaskId>() {
            Ok(id) => Self::by_id(client, id).await?.into_iter().collect(),
            Err(_) => {
                let tasks = all_tasks(client).await?.into_iter().filter(|task| task.is_meant_by(word));
                let contracts =
                    all_contracts(client).await?.into_iter().filter(|contract| contract.is_meant_by(word));
                let tasks = tasks.map(|task| Exportable::Task(Box::new(task)));
                let contracts = contracts.map(|contract| Exportable::Contract(Box::new(contract)));
                tasks.chain(contracts).collect::<Vec<_>>()
            }
        };
        match meant.len() {
            0 => Err(Failure::not_found(format!("there is no task or contract {word:?}")).hint(
                "one is named by 4 or more of the first characters of its id or short id, or by its name",
            )),
            1 => Ok(meant.swap_remove(0)),
            n => {
                let some: Vec<String> = meant.iter().take(5).map(Exportable::told).collect();
                let more = if n > some.len() { ", …" } else { "" };
                Err(Failure::usage(format!("{word:?} means {n} tasks and contracts"))
                    .hint(format!("say which: {}{more}", some.join(", "))))
            }
        }
    }

    async fn by_id(client: &Client, id: TaskId) -> Result<Option<Exportable>, ClientError> {
        match client.task(id).await {
            Ok(task) => return Ok(Some(Exportable::Task(Box::new(task)))),
            Err(error) if error.code() == Some(Code::NotFound) => {}
            Err(error) => return Err(error),
        }
        match client.contract(ContractId::from(id.uuid())).await {
            Ok(contract) => Ok(Some(Exportable::Contract(Box::new(contract)))),
            Err(error) if error.code() == Some(Code::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
