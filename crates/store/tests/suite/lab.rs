//! A database for one test, and the usual things in it.

use makima_model::{
    AgentInfo, BranchId, Clock, Contract, ContractStatus, DaemonId, Message, MessageRole, OwnerId, Phase,
    TaskId, TaskRole, TaskStatus, Timestamp,
};
use makima_store::{
    Db, Order, Page, Run, Seek, StoreError, Task, Tx, User, UserKind, contracts,
    conversations::{self, PackedMessage},
    daemons::{self, Hello},
    runs, tasks, users,
};
use makima_testkit::TestDatabase;
use std::time::Duration;
use tempfile::TempDir;

/// Declares tests that run on both engines.
macro_rules! on_both_engines {
    ($($(#[$attribute:meta])* async fn $name:ident($lab:ident: Lab) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "some of the module's tests use less than all")]
            use super::*;
            use crate::lab::in_time;

            async fn case($lab: Lab) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                in_time(case(Lab::on_sqlite().await)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                in_time(case(Lab::on_postgres().await)).await;
            }
        }
    )*};
}

/// Fails a test that waits for what never comes about.
pub(crate) async fn in_time(case: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(60), case).await.expect("the test ends");
}

/// What is thrown away after the test.
#[derive(Debug)]
enum Place {
    Folder(TempDir),
    Server(TestDatabase),
}

/// A database of its own.
#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    place: Place,
}

impl Lab {
    pub(crate) async fn on_sqlite() -> Self {
        Self::at(Place::Folder(tempfile::tempdir().expect("a temporary folder"))).await
    }

    /// On SQLite, in a folder of the test's.
    pub(crate) async fn in_folder(folder: TempDir) -> Self {
        Self::at(Place::Folder(folder)).await
    }

    pub(crate) async fn on_postgres() -> Self {
        Self::at(Place::Server(TestDatabase::create())).await
    }

    async fn at(place: Place) -> Self {
        let db = Db::open(&url(&place)).await.expect("the database opens");
        Self { db, clock: Clock::system(), place }
    }

    /// Another handle on the same database, as another server has.
    pub(crate) async fn replica(&self) -> Db {
        self.try_replica().await.expect("the database opens again")
    }

    pub(crate) async fn try_replica(&self) -> Result<Db, StoreError> {
        Db::open(&self.url()).await
    }

    pub(crate) fn url(&self) -> String {
        url(&self.place)
    }

    pub(crate) async fn begin(&self) -> Tx {
        self.db.begin().await.expect("a transaction begins")
    }

    pub(crate) async fn read(&self) -> Tx {
        self.db.read().await.expect("reading begins")
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn owner(&self) -> OwnerId {
        let id = self.clock.new_id();
        let user = User { id, name: "Ada".into(), kind: UserKind::Person, created_at: self.now() };
        let mut tx = self.begin().await;
        users::create(&mut tx, &user).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    pub(crate) async fn daemon(&self, owner: OwnerId) -> DaemonId {
        let id = self.clock.new_id();
        let mut tx = self.begin().await;
        daemons::upsert(&mut tx, owner, hello(id)).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    pub(crate) fn new_contract(&self, owner: OwnerId) -> Contract {
        Contract {
            id: self.clock.new_id(),
            owner,
            name: "Faster start".into(),
            description: "Start in half the time".into(),
            repository: "/srv/app".into(),
            base_branch: Some("main".into()),
            agent: None,
            phase: Phase::Research,
            status: ContractStatus::Active,
            created_at: self.now(),
            updated_at: self.now(),
            version: 1,
        }
    }

    pub(crate) async fn contract(&self, owner: OwnerId) -> Contract {
        let contract = self.new_contract(owner);
        let mut tx = self.begin().await;
        contracts::insert(&mut tx, &contract).await.unwrap();
        tx.commit().await.unwrap();
        contract
    }

    pub(crate) fn new_task(&self, owner: OwnerId) -> Task {
        let id: TaskId = self.clock.new_id();
        Task {
            id,
            owner,
            contract: None,
            parent: None,
            name: "Fix the login".into(),
            plan: "Fix the login, and test it".into(),
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
            branch_name: makima_model::branch_name("Fix the login", id),
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
            created_at: self.now(),
            updated_at: self.now(),
            started_at: None,
            completed_at: None,
        }
    }

    pub(crate) async fn insert_task(&self, task: Task) -> Task {
        let mut tx = self.begin().await;
        tasks::insert(&mut tx, &task).await.unwrap();
        tx.commit().await.unwrap();
        task
    }

    pub(crate) async fn task(&self, owner: OwnerId) -> Task {
        self.insert_task(self.new_task(owner)).await
    }

    pub(crate) fn new_run(&self, task: &Task, daemon: DaemonId, number: i64) -> Run {
        Run {
            id: self.clock.new_id(),
            owner: task.owner,
            task: task.id,
            number,
            daemon,
            agent: "claude".into(),
            branch: task.conversation,
            last_entry: 0,
            turn_seq: 0,
            session_id: None,
            started_at: self.now(),
            ended_at: None,
            outcome: None,
            reason: None,
        }
    }

    pub(crate) async fn run(&self, task: &Task, daemon: DaemonId, number: i64) -> Run {
        let run = self.new_run(task, daemon, number);
        let mut tx = self.begin().await;
        runs::insert(&mut tx, &run).await.unwrap();
        tx.commit().await.unwrap();
        run
    }

    pub(crate) fn said(&self, content: impl Into<String>) -> Message {
        Message::said(self.clock.new_id(), MessageRole::Assistant, content, self.now())
    }

    pub(crate) async fn append(&self, owner: OwnerId, branch: BranchId, messages: &[Message]) -> i64 {
        let mut tx = self.begin().await;
        let first = conversations::append(&mut tx, owner, branch, 1, packed(messages)).await.unwrap();
        tx.commit().await.unwrap();
        first.expect("the branch is there")
    }
}

/// The messages, ready to be appended.
pub(crate) fn packed(messages: &[Message]) -> Vec<PackedMessage> {
    messages.iter().map(|message| PackedMessage::of(message).unwrap()).collect()
}

/// The daemon `id`, saying hello.
pub(crate) fn hello(id: DaemonId) -> Hello<'static> {
    static AGENTS: std::sync::LazyLock<Vec<AgentInfo>> = std::sync::LazyLock::new(|| {
        vec![AgentInfo { name: "claude".into(), version: Some("2.1.197".into()), default: true }]
    });
    Hello { id, name: "workshop", hostname: "workshop.local", max_concurrent_tasks: 4, agents: &AGENTS }
}

fn url(place: &Place) -> String {
    match place {
        Place::Folder(folder) => format!("sqlite:{}", folder.path().join("store/makima.db").display()),
        Place::Server(database) => database.url(),
    }
}

/// All of a list, newest first.
pub(crate) fn all<K>() -> Seek<K> {
    Seek { order: Order::Newest, after: None, limit: 1000 }
}

/// Walks a list by pages of `limit`, and checks each page's total.
pub(crate) async fn walk<T, K: Copy>(
    order: Order,
    limit: u32,
    total: i64,
    mut page: impl AsyncFnMut(Seek<K>) -> Page<T, K>,
) -> Vec<T> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let page = page(Seek { order, after, limit }).await;
        assert_eq!(page.total, total);
        assert!(page.rows.len() <= limit as usize);
        rows.extend(page.rows);
        match page.next {
            Some(next) => after = Some(next),
            None => return rows,
        }
    }
}
