//! Points, against a model that copies the whole conversation whenever it is rewound or forked.

use crate::{lab::*, on_both};
use makima_model::{
    Branch, BranchReason, CheckpointId, CheckpointKind, CheckpointMade, Message, MessageId, MessageRole,
    Point, Position, SnapshotId, SnapshotType, TaskId, Timestamp, branch::settle,
};
use makima_store::{
    Checkpoint, Db, Snapshot, checkpoints,
    conversations::{self, PackedMessage},
    snapshots, tasks,
};
use makima_testkit::Random;
use makima_wire::{Code, Conversation, CreateSnapshot, ReadConversation, RestoreSnapshot, Task};
use std::time::Duration;

const BASE: &str = "1111111111111111111111111111111111111111";

/// Something of a conversation.
#[derive(Debug, Clone, PartialEq)]
enum Entry {
    Said(MessageId),
    Checkpoint(CheckpointId, String),
}

/// A branch, and the copy of all that is read from it.
#[derive(Debug, Clone)]
struct Line {
    story: usize,
    branch: Branch,
    /// The line that it is a copy of, and how many messages of it.
    from: Option<(usize, usize)>,
    copy: Vec<Entry>,
}

/// A task: where its conversation went on, from when on.
struct Story {
    task: Task,
    heads: Vec<(Option<Timestamp>, usize, usize)>,
    checkpoints: Vec<(i64, CheckpointId, String)>,
    snapshots: Vec<(SnapshotId, usize, usize)>,
}

struct World<'a> {
    lab: &'a Lab,
    db: Db,
    random: Random,
    now: Timestamp,
    lines: Vec<Line>,
    stories: Vec<Story>,
}

/// What a point should be: the messages, and the nearest checkpoint with its commit.
#[derive(Debug, PartialEq)]
struct Expected {
    said: Vec<MessageId>,
    checkpoint: Option<CheckpointId>,
    commit: String,
}

fn messages(copy: &[Entry]) -> usize {
    copy.iter().filter(|entry| matches!(entry, Entry::Said(_))).count()
}

/// The beginning of a copy with so many messages, and what was made after the last of them.
fn beginning(copy: &[Entry], count: usize) -> &[Entry] {
    let mut said = 0;
    let end = copy.iter().position(|entry| {
        said += usize::from(matches!(entry, Entry::Said(_)));
        said > count
    });
    &copy[..end.unwrap_or(copy.len())]
}

fn expected(copy: &[Entry]) -> Expected {
    let mut expected = Expected { said: Vec::new(), checkpoint: None, commit: BASE.to_owned() };
    for entry in copy {
        match entry {
            Entry::Said(id) => expected.said.push(*id),
            Entry::Checkpoint(id, commit) => {
                (expected.checkpoint, expected.commit) = (Some(*id), commit.clone());
            }
        }
    }
    expected
}

impl<'a> World<'a> {
    async fn new(lab: &'a Lab, seed: u64) -> Self {
        let (db, now) = (lab.database().await, lab.clock.now());
        let mut world =
            Self { lab, db, random: Random::new(seed), now, lines: Vec::new(), stories: Vec::new() };
        world.begin_task().await;
        world
    }

    /// A minute later.
    fn tick(&mut self) -> Timestamp {
        self.now = self.now.plus(Duration::from_secs(60));
        self.now
    }

    async fn begin_task(&mut self) -> usize {
        let task = self.lab.task("one").await;
        let prepared = tasks::Prepared {
            worktree_path: "/w",
            branch_name: &task.branch_name,
            base_branch: "main",
            base_commit: BASE,
        };
        let mut tx = self.db.begin().await.unwrap();
        tasks::set_prepared(&mut tx, self.lab.owner, task.id, prepared, self.now).await.unwrap();
        tx.commit().await.unwrap();
        let branch = Branch {
            id: task.conversation_state.branch_id,
            base: None,
            head_seq: 0,
            reason: BranchReason::Created,
            created_at: task.created_at,
        };
        self.lines.push(Line { story: self.stories.len(), branch, from: None, copy: Vec::new() });
        let heads = vec![(None, self.lines.len() - 1, 0)];
        self.stories.push(Story { task, heads, checkpoints: Vec::new(), snapshots: Vec::new() });
        self.stories.len() - 1
    }

