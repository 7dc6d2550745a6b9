//! What a task took, beside what its turns took together. What a turn took stands in a document, which the two engines have
//! no word in common for, so it is added up here.

use super::rule::REPORT;
use crate::{
    StoreError, Tx,
    columns::{Cells, Entity, Of},
    db::on,
    error::Act,
    statements::statements as declared,
};
use futures::TryStreamExt;
use makima_model::{
    TaskId, TurnEnd,
    verify::{Finding, Report},
};

declared! {
    TURNS = "SELECT task.id, task.total_tokens, task.total_cost, event.event_data FROM tasks AS task \
        LEFT JOIN task_events AS event ON event.task_id = task.id AND event.event_type = 'turn' ORDER BY task.id";
}

/// By how much sums of the same costs may differ, added up in another order.
const SLACK: f64 = 1e-6;

/// A task with one of its turns, if it has any. One that can't be read counts as none.
struct Row {
    task: TaskId,
    tokens: i64,
    cost: f64,
    turn: Option<TurnEnd>,
}

impl Entity for Row {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            task: cells.id("id")?,
            tokens: cells.int("total_tokens")?,
            cost: cells.real("total_cost")?,
            turn: cells.maybe_json("event_data")?.and_then(|turn| serde_json::from_value(turn).ok()),
        })
    }
}

/// A task, and what its turns took so far.
struct Sum {
    task: TaskId,
    told: (i64, f64),
    added: (i64, f64),
}

impl Sum {
    fn of(row: &Row) -> Self {
        Self { task: row.task, told: (row.tokens, row.cost), added: (0, 0.0) }
    }

    fn add(&mut self, turn: &TurnEnd) {
        let cost = turn.cost_usd.filter(|cost| cost.is_finite()).unwrap_or(0.0);
        self.added = (self.added.0.saturating_add(turn.usage.total()), self.added.1 + cost);
    }

    fn tell(&self, report: &mut Report) {
        let Self { task, told: (tokens, cost), added: (added_tokens, added_cost) } = self;
        let differs = (cost - added_cost).abs() > SLACK * added_cost.abs().max(1.0);
        if tokens != added_tokens || differs {
            report.add(Finding {
                rule: "task_usage".to_owned(),
                object: format!("task {task}"),
                found: format!(
                    "it says that it took {tokens} tokens and ${cost:.6}, and its turns took {added_tokens} and ${added_cost:.6}"
                ),
                advice: REPORT.to_owned(),
            });
        }
    }
}

/// Adds up the turns of every task.
pub(super) async fn look(tx: &mut Tx, report: &mut Report) -> Result<(), StoreError> {
    let added = on!(tx, |c| {
        let mut rows = sqlx::query_as(TURNS).fetch(c);
        let mut sum: Option<Sum> = None;
        loop {
            let row: Option<Of<Row>> = match rows.try_next().await {
                Ok(row) => row,
                Err(error) => break Err(error),
            };
            let Some(Of(row)) = row else {
                sum.iter().for_each(|sum| sum.tell(report));
                break Ok(());
            };
            if sum.as_ref().is_none_or(|sum| sum.task != row.task) {
                sum.replace(Sum::of(&row)).iter().for_each(|sum| sum.tell(report));
            }
            if let (Some(sum), Some(turn)) = (&mut sum, &row.turn) {
                sum.add(turn);
            }
        }
    });
    added.act("add up what turns took")
}
