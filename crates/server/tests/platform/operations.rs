//! Operations: the trash, restoring a snapshot, checkpoints by hand, undoing each, and a server that is killed at any step of them.

use crate::{lab::*, on_both};
use makima_client::{Client, ClientError, Making};
use makima_model::{
    CheckpointId, CheckpointKind, CheckpointMade, CommandId, DaemonStatus, MessageRole, OperationId,
    OperationKind, OperationState, Origin, Record, RunId, RunOutcome, TaskStatus,
};
use makima_wire::{
    Code, Contract, CreateCheckpoint, CreateContract, CreateSnapshot, CreateTask, Deletion, List,
    ListContracts, ListOperations, ListTasks, OfContract, Operation, Order, RestoreSnapshot, Task,
    UndoOperation, Words,
    frame::{Checkpointed, Command, CommandOutcome, CommandResult, Refusal},
};
use reqwest::Method;
use serde_json::{Value, json};

const TRASH: Deletion = Deletion { purge: false, stop: false };
const PURGE: Deletion = Deletion { purge: true, stop: false };
const UNDO: UndoOperation = UndoOperation { keep_newer: false, stop: false };

fn code<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> Code {
    answer.unwrap_err().code().expect("a code")
}

fn details(error: &ClientError) -> Value {
    match error {
        ClientError::Refused { body, .. } => body.details.clone().unwrap_or_default(),
        other => panic!("{other:?}"),
    }
}

async fn all(client: &Client) -> Vec<Operation> {
    let list = ListOperations { order: Some(Order::Asc), ..ListOperations::default() };
    client.operations(&list).await.unwrap().operations
}

/// A task whose run has said `words` and ended.
async fn worked(lab: &Lab, daemon: &mut LabDaemon, words: &[&str]) -> (Task, RunId) {
    let task = daemon.beside(lab.task(&format!("plan of {}", words.join(" ")))).await;
    let start = daemon.start().await;
    let mut records = begun(&task);
    records.extend(words.iter().map(|text| said(&lab.clock, MessageRole::Assistant, text)));
    records.extend([turn(0.5), Record::Unchanged { turn: 1 }, ended(RunOutcome::Completed)]);
    daemon.tell(start.run, 1, records).await;
    (lab.until(&task, |task| task.status == TaskStatus::Completed).await, start.run)
}

async fn said_in(client: &Client, task: &Task) -> Vec<String> {
    let conversation = client.conversation(task.id).await.unwrap();
    conversation.messages.into_iter().map(|message| message.content).collect()
}

