//! Writing the outbox, in its order.

use super::{Cost, NewMessage, Numbered, Outbox, records::write_records};
use crate::{
    StoreError, Tx, Wake,
    columns::{At, json, text},
    db::{affected, on},
    error::Act,
    events::{NewHistory, NewTaskEvent},
    statements::{portions, statements},
};
use makima_model::{ContractId, OwnerId, Phase, TaskId, TaskStatus};
use sqlx::AssertSqlSafe;
use std::collections::BTreeSet;

statements! {
    NUMBER = "UPDATE owner_sequences SET seq = seq + $2 WHERE owner_id = $1 RETURNING seq";
    SHARE = "WITH turn AS (SELECT COUNT(*) AS messages, COALESCE(SUM(token_count), 0) AS tokens \
        FROM conversation_messages WHERE branch_id = $1 AND owner_id = $2 AND seq >= $3 AND role = 'assistant') \
        UPDATE conversation_messages SET cost_usd = CASE WHEN (SELECT tokens FROM turn) > 0 \
        THEN CAST($4 AS DOUBLE PRECISION) * COALESCE(token_count, 0) / CAST((SELECT tokens FROM turn) AS DOUBLE PRECISION) \
        ELSE CAST($4 AS DOUBLE PRECISION) / CAST((SELECT messages FROM turn) AS DOUBLE PRECISION) END \
        WHERE branch_id = $1 AND owner_id = $2 AND seq >= $3 AND role = 'assistant'";
    COUNT = "INSERT INTO counters (owner_id, scope_id, noun, kind, phase, count) VALUES ($1, $2, $3, $4, $5, $6) \
        ON CONFLICT (owner_id, scope_id, noun, kind, phase) DO UPDATE SET count = counters.count + excluded.count";
    @inserts {
        HISTORY = "INSERT INTO history_events (id, owner_id, seq, contract_id, task_id, event_type, event_subtype, \
            phase, event_data, created_at)";
        TASK_EVENTS = "INSERT INTO task_events (id, owner_id, task_id, seq, run_number, event_type, previous_status, \
            new_status, event_data, created_at)";
        MESSAGES = "INSERT INTO conversation_messages (owner_id, branch_id, seq, id, task_id, run_number, feed_seq, \
            role, token_count, cost_usd, created_at, codec, body)";
    }
}

impl Tx {
    /// Writes what waits, and answers whom to wake.
    pub(crate) async fn write_outbox(&mut self) -> Result<BTreeSet<Wake>, StoreError> {
        let Outbox { numbered, costs, counts, wakes } = std::mem::take(&mut self.outbox);
        let (mut history, mut task_events) = (Vec::new(), Vec::new());
        let (mut messages, mut records) = (Vec::new(), Vec::new());
        for (owner, numbered) in numbered {
            let first = next_seqs(self, owner, numbered.len()).await?;
            for (seq, numbered) in (first..).zip(numbered) {
                match numbered {
                    Numbered::History(event) => history.push((seq, event)),
                    Numbered::TaskEvent(event) => task_events.push((seq, event)),
                    Numbered::Message(message) => messages.push((seq, message)),
                    Numbered::Record(record) => records.push((seq, record)),
                }
            }
        }
        write_messages(self, &messages).await?;
        write_records(self, &records, &messages).await?;
        write_history(self, history).await?;
        write_task_events(self, task_events).await?;
        for cost in costs {
            share(self, cost).await?;
        }
        for ((owner, scope, noun, kind, phase), by) in counts {
            on!(self, |c| sqlx::query(COUNT)
                .bind(owner.uuid())
                .bind(scope)
                .bind(noun.as_str())
                .bind(kind)
                .bind(phase)
                .bind(by)
                .execute(c)
                .await
                .map(affected))
            .act("keep a count")?;
        }
        Ok(wakes)
    }
}

