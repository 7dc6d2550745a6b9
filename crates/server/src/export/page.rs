//! A page: conversations for people to read, each checkpoint in its place with what it changed. It is written as it is sent.

mod html;
mod input;
mod markdown;
mod paper;
mod words;

use super::{Exported, file_name, walk::Walk};
use crate::{
    App,
    app::{Messages, ShownMessage, existing_contract, existing_task},
    caller::Caller,
    error::ApiError,
};
use axum::body::Bytes;
use futures::{Stream, stream};
use html::Html;
use makima_model::{CheckpointId, MessageRole, OwnerId, Position, TaskId, ToolCall, branch::way};
use makima_store::{Key, Reader, Task, Tx, UnreadMessage, checkpoints, conversations, tasks};
use markdown::Markdown;
use paper::{Checkpointed, Headline, Paper, Said, Used};
use serde_json::Value;
use std::collections::VecDeque;

/// How much is written before it is sent.
const PIECE: usize = 64 << 10;

/// As what a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageFormat {
    Markdown,
    Html,
}

/// A page that is being written.
pub(crate) struct Page {
    /// What to call it.
    pub(crate) name: String,
    app: App,
    owner: OwnerId,
    paper: Box<dyn Paper + Send + Sync>,
    headline: Option<Headline>,
    /// Whether it is of a task, whose headline is that of the page.
    is_of_one: bool,
    tasks: VecDeque<TaskId>,
    telling: Option<Telling>,
    out: String,
    is_over: bool,
}

/// A task that is being told of.
struct Telling {
    task: TaskId,
    messages: Messages,
    /// Its checkpoints on the way to where it is now: after how many messages each was made.
    checkpoints: VecDeque<(i64, CheckpointId)>,
    /// Where its agent worked.
    folder: Option<String>,
    /// The run that was last told of.
    run: Option<i64>,
    turn: u64,
    /// Calls whose results haven't come yet.
    waiting: Vec<ToolCall>,
}

impl App {
    /// Begins a page.
    pub(crate) async fn export_page(
        &self,
        by: Caller,
        what: Exported,
        format: PageFormat,
    ) -> Result<Page, ApiError> {
        let mut tx = self.db().read().await?;
        let (headline, tasks) = match what {
            Exported::Task(id) => {
                let task = existing_task(&mut tx, by.owner, id).await?;
                (Headline::of_task(&task), VecDeque::from([id]))
            }
            Exported::Contract(id) => {
                let contract = existing_contract(&mut tx, by.owner, id).await?;
                let (mut ids, mut walk) = (VecDeque::new(), Walk::<Key>::new());
                while let Some(seek) = walk.next() {
                    let page = tasks::list(&mut tx, by.owner, Some(id), seek).await?;
                    ids.extend(walk.rows(page).into_iter().map(|task| task.id));
                }
                (Headline::of_contract(&contract, ids.len()), ids)
            }
        };
        drop(tx);
        let headline =
            Headline { exported_at: self.clock().now(), makima: self.version().to_owned(), ..headline };
        let (paper, ending): (Box<dyn Paper + Send + Sync>, _) = match format {
            PageFormat::Html => (Box::new(Html), "html"),
            PageFormat::Markdown => (Box::new(Markdown), "md"),
        };
        Ok(Page {
            name: file_name(&headline.name, &headline.short, ending),
            app: self.clone(),
            owner: by.owner,
            paper,
            headline: Some(headline),
            is_of_one: matches!(what, Exported::Task(_)),
            tasks,
            telling: None,
            out: String::new(),
            is_over: false,
        })
    }
}

impl Page {
    /// Its pieces.
    pub(crate) fn pieces(self) -> impl Stream<Item = Result<Bytes, ApiError>> + Send {
        stream::try_unfold(self, |mut page| async move {
            while page.out.len() < PIECE && !page.is_over {
                page.go_on().await?;
            }
            let piece = std::mem::take(&mut page.out);
            Ok((!piece.is_empty()).then_some((Bytes::from(piece), page)))
        })
    }

