//! What differs between the moments of a task's code, in the built program.

use crate::lab::{Finished, Lab, bash, say};
use makima_model::{TaskId, TaskStatus};
use serde_json::{Value, json};

fn files(told: &Finished) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let document = told.json();
    let files = document["diff"]["files"].as_array().unwrap();
    files.iter().map(|file| (text(&file["path"]), text(&file["action"]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(path, action)| ((*path).to_owned(), (*action).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_s_checkpoints_are_compared_line_by_line() {
    let first = bash("seq 1 9 > numbers.txt; printf 'a\\nb' > letters.txt; printf '\\0\\1' > logo.bin");
    let second = bash(
        "git mv -f README.md READ.md 2>/dev/null || mv README.md READ.md; sed -i 's/^5$/five/' numbers.txt; \
        chmod +x letters.txt; printf '\\0\\2' > logo.bin; printf 'new\\n' > 'odd\tname'",
    );
    let mut lab = Lab::new(json!({ "ONE": [first, say("One.")], "TWO": [second, say("Two.")] }));
    lab.repo
        .write("README.md", "This is a text of some length,\nso that it is known again\nby another name.\n")
        .commit("Text");
    lab.up();
    let made = lab.finish(&["task", "create", "ONE", "--json"]).json();
    let id: TaskId = made["id"].as_str().unwrap().parse().unwrap();
    lab.task_when(id, "it is done", |task| task.status == TaskStatus::Completed).await;
    let short = id.short();
    assert_eq!(lab.finish(&["task", "send", &short, "TWO"]).code, Some(0));
    lab.task_when(id, "it is done again", |task| {
        task.status == TaskStatus::Completed && task.run_number == 2 && task.checkpoint_count == 2
    })
    .await;

    let diff = |more: &[&str]| lab.finish(&[&["task", "checkpoint-diff", &short], more].concat());
    let one = diff(&["1", "--json"]);
    assert_eq!(
        files(&one),
        pairs(&[("letters.txt", "added"), ("logo.bin", "added"), ("numbers.txt", "added")])
    );
    let letters = one.json()["diff"]["files"][0].clone();
    assert_eq!(
        letters["hunks"][0]["lines"][1],
        json!({ "kind": "added", "text": "b", "newLine": 2, "noNewline": true })
    );
    assert_eq!(one.json().get("previousCheckpoint"), None);

    let two = diff(&["2", "--json"]);
    let told = two.json();
    assert_eq!(
        files(&two),
        pairs(&[
            ("READ.md", "renamed"),
            ("letters.txt", "modified"),
            ("logo.bin", "modified"),
            ("numbers.txt", "modified"),
            ("odd\tname", "added"),
        ])
    );
    let file = |name: &str| {
        let files = told["diff"]["files"].as_array().unwrap();
        files.iter().find(|file| file["path"] == name).unwrap().clone()
    };
    assert_eq!(file("READ.md")["oldPath"], "README.md");
    assert_eq!(
        (file("letters.txt")["oldMode"].clone(), file("letters.txt")["newMode"].clone()),
        (json!("100644"), json!("100755"))
    );
    assert_eq!(
        (file("logo.bin")["binary"].clone(), file("logo.bin")["hunks"].clone()),
        (json!(true), json!([]))
    );
    let hunk = file("numbers.txt")["hunks"][0].clone();
    assert_eq!((hunk["oldStart"].clone(), hunk["oldLines"].clone()), (json!(2), json!(7)));
    assert_eq!(told["previousCheckpoint"]["checkpointNumber"], 1);
    assert_eq!(told["diff"]["stats"], json!({ "filesChanged": 5, "insertions": 2, "deletions": 1 }));

    // What isn't kept is computed by the daemon: other lines around, another moment, one file under its old name.
    let bare = diff(&["2", "--context", "0", "--path", "numbers.txt", "--json"]);
    assert_eq!(bare.json()["diff"]["files"][0]["hunks"][0]["oldStart"], 5);
    let renamed = diff(&["2", "--context", "1", "--path", "README.md", "--json"]);
    assert_eq!(files(&renamed), pairs(&[("READ.md", "renamed")]));
    let all = diff(&["2", "--from", "~1000", "--json"]);
    assert_eq!(
        files(&all),
        pairs(&[
            ("READ.md", "renamed"),
            ("letters.txt", "added"),
            ("logo.bin", "added"),
            ("numbers.txt", "added"),
            ("odd\tname", "added"),
        ])
    );
    assert_eq!(diff(&["2", "--from", "checkpoint:2"]).stdout.lines().last(), Some("nothing differs"));

    let shown = diff(&["2", "--path", "numbers.txt"]);
    for line in ["modified  numbers.txt  +1 −1", "-5", "+five", " 4", "1 file, +1 −1"] {
        assert!(shown.stdout.lines().any(|shown| shown == line), "{line:?} of {}", shown.stdout);
    }
    let listed = lab.finish(&["task", "checkpoints", &short, "--with-diff"]).stdout;
    assert!(
        listed.contains("checkpoint 2")
            && listed.contains("+five")
            && listed.contains("renamed  README.md → READ.md"),
        "{listed}"
    );
    assert_eq!(diff(&["7"]).code, Some(3));
    assert_eq!(diff(&["first"]).code, Some(2));
    assert_eq!(diff(&["1", "--from", "yesterday-ish"]).code, Some(2));
    lab.verify();
}
