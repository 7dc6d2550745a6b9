//! The examples of answers: what a server answered in a test (`tests/platform/examples.rs`), which fails if it would answer otherwise.

use super::operations;
use serde_json::Value;
use std::collections::HashMap;
use utoipa::openapi::{OpenApi, RefOr};

/// By the operation's id and the status.
const ANSWERS: &str = include_str!("examples/answers.snap.json");

/// Shows an example of each answer that there is one of.
pub(super) fn put_into(api: &mut OpenApi) {
    let mut answers: HashMap<String, HashMap<String, Value>> =
        serde_json::from_str(ANSWERS).unwrap_or_default();
    for item in api.paths.paths.values_mut() {
        for (_, operation) in operations(item) {
            let id = operation.operation_id.as_deref();
            let Some(mut shown) = id.and_then(|id| answers.remove(id)) else { continue };
            for (status, response) in &mut operation.responses.responses {
                let RefOr::T(response) = response else { continue };
                let Some(example) = shown.remove(status) else { continue };
                for content in response.content.values_mut() {
                    if let RefOr::T(content) = content {
                        content.example = Some(example.clone());
                    }
                }
            }
        }
    }
}
