//! The recorded sessions that the adapter is tested with. They are short: what a session has once weighs much in them.

use super::{Recorder, Session};
use anyhow::{Context, Result};
use makima_testkit::workspace_root;
use std::fs;

/// All recorded sessions of Claude Code that mirror their own record, by name.
pub(crate) fn recorded() -> Result<Vec<(String, Session)>> {
    let folder = workspace_root().join("crates/agents/tests/fixtures/claude");
    let mut sessions = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("could not read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".stdout.jsonl") else { continue };
        let stdout = fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
        let session = played(&stdout);
        if session.stdout.mirror > 0 {
            sessions.push((name.to_owned(), session));
        }
    }
    sessions.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(sessions)
}

/// As a run host plays it: something is said whenever a turn may begin.
fn played(stdout: &[u8]) -> Session {
    let mut recorder = Recorder::new();
    recorder.open();
    recorder.say("(said)");
    for line in stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let begins = line.starts_with(br#"{"type":"system","subtype":"init""#);
        if begins && recorder.dialogue.is_idle() {
            recorder.say("(said)");
        }
        recorder.read(line);
    }
    recorder.finish()
}
