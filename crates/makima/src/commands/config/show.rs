//! `makima config show`

use crate::{
    arguments::Global,
    commands::daemon::DaemonFlags,
    config::ConfigFile,
    connection::ServerChoice,
    credentials::Credentials,
    data_folder::DataFolder,
    environment,
    failure::{Exit, Failure},
    printer::{Printer, Style, Table},
    settings::{SETTINGS, Setting},
    standing::ServerOptions,
};
use clap::{ArgMatches, Args, parser::ValueSource};
use makima_agents::AgentConfig;
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

/// Show every setting, and where its value came from
///
/// Flags stand above variables of the environment, those above the configuration file, and that above defaults. The flags
/// of `makima up` and `makima daemon` may be given to see what they would change. Keys and passwords are masked.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima config show
  makima config show --listen 0.0.0.0:7447")]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    up: ServerOptions,
    #[command(flatten)]
    daemon: DaemonFlags,
    #[command(flatten)]
    server: ServerChoice,
}

/// What stands instead of a secret.
const MASK: &str = "***";

/// All of it, for programs.
#[derive(Serialize)]
struct Document {
    settings: Vec<Shown>,
}

/// A setting as it stands.
#[derive(Debug, PartialEq, Serialize)]
struct Shown {
    name: String,
    value: Value,
    source: Source,
}

/// Where a value came from.
#[derive(Debug, PartialEq, Serialize)]
struct Source {
    kind: Kind,
    /// The flag, the variable or the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Flag,
    Environment,
    File,
    Default,
}

/// Shows all settings.
pub(crate) fn show(global: &Global, given: &ArgMatches, printer: &Printer) -> Result<Exit, Failure> {
    // What was said to this command, and not to those above it.
    let given = std::iter::successors(Some(given), |given| given.subcommand().map(|(_, given)| given));
    let Some(given) = given.last() else { return Ok(Exit::Usage) };
    let data = global.data()?;
    let file = ConfigFile::load(global.config.as_deref(), data.path())?;
    let saved = Credentials::load(&data.credentials())?;
    let defaults = Defaults { data: &data, file: &file, saved: saved.as_ref() };
    let settings: Vec<Shown> = SETTINGS
        .iter()
        .flat_map(|setting| match setting.name.strip_prefix("agents.*.") {
            Some(key) => of_agents(setting, key, &file),
            None => vec![one(setting, given, &defaults)],
        })
        .collect();
    if !printer.is_json() {
        printer.page();
        let mut table = Table::new(["setting", "value", "from"], "value");
        for Shown { name, value, source } in &settings {
            let from = match (source.kind, &source.name) {
                (Kind::Default, _) | (_, None) => (Style::Faint, "default".to_owned()),
                (_, Some(name)) => (Style::Accent, name.clone()),
            };
            table.row([(Style::Strong, name.clone()), (Style::Plain, text(value)), from]);
        }
        printer.table(&table);
    }
    printer.document(&Document { settings });
    Ok(Exit::Done)
}

/// What holds where nobody said anything.
struct Defaults<'a> {
    data: &'a DataFolder,
    file: &'a ConfigFile,
    saved: Option<&'a Credentials>,
}

impl Defaults<'_> {
    fn of(&self, setting: &Setting) -> (Value, Source) {
        let path = |path: &Path| Value::from(path.display().to_string());
        let saved = |value: Option<&String>| match value {
            Some(value) => {
                let name = Some(self.data.credentials().display().to_string());
                (Value::from(value.as_str()), Source { kind: Kind::File, name })
            }
            None => (Value::Null, DEFAULT),
        };
        let value = match setting.name {
            "data_dir" => path(self.data.path()),
            "config" => path(&self.file.path),
            "api_url" => return saved(self.saved.map(|saved| &saved.url)),
            "api_key" => return saved(self.saved.map(|saved| &saved.api_key)),
            "database.url" => self.data.database_url().into(),
            "daemon.name" => environment::host_name().into(),
            _ if setting.default.is_empty() => Value::Null,
            // A number or a list; any other text stands for itself.
            _ => serde_json::from_str(setting.default).unwrap_or_else(|_| setting.default.into()),
        };
        (value, DEFAULT)
    }
}

