//! Tasks.

use crate::lab::{Lab, all};
use makima_model::{PermissionMode, TaskRole, TaskStatus};
use makima_store::{
    Task, conversations,
    tasks::{self, Prepared},
};

/// The task, read.
async fn get(lab: &Lab, task: &Task) -> Task {
    tasks::get(&mut lab.read().await, task.owner, task.id).await.unwrap().expect("the task is there")
}

/// The task, taken to `to` from where it stands.
async fn becomes(lab: &Lab, task: &Task, from: TaskStatus, to: TaskStatus, reason: Option<&str>) -> bool {
    let mut tx = lab.begin().await;
    let changed = tasks::set_status(&mut tx, task.owner, task.id, from, to, reason, lab.now()).await.unwrap();
    tx.commit().await.unwrap();
    changed
}

on_both_engines! {
    async fn a_walk_gives_each_row_once_while_rows_are_added(lab: Lab) {
        let owner = lab.owner().await;
        let mut expected = Vec::new();
        for _ in 0..5 {
            expected.push(lab.task(owner).await.id);
        }
        expected.reverse();
        let mut seek = all();
        seek.limit = 2;
        let mut walked = Vec::new();
        loop {
            let page = tasks::list(&mut lab.read().await, owner, None, seek).await.unwrap();
            walked.extend(page.rows.iter().map(|task| task.id));
            lab.task(owner).await;
            seek.after = page.next;
            if seek.after.is_none() {
                break;
            }
        }
        assert_eq!(walked, expected);
    }

    async fn a_task_is_read_back_with_all_that_it_was_made_with(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let (contract, daemon) = (lab.contract(owner).await, lab.daemon(owner).await);
        let parent = lab.task(owner).await;
        let mut task = lab.new_task(owner);
        task.contract = Some(contract.id);
        task.parent = Some(parent.id);
        task.role = TaskRole::Supervisor;
        task.status_reason = Some("waits for a daemon".into());
        task.agent = Some("claude".into());
        task.permission_mode = Some(PermissionMode::AcceptEdits);
        task.target_daemon = Some(daemon);
        task.base_branch = Some("main".into());
        task.include_uncommitted = true;
        task.commit_on_finish = false;
        task.wanted = false;
        task.out_of_reach = vec![daemon];
        task.total_cost = 0.25;
        task.total_tokens = 7;
        let task = lab.insert_task(task).await;
        assert_eq!(get(&lab, &task).await, task);
        assert_eq!(get(&lab, &parent).await, parent);
        assert_eq!(tasks::get(&mut lab.read().await, other, task.id).await.unwrap(), None);

        let branches = conversations::of_task(&mut lab.read().await, owner, task.id).await.unwrap();
        assert_eq!(branches.len(), 1);
        assert_eq!((branches[0].id, branches[0].base, branches[0].head_seq), (task.conversation, None, 0));
    }

    async fn tasks_are_listed_by_owner_and_by_contract(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let contract = lab.contract(owner).await;
        let alone = lab.task(owner).await;
        let mut task = lab.new_task(owner);
        task.contract = Some(contract.id);
        let of_contract = lab.insert_task(task).await;
        lab.task(other).await;
        let mut tx = lab.read().await;
        let listed = tasks::list(&mut tx, owner, None, all()).await.unwrap();
        assert_eq!((listed.rows, listed.total), (vec![of_contract.clone(), alone], 2));
        let listed = tasks::list(&mut tx, owner, Some(contract.id), all()).await.unwrap();
        assert_eq!((listed.rows, listed.total), (vec![of_contract], 1));
        let listed = tasks::list(&mut tx, other, Some(contract.id), all()).await.unwrap();
        assert_eq!((listed.rows, listed.total), (vec![], 0));
    }

    async fn a_status_changes_only_from_the_one_that_was_seen(lab: Lab) {
        use TaskStatus::{Completed, Interrupted, Pending, Running, Starting};
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let task = lab.task(owner).await;
        let stranger = Task { owner: other, ..task.clone() };
        assert!(!becomes(&lab, &stranger, Pending, Starting, None).await);
        assert!(becomes(&lab, &task, Pending, Starting, Some("found a daemon")).await);
        assert!(!becomes(&lab, &task, Pending, Interrupted, None).await);
        let read = get(&lab, &task).await;
        assert_eq!((read.status, read.status_reason.as_deref()), (Starting, Some("found a daemon")));
        assert_eq!((read.started_at, read.completed_at), (None, None));

        assert!(becomes(&lab, &task, Starting, Running, None).await);
        let running = get(&lab, &task).await;
        assert_eq!((running.started_at, running.status_reason), (Some(running.updated_at), None));
        assert!(becomes(&lab, &task, Running, Completed, None).await);
        let completed = get(&lab, &task).await;
        assert_eq!((completed.started_at, completed.completed_at), (running.started_at, Some(completed.updated_at)));
        assert!(becomes(&lab, &task, Completed, Pending, None).await);
        assert_eq!(get(&lab, &task).await.completed_at, None);
        assert!(becomes(&lab, &task, Pending, Running, None).await);
        assert_eq!(get(&lab, &task).await.started_at, running.started_at);
    }

    async fn a_reason_is_new_once(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let mut tx = lab.begin().await;
        for (status, reason, new) in [
            (TaskStatus::Pending, Some("waits for a daemon"), true),
            (TaskStatus::Pending, Some("waits for a daemon"), false),
            (TaskStatus::Running, Some("runs"), false),
            (TaskStatus::Pending, None, true),
            (TaskStatus::Pending, None, false),
        ] {
            let told = tasks::set_reason(&mut tx, owner, task.id, status, reason, lab.now()).await.unwrap();
            assert_eq!(told, new, "{status} {reason:?}");
        }
    }

    async fn pending_tasks_that_are_wanted_are_placed_once_oldest_first(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let daemon = lab.daemon(owner).await;
        assert_eq!(tasks::owners_with_placeable(&mut lab.read().await).await.unwrap(), []);
        let (first, second) = (lab.task(owner).await, lab.task(owner).await);
        let unwanted = lab.insert_task(Task { wanted: false, ..lab.new_task(owner) }).await;

        let mut tx = lab.begin().await;
        let placeable = |tasks: Vec<Task>| tasks.into_iter().map(|task| task.id).collect::<Vec<_>>();
        assert_eq!(placeable(tasks::placeable(&mut tx, owner).await.unwrap()), [first.id, second.id]);
        assert_eq!(tasks::placeable(&mut tx, other).await.unwrap(), []);
        assert_eq!(tasks::owners_with_placeable(&mut tx).await.unwrap(), [owner]);

        tasks::placed(&mut tx, other, first.id, 9, (daemon, "codex"), lab.now()).await.unwrap();
        tasks::placed(&mut tx, owner, first.id, 1, (daemon, "claude"), lab.now()).await.unwrap();
        let (pending, starting) = (TaskStatus::Pending, TaskStatus::Starting);
        assert!(tasks::set_status(&mut tx, owner, first.id, pending, starting, None, lab.now()).await.unwrap());
        assert!(!tasks::set_status(&mut tx, owner, first.id, pending, starting, None, lab.now()).await.unwrap());
        tasks::set_wanted(&mut tx, owner, second.id, false, lab.now()).await.unwrap();
        tasks::set_wanted(&mut tx, owner, unwanted.id, true, lab.now()).await.unwrap();
        assert_eq!(placeable(tasks::placeable(&mut tx, owner).await.unwrap()), [unwanted.id]);
        tx.commit().await.unwrap();

        let placed = get(&lab, &first).await;
        assert_eq!((placed.status, placed.run_number), (starting, 1));
        assert_eq!((placed.daemon, placed.agent.as_deref()), (Some(daemon), Some("claude")));
    }

    async fn what_a_daemon_prepared_and_what_turns_took_is_kept(lab: Lab) {
        let owner = lab.owner().await;
        let daemon = lab.daemon(owner).await;
        let task = lab.task(owner).await;
        let prepared = Prepared {
            worktree_path: "/data/worktrees/1",
            branch_name: "makima/fix",
            base_branch: "main",
            base_commit: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        };
        let mut tx = lab.begin().await;
        tasks::set_prepared(&mut tx, owner, task.id, prepared, lab.now()).await.unwrap();
        tasks::add_usage(&mut tx, owner, task.id, 100, 0.5, lab.now()).await.unwrap();
        tasks::add_usage(&mut tx, owner, task.id, 20, 0.25, lab.now()).await.unwrap();
        tasks::set_out_of_reach(&mut tx, owner, task.id, &[daemon]).await.unwrap();
        tx.commit().await.unwrap();
        let task = get(&lab, &task).await;
        assert_eq!(task.worktree_path.as_deref(), Some(prepared.worktree_path));
        assert_eq!(task.branch_name, prepared.branch_name);
        assert_eq!(task.base_branch.as_deref(), Some(prepared.base_branch));
        assert_eq!(task.base_commit.as_deref(), Some(prepared.base_commit));
        assert_eq!((task.total_tokens, task.total_cost), (120, 0.75));
        assert_eq!(task.out_of_reach, [daemon]);
    }
}
