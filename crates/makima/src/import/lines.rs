//! A session file, line by line: never more than one of them is held.

use serde::de::IgnoredAny;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Read, Take},
    path::Path,
};

/// The longest line that is read. Longer ones are passed over, and told.
const LONGEST: u64 = 48 << 20;

/// The lines of a file as long as it was when it was opened: who writes it goes on meanwhile.
pub(super) struct Lines {
    file: BufReader<Take<File>>,
    hash: blake3::Hasher,
    end: u64,
    /// Lines that were too long.
    pub(super) too_long: u64,
    /// Whether the file ends in the middle of a line.
    pub(super) is_torn: bool,
}

impl Lines {
    pub(super) fn open(path: &Path, length: u64) -> io::Result<Self> {
        let file = BufReader::with_capacity(1 << 18, File::open(path)?.take(length));
        Ok(Self { file, hash: blake3::Hasher::new(), end: 0, too_long: 0, is_torn: false })
    }

    /// Reads the next line, without its end; `false` where there is none. A last one without an end is one if it is whole JSON.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        line.clear();
        let read = (&mut self.file).take(LONGEST).read_until(b'\n', line)?;
        if read == 0 {
            return Ok(false);
        }
        if line.last() != Some(&b'\n') {
            if read as u64 == LONGEST {
                return self.pass_over(line);
            }
            if serde_json::from_slice::<IgnoredAny>(line).is_err() {
                self.is_torn = true;
                return Ok(false);
            }
        }
        self.hash.update(line);
        self.end += read as u64;
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok(true)
    }

    /// Where the last line ended.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The hash of all up to there.
    pub(super) fn digest(&self) -> String {
        self.hash.finalize().to_hex().to_string()
    }

    /// Reads to the end of a line that is too long: an empty one stands in its place.
    fn pass_over(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        let (mut hash, mut end) = (self.hash.clone(), self.end);
        loop {
            hash.update(line);
            end += line.len() as u64;
            let is_over = line.last() == Some(&b'\n');
            line.clear();
            if is_over {
                (self.hash, self.end) = (hash, end);
                self.too_long += 1;
                return Ok(true);
            }
            if (&mut self.file).take(1 << 20).read_until(b'\n', line)? == 0 {
                self.is_torn = true;
                return Ok(false);
            }
        }
    }
}

/// The hashes of the beginnings of a file that have these lengths; those that no line ends at are left out.
pub(super) fn digests(path: &Path, length: u64, at: &[u64]) -> io::Result<(BTreeMap<u64, String>, u64)> {
    let mut lines = Lines::open(path, length)?;
    let (mut line, mut digests) = (Vec::new(), BTreeMap::new());
    if at.contains(&0) {
        digests.insert(0, lines.digest());
    }
    while lines.next(&mut line)? {
        if at.contains(&lines.end()) {
            digests.insert(lines.end(), lines.digest());
        }
    }
    Ok((digests, lines.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> (Vec<String>, u64, bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.jsonl");
        std::fs::write(&path, text).unwrap();
        let mut lines = Lines::open(&path, text.len() as u64).unwrap();
        let (mut line, mut all) = (Vec::new(), Vec::new());
        while lines.next(&mut line).unwrap() {
            all.push(String::from_utf8(line.clone()).unwrap());
        }
        (all, lines.end(), lines.is_torn)
    }

    #[test]
    fn a_torn_last_line_is_left_for_later() {
        assert_eq!(read(b"{}\n{\"a\":1}\n{\"b"), (vec!["{}".into(), "{\"a\":1}".into()], 11, true));
        assert_eq!(read(b"{}\n{\"a\":1}"), (vec!["{}".into(), "{\"a\":1}".into()], 10, false));
        assert_eq!(read(b""), (vec![], 0, false));
    }

    #[test]
    fn a_file_is_read_as_long_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.jsonl");
        std::fs::write(&path, b"{}\n{}\n").unwrap();
        let (digests, end) = digests(&path, 3, &[3, 6]).unwrap();
        assert_eq!((digests.keys().copied().collect::<Vec<_>>(), end), (vec![3], 3));
        assert_eq!(digests[&3], blake3::hash(b"{}\n").to_hex().as_str());
    }
}
