//! `makima doctor`

mod machine;
mod platform;
mod verify;

pub(crate) use platform::not_ready;

use crate::{
    arguments::Global,
    config::ConfigFile,
    connection::ServerChoice,
    failure::{Exit, Failure},
    printer::{Line, Printer, Style, one_line},
};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Look whether everything is there that Makima needs, and say what to do about what isn't
///
/// Works without a server. Exits with 1 where something fails; what is only good to know doesn't count.
///
/// With `--verify` it looks, instead, at everything that is kept: whether every conversation, snapshot, checkpoint, run, event,
/// count, blob and journal agrees with every other, and says what is wrong and what to do. It changes nothing and works on the
/// machine that has the data, with its `--data-dir` or `--database-url`, also while a server and a daemon run there; until
/// it ends, the log of an SQLite database grows by what is written.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima doctor
  makima doctor --verify
  makima doctor --json | jq '.checks[] | select(.state != \"ok\")'")]
pub(crate) struct DoctorArguments {
    /// Look whether everything that is kept agrees with everything else, on the machine that has the data
    #[arg(long)]
    verify: bool,
    /// The data directory of another daemon of this machine, to be looked at too
    #[arg(long, requires = "verify", value_name = "FOLDER")]
    daemon_dir: Vec<PathBuf>,
    /// The database to look at; without it, the configured one
    #[arg(long, env = "MAKIMA_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
    #[command(flatten)]
    server: ServerChoice,
}

/// What came of looking at one thing.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Check {
    /// What was looked at.
    name: String,
    state: State,
    /// What was found.
    found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Fail,
}

impl Check {
    fn ok(name: &str, found: impl Into<String>) -> Self {
        Self { name: name.to_owned(), state: State::Ok, found: found.into(), advice: None }
    }

    fn warn(name: &str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Warn, advice: Some(advice.into()), ..Self::ok(name, found) }
    }

    fn fail(name: &str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Fail, ..Self::warn(name, found, advice) }
    }

    /// What a failure says.
    fn failure(name: &str, failure: Failure) -> Self {
        Self { state: State::Fail, advice: failure.hint, ..Self::ok(name, failure.message) }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    checks: &'a [Check],
}

/// Looks at everything.
pub(crate) async fn doctor(
    global: &Global,
    arguments: DoctorArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    if arguments.verify {
        let (database, daemons) = (arguments.database_url.as_deref(), &arguments.daemon_dir);
        return verify::verify(global, database, daemons, printer).await;
    }
    let data = global.data()?;
    let mut checks = vec![machine::platform(), machine::git().await];
    // What a broken file says is not known: what needs none of it is looked at all the same.
    let (check, config) = match ConfigFile::load(global.config.as_deref(), data.path()) {
        Ok(file) if file.table.is_empty() => {
            (Check::ok("configuration", "nothing is configured, and nothing has to be"), file.config)
        }
        Ok(file) => (Check::ok("configuration", file.path.display().to_string()), file.config),
        Err(failure) => (Check::failure("configuration", failure), Default::default()),
    };
    checks.push(check);
    checks.extend(machine::agents(&config).await);
    checks.push(machine::data_folder(&data));
    checks.push(machine::disk(&data));
    let own = data.database_url();
    let url = arguments.database_url.as_deref().or(config.database.url.as_deref()).unwrap_or(&own);
    checks.push(platform::database(url).await);
    checks.extend(platform::server(&arguments.server, &data).await);
    tell(&checks, printer);
    let fails = checks.iter().any(|check| check.state == State::Fail);
    Ok(if fails { Exit::Failed } else { Exit::Done })
}

fn tell(checks: &[Check], printer: &Printer) {
    printer.document(&Document { checks });
    for Check { name, state, found, advice } in checks {
        let (style, mark) = match state {
            State::Ok => (Style::Good, "ok  "),
            State::Warn => (Style::Warn, "warn"),
            State::Fail => (Style::Bad, "fail"),
        };
        let line = Line::styled(style, mark).then(Style::Strong, format!("  {name:<14} "));
        printer.line(line.plain(one_line(found)));
        if let Some(advice) = advice {
            printer.line(Line::styled(Style::Accent, format!("{:21}→ ", "")).plain(one_line(advice)));
        }
    }
}
