//! Cells: what they publish, how they are answered and counted.

use crate::support::{PATIENCE, kernel, note, run};
use jupyter_protocol::{JupyterMessageContent as Content, ReplyStatus};
use serde_json::json;
use tokio::time::timeout;
use wire::raw::{ask, exchange, kinds, published, read, send};

#[tokio::test]
async fn a_cell_goes_from_busy_over_input_and_output_to_idle() {
    let mut kernel = kernel().await;
    assert_eq!(
        run(&mut kernel, "println!(\"one\"); 1 + 1").await,
        ["busy", "input 1", "stdout: one\n", "result 1: 2", "idle"]
    );
    assert_eq!(run(&mut kernel, "let x = 40;").await, ["busy", "input 2", "idle"]);
    assert_eq!(run(&mut kernel, "x + 2").await, ["busy", "input 3", "result 3: 42", "idle"]);
    // A cell that ends in `()` has no result.
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
    timeout(PATIENCE, until_idle).await.expect("the first line did not come while the cell ran").unwrap();
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
async fn the_cells_after_a_failing_one_are_aborted() {
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
        // The number of a cell that was not run must not be shown.
        let number = reply.execution_count.value();
        assert_eq!(number, usize::from(matches!(reply.status, ReplyStatus::Error)));
        statuses.push(reply.status);
    }
    assert_eq!(statuses, [ReplyStatus::Error, ReplyStatus::Aborted, ReplyStatus::Aborted]);
    assert_eq!(run(&mut kernel, "3").await[2], "result 2: 3", "aborted cells have no number");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn cells_that_may_go_on_after_a_failure_do() {
    let mut kernel = kernel().await;
    let failing = json!({ "code": "panic!(\"go on\")", "stop_on_error": false });
    let first = send(&mut kernel.shell, "execute_request", failing).await;
    let second = send(&mut kernel.shell, "execute_request", json!({ "code": "1 + 1" })).await;
    published(&mut kernel, &first).await;
    let messages = published(&mut kernel, &second).await;
    assert_eq!(kinds(&messages), ["busy", "execute_input", "execute_result", "idle"]);
    let replies = [read(&mut kernel.shell).await, read(&mut kernel.shell).await];
    assert_eq!(replies.map(|reply| reply.content["status"].clone()), ["error", "ok"]);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_reply_tells_the_number_and_the_failure() {
    let mut kernel = kernel().await;
    let reply = ask(&mut kernel, "execute_request", json!({ "code": "let x = 1;" })).await;
    let expected = json!({ "status": "ok", "execution_count": 1, "user_expressions": {}, "payload": [] });
    assert_eq!(reply, expected);
    let (reply, published) =
        exchange(&mut kernel, "execute_request", json!({ "code": "panic!(\"no\")" })).await;
    let reply = reply.content;
    assert_eq!((&reply["status"], &reply["execution_count"]), (&json!("error"), &json!(2)));
    assert_eq!((&reply["ename"], &reply["evalue"]), (&json!("panic"), &json!("no")));
    // The same on both channels.
    let error = &published.iter().find(|message| message.kind() == "error").unwrap().content;
    for field in ["ename", "evalue", "traceback"] {
        assert_eq!(reply[field], error[field]);
    }
    assert!(error["traceback"].as_array().unwrap().iter().all(|line| line.is_string()));
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_cell_that_is_not_stored_is_not_counted() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let x = 1;").await;
    let (reply, published) =
        exchange(&mut kernel, "execute_request", json!({ "code": "x + 1", "store_history": false })).await;
    assert_eq!(kinds(&published), ["busy", "execute_input", "execute_result", "idle"]);
    assert_eq!(reply.content["execution_count"], 1);
    assert_eq!(run(&mut kernel, "x").await[1], "input 2");
    let history = ask(&mut kernel, "history_request", json!({ "hist_access_type": "tail", "n": 9 })).await;
    assert_eq!(history["history"], json!([[0, 1, "let x = 1;"], [0, 2, "x"]]));
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_silent_cell_leaves_no_trace_but_its_effect() {
    let mut kernel = kernel().await;
    let code = "let x = 5; println!(\"not seen\"); lab::display::html(\"not seen\"); x";
    let (reply, published) =
        exchange(&mut kernel, "execute_request", json!({ "code": code, "silent": true })).await;
    assert_eq!(kinds(&published), ["busy", "idle"]);
    assert_eq!((&reply.content["status"], &reply.content["execution_count"]), (&json!("ok"), &json!(0)));
    let failing = json!({ "code": "panic!(\"quiet\")", "silent": true });
    let (reply, published) = exchange(&mut kernel, "execute_request", failing).await;
    assert_eq!(kinds(&published), ["busy", "idle"]);
    assert_eq!((&reply.content["status"], &reply.content["evalue"]), (&json!("error"), &json!("quiet")));
    // The next cell's output is published again.
    assert_eq!(
        run(&mut kernel, "println!(\"{x}\"); x").await,
        ["busy", "input 1", "stdout: 5\n", "result 1: 5", "idle"]
    );
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn expressions_are_answered_with_the_reply() {
    let mut kernel = kernel().await;
    let expressions = json!({ "sum": "seven + 1", "bad": "no_such_name", "loud": "println!(\"not seen\")" });
    let request = json!({ "code": "let seven = 7;", "user_expressions": expressions });
    let (reply, published) = exchange(&mut kernel, "execute_request", request).await;
    assert_eq!(kinds(&published), ["busy", "execute_input", "idle"]);
    let answers = &reply.content["user_expressions"];
    assert_eq!(answers["sum"], json!({ "status": "ok", "data": { "text/plain": "8" }, "metadata": {} }));
    assert_eq!(answers["loud"]["status"], "ok");
    let bad = &answers["bad"];
    assert_eq!((&bad["status"], &bad["ename"]), (&json!("error"), &json!("CompileError")));
    assert!(bad["evalue"].as_str().unwrap().contains("no_such_name") && bad["traceback"].is_array(), "{bad}");
    // Expressions are not counted as cells.
    assert_eq!(run(&mut kernel, "1").await[1], "input 2");
    // After a failure nothing is evaluated.
    let request = json!({ "code": "panic!()", "user_expressions": { "one": "1" } });
    let reply = ask(&mut kernel, "execute_request", request).await;
    assert_eq!((&reply["status"], &reply["user_expressions"]), (&json!("error"), &json!({})));
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_cell_can_ask_the_user() {
    let mut kernel = kernel().await;
    let read_line =
        "let mut answer = String::new();\nstd::io::stdin().read_line(&mut answer)?;\nprint!(\"<{answer}>\");";
    let ask = "println!(\"EVCXR_INPUT_REQUEST:name?\");\n";
    for (code, prompt) in [(read_line.to_owned(), ""), (format!("{ask}{read_line}"), "name?")] {
        let request =
            send(&mut kernel.shell, "execute_request", json!({ "code": code, "allow_stdin": true })).await;
        let question = read(&mut kernel.stdin).await;
        assert_eq!((question.kind(), &question.parent), ("input_request", &request));
        assert_eq!(question.content, json!({ "prompt": prompt, "password": false }));
        send(&mut kernel.stdin, "input_reply", json!({ "value": "Ada", "status": "ok" })).await;
        let messages = published(&mut kernel, &request).await;
        let printed: String =
            messages.iter().filter_map(|message| message.content["text"].as_str()).collect();
        assert_eq!(printed.replace('\n', ""), "<Ada>");
        assert_eq!(read(&mut kernel.shell).await.content["status"], "ok");
    }
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_user_who_cannot_be_asked_is_not() {
    let mut kernel = kernel().await;
    let code = "let mut answer = String::new();\nstd::io::stdin().read_line(&mut answer)?;";
    let reply = ask(&mut kernel, "execute_request", json!({ "code": code, "allow_stdin": false })).await;
    assert_eq!((&reply["status"], &reply["ename"]), (&json!("error"), &json!("StdinNotImplementedError")));
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn results_are_shown_as_they_show_themselves_or_as_the_user_has_set() {
    let mut kernel = kernel().await;
    // The cell has an import, next to which rustc could suggest others.
    let shown = "use std::collections::BTreeMap;\nlet map = BTreeMap::from([(1, \"one\")]);\nmap";
    assert_eq!(run(&mut kernel, shown).await[2], "result 1: {1: \"one\"}");
    let card = "struct Card;\nimpl Card { fn evcxr_display(&self) { println!(\"EVCXR_BEGIN_CONTENT text/plain\\nace\\nEVCXR_END_CONTENT\") } }\nCard";
    assert_eq!(run(&mut kernel, card).await[2], "result 2: ace");
    let messages = run(&mut kernel, "Box::new(Card)").await;
    assert_eq!(messages[2], "result 3: ace");
    let messages = run(&mut kernel, ":fmt {:#?}\n(1, map.len())").await;
    assert!(messages.contains(&"result 4: (\n    1,\n    1,\n)".to_owned()), "{messages:?}");
    let messages = run(&mut kernel, "let moved = vec![1]; drop(moved); 7").await;
    assert_eq!(messages[2], "result 5: 7");
    kernel.shut_down().await.unwrap();
}
