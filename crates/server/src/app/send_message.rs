//! Saying something to a task's agent.

use super::{
    App, TaskChange, TaskView,
    tasks::{locked, phase_of},
    texts,
};
use crate::{caller::Caller, error::ApiError};
use makima_model::{MessageId, TaskId, TaskStatus};
use makima_store::{
    inbox::{self, InboxMessage},
    runs, tasks,
};
use makima_wire::{
    Code,
    frame::{Command, Input},
};

impl App {
    /// Keeps the message, and hands it to the live run, or starts a new one.
    pub(crate) async fn send_message(
        &self,
        by: Caller,
        id: TaskId,
        content: String,
    ) -> Result<(MessageId, TaskView), ApiError> {
        texts::said("content", &content)?;
        if let Some(message) = by.has_done() {
            self.place(by.owner).await?;
            return Ok((message, self.task(by.owner, id).await?));
        }
        let mut tx = self.db().begin().await?;
        let mut task = locked(&mut tx, by.owner, id).await?;
        let message = InboxMessage {
            id: self.clock().new_id(),
            owner: by.owner,
            task: id,
            principal: by.principal,
            content,
            created_at: self.clock().now(),
            delivered: None,
        };
        inbox::put(&mut tx, &message).await?;
        self.note(&mut tx, by, message.id).await?;
        if task.cancelling {
            return Err(ApiError::new(
                Code::Conflict,
                "the task is being cancelled: say it when its run has ended, and it goes on",
            ));
        }
        match runs::live_of_task(&mut tx, by.owner, id).await? {
            Some(run) => {
                let input = Input { id: message.id, content: message.content };
                self.queue(
                    &mut tx,
                    by.owner,
                    run.daemon,
                    Some(run.id),
                    &Command::Input { run: run.id, input },
                )
                .await?;
            }
            None => {
                tasks::set_wanted(&mut tx, by.owner, id, true, self.clock().now()).await?;
                if task.status != TaskStatus::Pending {
                    let phase = phase_of(&mut tx, &task).await?;
                    let change = TaskChange {
                        clock: self.clock(),
                        at: self.clock().now(),
                        run_number: task.run_number,
                        phase,
                    };
                    change.become_status(&mut tx, &mut task, TaskStatus::Pending, None).await?;
                }
            }
        }
        tx.commit().await?;
        self.place(by.owner).await?;
        Ok((message.id, self.task(by.owner, id).await?))
    }
}
