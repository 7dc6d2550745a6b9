//! Requests that are carried out once.

use crate::lab::Lab;
use makima_model::{AttemptId, OwnerId};
use makima_store::idempotency::{self, Answer, Asked, Claim};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const REQUEST: [u8; 32] = [1; 32];

fn asked(owner: OwnerId) -> Asked<'static> {
    Asked { owner, route: "POST /contracts", key: "key", request: &REQUEST }
}

/// The attempt that claims the request, and whether it got it.
async fn claim(lab: &Lab, asked: Asked<'_>, lease: Duration) -> (AttemptId, Claim) {
    let attempt = lab.clock.new_id();
    let mut tx = lab.begin().await;
    let claim = idempotency::claim(&mut tx, asked, attempt, lease, DAY).await.unwrap();
    tx.commit().await.unwrap();
    (attempt, claim)
}

/// What may be carried out from the beginning.
const NEW: Claim = Claim::Yours { effect: None };

fn answer() -> Answer {
    Answer { status: 201, etag: Some("\"1\"".into()), body: b"{\"id\": 1}".repeat(10) }
}

async fn keep(lab: &Lab, owner: OwnerId, attempt: AttemptId) -> bool {
    let mut tx = lab.begin().await;
    let kept = idempotency::keep_answer(&mut tx, owner, attempt, &answer()).await.unwrap();
    tx.commit().await.unwrap();
    kept
}

/// Notes an effect and commits it, if the attempt still has the request.
async fn note(lab: &Lab, owner: OwnerId, attempt: AttemptId) -> bool {
    let mut tx = lab.begin().await;
    let noted = idempotency::note_effect(&mut tx, owner, attempt, attempt.uuid()).await.unwrap();
    if noted {
        tx.commit().await.unwrap();
    }
    noted
}

on_both_engines! {
    async fn a_request_is_claimed_once_and_its_answer_is_kept(lab: Lab) {
        let owner = lab.owner().await;
        let (first, claimed) = claim(&lab, asked(owner), LEASE).await;
        assert_eq!(claimed, NEW);
        assert_eq!(claim(&lab, asked(owner), LEASE).await.1, Claim::InProgress);
        assert!(note(&lab, owner, first).await);
        assert_eq!(claim(&lab, asked(owner), LEASE).await.1, Claim::InProgress);
        assert!(keep(&lab, owner, first).await);
        assert_eq!(claim(&lab, asked(owner), LEASE).await.1, Claim::Answered(answer()));
        assert!(!keep(&lab, owner, first).await, "the first answer stands");
    }

    async fn a_key_is_one_owners_for_one_route_and_one_request(lab: Lab) {
        let (ada, eve) = (lab.owner().await, lab.owner().await);
        assert_eq!(claim(&lab, asked(ada), LEASE).await.1, NEW);
        assert_eq!(claim(&lab, Asked { request: &[2; 32], ..asked(ada) }, LEASE).await.1, Claim::OtherRequest);
        for other in [
            Asked { key: "other", ..asked(ada) },
            Asked { route: "POST /mesh/tasks", ..asked(ada) },
            Asked { request: &[2; 32], ..asked(eve) },
        ] {
            assert_eq!(claim(&lab, other, LEASE).await.1, NEW, "{other:?}");
        }
    }

    async fn who_takes_a_dead_attempts_place_goes_on_from_its_effect(lab: Lab) {
        let owner = lab.owner().await;
        let (first, _) = claim(&lab, asked(owner), LEASE).await;
        assert!(note(&lab, owner, first).await);
        let mut tx = lab.begin().await;
        assert!(idempotency::renew(&mut tx, owner, first, Duration::ZERO).await.unwrap());
        tx.commit().await.unwrap();
        let (second, claimed) = claim(&lab, asked(owner), LEASE).await;
        assert_eq!(claimed, Claim::Yours { effect: Some(first.uuid()) });
        assert!(!note(&lab, owner, second).await, "there is an effect");
        assert!(!keep(&lab, owner, first).await, "it is another's now");
        assert!(keep(&lab, owner, second).await);
    }

    async fn an_attempt_that_only_seemed_dead_has_no_effect(lab: Lab) {
        let owner = lab.owner().await;
        let (slow, _) = claim(&lab, asked(owner), Duration::ZERO).await;
        let (second, claimed) = claim(&lab, asked(owner), LEASE).await;
        assert_eq!(claimed, NEW);
        assert!(!note(&lab, owner, slow).await);
        let mut tx = lab.begin().await;
        assert!(!idempotency::renew(&mut tx, owner, slow, LEASE).await.unwrap());
        idempotency::give_up(&mut tx, owner, slow).await.unwrap();
        tx.commit().await.unwrap();
        assert!(note(&lab, owner, second).await);
    }

    async fn what_is_given_up_was_never_sent_unless_it_had_an_effect(lab: Lab) {
        let owner = lab.owner().await;
        for has_effect in [false, true] {
            let (attempt, claimed) = claim(&lab, asked(owner), LEASE).await;
            assert_eq!(claimed, NEW);
            assert_eq!(!has_effect || note(&lab, owner, attempt).await, true);
            let mut tx = lab.begin().await;
            idempotency::give_up(&mut tx, owner, attempt).await.unwrap();
            tx.commit().await.unwrap();
            let other = Asked { request: &[2; 32], key: "other", ..asked(owner) };
            let again = if has_effect { asked(owner) } else { other };
            let expected = Claim::Yours { effect: has_effect.then(|| attempt.uuid()) };
            assert_eq!(claim(&lab, again, LEASE).await.1, expected);
        }
    }

    async fn a_key_that_is_older_than_it_is_kept_is_free_and_forgotten(lab: Lab) {
        let owner = lab.owner().await;
        for key in ["a", "b", "c"] {
            let (attempt, _) = claim(&lab, Asked { key, ..asked(owner) }, LEASE).await;
            assert!(note(&lab, owner, attempt).await && keep(&lab, owner, attempt).await);
        }
        let mut tx = lab.begin().await;
        let now = tx.now().await.unwrap();
        // Kept for no time at all, all of them are old.
        let anew = Asked { key: "a", request: &[2; 32], ..asked(owner) };
        let attempt = lab.clock.new_id();
        let later = now.plus(Duration::from_millis(5));
        while tx.now().await.unwrap() < later {
            tokio::task::yield_now().await;
        }
        assert_eq!(idempotency::claim(&mut tx, anew, attempt, LEASE, Duration::ZERO).await.unwrap(), NEW);
        assert!(idempotency::has_old(&mut tx, later).await.unwrap());
        assert_eq!(idempotency::forget_old(&mut tx, later, 1).await.unwrap(), 1);
        assert_eq!(idempotency::forget_old(&mut tx, later, 10).await.unwrap(), 1, "one has begun anew");
        assert!(!idempotency::has_old(&mut tx, later).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(claim(&lab, Asked { key: "b", ..asked(owner) }, LEASE).await.1, NEW);
        assert_eq!(claim(&lab, anew, LEASE).await.1, Claim::InProgress);
    }

    async fn of_many_who_claim_a_request_at_once_one_gets_it(lab: Lab) {
        let owner = lab.owner().await;
        let claims = futures::future::join_all((0..50).map(|_| claim(&lab, asked(owner), LEASE))).await;
        let count = |one: &Claim| claims.iter().filter(|(_, claim)| claim == one).count();
        assert_eq!((count(&NEW), count(&Claim::InProgress)), (1, 49));
    }
}
