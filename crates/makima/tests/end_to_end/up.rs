//! `makima up`, `makima server`, `makima user create`.

use crate::lab::Lab;
use makima_client::Client;
use makima_wire::ListTasks;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_makes_an_owner_and_a_key_and_the_second_keeps_them() {
    let mut lab = Lab::new(json!({}));
    let (url, key, owner) = {
        let up = lab.up();
        (up.url.clone(), up.key.clone(), up.owner.clone())
    };
    let file = lab.data().join("credentials.json");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let saved: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(saved, json!({"url": url, "apiKey": key, "ownerId": owner}));
    lab.client().tasks(&ListTasks::default()).await.unwrap();
    assert!(lab.end_up(Signal::INT).success());

    let up = lab.up();
    assert_eq!((&up.key, &up.owner), (&key, &owner));
    assert!(lab.end_up(Signal::TERM).success());

    // A key that is lost is made anew, for the same owner.
    fs::remove_file(&file).unwrap();
    let up = lab.up();
    assert_ne!(up.key, key);
    assert_eq!(up.owner, owner);
    lab.client().tasks(&ListTasks::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_up_on_the_same_data_is_told_who_is_there() {
    let mut lab = Lab::new(json!({}));
    let url = lab.up().url.clone();
    let second = lab.finish(&["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.stderr.contains("already works on") && second.stderr.contains(&url), "{second:?}");
    assert!(second.stderr.contains("--data-dir"), "{second:?}");
    // The first one doesn't mind.
    lab.client().ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_not_allowed() {
    let mut lab = Lab::new(json!({}));
    let url = lab.up().url.clone();
    let mut command = lab.makima(&["run", "plan"]);
    command.env("MAKIMA_API_URL", url).env("MAKIMA_API_KEY", "mk_wrong");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_owner_sees_nothing_of_the_first() {
    let mut lab = Lab::new(json!({}));
    let url = lab.up().url.clone();
    let created = lab.finish(&["user", "create", "ada", "--json"]);
    assert_eq!(created.code, Some(0), "{created:?}");
    let user = created.json();
    assert_eq!(user["name"], "ada");
    let ada = Client::new(&url, Some(user["apiKey"].as_str().unwrap().to_owned())).unwrap();
    assert_eq!(ada.daemons().await.unwrap().total_count, 0);
    assert_eq!(lab.client().daemons().await.unwrap().total_count, 1);
    let nameless = lab.finish(&["user", "create", ""]);
    assert_eq!(nameless.code, Some(1), "{nameless:?}");
}
