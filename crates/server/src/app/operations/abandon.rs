//! Abandoning an operation that waits for a daemon which is away: it may never come back.

use super::{App, in_progress};
use crate::{caller::Caller, error::ApiError};
use makima_model::{Daemon, DaemonId, DaemonStatus, Operation, OperationKind, OwnerId};
use makima_store::{
    StoreError, Tx, commands, daemons,
    operations::{self, Ending},
};
use makima_wire::{
    Code,
    frame::{CommandOutcome, Refusal},
};
use serde_json::json;
use tokio::time::Instant;

/// Whom an open operation waits for.
enum Awaits {
    /// Daemons that are all away: this one, and perhaps others.
    Away(Daemon),
    /// Somebody who is about to answer.
    Answer,
}

impl App {
    /// Abandons an open operation whose daemons are all away: nobody waits for them any more, and things are as they were before
    /// it. 409 where one is there, since it is about to answer. A checkpoint that was made all the same is kept when its daemon is back.
    pub(super) async fn abandon(
        &self,
        mut tx: Tx,
        by: Caller,
        operation: Operation,
        until: Instant,
    ) -> Result<Operation, ApiError> {
        let Awaits::Away(daemon) = awaits(&mut tx, &operation).await? else {
            let message =
                format!("operation {} ({}) goes on: wait until it is finished", operation.id, operation.kind);
            return Err(in_progress(message).with(json!({ "operationId": operation.id })));
        };
        let now = self.clock().now();
        let mut why = format!("it was given up: daemon {} is away", daemon.name);
        let told = CommandOutcome::Refused(Refusal { code: Code::Conflict, message: why.clone() });
        let told = serde_json::to_string(&told).unwrap_or_default();
        for command in commands::of_operation(&mut tx, by.owner, operation.id).await? {
            commands::finish(&mut tx, by.owner, command.id, Err(told.clone()), now).await?;
        }
        if operation.kind == OperationKind::Purge {
            self.take_out_of_trash(&mut tx, &operation, operation.id).await?;
            why.push_str(". Erased again, it is not waited for");
        }
        operations::finish(&mut tx, by.owner, operation.id, &Ending::Abandoned(why), now).await?;
        self.note(&mut tx, by, operation.id).await?;
        tx.commit().await?;
        self.place_soon(by.owner);
        self.finished_operation(by.owner, operation.id, until).await
    }

    /// 409: an operation is open. With what can be done about it.
    pub(super) async fn open_already(&self, tx: &mut Tx, open: &Operation) -> Result<ApiError, StoreError> {
        let what = match awaits(tx, open).await? {
            Awaits::Answer => "wait until it is finished".to_owned(),
            Awaits::Away(daemon) => {
                format!("it waits for daemon {}, which is away. Undo it to give it up", daemon.name)
            }
        };
        let message = format!("operation {} ({}) is open on it: {what}", open.id, open.kind);
        Ok(in_progress(message).with(json!({ "operationId": open.id })))
    }
}

async fn awaits(tx: &mut Tx, operation: &Operation) -> Result<Awaits, StoreError> {
    let mut awaited = Awaits::Answer;
    for command in commands::of_operation(tx, operation.owner, operation.id).await? {
        if command.state.is_finished() {
            continue;
        }
        match away(tx, operation.owner, command.daemon).await? {
            Some(daemon) => awaited = Awaits::Away(daemon),
            None => return Ok(Awaits::Answer),
        }
    }
    Ok(awaited)
}

/// The daemon, if it is not connected.
pub(super) async fn away(
    tx: &mut Tx,
    owner: OwnerId,
    daemon: DaemonId,
) -> Result<Option<Daemon>, StoreError> {
    let daemon = daemons::get(tx, owner, daemon).await?;
    Ok(daemon.filter(|daemon| daemon.status == DaemonStatus::Offline))
}
