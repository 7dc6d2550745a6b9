//! Plays a step over an open connection: pace, gates, and connections that break.

use std::{io, sync::Arc, time::Duration};

use axum::body::{Body, Bytes};
use futures::stream;
use tokio::{sync::mpsc, task};

use super::{Shared, Step};

/// A stream that its reader has left, or that the step cuts.
pub(super) struct Ended;

/// Sends the events of one reply.
pub(super) struct Player {
    shared: Arc<Shared>,
    step: Step,
    chunks: usize,
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl Player {
    /// A player of `step`, and the body that it fills.
    pub(super) fn new(shared: Arc<Shared>, step: Step) -> (Self, Body) {
        let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(1);
        let stream = stream::unfold(receiver, async |mut receiver| {
            let sent = receiver.recv().await?;
            if sent.is_err() {
                // What was sent before must be on the wire when the connection breaks: hyper writes while we are not ready.
                task::yield_now().await;
            }
            Some((sent, receiver))
        });
        (Self { shared, step, chunks: 0, sender }, Body::from_stream(stream))
    }

    /// Sends what belongs to no chunk.
    pub(super) async fn send(&self, event: String) -> Result<(), Ended> {
        self.sender.send(Ok(event.into())).await.map_err(|_| Ended)
    }

    /// Sends a text in chunks, each as the event that `event` makes of it.
    pub(super) async fn send_chunks(
        &mut self,
        text: &str,
        event: impl Fn(&str) -> String,
    ) -> Result<(), Ended> {
        let characters: Vec<char> = text.chars().collect();
        for chunk in characters.chunks(self.step.chunk.unwrap_or(24).max(1)) {
            self.before_chunk().await?;
            self.send(event(&chunk.iter().collect::<String>())).await?;
            self.chunks += 1;
            pause(self.step.chunk_delay_s).await;
        }
        Ok(())
    }

    /// Lets a gate or a cut behind the last chunk still happen.
    pub(super) async fn end_chunks(&mut self) -> Result<(), Ended> {
        self.before_chunk().await
    }

    async fn before_chunk(&mut self) -> Result<(), Ended> {
        if self.chunks >= self.step.gate_after_chunks
            && let Some(gate) = self.step.gate.take()
        {
            tokio::select! {
                () = self.shared.gates.pass(&gate) => {}
                () = self.sender.closed() => return Err(Ended),
            }
        }
        if self.step.drop_after_chunks.is_some_and(|chunks| self.chunks >= chunks) {
            let cut =
                io::Error::new(io::ErrorKind::ConnectionAborted, "the scenario cuts the connection here");
            // The reader may have left before it is cut.
            let _ = self.sender.send(Err(cut)).await;
            return Err(Ended);
        }
        Ok(())
    }
}

/// Waits as a scenario says.
pub(super) async fn pause(seconds: f64) {
    // What is no duration (negative, not a number) is no pause.
    if let Ok(duration) = Duration::try_from_secs_f64(seconds)
        && !duration.is_zero()
    {
        tokio::time::sleep(duration).await;
    }
}
