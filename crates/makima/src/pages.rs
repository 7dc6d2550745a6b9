//! Lists, page by page: what their flags say, and how all of one is walked.

use clap::Args;
use makima_client::{Client, ClientError};
use makima_model::TaskId;
use makima_wire::{
    CheckpointList, Contract, ContractList, List, ListContracts, ListOperations, ListTasks, ListTimeline,
    Operation, OperationList, Order, Snapshot, SnapshotList, Task, TaskEventList, TaskList, Timeline,
};

/// The most rows that the server gives at once.
const LARGEST: usize = 1000;
/// The rows of a list unless told otherwise.
const USUAL: usize = 100;

/// How much of a list is wanted.
#[derive(Debug, Clone, Args)]
pub(crate) struct Pages {
    /// How many rows at most, the newest first unless told otherwise [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "all")]
    limit: Option<u32>,
    /// All rows, however many there are
    #[arg(long)]
    all: bool,
    /// The oldest first
    #[arg(long)]
    oldest_first: bool,
    /// Go on where another list ended: its `cursor` in the answer of --json
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl Pages {
    /// The rows that are wanted, as one page.
    pub(crate) async fn walk<P: Page>(
        &self,
        ask: impl AsyncFn(List) -> Result<P, ClientError>,
    ) -> Result<P, ClientError> {
        let most = match (self.all, self.limit) {
            (true, _) => usize::MAX,
            (false, limit) => limit.map_or(USUAL, |limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        };
        walk(self.cursor.clone(), self.oldest_first.then_some(Order::Asc), most, ask).await
    }
}

/// A page of a list.
pub(crate) trait Page {
    /// How many rows it has.
    fn rows(&self) -> usize;

    /// Where the next one begins.
    fn cursor(&mut self) -> &mut Option<String>;

    /// How many rows there are in all, as a person is told.
    fn total(&self) -> String;

    /// Appends the page that follows.
    fn join(&mut self, next: Self);
}

macro_rules! pages {
    ($($list:ident { $rows:ident $(, $is_lower_bound:ident)? })*) => {$(
        impl Page for $list {
            fn rows(&self) -> usize {
                self.$rows.len()
            }

            fn cursor(&mut self) -> &mut Option<String> {
                &mut self.cursor
            }

            fn total(&self) -> String {
                $(if self.$is_lower_bound {
                    return format!("more than {}", self.total_count);
                })?
                self.total_count.to_string()
            }

            fn join(&mut self, next: Self) {
                self.$rows.extend(next.$rows);
                self.cursor = next.cursor;
            }
        }
    )*};
}

pages! {
    CheckpointList { checkpoints }
    ContractList { contracts }
    OperationList { operations }
    SnapshotList { snapshots }
    TaskEventList { events }
    TaskList { tasks }
    Timeline { entries, total_count_is_lower_bound }
}

/// What a person is told of the rows that aren't shown.
pub(crate) fn left_out(page: &mut impl Page) -> Option<String> {
    let shown = page.rows();
    let total = page.total();
    page.cursor().is_some().then(|| format!("{shown} of {total} are shown; --all shows the rest"))
}

async fn walk<P: Page>(
    from: Option<String>,
    order: Option<Order>,
    most: usize,
    ask: impl AsyncFn(List) -> Result<P, ClientError>,
) -> Result<P, ClientError> {
    let page = async |rows: usize, cursor| {
        let limit = u32::try_from(rows.min(LARGEST)).ok();
        ask(List { limit, cursor, order }).await
    };
    let mut all = page(most, from).await?;
    while all.rows() < most
        && let Some(cursor) = all.cursor().take()
    {
        let next = page(most - all.rows(), Some(cursor)).await?;
        all.join(next);
    }
    Ok(all)
}

/// All rows of a list.
pub(crate) async fn all<P: Page>(
    ask: impl AsyncFn(List) -> Result<P, ClientError>,
) -> Result<P, ClientError> {
    walk(None, None, usize::MAX, ask).await
}

/// All tasks.
pub(crate) async fn all_tasks(client: &Client) -> Result<Vec<Task>, ClientError> {
    Ok(all(async |list| client.tasks(&of_tasks(ListTasks::default(), list)).await).await?.tasks)
}

/// All contracts.
pub(crate) async fn all_contracts(client: &Client) -> Result<Vec<Contract>, ClientError> {
    Ok(all(async |list| client.contracts(&of_contracts(ListContracts::default(), list)).await)
        .await?
        .contracts)
}

/// All operations.
pub(crate) async fn all_operations(client: &Client) -> Result<Vec<Operation>, ClientError> {
    let ask = async |list| client.operations(&of_operations(ListOperations::default(), list)).await;
    Ok(all(ask).await?.operations)
}

/// All snapshots of a task.
pub(crate) async fn all_snapshots(client: &Client, task: TaskId) -> Result<Vec<Snapshot>, ClientError> {
    Ok(all(async |list| client.snapshots(task, &list).await).await?.snapshots)
}

/// This page of the operations that are wanted.
pub(crate) fn of_operations(wanted: ListOperations, List { limit, cursor, order }: List) -> ListOperations {
    ListOperations { limit, cursor, order, ..wanted }
}

/// This page of the tasks that are wanted.
pub(crate) fn of_tasks(wanted: ListTasks, List { limit, cursor, order }: List) -> ListTasks {
    ListTasks { limit, cursor, order, ..wanted }
}

/// This page of the contracts that are wanted.
pub(crate) fn of_contracts(wanted: ListContracts, List { limit, cursor, order }: List) -> ListContracts {
    ListContracts { limit, cursor, order, ..wanted }
}

/// This page of the timeline that is wanted.
pub(crate) fn of_timeline(wanted: ListTimeline, List { limit, cursor, order }: List) -> ListTimeline {
    ListTimeline { limit, cursor, order, ..wanted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// A server with `total` events, and what it was asked for.
    async fn walked(most: usize, total: usize) -> (usize, bool, Vec<(u32, Option<String>)>) {
        let asked = RefCell::new(Vec::new());
        let ask = async |list: List| {
            asked.borrow_mut().push((list.limit.unwrap(), list.cursor.clone()));
            let from: usize = list.cursor.map_or(0, |cursor| cursor.parse().unwrap());
            let to = total.min(from + usize::try_from(list.limit.unwrap()).unwrap());
            let event = serde_json::from_value(serde_json::json!({
                "id": "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000", "taskId": "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000",
                "seq": 1, "runNumber": 1, "eventType": "output", "eventData": {},
                "createdAt": "2026-01-15T09:30:00.000000Z",
            }));
            let events: TaskEventList = TaskEventList {
                events: vec![event.unwrap(); to - from],
                total_count: i64::try_from(total).unwrap(),
                cursor: (to < total).then(|| to.to_string()),
            };
            Ok(events)
        };
        let mut page = walk(None, None, most, ask).await.unwrap();
        let more = page.cursor().is_some();
        (page.rows(), more, asked.into_inner())
    }

    #[tokio::test]
    async fn as_many_rows_are_fetched_as_are_wanted() {
        assert_eq!(walked(100, 7).await, (7, false, vec![(100, None)]));
        assert_eq!(walked(5, 7).await, (5, true, vec![(5, None)]));
        assert_eq!(
            walked(1500, 2000).await,
            (1500, true, vec![(1000, None), (500, Some("1000".to_owned()))])
        );
        let (rows, more, asked) = walked(usize::MAX, 2500).await;
        assert_eq!((rows, more, asked.len()), (2500, false, 3));
        assert_eq!(walked(100, 0).await, (0, false, vec![(100, None)]));
    }
}
