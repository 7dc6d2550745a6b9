//! Pages of lists, by key: what is added while somebody reads on moves nothing.

use crate::columns::At;
use makima_model::Timestamp;
use sqlx::types::Uuid;
use std::time::Duration;

/// Which end of a list comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The newest.
    #[default]
    Newest,
    /// The oldest.
    Oldest,
}

/// The place of a row in a list by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// When it was made.
    pub at: Timestamp,
    /// Its id, which decides among those of one moment.
    pub id: Uuid,
}

/// Which rows of a list are wanted. `K` is a [`Key`], or a sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seek<K = Key> {
    /// From which end.
    pub order: Order,
    /// Those that come after this one; `None`: from the end.
    pub after: Option<K>,
    /// How many at most.
    pub limit: u32,
}

/// Rows of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, K = Key> {
    /// The rows, in the order that was asked for.
    pub rows: Vec<T>,
    /// Where the next page begins; `None`: this is the last.
    pub next: Option<K>,
    /// How many rows the whole list has.
    pub total: i64,
}

impl Seek<Key> {
    /// The key to compare with. Where none is given: one that lies beyond any row's.
    pub(crate) fn key(&self) -> (At, Uuid) {
        let key = self.after.unwrap_or(Key::beyond(self.order));
        (At(key.at), key.id)
    }

    /// The same among rows between two moments, both of which belong to it; and the moment at which the rows end.
    pub(crate) fn key_between(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> (Key, Timestamp) {
        let earliest = Key { at: from.unwrap_or_else(earliest), id: Uuid::nil() };
        let latest = Key { at: to.unwrap_or_else(latest), id: Uuid::max() };
        match self.order {
            Order::Newest => (self.after.map_or(latest, |after| after.min(latest)), earliest.at),
            Order::Oldest => (self.after.map_or(earliest, |after| after.max(earliest)), latest.at),
        }
    }
}

impl Key {
    fn beyond(order: Order) -> Self {
        match order {
            Order::Newest => Self { at: latest(), id: Uuid::max() },
            Order::Oldest => Self { at: earliest(), id: Uuid::nil() },
        }
    }
}

/// Times have four digits for the year: this and the next are the last and the first second, seen from 1970.
const END_OF_9999: Duration = Duration::from_secs(253_402_300_799);
const BEGINNING_OF_0000: Duration = Duration::from_secs(62_167_219_200);

pub(crate) fn latest() -> Timestamp {
    Timestamp::from(chrono::DateTime::<chrono::Utc>::UNIX_EPOCH).plus(END_OF_9999)
}

pub(crate) fn earliest() -> Timestamp {
    Timestamp::from(chrono::DateTime::<chrono::Utc>::UNIX_EPOCH).minus(BEGINNING_OF_0000)
}

impl Seek<i64> {
    /// The number to compare with. Where none is given: one that lies beyond any row's.
    pub(crate) fn seq(&self) -> i64 {
        match (self.after, self.order) {
            (Some(seq), _) => seq,
            (None, Order::Newest) => i64::MAX,
            (None, Order::Oldest) => i64::MIN,
        }
    }
}

impl<K> Seek<K> {
    /// How many rows to fetch: one more than wanted tells whether there are more.
    pub(crate) fn rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The page, of the rows that were fetched.
    pub(crate) fn page<T>(&self, mut rows: Vec<T>, total: i64, key: impl Fn(&T) -> K) -> Page<T, K> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(key) } else { None };
        Page { rows, next, total }
    }
}

/// The most rows of a piece of something long.
pub(crate) const PIECE_ROWS: i64 = 500;
/// The most bytes of a piece, packed, but for a single row that has more.
pub(crate) const PIECE_BYTES: i64 = 1 << 20;

/// How many of the first rows fit a piece; one always does.
pub(crate) fn fitting(sizes: &[i64]) -> i64 {
    let mut bytes = 0;
    let fit = sizes.iter().take_while(|size| {
        bytes += **size;
        bytes <= PIECE_BYTES
    });
    i64::try_from(fit.count().max(1)).unwrap_or(PIECE_ROWS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_has_its_bytes_or_one_row() {
        assert_eq!(fitting(&[10, 10, 10]), 3);
        assert_eq!(fitting(&[PIECE_BYTES, 1]), 1);
        assert_eq!(fitting(&[PIECE_BYTES / 2, PIECE_BYTES / 2, 1]), 2);
        assert_eq!(fitting(&[PIECE_BYTES * 20, 1]), 1);
    }
}