    fn head(&self, story: usize) -> usize {
        self.stories[story].heads.last().unwrap().1
    }

    /// A branch of the task at the first `keep` messages of a line.
    async fn branch(&mut self, story: usize, line: usize, keep: usize, reason: BranchReason) -> usize {
        let (at, owner, task) = (self.tick(), self.lab.owner, self.stories[story].task.id);
        let position = Position { branch: self.lines[line].branch.id, seq: keep as i64 };
        let mut tx = self.db.begin().await.unwrap();
        let lineage = conversations::lineage(&mut tx, owner, position.branch).await.unwrap();
        let base = settle(&lineage, position).unwrap();
        let branch = Branch {
            id: self.lab.clock.new_id(),
            base: Some(base),
            head_seq: base.seq,
            reason,
            created_at: at,
        };
        conversations::insert(&mut tx, owner, task, &branch).await.unwrap();
        if reason != BranchReason::LateRun {
            tasks::set_conversation(&mut tx, owner, task, branch.id, at).await.unwrap();
        }
        tx.commit().await.unwrap();
        // Where nothing of a line is taken, it is the line before that is gone on from.
        let mut from = line;
        while let Some((below, taken)) = self.lines[from].from
            && keep <= taken
        {
            from = below;
        }
        let copy = beginning(&self.lines[from].copy, keep).to_vec();
        self.lines.push(Line { story, branch, from: Some((from, keep)), copy });
        let line = self.lines.len() - 1;
        if reason != BranchReason::LateRun {
            self.stories[story].heads.push((Some(at), line, keep));
        }
        line
    }

    async fn say(&mut self, story: usize, line: usize) {
        let at = self.tick();
        let message = Message::said(self.lab.clock.new_id(), MessageRole::Assistant, "x", at);
        let branch = self.lines[line].branch.id;
        let mut tx = self.db.begin().await.unwrap();
        let packed = vec![PackedMessage::of(&message).unwrap()];
        conversations::append(&mut tx, self.lab.owner, branch, 1, packed).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        let line_now = &mut self.lines[line];
        line_now.copy.push(Entry::Said(message.id));
        line_now.branch.head_seq += 1;
        let count = messages(&line_now.copy);
        if self.head(story) == line {
            self.stories[story].heads.push((Some(at), line, count));
        }
    }

    async fn checkpoint(&mut self, story: usize, with_snapshot: bool) {
        let (at, line) = (self.tick(), self.head(story));
        let number = self.stories[story].checkpoints.len() as i64 + 1;
        let last = self.stories[story].checkpoints.last().cloned();
        let commit = match &last {
            // Nothing had changed.
            Some((_, _, commit)) if self.random.chance(0.3) => commit.clone(),
            _ => format!("{:016x}{:016x}{:08x}", self.random.draw(), self.random.draw(), number),
        };
        let count = messages(&self.lines[line].copy);
        let position = Position { branch: self.lines[line].branch.id, seq: count as i64 };
        let task = self.stories[story].task.id;
        let snapshot: Option<SnapshotId> = with_snapshot.then(|| self.lab.clock.new_id());
        let made = CheckpointMade {
            id: self.lab.clock.new_id(),
            number,
            kind: CheckpointKind::Turn,
            turn: None,
            // Whose clock goes back, has made it later all the same.
            at: if self.random.chance(0.2) { at.minus(Duration::from_secs(100_000)) } else { at },
            commit_sha: commit.clone(),
            branch_name: "b".into(),
            message: "m".into(),
            previous: last.map(|(_, id, _)| id),
            files_changed: Vec::new(),
            lines_added: 0,
            lines_removed: 0,
            not_held: Vec::new(),
            patch: None,
        };
        let id = made.id;
        let checkpoint = Checkpoint { owner: self.lab.owner, task, run: None, position, snapshot, made };
        let mut tx = self.db.begin().await.unwrap();
        if let Some(snapshot) = snapshot {
            let kept = self.kept(snapshot, task, Some(id), position, at);
            snapshots::insert(&mut tx, &kept).await.unwrap();
        }
        assert_eq!(checkpoints::insert(&mut tx, &checkpoint).await.unwrap(), Some(number));
        tx.commit().await.unwrap();
        self.lines[line].copy.push(Entry::Checkpoint(id, commit.clone()));
        let end = self.lines[line].copy.len();
        let story = &mut self.stories[story];
        story.checkpoints.push((number, id, commit));
        story.snapshots.extend(snapshot.map(|snapshot| (snapshot, line, end)));
    }

