//! Answering the question that a task waits for.

use super::{App, TaskView, tasks::existing, texts};
use crate::{caller::Caller, error::ApiError};
use makima_model::{Answer, QuestionKind, TaskId};
use makima_store::{questions, runs};
use makima_wire::{AnswerQuestion, Code, frame::Command};
use tokio::time::Instant;

impl App {
    /// Keeps the answer and hands it to the run that asked; waits until the agent has it, as long as a request may wait.
    pub(crate) async fn answer_question(
        &self,
        by: Caller,
        id: TaskId,
        given: AnswerQuestion,
    ) -> Result<TaskView, ApiError> {
        let until = Instant::now() + self.settings().patience;
        if let Some(command) = by.has_done() {
            self.finished(by.owner, command, until).await?;
            return self.task(by.owner, id).await;
        }
        let mut tx = self.db().begin().await?;
        existing(&mut tx, by.owner, id).await?;
        let asked = questions::get(&mut tx, by.owner, given.question_id)
            .await?
            .filter(|row| row.task == id)
            .ok_or_else(|| ApiError::not_found("question"))?;
        let answer = answer(asked.question.kind, given)?;
        let gone =
            || ApiError::new(Code::Conflict, "the question has been answered, or its agent no longer waits");
        let run = runs::live_of_task(&mut tx, by.owner, id)
            .await?
            .filter(|run| run.id == asked.run)
            .ok_or_else(gone)?;
        let now = self.clock().now();
        if !questions::answer(&mut tx, by.owner, asked.question.id, &answer, by.principal, now).await? {
            return Err(gone());
        }
        let command = Command::Answer { run: run.id, question: asked.question.id, answer };
        let command = self.queue(&mut tx, by.owner, run.daemon, Some(run.id), &command).await?;
        self.note(&mut tx, by, command).await?;
        tx.commit().await?;
        self.finished(by.owner, command, until).await?;
        self.task(by.owner, id).await
    }
}

fn answer(kind: QuestionKind, given: AnswerQuestion) -> Result<Answer, ApiError> {
    texts::said("answer", &given.answer)?;
    if let Some(message) = &given.message {
        texts::long("message", message)?;
    }
    match (kind, given.answer.as_str()) {
        (QuestionKind::Permission, "allow") => Ok(Answer::Allow),
        (QuestionKind::Permission, "deny") => Ok(Answer::Deny { message: given.message }),
        (QuestionKind::Permission, _) => Err(ApiError::unprocessable(
            "a permission is answered by \"allow\" or \"deny\", with an optional message",
        )),
        (QuestionKind::Question, _) => Ok(Answer::Text { text: given.answer }),
    }
}
