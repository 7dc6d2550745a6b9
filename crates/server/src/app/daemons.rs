//! Daemons: how they are greeted, and what they are handed.

use super::App;
use crate::{blobs::LEFT_OVER, caller::Caller, error::ApiError, ingest};
use makima_model::{Daemon, DaemonId, OwnerId, RunId};
use makima_store::{StoreError, blobs, commands, daemons, runs, tasks, trash};
use makima_wire::frame::{Hello, KnownRun};

/// What comes of a hello.
pub(crate) enum Hearing {
    /// The daemon is taken; these of its runs are known, and this is the number of its connection.
    Taken { known: Vec<KnownRun>, connection: i64 },
    /// Its id is another owner's.
    AnothersDaemon,
}

impl App {
    /// Takes a daemon: its row, its runs, the commands that it may have missed.
    pub(crate) async fn hear_hello(&self, by: Caller, hello: &Hello) -> Result<Hearing, ingest::IngestError> {
        let mut tx = self.db().begin().await?;
        let taken = daemons::upsert(
            &mut tx,
            by.owner,
            daemons::Hello {
                id: hello.daemon,
                name: &hello.name,
                hostname: &hello.hostname,
                max_concurrent_tasks: hello.max_concurrent_tasks,
                agents: &hello.agents,
            },
        )
        .await;
        let connection = match taken {
            Err(StoreError::ForeignDaemon) => return Ok(Hearing::AnothersDaemon),
            other => other?,
        };
        commands::requeue_sent(&mut tx, by.owner, hello.daemon, self.clock().now()).await?;

        let mut known = Vec::new();
        for id in &hello.runs {
            let Some(run) = runs::get(&mut tx, by.owner, *id).await?.filter(|run| run.daemon == hello.daemon)
            else {
                continue;
            };
            let Some(task) = tasks::kept(&mut tx, by.owner, run.task).await? else { continue };
            let is_deleted = trash::of_task(&mut tx, by.owner, run.task).await?.is_some();
            known.push(KnownRun {
                run: *id,
                last_entry: u64::try_from(run.last_entry).unwrap_or(0),
                replaced: task.run_number > run.number || task.conversation != run.branch || is_deleted,
            });
        }
        tx.commit().await?;
        self.settle_runs(by.owner, hello.daemon, &hello.runs).await?;
        Ok(Hearing::Taken { known, connection })
    }

    /// Notes that a daemon is there, and what keeps it from working. Whether this is its newest connection.
    pub(crate) async fn hear_heartbeat(
        &self,
        owner: OwnerId,
        daemon: DaemonId,
        connection: i64,
        trouble: Option<&str>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db().begin().await?;
        let is_newest = daemons::beat(&mut tx, owner, daemon, connection, trouble).await?;
        tx.commit().await?;
        Ok(is_newest)
    }

    /// All daemons of the owner, by name.
    pub(crate) async fn daemons(&self, owner: OwnerId) -> Result<Vec<Daemon>, StoreError> {
        let mut tx = self.db().read().await?;
        daemons::list(&mut tx, owner).await
    }

    /// Keeps a blob of the owner's.
    pub(crate) async fn keep_blob(&self, owner: OwnerId, hash: &str, bytes: &[u8]) -> Result<(), ApiError> {
        let blob = self.blobs().put(hash, bytes).await?;
        let mut tx = self.db().begin().await?;
        blobs::put(&mut tx, owner, &blob, self.clock().now()).await?;
        tx.commit().await?;
        // Whoever removes a file that nobody has any more looks for its row after the file is put aside: so if that was this one, it
        // is kept anew.
        self.blobs().put(hash, bytes).await?;
        Ok(())
    }

    /// Removes what uploads and exports left that were cut off, those of earlier servers first, for as long as the server lives.
    pub(crate) async fn watch_uploads(self) {
        let (blobs, spool, clock) = (self.blobs().clone(), self.spool().clone(), self.clock().clone());
        drop(self);
        loop {
            if let Err(error) = blobs.sweep(clock.now().utc().into()).await {
                tracing::warn!("the blob folder could not be swept: {error}");
            }
            if let Err(error) = spool.sweep(clock.now().utc().into()).await {
                tracing::warn!("the folder of exports could not be swept: {error}");
            }
            tokio::time::sleep(LEFT_OVER).await;
        }
    }

    /// The run, if it is the owner's.
    pub(crate) async fn run(&self, owner: OwnerId, id: RunId) -> Result<runs::Run, ApiError> {
        let mut tx = self.db().read().await?;
        runs::get(&mut tx, owner, id).await?.ok_or_else(|| ApiError::not_found("run"))
    }
}
