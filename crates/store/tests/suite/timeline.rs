//! The timeline, against a list that is filtered and sorted by hand, while entries come and things go into the trash.

use crate::{lab::Lab, plans::plan};
use makima_model::{
    Circumstances, ContractId, EventKind, HistoryType, Operation, OperationId, OperationKind, OperationState,
    Origin, OwnerId, Phase, PrincipalId, TaskId, Timestamp,
};
use makima_store::{
    Engine, HistoryEntry, Key, NewHistory, Order, Page, Seek, Task, TimelineFilter, TimelineScope, Tx,
    events,
    operations::{self, Ending},
    tasks, trash,
};
use proptest::{prelude::*, sample::subsequence, test_runner::TestRunner};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// Contracts, and the tasks of each: two below the first, one of which has one below it. Behind the contracts: those of none.
const CONTRACTS: usize = 2;
const TASKS: usize = 4;

/// An entry to come. Its moment is one of few, so that many have the same, and most come out of order.
#[derive(Debug, Clone)]
struct Coming {
    contract: usize,
    task: Option<usize>,
    subtype: &'static str,
    phase: usize,
    moment: u64,
}

const SUBTYPES: [(&str, EventKind); 12] = [
    ("task_created", EventKind::Task),
    ("task_completed", EventKind::Task),
    ("task_turn", EventKind::Task),
    ("task_status", EventKind::Task),
    ("task_deleted", EventKind::Task),
    ("conversation_moved", EventKind::Task),
    ("checkpoint", EventKind::Checkpoint),
    ("file_change", EventKind::File),
    ("chat_message", EventKind::Chat),
    ("phase_change", EventKind::Phase),
    ("contract_updated", EventKind::Phase),
    ("contract_deleted", EventKind::Phase),
];

fn coming() -> impl Strategy<Value = Coming> {
    let task = prop_oneof![1 => Just(None), 4 => (0..TASKS).prop_map(Some)];
    (0..=CONTRACTS, task, 0..SUBTYPES.len(), 0..5usize, 0..8u64).prop_map(
        |(contract, task, subtype, phase, moment)| Coming {
            contract,
            task,
            subtype: SUBTYPES[subtype].0,
            phase,
            moment,
        },
    )
}

#[derive(Debug, Clone)]
enum Whose {
    Owner,
    Contract(usize),
    Task(usize, usize),
    Tree(usize, usize),
}

#[derive(Debug, Clone)]
enum Step {
    Come(Vec<Coming>),
    PutTask(usize, usize),
    PutContract(usize),
    TakeOut(usize),
    /// A walk, and what comes behind each of its pages.
    Walk {
        whose: Whose,
        filter: Wanted,
        order: Order,
        limit: u32,
        meanwhile: Vec<Coming>,
    },
}

#[derive(Debug, Clone)]
struct Wanted {
    types: Vec<HistoryType>,
    phases: Vec<Phase>,
    from: Option<u64>,
    to: Option<u64>,
}

fn step() -> impl Strategy<Value = Step> {
    let contract = 0..=CONTRACTS;
    let whose = prop_oneof![
        2 => Just(Whose::Owner),
        2 => (0..CONTRACTS).prop_map(Whose::Contract),
        1 => (contract.clone(), 0..TASKS).prop_map(|(contract, task)| Whose::Task(contract, task)),
        2 => (contract.clone(), 0..TASKS).prop_map(|(contract, task)| Whose::Tree(contract, task)),
    ];
    let types =
        prop_oneof![1 => Just(Vec::new()), 2 => subsequence(HistoryType::ALL, 1..=HistoryType::ALL.len())];
    let phases = prop_oneof![2 => Just(Vec::new()), 1 => subsequence(Phase::ALL, 1..=3)];
    let moment = prop_oneof![2 => Just(None), 1 => (0..8u64).prop_map(Some)];
    let wanted = (types, phases, moment.clone(), moment).prop_map(|(types, phases, from, to)| Wanted {
        types,
        phases,
        from,
        to,
    });
    let order = prop_oneof![Just(Order::Newest), Just(Order::Oldest)];
    let comings = |most| prop::collection::vec(coming(), 1..most);
    prop_oneof![
        3 => comings(20).prop_map(Step::Come),
        1 => (contract.clone(), 0..TASKS).prop_map(|(contract, task)| Step::PutTask(contract, task)),
        1 => (0..CONTRACTS).prop_map(Step::PutContract),
        1 => (0..4usize).prop_map(Step::TakeOut),
        6 => (whose, wanted, order, 1..7u32, comings(6)).prop_map(|(whose, filter, order, limit, meanwhile)| {
            Step::Walk { whose, filter, order, limit, meanwhile }
        }),
    ]
}

