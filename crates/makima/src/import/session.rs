//! One session: what the server has of it, and what it doesn't.

use super::{
    commits::Repository,
    lines::{Lines, digests},
};
use crate::failure::{Failure, chain};
use makima_agents::claude::recorded::{SessionReader, Survey, Told};
use makima_client::{Client, ClientError};
use makima_git::{BranchName, Git};
use makima_model::{ImportSource, MessageId, TaskId, Timestamp, TurnOutcome};
use makima_wire::{
    AppendToImport, Code, CreateImport, FilePart, FinishImport, Import, ImportEntry, ListImports,
};
use serde::Serialize;
use std::{collections::BTreeSet, io, path::Path};

/// How much is sent at once, in bytes of lines and in entries.
const PORTION: usize = 1 << 20;
const ENTRIES: usize = 1000;

/// What became of a session file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It is a task now.
    Imported,
    /// What was new in it is in its task.
    Continued,
    /// Its task has all of it.
    Unchanged,
    /// It is the session of a task of this server's own.
    Own,
    /// Its task lies in the trash.
    InTrash,
    /// It holds what a subagent said, and no more.
    Subagent,
    /// It is no session file, or nothing is said in it.
    NoSession,
    /// It could not be imported, or not to its end.
    Failed,
}

/// What became of a session file, and what was found in it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outcome {
    pub(crate) file: String,
    pub(crate) state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) task_id: Option<TaskId>,
    /// Messages that are new in the task.
    pub(crate) messages: u64,
    /// Commits that were made while the session went on.
    pub(crate) commits: u64,
    /// Lines that could not be read.
    pub(crate) unreadable_lines: u64,
    /// Whether the file ends in the middle of a line.
    pub(crate) torn: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// Takes sessions to a server.
pub(crate) struct Importer<'a> {
    pub(crate) client: &'a Client,
    /// Without it, no commits are looked for.
    pub(crate) git: Option<&'a Git>,
    /// Called with how many bytes of a file are done.
    pub(crate) watch: &'a (dyn Fn(u64) + Sync),
}

/// Why a session could not be imported. The server being away ends all; anything else is the session's own.
#[derive(Debug)]
enum Trouble {
    Server(Failure),
    Session(String),
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Refused { body, status, .. } if !matches!(status.as_u16(), 401 | 403) => {
                Self::Session(body.message.clone())
            }
            _ => Self::Server(error.into()),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Session(format!("the file can't be read: {error}"))
    }
}

impl Outcome {
    fn of(path: &Path) -> Self {
        Self {
            file: path.display().to_string(),
            state: State::Failed,
            session_id: None,
            task_id: None,
            messages: 0,
            commits: 0,
            unreadable_lines: 0,
            torn: false,
            error: None,
        }
    }
}

