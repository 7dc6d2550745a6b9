//! The program that shows what is longer than the screen.

use crate::environment;
use std::{
    io::Write,
    process::{Child, Command, Stdio},
};

/// A pager that was started: it takes what would have gone to standard output.
#[derive(Debug)]
pub(super) struct Pager {
    child: Child,
}

impl Pager {
    /// Starts the user's pager, else `less` where it is there. With `PAGER=cat`, or an empty one, nothing is paged.
    pub(super) fn start() -> Option<Self> {
        let wanted = environment::text_or_empty("PAGER");
        let mut command = match wanted.as_deref().map(str::trim) {
            Some("" | "cat") => return None,
            // As every program has it that knows this variable: a command for the shell.
            Some(command) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", command]);
                shell
            }
            None => {
                let mut less = Command::new("less");
                less.arg("-FRX");
                less
            }
        };
        if environment::variable("LESS").is_none() {
            command.env("LESS", "FRX");
        }
        let child = command.stdin(Stdio::piped()).spawn().ok()?;
        Some(Self { child })
    }

    /// Hands it a piece. Who has left the pager has seen enough.
    pub(super) fn write(&mut self, text: &str) {
        if let Some(to) = &mut self.child.stdin {
            let _ = to.write_all(text.as_bytes());
        }
    }

    /// Waits until its reader has left it.
    pub(super) fn end(mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
