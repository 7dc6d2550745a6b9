//! Commands to daemons: rows first, sent by whichever replica holds the daemon's connection.

use super::App;
use makima_model::{CommandId, DaemonId, Operation, OperationId, OwnerId, RunId};
use makima_store::{StoreError, Tx, Wake, commands, daemons};
use makima_wire::frame::{Command, CommandOutcome};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How many commands are claimed at once.
const CLAIM: i64 = 32;
/// How often a command is looked at when nothing says that it is finished.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl App {
    /// Queues a command within `tx`; it is sent when that is committed.
    pub(crate) async fn queue(
        &self,
        tx: &mut Tx,
        owner: OwnerId,
        daemon: DaemonId,
        run: Option<RunId>,
        command: &Command,
    ) -> Result<CommandId, StoreError> {
        self.queue_command(tx, (owner, None), daemon, run, command).await
    }

    /// Queues a command that is the effect of an operation.
    pub(crate) async fn queue_for(
        &self,
        tx: &mut Tx,
        operation: &Operation,
        daemon: DaemonId,
        run: Option<RunId>,
        command: &Command,
    ) -> Result<CommandId, StoreError> {
        self.queue_command(tx, (operation.owner, Some(operation.id)), daemon, run, command).await
    }

    async fn queue_command(
        &self,
        tx: &mut Tx,
        (owner, operation): (OwnerId, Option<OperationId>),
        daemon: DaemonId,
        run: Option<RunId>,
        command: &Command,
    ) -> Result<CommandId, StoreError> {
        let (id, created_at) = (self.clock().new_id(), self.clock().now());
        let body = serde_json::to_vec(command).unwrap_or_default();
        commands::queue(tx, &commands::NewCommand { id, owner, daemon, run, body, operation, created_at })
            .await?;
        Ok(id)
    }

    /// The commands that wait for `daemon`, marked as sent; `None` where a newer connection of it is there, which gets them:
    /// the older one may be dead without knowing it.
    pub(crate) async fn claim_commands(
        &self,
        owner: OwnerId,
        daemon: DaemonId,
        connection: i64,
    ) -> Result<Option<Vec<(CommandId, Command)>>, StoreError> {
        let mut tx = self.db().begin().await?;
        let claimed = commands::claim(&mut tx, owner, daemon, CLAIM, self.clock().now()).await?;
        // Only where there is something: it is asked for often, and holding writes. A hello waits for it, and then queues again
        // what was claimed here.
        if !claimed.is_empty() && !daemons::hold(&mut tx, owner, daemon, connection).await? {
            return Ok(None);
        }
        tx.commit().await?;
        let claimed = claimed
            .into_iter()
            .filter_map(|command| match serde_json::from_slice(&command.body) {
                Ok(body) => Some((command.id, body)),
                Err(error) => {
                    tracing::error!(command = %command.id, "a stored command doesn't parse: {error}");
                    None
                }
            })
            .collect();
        Ok(Some(claimed))
    }

    /// Waits until the command is finished, at most until `until`. `None`: it isn't yet.
    pub(crate) async fn finished(
        &self,
        owner: OwnerId,
        id: CommandId,
        until: Instant,
    ) -> Result<Option<CommandOutcome>, StoreError> {
        let mut wakes = self.db().wakeups();
        loop {
            let mut tx = self.db().read().await?;
            // What was done without a command has none to wait for.
            let Some(command) = commands::get(&mut tx, owner, id).await? else { return Ok(None) };
            drop(tx);
            let told = command.result.or(command.error.map(String::into_bytes));
            if let Some(told) = told {
                return Ok(serde_json::from_slice(&told).ok());
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            // Whatever ends the wait, the next look tells.
            let _ = timeout_at((Instant::now() + LOOK_AGAIN).min(until), async {
                loop {
                    match wakes.recv().await {
                        Ok(Wake::Command(finished)) if finished == id => return,
                        Ok(Wake::Lagged) | Err(_) => return,
                        Ok(_) => {}
                    }
                }
            })
            .await;
        }
    }
}
