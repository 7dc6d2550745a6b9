//! How Claude Code is started.

use super::{dialogue::Talk, session::Session};
use crate::{
    Agent, AgentError, Dialogue, Environment, InitialFile, Launch, Program, SessionFile, inherited, program,
};
use makima_model::{Clock, PermissionMode};
use std::path::Path;

/// The variables that Claude Code inherits besides those that every agent does: its model, its way to the service, its login.
pub const PASSED_ON: &[&str] = &[
    "ANTHROPIC_*",
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_SKIP_BEDROCK_AUTH",
    "CLAUDE_CODE_SKIP_VERTEX_AUTH",
    "CLAUDE_CODE_SKIP_FOUNDRY_AUTH",
    "CLAUDE_CODE_CLIENT_CERT",
    "CLAUDE_CODE_CLIENT_KEY",
    "CLAUDE_CODE_CLIENT_KEY_PASSPHRASE",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
    "CLAUDE_CODE_MAX_RETRIES",
    "CLAUDE_CODE_SUBAGENT_MODEL",
    "MAX_THINKING_TOKENS",
    "API_TIMEOUT_MS",
    "DISABLE_PROMPT_CACHING*",
];

/// A cloud's credentials are passed on only where Claude Code is told to go through that cloud.
const CLOUDS: &[(&str, &[&str])] = &[
    ("CLAUDE_CODE_USE_BEDROCK", &["AWS_*"]),
    (
        "CLAUDE_CODE_USE_VERTEX",
        &["GOOGLE_*", "GCLOUD_PROJECT", "CLOUD_ML_REGION", "VERTEX_REGION_*", "CLOUDSDK_CONFIG"],
    ),
    ("CLAUDE_CODE_USE_FOUNDRY", &["AZURE_*"]),
];

/// Where one of these is set, no login on the machine is needed.
const CREDENTIALS: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
];

/// How Claude Code behaves in a run of ours.
const SETTINGS: &[(&str, &str)] = &[
    ("DISABLE_AUTOUPDATER", "1"),
    ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
    // Subagents run within their call: when a turn has ended, nothing works on.
    ("CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", "1"),
    // The checkpoints are ours.
    ("CLAUDE_CODE_DISABLE_FILE_CHECKPOINTING", "1"),
];

/// Claude Code.
#[derive(Debug, Clone)]
pub struct Claude {
    /// Its name below `[agents]`.
    pub name: String,
    /// The program and its first arguments.
    pub command: Vec<String>,
    /// Added to its environment, whatever it is.
    pub environment: Environment,
    /// What it may do without asking.
    pub permission_mode: PermissionMode,
}

impl Claude {
    /// Its environment: what it inherits, and what the configuration adds.
    fn environment(&self, base: &Environment) -> Environment {
        let mut environment = inherited(base, PASSED_ON);
        for (switch, variables) in CLOUDS {
            if base.contains_key(*switch) || self.environment.contains_key(*switch) {
                environment.extend(inherited(base, variables));
            }
        }
        environment.extend(SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        environment.extend(self.environment.clone());
        environment
    }
}

impl Agent for Claude {
    fn name(&self) -> &str {
        &self.name
    }

    fn permission_mode(&self) -> PermissionMode {
        self.permission_mode
    }

    fn version_query(&self, environment: &Environment) -> Result<Program, AgentError> {
        let mut command = program::command(&self.name, &self.command)?;
        command.push("--version".to_owned());
        Ok(Program { command, environment: self.environment(environment), ..Program::default() })
    }

    fn read_version(&self, stdout: &[u8]) -> Option<String> {
        program::first_word(stdout)
    }

    fn instruction_files(&self) -> &[&str] {
        &["CLAUDE.md", ".claude/CLAUDE.md"]
    }

    fn session_file(&self, session_id: &str, worktree: &Path) -> Box<dyn SessionFile> {
        Box::new(Session::new(session_id, worktree))
    }

    fn launch(&self, launch: &Launch) -> Result<Program, AgentError> {
        let mut command = program::command(&self.name, &self.command)?;
        command.extend(
            [
                "-p",
                "--output-format",
                "stream-json",
                "--input-format",
                "stream-json",
                "--verbose",
                // Only the stream has a message's final usage, and says when it is complete.
                "--include-partial-messages",
                "--session-mirror",
                // With this, questions come to us, also where everything else is allowed.
                "--permission-prompt-tool",
                "stdio",
            ]
            .map(str::to_owned),
        );
        let mode: &[&str] = match launch.permission_mode {
            PermissionMode::Bypass => &["--dangerously-skip-permissions"],
            PermissionMode::AcceptEdits => &["--permission-mode", "acceptEdits"],
            PermissionMode::Ask => &["--permission-mode", "default"],
        };
        command.extend(mode.iter().map(|word| (*word).to_owned()));
        match &launch.resume {
            Some(resume) => command.extend(["--resume".to_owned(), program::told(&resume.file)?]),
            // A run is unique, so its id serves as the session's.
            None => command.extend(["--session-id".to_owned(), launch.run.to_string()]),
        }
        let mut files = Vec::new();
        if !launch.trusted {
            // Else the repository's `.mcp.json` and `.claude/settings.json` start programs without a question.
            command.extend(["--strict-mcp-config", "--setting-sources", ""].map(str::to_owned));
            if let Some(instructions) = &launch.instructions {
                let path = launch.folder.join("instructions.md");
                // A file, since an argument is limited to 128 KiB.
                command.extend(["--append-system-prompt-file".to_owned(), program::told(&path)?]);
                files.push(InitialFile { path, contents: instructions.clone().into_bytes() });
            }
        }
        let temporary = launch.temporary_folder();
        let mut folders = vec![temporary.clone()];
        let mut environment = self.environment(&launch.environment);
        environment.insert("TMPDIR".to_owned(), program::told(&temporary)?);
        if launch.root {
            // Else it refuses to work without asking as root.
            environment.insert("IS_SANDBOX".to_owned(), "1".to_owned());
        }
        let has_credentials = CREDENTIALS.iter().any(|name| environment.contains_key(*name));
        if has_credentials && !self.environment.contains_key("CLAUDE_CONFIG_DIR") {
            // With the user's own login their folder is left to them, since the login lies in it.
            let folder = launch.folder.join("claude");
            environment.insert("CLAUDE_CONFIG_DIR".to_owned(), program::told(&folder)?);
            folders.push(folder);
        }
        environment.extend(launch.own_variables());
        Ok(Program { command, environment, working_folder: Some(launch.worktree.clone()), folders, files })
    }

    fn dialogue(&self, _launch: &Launch, clock: Clock) -> Box<dyn Dialogue> {
        Box::new(Talk::new(clock))
    }
}
