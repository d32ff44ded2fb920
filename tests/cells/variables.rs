//! Variables: what defines them, what they outlive, and what is said of those that are gone.

use crate::support::{assert_outputs, kernel, output, run, tiny_crate};

#[tokio::test]
async fn every_pattern_of_a_let_defines_its_variables() {
    let mut kernel = kernel().await;
    assert_outputs(
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
            // `None` looks like a variable but is a constant.
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
    // `x` is bound anew, `log` is changed, `words` is only used.
    let failing = "log.push(words.len()); let x: i32 = \"no\".parse()?;";
    assert_eq!(output(&mut kernel, failing).await, "error Error: invalid digit found in string");
    assert_eq!(output(&mut kernel, "(x, &words, &log)").await, "result 3: (42, [\"a\"], [0, 1])");
    let failing = "let x = x + 1; let words = 5; panic!(\"after {x} {words}\");";
    assert_eq!(output(&mut kernel, failing).await, "error panic: after 43 5");
    assert_eq!(output(&mut kernel, "(x, words.len())").await, "result 5: (42, 1)");
    // Variables that the cell had moved before it failed.
    for (failing, message) in [
        ("let moved = words; panic!(\"no\");", "error panic: no"),
        ("let log = log.into_iter().sum::<usize>(); Err::<(), _>(\"no\")?;", "error Error: no"),
    ] {
        let name = if failing.contains("words") { "words" } else { "log" };
        let expected = format!("{message}\n`{name}` is gone: the cell had moved it before it failed.");
        assert_eq!(output(&mut kernel, failing).await, expected);
        let gone = format!("error CompileError: cannot find value `{name}` in this scope");
        assert_eq!(output(&mut kernel, name).await, gone);
    }
    // A variable that is used up does not cost those that it has borrowed from.
    let code = "let ones = vec![1, 1]; let pairs = ones.iter().zip(&kept); let sum: i32 = pairs.map(|(a, b)| a * b).sum(); sum";
    run(&mut kernel, "let kept = vec![2, 3];").await;
    assert!(output(&mut kernel, code).await.ends_with(": 5"));
    assert!(output(&mut kernel, "(kept, ones)").await.ends_with(": ([2, 3], [1, 1])"));
    let borrows = output(&mut kernel, "let own = vec![1]; let part = &own[..];").await;
    assert!(borrows.contains("`part` borrows from another variable"), "{borrows}");
    // A cell that does not compile changes nothing.
    assert!(
        output(&mut kernel, "let x = \"two\"; drop(x); let y: u8 = \"three\";")
            .await
            .starts_with("error Comp")
    );
    assert!(output(&mut kernel, "x").await.ends_with(": 42"));
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn variables_of_types_of_ones_own_outlive_a_new_dependency_and_the_same_definition() {
    let mut kernel = kernel().await;
    let crate_folder = tiny_crate("pub const NUMBER: i32 = 40;\n");
    let define = "#[derive(Debug)] pub struct P { x: i32 }";
    run(&mut kernel, define).await;
    run(&mut kernel, "let p = P { x: 1 };").await;
    let dependency = format!(":dep tiny = {{ path = {:?} }}\ntiny::NUMBER", crate_folder.path());
    assert_outputs(
        &mut kernel,
        &[
            (dependency.as_str(), &["result 3: 40"]),
            ("p", &["result 4: P { x: 1 }"]),
            ("#[derive(Debug)]\npub struct P { x: i32 } // as it was", &[]),
            ("p.x + tiny::NUMBER", &["result 6: 41"]),
            (
                "#[derive(Debug)] pub struct P { x: String }",
                &["stderr: `p` is gone: its type was redefined. Run the cell that creates it again.\n"],
            ),
            ("p", &["error CompileError: cannot find value `p` in this scope"]),
        ],
    )
    .await;
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn return_and_question_mark_work_in_every_cell() {
    let mut kernel = kernel().await;
    assert_outputs(
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
    assert_eq!(output(&mut kernel, "let x = panic!(\"never\");").await, "error panic: never");
    assert_outputs(
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
        let message = output(&mut kernel, cell).await;
        assert!(message.starts_with("error TypeError: `c` ") && message.contains(words), "{cell}: {message}");
    }
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
    assert_outputs(
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
