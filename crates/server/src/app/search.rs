//! Full-text search, and the index behind it, which a server keeps while it lives.

use super::{App, contracts::existing_contract, lists, tasks::existing, texts};
use crate::{caller::Caller, cursor::ListMark, error::ApiError};
use makima_model::{OwnerId, Timestamp, search::Query};
use makima_store::{
    SearchFilter, SearchHit, SearchKey, StoreError, Tx, Wake, events,
    search::{self, Portion, Standing},
};
use makima_wire::Search;
use std::time::Duration;
use tokio::{
    sync::broadcast::{
        Receiver,
        error::{RecvError, TryRecvError},
    },
    time::{Instant, timeout_at},
};

/// How long the index lets things gather: each portion is a write more, which others wait for.
const GATHER: Duration = Duration::from_millis(250);
/// While more comes, the index rests so many times as long as it worked: what is said has to be kept, and is found a little later.
const REST: u32 = 3;
/// How often it is looked whether there is something when nothing says so, and how long after a failure.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long a search waits for what was there when it was asked.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it looks meanwhile, should nobody tell.
const GLANCE: Duration = Duration::from_millis(50);

/// A page of what is found.
pub(crate) struct SearchView {
    pub(crate) hits: Vec<SearchHit>,
    /// How many there are, or, where that is a lower bound, how many at least.
    pub(crate) total: i64,
    pub(crate) is_lower_bound: bool,
    /// How many of the newest numbers were not looked through.
    pub(crate) behind: i64,
    pub(crate) cursor: Option<String>,
}

impl App {
    /// A page of what is found.
    pub(crate) async fn search(&self, by: Caller, wanted: &Search) -> Result<SearchView, ApiError> {
        // As it was written: a space behind the last word says that it is whole.
        texts::sought(&wanted.q)?;
        if wanted.from.is_some_and(|from| wanted.to.is_some_and(|to| from > to)) {
            return Err(ApiError::unprocessable("from is after to: nothing lies between them"));
        }
        let filter = SearchFilter {
            task: wanted.task_id,
            contract: wanted.contract_id,
            roles: wanted.role.0.clone(),
            tool: wanted.tool.as_deref().map(|tool| texts::name("tool", tool)).transpose()?,
            errors_only: wanted.errors_only,
            from: wanted.from,
            to: wanted.to,
        };
        let query = Query::parse(&wanted.q);
        let list = wanted.list();
        let mark =
            ListMark::new("search", by.owner, list.order, &[&format!("{query:?}"), &format!("{filter:?}")]);
        let (seek, total) = lists::seek_counted(&list, mark)?;
        let (mut tx, standing) = self.until_indexed(by.owner).await?;
        if let Some(id) = filter.contract {
            existing_contract(&mut tx, by.owner, id).await?;
        }
        if let Some(id) = filter.task {
            let task = existing(&mut tx, by.owner, id).await?;
            if filter.contract.is_some() && task.contract != filter.contract {
                return Err(ApiError::not_found("task of that contract"));
            }
        }
        let page = search::find(&mut tx, by.owner, standing, &query, &filter, (seek, total)).await?;
        Ok(SearchView {
            hits: page.rows,
            total: page.total.min(events::COUNTED),
            is_lower_bound: page.total > events::COUNTED,
            behind: standing.behind(),
            cursor: page.next.map(|key| lists::counted(key, page.total, mark)),
        })
    }

    /// Waits until what is there now can be found, but not for long: a transaction that reads, and where the search stands in it.
    async fn until_indexed(&self, owner: OwnerId) -> Result<(Tx, Standing), ApiError> {
        let until = Instant::now() + PATIENCE;
        let mut wakes = self.db().wakeups();
        // What comes meanwhile isn't waited for: where agents talk there is always more.
        let mut wanted = None;
        loop {
            let mut tx = self.db().read().await?;
            let standing = search::standing(&mut tx, owner).await?;
            let standing = standing.ok_or_else(|| ApiError::not_found("user"))?;
            if standing.has(*wanted.get_or_insert(standing.newest())) || Instant::now() >= until {
                return Ok((tx, standing));
            }
            drop(tx);
            self.searched().notify_one();
            // Whatever ends the wait, the next look tells.
            let _ = timeout_at((Instant::now() + GLANCE).min(until), async {
                loop {
                    match wakes.recv().await {
                        Ok(Wake::Indexed(of)) if of == owner => return,
                        Ok(Wake::Lagged) | Err(_) => return,
                        Ok(_) => {}
                    }
                }
            })
            .await;
        }
    }

