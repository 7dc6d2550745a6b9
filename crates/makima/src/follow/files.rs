//! The files that a task changed, out of what each of its checkpoints changed.

use makima_model::{FileAction, FileChange};
use std::collections::BTreeMap;

/// The changes of all checkpoints, oldest first, as one. Lines are added up, so that a line that was written twice counts twice.
pub(crate) fn together<'a>(changes: impl IntoIterator<Item = &'a FileChange>) -> Vec<FileChange> {
    let mut files: BTreeMap<String, FileChange> = BTreeMap::new();
    for change in changes {
        let before = match (&change.action, &change.old_path) {
            (FileAction::Renamed, Some(old)) => files.remove(old),
            _ => files.remove(&change.path),
        };
        if let Some(now) = after(before, change) {
            files.insert(now.path.clone(), now);
        }
    }
    files.into_values().collect()
}

fn after(before: Option<FileChange>, change: &FileChange) -> Option<FileChange> {
    use FileAction::{Added, Deleted, Modified, Renamed};
    let Some(before) = before else { return Some(change.clone()) };
    let action = match (before.action, change.action) {
        (Added, Deleted) => return None,
        (Added, _) => Added,
        (Deleted, Added) => Modified,
        (Renamed, Deleted) => Deleted,
        (Renamed, _) => Renamed,
        (_, action) => action,
    };
    Some(FileChange {
        action,
        path: match (before.action, change.action, &before.old_path) {
            // What is gone is the file as it was called in the beginning.
            (Renamed, Deleted, Some(old)) => old.clone(),
            _ => change.path.clone(),
        },
        old_path: match action {
            Renamed => before.old_path.or_else(|| change.old_path.clone()),
            _ => None,
        },
        additions: before.additions.saturating_add(change.additions),
        deletions: before.deletions.saturating_add(change.deletions),
        ..change.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(action: FileAction, path: &str, old: Option<&str>) -> FileChange {
        FileChange {
            path: path.to_owned(),
            path_bytes: None,
            action,
            old_path: old.map(str::to_owned),
            additions: 2,
            deletions: 1,
            binary: false,
        }
    }

    fn told(changes: &[FileChange]) -> Vec<String> {
        let tell = |file: FileChange| match file.old_path {
            Some(old) => format!("{} {old} {}", file.action, file.path),
            None => format!("{} {} +{}", file.action, file.path, file.additions),
        };
        together(changes).into_iter().map(tell).collect()
    }

    #[test]
    fn changes_of_one_file_are_one_change() {
        use FileAction::{Added, Deleted, Modified, Renamed};
        assert_eq!(told(&[change(Added, "a", None), change(Modified, "a", None)]), ["A a +4"]);
        assert_eq!(told(&[change(Added, "a", None), change(Deleted, "a", None)]), Vec::<String>::new());
        assert_eq!(told(&[change(Modified, "a", None), change(Deleted, "a", None)]), ["D a +4"]);
        assert_eq!(told(&[change(Deleted, "a", None), change(Added, "a", None)]), ["M a +4"]);
        assert_eq!(told(&[change(Added, "a", None), change(Renamed, "b", Some("a"))]), ["A b +4"]);
        assert_eq!(told(&[change(Renamed, "b", Some("a")), change(Renamed, "c", Some("b"))]), ["R a c"]);
        assert_eq!(told(&[change(Renamed, "b", Some("a")), change(Deleted, "b", None)]), ["D a +4"]);
        assert_eq!(told(&[change(Modified, "z", None), change(Modified, "a", None)]), ["M a +2", "M z +2"]);
    }
}