/// What the timeline knows of an entry, by hand.
#[derive(Debug, Clone)]
struct Kept {
    key: Key,
    contract: Option<usize>,
    task: Option<(usize, usize)>,
    subtype: &'static str,
    phase: Option<Phase>,
}

struct World<'a> {
    lab: &'a Lab,
    owner: OwnerId,
    contracts: Vec<ContractId>,
    tasks: Vec<Vec<Task>>,
    begun: Timestamp,
    entries: Vec<Kept>,
    /// What lies in the trash, by what put it there.
    trash: Vec<Trashed>,
}

struct Trashed {
    by: OperationId,
    tasks: BTreeSet<(usize, usize)>,
    contract: Option<usize>,
}

impl<'a> World<'a> {
    async fn new(lab: &'a Lab) -> Self {
        let owner = lab.owner().await;
        let mut contracts = Vec::new();
        for _ in 0..CONTRACTS {
            contracts.push(lab.contract(owner).await.id);
        }
        let mut tasks = Vec::new();
        for contract in 0..=CONTRACTS {
            let mut of: Vec<Task> = Vec::new();
            for parent in [None, Some(0), Some(0), Some(1)] {
                let parent = parent.map(|parent: usize| of[parent].id);
                let contract = contracts.get(contract).copied();
                of.push(lab.insert_task(Task { contract, parent, ..lab.new_task(owner) }).await);
            }
            tasks.push(of);
        }
        Self { lab, owner, contracts, tasks, begun: lab.now(), entries: Vec::new(), trash: Vec::new() }
    }

