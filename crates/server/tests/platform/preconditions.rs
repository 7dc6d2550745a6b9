//! `If-Match`: nobody's change is lost to who has not seen it.

use crate::{lab::*, on_both};
use makima_wire::{Contract, CreateContract, ErrorBody};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

async fn made(lab: &Lab) -> Contract {
    let wanted =
        CreateContract { name: "0".into(), repository: "/srv/project".into(), ..CreateContract::default() };
    lab.client.create_contract(&wanted).await.unwrap()
}

async fn ask(lab: &Lab, method: Method, path: &str, if_match: &[&str], body: Value) -> Response {
    let mut request = reqwest::Client::new()
        .request(method, format!("{}/api/v1{path}", lab.url()))
        .bearer_auth(&lab.key)
        .json(&body);
    for line in if_match {
        request = request.header("if-match", *line);
    }
    request.send().await.unwrap()
}

fn tag(answer: &Response) -> String {
    answer.headers()["etag"].to_str().unwrap().to_owned()
}

on_both! {
    async fn a_contract_has_a_tag_that_changes_with_it(engine) {
        let lab = Lab::new(engine).await;
        let body = json!({ "name": "One", "description": "", "repository": "/srv/project" });
        let created = ask(&lab, Method::POST, "/contracts", &[], body).await;
        let first = tag(&created);
        let id = created.json::<Contract>().await.unwrap().id;
        let path = format!("/contracts/{id}");
        let read = async || tag(&ask(&lab, Method::GET, &path, &[], Value::Null).await);
        assert_eq!(read().await, first);
        // What is the same already changes nothing, and neither does what its tasks come to.
        assert_eq!(tag(&ask(&lab, Method::PATCH, &path, &[], json!({ "name": "One" })).await), first);
        let task = json!({ "plan": "one", "contractId": id });
        assert_eq!(ask(&lab, Method::POST, "/mesh/tasks", &[], task).await.status(), StatusCode::CREATED);
        assert_eq!(read().await, first);
        let mut seen = vec![first];
        for (method, path, body) in [
            (Method::PATCH, path.clone(), json!({ "name": "Two" })),
            (Method::PATCH, path.clone(), json!({ "status": "archived" })),
            (Method::POST, format!("{path}/phase"), json!({ "phase": "plan" })),
        ] {
            let now = tag(&ask(&lab, method, &path, &[], body).await);
            assert!(!seen.contains(&now), "{now} in {seen:?}");
            assert_eq!(read().await, now);
            seen.push(now);
        }
    }

    async fn a_contract_is_changed_only_if_it_is_what_was_seen(engine) {
        let lab = Lab::new(engine).await;
        let path = format!("/contracts/{}", made(&lab).await.id);
        let seen = tag(&ask(&lab, Method::GET, &path, &[], Value::Null).await);
        let status = async |if_match: &[&str], name: &str| {
            ask(&lab, Method::PATCH, &path, if_match, json!({ "name": name })).await.status()
        };
        assert_eq!(status(&[&seen], "a").await, StatusCode::OK);
        let late = ask(&lab, Method::PATCH, &path, &[&seen], json!({ "name": "lost" })).await;
        let now = tag(&late);
        assert_eq!(late.status(), StatusCode::PRECONDITION_FAILED);
        let body: ErrorBody = late.json().await.unwrap();
        assert_eq!(body.code, makima_wire::Code::PreconditionFailed);
        let weak = format!("W/{now}");
        for (if_match, expected) in [
            (&[weak.as_str()][..], StatusCode::PRECONDITION_FAILED),
            (&["\"no-tag-of-ours\""], StatusCode::PRECONDITION_FAILED),
            (&["no tag"], StatusCode::BAD_REQUEST),
            (&[""], StatusCode::BAD_REQUEST),
        ] {
            assert_eq!(status(if_match, "lost").await, expected, "{if_match:?}");
        }
        let contract = lab.client.get::<Contract>(&path).await.unwrap();
        assert_eq!(contract.name, "a", "nothing was changed meanwhile");
        for (if_match, name) in [
            (&[format!("\"x\", {now}").as_str()][..], "b"),
            (&["*"], "c"),
            (&[], "d"),
        ] {
            assert_eq!(status(if_match, name).await, StatusCode::OK, "{if_match:?}");
            assert_eq!(lab.client.get::<Contract>(&path).await.unwrap().name, name);
        }
        let nowhere = format!("/contracts/{}", lab.clock.new_id::<makima_model::ContractId>());
        assert_eq!(ask(&lab, Method::PATCH, &nowhere, &["*"], json!({})).await.status(), StatusCode::NOT_FOUND);
    }

    async fn what_has_no_tags_is_changed_by_whoever_says_any(engine) {
        let lab = Lab::new(engine).await;
        let begun = ask(&lab, Method::POST, "/mesh/chat/conversations", &[], json!({})).await;
        let id = begun.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
        let path = format!("/mesh/chat/conversations/{id}");
        for (if_match, expected) in [
            (&[][..], StatusCode::OK),
            (&["*"], StatusCode::OK),
            (&["\"1\""], StatusCode::PRECONDITION_FAILED),
            (&["1"], StatusCode::BAD_REQUEST),
        ] {
            let answer = ask(&lab, Method::PATCH, &path, if_match, json!({ "name": "Rain" })).await;
            assert_eq!(answer.status(), expected, "{if_match:?}");
        }
    }
}
