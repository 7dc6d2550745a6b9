//! Requests with an `Idempotency-Key`: each is carried out once, however often it is sent.
//!
//! The layer is all that knows of keys: it claims the request before any route sees it, and keeps the answer. A use case does
//! two things for it. It notes what it came to in the very transaction of its effect ([`App::note`]); and where an earlier
//! attempt has come that far ([`Caller::has_done`]), it goes on from there instead. So a server that dies between the two
//! leaves nothing that is done twice, and nothing that is not known.
//!
//! An attempt holds its request for a few seconds at a time. When it has died the next one takes over, and when it only seemed
//! dead it finds so when it notes its effect, which is undone with that transaction.

use crate::{
    App,
    caller::Caller,
    error::{ApiError, chain},
    extract::read,
    routes::access::{Rule, rule},
};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use makima_model::{AttemptId, OwnerId};
use makima_store::{
    StoreError, Tx,
    idempotency::{self, Answer, Asked, Claim},
};
use makima_wire::{Code, IDEMPOTENCY_KEY};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use uuid::Uuid;

/// How long an answer is kept (settled points, §2).
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long an attempt that died is waited for.
const LEASE: Duration = Duration::from_secs(10);
/// How often one that lives says so.
const RENEW: Duration = Duration::from_secs(3);
/// The longest key.
pub(crate) const LONGEST_KEY: usize = 255;
/// The longest path that can be one: no id is longer.
const LONGEST_PATH: usize = 512;
/// The largest answer that is kept as it is. A larger one is made anew from what was done.
const LARGEST_ANSWER: usize = 1 << 20;
/// How many old requests one transaction forgets.
const FORGET: i64 = 500;

/// What answers with a secret: that is told once, and kept nowhere.
const SECRETS: &[&str] = &["/api/v1/keys"];
/// What signs in and out: to do that twice does no harm.
const SIGNING_IN: &[&str] = &["/api/v1/session", "/api/v1/sign-in-links"];

/// Whether a route takes a key: those that change something for somebody. The daemons' own have ways of their own.
pub(crate) fn takes_key(method: &Method, path: &str) -> bool {
    let changes = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method);
    let for_somebody = matches!(rule(method, path), Some(Rule::Owner | Rule::Agent(_)));
    changes && for_somebody && !SIGNING_IN.contains(&path) && !path.starts_with("/api/v1/daemons/")
}

/// An attempt to carry out a request that has a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    id: AttemptId,
    /// What an earlier attempt came to.
    effect: Option<Uuid>,
}

impl Caller {
    /// What an earlier attempt of the same request has made, changed or queued: all but the answer is done.
    pub(crate) fn has_done<T: From<Uuid>>(&self) -> Option<T> {
        self.attempt?.effect.map(T::from)
    }

    /// The same caller, for something that isn't what was asked for but is needed for it.
    pub(crate) fn aside(self) -> Self {
        Self { attempt: None, ..self }
    }
}

impl App {
    /// Notes what the caller's request came to, in the transaction of that. An error must undo it: another attempt has taken
    /// the request over.
    pub(crate) async fn note(
        &self,
        tx: &mut Tx,
        by: Caller,
        effect: impl Into<Uuid>,
    ) -> Result<(), ApiError> {
        let Some(attempt) = by.attempt else { return Ok(()) };
        if idempotency::note_effect(tx, by.owner, attempt.id, effect.into()).await? {
            return Ok(());
        }
        Err(in_progress())
    }

    /// Forgets requests that are older than they are kept.
    pub(crate) async fn forget_requests(&self) -> Result<(), StoreError> {
        let mut tx = self.db().read().await?;
        let before = tx.now().await?.minus(KEPT);
        let mut more = idempotency::has_old(&mut tx, before).await?;
        drop(tx);
        while more {
            let mut tx = self.db().begin().await?;
            more = idempotency::forget_old(&mut tx, before, FORGET).await? >= FORGET.unsigned_abs();
            tx.commit().await?;
        }
        Ok(())
    }

    async fn claim(&self, asked: Asked<'_>, attempt: AttemptId) -> Result<Claim, StoreError> {
        let mut tx = self.db().begin().await?;
        let claim = idempotency::claim(&mut tx, asked, attempt, LEASE, KEPT).await?;
        tx.commit().await?;
        Ok(claim)
    }

