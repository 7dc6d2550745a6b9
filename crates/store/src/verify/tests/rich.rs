//! A healthy database with something of everything in it, made as a server makes it.

mod changes;

use crate::{
    ApiKey, ChatConversation, ChatMessage, Checkpoint, Db, FilePart, Import, InboxMessage, KeyKind,
    NewCommand, NewHistory, NewKey, NewTaskEvent, Order, Run, Seek, Snapshot, Task, Tx, User, UserKind,
    blobs, chats, checkpoints, commands, contracts,
    conversations::{self, PackedMessage},
    daemons::{self, Hello},
    events, imports, inbox, keys,
    native::{self, Lines},
    questions, runs,
    search::{self, Portion},
    snapshots, tasks, users,
};
use makima_model::{
    Answer, BlobRef, Branch, BranchReason, Chat, ChatContext, CheckpointId, CheckpointKind, CheckpointMade,
    Clock, Contract, ContractId, ContractStatus, DaemonId, EventKind, ImportSource, Message, MessageRole,
    NativeLine, OwnerId, Phase, Position, PrincipalId, Question, QuestionKind, RunOutcome, SnapshotType,
    TaskEventKind, TaskRole, TaskStatus, TurnEnd, TurnOutcome, Usage,
};
use serde_json::json;

/// Makes things of one owner.
pub(super) struct Builder<'a> {
    db: &'a Db,
    clock: Clock,
    owner: OwnerId,
    daemon: DaemonId,
}

/// Fills a database. Tasks are known by their names: `done` has run twice and has a contract, `live` waits for an answer, `idle`
/// has never run; those that were deleted or restored are told of in `changes`. The contract `stranger` is another owner's, the daemon `spare` has no runs.
pub(super) async fn fill(db: &Db) {
    let clock = Clock::system();
    let (owner, other): (OwnerId, OwnerId) = (clock.new_id(), clock.new_id());
    let (daemon, spare): (DaemonId, DaemonId) = (clock.new_id(), clock.new_id());
    let mut tx = db.begin().await.unwrap();
    for (id, name) in [(owner, "ada"), (other, "bob")] {
        let user = User { id, name: name.into(), kind: UserKind::Person, created_at: clock.now() };
        users::create(&mut tx, &user).await.unwrap();
    }
    for (id, name) in [(daemon, "workshop"), (spare, "spare")] {
        let hello = Hello { id, name, hostname: "host", max_concurrent_tasks: 4, agents: &[] };
        daemons::upsert(&mut tx, owner, hello).await.unwrap();
    }
    tx.commit().await.unwrap();
    let stranger = Builder { db, clock: clock.clone(), owner: other, daemon };
    stranger.contract("stranger").await;
    let ada = Builder { db, clock, owner, daemon };
    let contract = ada.contract("work").await;
    let (done, two) = ada.done(contract).await;
    let (live, run) = ada.live().await;
    ada.idle(&done).await;
    ada.chat(Chat::Mesh, &done).await;
    ada.chat(Chat::Contract(contract), &done).await;
    ada.keys().await;
    ada.changes((&done, &two), (&live, &run)).await;
    ada.requests().await;
    changes::are_of_each_kind(db, owner).await;
    index(db).await;
}

/// Indexes everything that is there.
async fn index(db: &Db) {
    while let Some(owner) = search::behind(&mut db.read().await.unwrap()).await.unwrap().first() {
        let portion = Portion::read(&mut db.read().await.unwrap(), *owner).await.unwrap().unwrap();
        let mut tx = db.begin().await.unwrap();
        assert!(portion.keep(&mut tx).await.unwrap());
        tx.commit().await.unwrap();
    }
}

/// Has the agent of `live` say so many messages more, with a line of its record for each.
pub(super) async fn say_more(db: &Db, messages: u64) {
    let clock = Clock::system();
    let mut tx = db.read().await.unwrap();
    let ada = users::list(&mut tx).await.unwrap().into_iter().find(|user| user.name == "ada").unwrap();
    let seek = Seek { order: Order::Oldest, after: None, limit: 10 };
    let tasks = tasks::list(&mut tx, ada.id, None, seek).await.unwrap().rows;
    let live = tasks.into_iter().find(|task| task.name == "live").unwrap();
    drop(tx);
    for portion in 0..messages.div_ceil(1000) {
        let messages: Vec<Message> = (0..1000)
            .map(|n| {
                let words =
                    format!("{portion} and {n}: {}", "what an agent says of what it does ".repeat(20));
                Message::said(clock.new_id(), MessageRole::Assistant, words, clock.now())
            })
            .collect();
        let packed: Vec<_> = messages.iter().map(|message| PackedMessage::of(message).unwrap()).collect();
        let mut tx = db.begin().await.unwrap();
        let first =
            conversations::append(&mut tx, ada.id, live.conversation, 1, packed).await.unwrap().unwrap();
        for (seq, message) in (first..).zip(&messages) {
            let line = NativeLine { uuid: None, line: message.content.clone() };
            native::append(&mut tx, ada.id, live.conversation, seq, "", Lines::of(&[line], None).unwrap());
        }
        tx.commit().await.unwrap();
    }
}

