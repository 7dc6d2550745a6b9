//! Searching, against texts that are looked through word by word, while things come and go; and what the index does beside those who
//! write and erase.

use crate::lab::{Lab, all};
use makima_model::{
    Branch, BranchReason, Chat, ChatContext, CheckpointKind, CheckpointMade, Circumstances, EventKind,
    FileAction, FileChange, Message, MessageId, MessageRole, Operation, OperationKind, OperationState,
    Origin, OwnerId, Point, Position, PrincipalId, TaskEventKind, TaskId, ToolCall,
    search::{HitKind, MARKS, Query, Term, Words, of_message},
};
use makima_store::{
    ChatConversation, ChatMessage, Checkpoint, Db, NewHistory, NewTaskEvent, Order, Page, SearchFilter,
    SearchHit, SearchKey, Seek, Task, chats, checkpoints, conversations, erase, events,
    operations::{self, Ending},
    search::{self, Portion},
    trash,
};
use proptest::{prelude::*, sample::select, test_runner::TestRunner};
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};

/// Takes portions until everything is indexed, and answers how many there were.
pub(crate) async fn index(db: &Db) -> usize {
    let mut portions = 0;
    loop {
        let behind = search::behind(&mut db.read().await.unwrap()).await.unwrap();
        let Some(owner) = behind.into_iter().next() else { return portions };
        let portion = Portion::read(&mut db.read().await.unwrap(), owner).await.unwrap().unwrap();
        assert!(keep(db, portion).await);
        portions += 1;
    }
}

async fn keep(db: &Db, portion: Portion) -> bool {
    let mut tx = db.begin().await.unwrap();
    let is_kept = portion.keep(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    is_kept
}

async fn find(lab: &Lab, owner: OwnerId, query: &str) -> Vec<SearchHit> {
    let found = found(lab, owner, query, &SearchFilter::default()).await;
    assert_eq!(found.total, i64::try_from(found.rows.len()).unwrap());
    found.rows
}

async fn found(lab: &Lab, owner: OwnerId, query: &str, filter: &SearchFilter) -> Page<SearchHit, SearchKey> {
    let mut tx = lab.read().await;
    let standing = search::standing(&mut tx, owner).await.unwrap().unwrap();
    search::find(&mut tx, owner, standing, &Query::parse(query), filter, (all(), None)).await.unwrap()
}

/// How many of the owner's newest numbers can't be found yet.
async fn behind(lab: &Lab, owner: OwnerId) -> i64 {
    search::standing(&mut lab.read().await, owner).await.unwrap().unwrap().behind()
}

/// Snippets with brackets for marks.
fn shown(hits: &[SearchHit]) -> Vec<String> {
    hits.iter().map(|hit| hit.snippet.replace(MARKS[0], "[").replace(MARKS[1], "]")).collect()
}

/// A stretch of a text: a word so many times, and what stands behind each.
type Stretch = (&'static str, usize, &'static str);

fn text() -> impl Strategy<Value = String> {
    let word = select(vec![
        "alpha", "Beta", "gamma", "al", "alphabet", "src", "main", "rs", "foo_bar", "東京", "é", "e\u{301}",
        "ΔΣ", "x1",
    ]);
    let behind = select(vec![" ", "/", ".", "\n", "\0", "::", "-", "_ ", " 🦀 "]);
    let times = prop_oneof![20 => 1..3usize, 1 => 200..400usize];
    let stretch = (word, times, behind);
    prop::collection::vec(stretch, 0..12).prop_map(|stretches: Vec<Stretch>| {
        stretches.into_iter().map(|(word, times, behind)| format!("{word}{behind}").repeat(times)).collect()
    })
}

fn query() -> impl Strategy<Value = String> {
    let word = || {
        select(vec![
            "alpha", "BETA", "gam", "al", "alphabet", "src", "main", "rs", "foo_bar", "foo", "東", "京", "É",
            "δ", "x1", "absent",
        ])
    };
    let term = prop_oneof![
        3 => word().prop_map(str::to_owned),
        1 => word().prop_map(|word| format!("{word}*")),
        1 => (word(), word()).prop_map(|(one, two)| format!("\"{one} {two}\"")),
        1 => (word(), word(), word()).prop_map(|(one, two, three)| format!("{one}/{two}.{three}")),
    ];
    prop::collection::vec(term, 1..4).prop_map(|terms| terms.join(" "))
}

/// A message to come: a text, who says it with which tool, in which task, and at which of few moments.
#[derive(Debug, Clone)]
struct Coming {
    text: String,
    role: MessageRole,
    tool: Option<&'static str>,
    is_error: bool,
    task: usize,
    moment: u64,
}

fn coming() -> impl Strategy<Value = Coming> {
    let role = select(MessageRole::ALL.to_vec());
    let tool = select(vec![None, Some("Bash"), Some("mcp__a_b"), Some("mcp__aXb")]);
    (text(), role, tool, any::<bool>(), 0..2usize, 0..6u64).prop_map(
        |(text, role, tool, is_error, task, moment)| Coming { text, role, tool, is_error, task, moment },
    )
}

#[derive(Debug, Clone)]
struct Asked {
    query: String,
    task: Option<usize>,
    roles: Vec<MessageRole>,
    tool: Option<&'static str>,
    errors_only: bool,
    moments: (Option<u64>, Option<u64>),
    order: Order,
    limit: u32,
}

fn asked() -> impl Strategy<Value = Asked> {
    let maybe = |most| prop_oneof![3 => Just(None), 1 => (0..most).prop_map(Some)];
    let roles = prop_oneof![3 => Just(vec![]), 1 => Just(vec![MessageRole::User, MessageRole::Tool])];
    let tool = select(vec![None, None, None, Some("bash"), Some("mcp__a_b")]);
    let task = prop_oneof![3 => Just(None), 1 => (0..2usize).prop_map(Some)];
    let order = select(vec![Order::Newest, Order::Oldest]);
    (query(), task, roles, tool, prop::bool::weighted(0.2), (maybe(6u64), maybe(6u64)), order, 1..6u32)
        .prop_map(|(query, task, roles, tool, errors_only, moments, order, limit)| Asked {
            query,
            task,
            roles,
            tool,
            errors_only,
            moments,
            order,
            limit,
        })
}

struct World<'a> {
    lab: &'a Lab,
    owner: OwnerId,
    tasks: Vec<Task>,
    begun: makima_model::Timestamp,
    /// What was said, in its order.
    said: Vec<(Coming, Message)>,
}

