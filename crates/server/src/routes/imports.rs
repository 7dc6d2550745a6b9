//! Imports.

pub(crate) mod append;
pub(crate) mod create;
pub(crate) mod finish;
pub(crate) mod list;

use crate::app::ImportView;
use makima_store::FilePart;
use makima_wire as wire;

pub(crate) fn shown(ImportView { import, ends }: ImportView) -> wire::Import {
    wire::Import {
        id: import.id,
        source: import.source,
        session_id: import.session_id,
        copy: import.copy,
        task_id: import.task,
        in_trash: import.in_trash,
        reached: part(import.reached),
        ends: ends.into_iter().map(part).collect(),
        created_at: import.created_at,
        finished_at: import.finished_at,
        finished_bytes: import.finished_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
    }
}

fn part(FilePart { bytes, digest }: FilePart) -> wire::FilePart {
    wire::FilePart { bytes: u64::try_from(bytes).unwrap_or(0), digest }
}