impl Importer<'_> {
    /// Imports what the server doesn't have of a session file. An error is one that the other files would meet too.
    pub(crate) async fn import(&self, path: &Path) -> Result<Outcome, Failure> {
        let mut outcome = Outcome::of(path);
        match self.session(path, &mut outcome).await {
            Ok(state) => outcome.state = state,
            Err(Trouble::Session(error)) => outcome.error = Some(error),
            Err(Trouble::Server(failure)) => return Err(failure),
        }
        Ok(outcome)
    }

    async fn session(&self, path: &Path, outcome: &mut Outcome) -> Result<State, Trouble> {
        let length = std::fs::metadata(path)?.len();
        let named = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| is_uuid(stem));
        let session_id = match named {
            Some(id) => Some(id.to_owned()),
            None => survey(path, length, &BTreeSet::new())?.session_id,
        };
        let copies = match &session_id {
            Some(id) if is_word(id) => self.copies(id).await?,
            _ => Vec::new(),
        };
        let known = Known::of(path, length, copies)?;
        if let Some(import) = known.whole {
            outcome.session_id = session_id;
            outcome.task_id = Some(import.task_id);
            return Ok(if import.in_trash { State::InTrash } else { State::Unchanged });
        }
        let mut survey = survey(path, length, &known.ends)?;
        outcome.unreadable_lines = survey.unreadable;
        if !survey.is_said {
            return Ok(if survey.is_sidechain { State::Subagent } else { State::NoSession });
        }
        // What a program wrote to its output looks alike, and names none.
        let Some(session_id) = session_id.filter(|id| is_word(id)) else { return Ok(State::NoSession) };
        outcome.session_id = Some(session_id.clone());
        let repository = match self.git {
            Some(git) => Repository::of(git, &survey).await.map_err(|error| {
                Trouble::Session(format!("its repository can't be read: {}", chain(&error)))
            })?,
            None => None,
        };
        let (import, state) = match known.begun {
            Some(import) => (import, State::Continued),
            None => {
                let wanted = wanted(path, session_id, known.copies, &survey, repository.as_ref());
                match self.client.create_import(&wanted).await {
                    Ok(import) => (import, State::Imported),
                    Err(error) => {
                        outcome.task_id = own_task(&error);
                        return if outcome.task_id.is_some() { Ok(State::Own) } else { Err(error.into()) };
                    }
                }
            }
        };
        outcome.task_id = Some(import.task_id);
        if import.in_trash {
            return Ok(State::InTrash);
        }
        // Begun and killed before: it is imported now, and no longer only continued.
        let state = if import.finished_at.is_none() { State::Imported } else { state };
        let ended_at = survey.ended_at.unwrap_or(import.created_at);
        let mut upload = Upload::new(self, import, &known.ends, &mut survey);
        upload.read(path, length, outcome).await?;
        if let Some(repository) = repository {
            for n in 0..repository.len() {
                let read = repository.commit(n, &upload.said).await;
                let read = read.map_err(|error| {
                    Trouble::Session(format!("its commits can't be read: {}", chain(&error)))
                })?;
                let Some((commit, patch)) = read else { continue };
                if let Some(patch) = patch {
                    self.client.put_patch(&patch.hash, patch.bytes).await?;
                }
                outcome.commits += 1;
                let bytes = 200 * (1 + commit.files_changed.len());
                upload.entries.push(ImportEntry::Commit { commit });
                upload.bytes += bytes;
                upload.send_if_full().await?;
            }
        }
        upload.finish(ended_at).await?;
        Ok(state)
    }

    async fn copies(&self, session_id: &str) -> Result<Vec<Import>, ClientError> {
        let list = ListImports {
            session_id: Some(session_id.to_owned()),
            limit: Some(1000),
            ..ListImports::default()
        };
        Ok(self.client.imports(&list).await?.imports)
    }
}

/// What the server has of a session file.
struct Known {
    /// The import that has all of it.
    whole: Option<Import>,
    /// The import that has the beginning of it.
    begun: Option<Import>,
    /// Where the file ended when it was read before.
    ends: BTreeSet<u64>,
    /// How many copies of the session there are.
    copies: i64,
}

impl Known {
    fn of(path: &Path, length: u64, copies: Vec<Import>) -> io::Result<Self> {
        let count = copies.iter().map(|import| import.copy + 1).max().unwrap_or(0);
        let mut known = Self { whole: None, begun: None, ends: BTreeSet::new(), copies: count };
        if copies.is_empty() {
            return Ok(known);
        }
        let parts = copies.iter().flat_map(|import| import.ends.iter().chain([&import.reached]));
        let at: Vec<u64> = parts.map(|part| part.bytes).collect();
        let (digests, end) = digests(path, length, &at)?;
        let is_of_file = |part: &FilePart| digests.get(&part.bytes) == Some(&part.digest);
        for import in copies {
            // One that was killed between its last message and its end is not done yet.
            let is_done = |part: &FilePart| {
                part.bytes < import.reached.bytes || import.finished_bytes == Some(part.bytes)
            };
            if import.ends.iter().any(|part| part.bytes == end && is_of_file(part) && is_done(part)) {
                known.whole = Some(import);
                return Ok(known);
            }
            let further = |before: &Import| before.reached.bytes < import.reached.bytes;
            if is_of_file(&import.reached) && known.begun.as_ref().is_none_or(further) {
                known.begun = Some(import);
            }
        }
        known.ends = known.begun.iter().flat_map(|import| &import.ends).map(|part| part.bytes).collect();
        Ok(known)
    }
}