    fn moment(&self, moment: u64) -> Timestamp {
        self.begun.plus(Duration::from_micros(moment))
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Come(comings) => self.come(comings).await,
            Step::PutTask(contract, task) => {
                let id = self.tasks[*contract][*task].id;
                let (by, mut tx) = self.operation(Some(id), self.contracts.get(*contract).copied()).await;
                trash::put_task(&mut tx, self.owner, id, by, self.lab.now()).await.unwrap();
                tx.commit().await.unwrap();
                let put = [(*contract, *task)].into_iter().filter(|task| !self.is_trashed(*task)).collect();
                self.trash.push(Trashed { by, tasks: put, contract: None });
            }
            Step::PutContract(contract) => {
                let id = self.contracts[*contract];
                let (by, mut tx) = self.operation(None, Some(id)).await;
                trash::put_contract(&mut tx, self.owner, id, by, self.lab.now()).await.unwrap();
                tx.commit().await.unwrap();
                if !self.is_contract_trashed(*contract) {
                    let put = (0..TASKS).map(|task| (*contract, task)).filter(|task| !self.is_trashed(*task));
                    self.trash.push(Trashed { by, tasks: put.collect(), contract: Some(*contract) });
                }
            }
            Step::TakeOut(which) => {
                if *which < self.trash.len() {
                    let by = self.trash.remove(*which).by;
                    let mut tx = self.lab.begin().await;
                    trash::take_out(&mut tx, self.owner, by).await.unwrap();
                    tx.commit().await.unwrap();
                }
            }
            Step::Walk { whose, filter, order, limit, meanwhile } => {
                self.walk(whose, filter, *order, *limit, meanwhile).await;
            }
        }
    }

    async fn operation(&self, task: Option<TaskId>, contract: Option<ContractId>) -> (OperationId, Tx) {
        let operation = Operation {
            id: self.lab.clock.new_id(),
            owner: self.owner,
            kind: OperationKind::Delete,
            state: OperationState::Prepared,
            task,
            contract,
            principal: PrincipalId::from(self.owner.uuid()),
            origin: Origin::Api,
            request: json!({}),
            before: Circumstances::default(),
            after: None,
            undoes: None,
            undone_by: None,
            error: None,
            created_at: self.lab.now(),
            finished_at: None,
        };
        let mut tx = self.lab.begin().await;
        operations::insert(&mut tx, &operation).await.unwrap();
        let ending = Ending::Done { before: None, after: Circumstances::default() };
        assert!(
            operations::finish(&mut tx, self.owner, operation.id, &ending, self.lab.now()).await.unwrap()
        );
        (operation.id, tx)
    }

    async fn come(&mut self, comings: &[Coming]) {
        let mut tx = self.lab.begin().await;
        for coming in comings {
            let (entry, kept) = self.entry(coming);
            events::append_history(&mut tx, entry);
            self.entries.push(kept);
        }
        tx.commit().await.unwrap();
    }

    fn entry(&self, coming: &Coming) -> (NewHistory, Kept) {
        let contract = (coming.contract < CONTRACTS).then_some(coming.contract);
        let task = coming.task.map(|task| (coming.contract, task));
        let (subtype, kind) = SUBTYPES.into_iter().find(|(subtype, _)| *subtype == coming.subtype).unwrap();
        let entry = NewHistory {
            id: self.lab.clock.new_id(),
            owner: self.owner,
            contract: contract.map(|contract| self.contracts[contract]),
            task: task.map(|(contract, task)| self.tasks[contract][task].id),
            kind,
            subtype: subtype.to_owned(),
            phase: contract.map(|_| Phase::ALL[coming.phase]),
            data: json!({ "moment": coming.moment }),
            created_at: self.moment(coming.moment),
        };
        let key = Key { at: entry.created_at, id: entry.id.uuid() };
        let phase = entry.phase;
        (entry, Kept { key, contract, task, subtype, phase })
    }

    fn is_trashed(&self, task: (usize, usize)) -> bool {
        self.trash.iter().any(|put| put.tasks.contains(&task))
    }

    fn is_contract_trashed(&self, contract: usize) -> bool {
        self.trash.iter().any(|put| put.contract == Some(contract))
    }

    /// The tasks below one, and itself.
    fn below(task: usize) -> &'static [usize] {
        match task {
            0 => &[0, 1, 2, 3],
            1 => &[1, 3],
            2 => &[2],
            _ => &[3],
        }
    }

    /// What is wanted of all entries, in order.
    fn naive(&self, whose: &Whose, filter: &Wanted, order: Order) -> Vec<Key> {
        let types: BTreeSet<&str> = filter.types.iter().flat_map(|of| subtypes_of(*of)).copied().collect();
        let is_wanted = |entry: &&Kept| {
            let is_whose = match whose {
                Whose::Owner => true,
                Whose::Contract(contract) => entry.contract == Some(*contract),
                Whose::Task(contract, task) => entry.task == Some((*contract, *task)),
                Whose::Tree(contract, task) => entry.task.is_some_and(|(of, one)| {
                    of == *contract && Self::below(*task).contains(&one) && !self.is_trashed((of, one))
                }),
            };
            let is_hidden = entry.task.is_some_and(|task| self.is_trashed(task))
                || entry.contract.is_some_and(|contract| self.is_contract_trashed(contract));
            is_whose
                && (!is_hidden || ["task_deleted", "contract_deleted"].contains(&entry.subtype))
                && (filter.types.is_empty() || types.contains(entry.subtype))
                && (filter.phases.is_empty()
                    || entry.phase.is_some_and(|phase| filter.phases.contains(&phase)))
                && filter.from.is_none_or(|from| entry.key.at >= self.moment(from))
                && filter.to.is_none_or(|to| entry.key.at <= self.moment(to))
        };
        let mut keys: Vec<Key> = self.entries.iter().filter(is_wanted).map(|entry| entry.key).collect();
        keys.sort();
        if order == Order::Newest {
            keys.reverse();
        }
        keys
    }

    async fn page(
        &self,
        whose: &Whose,
        wanted: &Wanted,
        seek: Seek,
        total: Option<i64>,
    ) -> Page<HistoryEntry> {
        let mut tx = self.lab.read().await;
        let scope = match whose {
            Whose::Owner => TimelineScope::Owner,
            Whose::Contract(contract) => TimelineScope::Contract(self.contracts[*contract]),
            Whose::Task(contract, task) => TimelineScope::Tasks(vec![self.tasks[*contract][*task].id]),
            Whose::Tree(contract, task) => {
                let root = self.tasks[*contract][*task].id;
                TimelineScope::Tasks(tasks::tree(&mut tx, self.owner, root).await.unwrap())
            }
        };
        let filter = self.filter(wanted);
        events::timeline(&mut tx, self.owner, &scope, &filter, seek, total).await.unwrap()
    }

    fn filter(&self, wanted: &Wanted) -> TimelineFilter {
        TimelineFilter {
            types: wanted.types.clone(),
            phases: wanted.phases.clone(),
            from: wanted.from.map(|moment| self.moment(moment)),
            to: wanted.to.map(|moment| self.moment(moment)),
        }
    }

    async fn walk(&mut self, whose: &Whose, wanted: &Wanted, order: Order, limit: u32, meanwhile: &[Coming]) {
        // Nobody asks for the timeline of what lies in the trash: that is 404.
        let is_gone = match whose {
            Whose::Owner => false,
            Whose::Contract(contract) => self.is_contract_trashed(*contract),
            Whose::Task(contract, task) | Whose::Tree(contract, task) => self.is_trashed((*contract, *task)),
        };
        if is_gone {
            return;
        }
        let before = self.naive(whose, wanted, order);
        let mut walked: Vec<Key> = Vec::new();
        let (mut after, mut total) = (None, None);
        let mut coming = meanwhile.iter();
        loop {
            let now = self.naive(whose, wanted, order).len();
            let page = self.page(whose, wanted, Seek { order, after, limit }, total).await;
            let counted = total.unwrap_or(i64::try_from(now).unwrap());
            assert_eq!(page.total, counted, "{whose:?} {wanted:?}");
            if !self.filter(wanted).is_counted() {
                total = Some(counted);
            }
            assert!(page.rows.len() <= usize::try_from(limit).unwrap());
            assert!(page.rows.iter().all(|entry| entry.task_name.is_some() == entry.event.task.is_some()));
            walked.extend(
                page.rows
                    .iter()
                    .map(|HistoryEntry { event, .. }| Key { at: event.created_at, id: event.id.uuid() }),
            );
            after = page.next;
            if after.is_none() {
                break;
            }
            if let Some(coming) = coming.next() {
                self.come(std::slice::from_ref(coming)).await;
            }
        }
        let in_order = walked.windows(2).all(|two| match order {
            Order::Newest => two[0] > two[1],
            Order::Oldest => two[0] < two[1],
        });
        assert!(in_order, "each once, in order: {walked:?}");
        let walked: BTreeSet<Key> = walked.into_iter().collect();
        let missed: Vec<&Key> = before.iter().filter(|key| !walked.contains(key)).collect();
        assert!(missed.is_empty(), "{whose:?} {wanted:?}: {missed:?}");
        let now: BTreeSet<Key> = self.naive(whose, wanted, order).into_iter().collect();
        assert!(walked.is_subset(&now), "{whose:?} {wanted:?}: {:?}", walked.difference(&now));
    }
}

