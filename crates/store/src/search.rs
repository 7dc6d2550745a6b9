//! Full-text search.
//!
//! What is searched is a copy of what is told elsewhere, and is made behind it: a server follows its owners' numbers, which become
//! visible in their order, and takes the next [portion](Portion) of what has come, so that the writing of what comes never waits
//! for it, and what was there before there was a search, or came in bulk, is taken alike. How far it has come is one number for each
//! owner, so it is known of each answer whether it has all.
//!
//! Both engines are given the words that the model tells apart, and find the same.

mod document;
mod find;
mod portion;
mod words;

pub(crate) use find::statements as find_statements;
pub use find::{SearchFilter, SearchHit, SearchKey, find};
pub use portion::Portion;
pub(crate) use portion::statements as portion_statements;

use crate::{
    StoreError, Tx,
    columns::{Cells, Entity, all, one},
    db::{affected, on},
    error::Act,
    statements::statements,
};
use makima_model::{BranchId, OwnerId, TaskId, Timestamp};
use sqlx::types::Uuid;

/// How many bits of a document's id are its owner's number for it.
const BITS: u32 = 40;

/// A time as documents have it.
fn micros(at: Timestamp) -> i64 {
    at.utc().timestamp_micros()
}

/// Where an owner's search stands.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Their number.
    number: i64,
    /// Up to which of their numbers all is there.
    seq: i64,
    erasures: i64,
    /// The newest of their numbers.
    newest: i64,
}

impl Standing {
    /// The newest of the owner's numbers.
    pub fn newest(self) -> i64 {
        self.newest
    }

    /// Whether what has this number can be found, and all before it.
    pub fn has(self, number: i64) -> bool {
        self.seq >= number
    }

    /// How many of the owner's newest numbers can't be found yet.
    pub fn behind(self) -> i64 {
        self.newest - self.seq
    }

    fn base(self) -> i64 {
        base(self.number)
    }
}

/// What is added to a number of the owner with this one to have the document's id.
fn base(number: i64) -> i64 {
    (number - 1) << BITS
}

impl Entity for Standing {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            number: cells.int("number")?,
            seq: cells.int("seq")?,
            erasures: cells.int("erasures")?,
            newest: cells.int("newest")?,
        })
    }
}

/// An owner.
struct Owner(OwnerId);

impl Entity for Owner {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self(cells.id("owner_id")?))
    }
}

/// Documents, by what they are of: rows whose `owner_id` is `$1`, with a condition.
macro_rules! documents {
    ($table:literal, $seq:literal, $which:literal) => {
        concat!("SELECT CAST($3 AS BIGINT) + ", $seq, " FROM ", $table, " WHERE owner_id = $1 AND ", $which)
    };
}

macro_rules! of_task {
    () => {
        concat!(
            documents!(
                "conversation_messages",
                "feed_seq",
                "branch_id IN (SELECT id FROM conversation_branches WHERE task_id = $2)"
            ),
            " UNION ALL ",
            documents!("history_events", "seq", "task_id = $2"),
            " UNION ALL ",
            documents!("task_events", "seq", "task_id = $2")
        )
    };
}

macro_rules! of_contract {
    () => {
        documents!("history_events", "seq", "contract_id = $2")
    };
}

macro_rules! of_branch_from {
    () => {
        documents!("conversation_messages", "feed_seq", "branch_id = $2 AND seq >= $4")
    };
}

