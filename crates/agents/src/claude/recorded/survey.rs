//! The first reading of a session file: what it is.

use super::line::Line;
use crate::claude::said::{INTERRUPTED, joined};
use makima_model::Timestamp;
use std::{collections::HashMap, mem};

/// The most characters of what was first said that are kept.
const MOST: usize = 100_000;

/// What a session file tells of the session as a whole.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// The agent's id of the session, as its newest line has it.
    pub session_id: Option<String>,
    /// What the session is called, where somebody called it something.
    pub title: Option<String>,
    /// What was first said to the agent.
    pub prompt: Option<String>,
    /// The folder that it began in.
    pub folder: Option<String>,
    /// The git branch that it was last on; `None` where HEAD was detached or there is none.
    pub git_branch: Option<String>,
    /// When its first line was written.
    pub started_at: Option<Timestamp>,
    /// When its last line was written.
    pub ended_at: Option<Timestamp>,
    /// How many lines could not be read.
    pub unreadable: u64,
    /// Whether something is said in it; else it is no session, or a subagent's alone.
    pub is_said: bool,
    /// Whether it holds what a subagent said.
    pub is_sidechain: bool,
    /// Where the last line ends of each message of the model, in each of the pieces that the file was cut into.
    ends: HashMap<(u32, String), u64>,
    piece: u32,
}

impl Survey {
    /// Takes a line, and where in the file it ends.
    pub fn take(&mut self, line: &[u8], end: u64) {
        if line.trim_ascii().is_empty() {
            return;
        }
        let Some(line) = Line::read(line) else {
            self.unreadable += 1;
            return;
        };
        if let Some(title) = line.text("summary").or(line.text("customTitle")).or(line.text("aiTitle"))
            && matches!(line.kind(), "summary" | "custom-title" | "ai-title")
        {
            self.title = Some(title.chars().take(200).collect());
        }
        if line.is("isSidechain") {
            self.is_sidechain = true;
            return;
        }
        if let Some(id) = line.message_id() {
            self.ends.insert((self.piece, id.to_owned()), end);
        }
        if let Some(at) = line.at() {
            self.started_at = Some(self.started_at.map_or(at, |before| before.min(at)));
            self.ended_at = Some(self.ended_at.map_or(at, |before| before.max(at)));
        }
        if !line.is_said() {
            return;
        }
        self.is_said = true;
        let told = |name: &str| line.text(name).map(str::to_owned);
        self.session_id = told("sessionId").or(self.session_id.take());
        self.folder = self.folder.take().or_else(|| told("cwd"));
        // A detached HEAD is told as a branch of that name.
        self.git_branch = match line.text("gitBranch") {
            Some(branch) => Some(branch.to_owned()).filter(|branch| branch != "HEAD"),
            None => self.git_branch.take(),
        };
        if self.prompt.is_none() && line.kind() == "user" && !line.is("isMeta") {
            let said = joined(&line.field("message")["content"]);
            let by_somebody = !said.trim().is_empty()
                && !said.starts_with(INTERRUPTED)
                && !said.starts_with('<')
                && !line.is("isCompactSummary");
            self.prompt = by_somebody.then(|| said.chars().take(MOST).collect());
        }
    }

    /// The file ended here when it was read before: a message that goes on behind this is another one.
    pub fn cut(&mut self) {
        self.piece += 1;
    }

    /// Where the messages end.
    pub(super) fn take_ends(&mut self) -> HashMap<(u32, String), u64> {
        mem::take(&mut self.ends)
    }
}
