//! `makima up`, `makima server`, `makima user create`.

use crate::lab::Lab;
use makima_client::Client;
use makima_wire::ListTasks;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
};

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

#[tokio::test(flavor = "multi_thread")]
async fn the_link_that_up_prints_signs_in_once_and_open_makes_another() {
    let mut lab = Lab::new(json!({}));
    lab.up();
    let first = lab.web_url();
    assert!(first.starts_with(&format!("{}/sign-in#", lab.client().url())), "{first}");
    let opened = lab.finish(&["open", "--print"]);
    assert_eq!(opened.code, Some(0), "{opened:?}");
    let second = opened.stdout.lines().next().unwrap();
    assert!(second.starts_with(&format!("{}/sign-in#", lab.client().url())) && second != first, "{opened:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_opened_where_there_is_a_desktop_and_not_where_it_is_only_to_be_printed() {
    let mut lab = Lab::new(json!({}));
    lab.up();
    let (tools, heard) = (lab.path("tools"), lab.path("heard"));
    fs::create_dir_all(&tools).unwrap();
    // Written whole before it is there to be read.
    let script = format!("#!/bin/sh\nprintf %s \"$1\" >{0}.new && mv {0}.new {0}\n", heard.display());
    fs::write(tools.join("xdg-open"), script).unwrap();
    fs::set_permissions(tools.join("xdg-open"), fs::Permissions::from_mode(0o755)).unwrap();
    let open = |arguments: &[&str], desktop: bool| {
        let mut command = lab.makima(arguments);
        let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path).unwrap();
        let path = format!("{}:{}", tools.display(), path.to_str().unwrap());
        command.env("PATH", path);
        if desktop {
            command.env("DISPLAY", ":0");
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    open(&["open"], false);
    open(&["open", "--print"], true);
    open(&["open", "--json"], true);
    let shown = open(&["open"], true);
    let link = crate::lab::until("the link is opened", async || fs::read_to_string(&heard).ok()).await;
    assert_eq!(shown.lines().next(), Some(link.as_str()), "another call has opened one too");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_made_for_the_address_that_people_open() {
    let mut lab = Lab::new(json!({}));
    lab.up_with(&["--allowed-hosts", "workshop.lan", "--public-url", "https://makima.example.com/"]);
    assert!(lab.web_url().starts_with("https://makima.example.com/sign-in#"), "{}", lab.web_url());
    let wrong = lab.finish(&["up", "--public-url", "makima.example.com"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("https://<host>"), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_called_only_by_names_that_it_knows() {
    let mut lab = Lab::new(json!({}));
    let port =
        lab.up_with(&["--allowed-hosts", "known.localdomain"]).url.rsplit(':').next().unwrap().to_owned();
    let key = lab.finish(&["key", "create", "k", "--json"]).json()["apiKey"].as_str().unwrap().to_owned();
    let asked = |host: &str| {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        let request = format!(
            "GET /api/v1/me HTTP/1.1\r\nhost: {host}:{port}\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(asked("known.localdomain").starts_with("HTTP/1.1 200 "));
    assert!(asked("unknown.localdomain").starts_with("HTTP/1.1 421 "));
}