impl Builder<'_> {
    async fn contract(&self, name: &str) -> ContractId {
        let now = self.clock.now();
        let contract = Contract {
            id: self.clock.new_id(),
            owner: self.owner,
            name: name.into(),
            description: String::new(),
            repository: "/srv/app".into(),
            base_branch: None,
            agent: None,
            phase: Phase::Research,
            status: ContractStatus::Active,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let mut tx = self.db.begin().await.unwrap();
        contracts::insert(&mut tx, &contract).await.unwrap();
        tx.commit().await.unwrap();
        contract.id
    }

    /// A task with what it shall do in its inbox.
    async fn task(&self, tx: &mut Tx, name: &str, contract: Option<ContractId>) -> (Task, InboxMessage) {
        let now = self.clock.now();
        let task = Task {
            id: self.clock.new_id(),
            owner: self.owner,
            contract,
            parent: None,
            name: name.into(),
            plan: "Do it".into(),
            role: TaskRole::Worker,
            status: TaskStatus::Pending,
            status_reason: None,
            agent: None,
            permission_mode: None,
            target_daemon: None,
            daemon: None,
            repository: "/srv/app".into(),
            continue_from: None,
            copied: None,
            base_branch: None,
            base_commit: None,
            branch_name: "makima/it".into(),
            worktree_path: None,
            include_uncommitted: false,
            commit_on_finish: true,
            wanted: true,
            cancelling: false,
            out_of_reach: Vec::new(),
            run_number: 0,
            conversation: self.clock.new_id(),
            message_count: 0,
            total_tokens: 0,
            total_cost: 0.0,
            checkpoint_count: 0,
            last_checkpoint_sha: None,
            checkpoint_message: None,
            created_at: now,
            updated_at: now,
            started_at: None,
            completed_at: None,
        };
        tasks::insert(tx, &task).await.unwrap();
        let first = InboxMessage {
            id: self.clock.new_id(),
            owner: self.owner,
            task: task.id,
            principal: PrincipalId::from(self.owner.uuid()),
            content: task.plan.clone(),
            created_at: now,
            delivered: None,
        };
        inbox::put(tx, &first).await.unwrap();
        self.history(tx, &task, EventKind::Task);
        (task, first)
    }

    fn history(&self, tx: &mut Tx, task: &Task, kind: EventKind) {
        let event = NewHistory {
            id: self.clock.new_id(),
            owner: self.owner,
            contract: task.contract,
            task: Some(task.id),
            kind,
            subtype: "it_happened".into(),
            phase: task.contract.map(|_| Phase::Research),
            data: json!({}),
            created_at: self.clock.now(),
        };
        events::append_history(tx, event);
    }

    fn event(&self, tx: &mut Tx, task: &Task, kind: TaskEventKind, data: serde_json::Value) {
        let event = NewTaskEvent {
            id: self.clock.new_id(),
            owner: self.owner,
            task: task.id,
            run_number: task.run_number,
            kind,
            previous_status: None,
            new_status: None,
            data,
            created_at: self.clock.now(),
        };
        events::append_task_event(tx, event);
    }

    async fn status(&self, tx: &mut Tx, task: &mut Task, to: TaskStatus) {
        let now = self.clock.now();
        assert!(tasks::set_status(tx, self.owner, task.id, task.status, to, None, now).await.unwrap());
        events::append_task_event(
            tx,
            NewTaskEvent {
                id: self.clock.new_id(),
                owner: self.owner,
                task: task.id,
                run_number: task.run_number,
                kind: TaskEventKind::StatusChange,
                previous_status: Some(task.status),
                new_status: Some(to),
                data: json!({}),
                created_at: now,
            },
        );
        self.history(tx, task, EventKind::Task);
        task.status = to;
    }

    /// A daemon takes the task on.
    async fn start(&self, tx: &mut Tx, task: &mut Task, turn_seq: i64) -> Run {
        task.run_number += 1;
        let now = self.clock.now();
        let run = Run {
            id: self.clock.new_id(),
            owner: self.owner,
            task: task.id,
            number: task.run_number,
            daemon: self.daemon,
            agent: "claude".into(),
            branch: task.conversation,
            last_entry: 0,
            turn_seq,
            session_id: None,
            started_at: now,
            ended_at: None,
            outcome: None,
            reason: None,
        };
        self.status(tx, task, TaskStatus::Starting).await;
        runs::insert(tx, &run).await.unwrap();
        let placed = (self.daemon, "claude");
        tasks::placed(tx, self.owner, task.id, run.number, placed, now).await.unwrap();
        self.status(tx, task, TaskStatus::Running).await;
        run
    }

    async fn end(&self, tx: &mut Tx, task: &mut Task, run: &Run, outcome: RunOutcome, status: TaskStatus) {
        runs::end(tx, self.owner, run.id, outcome, None, self.clock.now()).await.unwrap();
        self.status(tx, task, status).await;
    }

    /// What is said, on a branch. An answer to what stands in the inbox begins with that.
    async fn say(&self, tx: &mut Tx, run: &Run, asked: Option<&InboxMessage>, words: &[&str]) -> i64 {
        let mut messages = Vec::new();
        if let Some(asked) = asked {
            let said = Message::said(asked.id, MessageRole::User, asked.content.clone(), asked.created_at);
            messages.push(said);
            assert!(inbox::delivered(tx, self.owner, asked.id, run.id).await.unwrap());
        }
        let say = |words: &&str| {
            Message::said(self.clock.new_id(), MessageRole::Assistant, *words, self.clock.now())
        };
        messages.extend(words.iter().map(say));
        let packed = messages.iter().map(|message| PackedMessage::of(message).unwrap()).collect();
        let first = conversations::append(tx, self.owner, run.branch, run.number, packed).await.unwrap();
        first.unwrap() + messages.len() as i64
    }

    fn record(&self, tx: &mut Tx, run: &Run, seq: i64, line: &str) {
        let line = NativeLine { uuid: None, line: line.into() };
        native::append(tx, self.owner, run.branch, seq, "", Lines::of(&[line], None).unwrap());
    }

    async fn turn(&self, tx: &mut Tx, task: &Task, run: &Run, next: i64) {
        let usage = Usage { input_tokens: 100, output_tokens: 20, ..Usage::default() };
        let turn = TurnEnd {
            turn: 1,
            outcome: TurnOutcome::Completed,
            usage,
            cost_usd: Some(0.1),
            duration_ms: 1,
            tools: Default::default(),
            failure: None,
        };
        let now = self.clock.now();
        tasks::add_usage(tx, self.owner, task.id, usage.total(), 0.1, now).await.unwrap();
        conversations::share_cost(tx, self.owner, run.branch, run.turn_seq, 0.1);
        runs::set_turn_seq(tx, self.owner, run.id, next).await.unwrap();
        self.event(tx, task, TaskEventKind::Turn, json!(turn));
    }

    async fn checkpoint(
        &self,
        tx: &mut Tx,
        run: &Run,
        at: Position,
        number: i64,
        previous: Option<CheckpointId>,
        kept: bool,
    ) -> CheckpointId {
        let (id, now) = (self.clock.new_id(), self.clock.now());
        let snapshot = Snapshot {
            id: self.clock.new_id(),
            owner: self.owner,
            task: run.task,
            checkpoint: Some(id),
            kind: SnapshotType::Checkpoint,
            position: at,
            metadata: None,
            created_at: now,
        };
        if kept {
            snapshots::insert(tx, &snapshot).await.unwrap();
        }
        let patch = BlobRef { hash: "b".repeat(64), bytes: 7 };
        blobs::put(tx, self.owner, &patch, now).await.unwrap();
        let made = CheckpointMade {
            id,
            number,
            kind: CheckpointKind::Turn,
            turn: Some(1),
            at: now,
            commit_sha: format!("{number}").repeat(40),
            branch_name: "makima/it".into(),
            message: format!("turn {number}"),
            previous,
            files_changed: Vec::new(),
            lines_added: 0,
            lines_removed: 0,
            not_held: Vec::new(),
            patch: (number == 1).then_some(patch),
        };
        let checkpoint = Checkpoint {
            owner: self.owner,
            task: run.task,
            run: Some(run.id),
            position: at,
            snapshot: kept.then_some(snapshot.id),
            made,
        };
        checkpoints::insert(tx, &checkpoint).await.unwrap().unwrap();
        id
    }

    async fn ask(&self, tx: &mut Tx, run: &Run) -> makima_model::QuestionId {
        let id = self.clock.new_id();
        let question = Question {
            id,
            kind: QuestionKind::Question,
            text: "Which?".into(),
            choices: None,
            tool_name: None,
            tool_input: None,
        };
        questions::ask(tx, self.owner, run.task, run.id, &question, self.clock.now()).await.unwrap();
        id
    }

    async fn done(&self, contract: ContractId) -> (Task, Run) {
        let mut tx = self.db.begin().await.unwrap();
        let (mut task, first) = self.task(&mut tx, "done", Some(contract)).await;
        let one = self.start(&mut tx, &mut task, 0).await;
        tx.commit().await.unwrap();

        let mut tx = self.db.begin().await.unwrap();
        self.record(&mut tx, &one, -1, "x");
        let next = self.say(&mut tx, &one, Some(&first), &["I begin, and say at length what I do"]).await;
        self.record(&mut tx, &one, next - 1, "I begin, and say at length what I do, and in which session");
        self.turn(&mut tx, &task, &one, next).await;
        let at = Position { branch: one.branch, seq: next };
        let made = self.checkpoint(&mut tx, &one, at, 1, None, true).await;
        self.ask(&mut tx, &one).await;
        questions::withdraw_of_run(&mut tx, self.owner, one.id, self.clock.now()).await.unwrap();
        self.end(&mut tx, &mut task, &one, RunOutcome::Interrupted, TaskStatus::Interrupted).await;
        tx.commit().await.unwrap();

        let mut tx = self.db.begin().await.unwrap();
        self.status(&mut tx, &mut task, TaskStatus::Pending).await;
        let two = self.start(&mut tx, &mut task, next).await;
        tx.commit().await.unwrap();
        let mut tx = self.db.begin().await.unwrap();
        let end = self.say(&mut tx, &two, None, &["I go on", "I am done"]).await;
        self.turn(&mut tx, &task, &two, end).await;
        let at = Position { branch: two.branch, seq: end };
        let made = self.checkpoint(&mut tx, &two, at, 2, Some(made), true).await;
        self.checkpoint(&mut tx, &two, at, 3, Some(made), false).await;
        self.event(&mut tx, &task, TaskEventKind::Output, json!({ "text": "a notice" }));
        self.end(&mut tx, &mut task, &two, RunOutcome::Completed, TaskStatus::Completed).await;
        tx.commit().await.unwrap();

        // What the first one still had to say.
        let mut tx = self.db.begin().await.unwrap();
        let late = Branch {
            id: self.clock.new_id(),
            base: Some(Position { branch: one.branch, seq: next }),
            head_seq: next,
            reason: BranchReason::LateRun,
            created_at: self.clock.now(),
        };
        conversations::insert(&mut tx, self.owner, task.id, &late).await.unwrap();
        runs::set_branch(&mut tx, self.owner, one.id, late.id, next).await.unwrap();
        let one = Run { branch: late.id, ..one };
        self.say(&mut tx, &one, None, &["I was not heard"]).await;
        tx.commit().await.unwrap();
        (task, two)
    }

    async fn live(&self) -> (Task, Run) {
        let mut tx = self.db.begin().await.unwrap();
        let (mut task, first) = self.task(&mut tx, "live", None).await;
        let run = self.start(&mut tx, &mut task, 0).await;
        for (state, of) in
            [("queued", None), ("acknowledged", Some(run.id)), ("done", None), ("failed", None)]
        {
            let (id, now) = (self.clock.new_id(), self.clock.now());
            let command = NewCommand {
                id,
                owner: self.owner,
                daemon: self.daemon,
                run: of,
                operation: None,
                body: b"{}".to_vec(),
                created_at: now,
            };
            commands::queue(&mut tx, &command).await.unwrap();
            match state {
                "acknowledged" => assert!(commands::acknowledge(&mut tx, self.owner, id, now).await.unwrap()),
                "done" => commands::finish(&mut tx, self.owner, id, Ok(b"{}".to_vec()), now)
                    .await
                    .map(drop)
                    .unwrap(),
                "failed" => {
                    commands::finish(&mut tx, self.owner, id, Err("no".into()), now).await.map(drop).unwrap()
                }
                _ => {}
            }
        }
        tx.commit().await.unwrap();

        let mut tx = self.db.begin().await.unwrap();
        let next = self.say(&mut tx, &run, Some(&first), &["I think", "I ask"]).await;
        let snapshot = Snapshot {
            id: self.clock.new_id(),
            owner: self.owner,
            task: task.id,
            checkpoint: None,
            kind: SnapshotType::Manual,
            position: Position { branch: run.branch, seq: next },
            metadata: Some(json!({ "why": "by hand" })),
            created_at: self.clock.now(),
        };
        snapshots::insert(&mut tx, &snapshot).await.unwrap();
        let (answered, now) = (self.ask(&mut tx, &run).await, self.clock.now());
        let by = PrincipalId::from(self.owner.uuid());
        questions::answer(&mut tx, self.owner, answered, &Answer::Allow, by, now).await.unwrap();
        self.ask(&mut tx, &run).await;
        self.status(&mut tx, &mut task, TaskStatus::Waiting).await;
        let key = NewKey {
            id: self.clock.new_id(),
            kind: KeyKind::Tool,
            principal: by,
            owner: self.owner,
            name: "agent",
            run: Some(run.id),
            created_at: now,
            expires_at: None,
        };
        keys::create(&mut tx, &key, &[1; 32]).await.unwrap();
        tx.commit().await.unwrap();
        (task, run)
    }

    async fn idle(&self, done: &Task) {
        let mut tx = self.db.begin().await.unwrap();
        let (idle, _) = self.task(&mut tx, "idle", None).await;
        let import = Import {
            id: self.clock.new_id(),
            owner: self.owner,
            source: ImportSource::ClaudeCode,
            session_id: "session".into(),
            copy: 0,
            task: idle.id,
            in_trash: false,
            position: Position { branch: idle.conversation, seq: 0 },
            reached: FilePart { bytes: 0, digest: String::new() },
            created_at: self.clock.now(),
            finished_at: None,
            finished_bytes: None,
        };
        assert!(imports::insert(&mut tx, &import).await.unwrap());
        imports::add_end(&mut tx, self.owner, import.id).await.unwrap();
        imports::finish(&mut tx, self.owner, import.id, self.clock.now()).await.unwrap();
        self.event(&mut tx, done, TaskEventKind::Output, json!({ "text": "another notice" }));
        tx.commit().await.unwrap();
    }

    async fn chat(&self, chat: Chat, about: &Task) {
        let mut tx = self.db.begin().await.unwrap();
        let now = self.clock.now();
        let first = ChatConversation {
            id: self.clock.new_id(),
            owner: self.owner,
            name: "first".into(),
            is_active: true,
            created_at: now,
            updated_at: now,
        };
        let second = ChatConversation { id: self.clock.new_id(), name: "second".into(), ..first.clone() };
        assert!(chats::lock(&mut tx, self.owner, chat).await.unwrap());
        chats::begin(&mut tx, chat, &first).await.unwrap();
        chats::begin(&mut tx, chat, &second).await.unwrap();
        let message = ChatMessage {
            id: self.clock.new_id(),
            owner: self.owner,
            conversation: second.id,
            role: MessageRole::User,
            content: "How far is it?".into(),
            context: ChatContext::Task,
            context_task: Some(about.id),
            created_at: now,
        };
        chats::say(&mut tx, chat, &message).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn keys(&self) {
        let mut tx = self.db.begin().await.unwrap();
        let now = self.clock.now();
        let kinds = [(KeyKind::Key, None), (KeyKind::SignIn, Some(now)), (KeyKind::Session, Some(now))];
        for (n, (kind, expires_at)) in (2..).zip(kinds) {
            let key = NewKey {
                id: self.clock.new_id(),
                kind,
                principal: PrincipalId::from(self.owner.uuid()),
                owner: self.owner,
                name: "a key",
                run: None,
                created_at: now,
                expires_at,
            };
            keys::create(&mut tx, &key, &[n; 32]).await.unwrap();
        }
        let listed: Vec<ApiKey> = keys::list(&mut tx, self.owner).await.unwrap();
        assert_eq!(listed.len(), 1);
        tx.commit().await.unwrap();
    }
}
