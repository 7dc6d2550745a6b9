//! How the conversation grows out of what Claude Code streams and says.

use super::{Talk, of_subagent};
use crate::{
    Act, Delta, DeltaKind,
    claude::{
        draft::Draft,
        said::{self, INTERRUPTED, NOTHING, SYNTHETIC, joined, text},
    },
};
use makima_model::{Message, MessageRole, Record};
use serde_json::Value;

impl Talk {
    pub(super) fn streamed(&mut self, event: &Value) {
        match text(&event["type"]) {
            "message_start" => self.begins(&event["message"], true),
            "content_block_start" => {
                if let Some(draft) = self.streaming() {
                    draft.begins(&event["content_block"]);
                }
            }
            "content_block_delta" => {
                let Some(draft) = self.streaming() else { return };
                let id = draft.id;
                let delta = &event["delta"];
                let (kind, piece) = match text(&delta["type"]) {
                    "text_delta" => (DeltaKind::Text, text(&delta["text"])),
                    "thinking_delta" => (DeltaKind::Thinking, text(&delta["thinking"])),
                    _ => return,
                };
                match kind {
                    DeltaKind::Text => draft.says(piece),
                    DeltaKind::Thinking => draft.thinks(piece),
                }
                if !piece.is_empty() {
                    self.out.push(Act::Delta(Delta { message: id, kind, text: piece.to_owned() }));
                }
            }
            "message_delta" => {
                if let Some(draft) = self.streaming() {
                    draft.used(&event["usage"]);
                }
            }
            "message_stop" if self.streaming().is_some() => self.close(false),
            _ => {}
        }
    }

    fn streaming(&mut self) -> Option<&mut Draft> {
        self.draft.as_mut().filter(|draft| draft.streamed)
    }

    /// A message of the model begins.
    fn begins(&mut self, message: &Value, streamed: bool) {
        self.close_other();
        self.turns.begin();
        let draft = Draft::new(self.clock.new_id(), message, streamed);
        self.mirror.expect(&draft.native);
        self.draft = Some(draft);
    }

    /// Something else begins: a draft that isn't streamed is complete, one that is was given up.
    fn close_other(&mut self) {
        match &self.draft {
            // An attempt of which nothing was recorded is made again as another message.
            Some(draft) if draft.streamed && !draft.is_recorded() => {
                self.mirror.forget(&draft.native);
                self.draft = None;
                self.release();
            }
            Some(draft) => {
                let incomplete = draft.streamed;
                self.close(incomplete);
            }
            None => {}
        }
    }

    /// The draft is what it will be: a message, and after it what was held back for it.
    fn close(&mut self, incomplete: bool) {
        if let Some(draft) = self.draft.take() {
            let (native, usage) = (draft.native.clone(), draft.usage());
            self.turns.used(usage);
            match draft.finished(self.clock.now(), incomplete) {
                Some(message) => {
                    for call in &message.tool_calls {
                        self.turns.called(&call.name);
                        self.mirror.expect(&call.id);
                    }
                    self.tell(message, &[native]);
                }
                None => self.mirror.forget(&native),
            }
        }
        self.release();
    }

    /// Nothing more of the draft will come. Only one that is streamed says when it is complete.
    pub(super) fn cut_off(&mut self) {
        let incomplete = self.streaming().is_some();
        self.close(incomplete);
    }

    fn release(&mut self) {
        for (message, names) in std::mem::take(&mut self.held) {
            self.tell(message, &names);
        }
    }

    /// A message of the conversation, and what it is known by in the program's own record.
    pub(super) fn tell(&mut self, message: Message, names: &[String]) {
        let id = message.id;
        self.record(Record::Message { message });
        for name in names.iter().filter(|name| !name.is_empty()) {
            self.mirror.known(name, id);
        }
        let native = self.mirror.sorted(false);
        self.out.extend(native.into_iter().map(Act::Record));
    }

    /// As [`tell`](Self::tell), but never before the message that is being said.
    fn tell_after(&mut self, message: Message, names: Vec<String>) {
        if self.draft.is_some() {
            self.held.push((message, names));
        } else {
            self.tell(message, &names);
        }
    }

    pub(super) fn assistant(&mut self, line: &Value) {
        let uuid = text(&line["uuid"]).to_owned();
        if of_subagent(line) || self.was_told(&uuid) {
            return;
        }
        let message = &line["message"];
        if message["model"] == SYNTHETIC {
            self.error = line["error"].as_str().map(str::to_owned).or(self.error.take());
            self.close_other();
            let said = joined(&message["content"]);
            if !said.is_empty() && said != NOTHING {
                let message = self.of_program(&said);
                self.tell(message, &[text(&line["message"]["id"]).to_owned(), uuid]);
            }
            return;
        }
        let native = text(&message["id"]);
        if self.draft.as_ref().is_none_or(|draft| draft.native != native) {
            self.begins(message, false);
        }
        let Some(draft) = &mut self.draft else { return };
        draft.used(&message["usage"]);
        for block in message["content"].as_array().into_iter().flatten() {
            draft.is(block);
            if block["type"] == "tool_use" {
                self.calls.insert(text(&block["id"]).to_owned(), text(&block["name"]).to_owned());
                self.mirror.expect(text(&block["id"]));
            }
        }
    }

    /// What the program says in the user's name: results of tools, above all.
    pub(super) fn user(&mut self, line: &Value) {
        let uuid = text(&line["uuid"]).to_owned();
        if of_subagent(line) || line["isReplay"] == true || self.was_told(&uuid) {
            return;
        }
        let content = &line["message"]["content"];
        let blocks = content.as_array().map_or(&[][..], Vec::as_slice);
        for block in blocks.iter().filter(|block| block["type"] == "tool_result") {
            self.result_of_tool(block, &uuid);
        }
        let said = joined(content);
        if said.is_empty() {
            return;
        }
        if let Some(boundary) = self.compaction.take() {
            self.compacted(boundary, Some((&said, uuid)));
            return;
        }
        if said.starts_with(INTERRUPTED) {
            // The model was cut off: of what it was saying no more will come.
            self.cut_off();
        }
        let message = self.of_program(&said);
        self.tell_after(message, vec![uuid]);
    }

    fn result_of_tool(&mut self, block: &Value, uuid: &str) {
        let call = text(&block["tool_use_id"]).to_owned();
        let tool = self.calls.remove(&call);
        let message = said::tool_result(block, self.clock.new_id(), tool, self.clock.now());
        self.tell_after(message, vec![call, uuid.to_owned()]);
    }

    /// The conversation goes on from a summary.
    pub(super) fn compacted(&mut self, boundary: String, summary: Option<(&str, String)>) {
        self.close_other();
        let (summary, uuid) = summary.unzip();
        let names: Vec<String> = std::iter::once(boundary).chain(uuid).collect();
        let message = self.of_program(&said::compacted(summary));
        self.tell(message, &names);
    }

    fn of_program(&self, said: &str) -> Message {
        Message::said(self.clock.new_id(), MessageRole::System, said, self.clock.now())
    }

    fn was_told(&mut self, uuid: &str) -> bool {
        !uuid.is_empty() && !self.told.insert(uuid.to_owned())
    }
}
