//! A scenario, and which of its steps comes next.

use super::history::Remembered;
use makima_model::{QuestionKind, Usage};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

/// A scenario file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    #[serde(default)]
    scripts: BTreeMap<String, Vec<Step>>,
    #[serde(default = "Step::ok")]
    default: Step,
    #[serde(default, rename = "side")]
    _side: IgnoredAny,
    #[serde(default)]
    pub(super) vars: BTreeMap<String, String>,
}

/// One message of the agent, and what happens with it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Step {
    pub(super) content: Vec<Block>,
    pub(super) usage: Tokens,
    pub(super) cost_usd: Option<f64>,
    delay_s: f64,
    pub(super) wait_for_file: Option<String>,
    /// How many pieces are streamed before the file is waited for.
    pub(super) gate_after_chunks: usize,
    pub(super) chunk: Option<usize>,
    chunk_delay_s: f64,
    pub(super) garbage: bool,
    pub(super) ask: Option<Ask>,
    pub(super) error: Option<ServiceError>,
    pub(super) drop_after_chunks: Option<usize>,
    pub(super) endless: bool,
    pub(super) hang: bool,
    pub(super) exit: Option<ExitWith>,
    pub(super) crash: bool,
    #[serde(rename = "stop_reason")]
    _stop_reason: IgnoredAny,
}

/// A part of a message.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Block {
    Text {
        text: String,
    },
    Thinking {
        thinking: String,
        #[serde(default, rename = "signature")]
        _signature: IgnoredAny,
    },
    ToolUse {
        id: Option<String>,
        name: String,
        input: Value,
    },
}

/// Tokens in the words of the model API.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Tokens {
    input_tokens: i64,
    output_tokens: i64,
    cache_read_input_tokens: i64,
    cache_creation_input_tokens: i64,
}

/// A question to the owner.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    pub(super) text: String,
    pub(super) choices: Option<Vec<String>>,
    #[serde(default = "Ask::question")]
    pub(super) kind: QuestionKind,
}

/// A refusal of the model's service.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceError {
    #[serde(default)]
    pub(super) status: u16,
    #[serde(default, rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) message: String,
    #[serde(default, rename = "no_retry")]
    _no_retry: IgnoredAny,
}

/// An end of the program.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExitWith {
    pub(super) code: u8,
}

impl Ask {
    fn question() -> QuestionKind {
        QuestionKind::Question
    }
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            input_tokens: 100,
            output_tokens: 20,
            cache_read_input_tokens: 0,
            cache_creation_input_tokens: 0,
        }
    }
}

impl From<Tokens> for Usage {
    fn from(tokens: Tokens) -> Self {
        Self {
            input_tokens: tokens.input_tokens,
            output_tokens: tokens.output_tokens,
            cache_read_tokens: tokens.cache_read_input_tokens,
            cache_creation_tokens: tokens.cache_creation_input_tokens,
        }
    }
}

impl Step {
    fn ok() -> Self {
        Self { content: vec![Block::Text { text: "ok".to_owned() }], ..Self::default() }
    }

    pub(super) fn delay(&self) -> Duration {
        seconds(self.delay_s)
    }

    pub(super) fn chunk_delay(&self) -> Duration {
        seconds(self.chunk_delay_s)
    }

    /// This step with each `{{NAME}}` that `variable` knows replaced.
    fn filled(mut self, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        for block in &mut self.content {
            match block {
                Block::Text { text } => *text = filled(text, variable),
                Block::Thinking { thinking, .. } => *thinking = filled(thinking, variable),
                Block::ToolUse { input, .. } => fill(input, variable),
            }
        }
        if let Some(ask) = &mut self.ask {
            ask.text = filled(&ask.text, variable);
        }
        if let Some(file) = &mut self.wait_for_file {
            *file = filled(file, variable);
        }
        self
    }
}

