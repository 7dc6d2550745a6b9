//! What the program says, on both streams, and what it exits with, where no server is needed.

// What fails here fails its test, and says where.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use insta::assert_snapshot;
use makima_testkit::{SmallDisk, TestRepo, scrubbed_command, with_own_mounts, workspace_root};
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

/// All commands below one, as the program's help names them.
fn commands(home: &Home, above: &[String]) -> Vec<Vec<String>> {
    let output = home.makima(&[]).args(above).arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let Some((_, list)) = text.split_once("\nCommands:\n") else { return Vec::new() };
    let names = list.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("    "));
    let mut all = Vec::new();
    for name in names.filter_map(|line| line.split_whitespace().next()) {
        let command = [above, &[name.to_owned()]].concat();
        let below = commands(home, &command);
        all.push(command);
        all.extend(below);
    }
    all
}

#[test]
fn help_is_there_for_every_command() {
    let home = Home::new();
    let mut all = String::new();
    for command in std::iter::once(Vec::new()).chain(commands(&home, &[])) {
        let line = [&["makima".to_owned()], command.as_slice(), &["--help".to_owned()]].concat().join(" ");
        let mut help = home.makima(&[]);
        help.args(&command).arg("--help");
        all += &format!("$ {line}\n{}\n", home.shown(help));
    }
    assert_snapshot!(all);
}

#[test]
fn every_command_has_an_example() {
    let home = Home::new();
    let all = commands(&home, &[]);
    assert!(all.len() > 25, "{all:?}");
    for command in all {
        let output = home.makima(&[]).args(&command).arg("--help").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (_, example) = text.split_once("\nExample:\n").unwrap_or_else(|| panic!("{command:?} has none"));
        assert!(example.contains(&format!("makima {}", command.join(" "))), "{command:?}: {example}");
    }
}

