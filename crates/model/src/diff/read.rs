//! Reads a patch as `git diff-tree -p -M` writes it.

use super::{
    DiffAction, DiffHunk, DiffLine, FileDiff, GitDiff, LineKind,
    lines::{Lines, both, name},
};
use crate::checkpoint::shown_path;
use serde::{Deserialize, Serialize};

/// How much of a patch is kept, in bytes of memory as far as it can be foreseen. What is above is counted, and its hunks are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// Of one file.
    pub file: usize,
    /// Of all.
    pub all: usize,
}

/// What a line takes beside its text.
const LINE: usize = 64;

/// What a patch says. `only`: of one file, by its name before or now as it is shown; the others are not told. Whatever is no patch is
/// passed over.
pub fn read(patch: &[u8], only: Option<&str>, limits: Limits) -> GitDiff {
    let mut reader = Reader { files: Vec::new(), only, limits, left: limits.all };
    let mut lines = Lines::of(patch);
    while let Some(line) = lines.next() {
        if let Some(names) = line.strip_prefix(b"diff --git ") {
            let file = File::read(names, &mut lines);
            reader.take(file, &mut lines);
        }
    }
    GitDiff::of(reader.files)
}

struct Reader<'a> {
    files: Vec<FileDiff>,
    only: Option<&'a str>,
    limits: Limits,
    /// How much may still be kept.
    left: usize,
}

impl Reader<'_> {
    /// Takes a file's hunks, up to the next file.
    fn take(&mut self, file: File, lines: &mut Lines<'_>) {
        let mut shown = file.shown();
        let is_asked = self.only.is_none_or(|only| shown.has_name(only));
        let mut left = if is_asked { self.left.min(self.limits.file) } else { 0 };
        while let Some(hunk) = lines.peek().and_then(Head::read) {
            lines.next();
            let taken = hunk.read_lines(lines, left);
            shown.additions += taken.additions;
            shown.deletions += taken.deletions;
            match taken.hunk {
                Some(hunk) => {
                    left -= taken.weight;
                    self.left -= taken.weight;
                    shown.hunks.push(hunk);
                }
                // What came after it would seem to follow what came before.
                None => {
                    left = 0;
                    shown.truncated = true;
                }
            }
        }
        if !is_asked {
            return;
        }
        match self.files.last_mut().filter(|last| is_changed_kind(last, &shown)) {
            Some(last) => merge(last, shown),
            None => self.files.push(shown),
        }
    }
}

/// Whether git tells one file as two: a link that became a file is one that is gone and one that is new.
fn is_changed_kind(gone: &FileDiff, new: &FileDiff) -> bool {
    gone.action == DiffAction::Deleted
        && new.action == DiffAction::Added
        && (&gone.path, &gone.path_bytes) == (&new.path, &new.path_bytes)
}

fn merge(gone: &mut FileDiff, new: FileDiff) {
    gone.action = DiffAction::Modified;
    gone.additions += new.additions;
    gone.deletions += new.deletions;
    gone.binary |= new.binary;
    gone.new_mode = new.new_mode;
    gone.hunks.extend(new.hunks);
    gone.truncated |= new.truncated;
}

/// What stands before a file's hunks.
#[derive(Default)]
struct File {
    path: Vec<u8>,
    old_path: Option<Vec<u8>>,
    is_new: bool,
    is_gone: bool,
    binary: bool,
    old_mode: Option<String>,
    new_mode: Option<String>,
}

impl File {
    fn read(names: &[u8], lines: &mut Lines<'_>) -> Self {
        let mut file = Self { path: both(names), ..Self::default() };
        while let Some(line) = lines.peek() {
            if line.starts_with(b"diff --git ") || line.starts_with(b"@@ ") {
                break;
            }
            lines.next();
            file.hear(line);
        }
        file
    }

