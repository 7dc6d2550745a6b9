//! How the scripted agent is started.

use super::{dialogue::Talk, history::Remembered};
use crate::{Agent, AgentError, Dialogue, Environment, Launch, Program, SessionFile, inherited, program};
use makima_model::{Clock, Message, NativeLine, PermissionMode};
use std::path::{Path, PathBuf};

/// The agent that plays a scenario.
#[derive(Debug, Clone)]
pub struct Scripted {
    /// Its name below `[agents]`.
    pub name: String,
    /// The program and the arguments that make it the scripted agent.
    pub command: Vec<String>,
    /// Added to its environment.
    pub environment: Environment,
    /// What it may do without asking.
    pub permission_mode: PermissionMode,
    /// The scenario that it plays. Absolute.
    pub scenario: PathBuf,
}

impl Agent for Scripted {
    fn name(&self) -> &str {
        &self.name
    }

    fn permission_mode(&self) -> PermissionMode {
        self.permission_mode
    }

    fn version_query(&self, environment: &Environment) -> Result<Program, AgentError> {
        let mut command = program::command(&self.name, &self.command)?;
        command.push("--version".to_owned());
        Ok(Program { command, environment: inherited(environment, &[]), ..Program::default() })
    }

    fn read_version(&self, stdout: &[u8]) -> Option<String> {
        program::first_word(stdout)
    }

    fn instruction_files(&self) -> &[&str] {
        &[]
    }

    fn session_file(&self, _session_id: &str, _worktree: &Path) -> Box<dyn SessionFile> {
        Box::new(Session)
    }

    fn launch(&self, launch: &Launch) -> Result<Program, AgentError> {
        let (session_id, session) = match &launch.resume {
            Some(resume) => (resume.session_id.clone(), resume.file.clone()),
            None => {
                let id = launch.run.to_string();
                let file = self.session_path(&launch.folder, &id);
                (id, file)
            }
        };
        let mut command = program::command(&self.name, &self.command)?;
        for (name, value) in [
            ("--scenario", program::told(&self.scenario)?),
            ("--session", program::told(&session)?),
            ("--session-id", session_id),
            ("--worktree", program::told(&launch.worktree)?),
            ("--permission-mode", launch.permission_mode.to_string()),
        ] {
            command.extend([name.to_owned(), value]);
        }
        let temporary = launch.temporary_folder();
        let mut environment = inherited(&launch.environment, &[]);
        environment.insert("TMPDIR".to_owned(), program::told(&temporary)?);
        environment.extend(self.environment.clone());
        environment.extend(launch.own_variables());
        Ok(Program {
            command,
            environment,
            working_folder: Some(launch.worktree.clone()),
            folders: [Some(temporary), session.parent().map(Path::to_owned)].into_iter().flatten().collect(),
            files: Vec::new(),
        })
    }

    fn dialogue(&self, _launch: &Launch, clock: Clock) -> Box<dyn Dialogue> {
        Box::new(Talk::new(clock))
    }
}

/// The session file: the agent's lines as they were, or as it would have written them.
struct Session;

impl SessionFile for Session {
    fn native(&mut self, line: &NativeLine, out: &mut Vec<u8>) {
        out.extend_from_slice(line.line.as_bytes());
        out.push(b'\n');
    }

    fn message(&mut self, message: &Message, out: &mut Vec<u8>) {
        let line = Remembered::of(message).and_then(|line| serde_json::to_vec(&line).ok());
        if let Some(line) = line {
            out.extend_from_slice(&line);
            out.push(b'\n');
        }
    }

    fn finish(&mut self, _out: &mut Vec<u8>) {}
}
