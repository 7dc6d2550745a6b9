//! Times as one speaks of them.

use makima_model::Timestamp;

/// How long before `now` it was. What is long ago is told by its day.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(then).as_secs();
    match seconds {
        0..10 => "just now".to_owned(),
        10..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        86_400..172_800 => "1 day ago".to_owned(),
        172_800..2_592_000 => format!("{} days ago", seconds / 86_400),
        _ => then.to_string().chars().take(10).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_by_their_distance() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let told = |then: &str| ago(then.parse().unwrap(), now);
        assert_eq!(told("2026-03-01T11:59:58Z"), "just now");
        // A clock that is a little ahead of ours.
        assert_eq!(told("2026-03-01T12:00:05Z"), "just now");
        assert_eq!(told("2026-03-01T11:59:18Z"), "42 s ago");
        assert_eq!(told("2026-03-01T11:56:01Z"), "3 min ago");
        assert_eq!(told("2026-03-01T09:59:00Z"), "2 h ago");
        assert_eq!(told("2026-02-28T11:00:00Z"), "1 day ago");
        assert_eq!(told("2026-02-20T11:00:00Z"), "9 days ago");
        assert_eq!(told("2025-12-31T23:00:00Z"), "2025-12-31");
    }
}
