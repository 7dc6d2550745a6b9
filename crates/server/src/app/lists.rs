//! Pages of lists: limits and cursors between the wire's form and the store's.

use crate::{cursor::ListMark, error::ApiError};
use makima_model::Timestamp;
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

/// Which rows the caller wants, newest first.
pub(crate) fn seek<K: CursorKey>(list: &List, mark: ListMark) -> Result<Seek<K>, ApiError> {
    let limit = list.limit.unwrap_or(USUAL);
    if limit == 0 || limit > MOST {
        return Err(ApiError::bad_request(format!("limit must be 1 to {MOST}, and is {limit}")));
    }
    let after = list.cursor.as_deref().map(|cursor| mark.key(cursor)).transpose()?;
    Ok(Seek { order: Order::Newest, after, limit })
}

/// The page as it is answered.
pub(crate) fn listed<T, K: CursorKey>(page: Page<T, K>, mark: ListMark) -> Listed<T> {
    Listed { rows: page.rows, total: page.total, cursor: page.next.map(|key| mark.cursor(&key)) }
}
