//! Exports: all of a task or contract in one archive, or as one page to read (`docs/export.md`).

use makima_model::{CheckpointId, ContractId, DaemonId, TaskId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, SchemaFormat, Type, schema::Schema},
};

/// The version of an archive's layout.
pub const EXPORT_VERSION: u32 = 1;

/// As what something is exported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// A `tar.gz` of everything, for programs.
    #[default]
    Archive,
    /// One Markdown page of the conversation with its differences.
    Markdown,
    /// The same as HTML that needs nothing else.
    Html,
}

/// How something is exported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// As what: `archive`, as without it, `markdown` or `html`.
    #[param(inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<ExportFormat>,
    /// Of an archive: whether the code is part of it, which its daemons have to be connected for; absent: yes. A page never needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<bool>,
}

/// An archive as it comes, for the description of the API alone.
pub enum ExportArchive {}

impl PartialSchema for ExportArchive {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
            .description(Some("A `tar.gz`."))
            .into()
    }
}

impl ToSchema for ExportArchive {}

/// `manifest.json`, the first file of an archive: what it is of, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The version of the layout: 1.
    pub version: u32,
    /// The version of the server that made it.
    pub makima: String,
    /// When it was made: what happened later is not in it.
    pub exported_at: Timestamp,
    /// Of a contract: the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<ContractId>,
    /// Of a task: the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// What that is called.
    pub name: String,
    /// All other files of the archive, in its order.
    pub files: Vec<ExportedFile>,
    /// The git bundles among them, and what is in each.
    pub code: Vec<ExportedCode>,
    /// Tasks whose code is in none, and why.
    pub without_code: Vec<WithoutCode>,
    /// Checkpoints that changed files and whose patch the server doesn't have.
    pub without_patch: Vec<ExportedCheckpoint>,
}

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportedFile {
    /// Its name in the archive.
    pub name: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// Their SHA-256, in hex.
    pub sha256: String,
    /// Of JSON lines: how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
}

/// A git bundle of an archive: `git clone` takes it. Branches are called what they are called in the repository, and each checkpoint is the tag
/// `makima/<task id>/<number>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportedCode {
    /// Its name in the archive; absent where the daemon has none of the commits any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The daemon whose clone it was made of.
    pub daemon_id: DaemonId,
    /// The repository.
    pub repository: String,
    /// The tasks whose code is in it.
    pub tasks: Vec<TaskId>,
    /// Checkpoints whose commits that clone doesn't have.
    pub missing: Vec<ExportedCheckpoint>,
}

/// A checkpoint that something is said of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportedCheckpoint {
    /// Its id.
    pub id: CheckpointId,
    /// Its task.
    pub task_id: TaskId,
    /// Its number in the task.
    pub checkpoint_number: i64,
    /// Its commit.
    pub commit_sha: String,
}

/// A task whose code is not in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WithoutCode {
    /// The task.
    pub task_id: TaskId,
    /// Why.
    pub reason: WithoutCodeReason,
}

/// Why a task's code is not in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WithoutCodeReason {
    /// It was asked for without.
    NotWanted,
    /// There is no checkpoint: nothing was changed.
    NoCheckpoints,
    /// It was imported and never ran here: its commits are in the user's own repository.
    NeverRan,
}
