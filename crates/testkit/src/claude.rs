//! Where the real Claude Code command line is.

use std::{
    env::consts::{ARCH, OS},
    path::PathBuf,
};

use crate::environment::{variable, workspace_root};

/// The version that `make tools` fetches and that the tests are written against.
pub const CLAUDE_VERSION: &str = "2.1.197";

/// The native program of the real Claude Code command line, as fetched by `make tools`; `MAKIMA_TEST_CLAUDE` names another.
///
/// # Panics
///
/// If it is not there, with what to do about it.
pub fn claude_cli() -> PathBuf {
    let (program, found_by) = match variable("MAKIMA_TEST_CLAUDE") {
        Some(path) => (PathBuf::from(path), "named by MAKIMA_TEST_CLAUDE"),
        None => (fetched(), "where `make tools` puts it"),
    };
    assert!(
        program.is_file(),
        "this test runs the real Claude Code {CLAUDE_VERSION}, which is not at {} ({found_by}): run `make tools`",
        program.display()
    );
    program
}

fn fetched() -> PathBuf {
    let system = if OS == "macos" { "darwin" } else { OS };
    let machine = match ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    workspace_root()
        .join(format!(".tools/claude-code-{CLAUDE_VERSION}/node_modules/@anthropic-ai"))
        .join(format!("claude-code-{system}-{machine}/claude"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_one_that_is_fetched() {
        let package = std::fs::read_to_string(workspace_root().join("scripts/claude-code/package.json"))
            .expect("the file that pins Claude Code");
        let package: serde_json::Value = serde_json::from_str(&package).expect("the file is JSON");
        assert_eq!(package["dependencies"]["@anthropic-ai/claude-code"], CLAUDE_VERSION);
    }
}
