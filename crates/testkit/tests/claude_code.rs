//! The fake model API against the real Claude Code: what it is told to do it does, and tells the model.

#![allow(clippy::expect_used)] // what fails here fails the test

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Output, Stdio},
};

use makima_testkit::{FakeModelApi, RecordedRequest, Scenario, TestRepo, claude_cli, scrubbed_command};
use serde_json::{Value, json};

/// One turn in `folder`; Claude Code ends when its input does.
fn run_claude(api: &FakeModelApi, folder: &Path, home: &Path, says: &str) -> Output {
    let mut child = scrubbed_command(claude_cli())
        .args(["-p", "--output-format", "stream-json", "--input-format", "stream-json", "--verbose"])
        .args(["--include-partial-messages", "--session-mirror", "--dangerously-skip-permissions"])
        .current_dir(folder)
        .env("HOME", home)
        .env("TMPDIR", home)
        .env("CLAUDE_CONFIG_DIR", home.join("claude"))
        .env("IS_SANDBOX", "1")
        .env("ANTHROPIC_BASE_URL", api.url())
        .env("ANTHROPIC_API_KEY", "fake")
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_AUTOUPDATER", "1")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Claude Code can be started");
    let message = json!({"type": "user", "message": {"role": "user", "content": says}});
    // Dropped at once, which is the end of its input.
    let mut input = child.stdin.take().expect("its input is a pipe");
    writeln!(input, "{message}").expect("it reads its input");
    drop(input);
    child.wait_with_output().expect("it ends")
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[tokio::test]
async fn the_real_claude_code_plays_a_script_of_several_tools() {
    let repo = TestRepo::new();
    let home = tempfile::tempdir().expect("a home folder");
    let scenario =
        Scenario::from_file(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/tour.json"));
    let api = FakeModelApi::start(scenario).await;

    let output = run_claude(&api, repo.path(), home.path(), "Please GO-MULTI");

    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    assert_eq!(fs::read_to_string(repo.path().join("greet.sh")).expect("the file was written"), "echo two\n");

    let lines = lines(&output);
    let result = lines.iter().find(|line| line["type"] == "result").expect("a result");
    assert_eq!(result["result"], "It failed with 3, as expected. All done.");
    assert_eq!(result["is_error"], false);
    assert!(lines.iter().any(|line| line["type"] == "stream_event"), "partial messages were asked for");
    assert!(
        lines.iter().any(|line| line["type"] == "transcript_mirror"),
        "the session's mirror was asked for"
    );

    let requests = api.requests();
    let conversation: Vec<&RecordedRequest> =
        requests.iter().filter(|request| request.is_conversation()).collect();
    let picked: Vec<_> = conversation.iter().filter_map(|request| request.picked.as_deref()).collect();
    assert_eq!(picked, ["GO-MULTI[0]", "GO-MULTI[1]", "GO-MULTI[2]", "GO-MULTI[3]"]);
    let last = conversation.last().expect("a last request");
    assert!(last.texts("user").iter().any(|text| text == "Please GO-MULTI"), "{:?}", last.texts("user"));
    assert_eq!(last.texts("assistant"), ["Writing the greeting.", "Now one that fails."]);
    let results = last.tool_results();
    let failed: Vec<bool> = results.iter().map(|result| result.is_error).collect();
    assert_eq!(failed, [false, false, false, true], "{results:#?}");
    assert_eq!(results[2].text, "two");
    assert!(results[3].text.contains("out") && results[3].text.contains("err"), "{}", results[3].text);
    assert_eq!(last.headers["x-api-key"], "fake");
}
