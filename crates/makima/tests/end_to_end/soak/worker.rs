//! Somebody who keeps one agent busy, and at the end looks whether all that it said is there.

use super::stage::{STRUCK, Stage, word};
use crate::lab::{until, until_within};
use makima_model::{MessageRole, TaskId, TaskStatus};
use makima_wire::{ConversationMessage, CreateTask, SendMessage, SentMessage, Task};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// One task, and who talks with its agent.
pub(super) struct Worker {
    stage: Arc<Stage>,
    number: usize,
    is_over: Arc<AtomicBool>,
}

impl Worker {
    pub(super) fn new(stage: &Arc<Stage>, number: usize, is_over: &Arc<AtomicBool>) -> Self {
        Self { stage: Arc::clone(stage), number, is_over: Arc::clone(is_over) }
    }

    /// Has the agent talk until it is over and the last talk came to its end. Answers how many messages were looked at.
    pub(super) async fn work(self) -> usize {
        let task = self.begin().await;
        let mut asked = 1;
        loop {
            let ended = self.ended(task).await;
            if ended.status == TaskStatus::Completed && self.is_over.load(Ordering::Relaxed) {
                break;
            }
            self.ask_again(task).await;
            asked += 1;
        }
        self.look(task, asked).await
    }

    /// Makes the task, once, whatever becomes of the server meanwhile.
    async fn begin(&self) -> TaskId {
        let wanted = CreateTask {
            name: Some(format!("agent {}", self.number)),
            plan: "TALK".to_owned(),
            repository: Some(self.stage.lab.repo.path().to_str().unwrap().to_owned()),
            ..CreateTask::default()
        };
        self.stage.done_once::<Task>("/mesh/tasks", &wanted).await.id
    }

    /// The task once its run has ended.
    async fn ended(&self, task: TaskId) -> Task {
        loop {
            let before = self.task(task).await;
            if before.status.is_over() {
                return before;
            }
            let what = format!("task {} goes on: {before:?}", self.number);
            until_within(STRUCK, &what, async || {
                let now = self.task(task).await;
                (now.status.is_over() || now.message_count > before.message_count).then_some(())
            })
            .await;
        }
    }

    async fn task(&self, task: TaskId) -> Task {
        until("the server tells of the task", async || self.stage.client.task(task).await.ok()).await
    }

    async fn ask_again(&self, task: TaskId) {
        let body = SendMessage { content: "TALK".to_owned() };
        self.stage.done_once::<SentMessage>(&format!("/mesh/tasks/{task}/messages"), &body).await;
    }

    /// Each time that it was asked, the agent said a beginning of what it had to say: without a gap, and nothing twice.
    async fn look(&self, task: TaskId, asked: usize) -> usize {
        let all = self.stage.client.conversation(task).await.unwrap();
        let ids: BTreeSet<_> = all.messages.iter().map(|message| message.id).collect();
        assert_eq!(ids.len(), all.messages.len(), "a message is there twice");
        let is_user = |message: &&ConversationMessage| message.role == MessageRole::User;
        assert_eq!(all.messages.iter().filter(is_user).count(), asked, "{}", told(&all.messages));
        let mut talks = all.messages.split(|message| message.role == MessageRole::User);
        assert_eq!(talks.next().map(<[_]>::len), Some(0), "it spoke before it was asked");
        let mut last = 0;
        for talk in talks {
            let said = talk.iter().filter(|message| message.role == MessageRole::Assistant);
            // What was streamed when the agent was killed is kept, and is no whole word.
            let whole: Vec<&str> =
                said.filter(|message| !message.incomplete).map(|message| message.content.as_str()).collect();
            let expected: Vec<String> = (0..whole.len()).map(word).collect();
            assert_eq!(whole, expected, "of agent {}: {}", self.number, told(&all.messages));
            last = whole.len();
        }
        assert_eq!(last, self.stage.steps + 1, "the last talk of agent {} came to no end", self.number);
        all.messages.len()
    }
}

/// A conversation, a line a message.
fn told(messages: &[ConversationMessage]) -> String {
    let line = |message: &ConversationMessage| {
        let incomplete = if message.incomplete { ", incomplete" } else { "" };
        let ConversationMessage { index, run_number, role, content, timestamp, .. } = message;
        format!("\n{index}: run {run_number} {timestamp} {role}{incomplete} {content}")
    };
    messages.iter().map(line).collect()
}
