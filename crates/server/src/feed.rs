//! The live feed: everything stored, in order, without a gap or a duplicate; and what streams, as it comes.
//!
//! What is stored is read from the store after the last number that was sent, always; wake-ups only say when to look.
//! So a feed that goes on after a number shows each event once, whatever broke in between.

use crate::{App, app::LiveDelta, routes::shown};
use axum::response::sse::Event;
use futures::{Stream, stream};
use makima_model::{MessageId, OwnerId};
use makima_store::{FeedItem, FeedScope, StoreError, Wake, events};
use makima_wire::FeedData;
use std::{collections::VecDeque, time::Duration};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

/// How many rows are read at once.
const ROWS: u32 = 200;
/// How many messages are remembered as told whole.
const WHOLE: usize = 256;
/// How often the store is looked at when nothing says that there is something.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Whose events, and which.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) owner: OwnerId,
    pub(crate) scope: FeedScope,
    /// The last number that was seen; `None`: only what happens from now on.
    pub(crate) after: Option<i64>,
}

struct Feed {
    app: App,
    wanted: Wanted,
    seen: i64,
    wakes: broadcast::Receiver<Wake>,
    live: broadcast::Receiver<(OwnerId, LiveDelta)>,
    ready: VecDeque<Event>,
    /// The newest messages that were told whole: a piece of one of them is out of date.
    whole: VecDeque<MessageId>,
    stop: CancellationToken,
}

/// The events from now on, for as long as somebody listens and the server lives.
pub(crate) async fn feed(
    app: App,
    wanted: Wanted,
    stop: CancellationToken,
) -> Result<impl Stream<Item = Result<Event, StoreError>>, StoreError> {
    // Listening begins before the first look: what happens in between is seen by one of the two.
    let (wakes, live) = (app.db().wakeups(), app.listen());
    let seen = match wanted.after {
        Some(after) => after,
        None => {
            let mut tx = app.db().read().await?;
            events::newest(&mut tx, wanted.owner).await?
        }
    };
    let feed = Feed { app, wanted, seen, wakes, live, ready: VecDeque::new(), whole: VecDeque::new(), stop };
    Ok(stream::unfold(feed, |mut feed| async move {
        let next = feed.next().await?;
        Some((next, feed))
    }))
}

impl Feed {
    async fn next(&mut self) -> Option<Result<Event, StoreError>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if let Err(error) = self.look().await {
                return Some(Err(error));
            }
            if self.ready.is_empty() {
                self.wait().await?;
            }
        }
    }

    /// Reads what the store has after the last number. Whether there may be more.
    async fn look(&mut self) -> Result<bool, StoreError> {
        let mut tx = self.app.db().read().await?;
        let items = events::after(&mut tx, self.wanted.owner, self.seen, self.wanted.scope, ROWS).await?;
        let more = items.len() >= ROWS as usize;
        for item in items {
            self.seen = item.seq();
            if let FeedItem::Message(stored) = &item {
                self.whole.push_back(stored.message.id);
                let surplus = self.whole.len().saturating_sub(WHOLE);
                self.whole.drain(..surplus);
            }
            let (name, data) = told(item);
            if let Ok(event) = Event::default().id(self.seen.to_string()).event(name).json_data(data) {
                self.ready.push_back(event);
            }
        }
        Ok(more)
    }

    /// Tells a piece behind what was said before it, which is stored by now.
    async fn live(&mut self, piece: LiveDelta) {
        // A store that can't be read is told by the next look.
        while self.look().await.is_ok_and(|more| more) {}
        if self.whole.contains(&piece.delta.message_id) {
            return;
        }
        if let Ok(event) = Event::default().event("delta").json_data(FeedData::Delta(piece.delta)) {
            self.ready.push_back(event);
        }
    }

    /// Waits until there may be something. `None`: the server stops.
    async fn wait(&mut self) -> Option<()> {
        let owner = self.wanted.owner;
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                wake = self.wakes.recv() => match wake {
                    Ok(Wake::Events(of)) if of == owner => return Some(()),
                    Ok(Wake::Lagged) | Err(RecvError::Lagged(_)) => return Some(()),
                    Ok(_) => {}
                    Err(RecvError::Closed) => return None,
                },
                piece = self.live.recv() => match piece {
                    Ok((of, piece)) if of == owner && piece.is_in(self.wanted.scope) => {
                        self.live(piece).await;
                        return Some(());
                    }
                    // Pieces may be missed: the whole message follows.
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                },
                () = tokio::time::sleep(LOOK_AGAIN) => return Some(()),
            }
        }
    }
}

fn told(item: FeedItem) -> (&'static str, FeedData) {
    match item {
        FeedItem::History(entry) => ("history", FeedData::History(Box::new(shown::history(entry)))),
        FeedItem::TaskEvent(event) => ("task", FeedData::Task(shown::task_event(event))),
        FeedItem::Message(stored) => {
            let task_id = stored.task;
            ("message", FeedData::Message { task_id, message: Box::new(shown::message(stored)) })
        }
    }
}
