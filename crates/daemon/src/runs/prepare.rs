//! What comes before a run's agent can start: the clone, the worktree, the session that it goes on with.

use super::{
    Order,
    drive::{Board, Driver, NotBegun, failed, replace},
    launch,
    pen::Pen,
};
use crate::{
    DaemonError,
    backoff::Backoff,
    disk,
    error::told,
    host::{self, HostSpec, ProgramSpec, ResumeSpec, stopped},
    process::Process,
    workshop::Workshop,
};
use futures::StreamExt;
use makima_agents::{Agent, Environment, Launch, Program, Resume, SessionFile};
use makima_client::ClientError;
use makima_git::Progress;
use makima_model::{NoticeLevel, Record};
use makima_wire::frame::{ResumeFrom, SessionLine, StartRun};
use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncWriteExt, BufWriter},
    sync::watch,
};

/// How often the progress of a clone is told.
const TOLD_EVERY: Duration = Duration::from_secs(5);

impl Driver {
    /// Prepares everything and starts the host, unless the run is stopped before.
    pub(super) async fn begin(&mut self) -> Result<Process, NotBegun> {
        let (board, run, folder) = (self.board.clone(), Arc::clone(&self.run), self.folder.clone());
        let earlier = std::mem::take(&mut self.earlier);
        let preparing = async move {
            replace(&earlier).await;
            prepare(&board, &run, &folder).await
        };
        tokio::pin!(preparing);
        loop {
            tokio::select! {
                prepared = &mut preparing => match prepared {
                    Ok(()) => break,
                    Err(DaemonError::JournalHeld { .. }) => return Err(NotBegun::Hosted),
                    Err(error) => return Err(NotBegun::Over(failed(&error))),
                },
                Some((order, asked)) = self.orders.recv() => {
                    let stop = match order {
                        Order::Stop(reason) => Some(reason),
                        Order::Input(_) | Order::Answer(..) => None,
                    };
                    self.accept(order, asked);
                    if let Some(reason) = stop {
                        return Err(NotBegun::Over(stopped(reason, self.board.workshop.config.patience.daemon)));
                    }
                }
            }
        }
        // From here on it isn't given up half-way: what was started has to be stopped in order.
        self.board.workshop.config.failpoints.at("run.laid_out").await;
        let launched = launch::host(&self.folder, &self.board.workshop.config.program).await;
        self.board.workshop.config.failpoints.at("run.hosted").await;
        match launched {
            Ok(host) => Ok(host),
            Err(_) if self.is_hosted().await => Err(NotBegun::Hosted),
            Err(DaemonError::HostKilled) => Err(NotBegun::Killed),
            Err(error) => Err(NotBegun::Over(failed(&error))),
        }
    }

    /// Whether there is a host all the same: one that was killed when it had left word of itself, or one that an earlier
    /// daemon started when it was killed, and that came up late.
    async fn is_hosted(&mut self) -> bool {
        let held = Pen::take(&self.folder, &self.board.workshop.config.clock).await;
        let folder = self.folder.clone();
        matches!(held, Err(DaemonError::JournalHeld { .. }))
            || matches!(disk::off_thread(move || host::started_in(&folder)).await, Ok(Some(_)))
    }
}

async fn prepare(board: &Board, run: &StartRun, folder: &Path) -> Result<(), DaemonError> {
    let workshop = &board.workshop;
    let agent = workshop.agents.named(&run.agent)?;
    let (pen, standing) = Pen::take(folder, &workshop.config.clock).await?;
    let (worktree, prepared) = make_worktree(board, run, &pen).await?;
    if !standing.is_prepared {
        board.show(pen.write(prepared).await?, false);
    }
    workshop.config.failpoints.at("run.prepared").await;
    let resume = match &run.resume {
        Some(resume) => Some(fetch_session(workshop, run, resume, agent, folder, &worktree).await?),
        None => None,
    };
    let is_trusted = workshop.config.trusted_repositories.contains(&run.repository);
    let instructions = if is_trusted {
        None
    } else {
        let (worktree, files) = (
            worktree.clone(),
            agent.instruction_files().iter().map(|file| (*file).to_owned()).collect::<Vec<_>>(),
        );
        disk::off_thread(move || {
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            Ok(makima_agents::instructions(&worktree, &files))
        })
        .await?
    };
    let launch = Launch {
        run: run.run,
        task: run.task,
        contract: run.contract,
        worktree,
        folder: folder.to_owned(),
        permission_mode: run.permission_mode.unwrap_or_else(|| agent.permission_mode()),
        resume,
        trusted: is_trusted,
        root: rustix::process::geteuid().is_root(),
        instructions,
        environment: workshop.config.text_variables(),
        variables: own_variables(workshop.server.url(), run),
    };
    let program = agent.launch(&launch)?;
    let spec = HostSpec {
        run: run.run,
        task: run.task,
        contract: run.contract,
        agent: workshop.agents.spec(&run.agent)?,
        program: ProgramSpec::from(&program),
        worktree: launch.worktree,
        permission_mode: launch.permission_mode,
        resume: launch.resume.map(|resume| ResumeSpec { session_id: resume.session_id, file: resume.file }),
        is_trusted,
        instructions: launch.instructions,
        inputs: run.inputs.clone(),
        patience: workshop.config.patience,
    };
    let folder = folder.to_owned();
    disk::off_thread(move || {
        lay_out(&program)?;
        spec.write(&folder)
    })
    .await
}

