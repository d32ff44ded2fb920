//! What a kernel says, message by message.

use crate::support::{kernel, note, plain, run};
use jupyter_protocol::{
    CommInfoRequest, CommOpen, CompleteRequest, ExecuteRequest, HistoryEntry, HistoryRequest, InspectRequest,
    IsCompleteReplyStatus, IsCompleteRequest, JupyterMessage, JupyterMessageContent as Content,
    KernelInfoRequest, ReplyStatus,
};
use jupyter_zmq_client::{
    create_client_heartbeat_connection, create_client_shell_connection_with_identity,
    peer_identity_for_session,
};
use std::time::Duration;
use tokio::time::timeout;

async fn ask(kernel: &mut crate::client::Client, request: impl Into<Content>) -> Content {
    let request = JupyterMessage::new(request, None);
    let id = request.header.msg_id.clone();
    kernel.shell.send(request).await.unwrap();
    kernel.reply_to(&id).await.unwrap().content
}

#[tokio::test]
async fn a_cell_goes_from_busy_over_input_and_output_to_idle() {
    let mut kernel = kernel().await;
    assert_eq!(
        run(&mut kernel, "println!(\"one\"); 1 + 1").await,
        ["busy", "input 1", "stdout: one\n", "result 1: 2", "idle"]
    );
    assert_eq!(run(&mut kernel, "let x = 40;").await, ["busy", "input 2", "idle"]);
    assert_eq!(run(&mut kernel, "x + 2").await, ["busy", "input 3", "result 3: 42", "idle"]);
    // Nothing is not a result.
    assert_eq!(run(&mut kernel, "println!(\"two\")").await, ["busy", "input 4", "stdout: two\n", "idle"]);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn streams_come_live_and_whole() {
    let mut kernel = kernel().await;
    let code = "eprintln!(\"to stderr\"); print!(\"without newline\");";
    let mut messages = run(&mut kernel, code).await;
    messages[2..4].sort();
    assert_eq!(messages, ["busy", "input 1", "stderr: to stderr\n", "stdout: without newline", "idle"]);

    // The second line is printed only when the first has been seen outside.
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let code = format!(
        "println!(\"first\"); while !std::path::Path::new({seen:?}).exists() {{}} println!(\"second\");"
    );
    let id = kernel.execute(&code).await.unwrap();
    let mut messages = Vec::new();
    let until_idle = kernel.until_idle(&id, |message| {
        note(&mut messages, message)?;
        if messages.last().is_some_and(|last| last == "stdout: first\n") {
            std::fs::write(&seen, "")?;
        }
        Ok(())
    });
    timeout(Duration::from_secs(60), until_idle)
        .await
        .expect("the first line did not come while the cell ran")
        .unwrap();
    assert_eq!(messages, ["busy", "input 2", "stdout: first\nsecond\n", "idle"]);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn displays_come_in_order_with_text() {
    let mut kernel = kernel().await;
    let code = "use lab::display;\nprintln!(\"a\"); display::html(\"<b>b</b>\"); println!(\"c\"); display::markdown(\"*d*\");";
    let expected = [
        "busy",
        "input 1",
        "stdout: a\n",
        "display text/html text/plain",
        "stdout: c\n",
        "display text/markdown text/plain",
        "idle",
    ];
    assert_eq!(run(&mut kernel, code).await, expected);
    let code = "display::Display::html(\"1\").show_as(\"x\"); display::Display::html(\"2\").update(\"x\"); display::clear(true);";
    let expected = [
        "busy",
        "input 2",
        "display text/html text/plain",
        "update text/html text/plain",
        "clear wait=true",
        "idle",
    ];
    assert_eq!(run(&mut kernel, code).await, expected);
    // evcxr's own format, as other crates use it: the types of one display stay together, the last one is the result.
    let code = r#"struct Card;
impl Card { fn evcxr_display(&self) {
    println!("EVCXR_BEGIN_CONTENT text/html\n<i>\nEVCXR_END_CONTENT\nEVCXR_BEGIN_CONTENT text/plain\ncard\nEVCXR_END_CONTENT");
} }
Card.evcxr_display(); println!("then"); Card"#;
    let expected =
        ["busy", "input 3", "display text/html text/plain", "stdout: then\n", "result 3: card", "idle"];
    assert_eq!(run(&mut kernel, code).await, expected);
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
async fn the_cells_behind_a_failing_one_are_aborted() {
    let mut kernel = kernel().await;
    let ids = [
        kernel.execute("panic!(\"stop\")").await.unwrap(),
        kernel.execute("1").await.unwrap(),
        kernel.execute("2").await.unwrap(),
    ];
    let mut statuses = Vec::new();
    for id in &ids {
        kernel.until_idle(id, |_| Ok(())).await.unwrap();
        let Content::ExecuteReply(reply) = kernel.reply_to(id).await.unwrap().content else {
            panic!("no reply")
        };
        statuses.push(reply.status);
    }
    assert_eq!(statuses, [ReplyStatus::Error, ReplyStatus::Aborted, ReplyStatus::Aborted]);
    assert_eq!(run(&mut kernel, "3").await[2], "result 2: 3", "aborted cells have no number");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_silent_cell_leaves_no_trace_but_its_effect() {
    let mut kernel = kernel().await;
    let mut request = ExecuteRequest::new("let x = 5; x".into());
    (request.silent, request.store_history) = (true, false);
    let request = JupyterMessage::new(request, None);
    let id = request.header.msg_id.clone();
    kernel.shell.send(request).await.unwrap();
    let mut messages = Vec::new();
    kernel.until_idle(&id, |message| note(&mut messages, message)).await.unwrap();
    assert_eq!(messages, ["busy", "idle"]);
    assert_eq!(run(&mut kernel, "x").await, ["busy", "input 1", "result 1: 5", "idle"]);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn requests_are_answered_while_a_cell_runs() {
    let mut kernel = kernel().await;
    let folder = tempfile::tempdir().unwrap();
    let go_on = folder.path().join("go on");
    let code = format!("println!(\"running\"); while !std::path::Path::new({go_on:?}).exists() {{}}");
    let id = kernel.execute(&code).await.unwrap();
    while !matches!(kernel.iopub.read().await.unwrap().content, Content::StreamContent(_)) {}
    assert!(matches!(ask(&mut kernel, KernelInfoRequest {}).await, Content::KernelInfoReply(_)));
    let mut heartbeat = create_client_heartbeat_connection(&kernel.connection).await.unwrap();
    timeout(Duration::from_secs(5), heartbeat.single_heartbeat()).await.unwrap().unwrap();
    std::fs::write(go_on, "").unwrap();
    let Content::ExecuteReply(reply) = kernel.reply_to(&id).await.unwrap().content else {
        panic!("no reply")
    };
    assert_eq!(reply.status, ReplyStatus::Ok);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn small_requests_have_real_answers() {
    let mut kernel = kernel().await;
    let Content::KernelInfoReply(info) = ask(&mut kernel, KernelInfoRequest {}).await else {
        panic!("no info")
    };
    assert_eq!((info.language_info.name.as_str(), info.implementation.as_str()), ("rust", "taper"));
    for (code, status, indent) in [
        ("let x = 1;", IsCompleteReplyStatus::Complete, ""),
        ("fn f() {", IsCompleteReplyStatus::Incomplete, "    "),
        ("}", IsCompleteReplyStatus::Invalid, ""),
    ] {
        let Content::IsCompleteReply(reply) = ask(&mut kernel, IsCompleteRequest { code: code.into() }).await
        else {
            panic!("no reply")
        };
        assert_eq!(
            (format!("{:?}", reply.status), reply.indent.as_str()),
            (format!("{status:?}"), indent),
            "{code}"
        );
    }
    run(&mut kernel, "1 + 1").await;
    run(&mut kernel, "2 + 2").await;
    let tail = HistoryRequest::Tail { n: 1, output: true, raw: true };
    let Content::HistoryReply(history) = ask(&mut kernel, tail).await else { panic!("no history") };
    assert!(
        matches!(&history.history[..], [HistoryEntry::InputOutput(0, 2, (input, output))] if input == "2 + 2" && output == "4"),
        "{:?}",
        history.history
    );
    let Content::CommInfoReply(comms) = ask(&mut kernel, CommInfoRequest { target_name: None }).await else {
        panic!("no comms")
    };
    assert!(comms.comms.is_empty());
    // A comm that nobody handles is closed.
    let id = jupyter_protocol::CommId("c".into());
    let open = CommOpen {
        comm_id: id,
        target_name: "unknown".into(),
        data: Default::default(),
        target_module: None,
    };
    kernel.shell.send(JupyterMessage::new(open, None)).await.unwrap();
    let closed =
        async { while !matches!(kernel.iopub.read().await.unwrap().content, Content::CommClose(_)) {} };
    timeout(Duration::from_secs(5), closed).await.unwrap();
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn completion_and_help_know_the_session_and_count_characters() {
    let mut kernel = kernel().await;
    run(&mut kernel, "use lab::candle_core::{Device, DType, Tensor};\nlet größe = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;").await;
    let code = "let ß = \"日本\"; größe.sha";
    let request = CompleteRequest { code: code.into(), cursor_pos: code.chars().count() };
    let Content::CompleteReply(reply) = ask(&mut kernel, request).await else { panic!("no completion") };
    assert!(reply.matches.iter().any(|text| text.starts_with("shape")), "{:?}", reply.matches);
    assert_eq!((reply.cursor_start, reply.cursor_end), (20, 23));

    let request = InspectRequest { code: "Tensor::zeros".into(), cursor_pos: 10, detail_level: Some(0) };
    let Content::InspectReply(reply) = ask(&mut kernel, request).await else { panic!("no help") };
    assert!(reply.found);
    assert!(plain(&reply.data).contains("filled with zeros"), "{}", plain(&reply.data));
    let request = InspectRequest { code: "no_such_thing".into(), cursor_pos: 3, detail_level: Some(0) };
    let Content::InspectReply(reply) = ask(&mut kernel, request).await else { panic!("no help") };
    assert!(!reply.found);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_cell_can_ask_the_user() {
    let mut kernel = kernel().await;
    let id = kernel.execute("println!(\"EVCXR_INPUT_REQUEST:name?\");\nlet mut answer = String::new();\nstd::io::stdin().read_line(&mut answer)?;\nprintln!(\"hello {}\", answer.trim());").await.unwrap();
    let Content::InputRequest(question) =
        timeout(Duration::from_secs(60), kernel.stdin.read()).await.unwrap().unwrap().content
    else {
        panic!("no question")
    };
    assert_eq!((question.prompt.as_str(), question.password), ("name?", false));
    let answer = jupyter_protocol::InputReply { value: "Ada".into(), status: ReplyStatus::Ok, error: None };
    kernel.stdin.send(JupyterMessage::new(answer, None)).await.unwrap();
    let mut messages = Vec::new();
    kernel.until_idle(&id, |message| note(&mut messages, message)).await.unwrap();
    assert_eq!(messages, ["busy", "input 1", "stdout: hello Ada\n", "idle"]);
    kernel.shut_down().await.unwrap();
}
