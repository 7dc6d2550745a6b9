//! A server whose disk is full, and then isn't.

use crate::lab::*;
use makima_client::ClientError;
use makima_model::{DaemonStatus, MessageRole, RunOutcome, TaskStatus};
use makima_server::Settings;
use makima_testkit::{SmallDisk, with_own_mounts};
use makima_wire::{
    Code, CreateContract, ErrorBody,
    frame::{FromDaemon, ToDaemon},
};
use reqwest::StatusCode;
use std::time::Duration;

/// Times that a test can wait for.
fn quick() -> Settings {
    let ms = Duration::from_millis;
    Settings { heartbeat: ms(200), silence: ms(5000), grace: ms(6000), ..Settings::default() }
}

/// Asks for a contract, once: the typed client would ask again until there is room.
async fn write(lab: &Lab) -> Result<(), (StatusCode, ErrorBody)> {
    let contract = CreateContract {
        name: "One".into(),
        description: "x".repeat(20_000),
        repository: "/srv/project".into(),
        ..CreateContract::default()
    };
    let request = reqwest::Client::new().post(format!("{}/api/v1/contracts", lab.url()));
    let answer = request.bearer_auth(&lab.key).json(&contract).send().await.unwrap();
    match answer.status() {
        StatusCode::CREATED => Ok(()),
        refused => Err((refused, answer.json().await.unwrap())),
    }
}

/// Writes until there is no room, and answers what the server then says.
async fn refusal(lab: &Lab) -> (StatusCode, ErrorBody) {
    loop {
        if let Err(refused) = write(lab).await {
            return refused;
        }
    }
}

/// Does something while the daemon's heart beats, however long that takes on a busy machine.
async fn beating<T>(daemon: &mut LabDaemon, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    let mut beats = tokio::time::interval(quick().heartbeat);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = beats.tick() => daemon.send(FromDaemon::Heartbeat { trouble: None }).await,
        }
    }
}

