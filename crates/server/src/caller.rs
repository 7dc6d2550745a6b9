//! Who asks: the one place where a key becomes a (principal, owner).

use crate::{App, error::ApiError};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use makima_model::{OwnerId, PrincipalId};
use makima_wire::Code;

/// Who asks, and for which owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Who asks.
    pub principal: PrincipalId,
    /// Whose things they ask about.
    pub owner: OwnerId,
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let key = presented(&parts.headers).ok_or_else(|| {
            ApiError::new(
                Code::Unauthorized,
                "no key: send it as `Authorization: Bearer <key>` or `X-API-Key: <key>`",
            )
        })?;
        let found = app.caller(key).await?;
        found.ok_or_else(|| ApiError::new(Code::Unauthorized, "this key is not known, or was revoked"))
    }
}

fn presented(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get("authorization").and_then(|value| value.to_str().ok()) {
        let (scheme, key) = value.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| key.trim());
    }
    headers.get("x-api-key").and_then(|value| value.to_str().ok())
}
