//! The least that a program must do for a daemon: host a run when it is called with `run-host <folder>`, and play a scenario when it
//! is called with `scripted-agent …`. The daemon's tests start this one.

use std::{
    error::Error,
    io::{stdin, stdout},
    path::Path,
    process::ExitCode,
};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((verb, [folder])) if verb == "run-host" => {
            makima_daemon::host::run(Path::new(folder))?;
            Ok(ExitCode::SUCCESS)
        }
        Some((verb, arguments)) if verb == "scripted-agent" => {
            Ok(ExitCode::from(makima_agents::scripted::play(stdin(), stdout(), arguments)?))
        }
        _ => Err("usage: makima-host run-host <folder> | scripted-agent <arguments>".into()),
    }
}
