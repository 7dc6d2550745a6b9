//! Questions of agents to their owner.

use crate::{
    StoreError, Tx,
    codec::{maybe_unpacked, pack, unpacked},
    columns::{At, Cells, Entity, all, one, wrong},
    db::{affected, on},
    error::Act,
    statements::statements,
};
use makima_model::{Answer, OwnerId, PrincipalId, Question, QuestionId, RunId, TaskId, Timestamp};

/// A question, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct QuestionRow {
    /// The question.
    pub question: Question,
    /// Whose it is.
    pub owner: OwnerId,
    /// The task whose agent asks.
    pub task: TaskId,
    /// The run that it was asked in.
    pub run: RunId,
    /// When.
    pub asked_at: Timestamp,
    /// The answer.
    pub answer: Option<Answer>,
    /// Who answered.
    pub answered_by: Option<PrincipalId>,
    /// When it was answered.
    pub answered_at: Option<Timestamp>,
    /// When it no longer needed an answer.
    pub withdrawn_at: Option<Timestamp>,
}

impl Entity for QuestionRow {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        let question = unpacked(cells, "codec", "body")?;
        let answer = maybe_unpacked(cells, "answer_codec", "answer")?;
        Ok(Self {
            question: serde_json::from_slice(&question).map_err(|error| wrong("body", error))?,
            owner: cells.id("owner_id")?,
            task: cells.id("task_id")?,
            run: cells.id("run_id")?,
            asked_at: cells.at("asked_at")?,
            answer: answer
                .map(|answer| serde_json::from_slice(&answer))
                .transpose()
                .map_err(|error| wrong("answer", error))?,
            answered_by: cells.maybe_id("answered_by")?,
            answered_at: cells.maybe_at("answered_at")?,
            withdrawn_at: cells.maybe_at("withdrawn_at")?,
        })
    }
}

statements! {
    ASK = "INSERT INTO task_questions (id, owner_id, task_id, run_id, codec, body, asked_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING";
    ANSWER = "UPDATE task_questions SET answer_codec = $3, answer = $4, answered_by = $5, answered_at = $6 \
        WHERE id = $1 AND owner_id = $2 AND answered_at IS NULL AND withdrawn_at IS NULL";
    WITHDRAW = "UPDATE task_questions SET withdrawn_at = $3 \
        WHERE id = $1 AND owner_id = $2 AND answered_at IS NULL AND withdrawn_at IS NULL";
    WITHDRAW_OF_RUN = "UPDATE task_questions SET withdrawn_at = $3 \
        WHERE run_id = $1 AND owner_id = $2 AND answered_at IS NULL AND withdrawn_at IS NULL";
    GET = "SELECT * FROM task_questions WHERE id = $1 AND owner_id = $2";
    PENDING = "SELECT * FROM task_questions WHERE task_id = $1 AND owner_id = $2 \
        AND answered_at IS NULL AND withdrawn_at IS NULL ORDER BY asked_at, id";
}

/// A question waits for its owner. Whether it is new.
pub async fn ask(
    tx: &mut Tx,
    owner: OwnerId,
    task: TaskId,
    run: RunId,
    question: &Question,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let act = "keep a question";
    let body = serde_json::to_vec(question).map_err(|error| wrong("body", error)).act(act)?;
    let packed = pack(&body);
    let asked = on!(tx, |c| sqlx::query(ASK)
        .bind(question.id.uuid())
        .bind(owner.uuid())
        .bind(task.uuid())
        .bind(run.uuid())
        .bind(packed.codec)
        .bind(packed.body)
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act(act)?;
    Ok(asked > 0)
}

/// Answers a question that waits. Whether it did: of two answers the first stands.
pub async fn answer(
    tx: &mut Tx,
    owner: OwnerId,
    id: QuestionId,
    answer: &Answer,
    by: PrincipalId,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let act = "answer a question";
    let body = serde_json::to_vec(answer).map_err(|error| wrong("answer", error)).act(act)?;
    let packed = pack(&body);
    let answered = on!(tx, |c| sqlx::query(ANSWER)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(packed.codec)
        .bind(packed.body)
        .bind(by.uuid())
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act(act)?;
    Ok(answered > 0)
}

/// A question no longer needs an answer. Whether it waited for one.
pub async fn withdraw(
    tx: &mut Tx,
    owner: OwnerId,
    id: QuestionId,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let withdrawn = on!(tx, |c| sqlx::query(WITHDRAW)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act("withdraw a question")?;
    Ok(withdrawn > 0)
}

/// None of the run's questions needs an answer any more.
pub async fn withdraw_of_run(
    tx: &mut Tx,
    owner: OwnerId,
    run: RunId,
    at: Timestamp,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(WITHDRAW_OF_RUN)
        .bind(run.uuid())
        .bind(owner.uuid())
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act("withdraw a run's questions")?;
    Ok(())
}

/// The question with this id.
pub async fn get(tx: &mut Tx, owner: OwnerId, id: QuestionId) -> Result<Option<QuestionRow>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(GET).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("read a question")?))
}

/// The task's questions that wait, oldest first.
pub async fn pending(tx: &mut Tx, owner: OwnerId, task: TaskId) -> Result<Vec<QuestionRow>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(PENDING).bind(task.uuid()).bind(owner.uuid()).fetch_all(c).await);
    Ok(all(rows.act("list a task's questions")?))
}