impl<'a> World<'a> {
    async fn new(lab: &'a Lab) -> Self {
        let owner = lab.owner().await;
        let tasks = vec![lab.task(owner).await, lab.task(owner).await];
        Self { lab, owner, tasks, begun: lab.now(), said: Vec::new() }
    }

    fn at(&self, moment: u64) -> makima_model::Timestamp {
        self.begun.plus(Duration::from_micros(moment))
    }

    async fn come(&mut self, coming: &Coming) {
        let mut message = Message::said(self.lab.clock.new_id(), coming.role, "", self.at(coming.moment));
        match (coming.role, coming.tool) {
            (MessageRole::Assistant, Some(tool)) => {
                let input = json!({ "command": coming.text });
                message.tool_calls = vec![ToolCall { id: "1".into(), name: tool.into(), input }];
            }
            (MessageRole::Tool, tool) => {
                message.tool_name = tool.map(str::to_owned);
                message.tool_result = Some(coming.text.clone());
                message.is_error = Some(coming.is_error);
            }
            _ => message.content = coming.text.clone(),
        }
        let branch = self.tasks[coming.task].conversation;
        self.lab.append(self.owner, branch, std::slice::from_ref(&message)).await;
        self.said.push((coming.clone(), message));
    }

    /// What must be found, in order.
    fn naive(&self, asked: &Asked) -> Vec<MessageId> {
        let query = Query::parse(&asked.query);
        let is_wanted = |(coming, message): &(Coming, Message)| {
            let tool = (message.tool_calls.first().map(|call| call.name.clone()))
                .or(message.tool_name.clone())
                .map(|tool| tool.to_lowercase());
            asked.task.is_none_or(|task| task == coming.task)
                && (asked.roles.is_empty() || asked.roles.contains(&coming.role))
                && asked.tool.is_none_or(|wanted| tool.as_deref() == Some(wanted))
                && (!asked.errors_only || message.is_error == Some(true))
                && asked.moments.0.is_none_or(|from| coming.moment >= from)
                && asked.moments.1.is_none_or(|to| coming.moment <= to)
                && !query.is_empty()
                && query.terms().iter().all(|term| has(message, term))
        };
        let mut found: Vec<_> = self.said.iter().enumerate().filter(|(_, said)| is_wanted(said)).collect();
        found.sort_by_key(|(n, (coming, _))| (coming.moment, *n));
        if asked.order == Order::Newest {
            found.reverse();
        }
        found.into_iter().map(|(_, (_, message))| message.id).collect()
    }

