//! What the scripted agent asks its owner.

use super::{Cut, Player};
use crate::scripted::{
    line::{Line, Told},
    tools::ToolResult,
};
use makima_model::{Answer, QuestionKind};
use serde_json::{Value, json};
use std::io::Write;

impl<W: Write> Player<W> {
    /// The question of a step's `ask`.
    pub(super) fn ask_as_told(&mut self, input: &Value) -> Result<ToolResult, Cut> {
        let text = input["text"].as_str().unwrap_or_default();
        if input["kind"] == json!(QuestionKind::Permission) {
            return self.permission(text, None);
        }
        let choices = input["choices"].as_array().map(|all| words(all.iter()));
        self.question(text, choices)
    }

    /// The questions of the tool `AskUserQuestion`.
    pub(super) fn ask_all(&mut self, input: &Value) -> Result<ToolResult, Cut> {
        let mut answers = Vec::new();
        for question in input["questions"].as_array().into_iter().flatten() {
            let text = question["question"].as_str().unwrap_or_default();
            let choices =
                question["options"].as_array().map(|all| words(all.iter().map(|one| &one["label"])));
            match self.question(text, choices)? {
                Ok(answer) => answers.push(format!("{text} {answer}")),
                refusal => return Ok(refusal),
            }
        }
        Ok(Ok(answers.join("\n")))
    }

    pub(super) fn permission(&mut self, text: &str, of: Option<(&str, &Value)>) -> Result<ToolResult, Cut> {
        let (tool, input) = of.map(|(tool, input)| (tool.to_owned(), input.clone())).unzip();
        let kind = QuestionKind::Permission;
        let ask = |ask| Line::Ask { ask, kind, text: text.to_owned(), choices: None, tool, input };
        self.ask(ask).map(|answer| match answer {
            Answer::Allow => Ok("allowed".to_owned()),
            answer => Err(refusal(answer)),
        })
    }

    fn question(&mut self, text: &str, choices: Option<Vec<String>>) -> Result<ToolResult, Cut> {
        let kind = QuestionKind::Question;
        let ask = |ask| Line::Ask { ask, kind, text: text.to_owned(), choices, tool: None, input: None };
        self.ask(ask).map(|answer| match answer {
            Answer::Text { text } => Ok(text),
            answer => Err(refusal(answer)),
        })
    }

    fn ask(&mut self, line: impl FnOnce(String) -> Line) -> Result<Answer, Cut> {
        self.asked += 1;
        let id = format!("ask-{}", self.asked);
        self.write(&line(id.clone()))?;
        loop {
            match self.told.recv() {
                Ok(told) => match told? {
                    Told::Interrupt => return Err(Cut::Interrupted),
                    Told::Answer { ask, answer } if ask == id => return Ok(answer),
                    told => self.hear(told),
                },
                Err(_) => return Ok(Answer::Deny { message: Some("Nobody answers any more".to_owned()) }),
            }
        }
    }
}

fn words<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<String> {
    values.filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

fn refusal(answer: Answer) -> String {
    match answer {
        Answer::Deny { message: Some(message) } => message,
        _ => "The owner said no".to_owned(),
    }
}
