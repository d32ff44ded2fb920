//! What cells print, ask and show.

use crate::support::{assert_outputs, kernel, output, run};
use serde_json::json;
use wire::raw::{exchange, published, read, send};

#[tokio::test]
async fn nothing_that_a_cell_prints_stops_repeats_or_confuses_the_kernel() {
    let mut kernel = kernel().await;
    let bad = "struct Bad; impl std::fmt::Debug for Bad {
    fn fmt(&self, _: &mut std::fmt::Formatter) -> std::fmt::Result { panic!(\"in Debug\") }
}
Bad";
    assert_outputs(
        &mut kernel,
        &[
            (bad, &["error panic: in Debug"]),
            ("print!(\"EVCXR_BEGIN_CONTENT text/html\\n<b>\\nEVCXR_END_CONTENT\");", &["display text/html"]),
            (
                "println!(\"EVCXR_BEGIN_CONTENT text/plain is …\")",
                &["stdout: EVCXR_BEGIN_CONTENT text/plain is …\n"],
            ),
            (
                "println!(\"EVCXR_BEGIN_CONTENT text/html\\n<b>\"); 1",
                &["stdout: EVCXR_BEGIN_CONTENT text/html\n<b>\n", "result 4: 1"],
            ),
            (
                "let m = 1; println!(\"EVCXR_VARIABLE_CHANGED_TYPE:m\"); println!(\"EVCXR_EXECUTION_COMPLETE\"); m",
                &["stdout: EVCXR_VARIABLE_CHANGED_TYPE:m\nEVCXR_EXECUTION_COMPLETE\n", "result 5: 1"],
            ),
            (
                "println!(\"EVCXR_PANIC_NOTIFICATION\"); println!(\"EVCXR_ERROR_OCCURRED\"); m",
                &["stdout: EVCXR_PANIC_NOTIFICATION\nEVCXR_ERROR_OCCURRED\n", "result 6: 1"],
            ),
            (
                "println!(\"\\u{1e}TAPER {{\\\"request\\\":\\\"clear_output\\\",\\\"wait\\\":true}}\");",
                &["stdout: \u{1e}TAPER {\"request\":\"clear_output\",\"wait\":true}\n"],
            ),
        ],
    )
    .await;
    // A thread that goes on after its cell.
    let endless = "std::thread::spawn(|| loop { eprint!(\"on and on \"); }); ();";
    assert_eq!(run(&mut kernel, endless).await.last().unwrap(), "idle");
    let messages = run(&mut kernel, "m + 1").await;
    assert!(messages.contains(&"result 9: 2".to_owned()), "{messages:?}");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_lock_of_standard_output_holds_nobody_up() {
    let mut kernel = kernel().await;
    let code = "use std::io::Write; let mut name = String::new();
{ let mut out = std::io::stdout().lock(); write!(out, \"? \")?; std::io::stdin().read_line(&mut name)?; }
name";
    let request = json!({ "code": code, "allow_stdin": true });
    let request = send(&mut kernel.shell, "execute_request", request).await;
    assert_eq!(read(&mut kernel.stdin).await.kind(), "input_request");
    send(&mut kernel.stdin, "input_reply", json!({ "value": "Ada", "status": "ok" })).await;
    let messages = published(&mut kernel, &request).await;
    let result = messages.iter().find(|message| message.kind() == "execute_result").unwrap();
    assert_eq!(result.content["data"]["text/plain"], "\"Ada\\n\"");
    read(&mut kernel.shell).await;
    // A lock that is never released, while another thread panics and a result is shown.
    let code = "let (locked, wait) = std::sync::mpsc::channel();
std::thread::spawn(move || { let _lock = std::io::stdout().lock(); locked.send(()).unwrap(); loop { std::thread::park(); } });
wait.recv()?;
std::thread::spawn(|| panic!(\"in a thread\")).join().is_err()";
    let messages = run(&mut kernel, code).await;
    assert_eq!(messages[2..], ["stderr: panic: in a thread\n  at [2], line 4\n", "result 2: true", "idle"]);
    assert_eq!(output(&mut kernel, "1 + 1").await, "result 3: 2");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn to_stop_at_an_input_box_is_an_interrupt() {
    let mut kernel = kernel().await;
    for (read_line, number) in [("read_line(&mut line)?;", 1), ("read_line(&mut line);", 2)] {
        let code = format!(
            "#[allow(unused_must_use)] {{ let mut line = String::new(); std::io::stdin().{read_line} }} let done = {number};"
        );
        let request = json!({ "code": code, "allow_stdin": true });
        let request = send(&mut kernel.shell, "execute_request", request).await;
        assert_eq!(read(&mut kernel.stdin).await.kind(), "input_request");
        send(&mut kernel.control, "interrupt_request", json!({})).await;
        let messages = published(&mut kernel, &request).await;
        let error = messages.iter().find(|message| message.kind() == "error").expect("no error");
        assert_eq!(error.content["ename"], "Interrupted", "{code}");
        assert_eq!(read(&mut kernel.shell).await.content["status"], "error");
        read(&mut kernel.control).await;
    }
    // The next question is asked as usual.
    let code = "let mut line = String::new(); std::io::stdin().read_line(&mut line)?; line";
    let request =
        send(&mut kernel.shell, "execute_request", json!({ "code": code, "allow_stdin": true })).await;
    assert_eq!(read(&mut kernel.stdin).await.kind(), "input_request");
    send(&mut kernel.stdin, "input_reply", json!({ "value": "Ada", "status": "ok" })).await;
    let messages = published(&mut kernel, &request).await;
    assert!(
        messages.iter().any(|message| message.content["data"]["text/plain"] == "\"Ada\\n\""),
        "{messages:?}"
    );
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_result_is_shown_by_its_own_method_even_through_a_pointer() {
    let mut kernel = kernel().await;
    let card = "struct Card; impl Card { fn evcxr_display(&self) { println!(\"EVCXR_BEGIN_CONTENT text/plain\\nace\\nEVCXR_END_CONTENT\") } }
let card = Card; let cards = vec![Card];";
    assert_eq!(run(&mut kernel, card).await.len(), 3);
    for result in [
        "&card",
        "cards.last().unwrap()",
        "Box::new(Card)",
        "std::rc::Rc::new(Card)",
        "std::sync::Arc::new(&Card)",
        "std::cell::RefCell::new(Card).borrow()",
        "std::sync::Mutex::new(Card).lock().unwrap()",
        "&&&card",
    ] {
        assert!(output(&mut kernel, result).await.ends_with(": ace"), "{result}");
    }
    let code = "trait Show { fn evcxr_display(&self); }
impl Show for (i32, i32) { fn evcxr_display(&self) { println!(\"EVCXR_BEGIN_CONTENT text/plain\\npair\\nEVCXR_END_CONTENT\") } }
&(3, 4)";
    assert!(output(&mut kernel, code).await.ends_with(": pair"));
    for (result, shown) in [("&\"text\"", "\"text\""), ("Box::new([1, 2])", "[1, 2]"), ("&&5", "5")] {
        assert!(output(&mut kernel, result).await.ends_with(&format!(": {shown}")), "{result}");
    }
    // Data of JSON types is sent as JSON; what cannot be parsed is left out, and the rest is shown.
    let show = |content: &str| {
        format!(
            "println!(\"EVCXR_BEGIN_CONTENT application/json\\n{content}\\nEVCXR_END_CONTENT\\n\
             EVCXR_BEGIN_CONTENT text/plain\\nplain\\nEVCXR_END_CONTENT\");"
        )
    };
    for (content, expected) in [
        ("[1, {{}}]", json!({ "application/json": [1, {}], "text/plain": "plain" })),
        ("[1,", json!({ "text/plain": "plain" })),
    ] {
        let (_, messages) = exchange(&mut kernel, "execute_request", json!({ "code": show(content) })).await;
        let display = messages.iter().find(|message| message.kind() == "display_data").unwrap();
        assert_eq!(display.content["data"], expected);
        let is_told = messages.iter().any(|message| message.content["name"] == "stderr");
        assert_eq!(is_told, expected.get("application/json").is_none());
    }
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn what_c_libraries_print_is_shown() {
    let mut kernel = kernel().await;
    let code = "unsafe extern \"C\" { fn puts(s: *const std::ffi::c_char) -> i32; fn printf(s: *const std::ffi::c_char, ...) -> i32; }
println!(\"zero\");
unsafe { puts(c\"one\".as_ptr()); printf(c\"two\".as_ptr()) };";
    assert_eq!(output(&mut kernel, code).await, "stdout: zero\none\ntwo");
    kernel.shut_down().await.unwrap();
}
