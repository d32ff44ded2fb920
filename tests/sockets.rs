//! Whoever else may talk to a kernel: nonsense on its sockets, other clients, other users of the machine.

use crate::client::Client;
use crate::support::{command_with_cache, kernel, note, run, runner};
use crate::wire::{ask, published, read, send};
use jupyter_protocol::JupyterMessage;
use jupyter_zmq_client::{
    create_client_control_connection, create_client_heartbeat_connection, create_client_iopub_connection,
    create_client_shell_connection_with_identity, create_client_stdin_connection_with_identity,
    peer_identity_for_session,
};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tokio::time::timeout;
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

/// Bytes without any meaning, the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 42u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// What no client sends, with what it is; `kind` is the kind of socket that the kernel expects.
fn nonsense(kind: &str) -> Vec<(&'static str, Vec<u8>)> {
    let announced = |length: u64| [&[2], &length.to_be_bytes()[..]].concat();
    let ready = |rest: Vec<u8>| [introduced(kind), rest].concat();
    vec![
        ("noise", noise(100_000)),
        ("another protocol", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("half a greeting", greeting()[..20].to_vec()),
        ("a greeting alone", greeting()),
        ("a damaged introduction", [greeting(), b"\x04\x05\x10READY".to_vec()].concat()),
        ("noise behind the introduction", ready(noise(100_000))),
        ("an empty message", ready(vec![0, 0])),
        ("a short message", ready(b"\0\x03abc".to_vec())),
        ("a message of ten parts", ready([b"\x01\x03abc".repeat(9), b"\0\x03abc".to_vec()].concat())),
        ("a message without its parts", ready(b"\x01\x09<IDS|MSG>\0\x03abc".to_vec())),
        ("a message of 64 MiB", ready([announced(1 << 26), vec![b'x'; 1 << 26]].concat())),
        ("the announcement of 1 TiB", ready(announced(1 << 40))),
        ("the announcement of all there is", ready(announced(u64::MAX))),
        (
            "half of a large message",
            ready([vec![3], (1u64 << 28).to_be_bytes().to_vec(), noise(1000)].concat()),
        ),
    ]
}

/// Sees to it that all sockets do what they should.
async fn assert_serves(kernel: &mut Client, after: &str) {
    let answers = async {
        assert_eq!(ask(kernel, "kernel_info_request", json!({})).await["status"], "ok");
        let request = send(&mut kernel.control, "kernel_info_request", json!({})).await;
        assert_eq!(read(&mut kernel.control).await.parent, request);
        published(kernel, &request).await;
        let mut heartbeat = create_client_heartbeat_connection(&kernel.connection).await.unwrap();
        heartbeat.socket.send(ZmqMessage::from("beat")).await.unwrap();
        assert_eq!(heartbeat.socket.recv().await.unwrap().get(0).unwrap().as_ref(), b"beat");
    };
    timeout(Duration::from_secs(20), answers).await.unwrap_or_else(|_| panic!("no answer after {after}"));
}

#[tokio::test]
async fn nonsense_on_the_sockets_harms_nobody() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let kept = 7;").await;
    // One that waits for its answer meanwhile.
    let id = kernel
        .ask_and_execute(
            "let mut line = String::new(); std::io::stdin().read_line(&mut line)?; line.trim().len() as i32 + kept",
        )
        .await
        .unwrap();
    let question = timeout(Duration::from_secs(20), kernel.stdin.read()).await.unwrap().unwrap();
    let ports = [
        (kernel.connection.shell_port, "DEALER"),
        (kernel.connection.control_port, "DEALER"),
        (kernel.connection.stdin_port, "DEALER"),
        (kernel.connection.iopub_port, "SUB"),
        (kernel.connection.hb_port, "REQ"),
    ];
    let mut open = Vec::new();
    for index in 0..nonsense("").len() {
        let mut after = "";
        for (port, kind) in ports {
            let (what, bytes) = nonsense(kind).swap_remove(index);
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            // The kernel may hang up before it has read all.
            let _ = stream.write_all(&bytes);
            open.push(stream);
            after = what;
        }
        assert_serves(&mut kernel, after).await;
    }
    let forged = jupyter_protocol::ConnectionInfo { key: "not the key".into(), ..kernel.connection.clone() };
    let identity = peer_identity_for_session("stranger").unwrap();
    let mut control = create_client_control_connection(&forged, "stranger").await.unwrap();
    let mut stdin =
        create_client_stdin_connection_with_identity(&forged, "stranger", identity).await.unwrap();
    send(&mut control, "shutdown_request", json!({ "restart": false })).await;
    send(&mut stdin, "input_reply", json!({ "value": "a stranger's answer" })).await;
    assert_serves(&mut kernel, "forged messages").await;

    let answer = jupyter_protocol::InputReply { value: "abc".into(), ..Default::default() };
    kernel.stdin.send(JupyterMessage::new(answer, Some(&question))).await.unwrap();
    let mut messages = Vec::new();
    let result = kernel.until_idle(&id, |message| note(&mut messages, message));
    timeout(Duration::from_secs(20), result).await.expect("the answer has not arrived").unwrap();
    assert!(messages.contains(&"result 2: 10".to_owned()), "{messages:?}");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn two_clients_get_their_own_replies_and_see_what_the_other_does() {
    let mut first = kernel().await;
    let connection = first.connection.clone();
    let identity = peer_identity_for_session("second").unwrap();
    let mut shell =
        create_client_shell_connection_with_identity(&connection, "second", identity).await.unwrap();
    let mut iopub = create_client_iopub_connection(&connection, "", "second").await.unwrap();
    assert_eq!(read(&mut iopub).await.kind(), "iopub_welcome");

    let mine = send(&mut first.shell, "execute_request", json!({ "code": "let x = 3; x" })).await;
    let theirs = send(&mut shell, "execute_request", json!({ "code": "x + 4" })).await;
    assert_eq!(read(&mut shell).await.parent, theirs);
    assert_eq!(read(&mut first.shell).await.parent, mine);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let message = read(&mut iopub).await;
        if message.kind() == "execute_result" {
            seen.push((message.parent.clone(), message.content["data"]["text/plain"].clone()));
        }
    }
    assert_eq!(seen, [(mine, json!("3")), (theirs, json!("7"))]);

    // One that is gone without a word, in the middle of a cell of its own.
    send(
        &mut shell,
        "execute_request",
        json!({ "code": "for i in 0..1000 { println!(\"{i}\") } let y = 8;" }),
    )
    .await;
    drop((shell, iopub));
    let messages = run(&mut first, "x + y").await;
    assert!(messages[2].ends_with(": 11"), "{messages:?}");
    first.shut_down().await.unwrap();
}

