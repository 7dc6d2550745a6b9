//! A long session of Claude Code, line by line of the shape that 2.1.197 writes: 5,000 messages in turns of some forty. Most are short, a
//! few are whole files.

use super::{Recorder, Session};
use crate::content::Author;
use serde_json::{Value, json};

const TURNS: usize = 120;
/// Messages of the model in a turn; each but the last calls a tool.
const STEPS: usize = 21;
const TIME: &str = "2026-11-20T20:43:47.229Z";

/// Plays it through the adapter. The same in every run, but for times and the ids that are ours.
pub(crate) fn long() -> Session {
    let mut program = Program::new();
    for turn in 0..TURNS {
        program.turn(turn);
    }
    program.recorder.finish()
}

/// The program's side.
struct Program {
    author: Author,
    recorder: Recorder,
    session: String,
    prompt: String,
    /// The uuid of the last line of the conversation.
    parent: Option<String>,
    /// Lines of its own record that are not mirrored yet.
    unmirrored: Vec<Value>,
}

/// A tool's call and what comes of it.
struct Step {
    tool: &'static str,
    input: Value,
    result: String,
    details: Value,
}

impl Program {
    fn new() -> Self {
        let mut author = Author::new(8);
        let mut recorder = Recorder::new();
        recorder.open();
        let (session, prompt) = (author.uuid(), author.uuid());
        Self { author, recorder, session, prompt, parent: None, unmirrored: Vec::new() }
    }

    fn turn(&mut self, turn: usize) {
        let size = self.author.random.size(300.0, 0.9, 20, 8_000);
        let said = self.author.prose(size);
        self.prompt = self.author.uuid();
        let id = self.recorder.say(&said).to_string();
        self.write(json!({"type": "system", "subtype": "init", "cwd": "/home/dev/w", "session_id": self.session,
            "tools": TOOLS, "mcp_servers": [], "model": MODEL, "permissionMode": "bypassPermissions",
            "slash_commands": COMMANDS, "apiKeySource": "ANTHROPIC_API_KEY", "claude_code_version": "2.1.197",
            "output_style": "default", "agents": AGENTS, "skills": COMMANDS, "plugins": [],
            "memory_paths": {"auto": "/home/dev/home/cfg/projects/-home-dev-w/memory/"}, "fast_mode_state": "off"}));
        for operation in ["enqueue", "dequeue"] {
            let mut line = json!({"type": "queue-operation", "operation": operation, "timestamp": TIME,
                "sessionId": self.session});
            if operation == "enqueue" {
                line["content"] = json!(said);
            }
            self.unmirrored.push(line);
        }
        self.own(
            Some(id),
            "user",
            json!({"role": "user", "content": said}),
            json!({"permissionMode":
            "bypassPermissions", "promptSource": "sdk", "promptId": self.prompt}),
        );
        if turn == 0 {
            for size in [1_600, 4_800] {
                let content = self.author.prose(size);
                self.own(
                    None,
                    "attachment",
                    Value::Null,
                    json!({"attachment": {"type": "skill_listing", "content": content}}),
                );
            }
        }
        for step in 0..STEPS {
            let call = (step + 1 < STEPS).then(|| self.step());
            self.message(call);
        }
        self.ends();
    }

