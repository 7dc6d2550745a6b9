//! The address that people open.

use http::Uri;
use serde::Deserialize;
use std::str::FromStr;

/// `http://` or `https://`, a host, perhaps a port, and nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct PublicUrl(Uri);

/// A text that is no such address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no address to open: write http://<host> or https://<host>, with a port where it needs one and no path"
)]
pub(crate) struct PublicUrlError {
    text: String,
}

impl PublicUrl {
    /// The address.
    pub(crate) fn uri(self) -> Uri {
        self.0
    }
}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let uri: Option<Uri> = text.trim_end_matches('/').parse().ok();
        let is_whole = |uri: &Uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|host| !host.is_empty())
                && uri.path_and_query().is_none_or(|path| path.as_str() == "/")
                && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        };
        uri.filter(is_whole).map(Self).ok_or_else(|| PublicUrlError { text: text.to_owned() })
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = PublicUrlError;

    fn try_from(text: String) -> Result<Self, PublicUrlError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_a_host_and_no_path() {
        for good in ["https://makima.example.com", "http://host:8080/", "http://[::1]:7447"] {
            assert!(good.parse::<PublicUrl>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "makima.example.com",
            "ftp://host",
            "https://host/path",
            "https://me@host",
            "http://",
            "https://host?q",
        ] {
            assert!(bad.parse::<PublicUrl>().is_err(), "{bad}");
        }
    }
}
