//! Walks a whole list, a page at a time, oldest first.

use makima_store::{Order, Page, Seek};

/// How many rows a page has.
const ROWS: u32 = 500;

/// How far a list was walked.
pub(super) struct Walk<K> {
    after: Option<K>,
    is_over: bool,
}

impl<K: Copy> Walk<K> {
    /// At its beginning.
    pub(super) fn new() -> Self {
        Self { after: None, is_over: false }
    }

    /// Which page comes next; `None`: that was all.
    pub(super) fn next(&self) -> Option<Seek<K>> {
        (!self.is_over).then_some(Seek { order: Order::Oldest, after: self.after, limit: ROWS })
    }

    /// The rows of the page.
    pub(super) fn rows<T>(&mut self, page: Page<T, K>) -> Vec<T> {
        (self.after, self.is_over) = (page.next, page.next.is_none());
        page.rows
    }
}
