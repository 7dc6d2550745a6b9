//! The commands, one verb a file.

pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod contract;
pub(crate) mod daemon;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod key;
pub(crate) mod man;
pub(crate) mod op;
pub(crate) mod open;
pub(crate) mod reference;
pub(crate) mod run;
pub(crate) mod run_host;
pub(crate) mod scripted_agent;
pub(crate) mod search;
pub(crate) mod server;
pub(crate) mod status;
pub(crate) mod task;
pub(crate) mod timeline;
pub(crate) mod undo;
pub(crate) mod up;
pub(crate) mod user;

use crate::{
    arguments::{Arguments, Command},
    failure::{Exit, Failure},
    printer::Printer,
    versions,
};
use clap::ArgMatches;
use std::process::ExitCode;

/// Does what the arguments say; `given` is what they were read from.
pub(crate) fn carry_out(
    arguments: Arguments,
    given: &ArgMatches,
    printer: &Printer,
) -> Result<ExitCode, Failure> {
    let Arguments { global, command } = arguments;
    let command = match command {
        // These are programs of their own: they set up their own runtime, or need none.
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
        let done = match command {
            Command::Up(arguments) => up::up(&global, arguments, printer).await,
            Command::Run(arguments) => run::run(&global, arguments, printer).await,
            Command::Status(arguments) => status::status(&global, arguments, printer).await,
            Command::Open(arguments) => open::open(&global, arguments, printer).await,
            Command::Task(command) => task::task(&global, command, printer).await,
            Command::Contract(command) => contract::contract(&global, command, printer).await,
            Command::Timeline(arguments) => timeline::timeline(&global, arguments, printer).await,
            Command::Search(arguments) => search::search(&global, arguments, printer).await,
            Command::Op(command) => op::op(&global, command, printer).await,
            Command::Undo(arguments) => undo::undo(&global, arguments, printer).await,
            Command::Export(arguments) => export::export(&global, arguments, printer).await,
            Command::Import(command) => import::import(&global, command, printer).await,
            Command::Doctor(arguments) => doctor::doctor(&global, arguments, printer).await,
            Command::Config(command) => config::config(&global, &command, given, printer),
            Command::Server(arguments) => server::server(&global, arguments, printer).await,
            Command::Daemon(arguments) => daemon::daemon(&global, arguments, printer).await,
            Command::Key(command) => key::key(&global, command, printer).await,
            Command::User(command) => user::user(&global, command, printer).await,
            Command::Completions(arguments) => completions::completions(&arguments, printer),
            Command::Man(arguments) => man::man(&arguments, printer),
            Command::Reference(arguments) => reference::reference(&arguments, printer),
            Command::RunHost(_) | Command::ScriptedAgent(_) => Ok(Exit::Done),
        };
        match done {
            Ok(exit) => Ok(exit),
            Err(failure) => Err(versions::compared(failure).await),
        }
    });
    printer.end();
    // A thread that waits for the keyboard would keep the program alive.
    runtime.shutdown_background();
    done.map(ExitCode::from)
}