    fn hear(&mut self, line: &[u8]) {
        let text = |bytes: &[u8]| Some(String::from_utf8_lossy(bytes).into_owned());
        if let Some(mode) = line.strip_prefix(b"old mode ") {
            self.old_mode = text(mode);
        } else if let Some(mode) = line.strip_prefix(b"new mode ") {
            self.new_mode = text(mode);
        } else if let Some(mode) = line.strip_prefix(b"new file mode ") {
            (self.is_new, self.new_mode) = (true, text(mode));
        } else if let Some(mode) = line.strip_prefix(b"deleted file mode ") {
            (self.is_gone, self.old_mode) = (true, text(mode));
        } else if let Some(old) = line.strip_prefix(b"rename from ") {
            self.old_path = Some(name(old));
        } else if let Some(new) = line.strip_prefix(b"rename to ") {
            self.path = name(new);
        } else if line.starts_with(b"Binary files ") || line.starts_with(b"GIT binary patch") {
            self.binary = true;
        } else if let Some(side) = line.strip_prefix(b"--- ").or_else(|| line.strip_prefix(b"+++ ")) {
            // `/dev/null` has no such beginning.
            let side = name(side);
            let side = side.strip_prefix(b"a/").or_else(|| side.strip_prefix(b"b/"));
            if let (Some(side), None) = (side, &self.old_path) {
                self.path = side.to_vec();
            }
        }
    }

    fn shown(self) -> FileDiff {
        let action = match (self.is_new, self.is_gone, &self.old_path) {
            (true, _, _) => DiffAction::Added,
            (_, true, _) => DiffAction::Deleted,
            (_, _, Some(_)) => DiffAction::Renamed,
            _ => DiffAction::Modified,
        };
        let (path, path_bytes) = shown_path(&self.path);
        FileDiff {
            path,
            path_bytes,
            old_path: self.old_path.map(|old| shown_path(&old).0),
            action,
            additions: 0,
            deletions: 0,
            binary: self.binary,
            old_mode: self.old_mode,
            new_mode: self.new_mode,
            hunks: Vec::new(),
            truncated: false,
        }
    }
}

/// The first line of a hunk: `@@ -1,3 +1,4 @@ heading`.
struct Head {
    old: (u64, u64),
    new: (u64, u64),
    header: Option<String>,
}

/// A hunk that was read.
struct Taken {
    /// `None`: it is left out.
    hunk: Option<DiffHunk>,
    additions: u64,
    deletions: u64,
    weight: usize,
}

impl Head {
    fn read(line: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(line.strip_prefix(b"@@ ")?);
        let (ranges, header) = text.split_once(" @@")?;
        let (old, new) = ranges.split_once(' ')?;
        let header = header.trim_start();
        Some(Self {
            old: range(old.strip_prefix('-')?)?,
            new: range(new.strip_prefix('+')?)?,
            header: (!header.is_empty()).then(|| header.to_owned()),
        })
    }

    /// Reads its lines: as many as it says, whatever they look like. They are kept if they take at most `left`.
    fn read_lines(self, lines: &mut Lines<'_>, left: usize) -> Taken {
        let (mut old, mut new) = (self.old.0, self.new.0);
        let (old_end, new_end) = (old.saturating_add(self.old.1), new.saturating_add(self.new.1));
        let mut taken = Taken { hunk: None, additions: 0, deletions: 0, weight: 0 };
        let mut kept: Vec<DiffLine> = Vec::new();
        while let Some(line) = lines.peek() {
            let (kind, text) = match line.split_first() {
                Some((b'\\', _)) => {
                    lines.next();
                    if let Some(last) = kept.last_mut() {
                        last.no_newline = true;
                    }
                    continue;
                }
                Some((b' ', text)) if old < old_end && new < new_end => (LineKind::Context, text),
                Some((b'-', text)) if old < old_end => (LineKind::Removed, text),
                Some((b'+', text)) if new < new_end => (LineKind::Added, text),
                _ => break,
            };
            lines.next();
            taken.additions += u64::from(kind == LineKind::Added);
            taken.deletions += u64::from(kind == LineKind::Removed);
            taken.weight = taken.weight.saturating_add(text.len() + LINE);
            if taken.weight <= left {
                kept.push(DiffLine {
                    kind,
                    text: String::from_utf8_lossy(text).into_owned(),
                    old_line: (kind != LineKind::Added).then_some(old),
                    new_line: (kind != LineKind::Removed).then_some(new),
                    no_newline: false,
                });
            }
            old += u64::from(kind != LineKind::Added);
            new += u64::from(kind != LineKind::Removed);
        }
        taken.hunk = (taken.weight <= left).then_some(DiffHunk {
            old_start: self.old.0,
            old_lines: self.old.1,
            new_start: self.new.0,
            new_lines: self.new.1,
            header: self.header,
            lines: kept,
        });
        taken
    }
}

