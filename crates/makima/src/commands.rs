//! The commands, one verb a file.

pub(crate) mod daemon;
pub(crate) mod run;
pub(crate) mod run_host;
pub(crate) mod scripted_agent;
pub(crate) mod server;
pub(crate) mod task;
pub(crate) mod up;
pub(crate) mod user;

use crate::{
    arguments::{Arguments, Command},
    failure::{Exit, Failure},
    printer::Printer,
};
use std::process::ExitCode;

/// Does what the arguments say.
pub(crate) fn carry_out(arguments: Arguments, printer: &Printer) -> Result<ExitCode, Failure> {
    let Arguments { global, command } = arguments;
    let command = match command {
        // These two are programs of their own: they set up their own runtime, or need none.
        Command::RunHost(arguments) => return run_host::run_host(&arguments).map(ExitCode::from),
        Command::ScriptedAgent(arguments) => {
            return scripted_agent::scripted_agent(&arguments).map(ExitCode::from);
        }
        command => command,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::because("could not begin to work", &error))?;
    let done: Result<Exit, Failure> = runtime.block_on(async {
        match command {
            Command::Up(arguments) => up::up(&global, arguments, printer).await,
            Command::Run(arguments) => run::run(&global, arguments, printer).await,
            Command::Task(command) => task::task(&global, command, printer).await,
            Command::Server(arguments) => server::server(&global, arguments, printer).await,
            Command::Daemon(arguments) => daemon::daemon(&global, arguments, printer).await,
            Command::User(command) => user::user(&global, command, printer).await,
            Command::RunHost(_) | Command::ScriptedAgent(_) => Ok(Exit::Done),
        }
    });
    // A thread that waits for the keyboard would keep the program alive.
    runtime.shutdown_background();
    done.map(ExitCode::from)
}
