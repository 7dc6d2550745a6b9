//! A server that is killed between two steps, and the one that follows it on the same database.

use crate::{lab::*, on_both};
use makima_model::{CheckpointKind, CheckpointMade};
use makima_wire::{
    CreateCheckpoint, List,
    frame::{Checkpointed, Command, CommandOutcome, CommandResult},
};

on_both! {
    /// Fault: the server is killed
    /// Moment: when a checkpoint by hand was asked for and its daemon has not heard of it
    /// Outcome: the checkpoint is made once, by the next server
    async fn a_checkpoint_that_was_asked_for_outlives_the_server(engine) {
        let mut lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        daemon.tell(start.run, 1, begun(&task)).await;
        lab.failpoints.freeze_at("checkpoint.queued");
        let client = lab.client.clone();
        let asking = tokio::spawn(async move { client.create_checkpoint(task.id, &CreateCheckpoint::default()).await });
        lab.frozen().await;
        lab.crash().await;
        asking.abort();
        let mut daemon = LabDaemon::connect(&lab, daemon.id, &[start.run]).await;
        let (command, Command::Checkpoint { id, .. }) = daemon.command().await else { panic!("no checkpoint") };
        let made = by_hand(&lab, id);
        let result = CommandResult::Checkpoint(Box::new(Checkpointed { made }));
        daemon.finish(command, CommandOutcome::Done(result)).await;
        lab.until(&task, |task| task.checkpoint_count == 1).await;
        assert_eq!(lab.client.checkpoints(task.id, &List::default()).await.unwrap().checkpoints[0].id, id);
    }
}

fn by_hand(lab: &Lab, id: makima_model::CheckpointId) -> CheckpointMade {
    CheckpointMade {
        id,
        number: 1,
        kind: CheckpointKind::Manual,
        turn: None,
        at: lab.clock.now(),
        commit_sha: "2".repeat(40),
        branch_name: "makima/one".into(),
        message: "By hand".into(),
        previous: None,
        files_changed: Vec::new(),
        lines_added: 0,
        lines_removed: 0,
        not_held: Vec::new(),
        patch: None,
    }
}
