//! `makima user create`

use crate::{
    arguments::Global,
    failure::{Exit, Failure, chain},
    printer::{Line, Printer, Style},
    standing::open_database,
};
use clap::Args;
use makima_model::{Clock, OwnerId};
use makima_server::App;
use serde::Serialize;

/// Make a person with a key, on the server's own machine
///
/// It writes to the server's database and works while the server runs. The key is shown this once.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima user create ada")]
pub(crate) struct CreateArguments {
    /// The person's name
    name: String,
    /// The server's database; without it, the one in the data directory
    #[arg(long, env = "MAKIMA_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created<'a> {
    id: OwnerId,
    name: &'a str,
    api_key: &'a str,
}

/// Makes a person, and tells the key.
pub(crate) async fn create(
    global: &Global,
    arguments: CreateArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let data = global.data()?;
    let config = global.configuration(&data)?;
    let db = open_database(arguments.database_url.as_deref(), &config, &data).await?;
    let user = App::over(db, Clock::system())
        .create_user(&arguments.name)
        .await
        .map_err(|error| Failure::new(chain(&error)))?;
    printer.document(&Created { id: user.id, name: &user.name, api_key: &user.api_key });
    printer.line(Line::styled(Style::Faint, "user  ").plain(format!("{} ({})", user.name, user.id)));
    printer.line(Line::styled(Style::Faint, "key   ").then(Style::Strong, user.api_key));
    printer
        .line(Line::styled(Style::Faint, "The key is shown this once. Give it to makima as MAKIMA_API_KEY."));
    Ok(Exit::Done)
}
