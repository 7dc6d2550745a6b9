//! Takes the server's commands, one after the other, in their order.
//!
//! A command that the disk doesn't take is tried again until it does, and those behind it wait; but what needs no disk is
//! carried out all the same: an agent can always be stopped.

use super::Ending;
use crate::{
    commands::{Commands, only_asks},
    trouble::{Held, told_with_advice},
    workshop::Workshop,
};
use makima_model::CommandId;
use makima_wire::frame::{Command, FromDaemon};
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

/// How long to wait before a command is tried again that the disk did not take.
const NEXT_TRY: Duration = Duration::from_secs(1);

/// A command that has come.
pub(super) type Taken = (CommandId, Command);

/// Takes them until the connection ends.
pub(super) async fn take(
    mut come: mpsc::UnboundedReceiver<Taken>,
    workshop: &Workshop,
    commands: &Arc<Commands>,
    answers: mpsc::UnboundedSender<FromDaemon>,
) -> Ending {
    let mut waiting: VecDeque<Taken> = VecDeque::new();
    let mut next_try = Instant::now();
    loop {
        tokio::select! {
            taken = come.recv() => match taken {
                Some(taken) => waiting.push_back(taken),
                None => return Ending::Closed,
            },
            () = tokio::time::sleep_until(next_try), if !waiting.is_empty() => {}
        }
        if Instant::now() < next_try {
            carry_out_those_without_need(&mut waiting, commands).await;
            continue;
        }
        while let Some((id, command)) = waiting.front().cloned() {
            match commands.take(id, command).await {
                Ok(is_kept) => {
                    if is_kept {
                        let _ = answers.send(FromDaemon::Acknowledged { command: id });
                    }
                    waiting.pop_front();
                    workshop.troubles.end(Held::Commands);
                }
                Err(error) => {
                    workshop.troubles.begin(Held::Commands, told_with_advice(&error));
                    next_try = Instant::now() + NEXT_TRY;
                    carry_out_those_without_need(&mut waiting, commands).await;
                    break;
                }
            }
        }
        if waiting.is_empty() {
            workshop.troubles.end(Held::Commands);
        }
    }
}

/// What needs no disk overtakes what waits for one.
async fn carry_out_those_without_need(waiting: &mut VecDeque<Taken>, commands: &Arc<Commands>) {
    let mut starting = BTreeSet::new();
    for (id, command) in std::mem::take(waiting) {
        let needs_none = match &command {
            Command::StartRun(run) => {
                starting.insert(run.run);
                false
            }
            // But not its own start: that would begin what was stopped.
            Command::Stop { run, .. } => !starting.contains(run),
            other => only_asks(other),
        };
        let is_done = needs_none && commands.take_unkept(id, command.clone()).await.is_ok();
        if !is_done {
            waiting.push_back((id, command));
        }
    }
}
