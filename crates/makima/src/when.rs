//! Moments as people write them: `2h ago`, `yesterday`, `2026-01-15`, or RFC 3339.
//!
//! What is written without a zone is meant in the zone of the machine that one sits at.

use chrono::{DateTime, Days, Duration, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use makima_model::{Clock, Point, PointError, Timestamp};
use std::str::FromStr;

/// A moment, or a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct When {
    begins: Timestamp,
    ends: Timestamp,
}

/// Words that say no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no moment: write `2h ago`, `3 days ago`, `yesterday`, `yesterday 14:00`, `9:30`, `2026-01-15`, \
     `2026-01-15 09:30`, or `2026-01-15T09:30:00Z`"
)]
pub(crate) struct NoMoment(String);

impl When {
    /// The moment; of a day its first.
    pub(crate) fn begins(self) -> Timestamp {
        self.begins
    }

    /// The moment; of a day its last.
    pub(crate) fn ends(self) -> Timestamp {
        self.ends
    }

    /// What `text` means at the moment `now` in `zone`.
    fn read(text: &str, now: Timestamp, zone: &impl TimeZone) -> Option<Self> {
        let words = text.trim().to_lowercase();
        if let Ok(at) = words.to_uppercase().parse::<Timestamp>() {
            return Some(Self::moment(at.utc()));
        }
        let here = now.utc().with_timezone(zone);
        let today = here.date_naive();
        if let Some(distance) = words.strip_suffix("ago") {
            return ago(distance, here.naive_local(), now.utc(), zone).map(Self::moment);
        }
        let (day, time) = match words.split_once([' ', 't']) {
            _ if words == "now" => return Some(Self::moment(now.utc())),
            // Both words have a `t` themselves.
            _ if words.starts_with("today") || words.starts_with("yesterday") => {
                words.split_once(' ').map_or((words.as_str(), None), |(day, time)| (day, Some(time)))
            }
            Some((day, time)) => (day, Some(time)),
            None if words.contains(':') => ("today", Some(words.as_str())),
            None => (words.as_str(), None),
        };
        let day = match day {
            "today" => today,
            "yesterday" => today.pred_opt()?,
            day => date(day)?,
        };
        match time {
            Some(time) => Some(Self::moment(first(day.and_time(clock_time(time.trim())?), zone)?)),
            None => {
                let begins = first(day.and_time(NaiveTime::MIN), zone)?;
                let after = first(day.checked_add_days(Days::new(1))?.and_time(NaiveTime::MIN), zone)?;
                Some(Self { begins: begins.into(), ends: (after - Duration::microseconds(1)).into() })
            }
        }
    }

    fn moment(at: DateTime<Utc>) -> Self {
        Self { begins: at.into(), ends: at.into() }
    }
}

impl FromStr for When {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Self, NoMoment> {
        let known = Self::read(text, Clock::system().now(), &chrono::Local);
        known.ok_or_else(|| NoMoment(text.chars().take(64).collect()))
    }
}

/// A point of a task, where a time may be written as people do. Of a day it is its end: what was said until then.
pub(crate) fn point(text: &str) -> Result<Point, String> {
    text.parse().or_else(|error: PointError| match text.parse::<When>() {
        Ok(when) => Ok(Point::Time(when.ends())),
        Err(_) => Err(format!("{error}, or a time as people write it, such as `2h ago`")),
    })
}

/// A day, with four digits for its year: `26-01-15` is somebody's slip.
fn date(text: &str) -> Option<NaiveDate> {
    let is_full = text.len() == 10 && text.starts_with(|c: char| c.is_ascii_digit());
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| is_full)
}

