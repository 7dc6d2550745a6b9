//! Whether a database agrees with itself: every head, snapshot, checkpoint, number, count and state with every other, and
//! every content with what the program that reads it can read.
//!
//! All is asked in one transaction that only reads, so that what changes meanwhile is seen wholly or not at all: what is
//! found is wrong, and not only on its way. A rule is a statement whose rows are what breaks it, so that the database does
//! the comparing and only what is wrong comes here; contents are read one after the other. A rule speaks of what
//! its references lead to only where these lead somewhere: that they do is a rule of its own, and what is broken is told once.
//!
//! Any owner: it is for whoever keeps the database.

mod access;
mod content;
mod conversations;
mod counters;
mod events;
mod file;
mod known;
mod operations;
mod references;
mod rule;
mod runs;
mod search;
mod tasks;
mod usage;

use crate::{Db, StoreError, Tx, statements::Statement};
use makima_model::verify::{Progress, Report};
use rule::Rule;

pub use known::known;

/// Called with how far it has come.
pub type Watch<'a> = &'a mut (dyn FnMut(Progress<'_>) + Send);

/// All rules, in the order of what rests on what.
fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        references::RULES,
        conversations::RULES,
        tasks::RULES,
        runs::RULES,
        events::RULES,
        counters::RULES,
        search::RULES,
        access::RULES,
        operations::RULES,
    ]
    .into_iter()
    .flatten()
}

/// Looks at everything that is in the database.
pub async fn verify(db: &Db, watch: Watch<'_>) -> Result<Report, StoreError> {
    look(&mut db.read().await?, watch).await
}

async fn look(tx: &mut Tx, watch: Watch<'_>) -> Result<Report, StoreError> {
    let mut report = Report::default();
    if !file::is_whole(tx, &mut report, watch).await? {
        // Whatever else would be asked, the answers would come from the damage.
        return Ok(report);
    }
    let of = rules().count() as u64;
    for (done, rule) in (0..).zip(rules()) {
        watch(Progress { what: "rules of the database", done, of });
        rule.look(tx, &mut report).await?;
    }
    operations::look(tx, &mut report).await?;
    usage::look(tx, &mut report).await?;
    content::look(tx, &mut report, watch).await?;
    Ok(report)
}

/// The statements of this module.
pub(crate) fn statements() -> Vec<Statement> {
    let rules = rules().map(|rule| Statement::Plain(rule.sql));
    let more = content::statements()
        .chain(known::statements())
        .chain(usage::statements())
        .chain(operations::statements());
    rules.chain(more).collect()
}

#[cfg(test)]
mod tests;
