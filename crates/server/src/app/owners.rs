//! Owners, their keys, their browsers' sessions, and the keys of their agents.

use super::App;
use crate::{
    caller::{Caller, Presented, Via},
    error::ApiError,
};
use makima_model::{KeyId, Origin, OwnerId, PrincipalId, RunId, Timestamp};
use makima_store::{
    ApiKey, KeyKind, NewKey, StoreError, Tx, keys,
    users::{self, UserKind},
};
use makima_wire::Code;
use std::time::Duration;

/// How long a link signs in.
const LINK_LIVES: Duration = Duration::from_secs(10 * 60);
/// How long a browser stays signed in.
pub(crate) const SESSION_LIVES: Duration = Duration::from_secs(30 * 24 * 60 * 60);

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
        let key = NewKey {
            id: self.clock().new_id(),
            kind: KeyKind::Key,
            principal: PrincipalId::from(id.uuid()),
            owner: id,
            name: "first key",
            run: None,
            created_at: now,
            expires_at: None,
        };
        let api_key = make(&mut tx, &key).await?;
        tx.commit().await?;
        Ok(NewUser { id, name, api_key })
    }

    /// Makes another key of `owner`: what it is, and the secret.
    pub async fn create_key(&self, owner: OwnerId, name: &str) -> Result<(ApiKey, String), ApiError> {
        let mut tx = self.db().begin().await?;
        let made = self.make_key(&mut tx, owner, name).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// The same, when the owner asks for it.
    pub(crate) async fn create_key_for(&self, by: Caller, name: &str) -> Result<(ApiKey, String), ApiError> {
        let mut tx = self.db().begin().await?;
        let made = self.make_key(&mut tx, by.owner, name).await?;
        self.note(&mut tx, by, made.0.id).await?;
        tx.commit().await?;
        Ok(made)
    }

    async fn make_key(&self, tx: &mut Tx, owner: OwnerId, name: &str) -> Result<(ApiKey, String), ApiError> {
        let name = super::texts::name("name", name)?;
        let principal = PrincipalId::from(owner.uuid());
        let new = NewKey {
            id: self.clock().new_id(),
            kind: KeyKind::Key,
            principal,
            owner,
            name: &name,
            run: None,
            created_at: self.clock().now(),
            expires_at: None,
        };
        let secret = make(tx, &new).await?;
        let NewKey { id, created_at, .. } = new;
        Ok((ApiKey { id, principal, owner, name, created_at, revoked_at: None }, secret))
    }

    /// The owner's keys, oldest first, revoked ones too.
    pub(crate) async fn keys(&self, owner: OwnerId) -> Result<Vec<ApiKey>, ApiError> {
        let mut tx = self.db().read().await?;
        Ok(keys::list(&mut tx, owner).await?)
    }

    /// Revokes a key, for good. One that was revoked before stays as it is.
    pub(crate) async fn revoke_key(&self, by: Caller, id: KeyId) -> Result<ApiKey, ApiError> {
        let mut tx = self.db().begin().await?;
        let key = keys::get(&mut tx, by.owner, id).await?.ok_or_else(|| ApiError::not_found("key"))?;
        if by.has_done::<KeyId>().is_some() {
            return Ok(key);
        }
        let at = self.clock().now();
        if !keys::revoke(&mut tx, by.owner, id, at).await? {
            // As it is now: it may have been revoked in this very moment.
            return keys::get(&mut tx, by.owner, id).await?.ok_or_else(|| ApiError::not_found("key"));
        }
        self.note(&mut tx, by, id).await?;
        tx.commit().await?;
        Ok(ApiKey { revoked_at: Some(at), ..key })
    }

    /// Makes a secret that signs a browser in once, in the next ten minutes, as one of `owner`.
    pub async fn create_sign_in_link(&self, owner: OwnerId) -> Result<(String, Timestamp), ApiError> {
        let now = self.clock().now();
        let expires_at = now.plus(LINK_LIVES);
        let mut tx = self.db().begin().await?;
        keys::forget_expired(&mut tx, now).await?;
        let link = NewKey {
            id: self.clock().new_id(),
            kind: KeyKind::SignIn,
            principal: PrincipalId::from(owner.uuid()),
            owner,
            name: "sign-in link",
            run: None,
            created_at: now,
            expires_at: Some(expires_at),
        };
        let token = make(&mut tx, &link).await?;
        tx.commit().await?;
        Ok((token, expires_at))
    }

    /// Uses a link: the session that comes of it, and its secret.
    pub(crate) async fn sign_in(&self, token: &str) -> Result<(Caller, String), ApiError> {
        let now = self.clock().now();
        let mut tx = self.db().begin().await?;
        let Some(link) = keys::spend(&mut tx, &hash(token), now).await? else {
            return Err(ApiError::new(
                Code::Unauthorized,
                "this link was used, or is too old: make another with `makima open`",
            ));
        };
        let session = NewKey {
            id: self.clock().new_id(),
            kind: KeyKind::Session,
            principal: link.principal,
            owner: link.owner,
            name: "browser",
            run: None,
            created_at: now,
            expires_at: Some(now.plus(SESSION_LIVES)),
        };
        let secret = make(&mut tx, &session).await?;
        tx.commit().await?;
        let via = Via::Session(session.id);
        let (principal, owner) = (session.principal, session.owner);
        Ok((Caller { principal, owner, via, origin: Origin::Web, attempt: None }, secret))
    }

    /// Ends the caller's session. An API key is not a session, and stays.
    pub(crate) async fn sign_out(&self, by: Caller) -> Result<(), ApiError> {
        if let Via::Session(id) = by.via {
            let mut tx = self.db().begin().await?;
            keys::revoke(&mut tx, by.owner, id, self.clock().now()).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Makes the key of a run's agent, which lives as long as the run does.
    pub(crate) async fn create_tool_key(&self, owner: OwnerId, run: RunId) -> Result<String, ApiError> {
        let mut tx = self.db().begin().await?;
        keys::forget_ended(&mut tx, run).await?;
        let key = NewKey {
            id: self.clock().new_id(),
            kind: KeyKind::Tool,
            principal: PrincipalId::from(owner.uuid()),
            owner,
            name: "agent",
            run: Some(run),
            created_at: self.clock().now(),
            expires_at: None,
        };
        let secret = make(&mut tx, &key).await?;
        tx.commit().await?;
        Ok(secret)
    }

    /// The names of who asks, and of whose things.
    pub(crate) async fn names(&self, by: Caller) -> Result<[String; 2], ApiError> {
        let mut tx = self.db().read().await?;
        let mut names = [String::new(), String::new()];
        for (name, id) in names.iter_mut().zip([OwnerId::from(by.principal.uuid()), by.owner]) {
            let user = users::by_id(&mut tx, id).await?;
            *name = user.ok_or_else(|| ApiError::not_found("user"))?.name;
        }
        Ok(names)
    }

    /// Whose key this is, if it is taken.
    pub async fn key_owner(&self, key: &str) -> Result<Option<OwnerId>, StoreError> {
        Ok(self.caller(Presented::Key(key)).await?.map(|caller| caller.owner))
    }

    /// Who presents this, if it is taken. Each kind of secret opens the door only where it is presented as what it is.
    pub(crate) async fn caller(&self, presented: Presented<'_>) -> Result<Option<Caller>, StoreError> {
        let mut tx = self.db().read().await?;
        let Some(found) = keys::by_hash(&mut tx, &hash(presented.secret()), self.clock().now()).await? else {
            return Ok(None);
        };
        let via = match (presented, found.kind, found.task) {
            (Presented::Key(_), KeyKind::Key, _) => Via::Key(found.key),
            (Presented::Session(_), KeyKind::Session, _) => Via::Session(found.key),
            (Presented::Tool(_), KeyKind::Tool, Some(task)) => {
                Via::Tool { key: found.key, task, contract: found.contract }
            }
            _ => return Ok(None),
        };
        let (principal, owner) = (found.principal, found.owner);
        Ok(Some(Caller { principal, owner, via, origin: Origin::Api, attempt: None }))
    }
}

/// Keeps a new secret's hash, and tells the secret.
async fn make(tx: &mut Tx, key: &NewKey<'_>) -> Result<String, ApiError> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)
        .map_err(|error| ApiError::internal(std::io::Error::other(error.to_string())))?;
    let prefix = match key.kind {
        KeyKind::Key => "mk",
        KeyKind::SignIn => "ml",
        KeyKind::Session => "ms",
        KeyKind::Tool => "mt",
    };
    let secret = format!("{prefix}_{}", random.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    keys::create(tx, key, &hash(&secret)).await?;
    Ok(secret)
}

/// 256 random bits need no slow hash.
fn hash(secret: &str) -> [u8; 32] {
    *blake3::hash(secret.as_bytes()).as_bytes()
}
