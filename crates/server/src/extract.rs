//! What every route reads from a request, strictly: what doesn't parse is 400, in the API's own shape.

use crate::error::ApiError;
use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::request::Parts,
};
use futures::StreamExt;
use makima_wire::Code;
use serde::de::DeserializeOwned;

/// A JSON body.
pub(crate) struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        parsed(&read(request.into_body()).await?).map(Self)
    }
}

/// A JSON body that may be large: one line of an agent's record may have many megabytes.
pub(crate) struct LargeBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for LargeBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        parsed(&read_up_to(request.into_body(), LARGE).await?).map(Self)
    }
}

fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // An empty body is the empty object: every field may be left out.
    let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    // Every body is an object. An array would be taken for its fields in their order.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(ApiError::bad_request("the body doesn't parse: it is an array and must be an object"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let body = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let at = error.path().to_string();
        let at = if at == "." { String::new() } else { format!("at {at}: ") };
        ApiError::bad_request(format!("the body doesn't parse: {at}{}", error.inner()))
    })?;
    json.end().map_err(|error| ApiError::bad_request(format!("the body doesn't parse: {error}")))?;
    Ok(body)
}

/// The largest body: a plan of a million characters fits, each escaped as two halves of 16 bits: 12 MB.
const LARGEST: usize = 16 << 20;
/// How much of a larger one is read and thrown away: a client that is answered while it still sends sees a broken connection
/// instead of the answer.
const DRAINED: usize = 64 << 20;
/// The largest of those that may be large: a line of 48 MiB fits, each of its characters escaped, beside the message that it holds.
const LARGE: usize = 192 << 20;

/// A whole body, if it isn't too large.
pub(crate) async fn read(body: axum::body::Body) -> Result<Vec<u8>, ApiError> {
    read_up_to(body, LARGEST).await
}

async fn read_up_to(body: axum::body::Body, largest: usize) -> Result<Vec<u8>, ApiError> {
    let mut pieces = body.into_data_stream();
    let (mut bytes, mut length) = (Vec::new(), 0);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| ApiError::bad_request("the body could not be read to its end"))?;
        length += piece.len();
        if length <= largest {
            bytes.extend_from_slice(&piece);
        } else {
            bytes = Vec::new();
        }
        if length > largest.max(DRAINED) {
            break;
        }
    }
    if length > largest {
        return Err(ApiError::new(
            Code::TooLarge,
            format!("the body is larger than the {} MiB that are taken", largest >> 20),
        ));
    }
    Ok(bytes)
}

/// The query.
pub(crate) struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        // It would be taken for absent, and what was meant to be one thing's would be everything's.
        let empty = |pair: &&str| pair.split_once('=').is_none_or(|(_, value)| value.is_empty());
        if let Some(pair) = query.split('&').filter(|pair| !pair.is_empty()).find(empty) {
            return Err(ApiError::bad_request(format!("the query doesn't parse: {pair:?} has no value")));
        }
        serde_html_form::from_str(query)
            .map(Self)
            .map_err(|error| ApiError::bad_request(format!("the query doesn't parse: {error}")))
    }
}

/// The variables of the path.
pub(crate) struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(variables)) => Ok(Self(variables)),
            Err(rejection) => {
                Err(ApiError::bad_request(format!("the path doesn't parse: {}", inner(&rejection))))
            }
        }
    }
}

fn inner(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
