//! `makima contract create`

use super::facts;
use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    here::Here,
    printer::{Line, Printer, Style},
};
use clap::Args;
use makima_model::Clock;
use makima_wire::CreateContract;

/// Make a contract: a goal with a repository, which tasks belong to
///
/// Its repository is the one that you are in, unless --repository says another.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima contract create \"Parser\" --description \"Every input gives a tree or an error with its place\"
  makima contract create \"Parser\" --repository https://example.com/parser.git --base-branch develop")]
pub(crate) struct CreateArguments {
    /// What to call it
    name: String,
    /// The goal
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    description: String,
    /// A local path or a git URL; without it, the one that you are in
    #[arg(long, value_name = "REPOSITORY")]
    repository: Option<String>,
    /// The branch that its tasks start from; without it, the repository's own default
    #[arg(long, value_name = "BRANCH")]
    base_branch: Option<String>,
    /// The agent of its tasks; without it, the daemon's default
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    #[command(flatten)]
    server: ServerChoice,
}

/// Makes it.
pub(crate) async fn create(
    global: &Global,
    arguments: CreateArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let data = global.data()?;
    let client = arguments.server.client(&data)?;
    let repository = match arguments.repository {
        Some(repository) => repository,
        None => Here::find().await?.repository()?,
    };
    let contract = CreateContract {
        name: arguments.name,
        description: arguments.description,
        repository,
        base_branch: arguments.base_branch,
        agent: arguments.agent,
    };
    let contract = client.create_contract(&contract).await?;
    printer.document(&contract);
    facts(&contract, Clock::system().now()).into_iter().for_each(|line| printer.line(line));
    printer.line(Line::styled(Style::Faint, "give it work: ").then(
        Style::Accent,
        format!("{} task create --contract {} \"…\"", global.program(&data), contract.id.short()),
    ));
    Ok(Exit::Done)
}
