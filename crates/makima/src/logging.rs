//! What the program tells about itself: quiet unless something is wrong, on standard error.

use std::{fmt, io::IsTerminal};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// Begins to log: warnings, and with each `-v` more of our own.
pub(crate) fn begin(verbose: u8) {
    let ours = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let names = ["", "_agents", "_client", "_daemon", "_git", "_server", "_store"];
    let filter = names.iter().fold("warn".to_owned(), |filter, name| format!("{filter},makima{name}={ours}"));
    let terminal = std::io::stderr().is_terminal();
    // What can't be written is lost: to complain about it would panic, on a full disk of all times.
    let logger = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    // A second logger in one process is a test's: the first one stays.
    let _ = if verbose > 0 || !terminal {
        logger.with_ansi(false).try_init()
    } else {
        logger.with_ansi(false).event_format(ForPeople).try_init()
    };
}

/// `warning: …`, without time and place: at a terminal one sees when, and need not know where.
struct ForPeople;

impl<S, N> FormatEvent<S, N> for ForPeople
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut to: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            _ => "note",
        };
        write!(to, "{level}: ")?;
        context.field_format().format_fields(to.by_ref(), event)?;
        writeln!(to)
    }
}
