//! More of a session: its messages, lines, turns and commits.

use super::{super::App, ImportView, Story, elsewhere, moment, open, view};
use crate::{app::texts, caller::Caller, error::ApiError};
use makima_model::{
    Branch, BranchId, BranchReason, CheckpointId, CheckpointKind, CheckpointMade, EventKind, ImportId,
    Message, MessageId, NativeLine, Position, SnapshotId, SnapshotType, TaskEventKind, Timestamp, TurnEnd,
    branch::{PositionError, settle},
};
use makima_store::{
    Checkpoint, Import, Snapshot, StoreError, Task, Tx, blobs, checkpoints,
    conversations::{self, PackedMessage},
    imports,
    native::{self, Lines},
    snapshots, tasks,
};
use makima_wire::{AppendToImport, Code, ImportEntry, ImportedCommit};
use serde_json::json;
use std::collections::{HashMap, HashSet};

/// The most entries of one request.
const MOST: usize = 100_000;

/// An entry whose content is packed: that takes as long as writing it does, and needs no transaction.
enum Packed {
    Back { to: Option<MessageId> },
    Message(PackedMessage),
    Lines { message: Option<MessageId>, lines: Lines },
    Turn { at: Timestamp, end: TurnEnd },
    Commit(Box<ImportedCommit>),
}

impl App {
    /// Takes more of a session. What was taken before is not taken again.
    pub(crate) async fn append_to_import(
        &self,
        by: Caller,
        id: ImportId,
        wanted: AppendToImport,
    ) -> Result<ImportView, ApiError> {
        let AppendToImport { from, reached, is_end, entries } = wanted;
        let bytes = i64::try_from(reached.bytes).map_err(|_| ApiError::bad_request("reached is too far"))?;
        if reached.bytes < from {
            return Err(ApiError::unprocessable("reached lies before from"));
        }
        texts::hash("digest", &reached.digest)?;
        if entries.len() > MOST {
            return Err(ApiError::unprocessable(format!(
                "there are {} entries; at most {MOST} are taken at once",
                entries.len()
            )));
        }
        let only_commits = entries.iter().all(|entry| matches!(entry, ImportEntry::Commit { .. }));
        if from == reached.bytes && !only_commits {
            return Err(ApiError::unprocessable("where no more of the file comes, only commits are told"));
        }
        let entries = packed(entries)?;

        let mut tx = self.db().begin().await?;
        let (import, task) = open(&mut tx, by, id).await?;
        let is_there = import.reached.bytes == bytes && import.reached.digest == reached.digest;
        if u64::try_from(import.reached.bytes) != Ok(from) {
            // The answer to the very same was lost.
            return if is_there { Ok(view(&mut tx, import).await?) } else { Err(elsewhere(&import)) };
        }
        self.note(&mut tx, by, id).await?;
        let mut end = End::of(self, &mut tx, import, task).await?;
        for entry in entries {
            end.take(&mut tx, entry).await?;
        }
        end.write(&mut tx).await?;
        let mut import = end.import;
        import.position = Position { branch: end.branch, seq: end.next };
        import.reached = imports::FilePart { bytes, digest: reached.digest };
        imports::reach(&mut tx, &import).await?;
        if is_end {
            imports::add_end(&mut tx, by.owner, id).await?;
        }
        let view = view(&mut tx, import).await?;
        tx.commit().await?;
        Ok(view)
    }
}

fn packed(entries: Vec<ImportEntry>) -> Result<Vec<Packed>, ApiError> {
    let mut messages: HashMap<MessageId, PackedMessage> = HashMap::new();
    let mut all = Vec::with_capacity(entries.len());
    for entry in entries {
        all.push(match entry {
            ImportEntry::Back { to } => Packed::Back { to },
            ImportEntry::Message { message } => {
                let message = Message::from(message);
                fits(&message)?;
                let packed = PackedMessage::of(&message)?;
                if messages.insert(message.id, packed.clone()).is_some() {
                    return Err(ApiError::unprocessable(format!("message {} is told twice", message.id)));
                }
                Packed::Message(packed)
            }
            ImportEntry::Lines { message, lines } => {
                let lines: Vec<NativeLine> = lines.into_iter().map(NativeLine::from).collect();
                let beside = message.and_then(|id| messages.get(&id));
                Packed::Lines { message, lines: Lines::of(&lines, beside)? }
            }
            ImportEntry::Turn { at, end } => {
                let counts = [
                    end.usage.input_tokens,
                    end.usage.output_tokens,
                    end.usage.cache_read_tokens,
                    end.usage.cache_creation_tokens,
                ];
                // A task's total is the sum of its turns': it must stay one that can be added up.
                let sound = counts.iter().all(|count| (0..1 << 40).contains(count))
                    && end.cost_usd.is_none_or(|usd| usd.is_finite() && (0.0..1e9).contains(&usd))
                    && end.duration_ms < 1 << 53
                    && end.tools.values().chain([&end.turn]).all(|count| i32::try_from(*count).is_ok());
                if !sound {
                    return Err(ApiError::unprocessable(
                        "a turn took less than nothing, or more than can be",
                    ));
                }
                Packed::Turn { at: moment("at", at)?, end }
            }
            ImportEntry::Commit { commit } => {
                moment("at", commit.at)?;
                let can_be = |lines: u64| i64::try_from(lines).is_ok();
                if !commit.files_changed.iter().all(|file| can_be(file.additions) && can_be(file.deletions)) {
                    return Err(ApiError::unprocessable("a file of a commit has more lines than can be"));
                }
                texts::long("branchName", &commit.branch_name)?;
                texts::long("message", &commit.message)?;
                let commit_sha = texts::sha("commitSha", &commit.commit_sha)?.as_str().to_owned();
                commit.patch_hash.as_deref().map(|hash| texts::hash("patchHash", hash)).transpose()?;
                Packed::Commit(Box::new(ImportedCommit { commit_sha, ..commit }))
            }
        });
    }
    native::pack(all.iter_mut().filter_map(|entry| match entry {
        Packed::Lines { lines, .. } => Some(lines),
        _ => None,
    }));
    Ok(all)
}

