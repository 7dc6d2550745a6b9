//! What Claude Code asks, and how it is answered.

use super::failure::cut;
use crate::AgentError;
use makima_model::{Answer, Clock, Question, QuestionId, QuestionKind, Record};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The tool by which the model asks its owner something.
const ASKING_TOOL: &str = "AskUserQuestion";

/// What the model is told when its owner refuses and gives no reason.
const REFUSED: &str = "The owner of this task said no.";

/// The requests of the program that wait for an answer.
#[derive(Debug, Default)]
pub(super) struct Prompts {
    requests: BTreeMap<String, Request>,
    questions: BTreeMap<QuestionId, Asked>,
}

/// A `can_use_tool` request. The questions of one `AskUserQuestion` are answered together.
#[derive(Debug)]
struct Request {
    input: Value,
    answers: Map<String, Value>,
    open: usize,
}

#[derive(Debug)]
struct Asked {
    request: String,
    kind: QuestionKind,
    text: String,
}

impl Prompts {
    /// Takes a `can_use_tool` request; answers what to ask.
    pub(super) fn asked(&mut self, id: &str, request: &Value, clock: &Clock) -> Vec<Record> {
        let tool = request["tool_name"].as_str().unwrap_or_default();
        let input = &request["input"];
        let mut questions = if tool == ASKING_TOOL { questions(input, clock) } else { Vec::new() };
        if questions.is_empty() {
            let mut question = unasked(clock, QuestionKind::Permission, permission(tool, request));
            question.0.tool_name = Some(tool.to_owned());
            question.0.tool_input = Some(input.clone());
            questions.push(question);
        }
        self.requests.insert(
            id.to_owned(),
            Request { input: input.clone(), answers: Map::new(), open: questions.len() },
        );
        let ask = |(question, text): (Question, String)| {
            let asked = Asked { request: id.to_owned(), kind: question.kind, text };
            self.questions.insert(question.id, asked);
            Record::Asked { question }
        };
        questions.into_iter().map(ask).collect()
    }

    /// Takes an answer; answers what to record, and, if the request is now answered, what to write.
    pub(super) fn answered(
        &mut self,
        question: QuestionId,
        answer: &Answer,
    ) -> Result<(Vec<Record>, Option<Value>), AgentError> {
        let asked = self.questions.get(&question).ok_or(AgentError::NotAsked { question })?;
        let kind = asked.kind;
        let id = asked.request.clone();
        let request = self.requests.get_mut(&id).ok_or(AgentError::NotAsked { question })?;
        let decision = match (kind, answer) {
            (QuestionKind::Permission, Answer::Allow) => {
                Some(json!({"behavior": "allow", "updatedInput": request.input}))
            }
            (_, Answer::Deny { message }) => {
                Some(json!({"behavior": "deny", "message": message.as_deref().unwrap_or(REFUSED)}))
            }
            (QuestionKind::Question, Answer::Text { text }) => {
                request.answers.insert(asked.text.clone(), Value::String(text.clone()));
                request.open = request.open.saturating_sub(1);
                (request.open == 0).then(|| {
                    let mut input = request.input.clone();
                    input["answers"] = Value::Object(std::mem::take(&mut request.answers));
                    json!({"behavior": "allow", "updatedInput": input})
                })
            }
            _ => return Err(AgentError::WrongAnswer { question, kind }),
        };
        self.questions.remove(&question);
        let mut records = vec![Record::Answered { question, answer: Some(answer.clone()) }];
        let line = decision.map(|decision| {
            // A refusal is one of all questions of the request.
            records.extend(self.withdraw(&id));
            json!({"type": "control_response", "response": {"subtype": "success", "request_id": id, "response": decision}})
        });
        Ok((records, line))
    }

    /// The program no longer wants an answer to a request.
    pub(super) fn withdraw(&mut self, request: &str) -> Vec<Record> {
        self.requests.remove(request);
        let (gone, left) = std::mem::take(&mut self.questions)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, asked)| asked.request == request);
        self.questions = left;
        gone.into_keys().map(|question| Record::Answered { question, answer: None }).collect()
    }

    /// The program no longer wants any answer.
    pub(super) fn withdraw_all(&mut self) -> Vec<Record> {
        self.requests.clear();
        let gone = std::mem::take(&mut self.questions);
        gone.into_keys().map(|question| Record::Answered { question, answer: None }).collect()
    }
}

/// A question, and what the program calls it: the text is its key there.
fn unasked(clock: &Clock, kind: QuestionKind, text: String) -> (Question, String) {
    let id = clock.new_id();
    let question =
        Question { id, kind, text: text.clone(), choices: None, tool_name: None, tool_input: None };
    (question, text)
}

