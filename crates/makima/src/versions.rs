//! A server of another version than this program's.

use crate::failure::Failure;
use makima_client::Client;
use std::time::Duration;

/// How long a server may take to tell its version, once something has failed already.
const PATIENCE: Duration = Duration::from_secs(2);

/// The failure, with both versions where they differ and that may be its cause.
pub(crate) async fn compared(failure: Failure) -> Failure {
    let Some(url) = &failure.misunderstood else { return failure };
    let Ok(client) = Client::new(url, None) else { return failure };
    let own = env!("CARGO_PKG_VERSION");
    match tokio::time::timeout(PATIENCE, client.health()).await {
        Ok(Ok(health)) if health.version != own => failure.hint(format!(
            "the server is makima {}, and this program {own}: use the same version on both sides",
            health.version
        )),
        _ => failure,
    }
}
