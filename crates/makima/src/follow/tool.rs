//! A tool call in one line, and what of its result is worth showing.

use crate::printer::{Line, Style, fold, one_line};
use serde_json::Value;

/// Lines of a result that are shown.
const SHOWN: usize = 5;

/// What a tool is called with, in one line.
pub(crate) fn gist(tool: &str, input: &Value, worktree: Option<&str>) -> String {
    let word = |key: &str| input[key].as_str();
    let path = |key: &str| word(key).map(|path| relative(path, worktree));
    let gist = match tool {
        "Edit" => path("file_path").map(|path| {
            let lines = |key| word(key).map_or(0, |text| text.lines().count());
            format!("{path} +{} −{}", lines("new_string"), lines("old_string"))
        }),
        "Write" => path("file_path")
            .map(|path| format!("{path} +{}", word("content").map_or(0, |text| text.lines().count()))),
        "TodoWrite" => input["todos"].as_array().map(|todos| format!("{} items", todos.len())),
        "Grep" | "Glob" => word("pattern").map(|pattern| match path("path") {
            Some(path) => format!("{pattern} in {path}"),
            None => pattern.to_owned(),
        }),
        _ => ["command", "file_path", "notebook_path", "path", "url", "query", "description", "text"]
            .into_iter()
            .find_map(path),
    };
    one_line(&gist.unwrap_or_else(|| match input {
        Value::Object(fields) if fields.is_empty() => String::new(),
        Value::Null => String::new(),
        other => other.to_string(),
    }))
}

/// All of what a tool is called with: what an owner who is asked has to see.
pub(crate) fn whole(tool: &str, input: &Value, worktree: Option<&str>) -> Vec<String> {
    match (tool, input["command"].as_str()) {
        ("Bash", Some(command)) => command.lines().map(str::to_owned).collect(),
        _ => {
            let text = serde_json::to_string_pretty(input).unwrap_or_default();
            let head = gist(tool, input, worktree);
            std::iter::once(head).chain(text.lines().map(str::to_owned)).collect()
        }
    }
}

/// What of a result is shown, below the call, and how many lines of it are not.
pub(crate) fn result(tool: &str, text: &str, failed: bool) -> (Vec<Line>, usize) {
    let (style, first) = if failed { (Style::Bad, "failed: ") } else { (Style::Faint, "") };
    if !failed {
        match tool {
            "Read" => {
                let lines = text.lines().count();
                return (vec![below(style, format!("{lines} lines"))], lines);
            }
            "Edit" | "Write" | "MultiEdit" | "NotebookEdit" | "TodoWrite" => {
                return (Vec::new(), text.lines().count());
            }
            _ => {}
        }
    }
    let (lines, more) = fold(text, SHOWN);
    if lines.is_empty() {
        return (vec![below(style, if failed { "failed" } else { "no output" })], 0);
    }
    let mut shown: Vec<Line> = lines
        .iter()
        .enumerate()
        .map(|(n, line)| below(style, if n == 0 { format!("{first}{line}") } else { line.clone() }))
        .collect();
    if more > 0 {
        shown.push(below(Style::Faint, format!("… {more} more lines")));
    }
    (shown, more)
}

/// All of a result, below the call, as wide as it is.
pub(crate) fn whole_result(text: &str, failed: bool) -> Vec<Line> {
    let style = if failed { Style::Bad } else { Style::Faint };
    let (lines, _) = fold(text, usize::MAX);
    if lines.is_empty() {
        return vec![below(style, if failed { "failed" } else { "no output" })];
    }
    let failed = failed.then(|| Line::styled(style, "  failed:"));
    failed.into_iter().chain(lines.into_iter().map(|line| Line::styled(style, format!("  {line}")))).collect()
}

fn below(style: Style, text: impl AsRef<str>) -> Line {
    // A tab would break the width that the line is cut to.
    Line::styled(style, format!("  {}", text.as_ref().replace('\t', "    "))).cut()
}

/// A path below the worktree, without what all of them begin with.
fn relative(path: &str, worktree: Option<&str>) -> String {
    let below = worktree.and_then(|worktree| path.strip_prefix(worktree)?.strip_prefix('/'));
    below.unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn calls_say_what_matters() {
        let gist = |tool, input| gist(tool, &input, Some("/w/t"));
        assert_eq!(gist("Bash", json!({"command": "cargo\n  test", "description": "d"})), "cargo test");
        assert_eq!(gist("Read", json!({"file_path": "/w/t/src/a.rs"})), "src/a.rs");
        assert_eq!(gist("Read", json!({"file_path": "/w/tt/a.rs"})), "/w/tt/a.rs");
        let edit = json!({"file_path": "/w/t/a", "old_string": "x", "new_string": "y\nz"});
        assert_eq!(gist("Edit", edit), "a +2 −1");
        assert_eq!(gist("Write", json!({"file_path": "/w/t/a", "content": "1\n2\n3\n"})), "a +3");
        assert_eq!(gist("Grep", json!({"pattern": "fn", "path": "/w/t/src"})), "fn in src");
        assert_eq!(gist("mcp__x__y", json!({"a": [1]})), "{\"a\":[1]}");
        assert_eq!(gist("Odd", json!({})), "");
        assert_eq!(gist("Odd", json!(null)), "");
        assert_eq!(gist("Bash", json!({"command": 7})), "{\"command\":7}");
    }

    #[test]
    fn nothing_of_what_is_asked_for_is_left_out() {
        assert_eq!(whole("Bash", &json!({"command": "a\nb"}), None), ["a", "b"]);
        let text = whole("Write", &json!({"file_path": "/w/a", "content": "x"}), Some("/w")).join("\n");
        assert!(text.starts_with("a +1\n") && text.contains("\"content\": \"x\""), "{text}");
    }
}
