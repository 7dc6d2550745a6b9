//! Where time and fresh ids come from.
//!
//! Times are cut to microseconds at the source, since PostgreSQL keeps no more: what is stored equals what was said.

use chrono::{DateTime, Datelike, SecondsFormat, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{
    fmt,
    str::FromStr,
    sync::{Arc, Mutex},
    time::Duration,
};
use utoipa::ToSchema;
use uuid::{ContextV7, Uuid};

/// A moment in UTC, to the microsecond. Written as RFC 3339 with exactly six fractional digits, so that the text sorts
/// as the time does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String, format = "date-time", example = "2026-01-15T09:30:00.123456Z")]
pub struct Timestamp(DateTime<Utc>);

/// A text that is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an RFC 3339 time such as 2026-01-15T09:30:00Z")]
pub struct TimestampError {
    /// What was given, cut to 64 characters.
    pub text: String,
}

impl Timestamp {
    /// The moment as `chrono` has it.
    pub fn utc(self) -> DateTime<Utc> {
        self.0
    }

    /// The moment `seconds` after the beginning of 1970, or `None` outside the years 0 to 9999.
    pub fn from_unix(seconds: i64) -> Option<Self> {
        (-62_167_219_200..253_402_300_800)
            .contains(&seconds)
            .then(|| DateTime::from_timestamp(seconds, 0).map(Self))
            .flatten()
    }

    /// This moment and `by` more.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self::from(
            TimeDelta::from_std(by).ok().and_then(|by| self.0.checked_add_signed(by)).unwrap_or(self.0),
        )
    }

    /// This moment less `by`.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self::from(
            TimeDelta::from_std(by).ok().and_then(|by| self.0.checked_sub_signed(by)).unwrap_or(self.0),
        )
    }

    /// How long after `earlier` this is; zero if it isn't.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.signed_duration_since(earlier.0).to_std().unwrap_or_default()
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.with_nanosecond(at.nanosecond() / 1000 * 1000).unwrap_or(at))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|at| at.with_timezone(&Utc))
            // In UTC a year may have five digits, or a sign: its text would not sort as the time does.
            .filter(|at| (0..=9999).contains(&at.year()))
            .map(Self::from)
            .ok_or_else(|| TimestampError { text: text.chars().take(64).collect() })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The source of time and ids. Clones share one source.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<Mutex<Timestamp>>>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until it is [set](Self::set): for tests.
    pub fn standing_at(at: Timestamp) -> Self {
        Self(Some(Arc::new(Mutex::new(at))))
    }

    /// Moves a standing clock. The machine's clock can't be set: then nothing happens.
    pub fn set(&self, at: Timestamp) {
        if let Some(hand) = &self.0 {
            *hand.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = at;
        }
    }

    /// The present moment.
    #[expect(clippy::disallowed_methods, reason = "the one home of the time")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            None => Utc::now().into(),
            Some(hand) => *hand.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
        }
    }

    /// A fresh UUIDv7 of the present moment. Ids of one process are ascending.
    pub fn new_id<T: From<Uuid>>(&self) -> T {
        static ORDER: Mutex<ContextV7> = Mutex::new(ContextV7::new());
        let now = self.now().utc();
        let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
        let context = ORDER.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Uuid::new_v7(uuid::Timestamp::from_unix(&*context, seconds, now.timestamp_subsec_nanos())).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaskId;

    #[test]
    fn a_time_is_written_with_six_digits_and_read_back_the_same() {
        let at: Timestamp = "2026-01-15T10:30:00.1234567+01:00".parse().unwrap();
        assert_eq!(at.to_string(), "2026-01-15T09:30:00.123456Z");
        assert_eq!(at.to_string().parse(), Ok(at));
        // Further away than nanoseconds are counted to, and in a second that is one too many.
        for text in ["3000-01-01T00:00:00.1234567Z", "0000-01-01T00:00:00Z", "2016-12-31T23:59:60.9999999Z"] {
            let at: Timestamp = text.parse().unwrap();
            assert_eq!(at.to_string().parse(), Ok(at), "{text}");
        }
    }

    #[test]
    fn text_that_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-01-15",
            "2026-13-01T00:00:00Z",
            "9999-12-31T23:30:00-01:00",
            "0000-01-01T00:30:00+01:00",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn ids_of_one_moment_ascend() {
        let clock = Clock::standing_at("2026-01-15T09:30:00Z".parse().unwrap());
        let ids: Vec<TaskId> = (0..1000).map(|_| clock.new_id()).collect();
        assert!(ids.is_sorted() && ids.windows(2).all(|two| two[0] != two[1]));
    }
}
