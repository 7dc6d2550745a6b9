//! What happens at a step, in this process and in programs that are built with and without debug assertions.

// What fails here fails its test, and says where.
#![allow(clippy::unwrap_used)]

use makima_failpoints::Failpoints;
use std::{
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

#[tokio::test]
async fn a_program_freezes_at_the_armed_step_and_from_then_on_at_all() {
    let failpoints = Failpoints::default();
    failpoints.at("one").await;
    failpoints.freeze_at("two");
    failpoints.at("one").await;
    assert!(!failpoints.is_frozen());
    let short = Duration::from_millis(20);
    assert!(tokio::time::timeout(short, failpoints.at("two")).await.is_err());
    assert!(failpoints.is_frozen());
    assert!(tokio::time::timeout(short, failpoints.clone().at("one")).await.is_err());
    Failpoints::default().at("two").await;
}

const KILLS: &str = "fn main() {
    let failpoints = makima_failpoints::Failpoints::killing_at(\"two\");
    for step in [\"one\", \"two\"] {
        println!(\"{step}\");
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let _ = std::future::Future::poll(std::pin::pin!(failpoints.at(step)), &mut context);
    }
    println!(\"lives\");
}";

const IS_EMPTY: &str = "const _: () = assert!(size_of::<makima_failpoints::Failpoints>() == 0);
fn main() {}";

/// Builds a program on this crate, and runs it if it could be built.
fn run(program: &str, debug_assertions: bool) -> Result<Output, String> {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("program.rs");
    std::fs::write(&source, program).unwrap();
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let build = |source: &Path, name: &str, kind: &str, uses: &[&str]| {
        let mut rustc = Command::new(Path::new(env!("CARGO")).with_file_name("rustc"));
        rustc.args(["--edition=2024", "--crate-name", name, "--crate-type", kind]).args(uses);
        rustc.arg("-L").arg(folder.path());
        rustc.arg(format!("-Cdebug-assertions={}", if debug_assertions { "on" } else { "off" }));
        rustc.arg("--out-dir").arg(folder.path()).arg(source).output().unwrap()
    };
    let built = build(&library, "makima_failpoints", "rlib", &[]);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let built = build(&source, "program", "bin", &["--extern", "makima_failpoints"]);
    if !built.status.success() {
        return Err(String::from_utf8_lossy(&built.stderr).into_owned());
    }
    Ok(Command::new(folder.path().join("program")).output().unwrap())
}

#[test]
fn a_debug_build_is_killed_at_the_armed_step() {
    let ended = run(KILLS, true).unwrap();
    assert_eq!((ended.status.signal(), ended.stdout.as_slice()), (Some(9), b"one\ntwo\n".as_slice()));
}

#[test]
fn a_release_build_has_nothing_to_arm_and_nothing_to_hold() {
    let refused = run(KILLS, false).unwrap_err();
    assert!(refused.contains("named `killing_at`"), "{refused}");
    assert!(run(IS_EMPTY, false).unwrap().status.success());
    assert!(run(IS_EMPTY, true).is_err());
}
