//! What Claude Code tells beside the conversation.

use super::Talk;
use crate::claude::{
    failure::{self, cut},
    said::text,
};
use makima_model::{AgentFailure, NoticeLevel, Record};
use serde_json::Value;

impl Talk {
    pub(super) fn system(&mut self, line: &Value) {
        match text(&line["subtype"]) {
            "init" => self.init(line),
            "compact_boundary" => self.compaction = Some(text(&line["uuid"]).to_owned()),
            "api_retry" => self.retries(line),
            "task_started" => {
                let notice = format!("A subagent begins: {}", cut(text(&line["description"])));
                self.notice(NoticeLevel::Info, notice, None);
            }
            "task_notification" => {
                let (status, summary) = (text(&line["status"]), cut(text(&line["summary"])));
                self.notice(NoticeLevel::Info, format!("A subagent ended, {status}: {summary}"), None);
            }
            "background_tasks_changed" => {
                self.background = line["tasks"].as_array().map_or(0, Vec::len);
            }
            _ => {}
        }
    }

    /// Comes at the begin of each turn, also of one that the program begins by itself.
    fn init(&mut self, line: &Value) {
        self.turns.begin();
        let session = text(&line["session_id"]).to_owned();
        let word = |value: &Value| value.as_str().map(str::to_owned);
        let now = (session, word(&line["model"]));
        if !now.0.is_empty() && self.session.as_ref() != Some(&now) {
            let (session_id, model) = now.clone();
            self.session = Some(now);
            self.record(Record::Session { session_id, version: word(&line["claude_code_version"]), model });
        }
        if !std::mem::replace(&mut self.warned_of_servers, true) {
            let servers = line["mcp_servers"].as_array().into_iter().flatten();
            let failed: Vec<&str> = servers
                .filter(|server| server["status"] == "failed")
                .map(|server| text(&server["name"]))
                .collect();
            if !failed.is_empty() {
                let notice = format!("These tool servers could not be started: {}", failed.join(", "));
                self.notice(NoticeLevel::Warning, notice, None);
            }
        }
    }

    fn retries(&mut self, line: &Value) {
        let (attempt, most) = (&line["attempt"], &line["max_retries"]);
        let seconds = line["retry_delay_ms"].as_f64().unwrap_or(0.0) / 1000.0;
        let word = text(&line["error"]);
        let status = line["error_status"].as_u64();
        let what = status.map_or_else(|| word.to_owned(), |status| format!("{status} {word}"));
        let message =
            format!("The model's service failed ({what}); try {attempt} of {most} in {seconds:.1} s");
        let kind = failure::kind(word, status);
        let failure = AgentFailure { kind, message: message.clone(), resets_at: None };
        self.notice(NoticeLevel::Warning, message, Some(failure));
    }

    pub(super) fn limited(&mut self, line: &Value) {
        let info = &line["rate_limit_info"];
        let status = text(&info["status"]);
        let new = self.limit_status.replace(status.to_owned()).as_deref() != Some(status);
        match status {
            "rejected" if info["isUsingOverage"] != true => {
                let limit = failure::of_limit(info);
                self.limit = Some(limit.clone());
                if new {
                    self.notice(NoticeLevel::Error, limit.message.clone(), Some(limit));
                }
            }
            "allowed_warning" if new => {
                self.notice(
                    NoticeLevel::Warning,
                    "The subscription's limit is nearly used up".to_owned(),
                    None,
                );
            }
            _ => {}
        }
    }
}