fn fits(message: &Message) -> Result<(), ApiError> {
    moment("timestamp", message.timestamp)?;
    let tokens = message.token_count.is_none_or(|tokens| (0..1 << 40).contains(&tokens));
    let cost = message.cost_usd.is_none_or(|usd| usd.is_finite() && (0.0..1e9).contains(&usd));
    if tokens && cost {
        return Ok(());
    }
    Err(ApiError::unprocessable(format!(
        "message {} took less than nothing, or more than can be",
        message.id
    )))
}

/// Where the import has come to in the conversation.
struct End<'a> {
    app: &'a App,
    import: Import,
    task: Task,
    branch: BranchId,
    /// The number of the next message.
    next: i64,
    unwritten: Vec<PackedMessage>,
    /// The messages of this request: where each stands.
    told: HashMap<MessageId, Position>,
    /// The branches of the task, by which a message is known to be its own.
    branches: HashSet<BranchId>,
}

impl<'a> End<'a> {
    async fn of(app: &'a App, tx: &mut Tx, import: Import, task: Task) -> Result<Self, ApiError> {
        let branches = conversations::of_task(tx, import.owner, task.id).await?;
        let Position { branch, seq } = import.position;
        let head = branches.iter().find(|known| known.id == branch).map(|known| known.head_seq);
        let mut end = Self {
            app,
            branch,
            next: seq,
            unwritten: Vec::new(),
            told: HashMap::new(),
            branches: branches.iter().map(|known| known.id).collect(),
            import,
            task,
        };
        // The conversation went on here: what the file tells besides goes on beside that.
        if head != Some(seq) {
            end.go(tx, Position { branch, seq }).await?;
        }
        Ok(end)
    }

    async fn take(&mut self, tx: &mut Tx, entry: Packed) -> Result<(), ApiError> {
        match entry {
            Packed::Back { to } => {
                self.write(tx).await?;
                let to = match to {
                    Some(id) => self.after(tx, id).await?,
                    None => Position { branch: self.branch, seq: 0 },
                };
                self.go(tx, to).await
            }
            Packed::Message(message) => {
                let id = message.id;
                if self.told.contains_key(&id)
                    || conversations::find(tx, self.import.owner, id).await?.is_some()
                {
                    return Err(ApiError::new(Code::Conflict, format!("message {id} is there already")));
                }
                self.told.insert(id, Position { branch: self.branch, seq: self.next });
                self.next += 1;
                self.unwritten.push(message);
                Ok(())
            }
            Packed::Lines { message, lines } => {
                // Those before the first message have the number before it.
                let at = match message {
                    Some(id) => self.place(tx, id).await?,
                    None => Position { branch: self.branch, seq: self.next - 1 },
                };
                native::append(tx, self.import.owner, at.branch, at.seq, "", lines);
                Ok(())
            }
            Packed::Turn { at, end } => {
                self.write(tx).await?;
                let (owner, task) = (self.import.owner, self.task.id);
                let cost = end.cost_usd.unwrap_or(0.0);
                let now = self.app.clock().now();
                tasks::add_usage(tx, owner, task, end.usage.total(), cost, now).await?;
                let story = Story { app: self.app, task: &self.task };
                story.event(tx, TaskEventKind::Turn, None, json!(end), at);
                story.history(tx, EventKind::Task, "task_turn", json!(end), at);
                Ok(())
            }
            Packed::Commit(commit) => {
                self.write(tx).await?;
                self.commit(tx, *commit).await
            }
        }
    }

