//! Exports, as they come.

use crate::{Client, ClientError};
use bytes::Bytes;
use makima_model::{ContractId, TaskId};
use makima_wire::ExportQuery;
use reqwest::{Method, Response, header::CONTENT_DISPOSITION};

/// An export that is being sent.
#[derive(Debug)]
pub struct Export {
    name: Option<String>,
    url: String,
    response: Response,
}

impl Export {
    /// What the server would call it as a file.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The next piece of it; `None`: that was all.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        let piece = self.response.chunk().await;
        piece.map_err(|source| ClientError::Unreachable { url: self.url.clone(), source })
    }

    fn of(url: &str, response: Response) -> Self {
        let disposition = response.headers().get(CONTENT_DISPOSITION).and_then(|value| value.to_str().ok());
        let name = disposition.and_then(|value| value.split_once("filename=\""));
        let name = name.and_then(|(_, name)| name.strip_suffix('"'));
        // It becomes a file here: nothing but a plain name is one.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let name = name.filter(|name| name.chars().all(is_plain) && !name.starts_with('.'));
        Self { name: name.map(str::to_owned), url: url.to_owned(), response }
    }
}

impl Client {
    /// All of a task.
    pub async fn export_task(&self, id: TaskId, how: &ExportQuery) -> Result<Export, ClientError> {
        self.export(&format!("/mesh/tasks/{id}/export"), how).await
    }

    /// All of a contract and its tasks.
    pub async fn export_contract(&self, id: ContractId, how: &ExportQuery) -> Result<Export, ClientError> {
        self.export(&format!("/contracts/{id}/export"), how).await
    }

    async fn export(&self, path: &str, how: &ExportQuery) -> Result<Export, ClientError> {
        let response = self.exchange(self.request(Method::GET, path).query(how)).await?;
        Ok(Export::of(self.url(), response))
    }
}