/// The questions of an `AskUserQuestion`.
fn questions(input: &Value, clock: &Clock) -> Vec<(Question, String)> {
    let asked = input["questions"].as_array().into_iter().flatten();
    let question = |asked: &Value| {
        let key = asked["question"].as_str()?.to_owned();
        let options: Vec<&Value> = asked["options"].as_array().into_iter().flatten().collect();
        let labels: Vec<String> =
            options.iter().filter_map(|option| option["label"].as_str().map(str::to_owned)).collect();
        let mut text = key.clone();
        for option in options {
            if let (Some(label), Some(what)) = (option["label"].as_str(), option["description"].as_str())
                && !what.is_empty()
            {
                text.push_str(&format!("\n- {label}: {what}"));
            }
        }
        if asked["multiSelect"] == true {
            text.push_str("\nSeveral may be chosen, with commas between.");
        }
        let (mut question, _) = unasked(clock, QuestionKind::Question, text);
        question.choices = (!labels.is_empty()).then_some(labels);
        Some((question, key))
    };
    asked.filter_map(question).collect()
}

/// What is asked when a tool wants to run.
fn permission(tool: &str, request: &Value) -> String {
    let input = &request["input"];
    let first = |names: &[&str]| names.iter().find_map(|name| input[*name].as_str().map(str::to_owned));
    let what =
        first(&["command", "file_path", "notebook_path", "path", "url", "query", "plan", "description"]);
    let mut text = match what {
        Some(what) => format!("{tool}: {}", cut(&what)),
        None => tool.to_owned(),
    };
    if let Some(reason) = request["decision_reason"].as_str() {
        text.push_str(&format!("\n{}", cut(reason)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock::standing_at("2026-01-15T09:30:00Z".parse().unwrap())
    }

    fn two_questions() -> Value {
        json!({"tool_name": "AskUserQuestion", "input": {"questions": [
            {"question": "Colour?", "options": [{"label": "red", "description": "warm"}, {"label": "blue"}]},
            {"question": "Size?", "multiSelect": true},
        ]}})
    }

    fn ids(records: &[Record]) -> Vec<QuestionId> {
        let id = |record: &Record| match record {
            Record::Asked { question } => question.id,
            other => panic!("{other:?}"),
        };
        records.iter().map(id).collect()
    }

    #[test]
    fn questions_of_one_request_are_answered_together() {
        let mut prompts = Prompts::default();
        let asked = ids(&prompts.asked("r", &two_questions(), &clock()));
        let text = |text: &str| Answer::Text { text: text.to_owned() };
        assert_eq!(prompts.answered(asked[0], &text("blue")).unwrap().1, None);
        let line = prompts.answered(asked[1], &text("S, L")).unwrap().1.unwrap();
        assert_eq!(line["response"]["request_id"], "r");
        let input = &line["response"]["response"]["updatedInput"];
        assert_eq!(input["answers"], json!({"Colour?": "blue", "Size?": "S, L"}));
        assert_eq!(input["questions"], two_questions()["input"]["questions"]);
        assert_eq!(prompts.answered(asked[1], &text("S")), Err(AgentError::NotAsked { question: asked[1] }));
    }

    #[test]
    fn to_refuse_one_question_is_to_refuse_them_all() {
        let mut prompts = Prompts::default();
        let asked = ids(&prompts.asked("r", &two_questions(), &clock()));
        let (records, line) = prompts.answered(asked[1], &Answer::Deny { message: None }).unwrap();
        assert_eq!(records[1], Record::Answered { question: asked[0], answer: None });
        assert_eq!(line.unwrap()["response"]["response"]["behavior"], "deny");
    }

    #[test]
    fn an_answer_of_the_wrong_kind_changes_nothing() {
        let mut prompts = Prompts::default();
        let request = json!({"tool_name": "Bash", "input": {"command": "ls"}});
        let question = ids(&prompts.asked("r", &request, &clock()))[0];
        let kind = QuestionKind::Permission;
        let words = Answer::Text { text: "yes".to_owned() };
        assert_eq!(prompts.answered(question, &words), Err(AgentError::WrongAnswer { question, kind }));
        let line = prompts.answered(question, &Answer::Allow).unwrap().1.unwrap();
        assert_eq!(
            line["response"]["response"],
            json!({"behavior": "allow", "updatedInput": {"command": "ls"}})
        );
    }

    #[test]
    fn several_requests_wait_at_once_and_each_is_withdrawn_alone() {
        let mut prompts = Prompts::default();
        let request = json!({"tool_name": "Bash", "input": {}});
        let first = ids(&prompts.asked("1", &request, &clock()))[0];
        let second = ids(&prompts.asked("2", &request, &clock()))[0];
        assert_eq!(prompts.withdraw("1"), [Record::Answered { question: first, answer: None }]);
        assert!(prompts.answered(second, &Answer::Allow).is_ok());
    }
}