    fn kept(
        &self,
        id: SnapshotId,
        task: TaskId,
        checkpoint: Option<CheckpointId>,
        position: Position,
        at: Timestamp,
    ) -> Snapshot {
        Snapshot {
            id,
            owner: self.lab.owner,
            task,
            checkpoint,
            kind: SnapshotType::Auto,
            position,
            metadata: None,
            created_at: at,
        }
    }

    async fn step(&mut self) {
        let story = self.random.below(self.stories.len());
        let line = self.head(story);
        let own: Vec<usize> = self.stories[story].heads.iter().map(|head| head.1).collect();
        let some = *self.random.pick(&own);
        let keep = self.random.below(messages(&self.lines[some].copy) + 1);
        match self.random.below(20) {
            0..11 => self.say(story, line).await,
            11..13 => self.checkpoint(story, false).await,
            13..15 => self.checkpoint(story, true).await,
            15..18 => drop(self.branch(story, some, keep, BranchReason::Restored).await),
            18 => {
                let late = self.branch(story, some, keep, BranchReason::LateRun).await;
                self.say(story, late).await;
            }
            _ if self.stories.len() < 3 => {
                let fork = self.begin_task().await;
                self.branch(fork, some, keep, BranchReason::Created).await;
            }
            _ => {}
        }
    }

    async fn check(&self, story: usize, point: &str, expected: &Expected) {
        let task = self.stories[story].task.id;
        let told = read_at(self.lab, task, point).await;
        let moment = told.moment.clone().unwrap();
        let found = Expected {
            said: told.messages.iter().map(|message| message.id).collect(),
            checkpoint: moment.checkpoint_id,
            commit: moment.commit_sha.unwrap(),
        };
        assert_eq!(&found, expected, "{point}");
        assert_eq!(moment.message_count, expected.said.len() as i64, "{point}");
    }

    /// Every point of a task.
    async fn check_all(&self, at: usize) {
        let story = &self.stories[at];
        let of_head = &self.lines[self.head(at)].copy;
        self.check(at, "head", &expected(of_head)).await;
        let count = messages(of_head);
        for back in 0..count + 2 {
            // Before the first message there is the commit that the task began with, but for the head itself.
            let left = count.saturating_sub(back);
            let copy = if left == 0 && back > 0 { &[] } else { beginning(of_head, left) };
            self.check(at, &format!("~{back}"), &expected(copy)).await;
        }
        for (n, (when, line, count)) in story.heads.iter().enumerate() {
            let Some(when) = when else { continue };
            let (_, line_before, count_before) = story.heads[n - 1];
            let micro = Duration::from_micros(1);
            for (time, line, count) in
                [(*when, *line, *count), (when.minus(micro), line_before, count_before)]
            {
                let copy = if count == 0 { &[] } else { beginning(&self.lines[line].copy, count) };
                self.check(at, &format!("time:{time}"), &expected(copy)).await;
            }
        }
        for (number, id, commit) in &story.checkpoints {
            let position = self.made(&Entry::Checkpoint(*id, commit.clone()));
            self.check(at, &format!("checkpoint:{number}"), &position).await;
            let newest = story.checkpoints.iter().rfind(|(_, _, other)| other == commit).unwrap();
            if newest.1 == *id {
                self.check(at, commit, &position).await;
                self.check(at, &commit[..12].to_uppercase(), &position).await;
            }
        }
        for (id, line, end) in &story.snapshots {
            self.check(at, &format!("snapshot:{id}"), &expected(&self.lines[*line].copy[..*end])).await;
        }
        // Whatever is on any line of the task's, also of what it took from another's.
        let mut seen: Vec<&Entry> = Vec::new();
        for entry in self.lines.iter().filter(|line| line.story == at).flat_map(|line| &line.copy) {
            if seen.contains(&entry) {
                continue;
            }
            seen.push(entry);
            let point = match entry {
                Entry::Said(id) => format!("message:{id}"),
                Entry::Checkpoint(id, _) => id.to_string(),
            };
            self.check(at, &point, &self.made(entry)).await;
        }
    }

