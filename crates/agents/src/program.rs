//! Small things that all adapters need to say how a program is started.

use crate::AgentError;
use std::path::Path;

/// The configured command of an agent.
pub(crate) fn command(agent: &str, configured: &[String]) -> Result<Vec<String>, AgentError> {
    match configured {
        [program, ..] if !program.is_empty() => Ok(configured.to_vec()),
        _ => Err(AgentError::NoCommand { agent: agent.to_owned() }),
    }
}

/// A path as an argument or a variable.
pub(crate) fn told(path: &Path) -> Result<String, AgentError> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| AgentError::Path { path: path.to_string_lossy().into_owned() })
}

/// The first word of what a program wrote, if it is one that a version could be.
pub(crate) fn first_word(stdout: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(stdout).ok()?;
    let word = text.split_whitespace().next()?;
    (word.len() <= 64 && word.contains(|c: char| c.is_ascii_digit())).then(|| word.to_owned())
}