    fn filter(&self, asked: &Asked) -> SearchFilter {
        SearchFilter {
            task: asked.task.map(|task| self.tasks[task].id),
            contract: None,
            roles: asked.roles.clone(),
            tool: asked.tool.map(str::to_owned),
            errors_only: asked.errors_only,
            from: asked.moments.0.map(|moment| self.at(moment)),
            to: asked.moments.1.map(|moment| self.at(moment)),
        }
    }

    /// Walks all pages, while more comes.
    async fn walk(&mut self, asked: &Asked, meanwhile: &[Coming]) {
        let before = self.naive(asked);
        let (query, filter) = (Query::parse(&asked.query), self.filter(asked));
        let (mut walked, mut after, mut total) = (Vec::new(), None, None);
        let mut meanwhile = meanwhile.iter();
        loop {
            let seek = Seek { order: asked.order, after, limit: asked.limit };
            let mut tx = self.lab.read().await;
            let standing = search::standing(&mut tx, self.owner).await.unwrap().unwrap();
            let sought = (seek, total);
            let found = search::find(&mut tx, self.owner, standing, &query, &filter, sought).await.unwrap();
            drop(tx);
            assert_eq!((standing.behind(), found.total), (0, before.len() as i64), "{asked:?}");
            total = Some(found.total);
            walked.extend(found.rows.iter().map(|hit| {
                assert!(hit.snippet.contains(MARKS[0]), "{asked:?} {hit:?}");
                hit.message.unwrap()
            }));
            after = found.next;
            if after.is_none() {
                break;
            }
            if let Some(coming) = meanwhile.next() {
                self.come(coming).await;
                index(&self.lab.db).await;
            }
        }
        let once: BTreeSet<MessageId> = walked.iter().copied().collect();
        assert_eq!(once.len(), walked.len(), "each once: {asked:?}");
        let known: BTreeSet<MessageId> = before.iter().copied().collect();
        walked.retain(|id| known.contains(id));
        assert_eq!(walked, before, "{asked:?}");
        let now: BTreeSet<MessageId> = self.naive(asked).into_iter().collect();
        assert!(once.is_subset(&now), "{asked:?}");
    }
}

/// Whether a message has a term, by looking at all its words.
fn has(message: &Message, term: &Term) -> bool {
    of_message(message).iter().any(|text| {
        let (mut reader, mut words) = (Words::of(&text.text), Vec::new());
        while let Some((_, word)) = reader.next_word() {
            words.push(word.to_owned());
        }
        words.windows(term.words().len()).any(|window| {
            window.iter().zip(term.words()).enumerate().all(|(at, (word, own))| {
                let is_last = at + 1 == term.words().len();
                word == own || (is_last && term.is_prefix() && word.starts_with(own.as_str()))
            })
        })
    })
}

/// Many short stories in one database, each of an owner who finds nothing of the others'.
fn finds_what_is_found_word_by_word(lab: impl Future<Output = Lab>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let lab = runtime.block_on(lab);
    let config =
        ProptestConfig { cases: 16, failure_persistence: None, max_shrink_iters: 60, ..Default::default() };
    let comings = |least, most| prop::collection::vec(coming(), least..most);
    let story = (comings(4, 20), prop::collection::vec((asked(), comings(0, 3)), 12..20));
    TestRunner::new(config)
        .run(&story, |(comings, walks)| {
            runtime.block_on(async {
                let mut world = World::new(&lab).await;
                for coming in &comings {
                    world.come(coming).await;
                }
                index(&lab.db).await;
                for (asked, meanwhile) in &walks {
                    world.walk(asked, meanwhile).await;
                    index(&lab.db).await;
                }
            });
            Ok(())
        })
        .unwrap();
    runtime.block_on(lab.db.close());
}

