//! An archive: gathered whole before the first byte of it is sent.

use super::{
    Exported,
    code::Code,
    file_name,
    lines::{self, write},
    rows::{Kept, Rows},
    spool::Folder,
    walk::Walk,
};
use crate::{
    App,
    app::{existing_contract, existing_task},
    caller::Caller,
    error::ApiError,
};
use makima_model::{ContractId, OwnerId, TaskId, Timestamp};
use makima_store::{Key, TimelineScope, Tx, operations::Filter, tasks};
use makima_wire::{EXPORT_VERSION, ExportedCheckpoint, ExportedFile, Manifest};

/// An archive that is ready to be sent. Its files are there as long as it is.
pub(crate) struct Archive {
    /// What to call it.
    pub(crate) name: String,
    pub(super) folder: Folder,
    /// In their order.
    pub(super) files: Vec<ExportedFile>,
    /// When what is in it last changed.
    pub(super) modified_at: Timestamp,
}

/// What an archive is of.
struct Subject {
    contract: Option<ContractId>,
    task: Option<TaskId>,
    name: String,
    /// Its tasks, oldest first.
    tasks: Vec<TaskId>,
    modified_at: Timestamp,
}

impl App {
    /// Gathers an archive.
    pub(crate) async fn export_archive(
        &self,
        by: Caller,
        what: Exported,
        with_code: bool,
    ) -> Result<Archive, ApiError> {
        let _turn = self.spool().turn().await;
        let mut tx = self.db().read().await?;
        let exported_at = self.clock().now();
        let subject = Subject::find(&mut tx, by.owner, what).await?;
        let id = self.clock().new_id();
        let folder = self.spool().folder(by.owner, id).await?;

        let mut rows = Rows { tx: &mut tx, owner: by.owner, folder: &folder, tasks: &subject.tasks };
        let mut files = Vec::new();
        let (told, kept) = rows.checkpoints().await?;
        files.push(told);
        let Code { groups, without } =
            Code::find(rows.tx, by.owner, &subject.tasks, &kept, with_code).await?;
        if let Some(contract) = subject.contract {
            files.push(rows.contract(contract).await?);
            files.extend(rows.chat(contract).await?);
        }
        let (told, changed_at) = rows.tasks().await?;
        files.push(told);
        let (told, conversations) = rows.branches().await?;
        files.push(told);
        files.push(rows.snapshots().await?);
        files.push(rows.task_events().await?);
        files.push(rows.imports().await?);
        files.push(rows.events(&subject.timeline()).await?);
        let filter = Filter { task: subject.task, contract: subject.contract, ..Filter::default() };
        files.push(rows.operations(&filter).await?);
        drop(tx);

        // Daemons work while the conversations are read.
        let asked = self.ask_for_code(by.owner, id, groups).await?;
        files.push(conversations.messages(self.db(), by.owner, &folder).await?);
        files.push(conversations.native(self.db(), by.owner, &folder).await?);
        let without_patch = self.export_patches(&folder, kept, &mut files).await?;
        let bundles = self.code_that_came(asked, &folder, &mut files).await?;

        files.sort_by(|one, other| one.name.cmp(&other.name));
        let manifest = Manifest {
            version: EXPORT_VERSION,
            makima: self.version().to_owned(),
            exported_at,
            contract_id: subject.contract,
            task_id: subject.task,
            name: subject.name.clone(),
            files,
            code: bundles,
            without_code: without,
            without_patch,
        };
        let told = serde_json::to_vec_pretty(&manifest).map_err(ApiError::internal)?;
        let mut files = vec![write(&folder, "manifest.json".to_owned(), told).await?];
        files.extend(manifest.files);
        let modified_at = changed_at.unwrap_or(subject.modified_at).max(subject.modified_at);
        Ok(Archive { name: file_name(&subject.name, &subject.short(), "tar.gz"), folder, files, modified_at })
    }

    /// `patches/<task>/<number>.patch` of each checkpoint; those that have none here are answered.
    async fn export_patches(
        &self,
        folder: &Folder,
        kept: Vec<Kept>,
        files: &mut Vec<ExportedFile>,
    ) -> Result<Vec<ExportedCheckpoint>, ApiError> {
        let mut without = Vec::new();
        for Kept { checkpoint, patch, has_changes, .. } in kept {
            // It is closed by nobody.
            let _one_of_few = self.patches().acquire().await.ok();
            let found = match &patch {
                Some(patch) => self.blobs().get(&patch.hash).await?,
                None => None,
            };
            match found {
                Some(patch) => {
                    let ExportedCheckpoint { task_id, checkpoint_number, .. } = checkpoint;
                    let name = format!("patches/{task_id}/{checkpoint_number}.patch");
                    files.push(lines::write(folder, name, patch).await?);
                }
                None if has_changes => without.push(checkpoint),
                None => {}
            }
        }
        Ok(without)
    }
}

impl Subject {
    async fn find(tx: &mut Tx, owner: OwnerId, what: Exported) -> Result<Self, ApiError> {
        match what {
            Exported::Task(id) => {
                let task = existing_task(tx, owner, id).await?;
                Ok(Self {
                    contract: None,
                    task: Some(id),
                    name: task.name,
                    tasks: vec![id],
                    modified_at: task.updated_at,
                })
            }
            Exported::Contract(id) => {
                let contract = existing_contract(tx, owner, id).await?;
                let mut tasks = Vec::new();
                let mut walk = Walk::<Key>::new();
                while let Some(seek) = walk.next() {
                    let page = tasks::list(tx, owner, Some(id), seek).await?;
                    tasks.extend(walk.rows(page).iter().map(|task| task.id));
                }
                Ok(Self {
                    contract: Some(id),
                    task: None,
                    name: contract.name,
                    tasks,
                    modified_at: contract.updated_at,
                })
            }
        }
    }

    fn short(&self) -> String {
        let contract = self.contract.map(ContractId::short);
        contract.or(self.task.map(TaskId::short)).unwrap_or_default()
    }

    fn timeline(&self) -> TimelineScope {
        match self.contract {
            Some(contract) => TimelineScope::Contract(contract),
            None => TimelineScope::Tasks(self.tasks.clone()),
        }
    }
}