impl Scenario {
    /// The step that comes next after `history`, filled in.
    pub(super) fn next(&self, history: &[Remembered], worktree: &str) -> Step {
        self.picked(history).clone().filled(&|name| match name {
            "cwd" => Some(worktree.to_owned()),
            "n" => Some(history.len().to_string()),
            _ => self.vars.get(name).cloned(),
        })
    }

    fn picked(&self, history: &[Remembered]) -> &Step {
        let mut passed = 0;
        for remembered in history.iter().rev() {
            match remembered {
                Remembered::Assistant { .. } => passed += 1,
                Remembered::Tool { .. } => {}
                Remembered::User { text, .. } => {
                    if let Some(steps) = self.last_named_in(text) {
                        return steps.get(passed).unwrap_or(&self.default);
                    }
                }
            }
        }
        &self.default
    }

    /// The script whose key stands last in a text: what it quotes of older messages stands before. Of two at one place the longer.
    fn last_named_in(&self, text: &str) -> Option<&[Step]> {
        let places =
            self.scripts.iter().filter_map(|(key, steps)| Some((text.rfind(key)?, key.len(), steps)));
        places.max_by_key(|(place, length, _)| (*place, *length)).map(|(_, _, steps)| steps.as_slice())
    }
}

/// A length of time from a file: never a panic, whatever the number.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn fill(value: &mut Value, variable: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => *text = filled(text, variable),
        Value::Array(values) => values.iter_mut().for_each(|value| fill(value, variable)),
        Value::Object(fields) => fields.values_mut().for_each(|value| fill(value, variable)),
        _ => {}
    }
}

fn filled(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        match after.split_once("}}").and_then(|(name, after)| Some((variable(name)?, after))) {
            Some((value, after)) => {
                out.push_str(&value);
                rest = after;
            }
            None => {
                out.push_str("{{");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn user(text: &str) -> Remembered {
        Remembered::User { uuid: "u".to_owned(), text: text.to_owned() }
    }

    fn agent() -> Remembered {
        Remembered::Assistant { uuid: "a".to_owned(), text: String::new(), calls: Vec::new() }
    }

    fn tool() -> Remembered {
        Remembered::Tool {
            uuid: "t".to_owned(),
            call: "c".to_owned(),
            tool: "Bash".to_owned(),
            text: String::new(),
            error: false,
        }
    }

    fn says(history: &[Remembered]) -> String {
        let step = |text: &str| json!({"content": [{"type": "text", "text": text}]});
        let scenario: Scenario = serde_json::from_value(json!({
            "scripts": {"GO": [step("go 0"), step("go 1")], "GO-ON": [step("on in {{cwd}} at {{n}} {{X}} {{Y}} {{")]},
            "default": step("default"),
            "vars": {"X": "x"},
        }))
        .unwrap();
        match scenario.next(history, "/w").content.as_slice() {
            [Block::Text { text }] => text.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_agents_messages_since_the_key_count_the_steps() {
        assert_eq!(says(&[user("please GO")]), "go 0");
        assert_eq!(says(&[user("please GO"), agent(), tool(), tool()]), "go 1");
        assert_eq!(says(&[user("please GO"), agent(), user("and then?")]), "go 1");
        assert_eq!(says(&[user("please GO"), agent(), tool(), agent()]), "default");
        assert_eq!(says(&[user("hello")]), "default");
    }

    #[test]
    fn the_last_key_decides_and_of_two_at_one_place_the_longer() {
        assert_eq!(says(&[user("GO-ON was said, now GO")]), "go 0");
        assert_eq!(says(&[user("GO"), agent(), user("now GO-ON")]), "on in /w at 3 x {{Y}} {{");
    }

    #[test]
    fn a_field_that_there_is_not_is_an_error_that_names_it() {
        let error = serde_json::from_str::<Scenario>(r#"{"default": {"exot": {"code": 1}}}"#).unwrap_err();
        assert!(error.to_string().contains("exot"), "{error}");
    }

    #[test]
    fn no_length_of_time_is_too_strange() {
        for strange in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            assert_eq!(seconds(strange), Duration::ZERO);
        }
    }
}
