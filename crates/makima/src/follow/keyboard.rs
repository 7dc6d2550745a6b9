//! The person at the terminal, if there is one.

use crate::printer::Printer;
use std::io::{BufRead, IsTerminal, stdin};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Lines that a person types. They are read on a thread of its own, since nothing else can wait beside a terminal.
#[derive(Debug)]
pub(crate) struct Keyboard {
    lines: Option<UnboundedReceiver<String>>,
}

impl Keyboard {
    /// The terminal's keyboard, where there is a person who can read what they are asked.
    pub(crate) fn of(printer: &Printer) -> Self {
        if !stdin().is_terminal() || !printer.is_terminal() || printer.is_json() {
            return Self { lines: None };
        }
        let (typed, lines) = unbounded_channel();
        std::thread::spawn(move || {
            for line in stdin().lock().lines() {
                let Ok(line) = line else { break };
                if typed.send(line).is_err() {
                    break;
                }
            }
        });
        Self { lines: Some(lines) }
    }

    /// Nobody.
    pub(crate) fn none() -> Self {
        Self { lines: None }
    }

    /// Whether a person can be asked.
    pub(crate) fn is_there(&self) -> bool {
        self.lines.is_some()
    }

    /// Forgets what was typed before there was a question.
    pub(crate) fn forget(&mut self) {
        while self.lines.as_mut().is_some_and(|lines| lines.try_recv().is_ok()) {}
    }

    /// The next line; `None` once the person has gone. Without anybody it never comes.
    pub(crate) async fn line(&mut self) -> Option<String> {
        match &mut self.lines {
            Some(lines) => {
                let line = lines.recv().await;
                if line.is_none() {
                    self.lines = None;
                }
                line
            }
            None => std::future::pending().await,
        }
    }
}
