//! Requests that are answered without a cell.

use crate::echo;
use serde_json::{Value, json};
use std::collections::HashSet;
use wire::raw::{Message, ask, exchange, kinds, published, read, send};

#[tokio::test]
async fn every_message_says_what_it_is_and_what_it_answers() {
    let (mut kernel, _running) = echo::start().await;
    let request =
        send(&mut kernel.shell, "execute_request", json!({ "code": "print a\nshow b\nfail c" })).await;
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
}

#[tokio::test]
async fn the_kernel_says_what_it_is() {
    let (mut kernel, _running) = echo::start().await;
    let (reply, published) = exchange(&mut kernel, "kernel_info_request", json!({})).await;
    assert_eq!(kinds(&published), ["busy", "idle"]);
    let expected = json!({
        "status": "ok",
        "protocol_version": "5.4",
        "implementation": "echo",
        "implementation_version": "1.2.3",
        "language_info": { "name": "echo", "version": "4", "mimetype": "text/plain", "file_extension": ".txt" },
        "banner": "hello",
        "help_links": [{ "text": "A link", "url": "https://example.org/" }],
        "debugger": false,
        "supported_features": [],
    });
    assert_eq!(reply.content, expected);
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_answered_with_an_error() {
    let (mut kernel, _running) = echo::start().await;
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
}

#[tokio::test]
async fn a_request_may_leave_out_what_has_a_default() {
    let (mut kernel, _running) = echo::start().await;
    let (reply, published) = exchange(&mut kernel, "execute_request", json!({ "code": "1" })).await;
    assert_eq!(kinds(&published), ["busy", "execute_input", "execute_result", "idle"]);
    assert_eq!(reply.content["execution_count"], 1);
    let request = json!({ "hist_access_type": "search", "pattern": "*" });
    assert_eq!(ask(&mut kernel, "history_request", request).await["history"], json!([[0, 1, "1"]]));
}

#[tokio::test]
async fn messages_that_the_kernel_does_not_know_are_ignored() {
    let (mut kernel, _running) = echo::start().await;
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
    // The next reply belongs to the next request, so the messages above got none.
    assert_eq!(ask(&mut kernel, "kernel_info_request", json!({})).await["implementation"], "echo");
}

#[tokio::test]
async fn there_are_no_comms_and_one_that_is_opened_is_closed() {
    let (mut kernel, _running) = echo::start().await;
    for request in [json!({}), json!({ "target_name": "jupyter.widget" })] {
        let reply = ask(&mut kernel, "comm_info_request", request).await;
        assert_eq!(reply, json!({ "status": "ok", "comms": {} }));
    }
    let open = json!({ "comm_id": "c", "target_name": "unknown", "data": { "some": "thing" } });
    let request = send(&mut kernel.shell, "comm_open", open).await;
    let published = published(&mut kernel, &request).await;
    assert_eq!(kinds(&published), ["busy", "comm_close", "idle"]);
    assert_eq!(published[1].content, json!({ "comm_id": "c", "data": {} }));
}

#[tokio::test]
async fn a_debugger_is_told_that_there_is_none() {
    let (mut kernel, _running) = echo::start().await;
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
}

#[tokio::test]
async fn code_is_complete_or_not() {
    let (mut kernel, _running) = echo::start().await;
    for (code, status, indent) in [("one", "complete", ""), ("one ", "incomplete", "  ")] {
        let reply = ask(&mut kernel, "is_complete_request", json!({ "code": code })).await;
        assert_eq!(reply, json!({ "status": status, "indent": indent }));
    }
}

#[tokio::test]
async fn history_is_found_by_its_end_by_numbers_and_by_pattern() {
    let (mut kernel, _running) = echo::start().await;
    for code in ["one", "print two", "one", "x two"] {
        ask(&mut kernel, "execute_request", json!({ "code": code })).await;
    }
    let (one, two, three, four) =
        (json!([0, 1, "one"]), json!([0, 2, "print two"]), json!([0, 3, "one"]), json!([0, 4, "x two"]));
    let cases = [
        (json!({ "hist_access_type": "tail", "n": 2, "output": false, "raw": true }), vec![&three, &four]),
        (json!({ "hist_access_type": "tail", "n": 99, "raw": false }), vec![&one, &two, &three, &four]),
        (json!({ "hist_access_type": "range", "session": 0, "start": 2, "stop": 4 }), vec![&two, &three]),
        (json!({ "hist_access_type": "range", "start": -1, "stop": null }), vec![&four]),
        (json!({ "hist_access_type": "range", "session": 7, "start": 1, "stop": 4 }), vec![]),
        (json!({ "hist_access_type": "search", "pattern": "o?e" }), vec![&one, &three]),
        (json!({ "hist_access_type": "search", "pattern": "o?e", "unique": true }), vec![&three]),
        (json!({ "hist_access_type": "search", "pattern": "*two*", "n": 1 }), vec![&four]),
        (json!({ "hist_access_type": "search", "pattern": "two" }), vec![]),
    ];
    for (request, expected) in cases {
        let reply = ask(&mut kernel, "history_request", request.clone()).await;
        assert_eq!(reply, json!({ "status": "ok", "history": expected }), "{request}");
    }
    let request = json!({ "hist_access_type": "tail", "n": 2, "output": true });
    let expected = json!([[0, 3, ["one", "one"]], [0, 4, ["x two", "x two"]]]);
    assert_eq!(ask(&mut kernel, "history_request", request).await["history"], expected);
}

#[tokio::test]
async fn cursors_are_counted_in_code_points() {
    let (mut kernel, _running) = echo::start().await;
    // The letters before the cursor have 1 to 4 bytes, and one or two units in JavaScript.
    let code = "日本 aß🦀é rest";
    let request = json!({ "code": code, "cursor_pos": 7 });
    let reply = ask(&mut kernel, "complete_request", request.clone()).await;
    let item =
        json!({ "text": "aß🦀éaß🦀é", "type": "word", "signature": "aß🦀é aß🦀é", "start": 3, "end": 7 });
    let expected = json!({
        "status": "ok",
        "matches": ["aß🦀éaß🦀é"],
        "cursor_start": 3,
        "cursor_end": 7,
        "metadata": { "_jupyter_types_experimental": [item] },
    });
    assert_eq!(reply, expected);
    let reply = ask(&mut kernel, "inspect_request", request).await;
    let expected =
        json!({ "status": "ok", "found": true, "data": { "text/plain": " rest" }, "metadata": {} });
    assert_eq!(reply, expected);
    // A cursor beyond the end of the code counts as one at the end.
    let reply = ask(&mut kernel, "inspect_request", json!({ "code": code, "cursor_pos": 99 })).await;
    assert_eq!(reply, json!({ "status": "ok", "found": false, "data": {}, "metadata": {} }));
}

#[tokio::test]
async fn completions_outside_of_the_code_are_none() {
    let (mut kernel, _running) = echo::start().await;
    let reply = ask(&mut kernel, "complete_request", json!({ "code": "é ?", "cursor_pos": 3 })).await;
    let nothing = json!({ "_jupyter_types_experimental": [] });
    let expected =
        json!({ "status": "ok", "matches": [], "cursor_start": 3, "cursor_end": 3, "metadata": nothing });
    assert_eq!(reply, expected);
}
