//! Owners and their keys, as the server's host makes them.

use super::App;
use crate::{caller::Caller, error::ApiError};
use makima_model::{Clock, KeyId, OwnerId, PrincipalId};
use makima_store::{
    StoreError, Tx, keys,
    users::{self, UserKind},
};

/// An owner that was just made. The key is told this once: the database has only its hash.
#[derive(Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Its id.
    pub id: OwnerId,
    /// Its name.
    pub name: String,
    /// Its first key.
    pub api_key: String,
}

impl App {
    /// All owners, oldest first: their ids and names.
    pub async fn owners(&self) -> Result<Vec<(OwnerId, String)>, StoreError> {
        let mut tx = self.db().read().await?;
        let users = users::list(&mut tx).await?;
        Ok(users.into_iter().map(|user| (user.id, user.name)).collect())
    }

    /// Makes a person with a key of its own.
    pub async fn create_user(&self, name: &str) -> Result<NewUser, ApiError> {
        let name = super::texts::name("name", name)?;
        let (id, now): (OwnerId, _) = (self.clock().new_id(), self.clock().now());
        let mut tx = self.db().begin().await?;
        users::create(
            &mut tx,
            &users::User { id, name: name.clone(), kind: UserKind::Person, created_at: now },
        )
        .await?;
        let api_key = make_key(&mut tx, self.clock(), id, "first key").await?;
        tx.commit().await?;
        Ok(NewUser { id, name, api_key })
    }

    /// Makes another key of `owner`.
    pub async fn create_key(&self, owner: OwnerId, name: &str) -> Result<String, ApiError> {
        let mut tx = self.db().begin().await?;
        let key = make_key(&mut tx, self.clock(), owner, name).await?;
        tx.commit().await?;
        Ok(key)
    }

    /// Whose key this is, if it is taken.
    pub async fn key_owner(&self, key: &str) -> Result<Option<OwnerId>, StoreError> {
        Ok(self.caller(key).await?.map(|caller| caller.owner))
    }

    /// Who presents `key`, if it is taken.
    pub(crate) async fn caller(&self, key: &str) -> Result<Option<Caller>, StoreError> {
        let mut tx = self.db().read().await?;
        let found = keys::by_hash(&mut tx, &hash(key)).await?;
        Ok(found.map(|key| Caller { principal: key.principal, owner: key.owner }))
    }
}

async fn make_key(tx: &mut Tx, clock: &Clock, owner: OwnerId, name: &str) -> Result<String, ApiError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| ApiError::internal(std::io::Error::other(error.to_string())))?;
    let key = format!("mk_{}", secret.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    keys::create(
        tx,
        &keys::ApiKey {
            id: clock.new_id::<KeyId>(),
            principal: PrincipalId::from(owner.uuid()),
            owner,
            name: name.to_owned(),
            created_at: clock.now(),
            revoked_at: None,
        },
        &hash(&key),
    )
    .await?;
    Ok(key)
}

/// 256 random bits need no slow hash.
fn hash(key: &str) -> [u8; 32] {
    *blake3::hash(key.as_bytes()).as_bytes()
}
