//! Databases of the throw-away PostgreSQL cluster that `scripts/with-postgres` starts around the tests.

use std::{
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
    time::SystemTime,
};

use crate::environment::variable;

/// The URL of the test cluster's own database, for tests that make databases themselves.
///
/// # Panics
///
/// If the tests were started without a cluster: a missing PostgreSQL fails, it is never skipped.
pub fn postgres_server() -> String {
    variable("MAKIMA_TEST_POSTGRES").and_then(|url| url.into_string().ok()).expect(
        "this test needs PostgreSQL, and MAKIMA_TEST_POSTGRES is not set: \
         run the tests by `make test`, or `scripts/with-postgres cargo nextest run`",
    )
}

/// An empty PostgreSQL database for one test, dropped (with whoever is still connected) when this is.
#[derive(Debug)]
pub struct TestDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    /// Makes an empty database.
    ///
    /// # Panics
    ///
    /// If there is no cluster, or it refuses.
    pub fn create() -> Self {
        let server = postgres_server();
        let name = unique_name();
        psql(&server, &format!("CREATE DATABASE {name}")).unwrap_or_else(|error| panic!("{error}"));
        Self { server, name }
    }

    /// The URL to connect to it, for sqlx and for libpq's programs alike.
    pub fn url(&self) -> String {
        with_database(&self.server, &self.name)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // The cluster is thrown away after the run, so what can't be dropped is told and left.
        if let Err(error) = psql(&self.server, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name))
        {
            eprintln!("{error}");
        }
    }
}

/// Unique also across the many processes of one test run, whose process ids come round again.
fn unique_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let nanoseconds = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
    format!("test_{:x}_{}_{}", nanoseconds, process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The same server, another database: the path of `postgres://user@localhost/<database>?host=…` is exchanged.
fn with_database(server: &str, name: &str) -> String {
    let (address, options) =
        server.split_once('?').map_or((server, ""), |(address, options)| (address, options));
    let authority_end = address.find("://").map_or(0, |scheme| scheme + "://".len());
    let host_end = address[authority_end..].find('/').map_or(address.len(), |slash| authority_end + slash);
    let separator = if options.is_empty() { "" } else { "?" };
    format!("{}/{name}{separator}{options}", &address[..host_end])
}

fn psql(url: &str, sql: &str) -> Result<(), String> {
    let output = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", url, "--command", sql])
        .output()
        .map_err(|error| format!("could not run psql (`{sql}`): {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("psql could not run `{sql}` on {url}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_of_a_url_is_exchanged() {
        let server = "postgres://tester@localhost/postgres?host=%2Ftmp%2Fcluster";
        assert_eq!(with_database(server, "one"), "postgres://tester@localhost/one?host=%2Ftmp%2Fcluster");
        assert_eq!(with_database("postgres://localhost:5432", "one"), "postgres://localhost:5432/one");
    }

    #[test]
    fn a_database_is_there_until_it_is_dropped() {
        let database = TestDatabase::create();
        let url = database.url();
        psql(&url, "CREATE TABLE things (id int)").expect("the database takes a table");
        drop(database);
        let error = psql(&url, "SELECT 1").expect_err("the database is gone");
        assert!(error.contains("does not exist"), "{error}");
    }
}