/// A session on its way to the server.
struct Upload<'a> {
    importer: &'a Importer<'a>,
    import: Import,
    ends: &'a BTreeSet<u64>,
    reader: SessionReader,
    entries: Vec<ImportEntry>,
    bytes: usize,
    /// How much of the file is told, or waits in `entries`.
    reached: FilePart,
    /// Whether what waits is sent as soon as there is more.
    is_due: bool,
    /// What was said, and when: for the commits between.
    said: Vec<(Timestamp, MessageId)>,
}

impl<'a> Upload<'a> {
    fn new(importer: &'a Importer<'a>, import: Import, ends: &'a BTreeSet<u64>, survey: &mut Survey) -> Self {
        Self {
            importer,
            reader: SessionReader::new(import.id.uuid(), survey, import.created_at),
            reached: import.reached.clone(),
            import,
            ends,
            entries: Vec::new(),
            bytes: 0,
            is_due: false,
            said: Vec::new(),
        }
    }

    async fn read(&mut self, path: &Path, length: u64, outcome: &mut Outcome) -> Result<(), Trouble> {
        let mut lines = Lines::open(path, length)?;
        let mut line = Vec::new();
        while lines.next(&mut line)? {
            // The last portion is sent with the end of the file, when it is known to be the last.
            if self.is_due {
                self.send(false).await?;
            }
            let told = self.reader.read(&line, lines.end());
            self.take(told, lines.end(), outcome);
            if self.ends.contains(&lines.end()) {
                let told = self.reader.cut();
                self.take(told, lines.end(), outcome);
            }
            if lines.end() > self.import.reached.bytes {
                self.bytes += line.len();
                if self.is_full() && self.reader.is_quiet() {
                    self.reached = FilePart { bytes: lines.end(), digest: lines.digest() };
                    self.is_due = true;
                }
            }
            (self.importer.watch)(lines.end());
        }
        let told = self.reader.cut();
        self.take(told, lines.end(), outcome);
        if lines.end() > self.import.reached.bytes {
            self.reached = FilePart { bytes: lines.end(), digest: lines.digest() };
            self.send(true).await?;
        }
        outcome.torn = lines.is_torn;
        outcome.unreadable_lines += lines.too_long;
        Ok(())
    }

    /// Takes what lines up to `end` told, unless the server has it.
    fn take(&mut self, told: Vec<Told>, end: u64, outcome: &mut Outcome) {
        let is_new = end > self.import.reached.bytes;
        for told in told {
            if let Told::Message(message) = &told {
                self.said.push((message.timestamp, message.id));
                outcome.messages += u64::from(is_new);
            }
            if is_new {
                self.entries.push(entry(told));
            }
        }
    }

    fn is_full(&self) -> bool {
        self.bytes >= PORTION || self.entries.len() >= ENTRIES
    }

    async fn send_if_full(&mut self) -> Result<(), Trouble> {
        if self.is_full() { self.send(false).await } else { Ok(()) }
    }

    async fn send(&mut self, is_end: bool) -> Result<(), Trouble> {
        let more = AppendToImport {
            from: self.import.reached.bytes,
            reached: self.reached.clone(),
            is_end,
            entries: std::mem::take(&mut self.entries),
        };
        self.import = self.importer.client.append_to_import(self.import.id, &more).await?;
        (self.bytes, self.is_due) = (0, false);
        Ok(())
    }

