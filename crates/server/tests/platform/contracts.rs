//! Contracts: changed, taken to other phases, found, and what their tasks come to.

use crate::{lab::*, on_both};
use makima_client::{Client, ClientError};
use makima_model::{ContractId, ContractStatus, MessageRole, Phase, RunOutcome, TaskStatus};
use makima_wire::{
    ChangeContract, Code, Contract, CreateContract, CreateTask, EntryType, FeedData, HistoryEntry,
    ListContracts, Order, Words,
};
use reqwest::Method;
use serde_json::{Value, json};

async fn contract(client: &Client, name: &str) -> Contract {
    let wanted = CreateContract {
        name: name.into(),
        description: format!("All about {name}"),
        repository: "/srv/project".into(),
        ..CreateContract::default()
    };
    client.create_contract(&wanted).await.unwrap()
}

async fn refused<T: std::fmt::Debug>(answer: impl Future<Output = Result<T, ClientError>>) -> Code {
    let error = answer.await.unwrap_err();
    error.code().unwrap_or_else(|| panic!("{error:?}"))
}

/// The entries of the timeline from after the feed's event `after`, as many as are there.
async fn history(lab: &Lab, after: i64, count: usize) -> Vec<HistoryEntry> {
    let mut feed = Box::pin(lab.client.feed(None, Some(after)).await.unwrap());
    let events = take(&mut feed, count).await;
    let entry = |event: makima_client::FeedEvent| match serde_json::from_str(&event.data).unwrap() {
        FeedData::History(entry) => *entry,
        other => panic!("no entry of the timeline but {other:?}"),
    };
    events.into_iter().map(entry).collect()
}

