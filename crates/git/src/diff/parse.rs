//! Reads `diff-tree -z --raw --numstat`: first a raw record for every file, then its numbers.

use std::collections::HashMap;

use super::{Action, FileChange};

/// `None` where it is not in the form that git's manual gives. `is_loose`: white space was left out, so a file without numbers differs in
/// that alone, and is left out too.
pub(super) fn changes(said: &[u8], is_loose: bool) -> Option<Vec<FileChange>> {
    let mut fields = said.split(|b| *b == 0).peekable();
    let mut changes = Vec::new();
    while fields.peek().is_some_and(|field| field.starts_with(b":")) {
        let letter = *fields.next()?.rsplit(|b| *b == b' ').next()?.first()?;
        let first = fields.next()?.to_vec();
        let (action, path, old_path) = match letter {
            b'R' => (Action::Renamed, fields.next()?.to_vec(), Some(first)),
            b'A' => (Action::Added, first, None),
            b'D' => (Action::Deleted, first, None),
            b'M' | b'T' => (Action::Modified, first, None),
            _ => return None,
        };
        changes.push(FileChange { action, path, old_path, lines_added: 0, lines_removed: 0, binary: false });
    }
    let mut numbers = HashMap::new();
    while let Some(field) = fields.next().filter(|field| !field.is_empty()) {
        let mut parts = field.splitn(3, |b| *b == b'\t');
        let (added, removed, name) = (parts.next()?, parts.next()?, parts.next()?);
        // An empty name: a rename, whose two names follow.
        let name = match name {
            b"" => fields.next().and(fields.next())?,
            name => name,
        };
        numbers.insert(name, (count(added)?, count(removed)?));
    }
    if is_loose {
        changes.retain(|change| numbers.contains_key(&change.path[..]));
    }
    for change in &mut changes {
        let (added, removed) = *numbers.get(&change.path[..])?;
        change.binary = added.is_none() || removed.is_none();
        (change.lines_added, change.lines_removed) = (added.unwrap_or(0), removed.unwrap_or(0));
    }
    Some(changes)
}

/// `-` stands for a binary file.
fn count(text: &[u8]) -> Option<Option<u64>> {
    match text {
        b"-" => Some(None),
        digits => std::str::from_utf8(digits).ok()?.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_numbers_are_brought_together() {
        let said = b":100644 100644 a b M\0x\ty\0:100644 100644 a b R090\0old\0new\n\xff\0:000000 100644 a b A\0bin\0\
            1\t2\tx\ty\x003\t0\t\0old\0new\n\xff\0-\t-\tbin\0";
        let changes = changes(said, false).unwrap();
        let told: Vec<_> =
            changes.iter().map(|c| (c.action.letter(), &c.path[..], c.lines_added, c.binary)).collect();
        assert_eq!(
            told,
            [('M', &b"x\ty"[..], 1, false), ('R', &b"new\n\xff"[..], 3, false), ('A', &b"bin"[..], 0, true)]
        );
        assert_eq!(changes[1].old_path.as_deref(), Some(&b"old"[..]));
    }

    #[test]
    fn what_is_unknown_is_not_guessed() {
        assert_eq!(changes(b":1 2 3 4 X\0a\0", false), None);
        assert_eq!(changes(b"", false).map(|c| c.len()), Some(0));
        let without_numbers = b":100644 100644 a b M\0x\0";
        assert_eq!(changes(without_numbers, false), None);
        assert_eq!(changes(without_numbers, true).map(|c| c.len()), Some(0));
    }
}