    /// A message of the model, and the result of the tool that it calls.
    fn message(&mut self, call: Option<Step>) {
        let id = format!("msg_{}", self.author.digits(20));
        let tool = format!("toolu_{}", self.author.digits(22));
        let (model, session) = ("claude-opus-4-8", self.session.clone());
        let read = 4_000 + self.author.random.below(120_000);
        let usage = |written: usize| {
            json!({"input_tokens": 12, "output_tokens": written,
            "cache_read_input_tokens": read, "cache_creation_input_tokens": 900})
        };
        let written = 40 + self.author.random.below(900);
        self.write(json!({"type": "system", "subtype": "status", "status": "requesting",
            "session_id": session}));
        self.streamed(
            json!({"type": "message_start", "message": {"id": id, "type": "message", "role": "assistant",
            "model": model, "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage(1)}}),
        );
        let mut blocks = Vec::new();
        if self.author.random.chance(0.3) {
            let size = self.author.random.size(350.0, 0.9, 40, 6_000);
            let signature = self.author.digits(340);
            blocks.push(
                json!({"type": "thinking", "thinking": self.author.prose(size), "signature": signature}),
            );
        }
        if call.is_none() || self.author.random.chance(0.55) {
            let size = self.author.random.size(if call.is_none() { 900.0 } else { 160.0 }, 0.9, 15, 12_000);
            blocks.push(json!({"type": "text", "text": self.author.prose(size)}));
        }
        if let Some(Step { tool: name, input, .. }) = &call {
            blocks.push(json!({"type": "tool_use", "name": name, "input": input, "id": tool}));
        }
        let stop = if call.is_some() { "tool_use" } else { "end_turn" };
        let mut last = String::new();
        for block in &blocks {
            let uuid = self.author.uuid();
            self.write(json!({"type": "assistant", "message": {"id": id, "type": "message", "role": "assistant",
                "model": model, "content": [block], "stop_reason": null, "stop_sequence": null, "usage": usage(1),
                "context_management": null}, "parent_tool_use_id": null, "session_id": session, "uuid": uuid}));
            let message = json!({"id": id, "type": "message", "role": "assistant", "model": model, "content": [block],
                "stop_reason": stop, "stop_sequence": null, "usage": {"input_tokens": 12,
                "cache_creation_input_tokens": 900, "cache_read_input_tokens": read, "output_tokens": written,
                "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0}, "service_tier": "standard",
                "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 900},
                "inference_geo": "", "iterations": [], "speed": "standard"}, "stop_details": null});
            last.clone_from(&uuid);
            self.own(Some(uuid), "assistant", message, json!({}));
        }
        self.streamed(json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null},
            "usage": usage(written)}));
        self.streamed(json!({"type": "message_stop"}));
        if let Some(Step { result, details, .. }) = call {
            let uuid = self.author.uuid();
            let message = json!({"role": "user", "content": [{"tool_use_id": tool, "type": "tool_result",
                "content": result, "is_error": false}]});
            self.write(
                json!({"type": "user", "message": message, "parent_tool_use_id": null, "session_id": session,
                "uuid": uuid, "timestamp": TIME, "tool_use_result": details}),
            );
            self.own(
                Some(uuid),
                "user",
                message,
                json!({"toolUseResult": details, "promptId": self.prompt,
                "sourceToolAssistantUUID": last}),
            );
        }
        self.mirror();
    }

    fn step(&mut self) -> Step {
        let path = format!("/home/dev/w/{}", self.author.path());
        let bulk = self.author.random.size(2_300.0, 2.0, 60, 112_000);
        match self.author.random.below(20) {
            0..=6 => {
                let content = self.author.code(bulk);
                let lines = content.lines().count();
                let numbered: Vec<String> =
                    (1..).zip(content.lines()).map(|(n, line)| format!("{n}\t{line}")).collect();
                Step {
                    tool: "Read",
                    input: json!({"file_path": path}),
                    result: numbered.join("\n"),
                    details: json!({"type": "text", "file": {"filePath": path, "content": content,
                        "numLines": lines, "startLine": 1, "totalLines": lines}}),
                }
            }
            7..=14 => {
                // Longer output is cut by the program itself.
                let output = self.author.output(bulk.min(30_000));
                let command = format!("cd /home/dev/w && cargo {}", self.author.prose(60));
                let description = self.author.prose(40);
                Step {
                    tool: "Bash",
                    input: json!({"command": command, "description": description}),
                    result: output.clone(),
                    details: json!({"stdout": output, "stderr": "", "interrupted": false, "isImage": false,
                        "noOutputExpected": false}),
                }
            }
            15..=17 => {
                let (before, after) = (
                    self.author.random.size(280.0, 1.0, 20, 6_000),
                    self.author.random.size(380.0, 1.0, 20, 9_000),
                );
                let (before, after) = (self.author.code(before), self.author.code(after));
                let file = self.author.code(bulk.max(2_000)) + &before;
                let lines: Vec<String> = before
                    .lines()
                    .map(|line| format!("-{line}"))
                    .chain(after.lines().map(|line| format!("+{line}")))
                    .collect();
                Step {
                    tool: "Edit",
                    input: json!({"replace_all": false, "file_path": path, "old_string": before, "new_string": after}),
                    result: format!(
                        "The file {path} has been updated successfully. (file state is current in your context — no need to Read it back)"
                    ),
                    details: json!({"filePath": path, "oldString": before, "newString": after, "originalFile": file,
                        "structuredPatch": [{"oldStart": 40, "oldLines": before.lines().count(), "newStart": 40,
                        "newLines": after.lines().count(), "lines": lines}], "userModified": false,
                        "replaceAll": false}),
                }
            }
            _ => {
                let content = self.author.code(bulk);
                Step {
                    tool: "Write",
                    input: json!({"file_path": path, "content": content}),
                    result: format!(
                        "File created successfully at: {path} (file state is current in your context — no need to Read it back)"
                    ),
                    details: json!({"type": "create", "filePath": path, "content": content, "structuredPatch": [],
                        "originalFile": null, "userModified": false}),
                }
            }
        }
    }

