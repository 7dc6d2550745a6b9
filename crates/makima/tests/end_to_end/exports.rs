//! Exports by the built program: archives whose every hash is right and whose code plain git clones, and pages.

use crate::{
    import::Session,
    lab::{Lab, bash, say},
};
use flate2::read::GzDecoder;
use makima_model::{TaskId, TaskStatus};
use makima_wire::{ListTasks, Task};
use serde_json::{Value, json};
use std::{fs, path::Path};

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What is in an archive, in a folder of its own.
fn unpacked(lab: &Lab, archive: &Path, folder: &str) -> (Value, std::path::PathBuf) {
    let folder = lab.path(folder);
    tar::Archive::new(GzDecoder::new(fs::File::open(archive).unwrap())).unpack(&folder).unwrap();
    let manifest = fs::read_to_string(folder.join("manifest.json")).unwrap();
    (serde_json::from_str(&manifest).unwrap(), folder)
}

fn rows(folder: &Path, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.join(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Whether a clone of a bundle has every checkpoint of these rows, by its tag.
fn has_all(lab: &Lab, bundle: &Path, checkpoints: &[Value]) {
    let clone =
        lab.path(&format!("clone-of-{}", bundle.parent().unwrap().file_name().unwrap().to_str().unwrap()));
    lab.repo.git(["clone", "--quiet", path(bundle), path(&clone)]);
    for checkpoint in checkpoints {
        let tag =
            format!("makima/{}/{}", checkpoint["taskId"].as_str().unwrap(), checkpoint["checkpointNumber"]);
        let commit = lab.repo.git(["-C", path(&clone), "rev-parse", &format!("{tag}^{{commit}}")]);
        assert_eq!(json!(commit), checkpoint["commitSha"]);
    }
    lab.repo.git(["-C", path(&clone), "fsck", "--strict", "--no-dangling"]);
    assert_eq!(lab.repo.git(["-C", path(&clone), "status", "--porcelain"]), "");
}

/// A task of two turns, each of which changed a file.
async fn of_two_turns(lab: &Lab) -> Task {
    let made = lab.finish(&["task", "create", "ONE", "--json"]).json();
    let id: TaskId = made["id"].as_str().unwrap().parse().unwrap();
    lab.task_when(id, "it is done", |task| task.status == TaskStatus::Completed).await;
    assert_eq!(lab.finish(&["task", "send", &id.short(), "TWO"]).code, Some(0));
    lab.task_when(id, "it is done again", |task| {
        task.status == TaskStatus::Completed && task.run_number == 2 && task.checkpoint_count == 2
    })
    .await
}

fn lab() -> Lab {
    let lab = Lab::new(json!({
        "ONE": [bash("seq 1 9 > numbers.txt"), say("One.")],
        "TWO": [bash("sed -i 's/^5$/five/' numbers.txt; git add -A; git commit -qm Numbers"), say("Two.")],
    }));
    lab.repo.write("README.md", "A text.\n").commit("Text");
    lab
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_exported_whole_and_its_code_is_cloned_from_it() {
    let mut lab = lab();
    lab.up();
    let task = of_two_turns(&lab).await;
    let short = task.id.short();
    let file = lab.path("one.tar.gz");
    let told = lab.finish(&["export", &short, "--output", path(&file), "--json"]).json();
    assert_eq!(told["file"], json!(file));
    assert_eq!(
        (&told["format"], &told["bytes"]),
        (&json!("archive"), &json!(fs::metadata(&file).unwrap().len()))
    );
    let (manifest, folder) = unpacked(&lab, &file, "one");
    assert_eq!(manifest["taskId"], json!(task.id));
    assert_eq!(manifest["withoutCode"], json!([]));
    let checkpoints = rows(&folder, "checkpoints.jsonl");
    assert_eq!(checkpoints.len(), 2);
    has_all(&lab, &folder.join("code.bundle"), &checkpoints);
    for number in 1..=2 {
        let patch = folder.join(format!("patches/{}/{number}.patch", task.id));
        assert!(fs::read_to_string(patch).unwrap().contains("numbers.txt"));
    }
    let said: Vec<Value> = rows(&folder, "messages.jsonl").into_iter().map(|row| row["id"].clone()).collect();
    let shown = lab.client().conversation(task.id).await.unwrap().messages;
    assert_eq!(said, shown.iter().map(|message| json!(message.id)).collect::<Vec<_>>());
    assert!(!rows(&folder, "native.jsonl").is_empty());

    // It is not written over, unless that is said.
    let refused = lab.finish(&["export", &short, "--output", path(&file)]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("there already") && refused.stderr.contains("--force"),
        "{}",
        refused.stderr
    );
    let forced = lab.finish(&["export", &short, "--output", path(&file), "--force", "--without-code"]);
    assert_eq!(forced.code, Some(0), "{}", forced.stderr);
    assert!(forced.stdout.starts_with("exported ONE to "), "{}", forced.stdout);
    let (manifest, folder) = unpacked(&lab, &file, "two");
    assert_eq!(manifest["withoutCode"], json!([{ "taskId": task.id, "reason": "not_wanted" }]));
    assert!(!folder.join("code.bundle").exists());

    // Without a name it is called after the task, and nothing is left beside it.
    let named = lab.finish(&["export", "ONE", "--json"]).json();
    assert_eq!(named["file"], format!("makima-one-{short}.tar.gz"));
    let left: Vec<_> =
        fs::read_dir(lab.repo.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");
    assert_eq!(lab.finish(&["export", "nothing-like-it"]).code, Some(3));
    assert_eq!(lab.finish(&["export", &short, "--format", "html", "--without-code"]).code, Some(2));
    assert_eq!(lab.finish(&["export", &short, "--output", "-", "--json"]).code, Some(2));
    crate::lab::until("nothing of the exports is left", async || {
        let owners = fs::read_dir(lab.data().join("exports")).unwrap();
        let left: usize = owners.map(|owner| fs::read_dir(owner.unwrap().path()).unwrap().count()).sum();
        (left == 0).then_some(())
    })
    .await;
    lab.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_is_exported_with_the_code_of_all_its_tasks_in_one_bundle() {
    let mut lab = lab();
    lab.up();
    let contract = lab.finish(&["contract", "create", "Numbers", "--json"]).json();
    let id = contract["id"].as_str().unwrap().to_owned();
    for plan in ["ONE", "ONE"] {
        assert_eq!(lab.finish(&["task", "create", plan, "--contract", "Numbers"]).code, Some(0));
    }
    let client = lab.client();
    crate::lab::until("both are done", async || {
        let tasks = client.tasks(&ListTasks::default()).await.unwrap().tasks;
        tasks.iter().all(|task| task.status == TaskStatus::Completed).then_some(())
    })
    .await;
    let file = lab.path("all.tar.gz");
    let exported = lab.finish(&["export", "Numbers", "-o", path(&file)]);
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    let (manifest, folder) = unpacked(&lab, &file, "all");
    assert_eq!(manifest["contractId"], json!(id));
    let checkpoints = rows(&folder, "checkpoints.jsonl");
    assert_eq!((checkpoints.len(), rows(&folder, "tasks.jsonl").len()), (2, 2));
    assert_eq!(manifest["code"].as_array().unwrap().len(), 1);
    has_all(&lab, &folder.join("code.bundle"), &checkpoints);
    lab.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_exported_to_files_and_to_pipes() {
    let mut lab = lab();
    lab.up();
    let task = of_two_turns(&lab).await;
    let short = task.id.short();
    let page = lab.finish(&["export", &short, "--format", "markdown", "--output", "-"]);
    assert_eq!(page.code, Some(0), "{}", page.stderr);
    for part in [
        "# ONE\n",
        "### Checkpoint 2\n",
        "+five",
        "**Bash** ` seq 1 9 > numbers.txt `",
        "This is the end of it.",
    ] {
        assert!(page.stdout.contains(part), "{part:?} of {}", page.stdout);
    }
    let named = lab.finish(&["export", &short, "--format", "html", "--json"]).json();
    assert_eq!(named["file"], format!("makima-one-{short}.html"));
    let html = fs::read_to_string(lab.repo.path().join(named["file"].as_str().unwrap())).unwrap();
    assert!(html.contains("<span class=\"a\">+five</span>") && html.ends_with("</html>\n"));
}

/// The most memory that a process had since it was last looked at, in MiB.
fn peak(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? >> 10)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: imports a session of 200 MB and exports it three times"]
async fn a_conversation_of_200_mb_is_exported_in_little_memory() {
    let mut lab = Lab::new(json!({}));
    lab.up();
    let file = lab.path("5e55104e-0000-4000-8000-000000000004.jsonl");
    let mut session = Session::new("/home/dev/w", "main");
    let mut turns = 0;
    while session.text.len() < 200 << 20 {
        session.say(&format!("question {turns}"), &format!("{turns} {}", "word ".repeat(900)));
        turns += 1;
    }
    fs::write(&file, &session.text).unwrap();
    drop(session);
    // It takes longer than anything that is waited for elsewhere.
    let mut importing = lab.start(&["import", "claude-code", path(&file)]);
    while importing.try_wait().unwrap().is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let task = lab.task().await;
    assert_eq!(task.message_count, 2 * turns);
    for format in ["archive", "html", "markdown"] {
        // What it had at most is forgotten.
        fs::write(format!("/proc/{}/clear_refs", lab.pid()), "5").unwrap();
        let before = peak(lab.pid()).unwrap();
        let to = lab.path(format);
        let started = std::time::Instant::now();
        let mut exporting =
            lab.start(&["export", &task.id.short(), "--format", format, "--output", path(&to)]);
        let mut most = 0;
        while exporting.try_wait().unwrap().is_none() {
            most = peak(exporting.id()).unwrap_or(most);
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let (server, bytes) = (peak(lab.pid()).unwrap(), fs::metadata(&to).unwrap().len());
        let took = started.elapsed();
        eprintln!("{format}: {bytes} bytes in {took:?}, server {before} to {server} MiB, command {most} MiB");
        assert!(most < 64, "the command took {most} MiB");
        assert!(server < before + 128, "the server took {before} to {server} MiB");
        assert!(bytes > 1 << 20);
    }
    lab.verify();
}