    /// A commit that was made meanwhile, as a checkpoint: somebody made it by hand.
    async fn commit(&mut self, tx: &mut Tx, commit: ImportedCommit) -> Result<(), ApiError> {
        let owner = self.import.owner;
        let id = self.checkpoint_id(&commit);
        if checkpoints::even_put_away(tx, owner, id).await?.is_some() {
            return Ok(());
        }
        let patch = match &commit.patch_hash {
            Some(hash) => Some(blobs::get(tx, owner, hash).await?.ok_or_else(|| {
                ApiError::unprocessable(format!("the patch {hash} is not kept here: send it first"))
            })?),
            None => None,
        };
        let position = match commit.after {
            Some(after) => self.after(tx, after).await?,
            None => Position { branch: self.branch, seq: 0 },
        };
        let lineage = conversations::lineage(tx, owner, position.branch).await?;
        let position = settle(&lineage, position).map_err(ApiError::internal)?;
        let previous = checkpoints::latest(tx, owner, self.task.id).await?.map(|latest| latest.made);
        let snapshot: SnapshotId = self.app.clock().new_id();
        snapshots::insert(
            tx,
            &Snapshot {
                id: snapshot,
                owner,
                task: self.task.id,
                checkpoint: Some(id),
                kind: SnapshotType::Checkpoint,
                position,
                metadata: None,
                created_at: commit.at,
            },
        )
        .await?;
        let made = CheckpointMade {
            id,
            number: previous.as_ref().map_or(1, |previous| previous.number + 1),
            kind: CheckpointKind::Manual,
            turn: None,
            at: commit.at,
            commit_sha: commit.commit_sha,
            branch_name: commit.branch_name,
            message: commit.message,
            previous: previous.map(|previous| previous.id),
            lines_added: commit.files_changed.iter().map(|file| file.additions).fold(0, u64::saturating_add),
            lines_removed: commit
                .files_changed
                .iter()
                .map(|file| file.deletions)
                .fold(0, u64::saturating_add),
            files_changed: commit.files_changed,
            not_held: Vec::new(),
            patch,
        };
        let checkpoint = Checkpoint {
            owner,
            task: self.task.id,
            run: None,
            position,
            snapshot: Some(snapshot),
            made: made.clone(),
        };
        let number = checkpoints::insert(tx, &checkpoint).await?.unwrap_or(made.number);
        let mut data = json!(made);
        data["number"] = json!(number);
        let story = Story { app: self.app, task: &self.task };
        story.event(tx, TaskEventKind::Checkpoint, None, data.clone(), made.at);
        story.history(tx, EventKind::Checkpoint, "checkpoint", data, made.at);
        Ok(())
    }

    /// The same each time that a commit is told.
    fn checkpoint_id(&self, commit: &ImportedCommit) -> CheckpointId {
        let mut hash = blake3::Hasher::new();
        hash.update(self.import.id.uuid().as_bytes());
        hash.update(commit.commit_sha.as_bytes());
        let random = hash.finalize().as_bytes().first_chunk::<10>().copied().unwrap_or_default();
        let millis = u64::try_from(commit.at.utc().timestamp_millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().into()
    }

    /// The conversation goes on from a position, on a branch of its own. Where the task's conversation is the session's, and nobody went on
    /// with it here, it goes along.
    async fn go(&mut self, tx: &mut Tx, to: Position) -> Result<(), ApiError> {
        let owner = self.import.owner;
        let lineage = conversations::lineage(tx, owner, to.branch).await?;
        let base = settle(&lineage, to).map_err(|error| match error {
            PositionError::Broken(_) | PositionError::Outside { .. } => ApiError::internal(error),
        })?;
        let branch = Branch {
            id: self.app.clock().new_id(),
            base: Some(base),
            head_seq: base.seq,
            reason: BranchReason::Imported,
            created_at: self.app.clock().now(),
        };
        conversations::insert(tx, owner, self.task.id, &branch).await?;
        if self.task.conversation == self.branch && self.task.run_number == 0 {
            tasks::set_conversation(tx, owner, self.task.id, branch.id, branch.created_at).await?;
            self.task.conversation = branch.id;
        }
        self.branches.insert(branch.id);
        (self.branch, self.next) = (branch.id, base.seq);
        Ok(())
    }

    /// Where a message of the task stands.
    async fn place(&self, tx: &mut Tx, id: MessageId) -> Result<Position, ApiError> {
        if let Some(place) = self.told.get(&id) {
            return Ok(*place);
        }
        let found = conversations::find(tx, self.import.owner, id).await?;
        let found = found.filter(|(branch, _)| self.branches.contains(branch));
        let missing = || ApiError::unprocessable(format!("the task has no message {id}"));
        found.map(|(branch, seq)| Position { branch, seq }).ok_or_else(missing)
    }

    /// Just after a message.
    async fn after(&self, tx: &mut Tx, id: MessageId) -> Result<Position, ApiError> {
        let Position { branch, seq } = self.place(tx, id).await?;
        Ok(Position { branch, seq: seq + 1 })
    }

    /// Writes the messages that wait: many at once.
    async fn write(&mut self, tx: &mut Tx) -> Result<(), StoreError> {
        if !self.unwritten.is_empty() {
            let messages = std::mem::take(&mut self.unwritten);
            conversations::append(tx, self.import.owner, self.branch, 0, messages).await?;
        }
        Ok(())
    }
}
