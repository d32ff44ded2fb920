//! A cell that failed says so, and says why.

use crate::support::{completions, failure, kernel, run, traceback};

#[tokio::test]
async fn a_compile_error_shows_the_line() {
    let mut kernel = kernel().await;
    let error = failure(&mut kernel, "let a = 1;\nlet b: i32 = \"two\";").await;
    assert_eq!((error.ename.as_str(), error.evalue.as_str()), ("CompileError", "mismatched types"));
    let expected = r#"error[E0308]: mismatched types
 --> [1]:2:14
  |
2 | let b: i32 = "two";
  |        ---   ^^^^^ expected `i32`, found `&str`
  |        |
  |        expected due to this"#;
    assert_eq!(traceback(&error), expected);
    assert!(error.traceback[0].contains("\u{1b}["), "no colours");
    // No part of the cell has run.
    assert_eq!(failure(&mut kernel, "a").await.evalue, "cannot find value `a` in this scope");
    let error = failure(&mut kernel, "let ü = \"ä\"; ü.foo()").await;
    assert!(error.evalue.contains("no method named `foo`"), "{}", error.evalue);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_panic_is_an_error_and_keeps_the_variables() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let kept = vec![1, 2, 3];").await;
    let error = failure(&mut kernel, "let index = 7; kept[index]").await;
    assert_eq!(error.ename, "panic");
    assert_eq!(error.evalue.lines().next(), Some("index out of bounds: the len is 3 but the index is 7"));
    let drawn = "panic: index out of bounds: the len is 3 but the index is 7
 --> [2]:1:20
  |
1 | let index = 7; kept[index]
  |                    ^";
    assert_eq!(traceback(&error), drawn);
    assert_eq!(run(&mut kernel, "kept.len()").await[2], "result 3: 3");
    // A caught panic does not fail the cell.
    let messages =
        run(&mut kernel, "let caught = std::panic::catch_unwind(|| panic!(\"inside\")).is_err(); caught")
            .await;
    assert_eq!(
        messages,
        ["busy", "input 4", "stderr: panic: inside\n  at [4], line 1\n", "result 4: true", "idle"]
    );
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_question_mark_that_meets_an_error_is_an_error() {
    let mut kernel = kernel().await;
    let error =
        failure(&mut kernel, "let number: i32 = \"twelve\".parse()?;\nprintln!(\"not reached\");").await;
    assert_eq!((error.ename.as_str(), error.evalue.as_str()), ("Error", "invalid digit found in string"));
    // Lines that the user prints to standard error are passed on unchanged.
    let messages = run(&mut kernel, "let error = 5; eprintln!(\"{}\", error); eprintln!(\"{error}\");").await;
    assert_eq!(messages, ["busy", "input 2", "stderr: 5\n5\n", "idle"]);
    kernel.shut_down().await.unwrap();
}

/// A cell that uses more memory than it is allowed to, which is 8 GiB.
const ALL_MEMORY: &str = "unsafe extern \"C\" { fn setrlimit(what: i32, limits: *const [u64; 2]) -> i32; }
let space = if cfg!(target_os = \"linux\") { 9 } else { 5 };
assert_eq!(unsafe { setrlimit(space, &[8 << 30; 2]) }, 0);
let mut all = Vec::new();
loop { all.push(Vec::<u8>::with_capacity(1 << 26)) }";

#[tokio::test]
async fn the_end_of_the_process_is_an_error_and_the_next_cell_works() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let lost = 1;").await;
    // The analyzer is started first: a process that outlives the child must not keep its pipes open.
    assert_eq!(completions(&mut kernel, "std::process::ExitC").await, ["ExitCode"]);
    let cases = [
        ("println!(\"last words\"); std::process::abort()", "it aborted", "The variable `lost` is gone;"),
        (
            "std::process::exit(3)",
            "(exit status: 3): it called `std::process::exit`",
            "The variable `x0` is gone;",
        ),
        ("unsafe { *(8 as *mut u8) = 1 }", "it accessed invalid memory", "The variable `x1` is gone;"),
        (
            "fn deep(n: u64) -> u64 { std::hint::black_box([n; 64])[7] + deep(n + 1) } deep(0)",
            "the stack overflowed, memory ran out",
            "The variable `x2` is gone;",
        ),
        (ALL_MEMORY, "the stack overflowed, memory ran out", "The variable `x3` is gone;"),
        ("std::process::exit(0)", "(exit status: 0): it called", "The variable `x4` is gone;"),
    ];
    for (number, (code, reason, lost)) in cases.into_iter().enumerate() {
        let error = failure(&mut kernel, code).await;
        assert_eq!(error.ename, "ProcessEnded", "{code}");
        assert!(error.evalue.contains(reason) && error.evalue.contains(lost), "{}", error.evalue);
        assert!(
            run(&mut kernel, &format!("let x{number} = 1; 1 + x{number}")).await[2].ends_with(": 2"),
            "{code}"
        );
    }
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_cell_that_cannot_be_loaded_says_why_and_loses_nothing() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let kept = 7;").await;
    let code = "unsafe extern \"C\" { fn no_such_function(); }\nlet new = 1;\nunsafe { no_such_function() }";
    let error = failure(&mut kernel, code).await;
    assert_eq!(error.ename, "LoadError");
    assert!(error.evalue.contains("nothing of it has run: ") && error.evalue.contains("no_such_function"));
    assert_eq!(run(&mut kernel, "kept").await[2], "result 3: 7");
    assert_eq!(run(&mut kernel, "new").await[2], "error CompileError: cannot find value `new` in this scope");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_variable_that_cannot_be_kept_says_what_to_do() {
    let mut kernel = kernel().await;
    let error = failure(&mut kernel, "let double = |x: i32| 2 * x;").await;
    assert_eq!(error.ename, "TypeError");
    assert!(
        error.evalue.contains("`double` holds a closure") && error.evalue.contains("Box<dyn Fn"),
        "{}",
        error.evalue
    );
    let error = failure(&mut kernel, "let even = vec![1, 2].into_iter().filter(|x| x % 2 == 0);").await;
    assert!(error.evalue.contains("`even`"), "{}", error.evalue);
    // Types that rust-analyzer cannot name are kept too.
    let code = "use lab::{candle_core::{DType, Device}, candle_nn::{VarBuilder, VarMap}};
let map = VarMap::new();
let weights = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
let (mut pair, Some(third)) = ((1u8, 2.5), Some([0u16; 3])) else { panic!() };";
    assert_eq!(run(&mut kernel, code).await, ["busy", "input 3", "idle"]);
    assert_eq!(run(&mut kernel, "pair.0 += 1; (pair, third)").await[2], "result 4: ((2, 2.5), [0, 0, 0])");
    assert_eq!(run(&mut kernel, "weights.get((2, 2), \"w\")?.dims().to_vec()").await[2], "result 5: [2, 2]");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn notes_and_suggestions_are_those_of_rustc() {
    let mut kernel = kernel().await;
    let error =
        failure(&mut kernel, "let names = vec![\"ä\"];\nlet all = names.iter().map(|n| n.len()).collect();")
            .await;
    let expected = "error[E0283]: type annotations needed
 --> [1]:2:5
  |
2 | let all = names.iter().map(|n| n.len()).collect();
  |     ^^^                                 ------- type must be known at this point
  |
  = note: cannot satisfy `_: FromIterator<usize>`
  = note: required by a bound in `collect`
help: consider giving `all` an explicit type
  |
2 | let all: Vec<_> = names.iter().map(|n| n.len()).collect();
  |        ++++++++";
    assert_eq!(traceback(&error), expected);
    let error = failure(&mut kernel, "let map: HashMap<u8, u8> = Default::default();").await;
    assert!(
        traceback(&error)
            .ends_with("= help: consider importing this struct\n            use std::collections::HashMap;"),
        "{}",
        traceback(&error)
    );
    let error = failure(&mut kernel, "use std::colections::HashMap;").await;
    assert!(
        traceback(&error).starts_with("error[E0432]: unresolved import `std::colections`\n --> [3]:1:10"),
        "{}",
        traceback(&error)
    );
    // An item of an earlier cell is shown as that cell's.
    run(&mut kernel, "struct Point { x: i32 }").await;
    let error = failure(&mut kernel, "let p = Point { x: 1 };\np").await;
    let shown = traceback(&error);
    assert!(shown.starts_with("error[E0277]: `Point` doesn't implement `Debug`\n --> [5]:2:1"), "{shown}");
    assert!(shown.contains(" --> [4]:1:1\n  |\n1 + #[derive(Debug)]\n"), "{shown}");
    for generated in ["evcxr", "Evcxr", "run_user_code", "TAPER_"] {
        assert!(!shown.contains(generated), "{shown}");
    }
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn warnings_are_shown_once_and_fail_nothing() {
    let mut kernel = kernel().await;
    let messages = run(&mut kernel, "fn two() -> i32 {\n    let unused = 5;\n    2\n}\ntwo()").await;
    assert!(
        messages[2].contains("unused variable: `unused`") && messages[2].contains("[1]:2:9"),
        "{messages:?}"
    );
    assert_eq!(messages[3..], ["result 1: 2", "idle"]);
    assert_eq!(run(&mut kernel, "two()").await, ["busy", "input 2", "result 2: 2", "idle"]);
    // Variables may stay unused, and there are no warnings about generated code.
    let code = "let mut quiet = 1; let later: Result<i32, String> = Ok(1);";
    assert_eq!(run(&mut kernel, code).await, ["busy", "input 3", "idle"]);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_panic_shows_the_calls_that_led_to_it_by_their_cells() {
    let mut kernel = kernel().await;
    let code = "use lab::candle_core::{DType, Device, Tensor};
fn depth(n: u32) -> u32 {
    let size = Tensor::zeros((2, 2), DType::F32, &Device::Cpu).unwrap().to_vec1::<f32>();
    if n == 0 { size.expect(\"a vector\").len() as u32 } else { depth(n - 1) + 1 }
}";
    assert_eq!(run(&mut kernel, code).await, ["busy", "input 1", "idle"]);
    let error = failure(&mut kernel, "let n = 3;\nlet result = depth(n);\nprintln!(\"{result}\");").await;
    let shown = traceback(&error);
    assert!(
        shown.starts_with("panic: a vector: unexpected rank, expected: 1, got: 2 ([2, 2])\n --> [1]:4:"),
        "{shown}"
    );
    assert!(shown.ends_with("\n  in depth ([1], line 4), 4 times\n  in the cell [2], line 2"), "{shown}");
    // A panic in `lab` names the line of the cell too.
    let error =
        failure(&mut kernel, "let few = lab::data::drawn_sized(0, 2, 1)?;\nfew.train.image(7);").await;
    let shown = traceback(&error);
    assert!(shown.contains("--> [3]:2:11") && shown.contains("\n  at lab/src/data/split.rs:"), "{shown}");
    assert!(shown.ends_with("in lab::data::split::Split::image\n  in the cell [3], line 2"), "{shown}");
    // A closure runs code of the cell that made it.
    run(&mut kernel, "let check: Box<dyn Fn(i32)> = Box::new(|x|\n    assert!(x < 3, \"too large\"));").await;
    let error = failure(&mut kernel, "check(1);\ncheck(5);").await;
    assert!(
        traceback(&error).contains("--> [4]:2:5") && traceback(&error).ends_with("in the cell [5], line 2"),
        "{}",
        traceback(&error)
    );
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_question_mark_shows_its_line_and_what_led_to_the_error() {
    let mut kernel = kernel().await;
    // Imports under another name are known to later cells, too.
    run(&mut kernel, "use lab::anyhow::{self as problems, Context};").await;
    let code = "fn read(text: &str) -> Result<u32, problems::Error> {
    text.parse::<u32>().context(\"no number\")
}";
    assert_eq!(run(&mut kernel, code).await, ["busy", "input 2", "idle"]);
    let error =
        failure(&mut kernel, "let one = read(\"1\")?;\nlet two = read(\"zwei\").context(\"no sum\")?;").await;
    assert_eq!(error.evalue, "no sum: no number: invalid digit found in string");
    let shown = traceback(&error);
    let drawn = "Error: no sum
 --> [3]:2:11
  |
2 | let two = read(\"zwei\").context(\"no sum\")?;
  |           ^\n";
    assert!(shown.starts_with(drawn), "{shown}");
    assert!(
        shown.ends_with("\n  caused by: no number\n  caused by: invalid digit found in string"),
        "{shown}"
    );
    let code = "let boxed: Result<(), Box<dyn std::error::Error>> = Err(Box::new(std::io::Error::other(\"disk\")));\nboxed?;";
    assert_eq!(failure(&mut kernel, code).await.evalue, "disk");
    let error = failure(&mut kernel, "lab::data::from_dir(\"/no/such/folder\")?;").await;
    assert_eq!(error.evalue, "/no/such/folder: no such folder");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_variable_that_borrows_says_what_to_do() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let numbers = vec![1, 2, 3];").await;
    let error = failure(&mut kernel, "let part = &numbers[1..];").await;
    assert_eq!(error.evalue, "`part` borrows from another variable, so it cannot outlive the cell");
    let shown = traceback(&error);
    assert!(
        shown.contains("--> [2]:1:13")
            && shown.contains("`.to_vec()`, or put everything that uses it within braces"),
        "{shown}"
    );
    assert_eq!(run(&mut kernel, "let part = numbers[1..].to_vec(); part.len()").await[2], "result 3: 2");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn what_is_defined_anew_replaces_the_old_and_impl_cells_can_be_run_again() {
    let mut kernel = kernel().await;
    run(&mut kernel, "#[derive(Clone, Debug)]\nstruct Point { x: i32 }\nlet p = Point { x: 1 };").await;
    for (factor, number) in [(10, 2), (20, 3)] {
        let code = format!("impl Point {{ fn scaled(&self) -> i32 {{ self.x * {factor} }} }}\np.scaled()");
        assert_eq!(run(&mut kernel, &code).await[2], format!("result {number}: {factor}"));
    }
    // One method of two, and a trait.
    run(&mut kernel, "impl Point { fn a(&self) -> i32 { 1 } fn b(&self) -> i32 { self.x - 1 } }").await;
    assert_eq!(
        run(&mut kernel, "impl Point { fn a(&self) -> i32 { 2 } }\n(p.a(), p.b())").await[2],
        "result 5: (2, 0)"
    );
    for (name, number) in [("one", 6), ("two", 7)] {
        let code = format!(
            "impl std::fmt::Display for Point {{ fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {{ f.write_str({name:?}) }} }}\np.to_string()"
        );
        assert_eq!(run(&mut kernel, &code).await[2], format!("result {number}: {name:?}"));
    }
    let messages = run(&mut kernel, "#[derive(Clone, Debug)]\nstruct Point { x: i32, y: i32 }\n1 + 1").await;
    assert_eq!(
        messages[2..4],
        ["stderr: `p` is gone: its type was redefined. Run the cell that creates it again.\n", "result 8: 2"]
    );
    assert_eq!(run(&mut kernel, "Point { x: 3, y: 4 }.scaled()").await[2], "result 9: 60");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_missing_crate_is_named_with_the_line_that_brings_it() {
    let mut kernel = kernel().await;
    for code in [
        "serde_json::Value::Null",
        "serde_json::json!(1)",
        "use serde_json::json;",
        "extern crate serde_json;",
    ] {
        let shown = traceback(&failure(&mut kernel, code).await);
        let line = "begin the cell with the line `:dep serde_json = \"*\"`";
        assert_eq!(shown.matches(line).count(), 1, "{code}: {shown}");
    }
}