statements! {
    STANDING = "SELECT number, search_owners.seq, erasures, COALESCE(owner_sequences.seq, 0) AS newest FROM search_owners \
        LEFT JOIN owner_sequences ON owner_sequences.owner_id = search_owners.owner_id WHERE search_owners.owner_id = $1";
    BEHIND = "SELECT search_owners.owner_id FROM search_owners \
        JOIN owner_sequences ON owner_sequences.owner_id = search_owners.owner_id \
        WHERE search_owners.seq < owner_sequences.seq ORDER BY search_owners.number";
    BEGIN = "INSERT INTO search_owners (owner_id, seq, erasures) VALUES ($1, 0, 0)";
    HOLD = "UPDATE search_owners SET erasures = erasures + 1 WHERE owner_id = $1 RETURNING number";
    FORGET_WORDS_OF_TASK = concat!("DELETE FROM search_words WHERE rowid IN (", of_task!(), ")");
    FORGET_TASK = concat!("DELETE FROM search_documents WHERE id IN (", of_task!(), ")");
    FORGET_WORDS_OF_CONTRACT = concat!("DELETE FROM search_words WHERE rowid IN (", of_contract!(), ")");
    FORGET_CONTRACT = concat!("DELETE FROM search_documents WHERE id IN (", of_contract!(), ")");
    FORGET_WORDS_FROM = concat!("DELETE FROM search_words WHERE rowid IN (", of_branch_from!(), ")");
    FORGET_FROM = concat!("DELETE FROM search_documents WHERE id IN (", of_branch_from!(), ")");
    GIVE = "UPDATE search_documents SET task_id = $4 WHERE id IN (\
        SELECT CAST($3 AS BIGINT) + feed_seq FROM conversation_messages WHERE owner_id = $1 AND branch_id = $2)";
}

/// The owners of whom not all can be found yet: any owner.
pub async fn behind(tx: &mut Tx) -> Result<Vec<OwnerId>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(BEHIND).fetch_all(c).await);
    Ok(all(rows.act("look for what is not indexed yet")?).into_iter().map(|Owner(owner)| owner).collect())
}

/// Begins a new owner's index.
pub(crate) async fn begin(tx: &mut Tx, owner: OwnerId) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(BEGIN).bind(owner.uuid()).execute(c).await.map(affected))
        .act("begin the index of a user")?;
    Ok(())
}

/// Where the owner's search stands; `None` where there is no such owner.
pub async fn standing(tx: &mut Tx, owner: OwnerId) -> Result<Option<Standing>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(STANDING).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("read how far an index has come")?))
}

/// Erasing, as it concerns the index.
pub(crate) struct Erasing {
    owner: OwnerId,
    base: i64,
}

impl Erasing {
    /// Keeps whoever would write to the owner's index from it until the end of this transaction; what they have read is out of date then.
    pub(crate) async fn begin(tx: &mut Tx, owner: OwnerId) -> Result<Self, StoreError> {
        let number: Option<i64> =
            on!(tx, |c| sqlx::query_scalar(HOLD).bind(owner.uuid()).fetch_optional(c).await)
                .act("hold an index")?;
        Ok(Self { owner, base: number.map_or(0, base) })
    }

    /// Takes out what is erased with a task. What is told of the task elsewhere must be there still.
    pub(crate) async fn task(&self, tx: &mut Tx, task: TaskId) -> Result<(), StoreError> {
        self.run(tx, [FORGET_WORDS_OF_TASK, FORGET_TASK], task.uuid(), None).await
    }

    /// Takes out what is erased with a contract whose tasks are gone.
    pub(crate) async fn contract(&self, tx: &mut Tx, contract: Uuid) -> Result<(), StoreError> {
        self.run(tx, [FORGET_WORDS_OF_CONTRACT, FORGET_CONTRACT], contract, None).await
    }

    /// Takes out a branch's messages from this one on.
    pub(crate) async fn from(&self, tx: &mut Tx, branch: BranchId, seq: i64) -> Result<(), StoreError> {
        self.run(tx, [FORGET_WORDS_FROM, FORGET_FROM], branch.uuid(), Some(seq)).await
    }

    /// A branch's messages are another task's now.
    pub(crate) async fn give(&self, tx: &mut Tx, branch: BranchId, heir: TaskId) -> Result<(), StoreError> {
        on!(tx, |c| sqlx::query(GIVE)
            .bind(self.owner.uuid())
            .bind(branch.uuid())
            .bind(self.base)
            .bind(heir.uuid())
            .execute(c)
            .await
            .map(affected))
        .act("give away what is indexed")?;
        Ok(())
    }

    async fn run(
        &self,
        tx: &mut Tx,
        statements: [&'static str; 2],
        of: Uuid,
        from: Option<i64>,
    ) -> Result<(), StoreError> {
        for statement in statements {
            on!(tx, |c| {
                let query = sqlx::query(statement).bind(self.owner.uuid()).bind(of).bind(self.base);
                match from {
                    Some(seq) => query.bind(seq).execute(c).await.map(affected),
                    None => query.execute(c).await.map(affected),
                }
            })
            .act("take something out of an index")?;
        }
        Ok(())
    }
}
