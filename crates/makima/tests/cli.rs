//! What the program says, on both streams, and what it exits with, where no server is needed.

// What fails here fails its test, and says where.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use insta::assert_snapshot;
use makima_testkit::{TestRepo, scrubbed_command};
use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, path::Path, process::Command};
use tempfile::TempDir;

/// A home of its own, with nothing in it.
struct Home {
    folder: TempDir,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join(".local/share/makima")
    }

    fn makima(&self, arguments: &[&str]) -> Command {
        let mut command = scrubbed_command(env!("CARGO_BIN_EXE_makima"));
        command.args(arguments).current_dir(self.folder.path()).env("HOME", self.folder.path());
        command
    }

    /// All that a person sees, with what differs from machine to machine named.
    fn shown(&self, mut command: Command) -> String {
        let output = command.output().unwrap();
        let mut shown = format!("exit {}\n", output.status.code().unwrap());
        for (name, bytes) in [("stdout", output.stdout), ("stderr", output.stderr)] {
            let text = String::from_utf8(bytes).unwrap();
            if !text.is_empty() {
                shown += &format!("--- {name}\n{text}");
            }
        }
        let home = self.folder.path().to_str().unwrap();
        let real = self.folder.path().canonicalize().unwrap();
        shown
            .replace(real.to_str().unwrap(), "[HOME]")
            .replace(home, "[HOME]")
            .replace(env!("CARGO_BIN_EXE_makima"), "makima")
            .replace(env!("CARGO_PKG_VERSION"), "[VERSION]")
    }

    fn says(&self, arguments: &[&str]) -> String {
        self.shown(self.makima(arguments))
    }

    /// The same in a git repository.
    fn says_in(&self, repository: &Path, arguments: &[&str]) -> String {
        let mut command = self.makima(arguments);
        command.current_dir(repository);
        self.shown(command)
    }
}

#[test]
fn help_is_there_for_every_command() {
    let home = Home::new();
    let mut all = String::new();
    for command in [
        &[][..],
        &["up"],
        &["run"],
        &["task"],
        &["task", "send"],
        &["task", "answer"],
        &["server"],
        &["daemon"],
        &["user"],
        &["user", "create"],
    ] {
        let shown = home.says(&[command, &["--help"]].concat());
        all += &format!("$ makima {}\n{shown}\n", [command, &["--help"]].concat().join(" "));
    }
    assert_snapshot!(all);
}

#[test]
fn without_a_command_the_help_is_wrong_usage() {
    let shown = Home::new().says(&[]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("Usage: makima"), "{shown}");
}

#[test]
fn the_version_is_told() {
    assert_snapshot!(Home::new().says(&["--version"]), @r"
    exit 0
    --- stdout
    makima [VERSION]
    ");
}

#[test]
fn an_unknown_flag_is_wrong_usage() {
    assert_snapshot!(Home::new().says(&["run", "--agnet", "x", "plan"]));
}

#[test]
fn an_unknown_permission_mode_names_those_that_there_are() {
    assert_snapshot!(Home::new().says(&["run", "--permission-mode", "all", "plan"]));
}

#[test]
fn without_a_server_one_is_told_how_to_start_it() {
    let (home, repository) = (Home::new(), TestRepo::new());
    assert_snapshot!(home.says_in(repository.path(), &["run", "plan"]));
    assert_snapshot!(home.says(&["task", "send", "abcd", "more"]));
}

#[test]
fn a_server_that_does_not_answer_is_no_server() {
    let (home, repository) = (Home::new(), TestRepo::new());
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = home.makima(&["run", "plan"]);
    command.current_dir(repository.path());
    command.env("MAKIMA_API_URL", format!("http://{address}")).env("MAKIMA_API_KEY", "key");
    assert_snapshot!(home.shown(command).replace(&address.to_string(), "[ADDRESS]"));
}

#[test]
fn outside_of_a_repository_nothing_can_be_run() {
    let home = Home::new();
    assert_snapshot!(home.says(&["run", "plan"]));
}

#[test]
fn a_repository_without_a_working_copy_is_none_to_run_in() {
    let home = Home::new();
    let repository = TestRepo::new();
    let shown = home.says_in(&repository.path().join(".git"), &["run", "plan"]);
    let shown = shown.replace(repository.path().to_str().unwrap(), "[REPOSITORY]");
    assert_snapshot!(shown);
}

#[test]
fn an_unknown_key_of_the_configuration_is_named_with_the_nearest() {
    let home = Home::new();
    fs::create_dir_all(home.data()).unwrap();
    fs::write(home.data().join("makima.toml"), "[server]\nlisen = \"127.0.0.1:1\"\n").unwrap();
    assert_snapshot!(home.says(&["up"]));
}

#[test]
fn a_configuration_that_is_named_must_be_there() {
    assert_snapshot!(Home::new().says(&["up", "--config", "missing.toml"]));
}

#[test]
fn a_daemon_needs_a_server_and_a_key() {
    let home = Home::new();
    assert_snapshot!(home.says(&["daemon"]));
    assert_snapshot!(home.says(&["daemon", "--server-url", "http://127.0.0.1:1"]));
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let home = Home::new();
    let file = home.folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert_snapshot!(home.says(&["up", "--data-dir", "file/data"]));
}

#[test]
fn a_database_url_that_is_none_is_wrong() {
    assert_snapshot!(Home::new().says(&["up", "--database-url", "mysql://me:secret@localhost/x"]));
}

#[test]
fn a_port_that_is_taken_is_told_with_what_to_do() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_snapshot!(home.says(&["up", "--listen", &address]).replace(&address, "[ADDRESS]"));
}

/// A `PATH` on which git is this script, or nothing.
fn path_with_git(home: &Home, script: Option<&str>) -> std::path::PathBuf {
    let folder = home.folder.path().join("bin");
    fs::create_dir_all(&folder).unwrap();
    if let Some(script) = script {
        fs::write(folder.join("git"), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(folder.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

#[test]
fn a_git_that_is_too_old_or_missing_is_told_before_anything_is_made() {
    for (script, expected) in [
        (Some("echo git version 2.30.2"), "git 2.30.2 is too old; install git 2.38 or newer"),
        (None, "git was not found; install git 2.38 or newer"),
    ] {
        for arguments in
            [&["up", "--listen", "127.0.0.1:0"][..], &["up", "--demo", "--listen", "127.0.0.1:0"]]
        {
            let home = Home::new();
            let mut command = home.makima(arguments);
            command.env("PATH", path_with_git(&home, script));
            let shown = home.shown(command);
            assert!(shown.starts_with("exit 1\n--- stderr\nerror: "), "{shown}");
            assert!(shown.contains(expected), "{shown}");
        }
    }
}

#[test]
fn errors_are_told_in_json_mode_too_and_on_standard_error_alone() {
    let shown = Home::new().says(&["run", "plan", "--json"]);
    assert!(!shown.contains("--- stdout"), "{shown}");
    assert!(shown.starts_with("exit 2\n--- stderr\nerror: "), "{shown}");
}
