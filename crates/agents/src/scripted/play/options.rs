//! What the scripted agent is started with.

use super::PlayError;
use makima_model::PermissionMode;
use std::path::PathBuf;

#[derive(Default)]
pub(super) struct Options {
    pub(super) scenario: PathBuf,
    pub(super) session: PathBuf,
    pub(super) session_id: String,
    pub(super) worktree: PathBuf,
    pub(super) mode: Option<PermissionMode>,
}

impl Options {
    pub(super) fn read(arguments: &[String]) -> Result<Self, PlayError> {
        let mut options = Self::default();
        for pair in arguments.chunks(2) {
            let wrong = || PlayError::Argument { argument: pair.join(" ") };
            let [name, value] = pair else { return Err(wrong()) };
            match name.as_str() {
                "--scenario" => options.scenario = value.into(),
                "--session" => options.session = value.into(),
                "--session-id" => value.clone_into(&mut options.session_id),
                "--worktree" => options.worktree = value.into(),
                "--permission-mode" => options.mode = Some(value.parse().map_err(|_| wrong())?),
                _ => return Err(wrong()),
            }
        }
        let missing = [&options.scenario, &options.session, &options.worktree]
            .iter()
            .any(|path| path.as_os_str().is_empty());
        if missing { Err(PlayError::Argument { argument: String::new() }) } else { Ok(options) }
    }
}