#[test]
fn the_reference_in_the_documentation_is_the_program_s() {
    let home = Home::new();
    let shown = home.says(&["reference", "."]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    for page in ["api.md", "cli.md", "configuration.md"] {
        let own = fs::read_to_string(home.folder.path().join(page)).unwrap();
        let kept = fs::read_to_string(workspace_root().join("docs").join(page)).unwrap_or_default();
        assert!(own == kept, "docs/{page} is out of date: `make docs` writes it anew");
    }
}

#[test]
fn manual_pages_are_written_for_what_people_call() {
    let home = Home::new();
    let shown = home.says(&["man", "pages"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    let page = |name: &str| fs::read_to_string(home.folder.path().join("pages").join(name));
    assert!(page("makima-task-logs.1").unwrap().contains("what happens until the task ends"));
    assert!(page("makima.1").is_ok() && page("makima-run-host.1").is_err());
}

#[test]
fn completions_are_there_for_every_shell() {
    let home = Home::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let shown = home.says(&["completions", shell]);
        assert!(shown.starts_with("exit 0\n--- stdout\n") && shown.contains("checkpoints"), "{shown}");
    }
    let script = home.folder.path().join("makima.bash");
    let output = home.makima(&["completions", "bash"]).output().unwrap();
    fs::write(&script, output.stdout).unwrap();
    let read = scrubbed_command("bash").arg("-n").arg(&script).output().unwrap();
    assert!(read.status.success() && read.stderr.is_empty(), "{read:?}");
    assert_snapshot!(home.says(&["completions", "tcsh"]));
}

/// Every command that speaks to a server, with what it needs.
const SPEAKING: &[&[&str]] = &[
    &["status"],
    &["open", "--print"],
    &["task", "create", "plan", "--repository", "/nowhere"],
    &["task", "list"],
    &["task", "show", "abcd"],
    &["task", "logs", "abcd"],
    &["task", "logs", "-f", "abcd"],
    &["task", "stop", "abcd"],
    &["task", "cancel", "abcd"],
    &["task", "send", "abcd", "more"],
    &["task", "answer", "abcd", "allow"],
    &["task", "checkpoint", "abcd"],
    &["task", "checkpoints", "abcd"],
    &["task", "snapshots", "abcd"],
    &["task", "restore", "abcd", "abcd", "--yes"],
    &["task", "delete", "abcd", "--yes"],
    &["contract", "delete", "abcd", "--yes"],
    &["export", "abcd"],
    &["export", "abcd", "--format", "html", "--output", "page.html"],
    &["op", "log"],
    &["op", "show", "abcd"],
    &["undo", "--yes"],
    &["contract", "create", "name", "--repository", "/nowhere"],
    &["contract", "list"],
    &["contract", "show", "abcd"],
    &["contract", "phase", "plan"],
    &["daemon", "list"],
    &["key", "create", "name"],
    &["key", "list"],
    &["key", "revoke", "abcd"],
];

#[test]
fn every_command_that_speaks_to_a_server_says_that_there_is_none() {
    let home = Home::new();
    let unknown = home.says(&["status"]);
    assert_snapshot!(unknown);
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let away = |arguments: &[&str]| {
        let mut command = home.makima(arguments);
        command.env("MAKIMA_API_URL", format!("http://{address}")).env("MAKIMA_API_KEY", "mk_key");
        home.shown(command).replace(&address, "[ADDRESS]")
    };
    assert_snapshot!(away(&["status"]));
    for command in SPEAKING {
        assert_eq!(home.says(command), unknown, "{command:?}");
        assert_eq!(away(command), away(&["status"]), "{command:?}");
        assert_eq!(home.says(&[command, &["--json"][..]].concat()), unknown, "{command:?}");
    }
}

#[test]
fn the_configuration_is_shown_with_where_each_value_came_from() {
    let home = Home::new();
    fs::create_dir_all(home.data()).unwrap();
    let file = r#"
        [server]
        listen = "127.0.0.1:1"
        allowed_hosts = ["workshop.lan"]
        [database]
        url = "postgres://me:secret@localhost/x?password=secret"
        [daemon]
        name = "from the file"
        [agents.claude]
        env = { ANTHROPIC_API_KEY = "secret" }
        [agents.other]
        command = ["other", "--flag"]
        permission_mode = "ask"
        [agents.played]
        scenario = "scenario.json"
    "#;
    fs::write(home.data().join("makima.toml"), file).unwrap();
    let show = |arguments: &[&str]| {
        let mut command = home.makima(&[&["config", "show", "--listen", "127.0.0.1:2"], arguments].concat());
        command.env("MAKIMA_LISTEN", "127.0.0.1:3").env("MAKIMA_DAEMON_NAME", "from the environment");
        command.env("MAKIMA_API_KEY", "mk_secret").env("MAKIMA_ALLOWED_HOSTS", "a,b");
        home.shown(command)
    };
    let shown = show(&[]);
    // How wide a column is depends on where the home is.
    let narrow = regex::Regex::new(" {2,}").unwrap().replace_all(&shown, "  ").into_owned();
    assert_snapshot!(narrow);
    let json = show(&["--json"]);
    assert!(!shown.contains("secret") && !json.contains("secret"), "{json}");
    assert!(
        json.contains(
            r#"{"name":"server.listen","value":"127.0.0.1:2","source":{"kind":"flag","name":"--listen"}}"#
        ),
        "{json}"
    );
}

/// The checks of `makima doctor --json`, as `state name`.
fn doctor(home: &Home, prepare: impl Fn(&mut Command)) -> (Option<i32>, Vec<String>) {
    let mut command = home.makima(&["doctor", "--json"]);
    prepare(&mut command);
    let output = command.output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |check: &serde_json::Value, key: &str| check[key].as_str().unwrap().to_owned();
    let checks = document["checks"].as_array().unwrap();
    let states = checks.iter().map(|check| format!("{} {}", text(check, "state"), text(check, "name")));
    let states = states.collect();
    assert!(
        checks.iter().all(|check| check["state"] == "ok" || check["advice"].is_string()),
        "something is wrong and nobody says what to do: {document}"
    );
    (output.status.code(), states)
}

#[test]
fn the_doctor_looks_at_everything_without_a_server_and_makes_nothing() {
    let home = Home::new();
    fs::create_dir_all(home.data()).unwrap();
    fs::write(home.data().join("makima.toml"), "[agents.claude]\ncommand = [\"/nonexistent/claude\"]\n")
        .unwrap();
    let (code, checks) = doctor(&home, |_| {});
    assert_eq!(code, Some(0));
    let expected = [
        "ok platform",
        "ok git",
        "ok configuration",
        "warn agent claude",
        "ok data directory",
        "ok disk",
        "ok database",
        "warn server",
    ];
    assert_eq!(checks, expected);
    assert_eq!(fs::read_dir(home.data()).unwrap().count(), 1, "something was made");
    let shown = home.says(&["doctor"]);
    let steady =
        |line: &&str| !["platform", "git", "disk"].iter().any(|name| line.contains(&format!("  {name} ")));
    assert_snapshot!(shown.lines().filter(steady).collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_doctor_fails_where_something_fails() {
    let home = Home::new();
    let path = path_with_git(&home, Some("echo git version 2.30.2"));
    let (code, checks) = doctor(&home, |command| {
        command.env("PATH", &path);
    });
    assert_eq!((code, checks.contains(&"fail git".to_owned())), (Some(1), true), "{checks:?}");

    fs::create_dir_all(home.data()).unwrap();
    fs::write(home.data().join("makima.toml"), "[deamon]\n").unwrap();
    let (code, checks) = doctor(&home, |_| {});
    assert_eq!((code, checks.contains(&"fail configuration".to_owned())), (Some(1), true), "{checks:?}");
}

/// Makes a database that a newer program has changed.
fn newer_database(file: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite:{}", file.display());
        makima_store::Db::open(&url).await.unwrap().close().await;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
        let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            VALUES (9999, 'newer', TRUE, x'00', 1)";
        sqlx::query(newer).execute(&mut connection).await.unwrap();
        sqlx::Connection::close(connection).await.unwrap();
    });
}

#[test]
fn a_database_that_is_newer_than_the_program_is_left_alone_and_told() {
    let home = Home::new();
    newer_database(&home.data().join("makima.db"));
    let before = fs::read(home.data().join("makima.db")).unwrap();
    for arguments in [
        &["up", "--listen", "127.0.0.1:0"][..],
        &["server", "--listen", "127.0.0.1:0"],
        &["user", "create", "ada"],
    ] {
        let shown = home.says(arguments);
        assert!(
            shown.starts_with("exit 1\n--- stderr\nerror: the database is newer than this program"),
            "{shown}"
        );
        assert!(shown.contains("use the newer"), "{shown}");
    }
    let (code, checks) = doctor(&home, |_| {});
    assert_eq!((code, checks.contains(&"fail database".to_owned())), (Some(1), true), "{checks:?}");
    assert_eq!(fs::read(home.data().join("makima.db")).unwrap(), before);
}

/// What the program says where its home is on a read-only file system. Not even root may write there, whatever modes say.
fn says_on_read_only(home: &Home, arguments: &str) -> String {
    let folder = home.folder.path().to_str().unwrap();
    let mut command = scrubbed_command("unshare");
    if !rustix::process::getuid().is_root() {
        command.arg("--map-root-user");
    }
    let script = format!(
        "mount --bind '{folder}' '{folder}' && mount -o remount,ro,bind '{folder}' && cd '{folder}' && exec \"$0\" {arguments}"
    );
    command.args(["--mount", "sh", "-c", &script, env!("CARGO_BIN_EXE_makima")]).env("HOME", folder);
    home.shown(command)
}

#[test]
fn a_data_directory_on_a_read_only_file_system_is_told() {
    let home = Home::new();
    assert_snapshot!(says_on_read_only(&home, "up --listen 127.0.0.1:0"));
    fs::create_dir_all(home.data()).unwrap();
    assert_snapshot!(says_on_read_only(&home, "up --listen 127.0.0.1:0"));
    let shown = says_on_read_only(&home, "doctor");
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert!(
        shown.contains("fail  data directory [HOME]/.local/share/makima is on a read-only file system"),
        "{shown}"
    );
}

/// Fault: the disk of the data directory is full
/// Moment: when a server starts
/// Outcome: one line and a hint, exit 1, and nothing was changed
#[test]
fn a_data_directory_on_a_full_disk_is_told_and_nothing_is_changed() {
    with_own_mounts(async {
        let (home, disk) = (Home::new(), SmallDisk::mount(16 << 20));
        disk.fill(1 << 20);
        for command in ["up", "server"] {
            let mut up = home.makima(&[command, "--listen", "127.0.0.1:0"]);
            up.env("MAKIMA_DATA_DIR", disk.path().join("data"));
            let shown = home.shown(up).replace(disk.path().to_str().unwrap(), "[DISK]");
            assert_eq!(
                shown,
                "exit 1\n--- stderr\nerror: there is no room left for the data directory [DISK]/data: 1 MiB free\n\
                 hint: make room there, or name another with --data-dir or MAKIMA_DATA_DIR\n"
            );
            assert!(!disk.path().join("data").exists());
        }
        let (code, checks) = doctor(&home, |command| {
            command.env("MAKIMA_DATA_DIR", disk.path().join("data"));
        });
        assert_eq!((code, checks.contains(&"fail disk".to_owned())), (Some(1), true), "{checks:?}");
    });
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