on_both! {
    async fn a_contract_is_changed_and_its_timeline_tells_what_was_before(engine) {
        let lab = Lab::new(engine).await;
        let made = contract(&lab.client, "Old").await;
        let same = lab.client.change_contract(made.id, &ChangeContract::default()).await.unwrap();
        assert_eq!(same, made);
        let name = ChangeContract { name: Some("Old".into()), ..ChangeContract::default() };
        assert_eq!(lab.client.change_contract(made.id, &name).await.unwrap(), made);

        let change = ChangeContract {
            name: Some("  New ".into()),
            description: Some(String::new()),
            status: Some(ContractStatus::Archived),
        };
        let changed = lab.client.change_contract(made.id, &change).await.unwrap();
        assert_eq!((changed.name.as_str(), changed.description.as_str()), ("New", ""));
        assert_eq!((changed.status, changed.phase), (ContractStatus::Archived, Phase::Research));
        assert!(changed.updated_at > made.updated_at && changed.last_activity_at == changed.updated_at);
        assert_eq!(lab.client.contract(made.id).await.unwrap(), changed);

        // Making it is the first event, this is the second: what changed nothing told nothing.
        let told = history(&lab, 1, 1).await.remove(0);
        assert_eq!((told.entry_type, told.event_type.as_str()), (EntryType::PhaseChange, "contract_updated"));
        assert_eq!((told.contract_id, told.phase), (Some(made.id), Some(Phase::Research)));
        let data = json!({
            "previousName": "Old", "newName": "New", "previousDescription": "All about Old",
            "previousStatus": "active", "newStatus": "archived",
        });
        assert_eq!(told.event_data, Some(data));
    }

    async fn a_contract_comes_to_any_phase_but_its_own(engine) {
        let lab = Lab::new(engine).await;
        let made = contract(&lab.client, "One").await;
        for (at, phase) in [Phase::Review, Phase::Plan, Phase::Research].into_iter().enumerate() {
            let before = lab.client.contract(made.id).await.unwrap();
            let now = lab.client.set_phase(made.id, phase).await.unwrap();
            assert_eq!((now.phase, now.status), (phase, ContractStatus::Active));
            assert!(now.updated_at > before.updated_at);
            assert_eq!(refused(lab.client.set_phase(made.id, phase)).await, Code::Conflict);
            assert_eq!(lab.client.contract(made.id).await.unwrap(), now);
            let told = history(&lab, at as i64 + 1, 1).await.remove(0);
            assert_eq!((told.entry_type, told.event_type.as_str()), (EntryType::PhaseChange, "phase_change"));
            assert_eq!((told.contract_id, told.phase), (Some(made.id), Some(phase)));
            assert_eq!((told.previous_phase, told.new_phase, told.event_data), (Some(before.phase), Some(phase), None));
        }
    }

    async fn of_many_who_take_a_contract_to_a_phase_one_does(engine) {
        let lab = Lab::new(engine).await;
        let made = contract(&lab.client, "One").await;
        let answers = futures::future::join_all((0..8).map(|_| lab.client.set_phase(made.id, Phase::Plan))).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        for error in answers.into_iter().filter_map(Result::err) {
            assert_eq!(error.code(), Some(Code::Conflict), "{error:?}");
        }
        assert_eq!(history(&lab, 0, 2).await[1].new_phase, Some(Phase::Plan));
    }

    async fn contracts_are_found_by_status_phase_and_text(engine) {
        let lab = Lab::new(engine).await;
        let eve = lab.stranger().await;
        contract(&eve, "Rain").await;
        let mut made = Vec::new();
        for name in ["Rain", "100% rain", "sun", "snow_storm", "wind"] {
            made.push(contract(&lab.client, name).await);
        }
        lab.client.set_phase(made[1].id, Phase::Plan).await.unwrap();
        lab.client.set_phase(made[2].id, Phase::Execute).await.unwrap();
        for (at, status) in [(2, ContractStatus::Completed), (3, ContractStatus::Archived)] {
            let change = ChangeContract { status: Some(status), ..ChangeContract::default() };
            lab.client.change_contract(made[at].id, &change).await.unwrap();
        }
        for (query, found) in [
            ("", &["wind", "snow_storm", "sun", "100% rain", "Rain"][..]),
            ("order=asc&limit=1000", &["Rain", "100% rain", "sun", "snow_storm", "wind"]),
            ("status=active", &["wind", "100% rain", "Rain"]),
            ("status=completed,archived", &["snow_storm", "sun"]),
            ("status=completed&status=archived&order=asc", &["sun", "snow_storm"]),
            ("phase=plan", &["100% rain"]),
            ("phase=plan,execute", &["sun", "100% rain"]),
            ("phase=plan,execute&status=active", &["100% rain"]),
            ("q=rAIN", &["100% rain", "Rain"]),
            ("q=about%20s", &["snow_storm", "sun"]),
            ("q=100%25", &["100% rain"]),
            ("q=w_s", &["snow_storm"]),
            ("q=%25", &["100% rain"]),
            ("q=o_d", &[]),
            ("q=rain&phase=research&status=active", &["Rain"]),
            ("q=rain&status=completed", &[]),
        ] {
            let page: Value = lab.client.get(&format!("/contracts?{query}")).await.unwrap();
            let names: Vec<&str> =
                page["contracts"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
            assert_eq!((names, page["totalCount"].as_u64().unwrap()), (found.to_vec(), found.len() as u64), "{query}");
        }
    }

    async fn pages_of_found_contracts_keep_the_total_of_the_first(engine) {
        let lab = Lab::new(engine).await;
        let mut made = Vec::new();
        for n in 0..5 {
            made.push(contract(&lab.client, &format!("Rain {n}")).await.id);
        }
        for order in [Order::Desc, Order::Asc] {
            let mut wanted = ListContracts {
                q: Some("rain".into()),
                status: Words(vec![ContractStatus::Active, ContractStatus::Completed]),
                limit: Some(2),
                order: Some(order),
                ..ListContracts::default()
            };
            let (mut seen, mut totals) = (Vec::new(), Vec::new());
            loop {
                let page = lab.client.contracts(&wanted).await.unwrap();
                seen.extend(page.contracts.into_iter().map(|contract| contract.id));
                totals.push(page.total_count);
                contract(&lab.client, "rain in between").await;
                wanted.cursor = page.cursor;
                if wanted.cursor.is_none() || seen.len() > 4 {
                    break;
                }
                let other = ListContracts { q: Some("sun".into()), ..wanted.clone() };
                assert_eq!(refused(lab.client.contracts(&other)).await, Code::BadRequest);
            }
            assert!(totals.windows(2).all(|two| two[0] == two[1]), "{totals:?}");
            let mut expected = made.clone();
            if order == Order::Desc {
                expected.reverse();
                assert_eq!(totals[0], 5);
                assert_eq!(seen, expected);
            } else {
                assert_eq!(seen[..5], expected);
            }
        }
        let all = lab.client.contracts(&ListContracts::default()).await.unwrap();
        assert_eq!(all.total_count, all.contracts.len() as i64);
    }

    async fn a_contract_tells_what_its_tasks_come_to(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let wanted = CreateContract { name: "One".into(), repository: "/srv/project".into(), ..CreateContract::default() };
        let made = daemon.beside(lab.client.create_contract(&wanted)).await.unwrap();
        assert_eq!((made.task_counts.len(), made.checkpoint_count, made.total_tokens), (0, 0, 0));
        assert_eq!((made.total_cost, made.last_activity_at), (0.0, made.created_at));
        let wanted = CreateTask { plan: "one".into(), contract_id: Some(made.id), ..CreateTask::default() };
        let task = daemon.beside(lab.client.create_task(&wanted)).await.unwrap();
        let wanted = CreateTask { plan: "two".into(), start: Some(false), ..wanted };
        daemon.beside(lab.client.create_task(&wanted)).await.unwrap();
        let start = daemon.start().await;
        let mut records = begun(&task);
        records.extend([
            heard(start.inputs[0].id, lab.clock.now(), "one"),
            said(&lab.clock, MessageRole::Assistant, "done"),
            turn(0.5),
            ended(RunOutcome::Completed),
        ]);
        daemon.tell(start.run, 1, records).await;

        let now = lab.client.contract(made.id).await.unwrap();
        let task = lab.client.task(task.id).await.unwrap();
        assert_eq!(now.task_counts, [(TaskStatus::Pending, 1), (TaskStatus::Completed, 1)].into());
        assert_eq!((now.total_tokens, now.checkpoint_count), (task.total_tokens, 0));
        assert!(now.total_tokens > 0 && (now.total_cost - 0.5).abs() < 1e-9, "{now:?}");
        assert_eq!(now.last_activity_at, task.updated_at);
        assert_eq!(now.updated_at, made.updated_at);
        for status in [Words::default(), Words(vec![ContractStatus::Active])] {
            let wanted = ListContracts { status, ..ListContracts::default() };
            assert_eq!(lab.client.contracts(&wanted).await.unwrap().contracts, std::slice::from_ref(&now));
        }
        let found = ListContracts { q: Some("one".into()), ..ListContracts::default() };
        assert_eq!(lab.client.contracts(&found).await.unwrap().contracts, [now]);
    }

    async fn a_change_that_can_not_be_changes_nothing(engine) {
        let lab = Lab::new(engine).await;
        let made = contract(&lab.client, "One").await;
        let eve = lab.stranger().await;
        let unknown: ContractId = lab.clock.new_id();
        let change = ChangeContract { name: Some("x".into()), ..ChangeContract::default() };
        for (client, id) in [(&eve, made.id), (&lab.client, unknown)] {
            assert_eq!(refused(client.change_contract(id, &change)).await, Code::NotFound);
            assert_eq!(refused(client.change_contract(id, &ChangeContract::default())).await, Code::NotFound);
            assert_eq!(refused(client.set_phase(id, Phase::Plan)).await, Code::NotFound);
        }
        let here = format!("/contracts/{}", made.id);
        let phase = format!("{here}/phase");
        for (method, path, body, code) in [
            (Method::PATCH, &here, json!({ "colour": "red" }), Code::BadRequest),
            (Method::PATCH, &here, json!({ "phase": "plan" }), Code::BadRequest),
            (Method::PATCH, &here, json!({ "name": 7 }), Code::BadRequest),
            (Method::PATCH, &here, json!({ "status": "paused" }), Code::BadRequest),
            (Method::PATCH, &here, json!([]), Code::BadRequest),
            (Method::PATCH, &here, json!({ "name": "" }), Code::Unprocessable),
            (Method::PATCH, &here, json!({ "name": "x", "description": "a\0b" }), Code::Unprocessable),
            (Method::PATCH, &here, json!({ "name": "a\u{1b}[31m" }), Code::Unprocessable),
            (Method::PATCH, &here, json!({ "name": "x".repeat(201) }), Code::Unprocessable),
            (Method::PATCH, &here, json!({ "name": "x", "description": "x".repeat(1_000_001) }), Code::Unprocessable),
            (Method::PATCH, &"/contracts/none".to_owned(), json!({}), Code::BadRequest),
            (Method::POST, &phase, json!({}), Code::BadRequest),
            (Method::POST, &phase, json!({ "phase": "later" }), Code::BadRequest),
            (Method::POST, &phase, json!({ "phase": "Plan" }), Code::BadRequest),
            (Method::POST, &phase, json!({ "phase": "plan", "force": true }), Code::BadRequest),
        ] {
            let answer = lab.client.send::<Value>(method.clone(), path, Some(&body)).await;
            let told: String = body.to_string().chars().take(80).collect();
            assert_eq!(answer.unwrap_err().code(), Some(code), "{method} {path} {told}");
        }
        let long = format!("q={}", "x".repeat(1001));
        for query in
            ["status=paused", "status=", "phase=active", "q=", "q=%20", "q=%00", "order=up", "colour=red", "limit=0", &long]
        {
            let answer = lab.client.get::<Value>(&format!("/contracts?{query}")).await;
            assert_eq!(answer.unwrap_err().code(), Some(Code::BadRequest), "{query}");
        }
        assert_eq!(lab.client.contract(made.id).await.unwrap(), made);
    }
}
