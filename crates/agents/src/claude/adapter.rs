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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Resume;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn claude() -> Claude {
        Claude {
            name: "claude".to_owned(),
            command: vec!["claude".to_owned()],
            environment: Environment::new(),
            permission_mode: PermissionMode::Bypass,
        }
    }

    fn launch() -> Launch {
        let id = "01932f4e-7b1c-7cc3-98c4-dc0c0c07398f";
        Launch {
            run: id.parse().unwrap(),
            task: id.parse().unwrap(),
            contract: None,
            worktree: "/worktree".into(),
            folder: "/run".into(),
            permission_mode: PermissionMode::Bypass,
            resume: None,
            trusted: false,
            root: false,
            instructions: Some("Use tabs.".to_owned()),
            environment: Environment::new(),
            variables: Environment::new(),
        }
    }

    fn arguments(launch: &Launch) -> String {
        claude().launch(launch).unwrap().command.join(" ")
    }

    #[test]
    fn a_first_run_begins_a_session_of_its_own_and_leaves_the_repositorys_settings_alone() {
        let program = claude().launch(&launch()).unwrap();
        insta::assert_snapshot!(program.command.join("\n"));
        assert_eq!(program.files[0].contents, b"Use tabs.");
    }

    #[test]
    fn a_trusted_repository_speaks_for_itself() {
        let program = claude().launch(&Launch { trusted: true, ..launch() }).unwrap();
        assert!(!program.command.contains(&"--strict-mcp-config".to_owned()));
        assert_eq!(program.files, []);
    }

    #[test]
    fn a_run_that_goes_on_resumes_by_path() {
        let resume = Resume { session_id: "s".to_owned(), file: "/run/session/s.jsonl".into() };
        let arguments = arguments(&Launch { resume: Some(resume), ..launch() });
        assert!(arguments.contains("--resume /run/session/s.jsonl"), "{arguments}");
        assert!(!arguments.contains("--session-id"), "{arguments}");
    }

    #[test]
    fn each_permission_mode_has_its_words() {
        for (mode, words) in [
            (PermissionMode::Bypass, "stdio --dangerously-skip-permissions --"),
            (PermissionMode::AcceptEdits, "stdio --permission-mode acceptEdits --"),
            (PermissionMode::Ask, "stdio --permission-mode default --"),
        ] {
            let arguments = arguments(&Launch { permission_mode: mode, ..launch() });
            assert!(arguments.contains(words), "{arguments}");
        }
    }

    #[test]
    fn the_users_own_login_is_used_unless_credentials_come_by_environment() {
        let folder = |variables: &[(&str, &str)]| {
            let launch = Launch { environment: environment(variables), ..launch() };
            claude().launch(&launch).unwrap().environment.get("CLAUDE_CONFIG_DIR").cloned()
        };
        assert_eq!(folder(&[]), None);
        assert_eq!(folder(&[("CLAUDE_CONFIG_DIR", "/theirs")]).as_deref(), Some("/theirs"));
        assert_eq!(folder(&[("ANTHROPIC_API_KEY", "k")]).as_deref(), Some("/run/claude"));
        assert_eq!(
            folder(&[("CLAUDE_CODE_OAUTH_TOKEN", "t"), ("CLAUDE_CONFIG_DIR", "/theirs")]).as_deref(),
            Some("/run/claude")
        );
    }

    #[test]
    fn a_clouds_credentials_go_only_where_that_cloud_is_used() {
        let given = |variables: &[(&str, &str)]| {
            let launch = Launch { environment: environment(variables), ..launch() };
            claude().launch(&launch).unwrap().environment.contains_key("AWS_SECRET_ACCESS_KEY")
        };
        assert!(!given(&[("AWS_SECRET_ACCESS_KEY", "s")]));
        assert!(given(&[("AWS_SECRET_ACCESS_KEY", "s"), ("CLAUDE_CODE_USE_BEDROCK", "1")]));
    }

    #[test]
    fn what_is_configured_goes_before_what_is_inherited_and_our_own_before_both() {
        let mut claude = claude();
        claude.environment = environment(&[("ANTHROPIC_MODEL", "ours"), ("MAKIMA_RUN_ID", "forged")]);
        let environment = environment(&[("ANTHROPIC_MODEL", "theirs"), ("MAKIMA_API_KEY", "secret")]);
        let environment = claude.launch(&Launch { environment, ..launch() }).unwrap().environment;
        assert_eq!(environment["ANTHROPIC_MODEL"], "ours");
        assert_eq!(environment["MAKIMA_RUN_ID"], "01932f4e-7b1c-7cc3-98c4-dc0c0c07398f");
        assert!(!environment.contains_key("MAKIMA_API_KEY"));
    }

    #[test]
    fn a_session_id_leads_nowhere_else() {
        let path = claude().session_path(Path::new("/run"), "../../etc/passwd");
        assert_eq!(path, Path::new("/run/session/______etc_passwd.jsonl"));
    }
}