    /// Keeps the index, for as long as the server lives.
    pub(crate) async fn watch_index(self) {
        let mut wakes = self.db().wakeups();
        let searched = self.searched();
        let app = self.downgrade();
        drop(self);
        let mut gather = Duration::ZERO;
        loop {
            // Whoever searches doesn't wait for more to come.
            tokio::select! {
                () = tokio::time::sleep(gather) => {}
                () = searched.notified() => {}
            }
            let Some(app) = app.upgrade() else { return };
            let result = app.index_all(&mut wakes).await;
            drop(app);
            gather = match result {
                Ok(()) => GATHER,
                Err(error) => {
                    let error = crate::error::chain(Some(&error));
                    tracing::warn!("what happened could not be indexed yet: {error}");
                    LOOK_AGAIN
                }
            };
            let rest = tokio::time::sleep(LOOK_AGAIN);
            tokio::pin!(rest);
            loop {
                tokio::select! {
                    wake = wakes.recv() => match wake {
                        Ok(Wake::Events(_) | Wake::Lagged) | Err(RecvError::Lagged(_)) => break,
                        Ok(_) => {}
                        Err(RecvError::Closed) => return,
                    },
                    () = searched.notified() => {
                        gather = Duration::ZERO;
                        break;
                    }
                    () = &mut rest => break,
                }
            }
        }
    }

    /// Takes portion after portion, one of each owner in turn, until all is indexed.
    async fn index_all(&self, wakes: &mut Receiver<Wake>) -> Result<(), StoreError> {
        let searched = self.searched();
        loop {
            let behind = search::behind(&mut self.db().read().await?).await?;
            if behind.is_empty() {
                return Ok(());
            }
            // What can't be indexed of one owner keeps nobody else waiting.
            let mut failed = None;
            for owner in behind {
                self.failpoints().at("index.portion").await;
                let begun = Instant::now();
                if let Err(error) = self.index_portion(owner).await {
                    failed = Some(error);
                }
                if has_more_come(wakes) {
                    // Whoever searches doesn't wait for that either.
                    tokio::select! {
                        () = tokio::time::sleep(begun.elapsed() * REST) => {}
                        () = searched.notified() => {}
                    }
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
        }
    }

    async fn index_portion(&self, owner: OwnerId) -> Result<(), StoreError> {
        let portion = Portion::read(&mut self.db().read().await?, owner).await?;
        let Some(portion) = portion else { return Ok(()) };
        let mut tx = self.db().begin().await?;
        // What another server was quicker with, or what was erased meanwhile, shows at the next look.
        if portion.keep(&mut tx).await? {
            tx.commit().await?;
        }
        Ok(())
    }
}

/// Whether something was written since this was last asked.
fn has_more_come(wakes: &mut Receiver<Wake>) -> bool {
    let mut has_come = false;
    loop {
        match wakes.try_recv() {
            Ok(Wake::Events(_) | Wake::Lagged) | Err(TryRecvError::Lagged(_)) => has_come = true,
            Ok(_) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return has_come,
        }
    }
}

/// A hit's place in a list.
impl lists::CursorKey for SearchKey {
    fn to_bytes(&self) -> Vec<u8> {
        [self.id.to_be_bytes().as_slice(), self.at.to_string().as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (id, at) = bytes.split_first_chunk::<8>()?;
        let at: Timestamp = std::str::from_utf8(at).ok()?.parse().ok()?;
        Some(Self { at, id: i64::from_be_bytes(*id) })
    }
}
