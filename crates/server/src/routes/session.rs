//! Signing in and out with a browser.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod link;

use crate::App;
use axum::http::{HeaderValue, header};

/// The line that gives a browser its session, or takes it away: no script reads it, and no other site's page sends it.
fn cookie(app: &App, secret: &str, seconds: u64) -> [(header::HeaderName, HeaderValue); 1] {
    let secure = if app.hosts().is_secure() { "; Secure" } else { "" };
    let line =
        format!("{}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}", app.cookie());
    // Letters, digits and signs of ours alone.
    [(header::SET_COOKIE, HeaderValue::from_str(&line).unwrap_or_else(|_| HeaderValue::from_static("")))]
}
