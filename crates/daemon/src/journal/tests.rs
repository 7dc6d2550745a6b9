use super::*;
use crate::trouble::DiskTrouble;
use makima_model::{Entry, NoticeLevel, RunEnd, RunOutcome};
use makima_testkit::{SmallDisk, with_own_mounts};
use std::{
    fs::{self, OpenOptions},
    io::Write,
};

fn notice(text: &str) -> Record {
    Record::Notice { level: NoticeLevel::Info, text: text.into(), failure: None }
}

fn clock() -> Clock {
    Clock::standing_at("2026-01-15T09:30:00Z".parse().unwrap())
}

fn open(folder: &Path) -> (Journal, Standing) {
    Journal::open(folder, clock()).unwrap()
}

fn texts(folder: &Path, after: u64, durable: Durable) -> Vec<String> {
    let mut reader = JournalReader::after(folder, after, durable).unwrap().unwrap();
    let mut texts = Vec::new();
    while let Some(line) = reader.read(durable).unwrap() {
        let entry: Entry = serde_json::from_str(&line.text).unwrap();
        assert_eq!(entry.n, line.n);
        match entry.record {
            Record::Notice { text, .. } => texts.push(format!("{} {text}", entry.n)),
            other => panic!("{other:?}"),
        }
    }
    texts
}

#[test]
fn entries_are_numbered_from_one_and_go_on_after_a_reopen() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path());
    journal.append(&[notice("a"), notice("b")]).unwrap();
    drop(journal);
    let (mut journal, standing) = open(folder.path());
    assert_eq!(standing.durable.n, 2);
    let durable = journal.append(&[notice("c")]).unwrap();
    assert_eq!(texts(folder.path(), 0, durable), ["1 a", "2 b", "3 c"]);
    assert_eq!(texts(folder.path(), 2, durable), ["3 c"]);
    assert!(texts(folder.path(), 3, durable).is_empty());
}

#[test]
fn a_torn_end_is_cut_and_its_number_given_again() {
    for torn in
        ["{\"n\":2,\"at\":\"2026", "\0\0\0\0\n", "{\"n\":7,\"at\":\"\",\"record\":{\"type\":\"notice\"}}\n"]
    {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).0.append(&[notice("a")]).unwrap();
        let path = segments::path(folder.path(), 1);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(torn.as_bytes()).unwrap();
        let (mut journal, standing) = open(folder.path());
        assert_eq!(standing.durable.n, 1, "{torn:?}");
        let durable = journal.append(&[notice("b")]).unwrap();
        assert_eq!(durable.end, fs::metadata(&path).unwrap().len());
        assert_eq!(texts(folder.path(), 0, durable), ["1 a", "2 b"]);
    }
}

#[test]
fn a_reader_never_sees_what_is_not_durable() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path());
    let first = journal.append(&[notice("a")]).unwrap();
    let second = journal.append(&[notice("b")]).unwrap();
    let mut reader = JournalReader::after(folder.path(), 0, first).unwrap().unwrap();
    assert_eq!(reader.read(first).unwrap().unwrap().n, 1);
    assert_eq!(reader.read(first).unwrap(), None);
    assert_eq!(reader.read(second).unwrap().unwrap().n, 2);
    assert_eq!(reader.read(second).unwrap(), None);
}

#[test]
fn one_process_writes_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    assert!(matches!(Journal::open(folder.path(), clock()), Err(DaemonError::JournalHeld { .. })));
    drop(journal);
    open(folder.path());
}

#[test]
fn many_records_at_once_are_one_write() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path());
    let durable = journal.append(&(0..500).map(|at| notice(&at.to_string())).collect::<Vec<_>>()).unwrap();
    assert_eq!((durable.n, journal.durable()), (500, durable));
    assert_eq!(journal.append(&[]).unwrap(), durable);
    assert_eq!(texts(folder.path(), 498, durable), ["499 498", "500 499"]);
}

