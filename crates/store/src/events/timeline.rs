//! The timeline: entries of an owner, a contract, or tasks, by the time at which they happened.
//!
//! Its order is (time, id) and not the owner's number: what is imported comes late and tells of times long past, and what a daemon
//! did while the server was away comes when it is back. Neither part of the key ever changes, so a walk gives each row that
//! was there when it began once, and none twice, whatever is written meanwhile and by whichever server; what comes while it lasts
//! is given where it lies ahead. Whoever wants what comes next, all of it, follows the [feed](super::after), in which numbers
//! become visible in their order.
//!
//! What lies in the trash is absent, but for the entries that say that it was put there.

use crate::{
    Key, Page, Seek, StoreError, Tx,
    columns::{At, Cells, Entity, all, one_of},
    db::on,
    error::Act,
    page::Order,
    statements::statements,
};
use makima_model::{ContractId, EventKind, HistoryEvent, HistoryType, OwnerId, Phase, TaskId, Timestamp};
use sqlx::types::Uuid;

/// How many entries are counted at most where no count is kept of them.
pub const COUNTED: i64 = 1_000_000;

/// An entry, and what its task is called.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    /// The event.
    pub event: HistoryEvent,
    /// The name of its task.
    pub task_name: Option<String>,
}

impl Entity for HistoryEntry {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self { event: HistoryEvent::read(cells)?, task_name: cells.maybe_text("task_name")? })
    }
}

/// Whose entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimelineScope {
    /// All of the owner's.
    Owner,
    /// Those of a contract and its tasks.
    Contract(ContractId),
    /// Those of these tasks, none of which lies in the trash.
    Tasks(Vec<TaskId>),
}

/// Which of them: all conditions hold of each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TimelineFilter {
    /// Those of one of these types; none: of any.
    pub types: Vec<HistoryType>,
    /// Those of one of these phases; none: of any, and those of no contract.
    pub phases: Vec<Phase>,
    /// Those of this moment or later ones.
    pub from: Option<Timestamp>,
    /// Those of this moment or earlier ones.
    pub to: Option<Timestamp>,
}

/// What is told of an entry.
macro_rules! entries {
    () => {
        "SELECT history_events.*, (SELECT name FROM tasks WHERE tasks.id = history_events.task_id) AS task_name \
        FROM history_events WHERE "
    };
}
pub(super) use entries;

/// Phases, and subtypes of kind `task`. Whether they are asked for at all comes first: that is looked at for each row.
macro_rules! filters {
    () => {
        " AND (CAST($7 AS TEXT) IS NULL OR ', ' || $7 LIKE '%, ' || phase || ',%') \
        AND (CAST($8 AS TEXT) IS NULL OR event_type <> 'task' OR ', ' || $8 LIKE '%, ' || event_subtype || ',%') \
        AND (CAST($9 AS TEXT) IS NULL OR event_type <> 'task' OR ', ' || $9 NOT LIKE '%, ' || event_subtype || ',%')"
    };
}

/// Of these kinds, or of any.
macro_rules! of_kinds {
    () => {
        concat!(" AND (CAST($6 AS TEXT) IS NULL OR ', ' || $6 LIKE '%, ' || event_type || ',%')", filters!())
    };
}

macro_rules! trashed_tasks {
    () => {
        "(SELECT id FROM tasks WHERE owner_id = $4 AND deleted_at IS NOT NULL)"
    };
}

macro_rules! trashed_contracts {
    () => {
        "(SELECT id FROM contracts WHERE owner_id = $4 AND deleted_at IS NOT NULL)"
    };
}

macro_rules! tells_of_trash {
    () => {
        "event_subtype IN ('task_deleted', 'contract_deleted')"
    };
}

macro_rules! of_owner {
    () => {
        concat!(
            "owner_id = $5 AND (",
            tells_of_trash!(),
            " OR ((task_id IS NULL OR task_id NOT IN ",
            trashed_tasks!(),
            ") AND (contract_id IS NULL OR contract_id NOT IN ",
            trashed_contracts!(),
            ")))"
        )
    };
}