const DEFAULT: Source = Source { kind: Kind::Default, name: None };

fn one(setting: &Setting, given: &ArgMatches, defaults: &Defaults<'_>) -> Shown {
    let told = setting.flag.and_then(|flag| told(setting, flag, given));
    let in_file = || of_file(defaults.file, setting.name);
    let (value, source) = told.or_else(in_file).unwrap_or_else(|| defaults.of(setting));
    Shown { name: setting.name.to_owned(), value: masked(setting, value), source }
}

/// What a flag or a variable says.
fn told(setting: &Setting, flag: &str, given: &ArgMatches) -> Option<(Value, Source)> {
    let id = flag.replace('-', "_");
    let (kind, name) = match given.value_source(&id)? {
        ValueSource::CommandLine => (Kind::Flag, Some(format!("--{flag}"))),
        ValueSource::EnvVariable => (Kind::Environment, setting.variable.map(str::to_owned)),
        _ => return None,
    };
    let words: Vec<String> = given.get_raw(&id)?.map(|word| word.to_string_lossy().into_owned()).collect();
    Some((words.join(",").into(), Source { kind, name }))
}

/// What the file says.
fn of_file(file: &ConfigFile, key: &str) -> Option<(Value, Source)> {
    let (last, parents) = key.split('.').collect::<Vec<_>>().split_last().map(|(l, p)| (*l, p.to_vec()))?;
    let table = parents.into_iter().try_fold(&file.table, |table, part| table.get(part)?.as_table())?;
    let value = serde_json::to_value(table.get(last)?).ok()?;
    Some((value, Source { kind: Kind::File, name: Some(file.path.display().to_string()) }))
}

/// A key of every agent that has it, or needs it.
fn of_agents(setting: &Setting, key: &str, file: &ConfigFile) -> Vec<Shown> {
    let agents = file.config.agents();
    let shown = |(name, agent): (&String, &AgentConfig)| {
        let full = format!("agents.{name}.{key}");
        let default = match key {
            "permission_mode" => Some(setting.default.into()),
            "command" if agent.scenario.is_none() => Some(vec!["claude"].into()),
            _ => None,
        };
        let (value, source) = of_file(file, &full).or_else(|| Some((default?, DEFAULT)))?;
        Some(Shown { name: full, value: masked(setting, value), source })
    };
    agents.iter().filter_map(shown).collect()
}

/// The value as it may be shown.
fn masked(setting: &Setting, value: Value) -> Value {
    match value {
        Value::Null => Value::Null,
        // Any variable may be a secret: their names are enough to find them.
        Value::Object(fields) if setting.secret => {
            fields.into_iter().map(|(name, _)| (name, Value::from(MASK))).collect()
        }
        _ if setting.secret => MASK.into(),
        Value::String(text) if setting.name == "database.url" => without_password(&text).into(),
        value => value,
    }
}

/// A database's address, with its passwords masked: the one before `@`, and one among the options.
pub(crate) fn without_password(url: &str) -> String {
    let (address, options) = url.split_once('?').unwrap_or((url, ""));
    let Some((scheme, rest)) = address.split_once("://") else { return url.to_owned() };
    let address = match rest.rsplit_once('@') {
        Some((user, host)) if user.contains(':') => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:{MASK}@{host}")
        }
        _ => address.to_owned(),
    };
    let options: Vec<String> = options
        .split('&')
        .filter(|option| !option.is_empty())
        .map(|option| match option.split_once('=') {
            Some((name, _)) if name.to_ascii_lowercase().contains("password") => format!("{name}={MASK}"),
            _ => option.to_owned(),
        })
        .collect();
    if options.is_empty() { address } else { format!("{address}?{}", options.join("&")) }
}

/// A value as a person reads it.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_of_a_database_is_shown() {
        for (url, expected) in [
            ("postgres://me:pa:ss@w@host/db", "postgres://me:***@host/db"),
            ("postgres://me@host/db?sslmode=require", "postgres://me@host/db?sslmode=require"),
            ("postgres://host/db?user=me&password=secret", "postgres://host/db?user=me&password=***"),
            ("sqlite:/a/b@c.db", "sqlite:/a/b@c.db"),
        ] {
            assert_eq!(without_password(url), expected);
        }
    }
}
