//! The demonstration: a small real repository, and tasks on which the scripted agent really works.
//!
//! Everything it needs is in the program. It is made once in a data folder, below the folder, and never touches anything else.

mod repository;
mod show;

use crate::{
    data_folder::DataFolder,
    failure::Failure,
    pages::all_contracts,
    printer::{Line, Printer},
};
use makima_agents::AgentConfig;
use makima_client::Client;
use makima_model::{PermissionMode, TaskId};
use makima_wire::{Contract, CreateContract, CreateTask};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// The name of its agent. No task gets it that doesn't ask for it.
const AGENT: &str = "demo";
/// What it plays.
const SCENARIO: &str = include_str!("demo/scenario.json");
/// One of its tasks.
struct Work {
    plan: &'static str,
    /// What is said at the end of each turn.
    then: &'static [&'static str],
    mode: PermissionMode,
}

const WORK: &[Work] = &[
    Work { plan: "Fix the check that fails", then: &[], mode: PermissionMode::Bypass },
    Work {
        plan: "Add an option --average",
        then: &["Now a check for it", "And describe it in the README"],
        mode: PermissionMode::Bypass,
    },
    Work { plan: "Let the checks run from any folder", then: &[], mode: PermissionMode::Bypass },
    Work { plan: "Clear away the old build", then: &[], mode: PermissionMode::AcceptEdits },
];

/// The demonstration of a data folder.
pub(crate) struct Demo {
    repository: PathBuf,
}

impl Demo {
    /// Writes what lies on disk, and tells the daemon's agents of the one that plays.
    pub(crate) async fn prepare(
        data: &DataFolder,
        agents: &mut BTreeMap<String, AgentConfig>,
    ) -> Result<Self, Failure> {
        let folder = data.demo();
        let (scenario, repository) = (folder.join("scenario.json"), folder.join("tally"));
        let broken = |error: io::Error| Failure::because("the demonstration could not be written", &error);
        fs::create_dir_all(&folder).map_err(broken)?;
        // Written anew each time: a newer program may play another one.
        fs::write(&scenario, SCENARIO).map_err(broken)?;
        if !repository.join(".git").exists() {
            repository::make(&repository).await?;
        }
        agents.insert(AGENT.to_owned(), AgentConfig { scenario: Some(scenario), ..AgentConfig::default() });
        Ok(Self { repository })
    }

    /// Its contract, if it was made before.
    async fn contract(&self, client: &Client) -> Result<Option<Contract>, Failure> {
        let here = |contract: &Contract| Path::new(&contract.repository) == self.repository;
        Ok(all_contracts(client).await?.into_iter().find(here))
    }

    /// Makes the contract and its tasks, which start at once.
    async fn make_tasks(&self, client: &Client) -> Result<Vec<TaskId>, Failure> {
        let repository = self.repository.display().to_string();
        let contract = CreateContract {
            name: "Make tally ready for others".to_owned(),
            description: "A demonstration: four tasks on a small shell program, done by a scripted agent."
                .to_owned(),
            repository,
            base_branch: Some("main".to_owned()),
            agent: Some(AGENT.to_owned()),
        };
        let contract = client.create_contract(&contract).await?;
        let mut tasks = Vec::new();
        for work in WORK {
            let task = CreateTask {
                contract_id: Some(contract.id),
                plan: work.plan.to_owned(),
                permission_mode: Some(work.mode),
                ..CreateTask::default()
            };
            let task = client.create_task(&task).await?.id;
            for message in work.then {
                client.send_message(task, message).await?;
            }
            tasks.push(task);
        }
        Ok(tasks)
    }

    /// Makes the tasks where they aren't there yet, and tells what happens on them for as long as one listens.
    pub(crate) async fn show(
        &self,
        client: &Client,
        printer: &Printer,
        program: &str,
        without_agent: Option<Line>,
    ) -> Failure {
        match show::show(self, client, printer, program, without_agent).await {
            Err(failure) => failure,
            Ok(never) => match never {},
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_script_for_everything_that_is_said() {
        let scenario: serde_json::Value = serde_json::from_str(SCENARIO).unwrap();
        let scripts = scenario["scripts"].as_object().unwrap();
        let said: Vec<&str> = WORK
            .iter()
            .flat_map(|work| std::iter::once(work.plan).chain(work.then.iter().copied()))
            .collect();
        for text in &said {
            let meant: Vec<&String> = scripts.keys().filter(|key| text.contains(key.as_str())).collect();
            assert_eq!(meant, [text], "{text}");
        }
        assert_eq!(scripts.len(), said.len());
    }
}
