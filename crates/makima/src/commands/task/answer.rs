//! `makima task answer`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    follow::question_lines,
    printer::Printer,
    reference::TaskRef,
};
use clap::Args;
use makima_model::QuestionKind;
use makima_wire::AnswerQuestion;

/// Answer the question that the agent of a task waits for
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima task answer 1f2e3d4c allow
  makima task answer 1f2e3d4c deny --message \"Not on a Friday\"
  makima task answer 1f2e3d4c \"The blue one\"")]
pub(crate) struct AnswerArguments {
    /// The task: 4 or more characters of its id or short id, or its name
    task: TaskRef,
    /// `allow` or `deny` where the agent asks for a permission; else your words
    answer: String,
    /// With `deny`: why, for the agent
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    #[command(flatten)]
    server: ServerChoice,
}

/// Answers it.
pub(crate) async fn answer(
    global: &Global,
    arguments: AnswerArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let task = arguments.task.find(&client).await?;
    let short = task.id.short();
    let Some(question) = task.pending_question else {
        return Err(Failure::new(format!("task {short} asks nothing: it is {}", task.status)));
    };
    if question.kind == QuestionKind::Permission && !matches!(arguments.answer.as_str(), "allow" | "deny") {
        for line in question_lines(&question, task.worktree_path.as_deref()) {
            printer.note(line);
        }
        return Err(Failure::usage("a permission is answered by `allow` or `deny`")
            .hint("words for the agent go with a deny: deny --message \"…\""));
    }
    let body =
        AnswerQuestion { question_id: question.id, answer: arguments.answer, message: arguments.message };
    let task = client.answer(task.id, &body).await?;
    printer.document(&task);
    printer.line(format!("answered; task {short} is {}", task.status));
    Ok(Exit::Done)
}