#[test]
fn the_journal_tells_where_its_run_stands() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, standing) = open(folder.path());
    assert_eq!(standing, Standing::default());
    let prepared = Record::Prepared {
        worktree_path: "/w".into(),
        branch_name: "makima/x".into(),
        base_branch: "main".into(),
        base_commit: String::new(),
    };
    journal.append(&[prepared, turn(1), Record::Unchanged { turn: 1 }, turn(2)]).unwrap();
    let (standing, _) = Journal::standing(folder.path()).unwrap();
    assert!(standing.is_prepared && !standing.has_ended);
    assert_eq!((standing.last_turn, standing.last_kept), (2, 1));
    let end = RunEnd { outcome: RunOutcome::Completed, reason: None, failure: None };
    let durable = journal.append(&[Record::Ended(end)]).unwrap();
    assert!(Journal::standing(folder.path()).unwrap().0.has_ended);
    let mut reader = JournalReader::after(folder.path(), 4, durable).unwrap().unwrap();
    assert!(reader.read(durable).unwrap().unwrap().is_last);
}

/// Fault: the daemon's disk is full
/// Moment: in the middle of an entry, and the writer is killed then
/// Outcome: the half entry is cut off by whoever writes next, and every entry is there once, in order
#[test]
fn an_entry_that_finds_no_room_is_cut_off_and_written_when_there_is() {
    with_own_mounts(async {
        let disk = SmallDisk::mount(1 << 20);
        let folder = disk.path().join("run");
        disk::make_folder(&folder).unwrap();
        let (mut journal, _) = open(&folder);
        journal.append(&[notice("a")]).unwrap();
        let long = "x".repeat(200 << 10);
        disk.fill(64 << 10);
        for _ in 0..2 {
            let error = journal.append(&[notice("b"), notice(&long)]).unwrap_err();
            assert_eq!(DiskTrouble::of(&error), Some(DiskTrouble::NoRoom));
        }
        assert_eq!(journal.durable().n, 1);
        // What a killed writer leaves: what is whole of it was said, though nobody had been told yet.
        drop(journal);
        let (mut journal, standing) = open(&folder);
        assert_eq!(standing.durable.n, 2);
        assert!(journal.append(&[notice(&long)]).is_err());
        disk.make_room();
        let durable = journal.append(&[notice("c")]).unwrap();
        assert_eq!(texts(&folder, 0, durable), ["1 a", "2 b", "3 c"]);
    });
}

/// Fault: the daemon's disk is full
/// Moment: while a segment of a journal is begun
/// Outcome: it is begun when there is room, by the same writer or by another, and every entry is there once, in order
#[test]
fn a_segment_that_finds_no_room_is_begun_when_there_is() {
    with_own_mounts(async {
        for is_killed in [false, true] {
            let disk = SmallDisk::mount(4 << 20);
            let folder = disk.path().join("run");
            disk::make_folder(&folder).unwrap();
            let (mut journal, _) = open(&folder);
            let durable = journal.append(&[large('a')]).unwrap();
            disk.fill(0);
            for _ in 0..2 {
                let error = journal.append(&[notice("b")]).unwrap_err();
                assert_eq!(DiskTrouble::of(&error), Some(DiskTrouble::NoRoom));
                assert_eq!(journal.durable(), durable);
            }
            if is_killed {
                drop(journal);
                journal = open(&folder).0;
            }
            disk.make_room();
            let durable = journal.append(&[notice("b")]).unwrap();
            assert_eq!(texts(&folder, 1, durable), ["2 b"]);
            drop(journal);
            assert_eq!(open(&folder).1.durable, durable);
        }
    });
}

/// A notice that fills a segment.
fn large(mark: char) -> Record {
    notice(&mark.to_string().repeat(SEGMENT as usize))
}

/// The first letters of what stands after entry `after`.
fn marks(folder: &Path, after: u64, durable: Durable) -> Vec<String> {
    texts(folder, after, durable).iter().map(|text| text.chars().take(3).collect()).collect()
}

fn turn(turn: u32) -> Record {
    serde_json::from_value(serde_json::json!({
        "type": "turn_ended", "turn": turn, "outcome": "completed", "usage": {}, "durationMs": 1
    }))
    .unwrap()
}

