//! What can go wrong between a client and its server.

use makima_wire::{Code, ErrorBody};
use reqwest::StatusCode;

/// Why a request wasn't answered as hoped.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers there, or the connection broke.
    #[error("no server answers at {url}")]
    Unreachable {
        /// The address.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The server said no.
    #[error("{}", body.message)]
    Refused {
        /// The server's address.
        url: String,
        /// The HTTP status.
        status: StatusCode,
        /// What it said.
        body: ErrorBody,
    },
    /// Something answers there that is no Makima server.
    #[error("what answers at {url} is no Makima server: it said {status}")]
    NotMakima {
        /// The address.
        url: String,
        /// The HTTP status.
        status: StatusCode,
    },
    /// The answer has another shape than this version knows.
    #[error(
        "the answer of {address} has a shape that this version doesn't know: is the server of another version?"
    )]
    Strange {
        /// The server's address.
        url: String,
        /// What was asked.
        address: String,
        /// Where it went wrong.
        source: serde_json::Error,
    },
}

impl ClientError {
    /// The server's code, where it said no.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused { body, .. } => Some(body.code),
            _ => None,
        }
    }

    /// Whether asking once more would come to the same.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Refused { status, .. } | Self::NotMakima { status, .. } => {
                status.is_client_error() && !matches!(status.as_u16(), 401 | 408 | 429)
            }
            Self::Unreachable { .. } => false,
            Self::Strange { .. } => true,
        }
    }

    /// The server that was asked.
    pub fn url(&self) -> &str {
        match self {
            Self::Unreachable { url, .. }
            | Self::Refused { url, .. }
            | Self::NotMakima { url, .. }
            | Self::Strange { url, .. } => url,
        }
    }
}