fn by_hand(lab: &Lab, id: CheckpointId, number: i64) -> CheckpointMade {
    CheckpointMade {
        id,
        number,
        kind: CheckpointKind::Manual,
        turn: None,
        at: lab.clock.now(),
        commit_sha: format!("{number:040}"),
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

/// Answers the next command, a checkpoint by hand.
async fn make(lab: &Lab, daemon: &mut LabDaemon, number: i64) -> CheckpointId {
    let (command, Command::Checkpoint { id, .. }) = daemon.command().await else { panic!("no checkpoint") };
    let result = CommandResult::Checkpoint(Box::new(Checkpointed { made: by_hand(lab, id, number) }));
    daemon.finish(command, CommandOutcome::Done(result)).await;
    id
}

async fn done(daemon: &mut LabDaemon, command: CommandId) {
    daemon.finish(command, CommandOutcome::Done(CommandResult::Done)).await;
}

/// The operation, once it is finished.
async fn finished(lab: &Lab, id: OperationId) -> Operation {
    let looking = async {
        loop {
            let operation = lab.client.operation(id).await.unwrap();
            if operation.state != OperationState::Prepared {
                return operation;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("the operation is finished")
}

/// A server that doesn't wait long, neither for an answer nor for a daemon.
fn forgetful() -> makima_server::Settings {
    let short = std::time::Duration::from_millis;
    makima_server::Settings {
        patience: short(100),
        silence: short(2000),
        grace: short(0),
        ..Default::default()
    }
}

async fn offline(lab: &Lab, id: makima_model::DaemonId) {
    let looking = async {
        loop {
            let daemons = lab.client.daemons().await.unwrap().daemons;
            if daemons.iter().any(|daemon| daemon.id == id && daemon.status == DaemonStatus::Offline) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("the daemon counts as away");
}

async fn contract_with_tasks(lab: &Lab, daemon: &mut LabDaemon, tasks: usize) -> (Contract, Vec<Task>) {
    let wanted = CreateContract {
        name: "Parser".into(),
        repository: "/srv/project".into(),
        ..CreateContract::default()
    };
    let contract = daemon.beside(lab.client.create_contract(&wanted)).await.unwrap();
    let mut made = Vec::new();
    for n in 0..tasks {
        let wanted = CreateTask {
            plan: format!("part {n}"),
            contract_id: Some(contract.id),
            start: Some(false),
            ..CreateTask::default()
        };
        made.push(daemon.beside(lab.client.create_task(&wanted)).await.unwrap());
    }
    (contract, made)
}

async fn counts(client: &Client) -> (i64, i64) {
    let tasks = client.tasks(&ListTasks::default()).await.unwrap();
    let contracts = client.contracts(&ListContracts::default()).await.unwrap();
    assert_eq!(
        (tasks.total_count, contracts.total_count),
        (tasks.tasks.len() as i64, contracts.contracts.len() as i64)
    );
    (tasks.total_count, contracts.total_count)
}

on_both! {
    async fn a_deleted_task_is_nowhere_until_its_deletion_is_undone(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (task, _) = worked(&lab, &mut daemon, &["a", "b"]).await;
        let snapshot = lab.client.create_snapshot(task.id, &CreateSnapshot::default()).await.unwrap();
        let before = lab.client.task(task.id).await.unwrap();

        let deleted = lab.client.delete_task(task.id, TRASH).await.unwrap();
        assert_eq!((deleted.kind, deleted.state, deleted.origin), (OperationKind::Delete, OperationState::Done, Origin::Api));
        assert_eq!((deleted.before.deleted, deleted.after.as_ref().unwrap().deleted), (Some(false), Some(true)));
        let missing = lab.client.task(task.id).await.unwrap_err();
        assert_eq!((missing.code(), details(&missing)["operationId"].clone()), (Some(Code::NotFound), json!(deleted.id)));
        assert_eq!(code(lab.client.conversation(task.id).await), Code::NotFound);
        assert_eq!(code(lab.client.snapshot(task.id, snapshot.id).await), Code::NotFound);
        assert_eq!(code(lab.client.send_message(task.id, "go on").await), Code::NotFound);
        assert_eq!(code(lab.client.delete_task(task.id, TRASH).await), Code::NotFound);
        assert!(matches!(lab.client.feed(Some(task.id), Some(0)).await.err().and_then(|error| error.code()), Some(Code::NotFound)));
        let sought = ListTasks { q: Some("plan of".into()), ..ListTasks::default() };
        assert_eq!(lab.client.tasks(&sought).await.unwrap().total_count, 0);
        assert_eq!(counts(&lab.client).await, (0, 0));
        assert_eq!(lab.client.operation(deleted.id).await.unwrap(), deleted);

        let undone = lab.client.undo_operation(deleted.id, UNDO).await.unwrap();
        assert_eq!((undone.kind, undone.undoes), (OperationKind::Undo, Some(deleted.id)));
        assert_eq!(lab.client.task(task.id).await.unwrap(), before);
        assert_eq!(said_in(&lab.client, &task).await, ["a", "b"]);
        assert_eq!(counts(&lab.client).await, (1, 0));
        assert_eq!(lab.client.operation(deleted.id).await.unwrap().undone_by, Some(undone.id));
        // Twice is refused; undoing the undo has it deleted again.
        assert_eq!(code(lab.client.undo_operation(deleted.id, UNDO).await), Code::Conflict);
        let redone = lab.client.undo_operation(undone.id, UNDO).await.unwrap();
        assert_eq!(code(lab.client.task(task.id).await), Code::NotFound);
        lab.client.undo_operation(redone.id, UNDO).await.unwrap();
        assert_eq!(lab.client.task(task.id).await.unwrap(), before);
        assert_eq!(counts(&lab.client).await, (1, 0));
        lab.verify().await;
    }

    async fn a_pending_task_in_the_trash_is_not_started_and_one_that_comes_back_is(engine) {
        let lab = Lab::new(engine).await;
        let task = lab.task("one").await;
        let deleted = lab.client.delete_task(task.id, TRASH).await.unwrap();
        let mut daemon = lab.daemon().await;
        let other = daemon.beside(lab.task("two")).await;
        let start = daemon.start().await;
        assert_eq!(start.task, other.id);
        daemon.tell(start.run, 1, vec![ended(RunOutcome::Completed)]).await;
        lab.client.undo_operation(deleted.id, UNDO).await.unwrap();
        assert_eq!(daemon.start().await.task, task.id);
        lab.verify().await;
    }

    async fn a_task_whose_agent_works_is_deleted_once_it_has_ended(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        daemon.tell(start.run, 1, begun(&task)).await;
        assert_eq!(code(lab.client.delete_task(task.id, TRASH).await), Code::AlreadyRunning);
        assert_eq!(all(&lab.client).await, []);

        let client = lab.client.clone();
        let how = Deletion { stop: true, ..TRASH };
        let deleting = tokio::spawn(async move { client.delete_task(task.id, how).await });
        let (stop, command) = daemon.command().await;
        assert!(matches!(command, Command::Stop { run, .. } if run == start.run), "{command:?}");
        // Nothing is changed before the agent has ended, and nobody else changes anything.
        let open = all(&lab.client).await.remove(0);
        assert_eq!((open.state, open.task_id), (OperationState::Prepared, Some(task.id)));
        assert_eq!(lab.client.task(task.id).await.unwrap().id, task.id);
        let refused = lab.client.delete_task(task.id, how).await.unwrap_err();
        assert_eq!((refused.code(), details(&refused)["operationId"].clone()), (Some(Code::OperationInProgress), json!(open.id)));
        assert_eq!(code(lab.client.create_checkpoint(task.id, &CreateCheckpoint::default()).await), Code::OperationInProgress);
        daemon.tell(start.run, 4, vec![said(&lab.clock, MessageRole::Assistant, "last"), ended(RunOutcome::Interrupted)]).await;
        done(&mut daemon, stop).await;
        let deleted = deleting.await.unwrap().unwrap();
        assert_eq!((deleted.id, deleted.state), (open.id, OperationState::Done));
        assert_eq!(code(lab.client.task(task.id).await), Code::NotFound);
        lab.client.undo_operation(deleted.id, UNDO).await.unwrap();
        assert_eq!(said_in(&lab.client, &task).await, ["last"]);
        lab.verify().await;
    }

    async fn a_contract_takes_its_tasks_along_and_undo_brings_back_exactly_those(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (contract, tasks) = contract_with_tasks(&lab, &mut daemon, 3).await;
        let loose = CreateTask { start: Some(false), plan: "loose".into(), repository: Some("/srv/x".into()), ..CreateTask::default() };
        daemon.beside(lab.client.create_task(&loose)).await.unwrap();
        let first = lab.client.delete_task(tasks[0].id, TRASH).await.unwrap();
        let of_contract = ListTasks { contract_id: Some(OfContract::One(contract.id)), ..ListTasks::default() };
        assert_eq!(lab.client.tasks(&of_contract).await.unwrap().total_count, 2);
        assert_eq!(lab.client.contract(contract.id).await.unwrap().task_counts.values().sum::<i64>(), 2);
        assert_eq!(counts(&lab.client).await, (3, 1));

        let deleted = lab.client.delete_contract(contract.id, TRASH).await.unwrap();
        let mut along: Vec<_> = tasks[1..].iter().map(|task| task.id).collect();
        along.sort();
        assert_eq!(deleted.after.as_ref().unwrap().tasks, Some(along));
        assert_eq!(counts(&lab.client).await, (1, 0));
        assert_eq!(code(lab.client.contract(contract.id).await), Code::NotFound);
        assert_eq!(code(lab.client.tasks(&of_contract).await), Code::NotFound);
        assert_eq!(code(lab.client.task(tasks[1].id).await), Code::NotFound);
        let into = CreateTask { plan: "new".into(), contract_id: Some(contract.id), ..CreateTask::default() };
        assert_eq!(code(lab.client.create_task(&into).await), Code::NotFound);
        // A task can't come back into a contract that isn't there.
        assert_eq!(code(lab.client.undo_operation(first.id, UNDO).await), Code::Conflict);
        let of_it = ListOperations { contract_id: Some(contract.id), ..ListOperations::default() };
        assert_eq!(lab.client.operations(&of_it).await.unwrap().total_count, 2);

        lab.client.undo_operation(deleted.id, UNDO).await.unwrap();
        assert_eq!(counts(&lab.client).await, (3, 1));
        assert_eq!(lab.client.tasks(&of_contract).await.unwrap().total_count, 2);
        lab.client.undo_operation(first.id, UNDO).await.unwrap();
        assert_eq!(lab.client.tasks(&of_contract).await.unwrap().total_count, 3);
        assert_eq!(counts(&lab.client).await, (4, 1));
        lab.verify().await;
    }

    async fn what_is_open_on_a_task_is_open_on_its_contract(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (contract, _) = contract_with_tasks(&lab, &mut daemon, 0).await;
        let wanted = CreateTask { plan: "work".into(), contract_id: Some(contract.id), ..CreateTask::default() };
        let task = daemon.beside(lab.client.create_task(&wanted)).await.unwrap();
        let start = daemon.start().await;
        daemon.tell(start.run, 1, begun(&task)).await;
        let client = lab.client.clone();
        let making = tokio::spawn(async move { client.create_checkpoint(task.id, &CreateCheckpoint::default()).await });
        let (command, _) = daemon.command().await;
        let how = Deletion { stop: true, ..TRASH };
        assert_eq!(code(lab.client.delete_contract(contract.id, how).await), Code::OperationInProgress);
        let refusal = Refusal { code: Code::WorktreeChanging, message: "it kept changing".into() };
        daemon.finish(command, CommandOutcome::Refused(refusal)).await;
        assert_eq!(code(making.await.unwrap()), Code::WorktreeChanging);
        let failed = all(&lab.client).await.remove(0);
        assert_eq!((failed.state, failed.error.as_deref()), (OperationState::Failed, Some("it kept changing")));
        assert_eq!(code(lab.client.undo_operation(failed.id, UNDO).await), Code::Conflict);
        assert_eq!(code(lab.client.delete_contract(contract.id, TRASH).await), Code::AlreadyRunning);
        lab.verify().await;
    }

    async fn a_conversation_goes_on_from_a_restored_snapshot_and_back(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        let mut records = begun(&task);
        records.push(said(&lab.clock, MessageRole::Assistant, "a"));
        daemon.tell(start.run, 1, records).await;
        let snapshot = lab.client.create_snapshot(task.id, &CreateSnapshot::default()).await.unwrap();
        let how = RestoreSnapshot::default();
        assert_eq!(code(lab.client.restore_snapshot(task.id, snapshot.id, how).await), Code::AlreadyRunning);
        let more = vec![said(&lab.clock, MessageRole::Assistant, "b"), turn(0.1), ended(RunOutcome::Completed)];
        daemon.tell(start.run, 5, more).await;
        lab.until(&task, |task| task.status == TaskStatus::Completed).await;
        assert_eq!(said_in(&lab.client, &task).await, ["a", "b"]);

        let restored = lab.client.restore_snapshot(task.id, snapshot.id, how).await.unwrap();
        assert_eq!((restored.kind, restored.state), (OperationKind::Restore, OperationState::Done));
        assert_eq!(said_in(&lab.client, &task).await, ["a"]);
        let undone = lab.client.undo_operation(restored.id, UNDO).await.unwrap();
        assert_eq!(said_in(&lab.client, &task).await, ["a", "b"]);
        lab.client.undo_operation(undone.id, UNDO).await.unwrap();
        assert_eq!(said_in(&lab.client, &task).await, ["a"]);

        // The next run goes on from there, with the session as it was then.
        lab.client.send_message(task.id, "again").await.unwrap();
        let second = daemon.start().await;
        assert_eq!(second.resume.as_ref().map(|resume| resume.message_count), Some(1));
        let session: Vec<Value> = session(&lab, second.run).await;
        assert_eq!(session.len(), 1, "{session:?}");
        let mut records = begun(&task);
        records.extend([
            heard(second.inputs[0].id, lab.clock.now(), "again"),
            said(&lab.clock, MessageRole::Assistant, "c"),
            turn(0.1),
            ended(RunOutcome::Completed),
        ]);
        daemon.tell(second.run, 1, records).await;
        lab.until(&task, |task| task.run_number == 2 && task.status == TaskStatus::Completed).await;
        assert_eq!(said_in(&lab.client, &task).await, ["a", "again", "c"]);

        // It went on since: its undo says so, and does it only if it shall.
        let last = all(&lab.client).await.pop().unwrap();
        let refused = lab.client.undo_operation(last.id, UNDO).await.unwrap_err();
        assert_eq!((refused.code(), details(&refused)), (Some(Code::NewerChanges), json!({ "files": [], "messages": 2 })));
        let keep = UndoOperation { keep_newer: true, ..UNDO };
        let kept = lab.client.undo_operation(last.id, keep).await.unwrap();
        assert_eq!(said_in(&lab.client, &task).await, ["a", "b"]);
        lab.client.undo_operation(kept.id, UNDO).await.unwrap();
        assert_eq!(said_in(&lab.client, &task).await, ["a", "again", "c"]);
        lab.verify().await;
    }

    async fn a_checkpoint_by_hand_is_put_away_and_had_again(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (task, _) = worked(&lab, &mut daemon, &["a"]).await;
        let mut ids = Vec::new();
        for number in 1..=2 {
            let client = lab.client.clone();
            let making = tokio::spawn(async move { client.create_checkpoint(task.id, &CreateCheckpoint::default()).await });
            ids.push(make(&lab, &mut daemon, number).await);
            assert!(matches!(making.await.unwrap().unwrap(), Making::Made(made) if made.checkpoint_number == number));
        }
        let made = all(&lab.client).await;
        let kinds: Vec<_> = made.iter().map(|operation| (operation.kind, operation.state)).collect();
        assert_eq!(kinds, [(OperationKind::Checkpoint, OperationState::Done); 2]);
        let snapshots = lab.client.snapshots(task.id, &List::default()).await.unwrap().total_count;
        let before = lab.client.task(task.id).await.unwrap();

        // The first is no longer the newest.
        let refused = lab.client.undo_operation(made[0].id, UNDO).await.unwrap_err();
        assert_eq!(refused.code(), Some(Code::NewerChanges));
        let client = lab.client.clone();
        let id = made[1].id;
        let undoing = tokio::spawn(async move { client.undo_operation(id, UNDO).await });
        let (command, Command::PutCheckpointAway { checkpoint, last, .. }) = daemon.command().await else { panic!() };
        assert_eq!((checkpoint, last.map(|last| last.id)), (ids[1], Some(ids[0])));
        assert_eq!(lab.client.checkpoints(task.id, &List::default()).await.unwrap().total_count, 2);
        done(&mut daemon, command).await;
        let undone = undoing.await.unwrap().unwrap();
        let list = lab.client.checkpoints(task.id, &List::default()).await.unwrap();
        assert_eq!((list.total_count, list.checkpoints.len(), list.checkpoints[0].id), (1, 1, ids[0]));
        let now = lab.client.task(task.id).await.unwrap();
        assert_eq!((now.checkpoint_count, now.last_checkpoint_sha), (1, Some(format!("{:040}", 1))));
        assert_eq!(lab.client.snapshots(task.id, &List::default()).await.unwrap().total_count, snapshots - 1);

        let client = lab.client.clone();
        let redoing = tokio::spawn(async move { client.undo_operation(undone.id, UNDO).await });
        let (command, Command::BringCheckpointBack { checkpoint, .. }) = daemon.command().await else { panic!() };
        assert_eq!(checkpoint, ids[1]);
        done(&mut daemon, command).await;
        redoing.await.unwrap().unwrap();
        let after = lab.client.task(task.id).await.unwrap();
        assert_eq!(Task { updated_at: before.updated_at, ..after }, before);
        assert_eq!(lab.client.snapshots(task.id, &List::default()).await.unwrap().total_count, snapshots);
        lab.verify().await;
    }

    async fn what_takes_long_is_answered_with_the_operation_which_goes_on(engine) {
        let settings = makima_server::Settings { patience: std::time::Duration::from_millis(200), ..Default::default() };
        let lab = Lab::with(engine, settings).await;
        let mut daemon = lab.daemon().await;
        let (task, _) = worked(&lab, &mut daemon, &["a"]).await;
        let Making::GoesOn(making) = lab.client.create_checkpoint(task.id, &CreateCheckpoint::default()).await.unwrap()
        else { panic!("it was made") };
        assert_eq!(making.state, OperationState::Prepared);
        // While its daemon is there it is not given up.
        let refused = lab.client.undo_operation(making.id, UNDO).await.unwrap_err();
        assert_eq!((refused.code(), details(&refused)["operationId"].clone()), (Some(Code::OperationInProgress), json!(making.id)));
        let id = make(&lab, &mut daemon, 1).await;
        let made = finished(&lab, making.id).await;
        assert_eq!((made.state, made.after.unwrap().checkpoint_id), (OperationState::Done, Some(id)));
        lab.verify().await;
    }

    async fn a_purged_task_leaves_nothing_but_its_operations(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (task, run) = worked(&lab, &mut daemon, &["secret words"]).await;
        assert!(rows_that_name(&lab, "secret words").await > 0);
        let deleted = lab.client.delete_task(task.id, TRASH).await.unwrap();
        let client = lab.client.clone();
        let purging = tokio::spawn(async move { client.delete_task(task.id, PURGE).await });
        let (command, purge) = daemon.command().await;
        assert_eq!(purge, Command::PurgeTask { task: task.id });
        // While its daemon works on it there is no way back any more, nor a second purge.
        assert_eq!(code(lab.client.undo_operation(deleted.id, UNDO).await), Code::OperationInProgress);
        done(&mut daemon, command).await;
        let purged = purging.await.unwrap().unwrap();
        assert_eq!((purged.kind, purged.state, purged.after.unwrap().erased), (OperationKind::Purge, OperationState::Done, Some(true)));
        assert_eq!(code(lab.client.delete_task(task.id, PURGE).await), Code::NotFound);
        assert_eq!(code(lab.client.undo_operation(purged.id, UNDO).await), Code::Conflict);
        assert_eq!(code(lab.client.undo_operation(deleted.id, UNDO).await), Code::Conflict);
        let kinds: Vec<_> = all(&lab.client).await.iter().map(|operation| operation.kind).collect();
        assert_eq!(kinds, [OperationKind::Delete, OperationKind::Purge]);
        assert_eq!(counts(&lab.client).await, (0, 0));
        // A daemon that still tells of it is heard, and nothing comes of it.
        let mut daemon = LabDaemon::connect(&lab, daemon.id, &[run]).await;
        assert!(daemon.known.is_empty());
        done(&mut daemon, lab.clock.new_id()).await;
        let other = daemon.beside(lab.task("two")).await;
        assert_eq!(daemon.start().await.task, other.id);
        assert_eq!(rows_that_name(&lab, "secret words").await, 0);
        lab.verify().await;
    }

    async fn a_purge_waits_for_its_daemon(engine) {
        let settings = makima_server::Settings { patience: std::time::Duration::from_millis(100), ..Default::default() };
        let lab = Lab::with(engine, settings).await;
        let mut daemon = lab.daemon().await;
        let (task, run) = worked(&lab, &mut daemon, &["a"]).await;
        let id = daemon.id;
        drop(daemon);
        let purging = lab.client.delete_task(task.id, PURGE).await.unwrap();
        assert_eq!(purging.state, OperationState::Prepared);
        assert_eq!(code(lab.client.task(task.id).await), Code::NotFound);
        let mut daemon = LabDaemon::connect(&lab, id, &[run]).await;
        assert!(daemon.known[0].replaced);
        let (command, purge) = daemon.command().await;
        assert_eq!(purge, Command::PurgeTask { task: task.id });
        done(&mut daemon, command).await;
        assert_eq!(finished(&lab, purging.id).await.state, OperationState::Done);
        lab.verify().await;
    }

    /// Fault: a daemon is gone for good
    /// Moment: while a checkpoint by hand waits for it
    /// Outcome: undoing gives the operation up, others can begin; what the daemon made all the same is kept when it is back
    async fn what_waits_for_a_daemon_that_is_gone_is_given_up(engine) {
        let lab = Lab::with(engine, forgetful()).await;
        let mut daemon = lab.daemon().await;
        let (task, run) = worked(&lab, &mut daemon, &["a"]).await;
        let Making::GoesOn(making) = lab.client.create_checkpoint(task.id, &CreateCheckpoint::default()).await.unwrap()
        else { panic!("it was made") };
        let (command, Command::Checkpoint { id, .. }) = daemon.command().await else { panic!("no checkpoint") };
        let gone = daemon.id;
        drop(daemon);
        offline(&lab, gone).await;
        let blocked = lab.client.delete_task(task.id, TRASH).await.unwrap_err();
        assert_eq!(blocked.code(), Some(Code::OperationInProgress));
        assert!(blocked.to_string().contains("Undo it to give it up"), "{blocked}");

        let given_up = lab.client.undo_operation(making.id, UNDO).await.unwrap();
        assert_eq!((given_up.id, given_up.state, given_up.after.clone()), (making.id, OperationState::Abandoned, None));
        assert!(given_up.error.as_ref().unwrap().contains("is away"), "{given_up:?}");
        assert_eq!(code(lab.client.undo_operation(making.id, UNDO).await), Code::Conflict);
        assert_eq!(all(&lab.client).await, [given_up]);
        let deleted = lab.client.delete_task(task.id, TRASH).await.unwrap();
        lab.client.undo_operation(deleted.id, UNDO).await.unwrap();

        let mut daemon = LabDaemon::connect(&lab, gone, &[run]).await;
        let result = CommandResult::Checkpoint(Box::new(Checkpointed { made: by_hand(&lab, id, 1) }));
        daemon.finish(command, CommandOutcome::Done(result)).await;
        lab.until(&task, |task| task.checkpoint_count == 1).await;
        assert_eq!(finished(&lab, making.id).await.state, OperationState::Abandoned);
        lab.verify().await;
    }

    /// Fault: a daemon is gone for good
    /// Moment: while an erasure waits for it
    /// Outcome: given up, the task is where it was; erased again it is gone at once, and from the daemon should it come back
    async fn an_erasure_that_was_given_up_waits_no_more(engine) {
        let lab = Lab::with(engine, forgetful()).await;
        let mut daemon = lab.daemon().await;
        let (task, run) = worked(&lab, &mut daemon, &["secret words"]).await;
        let before = lab.client.task(task.id).await.unwrap();
        let gone = daemon.id;
        drop(daemon);
        offline(&lab, gone).await;
        let purging = lab.client.delete_task(task.id, PURGE).await.unwrap();
        assert_eq!(purging.state, OperationState::Prepared);
        let given_up = lab.client.undo_operation(purging.id, UNDO).await.unwrap();
        assert_eq!(given_up.state, OperationState::Abandoned);
        assert_eq!(lab.client.task(task.id).await.unwrap(), before);
        assert_eq!(said_in(&lab.client, &task).await, ["secret words"]);

        let purged = lab.client.delete_task(task.id, PURGE).await.unwrap();
        assert_eq!(purged.state, OperationState::Done);
        assert_eq!(rows_that_name(&lab, "secret words").await, 0);
        let mut daemon = LabDaemon::connect(&lab, gone, &[run]).await;
        let (command, purge) = daemon.command().await;
        assert_eq!(purge, Command::PurgeTask { task: task.id });
        done(&mut daemon, command).await;
        lab.verify().await;
    }

    async fn an_erasure_that_fails_changes_nothing(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (task, _) = worked(&lab, &mut daemon, &["a"]).await;
        let before = lab.client.task(task.id).await.unwrap();
        let client = lab.client.clone();
        let purging = tokio::spawn(async move { client.delete_task(task.id, PURGE).await });
        let (command, _) = daemon.command().await;
        let refusal = Refusal { code: Code::Conflict, message: "the disk is read-only".into() };
        daemon.finish(command, CommandOutcome::Refused(refusal)).await;
        let refused = purging.await.unwrap().unwrap_err();
        assert!(refused.to_string().contains("nothing was erased: the disk is read-only"), "{refused}");
        assert_eq!(lab.client.task(task.id).await.unwrap(), before);
        lab.verify().await;
    }

    async fn a_purged_contract_takes_everything_along(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (contract, tasks) = contract_with_tasks(&lab, &mut daemon, 2).await;
        assert!(rows_that_name(&lab, "Parser").await > 0);
        let purged = lab.client.delete_contract(contract.id, PURGE).await.unwrap();
        assert_eq!((purged.state, purged.after.unwrap().tasks.unwrap().len()), (OperationState::Done, tasks.len()));
        assert_eq!(counts(&lab.client).await, (0, 0));
        assert_eq!(code(lab.client.delete_contract(contract.id, PURGE).await), Code::NotFound);
        assert_eq!(rows_that_name(&lab, "Parser").await, 0);
        lab.verify().await;
    }

    async fn operations_are_listed_in_pages_by_what_is_asked(engine) {
        let lab = Lab::new(engine).await;
        let (one, two) = (lab.task("one").await, lab.task("two").await);
        let mut made = Vec::new();
        for task in [&one, &two, &one] {
            let deleted = lab.client.delete_task(task.id, TRASH).await.unwrap();
            let undone = lab.client.undo_operation(deleted.id, UNDO).await.unwrap();
            made.extend([deleted.id, undone.id]);
        }
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let list = ListOperations { limit: Some(4), cursor, ..ListOperations::default() };
            let page = lab.client.operations(&list).await.unwrap();
            assert_eq!(page.total_count, 6);
            seen.extend(page.operations.into_iter().map(|operation| operation.id));
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, made.iter().rev().copied().collect::<Vec<_>>());
        let of = async |list: ListOperations| { lab.client.operations(&list).await.unwrap().total_count };
        let base = ListOperations::default;
        assert_eq!(of(ListOperations { task_id: Some(one.id), ..base() }).await, 4);
        assert_eq!(of(ListOperations { kind: Words(vec![OperationKind::Undo]), ..base() }).await, 3);
        assert_eq!(of(ListOperations { state: Words(vec![OperationState::Prepared]), ..base() }).await, 0);
        let eve = lab.stranger().await;
        assert_eq!(eve.operations(&base()).await.unwrap().total_count, 0);
        assert_eq!(code(eve.operation(made[0]).await), Code::NotFound);
        assert_eq!(code(eve.undo_operation(made[1], UNDO).await), Code::NotFound);
        assert_eq!(code(eve.delete_task(one.id, PURGE).await), Code::NotFound);
        for path in ["/operations?kind=rewind", "/operations?task_id=1", "/operations?limit=0"] {
            assert_eq!(code(lab.client.get::<Value>(path).await), Code::BadRequest, "{path}");
        }
        let path = format!("/operations/{}/undo", made[5]);
        let strange = lab.client.send::<Value>(Method::POST, &path, Some(&json!({ "keep": true }))).await;
        assert_eq!(code(strange), Code::BadRequest);
        lab.verify().await;
    }

    async fn an_operation_tells_where_it_was_asked_for(engine) {
        let lab = Lab::new(engine).await;
        let cli = lab.client_with(Some(&lab.key)).called("makima-cli/1");
        let task = lab.task("one").await;
        assert_eq!(cli.delete_task(task.id, TRASH).await.unwrap().origin, Origin::Cli);
        lab.verify().await;
    }

    /// Fault: the server is killed
    /// Moment: before an operation is written
    /// Outcome: nothing has changed
    /// Moment: when a deletion is prepared and waits for the agent's end
    /// Outcome: the next server goes on with it when the agent has ended, once
    /// Moment: when a deletion is published and not answered
    /// Outcome: it is done, once
    async fn a_deletion_outlives_the_server(engine) {
        let mut lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (task, _) = worked(&lab, &mut daemon, &["a"]).await;
        for (step, operations) in [("operation.begun", 0), ("operation.prepared", 1)] {
            lab.failpoints.freeze_at(step);
            let client = lab.client.clone();
            let asking = tokio::spawn(async move { client.delete_task(task.id, TRASH).await });
            lab.frozen().await;
            lab.crash().await;
            asking.abort();
            let done = all(&lab.client).await;
            assert_eq!(done.len(), operations, "{step}");
            assert_eq!(lab.client.task(task.id).await.is_err(), operations == 1, "{step}");
        }
        let deleted = all(&lab.client).await.remove(0);
        lab.client.undo_operation(deleted.id, UNDO).await.unwrap();
        assert_eq!(counts(&lab.client).await, (1, 0));

        let mut daemon = LabDaemon::connect(&lab, daemon.id, &[]).await;
        lab.client.send_message(task.id, "again").await.unwrap();
        let start = daemon.start().await;
        daemon.tell(start.run, 1, begun(&task)).await;
        lab.failpoints.freeze_at("operation.prepared");
        let client = lab.client.clone();
        let how = Deletion { stop: true, ..TRASH };
        let asking = tokio::spawn(async move { client.delete_task(task.id, how).await });
        lab.frozen().await;
        lab.crash().await;
        asking.abort();
        assert!(lab.client.task(task.id).await.is_ok());
        let mut daemon = LabDaemon::connect(&lab, daemon.id, &[start.run]).await;
        let (stop, command) = daemon.command().await;
        assert!(matches!(command, Command::Stop { .. }), "{command:?}");
        daemon.tell(start.run, 4, vec![ended(RunOutcome::Interrupted)]).await;
        done(&mut daemon, stop).await;
        let last = all(&lab.client).await.pop().unwrap();
        assert_eq!(finished(&lab, last.id).await.state, OperationState::Done);
        assert_eq!(counts(&lab.client).await, (0, 0));
        lab.verify().await;
    }

    /// Fault: the server is killed
    /// Moment: when a checkpoint by hand was asked for and its daemon has not heard of it
    /// Outcome: the checkpoint is made once, by the next server
    /// Moment: when an undo of it was asked for and its daemon has not heard of it
    /// Outcome: it is put away once, by the next server
    async fn a_checkpoint_and_its_undo_outlive_the_server(engine) {
        let mut lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (task, _) = worked(&lab, &mut daemon, &["a"]).await;
        lab.failpoints.freeze_at("operation.prepared");
        let client = lab.client.clone();
        let asking = tokio::spawn(async move { client.create_checkpoint(task.id, &CreateCheckpoint::default()).await });
        lab.frozen().await;
        lab.crash().await;
        asking.abort();
        let mut daemon = LabDaemon::connect(&lab, daemon.id, &[]).await;
        let id = make(&lab, &mut daemon, 1).await;
        lab.until(&task, |task| task.checkpoint_count == 1).await;
        let made = all(&lab.client).await.remove(0);
        assert_eq!((made.state, made.after.unwrap().checkpoint_id), (OperationState::Done, Some(id)));

        lab.failpoints.freeze_at("operation.prepared");
        let client = lab.client.clone();
        let asking = tokio::spawn(async move { client.undo_operation(made.id, UNDO).await });
        lab.frozen().await;
        lab.crash().await;
        asking.abort();
        let mut daemon = LabDaemon::connect(&lab, daemon.id, &[]).await;
        let (command, away) = daemon.command().await;
        assert!(matches!(away, Command::PutCheckpointAway { .. }), "{away:?}");
        done(&mut daemon, command).await;
        lab.until(&task, |task| task.checkpoint_count == 0).await;
        assert_eq!(lab.client.checkpoints(task.id, &List::default()).await.unwrap().total_count, 0);
        lab.verify().await;
    }

    /// Fault: the server is killed
    /// Moment: when a snapshot is about to be restored
    /// Outcome: nothing has changed
    /// Moment: when a snapshot is restored and not answered
    /// Outcome: it is restored, once
    /// Moment: when the undo of that is done and not answered
    /// Outcome: it is undone, once
    async fn a_restored_snapshot_outlives_the_server(engine) {
        let mut lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (task, _) = worked(&lab, &mut daemon, &["a", "b"]).await;
        let empty = lab.client.snapshots(task.id, &List::default()).await.unwrap().snapshots.pop().unwrap();
        let second = lab.client.create_snapshot(task.id, &CreateSnapshot::default()).await.unwrap();
        assert_eq!((empty.message_count, second.message_count), (2, 2));
        for (step, operations) in [("operation.begun", 0), ("operation.prepared", 1)] {
            lab.failpoints.freeze_at(step);
            let client = lab.client.clone();
            let how = RestoreSnapshot::default();
            let asking = tokio::spawn(async move { client.restore_snapshot(task.id, second.id, how).await });
            lab.frozen().await;
            lab.crash().await;
            asking.abort();
            assert_eq!(all(&lab.client).await.len(), operations, "{step}");
        }
        let restored = all(&lab.client).await.remove(0);
        assert_eq!(restored.state, OperationState::Done);
        lab.failpoints.freeze_at("operation.prepared");
        let client = lab.client.clone();
        let asking = tokio::spawn(async move { client.undo_operation(restored.id, UNDO).await });
        lab.frozen().await;
        lab.crash().await;
        asking.abort();
        let undone = all(&lab.client).await.pop().unwrap();
        assert_eq!((undone.state, undone.undoes), (OperationState::Done, Some(restored.id)));
        assert_eq!(said_in(&lab.client, &task).await, ["a", "b"]);
        assert_eq!(code(lab.client.undo_operation(restored.id, UNDO).await), Code::Conflict);
        lab.verify().await;
    }

    /// Fault: the server is killed
    /// Moment: when a purge is prepared and its daemon has not heard of it
    /// Outcome: the next server has it erased, once
    /// Moment: when its daemon has erased what it has and the server has not heard of it
    /// Outcome: the next server hears of it and erases the rest, once
    async fn a_purge_outlives_the_server(engine) {
        let mut lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (task, _) = worked(&lab, &mut daemon, &["a"]).await;
        lab.failpoints.freeze_at("operation.prepared");
        let client = lab.client.clone();
        let asking = tokio::spawn(async move { client.delete_task(task.id, PURGE).await });
        lab.frozen().await;
        lab.crash().await;
        asking.abort();
        let mut daemon = LabDaemon::connect(&lab, daemon.id, &[]).await;
        let (command, purge) = daemon.command().await;
        assert_eq!(purge, Command::PurgeTask { task: task.id });
        daemon.send(makima_wire::frame::FromDaemon::Acknowledged { command }).await;
        lab.crash().await;
        let mut daemon = LabDaemon::connect(&lab, daemon.id, &[]).await;
        done(&mut daemon, command).await;
        let purging = all(&lab.client).await.remove(0);
        assert_eq!(finished(&lab, purging.id).await.state, OperationState::Done);
        assert_eq!(rows_that_name(&lab, "plan of").await, 0);
        assert_eq!(counts(&lab.client).await, (0, 0));
        lab.verify().await;
    }

    /// Fault: two servers go on with the same operation
    /// Moment: at the same time
    /// Outcome: it is done once
    async fn replicas_go_on_with_an_operation_once(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (task, _) = worked(&lab, &mut daemon, &["a"]).await;
        let (_other, other) = lab.replica().await;
        let purges = [lab.client.clone(), other].map(|client| {
            tokio::spawn(async move { client.delete_task(task.id, PURGE).await })
        });
        let (command, _) = daemon.command().await;
        done(&mut daemon, command).await;
        let mut answers = Vec::new();
        for purge in purges {
            answers.push(purge.await.unwrap());
        }
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        assert_eq!(all(&lab.client).await.len(), 1);
        assert_eq!(counts(&lab.client).await, (0, 0));
        lab.verify().await;
    }
}

/// The session that a run goes on with, as its daemon fetches it.
async fn session(lab: &Lab, run: RunId) -> Vec<Value> {
    let address = format!("{}/api/v1/daemons/runs/{run}/session", lab.url());
    let answer = reqwest::Client::new().get(address).bearer_auth(&lab.key).send().await.unwrap();
    answer.text().await.unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How many stored texts have this in them: of tables that hold what was said in plain words.
async fn rows_that_name(lab: &Lab, text: &str) -> i64 {
    let mut found = 0;
    for statement in [
        "SELECT CAST(COUNT(*) AS BIGINT) FROM tasks WHERE plan LIKE $1 OR name LIKE $1",
        "SELECT CAST(COUNT(*) AS BIGINT) FROM contracts WHERE name LIKE $1",
        "SELECT CAST(COUNT(*) AS BIGINT) FROM history_events WHERE CAST(event_data AS TEXT) LIKE $1",
        "SELECT CAST(COUNT(*) AS BIGINT) FROM task_events WHERE CAST(event_data AS TEXT) LIKE $1",
        "SELECT CAST(COUNT(*) AS BIGINT) FROM operations WHERE CAST(request AS TEXT) LIKE $1",
    ] {
        let pattern = format!("%{text}%");
        found += if lab.database_url().starts_with("sqlite") {
            let pool = sqlx::SqlitePool::connect(lab.database_url()).await.unwrap();
            sqlx::query_scalar::<_, i64>(statement).bind(&pattern).fetch_one(&pool).await.unwrap()
        } else {
            let pool = sqlx::PgPool::connect(lab.database_url()).await.unwrap();
            sqlx::query_scalar::<_, i64>(statement).bind(&pattern).fetch_one(&pool).await.unwrap()
        };
    }
    found
}
