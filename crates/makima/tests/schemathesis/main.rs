//! The API of the built program against its own description, by schemathesis: whatever is asked, right or wrong, no answer
//! fails inside and none is other than it is described.

// What fails here fails its test, and says where.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

#[allow(dead_code, reason = "it has more than is wanted here")]
#[path = "../end_to_end/lab.rs"]
mod lab;
mod seed;

use lab::{Lab, say, write};
use makima_testkit::{TestDatabase, scrubbed_command, workspace_root};
use seed::Seed;
use serde_json::json;
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::PathBuf,
    process::Command,
};

/// How thoroughly.
#[derive(Clone, Copy)]
enum Depth {
    /// Examples, every boundary of every field, and a few cases at random of each route.
    Short,
    /// Many cases at random, and chains of calls that each use what the one before answered.
    Long,
}

impl Depth {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Short => &["--phases", "examples,coverage,fuzzing", "--max-examples", "15"],
            Self::Long => &["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "100"],
        }
    }
}

fn lab(database: Option<&TestDatabase>) -> Lab {
    let mut endless = say("And on, ");
    endless["endless"] = json!(true);
    endless["chunk_delay_s"] = json!(0.2);
    let lab = Lab::new(json!({
        "GO-ON": [endless],
        "GO-WORK": [write("a.txt", "one\n"), say("Done.")],
        "GO-ASK": [write("b.txt", "two\n"), say("So be it.")],
    }));
    match database {
        Some(database) => lab.on_database(&database.url()),
        None => lab,
    }
}

/// Asks everything of a server on an engine.
async fn hold_against_its_description(database: Option<TestDatabase>, depth: Depth) {
    let mut lab = lab(database.as_ref());
    let (url, key) = {
        let up = lab.up();
        (up.url.clone(), up.key.clone())
    };
    let seed = Seed::sow(&lab).await;
    let key = format!("Authorization: Bearer {key}");
    let with_key = ["--header", key.as_str()];
    // The feed has no end; it has a test of its own. Ids of keys are answered too, and what is answered is asked with again, so
    // that the route that revokes keys would soon revoke the one in use: it is asked alone, about another.
    let revoke = "/api/v1/keys/{id}/revoke";
    // What is deleted can't be asked for any more, so that comes last.
    let all_others =
        ["--exclude-path", "/api/v1/events", "--exclude-path", revoke, "--exclude-method", "DELETE"];
    for routes in [&all_others[..], &["--include-path", revoke], &["--include-method", "DELETE"]] {
        check(&lab, &url, &seed, true, &[&with_key, routes, depth.arguments()].concat());
    }
    check(
        &lab,
        &url,
        &seed,
        false,
        &["--phases", "coverage,fuzzing", "--max-examples", "3", "--warnings", "off"],
    );
}

/// Runs schemathesis against the server at `url`, and fails with what it found.
fn check(lab: &Lab, url: &str, seed: &Seed, has_key: bool, arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in
        [("hooks.py", include_str!("hooks.py")), ("schemathesis.toml", include_str!("schemathesis.toml"))]
    {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let mut command: Command = scrubbed_command(program());
    command
        .args(["run", &format!("{url}/api/v1/openapi.json"), "--no-color"])
        .args(arguments)
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .env("MAKIMA_TEST_PATHS", seed.paths.to_string())
        .env("MAKIMA_TEST_FIELDS", seed.fields.to_string())
        .env("MAKIMA_TEST_HAS_KEY", if has_key { "yes" } else { "no" });
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "schemathesis {arguments:?}:\n{said}\n{}\n{}",
        String::from_utf8_lossy(&output.stderr),
        lab.log()
    );
    // What is always refused is not shown to answer as described.
    let answered = fs::read_to_string(folder.path().join("answered")).unwrap();
    let answers: Vec<(&str, &str)> = answered.lines().map(|line| line.split_once(' ').unwrap()).collect();
    let all: BTreeSet<&str> = answers.iter().map(|(_, operation)| *operation).collect();
    let done = answers.iter().filter(|(status, _)| status.starts_with('2')).map(|(_, operation)| *operation);
    let refused: Vec<&str> = all.difference(&done.collect()).copied().collect();
    assert!(!all.is_empty() && (refused.is_empty() || !has_key), "never done: {refused:#?}\n{said}");
}

/// The program as `make tools` puts it.
fn program() -> PathBuf {
    let root = workspace_root();
    let pinned = fs::read_to_string(root.join("scripts/schemathesis/requirements.txt")).unwrap();
    let version = pinned.lines().find_map(|line| line.strip_prefix("schemathesis==")).unwrap();
    let program = root.join(format!(".tools/schemathesis-{version}/bin/schemathesis"));
    assert!(
        program.is_file(),
        "this test runs schemathesis {version}, which is not at {program:?}: run `make tools`"
    );
    program
}

macro_rules! on_both {
    ($($(#[$attribute:meta])* $name:ident($depth:expr);)*) => {$(
        mod $name {
            use super::*;

            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                hold_against_its_description(None, $depth).await;
            }

            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() {
                hold_against_its_description(Some(TestDatabase::create()), $depth).await;
            }
        }
    )*};
}

on_both! {
    every_answer_is_as_described(Depth::Short);
    #[ignore = "long: some minutes on each engine"]
    every_answer_is_as_described_however_often_it_is_asked(Depth::Long);
}

#[test]
fn the_feed_begins_as_described_and_goes_on() {
    let mut lab = lab(None);
    let (url, key) = {
        let up = lab.up();
        (up.url.clone(), up.key.clone())
    };
    let authority = url.strip_prefix("http://").unwrap();
    let ask = |query: &str, more: &str| {
        let mut stream = TcpStream::connect(authority).unwrap();
        write!(
            stream,
            "GET /api/v1/events{query} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {key}\r\n{more}\r\n"
        )
        .unwrap();
        let lines = BufReader::new(stream).lines().map(|line| line.unwrap().to_ascii_lowercase());
        lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>()
    };
    let unknown = seed::UNKNOWN;
    for (status, content, query, more) in [
        (200, "text/event-stream", "", ""),
        (200, "text/event-stream", "", "Last-Event-ID: 0\r\n"),
        (400, "application/json", "", "Last-Event-ID: x\r\n"),
        (400, "application/json", "", "Last-Event-ID: -1\r\n"),
        (400, "application/json", "?task_id=x", ""),
        (400, "application/json", "?colour=red", ""),
        (404, "application/json", &format!("?task_id={unknown}"), ""),
        (404, "application/json", &format!("?contract_id={unknown}"), ""),
    ] {
        let head = ask(query, more);
        assert!(head[0].starts_with(&format!("http/1.1 {status} ")), "{query} {more}: {head:?}");
        assert!(head.contains(&format!("content-type: {content}")), "{query} {more}: {head:?}");
        assert!(head.iter().any(|line| line.starts_with("x-request-id: ")), "{head:?}");
    }
}
