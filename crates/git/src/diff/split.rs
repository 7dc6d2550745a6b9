//! Takes apart what one `diff-tree -z --raw --numstat -p` writes: the records and numbers are held, the patch goes on.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use super::PatchWritten;

/// What the records of a million files come to, and some more.
const LARGEST_HEAD: usize = 1 << 29;

/// Where `diff-tree` writes to.
pub(super) struct Split<'a> {
    /// Records and numbers, with the empty field after them.
    pub(super) head: Vec<u8>,
    /// Bytes of the patch that went on.
    bytes: u64,
    /// Whether there was more of the patch than the limit lets on. The write that found it failed.
    pub(super) is_cut: bool,
    ended: bool,
    fields: Fields,
    limit: u64,
    patch: &'a mut (dyn AsyncWrite + Unpin + Send),
}

impl<'a> Split<'a> {
    pub(super) fn new(patch: &'a mut (dyn AsyncWrite + Unpin + Send), limit: Option<u64>) -> Self {
        let limit = limit.unwrap_or(u64::MAX);
        let (head, fields) = (Vec::new(), Fields::default());
        Self { head, bytes: 0, is_cut: false, ended: false, fields, limit, patch }
    }

    /// For a `diff-tree -p` that writes nothing before the patch.
    pub(super) fn of_patch_alone(patch: &'a mut (dyn AsyncWrite + Unpin + Send), limit: Option<u64>) -> Self {
        Self { ended: true, ..Self::new(patch, limit) }
    }

    /// How much of the patch went on.
    pub(super) fn written(&self) -> PatchWritten {
        PatchWritten { bytes: self.bytes, truncated: self.is_cut }
    }

    /// How much of `bytes` belongs to the head.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        if let Some(end) = self.fields.end(&self.head) {
            self.head.truncate(end);
            self.ended = true;
        }
        self.head.len() - before
    }
}

impl AsyncWrite for Split<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.ended {
            let taken = self.take(bytes);
            let is_too_large = self.head.len() > LARGEST_HEAD;
            return Poll::Ready(if is_too_large {
                Err(io::ErrorKind::FileTooLarge.into())
            } else {
                Ok(taken)
            });
        }
        let room = usize::try_from(self.limit - self.bytes).unwrap_or(usize::MAX);
        let bytes = &bytes[..bytes.len().min(room)];
        if bytes.is_empty() {
            self.is_cut = true;
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        let written = ready!(Pin::new(&mut *self.patch).poll_write(context, bytes))?;
        self.bytes += written as u64;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.patch).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.patch).poll_shutdown(context)
    }
}

/// How far the records have been read.
#[derive(Default)]
struct Fields {
    at: usize,
    /// Names that follow and are no records.
    names: usize,
}

impl Fields {
    /// Where the records end in `head`, which has grown since the last call.
    fn end(&mut self, head: &[u8]) -> Option<usize> {
        while let Some(length) = head[self.at..].iter().position(|b| *b == 0) {
            let field = &head[self.at..self.at + length];
            self.at += length + 1;
            if self.names > 0 {
                self.names -= 1;
            } else if field.is_empty() {
                return Some(self.at);
            } else if field.starts_with(b":") {
                let letter = field.rsplit(|b| *b == b' ').next().and_then(|status| status.first());
                self.names = if letter == Some(&b'R') { 2 } else { 1 };
            } else if field.splitn(3, |b| *b == b'\t').nth(2) == Some(b"") {
                // A rename: its two names follow.
                self.names = 2;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    const HEAD: &[u8] = b":100644 100644 a b M\0:x\ty\t\0:100644 100644 a b R090\0old\0new\n\xff\0\
        1\t2\t:x\ty\t\x003\t0\t\0old\0new\n\xff\0\0";

    async fn written(all: &[u8], piece: usize, limit: Option<u64>) -> (Vec<u8>, Vec<u8>, bool) {
        let mut patch = Vec::new();
        let mut split = Split::new(&mut patch, limit);
        for piece in all.chunks(piece) {
            if split.write_all(piece).await.is_err() {
                break;
            }
        }
        let (head, is_cut) = (std::mem::take(&mut split.head), split.is_cut);
        (head, patch, is_cut)
    }

    #[tokio::test]
    async fn it_is_taken_apart_wherever_a_piece_ends() {
        let all = [HEAD, b"diff --git a/\0 b/\0\n\0\0"].concat();
        for piece in 1..=all.len() {
            let (head, patch, is_cut) = written(&all, piece, None).await;
            assert_eq!((&head[..], &patch[..], is_cut), (HEAD, &all[HEAD.len()..], false), "{piece}");
        }
    }

    #[tokio::test]
    async fn only_the_patch_is_cut_and_only_above_the_limit() {
        let all = [HEAD, b"0123456789"].concat();
        for piece in [1, 7, all.len()] {
            let (head, patch, is_cut) = written(&all, piece, Some(4)).await;
            assert_eq!((&head[..], &patch[..], is_cut), (HEAD, &b"0123"[..], true));
            let (_, patch, is_cut) = written(&all, piece, Some(10)).await;
            assert_eq!((&patch[..], is_cut), (&b"0123456789"[..], false));
        }
    }
}
