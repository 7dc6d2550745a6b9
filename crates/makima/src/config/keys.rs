//! The keys that a configuration file may have.

use crate::settings::SETTINGS;
use toml::{Table, Value};

/// Every key; `*` stands for any name.
pub(super) fn known() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().filter(|setting| setting.in_file).map(|setting| setting.name)
}

/// A key that there isn't.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    /// The key.
    pub(super) key: String,
    /// The one that was probably meant.
    pub(super) nearest: Option<String>,
}

/// The first unknown key of a file; one that resembles a known one before others.
pub(super) fn unknown(table: &Table) -> Option<Unknown> {
    let mut found = Vec::new();
    look(table, &mut Vec::new(), &mut found);
    let unlike = found.iter().position(|unknown| unknown.nearest.is_some()).unwrap_or(0);
    (!found.is_empty()).then(|| found.swap_remove(unlike))
}

fn look(table: &Table, path: &mut Vec<String>, found: &mut Vec<Unknown>) {
    for (name, value) in table {
        path.push(name.clone());
        let known: Vec<Vec<&str>> = known()
            .map(|key| key.split('.').collect::<Vec<_>>())
            .filter(|key| key.len() >= path.len() && is_begun_by(key, path))
            .collect();
        match value {
            _ if known.is_empty() => {
                found.push(Unknown { key: path.join("."), nearest: nearest(path) });
            }
            Value::Table(inner) if known.iter().all(|key| key.len() > path.len()) => look(inner, path, found),
            // A value of the wrong kind is told better by who reads it.
            _ => {}
        }
        path.pop();
    }
}

fn is_begun_by(key: &[&str], path: &[String]) -> bool {
    key.iter().zip(path).all(|(known, name)| *known == "*" || known == name)
}

/// The known key of the same parents whose last part resembles that of `path` the most.
fn nearest(path: &[String]) -> Option<String> {
    let (last, parents) = path.split_last()?;
    let candidates = known().filter_map(|key| {
        let key: Vec<&str> = key.split('.').collect();
        is_begun_by(&key, parents).then(|| key.get(parents.len()).copied()).flatten()
    });
    let (distance, name) = candidates.map(|name| (distance(last, name), name)).min()?;
    let near = distance <= 1 + last.chars().count() / 3;
    near.then(|| parents.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("."))
}

/// How many letters must be put in, taken out or exchanged to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let exchanged = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = exchanged.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_letters() {
        for (one, other, expected) in
            [("", "", 0), ("listen", "lisen", 1), ("kitten", "sitting", 3), ("a", "", 1)]
        {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn what_resembles_nothing_has_no_nearest() {
        let table: Table = "[wholly_other]\na = 1".parse().unwrap();
        assert_eq!(unknown(&table), Some(Unknown { key: "wholly_other".to_owned(), nearest: None }));
        assert_eq!(unknown(&"[agents.any-name]\ncommand = []".parse().unwrap()), None);
        assert_eq!(unknown(&"[agents.claude.env]\nANY = \"1\"".parse().unwrap()), None);
    }
}
