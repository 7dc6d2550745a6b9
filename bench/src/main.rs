//! Benchmarks: each operation against its baseline in the same run (`docs/benchmarks.md`).
//!
//! What is measured is one file a bar in `bars`; what several need stands beside it. Absolute times say little about anything but the
//! machine, so a figure is a ratio: rounds of ours and of the baseline are interleaved, and the median of the rounds'
//! ratios counts.

mod arguments;
mod bars;
mod content;
mod environment;
mod http;
mod lab;
mod printer;
mod rounds;
mod session;
mod sizes;
mod source_tree;
mod sql;
mod table;
mod up;
mod workplace;

use anyhow::Result;
use arguments::Arguments;
use clap::Parser;
use std::process::ExitCode;
use table::Table;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match measure(&arguments).await {
        Ok(table) if arguments.gate && table.misses_any() => ExitCode::FAILURE,
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            printer::progress(&format!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}

async fn measure(arguments: &Arguments) -> Result<Table> {
    let mut table = Table::default();
    for bar in arguments.bars()? {
        printer::progress(&format!("bar {}: {}", bar.number(), bar.title()));
        table.add(bar.run(arguments).await?);
    }
    printer::print(&table.markdown());
    if let Some(page) = &arguments.write {
        table.write_into(page)?;
    }
    Ok(table)
}
