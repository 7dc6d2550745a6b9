//! The README, done as it says.

use crate::lab::{Lab, finish, say, start, until, wait, write};
use makima_testkit::{scrubbed_command, workspace_root};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command},
};

/// The commands of the README, in order, each with what stands behind it as a remark.
fn commands() -> Vec<(String, String)> {
    let text = fs::read_to_string(workspace_root().join("README.md")).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("    "));
    lines
        .map(|line| {
            let (command, remark) = line.split_once(" #").unwrap_or((line, ""));
            (command.trim().to_owned(), remark.trim().to_owned())
        })
        .collect()
}

/// A clone of this project: its files as they are now.
fn clone(into: &Path) {
    let root = workspace_root();
    let listed = scrubbed_command("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"])
        .current_dir(&root)
        .output()
        .unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let names = String::from_utf8(listed.stdout).unwrap();
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        // What was deleted and not committed yet is listed too.
        let Ok(content) = fs::read(root.join(name)) else { continue };
        let path = into.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, root.join(name).metadata().unwrap().permissions()).unwrap();
    }
}

/// A machine of one's own: a home, a clone, and a `PATH` on which the tools that build are stand-ins.
///
/// Building is what all these tests rest on; here it would take minutes and prove nothing new. So `cargo build` and the clone's
/// `scripts/web` do nothing, `cargo run` runs the program that was built for the tests, and `cargo install` puts it where cargo
/// would. All else is what the README's reader gets.
struct Machine {
    lab: Lab,
}

/// What was started by one line, and ends with the test at the latest.
struct Running(Child);

impl Running {
    fn signal(&self, signal: Signal) {
        // What has ended hears nothing.
        let _ = kill_process_group(Pid::from_child(&self.0), signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.0.wait();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- what ran said:\n{}",
                fs::read_to_string(self.lab.path("running.log")).unwrap_or_default()
            );
        }
    }
}

impl Machine {
    fn new() -> Self {
        let lab = Lab::new(json!({
            "Give the parser a test": [write("tests/empty.txt", "\n"), say("The test is there.")],
        }));
        let machine = Self { lab };
        clone(&machine.clone_folder());
        fs::create_dir_all(machine.home().join(".cargo/bin")).unwrap();
        fs::create_dir_all(machine.home().join(".local/share")).unwrap();
        // The scripted agent stands for Claude Code, which would want a key.
        fs::rename(machine.lab.data(), machine.home().join(".local/share/makima")).unwrap();
        let program = env!("CARGO_BIN_EXE_makima");
        machine.tool(
            "cargo",
            &format!(
                "case \"$1\" in
                    run) while [ \"$1\" != -- ]; do shift; done; shift; exec '{program}' \"$@\" ;;
                    install) cp '{program}' \"$HOME/.cargo/bin/makima\" ;;
                    build) ;;
                    *) echo \"cargo $*: not known here\" >&2; exit 1 ;;
                esac"
            ),
        );
        fs::write(machine.clone_folder().join("scripts/web"), "#!/bin/sh\n").unwrap();
        // rustup's own would look for its toolchains in this home.
        machine.tool("rustc", &format!("echo 'rustc {} (stands in)'", env!("CARGO_PKG_RUST_VERSION")));
        machine
    }

    fn home(&self) -> PathBuf {
        self.lab.path("home")
    }

    fn clone_folder(&self) -> PathBuf {
        self.lab.path("clone")
    }

    fn tool(&self, name: &str, script: &str) {
        let folder = self.lab.path("tools");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A command as one types it, in a folder.
    fn types(&self, line: &str, folder: &Path) -> Command {
        let mut shell = scrubbed_command("sh");
        let path = shell.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path).unwrap();
        let path = format!(
            "{}:{}:{}",
            self.lab.path("tools").display(),
            self.home().join(".cargo/bin").display(),
            path.to_str().unwrap()
        );
        shell.args(["-c", &format!("exec {line}")]).current_dir(folder);
        shell.env("HOME", self.home()).env("PATH", path);
        // As the guide says for a machine on which the port is taken, as it may be on this one.
        shell.env("MAKIMA_LISTEN", "127.0.0.1:0");
        shell.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        shell.stdin(std::process::Stdio::null());
        shell
    }

    /// Starts a command that stays, and waits until it says something.
    async fn leaves_running(&self, line: &str, folder: &Path, said: &str) -> Running {
        let log = self.lab.path("running.log");
        let file = fs::File::create(&log).unwrap();
        let mut command = self.types(line, folder);
        let command = command.stdout(file.try_clone().unwrap()).stderr(file).process_group(0);
        let mut running = Running(command.spawn().unwrap());
        until(&format!("`{line}` says {said:?}"), async || {
            assert_eq!(running.0.try_wait().unwrap(), None, "`{line}` has ended");
            fs::read_to_string(&log).unwrap().contains(said).then_some(())
        })
        .await;
        running
    }

    /// Ctrl-C, which a terminal sends to all that were started by one line.
    fn ends(mut running: Running) {
        running.signal(Signal::INT);
        wait(&mut running.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_leads_from_a_clone_to_the_first_own_task() {
    let machine = Machine::new();
    let (clone, repository) = (machine.clone_folder(), machine.lab.repo.path().to_owned());
    let mut standing = None;
    let mut done = Vec::new();
    for (command, remark) in commands() {
        match command.as_str() {
            "make run" => {
                let running = machine.leaves_running(&command, &clone, "let your own agent work").await;
                assert!(clone.join(".makima/makima.db").exists(), "its data lies in ./.makima");
                Machine::ends(running);
            }
            // This very test is a part of it.
            "make test" => {}
            _ if remark.contains("leave it running") => {
                standing = Some(machine.leaves_running(&command, &repository, "Makima is ready at").await);
            }
            _ => {
                let folder = if command.starts_with("cargo") { &clone } else { &repository };
                let ended = finish(start(&mut machine.types(&command, folder)));
                assert_eq!(ended.code, Some(0), "{command}: {ended:?}");
                if command.starts_with("makima run") {
                    assert!(ended.stdout.contains("completed"), "{ended:?}");
                    assert!(ended.stdout.contains("A tests/empty.txt"), "{ended:?}");
                }
            }
        }
        done.push(command);
    }
    assert!(done.len() >= 5 && done.iter().any(|command| command.starts_with("makima run")), "{done:?}");
    let branches = machine.lab.repo.git(["branch", "--list", "makima/*"]);
    assert_eq!(branches.lines().count(), 1, "{branches}");
    assert_eq!(machine.lab.repo.status(), "", "the working copy is as it was");
    Machine::ends(standing.expect("the README starts Makima"));
}