/// Fault: the server's disk is full
/// Moment: while an agent talks
/// Outcome: what can't be kept is not acknowledged and the daemon stays connected; requests that change something answer 503
/// and say why, those that read go on; `/readyz` says why, `/healthz` is fine; with room again every line is there once, in
/// order, and no run was given up
#[test]
fn a_server_without_room_says_so_and_goes_on_by_itself() {
    with_own_mounts(async {
        let disk = SmallDisk::mount(12 << 20);
        let lab = Lab::in_folder(disk.folder(), Engine::Sqlite, quick()).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        daemon.tell(start.run, 1, begun(&task)).await;
        let told: Vec<String> = (0..40).map(|n| format!("line {n}")).collect();
        let record = |text: &String| said(&lab.clock, MessageRole::Assistant, text);
        daemon.tell(start.run, 4, told[..10].iter().map(record).collect()).await;

        disk.fill(0);
        let (status, ErrorBody { code, message, .. }) = beating(&mut daemon, refusal(&lab)).await;
        assert_eq!((status, code), (StatusCode::SERVICE_UNAVAILABLE, Code::DbUnavailable));
        assert!(message.contains("room") || message.contains("full"), "{message}");
        assert!(!message.contains("sqlite") && !message.contains("code:"), "{message}");
        // The database's log has some room of its own: heartbeats use it up.
        while lab.client.ready().await.is_ok() {
            daemon.send(FromDaemon::Heartbeat { trouble: None }).await;
        }
        for (n, line) in (14..).zip(&told[10..]) {
            daemon.post(start.run, n, vec![record(line)]).await;
        }
        // Longer than a silent daemon is waited for: it beats, and is heard of no less for being unable to note it.
        let since = std::time::Instant::now();
        let looking = async {
            while since.elapsed() < quick().silence + quick().heartbeat {
                let ready = lab.client.ready().await;
                assert!(
                    matches!(&ready, Err(ClientError::Refused { status, body, .. })
                        if status.as_u16() == 503 && body.code == Code::DbUnavailable),
                    "{ready:?}"
                );
                lab.client.health().await.unwrap();
                let conversation = lab.client.conversation(task.id).await.unwrap();
                assert_eq!(conversation.messages.len(), 10);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        beating(&mut daemon, looking).await;
        disk.make_room();
        // On the same connection: what it was sent is taken now.
        let taken = |frame: &Option<ToDaemon>| matches!(frame, Some(ToDaemon::Ack { n: 43, .. }));
        let until = std::time::Instant::now() + PATIENCE;
        loop {
            assert!(std::time::Instant::now() < until, "it does not go on");
            daemon.send(FromDaemon::Heartbeat { trouble: None }).await;
            match tokio::time::timeout(quick().heartbeat, daemon.frame()).await {
                Ok(frame) if taken(&frame) => break,
                Ok(frame) => assert!(frame.is_some(), "the connection was ended"),
                Err(_) => {}
            }
        }
        let looking = async {
            lab.client.ready().await.unwrap();
            write(&lab).await.unwrap();
            lab.client.conversation(task.id).await.unwrap()
        };
        let conversation = beating(&mut daemon, looking).await;
        let texts: Vec<&str> = conversation.messages.iter().map(|message| message.content.as_str()).collect();
        assert_eq!(texts, told);
        daemon.tell(start.run, 44, vec![turn(0.0), ended(RunOutcome::Completed)]).await;
        let looking = async {
            let done = lab.until(&task, |task| task.status.is_over()).await;
            (done, lab.client.daemons().await.unwrap().daemons)
        };
        let (done, daemons) = beating(&mut daemon, looking).await;
        assert_eq!((done.status, done.run_number), (TaskStatus::Completed, 1));
        assert_eq!(daemons[0].status, DaemonStatus::Online);
        drop(daemon);
        lab.server.stop().await;
    });
}

/// Fault: the daemon's disk is full
/// Moment: when its heart beats
/// Outcome: the list of daemons says so, and no longer when there is room
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_keeps_a_daemon_from_working_is_listed() {
    let lab = Lab::new(Engine::Sqlite).await;
    let mut daemon = lab.daemon().await;
    for trouble in [Some("there is no room left".to_owned()), None] {
        daemon.send(FromDaemon::Heartbeat { trouble: trouble.clone() }).await;
        let since = std::time::Instant::now();
        while lab.client.daemons().await.unwrap().daemons[0].trouble != trouble {
            assert!(since.elapsed() < PATIENCE, "{trouble:?} is not told");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Fault: a daemon's disk is full
/// Moment: when tasks are made
/// Outcome: they go to, or wait for, a daemon that works; they go to the first one when there is room
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_in_trouble_is_given_nothing_that_another_can_do() {
    let lab = Lab::new(Engine::Sqlite).await;
    // The one that would be chosen: of two alike, the one that was here first.
    let mut full = lab.daemon().await;
    let mut other = lab.daemon().await;
    let told = |trouble: Option<&str>| FromDaemon::Heartbeat { trouble: trouble.map(str::to_owned) };
    full.send(told(Some("there is no room left"))).await;
    let is_in_trouble = |daemon: &makima_wire::Daemon| daemon.id == full.id && daemon.trouble.is_some();
    let since = std::time::Instant::now();
    while !lab.client.daemons().await.unwrap().daemons.iter().any(is_in_trouble) {
        assert!(since.elapsed() < PATIENCE, "its trouble is not told");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let one = full.beside(other.beside(lab.task("one"))).await;
    assert_eq!(other.start().await.task, one.id);
    let two = full.beside(other.beside(lab.task("two"))).await;
    let waits = |task: &makima_wire::Task| {
        task.status_reason.as_deref().is_some_and(|why| why.contains("in trouble"))
    };
    lab.until(&two, waits).await;
    full.send(told(None)).await;
    assert_eq!(full.start().await.task, two.id);
}
