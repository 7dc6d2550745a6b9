//! `makima open`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    environment,
    failure::{Exit, Failure},
    printer::{Line, Printer, Style},
};
use clap::Args;
use std::process::{Command, Stdio};

/// Open the web page, signed in
///
/// It makes a link that signs a browser in, once and within ten minutes, prints it, and opens it where there is a
/// desktop.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima open
  makima open --print           only print the link, for a browser elsewhere")]
pub(crate) struct OpenArguments {
    /// Only print the link
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    server: ServerChoice,
}

/// Makes a link, and opens it.
pub(crate) async fn open(
    global: &Global,
    arguments: OpenArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let link = client.create_sign_in_link().await?;
    printer.document(&link);
    printer.line(Line::styled(Style::Accent, link.url.clone()));
    if !arguments.print && !printer.is_json() && environment::has_desktop() {
        // Its own words are of no use: the link is there to be copied.
        let opened = Command::new("xdg-open")
            .arg(&link.url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        if let Err(error) = opened {
            printer.note(Line::styled(
                Style::Faint,
                format!("xdg-open could not be started ({error}): open the link yourself"),
            ));
        }
    }
    printer.line(Line::styled(Style::Faint, "It signs in once, within ten minutes."));
    Ok(Exit::Done)
}
