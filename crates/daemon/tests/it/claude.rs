//! The real Claude Code under a real run host, against a scripted model API.

use crate::lab::{Lab, host_of, is_alive, kill, number_in, processes_of};
use makima_agents::AgentConfig;
use makima_model::{Record, RunOutcome};
use makima_testkit::{FakeModelApi, Scenario, Step, claude_cli};
use makima_wire::frame::{ResumeFrom, SessionLine, StartRun};
use serde_json::json;

async fn lab(api: &FakeModelApi) -> Lab {
    let mut lab = Lab::new(json!({})).await;
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let claude = AgentConfig {
        command: vec![claude_cli().to_str().unwrap().to_owned()],
        env: [
            variable("ANTHROPIC_BASE_URL", &api.url()),
            variable("ANTHROPIC_API_KEY", "fake"),
            variable("SHELL", "/bin/sh"),
        ]
        .into(),
        ..AgentConfig::default()
    };
    lab.agents.insert("claude".to_owned(), claude);
    lab
}

fn of_claude(mut run: StartRun) -> StartRun {
    "claude".clone_into(&mut run.agent);
    run
}

#[tokio::test]
async fn claude_code_works_ends_and_goes_on_with_what_the_server_holds() {
    let write = json!({"file_path": "{{cwd}}/hello.txt", "content": "hello\n"});
    let api = FakeModelApi::start(
        Scenario::new()
            .script("GO-WRITE", [Step::call("Write", write), Step::say("Written.")])
            .script("GO-ON", [Step::say("Your request had {{n}} messages.")]),
    )
    .await;
    let lab = lab(&api).await;
    let daemon = lab.daemon().await;
    assert!(daemon.agents().iter().any(|agent| agent.name == "claude" && agent.default));
    let first = of_claude(lab.run("Please GO-WRITE"));
    lab.start(&first);
    let end = lab.ended(&first).await;
    assert_eq!(end.outcome, RunOutcome::Completed, "{end:?}");
    assert_eq!(lab.repo.git(["show", &format!("{}:hello.txt", first.branch_name)]), "hello");

    let records = lab.server.kept().records(first.run);
    let session_id = records.iter().find_map(|record| match record {
        Record::Session { session_id, .. } => Some(session_id.clone()),
        _ => None,
    });
    let native = records.iter().filter_map(|record| match record {
        Record::Native { file, lines, .. } if file.is_empty() => Some(lines.clone()),
        _ => None,
    });
    let session = native.flatten().map(SessionLine::Native).collect();
    let mut again = of_claude(lab.run("Please GO-ON"));
    (again.task, again.branch_name, again.run_number) = (first.task, first.branch_name.clone(), 2);
    again.resume = Some(ResumeFrom { session_id: session_id.unwrap(), message_count: 4 });
    lab.server.kept().sessions.insert(again.run, session);
    lab.start(&again);
    let end = lab.ended(&again).await;
    assert_eq!(end.outcome, RunOutcome::Completed, "{end:?}");
    let last = api.requests().into_iter().rfind(|request| request.is_conversation()).unwrap();
    let heard = last.texts("user").join("\n");
    assert!(heard.contains("GO-WRITE") && heard.contains("GO-ON"), "{heard}");
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn claude_codes_commands_do_not_outlive_a_stop_nor_a_killed_host() {
    let command = "setsid sleep 1000 >/dev/null 2>&1 & echo $! > {{STRAY}}; sleep 1000";
    let input = json!({"command": command, "description": "sleep"});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stray");
    let api = FakeModelApi::start(
        Scenario::new()
            .var("STRAY", file.to_str().unwrap())
            .script("GO-SLEEP", [Step::call("Bash", input), Step::say("Slept.")]),
    )
    .await;
    let lab = lab(&api).await;
    let daemon = lab.daemon().await;
    for is_killed in [false, true] {
        let _ = std::fs::remove_file(&file);
        let run = of_claude(lab.run("Please GO-SLEEP"));
        lab.start(&run);
        let stray = number_in(&file).await;
        if is_killed {
            kill(host_of(&lab, &run));
        } else {
            lab.stop(&run).await;
        }
        assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Interrupted);
        assert!(!is_alive(stray), "killed: {is_killed}");
        assert_eq!(processes_of(run.run), [0; 0]);
    }
    lab.verify();
    daemon.stop().await;
}
