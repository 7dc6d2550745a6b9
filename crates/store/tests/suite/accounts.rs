//! Users, keys, blobs.

use crate::lab::Lab;
use makima_model::{BlobRef, OwnerId, PrincipalId, RunOutcome};
use makima_store::{ApiKey, Caller, KeyKind, NewKey, User, UserKind, blobs, keys, runs, users};
use std::time::Duration;

fn new_key(lab: &Lab, owner: OwnerId, kind: KeyKind) -> NewKey<'static> {
    NewKey {
        id: lab.clock.new_id(),
        kind,
        principal: PrincipalId::from(owner.uuid()),
        owner,
        name: "laptop",
        run: None,
        created_at: lab.now(),
        expires_at: None,
    }
}

on_both_engines! {
    async fn users_are_read_back_in_the_order_they_were_made(lab: Lab) {
        let mut made = Vec::new();
        for kind in [UserKind::Person, UserKind::Team, UserKind::Person] {
            let user = User { id: lab.clock.new_id(), name: format!("{kind:?} \0 é"), kind, created_at: lab.now() };
            let mut tx = lab.begin().await;
            users::create(&mut tx, &user).await.unwrap();
            tx.commit().await.unwrap();
            // PostgreSQL has no NUL in text: both engines keep the same instead.
            made.push(User { name: user.name.replace('\0', "\u{fffd}"), ..user });
        }
        let mut tx = lab.read().await;
        assert_eq!(users::list(&mut tx).await.unwrap(), made);
        assert_eq!(users::first(&mut tx).await.unwrap().as_ref(), made.first());
        assert_eq!(users::by_id(&mut tx, made[1].id).await.unwrap().as_ref(), made.get(1));
        assert_eq!(users::by_id(&mut tx, lab.clock.new_id()).await.unwrap(), None);
    }

    async fn a_key_stands_for_its_owner_until_it_is_revoked(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let new = new_key(&lab, owner, KeyKind::Key);
        let mut tx = lab.begin().await;
        keys::create(&mut tx, &new, &[7; 32]).await.unwrap();
        let caller = Caller {
            key: new.id,
            kind: KeyKind::Key,
            principal: new.principal,
            owner,
            task: None,
            contract: None,
        };
        assert_eq!(keys::by_hash(&mut tx, &[7; 32], lab.now()).await.unwrap(), Some(caller));
        assert_eq!(keys::by_hash(&mut tx, &[8; 32], lab.now()).await.unwrap(), None);
        let key = ApiKey {
            id: new.id,
            principal: new.principal,
            owner,
            name: new.name.to_owned(),
            created_at: new.created_at,
            revoked_at: None,
        };
        assert_eq!(keys::list(&mut tx, owner).await.unwrap(), std::slice::from_ref(&key));
        assert_eq!(keys::get(&mut tx, owner, key.id).await.unwrap(), Some(key.clone()));
        assert_eq!(keys::get(&mut tx, other, key.id).await.unwrap(), None);

        let at = lab.now();
        assert!(!keys::revoke(&mut tx, other, key.id, at).await.unwrap());
        assert!(keys::revoke(&mut tx, owner, key.id, at).await.unwrap());
        assert!(!keys::revoke(&mut tx, owner, key.id, at).await.unwrap());
        assert_eq!(keys::by_hash(&mut tx, &[7; 32], lab.now()).await.unwrap(), None);
        assert_eq!(keys::list(&mut tx, owner).await.unwrap(), [ApiKey { revoked_at: Some(at), ..key }]);
        assert_eq!(keys::list(&mut tx, other).await.unwrap(), []);
    }

    async fn a_link_to_sign_in_with_opens_nothing_and_is_spent_once(lab: Lab) {
        let owner = lab.owner().await;
        let now = lab.now();
        let later = now.plus(Duration::from_secs(600));
        let link = NewKey { expires_at: Some(later), ..new_key(&lab, owner, KeyKind::SignIn) };
        let mut tx = lab.begin().await;
        keys::create(&mut tx, &link, &[1; 32]).await.unwrap();
        assert_eq!(keys::by_hash(&mut tx, &[1; 32], now).await.unwrap(), None);
        assert_eq!(keys::list(&mut tx, owner).await.unwrap(), []);
        assert_eq!(keys::spend(&mut tx, &[1; 32], later).await.unwrap(), None, "its time is over");
        assert_eq!(keys::spend(&mut tx, &[1; 32], now).await.unwrap().unwrap().owner, owner);
        assert_eq!(keys::spend(&mut tx, &[1; 32], now).await.unwrap(), None, "it was used");
    }

    async fn a_session_ends_with_its_time_and_is_forgotten_then(lab: Lab) {
        let owner = lab.owner().await;
        let now = lab.now();
        let later = now.plus(Duration::from_secs(600));
        let session = NewKey { expires_at: Some(later), ..new_key(&lab, owner, KeyKind::Session) };
        let mut tx = lab.begin().await;
        keys::create(&mut tx, &session, &[2; 32]).await.unwrap();
        assert_eq!(keys::by_hash(&mut tx, &[2; 32], now).await.unwrap().unwrap().kind, KeyKind::Session);
        assert_eq!(keys::by_hash(&mut tx, &[2; 32], later).await.unwrap(), None);
        keys::forget_expired(&mut tx, now).await.unwrap();
        assert!(keys::by_hash(&mut tx, &[2; 32], now).await.unwrap().is_some());
        keys::forget_expired(&mut tx, later.plus(Duration::from_secs(1))).await.unwrap();
        assert_eq!(keys::by_hash(&mut tx, &[2; 32], now).await.unwrap(), None);
    }

    async fn an_agents_own_key_lives_as_long_as_its_run(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let run = lab.run(&task, lab.daemon(owner).await, 1).await;
        let key = NewKey { run: Some(run.id), ..new_key(&lab, owner, KeyKind::Tool) };
        let mut tx = lab.begin().await;
        keys::create(&mut tx, &key, &[3; 32]).await.unwrap();
        let caller = keys::by_hash(&mut tx, &[3; 32], lab.now()).await.unwrap().unwrap();
        assert_eq!((caller.kind, caller.task, caller.contract), (KeyKind::Tool, Some(task.id), None));
        assert_eq!(keys::list(&mut tx, owner).await.unwrap(), []);
        keys::forget_ended(&mut tx, run.id).await.unwrap();
        assert!(keys::by_hash(&mut tx, &[3; 32], lab.now()).await.unwrap().is_some());
        runs::end(&mut tx, owner, run.id, RunOutcome::Completed, None, lab.now()).await.unwrap();
        assert_eq!(keys::by_hash(&mut tx, &[3; 32], lab.now()).await.unwrap(), None);
    }

    async fn a_blob_belongs_to_those_who_put_it(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let blob = BlobRef { hash: "ab".repeat(32), bytes: 12 };
        let mut tx = lab.begin().await;
        blobs::put(&mut tx, owner, &blob, lab.now()).await.unwrap();
        blobs::put(&mut tx, owner, &blob, lab.now()).await.unwrap();
        assert_eq!(blobs::get(&mut tx, owner, &blob.hash).await.unwrap(), Some(blob.clone()));
        assert_eq!(blobs::get(&mut tx, other, &blob.hash).await.unwrap(), None);
        blobs::put(&mut tx, other, &blob, lab.now()).await.unwrap();
        assert_eq!(blobs::get(&mut tx, other, &blob.hash).await.unwrap(), Some(blob));
    }
}
