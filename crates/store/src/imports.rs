//! Imports: sessions that agents recorded without us. Each has become a task, and knows how much of its file is here, so that
//! one who goes on with it begins behind that.

use crate::{
    Key, Page, Seek, StoreError, Tx,
    columns::{At, Cells, Entity, all, maybe_text, one, text},
    db::{affected, on},
    error::{Act, is_duplicate},
    statements::statements,
};
use makima_model::{ImportId, ImportSource, OwnerId, Position, TaskId, TaskStatus, Timestamp};

/// The beginning of a session's file: how many bytes it has, and their hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePart {
    /// How many bytes it has.
    pub bytes: i64,
    /// BLAKE3 of them, in hex.
    pub digest: String,
}

/// A session that is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Its id.
    pub id: ImportId,
    /// Whose it is.
    pub owner: OwnerId,
    /// Whose session it is.
    pub source: ImportSource,
    /// The agent's own id of the session.
    pub session_id: String,
    /// Which copy of the session, from 0.
    pub copy: i64,
    /// The task that it became.
    pub task: TaskId,
    /// Whether that lies in the trash. Read only.
    pub in_trash: bool,
    /// Where in the conversation the file's next message goes.
    pub position: Position,
    /// How much of its file is here.
    pub reached: FilePart,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When its task was last made to stand where the session ended.
    pub finished_at: Option<Timestamp>,
    /// How much there was of the file then.
    pub finished_bytes: Option<i64>,
}

impl Entity for Import {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: cells.id("id")?,
            owner: cells.id("owner_id")?,
            source: cells.word("source")?,
            session_id: cells.text("session_id")?,
            copy: cells.int("copy")?,
            task: cells.id("task_id")?,
            in_trash: cells.maybe_at("deleted_at")?.is_some(),
            position: Position { branch: cells.id("branch_id")?, seq: cells.int("head_seq")? },
            reached: FilePart::read(cells)?,
            created_at: cells.at("created_at")?,
            finished_at: cells.maybe_at("finished_at")?,
            finished_bytes: cells.maybe_int("finished_bytes")?,
        })
    }
}

impl Entity for FilePart {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self { bytes: cells.int("bytes")?, digest: cells.text("digest")? })
    }
}

/// What is read of an import: its own columns, and whether its task lies in the trash.
macro_rules! imports {
    ($conditions:literal) => {
        concat!(
            "SELECT imports.*, (SELECT deleted_at FROM tasks WHERE tasks.id = imports.task_id) AS deleted_at \
            FROM imports WHERE ",
            $conditions
        )
    };
}

statements! {
    INSERT = "INSERT INTO imports (id, owner_id, source, session_id, copy, task_id, branch_id, head_seq, bytes, digest, \
        created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    GET = imports!("id = $1 AND owner_id = $2");
    // Changes nothing: who has the row's lock changes it by what it reads.
    LOCK = "UPDATE imports SET bytes = bytes WHERE id = $1 AND owner_id = $2";
    REACH = "UPDATE imports SET bytes = $3, digest = $4, branch_id = $5, head_seq = $6 WHERE id = $1 AND owner_id = $2";
    FINISH = "UPDATE imports SET finished_at = $3, finished_bytes = bytes WHERE id = $1 AND owner_id = $2 \
        AND finished_bytes IS DISTINCT FROM bytes";
    ADD_END = "INSERT INTO import_ends (import_id, bytes, digest) SELECT id, bytes, digest FROM imports \
        WHERE id = $1 AND owner_id = $2 ON CONFLICT (import_id, bytes) DO NOTHING";
    ENDS = "SELECT import_ends.* FROM import_ends JOIN imports ON imports.id = import_ends.import_id \
        WHERE imports.id = $1 AND imports.owner_id = $2 ORDER BY import_ends.bytes";
    OF_TASK = imports!("task_id = $1 AND owner_id = $2");
    END_TASK = "UPDATE tasks SET status = $3, status_reason = $4, completed_at = $5, updated_at = $6 \
        WHERE id = $1 AND owner_id = $2 AND run_number = 0 AND status IN ('completed', 'interrupted')";
    IS_OF_RUN = "SELECT task_id FROM runs WHERE owner_id = $1 AND session_id = $2 ORDER BY started_at LIMIT 1";
    COUNT = "SELECT COUNT(*) FROM imports WHERE owner_id = $1 AND (session_id = $2 OR $2 IS NULL)";
    @lists {
        LIST = imports!("owner_id = $4 AND (session_id = $5 OR $5 IS NULL)");
    }
}

/// Begins an import, and says whether that copy of the session is not there yet.
pub async fn insert(tx: &mut Tx, import: &Import) -> Result<bool, StoreError> {
    let made = on!(tx, |c| sqlx::query(INSERT)
        .bind(import.id.uuid())
        .bind(import.owner.uuid())
        .bind(import.source.as_str())
        .bind(text(&import.session_id))
        .bind(import.copy)
        .bind(import.task.uuid())
        .bind(import.position.branch.uuid())
        .bind(import.position.seq)
        .bind(import.reached.bytes)
        .bind(text(&import.reached.digest))
        .bind(At(import.created_at))
        .execute(c)
        .await
        .map(drop));
    match made {
        Err(error) if is_duplicate(&error) => Ok(false),
        made => made.act("begin an import").map(|()| true),
    }
}

