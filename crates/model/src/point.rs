//! A point: one address for every moment of a task, as people and programs write it (settled points, §3).
//!
//! What it names is for the server to say, which has the conversation; that a text is one is said here.

use crate::{CheckpointId, MessageId, SnapshotId, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// The address of a moment of a task.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Point {
    /// `head`: now.
    Head,
    /// `~N`: N messages before the head.
    Back(u64),
    /// `checkpoint:3`: the task's checkpoint with this number.
    Number(i64),
    /// A checkpoint's UUID.
    Checkpoint(CheckpointId),
    /// The commit of a checkpoint.
    Commit(CommitPrefix),
    /// `message:<uuid>`: just after that message.
    Message(MessageId),
    /// `time:<RFC 3339>`, or the bare time: after the last message at or before it.
    Time(Timestamp),
    /// `snapshot:<uuid>`: where that snapshot was taken.
    Snapshot(SnapshotId),
}

/// The name of a commit, or the beginning of one: 7 to 64 hexadecimal digits, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommitPrefix(String);

impl CommitPrefix {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits of `text`, if it is such a name.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        fits.then(|| Self(text.to_ascii_lowercase()))
    }
}

/// A text that names no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no point: it is head, ~N, checkpoint:N, a checkpoint's UUID or commit (7 digits or more), message:<uuid>, \
     snapshot:<uuid>, or time:<RFC 3339>"
)]
pub struct PointError {
    /// What was given, cut to 64 characters.
    pub text: String,
}

impl Point {
    /// What names a checkpoint: its number, its UUID, or its commit. Digits alone are a number.
    pub fn checkpoint(text: &str) -> Result<Self, PointError> {
        Self::of_checkpoint(text).ok_or_else(|| refused(text))
    }

    fn of_checkpoint(text: &str) -> Option<Self> {
        match number(text).and_then(|number| i64::try_from(number).ok()) {
            Some(number) => Some(Self::Number(number)),
            None => Self::of_id_or_commit(text),
        }
    }

    fn of_id_or_commit(text: &str) -> Option<Self> {
        let id = text.parse().ok().map(Self::Checkpoint);
        id.or_else(|| CommitPrefix::parse(text).map(Self::Commit))
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "head" {
            return Some(Self::Head);
        }
        if let Some(count) = text.strip_prefix('~') {
            return number(count).map(Self::Back);
        }
        match text.split_once(':') {
            Some(("checkpoint", which)) => Self::of_checkpoint(which),
            Some(("message", id)) => id.parse().ok().map(Self::Message),
            Some(("snapshot", id)) => id.parse().ok().map(Self::Snapshot),
            Some(("time", at)) => at.parse().ok().map(Self::Time),
            // A bare time has colons of its own.
            _ => Self::of_id_or_commit(text).or_else(|| text.parse().ok().map(Self::Time)),
        }
    }
}

/// A number in digits alone: no sign, no space.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn refused(text: &str) -> PointError {
    PointError { text: text.chars().take(64).collect() }
}

impl FromStr for Point {
    type Err = PointError;

