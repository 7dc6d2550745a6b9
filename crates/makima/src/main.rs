//! The one program: server, daemon, run host and command line. It wires the crates together and holds no rule of theirs.

mod arguments;
mod commands;
mod config;
mod connection;
mod credentials;
mod data_folder;
mod demo;
mod environment;
mod failure;
mod follow;
mod logging;
mod printer;
mod standing;
mod task_ref;

use arguments::Arguments;
use clap::Parser;
use printer::Printer;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Clap prints its own errors and helps, and exits with 2 or 0 as our table says.
    let arguments = Arguments::parse();
    logging::begin(arguments.global.verbose);
    let printer = Printer::new(arguments.global.json);
    match commands::carry_out(arguments, &printer) {
        Ok(code) => code,
        Err(failure) => {
            printer.failure(&failure);
            failure.exit.into()
        }
    }
}
