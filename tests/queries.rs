//! Requests that change nothing: kernel_info, history, completion, inspection.

use crate::support::{kernel, run};
use serde_json::{Value, json};
use std::process::Command;
use wire::raw::{ask, exchange, kinds};

#[tokio::test]
async fn the_kernel_says_what_it_is() {
    let mut kernel = kernel().await;
    let output = Command::new("rustc").arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap().split(' ').nth(1).unwrap().to_owned();
    let (reply, published) = exchange(&mut kernel, "kernel_info_request", json!({})).await;
    assert_eq!(kinds(&published), ["busy", "idle"]);
    let mut info = reply.content;
    let links = info["help_links"].take();
    let links = links.as_array().unwrap();
    assert_eq!(
        links[0],
        json!({ "text": "The Rust Programming Language", "url": "https://doc.rust-lang.org/book/" })
    );
    let expected = json!({
        "status": "ok",
        "protocol_version": "5.4",
        "implementation": "taper",
        "implementation_version": env!("CARGO_PKG_VERSION"),
        "language_info": {
            "name": "rust",
            "version": version,
            "mimetype": "text/rust",
            "file_extension": ".rs",
            "pygments_lexer": "rust",
            "codemirror_mode": "rust",
            "nbconvert_exporter": "script",
        },
        "banner": format!("taper {}: Rust {version}, warm", env!("CARGO_PKG_VERSION")),
        "help_links": null,
        "debugger": false,
        "supported_features": [],
    });
    assert_eq!(info, expected);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_cell_is_complete_incomplete_or_invalid() {
    let mut kernel = kernel().await;
    for (code, status, indent) in [
        ("let x = 1;", "complete", ""),
        ("fn f() {", "incomplete", "    "),
        ("let x =", "incomplete", ""),
        ("}", "invalid", ""),
        ("println!(\"x\")))", "invalid", ""),
        ("f([])])", "invalid", ""),
    ] {
        let reply = ask(&mut kernel, "is_complete_request", json!({ "code": code })).await;
        assert_eq!(reply, json!({ "status": status, "indent": indent }), "{code}");
    }
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn history_holds_the_cells_and_their_results() {
    let mut kernel = kernel().await;
    for code in ["1 + 1", "let x = 1;", "x + 2", "no_such_name"] {
        run(&mut kernel, code).await;
    }
    let request = json!({ "hist_access_type": "tail", "n": 4, "output": true });
    let expected = json!([
        [0, 1, ["1 + 1", "2"]],
        [0, 2, ["let x = 1;", ""]],
        [0, 3, ["x + 2", "3"]],
        [0, 4, ["no_such_name", ""]],
    ]);
    assert_eq!(ask(&mut kernel, "history_request", request).await["history"], expected);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn completion_knows_the_session_and_counts_characters() {
    let mut kernel = kernel().await;
    run(&mut kernel, "use lab::candle_core::{Device, DType, Tensor};\nlet größe = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;").await;
    let complete = |code: &str, cursor: usize| json!({ "code": code, "cursor_pos": cursor });

    let code = "let ß = \"日本\"; größe.is_cont";
    let reply = ask(&mut kernel, "complete_request", complete(code, code.chars().count())).await;
    let item = json!({ "text": "is_contiguous()", "type": "function", "signature": "is_contiguous()", "start": 20, "end": 27 });
    let expected = json!({
        "status": "ok",
        "matches": ["is_contiguous()"],
        "cursor_start": 20,
        "cursor_end": 27,
        "metadata": { "_jupyter_types_experimental": [item] },
    });
    assert_eq!(reply, expected);

    // The cursor is in the middle, with more text after it.
    let reply = ask(&mut kernel, "complete_request", complete("let n = 5u8.is_pow; n", 18)).await;
    assert_eq!(reply["matches"], json!(["is_power_of_two()"]));
    assert_eq!((&reply["cursor_start"], &reply["cursor_end"]), (&json!(12), &json!(18)));

    let reply = ask(&mut kernel, "complete_request", complete("größe.no_such_thing", 19)).await;
    let nothing = json!({ "_jupyter_types_experimental": [] });
    let expected =
        json!({ "status": "ok", "matches": [], "cursor_start": 19, "cursor_end": 19, "metadata": nothing });
    assert_eq!(reply, expected);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn inspection_finds_what_is_under_the_cursor_or_says_that_it_does_not() {
    let mut kernel = kernel().await;
    run(&mut kernel, "use lab::candle_core::Tensor;").await;
    let mut texts = Vec::new();
    for detail_level in [json!(0), json!(1), Value::Null] {
        let request = json!({ "code": "Tensor::zeros", "cursor_pos": 10, "detail_level": detail_level });
        let (reply, published) = exchange(&mut kernel, "inspect_request", request).await;
        assert_eq!(kinds(&published), ["busy", "idle"]);
        assert_eq!((&reply.content["status"], &reply.content["found"]), (&json!("ok"), &json!(true)));
        assert!(reply.content["data"]["text/html"].as_str().unwrap().contains("filled with zeros"));
        texts.push(reply.content["data"]["text/plain"].as_str().unwrap().to_owned());
    }
    assert!(texts[0].contains("filled with zeros"), "{}", texts[0]);
    // There is one level of detail.
    assert!(texts.iter().all(|text| *text == texts[0]));

    // After the call, and for a variable of the same cell; for a macro, within its arguments.
    for (code, expected) in [
        ("let n = 5u8; n.is_power_of_two()", "Returns true if and only if self == 2^k"),
        ("let v = vec![1, ", "Creates a Vec containing the arguments"),
        ("struct S { f: u8 } impl S { fn f(&self) -> u8 { 1 } } let s = S { f: 1 }; s.f", "f: u8"),
        (
            "struct S { f: u8 } impl S { fn f(&self) -> u8 { 1 } } let s = S { f: 1 }; s.f()",
            "fn f(&self) -> u8",
        ),
    ] {
        let request = json!({ "code": code, "cursor_pos": code.chars().count(), "detail_level": 0 });
        let reply = ask(&mut kernel, "inspect_request", request).await;
        let text = reply["data"]["text/plain"].as_str().unwrap_or_default();
        assert!(text.contains(expected), "{code}: {text}");
    }
    let request = json!({ "code": "no_such_thing", "cursor_pos": 3, "detail_level": 0 });
    let reply = ask(&mut kernel, "inspect_request", request).await;
    assert_eq!(reply, json!({ "status": "ok", "found": false, "data": {}, "metadata": {} }));
    kernel.shut_down().await.unwrap();
}