    async fn finish(mut self, ended_at: Timestamp) -> Result<(), Trouble> {
        if !self.entries.is_empty() {
            self.send(false).await?;
        }
        let end = FinishImport {
            bytes: self.reached.bytes,
            interrupted: self.reader.outcome().is_some_and(|outcome| outcome != TurnOutcome::Completed),
            ended_at,
        };
        self.importer.client.finish_import(self.import.id, &end).await?;
        Ok(())
    }
}

fn entry(told: Told) -> ImportEntry {
    match told {
        Told::Back { to } => ImportEntry::Back { to },
        Told::Message(message) => ImportEntry::Message { message: message.into() },
        Told::Lines { message, lines } => {
            ImportEntry::Lines { message, lines: lines.into_iter().map(Into::into).collect() }
        }
        Told::Turn { at, end } => ImportEntry::Turn { at, end },
    }
}

fn survey(path: &Path, length: u64, ends: &BTreeSet<u64>) -> io::Result<Survey> {
    let mut lines = Lines::open(path, length)?;
    let (mut line, mut survey) = (Vec::new(), Survey::default());
    while lines.next(&mut line)? {
        survey.take(&line, lines.end());
        if ends.contains(&lines.end()) {
            survey.cut();
        }
    }
    Ok(survey)
}

/// The task that a session becomes.
fn wanted(
    path: &Path,
    session_id: String,
    copy: i64,
    survey: &Survey,
    repository: Option<&Repository>,
) -> CreateImport {
    let readable = |text: &str| text.replace('\0', "\u{fffd}");
    let title = survey.title.as_deref().map(|title| {
        let line: String = title.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        line.trim().chars().take(200).collect::<String>()
    });
    let plan = survey.prompt.as_deref().map(readable).filter(|plan| !plan.trim().is_empty());
    let name = title.filter(|title| !title.is_empty());
    // A folder that no path here can name is told by where the session's file lies.
    let is_path =
        |path: &str| path.starts_with('/') && path.len() <= 4096 && !path.contains(char::is_control);
    let folder = survey.folder.clone().filter(|folder| is_path(folder));
    let beside = || path.canonicalize().ok()?.parent()?.to_str().map(str::to_owned);
    let top = repository.and_then(|repository| repository.top.to_str()).map(str::to_owned);
    let branch = survey.git_branch.clone();
    CreateImport {
        source: ImportSource::ClaudeCode,
        plan: plan.or_else(|| name.clone()).unwrap_or_else(|| format!("Session {session_id}")),
        session_id,
        copy,
        name,
        repository: top
            .filter(|top| is_path(top))
            .or(folder)
            .or_else(beside)
            .unwrap_or_else(|| "/".to_owned()),
        base_branch: branch.filter(|branch| branch.len() <= 200 && BranchName::new(branch.as_str()).is_ok()),
        base_commit: repository.and_then(|repository| repository.base.clone()),
        started_at: survey.started_at.unwrap_or_else(|| written(path)),
    }
}

/// When a file was written: of a session that tells no times.
fn written(path: &Path) -> Timestamp {
    let modified = std::fs::metadata(path).and_then(|file| file.modified()).ok();
    let since = modified.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(0).max(946_684_800);
    Timestamp::from_unix(seconds).unwrap_or_else(|| makima_model::Clock::system().now())
}

/// The task whose run's session it is, if that is why it was refused.
fn own_task(error: &ClientError) -> Option<TaskId> {
    match error {
        ClientError::Refused { body, .. } if body.code == Code::Conflict => {
            body.details.as_ref()?["taskId"].as_str()?.parse().ok()
        }
        _ => None,
    }
}

fn is_uuid(text: &str) -> bool {
    text.parse::<TaskId>().is_ok()
}

/// Whether the server takes it for a session's id.
fn is_word(id: &str) -> bool {
    (1..=200).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}