fn clock_time(text: &str) -> Option<NaiveTime> {
    ["%H:%M", "%H:%M:%S", "%H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveTime::parse_from_str(text, format).ok())
}

/// The moment at which clocks in `zone` first show this; where they leap over it, the one at which they have.
fn first(local: NaiveDateTime, zone: &impl TimeZone) -> Option<DateTime<Utc>> {
    let shown = |local: NaiveDateTime| zone.from_local_datetime(&local).earliest();
    let at = shown(local).or_else(|| (1..=8).find_map(|n| shown(local + Duration::minutes(15 * n))))?;
    Some(at.with_timezone(&Utc))
}

/// The moment this long ago: hours and less by the time that went by, days and more by the calendar.
fn ago(
    distance: &str,
    here: NaiveDateTime,
    now: DateTime<Utc>,
    zone: &impl TimeZone,
) -> Option<DateTime<Utc>> {
    let (mut passed, mut days, mut months) = (Duration::zero(), 0_u64, 0_u32);
    let mut rest = distance.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let number: u32 = match number {
            "" => None,
            number => number.parse().ok().filter(|number| *number <= 1_000_000),
        }?;
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        match unit {
            "s" | "sec" | "secs" | "second" | "seconds" => passed += Duration::seconds(number.into()),
            "m" | "min" | "mins" | "minute" | "minutes" => passed += Duration::minutes(number.into()),
            "h" | "hr" | "hrs" | "hour" | "hours" => passed += Duration::hours(number.into()),
            "d" | "day" | "days" => days += u64::from(number),
            "w" | "week" | "weeks" => days += 7 * u64::from(number),
            "mo" | "month" | "months" => months = months.checked_add(number)?,
            "y" | "year" | "years" => months = months.checked_add(number.checked_mul(12)?)?,
            _ => return None,
        }
        rest = after.trim_start();
    }
    let from = if days == 0 && months == 0 {
        now
    } else {
        first(here.checked_sub_months(Months::new(months))?.checked_sub_days(Days::new(days))?, zone)?
    };
    from.checked_sub_signed(passed).filter(|at| *at >= DateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{FixedOffset, LocalResult, Offset};

    /// It is a Thursday afternoon, two hours east of Greenwich.
    const NOW: &str = "2026-01-15T13:30:00.123456Z";

    fn east() -> FixedOffset {
        FixedOffset::east_opt(2 * 3600).unwrap()
    }

    fn read_in(text: &str, now: &str, zone: &impl TimeZone) -> Option<(String, String)> {
        let when = When::read(text, now.parse().unwrap(), zone)?;
        Some((when.begins().to_string(), when.ends().to_string()))
    }

    fn moment(text: &str) -> String {
        let (begins, ends) = read_in(text, NOW, &east()).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(begins, ends, "{text} is a moment");
        begins
    }

    #[test]
    fn a_distance_is_counted_back_from_now() {
        for (text, at) in [
            ("now", "2026-01-15T13:30:00.123456Z"),
            ("2h ago", "2026-01-15T11:30:00.123456Z"),
            (" 2 Hours AGO ", "2026-01-15T11:30:00.123456Z"),
            ("1h30m ago", "2026-01-15T12:00:00.123456Z"),
            ("1 hour 30 min ago", "2026-01-15T12:00:00.123456Z"),
            ("90s ago", "2026-01-15T13:28:30.123456Z"),
            ("0 minutes ago", "2026-01-15T13:30:00.123456Z"),
            ("3 days ago", "2026-01-12T13:30:00.123456Z"),
            ("2w ago", "2026-01-01T13:30:00.123456Z"),
            ("1 month ago", "2025-12-15T13:30:00.123456Z"),
            ("1y2mo ago", "2024-11-15T13:30:00.123456Z"),
            ("1d1h ago", "2026-01-14T12:30:00.123456Z"),
        ] {
            assert_eq!(moment(text), at, "{text}");
        }
    }

    #[test]
    fn a_time_is_that_of_the_clock_on_the_wall() {
        for (text, at) in [
            ("9:30", "2026-01-15T07:30:00.000000Z"),
            ("09:30:15", "2026-01-15T07:30:15.000000Z"),
            ("today 00:30", "2026-01-14T22:30:00.000000Z"),
            ("yesterday 14:00", "2026-01-14T12:00:00.000000Z"),
            ("2026-01-10 09:30", "2026-01-10T07:30:00.000000Z"),
            ("2026-01-10T09:30", "2026-01-10T07:30:00.000000Z"),
            ("2026-01-10t09:30:00.25", "2026-01-10T07:30:00.250000Z"),
        ] {
            assert_eq!(moment(text), at, "{text}");
        }
    }

    #[test]
    fn a_time_with_a_zone_is_meant_there() {
        assert_eq!(moment("2026-01-10T09:30:00Z"), "2026-01-10T09:30:00.000000Z");
        assert_eq!(moment("2026-01-10t09:30:00.5-05:00"), "2026-01-10T14:30:00.500000Z");
        assert_eq!(moment("2026-01-10 09:30:00+01:00"), "2026-01-10T08:30:00.000000Z");
    }

    #[test]
    fn a_day_is_all_of_it() {
        for (text, begins, ends) in [
            ("today", "2026-01-14T22:00:00.000000Z", "2026-01-15T21:59:59.999999Z"),
            ("yesterday", "2026-01-13T22:00:00.000000Z", "2026-01-14T21:59:59.999999Z"),
            ("2024-02-29", "2024-02-28T22:00:00.000000Z", "2024-02-29T21:59:59.999999Z"),
        ] {
            assert_eq!(read_in(text, NOW, &east()), Some((begins.to_owned(), ends.to_owned())), "{text}");
        }
        // Which day it is depends on where one is.
        let (begins, _) = read_in("today", "2026-01-15T23:30:00Z", &east()).unwrap();
        assert_eq!(begins, "2026-01-15T22:00:00.000000Z");
    }

    #[test]
    fn a_point_may_be_a_time_as_people_write_it() {
        let last = "2026-01-15T23:59:59".parse::<When>().unwrap().ends();
        let Ok(Point::Time(day)) = point("2026-01-15") else { panic!("no time") };
        assert_eq!(day.since(last), std::time::Duration::from_micros(999_999));
        assert!(matches!(point("2h ago"), Ok(Point::Time(_))));
        // What is a point is that first.
        assert_eq!(point("20260115").ok(), "20260115".parse().ok());
        assert_eq!(point("head"), Ok(Point::Head));
        assert!(point("whenever").unwrap_err().contains("is no point"));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            " ",
            "ago",
            "2 ago",
            "h ago",
            "two hours ago",
            "2h",
            "2 fortnights ago",
            "-2h ago",
            "99999999999h ago",
            "1000000y ago",
            "soon",
            "today9:30",
            "yesterdays",
            "2026-13-01",
            "2026-02-30",
            "26-01-15",
            "2026-1-5",
            "15.01.2026",
            "9:75",
            "25:00",
            "2026-01-15T",
            "2026-01-15 noon",
            "2026-01-15T09:30:00+99:00",
        ] {
            assert_eq!(read_in(text, NOW, &east()), None, "{text:?}");
        }
        let error = "soon".parse::<When>().unwrap_err();
        assert!(error.to_string().starts_with("\"soon\" is no moment: write `2h ago`"));
    }

    /// A zone whose clocks go from 0:00 to 1:00 on 2026-03-29, and are two hours ahead from then on.
    #[derive(Debug, Clone, Copy)]
    struct Leaping;

    impl Leaping {
        const LEAP: &'static str = "2026-03-28T23:00:00";

        fn offset(at: &NaiveDateTime) -> FixedOffset {
            let leap: NaiveDateTime = Self::LEAP.parse().unwrap();
            FixedOffset::east_opt(if *at < leap { 3600 } else { 7200 }).unwrap()
        }
    }

    impl TimeZone for Leaping {
        type Offset = FixedOffset;

        fn from_offset(_: &FixedOffset) -> Self {
            Self
        }

        fn offset_from_local_date(&self, day: &NaiveDate) -> LocalResult<FixedOffset> {
            self.offset_from_local_datetime(&day.and_time(NaiveTime::MIN))
        }

        fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> LocalResult<FixedOffset> {
            let fitting = [3600, 7200].into_iter().filter_map(|seconds| {
                let offset = FixedOffset::east_opt(seconds)?;
                (Self::offset(&(*local - offset.fix())) == offset).then_some(offset)
            });
            match fitting.collect::<Vec<_>>()[..] {
                [one] => LocalResult::Single(one),
                [one, other] => LocalResult::Ambiguous(one, other),
                _ => LocalResult::None,
            }
        }

        fn offset_from_utc_date(&self, day: &NaiveDate) -> FixedOffset {
            self.offset_from_utc_datetime(&day.and_time(NaiveTime::MIN))
        }

        fn offset_from_utc_datetime(&self, at: &NaiveDateTime) -> FixedOffset {
            Self::offset(at)
        }
    }

    #[test]
    fn a_day_without_a_midnight_begins_when_clocks_have_leapt() {
        let now = "2026-03-29T10:00:00Z";
        let of = |text: &str| read_in(text, now, &Leaping).unwrap();
        assert_eq!(of("today"), ("2026-03-28T23:00:00.000000Z".into(), "2026-03-29T21:59:59.999999Z".into()));
        assert_eq!(of("yesterday").1, "2026-03-28T22:59:59.999999Z");
        // A day ago is the same time of the day, 23 hours before.
        assert_eq!(of("1 day ago").0, "2026-03-28T11:00:00.000000Z");
        assert_eq!(of("24 hours ago").0, "2026-03-28T10:00:00.000000Z");
    }
}
