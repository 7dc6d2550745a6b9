//! A rule of the database: a statement, and how to say what its rows mean.

use crate::{
    StoreError, Tx,
    columns::{Cells, Entity, all},
    db::on,
    error::Act,
};
use makima_model::verify::{Finding, Report};
use sqlx::types::Uuid;

/// What must hold, told by what breaks it.
pub(super) struct Rule {
    /// Its name.
    pub(super) name: &'static str,
    /// What the rows of its statement are: what `id` is the id of.
    pub(super) noun: &'static str,
    /// What to say of a row. `{other}`, `{word}`, `{a}` and `{b}` are its other columns.
    pub(super) says: &'static str,
    /// What to do.
    pub(super) advice: &'static str,
    /// Finds what breaks it. One row more than is told, so that it is known whether there are more.
    pub(super) sql: &'static str,
}

/// Declares rules: `name: noun, what to say, what to do, statement;`.
macro_rules! rules {
    ($($name:ident: $noun:literal, $says:literal, $advice:expr, $($sql:expr),+;)*) => {
        pub(super) const RULES: &[$crate::verify::rule::Rule] = &[$($crate::verify::rule::Rule {
            name: stringify!($name),
            noun: $noun,
            says: $says,
            advice: $advice,
            sql: concat!($($sql,)+ " LIMIT 101"),
        }),*];
    };
}
pub(super) use rules;

/// What to do where only a defect of ours can have made it so.
pub(super) const REPORT: &str = "nothing makes this but a defect of Makima or a change by hand: keep a copy of the data and report it with this line";
/// What to do where messages are no longer there.
pub(super) const LOST: &str = "messages are missing: take the database from a backup that has them, or keep a copy of the data and report it with this line";

/// A row that breaks a rule.
struct Broken {
    id: Uuid,
    other: Option<Uuid>,
    word: Option<String>,
    a: Option<i64>,
    b: Option<i64>,
}

impl Entity for Broken {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: cells.id("id")?,
            other: asked(cells.maybe_uuid("other"))?,
            word: asked(cells.maybe_text("word"))?,
            a: asked(cells.maybe_int("a"))?,
            b: asked(cells.maybe_int("b"))?,
        })
    }
}

/// A column that not every rule asks for.
fn asked<T>(cell: Result<Option<T>, sqlx::Error>) -> Result<Option<T>, sqlx::Error> {
    match cell {
        Err(sqlx::Error::ColumnNotFound(_)) => Ok(None),
        cell => cell,
    }
}

impl Rule {
    /// Looks for what breaks it.
    pub(super) async fn look(&self, tx: &mut Tx, report: &mut Report) -> Result<(), StoreError> {
        let rows = on!(tx, |c| sqlx::query_as(self.sql).fetch_all(c).await);
        let rows: Vec<Broken> = all(rows.act("look for what breaks a rule")?);
        rows.iter().for_each(|row| report.add(self.finding(row)));
        Ok(())
    }

    fn finding(&self, row: &Broken) -> Finding {
        let mut found = self.says.to_owned();
        let (other, a, b) = (row.other.map(|id| id.hyphenated().to_string()), row.a, row.b);
        let (a, b) = (a.map(|a| a.to_string()), b.map(|b| b.to_string()));
        for (name, value) in [("{other}", other), ("{a}", a), ("{b}", b), ("{word}", row.word.clone())] {
            found = found.replace(name, value.as_deref().unwrap_or("nothing"));
        }
        Finding {
            rule: self.name.to_owned(),
            object: format!("{} {}", self.noun, row.id.hyphenated()),
            found,
            advice: self.advice.to_owned(),
        }
    }
}
