//! `docs/cli.md`, out of the command line itself.

use crate::arguments::Arguments;
use clap::{Arg, Command, CommandFactory};
use std::fmt::Write;

const BEGINNING: &str = "\
# Commands

Written by `make docs` out of the program's own help: change it there.

A task, a contract, a daemon or a key is named by 4 or more of the first characters of its id or of its short id (the
last 8 digits), or by its whole name. A command that needs a contract and is told none takes `MAKIMA_CONTRACT_ID`, else the
only active contract of the repository that you are in.

Every command that shows something takes `--json` and then prints one document in the API's own shape. At a terminal, long
output is shown by `$PAGER`, else by `less`; `NO_COLOR` is honoured. Errors go to standard error, as one line and a hint.

| exit code | what it says |
|---|---|
| 0 | done |
| 1 | refused or failed |
| 2 | wrong usage |
| 3 | not found |
| 4 | not allowed |
| 5 | no server |
";

/// All of the page.
pub(super) fn page() -> String {
    let mut program = Arguments::command().disable_help_flag(true).disable_version_flag(true);
    program.build();
    let mut page = BEGINNING.to_owned();
    page += "\n## Everywhere\n\nWhat every command takes:\n\n";
    arguments(&mut page, program.get_arguments().filter(|argument| argument.is_global_set()));
    for command in shown(&program) {
        section(&mut page, "makima", command, 2);
    }
    page
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn section(page: &mut String, parent: &str, command: &Command, depth: usize) {
    let name = format!("{parent} {}", command.get_name());
    // Writing to a text can't fail.
    let _ = writeln!(page, "\n{} `{name}`\n", "#".repeat(depth));
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let mut paragraphs = about.split("\n\n");
    let first = paragraphs.next().unwrap_or_default();
    let _ = writeln!(page, "{first}{}", if first.ends_with('.') { "" } else { "." });
    for paragraph in paragraphs {
        let _ = writeln!(page, "\n{paragraph}");
    }
    let own: Vec<&Arg> = command.get_arguments().filter(|argument| !argument.is_global_set()).collect();
    let subcommands = shown(command).count() > 0;
    if !subcommands || !own.is_empty() {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").lines().map(str::trim).collect::<Vec<_>>().join("\n");
        let _ = writeln!(page, "\n```\n{usage}\n```\n");
        arguments(page, own.into_iter());
    }
    if let Some(example) = command.get_after_help() {
        let example = example.to_string();
        let (_, commands) = example.split_once('\n').unwrap_or_default();
        let commands: Vec<String> = commands.lines().map(|line| with_remark(line.trim())).collect();
        let _ = writeln!(page, "\n```sh\n{}\n```", commands.join("\n"));
    }
    for command in shown(command) {
        section(page, &name, command, depth + 1);
    }
}

fn arguments<'a>(page: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    for argument in arguments.filter(|argument| !argument.is_hide_set()) {
        let help =
            argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(page, "* {}: {}{}", name(argument), one_line(&help), variable(argument));
    }
}

fn name(argument: &Arg) -> String {
    let value = || {
        let names = argument.get_value_names().unwrap_or_default();
        names.iter().map(|name| format!("<{name}>")).collect::<Vec<_>>().join(" ")
    };
    let takes_value = argument.get_action().takes_values();
    match (argument.get_long(), argument.get_short()) {
        (None, _) => format!("`<{}>`", argument.get_id().as_str().to_uppercase()),
        (Some(long), short) => {
            let short = short.map(|short| format!("`-{short}`, ")).unwrap_or_default();
            let value = if takes_value { format!(" {}", value()) } else { String::new() };
            format!("{short}`--{long}{value}`")
        }
    }
}

fn variable(argument: &Arg) -> String {
    let name = argument.get_env().map(|name| name.to_string_lossy().into_owned());
    name.map(|name| format!(" (`{name}`)")).unwrap_or_default()
}

/// A line of an example: what stands apart from the command is a remark.
fn with_remark(line: &str) -> String {
    match line.split_once("   ") {
        Some((command, remark)) => format!("{command}  # {}", remark.trim()),
        None => line.to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