    /// Writes the next part.
    async fn go_on(&mut self) -> Result<(), ApiError> {
        if let Some(headline) = self.headline.take() {
            self.paper.begin(&mut self.out, &headline);
        } else if let Some(mut telling) = self.telling.take() {
            let piece = telling.messages.next().await?;
            let is_end = piece.is_empty();
            for ShownMessage { message, input } in piece {
                self.checkpoints_until(&mut telling, message.seq).await?;
                let input = input.map(|input| serde_json::from_str(input.get())).transpose();
                self.tell(&mut telling, message, input.map_err(ApiError::internal)?)?;
            }
            if is_end {
                self.answerless(&mut telling);
                self.checkpoints_until(&mut telling, i64::MAX).await?;
                self.paper.end_task(&mut self.out);
            } else {
                self.telling = Some(telling);
            }
        } else if let Some(id) = self.tasks.pop_front() {
            let mut tx = self.app.db().read().await?;
            // One that was put into the trash since then isn't there any more.
            if let Some(task) = tasks::get(&mut tx, self.owner, id).await? {
                self.telling = Some(self.open(&mut tx, &task).await?);
                self.paper.task(&mut self.out, &task, self.is_of_one);
            }
        } else {
            self.paper.end(&mut self.out);
            self.is_over = true;
        }
        Ok(())
    }

    async fn open(&self, tx: &mut Tx, task: &Task) -> Result<Telling, ApiError> {
        let at = Position { branch: task.conversation, seq: task.message_count };
        let lineage = conversations::lineage(tx, self.owner, at.branch).await?;
        let way = way(&lineage, at).map_err(makima_store::StoreError::from)?;
        let mut made = Vec::new();
        let mut walk = Walk::<Key>::new();
        while let Some(seek) = walk.next() {
            for checkpoint in walk.rows(checkpoints::list(tx, self.owner, task.id, seek).await?) {
                let Position { branch, seq } = checkpoint.position;
                if way.iter().any(|passed| passed.branch == branch && seq <= passed.seq) {
                    made.push((seq, checkpoint.made.id));
                }
            }
        }
        made.sort_by_key(|(seq, _)| *seq);
        let reader = Reader::new(self.app.db(), self.owner, &lineage, at, 0..at.seq)?;
        Ok(Telling {
            task: task.id,
            messages: Messages::of(reader),
            checkpoints: made.into(),
            folder: task.worktree_path.clone(),
            run: None,
            turn: 0,
            waiting: Vec::new(),
        })
    }

    fn tell(
        &mut self,
        telling: &mut Telling,
        unread: UnreadMessage,
        input: Option<Value>,
    ) -> Result<(), ApiError> {
        let (index, run_number) = (unread.seq, unread.run_number);
        let message = unread.read()?;
        if message.role == MessageRole::Tool {
            let call = message.tool_call_id.as_ref();
            let place = telling.waiting.iter().position(|waiting| Some(&waiting.id) == call);
            let call = place.map(|place| telling.waiting.remove(place));
            let name = call.as_ref().map(|call| call.name.clone()).or(message.tool_name);
            let used = Used {
                index: Some(index),
                name: name.as_deref().unwrap_or("tool"),
                input: input.or(call.map(|call| call.input)),
                result: Some(message.tool_result.as_deref().unwrap_or_default()),
                folder: telling.folder.as_deref(),
                is_error: message.is_error == Some(true),
                is_incomplete: message.incomplete,
            };
            self.paper.used(&mut self.out, telling.task, &used);
            return Ok(());
        }
        self.answerless(telling);
        if telling.run != Some(run_number) {
            telling.run = Some(run_number);
            self.paper.run(&mut self.out, run_number);
        }
        let is_user = message.role == MessageRole::User;
        telling.turn += u64::from(is_user);
        let said = Said { index, turn: is_user.then_some(telling.turn), message: &message };
        self.paper.said(&mut self.out, telling.task, &said);
        telling.waiting = message.tool_calls;
        Ok(())
    }

    /// Tells of calls that have no results.
    fn answerless(&mut self, telling: &mut Telling) {
        for call in std::mem::take(&mut telling.waiting) {
            let used = Used {
                index: None,
                name: &call.name,
                input: Some(call.input),
                result: None,
                folder: telling.folder.as_deref(),
                is_error: false,
                is_incomplete: false,
            };
            self.paper.used(&mut self.out, telling.task, &used);
        }
    }

    /// Tells of the checkpoints that were made before message `seq`.
    async fn checkpoints_until(&mut self, telling: &mut Telling, seq: i64) -> Result<(), ApiError> {
        while telling.checkpoints.front().is_some_and(|(at, _)| *at <= seq) {
            let Some((_, id)) = telling.checkpoints.pop_front() else { break };
            let mut tx = self.app.db().read().await?;
            let Some(checkpoint) = checkpoints::by_id(&mut tx, self.owner, id).await? else { continue };
            drop(tx);
            let diff = self.app.kept_diff_to_read(&checkpoint).await?;
            self.answerless(telling);
            let told = Checkpointed { made: &checkpoint.made, diff: diff.as_ref() };
            self.paper.checkpoint(&mut self.out, telling.task, &told);
        }
        Ok(())
    }
}