/// What an agent needs for calls of its own.
fn own_variables(url: &str, run: &StartRun) -> Environment {
    let key = run.tool_key.iter().map(|key| ("MAKIMA_TOOL_KEY".to_owned(), key.0.clone()));
    [("MAKIMA_API_URL".to_owned(), url.to_owned())].into_iter().chain(key).collect()
}

/// Makes the worktree, and tells now and then how far its clone has come.
async fn make_worktree(
    board: &Board,
    run: &StartRun,
    pen: &Pen,
) -> Result<(PathBuf, Vec<Record>), DaemonError> {
    let (tell, mut news) = watch::channel(None);
    let mut watcher = |progress: Progress| {
        tell.send_replace(Some(progress));
    };
    let making = board.workshop.worktrees.prepare(run, &mut watcher);
    tokio::pin!(making);
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + TOLD_EVERY, TOLD_EVERY);
    loop {
        tokio::select! {
            made = &mut making => return made,
            _ = ticks.tick() => {
                let latest = match news.has_changed() {
                    Ok(true) => news.borrow_and_update().clone(),
                    Ok(false) | Err(_) => None,
                };
                if let Some(Progress { phase, percent }) = latest {
                    let text = format!("preparing the repository: {phase}, {percent} %");
                    let notice = Record::Notice { level: NoticeLevel::Info, text, failure: None };
                    board.show(pen.write(vec![notice]).await?, false);
                }
            }
        }
    }
}

/// Writes the session that the agent goes on with. A server that is away is waited for.
async fn fetch_session(
    workshop: &Workshop,
    run: &StartRun,
    from: &ResumeFrom,
    agent: &dyn Agent,
    folder: &Path,
    worktree: &Path,
) -> Result<Resume, DaemonError> {
    let path = agent.session_path(folder, &from.session_id);
    if let Some(parent) = path.parent().map(Path::to_owned) {
        disk::off_thread(move || disk::make_folder(&parent)).await?;
    }
    let mut backoff = Backoff::new(workshop.config.clock.clone());
    loop {
        let session = agent.session_file(&from.session_id, worktree);
        match download_session(workshop, run, session, &path).await {
            Ok(()) => return Ok(Resume { session_id: from.session_id.clone(), file: path }),
            Err(DaemonError::Server(error)) if may_pass(&error) => {
                tracing::warn!(run = %run.run, error = told(&error), "the session was not fetched; trying again");
                tokio::time::sleep(backoff.next()).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Writes the session as it arrives from the server.
async fn download_session(
    workshop: &Workshop,
    run: &StartRun,
    mut session: Box<dyn SessionFile>,
    path: &Path,
) -> Result<(), DaemonError> {
    let failed = |source| DaemonError::write(path, source);
    let mut options = tokio::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path).await;
    let mut file = BufWriter::new(file.map_err(failed)?);
    let mut lines = Box::pin(workshop.server.session(run.run).await?);
    let mut bytes = Vec::new();
    while let Some(line) = lines.next().await {
        match line? {
            SessionLine::Native(line) => session.native(&line, &mut bytes),
            SessionLine::Message(message) => session.message(&message, &mut bytes),
        }
        file.write_all(&bytes).await.map_err(failed)?;
        bytes.clear();
    }
    session.finish(&mut bytes);
    file.write_all(&bytes).await.map_err(failed)?;
    file.flush().await.map_err(failed)
}

/// Whether the server may answer otherwise later.
fn may_pass(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } => true,
        ClientError::Refused { status, .. } | ClientError::NotMakima { status, .. } => {
            status.is_server_error()
        }
        ClientError::Strange { .. } => false,
    }
}

/// Makes the folders and files that an agent's program finds when it starts.
fn lay_out(program: &Program) -> Result<(), DaemonError> {
    for folder in &program.folders {
        disk::make_folder(folder)?;
    }
    for file in &program.files {
        if let Some(folder) = file.path.parent() {
            disk::make_folder(folder)?;
        }
        let mut options = fs::OpenOptions::new();
        let written = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&file.path)
            .and_then(|mut to| to.write_all(&file.contents));
        written.map_err(|source| DaemonError::write(&file.path, source))?;
    }
    Ok(())
}