/// The subquery sees to it that the contract is the owner's, and leaves the choice of an index to the contract alone.
macro_rules! of_contract {
    () => {
        concat!(
            "contract_id = (SELECT id FROM contracts WHERE id = $5 AND owner_id = $4) AND (",
            tells_of_trash!(),
            " OR task_id IS NULL OR task_id NOT IN ",
            trashed_tasks!(),
            ")"
        )
    };
}

macro_rules! of_task {
    () => {
        "task_id = (SELECT id FROM tasks WHERE id = $5 AND owner_id = $4)"
    };
}

/// A page: behind the key `$1`, `$2`, as far as the moment `$10`, `$3` rows.
macro_rules! newest {
    ($scope:expr) => {
        concat!(
            entries!(),
            $scope,
            of_kinds!(),
            " AND (created_at, id) < ($1, $2) AND created_at >= $10 ORDER BY created_at DESC, id DESC LIMIT $3"
        )
    };
}

macro_rules! oldest {
    ($scope:expr) => {
        concat!(
            entries!(),
            $scope,
            of_kinds!(),
            " AND (created_at, id) > ($1, $2) AND created_at <= $10 ORDER BY created_at, id LIMIT $3"
        )
    };
}

/// How many there are between the moments `$1` and `$2`, `$3` at most.
macro_rules! counted {
    ($scope:expr) => {
        concat!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM history_events WHERE ",
            $scope,
            of_kinds!(),
            " AND created_at >= $1 AND created_at <= $2 LIMIT $3) AS counted"
        )
    };
}

/// The same of the kind `$6` alone. It is a part of the key, so that no other index has the rows in this order.
macro_rules! newest_of_kind {
    ($scope:expr) => {
        concat!(
            entries!(),
            $scope,
            filters!(),
            " AND (event_type, created_at, id) < ($6, $1, $2) AND (event_type, created_at) >= ($6, $10) \
            ORDER BY event_type DESC, created_at DESC, id DESC LIMIT $3"
        )
    };
}

macro_rules! oldest_of_kind {
    ($scope:expr) => {
        concat!(
            entries!(),
            $scope,
            filters!(),
            " AND (event_type, created_at, id) > ($6, $1, $2) AND (event_type, created_at) <= ($6, $10) \
            ORDER BY event_type, created_at, id LIMIT $3"
        )
    };
}

macro_rules! counted_of_kind {
    ($scope:expr) => {
        concat!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM history_events WHERE ",
            $scope,
            filters!(),
            " AND (event_type, created_at) >= ($6, $1) AND (event_type, created_at) <= ($6, $2) LIMIT $3) AS counted"
        )
    };
}

/// A kept count of the scope `$2`, of kinds `$3` and phases `$1`, less what of it lies in the trash, and what tells of that.
macro_rules! kept {
    ($trashed:expr, $telling:expr) => {
        concat!(
            "SELECT CAST(COALESCE((SELECT SUM(count) FROM counters WHERE owner_id = $4 AND noun = 'history' \
            AND scope_id = $2 AND (', ' || $3 LIKE '%, ' || kind || ',%' OR $3 IS NULL) \
            AND (', ' || $1 LIKE '%, ' || phase || ',%' OR $1 IS NULL)), 0) \
            - COALESCE((SELECT SUM(count) FROM counters WHERE owner_id = $4 AND noun = 'history' AND scope_id IN (",
            $trashed,
            ") AND (', ' || $3 LIKE '%, ' || kind || ',%' OR $3 IS NULL) \
            AND (', ' || $1 LIKE '%, ' || phase || ',%' OR $1 IS NULL)), 0) \
            + (SELECT COUNT(*) FROM history_events WHERE owner_id = $4 AND ",
            tells_of_trash!(),
            " AND ",
            $telling,
            " AND (', ' || $3 LIKE '%, ' || event_type || ',%' OR $3 IS NULL) \
            AND (', ' || $1 LIKE '%, ' || phase || ',%' OR $1 IS NULL)) AS BIGINT)"
        )
    };
}