#[test]
fn a_journal_goes_on_in_another_segment_when_one_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path());
    for record in [large('a'), large('b'), notice("c"), turn(1), large('d')] {
        journal.append(&[record]).unwrap();
    }
    let durable = journal.append(&[notice("e")]).unwrap();
    drop(journal);
    assert_eq!(segments::list(folder.path()).unwrap(), [1, 2, 3, 6]);
    let (mut journal, standing) = open(folder.path());
    assert_eq!((standing.durable, standing.last_turn), (durable, 1));
    let durable = journal.append(&[notice("f")]).unwrap();
    let mut reader = JournalReader::after(folder.path(), 0, durable).unwrap().unwrap();
    let mut numbers = Vec::new();
    while let Some(line) = reader.read(durable).unwrap() {
        numbers.push(line.n);
    }
    assert_eq!((numbers, reader.end()), ((1..=7).collect(), durable.end));
    for after in 4..=7 {
        let rest: Vec<String> = ["5 d", "6 e", "7 f"].map(str::to_owned)[after - 4..].to_vec();
        assert_eq!(marks(folder.path(), after as u64, durable), rest, "after {after}");
    }
}

#[test]
fn what_the_server_has_is_let_go_of_and_the_rest_tells_where_the_run_stands() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path());
    journal.append(&[turn(1), Record::Unchanged { turn: 1 }, large('a')]).unwrap();
    journal.append(&[large('b'), turn(2)]).unwrap();
    let durable = journal.append(&[notice("c")]).unwrap();
    let size = || -> u64 {
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    };
    assert!(size() > 2 * SEGMENT);
    // Nothing of a segment goes before all of it may.
    release(folder.path(), 3).unwrap();
    assert_eq!(texts_count(folder.path(), 3, durable), 3);
    assert!(size() > 2 * SEGMENT);
    // While it is written, by whoever has it.
    release(folder.path(), 6).unwrap();
    assert!(size() < SEGMENT / 2);
    let durable = {
        assert_eq!(journal.durable(), durable);
        journal.append(&[notice("d")]).unwrap()
    };
    assert_eq!(texts(folder.path(), 5, durable), ["6 c", "7 d"]);
    assert!(
        JournalReader::after(folder.path(), 4, durable).unwrap().is_none(),
        "4 is followed by what is gone"
    );
    drop(journal);
    let (begun, begins) = Journal::standing(folder.path()).unwrap();
    let (journal, standing) = open(folder.path());
    assert_eq!((standing, journal.durable()), (begun, durable));
    assert_eq!((standing.last_turn, standing.last_kept), (2, 1));
    assert!(begins > 2 * SEGMENT && begins < durable.end);
}

fn texts_count(folder: &Path, after: u64, durable: Durable) -> usize {
    let mut reader = JournalReader::after(folder, after, durable).unwrap().unwrap();
    let mut count = 0;
    while reader.read(durable).unwrap().is_some() {
        count += 1;
    }
    count
}

/// Fault: the machine loses power
/// Moment: while a segment of a journal is begun
/// Outcome: the run goes on from the last durable entry, and nothing before it is lost
#[test]
fn a_segment_that_was_half_begun_is_begun_again() {
    for half in ["", "{\"before\":{\"durable\":{\"n\":", "\0\0\0\n"] {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(folder.path());
        journal.append(&[notice("a")]).unwrap();
        journal.append(&[large('b')]).unwrap();
        drop(journal);
        fs::write(segments::path(folder.path(), 3), half).unwrap();
        let (mut journal, standing) = open(folder.path());
        assert_eq!(standing.durable.n, 2);
        let durable = journal.append(&[notice("c")]).unwrap();
        assert_eq!(texts(folder.path(), 2, durable), ["3 c"]);
    }
}

#[test]
fn bytes_that_are_not_durable_are_not_kept_by_a_reader() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path());
    let first = journal.append(&[notice("a")]).unwrap();
    // As a crash leaves it, or a write that failed half-way.
    let path = segments::path(folder.path(), 1);
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"n\":2,\"at\":\"torn").unwrap();
    let mut reader = JournalReader::after(folder.path(), 0, first).unwrap().unwrap();
    assert_eq!(reader.read(first).unwrap().unwrap().n, 1);
    assert_eq!(reader.read(first).unwrap(), None);
    drop(journal);
    let second = open(folder.path()).0.append(&[notice("b")]).unwrap();
    assert_eq!(reader.read(second).unwrap().unwrap().n, 2);
}
