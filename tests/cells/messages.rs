//! The messages of cells that fail, and their places.

use crate::support::{failure, kernel, output, run, traceback};

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
        let error = failure(&mut kernel, cell).await;
        assert_eq!(error.evalue, message, "{cell}");
        let shown = traceback(&error);
        assert!(shown.contains(&format!("]:{place}")), "{cell}: {shown}");
        for generated in ["taper_cell", "__cell", "lab::kernel", "_b"] {
            assert!(!shown.contains(generated), "{cell}: {shown}");
        }
        assert_eq!(cell.starts_with("regex"), shown.contains(":dep regex = "), "{shown}");
    }
    // A warning comes once.
    let cell = "#[deprecated] fn old() {} fn new() { old() }";
    let message = output(&mut kernel, cell).await;
    assert_eq!(message.matches("use of deprecated function").count(), 1, "{message}");
    let null = "let null = std::ptr::null::<i32>();\nunsafe { *std::hint::black_box(null) }";
    let messages = run(&mut kernel, null).await.join("\n");
    assert!(messages.contains("panic: null pointer dereference occurred\n  at [11], line 2\n"), "{messages}");
    assert!(messages.contains("error ProcessEnded") && !messages.contains("src/lib.rs"), "{messages}");
    // Items of the crashed cell are kept.
    let message = output(&mut kernel, "fn kept() -> u8 { 7 } std::process::abort()").await;
    assert!(message.starts_with("error ProcessEnded"), "{message}");
    assert!(output(&mut kernel, "kept()").await.ends_with(": 7"));
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
    let shown = traceback(&failure(&mut kernel, code).await);
    let calls = "\n  in main_loop ([1], line 1)\n  in __step ([1], line 2)\n  in main_loop ([1], line 1)\n  in main ([1], line 3)\n  in the cell [1], line 4";
    assert!(shown.ends_with(calls), "{shown}");
    kernel.shut_down().await.unwrap();
}
