//! What is meant by a word: a task, a contract, a daemon or a key, by its id, the beginning of its id or short id, or its name.

mod contract;
mod daemon;
mod export;
mod key;
mod operation;
mod task;

pub(crate) use contract::{ContractChoice, ContractRef, contract_or_here};
pub(crate) use daemon::DaemonRef;
pub(crate) use export::ExportRef;
pub(crate) use key::KeyRef;
pub(crate) use operation::{OperationRef, SnapshotRef};
pub(crate) use task::TaskRef;

use crate::failure::Failure;

/// The least characters of an id that name something.
const SHORTEST: usize = 4;

/// Something that a word may mean.
pub(crate) trait Named {
    /// What it is, with its article: `a task`.
    const KIND: &'static str;

    /// Its id.
    fn id(&self) -> String;

    /// Its name.
    fn name(&self) -> &str;

    /// The last eight digits of its id.
    fn short(&self) -> String {
        let id = self.id();
        id.get(id.len().saturating_sub(8)..).unwrap_or_default().to_owned()
    }

    /// Whether `word` may mean it.
    fn is_meant_by(&self, word: &str) -> bool {
        let lower = word.to_ascii_lowercase();
        let enough = lower.chars().filter(char::is_ascii_hexdigit).count() >= SHORTEST;
        let begins = || self.id().starts_with(&lower) || self.short().starts_with(&lower);
        self.name() == word || (enough && begins())
    }
}

/// The one of all that `word` means.
pub(crate) fn only<T: Named>(word: &str, all: impl IntoIterator<Item = T>) -> Result<T, Failure> {
    let mut meant: Vec<T> = all.into_iter().filter(|one| one.is_meant_by(word)).collect();
    let kind = T::KIND;
    let noun = kind.split_whitespace().last().unwrap_or(kind);
    match meant.len() {
        0 => Err(Failure::not_found(format!("there is no {noun} {word:?}")).hint(format!(
            "{kind} is named by 4 or more of the first characters of its id or short id, or by its name"
        ))),
        1 => Ok(meant.swap_remove(0)),
        n => Err(Failure::usage(format!("{word:?} means {n} {noun}s")).hint(which(&meant))),
    }
}

/// Says between what to choose.
pub(crate) fn which<T: Named>(meant: &[T]) -> String {
    let some: Vec<String> =
        meant.iter().take(5).map(|one| format!("{} ({})", one.short(), one.name())).collect();
    let more = if meant.len() > some.len() { ", …" } else { "" };
    format!("say which: {}{more}", some.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;

    #[derive(Debug)]
    struct Thing(&'static str, &'static str);

    impl Named for Thing {
        const KIND: &'static str = "a task";

        fn id(&self) -> String {
            self.0.to_owned()
        }

        fn name(&self) -> &str {
            self.1
        }
    }

    #[test]
    fn four_characters_of_either_id_are_enough_and_a_name_is_whole() {
        let thing = Thing("0199aaaa-bbbb-7ccc-8ddd-eeeeffff0123", "Fix the parser");
        for word in [
            "0199",
            "0199AAAA-bb",
            "ffff",
            "ffff0123",
            "Fix the parser",
            "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0123",
        ] {
            assert!(thing.is_meant_by(word), "{word}");
        }
        for word in ["019", "fff", "0123", "ffff01234", "Fix the", "", "-", "eeee"] {
            assert!(!thing.is_meant_by(word), "{word}");
        }
    }

    #[test]
    fn a_word_that_means_several_is_told_which() {
        let things = || {
            [
                Thing("0199aaaa-bbbb-7ccc-8ddd-eeeeffff0123", "one"),
                Thing("0199aaaa-bbbb-7ccc-8ddd-eeeeffff0456", "two"),
            ]
        };
        let failure = only("0199", things()).unwrap_err();
        assert_eq!((failure.exit, failure.message.as_str()), (Exit::Usage, "\"0199\" means 2 tasks"));
        assert_eq!(failure.hint.as_deref(), Some("say which: ffff0123 (one), ffff0456 (two)"));
        assert_eq!(only("ffff04", things()).unwrap().1, "two");
        assert_eq!(only("three", things()).unwrap_err().exit, Exit::NotFound);
    }
}
