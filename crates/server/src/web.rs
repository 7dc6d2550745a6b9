//! The web UI's files. Where they come from is the caller's: the server serves what it is given.

use crate::error::ApiError;
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Method, Uri, header},
    response::{IntoResponse, Response},
};
use makima_wire::Code;

/// A file of the web UI.
#[derive(Debug, Clone)]
pub struct Asset {
    /// Its content.
    pub bytes: Bytes,
    /// What it is.
    pub content_type: String,
    /// Whether its name changes with its content, so that a browser may keep it for ever.
    pub is_immutable: bool,
}

/// The file at a path without a slash before it, such as `index.html`.
pub type Assets = fn(&str) -> Option<Asset>;

/// What a page may load and speak to: this server, nothing else, and no script that stands in a page.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'",
);

/// What is at an address that is no route: a file, or the page, which knows its own addresses.
pub(crate) fn serve(assets: Option<Assets>, method: &Method, uri: &Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    let nothing = || ApiError::new(Code::NotFound, "there is nothing at this address").into_response();
    let (Some(assets), &(Method::GET | Method::HEAD)) = (assets, method) else { return nothing() };
    // A file that isn't there is missing: were it answered with the page, a browser would take that for a script.
    let is_address = !["assets/", "api/"].iter().any(|below| path.starts_with(below));
    let asset = match assets(path).filter(|_| !path.is_empty()) {
        Some(asset) => Some(asset),
        None if is_address => assets("index.html"),
        None => None,
    };
    let Some(asset) = asset else { return nothing() };
    let kept = if asset.is_immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = Response::new(Body::from(asset.bytes));
    let headers = response.headers_mut();
    let unknown = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(&asset.content_type).unwrap_or(unknown));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    headers.insert(header::CONTENT_SECURITY_POLICY, PAGE_POLICY);
    response
}

/// The headers that every answer has, unless it has others: nothing is guessed, framed, told on or kept.
pub(crate) fn secure(response: &mut Response) {
    let usual = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::CACHE_CONTROL, "no-store"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in usual {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    fn assets(path: &str) -> Option<Asset> {
        let (bytes, content_type, is_immutable) = match path {
            "index.html" => ("page", "text/html; charset=utf-8", false),
            "assets/app-1234.js" => ("code", "text/javascript", true),
            _ => return None,
        };
        Some(Asset { bytes: Bytes::from(bytes), content_type: content_type.to_owned(), is_immutable })
    }

    fn got(path: &str) -> (StatusCode, String, String) {
        let response = serve(Some(assets), &Method::GET, &path.parse().unwrap());
        let header = |name| {
            response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        (response.status(), header("content-type"), header("cache-control"))
    }

    #[test]
    fn every_address_of_the_page_is_the_page_and_is_asked_for_anew() {
        for path in ["/", "/tasks/1/conversation", "/sign-in", "/docs", "/index.html"] {
            let (status, kind, kept) = got(path);
            assert_eq!(
                (status, kind.as_str(), kept.as_str()),
                (StatusCode::OK, "text/html; charset=utf-8", "no-cache"),
                "{path}"
            );
        }
    }

    #[test]
    fn a_file_is_kept_for_ever_and_a_missing_one_is_missing() {
        assert_eq!(got("/assets/app-1234.js").2, "public, max-age=31536000, immutable");
        for path in ["/assets/app-9999.js", "/assets/", "/api/v1/nothing", "/api/"] {
            assert_eq!(got(path).0, StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn without_a_web_ui_there_is_nothing() {
        assert_eq!(serve(None, &Method::GET, &"/".parse().unwrap()).status(), StatusCode::NOT_FOUND);
        assert_eq!(serve(Some(assets), &Method::POST, &"/".parse().unwrap()).status(), StatusCode::NOT_FOUND);
    }
}