fn subtypes_of(of: HistoryType) -> &'static [&'static str] {
    match of {
        HistoryType::TaskCreated => &["task_created"],
        HistoryType::TaskCompleted => &["task_completed"],
        HistoryType::TaskTurn => &["task_turn"],
        HistoryType::TaskStatus => &["task_status", "task_deleted", "conversation_moved"],
        HistoryType::Checkpoint => &["checkpoint"],
        HistoryType::PhaseChange => &["phase_change", "contract_updated", "contract_deleted"],
        HistoryType::Chat => &["chat_message"],
        HistoryType::FileChange => &["file_change"],
    }
}

/// Many short stories in one database: making one for each would take longer than the stories do.
fn is_the_list_that_was_filtered_by_hand(lab: impl Future<Output = Lab>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let lab = runtime.block_on(lab);
    let config =
        ProptestConfig { cases: 12, failure_persistence: None, max_shrink_iters: 100, ..Default::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 4..16), |steps| {
            runtime.block_on(async {
                let mut world = World::new(&lab).await;
                for step in &steps {
                    world.take(step).await;
                }
            });
            Ok(())
        })
        .unwrap();
    runtime.block_on(lab.db.close());
}

#[test]
fn the_timeline_is_the_list_that_was_filtered_by_hand_on_sqlite() {
    is_the_list_that_was_filtered_by_hand(Lab::on_sqlite());
}

