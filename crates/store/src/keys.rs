//! API keys. Only a key's hash is here: 256 random bits need no slow one.

use crate::{
    StoreError, Tx,
    columns::{At, Cells, Entity, all, one, text},
    db::{affected, on},
    error::Act,
    statements::statements,
};
use makima_model::{KeyId, OwnerId, PrincipalId, Timestamp};

/// An API key, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// Who acts with it.
    pub principal: PrincipalId,
    /// Whose things it opens.
    pub owner: OwnerId,
    /// What it is called.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// Who calls, as a key tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The key.
    pub key: KeyId,
    /// Who acts.
    pub principal: PrincipalId,
    /// Whose things are opened.
    pub owner: OwnerId,
}

impl Entity for ApiKey {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: cells.id("id")?,
            principal: cells.id("principal_id")?,
            owner: cells.id("owner_id")?,
            name: cells.text("name")?,
            created_at: cells.at("created_at")?,
            revoked_at: cells.maybe_at("revoked_at")?,
        })
    }
}

impl Entity for Caller {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self { key: cells.id("id")?, principal: cells.id("principal_id")?, owner: cells.id("owner_id")? })
    }
}

statements! {
    CREATE = "INSERT INTO api_keys (id, principal_id, owner_id, name, hash, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
    BY_HASH = "SELECT id, principal_id, owner_id FROM api_keys WHERE hash = $1 AND revoked_at IS NULL";
    REVOKE = "UPDATE api_keys SET revoked_at = $3 WHERE id = $1 AND owner_id = $2 AND revoked_at IS NULL";
    OF_OWNER = "SELECT * FROM api_keys WHERE owner_id = $1 ORDER BY created_at, id";
}

/// Makes a key that is known by its hash.
pub async fn create(tx: &mut Tx, key: &ApiKey, hash: &[u8; 32]) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(CREATE)
        .bind(key.id.uuid())
        .bind(key.principal.uuid())
        .bind(key.owner.uuid())
        .bind(text(&key.name))
        .bind(hash.as_slice())
        .bind(At(key.created_at))
        .execute(c)
        .await
        .map(affected))
    .act("make a key")?;
    Ok(())
}

/// Whom the key with this hash stands for, unless it is revoked: any owner.
pub async fn by_hash(tx: &mut Tx, hash: &[u8; 32]) -> Result<Option<Caller>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(BY_HASH).bind(hash.as_slice()).fetch_optional(c).await);
    Ok(one(row.act("look up a key")?))
}

/// Revokes a key. Whether there was one to revoke.
pub async fn revoke(tx: &mut Tx, owner: OwnerId, id: KeyId, at: Timestamp) -> Result<bool, StoreError> {
    let revoked = on!(tx, |c| sqlx::query(REVOKE)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act("revoke a key")?;
    Ok(revoked > 0)
}

/// The owner's keys, oldest first, revoked ones too.
pub async fn list(tx: &mut Tx, owner: OwnerId) -> Result<Vec<ApiKey>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(OF_OWNER).bind(owner.uuid()).fetch_all(c).await);
    Ok(all(rows.act("list the keys")?))
}
