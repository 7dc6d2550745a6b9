//! What Makima itself stands on: the database, and the server.

use super::Check;
use crate::{
    commands::config::without_password,
    connection::ServerChoice,
    data_folder::DataFolder,
    failure::{Exit, Failure, chain},
};
use makima_client::{Client, ClientError};
use makima_model::{Clock, Timestamp};
use makima_store::Schema;
use makima_wire::Code;
use std::time::Duration;

/// How long a database may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// By how much the clocks of server and machine may differ. A server tells whole seconds.
const SKEW: Duration = Duration::from_secs(5);

/// Whether the database answers, and in which version its tables are.
pub(super) async fn database(url: &str) -> Check {
    let name = without_password(url);
    let advice = "--database-url or MAKIMA_DATABASE_URL names it; is it up, and may you open it?";
    let fail = |why: String| Check::fail("database", format!("{name}: {why}"), advice);
    let ok = |found: String| Check::ok("database", format!("{name}, {found}"));
    match tokio::time::timeout(PATIENCE, Schema::look(url)).await {
        Err(_) => fail(format!("no answer within {} s", PATIENCE.as_secs())),
        Ok(Err(error)) => fail(chain(&error)),
        Ok(Ok(Schema { found: None, .. })) => ok("which the first start makes ready".to_owned()),
        Ok(Ok(Schema { found: Some(found), known })) if found > known => Check::fail(
            "database",
            format!("{name}: its tables are at version {found}, and this program knows {known}"),
            "use the newer makima that made them",
        ),
        Ok(Ok(Schema { found: Some(found), known })) if found < known => {
            ok(format!("tables at version {found}; the next start brings them to {known}"))
        }
        Ok(Ok(Schema { found: Some(found), .. })) => ok(format!("tables at version {found}")),
    }
}

/// Whether a server answers, takes the key, is of this version, and agrees on the time.
pub(super) async fn server(choice: &ServerChoice, data: &DataFolder) -> Vec<Check> {
    match look(choice, data).await {
        Ok(checks) => checks,
        // One may be about to start it.
        Err(Failure { exit: Exit::NoServer, message, hint, .. }) => {
            vec![Check::warn("server", message, hint.unwrap_or_default())]
        }
        Err(failure) => vec![Check::failure("server", failure)],
    }
}

async fn look(choice: &ServerChoice, data: &DataFolder) -> Result<Vec<Check>, Failure> {
    let client = choice.client(data)?;
    let health = client.health().await?;
    let (own, its) = (env!("CARGO_PKG_VERSION"), &health.version);
    let found = format!("{} answers, version {its}", client.url());
    let version = match own == its {
        true => Check::ok("server", found),
        false => Check::warn(
            "server",
            format!("{found}; this program is {own}"),
            "use the same version of makima on both sides",
        ),
    };
    let mut checks = vec![version];
    if let Some(trouble) = not_ready(&client).await {
        checks.push(Check::fail("server's disk", trouble, "requests that only read still work"));
    }
    match client.me().await {
        Ok(me) => {
            checks.push(Check::ok("key", format!("of {}", me.principal_name)));
            let daemons = client.daemons().await?.daemons;
            checks.extend(daemons.into_iter().filter_map(|daemon| {
                let advice = "it goes on by itself when that is over";
                Some(Check::warn(&format!("daemon {}", daemon.name), daemon.trouble?, advice))
            }));
        }
        Err(error) => checks.push(Check::failure("key", error.into())),
    }
    checks.extend(health.date.map(|date| clock(date, Clock::system().now())));
    Ok(checks)
}

/// What keeps a server that answers from working: there is no room on its disk, for example.
pub(crate) async fn not_ready(client: &Client) -> Option<String> {
    match client.ready().await {
        Err(ClientError::Refused { body, .. }) if body.code == Code::DbUnavailable => Some(body.message),
        _ => None,
    }
}

/// Whether the server's time is ours.
fn clock(its: Timestamp, own: Timestamp) -> Check {
    let (behind, ahead) = (own.since(its), its.since(own));
    let (by, which) = if behind > ahead { (behind, "behind") } else { (ahead, "ahead of") };
    match by <= SKEW {
        true => Check::ok("clock", "the same as the server's"),
        false => Check::warn(
            "clock",
            format!("the server's is {} s {which} this machine's", by.as_secs()),
            "let both set their clocks by the network (NTP): times of tasks and sign-in links are told by them",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_clock_that_differs_by_more_than_the_header_can_tell_is_told() {
        let at = |text: &str| text.parse().unwrap();
        let state = |its, own| clock(at(its), at(own)).state;
        assert_eq!(state("2026-01-15T09:30:00Z", "2026-01-15T09:30:04Z"), State::Ok);
        assert_eq!(state("2026-01-15T09:30:04Z", "2026-01-15T09:30:00Z"), State::Ok);
        let behind = clock(at("2026-01-15T09:29:00Z"), at("2026-01-15T09:30:00Z"));
        assert_eq!(behind.state, State::Warn);
        assert_eq!(behind.found, "the server's is 60 s behind this machine's");
        assert_eq!(state("2026-01-15T09:31:00Z", "2026-01-15T09:30:00Z"), State::Warn);
    }
}
