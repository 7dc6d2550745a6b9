//! Faults one after the other, as a seed says.

use super::{FaultProxy, Way};
use crate::Random;
use std::time::Duration;
use tokio::time::sleep;

/// Which faults there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Faults {
    /// Those that both ends notice at once, or that pass.
    Noticed,
    /// Half-open connections as well, which are noticed by silence alone.
    All,
}

impl FaultProxy {
    /// Disturbs the connections so often. Afterwards all is open again.
    pub async fn disturb(&self, random: &mut Random, times: usize, faults: Faults) {
        let kinds = match faults {
            Faults::Noticed => 6,
            Faults::All => 7,
        };
        for _ in 0..times {
            let way = if random.chance(0.5) { Way::Up } else { Way::Down };
            // How long a fault lasts is a part of it.
            let lasts = Duration::from_millis(20 + random.below(300) as u64);
            match random.below(kinds) {
                0 => self.cut(),
                1 => self.close(),
                2 => self.hold(way),
                3 => self.slow(way, 1 + random.below(200), Duration::from_millis(1)),
                4 => self.cut_after(way, 1 + random.below(20_000)),
                5 => {
                    self.hold(Way::Up);
                    sleep(lasts).await;
                    let connections = self.count();
                    self.leave_behind();
                    self.connected(connections + 1).await;
                }
                _ => self.swallow(way),
            }
            sleep(lasts).await;
            self.open();
        }
    }
}
