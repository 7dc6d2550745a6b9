//! What a tool was called with, as text that is read at once.

use super::words::first_line;
use serde_json::Value;

/// What says most of a call, the first that is there.
const TELLING: [&str; 9] =
    ["command", "file_path", "path", "pattern", "query", "url", "description", "prompt", "text"];
/// The most characters of that.
const LONGEST: usize = 120;

/// A call in one line. Files of the folder that the agent works in are named without it.
pub(super) fn brief(input: &Value, folder: Option<&str>) -> String {
    let Value::Object(fields) = input else { return first_line(&plain(input), LONGEST) };
    let telling = TELLING.iter().find_map(|name| fields.get(*name)?.as_str());
    match telling {
        Some(text) => {
            let within = folder.and_then(|folder| text.strip_prefix(folder)?.strip_prefix('/'));
            first_line(within.unwrap_or(text), LONGEST)
        }
        None if fields.is_empty() => String::new(),
        None => first_line(&input.to_string(), LONGEST),
    }
}

/// All of it: each field with its name, and texts as they are.
pub(super) fn whole(input: &Value) -> String {
    let Value::Object(fields) = input else { return plain(input) };
    let mut text = String::new();
    for (name, value) in fields {
        let value = plain(value);
        let gap = if value.contains('\n') { "\n" } else { " " };
        text.push_str(&format!("{name}:{gap}{}\n", value.trim_end_matches('\n')));
    }
    text
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(_) | Value::Array(_) => serde_json::to_string_pretty(value).unwrap_or_default(),
        value => value.to_string(),
    }
}
