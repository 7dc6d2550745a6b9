//! What is known of a turn only after its end: its entry of the timeline is completed with it.

use super::NewHistory;
use crate::{
    StoreError, Tx,
    columns::{Cells, Entity, all, json},
    db::{affected, on},
    error::Act,
    statements::statements,
};
use makima_model::{EventId, EventKind, OwnerId, TaskId};
use serde_json::{Map, Value};

const SUBTYPE: &str = "task_turn";

/// The entry of a turn.
struct Turn {
    id: EventId,
    data: Value,
}

impl Entity for Turn {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self { id: cells.id("id")?, data: cells.json("event_data")? })
    }
}

statements! {
    // A run that another has replaced may be some turns behind.
    NEWEST = "SELECT id, event_data FROM history_events WHERE task_id = $1 AND owner_id = $2 AND event_subtype = 'task_turn' \
        ORDER BY created_at DESC, id DESC LIMIT 16";
    COMPLETE = "UPDATE history_events SET event_data = $3 WHERE id = $1 AND owner_id = $2";
}

/// Adds what has become known of a turn of a run to its entry. Nothing happens where there is none.
pub async fn complete_turn(
    tx: &mut Tx,
    owner: OwnerId,
    task: TaskId,
    (run, turn): (i64, u32),
    more: Map<String, Value>,
) -> Result<(), StoreError> {
    let is_it = |data: &Value| data["runNumber"] == run && data["turn"] == turn;
    let waiting = tx.outbox.waiting_history(owner).find(|new: &&mut NewHistory| {
        new.kind == EventKind::Task && new.task == Some(task) && new.subtype == SUBTYPE && is_it(&new.data)
    });
    if let Some(NewHistory { data: Value::Object(data), .. }) = waiting {
        data.extend(more);
        return Ok(());
    }
    let rows = on!(tx, |c| sqlx::query_as(NEWEST).bind(task.uuid()).bind(owner.uuid()).fetch_all(c).await);
    let turns: Vec<Turn> = all(rows.act("look for a turn")?);
    let Some(Turn { id, data: Value::Object(mut data) }) = turns.into_iter().find(|turn| is_it(&turn.data))
    else {
        return Ok(());
    };
    data.extend(more);
    let data = json(Value::Object(data));
    on!(tx, |c| sqlx::query(COMPLETE)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(&data)
        .execute(c)
        .await
        .map(affected))
    .act("complete a turn")?;
    Ok(())
}
