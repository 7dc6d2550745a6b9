//! Sessions of agents that ran without us.

use crate::text::words;

words! {
    /// Whose sessions are imported.
    ImportSource, "source of an import" {
        /// Claude Code's session files.
        ClaudeCode = "claude-code",
    }
}

impl ImportSource {
    /// The name below `[agents]` of the agent that goes on with such a session.
    pub fn agent(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude",
        }
    }
}
