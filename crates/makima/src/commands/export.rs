//! `makima export`

mod verified;
mod written;

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    look::bytes,
    printer::{Line, Printer, Style, one_line},
    reference::ExportRef,
};
use clap::{Args, ValueEnum};
use makima_client::Export;
use makima_wire::{ExportFormat, ExportQuery, Manifest, WithoutCodeReason};
use serde_json::json;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use verified::Verifier;
use written::{Place, Written};

/// How often it is told how much has come.
const OFTEN: Duration = Duration::from_millis(100);

/// Export all of a task, or of a contract with its tasks, to a file
///
/// An archive (tar.gz) holds everything as JSON lines, the patch of each checkpoint, the agents' own records, and the code as a git bundle,
/// which `git clone` takes. A page, in HTML or Markdown, is the conversation to be read, each checkpoint in its place with what it changed. The
/// file is there whole or not at all, and an archive only once all its hashes are right.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima export 1f2e3d4c
  makima export Parser --format html --output parser.html
  makima export 1f2e3d4c --without-code --output - | tar -tz")]
pub(crate) struct ExportArguments {
    /// The task or contract: 4 or more characters of its id or short id, or its name
    #[arg(value_name = "TASK|CONTRACT")]
    what: ExportRef,
    /// As what
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The file to write, or - for standard output; without it, one here that is called after it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Leave the code out of the archive: then no daemon is needed
    #[arg(long)]
    without_code: bool,
    /// Write over the file if it is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    server: ServerChoice,
}

/// As what something is exported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Everything, for programs
    #[default]
    Archive,
    /// A page to read, as Markdown
    Markdown,
    /// A page to read, as HTML that needs nothing else
    Html,
}

impl From<Format> for ExportFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Archive => Self::Archive,
            Format::Markdown => Self::Markdown,
            Format::Html => Self::Html,
        }
    }
}

/// Exports it.
pub(crate) async fn export(
    global: &Global,
    arguments: ExportArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let is_archive = arguments.format == Format::Archive;
    if arguments.without_code && !is_archive {
        return Err(Failure::usage("a page has no code to leave out: --without-code is of an archive"));
    }
    let to_stdout = arguments.output.as_deref().is_some_and(|path| path.as_os_str() == "-");
    if to_stdout && printer.is_json() {
        return Err(Failure::usage("with --output - the export itself is what is printed: leave --json out"));
    }
    if to_stdout && is_archive && printer.is_terminal() {
        return Err(Failure::usage("an archive is nothing for a terminal")
            .hint("name a file with --output, or pass it on to a program"));
    }
    // One that can't be written is told before all of it is gathered.
    if let Some(path) = arguments.output.as_ref().filter(|_| !to_stdout) {
        Written::may_be(path, arguments.force)?;
    }
    let client = arguments.server.client(&global.data()?)?;
    let found = arguments.what.find(&client).await?;
    let how =
        ExportQuery { format: Some(arguments.format.into()), code: arguments.without_code.then_some(false) };
    printer.progress(Some(Line::styled(Style::Faint, "it is gathered …")));
    let coming = tokio::select! {
        coming = found.export(&client, &how) => coming.map_err(Failure::from),
        stopped = stopped() => Err(stopped),
    };
    let export = coming.inspect_err(|_| printer.progress(None))?;
    let place = match arguments.output {
        _ if to_stdout => Place::Stdout,
        Some(path) => Place::File(path),
        None => Place::File(export.name().unwrap_or("makima-export").into()),
    };
    let mut written = Written::begin(place, arguments.force)?;
    let got = tokio::select! {
        got = take(export, &mut written, is_archive, printer) => got,
        stopped = stopped() => Err(stopped),
    };
    printer.progress(None);
    let manifest = got?;
    let kept = written.finish()?;
    if let Some(manifest) = &manifest {
        tell_of_missing(manifest, printer);
    }
    let Some(path) = kept.path else { return Ok(Exit::Done) };
    printer.document(&json!({
        "file": path,
        "format": ExportFormat::from(arguments.format),
        "bytes": kept.bytes,
        "sha256": kept.sha256,
    }));
    let files = manifest.map(|manifest| format!(", {} files", manifest.files.len() + 1)).unwrap_or_default();
    printer.line(
        Line::styled(Style::Good, "exported ")
            .plain(one_line(found.name()))
            .plain(" to ")
            .then(Style::Strong, path.display().to_string())
            .then(Style::Faint, format!("  {}{files}", bytes(kept.bytes))),
    );
    Ok(Exit::Done)
}

/// Takes all of it; of an archive its manifest, which all of it agrees with.
async fn take(
    mut export: Export,
    written: &mut Written,
    is_archive: bool,
    printer: &Printer,
) -> Result<Option<Manifest>, Failure> {
    let verifier = is_archive.then(Verifier::begin);
    let (mut come, mut told) = (0_u64, None::<Instant>);
    while let Some(piece) = export.next().await? {
        come += piece.len() as u64;
        written.write(&piece, printer)?;
        if let Some(verifier) = &verifier {
            verifier.take(piece).await;
        }
        if told.is_none_or(|told| told.elapsed() >= OFTEN) {
            told = Some(Instant::now());
            printer.progress(Some(Line::styled(Style::Faint, format!("{} have come", bytes(come)))));
        }
    }
    match verifier {
        Some(verifier) => verifier.finish().await.map(Some),
        None => Ok(None),
    }
}

/// Ctrl-C: what is half there goes with what holds it.
async fn stopped() -> Failure {
    match tokio::signal::ctrl_c().await {
        Ok(()) => Failure::new("stopped: nothing was written"),
        Err(error) => Failure::because("signals can't be waited for", &error),
    }
}

/// What isn't in an archive that one may look for there.
fn tell_of_missing(manifest: &Manifest, printer: &Printer) {
    let never_ran =
        manifest.without_code.iter().filter(|told| told.reason == WithoutCodeReason::NeverRan).count();
    let missing: usize = manifest.code.iter().map(|code| code.missing.len()).sum();
    let told = [
        (
            never_ran,
            "imported and never ran here: the commits are in your own repository",
            "task was",
            "tasks were",
        ),
        (missing, "no longer in the daemon's clone", "checkpoint's commit is", "checkpoints' commits are"),
        (
            manifest.without_patch.len(),
            "not on the server",
            "checkpoint's patch is",
            "checkpoints' patches are",
        ),
    ];
    for (count, why, one, many) in told.into_iter().filter(|(count, ..)| *count > 0) {
        let noun = if count == 1 { one } else { many };
        printer.note(Line::styled(Style::Warn, "not in it: ").plain(format!("{count} {noun} {why}")));
    }
}
