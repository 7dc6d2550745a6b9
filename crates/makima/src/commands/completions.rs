//! `makima completions`

use crate::{
    arguments::Arguments,
    failure::{Exit, Failure},
    printer::Printer,
};
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Print what makes a shell complete makima's commands and flags
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima completions bash >~/.local/share/bash-completion/completions/makima
  makima completions zsh >~/.zfunc/_makima
  makima completions fish >~/.config/fish/completions/makima.fish")]
pub(crate) struct CompletionsArguments {
    /// The shell
    shell: Shell,
}

/// Prints it.
pub(crate) fn completions(arguments: &CompletionsArguments, printer: &Printer) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "makima", &mut script);
    printer.script(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