statements! {
    OWNER_NEWEST = newest!(of_owner!());
    OWNER_OLDEST = oldest!(of_owner!());
    OWNER_COUNT = counted!(of_owner!());
    OWNER_KIND_NEWEST = newest_of_kind!(of_owner!());
    OWNER_KIND_OLDEST = oldest_of_kind!(of_owner!());
    OWNER_KIND_COUNT = counted_of_kind!(of_owner!());
    CONTRACT_NEWEST = newest!(of_contract!());
    CONTRACT_OLDEST = oldest!(of_contract!());
    CONTRACT_COUNT = counted!(of_contract!());
    CONTRACT_KIND_NEWEST = newest_of_kind!(of_contract!());
    CONTRACT_KIND_OLDEST = oldest_of_kind!(of_contract!());
    CONTRACT_KIND_COUNT = counted_of_kind!(of_contract!());
    TASK_NEWEST = newest!(of_task!());
    TASK_OLDEST = oldest!(of_task!());
    TASK_COUNT = counted!(of_task!());
    TASK_KEPT = "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM counters WHERE owner_id = $4 AND noun = 'history' \
        AND scope_id = $2 AND (', ' || $3 LIKE '%, ' || kind || ',%' OR $3 IS NULL) \
        AND (', ' || $1 LIKE '%, ' || phase || ',%' OR $1 IS NULL)";
    // A contract's count holds those of its tasks.
    OWNER_KEPT = kept!(
        concat!(
            "SELECT id FROM contracts WHERE owner_id = $4 AND deleted_at IS NOT NULL \
            UNION ALL SELECT id FROM tasks WHERE owner_id = $4 AND deleted_at IS NOT NULL \
            AND (contract_id IS NULL OR contract_id NOT IN ",
            trashed_contracts!(),
            ")"
        ),
        concat!("(task_id IN ", trashed_tasks!(), " OR contract_id IN ", trashed_contracts!(), ")")
    );
    CONTRACT_KEPT = kept!(
        "SELECT id FROM tasks WHERE owner_id = $4 AND deleted_at IS NOT NULL AND contract_id = $2",
        concat!("contract_id = $2 AND task_id IN ", trashed_tasks!())
    );
}

/// What is read by one statement after the other: rows that one index has in their order.
#[derive(Debug, Clone, Copy)]
struct Strand {
    of: Of,
    /// Of this kind alone, where the index knows it.
    kind: Option<EventKind>,
}

#[derive(Debug, Clone, Copy)]
enum Of {
    Owner,
    Contract(ContractId),
    Task(TaskId),
}

impl Strand {
    fn page(self, order: Order) -> &'static str {
        match (self.of, self.kind, order) {
            (Of::Owner, None, Order::Newest) => OWNER_NEWEST,
            (Of::Owner, None, Order::Oldest) => OWNER_OLDEST,
            (Of::Owner, Some(_), Order::Newest) => OWNER_KIND_NEWEST,
            (Of::Owner, Some(_), Order::Oldest) => OWNER_KIND_OLDEST,
            (Of::Contract(_), None, Order::Newest) => CONTRACT_NEWEST,
            (Of::Contract(_), None, Order::Oldest) => CONTRACT_OLDEST,
            (Of::Contract(_), Some(_), Order::Newest) => CONTRACT_KIND_NEWEST,
            (Of::Contract(_), Some(_), Order::Oldest) => CONTRACT_KIND_OLDEST,
            (Of::Task(_), _, Order::Newest) => TASK_NEWEST,
            (Of::Task(_), _, Order::Oldest) => TASK_OLDEST,
        }
    }

    fn count(self) -> &'static str {
        match (self.of, self.kind) {
            (Of::Owner, None) => OWNER_COUNT,
            (Of::Owner, Some(_)) => OWNER_KIND_COUNT,
            (Of::Contract(_), None) => CONTRACT_COUNT,
            (Of::Contract(_), Some(_)) => CONTRACT_KIND_COUNT,
            (Of::Task(_), _) => TASK_COUNT,
        }
    }
}

