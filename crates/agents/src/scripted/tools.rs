//! The scripted agent's tools, which really do what they are told.

use serde::Deserialize;
use serde_json::Value;
use std::{
    fs,
    io::Read,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
};

/// The most bytes of a file or of a command's output that a result holds.
const MOST: u64 = 64 * 1024;

/// What a tool answers: text, or why it failed.
pub(super) type ToolResult = Result<String, String>;

#[derive(Deserialize)]
struct Write {
    file_path: PathBuf,
    content: String,
}

#[derive(Deserialize)]
struct Edit {
    file_path: PathBuf,
    old_string: String,
    new_string: String,
    #[serde(default)]
    replace_all: bool,
}

#[derive(Deserialize)]
struct ReadFile {
    file_path: PathBuf,
}

#[derive(Deserialize)]
struct Bash {
    command: String,
}

/// Does what a tool is told that only touches files; `None` for any other tool.
pub(super) fn on_files(tool: &str, input: &Value, worktree: &Path) -> Option<ToolResult> {
    Some(match tool {
        "Write" => wanted::<Write>(input).and_then(|write| {
            let path = worktree.join(&write.file_path);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(|error| said(&path, &error))?;
            }
            fs::write(&path, &write.content).map_err(|error| said(&path, &error))?;
            Ok(format!("Wrote {}", path.display()))
        }),
        "Edit" => wanted(input).and_then(|edit| edited(&edit, worktree)),
        "Read" => wanted::<ReadFile>(input).and_then(|read| {
            let path = worktree.join(&read.file_path);
            let file = fs::File::open(&path).map_err(|error| said(&path, &error))?;
            let mut bytes = Vec::new();
            file.take(MOST).read_to_end(&mut bytes).map_err(|error| said(&path, &error))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }),
        _ => return None,
    })
}

fn edited(edit: &Edit, worktree: &Path) -> ToolResult {
    let path = worktree.join(&edit.file_path);
    let text = fs::read_to_string(&path).map_err(|error| said(&path, &error))?;
    let places = if edit.old_string.is_empty() { 0 } else { text.matches(&edit.old_string).count() };
    match places {
        0 => return Err(format!("The text to replace is not in {}", path.display())),
        1 => {}
        _ if edit.replace_all => {}
        places => return Err(format!("The text to replace is in {} {places} times", path.display())),
    }
    fs::write(&path, text.replace(&edit.old_string, &edit.new_string))
        .map_err(|error| said(&path, &error))?;
    Ok(format!("Edited {}", path.display()))
}

/// A command that runs in a process group of its own.
pub(super) struct Running {
    pub(super) child: Child,
    stdout: JoinHandle<Vec<u8>>,
    stderr: JoinHandle<Vec<u8>>,
}

impl Running {
    /// Starts the command of the tool `Bash`.
    pub(super) fn start(input: &Value, worktree: &Path) -> Result<Self, String> {
        let bash: Bash = wanted(input)?;
        let mut child = Command::new("/bin/sh")
            .args(["-c", &bash.command])
            .current_dir(worktree)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("/bin/sh could not be started: {error}"))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        Ok(Self {
            child,
            stdout: thread::spawn(move || beginning_of(stdout)),
            stderr: thread::spawn(move || beginning_of(stderr)),
        })
    }

    /// Whether it has ended and its output is complete. What it left running in the background may hold its output open.
    pub(super) fn is_over(&mut self) -> bool {
        self.stdout.is_finished() && self.stderr.is_finished() && !matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills it with all that it started in its group.
    pub(super) fn kill(&self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            // It may be gone already.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }

    /// What it said, when it is over.
    pub(super) fn result(mut self) -> ToolResult {
        let status = self.child.wait().map_err(|error| error.to_string())?;
        let parts = [self.stdout.join(), self.stderr.join()].map(Result::unwrap_or_default);
        let parts = parts.map(|part| String::from_utf8_lossy(&part).trim_end().to_owned());
        let text = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n");
        match status.code() {
            Some(0) => Ok(text),
            Some(code) => Err(format!("Exit code {code}\n{text}")),
            None => Err(format!("Ended by a signal\n{text}")),
        }
    }
}

/// The beginning of a stream, which is read to its end lest its writer be stopped.
fn beginning_of(stream: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // An error ends the stream as its end does.
        let _ = stream.by_ref().take(MOST).read_to_end(&mut bytes);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    }
    bytes
}

fn wanted<T: for<'de> Deserialize<'de>>(input: &Value) -> Result<T, String> {
    T::deserialize(input).map_err(|error| format!("The input doesn't fit: {error}"))
}

fn said(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_edit_that_would_be_ambiguous_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let edit = |input: Value| on_files("Edit", &input, folder.path()).unwrap();
        fs::write(folder.path().join("a"), "one one").unwrap();
        let error = edit(json!({"file_path": "a", "old_string": "one", "new_string": "two"})).unwrap_err();
        assert!(error.ends_with("2 times"), "{error}");
        assert_eq!(fs::read_to_string(folder.path().join("a")).unwrap(), "one one");
        edit(json!({"file_path": "a", "old_string": "one", "new_string": "two", "replace_all": true}))
            .unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("a")).unwrap(), "two two");
    }

    #[test]
    fn an_input_that_does_not_fit_is_an_error_of_the_tool() {
        let error = on_files("Write", &json!({"path": 1}), Path::new("/")).unwrap().unwrap_err();
        assert!(error.contains("file_path"), "{error}");
    }

    #[test]
    fn a_command_that_fails_says_its_code_and_both_outputs() {
        let folder = tempfile::tempdir().unwrap();
        let input = json!({"command": "echo out; echo err >&2; exit 3"});
        let result = Running::start(&input, folder.path()).unwrap().result();
        assert_eq!(result, Err("Exit code 3\nout\nerr".to_owned()));
    }

    #[test]
    fn a_loud_command_is_cut_and_never_stopped_by_its_own_noise() {
        let folder = tempfile::tempdir().unwrap();
        let input = json!({"command": "yes | head -c 1000000; echo end >> done"});
        let text = Running::start(&input, folder.path()).unwrap().result().unwrap();
        assert!(text.len() <= 64 * 1024);
        assert!(folder.path().join("done").exists());
    }
}
