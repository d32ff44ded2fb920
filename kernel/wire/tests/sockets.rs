//! Nonsense and forged messages on a kernel's sockets, and several clients at once.

use crate::echo;
use jupyter_protocol::ConnectionInfo;
use jupyter_zmq_client::{
    create_client_control_connection, create_client_heartbeat_connection, create_client_iopub_connection,
    create_client_shell_connection_with_identity, create_client_stdin_connection_with_identity,
    peer_identity_for_session,
};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wire::Client;
use wire::raw::{ask, exchange, published, read, send};
use zeromq::{SocketRecv, SocketSend, ZmqMessage};

/// What a ZeroMQ connection starts with, <https://rfc.zeromq.org/spec/23/>.
fn greeting() -> Vec<u8> {
    let mut greeting = vec![0; 64];
    (greeting[0], greeting[9], greeting[10]) = (0xff, 0x7f, 3);
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

/// The greeting and the introduction of a client's socket.
fn introduced(kind: &str) -> Vec<u8> {
    let mut body = b"\x05READY\x0bSocket-Type\0\0\0".to_vec();
    body.push(kind.len() as u8);
    body.extend(kind.as_bytes());
    [greeting(), vec![4, body.len() as u8], body].concat()
}

/// Meaningless bytes, the same in each run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 42u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Invalid input, each with its description. `kind` is the type of socket that the kernel expects.
fn nonsense(kind: &str) -> Vec<(&'static str, Vec<u8>)> {
    let announced = |length: u64| [&[2], &length.to_be_bytes()[..]].concat();
    let ready = |rest: Vec<u8>| [introduced(kind), rest].concat();
    vec![
        ("noise", noise(100_000)),
        ("another protocol", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("half a greeting", greeting()[..20].to_vec()),
        ("a greeting alone", greeting()),
        ("a damaged introduction", [greeting(), b"\x04\x05\x10READY".to_vec()].concat()),
        ("noise after the introduction", ready(noise(100_000))),
        ("an empty message", ready(vec![0, 0])),
        ("a short message", ready(b"\0\x03abc".to_vec())),
        ("a message of ten parts", ready([b"\x01\x03abc".repeat(9), b"\0\x03abc".to_vec()].concat())),
        ("a message without its parts", ready(b"\x01\x09<IDS|MSG>\0\x03abc".to_vec())),
        ("a message of 16 MiB", ready([announced(1 << 24), vec![b'x'; 1 << 24]].concat())),
        ("the announcement of 1 TiB", ready(announced(1 << 40))),
        ("the announcement of all there is", ready(announced(u64::MAX))),
        (
            "half of a large message",
            ready([vec![3], (1u64 << 28).to_be_bytes().to_vec(), noise(1000)].concat()),
        ),
    ]
}

/// Checks that all sockets still work.
async fn assert_serves(kernel: &mut Client, after: &str) {
    let answers = async {
        assert_eq!(ask(kernel, "kernel_info_request", json!({})).await["status"], "ok");
        let request = send(&mut kernel.control, "kernel_info_request", json!({})).await;
        assert_eq!(read(&mut kernel.control).await.parent, request);
        published(kernel, &request).await;
        assert_eq!(beat(&kernel.connection, "beat").await, "beat");
    };
    timeout(Duration::from_secs(20), answers).await.unwrap_or_else(|_| panic!("no answer after {after}"));
}

/// The echo of a heartbeat.
async fn beat(connection: &ConnectionInfo, beat: &str) -> String {
    let mut heartbeat = create_client_heartbeat_connection(connection).await.unwrap();
    heartbeat.socket.send(ZmqMessage::from(beat)).await.unwrap();
    let back = heartbeat.socket.recv().await.unwrap();
    String::from_utf8(back.get(0).unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn the_heartbeat_sends_back_what_comes() {
    let (kernel, _running) = echo::start().await;
    for text in ["one", "two"] {
        assert_eq!(beat(&kernel.connection, text).await, text);
    }
}

#[tokio::test]
async fn nonsense_on_the_sockets_harms_nobody() {
    let (mut kernel, _running) = echo::start().await;
    // Meanwhile, a cell waits for an answer of the user.
    let request = json!({ "code": "ask name?", "allow_stdin": true });
    let cell = send(&mut kernel.shell, "execute_request", request).await;
    assert_eq!(read(&mut kernel.stdin).await.kind(), "input_request");
    let ports = [
        (kernel.connection.shell_port, "DEALER"),
        (kernel.connection.control_port, "DEALER"),
        (kernel.connection.stdin_port, "DEALER"),
        (kernel.connection.iopub_port, "SUB"),
        (kernel.connection.hb_port, "REQ"),
    ];
    let mut open = Vec::new();
    for (port, kind) in ports {
        for (what, bytes) in nonsense(kind) {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            // The kernel may close the connection before it has read everything.
            let _ = stream.write_all(&bytes).await;
            open.push(stream);
            assert_serves(&mut kernel, what).await;
        }
    }
    send(&mut kernel.stdin, "input_reply", json!({ "value": "Ada" })).await;
    let cell = published(&mut kernel, &cell).await;
    assert_eq!(cell.iter().find_map(|message| message.content["text"].as_str()), Some("<Ada>\n"));
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_its_connection() {
    let (mut kernel, _running) = echo::start().await;
    let mut stream = TcpStream::connect(("127.0.0.1", kernel.connection.shell_port)).await.unwrap();
    let too_large = [introduced("DEALER"), vec![2], u64::MAX.to_be_bytes().to_vec()].concat();
    stream.write_all(&too_large).await.unwrap();
    // The greeting and the introduction of the kernel arrive, and then the connection ends.
    let mut answer = Vec::new();
    let ended = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
    // It may end with a reset, because the kernel has left bytes unread.
    let _ = ended.await.expect("the connection stays open");
    assert_serves(&mut kernel, "a message that is too large").await;
}

#[tokio::test]
async fn messages_with_a_wrong_signature_are_ignored() {
    let (mut kernel, _running) = echo::start().await;
    let cell = json!({ "code": "ask name?", "allow_stdin": true });
    let cell = send(&mut kernel.shell, "execute_request", cell).await;
    assert_eq!(read(&mut kernel.stdin).await.kind(), "input_request");
    let forged = ConnectionInfo { key: "not the key".into(), ..kernel.connection.clone() };
    let identity = peer_identity_for_session("stranger").unwrap();
    let shell = create_client_shell_connection_with_identity(&forged, "stranger", identity.clone());
    let mut shell = shell.await.unwrap();
    let mut control = create_client_control_connection(&forged, "stranger").await.unwrap();
    let stdin = create_client_stdin_connection_with_identity(&forged, "stranger", identity);
    let mut stdin = stdin.await.unwrap();
    send(&mut shell, "execute_request", json!({ "code": "print forged" })).await;
    send(&mut shell, "kernel_info_request", json!({})).await;
    send(&mut control, "shutdown_request", json!({ "restart": false })).await;
    send(&mut stdin, "input_reply", json!({ "value": "a stranger's answer" })).await;
    assert_serves(&mut kernel, "forged messages").await;
    // The kernel goes on, and has neither run the forged cell nor answered.
    send(&mut kernel.stdin, "input_reply", json!({ "value": "Ada" })).await;
    let cell = published(&mut kernel, &cell).await;
    assert_eq!(cell.iter().find_map(|message| message.content["text"].as_str()), Some("<Ada>\n"));
    assert_eq!(read(&mut kernel.shell).await.content["execution_count"], 1);
    let reply = ask(&mut kernel, "execute_request", json!({ "code": "next" })).await;
    assert_eq!(reply["execution_count"], 2);
    assert!(timeout(Duration::from_millis(50), shell.read()).await.is_err());
}

#[tokio::test]
async fn two_clients_get_their_own_replies_and_see_what_the_other_does() {
    let (mut first, _running) = echo::start().await;
    let connection = first.connection.clone();
    let identity = peer_identity_for_session("second").unwrap();
    let mut shell =
        create_client_shell_connection_with_identity(&connection, "second", identity).await.unwrap();
    let mut iopub = create_client_iopub_connection(&connection, "", "second").await.unwrap();
    assert_eq!(read(&mut iopub).await.kind(), "iopub_welcome");

    let mine = send(&mut first.shell, "execute_request", json!({ "code": "mine" })).await;
    assert_eq!(read(&mut first.shell).await.parent, mine);
    let theirs = send(&mut shell, "execute_request", json!({ "code": "theirs" })).await;
    assert_eq!(read(&mut shell).await.parent, theirs);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let message = read(&mut iopub).await;
        if message.kind() == "execute_result" {
            seen.push((message.parent.clone(), message.content["data"]["text/plain"].clone()));
        }
    }
    assert_eq!(seen, [(mine, json!("mine")), (theirs, json!("theirs"))]);

    // A client that disconnects in the middle of its cell.
    let code = "print line\n".repeat(1000);
    send(&mut shell, "execute_request", json!({ "code": code })).await;
    drop((shell, iopub));
    let (reply, cell) = exchange(&mut first, "execute_request", json!({ "code": "still here" })).await;
    assert_eq!(reply.content["status"], "ok");
    assert_eq!(cell[2].content["data"]["text/plain"], "still here");
}

#[tokio::test]
async fn a_subscriber_is_welcomed_and_hears_its_topic() {
    let (mut kernel, _running) = echo::start().await;
    for topic in ["", "stream"] {
        let mut iopub = create_client_iopub_connection(&kernel.connection, topic, "listener").await.unwrap();
        let welcome = read(&mut iopub).await;
        assert_eq!((welcome.kind(), welcome.topic.as_str()), ("iopub_welcome", topic));
        assert_eq!((&welcome.content, &welcome.parent), (&json!({ "subscription": topic }), &json!({})));
        exchange(&mut kernel, "execute_request", json!({ "code": "print heard" })).await;
        let next = read(&mut iopub).await;
        assert_eq!(next.kind(), if topic.is_empty() { "status" } else { "stream" });
    }
}
