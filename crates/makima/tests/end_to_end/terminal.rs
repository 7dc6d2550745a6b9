//! A person at a terminal: colours, the width, questions that are asked there, Ctrl-C.

use crate::lab::{Lab, bash, call, say, until, wait, write};
use makima_model::TaskStatus;
use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use serde_json::json;
use std::{
    fs::File,
    io::{Read, Write},
    process::{Child, Command},
    sync::{Arc, Mutex},
};

/// A terminal, and the program that runs in it.
struct Terminal {
    keyboard: File,
    shown: Arc<Mutex<String>>,
    child: Child,
}

impl Terminal {
    /// Runs a command in a terminal of 60 columns.
    fn run(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize { ws_row: 30, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let open = || File::options().read(true).write(true).open(&name).unwrap();
        let child = command.env("TERM", "xterm").stdin(open()).stdout(open()).stderr(open()).spawn().unwrap();
        // Its own copies of the streams would keep the terminal open.
        drop(command);
        let keyboard = File::from(master);
        let (mut screen, shown) = (keyboard.try_clone().unwrap(), Arc::new(Mutex::new(String::new())));
        let to = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // A terminal that nobody has open any more answers with an error.
            while let Ok(read @ 1..) = screen.read(&mut buffer) {
                to.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
        });
        Self { keyboard, shown, child }
    }

    /// Types, once something is shown.
    async fn type_at(&mut self, shown: &str, keys: &str) {
        until(&format!("{shown:?} is shown"), async || self.text().contains(shown).then_some(())).await;
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    fn text(&self) -> String {
        self.shown.lock().unwrap().replace("\r\n", "\n")
    }

    /// Waits for the end of a program that follows a task; answers what was shown, and the exit code.
    async fn end(self) -> (String, Option<i32>) {
        self.end_with("go on ").await
    }

    /// The same of one whose last words are others.
    async fn end_with(mut self, last: &str) -> (String, Option<i32>) {
        let status = wait(&mut self.child);
        // The last of it may still be on its way.
        until("the end is shown", async || self.text().contains(last).then_some(())).await;
        (self.text(), status.code())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Of a test that failed; otherwise it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_asked_and_answered_on_the_terminal() {
    let ask = json!({"content": [], "ask": {"text": "Which colour?", "choices": ["red", "blue"]}});
    let mut lab =
        Lab::new(json!({ "ASK": [bash("echo ran > ran.txt"), ask, bash("echo no"), say("Thanks.")] }));
    lab.up();
    let mut terminal = Terminal::run(lab.makima(&["run", "ASK", "--permission-mode", "acceptEdits"]));
    terminal.type_at("say why not: ", "yes\n").await;
    terminal.type_at("a number, or your words: ", "2\n").await;
    until("the third question is there", async || {
        (terminal.text().matches("say why not: ").count() == 2).then_some(())
    })
    .await;
    terminal.type_at("│ echo no", "Not now\n").await;
    let (text, code) = terminal.end().await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("│ echo ran > ran.txt") && text.contains("failed: Not now"), "{text}");
    assert!(!text.contains("task answer"), "{text}");
    let task = lab.task().await;
    assert_eq!(lab.committed(&task.branch_name, "ran.txt"), "ran");
    let conversation = lab.client().conversation(task.id).await.unwrap();
    let results: Vec<String> =
        conversation.messages.into_iter().filter_map(|message| message.tool_result).collect();
    assert_eq!(results[1..], ["blue", "Not now"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_has_colours_unless_they_are_unwanted_and_lines_are_cut_to_its_width() {
    let long = format!("echo {}", "long ".repeat(30));
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2J";
    let mut lab = Lab::new(json!({ "LONG": [call(evil, "Bash", json!({ "command": long })), say("Done.")] }));
    lab.up();
    let (text, code) = Terminal::run(lab.makima(&["run", "LONG"])).end().await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("\u{1b}[32mcompleted\u{1b}[0m"), "{text:?}");
    assert!(!text.contains("\u{1b}]") && !text.contains("\u{1b}[2J") && !text.contains('\u{7}'), "{text:?}");

    let mut command = lab.makima(&["run", "LONG"]);
    command.env("NO_COLOR", "1");
    let (text, _) = Terminal::run(command).end().await;
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let line = text.lines().find(|line| line.starts_with("● Bash")).unwrap();
    assert!(line.chars().count() == 60 && line.ends_with('…'), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_before_there_is_a_question_answers_nothing() {
    let mut gated = bash("echo ran > ran.txt");
    gated["wait_for_file"] = json!("../gate");
    let mut lab = Lab::new(json!({ "ASK": [write("a.txt", "a\n"), gated, say("Done.")] }));
    lab.up();
    let mut terminal = Terminal::run(lab.makima(&["run", "ASK", "--permission-mode", "acceptEdits"]));
    terminal.type_at("  a.txt +1", "deny\n").await;
    let task = lab.task().await;
    std::fs::write(std::path::Path::new(&task.worktree_path.unwrap()).join("../gate"), "").unwrap();
    terminal.type_at("say why not: ", "allow\n").await;
    let (text, code) = terminal.end().await;
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(lab.task().await.status, TaskStatus::Completed);
    assert_eq!(lab.committed(&task.branch_name, "ran.txt"), "ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_fit_the_terminal_and_long_output_is_paged_there_alone() {
    let mut lab = Lab::new(json!({}));
    lab.up();
    let name = "名前 that is far too long for a terminal of sixty columns, and goes on";
    let task = lab.makima(&["task", "create", "plan", "--no-start", "--name", name]).output().unwrap();
    assert!(task.status.success(), "{task:?}");
    // The pager gets all of it, and nobody else does.
    let paged = |pager: &str, arguments: &[&str]| {
        let mut command = lab.makima(arguments);
        command.env("PAGER", pager).env("NO_COLOR", "1");
        command
    };
    let list = Terminal::run(paged("sed 's/^/| /'", &["task", "list"]));
    let (text, code) = list.end_with("just now\n").await;
    assert_eq!(code, Some(0), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() == 2 && lines.iter().all(|line| line.starts_with("| ")), "{text}");
    for line in &lines {
        let wide = line.chars().filter(|c| "名前".contains(*c)).count();
        assert!(line.chars().count() + wide <= 62, "{line}");
    }
    assert!(lines[1].contains("名前 that") && lines[1].contains("…  "), "{text}");

    let whole = Terminal::run(paged("cat", &["task", "list"])).end_with("just now\n").await.0;
    assert!(whole.starts_with("ID") && !whole.contains('|'), "{whole}");
    for arguments in [&["task", "list"][..], &["task", "list", "--json"]] {
        let piped = paged("sed 's/^/| /'", arguments).output().unwrap();
        let piped = String::from_utf8(piped.stdout).unwrap();
        assert!(!piped.contains("| ") && piped.contains(name), "{piped}");
    }
}
