//! The scripted agent: a program that plays a scenario instead of asking a model.
//!
//! It does real work: its tools write, edit, read and run in the worktree, it streams, asks, keeps a session and resumes
//! from it. What it says and does depends on the scenario and the conversation alone: no clock, nothing random. So it
//! shows the product without a model, and tests rest on it.
//!
//! # The scenario file
//!
//! A JSON object. An unknown field is an error.
//!
//! ```json
//! {
//!   "scripts": {
//!     "GO-SIMPLE": [
//!       {"content": [
//!         {"type": "text", "text": "I will write the file."},
//!         {"type": "tool_use", "name": "Write", "input": {"file_path": "{{cwd}}/hello.txt", "content": "hello\n"}}]},
//!       {"content": [{"type": "text", "text": "Done."}]}]
//!   },
//!   "default": {"content": [{"type": "text", "text": "I have no script for that."}]},
//!   "vars": {"NAME": "value"}
//! }
//! ```
//!
//! **Which step is played** depends on the conversation alone, so a run may be killed, resumed, rewound or forked: of the last
//! message of a user that holds a key of `scripts`, the key that stands last in it (of two that end there, the longer) names the
//! script; as many of its steps as there are messages of the agent after that message are passed. Past the end, and where no key
//! was said, `default` is played. A step that calls tools is followed by the next one; any other step ends the turn.
//!
//! **A step** has, all optional:
//!
//! | field | what |
//! |---|---|
//! | `content` | blocks: `{"type": "text", "text"}`, `{"type": "thinking", "thinking"}`, `{"type": "tool_use", "name", "input", "id"?}` |
//! | `usage` | `input_tokens` (100), `output_tokens` (20), `cache_read_input_tokens` (0), `cache_creation_input_tokens` (0) |
//! | `cost_usd` | what the step costs |
//! | `delay_s` | seconds before it begins |
//! | `wait_for_file` | waits, before it begins, until this file is there |
//! | `chunk`, `chunk_delay_s` | text is streamed in pieces of so many characters (24), with so many seconds after each (0) |
//! | `garbage` | `true`: writes lines that are no protocol at all, invalid UTF-8 among them, before its content |
//! | `ask` | `{"text", "choices"?, "kind"?: "question" (default) or "permission"}`: asks the owner after its content; the answer is the result of a tool `Ask` |
//! | `error` | `{"status", "type", "message"}`: instead of its content, fails as the model's service would |
//! | `drop_after_chunks` | is cut off by the model's service after so many pieces |
//! | `endless` | `true`: once its content is streamed, it goes on streaming until it is interrupted |
//! | `hang` | `true`: once its content is streamed, it hears nothing more; only a signal ends it |
//! | `exit` | `{"code"}`: once its content is streamed, the program exits in the middle of the message |
//! | `crash` | `true`: once its content is streamed, the program kills itself (SIGKILL) |
//!
//! `stop_reason`, and `side` beside `default`, are taken and mean nothing, so that a scenario of the fake model API plays here too.
//!
//! **Tools**: `Write {file_path, content}`, `Edit {file_path, old_string, new_string, replace_all?}`, `Read {file_path}`,
//! `Bash {command}` (in the worktree), and `AskUserQuestion {questions: [{question, options: [{label}]}]}`. Any other is answered by an error.
//! In the permission mode `ask` the agent asks before `Write`, `Edit` and `Bash`, in `acceptEdits` before `Bash`.
//!
//! **Texts**, tool inputs and `wait_for_file` are filled in: `{{cwd}}` is the worktree, `{{n}}` the number of messages so far, `{{NAME}}` what
//! `vars` says. What has no value stays as it is.

mod adapter;
mod dialogue;
mod history;
mod line;
mod play;
mod scenario;
mod tools;

pub use adapter::Scripted;
pub use play::{PlayError, play};