/// The import with this id.
pub async fn get(tx: &mut Tx, owner: OwnerId, id: ImportId) -> Result<Option<Import>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(GET).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("read an import")?))
}

/// The import with this id, which nobody else goes on with until the end of this transaction.
pub async fn lock(tx: &mut Tx, owner: OwnerId, id: ImportId) -> Result<Option<Import>, StoreError> {
    on!(tx, |c| sqlx::query(LOCK).bind(id.uuid()).bind(owner.uuid()).execute(c).await.map(affected))
        .act("go on with an import")?;
    get(tx, owner, id).await
}

/// More of the file is here.
pub async fn reach(tx: &mut Tx, import: &Import) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(REACH)
        .bind(import.id.uuid())
        .bind(import.owner.uuid())
        .bind(import.reached.bytes)
        .bind(text(&import.reached.digest))
        .bind(import.position.branch.uuid())
        .bind(import.position.seq)
        .execute(c)
        .await
        .map(affected))
    .act("go on with an import")?;
    Ok(())
}

/// The file ends where it is here up to, for now.
pub async fn add_end(tx: &mut Tx, owner: OwnerId, id: ImportId) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(ADD_END).bind(id.uuid()).bind(owner.uuid()).execute(c).await.map(affected))
        .act("keep the end of a session's file")?;
    Ok(())
}

/// All that came of the file is done. Answers whether there is more of it than the last time.
pub async fn finish(tx: &mut Tx, owner: OwnerId, id: ImportId, at: Timestamp) -> Result<bool, StoreError> {
    let new = on!(tx, |c| sqlx::query(FINISH)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act("finish an import")?;
    Ok(new > 0)
}

/// The task stands where its session ended, unless it goes on here already; says whether it does.
pub async fn end_task(
    tx: &mut Tx,
    owner: OwnerId,
    task: TaskId,
    status: TaskStatus,
    reason: Option<&str>,
    (ended_at, now): (Timestamp, Timestamp),
) -> Result<bool, StoreError> {
    let ended = on!(tx, |c| sqlx::query(END_TASK)
        .bind(task.uuid())
        .bind(owner.uuid())
        .bind(status.as_str())
        .bind(maybe_text(reason))
        .bind(At(ended_at))
        .bind(At(now))
        .execute(c)
        .await
        .map(affected))
    .act("end an imported task")?;
    Ok(ended > 0)
}

/// Where the file ended each time that it was read to its end, the shortest first.
pub async fn ends(tx: &mut Tx, owner: OwnerId, id: ImportId) -> Result<Vec<FilePart>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(ENDS).bind(id.uuid()).bind(owner.uuid()).fetch_all(c).await);
    Ok(all(rows.act("read the ends of an import")?))
}

/// The import that a task came of.
pub async fn of_task(tx: &mut Tx, owner: OwnerId, task: TaskId) -> Result<Option<Import>, StoreError> {
    let row =
        on!(tx, |c| sqlx::query_as(OF_TASK).bind(task.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("read a task's import")?))
}

/// The task of the run whose own session this is.
pub async fn task_of_session(
    tx: &mut Tx,
    owner: OwnerId,
    session_id: &str,
) -> Result<Option<TaskId>, StoreError> {
    let row: Option<OfRun> = one(on!(tx, |c| sqlx::query_as(IS_OF_RUN)
        .bind(owner.uuid())
        .bind(text(session_id))
        .fetch_optional(c)
        .await)
    .act("look for a session's run")?);
    Ok(row.map(|OfRun(task)| task))
}

struct OfRun(TaskId);

impl Entity for OfRun {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        cells.id("task_id").map(Self)
    }
}

/// The owner's imports, all or those of one session. They are counted, unless `total` is known from an earlier page.
pub async fn list(
    tx: &mut Tx,
    owner: OwnerId,
    session_id: Option<&str>,
    seek: Seek,
    total: Option<i64>,
) -> Result<Page<Import>, StoreError> {
    let act = "list the imports";
    let (at, id) = seek.key();
    let session_id = maybe_text(session_id);
    let rows = on!(tx, |c| sqlx::query_as(LIST.in_order(seek.order))
        .bind(at)
        .bind(id)
        .bind(seek.rows())
        .bind(owner.uuid())
        .bind(session_id.as_deref())
        .fetch_all(c)
        .await);
    let imports = all(rows.act(act)?);
    let total = match total {
        Some(total) => total,
        None => on!(tx, |c| sqlx::query_scalar(COUNT)
            .bind(owner.uuid())
            .bind(session_id.as_deref())
            .fetch_one(c)
            .await)
        .act(act)?,
    };
    Ok(seek.page(imports, total, |import: &Import| Key { at: import.created_at, id: import.id.uuid() }))
}
