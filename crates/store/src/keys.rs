//! What opens the door: API keys, links to sign in with once, the sessions that come of them, and the keys of agents' own.
//! Only a secret's hash is here: 256 random bits need no slow one.

use crate::{
    StoreError, Tx,
    columns::{At, Cells, Entity, all, one, text},
    db::{affected, on},
    error::Act,
    statements::statements,
};
use makima_model::{ContractId, KeyId, OwnerId, PrincipalId, RunId, TaskId, Timestamp, UnknownWord};
use std::str::FromStr;

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// An API key, until it is revoked.
    Key,
    /// A link to sign in with, once.
    SignIn,
    /// A browser's session.
    Session,
    /// An agent's own, as long as its run lives.
    Tool,
}

impl KeyKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::SignIn => "sign_in",
            Self::Session => "session",
            Self::Tool => "tool",
        }
    }
}

impl FromStr for KeyKind {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        [Self::Key, Self::SignIn, Self::Session, Self::Tool]
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| UnknownWord {
                what: "kind of a key",
                text: word.chars().take(64).collect(),
                known: "key, sign_in, session, tool".to_owned(),
            })
    }
}

/// A key to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey<'a> {
    /// Its id.
    pub id: KeyId,
    /// What it is for.
    pub kind: KeyKind,
    /// Who acts with it.
    pub principal: PrincipalId,
    /// Whose things it opens.
    pub owner: OwnerId,
    /// What it is called.
    pub name: &'a str,
    /// Of an agent's own: its run.
    pub run: Option<RunId>,
    /// When it is made.
    pub created_at: Timestamp,
    /// When it opens nothing any more.
    pub expires_at: Option<Timestamp>,
}

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

/// Who calls, as a secret tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The key.
    pub key: KeyId,
    /// What it is for.
    pub kind: KeyKind,
    /// Who acts.
    pub principal: PrincipalId,
    /// Whose things are opened.
    pub owner: OwnerId,
    /// Of an agent's own: its task.
    pub task: Option<TaskId>,
    /// Of an agent's own: the contract of its task.
    pub contract: Option<ContractId>,
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
        Ok(Self {
            key: cells.id("id")?,
            kind: cells.word("kind")?,
            principal: cells.id("principal_id")?,
            owner: cells.id("owner_id")?,
            task: cells.maybe_id("task_id")?,
            contract: cells.maybe_id("contract_id")?,
        })
    }
}

statements! {
    CREATE = "INSERT INTO api_keys (id, principal_id, owner_id, name, hash, created_at, kind, run_id, expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    BY_HASH = "SELECT api_keys.id, api_keys.principal_id, api_keys.owner_id, api_keys.kind, runs.task_id, \
        tasks.contract_id FROM api_keys LEFT JOIN runs ON runs.id = api_keys.run_id \
        LEFT JOIN tasks ON tasks.id = runs.task_id \
        WHERE api_keys.hash = $1 AND (api_keys.expires_at > $2 OR api_keys.expires_at IS NULL) \
        AND api_keys.revoked_at IS NULL AND api_keys.kind <> 'sign_in' \
        AND (api_keys.run_id IS NULL OR runs.ended_at IS NULL)";
    SPEND = "UPDATE api_keys SET revoked_at = $2 WHERE hash = $1 AND kind = 'sign_in' AND revoked_at IS NULL \
        AND expires_at > $2 RETURNING id, principal_id, owner_id, name, created_at, revoked_at";
    REVOKE = "UPDATE api_keys SET revoked_at = $3 WHERE id = $1 AND owner_id = $2 AND revoked_at IS NULL";
    GET = "SELECT * FROM api_keys WHERE id = $1 AND owner_id = $2 AND kind = 'key'";
    OF_OWNER = "SELECT * FROM api_keys WHERE owner_id = $1 AND kind = 'key' ORDER BY created_at, id";
    FORGET_EXPIRED = "DELETE FROM api_keys WHERE expires_at < $1";
    FORGET_ENDED = "DELETE FROM api_keys WHERE run_id IN (SELECT id FROM runs WHERE task_id = \
        (SELECT task_id FROM runs WHERE id = $1) AND id <> $1 AND ended_at IS NOT NULL)";
}

/// Makes a key that is known by its hash.
pub async fn create(tx: &mut Tx, key: &NewKey<'_>, hash: &[u8; 32]) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(CREATE)
        .bind(key.id.uuid())
        .bind(key.principal.uuid())
        .bind(key.owner.uuid())
        .bind(text(key.name))
        .bind(hash.as_slice())
        .bind(At(key.created_at))
        .bind(key.kind.as_str())
        .bind(key.run.map(RunId::uuid))
        .bind(key.expires_at.map(At))
        .execute(c)
        .await
        .map(affected))
    .act("make a key")?;
    Ok(())
}

/// Whom the key with this hash stands for, if it opens anything at this time: any owner. A link to sign in with doesn't.
pub async fn by_hash(tx: &mut Tx, hash: &[u8; 32], now: Timestamp) -> Result<Option<Caller>, StoreError> {
    let row =
        on!(tx, |c| sqlx::query_as(BY_HASH).bind(hash.as_slice()).bind(At(now)).fetch_optional(c).await);
    Ok(one(row.act("look up a key")?))
}

/// Uses a link to sign in with: the one who made it, the first time and in time; then never again.
pub async fn spend(tx: &mut Tx, hash: &[u8; 32], now: Timestamp) -> Result<Option<ApiKey>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(SPEND).bind(hash.as_slice()).bind(At(now)).fetch_optional(c).await);
    Ok(one(row.act("sign in")?))
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

/// The owner's API key with this id.
pub async fn get(tx: &mut Tx, owner: OwnerId, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(GET).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("read a key")?))
}

/// The owner's API keys, oldest first, revoked ones too.
pub async fn list(tx: &mut Tx, owner: OwnerId) -> Result<Vec<ApiKey>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(OF_OWNER).bind(owner.uuid()).fetch_all(c).await);
    Ok(all(rows.act("list the keys")?))
}

/// Removes links and sessions whose time is over: any owner.
pub async fn forget_expired(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(FORGET_EXPIRED).bind(At(now)).execute(c).await.map(affected))
        .act("remove expired keys")?;
    Ok(())
}

/// Removes the agents' own keys of the earlier runs of a run's task.
pub async fn forget_ended(tx: &mut Tx, run: RunId) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(FORGET_ENDED).bind(run.uuid()).execute(c).await.map(affected))
        .act("remove the keys of earlier runs")?;
    Ok(())
}
