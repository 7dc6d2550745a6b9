//! Pages of lists: limits and cursors between the wire's form and the store's.

use crate::{cursor::ListMark, error::ApiError};
use makima_model::{Position, Timestamp};
use makima_store::{Key, Order, Page, Seek};
use makima_wire::List;

/// How many rows a page has unless told.
const USUAL: u32 = 100;
/// How many it has at most.
const MOST: u32 = 1000;

/// One page, ready to be answered.
pub(crate) struct Listed<T> {
    pub(crate) rows: Vec<T>,
    /// How many rows the whole list has.
    pub(crate) total: i64,
    /// Where the next page begins, if there is one.
    pub(crate) cursor: Option<String>,
}

/// What a cursor holds.
pub(crate) trait CursorKey: Sized {
    fn to_bytes(&self) -> Vec<u8>;
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl CursorKey for i64 {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_be_bytes)
    }
}

impl CursorKey for Key {
    fn to_bytes(&self) -> Vec<u8> {
        [self.id.as_bytes().as_slice(), self.at.to_string().as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (id, at) = bytes.split_first_chunk::<16>()?;
        let at: Timestamp = std::str::from_utf8(at).ok()?.parse().ok()?;
        Some(Self { at, id: uuid::Uuid::from_bytes(*id) })
    }
}

/// How much of a conversation is older than what was seen.
impl CursorKey for Position {
    fn to_bytes(&self) -> Vec<u8> {
        [self.branch.uuid().as_bytes().as_slice(), &self.seq.to_be_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (branch, seq) = bytes.split_first_chunk::<16>()?;
        let seq = i64::from_be_bytes(seq.try_into().ok()?);
        Some(Self { branch: uuid::Uuid::from_bytes(*branch).into(), seq })
    }
}

/// A row of a list whose total was counted for its first page: no counter is kept for such a list, so its cursors carry it.
#[derive(Debug, Clone, Copy)]
struct Counted<K> {
    key: K,
    total: i64,
}

impl<K: CursorKey> CursorKey for Counted<K> {
    fn to_bytes(&self) -> Vec<u8> {
        [self.total.to_be_bytes().as_slice(), &self.key.to_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (total, key) = bytes.split_first_chunk::<8>()?;
        Some(Self { total: i64::from_be_bytes(*total), key: K::from_bytes(key)? })
    }
}

/// How many rows the caller wants at most, if that is said.
pub(crate) fn limit(wanted: Option<u32>) -> Result<Option<u32>, ApiError> {
    match wanted {
        Some(limit) if limit == 0 || limit > MOST => {
            Err(ApiError::bad_request(format!("limit must be 1 to {MOST}, and is {limit}")))
        }
        wanted => Ok(wanted),
    }
}

/// Which rows the caller wants.
pub(crate) fn seek<K: CursorKey>(list: &List, mark: ListMark) -> Result<Seek<K>, ApiError> {
    let limit = limit(list.limit)?.unwrap_or(USUAL);
    let after = list.cursor.as_deref().map(|cursor| mark.key(cursor)).transpose()?;
    let order = match list.order.unwrap_or_default() {
        makima_wire::Order::Desc => Order::Newest,
        makima_wire::Order::Asc => Order::Oldest,
    };
    Ok(Seek { order, after, limit })
}

/// The same of a list whose total is counted for its first page, and that total on all later ones.
pub(crate) fn seek_counted<K: CursorKey>(
    list: &List,
    mark: ListMark,
) -> Result<(Seek<K>, Option<i64>), ApiError> {
    let Seek { order, after, limit } = seek::<Counted<K>>(list, mark)?;
    let (after, total) = after.map(|Counted { key, total }| (key, total)).unzip();
    Ok((Seek { order, after, limit }, total))
}

/// The page as it is answered.
pub(crate) fn listed<T, K: CursorKey>(page: Page<T, K>, mark: ListMark) -> Listed<T> {
    Listed { rows: page.rows, total: page.total, cursor: page.next.map(|key| mark.cursor(&key)) }
}

/// The same of a list whose total was counted for its first page.
pub(crate) fn listed_counted<T, K: CursorKey>(page: Page<T, K>, mark: ListMark) -> Listed<T> {
    let total = page.total;
    let next = page.next.map(|key| counted(key, total, mark));
    Listed { rows: page.rows, total, cursor: next }
}

/// The cursor behind a row of such a list.
pub(crate) fn counted<K: CursorKey>(key: K, total: i64, mark: ListMark) -> String {
    mark.cursor(&Counted { key, total })
}
