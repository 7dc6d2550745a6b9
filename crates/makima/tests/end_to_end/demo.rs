//! `makima up --demo`

use crate::lab::{Lab, start, until};
use makima_model::TaskStatus;
use makima_wire::{ListContracts, ListTasks};
use rustix::process::Signal;
use serde_json::json;
use std::{
    io::{BufRead, BufReader},
    sync::{Arc, Mutex},
};

/// What a process has printed so far.
fn listen(child: &mut std::process::Child) -> Arc<Mutex<String>> {
    let heard = Arc::new(Mutex::new(String::new()));
    let (stream, to) = (child.stdout.take().unwrap(), Arc::clone(&heard));
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            to.lock().unwrap().push_str(&(line + "\n"));
        }
    });
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_works_and_says_what_to_do_next() {
    let mut lab = Lab::new(json!({}));
    // A machine without any agent.
    std::fs::write(lab.data().join("makima.toml"), "[agents.claude]\ncommand = [\"/nonexistent\"]\n")
        .unwrap();
    let mut command = lab.makima(&["up", "--demo", "--listen", "127.0.0.1:0"]);
    let mut up = start(&mut command);
    let heard = listen(&mut up);
    let text = until("it says what to do next", async || {
        let heard = heard.lock().unwrap().clone();
        heard.contains("let your own agent work").then_some(heard)
    })
    .await;
    for shown in [
        "Makima is ready at http://127.0.0.1:",
        "started",
        "checkpoint 1",
        "waits for your answer",
        "rm -r build",
        "completed: branch makima/fix-the-check-that-fails-",
    ] {
        assert!(text.contains(shown), "{shown} is missing:\n{text}");
    }
    // The command that it prints is the one that answers.
    let (_, command) = text.split_once(" task answer ").unwrap();
    let words: Vec<&str> = command.split_whitespace().take(2).collect();
    let answered = lab.finish(&["task", "answer", words[0], words[1]]);
    assert_eq!(answered.code, Some(0), "{answered:?}");
    until("the last task has ended", async || {
        heard.lock().unwrap().contains("completed: branch makima/clear-away").then_some(())
    })
    .await;
    crate::lab::send(&up, Signal::INT);
    assert!(crate::lab::wait(&mut up).success());

    // A second start shows what is there, and makes nothing again.
    lab.up_with(&["--demo"]);
    let tasks = lab.client().tasks(&ListTasks::default()).await.unwrap();
    assert_eq!(tasks.total_count, 4);
    for task in &tasks.tasks {
        assert_eq!((task.status, task.agent.as_deref()), (TaskStatus::Completed, Some("demo")), "{task:?}");
        assert!(task.checkpoint_count >= 1, "{task:?}");
    }
    let average = tasks.tasks.iter().find(|task| task.name.contains("average")).unwrap();
    assert_eq!(average.checkpoint_count, 3, "one for each turn");
    assert_eq!(lab.client().contracts(&ListContracts::default()).await.unwrap().total_count, 1);
    // The demonstration's agent is nobody's default.
    let ran = lab.finish(&["run", "plan"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("install Claude Code"), "{ran:?}");
}
