//! Cells that once failed, hung or lost something, each with what is right.

use crate::support::{kernel, run};
use serde_json::json;
use wire::Client;
use wire::raw::{exchange, published, read, send};

/// Runs cells one after the other; each must publish just these messages between input and idle.
async fn run_all(kernel: &mut Client, cells: &[(&str, &[&str])]) {
    for (code, expected) in cells {
        let messages = run(kernel, code).await;
        let messages: Vec<&str> = messages.iter().skip(2).map(String::as_str).collect();
        assert_eq!(messages.split_last().map(|(_, rest)| rest), Some(*expected), "{code}");
    }
}

/// The only thing that a cell publishes besides its input.
async fn one(kernel: &mut Client, code: &str) -> String {
    let mut messages = run(kernel, code).await;
    assert_eq!(messages.len(), 4, "{code}: {messages:?}");
    messages.remove(2)
}

/// A crate named `tiny`.
fn tiny(code: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    let manifest = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    std::fs::write(folder.path().join("src/lib.rs"), code).unwrap();
    folder
}

#[tokio::test]
async fn every_pattern_of_a_let_defines_its_variables() {
    let mut kernel = kernel().await;
    run_all(
        &mut kernel,
        &[
            ("let X = vec![1, 2];", &[]),
            ("let (X2, y) = (vec![1.0], 2);", &[]),
            ("(X, X2, y)", &["result 3: ([1, 2], [1.0], 2)"]),
            ("let r#type = 1u8; let _x: u8 = 2; let ñandú = 3u8; let Ω = 4u8;", &[]),
            ("(r#type, _x, ñandú, Ω)", &["result 5: (1, 2, 3, 4)"]),
            ("let [first, .., last] = [1, 2, 3]; let ((a, [b, _]), &c) = ((1, [2, 3]), &4);", &[]),
            ("(first, last, a, b, c)", &["result 7: (1, 3, 1, 2, 4)"]),
            ("#[derive(Debug)] struct In { at: (i32, i32) } #[derive(Debug)] struct Out { inner: In, rest: u8 }", &[]),
            ("let Out { inner: In { at: (left, _) }, rest } = Out { inner: In { at: (5, 6) }, rest: 7 };", &[]),
            ("(left, rest)", &["result 10: (5, 7)"]),
            ("let n @ 1..=5 = 3 else { panic!() }; let Some(QQ) = Some(4) else { panic!() };", &[]),
            // What looks like a variable is a constant here.
            ("let None = None::<u8> else { panic!() }; let (Ok(v) | Err(v)): Result<u8, u8> = Err(8);", &[]),
            ("(n, QQ, v)", &["result 13: (3, 4, 8)"]),
            ("let typed: (u8, f32) = (1, 2.0); let mut partly: Vec<_> = Vec::new(); partly.push(1u16);", &[]),
            ("partly.push(2); (typed, partly.clone())", &["result 15: ((1, 2.0), [1, 2])"]),
            ("let late; late = 5; let boxed: Box<dyn Fn(i32) -> i32> = Box::new(move |x| x + late);", &[]),
            ("boxed(late)", &["result 17: 10"]),
        ],
    )
    .await;
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_cell_that_fails_leaves_earlier_variables_as_they_were_or_says_which_are_gone() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let x = 42; let words = vec![\"a\".to_owned()]; let mut log = vec![0usize];").await;
    // Bound anew, used, and not named at all.
    let failing = "log.push(words.len()); let x: i32 = \"no\".parse()?;";
    assert_eq!(one(&mut kernel, failing).await, "error Error: invalid digit found in string");
    assert_eq!(one(&mut kernel, "(x, &words, &log)").await, "result 3: (42, [\"a\"], [0, 1])");
    let failing = "let x = x + 1; let words = 5; panic!(\"after {x} {words}\");";
    assert_eq!(one(&mut kernel, failing).await, "error panic: after 43 5");
    assert_eq!(one(&mut kernel, "(x, words.len())").await, "result 5: (42, 1)");
    // Moved before it failed.
    for (failing, message) in [
        ("let moved = words; panic!(\"no\");", "error panic: no"),
        ("let log = log.into_iter().sum::<usize>(); Err::<(), _>(\"no\")?;", "error Error: no"),
    ] {
        let name = if failing.contains("words") { "words" } else { "log" };
        let expected = format!("{message}\n`{name}` is gone: the cell had moved it before it failed.");
        assert_eq!(one(&mut kernel, failing).await, expected);
        let gone = format!("error CompileError: cannot find value `{name}` in this scope");
        assert_eq!(one(&mut kernel, name).await, gone);
    }
    // One variable that is used up does not take those along that it has borrowed from.
    let code = "let ones = vec![1, 1]; let pairs = ones.iter().zip(&kept); let sum: i32 = pairs.map(|(a, b)| a * b).sum(); sum";
    run(&mut kernel, "let kept = vec![2, 3];").await;
    assert!(one(&mut kernel, code).await.ends_with(": 5"));
    assert!(one(&mut kernel, "(kept, ones)").await.ends_with(": ([2, 3], [1, 1])"));
    let borrows = one(&mut kernel, "let own = vec![1]; let part = &own[..];").await;
    assert!(borrows.contains("`part` borrows from another variable"), "{borrows}");
    // A cell that does not compile touches nothing.
    assert!(
        one(&mut kernel, "let x = \"two\"; drop(x); let y: u8 = \"three\";").await.starts_with("error Comp")
    );
    assert!(one(&mut kernel, "x").await.ends_with(": 42"));
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn variables_of_types_of_ones_own_outlive_a_new_dependency_and_the_same_definition() {
    let mut kernel = kernel().await;
    let crate_folder = tiny("pub const NUMBER: i32 = 40;\n");
    let define = "#[derive(Debug)] pub struct P { x: i32 }";
    run(&mut kernel, define).await;
    run(&mut kernel, "let p = P { x: 1 };").await;
    let dependency = format!(":dep tiny = {{ path = {:?} }}\ntiny::NUMBER", crate_folder.path());
    run_all(
        &mut kernel,
        &[
            (dependency.as_str(), &["result 3: 40"]),
            ("p", &["result 4: P { x: 1 }"]),
            ("#[derive(Debug)]\npub struct P { x: i32 } // as it was", &[]),
            ("p.x + tiny::NUMBER", &["result 6: 41"]),
            (
                "#[derive(Debug)] pub struct P { x: String }",
                &["stderr: `p` is gone: its type was defined anew. Run the cell that makes it again.\n"],
            ),
            ("p", &["error CompileError: cannot find value `p` in this scope"]),
        ],
    )
    .await;
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn nothing_that_a_cell_prints_stops_repeats_or_confuses_the_kernel() {
    let mut kernel = kernel().await;
    let bad = "struct Bad; impl std::fmt::Debug for Bad {
    fn fmt(&self, _: &mut std::fmt::Formatter) -> std::fmt::Result { panic!(\"in Debug\") }
}
Bad";
    run_all(
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
    // Threads that go on after their cells.
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
    // One that is never given back, while another thread panics, and a result is shown.
    let code = "let (locked, wait) = std::sync::mpsc::channel();
std::thread::spawn(move || { let _lock = std::io::stdout().lock(); locked.send(()).unwrap(); loop { std::thread::park(); } });
wait.recv()?;
std::thread::spawn(|| panic!(\"in a thread\")).join().is_err()";
    let messages = run(&mut kernel, code).await;
    assert_eq!(messages[2..], ["stderr: panic: in a thread\n  at [2], line 4\n", "result 2: true", "idle"]);
    assert_eq!(one(&mut kernel, "1 + 1").await, "result 3: 2");
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
    // The next question is asked again.
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
async fn return_and_question_mark_work_in_every_cell() {
    let mut kernel = kernel().await;
    run_all(
        &mut kernel,
        &[
            ("let done = true; if done { return; } println!(\"not reached\");", &[]),
            ("let text = String::from(\"a\"); if done { drop(text); return; } let unreached = 1;", &[]),
            ("done", &["result 3: true"]),
            ("for n in 0.. { if n == 3 { println!(\"{n}\"); return; } \"1\".parse::<i32>()?; }", &["stdout: 3\n"]),
            ("let f = |x: i32| { if x > 1 { return; } println!(\"{x}\") }; f(1); f(2); 5",
             &["stderr: `f` holds a closure. Its type has no name, so the variable cannot outlive the cell.\n",
               "stdout: 1\n", "result 5: 5"]),
            ("return Ok(());", &[]),
            ("unreached", &["error CompileError: cannot find value `unreached` in this scope"]),
        ],
    )
    .await;
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_kept_gets_the_right_words_and_what_can_run_runs() {
    let mut kernel = kernel().await;
    assert_eq!(one(&mut kernel, "let x = panic!(\"never\");").await, "error panic: never");
    run_all(
        &mut kernel,
        &[
            ("let h = std::thread::spawn(|| loop { std::thread::park() });", &[]),
            ("h.is_finished()", &["result 3: false"]),
            ("fn never() -> ! { panic!() } let f = never; let pair: (u8, fn() -> !) = (1, f);", &[]),
            ("pair.0", &["result 5: 1"]),
        ],
    )
    .await;
    for (cell, words) in [
        ("let c = async |x: i32| x + 1;", "holds an async closure"),
        ("let c = |x: i32| x + 1;", "holds a closure"),
        ("let c = async { 1 };", "holds a future"),
        ("fn numbers() -> impl Iterator<Item = u8> { 0..3 } let c = numbers();", "Collect it"),
        ("fn shown() -> impl std::fmt::Display { 1 } let c = shown();", "Box it"),
        ("let c = [1].into_iter().map(|x| x + 1);", "is built on a closure"),
    ] {
        let message = one(&mut kernel, cell).await;
        assert!(message.starts_with("error TypeError: `c` ") && message.contains(words), "{cell}: {message}");
    }
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn an_impl_replaces_the_one_before_however_it_is_spelled() {
    let mut kernel = kernel().await;
    let display = |path: &str, text: &str| {
        format!(
            "impl {path} for Cat {{ fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {{ f.write_str({text:?}) }} }}\nCat.to_string()"
        )
    };
    run_all(
        &mut kernel,
        &[
            ("use std::fmt; struct Cat; #[derive(Debug, Clone)] struct W<T>(T); trait Name { fn name(&self) -> u8 { 0 } }", &[]),
            (&display("std::fmt::Display", "one"), &["result 2: \"one\""]),
            (&display("fmt::Display", "two"), &["result 3: \"two\""]),
            ("impl<T: fmt::Debug> Name for W<T> {}", &[]),
            ("impl<T: fmt::Debug + Clone> Name for W<T> { fn name(&self) -> u8 { 1 } }\nW(1).name()", &["result 5: 1"]),
            ("impl W<f64> { fn n(&self) -> u8 { 2 } fn kept(&self) -> u8 { 4 } }", &[]),
            ("impl W< f64 > { fn n(&self) -> u8 { 3 } }\n(W(1.0).n(), W(1.0).kept())", &["result 7: (3, 4)"]),
            ("impl self::W<f64> { fn n(&self) -> u8 { 5 } }\n(W(1.0).n(), W(1.0).kept())", &["result 8: (5, 4)"]),
        ],
    )
    .await;
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn items_that_macros_make_are_seen_by_functions_and_later_cells() {
    let mut kernel = kernel().await;
    run_all(
        &mut kernel,
        &[
            (
                "use std::cell::Cell;\nthread_local! { static N: Cell<i32> = const { Cell::new(4) }; }\nfn n() -> i32 { N.get() }\nn()",
                &["result 1: 4"],
            ),
            ("N.get() + n()", &["result 2: 8"]),
            ("macro_rules! point { ($name:ident) => { #[derive(Debug)] struct $name { x: i32 } } }\npoint!(A);", &[]),
            ("point! { B }\n(A { x: 1 }, B { x: 2 })", &["result 4: (A { x: 1 }, B { x: 2 })"]),
            ("point!(A);\nA { x: 3 }.x", &["result 5: 3"]),
            ("macro_rules! sum { ($a:expr, $b:expr) => { $a + $b } }\nsum!(1, 2)", &["result 6: 3"]),
            ("macro_rules! set { ($x:ident) => { $x += 1; } }\nlet mut count = 1; set!(count); count", &["result 7: 2"]),
        ],
    )
    .await;
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn rustc_tells_what_macros_of_other_crates_stand_for() {
    let mut kernel = kernel().await;
    let folder = tiny(
        "#[macro_export] macro_rules! constant { ($name:ident) => { pub const $name: i32 = 42; } }
#[macro_export] macro_rules! increase { ($x:ident) => { $x += 1; } }\n",
    );
    let dependency = format!(":dep tiny = {{ path = {:?} }}\ntiny::constant!(ANSWER);", folder.path());
    run_all(
        &mut kernel,
        &[
            (dependency.as_str(), &[]),
            (
                "fn answer() -> i32 { ANSWER }\nlet mut x = 1; tiny::increase!(x); (x, answer())",
                &["result 2: (2, 42)"],
            ),
            ("tiny::increase!(x); x", &["result 3: 3"]),
        ],
    )
    .await;
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_result_is_shown_by_its_own_method_even_behind_a_pointer() {
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
        assert!(one(&mut kernel, result).await.ends_with(": ace"), "{result}");
    }
    let code = "trait Show { fn evcxr_display(&self); }
impl Show for (i32, i32) { fn evcxr_display(&self) { println!(\"EVCXR_BEGIN_CONTENT text/plain\\npair\\nEVCXR_END_CONTENT\") } }
&(3, 4)";
    assert!(one(&mut kernel, code).await.ends_with(": pair"));
    for (result, shown) in [("&\"text\"", "\"text\""), ("Box::new([1, 2])", "[1, 2]"), ("&&5", "5")] {
        assert!(one(&mut kernel, result).await.ends_with(&format!(": {shown}")), "{result}");
    }
    // Data of JSON types is JSON, and what cannot be read does not take the rest with it.
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
async fn the_parser_speaks_first_and_every_message_has_its_place() {
    let mut kernel = kernel().await;
    for (cell, message, place) in [
        ("let a = std::", "expected identifier, found the end of the cell", "1:14"),
        ("let b = 1 +", "expected expression, found the end of the cell", "1:12"),
        ("/* open", "unterminated block comment", "1:1"),
        ("1 }", "unexpected closing delimiter: `}`", "1:3"),
        ("f(]", "mismatched closing delimiter: `]`", "1:2"),
        ("use std::{", "this cell contains an unclosed delimiter", "1:11"),
        (
            "let b = 1; let m = b.len();",
            "can't call method `len` on ambiguous numeric type `{integer}`",
            "1:22",
        ),
        (
            "let b = 1u8; let s = b.iter();",
            "no method named `iter` found for type `u8` in the current scope",
            "1:24",
        ),
        ("regex::Regex::new(\"a\")", "cannot find module or crate `regex` in this scope", "1:1"),
    ] {
        let (reply, _) = exchange(&mut kernel, "execute_request", json!({ "code": cell })).await;
        let error = &reply.content;
        assert_eq!(error["evalue"], message, "{cell}");
        let lines = error["traceback"].as_array().unwrap();
        let shown: String = lines.iter().filter_map(|line| line.as_str()).collect::<Vec<_>>().join("\n");
        assert!(shown.contains(&format!("]:{place}")), "{cell}: {shown}");
        for generated in ["taper_cell", "__cell", "lab::kernel", "_b"] {
            assert!(!shown.contains(generated), "{cell}: {shown}");
        }
        assert_eq!(cell.starts_with("regex"), shown.contains(":dep regex = "), "{shown}");
    }
    // A warning of an import of several names comes once.
    let cell = "#[deprecated] fn old() {} fn new() { old() }";
    let message = one(&mut kernel, cell).await;
    assert_eq!(message.matches("use of deprecated function").count(), 1, "{message}");
    let null = "let null = std::ptr::null::<i32>();\nunsafe { *std::hint::black_box(null) }";
    let messages = run(&mut kernel, null).await.join("\n");
    assert!(messages.contains("panic: null pointer dereference occurred\n  at [11], line 2\n"), "{messages}");
    assert!(messages.contains("error ProcessEnded") && !messages.contains("src/lib.rs"), "{messages}");
    // What the crashed cell has defined is there, too.
    let message = one(&mut kernel, "fn kept() -> u8 { 7 } std::process::abort()").await;
    assert!(message.starts_with("error ProcessEnded"), "{message}");
    assert!(one(&mut kernel, "kept()").await.ends_with(": 7"));
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn what_c_libraries_print_is_shown() {
    let mut kernel = kernel().await;
    let code = "unsafe extern \"C\" { fn puts(s: *const std::ffi::c_char) -> i32; fn printf(s: *const std::ffi::c_char, ...) -> i32; }
println!(\"zero\");
unsafe { puts(c\"one\".as_ptr()); printf(c\"two\".as_ptr()) };";
    assert_eq!(one(&mut kernel, code).await, "stdout: zero\none\ntwo");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_backtrace_holds_functions_of_all_names() {
    let mut kernel = kernel().await;
    let code =
        "#[inline(never)] fn main_loop(x: i32) -> i32 { if x > 3 { panic!(\"deep\") } __step(x + 1) + 1 }
#[inline(never)] fn __step(x: i32) -> i32 { main_loop(x) + 1 }
#[inline(never)] fn main() { println!(\"{}\", main_loop(3)); }
main()";
    let (reply, _) = exchange(&mut kernel, "execute_request", json!({ "code": code })).await;
    let lines = reply.content["traceback"].as_array().unwrap();
    let shown: String = lines.iter().filter_map(|line| line.as_str()).collect::<Vec<_>>().join("\n");
    let calls = "\n  in main_loop ([1], line 1)\n  in __step ([1], line 2)\n  in main_loop ([1], line 1)\n  in main ([1], line 3)\n  in the cell [1], line 4";
    assert!(shown.ends_with(calls), "{shown}");
    kernel.shut_down().await.unwrap();
}

/// tokio comes from the registry, as it does for a cell with `.await` at its top level.
#[tokio::test]
async fn one_runtime_of_tokio_lives_across_cells_with_and_without_await() {
    let mut kernel = kernel().await;
    let spawn = ":dep tokio = { version = \"1.34\", features = [\"rt\", \"rt-multi-thread\", \"sync\", \"time\"] }
let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
tokio::spawn(async move { for n in 0.. { if send.send(n).is_err() { break; } tokio::time::sleep(std::time::Duration::from_millis(1)).await; } });";
    assert_eq!(run(&mut kernel, spawn).await, ["busy", "input 1", "idle"]);
    run_all(
        &mut kernel,
        &[
            ("let first = receive.recv().await;", &[]),
            ("let handle = tokio::spawn(async { 5 });", &[]),
            ("(first, receive.recv().await, handle.await?)", &["result 4: (Some(0), Some(1), 5)"]),
            ("if first.is_some() { return; } tokio::task::yield_now().await;", &[]),
            (
                "let text = async { \"x\".parse::<i32>() }.await; text?",
                &["error Error: invalid digit found in string"],
            ),
            ("1 + 1", &["result 7: 2"]),
        ],
    )
    .await;
    kernel.shut_down().await.unwrap();
}
