//! Changes of history, in the built program: what is left of each when it is killed in the middle of it.

use crate::lab::{Lab, finish, start, until, write};
use makima_client::Client;
use makima_model::{OperationKind, OperationState, TaskId, TaskStatus};
use makima_wire::{List, ListOperations, ListTasks, Operation, Order, Task};
use serde_json::json;

async fn operations(client: &Client) -> Vec<Operation> {
    let list = ListOperations { order: Some(Order::Asc), ..ListOperations::default() };
    client.operations(&list).await.unwrap().operations
}

/// A lab with a task whose agent has written a file and ended.
async fn worked() -> (Lab, Task) {
    let mut lab = Lab::new(json!({ "WORK": [write("new.txt", "one\n"), crate::lab::say("Done.")] }));
    lab.up();
    let made = lab.finish(&["task", "create", "WORK", "--json"]).json();
    let id: TaskId = made["id"].as_str().unwrap().parse().unwrap();
    let task = lab.task_when(id, "it is done", |task| task.status == TaskStatus::Completed).await;
    (lab, task)
}

/// Has the program killed at a step of what a command asks for, and starts it again where it was. The command, which asks again
/// under the same key, is told what came of it. Answers the operation.
async fn killed_at(lab: &mut Lab, step: &'static str, command: &[&str]) -> Operation {
    let before = operations(&lab.client()).await.len();
    let address = lab.client().url().trim_start_matches("http://").to_owned();
    lab.end_up(rustix::process::Signal::TERM);
    lab.failpoint = Some(step);
    lab.up_at(&address, &[]);
    let asking = start(&mut lab.makima(command));
    lab.killed();
    lab.up_at(&address, &[]);
    let asked = finish(asking);
    assert_eq!(asked.code, Some(0), "{step}: {asked:?}");
    let client = lab.client();
    until("the operation is finished", async || {
        let mut operations = operations(&client).await;
        assert_eq!(operations.len(), before + 1, "{step}");
        operations.pop().filter(|operation| operation.state != OperationState::Prepared)
    })
    .await
}

/// Fault: server and daemon are killed with SIGKILL
/// Moment: when a task is put into the trash and nobody was told
/// Outcome: it is in the trash, once, and the command that asked for it is told so when the program is back
/// Moment: when that is undone and nobody was told
/// Outcome: it is back as it was
/// Moment: when a snapshot is restored and nobody was told
/// Outcome: the conversation goes on from there, once
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_its_undo_and_a_restored_snapshot_outlive_kill_9() {
    let (mut lab, task) = worked().await;
    let short = task.id.short();
    let deleted = killed_at(&mut lab, "operation.prepared", &["task", "delete", &short, "--yes"]).await;
    assert_eq!((deleted.kind, deleted.state), (OperationKind::Delete, OperationState::Done));
    assert_eq!(lab.client().tasks(&ListTasks::default()).await.unwrap().total_count, 0);
    let undone = killed_at(&mut lab, "operation.prepared", &["undo", "--yes"]).await;
    assert_eq!((undone.kind, undone.state), (OperationKind::Undo, OperationState::Done));
    assert_eq!(lab.client().task(task.id).await.unwrap(), task);
    let snapshots = lab.client().snapshots(task.id, &List::default()).await.unwrap().snapshots;
    let snapshot = snapshots.last().unwrap().id.short();
    let restore = ["task", "restore", &short, &snapshot, "--yes"];
    let restored = killed_at(&mut lab, "operation.prepared", &restore).await;
    assert_eq!((restored.kind, restored.state), (OperationKind::Restore, OperationState::Done));
    assert_eq!(
        lab.client().conversation(task.id).await.unwrap().messages.len() as i64,
        snapshots.last().unwrap().message_count
    );
    lab.verify();
}

/// Fault: server and daemon are killed with SIGKILL
/// Moment: when a checkpoint by hand is made and the server has not heard of it
/// Outcome: the checkpoint is there, once
/// Moment: when a task is being erased and its worktree is gone
/// Outcome: the rest is erased too; the user's repository keeps its branch
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_by_hand_and_a_purge_outlive_kill_9() {
    let (mut lab, task) = worked().await;
    let short = task.id.short();
    let made =
        killed_at(&mut lab, "command.done", &["task", "checkpoint", &short, "--message", "Mine"]).await;
    assert_eq!((made.kind, made.state), (OperationKind::Checkpoint, OperationState::Done));
    let checkpoints = lab.client().checkpoints(task.id, &List::default()).await.unwrap().checkpoints;
    let mine = checkpoints.iter().filter(|checkpoint| checkpoint.message == "Mine").count();
    assert_eq!((checkpoints.len() as i64, mine), (task.checkpoint_count + 1, 1));
    let published = lab.committed(&task.branch_name, "new.txt");
    let purged = killed_at(&mut lab, "purge.worktree", &["task", "delete", &short, "--purge", "--yes"]).await;
    assert_eq!((purged.kind, purged.state), (OperationKind::Purge, OperationState::Done));
    assert!(!std::path::Path::new(&task.worktree_path.unwrap()).exists());
    assert_eq!(lab.committed(&task.branch_name, "new.txt"), published);
    assert_eq!(lab.client().tasks(&ListTasks::default()).await.unwrap().total_count, 0);
    let left = operations(&lab.client()).await;
    assert_eq!(
        left.iter().map(|operation| operation.kind).collect::<Vec<_>>(),
        [OperationKind::Checkpoint, OperationKind::Purge]
    );
    assert_eq!(left[0].request, json!({}));
    lab.verify();
}
