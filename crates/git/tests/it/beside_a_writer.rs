//! Checkpoints while something writes, truncates, renames and commits in the same worktree: each file in each of them is as
//! it was at some moment.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use makima_git::{CheckpointError, Made, ScanError};

use crate::lab::{Lab, Repo, Task};

/// Lines of a file whose content tells itself: its name, its generation, and the line's number.
const LINES: usize = 3_000;

/// How often something is appended to a log before it begins anew.
const APPENDED: usize = 2_000;

fn line(name: &str, generation: usize, number: usize) -> String {
    format!("{name} {generation:010} {number:08}\n")
}

fn content(name: &str, generation: usize) -> Vec<u8> {
    (0..LINES).flat_map(|number| line(name, generation, number).into_bytes()).collect()
}

/// Between two writes a file rests for at least as long as it takes to read it, as it does in life.
const OFTEN: Duration = Duration::from_millis(3);
const AT_TIMES: Duration = Duration::from_millis(25);

/// Writers that go on until they are told to stop.
struct Writers {
    done: Arc<AtomicBool>,
    /// How many commits shall have been made: each is begun when a checkpoint is.
    commits: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Writers {
    fn start(lab: &Lab, folder: &Path) -> Self {
        let mut all = Self { done: Arc::default(), commits: Arc::default(), threads: Vec::new() };
        fs::create_dir_all(folder.join("w")).unwrap();
        let at = |name: &str| folder.join("w").join(name);
        // Whole or not at all.
        let (new, whole) = (at("whole.tmp"), at("whole"));
        all.add(OFTEN, move |generation| {
            fs::write(&new, content("whole", generation)).unwrap();
            fs::rename(&new, &whole).unwrap();
        });
        // Emptied and written again.
        let torn = at("torn");
        all.add(OFTEN, move |generation| fs::write(&torn, content("torn", generation)).unwrap());
        // Written over where it is.
        let over = at("over");
        all.add(OFTEN, move |generation| {
            let file = File::options().write(true).create(true).truncate(false).open(&over);
            let mut file = file.unwrap();
            content("over", generation).chunks(1 << 14).for_each(|part| file.write_all(part).unwrap());
        });
        let log = at("appended");
        all.add(OFTEN, move |generation| {
            let generation = generation % APPENDED;
            if generation == 0 {
                File::create(&log).unwrap();
            }
            let mut file = File::options().append(true).open(&log).unwrap();
            (0..20).for_each(|part| {
                file.write_all(line("log", generation * 20 + part, 0).as_bytes()).unwrap();
            });
        });
        // Cut off while git has it mapped.
        let cut = at("cut");
        all.add(AT_TIMES, move |generation| {
            let file = File::options().write(true).create(true).truncate(false).open(&cut).unwrap();
            file.set_len(if generation % 2 == 0 { 0 } else { 4 << 20 }).unwrap();
        });
        let (here, there) = (at("here"), at("there"));
        all.add(OFTEN, move |generation| {
            match generation % 5 {
                0 => fs::write(&here, line("moved", generation, 0)),
                1 => fs::rename(&here, &there),
                2 => fs::remove_file(&there),
                3 => symlink("whole", &there),
                _ => fs::remove_file(&there),
            }
            .unwrap();
        });
        let (agent, asked) = (lab.at(folder), all.commits.clone());
        let mut made = 0;
        all.add(OFTEN, move |_| {
            if made < asked.load(Ordering::Relaxed) {
                made += 1;
                agent.write("committed", line("committed", made, 0));
                agent.git(&["add", "committed"]);
                agent.git(&["commit", "-q", "--only", "-m", "Beside", "committed"]);
            }
        });
        all
    }

    fn add(&mut self, rest: Duration, mut write: impl FnMut(usize) + Send + 'static) {
        let done = self.done.clone();
        self.threads.push(std::thread::spawn(move || {
            for generation in 0.. {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                write(generation);
                std::thread::sleep(rest);
            }
        }));
    }

    /// What failed in one of them fails the test.
    fn stop(self) {
        self.done.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// The number that a line carries at this place.
fn number(line: &[u8], place: usize) -> Option<usize> {
    std::str::from_utf8(line).ok()?.split_whitespace().nth(place)?.parse().ok()
}

/// Whether a file was like this at some moment.
fn was(name: &str, bytes: &[u8]) -> bool {
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap();
    let generation = number(first, 1);
    match name {
        "whole" => generation.is_some_and(|found| bytes == content("whole", found)),
        // The beginning of one generation; of a part of a line one can't tell which.
        "torn" => {
            bytes.len() < 64 || generation.is_some_and(|found| content("torn", found).starts_with(bytes))
        }
        "over" => {
            let last = bytes.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap();
            let newest = [generation, number(last, 1), number(last, 1).map(|last| last + 1)];
            bytes.len() < 64 || newest.into_iter().flatten().any(|newest| is_written_over(bytes, newest))
        }
        "appended" => {
            let wanted = (0..).flat_map(|number| line("log", number, 0).into_bytes());
            bytes.iter().copied().eq(wanted.take(bytes.len()))
        }
        "cut" => bytes.iter().all(|byte| *byte == 0) && [0, 4 << 20].contains(&bytes.len()),
        "here" => bytes.is_empty() || number(first, 1).is_some_and(|found| found % 5 == 0),
        "there" => {
            bytes == b"whole" || bytes.is_empty() || number(first, 1).is_some_and(|found| found % 5 == 0)
        }
        "committed" => bytes.is_empty() || first.starts_with(b"committed "),
        _ => false,
    }
}

/// The newest generation up to some byte, and from there on the one before it (nothing, of the first).
fn is_written_over(bytes: &[u8], newest: usize) -> bool {
    let new = content("over", newest);
    let end =
        bytes.iter().zip(&new).position(|(one, other)| one != other).unwrap_or(bytes.len().min(new.len()));
    match newest.checked_sub(1) {
        Some(older) => bytes.len() == new.len() && bytes[end..] == content("over", older)[end..],
        None => end == bytes.len(),
    }
}

/// Reads a checkpoint out of the repository and judges each file that was written meanwhile.
fn judge(task: &Task, made: &Made) {
    let listed = task.repo.git(&["ls-tree", "-r", made.tree.as_str()]);
    let objects: BTreeMap<&str, &str> = listed
        .lines()
        .map(|line| line.split_once('\t').unwrap())
        .map(|(about, name)| (name, about.split(' ').nth(2).unwrap()))
        .collect();
    for (name, object) in objects {
        let Some(name) = name.strip_prefix("w/").or_else(|| (name == "committed").then_some(name)) else {
            continue;
        };
        let bytes = task.repo.bytes(&["cat-file", "blob", object]);
        let shown = bytes[..bytes.len().min(200)].escape_ascii();
        assert!(was(name, &bytes), "{name} was never like this: {} bytes, {shown}", bytes.len());
    }
}

fn locks(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let of_this = files.into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "lock"));
    of_this.chain(folders.iter().flat_map(|folder| locks(folder))).collect()
}

async fn beside_writers(checkpoints: u64) {
    let (lab, user) = Lab::with_user().await;
    user.write(".gitignore", "*.tmp\n").commit("Ignore");
    let mut task = lab.task(&user).await;
    let writers = Writers::start(&lab, &task.repo.folder);
    let (mut made, mut last) = (0, None);
    for number in 1..=checkpoints {
        if number % 3 == 0 {
            writers.commits.fetch_add(1, Ordering::Relaxed);
        }
        match task.worktree.checkpoint(&task.request(number)).await {
            Ok(one) => {
                let one = one.unwrap();
                judge(&task, &one);
                made += 1;
                task.last = Some(one.commit.clone());
                last = Some(one);
            }
            Err(CheckpointError::Scan(ScanError::WorktreeChanging { .. })) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    writers.stop();
    // No writer is so fast that none can be made beside it.
    assert!(made * 3 >= checkpoints * 2, "{made} of {checkpoints}");
    // HEAD is what it was while the files were read: the checkpoint stands on it.
    let last = last.unwrap();
    let head = last.head_commit.unwrap();
    assert!(
        last.commit == head || task.repo.git(&["rev-parse", &format!("{}^", last.commit)]) == head.as_str()
    );
    assert_eq!(locks(task.clone.dir()), [""; 0].map(PathBuf::from));
    lab.at(task.clone.dir()).git(&["fsck", "--connectivity-only"]);
    // With nobody beside it, it is what is there.
    let made = task.checkpoint(checkpoints + 1).await;
    assert_eq!(
        task.repo.bytes(&["cat-file", "blob", &format!("{}:w/whole", made.tree)]),
        at(&task.repo, "w/whole")
    );
}

fn at(repo: &Repo, name: &str) -> Vec<u8> {
    fs::read(repo.folder.join(name)).unwrap()
}

/// Fault: a process writes, truncates, appends, renames and commits in the worktree
/// Moment: while checkpoints are made
/// Outcome: each file in each checkpoint is as it was at some moment, or the checkpoint says that the worktree changes; no lock is left, and no git of the agent fails
/// Pain: 13
#[tokio::test]
async fn each_file_is_as_it_was_at_some_moment() {
    beside_writers(6).await;
}

#[tokio::test]
#[ignore = "long: hundreds of checkpoints beside writers"]
async fn each_file_is_as_it_was_at_some_moment_for_hundreds_of_checkpoints() {
    beside_writers(400).await;
}