    /// The moment when something was made, on the line that it was made on; of a message what was made just after it too.
    fn made(&self, entry: &Entry) -> Expected {
        let line = self.lines.iter().find(|line| line.copy.contains(entry)).unwrap();
        let end = line.copy.iter().position(|one| one == entry).unwrap() + 1;
        match entry {
            Entry::Said(_) => expected(beginning(&line.copy, messages(&line.copy[..end]))),
            Entry::Checkpoint(..) => expected(&line.copy[..end]),
        }
    }
}

async fn read_at(lab: &Lab, task: TaskId, point: &str) -> Conversation {
    lab.client.read_conversation(task, &at(point)).await.unwrap_or_else(|error| panic!("{point}: {error:?}"))
}

fn at(point: &str) -> ReadConversation {
    let point: Point = point.parse().unwrap();
    ReadConversation { at: Some(point), ..ReadConversation::default() }
}

async fn follows_the_model(engine: Engine, seed: u64, steps: usize) {
    let lab = Lab::new(engine).await;
    let mut world = World::new(&lab, seed).await;
    for _ in 0..steps {
        world.step().await;
    }
    for story in 0..world.stories.len() {
        world.check_all(story).await;
    }
}

on_both! {
    async fn a_point_is_what_it_would_be_if_everything_were_copied(engine) {
        follows_the_model(engine, 1, 30).await;
    }

    #[ignore = "long: thousands of points of ten stories"]
    async fn many_points_are_what_they_would_be_if_everything_were_copied(engine) {
        for seed in 2..12 {
            follows_the_model(engine, seed, 60).await;
        }
    }

    async fn a_point_that_does_not_exist_is_not_found(engine) {
        let lab = Lab::new(engine).await;
        let mut world = World::new(&lab, 7).await;
        for _ in 0..3 {
            world.say(0, 0).await;
            world.checkpoint(0, true).await;
        }
        let other = world.begin_task().await;
        world.say(other, 1).await;
        world.checkpoint(other, true).await;
        let (mine, other) = (&world.stories[0], &world.stories[other]);
        let Entry::Said(foreign) = &world.lines[1].copy[0] else { panic!("nothing was said") };
        let fresh: TaskId = lab.clock.new_id();
        for point in [
            format!("message:{fresh}"),
            format!("snapshot:{fresh}"),
            fresh.to_string(),
            "checkpoint:0".into(),
            "checkpoint:4".into(),
            "checkpoint:9223372036854775807".into(),
            "abcdef0".into(),
            // Another task's.
            format!("message:{foreign}"),
            other.checkpoints[0].1.to_string(),
            other.checkpoints[0].2.clone(),
            format!("snapshot:{}", other.snapshots[0].0),
        ] {
            let error = lab.client.read_conversation(mine.task.id, &at(&point)).await.unwrap_err();
            assert_eq!(error.code(), Some(Code::NotFound), "{point}");
        }
        let eve = lab.stranger().await;
        let error = eve.read_conversation(mine.task.id, &at("head")).await.unwrap_err();
        assert_eq!(error.code(), Some(Code::NotFound));
        for text in ["", "yesterday", "HEAD", "~-1", "checkpoint:-1", "message:7", "time:0", "%00", "a".repeat(70_000).as_str()] {
            let path = format!("/mesh/tasks/{}/conversation?at={text}", mine.task.id);
            let error = lab.client.get::<serde_json::Value>(&path).await.unwrap_err();
            // The longest address is refused before it is read.
            let refused = error.code() == Some(Code::BadRequest) || text.len() > 60_000;
            assert!(refused, "{text:.40}: {error:?}");
        }
    }

    async fn digits_that_begin_several_commits_are_told_which(engine) {
        let lab = Lab::new(engine).await;
        let task = lab.task("one").await;
        let db = lab.database().await;
        let position = Position { branch: task.conversation_state.branch_id, seq: 0 };
        let commits = ["abcdef0".to_owned() + &"1".repeat(33), "abcdef0".to_owned() + &"2".repeat(33)];
        for (number, commit) in (1..).zip(&commits) {
            let made = CheckpointMade {
                id: lab.clock.new_id(),
                number,
                kind: CheckpointKind::Manual,
                turn: None,
                at: lab.clock.now(),
                commit_sha: commit.clone(),
                branch_name: "b".into(),
                message: "m".into(),
                previous: None,
                files_changed: Vec::new(),
                lines_added: 0,
                lines_removed: 0,
                not_held: Vec::new(),
                patch: None,
            };
            let checkpoint = Checkpoint { owner: lab.owner, task: task.id, run: None, position, snapshot: None, made };
            let mut tx = db.begin().await.unwrap();
            checkpoints::insert(&mut tx, &checkpoint).await.unwrap();
            tx.commit().await.unwrap();
        }
        let error = lab.client.read_conversation(task.id, &at("abcdef0")).await.unwrap_err();
        assert_eq!(error.code(), Some(Code::Unprocessable));
        let makima_client::ClientError::Refused { body, .. } = error else { panic!("{error:?}") };
        assert_eq!(body.details, Some(serde_json::json!({ "candidates": commits })));
        for commit in &commits {
            let moment = read_at(&lab, task.id, &commit[..8]).await.moment.unwrap();
            assert_eq!(moment.commit_sha.as_ref(), Some(commit));
        }
        // A task that goes on from one is asked in the same words.
        let wanted = makima_wire::CreateTask {
            plan: "two".into(),
            continue_from_task_id: Some(task.id),
            checkpoint_sha: Some("abcdef0".into()),
            ..makima_wire::CreateTask::default()
        };
        assert_eq!(lab.client.create_task(&wanted).await.unwrap_err().code(), Some(Code::Unprocessable));
    }

    async fn clocks_that_go_back_lead_to_a_place_between_before_and_after(engine) {
        let lab = Lab::new(engine).await;
        let mut world = World::new(&lab, 1).await;
        let begun = world.now;
        let minute = |n: i64| begun.plus(Duration::from_secs(60 * n as u64));
        let times = [2, 4, 3, 6, 5, 5, 9, 7, 8];
        for n in times {
            world.now = minute(n - 1);
            world.say(0, 0).await;
        }
        for n in 0..12 {
            let told = read_at(&lab, world.stories[0].task.id, &format!("time:{}", minute(n))).await.messages;
            let (before, after) = (told.last(), times.get(told.len()));
            assert!(before.is_none_or(|message| message.timestamp <= minute(n)), "{n}");
            assert!(after.is_none_or(|time| *time > n), "{n}");
        }
        let now = read_at(&lab, world.stories[0].task.id, &format!("time:{}", minute(9))).await;
        assert_eq!(now.messages.len(), times.len());
    }

    async fn a_checkpoint_that_was_undone_is_no_point(engine) {
        let lab = Lab::new(engine).await;
        let mut world = World::new(&lab, 1).await;
        world.say(0, 0).await;
        world.checkpoint(0, false).await;
        let story = &world.stories[0];
        let (_, id, commit) = story.checkpoints[0].clone();
        let moment = read_at(&lab, story.task.id, "head").await.moment.unwrap();
        assert_eq!((moment.checkpoint_id, moment.commit_sha), (Some(id), Some(commit.clone())));
        // Some operation, to have put it away.
        let snapshot = lab.client.create_snapshot(story.task.id, &CreateSnapshot::default()).await.unwrap();
        lab.client.restore_snapshot(story.task.id, snapshot.id, RestoreSnapshot::default()).await.unwrap();
        lab.execute("UPDATE task_checkpoints SET put_away_by = (SELECT id FROM operations)").await;
        let moment = read_at(&lab, story.task.id, "head").await.moment.unwrap();
        assert_eq!((moment.checkpoint_id, moment.commit_sha.as_deref()), (None, Some(BASE)));
        for point in ["checkpoint:1".to_owned(), id.to_string(), commit] {
            let error = lab.client.read_conversation(story.task.id, &at(&point)).await.unwrap_err();
            assert_eq!(error.code(), Some(Code::NotFound), "{point}");
        }
    }
}
