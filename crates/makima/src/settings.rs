//! Everything that can be configured: its key in the file, its flag, its variable, its default, and what it is.
//!
//! The one list of it: unknown keys are looked for in it, `makima config show` and `docs/configuration.md` are made of it.

/// Something that can be configured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// Its key in the file, with `*` for any name; of what no file says, a name of its own.
    pub(crate) name: &'static str,
    /// Whether the file may say it.
    pub(crate) in_file: bool,
    /// Its flag.
    pub(crate) flag: Option<&'static str>,
    /// The commands that take the flag.
    pub(crate) commands: &'static str,
    /// Its variable.
    pub(crate) variable: Option<&'static str>,
    /// What holds where nobody says anything; empty: nothing.
    pub(crate) default: &'static str,
    /// What it is.
    pub(crate) what: &'static str,
    /// A line of the file.
    pub(crate) example: Option<&'static str>,
    /// Whether nobody shall see it.
    pub(crate) secret: bool,
}

const NONE: Setting = Setting {
    name: "",
    in_file: false,
    flag: None,
    commands: "",
    variable: None,
    default: "",
    what: "",
    example: None,
    secret: false,
};

const FILE: Setting = Setting { in_file: true, ..NONE };

/// All of them.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        name: "data_dir",
        flag: Some("data-dir"),
        commands: "every command",
        variable: Some("MAKIMA_DATA_DIR"),
        default: "`makima` in the XDG data directory: `~/.local/share/makima`",
        what: "The folder that holds the database, the key of the command line, and the daemon's clones and worktrees.",
        ..NONE
    },
    Setting {
        name: "config",
        flag: Some("config"),
        commands: "every command",
        variable: Some("MAKIMA_CONFIG"),
        default: "`makima.toml` in the data directory",
        what: "The configuration file. One that is named must be there.",
        ..NONE
    },
    Setting {
        name: "api_url",
        flag: Some("api-url"),
        commands: "every command that speaks to a server",
        variable: Some("MAKIMA_API_URL"),
        default: "what `makima up` saved in the data directory",
        what: "The address of the server.",
        ..NONE
    },
    Setting {
        name: "api_key",
        flag: Some("api-key"),
        commands: "every command that speaks to a server",
        variable: Some("MAKIMA_API_KEY"),
        default: "what `makima up` saved in the data directory",
        what: "The key to speak to it with. Better given by the variable, which others on the machine can't see.",
        secret: true,
        ..NONE
    },
    Setting {
        name: "server.listen",
        flag: Some("listen"),
        commands: "`up` and `server`",
        variable: Some("MAKIMA_LISTEN"),
        default: "127.0.0.1:7447",
        what: "Where the server listens. Port 0 picks a free one. Another address than the loopback opens it to the network.",
        example: Some("listen = \"0.0.0.0:7447\""),
        ..FILE
    },
    Setting {
        name: "server.public_url",
        flag: Some("public-url"),
        commands: "`up` and `server`",
        variable: Some("MAKIMA_PUBLIC_URL"),
        what: "The address that people open, where it isn't the one that the server listens at, such as behind a TLS proxy. \
               Links are made with it, and pages of it may call the server.",
        example: Some("public_url = \"https://makima.example.com\""),
        ..FILE
    },
    Setting {
        name: "server.allowed_hosts",
        flag: Some("allowed-hosts"),
        commands: "`up` and `server`",
        variable: Some("MAKIMA_ALLOWED_HOSTS"),
        default: "[]",
        what: "Names that the server answers to, besides addresses in digits, `localhost` and the host of `public_url`. A \
               request by another name is refused: a foreign page could have sent it. With commas between them in flag and \
               variable.",
        example: Some("allowed_hosts = [\"workshop.lan\"]"),
        ..FILE
    },
    Setting {
        name: "database.url",
        flag: Some("database-url"),
        commands: "`up`, `server`, `doctor` and `user create`",
        variable: Some("MAKIMA_DATABASE_URL"),
        default: "`makima.db`, an SQLite file in the data directory",
        what: "The database: `sqlite:<file>` or `postgres://<user>@<host>/<name>`.",
        example: Some("url = \"postgres://makima@localhost/makima\""),
        ..FILE
    },
    Setting {
        name: "daemon.name",
        flag: Some("name"),
        commands: "`daemon`",
        variable: Some("MAKIMA_DAEMON_NAME"),
        default: "the machine's name",
        what: "What the daemon is called.",
        example: Some("name = \"workshop\""),
        ..FILE
    },
    Setting {
        name: "daemon.server_url",
        flag: Some("server-url"),
        commands: "`daemon`",
        variable: Some("MAKIMA_API_URL"),
        what: "The server that a daemon of its own works for. The daemon of `makima up` works for that one.",
        example: Some("server_url = \"https://makima.example.com\""),
        ..FILE
    },
    Setting {
        name: "daemon.max_concurrent_tasks",
        flag: Some("max-concurrent-tasks"),
        commands: "`daemon`",
        variable: Some("MAKIMA_MAX_CONCURRENT_TASKS"),
        default: "4",
        what: "How many tasks the daemon works on at once.",
        example: Some("max_concurrent_tasks = 8"),
        ..FILE
    },
    Setting {
        name: "daemon.heartbeat_seconds",
        default: "10",
        what: "How often the daemon tells the server that it is there.",
        example: Some("heartbeat_seconds = 10"),
        ..FILE
    },
    Setting {
        name: "daemon.max_journal_bytes",
        default: "1073741824",
        what: "How much of what its agents say may wait on the daemon's disk while the server is away, all agents together. \
               An agent whose share is full is paused until the server is back; nothing that it says is lost.",
        example: Some("max_journal_bytes = 1073741824"),
        ..FILE
    },
    Setting {
        name: "daemon.trusted_repositories",
        default: "[]",
        what: "Repositories, as tasks name them, whose own agent settings, hooks and tool servers may start programs.",
        example: Some("trusted_repositories = [\"/home/me/project\"]"),
        ..FILE
    },
    Setting {
        name: "checkpoint.max_file_bytes",
        what: "The largest untracked file that a checkpoint after a turn holds.",
        example: Some("max_file_bytes = 50000000"),
        ..FILE
    },
    Setting {
        name: "checkpoint.include",
        default: "[]",
        what: "Paths that git ignores and a checkpoint holds all the same.",
        example: Some("include = [\".env.local\"]"),
        ..FILE
    },
    Setting {
        name: "agents.*.command",
        default: "[\"claude\"]",
        what: "The program of an agent, and its first arguments. The name of the table is the agent's: `[agents.claude]`.",
        example: Some("command = [\"claude\"]"),
        ..FILE
    },
    Setting {
        name: "agents.*.env",
        default: "{}",
        what: "Variables that are added to the agent's environment, which is otherwise an allow-list. `config show` tells their \
               names alone.",
        example: Some("env = { ANTHROPIC_MODEL = \"…\" }"),
        secret: true,
        ..FILE
    },
    Setting {
        name: "agents.*.permission_mode",
        default: "bypass",
        what: "What the agent may do without asking, where its task doesn't say: `bypass` (everything), `acceptEdits` (edit \
               files) or `ask` (read).",
        example: Some("permission_mode = \"acceptEdits\""),
        ..FILE
    },
    Setting {
        name: "agents.*.scenario",
        what: "A script that the agent plays instead of asking a model: for demonstrations and tests. A path that isn't \
               absolute is below the file's folder.",
        example: Some("scenario = \"scenario.json\""),
        ..FILE
    },
];

