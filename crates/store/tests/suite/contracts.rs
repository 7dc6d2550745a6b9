//! Contracts, and what their tasks come to.

use crate::lab::{Lab, all, walk};
use futures::future::join_all;
use makima_model::{Contract, ContractStatus, OwnerId, Phase, TaskStatus};
use makima_store::{
    Order,
    contracts::{self, Filter, Totals},
    tasks,
};

/// Contracts of every status and phase, some of one moment; the first has what is sought in its name, the second in its
/// description.
async fn many(lab: &Lab, owner: OwnerId) -> Vec<Contract> {
    let at = lab.now();
    let mut made = Vec::new();
    let mut tx = lab.begin().await;
    for n in 0..12 {
        let mut contract = lab.new_contract(owner);
        contract.created_at = if n < 4 { at } else { lab.now() };
        contract.status = ContractStatus::ALL[n % 3];
        contract.phase = Phase::ALL[n % 5];
        contract.name = format!("Contract {n}");
        contract.description = String::new();
        match n {
            0 => contract.name = "Save 100% of \\ the_Rain".into(),
            1 => contract.description = "we save 100% OF \\ THE_RAIN, at last".into(),
            2 => contract.name = "save 1000 of / the rain".into(),
            _ => {}
        }
        contracts::insert(&mut tx, &contract).await.unwrap();
        made.push(contract);
    }
    tx.commit().await.unwrap();
    made
}

fn status(status: &[ContractStatus]) -> Filter {
    Filter { status: status.to_vec(), ..Filter::default() }
}

fn sought(text: &str) -> Filter {
    Filter { text: Some(text.into()), ..Filter::default() }
}