    /// Holds a request for as long as this is waited for.
    async fn hold(&self, owner: OwnerId, attempt: AttemptId) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(RENEW).await;
            let renewed: Result<(), StoreError> = async {
                let mut tx = self.db().begin().await?;
                idempotency::renew(&mut tx, owner, attempt, LEASE).await?;
                tx.commit().await
            }
            .await;
            if let Err(error) = renewed {
                tracing::warn!("a request could not be held on to: {}", chain(Some(&error)));
            }
        }
    }

    /// Keeps the answer of an attempt; without one that is to be kept, gives the request up.
    async fn settle(
        &self,
        owner: OwnerId,
        attempt: AttemptId,
        answer: Option<Answer>,
    ) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        match &answer {
            Some(answer) => {
                idempotency::keep_answer(&mut tx, owner, attempt, answer).await?;
            }
            None => idempotency::give_up(&mut tx, owner, attempt).await?,
        }
        tx.commit().await
    }
}

/// The layer: carries out what has no key, or was never asked; answers the rest.
pub(crate) async fn once(State(app): State<App>, request: Request, next: Next) -> Result<Response, ApiError> {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let Some(path) = path.filter(|path| takes_key(request.method(), path)) else {
        return Ok(next.run(request).await);
    };
    let (Some(key), Some(caller)) = (key(request.headers())?, request.extensions().get::<Caller>().copied())
    else {
        return Ok(next.run(request).await);
    };
    if request.uri().path().len() > LONGEST_PATH {
        return Ok(next.run(request).await);
    }
    let (mut parts, body) = request.into_parts();
    let body = Bytes::from(read(body).await?);
    let route = format!("{} {}", parts.method, parts.uri.path());
    let hash = hash(&parts.uri, &body);
    let tells_secret = parts.method == Method::POST && SECRETS.contains(&path.as_str());

    let id: AttemptId = app.clock().new_id();
    let asked = Asked { owner: caller.owner, route: &route, key: &key, request: &hash };
    let effect = match app.claim(asked, id).await? {
        Claim::Yours { effect } => effect,
        Claim::InProgress => return Err(in_progress()),
        Claim::OtherRequest => {
            return Err(ApiError::unprocessable(
                "this Idempotency-Key was used for another request: a new request needs a new one",
            ));
        }
        Claim::Answered(_) if tells_secret => return Err(told_once()),
        Claim::Answered(answer) => return answered(answer),
    };
    parts.extensions.insert(Caller { attempt: Some(Attempt { id, effect }), ..caller });
    let request = Request::from_parts(parts, Body::from(body));
    // In a task of its own: a caller who hangs up doesn't take back what was asked.
    let carried_out = tokio::spawn(async move {
        if tells_secret && effect.is_some() {
            let answer = Answer { status: StatusCode::CREATED.as_u16(), etag: None, body: Vec::new() };
            return (told_once().into_response(), app.settle(caller.owner, id, Some(answer)).await);
        }
        let response = tokio::select! {
            response = next.run(request) => response,
            never = app.hold(caller.owner, id) => match never {},
        };
        let (response, answer) = to_keep(response, tells_secret).await;
        (response, app.settle(caller.owner, id, answer).await)
    });
    match carried_out.await {
        Ok((response, settled)) => {
            if let Err(error) = settled {
                // Whoever sends it again goes on from the effect.
                tracing::warn!("an answer could not be kept: {}", chain(Some(&error)));
            }
            Ok(response)
        }
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(ApiError::internal(error)),
        },
    }
}

fn in_progress() -> ApiError {
    let message = "a request with this Idempotency-Key is being carried out: ask again in a moment";
    ApiError::new(Code::RequestInProgress, message).retry_after(1)
}

fn told_once() -> ApiError {
    ApiError::new(
        Code::Conflict,
        "this was done when it was first asked; the secret that was answered is told once and kept nowhere: revoke what was \
         made if it was lost, and make another",
    )
}

/// The key of a request, if it has one.
fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let visible = key.as_bytes().iter().all(u8::is_ascii_graphic);
    match key.to_str() {
        Ok(key) if visible && (1..=LONGEST_KEY).contains(&key.len()) && keys.next().is_none() => {
            Ok(Some(key.to_owned()))
        }
        _ => Err(ApiError::bad_request(format!(
            "Idempotency-Key must be one word of 1 to {LONGEST_KEY} visible ASCII characters"
        ))),
    }
}

/// What was asked, but for the method and the path.
fn hash(uri: &Uri, body: &[u8]) -> [u8; 32] {
    let query = uri.query().unwrap_or_default();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(query.len() as u64).to_le_bytes()).update(query.as_bytes()).update(body);
    *hasher.finalize().as_bytes()
}

