//! Which names the server answers to, and which pages may call it.
//!
//! A page of the web can make a browser speak to any address, also to this machine's own, and a name of its own can lead there
//! (DNS rebinding). So the name that was called must be ours, and a page that calls must be ours too. An address in digits needs
//! no list: no foreign page has one of ours as its own.

use crate::{App, error::ApiError};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, Uri, header, uri::Authority},
    middleware::Next,
    response::Response,
};
use makima_wire::Code;
use std::net::IpAddr;

/// By which names the server is called.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    /// The address that people open, where it isn't the one that the server listens at: behind a proxy.
    pub public_url: Option<Uri>,
    /// Other names that it answers to.
    pub allowed: Vec<String>,
}

impl Hosts {
    fn answers_to(&self, name: &Authority) -> bool {
        let host = name.host().trim_end_matches('.');
        let digits = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let public = self.public_url.as_ref().and_then(Uri::host);
        digits.parse::<IpAddr>().is_ok()
            || host.eq_ignore_ascii_case("localhost")
            || host.to_ascii_lowercase().ends_with(".localhost")
            || public.is_some_and(|public| public.eq_ignore_ascii_case(host))
            || self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }

    /// Whether a page of this origin is a page of ours, where we were called by `name`.
    fn is_own(&self, origin: &str, name: &Authority) -> bool {
        let Ok(origin) = origin.parse::<Uri>() else { return false };
        let (Some(scheme), Some(authority)) = (origin.scheme_str(), origin.authority()) else { return false };
        let public = self.public_url.as_ref();
        let is_public = public.is_some_and(|public| {
            public.scheme_str() == Some(scheme) && public.authority() == Some(authority)
        });
        is_public || (matches!(scheme, "http" | "https") && authority == name)
    }

    /// The address that people open, when we were called with these headers.
    pub(crate) fn url(&self, headers: &HeaderMap) -> String {
        match (&self.public_url, headers.get(header::HOST).and_then(|host| host.to_str().ok())) {
            (Some(public), _) => public.to_string().trim_end_matches('/').to_owned(),
            (None, Some(host)) => format!("http://{host}"),
            (None, None) => String::new(),
        }
    }

    /// Whether people open it over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.public_url.as_ref().and_then(Uri::scheme_str) == Some("https")
    }
}

/// Refuses what was meant for another name, and what another site's page sent.
pub(crate) async fn check_host(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let named = match request.uri().authority() {
        Some(authority) => Some(authority.clone()),
        None => request
            .headers()
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
            .and_then(|host| host.parse::<Authority>().ok()),
    };
    let Some(name) = named else {
        return Err(ApiError::bad_request("the request has no Host header that names a host"));
    };
    if !app.hosts().answers_to(&name) {
        return Err(ApiError::new(
            Code::UnknownHost,
            format!(
                "this server doesn't answer to the name {:?}: add it to `allowed_hosts` below [server] in the \
                 configuration if it is one of its own",
                name.host()
            ),
        ));
    }
    if let Some(origin) = request.headers().get(header::ORIGIN) {
        let own = origin.to_str().is_ok_and(|origin| app.hosts().is_own(origin, &name));
        if !own {
            return Err(ApiError::new(
                Code::Forbidden,
                "a page of another site may not call this server; behind a proxy, set `public_url` below [server] in \
                 the configuration",
            ));
        }
    }
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        Hosts {
            public_url: Some("https://makima.example.org".parse().unwrap()),
            allowed: vec!["build-01".to_owned()],
        }
    }

    fn name(text: &str) -> Authority {
        text.parse().unwrap()
    }

    #[test]
    fn it_answers_to_its_own_names_and_to_addresses_in_digits() {
        for own in [
            "127.0.0.1:7447",
            "[::1]:7447",
            "10.1.2.3",
            "localhost:1",
            "LOCALHOST",
            "app.localhost",
            "makima.example.org",
            "Build-01:7447",
            "build-01.",
        ] {
            assert!(hosts().answers_to(&name(own)), "{own}");
        }
        for foreign in
            ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "build-01.evil", "1"]
        {
            assert!(!hosts().answers_to(&name(foreign)), "{foreign}");
        }
    }

    #[test]
    fn a_page_is_ours_if_it_came_from_where_it_calls() {
        let called = name("127.0.0.1:7447");
        assert!(hosts().is_own("http://127.0.0.1:7447", &called));
        assert!(hosts().is_own("https://makima.example.org", &called));
        for foreign in [
            "null",
            "http://127.0.0.1:7448",
            "http://localhost:7447",
            "http://makima.example.org",
            "file://127.0.0.1:7447",
            "https://evil.example",
            "",
        ] {
            assert!(!hosts().is_own(foreign, &called), "{foreign}");
        }
    }
}
