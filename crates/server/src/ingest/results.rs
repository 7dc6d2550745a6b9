//! Checkpoints, and what came of commands.

use super::{
    IngestError,
    entries::{Batch, OpenRun},
};
use makima_model::{
    CheckpointMade, CommandId, DaemonId, EventKind, SnapshotId, SnapshotType, TaskEventKind, Timestamp,
};
use makima_store::{Checkpoint, Command, Snapshot, checkpoints, commands, events, snapshots};
use makima_wire::frame::{CommandOutcome, CommandResult};
use serde_json::{Map, Value, json};

impl Batch<'_> {
    /// A command is durable on the daemon.
    pub(super) async fn take_acknowledgement(
        &mut self,
        daemon: DaemonId,
        command: CommandId,
    ) -> Result<(), IngestError> {
        let Some(_) = self.its_command(daemon, command).await? else { return Ok(()) };
        commands::acknowledge(&mut self.tx, self.owner, command, self.app.clock().now()).await?;
        Ok(())
    }

    /// A command was carried out, or can't be. The first word on it counts.
    pub(super) async fn take_result(
        &mut self,
        daemon: DaemonId,
        id: CommandId,
        outcome: &CommandOutcome,
    ) -> Result<(), IngestError> {
        let Some(command) = self.its_command(daemon, id).await? else { return Ok(()) };
        // What was made is kept, also where nobody waits for it any more.
        if let (CommandOutcome::Done(CommandResult::Checkpoint(checkpointed)), Some(run)) =
            (outcome, command.run)
        {
            // What the run said before it came before it: so the conversation's head is the checkpoint's position.
            let open = self.take_open(daemon, run).await?;
            self.checkpoint(&open, checkpointed.made.at, &checkpointed.made).await?;
            self.put_back(open);
        }
        if command.state.is_finished() {
            return Ok(());
        }
        // Both hold the whole outcome: who waits for the command reads it from there.
        let told = serde_json::to_string(outcome).unwrap_or_default();
        let result = match outcome {
            CommandOutcome::Done(_) => Ok(told.into_bytes()),
            CommandOutcome::Refused(_) => Err(told),
        };
        commands::finish(&mut self.tx, self.owner, id, result, self.app.clock().now()).await?;
        if let Some(operation) = command.operation {
            self.app.advance(&mut self.tx, self.owner, operation).await?;
            self.place = true;
        }
        Ok(())
    }

    /// A checkpoint: its row, its position in the conversation, and what the timeline tells of it.
    pub(super) async fn checkpoint(
        &mut self,
        open: &OpenRun,
        at: Timestamp,
        made: &CheckpointMade,
    ) -> Result<(), IngestError> {
        if checkpoints::even_put_away(&mut self.tx, self.owner, made.id).await?.is_some() {
            return Ok(());
        }
        let snapshot: SnapshotId = self.app.clock().new_id();
        self.keep_position(open, at, snapshot, SnapshotType::Checkpoint, Some(made)).await?;
        let checkpoint = Checkpoint {
            owner: self.owner,
            task: open.task.id,
            run: Some(open.run.id),
            position: open.head(),
            snapshot: Some(snapshot),
            made: made.clone(),
        };
        let number = checkpoints::insert(&mut self.tx, &checkpoint).await?.unwrap_or(made.number);
        let mut data = json!(made);
        data["number"] = json!(number);
        self.event(open, at, TaskEventKind::Checkpoint, data);
        self.tell_of(open, at, made, number).await
    }

    /// What the timeline tells of a checkpoint: that it was made, and, where a turn changed files, which.
    async fn tell_of(
        &mut self,
        open: &OpenRun,
        at: Timestamp,
        made: &CheckpointMade,
        number: i64,
    ) -> Result<(), IngestError> {
        let changed = changed(made, number);
        let mut data = Value::Object(changed.clone());
        data["id"] = json!(made.id);
        data["kind"] = json!(made.kind);
        data["commitSha"] = json!(made.commit_sha);
        data["branchName"] = json!(made.branch_name);
        data["message"] = json!(made.message);
        self.history(open, at, EventKind::Checkpoint, "checkpoint", data);
        let Some(turn) = made.turn.filter(|_| !made.files_changed.is_empty()) else { return Ok(()) };
        let mut more = changed;
        more.insert("checkpointId".to_owned(), json!(made.id));
        let mut data = Value::Object(more.clone());
        data["runNumber"] = json!(open.run.number);
        data["turn"] = json!(turn);
        self.history(open, at, EventKind::File, "file_change", data);
        Ok(events::complete_turn(&mut self.tx, self.owner, open.task.id, (open.run.number, turn), more)
            .await?)
    }

    /// A turn that changed no file: where the conversation stood, and no more.
    pub(super) async fn snapshot(&mut self, open: &OpenRun, at: Timestamp) -> Result<(), IngestError> {
        let id = self.app.clock().new_id();
        self.keep_position(open, at, id, SnapshotType::Auto, None).await
    }

    async fn keep_position(
        &mut self,
        open: &OpenRun,
        at: Timestamp,
        id: SnapshotId,
        kind: SnapshotType,
        checkpoint: Option<&CheckpointMade>,
    ) -> Result<(), IngestError> {
        let snapshot = Snapshot {
            id,
            owner: self.owner,
            task: open.task.id,
            checkpoint: checkpoint.map(|made| made.id),
            kind,
            position: open.head(),
            metadata: None,
            created_at: at,
        };
        Ok(snapshots::insert(&mut self.tx, &snapshot).await?)
    }

    /// The command; `None` where it was erased with its task, so that nobody waits for it.
    async fn its_command(&mut self, daemon: DaemonId, id: CommandId) -> Result<Option<Command>, IngestError> {
        match commands::get(&mut self.tx, self.owner, id).await? {
            Some(command) if command.daemon != daemon => Err(IngestError::NotItsCommand(id)),
            command => Ok(command),
        }
    }
}

/// The most files that an entry of the timeline names. The checkpoint itself has all.
const MOST_FILES: usize = 500;

/// What a checkpoint changed, as the timeline tells it.
fn changed(made: &CheckpointMade, number: i64) -> Map<String, Value> {
    let files: Vec<_> = made.files_changed.iter().take(MOST_FILES).collect();
    let omitted = made.files_changed.len() - files.len();
    let mut changed = Map::from_iter([
        ("number".to_owned(), json!(number)),
        ("filesChanged".to_owned(), json!(files)),
        ("linesAdded".to_owned(), json!(made.lines_added)),
        ("linesRemoved".to_owned(), json!(made.lines_removed)),
    ]);
    if omitted > 0 {
        changed.insert("filesOmitted".to_owned(), json!(omitted));
    }
    changed
}