impl Of {
    fn id(self, owner: OwnerId) -> Uuid {
        match self {
            Self::Owner => owner.uuid(),
            Self::Contract(contract) => contract.uuid(),
            Self::Task(task) => task.uuid(),
        }
    }

    fn kept(self) -> &'static str {
        match self {
            Self::Owner => OWNER_KEPT,
            Self::Contract(_) => CONTRACT_KEPT,
            Self::Task(_) => TASK_KEPT,
        }
    }
}

impl TimelineScope {
    fn parts(&self) -> Vec<Of> {
        match self {
            Self::Owner => vec![Of::Owner],
            Self::Contract(contract) => vec![Of::Contract(*contract)],
            Self::Tasks(tasks) => tasks.iter().copied().map(Of::Task).collect(),
        }
    }

    /// A rare kind is looked for in an index of its own; a task's entries are few enough to be looked through.
    fn strands(&self, kinds: &[EventKind]) -> Vec<Strand> {
        match self {
            Self::Tasks(_) => self.parts().into_iter().map(|of| Strand { of, kind: None }).collect(),
            _ if kinds.is_empty() => self.parts().into_iter().map(|of| Strand { of, kind: None }).collect(),
            _ => (self.parts().into_iter())
                .flat_map(|of| kinds.iter().map(move |kind| Strand { of, kind: Some(*kind) }))
                .collect(),
        }
    }
}

/// What has a word of its own among the types of kind `task`; all else of the kind is `task_status`.
const NAMED: [HistoryType; 3] = [HistoryType::TaskCreated, HistoryType::TaskCompleted, HistoryType::TaskTurn];

impl TimelineFilter {
    /// Whether counters know how many there are of which it holds: of whole kinds, in whichever phases, at any time.
    pub fn is_counted(&self) -> bool {
        let (only, except) = self.subtypes();
        self.from.is_none() && self.to.is_none() && only.is_none() && except.is_none()
    }

    /// The kinds that are wanted, each once; none: all.
    fn kinds(&self) -> Vec<EventKind> {
        let mut kinds: Vec<EventKind> = self.types.iter().map(|of| of.kind()).collect();
        kinds.sort();
        kinds.dedup();
        if kinds.len() == EventKind::ALL.len() { Vec::new() } else { kinds }
    }

    /// Where not all of kind `task` is wanted: which subtypes alone, or which not.
    fn subtypes(&self) -> (Option<String>, Option<String>) {
        let wants = |of: &HistoryType| self.types.contains(of);
        let is_partial = self.types.iter().any(|of| of.kind() == EventKind::Task);
        if !is_partial {
            return (None, None);
        }
        let rest = wants(&HistoryType::TaskStatus);
        let words = NAMED.iter().filter(|of| wants(of) != rest).map(|of| of.as_str());
        if rest { (None, one_of(words)) } else { (one_of(words), None) }
    }
}

/// The filter, as statements take it.
struct Bound {
    kinds: Option<String>,
    phases: Option<String>,
    only: Option<String>,
    except: Option<String>,
}

impl Bound {
    fn of(filter: &TimelineFilter) -> Self {
        let (only, except) = filter.subtypes();
        Self {
            kinds: one_of(filter.kinds().into_iter().map(EventKind::as_str)),
            phases: one_of(filter.phases.iter().map(|phase| phase.as_str())),
            only,
            except,
        }
    }

    /// The kinds of a strand: the one that its index knows, or those to look for.
    fn kinds(&self, strand: Strand) -> Option<&str> {
        strand.kind.map(EventKind::as_str).or(self.kinds.as_deref())
    }
}

