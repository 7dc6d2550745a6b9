//! A disk without room, with nearly everything on it: database, clones, worktrees, and the program's own log.

use crate::lab::{Lab, bash, processes_of, say, until};
use makima_model::TaskStatus;
use makima_testkit::{SmallDisk, with_own_mounts};
use makima_wire::CreateTask;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;

const LINES: usize = 40;

/// Fault: the server's disk is full, and server and daemon are killed
/// Moment: while the agent talks
/// Outcome: the agent goes on, `makima status` says what is in the way and `makima up` why it doesn't start; with room again every
/// line is there once, in order
#[test]
fn a_full_disk_and_a_kill_lose_nothing_that_was_said() {
    with_own_mounts(async {
        let (disk, gates) = (SmallDisk::mount(64 << 20), tempfile::tempdir().unwrap());
        let gate = gates.path().join("full");
        // More than any pipe holds.
        let line = |n: usize| format!("{n} {}", "x".repeat(8 << 10));
        let mut steps = vec![bash("true")];
        steps.extend((0..LINES).map(|n| {
            let mut step = bash("true");
            step["content"][0]["text"] = json!(line(n));
            step["wait_for_file"] = json!(gate);
            step
        }));
        // It is still there when its daemon is killed.
        let last_gate = gates.path().join("last");
        let mut end = say("the end");
        end["wait_for_file"] = json!(last_gate);
        steps.push(end);
        let mut lab = Lab::in_folder(disk.folder(), json!({ "TALK": steps }));
        let settings = lab.data().join("makima.toml");
        // Journals, and what the agent keeps for itself, have room.
        fs::create_dir_all(lab.data().join("daemon")).unwrap();
        std::os::unix::fs::symlink(gates.path(), lab.data().join("daemon/runs")).unwrap();
        let before = fs::read_to_string(&settings).unwrap();
        fs::write(&settings, format!("[daemon]\nheartbeat_seconds = 1\n{before}")).unwrap();
        lab.up();
        let wanted = CreateTask {
            plan: "TALK".to_owned(),
            repository: Some(lab.repo.path().to_str().unwrap().to_owned()),
            ..CreateTask::default()
        };
        let task = lab.client().create_task(&wanted).await.unwrap();
        until("the agent has begun to talk", async || (!lab.said(task.id).await.is_empty()).then_some(()))
            .await;
        disk.fill(0);
        fs::write(&gate, "").unwrap();
        until("the server says that it has no room", async || {
            let status = lab.finish(&["status", "--json"]);
            assert_eq!(status.code, Some(0), "{status:?}");
            status.json()["server"]["trouble"].as_str().map(str::to_owned)
        })
        .await;
        assert_eq!(lab.finish(&["status"]).code, Some(0));
        assert!(!lab.end_up(Signal::KILL).success());
        assert!(!processes_of(&lab.data()).is_empty(), "the agent went with the daemon");
        let refused = lab.finish(&["up", "--listen", "127.0.0.1:0"]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("no room left"), "{refused:?}");

        disk.make_room();
        fs::write(&last_gate, "").unwrap();
        lab.up();
        let done = lab.task_when(task.id, "it has ended", |task| task.status.is_over()).await;
        assert_eq!((done.status, done.run_number), (TaskStatus::Completed, 1), "{done:?}");
        let mut expected: Vec<String> = vec!["I run.".to_owned()];
        expected.extend((0..LINES).map(line));
        expected.push("the end".to_owned());
        assert_eq!(lab.said(task.id).await, expected);
        let daemons = until("the daemon has no trouble of its own", async || {
            let list = lab.finish(&["daemon", "list", "--json"]).json();
            let trouble = list["daemons"][0]["trouble"].as_str().unwrap_or_default().to_owned();
            // The whole disk is a small one: that is told too.
            (!trouble.contains("waits")).then_some(list)
        })
        .await;
        assert!(matches!(&daemons["daemons"], Value::Array(all) if all.len() == 1), "{daemons}");
        assert!(lab.end_up(Signal::INT).success());
        lab.verify();
    });
}
