//! Server-sent events out of a stream of bytes (WHATWG HTML, §9.2).

use crate::http::FeedEvent;
use futures::{Stream, StreamExt, stream};

/// The events of `bytes`, in order. Comments are passed over; the last event is dropped if it was cut off.
pub(crate) fn events<B, E>(
    bytes: impl Stream<Item = Result<B, E>> + Send + 'static,
) -> impl Stream<Item = Result<FeedEvent, E>> + Send
where
    E: Send + 'static,
    B: AsRef<[u8]> + Send + 'static,
{
    let bytes = Box::pin(bytes);
    stream::unfold(
        (bytes, Parser::default(), Vec::new().into_iter()),
        |(mut bytes, mut parser, mut ready)| async {
            loop {
                if let Some(event) = ready.next() {
                    return Some((Ok(event), (bytes, parser, ready)));
                }
                match bytes.next().await? {
                    Ok(chunk) => ready = parser.read(chunk.as_ref()).into_iter(),
                    Err(error) => return Some((Err(error), (bytes, parser, ready))),
                }
            }
        },
    )
}

#[derive(Default)]
struct Parser {
    line: Vec<u8>,
    id: Option<i64>,
    event: String,
    data: Vec<String>,
}

impl Parser {
    fn read(&mut self, chunk: &[u8]) -> Vec<FeedEvent> {
        let mut events = Vec::new();
        for &byte in chunk {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line =
                String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim_end_matches('\r').to_owned();
            events.extend(self.line(&line));
        }
        events
    }

    fn line(&mut self, line: &str) -> Option<FeedEvent> {
        if line.is_empty() {
            let (id, event, data) =
                (self.id.take(), std::mem::take(&mut self.event), std::mem::take(&mut self.data));
            return (!data.is_empty()).then(|| FeedEvent { id, event, data: data.join("\n") });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.id = value.parse().ok(),
            "event" => self.event = value.to_owned(),
            "data" => self.data.push(value.to_owned()),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_the_bytes_are_cut() {
        let text = ": hello\n\nid: 7\nevent: task\ndata: {\"a\":1}\n\nevent: delta\ndata: x\ndata: y\n\nid: 8\ndata: cut";
        let whole = Parser::default().read(text.as_bytes());
        assert_eq!(whole.len(), 2);
        assert_eq!(
            (whole[0].id, whole[0].event.as_str(), whole[0].data.as_str()),
            (Some(7), "task", "{\"a\":1}")
        );
        assert_eq!((whole[1].id, whole[1].data.as_str()), (None, "x\ny"));
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let cut: Vec<FeedEvent> =
                text.as_bytes().chunks(size).flat_map(|chunk| parser.read(chunk)).collect();
            assert_eq!(cut, whole, "{size}");
        }
    }
}