impl Setting {
    /// The heading that it stands below.
    pub(crate) fn heading(&self) -> &'static str {
        match self.name.split('.').next() {
            Some("server") => "`[server]`",
            Some("database") => "`[database]`",
            Some("daemon") => "`[daemon]`",
            Some("checkpoint") => "`[checkpoint]`",
            Some("agents") => "`[agents.<name>]`",
            _ => "Not in the file",
        }
    }

    /// Its default as a sentence has it.
    pub(crate) fn default_in_words(&self) -> String {
        match self.default {
            "" => "none".to_owned(),
            // A value, unless it is told in words.
            value if value.contains(' ') && !value.starts_with('[') => value.to_owned(),
            value => format!("`{value}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;
    use clap::{Command, CommandFactory};

    fn takes(command: &Command, setting: &Setting) -> bool {
        let is_it = |argument: &clap::Arg| {
            argument.get_long() == setting.flag
                && argument.get_env().and_then(|name| name.to_str()) == setting.variable
        };
        command.get_arguments().any(is_it) || command.get_subcommands().any(|command| takes(command, setting))
    }

    #[test]
    fn every_flag_that_is_named_is_there_with_its_variable() {
        let program = Arguments::command();
        for setting in SETTINGS.iter().filter(|setting| setting.flag.is_some()) {
            assert!(takes(&program, setting), "{}", setting.name);
        }
    }

    #[test]
    fn every_key_has_an_example_of_itself() {
        for setting in SETTINGS.iter().filter(|setting| setting.in_file) {
            let key = setting.name.rsplit('.').next().unwrap();
            let example: toml::Table = setting.example.unwrap().parse().unwrap();
            assert!(example.contains_key(key), "{}", setting.name);
        }
    }
}
