//! What the program is told.

use crate::bars::Bar;
use anyhow::Result;
use clap::Parser;
use std::path::PathBuf;

/// Measures Makima against its baselines
#[derive(Debug, Parser)]
#[command(name = "makima-bench")]
pub(crate) struct Arguments {
    /// The bars to measure, by number; all of them by default
    #[arg(value_name = "BAR")]
    numbers: Vec<u32>,
    /// How many rounds count; before them is one that doesn't
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Measure with ten million entries of the timeline too, which takes some 10 GB below the temporary folder
    #[arg(long)]
    pub(crate) ten_million: bool,
    /// Put the table into this page; the rows of bars that are not measured stay
    #[arg(long, value_name = "PAGE")]
    pub(crate) write: Option<PathBuf>,
    /// Exit with 1 if a bar is missed
    #[arg(long)]
    pub(crate) gate: bool,
}

impl Arguments {
    /// What to measure, in order.
    pub(crate) fn bars(&self) -> Result<Vec<Bar>> {
        if self.numbers.is_empty() {
            return Ok(Bar::ALL.to_vec());
        }
        self.numbers.iter().map(|number| Bar::of_number(*number)).collect()
    }

    /// How many rounds count.
    pub(crate) fn rounds(&self) -> usize {
        usize::from(self.rounds)
    }
}
