//! Following a task until its agent has ended: what it says and does is printed, questions are asked, Ctrl-C stops it.

mod ask;
mod files;
mod heard;
mod keyboard;
mod story;
#[cfg(test)]
mod story_tests;
mod summary;
mod told;
mod tool;

pub(crate) use ask::{answer_of, how_to_answer, question_lines};
pub(crate) use heard::Heard;
pub(crate) use keyboard::Keyboard;
pub(crate) use story::{Piece, Story};
pub(crate) use summary::outcome;
pub(crate) use told::Told;

use crate::{
    failure::{Exit, Failure},
    printer::{Line, Printer, Style},
};
use futures::{Stream, StreamExt, future::pending};
use makima_client::{Client, ClientError, FeedEvent};
use makima_model::{FileChange, QuestionId, TaskEventKind, TaskId, TaskStatus};
use makima_wire::{AnswerQuestion, Code, List, SentMessage, Task};
use serde::Serialize;
use std::{
    pin::Pin,
    time::{Duration, Instant},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{sleep, timeout},
};

/// How long a server may be away before one stops waiting for it.
const PATIENCE: Duration = Duration::from_secs(60);

type Stopping = Pin<Box<dyn Future<Output = Result<Task, ClientError>> + Send>>;
type Feed = Pin<Box<dyn Stream<Item = Result<FeedEvent, ClientError>> + Send>>;

/// Someone who follows a task.
pub(crate) struct Follower<'a> {
    client: &'a Client,
    printer: &'a Printer,
    keyboard: Keyboard,
    interrupts: Signal,
    program: String,
    task: TaskId,
    story: Story,
    /// The last event that was heard: where to go on after a break.
    after: Option<i64>,
    asked: Option<QuestionId>,
    /// Whether the owner has asked for the stop.
    stopping: bool,
    /// Whether one only looks: Ctrl-C ends the looking, and questions are another terminal's.
    looking: bool,
}

/// The end, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(flatten)]
    task: &'a Task,
    #[serde(skip_serializing_if = "Option::is_none")]
    files_changed: Option<&'a [FileChange]>,
}

/// What goes on after something was heard.
enum Next {
    Listen,
    Reconnect,
    End(Box<Task>),
}

impl<'a> Follower<'a> {
    /// Follows `task`, whose story begins with `story`.
    pub(crate) fn new(
        client: &'a Client,
        printer: &'a Printer,
        interrupts: Signal,
        program: String,
        task: TaskId,
        story: Story,
    ) -> Self {
        let keyboard = Keyboard::of(printer);
        Self { keyboard, looking: false, ..Self::looking(client, printer, interrupts, program, task, story) }
    }

    /// The same for somebody who only looks: Ctrl-C ends the looking, and questions are another terminal's.
    pub(crate) fn looking(
        client: &'a Client,
        printer: &'a Printer,
        interrupts: Signal,
        program: String,
        task: TaskId,
        story: Story,
    ) -> Self {
        let (after, asked) = (None, None);
        let keyboard = Keyboard::none();
        let (stopping, looking) = (false, true);
        Self { client, printer, keyboard, interrupts, program, task, story, after, asked, stopping, looking }
    }

