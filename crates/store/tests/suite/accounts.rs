//! Users, keys, blobs.

use crate::lab::Lab;
use makima_model::{BlobRef, KeyId, PrincipalId};
use makima_store::{ApiKey, Caller, User, UserKind, blobs, keys, users};

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
        let principal = PrincipalId::from(owner.uuid());
        let id: KeyId = lab.clock.new_id();
        let key = ApiKey { id, principal, owner, name: "laptop".into(), created_at: lab.now(), revoked_at: None };
        let mut tx = lab.begin().await;
        keys::create(&mut tx, &key, &[7; 32]).await.unwrap();
        assert_eq!(keys::by_hash(&mut tx, &[7; 32]).await.unwrap(), Some(Caller { key: id, principal, owner }));
        assert_eq!(keys::by_hash(&mut tx, &[8; 32]).await.unwrap(), None);
        assert_eq!(keys::list(&mut tx, owner).await.unwrap(), std::slice::from_ref(&key));

        let at = lab.now();
        assert!(!keys::revoke(&mut tx, other, id, at).await.unwrap());
        assert!(keys::revoke(&mut tx, owner, id, at).await.unwrap());
        assert!(!keys::revoke(&mut tx, owner, id, at).await.unwrap());
        assert_eq!(keys::by_hash(&mut tx, &[7; 32]).await.unwrap(), None);
        assert_eq!(keys::list(&mut tx, owner).await.unwrap(), [ApiKey { revoked_at: Some(at), ..key }]);
        assert_eq!(keys::list(&mut tx, other).await.unwrap(), []);
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
