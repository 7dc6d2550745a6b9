//! The one error of the server: a status, a code, a message for the caller, and a source for the log.

use crate::{blobs::BlobError, export::SpoolError};
use axum::{
    Json,
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use makima_model::Clock;
use makima_store::{Hindrance, StoreError};
use makima_wire::{Code, ErrorBody};
use serde_json::Value;
use std::{collections::BTreeMap, error::Error, io::ErrorKind, sync::Arc};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response as ResponseDoc, ResponseBuilder};

/// What a request is answered with when it can't be done.
#[derive(Debug, Clone)]
pub struct ApiError {
    code: Code,
    message: String,
    details: Option<Value>,
    retry_after: Option<u64>,
    /// The tag of what is there.
    etag: Option<Box<HeaderValue>>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl ApiError {
    /// An error of the caller's, told as it is.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: None, retry_after: None, etag: None, source: None }
    }

    /// 404, the same whether it isn't there or is another owner's.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no such {what}"))
    }

    /// 400.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, message)
    }

    /// 422.
    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(Code::Unprocessable, message)
    }

    /// 500, with `source` for the log alone.
    pub(crate) fn internal(source: impl Error + Send + Sync + 'static) -> Self {
        let message = "the server failed to answer; its log has the reason under this request id";
        Self { source: Some(Arc::new(source)), ..Self::new(Code::Internal, message) }
    }

    /// The same, and in how many seconds to try again.
    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The same, with more that a client can use.
    pub(crate) fn with(self, details: Value) -> Self {
        Self { details: Some(details), ..self }
    }

    /// The same, with the tag of what is there.
    pub(crate) fn tagged(self, etag: Option<HeaderValue>) -> Self {
        Self { etag: etag.map(Box::new), ..self }
    }

    /// What went wrong.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The message for the caller.
    pub fn message(&self) -> &str {
        &self.message
    }

    fn status(&self) -> StatusCode {
        match self.code {
            Code::BadRequest => StatusCode::BAD_REQUEST,
            Code::Unauthorized => StatusCode::UNAUTHORIZED,
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::Conflict
            | Code::AlreadyRunning
            | Code::NotRunning
            | Code::OperationInProgress
            | Code::NewerChanges
            | Code::DaemonOffline
            | Code::RequestInProgress
            | Code::WorktreeChanging => StatusCode::CONFLICT,
            Code::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Code::UnknownHost => StatusCode::MISDIRECTED_REQUEST,
            Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::Unprocessable | Code::AgentNotFound | Code::RepositoryNotFound => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Code::Internal | Code::DbError => StatusCode::INTERNAL_SERVER_ERROR,
            Code::DbUnavailable | Code::NoDaemon => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ApiError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl From<StoreError> for ApiError {
    fn from(source: StoreError) -> Self {
        let (code, message) = match source {
            StoreError::Unavailable { hindrance, .. } => (Code::DbUnavailable, words_of(hindrance)),
            StoreError::LiveRun => (Code::AlreadyRunning, "the task has a live run"),
            _ => {
                (Code::DbError, "the database refused; the server's log has the reason under this request id")
            }
        };
        Self { source: Some(Arc::new(source)), ..Self::new(code, message) }
    }
}

/// What is in the way, and what to do about it.
fn words_of(hindrance: Hindrance) -> &'static str {
    match hindrance {
        Hindrance::Away => "the database can't be reached; try again in a moment",
        Hindrance::Full => {
            "there is no room left on the disk of the server's database, so nothing can be changed: make room there, and it \
             goes on by itself"
        }
        Hindrance::ReadOnly => {
            "the server's database can only be read, so nothing can be changed: let it be written, and it goes on by itself"
        }
        Hindrance::Disk => {
            "the disk of the server's database fails: it may be full, read-only or broken; the server's log has the reason \
             under this request id"
        }
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        let BlobError::Folder { source, .. } = &error else { return Self::unprocessable(error.to_string()) };
        let message = words_of_disk(source.kind());
        Self { source: Some(Arc::new(error)), ..Self::new(Code::DbUnavailable, message) }
    }
}

impl From<SpoolError> for ApiError {
    fn from(error: SpoolError) -> Self {
        let message = words_of_disk(error.source.kind());
        Self { source: Some(Arc::new(error)), ..Self::new(Code::DbUnavailable, message) }
    }
}

/// What is in the way of the server's files, and what to do about it.
fn words_of_disk(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "there is no room left on the disk that the server keeps files on: make room there, and it goes on by itself"
        }
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            "the server may not write where it keeps files: let it, and it goes on by itself"
        }
        _ => {
            "the disk that the server keeps files on fails; the server's log has the reason under this request id"
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        // The body needs the request's id, which only the outermost layer knows: see `answer_errors`.
        let mut response = self.status().into_response();
        if let Some(etag) = &self.etag {
            response.headers_mut().insert(header::ETAG, HeaderValue::clone(etag));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl utoipa::IntoResponses for ApiError {
    fn responses() -> BTreeMap<String, RefOr<ResponseDoc>> {
        let body = || {
            let schema = RefOr::Ref(Ref::from_schema_name("ErrorBody"));
            ContentBuilder::new().schema(Some(schema)).build()
        };
        let of = |description: &str| {
            RefOr::T(
                ResponseBuilder::new().description(description).content("application/json", body()).build(),
            )
        };
        BTreeMap::from([
            ("4XX".to_owned(), of("It can't be done, and nothing has changed")),
            ("5XX".to_owned(), of("The server, its database or a daemon failed")),
        ])
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The outermost layer: gives each request an id, and each error its body. Errors of 500 and above are logged here, once.
pub(crate) async fn answer_errors(clock: Clock, request: Request, next: Next) -> Response {
    let id = clock.new_id::<makima_model::EventId>().to_string();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = next.run(request).await;
    let error = response.extensions_mut().remove::<ApiError>().or_else(|| foreign(&response));
    if let Some(error) = error {
        let status = response.status();
        if status.is_server_error() {
            let chain = chain(error.source.as_deref().map(|source| source as &dyn Error));
            tracing::error!(request = %id, %method, path, code = ?error.code, "{}: {chain}", error.message);
        }
        let retry_after = error.retry_after;
        let body = ErrorBody {
            code: error.code,
            message: error.message,
            details: error.details,
            request_id: id.clone(),
        };
        let headers = std::mem::take(response.headers_mut());
        response = (status, Json(body)).into_response();
        for (name, value) in
            headers.iter().filter(|(name, _)| ["allow", "etag", "www-authenticate"].contains(&name.as_str()))
        {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        if let Some(seconds) = retry_after {
            response.headers_mut().insert("retry-after", HeaderValue::from(seconds));
        }
    }
    crate::web::secure(&mut response);
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Errors that the layers below answered in their own shape.
fn foreign(response: &Response) -> Option<ApiError> {
    let (code, message) = match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => (Code::BadRequest, "this address doesn't take that method"),
        StatusCode::PAYLOAD_TOO_LARGE => (Code::TooLarge, "the body is larger than this route takes"),
        StatusCode::INTERNAL_SERVER_ERROR => (Code::Internal, "the server failed to answer"),
        _ => return None,
    };
    Some(ApiError::new(code, message))
}

/// An error and its sources, in one line.
pub(crate) fn chain(error: Option<&dyn Error>) -> String {
    let mut parts = Vec::new();
    let mut next = error;
    while let Some(error) = next {
        parts.push(error.to_string());
        next = error.source();
    }
    parts.join(": ")
}
