//! Who asks: the one place where a secret becomes a (principal, owner).

use crate::{App, error::ApiError, once::Attempt};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use makima_model::{ContractId, KeyId, Origin, OwnerId, PrincipalId, TaskId};
use makima_wire::Code;

/// Who asks, and for which owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Who asks.
    pub principal: PrincipalId,
    /// Whose things they ask about.
    pub owner: OwnerId,
    /// What opened the door.
    pub via: Via,
    /// Where they ask.
    pub origin: Origin,
    /// Of a request that is carried out once: the attempt.
    pub(crate) attempt: Option<Attempt>,
}

/// What opened the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// An API key.
    Key(KeyId),
    /// A browser's session.
    Session(KeyId),
    /// An agent's own key, and what it stands for.
    Tool {
        /// The key.
        key: KeyId,
        /// The agent's task.
        task: TaskId,
        /// Its contract.
        contract: Option<ContractId>,
    },
}

impl Via {
    /// Where one asks who came in by this. The command line has the owner's key, as every program of theirs may: it says so by its
    /// `User-Agent`.
    pub(crate) fn origin(self, headers: &HeaderMap) -> Origin {
        let agent = headers.get("user-agent").and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        match self {
            Self::Session(_) => Origin::Web,
            Self::Tool { .. } => Origin::Agent,
            Self::Key(_) if agent.starts_with("makima-cli/") => Origin::Cli,
            Self::Key(_) => Origin::Api,
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    /// The one whom the [rules of access](crate::routes) have let in; without a rule for the route there is none.
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().copied().ok_or_else(|| {
            ApiError::new(Code::Forbidden, "nobody may call this: the route has no rule of access")
        })
    }
}

/// What a request presents itself with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presented<'a> {
    Key(&'a str),
    Tool(&'a str),
    Session(&'a str),
}

impl<'a> Presented<'a> {
    /// What the headers hold: a key stands above a cookie, which a browser sends unasked.
    pub(crate) fn of(headers: &'a HeaderMap, cookie: &str) -> Option<Self> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(value) = text("authorization") {
            let (scheme, key) = value.split_once(' ')?;
            return scheme.eq_ignore_ascii_case("bearer").then(|| Self::Key(key.trim()));
        }
        text("x-api-key")
            .map(Self::Key)
            .or_else(|| text("x-makima-tool-key").map(Self::Tool))
            .or_else(|| cookie_named(headers, cookie).map(Self::Session))
    }

    pub(crate) fn secret(self) -> &'a str {
        match self {
            Self::Key(secret) | Self::Tool(secret) | Self::Session(secret) => secret,
        }
    }
}

fn cookie_named<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all("cookie")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn presented(lines: &[(&'static str, &str)]) -> Option<String> {
        Presented::of(&headers(lines), "session").map(|presented| format!("{presented:?}"))
    }

    #[test]
    fn a_key_stands_above_a_cookie() {
        assert_eq!(presented(&[("cookie", "a=1; session=s")]).unwrap(), "Session(\"s\")");
        assert_eq!(presented(&[("cookie", "session=s"), ("x-api-key", "k")]).unwrap(), "Key(\"k\")");
        assert_eq!(presented(&[("x-api-key", "k"), ("authorization", "bearer b")]).unwrap(), "Key(\"b\")");
        assert_eq!(presented(&[("x-makima-tool-key", "t")]).unwrap(), "Tool(\"t\")");
    }

    #[test]
    fn what_is_none_of_these_is_nothing() {
        for lines in [
            &[][..],
            &[("authorization", "Basic abc")],
            &[("authorization", "Bearer")],
            &[("cookie", "other=s; xsession=s")],
        ] {
            assert_eq!(presented(lines), None, "{lines:?}");
        }
    }
}
