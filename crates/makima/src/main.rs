//! The one program: server, daemon, run host and command line. It wires the crates together and holds no rule of theirs.

mod arguments;
mod commands;
mod config;
mod connection;
mod consent;
mod credentials;
mod data_folder;
mod demo;
mod environment;
mod failure;
mod follow;
mod here;
mod import;
mod logging;
mod look;
mod pages;
mod printer;
mod reference;
mod settings;
mod standing;
mod versions;

use arguments::Arguments;
use clap::{CommandFactory, FromArgMatches};
use printer::Printer;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Clap prints its own errors and helps, and exits with 2 or 0 as our table says.
    let given = Arguments::command().get_matches();
    let arguments = match Arguments::from_arg_matches(&given) {
        Ok(arguments) => arguments,
        Err(error) => error.format(&mut Arguments::command()).exit(),
    };
    logging::begin(arguments.global.verbose);
    let printer = Printer::new(arguments.global.json);
    match commands::carry_out(arguments, &given, &printer) {
        Ok(code) => code,
        Err(failure) => {
            printer.failure(&failure);
            failure.exit.into()
        }
    }
}