    fn from_str(text: &str) -> Result<Self, PointError> {
        Self::parse(text).ok_or_else(|| refused(text))
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("head"),
            Self::Back(count) => write!(f, "~{count}"),
            Self::Number(number) => write!(f, "checkpoint:{number}"),
            Self::Checkpoint(id) => id.fmt(f),
            Self::Commit(prefix) => f.write_str(prefix.as_str()),
            Self::Message(id) => write!(f, "message:{id}"),
            Self::Time(at) => write!(f, "time:{at}"),
            Self::Snapshot(id) => write!(f, "snapshot:{id}"),
        }
    }
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;
    use uuid::Uuid;

    const ID: &str = "01932f4e-7b1c-7cc3-98c4-dc0c0c07398f";

    fn time() -> impl Strategy<Value = Timestamp> {
        (-62_167_219_200_i64..253_402_300_800, 0..1_000_000_u64).prop_map(|(seconds, micros)| {
            Timestamp::from_unix(seconds).unwrap().plus(Duration::from_micros(micros))
        })
    }

    fn point() -> impl Strategy<Value = Point> {
        let id = any::<u128>().prop_map(Uuid::from_u128);
        prop_oneof![
            Just(Point::Head),
            any::<u64>().prop_map(Point::Back),
            (0..=i64::MAX).prop_map(Point::Number),
            id.clone().prop_map(|id| Point::Checkpoint(id.into())),
            "[0-9a-f]{7,64}".prop_map(|digits| Point::Commit(CommitPrefix(digits))),
            id.clone().prop_map(|id| Point::Message(id.into())),
            id.prop_map(|id| Point::Snapshot(id.into())),
            time().prop_map(Point::Time),
        ]
    }

    proptest! {
        #[test]
        fn a_point_is_read_back_as_it_was_written(point in point()) {
            prop_assert_eq!(point.to_string().parse(), Ok(point));
        }

        #[test]
        fn any_text_is_a_point_or_refused_in_few_words(text in ".*") {
            match text.parse::<Point>() {
                Ok(point) => prop_assert_eq!(point.to_string().parse(), Ok(point)),
                Err(error) => prop_assert!(error.text.chars().count() <= 64),
            }
        }

        /// What almost is one.
        #[test]
        fn text_like_a_point_is_one_or_refused(
            text in "(head|~|checkpoint:|message:|snapshot:|time:)?[-+~:.0-9a-fA-FTZ]{0,70}"
        ) {
            if let Ok(point) = text.parse::<Point>() {
                prop_assert_eq!(point.to_string().parse(), Ok(point));
            }
        }
    }

    #[test]
    fn each_form_means_what_it_says() {
        let at: Timestamp = "2026-01-15T09:30:00Z".parse().unwrap();
        let commit = |digits: &str| Point::Commit(CommitPrefix(digits.to_owned()));
        for (text, point) in [
            ("head", Point::Head),
            ("~0", Point::Back(0)),
            ("~007", Point::Back(7)),
            ("checkpoint:3", Point::Number(3)),
            ("checkpoint:1234567", Point::Number(1_234_567)),
            (ID, Point::Checkpoint(ID.parse().unwrap())),
            (&format!("checkpoint:{ID}"), Point::Checkpoint(ID.parse().unwrap())),
            ("1234567", commit("1234567")),
            ("ABCDEF0", commit("abcdef0")),
            ("checkpoint:abcdef0", commit("abcdef0")),
            // Too long to be a number of anything.
            (&format!("checkpoint:{}", "1".repeat(40)), commit(&"1".repeat(40))),
            (&format!("message:{}", ID.to_uppercase()), Point::Message(ID.parse().unwrap())),
            (&format!("snapshot:{ID}"), Point::Snapshot(ID.parse().unwrap())),
            ("time:2026-01-15T10:30:00+01:00", Point::Time(at)),
            ("2026-01-15T09:30:00.000000Z", Point::Time(at)),
        ] {
            assert_eq!(text.parse(), Ok(point), "{text}");
        }
        assert_eq!(Point::checkpoint("3"), Ok(Point::Number(3)));
        assert_eq!(Point::checkpoint("abcdef0"), Ok(commit("abcdef0")));
        assert!(Point::checkpoint("head").is_err());
    }

    #[test]
    fn what_only_looks_like_a_point_is_none() {
        for text in [
            "",
            " ",
            "HEAD",
            "head ",
            "~",
            "~-1",
            "~+1",
            "~1.5",
            "~99999999999999999999",
            "checkpoint:",
            "checkpoint:-1",
            "checkpoint:+1",
            "checkpoint:abc",
            "abcdef",
            "message:",
            "message:7",
            "message:01932f4e7b1c7cc398c4dc0c0c07398f",
            "snapshot:head",
            "time:",
            "time:yesterday",
            "2026-01-15",
            "time:head",
            "9999-12-31T23:59:59-01:00",
            &"a".repeat(65),
        ] {
            assert!(text.parse::<Point>().is_err(), "{text}");
        }
    }
}
