//! The configuration file: what stands in it, and where it is looked for.
//!
//! What a flag or a variable says stands above it; the commands see to that.

mod keys;
mod public_url;

pub(crate) use public_url::PublicUrl;

use crate::failure::Failure;
use makima_agents::AgentConfig;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    num::{NonZeroU16, NonZeroU64},
    path::{Path, PathBuf},
};

/// The name of the file in the data directory.
const FILE: &str = "makima.toml";

/// All that a configuration file may say.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) server: ServerConfig,
    pub(crate) database: DatabaseConfig,
    pub(crate) daemon: DaemonConfig,
    pub(crate) checkpoint: CheckpointConfig,
    pub(crate) agents: BTreeMap<String, AgentConfig>,
}

/// `[server]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServerConfig {
    /// Where the server listens.
    pub(crate) listen: Option<SocketAddr>,
    /// The address that people open.
    pub(crate) public_url: Option<PublicUrl>,
    /// Names that the server answers to besides.
    pub(crate) allowed_hosts: Vec<String>,
}

/// `[database]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DatabaseConfig {
    /// Where the database is.
    pub(crate) url: Option<String>,
}

/// `[daemon]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DaemonConfig {
    /// What it is called.
    pub(crate) name: Option<String>,
    /// Its server, where it runs apart from one.
    pub(crate) server_url: Option<String>,
    /// How many workers it runs at once.
    pub(crate) max_concurrent_tasks: Option<NonZeroU16>,
    /// How often it tells the server that it is there.
    pub(crate) heartbeat_seconds: Option<NonZeroU64>,
    /// How much of what agents say may wait for the server.
    pub(crate) max_journal_bytes: Option<NonZeroU64>,
    /// Repositories whose own agent settings may start programs.
    pub(crate) trusted_repositories: Vec<String>,
}

/// `[checkpoint]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CheckpointConfig {
    /// The largest untracked file that a checkpoint after a turn holds.
    pub(crate) max_file_bytes: Option<u64>,
    /// Paths that git ignores and a checkpoint holds all the same.
    pub(crate) include: Vec<String>,
}

impl Config {
    /// The file that was named, else the data directory's, which needn't be there.
    pub(crate) fn load(named: Option<&Path>, data_folder: &Path) -> Result<Self, Failure> {
        ConfigFile::load(named, data_folder).map(|file| file.config)
    }
}

/// The configuration file, as it stands there and as it is understood.
#[derive(Debug)]
pub(crate) struct ConfigFile {
    /// Where it is, or would be.
    pub(crate) path: PathBuf,
    /// What stands in it.
    pub(crate) table: toml::Table,
    /// What that says.
    pub(crate) config: Config,
}

impl ConfigFile {
    /// The file that was named, else the data directory's, which needn't be there.
    pub(crate) fn load(named: Option<&Path>, data_folder: &Path) -> Result<Self, Failure> {
        let path = named.map_or_else(|| data_folder.join(FILE), Path::to_owned);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let (table, config) = Config::read(&text, &path)?;
                Ok(Self { path, table, config })
            }
            Err(error) if is_absent(&error) && named.is_none() => {
                Ok(Self { path, table: toml::Table::new(), config: Config::default() })
            }
            Err(error) => Err(Failure::because(format!("could not read {}", path.display()), &error)
                .hint("--config and MAKIMA_CONFIG name the configuration file")),
        }
    }
}