/// A page of a timeline. Its total is that of a kept count where there is one; else it is counted, no further than just above [`COUNTED`],
/// unless `total` is known from an earlier page.
pub async fn timeline(
    tx: &mut Tx,
    owner: OwnerId,
    scope: &TimelineScope,
    filter: &TimelineFilter,
    seek: Seek,
    total: Option<i64>,
) -> Result<Page<HistoryEntry>, StoreError> {
    let bound = Bound::of(filter);
    let (key, mut end) = seek.key_between(filter.from, filter.to);
    let wanted = usize::try_from(seek.rows()).unwrap_or(usize::MAX);
    let mut entries: Vec<HistoryEntry> = Vec::new();
    for strand in scope.strands(&filter.kinds()) {
        let rows = on!(tx, |c| sqlx::query_as(strand.page(seek.order))
            .bind(At(key.at))
            .bind(key.id)
            .bind(seek.rows())
            .bind(owner.uuid())
            .bind(strand.of.id(owner))
            .bind(bound.kinds(strand))
            .bind(bound.phases.as_deref())
            .bind(bound.only.as_deref())
            .bind(bound.except.as_deref())
            .bind(At(end))
            .fetch_all(c)
            .await);
        entries.extend(all(rows.act("read the timeline")?));
        entries.sort_by_key(place);
        if seek.order == Order::Newest {
            entries.reverse();
        }
        entries.truncate(wanted);
        // What lies beyond the last of a full page belongs to none of the strands that follow.
        if let Some(last) = entries.last().filter(|_| entries.len() == wanted) {
            end = last.event.created_at;
        }
    }
    let total = match total {
        Some(total) => total,
        None if filter.is_counted() => kept(tx, owner, scope, &bound).await?,
        None => counted(tx, owner, scope, filter, &bound).await?,
    };
    Ok(seek.page(entries, total, place))
}

fn place(entry: &HistoryEntry) -> Key {
    Key { at: entry.event.created_at, id: entry.event.id.uuid() }
}

/// How many there are, as counters know it.
async fn kept(tx: &mut Tx, owner: OwnerId, scope: &TimelineScope, bound: &Bound) -> Result<i64, StoreError> {
    let mut total = 0;
    for of in scope.parts() {
        let statement = of.kept();
        total += on!(tx, |c| sqlx::query_scalar::<_, i64>(statement)
            .bind(bound.phases.as_deref())
            .bind(of.id(owner))
            .bind(bound.kinds.as_deref())
            .bind(owner.uuid())
            .fetch_one(c)
            .await)
        .act("count the timeline")?;
    }
    Ok(total)
}

/// How many there are, counted.
async fn counted(
    tx: &mut Tx,
    owner: OwnerId,
    scope: &TimelineScope,
    filter: &TimelineFilter,
    bound: &Bound,
) -> Result<i64, StoreError> {
    let (earliest, latest) = filter.moments();
    let mut total = 0;
    for strand in scope.strands(&filter.kinds()) {
        total += on!(tx, |c| sqlx::query_scalar::<_, i64>(strand.count())
            .bind(At(earliest))
            .bind(At(latest))
            .bind(COUNTED + 1 - total)
            .bind(owner.uuid())
            .bind(strand.of.id(owner))
            .bind(bound.kinds(strand))
            .bind(bound.phases.as_deref())
            .bind(bound.only.as_deref())
            .bind(bound.except.as_deref())
            .fetch_one(c)
            .await)
        .act("count the timeline")?;
        if total > COUNTED {
            break;
        }
    }
    Ok(total)
}

impl TimelineFilter {
    /// The first and the last moment that are wanted.
    fn moments(&self) -> (Timestamp, Timestamp) {
        let all = Seek { order: Order::Newest, after: None, limit: 0 };
        let (latest, earliest) = all.key_between(self.from, self.to);
        (earliest, latest.at)
    }
}
