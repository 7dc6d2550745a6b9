//! Questions of agents: how they are put, and what is an answer.

use super::tool;
use crate::printer::{Line, Style};
use makima_model::{Question, QuestionKind, TaskId};

/// What is shown of a question: all of what is asked for, since it is to be decided on.
pub(crate) fn question_lines(question: &Question, worktree: Option<&str>) -> Vec<Line> {
    let mut lines: Vec<Line> = question
        .text
        .lines()
        .enumerate()
        .map(|(n, line)| {
            Line::styled(Style::Warn, if n == 0 { "? " } else { "  " }).then(Style::Strong, line)
        })
        .collect();
    if let (Some(tool), Some(input)) = (&question.tool_name, &question.tool_input) {
        let input = tool::whole(tool, input, worktree);
        lines.extend(input.into_iter().map(|line| Line::from(format!("  │ {line}"))));
    }
    for (n, choice) in question.choices.iter().flatten().enumerate() {
        lines.push(Line::styled(Style::Accent, format!("  {}. ", n + 1)).plain(choice.clone()));
    }
    lines
}

/// What stands before the cursor.
pub(crate) fn prompt(question: &Question) -> &'static str {
    match question.kind {
        QuestionKind::Permission => "allow, deny, or say why not: ",
        QuestionKind::Question if question.choices.is_some() => "a number, or your words: ",
        QuestionKind::Question => "your words: ",
    }
}

/// The commands that answer from any terminal.
pub(crate) fn how_to_answer(question: &Question, program: &str, task: TaskId) -> Vec<Line> {
    let answers: &[&str] = match question.kind {
        QuestionKind::Permission => &["allow", "deny"],
        QuestionKind::Question => &["\"…\""],
    };
    let command = |answer: &&str| format!("  {program} task answer {} {answer}", task.short());
    std::iter::once(Line::styled(Style::Faint, "  answer it by:"))
        .chain(answers.iter().map(|answer| Line::from(command(answer))))
        .collect()
}

/// What a person typed, as the answer and the message that go to the server; `None` where they typed nothing.
pub(crate) fn answer_of(question: &Question, typed: &str) -> Option<(String, Option<String>)> {
    let typed = typed.trim();
    if typed.is_empty() {
        return None;
    }
    Some(match (question.kind, typed.to_lowercase().as_str()) {
        (QuestionKind::Permission, "a" | "allow" | "y" | "yes") => ("allow".to_owned(), None),
        (QuestionKind::Permission, "d" | "deny" | "n" | "no") => ("deny".to_owned(), None),
        (QuestionKind::Permission, _) => ("deny".to_owned(), Some(typed.to_owned())),
        (QuestionKind::Question, word) => {
            let choice = word.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let choices = question.choices.as_deref().unwrap_or_default();
            let chosen = choice.and_then(|number| choices.get(number)).map_or(typed, String::as_str);
            (chosen.to_owned(), None)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(kind: QuestionKind, choices: Option<Vec<String>>) -> Question {
        let id = "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000".parse().unwrap();
        Question { id, kind, text: "?".to_owned(), choices, tool_name: None, tool_input: None }
    }

    #[test]
    fn words_for_a_permission_deny_it_unless_they_allow_it() {
        let permission = question(QuestionKind::Permission, None);
        let answer = |typed| answer_of(&permission, typed);
        assert_eq!(answer(" Yes "), Some(("allow".to_owned(), None)));
        assert_eq!(answer("n"), Some(("deny".to_owned(), None)));
        assert_eq!(answer("not now"), Some(("deny".to_owned(), Some("not now".to_owned()))));
        assert_eq!(answer("  "), None);
    }

    #[test]
    fn a_number_is_a_choice_where_there_are_choices() {
        let choices = question(QuestionKind::Question, Some(vec!["red".to_owned(), "blue".to_owned()]));
        assert_eq!(answer_of(&choices, "2").unwrap().0, "blue");
        assert_eq!(answer_of(&choices, "0").unwrap().0, "0");
        assert_eq!(answer_of(&choices, "green").unwrap().0, "green");
        assert_eq!(answer_of(&question(QuestionKind::Question, None), "2").unwrap().0, "2");
    }
}
