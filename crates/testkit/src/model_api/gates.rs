//! Gates: places in a reply that only the test lets it pass, so that no test guesses times.

use std::collections::HashSet;

use tokio::sync::watch;

#[derive(Debug, Default)]
pub(super) struct Gates {
    open: watch::Sender<HashSet<String>>,
    reached: watch::Sender<HashSet<String>>,
}

impl Gates {
    pub(super) fn open(&self, gate: &str) {
        self.open.send_modify(|open| {
            open.insert(gate.to_owned());
        });
    }

    /// For a reply: comes to the gate and waits until it is open.
    pub(super) async fn pass(&self, gate: &str) {
        self.reached.send_modify(|reached| {
            reached.insert(gate.to_owned());
        });
        holds(&self.open, gate).await;
    }

    /// For a test: waits until a reply has come to the gate.
    pub(super) async fn until_reached(&self, gate: &str) {
        holds(&self.reached, gate).await;
    }
}

async fn holds(names: &watch::Sender<HashSet<String>>, gate: &str) {
    // Fails only when the sender is gone, which the borrow excludes.
    let _ = names.subscribe().wait_for(|names| names.contains(gate)).await;
}
