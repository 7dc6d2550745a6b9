//! Following the timeline: what is there, then what the live feed tells from that very moment on.

use super::read;
use crate::{
    entry,
    failure::{Exit, Failure},
    follow::{interrupts, is_away},
    pages::{Pages, all_tasks},
    printer::{Line, Printer, Style},
};
use futures::{Stream, StreamExt};
use makima_client::{Client, ClientError, FeedEvent};
use makima_model::{Clock, EventId, HistoryType, TaskId, Timestamp};
use makima_wire::{Code, EntryType, HistoryEntry, ListTimeline};
use std::{
    collections::{HashMap, HashSet},
    pin::Pin,
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How long a server may be away before one stops waiting for it.
const PATIENCE: Duration = Duration::from_secs(60);

type Feed = Pin<Box<dyn Stream<Item = Result<FeedEvent, ClientError>> + Send>>;

/// Shows what is there, oldest first, and adds what happens until one leaves.
pub(super) async fn follow(
    client: &Client,
    wanted: ListTimeline,
    pages: &Pages,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let mut interrupts = interrupts()?;
    let page = read(client, &wanted, pages).await?;
    let tree = match wanted.task_id.filter(|_| wanted.include_subtasks) {
        Some(root) => Some(Tree::read(client, root).await?),
        None => None,
    };
    let mut follower = Follower {
        client,
        printer,
        wanted,
        tree,
        after: page.feed_seq,
        told: HashSet::new(),
        clock: Clock::system(),
    };
    for entry in page.entries.into_iter().rev() {
        follower.tell(&entry);
    }
    tokio::select! {
        failed = follower.go_on() => failed.map(|never| match never {}),
        _ = interrupts.recv() => Ok(Exit::Done),
    }
}

enum Never {}

struct Follower<'a> {
    client: &'a Client,
    printer: &'a Printer,
    wanted: ListTimeline,
    tree: Option<Tree>,
    /// The last event that was heard: where to go on.
    after: i64,
    /// What was told. A walk of several pages may have met what came while it lasted, which the feed tells too.
    told: HashSet<EventId>,
    clock: Clock,
}

impl Follower<'_> {
    async fn go_on(&mut self) -> Result<Never, Failure> {
        let mut feed = self.connected().await?;
        loop {
            match feed.next().await {
                Some(Ok(event)) => self.hear(&event).await?,
                // A server that stops ends its feeds without an error.
                Some(Err(_)) | None => feed = self.connected().await?,
            }
        }
    }

    async fn open(&self) -> Result<Feed, ClientError> {
        let after = Some(self.after);
        Ok(match (self.wanted.contract_id, self.wanted.task_id) {
            // What is below a task belongs to its contract, or to none.
            (_, Some(task)) if !self.wanted.include_subtasks => {
                Box::pin(self.client.feed(Some(task), after).await?)
            }
            (Some(contract), _) => Box::pin(self.client.contract_feed(contract, after).await?),
            (None, _) => Box::pin(self.client.feed(None, after).await?),
        })
    }

    /// The feed, from where it broke off.
    async fn connected(&self) -> Result<Feed, Failure> {
        let since = Instant::now();
        let mut pause = Duration::from_millis(200);
        let mut told = false;
        loop {
            match self.open().await {
                Ok(feed) => return Ok(feed),
                Err(error) if !is_away(&error) || since.elapsed() > PATIENCE => return Err(error.into()),
                Err(_) if !std::mem::replace(&mut told, true) => {
                    let text = "the server is away; waiting for it (Ctrl-C leaves)";
                    self.printer.note(Line::styled(Style::Warn, text));
                }
                Err(_) => {}
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(3));
        }
    }

    async fn hear(&mut self, event: &FeedEvent) -> Result<(), Failure> {
        if event.event == "history" {
            match serde_json::from_str::<HistoryEntry>(&event.data) {
                Ok(entry) => {
                    if self.is_wanted(&entry).await? {
                        self.tell(&entry);
                    }
                }
                // A newer server tells what this version doesn't know.
                Err(error) => tracing::debug!("an entry has an unknown shape: {error}"),
            }
        }
        self.after = event.id.unwrap_or(self.after);
        Ok(())
    }

    async fn is_wanted(&mut self, entry: &HistoryEntry) -> Result<bool, Failure> {
        let ListTimeline { phase, event_types, from, .. } = &self.wanted;
        let fits = (event_types.is_empty() || event_types.0.contains(&type_of(entry)))
            && (phase.is_empty() || entry.phase.is_some_and(|of| phase.0.contains(&of)))
            && from.is_none_or(|from| entry.timestamp >= from);
        match (&mut self.tree, entry.task_id) {
            _ if !fits => Ok(false),
            (None, _) => Ok(true),
            (Some(_), None) => Ok(false),
            (Some(tree), Some(task)) => tree.has(self.client, task).await,
        }
    }

    fn tell(&mut self, entry: &HistoryEntry) {
        if !self.told.insert(entry.id) {
            return;
        }
        self.printer.document(entry);
        self.printer.line(entry::line(&at(entry.timestamp, self.clock.now()), entry));
    }
}

/// What it is asked for by.
fn type_of(entry: &HistoryEntry) -> HistoryType {
    match (entry.entry_type, entry.event_type.as_str()) {
        (EntryType::TaskEvent, "task_created") => HistoryType::TaskCreated,
        (EntryType::TaskEvent, "task_completed") => HistoryType::TaskCompleted,
        (EntryType::TaskEvent, "task_turn") => HistoryType::TaskTurn,
        (EntryType::TaskEvent, _) => HistoryType::TaskStatus,
        (EntryType::ChatMessage, _) => HistoryType::Chat,
        (EntryType::PhaseChange, _) => HistoryType::PhaseChange,
        (EntryType::Checkpoint, _) => HistoryType::Checkpoint,
        (EntryType::FileChange, _) => HistoryType::FileChange,
    }
}

/// The time by the clock here: a distance would be wrong soon. Of another day the day too.
fn at(then: Timestamp, now: Timestamp) -> String {
    let (then, now) = (then.utc().with_timezone(&chrono::Local), now.utc().with_timezone(&chrono::Local));
    let is_today = then.date_naive() == now.date_naive();
    then.format(if is_today { "%H:%M:%S" } else { "%m-%d %H:%M" }).to_string()
}

/// A task and those below it.
struct Tree {
    root: TaskId,
    /// Of each task that is known: the one above it. None ever gets another.
    above: HashMap<TaskId, Option<TaskId>>,
}

impl Tree {
    async fn read(client: &Client, root: TaskId) -> Result<Self, Failure> {
        let tasks = all_tasks(client).await?;
        Ok(Self { root, above: tasks.into_iter().map(|task| (task.id, task.parent_task_id)).collect() })
    }

    /// Whether a task is one of them; who is made later is asked for.
    async fn has(&mut self, client: &Client, task: TaskId) -> Result<bool, Failure> {
        let mut at = Some(task);
        while let Some(task) = at {
            if task == self.root {
                return Ok(true);
            }
            at = match self.above.get(&task) {
                Some(above) => *above,
                None => {
                    let above = match client.task(task).await {
                        Ok(task) => task.parent_task_id,
                        // It went into the trash meanwhile.
                        Err(error) if error.code() == Some(Code::NotFound) => None,
                        Err(error) => return Err(error.into()),
                    };
                    self.above.insert(task, above);
                    above
                }
            };
        }
        Ok(false)
    }
}
