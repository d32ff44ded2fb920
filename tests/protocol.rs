//! The messaging protocol 5.4, <https://jupyter-client.readthedocs.io/en/stable/messaging.html>: what a client may send,
//! what the kernel does then, and the test that shows it. A test is in this file if it is not in the one named.
//!
//! | message | behaviour | test |
//! |---|---|---|
//! | any message | header with version 5.4, own id, the kernel's session; the request's header as parent; on IOPub under its type as topic | every_message_says_what_it_is_and_what_it_answers |
//! | any message | wrongly signed: ignored | a_message_with_a_wrong_signature_is_ignored |
//! | any request | does not have what its type wants: a reply with status `error` | a_request_that_makes_no_sense_is_answered_with_an_error |
//! | any request | fields with a default may be missing or null | a_request_may_leave_out_what_has_a_default |
//! | any request | answered between busy and idle, on shell and control, also while a cell runs; then busy again | requests_are_answered_while_a_cell_runs |
//! | unknown messages | busy, idle, no reply | messages_that_the_kernel_does_not_know_are_ignored |
//! | iopub_welcome | sent to each subscriber (JEP 65) | a_subscriber_is_welcomed_and_hears_its_topic |
//! | execute | busy, execute_input, outputs in order, execute_result, idle; counted from 1 | execution::a_cell_goes_from_busy_over_input_and_output_to_idle |
//! | execute, reply | number, `payload`, `user_expressions`; after a failure the same error as on IOPub | execution::a_reply_tells_the_number_and_the_failure |
//! | execute, `silent` | only busy and idle on IOPub, neither counted nor stored | execution::a_silent_cell_leaves_no_trace_but_its_effect |
//! | execute, `store_history: false` | runs and shows, neither counted nor stored | execution::a_cell_that_is_not_stored_is_not_counted |
//! | execute, `user_expressions` | each answered by itself, without a trace on IOPub | execution::expressions_are_answered_with_the_reply |
//! | execute, `stop_on_error: true` | the cells that wait are answered `aborted` | execution::the_cells_behind_a_failing_one_are_aborted |
//! | execute, `stop_on_error: false` | the cells that wait are run | execution::cells_that_may_go_on_after_a_failure_do |
//! | execute, `allow_stdin: true` | input_request on stdin whenever a cell reads a line | execution::a_cell_can_ask_the_user |
//! | execute, `allow_stdin: false` | a cell that reads a line fails | execution::a_user_who_cannot_be_asked_is_not |
//! | stream | as it is printed, whole lines or not | execution::streams_come_live_and_whole |
//! | display_data, update_display_data, clear_output | in order with the streams, with `text/plain` | execution::displays_come_in_order_with_text |
//! | kernel_info | language, version of the compiler, no debugger, no optional features | queries::the_kernel_says_what_it_is |
//! | is_complete | as the language has it; an indent if there is more to come | queries::a_cell_is_complete_incomplete_or_invalid |
//! | history | `tail`, `range`, `search` with `n`, `unique`, `output`; one session, numbered 0 | queries::history_is_found_by_its_end_by_numbers_and_by_pattern |
//! | complete | positions in code points; types in `_jupyter_types_experimental` | queries::completion_knows_the_session_and_counts_characters |
//! | inspect | one level of detail; `found: false` with empty data | queries::inspection_finds_what_is_under_the_cursor_or_says_that_it_does_not |
//! | comm_info, comm_open | none; a comm_close with the same id | there_are_no_comms_and_one_that_is_opened_is_closed |
//! | comm_msg, comm_close | ignored | messages_that_the_kernel_does_not_know_are_ignored |
//! | interrupt | answered at once; ends the cell | interrupt::code_that_does_not_look_is_ended_and_the_lost_variables_are_named |
//! | interrupt, no cell | answered, nothing else | an_interrupt_without_a_cell_changes_nothing |
//! | shutdown | answered with the same `restart`; all processes and files are gone | life::a_shutdown_leaves_nothing_behind |
//! | debug | the debug adapter protocol's response for a failure | a_debugger_is_told_that_there_is_none |
//! | heartbeat | sends back what comes | the_heartbeat_sends_back_what_comes |

use crate::support::{kernel, root, run};
use jupyter_protocol::{ExecuteRequest, JupyterMessage, KernelInfoRequest};
use jupyter_zmq_client::{
    create_client_heartbeat_connection, create_client_iopub_connection,
    create_client_shell_connection_with_identity, peer_identity_for_session,
};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::timeout;
use wire::raw::{Message, ask, exchange, kinds, published, read, send};
use zeromq::{SocketRecv, SocketSend, ZmqMessage};