#[tokio::test]
async fn sessions_are_their_owners_alone() {
    let cache = tempfile::tempdir().unwrap();
    let mut kernel = Client::start(&mut command_with_cache(cache.path())).await.unwrap();
    run(&mut kernel, "1").await;
    let all = cache.path().join("sessions");
    let session = fs::read_dir(&all).unwrap().flatten().find(|entry| entry.path().is_dir()).unwrap().path();
    for folder in [&all, &session] {
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
    }
    if cfg!(target_os = "linux") {
        let mut wanted: Vec<u16> = [
            kernel.connection.shell_port,
            kernel.connection.iopub_port,
            kernel.connection.stdin_port,
            kernel.connection.control_port,
            kernel.connection.hb_port,
        ]
        .to_vec();
        wanted.sort();
        assert_eq!(
            listening(kernel.process.id()),
            wanted.iter().map(|port| ("0100007F".into(), *port)).collect::<Vec<_>>()
        );
        assert_eq!(listening(runner(&mut kernel).await), []);
    }
    kernel.shut_down().await.unwrap();
    // A folder that others might read is closed to them; one of somebody else is not taken.
    fs::set_permissions(&all, fs::Permissions::from_mode(0o755)).unwrap();
    let kernel = Client::start(&mut command_with_cache(cache.path())).await.unwrap();
    assert_eq!(fs::metadata(&all).unwrap().permissions().mode() & 0o777, 0o700);
    kernel.shut_down().await.unwrap();
}

/// The addresses, in hexadecimal, and ports where a process listens for TCP connections.
fn listening(process: u32) -> Vec<(String, u16)> {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).unwrap().flatten();
    let links = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    let sockets: Vec<String> = links.map(|link| link.display().to_string()).collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        let table = fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // The state "listen", and the number of the socket.
            if fields[3] == "0A" && sockets.contains(&format!("socket:[{}]", fields[9])) {
                let (address, port) = fields[1].split_once(':').unwrap();
                found.push((address.to_owned(), u16::from_str_radix(port, 16).unwrap()));
            }
        }
    }
    found.sort_by_key(|(_, port)| *port);
    found
}
