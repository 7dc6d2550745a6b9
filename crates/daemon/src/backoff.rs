//! How long to wait before the next try: longer each time, and never as long as anybody else.

use makima_model::{Clock, CommandId};
use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(500);
/// Shorter than a server that has just started waits for its daemons before it gives up their runs.
const LONGEST: Duration = Duration::from_secs(20);

pub(crate) struct Backoff {
    clock: Clock,
    tries: u32,
}

impl Backoff {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, tries: 0 }
    }

    /// The next pause: a random part of the second half of what it may be at most.
    pub(crate) fn next(&mut self) -> Duration {
        let most = SHORTEST.saturating_mul(1 << self.tries.min(10)).min(LONGEST);
        self.tries += 1;
        // The end of a fresh id is random.
        let random = (self.clock.new_id::<CommandId>().uuid().as_u128() & 0xffff) as u32;
        most / 2 + (most / 2).mul_f64(f64::from(random) / f64::from(0xffff))
    }

    /// It worked: the next pause is short again.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit_and_differ() {
        let mut backoff = Backoff::new(Clock::system());
        let pauses: Vec<Duration> = (0..50).map(|_| backoff.next()).collect();
        assert!(pauses[0] <= SHORTEST && pauses[0] >= SHORTEST / 2);
        assert!(pauses[10..].iter().all(|pause| *pause <= LONGEST && *pause >= LONGEST / 2));
        assert!(pauses[10..].windows(2).any(|two| two[0] != two[1]));
        backoff.reset();
        assert!(backoff.next() <= SHORTEST);
    }

    #[test]
    fn whoever_is_away_for_hours_is_tried_all_the_time() {
        let mut backoff = Backoff::new(Clock::system());
        let day = Duration::from_secs(24 * 3600);
        let (mut gone, mut tries) = (Duration::ZERO, 0);
        while gone < day {
            let pause = backoff.next();
            assert!(pause >= SHORTEST / 2 && pause <= LONGEST, "{pause:?} after {gone:?}");
            gone += pause;
            tries += 1;
        }
        // Neither given up, nor hammered at.
        let (least, most) = (day.as_secs() / 20, day.as_secs() / 10 + 10);
        assert!((least..=most).contains(&tries), "{tries}");
    }
}
