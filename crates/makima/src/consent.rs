//! What changes history is done only when somebody said so.

use crate::{
    failure::Failure,
    printer::{Line, Printer, Style},
};
use clap::Args;
use std::io::{IsTerminal, stderr, stdin};

/// Whether to ask before history is changed.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Consent {
    /// Don't ask whether to do it
    #[arg(short, long)]
    yes: bool,
}

impl Consent {
    /// Asks on the terminal, unless it was said before. Without a terminal it is a wrong command, and nothing is done.
    pub(crate) async fn to(self, what: &str, printer: &Printer) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !stdin().is_terminal() || !stderr().is_terminal() {
            return Err(Failure::usage(format!("nobody can be asked whether to {what}"))
                .hint("--yes does it without asking"));
        }
        printer.note(Line::styled(Style::Warn, "? ").plain(format!("{what}: y or n")));
        let answer = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            stdin().read_line(&mut line).map(|_| line)
        });
        let answer = answer.await.map_err(|error| Failure::because("nobody could be asked", &error))?;
        let answer = answer.map_err(|error| Failure::because("nobody could be asked", &error))?;
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::new("nothing was changed")),
        }
    }
}
