//! What an agent has streamed of a message that isn't complete, kept beside the journal lest it go with a host that is
//! killed.
//!
//! It is written and not synced: of what was shown already a killed process takes nothing away, and only a loss of power
//! the last of it. A message that is complete stands in the journal, and nothing of it here. What the disk doesn't take is
//! shown all the same, and written with what comes next: the agent does not wait for it.

use crate::{DaemonError, error::told};
use makima_agents::{Delta, DeltaKind};
use makima_model::{Message, MessageId, MessageRole, Record, Timestamp};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

const FILE: &str = "streamed.jsonl";
/// How much of one message is kept: a stream may have no end.
const MOST: u64 = 4 << 20;

/// The message that is being streamed.
pub(super) struct Streamed {
    path: PathBuf,
    /// `None` until it could be opened.
    file: Option<File>,
    message: Option<MessageId>,
    /// How much of it is written.
    end: u64,
    pending: Vec<u8>,
    /// Whether what is written is of a message before.
    is_old: bool,
    /// Whether a write failed that may have left something behind the end.
    is_torn: bool,
    /// Whether the log has it already that the disk doesn't take it.
    is_told: bool,
}

impl Streamed {
    /// The one in a run's folder, of which nothing is left.
    pub(super) fn open(folder: &Path) -> Self {
        let mut streamed = Self {
            path: folder.join(FILE),
            file: None,
            message: None,
            end: 0,
            pending: Vec::new(),
            is_old: false,
            is_torn: false,
            is_told: false,
        };
        streamed.write();
        streamed
    }

    /// Takes a piece.
    pub(super) fn add(&mut self, delta: &Delta) {
        if self.message != Some(delta.message) {
            self.forget();
            self.message = Some(delta.message);
        }
        let written = if self.is_old { 0 } else { self.end };
        if written + (self.pending.len() as u64) < MOST
            && serde_json::to_writer(&mut self.pending, delta).is_ok()
        {
            self.pending.push(b'\n');
        }
    }