/// An error as it is kept.
#[derive(Serialize, Deserialize)]
struct Refusal {
    code: Code,
    message: String,
}

/// The response, and what of it is kept. A refusal is where it came of the state in which things stood, since that was a
/// decision; not where the request itself was wrong, or something failed: it may be sent again as if for the first time.
async fn to_keep(response: Response, tells_secret: bool) -> (Response, Option<Answer>) {
    let status = response.status();
    let etag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
    if let Some(error) = response.extensions().get::<ApiError>() {
        let decided = matches!(status, StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED)
            && error.code() != Code::RequestInProgress;
        let refusal = Refusal { code: error.code(), message: error.message().to_owned() };
        let body = serde_json::to_vec(&refusal).ok().filter(|_| decided);
        return (response, body.map(|body| Answer { status: status.as_u16(), etag, body }));
    }
    if !status.is_success() {
        return (response, None);
    }
    let (parts, body) = response.into_parts();
    let body = match to_bytes(body, usize::MAX).await {
        Ok(body) => body,
        Err(error) => return (ApiError::internal(error).into_response(), None),
    };
    let kept = if tells_secret { Bytes::new() } else { body.clone() };
    let answer = Answer { status: status.as_u16(), etag, body: kept.into() };
    (Response::from_parts(parts, Body::from(body)), (answer.body.len() <= LARGEST_ANSWER).then_some(answer))
}

/// The first answer, again.
fn answered(answer: Answer) -> Result<Response, ApiError> {
    let Answer { status, etag, body } = answer;
    let status = StatusCode::from_u16(status).map_err(ApiError::internal)?;
    let etag = etag.and_then(|tag| HeaderValue::from_str(&tag).ok());
    if !status.is_success() {
        let Refusal { code, message } = serde_json::from_slice(&body).map_err(ApiError::internal)?;
        return Err(ApiError::new(code, message).tagged(etag));
    }
    let mut response = (status, body).into_response();
    if status == StatusCode::NO_CONTENT {
        response.headers_mut().remove(header::CONTENT_TYPE);
    } else {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(etag) = etag {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(values: &[&[u8]]) -> Result<Option<String>, Code> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap());
        }
        key(&headers).map_err(|error| error.code())
    }

    #[test]
    fn a_key_is_one_word_of_visible_characters() {
        assert_eq!(keyed(&[]), Ok(None));
        for good in [&b"x"[..], b"7f9c-\"quoted\"~!", &[b'k'; 255]] {
            assert_eq!(keyed(&[good]).unwrap().unwrap().as_bytes(), good);
        }
        for bad in [&b""[..], b"two words", "schl\u{fc}ssel".as_bytes(), b"tab\there", &[b'k'; 256]] {
            assert_eq!(keyed(&[bad]), Err(Code::BadRequest), "{bad:?}");
        }
        assert_eq!(keyed(&[b"one", b"one"]), Err(Code::BadRequest));
    }

    #[test]
    fn a_request_is_told_from_another_by_its_query_and_its_body() {
        let of = |uri: &str, body: &str| hash(&uri.parse().unwrap(), body.as_bytes());
        assert_eq!(of("/a?b=c", "{}"), of("/a?b=c", "{}"));
        assert_ne!(of("/a?b=c", "{}"), of("/a?b=c", "{ }"));
        assert_ne!(of("/a?b=c", "{}"), of("/a?b", "=c{}"));
        assert_ne!(of("/a?b=c", "{}"), of("/a", "{}"));
    }

    #[test]
    fn what_changes_something_for_somebody_takes_a_key() {
        for (method, path) in [
            (Method::POST, "/api/v1/mesh/tasks"),
            (Method::POST, "/api/v1/mesh/tasks/{id}/stop"),
            (Method::PATCH, "/api/v1/contracts/{id}"),
            (Method::POST, "/api/v1/keys"),
        ] {
            assert!(takes_key(&method, path), "{method} {path}");
        }
        for (method, path) in [
            (Method::GET, "/api/v1/mesh/tasks"),
            (Method::POST, "/api/v1/session"),
            (Method::DELETE, "/api/v1/session"),
            (Method::POST, "/api/v1/sign-in-links"),
            (Method::PUT, "/api/v1/daemons/blobs/{hash}"),
            (Method::POST, "/nowhere"),
        ] {
            assert!(!takes_key(&method, path), "{method} {path}");
        }
    }
}
