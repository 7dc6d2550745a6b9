//! The proxy does what it says, and nothing else.

// What fails here fails its test, and says where.
#![allow(clippy::unwrap_used)]

use makima_testkit::{FaultProxy, Way};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A server of the test's own, a proxy before it, and both ends of a connection.
async fn connected() -> (FaultProxy, TcpListener, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::before(&format!("http://{}", listener.local_addr().unwrap())).await;
    let (client, server) = again(&proxy, &listener).await;
    (proxy, listener, client, server)
}

async fn again(proxy: &FaultProxy, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let count = proxy.count();
    let client = TcpStream::connect(proxy.url().trim_start_matches("http://")).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    proxy.connected(count + 1).await;
    (client, server)
}

async fn read(stream: &mut TcpStream, bytes: usize) -> String {
    let mut read = vec![0; bytes];
    stream.read_exact(&mut read).await.unwrap();
    String::from_utf8(read).unwrap()
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    // An end that is torn off is an end as well.
    let _ = stream.read_to_end(&mut rest).await;
    String::from_utf8(rest).unwrap()
}

/// Whether nothing comes although all that could be passed on was.
async fn is_silent(stream: &mut TcpStream) -> bool {
    tokio::time::timeout(Duration::from_millis(50), stream.read_u8()).await.is_err()
}

#[tokio::test]
async fn what_is_held_arrives_once_it_is_opened() {
    let (proxy, _listener, mut client, mut server) = connected().await;
    client.write_all(b"one").await.unwrap();
    assert_eq!(read(&mut server, 3).await, "one");
    proxy.hold(Way::Up);
    client.write_all(b"two").await.unwrap();
    server.write_all(b"down").await.unwrap();
    assert_eq!(read(&mut client, 4).await, "down");
    assert!(is_silent(&mut server).await);
    proxy.open();
    assert_eq!(read(&mut server, 3).await, "two");
}

#[tokio::test]
async fn what_is_swallowed_is_gone_and_nobody_is_told() {
    let (proxy, listener, mut client, mut server) = connected().await;
    proxy.swallow(Way::Up);
    client.write_all(b"lost").await.unwrap();
    drop(client);
    assert!(is_silent(&mut server).await);
    proxy.open();
    assert!(is_silent(&mut server).await);
    let (mut client, mut server) = again(&proxy, &listener).await;
    client.write_all(b"new").await.unwrap();
    assert_eq!(read(&mut server, 3).await, "new");
}

#[tokio::test]
async fn a_connection_is_cut_in_the_middle() {
    let (proxy, listener, mut client, mut server) = connected().await;
    proxy.cut_after(Way::Up, 5);
    client.write_all(b"0123456789").await.unwrap();
    assert_eq!(rest(&mut server).await, "01234");
    assert_eq!(rest(&mut client).await, "");
    let (mut client, mut server) = again(&proxy, &listener).await;
    client.write_all(b"whole").await.unwrap();
    assert_eq!(read(&mut server, 5).await, "whole");
    proxy.cut();
    assert_eq!((rest(&mut server).await, rest(&mut client).await), (String::new(), String::new()));
}

#[tokio::test]
async fn an_old_connection_delivers_late_beside_a_new_one() {
    let (proxy, listener, mut client, mut server) = connected().await;
    proxy.hold(Way::Up);
    client.write_all(b"late").await.unwrap();
    proxy.leave_behind();
    assert_eq!(rest(&mut client).await, "");
    drop(client);
    let (mut second, mut anew) = again(&proxy, &listener).await;
    proxy.open();
    second.write_all(b"new").await.unwrap();
    assert_eq!(read(&mut anew, 3).await, "new");
    assert_eq!(rest(&mut server).await, "late");
}

#[tokio::test]
async fn a_slow_connection_loses_nothing() {
    let (proxy, _listener, mut client, mut server) = connected().await;
    proxy.slow(Way::Up, 3, Duration::from_millis(1));
    client.write_all(b"0123456789").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut server).await, "0123456789");
}

#[tokio::test]
async fn a_server_that_is_away_is_closed_at_once() {
    let (proxy, listener, mut client, _server) = connected().await;
    proxy.close();
    assert_eq!(rest(&mut client).await, "");
    let mut refused = TcpStream::connect(proxy.url().trim_start_matches("http://")).await.unwrap();
    assert_eq!(rest(&mut refused).await, "");
    proxy.open();
    let (mut client, mut server) = again(&proxy, &listener).await;
    client.write_all(b"back").await.unwrap();
    assert_eq!(read(&mut server, 4).await, "back");
}
