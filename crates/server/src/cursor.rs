//! Cursors: where a list's next page begins, as one opaque word.
//!
//! A cursor holds the key of the last row and the mark of the list that it belongs to (route, owner, filters). One of
//! another list, or one that was changed, is refused. It needs no secret: every query is bound to its owner anyway.

use crate::{app::CursorKey, error::ApiError};
use makima_model::OwnerId;
use makima_wire::Order;

/// Which list a cursor belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListMark([u8; 8]);

impl ListMark {
    /// The mark of the list `name` of `owner` in `order` with `filters`, each as it was asked for.
    pub(crate) fn new(name: &str, owner: OwnerId, order: Option<Order>, filters: &[&str]) -> Self {
        let mut hash = blake3::Hasher::new();
        hash.update(owner.uuid().as_bytes());
        hash.update(&[u8::from(order == Some(Order::Asc))]);
        for part in std::iter::once(&name).chain(filters) {
            hash.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        let mut mark = [0; 8];
        mark.copy_from_slice(&hash.finalize().as_bytes()[..8]);
        Self(mark)
    }

    /// The cursor behind the row with this key.
    pub(crate) fn cursor<K: CursorKey>(self, key: &K) -> String {
        let key = key.to_bytes();
        let check = self.check(&key);
        hex(&[self.0.as_slice(), &check, &key].concat())
    }

    /// The key of the row that `cursor` stands behind.
    pub(crate) fn key<K: CursorKey>(self, cursor: &str) -> Result<K, ApiError> {
        let bytes = unhex(cursor).ok_or_else(Self::refused)?;
        let (mark, rest) = bytes.split_at_checked(8).ok_or_else(Self::refused)?;
        let (check, key) = rest.split_at_checked(8).ok_or_else(Self::refused)?;
        if mark != self.0 || check != self.check(key) {
            return Err(Self::refused());
        }
        K::from_bytes(key).ok_or_else(Self::refused)
    }

    /// What a cursor of something else is answered with.
    pub(crate) fn refused() -> ApiError {
        ApiError::bad_request(
            "this cursor is not of this list: use the `cursor` of the page before, with the same filters",
        )
    }

    fn check(self, key: &[u8]) -> [u8; 8] {
        let mut check = [0; 8];
        check.copy_from_slice(&blake3::hash(&[self.0.as_slice(), key].concat()).as_bytes()[..8]);
        check
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || text.len() > 512 {
        return None;
    }
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    Some(digits?.chunks(2).map(|two| two[0] << 4 | two[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use makima_model::Clock;

    #[test]
    fn a_cursor_is_read_back_by_its_own_list_alone() {
        let owner = Clock::system().new_id();
        let mark = ListMark::new("tasks", owner, None, &["contract=1"]);
        let cursor = mark.cursor(&7_i64);
        assert_eq!(mark.key::<i64>(&cursor).unwrap(), 7);
        assert!(ListMark::new("tasks", owner, None, &["contract=2"]).key::<i64>(&cursor).is_err());
        let asc = Some(Order::Asc);
        assert!(ListMark::new("tasks", owner, asc, &["contract=1"]).key::<i64>(&cursor).is_err());
        assert!(
            ListMark::new("tasks", Clock::system().new_id(), None, &["contract=1"])
                .key::<i64>(&cursor)
                .is_err()
        );
    }

    #[test]
    fn a_cursor_that_was_changed_is_refused() {
        let mark = ListMark::new("tasks", Clock::system().new_id(), None, &[]);
        let cursor = mark.cursor(&7_i64);
        for at in 0..cursor.len() {
            let mut changed = cursor.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            assert!(mark.key::<i64>(&String::from_utf8(changed).unwrap()).is_err(), "{at}");
        }
        for text in ["", "x", "é", "00", &cursor[..cursor.len() - 2], &"0".repeat(100_000)] {
            assert!(mark.key::<i64>(text).is_err());
        }
    }
}