#[test]
fn a_search_finds_what_is_found_word_by_word_on_sqlite() {
    finds_what_is_found_word_by_word(Lab::on_sqlite());
}

#[test]
fn a_search_finds_what_is_found_word_by_word_on_postgres() {
    finds_what_is_found_word_by_word(Lab::on_postgres());
}

/// Something that was put into the trash.
async fn put_into_trash(lab: &Lab, task: &Task) -> Operation {
    let operation = Operation {
        id: lab.clock.new_id(),
        owner: task.owner,
        kind: OperationKind::Delete,
        state: OperationState::Prepared,
        task: Some(task.id),
        contract: task.contract,
        principal: PrincipalId::from(task.owner.uuid()),
        origin: Origin::Api,
        request: json!({}),
        before: Circumstances::default(),
        after: None,
        undoes: None,
        undone_by: None,
        error: None,
        created_at: lab.now(),
        finished_at: None,
    };
    let mut tx = lab.begin().await;
    operations::insert(&mut tx, &operation).await.unwrap();
    let ending = Ending::Done { before: None, after: Circumstances::default() };
    operations::finish(&mut tx, task.owner, operation.id, &ending, lab.now()).await.unwrap();
    trash::put_task(&mut tx, task.owner, task.id, operation.id, lab.now()).await.unwrap();
    tx.commit().await.unwrap();
    operation
}

async fn purge(lab: &Lab, task: &Task) -> Vec<TaskId> {
    let by = put_into_trash(lab, task).await;
    let mut tx = lab.begin().await;
    let heirs = erase::task(&mut tx, task.owner, task.id, by.id, lab.now()).await.unwrap();
    tx.commit().await.unwrap();
    heirs
}

async fn counted(lab: &Lab, table: &str) -> i64 {
    let text = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
    match lab.db.engine() {
        makima_store::Engine::Sqlite => {
            let mut connection =
                <sqlx::SqliteConnection as sqlx::Connection>::connect(&lab.url()).await.unwrap();
            sqlx::query_scalar(text).fetch_one(&mut connection).await.unwrap()
        }
        makima_store::Engine::Postgres => {
            let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&lab.url()).await.unwrap();
            sqlx::query_scalar(text).fetch_one(&mut connection).await.unwrap()
        }
    }
}

