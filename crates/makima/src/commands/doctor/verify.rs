//! `makima doctor --verify`: whether everything that is kept agrees with everything else.

use crate::{
    arguments::Global,
    data_folder::DataFolder,
    environment,
    failure::{Exit, Failure, chain},
    printer::{Line, Printer, Style, one_line},
};
use makima_daemon::verify::Inventory;
use makima_git::{Environment, Git};
use makima_model::verify::{Finding, Progress, Report};
use makima_store::{Db, verify::known};
use std::{
    iter::once,
    path::PathBuf,
    time::{Duration, Instant},
};

/// How often it is told how far it has come.
const OFTEN: Duration = Duration::from_millis(100);

/// Looks at everything that this machine keeps. `database`: the one that was told; `daemons`: the data folders of more of them.
pub(super) async fn verify(
    global: &Global,
    database: Option<&str>,
    daemons: &[PathBuf],
    printer: &Printer,
) -> Result<Exit, Failure> {
    let data = global.data()?;
    let config = global.configuration(&data)?;
    let own = data.database_url();
    let url = database.or(config.database.url.as_deref()).unwrap_or(&own);
    let failed = |error| Failure::new(chain(&error));
    let db = Db::open_to_read(url).await.map_err(failed)?;
    let mut told: Option<Instant> = None;
    let mut watch = |progress: Progress<'_>| {
        if told.is_none_or(|told| told.elapsed() >= OFTEN) {
            told = Some(Instant::now());
            printer.progress(Some(line(progress)));
        }
    };
    let mut report = makima_store::verify::verify(&db, &mut watch).await.map_err(failed)?;
    report.merge(makima_server::verify::blobs(&db, &data.blobs(), &mut watch).await.map_err(failed)?);
    for data in once(Ok(data)).chain(daemons.iter().map(|folder| DataFolder::find(Some(folder)))) {
        report.merge(look_at_daemon(&db, &data?, &mut watch).await?);
    }
    db.close().await;
    printer.progress(None);
    tell(&report, printer);
    Ok(if report.findings.is_empty() { Exit::Done } else { Exit::Failed })
}

/// The daemon's folder that is in a data folder, if there is one.
async fn look_at_daemon(
    db: &Db,
    data: &DataFolder,
    watch: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Report, Failure> {
    let failed = |error| Failure::new(chain(&error));
    let listed = Inventory::list(&data.daemon()).map_err(|error| Failure::new(chain(&error)))?;
    let Some(inventory) = listed else { return Ok(Report::default()) };
    // One that has never begun has nothing.
    let Some(daemon) = inventory.listed().daemon else { return Ok(Report::default()) };
    let git = Git::find(Environment::pick(environment::all()))
        .await
        .map_err(|error| Failure::new(chain(&error)))?;
    let before = known(db, daemon, inventory.listed()).await.map_err(failed)?;
    let looked = inventory.look(&git, &before, watch).await;
    let after = known(db, daemon, inventory.listed()).await.map_err(failed)?;
    Ok(looked.settled(&after))
}

fn line(Progress { what, done, of }: Progress<'_>) -> Line {
    Line::styled(Style::Faint, format!("{what}: {done} of {of}"))
}

fn tell(report: &Report, printer: &Printer) {
    printer.document(report);
    for Finding { rule, object, found, advice } in &report.findings {
        let line = Line::styled(Style::Bad, "wrong  ").then(Style::Strong, one_line(object));
        printer.line(line.plain(format!(": {} ", one_line(found))).then(Style::Faint, format!("[{rule}]")));
        printer.line(Line::styled(Style::Accent, "       → ").plain(one_line(advice)));
    }
    for rule in &report.more_of {
        printer.line(Line::styled(Style::Bad, "wrong  ").plain(format!("and more of [{rule}]")));
    }
    let checked: Vec<String> = report
        .checked
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let looked = if checked.is_empty() { "nothing".to_owned() } else { checked.join(", ") };
    printer.line(Line::styled(Style::Faint, "looked at ").plain(looked));
    printer.line(match report.findings.len() {
        0 => Line::styled(Style::Good, "everything agrees"),
        _ => Line::styled(Style::Bad, "not everything agrees"),
    });
}
