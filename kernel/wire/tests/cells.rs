//! Cells: the messages that are published for them, in which order, and other requests meanwhile.

use crate::echo;
use serde_json::{Value, json};
use std::collections::HashMap;
use wire::raw::{Message, ask, exchange, kinds, published, read, send};

#[tokio::test]
async fn a_cell_goes_from_busy_over_input_and_output_to_idle() {
    let (mut kernel, _running) = echo::start().await;
    let request = json!({ "code": "print one\nshow two\nprint three\nfour" });
    let (reply, cell) = exchange(&mut kernel, "execute_request", request).await;
    let expected = ["busy", "execute_input", "stream", "display_data", "stream", "execute_result", "idle"];
    assert_eq!(kinds(&cell), expected);
    let contents: Vec<&Value> = cell[1..6].iter().map(|message| &message.content).collect();
    assert_eq!(contents[0]["execution_count"], 1);
    assert_eq!(contents[1], &json!({ "name": "stdout", "text": "one\n" }));
    assert_eq!(contents[2], &json!({ "data": { "text/plain": "two" }, "metadata": {} }));
    assert_eq!(contents[4]["data"], json!({ "text/plain": "four" }));
    assert_eq!((&reply.content["status"], &reply.content["execution_count"]), (&json!("ok"), &json!(1)));

    let (reply, cell) = exchange(&mut kernel, "execute_request", json!({ "code": "fail here" })).await;
    assert_eq!(kinds(&cell), ["busy", "execute_input", "error", "idle"]);
    let error = json!({ "ename": "Failed", "evalue": "here", "traceback": ["Failed: here"] });
    assert_eq!(cell[2].content, error);
    for field in ["ename", "evalue", "traceback"] {
        assert_eq!(reply.content[field], error[field]);
    }
    assert_eq!(reply.content["status"], "error");
}

#[tokio::test]
async fn requests_are_answered_while_a_cell_runs() {
    let (mut kernel, running) = echo::start().await;
    let cell = send(&mut kernel.shell, "execute_request", json!({ "code": "print running\nwait" })).await;
    while read(&mut kernel.iopub).await.kind() != "stream" {}
    let position = json!({ "code": "x", "cursor_pos": 1 });
    for (kind, content) in [
        ("kernel_info_request", json!({})),
        ("comm_info_request", json!({})),
        ("history_request", json!({ "hist_access_type": "tail", "n": 1 })),
        ("complete_request", position.clone()),
        ("inspect_request", position),
    ] {
        let (reply, messages) = exchange(&mut kernel, kind, content.clone()).await;
        assert_eq!((&reply.content["status"], kinds(&messages)), (&json!("ok"), vec!["busy", "idle"]));
        // A client that only looks at the last status must not take the kernel for idle.
        let status = read(&mut kernel.iopub).await;
        assert_eq!((&status.content["execution_state"], &status.parent), (&json!("busy"), &cell));
        let request = send(&mut kernel.control, kind, content).await;
        let reply = read(&mut kernel.control).await;
        assert_eq!((&reply.content["status"], &reply.parent), (&json!("ok"), &request));
        published(&mut kernel, &request).await;
        assert_eq!(read(&mut kernel.iopub).await.parent, cell);
    }
    running.go_on();
    let reply = read(&mut kernel.shell).await;
    assert_eq!((&reply.content["status"], &reply.parent), (&json!("ok"), &cell));
    assert_eq!(kinds(&published(&mut kernel, &cell).await), ["idle"]);
}

#[tokio::test]
async fn nothing_says_busy_of_a_request_that_has_become_idle() {
    const CELLS: usize = 300;
    let (mut kernel, _running) = echo::start().await;
    let mut cells = Vec::new();
    let mut others = Vec::new();
    for _ in 0..CELLS {
        cells.push(send(&mut kernel.shell, "execute_request", json!({ "code": "1" })).await);
        others.push(send(&mut kernel.control, "kernel_info_request", json!({})).await);
        others.push(send(&mut kernel.shell, "kernel_info_request", json!({})).await);
    }
    // A message that is published too late would arrive before the next request is idle.
    for _ in 0..CELLS {
        read(&mut kernel.control).await;
        read(&mut kernel.shell).await;
        read(&mut kernel.shell).await;
    }
    let last = send(&mut kernel.shell, "kernel_info_request", json!({})).await;
    let mut states: HashMap<String, Vec<Value>> = HashMap::new();
    let id = |request: &Value| request["msg_id"].as_str().unwrap().to_owned();
    loop {
        let message = read(&mut kernel.iopub).await;
        if message.parent == last && message.is_idle() {
            break;
        }
        if message.kind() == "status" {
            states.entry(id(&message.parent)).or_default().push(message.content["execution_state"].clone());
        }
    }
    for request in &others {
        assert_eq!(states[&id(request)], ["busy", "idle"]);
    }
    for cell in &cells {
        let states = &states[&id(cell)];
        let (last, earlier) = states.split_last().unwrap();
        assert_eq!(last, "idle", "{states:?}");
        assert!(!earlier.is_empty() && earlier.iter().all(|state| state == "busy"), "{states:?}");
    }
}