on_both_engines! {
    async fn a_hit_tells_what_it_is_and_its_moment(lab: Lab) {
        let owner = lab.owner().await;
        let contract = lab.contract(owner).await;
        let task = lab.insert_task(Task { contract: Some(contract.id), ..lab.new_task(owner) }).await;
        let message = Message {
            tool_calls: vec![ToolCall { id: "1".into(), name: "Edit".into(), input: json!({ "path": "src/needle.rs" }) }],
            ..lab.said("I change it")
        };
        let result = Message {
            role: MessageRole::Tool,
            tool_name: Some("Edit".into()),
            tool_result: Some("no needle found".into()),
            is_error: Some(true),
            ..lab.said("")
        };
        lab.append(owner, task.conversation, &[message.clone(), result.clone()]).await;

        let made = CheckpointMade {
            id: lab.clock.new_id(),
            number: 1,
            kind: CheckpointKind::Turn,
            turn: Some(1),
            at: lab.now(),
            commit_sha: "0123456789".repeat(4),
            branch_name: "makima/it".into(),
            message: "Find it".into(),
            previous: None,
            files_changed: vec![FileChange {
                path: "src/needle.rs".into(),
                path_bytes: None,
                action: FileAction::Modified,
                old_path: None,
                additions: 1,
                deletions: 0,
                binary: false,
            }],
            lines_added: 1,
            lines_removed: 0,
            not_held: Vec::new(),
            patch: None,
        };
        let position = Position { branch: task.conversation, seq: 2 };
        let checkpoint = Checkpoint { owner, task: task.id, run: None, position, snapshot: None, made };
        let conversation = ChatConversation {
            id: lab.clock.new_id(),
            owner,
            name: "It".into(),
            is_active: true,
            created_at: lab.now(),
            updated_at: lab.now(),
        };
        let said = ChatMessage {
            id: lab.clock.new_id(),
            owner,
            conversation: conversation.id,
            role: MessageRole::User,
            content: format!("{} needle", "long ".repeat(3000)),
            context: ChatContext::Mesh,
            context_task: None,
            created_at: lab.now(),
        };
        let history = |kind, subtype: &str, task, data| NewHistory {
            id: lab.clock.new_id(),
            owner,
            contract: None,
            task,
            kind,
            subtype: subtype.to_owned(),
            phase: None,
            data,
            created_at: lab.now(),
        };
        let mut tx = lab.begin().await;
        checkpoints::insert(&mut tx, &checkpoint).await.unwrap();
        let files = json!([{ "path": "src/needle.rs" }]);
        let about = json!({ "id": checkpoint.made.id, "message": "Find it", "filesChanged": [] });
        events::append_history(&mut tx, history(EventKind::Checkpoint, "checkpoint", Some(task.id), about));
        // What a turn changed is told by its checkpoint.
        events::append_history(&mut tx, history(EventKind::File, "file_change", Some(task.id), json!({ "filesChanged": files })));
        let turn = json!({ "failure": { "kind": "other", "message": "the needle broke" }, "filesChanged": files });
        events::append_history(&mut tx, history(EventKind::Task, "task_turn", Some(task.id), turn));
        chats::begin(&mut tx, Chat::Mesh, &conversation).await.unwrap();
        chats::say(&mut tx, Chat::Mesh, &said).await.unwrap();
        let excerpt = json!({ "messageId": said.id, "role": "user", "content": "long", "truncated": true });
        events::append_history(&mut tx, history(EventKind::Chat, "chat_message", None, excerpt));
        events::append_task_event(&mut tx, NewTaskEvent {
            id: lab.clock.new_id(),
            owner,
            task: task.id,
            run_number: 1,
            kind: TaskEventKind::Question,
            previous_status: None,
            new_status: None,
            data: json!({ "question": { "id": lab.clock.new_id::<MessageId>(), "text": "May I?", "toolName": "Bash", "toolInput": { "command": "thread needle" } } }),
            created_at: lab.now(),
        });
        tx.commit().await.unwrap();
        index(&lab.db).await;

        let mut hits = find(&lab, owner, "needle").await;
        hits.reverse();
        let told: Vec<_> = hits.iter().map(|hit| (hit.kind, hit.event.as_deref(), hit.tool.as_deref(), hit.is_error)).collect();
        assert_eq!(told, [
            (HitKind::Message, None, Some("Edit"), false),
            (HitKind::Message, None, Some("Edit"), true),
            (HitKind::Checkpoint, Some("checkpoint"), None, false),
            (HitKind::Event, Some("task_turn"), None, true),
            (HitKind::Event, Some("chat_message"), None, false),
            (HitKind::Event, Some("question"), Some("Bash"), false),
        ]);
        assert_eq!(shown(&hits)[..4], ["src/[needle].rs", "no [needle] found", "src/[needle].rs", "the [needle] broke"]);
        assert!(shown(&hits)[4].ends_with("long long [needle]"), "{:?}", hits[4]);
        let points: Vec<Point> = hits.iter().map(|hit| hit.point.clone()).collect();
        assert_eq!(points[..3], [Point::Message(message.id), Point::Message(result.id), Point::Number(1)]);
        assert_eq!(points[3..], hits[3..].iter().map(|hit| Point::Time(hit.at)).collect::<Vec<_>>());
        assert_eq!((hits[4].message, hits[4].role), (Some(said.id), Some(MessageRole::User)));
        for hit in hits.iter().filter(|hit| hit.event.as_deref() != Some("chat_message")) {
            assert_eq!((hit.task, hit.contract), (Some(task.id), Some(contract.id)), "{hit:?}");
            assert_eq!(hit.task_name.as_deref(), Some("Fix the login"));
        }
        assert_eq!(shown(&find(&lab, owner, "01234567").await), ["[0123456789012345678901234567890123456789]"]);

        let of = SearchFilter { contract: Some(contract.id), errors_only: true, ..SearchFilter::default() };
        assert_eq!(found(&lab, owner, "needle", &of).await.rows.len(), 2);
        let stranger = lab.owner().await;
        assert_eq!(find(&lab, stranger, "needle").await, []);

        // One that was put away is no moment any more.
        let by = put_into_trash(&lab, &lab.task(owner).await).await;
        let mut tx = lab.begin().await;
        checkpoints::put_away(&mut tx, &checkpoint, Some(by.id), lab.now()).await.unwrap();
        tx.commit().await.unwrap();
        assert!(find(&lab, owner, "needle").await.iter().all(|hit| hit.kind != HitKind::Checkpoint));
    }

    async fn what_lies_in_the_trash_is_hidden_and_what_is_erased_is_gone(lab: Lab) {
        let owner = lab.owner().await;
        let (task, other) = (lab.task(owner).await, lab.task(owner).await);
        for of in [&task, &other] {
            lab.append(owner, of.conversation, &[lab.said("a needle")]).await;
        }
        index(&lab.db).await;
        let by = put_into_trash(&lab, &task).await;
        assert_eq!(find(&lab, owner, "needle").await.iter().map(|hit| hit.task).collect::<Vec<_>>(), [Some(other.id)]);
        let mut tx = lab.begin().await;
        trash::take_out(&mut tx, owner, by.id).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(find(&lab, owner, "needle").await.len(), 2);
        purge(&lab, &task).await;
        assert_eq!(find(&lab, owner, "needle").await.len(), 1);
        assert_eq!((counted(&lab, "search_documents").await, counted(&lab, "search_words").await), (1, 1));
    }

    async fn what_another_task_inherits_is_found_as_its_own(lab: Lab) {
        let owner = lab.owner().await;
        let (task, fork) = (lab.task(owner).await, lab.task(owner).await);
        lab.append(owner, task.conversation, &[lab.said("needle one"), lab.said("needle two"), lab.said("needle three")]).await;
        let branch = Branch {
            id: lab.clock.new_id(),
            base: Some(Position { branch: task.conversation, seq: 2 }),
            head_seq: 2,
            reason: BranchReason::Created,
            created_at: lab.now(),
        };
        let mut tx = lab.begin().await;
        conversations::insert(&mut tx, owner, fork.id, &branch).await.unwrap();
        tx.commit().await.unwrap();
        index(&lab.db).await;
        assert_eq!(purge(&lab, &task).await, [fork.id]);
        let hits = find(&lab, owner, "needle").await;
        assert_eq!(shown(&hits), ["[needle] two", "[needle] one"]);
        assert!(hits.iter().all(|hit| hit.task == Some(fork.id)));
    }

    async fn of_two_servers_one_keeps_a_portion(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        lab.append(owner, task.conversation, &[lab.said("a needle")]).await;
        let mut both = Vec::new();
        for _ in 0..2 {
            both.push(Portion::read(&mut lab.read().await, owner).await.unwrap().unwrap());
        }
        let mut kept = Vec::new();
        for portion in both {
            kept.push(keep(&lab.db, portion).await);
        }
        assert_eq!(kept, [true, false]);
        assert_eq!(find(&lab, owner, "needle").await.len(), 1);
        assert!(Portion::read(&mut lab.read().await, owner).await.unwrap().is_none());
    }

    async fn what_is_erased_while_it_is_read_is_not_kept(lab: Lab) {
        let owner = lab.owner().await;
        let (task, other) = (lab.task(owner).await, lab.task(owner).await);
        for of in [&task, &other] {
            lab.append(owner, of.conversation, &[lab.said("a needle")]).await;
        }
        let portion = Portion::read(&mut lab.read().await, owner).await.unwrap().unwrap();
        purge(&lab, &task).await;
        assert!(!keep(&lab.db, portion).await);
        index(&lab.db).await;
        assert_eq!(find(&lab, owner, "needle").await.iter().map(|hit| hit.task).collect::<Vec<_>>(), [Some(other.id)]);
    }

    async fn what_is_not_indexed_yet_is_counted(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        lab.append(owner, task.conversation, &[lab.said("a needle"), lab.said("another")]).await;
        assert_eq!((behind(&lab, owner).await, find(&lab, owner, "needle").await), (2, Vec::new()));
        index(&lab.db).await;
        assert_eq!((behind(&lab, owner).await, find(&lab, owner, "needle").await.len()), (0, 1));
    }

    async fn much_is_taken_in_portions_that_are_small(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let many: Vec<Message> = (0..600).map(|n| lab.said(format!("message n{n}"))).collect();
        lab.append(owner, task.conversation, &many).await;
        assert_eq!(index(&lab.db).await, 3);
        assert_eq!(find(&lab, owner, "message ").await.len(), 600);
        assert_eq!(find(&lab, owner, "n599 ").await.len(), 1);

        // What has many bytes comes alone.
        let mut random = 1_u64;
        let mut noise = || {
            let words = (0..40_000).map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                format!("{random:x} ")
            });
            lab.said(words.collect::<String>())
        };
        let large = [noise(), noise(), lab.said("needle")];
        lab.append(owner, task.conversation, &large).await;
        assert_eq!(index(&lab.db).await, 3);
        assert_eq!(find(&lab, owner, "needle").await.len(), 1);
    }

    async fn whatever_a_text_is_like_it_is_indexed_and_found(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let distinct: String = (0..40_000).map(|n| format!("w{n} ")).collect();
        let texts = [
            distinct.clone(),
            "same ".repeat(20_000) + "needle in the end",
            "x".repeat(300_000),
            "y\0'\\\":*&|!<->\u{202e}\u{feff}\u{10ffff} z".to_owned(),
            String::new(),
        ];
        let said: Vec<Message> = texts.iter().map(|text| lab.said(text.as_str())).collect();
        let many_values = json!({ "list": (0..20_000).map(|n| if n % 100 == 0 { "value" } else { "" }).collect::<Vec<_>>() });
        let call = ToolCall { id: "1".into(), name: "a, 'b' \\ %_\0".into(), input: many_values };
        let called = Message { tool_calls: vec![call], ..lab.said("") };
        lab.append(owner, task.conversation, &[said, vec![called]].concat()).await;
        index(&lab.db).await;
        for (query, hits) in [
            ("w0 w39999 ", 1),
            // Across the ends of pieces, wherever these are.
            ("\"w4998 w4999 w5000 w5001\"", 1),
            ("\"same same needle in\"", 1),
            ("\"needle same\"", 0),
            ("same needle end ", 1),
            ("same w7 ", 0),
            (&"x".repeat(500), 1),
            ("y z ", 1),
            ("value ", 1),
            ("\"value value\"", 0),
        ] {
            assert_eq!(find(&lab, owner, query).await.len(), hits, "{}", query.chars().take(80).collect::<String>());
        }
        for at in (0..39_990).step_by(1009) {
            let phrase: String = (at..at + 10).map(|n| format!("w{n} ")).collect();
            assert_eq!(find(&lab, owner, &format!("\"{phrase}\"")).await.len(), 1, "{phrase}");
        }
        let of = SearchFilter { tool: Some("A, 'B' \\ %_\0".into()), ..SearchFilter::default() };
        assert_eq!(found(&lab, owner, "value ", &of).await.rows.len(), 1);
    }

    async fn no_query_is_an_error(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        lab.append(owner, task.conversation, &[lab.said("a needle AND OR NEAR not words rowid")]).await;
        index(&lab.db).await;
        for query in [
            "", " ", "\"", "*", "\"*\"", "'", "\\", "-", "^needle", "words:needle", "needle AND", "OR", "NOT needle",
            "NEAR(a b, 3)", "{words}:a", "(needle", "needle)", "a & b | !c", "a <-> b", ":*", "needle:*A", "''; DROP TABLE tasks",
            "%", "_", "\0", "needle\0", "🦀", "e\u{301}\u{301}\u{301}", "\u{202e}שלום", "\u{feff}", "\u{fffd}",
        ] {
            found(&lab, owner, query, &SearchFilter::default()).await;
        }
        // As much as a query can hold.
        let letters: Vec<String> = (0..500).map(|n| char::from_u32(0x4e00 + n).unwrap().to_string()).collect();
        for query in [letters.join(" "), letters.join(""), "a*".repeat(500), "a ".repeat(500), "\"a\"".repeat(333)] {
            assert_eq!(find(&lab, owner, &query).await.len(), usize::from(query.starts_with("a ") || query.starts_with("\"a")), "{query}");
        }
        assert_eq!(find(&lab, owner, "needle AND").await.len(), 1);
        assert_eq!(find(&lab, owner, "!!! ...").await, []);
    }
}