#[tokio::test]
async fn every_message_says_what_it_is_and_what_it_answers() {
    let mut kernel = kernel().await;
    let code = "println!(\"a\"); lab::display::html(\"b\"); panic!(\"c\")";
    let request = send(&mut kernel.shell, "execute_request", json!({ "code": code })).await;
    let cell = published(&mut kernel, &request).await;
    assert_eq!(kinds(&cell), ["busy", "execute_input", "stream", "display_data", "error", "idle"]);
    for message in &cell {
        assert_eq!(message.topic, message.kind());
    }
    let mut all: Vec<Message> = cell;
    all.push(read(&mut kernel.shell).await);
    let other = send(&mut kernel.control, "kernel_info_request", json!({})).await;
    let reply = read(&mut kernel.control).await;
    assert_eq!(reply.parent, other);
    for message in &all {
        assert_eq!(message.parent, request, "{message:?}");
    }
    all.push(reply);
    let text = |header: &Value, field: &str| header[field].as_str().unwrap().to_owned();
    let ids: HashSet<String> = all.iter().map(|message| text(&message.header, "msg_id")).collect();
    let sessions: HashSet<String> = all.iter().map(|message| text(&message.header, "session")).collect();
    assert_eq!((ids.len(), sessions.len()), (all.len(), 1));
    assert!(!sessions.contains(request["session"].as_str().unwrap()), "the kernel's session is its own");
    for Message { header, metadata, .. } in &all {
        assert_eq!((&header["version"], &header["username"]), (&json!("5.4"), &json!("taper")));
        assert!(text(header, "date").ends_with('Z') && metadata.is_object());
    }
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_subscriber_is_welcomed_and_hears_its_topic() {
    let mut kernel = kernel().await;
    for topic in ["", "stream"] {
        let mut iopub = create_client_iopub_connection(&kernel.connection, topic, "listener").await.unwrap();
        let welcome = read(&mut iopub).await;
        assert_eq!((welcome.kind(), welcome.topic.as_str()), ("iopub_welcome", topic));
        assert_eq!((&welcome.content, &welcome.parent), (&json!({ "subscription": topic }), &json!({})));
        run(&mut kernel, "println!(\"heard\")").await;
        let next = read(&mut iopub).await;
        assert_eq!(next.kind(), if topic.is_empty() { "status" } else { "stream" });
    }
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_message_with_a_wrong_signature_is_ignored() {
    let mut kernel = kernel().await;
    let mut forged = kernel.connection.clone();
    forged.key = "not the key".into();
    let identity = peer_identity_for_session("stranger").unwrap();
    let mut stranger =
        create_client_shell_connection_with_identity(&forged, "stranger", identity).await.unwrap();
    stranger.send(JupyterMessage::new(ExecuteRequest::new("let forged = 1;".into()), None)).await.unwrap();
    stranger.send(JupyterMessage::new(KernelInfoRequest {}, None)).await.unwrap();
    // The kernel goes on, has not run the cell, and has not answered.
    assert!(
        run(&mut kernel, "forged").await[2].starts_with("error CompileError: cannot find value `forged`")
    );
    assert!(timeout(Duration::from_millis(200), stranger.read()).await.is_err());
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_answered_with_an_error() {
    let mut kernel = kernel().await;
    for (kind, content, why) in [
        ("execute_request", json!({ "silent": false }), "missing field `code`"),
        ("complete_request", json!({ "code": "x", "cursor_pos": "end" }), "invalid type: string"),
        ("history_request", json!({ "hist_access_type": "all" }), "unknown variant `all`"),
    ] {
        let (reply, published) = exchange(&mut kernel, kind, content).await;
        assert_eq!(kinds(&published), ["busy", "idle"], "{kind}");
        assert_eq!(reply.kind(), kind.replace("request", "reply"));
        let reply = reply.content;
        assert_eq!((&reply["status"], &reply["ename"]), (&json!("error"), &json!("MalformedRequest")));
        assert!(reply["evalue"].as_str().unwrap().contains(why), "{reply}");
    }
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_request_may_leave_out_what_has_a_default() {
    let mut kernel = kernel().await;
    let (reply, published) = exchange(&mut kernel, "execute_request", json!({ "code": "1 + 1" })).await;
    assert_eq!(kinds(&published), ["busy", "execute_input", "execute_result", "idle"]);
    assert_eq!(reply.content["execution_count"], 1);
    let request = json!({ "hist_access_type": "search", "pattern": "*" });
    assert_eq!(ask(&mut kernel, "history_request", request).await["history"], json!([[0, 1, "1 + 1"]]));
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn messages_that_the_kernel_does_not_know_are_ignored() {
    let mut kernel = kernel().await;
    let comm = json!({ "comm_id": "c", "data": {} });
    for (kind, content) in [
        ("fancy_request", json!({ "x": 1 })),
        ("comm_msg", comm.clone()),
        ("comm_close", comm),
        ("kernel_info_reply", json!({})),
    ] {
        let request = send(&mut kernel.shell, kind, content).await;
        assert_eq!(kinds(&published(&mut kernel, &request).await), ["busy", "idle"], "{kind}");
    }
    // The next reply is that of the next request.
    assert_eq!(ask(&mut kernel, "kernel_info_request", json!({})).await["implementation"], "taper");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn there_are_no_comms_and_one_that_is_opened_is_closed() {
    let mut kernel = kernel().await;
    for request in [json!({}), json!({ "target_name": "jupyter.widget" })] {
        let reply = ask(&mut kernel, "comm_info_request", request).await;
        assert_eq!(reply, json!({ "status": "ok", "comms": {} }));
    }
    let open = json!({ "comm_id": "c", "target_name": "unknown", "data": { "some": "thing" } });
    let request = send(&mut kernel.shell, "comm_open", open).await;
    let published = published(&mut kernel, &request).await;
    assert_eq!(kinds(&published), ["busy", "comm_close", "idle"]);
    assert_eq!(published[1].content, json!({ "comm_id": "c", "data": {} }));
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_debugger_is_told_that_there_is_none() {
    let mut kernel = kernel().await;
    let request = json!({ "type": "request", "seq": 3, "command": "debugInfo", "arguments": {} });
    let request = send(&mut kernel.control, "debug_request", request).await;
    let reply = read(&mut kernel.control).await;
    assert_eq!((reply.kind(), &reply.parent), ("debug_reply", &request));
    let expected = json!({
        "type": "response",
        "seq": 0,
        "request_seq": 3,
        "command": "debugInfo",
        "success": false,
        "message": "this kernel has no debugger",
    });
    assert_eq!(reply.content, expected);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn the_heartbeat_sends_back_what_comes() {
    let kernel = kernel().await;
    let mut heartbeat = create_client_heartbeat_connection(&kernel.connection).await.unwrap();
    for beat in ["one", "two"] {
        heartbeat.socket.send(ZmqMessage::from(beat)).await.unwrap();
        let back = timeout(Duration::from_secs(20), heartbeat.socket.recv()).await.unwrap().unwrap();
        assert_eq!(back.get(0).unwrap().as_ref(), beat.as_bytes());
    }
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn requests_are_answered_while_a_cell_runs() {
    let mut kernel = kernel().await;
    let folder = tempfile::tempdir().unwrap();
    let go_on = folder.path().join("go on");
    let code = format!("println!(\"running\"); while !std::path::Path::new({go_on:?}).exists() {{}}");
    let cell = send(&mut kernel.shell, "execute_request", json!({ "code": code })).await;
    while read(&mut kernel.iopub).await.kind() != "stream" {}
    for kind in ["kernel_info_request", "comm_info_request", "history_request"] {
        let content = json!({ "hist_access_type": "tail", "n": 1 });
        assert_eq!(ask(&mut kernel, kind, content.clone()).await["status"], "ok");
        // Whoever goes by the last status must not take the kernel for idle.
        let status = read(&mut kernel.iopub).await;
        assert_eq!((&status.content["execution_state"], &status.parent), (&json!("busy"), &cell));
        let request = send(&mut kernel.control, kind, content).await;
        let reply = read(&mut kernel.control).await;
        assert_eq!((&reply.content["status"], &reply.parent), (&json!("ok"), &request));
    }
    std::fs::write(go_on, "").unwrap();
    let reply = read(&mut kernel.shell).await;
    assert_eq!((&reply.content["status"], &reply.parent), (&json!("ok"), &cell));
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn an_interrupt_without_a_cell_changes_nothing() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let kept = 7;").await;
    let request = send(&mut kernel.control, "interrupt_request", json!({})).await;
    let reply = read(&mut kernel.control).await;
    assert_eq!((reply.kind(), &reply.parent), ("interrupt_reply", &request));
    assert_eq!(reply.content, json!({ "status": "ok" }));
    assert_eq!(run(&mut kernel, "kept").await[2], "result 2: 7");
    kernel.shut_down().await.unwrap();
}

#[test]
fn the_table_above_names_tests_that_exist() {
    let source = std::fs::read_to_string(root().join("tests/protocol.rs")).unwrap();
    let rows: Vec<&str> = source.lines().filter(|line| line.starts_with("//! | ")).skip(1).collect();
    for row in &rows {
        let test = row.trim_end_matches(" |").rsplit("| ").next().unwrap().trim();
        let (module, name) = test.split_once("::").unwrap_or(("protocol", test));
        let tests = std::fs::read_to_string(root().join(format!("tests/{module}.rs"))).unwrap();
        assert!(tests.contains(&format!("fn {name}(")), "{row}");
    }
    assert_eq!(rows.len(), 30);
}
