//! The scripted agent as a program of its own: to try a scenario by hand, and for tests that need its process.

use makima_agents::scripted::{PlayError, play};
use std::{env, io, process::ExitCode};

fn main() -> Result<ExitCode, PlayError> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    play(io::stdin(), io::stdout(), &arguments).map(ExitCode::from)
}
