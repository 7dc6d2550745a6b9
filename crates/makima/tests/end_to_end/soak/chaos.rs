//! What is let fail.

use super::stage::{Stage, kill};
use crate::lab::until;
use makima_testkit::{FaultProxy, Random, Way};
use std::{collections::BTreeMap, sync::Arc};

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// The server or a daemon is killed.
    Part,
    /// Two of them are, and come back in any order.
    Parts,
    /// A run's host is killed, and its agent stays alone.
    Host,
    /// An agent is killed.
    Agent,
    /// A daemon's connection is cut, in the middle of a frame perhaps.
    Cut,
    /// A daemon's connection is left behind: the daemon connects anew, and what was on its way arrives late.
    LeftBehind,
    /// A daemon's connections are half-open: what goes one way, or either, vanishes, and nobody is told.
    HalfOpen,
    /// Everything is killed, as if the machine had lost power.
    Machine,
}

/// Each as often as it comes before all come again.
const FAULTS: [Fault; 14] = [
    Fault::Part,
    Fault::Part,
    Fault::Part,
    Fault::Parts,
    Fault::Host,
    Fault::Host,
    Fault::Agent,
    Fault::Agent,
    Fault::Cut,
    Fault::Cut,
    Fault::LeftBehind,
    Fault::HalfOpen,
    Fault::HalfOpen,
    Fault::Machine,
];

/// How often something has to fail until everything has.
pub(super) const ALL: usize = FAULTS.len();

/// Lets things fail, in an order that a number decides.
pub(super) struct Chaos {
    stage: Arc<Stage>,
    random: Random,
    /// What comes before all come again.
    left: Vec<Fault>,
    struck: BTreeMap<Fault, usize>,
}

impl Chaos {
    pub(super) fn new(stage: &Arc<Stage>, random: Random) -> Self {
        Self { stage: Arc::clone(stage), random, left: Vec::new(), struck: BTreeMap::new() }
    }

    /// How often each fault was.
    pub(super) fn struck(&self) -> String {
        format!("{:?}", self.struck)
    }

    /// Lets the next thing fail. Afterwards all parts are there again.
    pub(super) async fn strike(&mut self) {
        if self.left.is_empty() {
            self.left.extend(FAULTS);
        }
        let fault = self.left.swap_remove(self.random.below(self.left.len()));
        *self.struck.entry(fault).or_default() += 1;
        let stage = Arc::clone(&self.stage);
        // What was held back by the fault before.
        stage.networks.iter().for_each(FaultProxy::open);
        match fault {
            Fault::Part => {
                let part = self.random.below(stage.parts());
                stage.kill(part);
                stage.start(part);
            }
            Fault::Parts => {
                let (one, other) = (self.random.below(stage.parts()), self.random.below(stage.parts()));
                stage.kill(one);
                stage.kill(other);
                stage.start(other);
                stage.start(one);
            }
            Fault::Host => self.one_of("run-host"),
            Fault::Agent => self.one_of("scripted-agent"),
            Fault::Cut => {
                let (bytes, network) = (self.random.below(20_000), self.random.pick(&stage.networks));
                match self.random.chance(0.5) {
                    true => network.cut_after(Way::Up, bytes),
                    false => network.cut(),
                }
            }
            Fault::LeftBehind => self.random.pick(&stage.networks).leave_behind(),
            Fault::HalfOpen => {
                let network = self.random.pick(&self.stage.networks);
                for way in self.random.pick(&[vec![Way::Up], vec![Way::Down], vec![Way::Up, Way::Down]]) {
                    network.swallow(*way);
                }
            }
            Fault::Machine => {
                // Those that are killed first must not be replaced by those that are killed last.
                (0..stage.parts()).for_each(|part| stage.kill(part));
                stage.processes().into_iter().for_each(kill);
                (0..stage.parts()).for_each(|part| stage.start(part));
            }
        }
    }

    /// Waits until every half-open connection was noticed by one of its ends.
    pub(super) async fn is_noticed(&self) {
        until("half-open connections are noticed", async || {
            self.stage.networks.iter().all(|network| network.half_open() == 0).then_some(())
        })
        .await;
    }

    fn one_of(&mut self, kind: &str) {
        let processes = self.stage.hosted(kind);
        if !processes.is_empty() {
            kill(*self.random.pick(&processes));
        }
    }
}
