//! How things look: the same wherever they are printed.

use crate::printer::{Line, Style};
use makima_model::TaskStatus;
use std::collections::BTreeMap;

/// The style of a status.
pub(crate) fn style_of(status: TaskStatus) -> Style {
    match status {
        TaskStatus::Pending => Style::Faint,
        TaskStatus::Starting | TaskStatus::Running => Style::Accent,
        TaskStatus::Completed => Style::Good,
        TaskStatus::Failed => Style::Bad,
        TaskStatus::Waiting | TaskStatus::Cancelled | TaskStatus::Interrupted => Style::Warn,
    }
}

/// One thing that is known of something: its name, and what it is.
pub(crate) fn fact(name: &str, text: impl Into<String>) -> Line {
    styled_fact(name, Style::Plain, text)
}

/// The same, with a style.
pub(crate) fn styled_fact(name: &str, style: Style, text: impl Into<String>) -> Line {
    Line::styled(Style::Faint, format!("{name:<12} ")).then(style, text)
}

/// How many tasks stand where: `2 running, 1 completed`.
pub(crate) fn counts(counts: &BTreeMap<TaskStatus, i64>) -> String {
    let told: Vec<String> =
        counts.iter().filter(|(_, n)| **n > 0).map(|(status, n)| format!("{n} {status}")).collect();
    if told.is_empty() { "none".to_owned() } else { told.join(", ") }
}

/// What runs took: `48,210 tokens, $0.1843`.
pub(crate) fn used(tokens: i64, cost: f64) -> String {
    match money(cost) {
        None => format!("{} tokens", grouped(tokens)),
        Some(money) => format!("{} tokens, {money}", grouped(tokens)),
    }
}

/// An amount of US dollars, if there is one.
pub(crate) fn money(cost: f64) -> Option<String> {
    match cost {
        cost if cost <= 0.0 => None,
        cost if cost < 1.0 => Some(format!("${cost:.4}")),
        cost => Some(format!("${cost:.2}")),
    }
}

/// A number with its thousands apart.
fn grouped(number: i64) -> String {
    let digits = number.max(0).to_string();
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// How long something took.
pub(crate) fn duration(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// So many bytes, roughly.
pub(crate) fn bytes(bytes: u64) -> String {
    let (whole, unit) = [(1u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
        .into_iter()
        .find(|(whole, _)| bytes >= *whole)
        .unwrap_or((1, "bytes"));
    format!("{} {unit}", bytes / whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_readable() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"].map(str::to_owned)
        );
        assert_eq!([0, 61, 3661].map(duration), ["0 s", "1 min 1 s", "1 h 1 min"].map(str::to_owned));
        assert_eq!([7, 5 << 20, 3 << 40].map(bytes), ["7 bytes", "5 MiB", "3 TiB"].map(str::to_owned));
        assert_eq!(used(1200, 0.0), "1,200 tokens");
        assert_eq!(used(12, 0.01234), "12 tokens, $0.0123");
        assert_eq!(used(12, 12.345), "12 tokens, $12.35");
    }

    #[test]
    fn counts_name_only_what_there_is() {
        let some =
            BTreeMap::from([(TaskStatus::Running, 2), (TaskStatus::Failed, 0), (TaskStatus::Completed, 1)]);
        assert_eq!(counts(&some), "2 running, 1 completed");
        assert_eq!(counts(&BTreeMap::new()), "none");
    }
}
