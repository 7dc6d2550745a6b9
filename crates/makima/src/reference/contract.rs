//! The contract that is meant by a word, or by the repository that one is in.

use super::{Named, only, which};
use crate::{failure::Failure, here::Here, pages::all_contracts};
use clap::Args;
use makima_client::Client;
use makima_model::{ContractId, ContractStatus};
use makima_wire::Contract;
use std::{convert::Infallible, str::FromStr};

/// A word that names a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContractRef(String);

impl FromStr for ContractRef {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(Self(word.to_owned()))
    }
}

impl Named for Contract {
    const KIND: &'static str = "a contract";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn name(&self) -> &str {
        &self.name
    }
}

impl ContractRef {
    /// The word.
    pub(super) fn word(&self) -> &str {
        &self.0
    }

    /// Whether it says that there shall be none, in a list of tasks.
    pub(crate) fn is_none(&self) -> bool {
        self.0 == "none"
    }

    /// The contract, if exactly one is meant.
    pub(crate) async fn find(&self, client: &Client) -> Result<Contract, Failure> {
        if let Ok(id) = self.0.parse::<ContractId>() {
            return Ok(client.contract(id).await?);
        }
        only(&self.0, all_contracts(client).await?)
    }
}

/// The contract of a command that needs one.
#[derive(Debug, Clone, Args)]
pub(crate) struct ContractChoice {
    /// The contract: 4 or more characters of its id or short id, or its name; without it, the only active one of the
    /// repository that you are in
    #[arg(long, env = "MAKIMA_CONTRACT_ID", value_name = "CONTRACT")]
    contract: Option<ContractRef>,
}

impl ContractChoice {
    /// The contract that was told, else the only active one of the repository that one is in.
    pub(crate) async fn find(&self, client: &Client) -> Result<Contract, Failure> {
        contract_or_here(self.contract.as_ref(), client).await
    }
}

/// The contract that was told, else the only active one of the repository that one is in.
pub(crate) async fn contract_or_here(
    told: Option<&ContractRef>,
    client: &Client,
) -> Result<Contract, Failure> {
    if let Some(told) = told {
        return told.find(client).await;
    }
    let all = all_contracts(client).await?;
    let here = Here::find().await.ok();
    let is_here = |contract: &Contract| {
        contract.status == ContractStatus::Active
            && here.as_ref().is_some_and(|here| here.is(&contract.repository))
    };
    let (mut meant, others): (Vec<Contract>, Vec<Contract>) = all.into_iter().partition(is_here);
    match meant.len() {
        1 => Ok(meant.swap_remove(0)),
        0 if others.is_empty() => Err(Failure::usage("which contract? there is none yet")
            .hint("make one with `makima contract create \"…\"`")),
        0 => Err(Failure::usage("which contract? none of the repository that you are in is active")
            .hint(format!("{}; name it with --contract or MAKIMA_CONTRACT_ID", which(&others)))),
        n => Err(Failure::usage(format!("which contract? {n} of the repository that you are in are active"))
            .hint(format!("{}; name it with --contract or MAKIMA_CONTRACT_ID", which(&meant)))),
    }
}