#[tokio::test]
async fn an_interrupt_ends_the_cell_that_runs_and_no_other() {
    let (mut kernel, _running) = echo::start().await;
    let interrupted = send(&mut kernel.shell, "execute_request", json!({ "code": "print x\nwait" })).await;
    while read(&mut kernel.iopub).await.kind() != "stream" {}
    let request = send(&mut kernel.control, "interrupt_request", json!({})).await;
    let reply = read(&mut kernel.control).await;
    assert_eq!((reply.kind(), &reply.parent), ("interrupt_reply", &request));
    assert_eq!(reply.content, json!({ "status": "ok" }));
    let reply = read(&mut kernel.shell).await;
    assert_eq!((&reply.parent, &reply.content["ename"]), (&interrupted, &json!("Interrupted")));
    assert_eq!(kinds(&published(&mut kernel, &interrupted).await).last(), Some(&"idle"));
    // Without a running cell there is nothing to interrupt.
    send(&mut kernel.control, "interrupt_request", json!({})).await;
    assert_eq!(read(&mut kernel.control).await.content, json!({ "status": "ok" }));
    assert_eq!(ask(&mut kernel, "execute_request", json!({ "code": "1" })).await["status"], "ok");
}

#[tokio::test]
async fn the_cells_that_wait_when_one_fails_are_aborted() {
    let (mut kernel, running) = echo::start().await;
    let mut requests = Vec::new();
    for code in ["print x\nwait\nfail here", "print not run", "not run either"] {
        requests.push(send(&mut kernel.shell, "execute_request", json!({ "code": code })).await);
    }
    // Requests are read in order: once this one is answered the kernel has all three.
    let info = send(&mut kernel.shell, "kernel_info_request", json!({})).await;
    assert_eq!(read(&mut kernel.shell).await.parent, info);
    running.go_on();
    let replies =
        [read(&mut kernel.shell).await, read(&mut kernel.shell).await, read(&mut kernel.shell).await];
    let parents: Vec<&Value> = replies.iter().map(|reply| &reply.parent).collect();
    assert_eq!(parents, requests.iter().collect::<Vec<_>>());
    assert_eq!(replies[0].content["evalue"], "here");
    assert!(replies[1..].iter().all(|reply| reply.content == json!({ "status": "aborted" })));
    let first = published(&mut kernel, &requests[0]).await;
    assert_eq!(kinds(&first)[first.len() - 2..], ["error", "idle"]);
    for request in &requests[1..] {
        assert_eq!(kinds(&published(&mut kernel, request).await), ["busy", "idle"]);
    }
    // A cell that arrives after the failure was seen is run.
    assert_eq!(ask(&mut kernel, "execute_request", json!({ "code": "1" })).await["execution_count"], 2);

    // A failing cell without `stop_on_error` does not stop the others.
    let first = json!({ "code": "fail again", "stop_on_error": false });
    send(&mut kernel.shell, "execute_request", first).await;
    send(&mut kernel.shell, "execute_request", json!({ "code": "2" })).await;
    let statuses: [Message; 2] = [read(&mut kernel.shell).await, read(&mut kernel.shell).await];
    assert_eq!(statuses.map(|reply| reply.content["status"].clone()), ["error", "ok"]);
}

#[tokio::test]
async fn a_shutdown_is_answered_and_its_end_is_told() {
    for restart in [false, true] {
        for on_shell in [false, true] {
            let (mut kernel, running) = echo::start().await;
            let cell = send(&mut kernel.shell, "execute_request", json!({ "code": "print x\nwait" })).await;
            while read(&mut kernel.iopub).await.kind() != "stream" {}
            let content = json!({ "restart": restart });
            let request = match on_shell {
                true => send(&mut kernel.shell, "shutdown_request", content.clone()).await,
                false => send(&mut kernel.control, "shutdown_request", content.clone()).await,
            };
            let reply = match on_shell {
                true => read(&mut kernel.shell).await,
                false => read(&mut kernel.control).await,
            };
            assert_eq!((reply.kind(), &reply.parent), ("shutdown_reply", &request));
            assert_eq!(reply.content, json!({ "status": "ok", "restart": restart }));
            assert_eq!(kinds(&published(&mut kernel, &request).await), ["busy", "idle"]);
            assert_eq!(read(&mut kernel.iopub).await.parent, cell);
            assert!(running.ended().await, "the kernel has not been told");
        }
    }
}

#[tokio::test]
async fn a_kernel_that_is_told_to_end_ends() {
    let (_kernel, mut running) = echo::start().await;
    running.end.take();
    assert!(running.ended().await, "the kernel has not been told");
}