impl Config {
    fn read(text: &str, path: &Path) -> Result<(toml::Table, Self), Failure> {
        let broken = |error: toml::de::Error| {
            let line = error.span().map(|span| text[..span.start].lines().count().max(1));
            let place = line.map_or_else(String::new, |line| format!(":{line}"));
            Failure::usage(format!("{}{place}: {}", path.display(), error.message()))
        };
        let table: toml::Table = text.parse().map_err(broken)?;
        if let Some(unknown) = keys::unknown(&table) {
            let failure = Failure::usage(format!("{}: there is no key `{}`", path.display(), unknown.key));
            return Err(failure.hint(match unknown.nearest {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("there are: {}", keys::known().collect::<Vec<_>>().join(", ")),
            }));
        }
        let mut config: Self = toml::from_str(text).map_err(broken)?;
        // A relative path in a file is relative to the file.
        for scenario in config.agents.values_mut().filter_map(|agent| agent.scenario.as_mut()) {
            if let Some(folder) = path.parent() {
                *scenario = folder.join(&scenario);
            }
        }
        Ok((table, config))
    }

    /// The agents, with the one that needs no configuration.
    pub(crate) fn agents(&self) -> BTreeMap<String, AgentConfig> {
        let mut agents = self.agents.clone();
        let claude = agents.entry("claude".to_owned()).or_default();
        if claude.command.is_empty() {
            claude.command = vec!["claude".to_owned()];
        }
        agents
    }
}

/// Whether there is no such file; a data directory that can't be one is told of by who makes it.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, Failure> {
        Config::read(text, Path::new("/etc/makima.toml")).map(|(_, config)| config)
    }

    #[test]
    fn every_key_is_taken() {
        let config = read(
            r#"
            [server]
            listen = "127.0.0.1:7447"
            public_url = "https://makima.example.com"
            allowed_hosts = ["workshop.lan"]
            [database]
            url = "sqlite:/tmp/a.db"
            [daemon]
            name = "here"
            server_url = "http://127.0.0.1:7447"
            max_concurrent_tasks = 2
            heartbeat_seconds = 5
            max_journal_bytes = 1000000
            trusted_repositories = ["/home/me/project"]
            [checkpoint]
            max_file_bytes = 1000
            include = [".env"]
            [agents.claude]
            command = ["claude", "--debug"]
            env = { ANTHROPIC_MODEL = "m" }
            permission_mode = "ask"
            [agents.scripted]
            scenario = "scenario.json"
            "#,
        )
        .unwrap();
        assert_eq!(config.daemon.max_concurrent_tasks, NonZeroU16::new(2));
        assert_eq!(config.agents["scripted"].scenario.as_deref(), Some(Path::new("/etc/scenario.json")));
        assert_eq!(config.agents()["claude"].command, ["claude", "--debug"]);
        assert_eq!(Config::default().agents()["claude"].command, ["claude"]);
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_known_one() {
        let failure = read("[deamon]\nname = \"x\"").unwrap_err();
        assert_eq!(failure.message, "/etc/makima.toml: there is no key `deamon`");
        assert_eq!(failure.hint.as_deref(), Some("did you mean `daemon`?"));
        let failure = read("[agents.claude]\nmodel = \"x\"\ncomand = []").unwrap_err();
        assert_eq!(failure.message, "/etc/makima.toml: there is no key `agents.claude.comand`");
        assert_eq!(failure.hint.as_deref(), Some("did you mean `agents.claude.command`?"));
    }

    #[test]
    fn a_value_that_is_none_is_named_with_its_line() {
        let failure = read("[server]\nlisten = \"nowhere\"").unwrap_err();
        assert!(failure.message.starts_with("/etc/makima.toml:2: "), "{}", failure.message);
        let failure = read("[daemon]\n\nmax_concurrent_tasks = 0").unwrap_err();
        assert!(failure.message.starts_with("/etc/makima.toml:3: "), "{}", failure.message);
        let failure = read("[server\n").unwrap_err();
        assert!(failure.message.starts_with("/etc/makima.toml:1: "), "{}", failure.message);
    }

    #[test]
    fn only_a_file_that_was_named_must_be_there() {
        let nowhere = Path::new("/nonexistent-folder-of-a-test");
        assert_eq!(Config::load(None, nowhere).unwrap(), Config::default());
        assert!(Config::load(Some(&nowhere.join("m.toml")), nowhere).is_err());
    }
}