    /// Opens the feed from after the event `seen`.
    pub(crate) async fn open_after(&mut self, seen: i64) -> Result<Feed, Failure> {
        self.after = Some(seen);
        match self.client.feed(Some(self.task), self.after).await {
            Ok(feed) => Ok(Box::pin(feed)),
            // It was there a moment ago, when what is recorded was read.
            Err(error) if is_away(&error) => Ok(self.reconnected().await?.0),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the feed: from the task's first event, or from now on.
    pub(crate) async fn open(&mut self, from_its_beginning: bool) -> Result<Feed, Failure> {
        if from_its_beginning {
            self.after = Some(0);
        }
        Ok(Box::pin(self.client.feed(Some(self.task), self.after).await?))
    }

    /// The story begins with a message of the listener's own.
    pub(crate) fn begin(&mut self, sent: &SentMessage) {
        self.story.knows(sent.message_id);
        self.look(&sent.task);
    }

    /// Follows until the task is over; answers what to exit with.
    pub(crate) async fn follow(mut self, feed: Feed) -> Result<Exit, Failure> {
        let Some(task) = self.until_over(feed).await? else {
            self.printer.close();
            return Ok(Exit::Done);
        };
        let left = self.story.end();
        self.print(left);
        let files = match self.files_changed().await {
            Ok(files) => Some(files),
            // A server that stops has told the end, and no more.
            Err(error) if is_away(&error) => None,
            Err(error) => return Err(error.into()),
        };
        self.printer.document(&Document { task: &task, files_changed: files.as_deref() });
        for line in summary::summary(&task, files.as_deref(), self.story.published(), &self.program) {
            self.printer.line(line);
        }
        if self.stopping && task.status == TaskStatus::Interrupted {
            self.printer.note("everything is kept: the conversation, the branch, every checkpoint");
        }
        // Who only looks has seen what there is to see, whatever came of it.
        let is_done = self.looking || task.status == TaskStatus::Completed;
        Ok(if is_done { Exit::Done } else { Exit::Failed })
    }

    /// Follows until the task is over, and tells nothing of its end.
    pub(crate) async fn wait(mut self, feed: Feed) -> Result<(), Failure> {
        self.until_over(feed).await.map(drop)
    }

    /// The task in the end; `None` where one left before.
    async fn until_over(&mut self, mut feed: Feed) -> Result<Option<Task>, Failure> {
        // What is recorded was read before the feed was opened: the end may lie in between, and be told nowhere.
        if self.looking {
            let task = match self.client.task(self.task).await {
                Ok(task) => task,
                Err(error) if is_away(&error) => {
                    let task;
                    (feed, task) = self.reconnected().await?;
                    task
                }
                Err(error) => return Err(error.into()),
            };
            self.look(&task);
            if task.status.is_over() {
                self.hear_the_rest(&mut feed).await;
                return Ok(Some(task));
            }
        }
        let mut stop: Stopping = Box::pin(pending());
        loop {
            let heard = tokio::select! {
                event = feed.next() => match event {
                    Some(Ok(event)) => self.hear(&event).await,
                    // A server that stops ends its feeds without an error.
                    Some(Err(_)) | None => Ok(Next::Reconnect),
                },
                _ = self.interrupts.recv() => {
                    if self.looking {
                        return Ok(None);
                    }
                    if self.stopping {
                        return Err(self.left());
                    }
                    self.stopping = true;
                    self.printer.note("stopping the agent in good order (Ctrl-C again leaves at once)");
                    let (client, task) = (self.client.clone(), self.task);
                    stop = Box::pin(async move { client.stop_task(task).await });
                    Ok(Next::Listen)
                }
                stopped = &mut stop => {
                    stop = Box::pin(pending());
                    match stopped {
                        Ok(_) => {}
                        // It ended by itself meanwhile, and says so in the feed.
                        Err(error) if error.code() == Some(Code::NotRunning) => {}
                        Err(error) => self.printer.note(Line::styled(Style::Warn, error.to_string())),
                    }
                    Ok(Next::Listen)
                }
                line = self.keyboard.line(), if self.asked.is_some() => {
                    self.answer(line).await.map(|()| Next::Listen)
                }
            };
            match heard {
                Ok(Next::Listen) => {}
                Ok(Next::End(task)) => return Ok(Some(*task)),
                Err(error) if !is_away(&error) => return Err(error.into()),
                Ok(Next::Reconnect) | Err(_) => {
                    let task;
                    (feed, task) = self.reconnected().await?;
                    self.look(&task);
                    // What happened meanwhile may have been the end: then the feed tells it at once.
                    if task.status.is_over() {
                        self.hear_the_rest(&mut feed).await;
                        return Ok(Some(task));
                    }
                }
            }
        }
    }

    /// What one is told who leaves before the end.
    fn left(&self) -> Failure {
        Failure::new(format!("left; what becomes of task {} is not known here", self.task.short()))
    }

    async fn hear_the_rest(&mut self, feed: &mut Feed) {
        while let Ok(Some(Ok(event))) = timeout(Duration::from_secs(1), feed.next()).await {
            if !matches!(self.hear(&event).await, Ok(Next::Listen)) {
                break;
            }
        }
    }

    async fn hear(&mut self, event: &FeedEvent) -> Result<Next, ClientError> {
        self.after = event.id.or(self.after);
        let heard = Heard::read(event);
        if heard.task() != Some(self.task) {
            return Ok(Next::Listen);
        }
        let told = self.story.hear(&heard);
        self.print(told);
        let Heard::Task(event) = heard else { return Ok(Next::Listen) };
        let is_news = matches!(
            event.event_type,
            TaskEventKind::StatusChange | TaskEventKind::Question | TaskEventKind::Answer
        );
        if !is_news {
            return Ok(Next::Listen);
        }
        let task = self.client.task(self.task).await?;
        self.look(&task);
        // The event may be of an older run than the one that was just started.
        let over = event.new_status.is_some_and(TaskStatus::is_over) && task.status.is_over();
        Ok(if over { Next::End(Box::new(task)) } else { Next::Listen })
    }

    fn print(&self, pieces: Vec<Piece>) {
        pieces.into_iter().for_each(|piece| piece.print(self.printer));
    }

    /// Takes note of where the task stands, and asks what its agent wants to know.
    fn look(&mut self, task: &Task) {
        self.story.of_task(task);
        let Some(question) = &task.pending_question else {
            if self.asked.take().is_some() && self.keyboard.is_there() {
                self.printer.line(Line::styled(Style::Faint, "(answered)"));
            }
            return;
        };
        if self.asked == Some(question.id) {
            return;
        }
        self.asked = Some(question.id);
        for line in question_lines(question, self.story.worktree()) {
            self.say(line);
        }
        match self.keyboard.is_there() {
            true => {
                self.keyboard.forget();
                self.printer.stream(Style::Strong, ask::prompt(question));
            }
            false => {
                for line in ask::how_to_answer(question, &self.program, task.id) {
                    self.say(line);
                }
            }
        }
    }

    /// A line for people: beside the document where there is one.
    fn say(&self, line: Line) {
        match self.printer.is_json() {
            true => self.printer.note(line),
            false => self.printer.line(line),
        }
    }

    async fn answer(&mut self, line: Option<String>) -> Result<(), ClientError> {
        self.printer.was_entered();
        let task = self.client.task(self.task).await?;
        let (Some(question), Some(line)) = (task.pending_question.as_ref(), line) else {
            // Nobody is at the keyboard any more: another terminal can answer.
            if let Some(question) = &task.pending_question {
                for line in ask::how_to_answer(question, &self.program, task.id) {
                    self.say(line);
                }
            }
            return Ok(());
        };
        let Some((answer, message)) = answer_of(question, &line) else {
            self.printer.stream(Style::Strong, ask::prompt(question));
            return Ok(());
        };
        let body = AnswerQuestion { question_id: question.id, answer, message };
        match self.client.answer(self.task, &body).await {
            Ok(task) => {
                self.asked = None;
                self.look(&task);
            }
            // Somebody else was faster.
            Err(ClientError::Refused { body, .. }) => {
                self.printer.note(Line::styled(Style::Warn, body.message))
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The feed, from where it broke off.
    async fn reconnected(&mut self) -> Result<(Feed, Task), Failure> {
        self.story.interrupted();
        let since = Instant::now();
        let mut pause = Duration::from_millis(200);
        let mut told = false;
        loop {
            // A server that is about to stop may answer the one and not the other.
            let answered = async {
                let feed: Feed = Box::pin(self.client.feed(Some(self.task), self.after).await?);
                Ok((feed, self.client.task(self.task).await?))
            };
            match answered.await {
                Ok(answered) => return Ok(answered),
                Err(error) if !is_away(&error) => return Err(error.into()),
                Err(error) if since.elapsed() > PATIENCE => {
                    return Err(Failure::from(error).hint(format!(
                        "the task {} goes on by itself as long as its daemon does",
                        self.task.short()
                    )));
                }
                Err(_) => {
                    if !std::mem::replace(&mut told, true) {
                        let text = "the server is away; waiting for it (Ctrl-C leaves)";
                        self.printer.note(Line::styled(Style::Warn, text));
                    }
                }
            }
            tokio::select! {
                () = sleep(pause) => {}
                _ = self.interrupts.recv() => return Err(self.left()),
            }
            pause = (pause * 2).min(Duration::from_secs(3));
        }
    }

    async fn files_changed(&self) -> Result<Vec<FileChange>, ClientError> {
        let mut checkpoints = Vec::new();
        let mut list = List { limit: Some(1000), ..List::default() };
        loop {
            let page = self.client.checkpoints(self.task, &list).await?;
            checkpoints.extend(page.checkpoints);
            list.cursor = page.cursor;
            if list.cursor.is_none() {
                break;
            }
        }
        Ok(files::together(checkpoints.iter().rev().flat_map(|checkpoint| &checkpoint.files_changed)))
    }
}

/// Whether the server, or its database, may be back in a moment.
pub(crate) fn is_away(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } => true,
        ClientError::Refused { status, .. } => status.is_server_error(),
        ClientError::NotMakima { .. } | ClientError::Strange { .. } => false,
    }
}

/// Every Ctrl-C from now on. To be called before a task is made, so that none is left behind that nobody knows of.
pub(crate) fn interrupts() -> Result<Signal, Failure> {
    signal(SignalKind::interrupt()).map_err(|error| Failure::because("could not listen for Ctrl-C", &error))
}

/// What the server answers, unless one leaves first.
pub(crate) async fn unless_left<T>(
    interrupts: &mut Signal,
    answer: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, Failure> {
    tokio::select! {
        answer = answer => Ok(answer?),
        _ = interrupts.recv() => {
            Err(Failure::new("left before the server had answered; it may have done what it was asked all the same"))
        }
    }
}