    /// Takes note of a record that will be durable before anything more is [written](Self::write).
    pub(super) fn note(&mut self, record: &Record) {
        let is_over = match record {
            Record::Message { message } => self.message == Some(message.id),
            // What was begun and never came is no part of the conversation.
            Record::TurnEnded(_) => true,
            _ => false,
        };
        if is_over {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.message = None;
        self.pending.clear();
        self.is_old = self.end > 0 || self.is_torn;
    }

    /// Writes what came. Where that fails it is written when more comes, and kept in any case when its message is complete.
    pub(super) fn write(&mut self) {
        if let Err(error) = self.try_write() {
            self.is_torn = true;
            if !std::mem::replace(&mut self.is_told, true) {
                let error = DaemonError::write(&self.path, error);
                tracing::warn!(error = told(&error), "what is being streamed is not kept for now");
            }
        }
    }

    fn try_write(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(open(&self.path)?),
        };
        if self.is_old {
            file.set_len(0)?;
            (self.is_old, self.is_torn, self.end) = (false, false, 0);
        }
        if !self.pending.is_empty() {
            // Over all that a write left behind the end which failed: what it was of is still pending.
            file.write_all_at(&self.pending, self.end)?;
            self.end += self.pending.len() as u64;
            self.pending.clear();
            self.is_torn = false;
        }
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// The message that the host in this folder was being told when it was killed. It may stand in the journal all the same.
pub(crate) fn streamed_in(folder: &Path, at: Timestamp) -> Result<Option<Message>, DaemonError> {
    let path = folder.join(FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(DaemonError::read(path, source)),
    };
    let mut message: Option<Message> = None;
    let pieces =
        bytes.split(|byte| *byte == b'\n').map_while(|line| serde_json::from_slice::<Delta>(line).ok());
    for Delta { message: id, kind, text } in pieces {
        let message = message.get_or_insert_with(|| Message {
            incomplete: true,
            ..Message::said(id, MessageRole::Assistant, "", at)
        });
        match kind {
            DeltaKind::Text => message.content.push_str(&text),
            DeltaKind::Thinking => message.thinking.get_or_insert_default().push_str(&text),
        }
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use makima_model::Clock;
    use makima_testkit::{SmallDisk, with_own_mounts};

    fn piece(message: MessageId, kind: DeltaKind, text: &str) -> Delta {
        Delta { message, kind, text: text.to_owned() }
    }

    fn left(folder: &Path) -> Option<(MessageId, String, Option<String>)> {
        let message = streamed_in(folder, Clock::system().now()).unwrap()?;
        assert!(message.incomplete);
        Some((message.id, message.content, message.thinking))
    }

    #[test]
    fn what_was_streamed_last_is_found_and_what_is_complete_is_not() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(left(folder.path()), None);
        let (first, second): (MessageId, MessageId) = (Clock::system().new_id(), Clock::system().new_id());
        let mut streamed = Streamed::open(folder.path());
        streamed.add(&piece(first, DeltaKind::Thinking, "hm"));
        streamed.add(&piece(first, DeltaKind::Text, "one "));
        streamed.write();
        streamed.add(&piece(first, DeltaKind::Text, "two"));
        streamed.write();
        assert_eq!(left(folder.path()), Some((first, "one two".into(), Some("hm".into()))));
        let message = Message::said(first, MessageRole::Assistant, "one two", Clock::system().now());
        streamed.note(&Record::Message { message });
        streamed.write();
        assert_eq!(left(folder.path()), None);
        streamed.add(&piece(first, DeltaKind::Text, "an attempt that failed"));
        streamed.write();
        streamed.add(&piece(second, DeltaKind::Text, "the next"));
        streamed.write();
        assert_eq!(left(folder.path()), Some((second, "the next".into(), None)));
    }

    /// Fault: the daemon's disk is full
    /// Moment: while a message is streamed
    /// Outcome: what was streamed is kept without a gap once there is room, and nothing of an older message with it
    #[test]
    fn what_finds_no_room_is_written_with_what_comes_when_there_is() {
        with_own_mounts(async {
            let disk = SmallDisk::mount(1 << 20);
            let (first, second): (MessageId, MessageId) =
                (Clock::system().new_id(), Clock::system().new_id());
            disk.fill(64 << 10);
            let mut streamed = Streamed::open(disk.path());
            let long = "x".repeat(100 << 10);
            for text in ["a", &long, "b"] {
                streamed.add(&piece(first, DeltaKind::Text, text));
                streamed.write();
            }
            assert_eq!(left(disk.path()), Some((first, "a".into(), None)));
            disk.make_room();
            streamed.add(&piece(first, DeltaKind::Text, "c"));
            streamed.write();
            assert_eq!(left(disk.path()), Some((first, format!("a{long}bc"), None)));
            disk.fill(0);
            streamed.add(&piece(second, DeltaKind::Text, &long));
            streamed.add(&piece(second, DeltaKind::Text, &long));
            streamed.write();
            let message = Message::said(second, MessageRole::Assistant, "", Clock::system().now());
            streamed.note(&Record::Message { message });
            streamed.write();
            assert_eq!(left(disk.path()), None);
        });
    }

    #[test]
    fn half_a_line_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut streamed = Streamed::open(folder.path());
        let id = Clock::system().new_id();
        streamed.add(&piece(id, DeltaKind::Text, "whole"));
        streamed.add(&piece(id, DeltaKind::Text, "torn"));
        streamed.write();
        let path = folder.path().join(FILE);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        assert_eq!(left(folder.path()), Some((id, "whole".into(), None)));
    }

    #[test]
    fn a_stream_without_an_end_is_kept_to_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let mut streamed = Streamed::open(folder.path());
        let id = Clock::system().new_id();
        let text = "x".repeat(1 << 20);
        for _ in 0..20 {
            streamed.add(&piece(id, DeltaKind::Text, &text));
            streamed.write();
        }
        let kept = fs::metadata(folder.path().join(FILE)).unwrap().len();
        assert!((MOST..2 * MOST).contains(&kept), "{kept}");
    }
}
