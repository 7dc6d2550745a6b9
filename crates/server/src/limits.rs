//! How often one may ask. The limits are far above what people and their programs do: they are there for what runs wild.

use crate::{
    caller::{Caller, Via},
    error::ApiError,
};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _};
use makima_model::{KeyId, OwnerId};
use makima_wire::Code;
use std::{net::IpAddr, num::NonZeroU32};

/// Requests of one owner: a second, and at once.
const OWNER: (u32, u32) = (1000, 10_000);
/// Requests of one agent's own key.
const AGENT: (u32, u32) = (20, 200);
/// Secrets from one address that open nothing.
const STRANGER: (u32, u32) = (1, 30);

/// The buckets.
pub(crate) struct Limits {
    owners: DefaultKeyedRateLimiter<OwnerId>,
    agents: DefaultKeyedRateLimiter<KeyId>,
    strangers: DefaultKeyedRateLimiter<IpAddr>,
}

impl Default for Limits {
    fn default() -> Self {
        let quota = |(a_second, at_once): (u32, u32)| {
            let [a_second, at_once] =
                [a_second, at_once].map(|n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN));
            Quota::per_second(a_second).allow_burst(at_once)
        };
        Self {
            owners: RateLimiter::keyed(quota(OWNER)),
            agents: RateLimiter::keyed(quota(AGENT)),
            strangers: RateLimiter::keyed(quota(STRANGER)),
        }
    }
}

impl Limits {
    /// 429 where the caller asks too often.
    pub(crate) fn of_caller(&self, caller: Caller) -> Result<(), ApiError> {
        match caller.via {
            Via::Key(_) | Via::Session(_) => take(&self.owners, &caller.owner),
            Via::Tool { key, .. } => take(&self.agents, &key),
        }
    }

    /// 429 where too many secrets that open nothing came from this address. One that opens something is not asked: many
    /// share an address, and none shall lock the others out.
    pub(crate) fn of_stranger(&self, address: Option<IpAddr>) -> Result<(), ApiError> {
        address.map_or(Ok(()), |address| take(&self.strangers, &address))
    }

    /// Forgets who has not been here for long.
    pub(crate) fn forget(&self) {
        self.owners.retain_recent();
        self.agents.retain_recent();
        self.strangers.retain_recent();
    }
}

fn take<K: std::hash::Hash + Eq + Clone>(
    bucket: &DefaultKeyedRateLimiter<K>,
    key: &K,
) -> Result<(), ApiError> {
    bucket.check_key(key).map_err(|early| {
        let seconds = early.wait_time_from(bucket.clock().now()).as_secs() + 1;
        ApiError::new(Code::RateLimited, format!("too many requests: try again in {seconds} s"))
            .retry_after(seconds)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use makima_model::Clock;

    #[test]
    fn who_asks_too_often_is_told_when_to_come_again_and_others_are_not() {
        let limits = Limits::default();
        let ids = Clock::system();
        let agent = || Caller {
            principal: ids.new_id(),
            owner: ids.new_id(),
            via: Via::Tool { key: ids.new_id(), task: ids.new_id(), contract: None },
            origin: makima_model::Origin::Agent,
            attempt: None,
        };
        let (wild, calm) = (agent(), agent());
        let refused = (0..100_000).find_map(|_| limits.of_caller(wild).err()).expect("a limit");
        assert_eq!(refused.code(), Code::RateLimited);
        assert!(limits.of_caller(calm).is_ok());
    }
}
