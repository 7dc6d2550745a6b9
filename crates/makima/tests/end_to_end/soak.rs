//! Many agents at work while whatever they stand on is killed or cut, at random: nothing is lost, nothing is doubled, and
//! nothing grows.

mod chaos;
mod growth;
mod stage;
mod worker;

use crate::lab::until;
use chaos::Chaos;
use growth::Growth;
use makima_testkit::Random;
use stage::Stage;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::LocalSet;
use worker::Worker;

/// How much there is of everything.
struct Size {
    agents: usize,
    daemons: usize,
    /// What an agent says before it has said all.
    steps: usize,
    /// How long an agent takes for a step.
    pace: Duration,
    /// How often something fails.
    faults: usize,
    /// Within which time at the least.
    lasts: Duration,
    /// How much is said between two measurings of what it takes.
    calm: u64,
    /// How often daemons say that they are there, in seconds: silence is noticed after two and a half times that.
    heartbeat: u64,
}

/// Fault: server, daemons, run hosts and agents are killed, one by one and all at once, and connections are cut or left half-open,
/// at random
/// Moment: while a few agents talk and change files
/// Outcome: each message was stored once and in order, each run is a beginning of what its agent had to say, each task can be
/// gone on with to its end, no process is left, and everything agrees with everything
#[tokio::test(flavor = "multi_thread")]
async fn a_few_agents_lose_nothing_whatever_is_killed() {
    let seconds = Duration::from_secs;
    let size = Size {
        agents: 4,
        daemons: 2,
        steps: 12,
        pace: Duration::from_millis(50),
        faults: chaos::ALL,
        lasts: seconds(0),
        calm: 100,
        heartbeat: 1,
    };
    LocalSet::new().run_until(soak(size, 1)).await;
}

/// Fault: server, daemons, run hosts and agents are killed, one by one and all at once, and connections are cut or left half-open,
/// at random
/// Moment: for ten minutes, while fifty agents talk and change files
/// Outcome: the same, and the same work takes the same memory and the same open files
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: ten minutes and more; `make soak` runs it alone"]
async fn fifty_agents_lose_nothing_in_ten_minutes() {
    let size = Size {
        agents: 50,
        daemons: 3,
        steps: 30,
        pace: Duration::from_millis(1000),
        faults: 100,
        lasts: Duration::from_secs(600),
        calm: 3000,
        heartbeat: 10,
    };
    LocalSet::new().run_until(soak(size, 2)).await;
}

async fn soak(size: Size, seed: u64) {
    let began = Instant::now();
    let stage = Arc::new(Stage::set(&size).await);
    let is_over = Arc::new(AtomicBool::new(false));
    let mut workers = Vec::new();
    for number in 0..size.agents {
        workers.push(tokio::task::spawn_local(Worker::new(&stage, number, &is_over).work()));
    }

    let mut chaos = Chaos::new(&stage, Random::new(seed));
    let mut failed = 0;
    while failed < size.faults || began.elapsed() < size.lasts {
        // Something is said between two faults, so that the next one meets another moment.
        let said = stage.said().await;
        until("agents go on after a fault", async || (stage.said().await > said).then_some(())).await;
        chaos.strike().await;
        failed += 1;
    }
    chaos.is_noticed().await;
    stage.stand().await;

    // From here on nothing fails, so the same work must take the same.
    let warm = stage.said().await + size.calm;
    stage.until_said(warm).await;
    let before = Growth::of(&stage);
    stage.until_said(warm + size.calm).await;
    Growth::of(&stage).assert_flat_since(&before);

    is_over.store(true, Ordering::Relaxed);
    let mut said = 0;
    for worker in workers {
        said += worker.await.unwrap();
    }
    eprintln!(
        "{failed} faults ({}), {said} messages checked, {} s",
        chaos.struck(),
        began.elapsed().as_secs()
    );
    drop(chaos);
    Arc::into_inner(stage).expect("nobody else stands on it").clear().await;
}