on_both_engines! {
    async fn a_contract_is_read_back_by_its_owner_alone(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let contract = lab.contract(owner).await;
        let mut tx = lab.begin().await;
        assert_eq!(contracts::get(&mut tx, owner, contract.id).await.unwrap().as_ref(), Some(&contract));
        assert_eq!(contracts::lock(&mut tx, owner, contract.id).await.unwrap().as_ref(), Some(&contract));
        assert_eq!(contracts::get(&mut tx, other, contract.id).await.unwrap(), None);
        assert_eq!(contracts::lock(&mut tx, other, contract.id).await.unwrap(), None);
        let any = Filter::default();
        for filter in [any.clone(), status(&[ContractStatus::Active]), sought("start")] {
            assert_eq!(contracts::list(&mut tx, other, &filter, all(), None).await.unwrap().total, 0);
            assert_eq!(contracts::list(&mut tx, other, &filter, all(), None).await.unwrap().rows, []);
        }
        assert_eq!(contracts::list(&mut tx, owner, &any, all(), None).await.unwrap().rows, [contract]);
    }

    async fn contracts_are_walked_in_both_orders_with_every_filter(lab: Lab) {
        use ContractStatus::{Active, Archived, Completed};
        let (owner, other) = (lab.owner().await, lab.owner().await);
        many(&lab, other).await;
        let made = many(&lab, owner).await;
        let phase = Filter { phase: vec![Phase::Research, Phase::Plan], ..Filter::default() };
        let both = Filter { phase: vec![Phase::Specify], text: Some("contract".into()), ..status(&[Active]) };
        for filter in [Filter::default(), status(&[Archived]), status(&[Active, Completed]), phase, both, sought("RACT 1")] {
            for order in [Order::Oldest, Order::Newest] {
                let mut expected = made.clone();
                expected.retain(|contract| {
                    let text = filter.text.as_deref().unwrap_or_default().to_lowercase();
                    (filter.status.is_empty() || filter.status.contains(&contract.status))
                        && (filter.phase.is_empty() || filter.phase.contains(&contract.phase))
                        && contract.name.to_lowercase().contains(&text)
                });
                assert!(!expected.is_empty());
                if order == Order::Newest {
                    expected.reverse();
                }
                let walked = walk(order, 2, expected.len() as i64, async |seek| {
                    contracts::list(&mut lab.read().await, owner, &filter, seek, None).await.unwrap()
                });
                assert_eq!(walked.await, expected, "{order:?} {filter:?}");
            }
        }
    }

    async fn a_total_that_was_counted_is_not_counted_again(lab: Lab) {
        let owner = lab.owner().await;
        many(&lab, owner).await;
        let mut tx = lab.read().await;
        let counted = contracts::list(&mut tx, owner, &sought("contract"), all(), Some(77)).await.unwrap();
        assert_eq!((counted.total, counted.rows.len()), (77, 10));
        // Where a count is kept, that is the newest.
        let kept = contracts::list(&mut tx, owner, &status(&[ContractStatus::Active]), all(), Some(77)).await.unwrap();
        assert_eq!((kept.total, kept.rows.len()), (4, 4));
    }

    async fn what_is_sought_is_no_pattern_and_has_no_case(lab: Lab) {
        let owner = lab.owner().await;
        let made = many(&lab, owner).await;
        for text in ["100% of \\ the_rain", "100% OF \\ THE_RAIN", "SAVE 100%"] {
            let page = contracts::list(&mut lab.read().await, owner, &sought(text), all(), None).await.unwrap();
            assert_eq!((page.rows, page.total), (vec![made[1].clone(), made[0].clone()], 2), "{text}");
        }
        for text in ["s%e", "c_ntract", "\\\\", "'"] {
            let page = contracts::list(&mut lab.read().await, owner, &sought(text), all(), None).await.unwrap();
            assert_eq!((page.rows, page.total), (vec![], 0), "{text}");
        }
    }

    async fn a_change_is_kept_and_counted(lab: Lab) {
        let owner = lab.owner().await;
        let (before, _other) = (lab.contract(owner).await, lab.contract(owner).await);
        let mut after = before.clone();
        after.name = "Slower start".into();
        after.description = "On purpose".into();
        after.phase = Phase::Review;
        after.status = ContractStatus::Completed;
        after.updated_at = lab.now();
        let mut tx = lab.begin().await;
        contracts::change(&mut tx, &before, &after).await.unwrap();
        tx.commit().await.unwrap();
        after.version = before.version + 1;
        let mut tx = lab.read().await;
        assert_eq!(contracts::get(&mut tx, owner, before.id).await.unwrap().as_ref(), Some(&after));
        for (words, total) in [(&[][..], 2), (&[ContractStatus::Active], 1), (&[ContractStatus::Completed], 1)] {
            let page = contracts::list(&mut tx, owner, &status(words), all(), None).await.unwrap();
            assert_eq!((page.total, page.rows.len()), (total, total as usize), "{words:?}");
        }
    }

    async fn of_many_who_change_a_contract_each_goes_on_from_the_one_before(lab: Lab) {
        let owner = lab.owner().await;
        let contract = lab.contract(owner).await;
        let change = |n: usize| {
            let (lab, id) = (&lab, contract.id);
            async move {
                let mut tx = lab.begin().await;
                let before = contracts::lock(&mut tx, owner, id).await.unwrap().unwrap();
                let mut after = before.clone();
                after.name.push('+');
                after.status = ContractStatus::ALL[n % 3];
                contracts::change(&mut tx, &before, &after).await.unwrap();
                tx.commit().await.unwrap();
            }
        };
        join_all((0..12).map(change)).await;
        let mut tx = lab.read().await;
        let contract = contracts::get(&mut tx, owner, contract.id).await.unwrap().unwrap();
        assert_eq!(contract.name, "Faster start++++++++++++");
        for word in ContractStatus::ALL {
            let page = contracts::list(&mut tx, owner, &status(&[*word]), all(), None).await.unwrap();
            assert_eq!(page.total, i64::from(*word == contract.status), "{word}");
        }
    }

    async fn the_tasks_of_a_page_of_contracts_are_added_up(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let made = many(&lab, owner).await;
        lab.task(owner).await;
        for (contract, tokens) in [(&made[4], 3), (&made[4], 4), (&made[7], 5), (&made[10], 6)] {
            let mut task = lab.new_task(owner);
            (task.contract, task.total_tokens, task.total_cost) = (Some(contract.id), tokens, 0.25);
            task.checkpoint_count = 2;
            task.status = if tokens == 4 { TaskStatus::Completed } else { TaskStatus::Running };
            lab.insert_task(task).await;
        }
        let listed = tasks::list(&mut lab.read().await, owner, Some(made[4].id), all()).await.unwrap().rows;
        let two = Totals {
            tasks: [(TaskStatus::Completed, 1), (TaskStatus::Running, 1)].into(),
            checkpoints: 4,
            tokens: 7,
            cost: 0.5,
            last_change: listed.iter().map(|task| task.updated_at).max(),
        };
        let mut tx = lab.read().await;
        let any = Filter::default();
        let page = &made[3..8];
        let totals = contracts::totals(&mut tx, owner, page, &any).await.unwrap();
        assert_eq!(totals.get(&made[4].id), Some(&two));
        assert_eq!(totals.get(&made[7].id).map(|totals| totals.tokens), Some(5));
        assert_eq!(totals.len(), 2, "{totals:?}");
        let backwards: Vec<Contract> = page.iter().rev().cloned().collect();
        assert_eq!(contracts::totals(&mut tx, owner, &backwards, &any).await.unwrap(), totals);
        assert_eq!(contracts::totals(&mut tx, owner, &made[4..5], &any).await.unwrap()[&made[4].id], two);
        // What lies between two of a page and isn't on it is not added up.
        let filter = Filter { phase: vec![made[4].phase], ..any.clone() };
        let page = contracts::list(&mut tx, owner, &filter, all(), None).await.unwrap().rows;
        let of_filter = contracts::totals(&mut tx, owner, &page, &filter).await.unwrap();
        assert_eq!(of_filter.into_iter().collect::<Vec<_>>(), [(made[4].id, two)]);
        assert!(contracts::totals(&mut tx, owner, &[], &any).await.unwrap().is_empty());
        assert!(contracts::totals(&mut tx, other, &made, &any).await.unwrap().is_empty());
    }
}