/// The first of `count` new numbers of the owner's sequence.
async fn next_seqs(tx: &mut Tx, owner: OwnerId, count: usize) -> Result<i64, StoreError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let last: i64 = on!(tx, |c| sqlx::query_scalar(NUMBER).bind(owner.uuid()).bind(count).fetch_one(c).await)
        .act("number events")?;
    Ok(last - count + 1)
}

async fn write_history(tx: &mut Tx, mut events: Vec<(i64, NewHistory)>) -> Result<(), StoreError> {
    let data: Vec<_> = events.iter_mut().map(|(_, event)| json(event.data.take())).collect();
    let rows: Vec<_> = events.iter().zip(&data).collect();
    for portion in portions(&rows) {
        let statement = HISTORY.of(tx.engine(), portion.len());
        on!(tx, |c| {
            let mut insert = sqlx::query(AssertSqlSafe(statement));
            for ((seq, event), data) in portion {
                insert = insert
                    .bind(event.id.uuid())
                    .bind(event.owner.uuid())
                    .bind(seq)
                    .bind(event.contract.map(ContractId::uuid))
                    .bind(event.task.map(TaskId::uuid))
                    .bind(event.kind.as_str())
                    .bind(text(&event.subtype))
                    .bind(event.phase.map(Phase::as_str))
                    .bind(*data)
                    .bind(At(event.created_at));
            }
            insert.execute(c).await.map(affected)
        })
        .act("write history events")?;
    }
    Ok(())
}

async fn write_task_events(tx: &mut Tx, mut events: Vec<(i64, NewTaskEvent)>) -> Result<(), StoreError> {
    let data: Vec<_> = events.iter_mut().map(|(_, event)| json(event.data.take())).collect();
    let rows: Vec<_> = events.iter().zip(&data).collect();
    for portion in portions(&rows) {
        let statement = TASK_EVENTS.of(tx.engine(), portion.len());
        on!(tx, |c| {
            let mut insert = sqlx::query(AssertSqlSafe(statement));
            for ((seq, event), data) in portion {
                insert = insert
                    .bind(event.id.uuid())
                    .bind(event.owner.uuid())
                    .bind(event.task.uuid())
                    .bind(seq)
                    .bind(event.run_number)
                    .bind(event.kind.as_str())
                    .bind(event.previous_status.map(TaskStatus::as_str))
                    .bind(event.new_status.map(TaskStatus::as_str))
                    .bind(*data)
                    .bind(At(event.created_at));
            }
            insert.execute(c).await.map(affected)
        })
        .act("write task events")?;
    }
    Ok(())
}

async fn write_messages(tx: &mut Tx, messages: &[(i64, NewMessage)]) -> Result<(), StoreError> {
    for portion in portions(messages) {
        let statement = MESSAGES.of(tx.engine(), portion.len());
        on!(tx, |c| {
            let mut insert = sqlx::query(AssertSqlSafe(statement));
            for (feed_seq, NewMessage { owner, branch, seq, task, run_number, message }) in portion {
                insert = insert
                    .bind(owner.uuid())
                    .bind(branch.uuid())
                    .bind(seq)
                    .bind(message.id.uuid())
                    .bind(task.uuid())
                    .bind(run_number)
                    .bind(feed_seq)
                    .bind(message.role.as_str())
                    .bind(message.token_count)
                    .bind(message.cost_usd)
                    .bind(At(message.created_at))
                    .bind(message.body.packed.codec)
                    .bind(message.body.packed.body.as_slice());
            }
            insert.execute(c).await.map(affected)
        })
        .act("write messages")?;
    }
    Ok(())
}

async fn share(tx: &mut Tx, cost: Cost) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(SHARE)
        .bind(cost.branch.uuid())
        .bind(cost.owner.uuid())
        .bind(cost.from_seq)
        .bind(cost.usd)
        .execute(c)
        .await
        .map(affected))
    .act("share a turn's cost")?;
    Ok(())
}
