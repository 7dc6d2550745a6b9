//! Lines out of a stream of bytes: of any length, but not of any length in memory.

use std::ops::Range;

/// The longest line that is held in memory. Real agents write lines of 13 MB.
pub(super) const LONGEST: usize = 64 << 20;

/// What is kept of the buffer's room once a long line is gone.
const USUAL: usize = 1 << 20;

/// A line, or what stands for one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A line without its end.
    Whole(&'a [u8]),
    /// A line that was too long: it is passed over up to its end.
    TooLong,
}

/// Bytes that have been read, and are yet to be taken as lines.
#[derive(Debug)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// How far no newline was found.
    searched: usize,
    is_skipping: bool,
    longest: usize,
}

impl Lines {
    pub(super) fn new(longest: usize) -> Self {
        Self { bytes: Vec::new(), start: 0, searched: 0, is_skipping: false, longest }
    }

    /// Where to put more bytes, at the end.
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        if self.bytes.len() < USUAL && self.bytes.capacity() > 2 * USUAL {
            self.bytes.shrink_to(USUAL);
        }
        self.bytes.reserve(1 << 16);
        &mut self.bytes
    }

    /// The next line that is complete.
    pub(super) fn next(&mut self) -> Option<Line<'_>> {
        loop {
            let Some(at) = memchr::memchr(b'\n', &self.bytes[self.searched..]) else {
                self.searched = self.bytes.len();
                return self.too_long();
            };
            let line = self.start..self.searched + at;
            self.start = line.end + 1;
            self.searched = self.start;
            if !std::mem::take(&mut self.is_skipping) {
                return Some(self.judged(line));
            }
        }
    }

    /// What stands after the last newline, once nothing more will come.
    pub(super) fn rest(&mut self) -> Option<Line<'_>> {
        let rest = self.start..self.bytes.len();
        self.start = rest.end;
        self.searched = rest.end;
        let is_wanted = !std::mem::take(&mut self.is_skipping) && !rest.is_empty();
        is_wanted.then(|| self.judged(rest))
    }

    fn judged(&self, line: Range<usize>) -> Line<'_> {
        if line.len() > self.longest { Line::TooLong } else { Line::Whole(&self.bytes[line]) }
    }

    fn too_long(&mut self) -> Option<Line<'_>> {
        if self.is_skipping {
            self.start = self.bytes.len();
            return None;
        }
        if self.bytes.len() - self.start <= self.longest {
            return None;
        }
        self.is_skipping = true;
        self.start = self.bytes.len();
        Some(Line::TooLong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], size: usize, longest: usize) -> Vec<String> {
        let mut lines = Lines::new(longest);
        let mut told = Vec::new();
        let tell = |line: Line<'_>| match line {
            Line::Whole(line) => String::from_utf8_lossy(line).into_owned(),
            Line::TooLong => "(too long)".to_owned(),
        };
        for chunk in text.chunks(size) {
            lines.room().extend_from_slice(chunk);
            while let Some(line) = lines.next() {
                told.push(tell(line));
            }
        }
        told.extend(lines.rest().map(tell));
        told
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_come() {
        let text = b"one\n\ntwo three\nthe last";
        for size in 1..=text.len() {
            assert_eq!(read(text, size, 100), ["one", "", "two three", "the last"], "{size}");
        }
    }

    #[test]
    fn a_line_without_end_is_told_once_and_passed_over() {
        let text = b"short\n0123456789abcdef\nnext\n0123456789abcdef";
        for size in 1..=text.len() {
            assert_eq!(read(text, size, 8), ["short", "(too long)", "next", "(too long)"], "{size}");
        }
    }

    #[test]
    fn memory_is_given_back_after_a_long_line() {
        let mut lines = Lines::new(usize::MAX);
        lines.room().extend_from_slice(&vec![b'x'; 8 * USUAL]);
        lines.room().push(b'\n');
        assert!(matches!(lines.next(), Some(Line::Whole(line)) if line.len() == 8 * USUAL));
        assert!(lines.room().capacity() <= 2 * USUAL);
    }
}