#[test]
fn the_timeline_is_the_list_that_was_filtered_by_hand_on_postgres() {
    is_the_list_that_was_filtered_by_hand(Lab::on_postgres());
}

fn everything() -> Wanted {
    Wanted { types: Vec::new(), phases: Vec::new(), from: None, to: None }
}

on_both_engines! {
    async fn a_walk_beside_writers_on_two_servers_gives_each_row_that_was_there_once(lab: Lab) {
        let mut world = World::new(&lab).await;
        let comings: Vec<Coming> = (0..120)
            .map(|n| Coming { contract: n % 3, task: Some(n % TASKS), subtype: "task_turn", phase: 0, moment: (n as u64 * 7) % 50 })
            .collect();
        world.come(&comings).await;
        let replica = match lab.db.engine() {
            Engine::Sqlite => lab.db.clone(),
            makima_store::Engine::Postgres => lab.replica().await,
        };
        let (stop, written) = (AtomicBool::new(false), std::sync::atomic::AtomicUsize::new(0));
        let writer = |db: makima_store::Db| {
            let (world, comings, stop, written) = (&world, &comings, &stop, &written);
            async move {
                for coming in comings.iter().cycle() {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let mut tx = db.begin().await.unwrap();
                    events::append_history(&mut tx, world.entry(coming).0);
                    tx.commit().await.unwrap();
                    written.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let walker = async {
            for (order, whose) in [Order::Newest, Order::Oldest].into_iter().zip([Whose::Owner, Whose::Tree(1, 0)]) {
                let before = world.naive(&whose, &everything(), order);
                let (mut walked, mut after) = (Vec::new(), None);
                loop {
                    let page = world.page(&whose, &everything(), Seek { order, after, limit: 5 }, None).await;
                    walked.extend(page.rows.iter().map(|entry| entry.event.id.uuid()));
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
                let each_once: BTreeSet<_> = walked.iter().copied().collect();
                assert_eq!(each_once.len(), walked.len());
                assert!(before.iter().all(|key| each_once.contains(&key.id)));
            }
            stop.store(true, Ordering::Relaxed);
        };
        futures::future::join3(walker, writer(lab.db.clone()), writer(replica)).await;
        assert!(written.load(Ordering::Relaxed) > 0);
    }

    async fn a_timeline_is_its_owners_alone(lab: Lab) {
        let mut world = World::new(&lab).await;
        let comings = [Coming { contract: 0, task: Some(0), subtype: "checkpoint", phase: 0, moment: 0 }];
        world.come(&comings).await;
        let stranger = lab.owner().await;
        let mut tx = lab.read().await;
        let task = world.tasks[0][0].id;
        assert_eq!(tasks::tree(&mut tx, stranger, task).await.unwrap(), []);
        let seek = Seek { order: Order::Newest, after: None, limit: 10 };
        for types in [Vec::new(), vec![HistoryType::Checkpoint]] {
            let filter = TimelineFilter { types, ..TimelineFilter::default() };
            for scope in [TimelineScope::Owner, TimelineScope::Contract(world.contracts[0]), TimelineScope::Tasks(vec![task])] {
                let theirs = events::timeline(&mut tx, stranger, &scope, &filter, seek, None).await.unwrap();
                assert_eq!((theirs.rows.len(), theirs.total, theirs.next), (0, 0, None), "{scope:?}");
                let own = events::timeline(&mut tx, world.owner, &scope, &filter, seek, None).await.unwrap();
                assert_eq!((own.rows.len(), own.total), (1, 1), "{scope:?}");
            }
        }
    }

    async fn a_turn_is_completed_where_it_waits_and_where_it_stands(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let turn = |run: i64, turn: u32| NewHistory {
            id: lab.clock.new_id(),
            owner,
            contract: None,
            task: Some(task.id),
            kind: EventKind::Task,
            subtype: "task_turn".into(),
            phase: None,
            data: json!({ "runNumber": run, "turn": turn }),
            created_at: lab.now(),
        };
        let more = |n: i64| serde_json::Map::from_iter([("files".to_owned(), json!([n, "a\0b"]))]);
        let mut tx = lab.begin().await;
        events::append_history(&mut tx, turn(1, 1));
        events::append_history(&mut tx, turn(2, 1));
        events::complete_turn(&mut tx, owner, task.id, (1, 1), more(11)).await.unwrap();
        tx.commit().await.unwrap();
        let stranger = lab.owner().await;
        let mut tx = lab.begin().await;
        events::complete_turn(&mut tx, owner, task.id, (2, 1), more(21)).await.unwrap();
        // There is none like that, or it is another owner's.
        events::complete_turn(&mut tx, owner, task.id, (2, 2), more(22)).await.unwrap();
        events::complete_turn(&mut tx, stranger, task.id, (1, 1), more(0)).await.unwrap();
        tx.commit().await.unwrap();
        let seek = Seek { order: Order::Oldest, after: None, limit: 10 };
        let scope = TimelineScope::Tasks(vec![task.id]);
        let page = events::timeline(&mut lab.read().await, owner, &scope, &TimelineFilter::default(), seek, None).await.unwrap();
        let told: Vec<_> = page.rows.into_iter().map(|entry| entry.event.data).collect();
        assert_eq!(told, [
            json!({ "runNumber": 1, "turn": 1, "files": [11, "a\u{fffd}b"] }),
            json!({ "runNumber": 2, "turn": 1, "files": [21, "a\u{fffd}b"] }),
        ]);
    }
}

/// The statements that read a page, and the index that each has its rows from, in their order.
fn pages(engine: Engine) -> Vec<(String, &'static str)> {
    let all = makima_store::statements(engine).into_iter();
    let pages = all.filter(|text| {
        text.contains("FROM history_events") && text.contains("LIMIT $3") && text.contains("$10")
    });
    let indexed = |text: String| {
        let by_kind = text.contains("(event_type, created_at)");
        let index = match (text.contains("contract_id = (SELECT"), text.contains("task_id = (SELECT")) {
            (true, _) if by_kind => "history_events_of_contract_by_kind",
            (true, _) => "history_events_of_contract",
            (_, true) => "history_events_of_task",
            _ if by_kind => "history_events_of_owner_by_kind",
            _ => "history_events_of_owner",
        };
        (text, index)
    };
    pages.map(indexed).collect()
}

#[tokio::test]
async fn sqlite_has_each_page_from_an_index_in_its_order() {
    let lab = Lab::on_sqlite().await;
    let mut connection = SqliteConnection::connect(&lab.url()).await.unwrap();
    let pages = pages(Engine::Sqlite);
    assert_eq!(pages.len(), 10);
    for (text, index) in pages {
        let steps = plan(&mut connection, &text).await;
        let found = steps
            .iter()
            .any(|step| step.starts_with(&format!("SEARCH history_events USING INDEX {index} (")));
        assert!(found && !steps.iter().any(|step| step.contains("ORDER BY")), "{text}\n{steps:#?}");
    }
}

#[tokio::test]
async fn postgres_can_have_each_page_from_an_index_in_its_order() {
    let lab = Lab::on_postgres().await;
    let mut connection = PgConnection::connect(&lab.url()).await.unwrap();
    // Of an empty table anything is as good.
    for off in ["enable_seqscan", "enable_sort", "enable_bitmapscan", "enable_incremental_sort"] {
        sqlx::query(AssertSqlSafe(format!("SET {off} = off"))).execute(&mut connection).await.unwrap();
    }
    sqlx::query("SET plan_cache_mode = force_generic_plan").execute(&mut connection).await.unwrap();
    for (n, (text, index)) in pages(Engine::Postgres).into_iter().enumerate() {
        sqlx::query(AssertSqlSafe(format!("PREPARE page_{n} AS {text}")))
            .execute(&mut connection)
            .await
            .unwrap();
        let nothing = ["NULL"; 10].join(", ");
        let explained = AssertSqlSafe(format!("EXPLAIN EXECUTE page_{n}({nothing})"));
        let steps: Vec<String> = sqlx::query_scalar(explained).fetch_all(&mut connection).await.unwrap();
        let found = steps.iter().any(|step| step.contains(&format!("using {index} on history_events")));
        assert!(found && !steps.iter().any(|step| step.contains("Sort")), "{text}\n{steps:#?}");
    }
}