/// `12,3`, or `12` for one line.
fn range(text: &str) -> Option<(u64, u64)> {
    match text.split_once(',') {
        Some((start, count)) => Some((start.parse().ok()?, count.parse().ok()?)),
        None => Some((text.parse().ok()?, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: Limits = Limits { file: 1 << 20, all: 1 << 20 };

    fn files(patch: &str) -> Vec<FileDiff> {
        read(patch.as_bytes(), None, ALL).files
    }

    #[test]
    fn lines_are_numbered_on_both_sides() {
        let patch = "diff --git a/src/a b.rs b/src/a b.rs\nindex 1..2 100644\n--- a/src/a b.rs\t\n+++ b/src/a b.rs\t\n\
            @@ -3,3 +3,4 @@ fn main() {\n one\n-two\n+2\n+2.5\n three\n\\ No newline at end of file\n";
        let file = files(patch).remove(0);
        assert_eq!((file.path.as_str(), file.action), ("src/a b.rs", DiffAction::Modified));
        assert_eq!((file.additions, file.deletions), (2, 1));
        let hunk = &file.hunks[0];
        assert_eq!((hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines), (3, 3, 3, 4));
        assert_eq!(hunk.header.as_deref(), Some("fn main() {"));
        let numbers: Vec<_> =
            hunk.lines.iter().map(|line| (line.kind, line.old_line, line.new_line)).collect();
        use LineKind::*;
        assert_eq!(
            numbers,
            [
                (Context, Some(3), Some(3)),
                (Removed, Some(4), None),
                (Added, None, Some(4)),
                (Added, None, Some(5)),
                (Context, Some(5), Some(6)),
            ]
        );
        let ends: Vec<_> = hunk.lines.iter().map(|line| line.no_newline).collect();
        assert_eq!(ends, [false, false, false, false, true]);
    }

    #[test]
    fn lines_that_look_like_heads_are_lines() {
        let patch = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n---- a/y\n-diff --git a/y b/y\n\
            +++ b/y\n+@@ -1 +1 @@\ndiff --git a/z b/z\nnew file mode 100644\n";
        let files = files(patch);
        assert_eq!(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["x", "z"]);
        let texts: Vec<_> = files[0].hunks[0].lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["--- a/y", "diff --git a/y b/y", "++ b/y", "@@ -1 +1 @@"]);
        assert_eq!((files[1].action, files[1].new_mode.as_deref()), (DiffAction::Added, Some("100644")));
    }

    #[test]
    fn renames_modes_and_binaries_have_no_hunks() {
        let patch = "diff --git \"a/\\n\" b/new name\nsimilarity index 100%\nrename from \"\\n\"\nrename to new name\n\
            diff --git a/run b/run\nold mode 100644\nnew mode 100755\n\
            diff --git a/logo b/logo\nindex 1..2 100644\nBinary files a/logo and b/logo differ\n\
            diff --git a/empty b/empty\ndeleted file mode 100644\nindex 1..0\n";
        let files = files(patch);
        assert_eq!((files[0].path.as_str(), files[0].old_path.as_deref()), ("new name", Some("\n")));
        let actions: Vec<_> = files.iter().map(|file| file.action).collect();
        use DiffAction::*;
        assert_eq!(actions, [Renamed, Modified, Modified, Deleted]);
        assert_eq!(
            (files[1].old_mode.as_deref(), files[1].new_mode.as_deref()),
            (Some("100644"), Some("100755"))
        );
        assert!(files[2].binary && !files[1].binary);
        assert!(files.iter().all(|file| file.hunks.is_empty() && !file.truncated));
    }

    #[test]
    fn a_link_that_became_a_file_is_one_file() {
        let patch = "diff --git a/l b/l\ndeleted file mode 120000\n--- a/l\n+++ /dev/null\n@@ -1 +0,0 @@\n-target\n\
            \\ No newline at end of file\ndiff --git a/l b/l\nnew file mode 100644\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+text\n";
        let files = files(patch);
        assert_eq!((files.len(), files[0].action, files[0].hunks.len()), (1, DiffAction::Modified, 2));
        assert_eq!(
            (files[0].old_mode.as_deref(), files[0].new_mode.as_deref()),
            (Some("120000"), Some("100644"))
        );
        assert_eq!((files[0].additions, files[0].deletions), (1, 1));
    }

    #[test]
    fn what_is_above_a_limit_is_counted_and_left_out() {
        let file = |name: &str, lines: usize| {
            let added = "+x\n".repeat(lines);
            format!(
                "diff --git a/{name} b/{name}\nnew file mode 100644\n--- /dev/null\n+++ b/{name}\n@@ -0,0 +1,{lines} @@\n{added}"
            )
        };
        let patch = [file("small", 2), file("large", 500), file("next", 2)].concat();
        let limits = Limits { file: 100 * (LINE + 1), all: 1 << 20 };
        let diff = read(patch.as_bytes(), None, limits);
        let told: Vec<_> =
            diff.files.iter().map(|file| (file.truncated, file.additions, file.hunks.len())).collect();
        assert_eq!(told, [(false, 2, 1), (true, 500, 0), (false, 2, 1)]);
        assert_eq!((diff.truncated, diff.stats.insertions), (true, 504));
        let tight = read(patch.as_bytes(), None, Limits { file: 1 << 20, all: 3 * (LINE + 1) });
        let told: Vec<_> = tight.files.iter().map(|file| file.truncated).collect();
        assert_eq!(told, [false, true, true]);
        let one = read(patch.as_bytes(), Some("large"), ALL);
        assert_eq!((one.files.len(), one.files[0].hunks[0].lines.len(), one.truncated), (1, 500, false));
    }

    #[test]
    fn what_was_cut_off_is_told_without_hunks() {
        let file = |name: &str| {
            format!(
                "diff --git a/{name} b/{name}\nnew file mode 100644\n--- /dev/null\n+++ b/{name}\n@@ -0,0 +1,2 @@\n+x\n+y\n"
            )
        };
        let patch = [file("one"), file("two"), file("three")].concat();
        let change = |path: &str| crate::FileChange {
            path: path.into(),
            path_bytes: None,
            action: crate::FileAction::Added,
            old_path: None,
            additions: 2,
            deletions: 0,
            binary: false,
        };
        let all = ["one", "two", "three"].map(change);
        let cut = patch.find("three").unwrap() - 30;
        let diff = read(&patch.as_bytes()[..cut], None, ALL).completed(&all);
        let told: Vec<_> =
            diff.files.iter().map(|file| (file.path.as_str(), file.truncated, file.additions)).collect();
        assert_eq!(told, [("one", false, 2), ("two", true, 2), ("three", true, 2)]);
        assert_eq!((diff.truncated, diff.stats.insertions), (true, 6));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&bytes, None, ALL);
        }

        #[test]
        fn whatever_looks_like_a_patch_is_read(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "diff --git ", "a/x b/x", "\"", "\\3", "\n", "@@ -1,2 +1 @@", "@@ -18446744073709551615,9 +0 @@", "+", "-", " ", "\\",
                "rename from x", "rename to ", "--- ", "+++ ", "old mode ", "Binary files ", "/dev/null", "é",
            ]), 0..60),
        ) {
            let patch = pieces.concat();
            let diff = read(patch.as_bytes(), None, ALL);
            let lines = |kind| diff.files.iter().flat_map(|file| &file.hunks).flat_map(|hunk| &hunk.lines)
                .filter(|line| line.kind == kind).count() as u64;
            prop_assert_eq!(lines(LineKind::Added), diff.stats.insertions);
            prop_assert_eq!(lines(LineKind::Removed), diff.stats.deletions);
        }
    }
}