    fn ends(&mut self) {
        let leaf = self.parent.clone();
        self.unmirrored.push(json!({"type": "last-prompt", "lastPrompt": "as before", "leafUuid": leaf,
            "sessionId": self.session}));
        let usage = json!({"input_tokens": 252, "cache_creation_input_tokens": 18_900, "cache_read_input_tokens": 900_000,
            "output_tokens": 9_000, "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
            "service_tier": "standard", "cache_creation": {"ephemeral_1h_input_tokens": 0,
            "ephemeral_5m_input_tokens": 18_900}, "inference_geo": "", "iterations": [], "speed": "standard"});
        let result = self.author.prose(600);
        self.write(json!({"type": "result", "subtype": "success", "is_error": false, "api_error_status": null,
            "duration_ms": 276_000, "duration_api_ms": 103_000, "num_turns": STEPS, "result": result,
            "stop_reason": "end_turn", "session_id": self.session, "total_cost_usd": 0.75, "usage": usage,
            "modelUsage": {MODEL: {"inputTokens": 252, "outputTokens": 9_000, "cacheReadInputTokens": 900_000,
            "cacheCreationInputTokens": 18_900, "webSearchRequests": 0, "costUSD": 0.75, "contextWindow": 1_000_000,
            "maxOutputTokens": 64_000}}, "permission_denials": [], "terminal_reason": "completed",
            "fast_mode_state": "off"}));
        self.mirror();
    }

    /// A line of its standard output. Each but a mirror frame has an id of its own.
    fn write(&mut self, mut line: Value) {
        if line["type"] != "transcript_mirror" && line["uuid"].is_null() {
            line["uuid"] = self.author.uuid().into();
        }
        self.recorder.read(typed_first(&line).as_bytes());
    }

    /// A piece of a message that is not complete.
    fn streamed(&mut self, event: Value) {
        self.write(json!({"type": "stream_event", "event": event, "session_id": self.session,
            "parent_tool_use_id": null}));
    }

    /// A line of its own record that is part of the conversation.
    fn own(&mut self, uuid: Option<String>, kind: &str, message: Value, more: Value) {
        let uuid = uuid.unwrap_or_else(|| self.author.uuid());
        let mut line = json!({"parentUuid": self.parent, "isSidechain": false, "type": kind, "uuid": uuid,
            "timestamp": TIME, "userType": "external", "entrypoint": "sdk-cli", "cwd": "/home/dev/w",
            "sessionId": self.session, "version": "2.1.197", "gitBranch": "makima/one-0a1b2c3d"});
        if !message.is_null() {
            line["message"] = message;
        }
        for (name, value) in more.as_object().into_iter().flatten() {
            line[name] = value.clone();
        }
        self.parent = Some(uuid);
        self.unmirrored.push(line);
    }

    fn mirror(&mut self) {
        let entries = std::mem::take(&mut self.unmirrored);
        let path = format!("/home/dev/home/cfg/projects/-home-dev-w/{}.jsonl", self.session);
        self.write(json!({"type": "transcript_mirror", "filePath": path, "entries": entries}));
    }
}

/// The line as JSON, with its type before everything else, as the program writes it.
fn typed_first(line: &Value) -> String {
    let rest = match line {
        Value::Object(fields) => {
            let rest = fields.iter().filter(|(name, _)| *name != "type");
            Value::Object(rest.map(|(name, value)| (name.clone(), value.clone())).collect()).to_string()
        }
        other => other.to_string(),
    };
    format!("{{\"type\":{},{}", line["type"], &rest[1..])
}

const MODEL: &str = "claude-opus-4-8[1m]";
const AGENTS: [&str; 5] = ["claude", "Explore", "general-purpose", "Plan", "statusline-setup"];
const TOOLS: [&str; 27] = [
    "Task",
    "AskUserQuestion",
    "Bash",
    "CronCreate",
    "CronDelete",
    "CronList",
    "Edit",
    "EnterPlanMode",
    "EnterWorktree",
    "ExitPlanMode",
    "ExitWorktree",
    "NotebookEdit",
    "Read",
    "ReportFindings",
    "ScheduleWakeup",
    "SendMessage",
    "Skill",
    "TaskCreate",
    "TaskGet",
    "TaskList",
    "TaskOutput",
    "TaskStop",
    "TaskUpdate",
    "WebFetch",
    "WebSearch",
    "Workflow",
    "Write",
];
const COMMANDS: [&str; 14] = [
    "deep-research",
    "update-config",
    "verify",
    "debug",
    "code-review",
    "simplify",
    "batch",
    "fewer-permission-prompts",
    "loop",
    "claude-api",
    "run",
    "run-skill-generator",
    "clear",
    "compact",
];
