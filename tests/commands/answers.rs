//! Commands that answer a question.

use crate::support::{failure, kernel, outputs, result, run, stock, traceback};
use jupyter_protocol::MediaType;
use std::fs;
use std::path::PathBuf;
use wire::Client;

#[tokio::test]
async fn the_commands_that_help_names_are_those_of_the_stock_kernel_and_the_edition() {
    let mut kernel = kernel().await;
    let help = outputs(&mut kernel, ":help").await.remove(0);
    kernel.shut_down().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = stock();
    command.current_dir(folder.path()).env("EVCXR_CONFIG_DIR", folder.path());
    let mut stock = Client::start(&mut command).await.unwrap();
    let stocks = outputs(&mut stock, ":help").await.remove(0);
    stock.shut_down().await.unwrap();
    let lines = |result: &str| -> Vec<String> {
        let (_, text) = result.split_once(": ").unwrap();
        text.trim_end().lines().map(str::to_owned).collect()
    };
    let (mut ours, stocks) = (lines(&help), lines(&stocks));
    let edition = ours.iter().position(|line| line.starts_with(":edition ")).unwrap();
    ours.remove(edition);
    assert_eq!(ours, stocks);
}

#[tokio::test]
async fn variables_are_listed_and_types_told_of_variables_and_expressions() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let name = \"<a>\".to_owned(); let r#type = [(1u8, None::<f64>)];").await;
    let listed = result(&mut kernel, ":vars").await;
    let text = "name: std::string::String\nr#type: [(u8, std::option::Option<f64>); 1]\n";
    assert!(listed.contains(&MediaType::Plain(text.into())), "{listed:?}");
    let row = "<tr><td>r#type</td><td>[(u8, std::option::Option&lt;f64&gt;); 1]</td></tr>";
    assert!(
        listed.iter().any(|media| matches!(media, MediaType::Html(html) if html.contains(row))),
        "{listed:?}"
    );
    for (count, line, answer) in [
        (3, ":type name", "name: std::string::String"),
        (4, ":t name.len() + 1 // note", "name.len() + 1: usize"),
        (5, ":t |x: u8| x", "|x: u8| x: {closure}"),
        (6, ":t std::process::exit(1)", "std::process::exit(1): !"),
    ] {
        assert_eq!(outputs(&mut kernel, line).await, [format!("result {count}: {answer}")]);
    }
    assert_eq!(
        traceback(&failure(&mut kernel, ":t name + other").await),
        "error[E0425]: cannot find value `other` in this scope\n --> [7]:1:11\n  |\n1 | :t name + other\n  |           ^^^^^ not found in this scope"
    );
    assert_eq!(outputs(&mut kernel, "name").await, ["result 8: \"<a>\""]);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn documentation_is_that_of_help() {
    let mut kernel = kernel().await;
    run(&mut kernel, "/// What is meant.\nfn meant() {}").await;
    for (line, words) in [
        (":doc Vec", "A contiguous growable array type"),
        (":doc meant // note", "What is meant."),
        (":doc Option::map", "Maps an Option<T>"),
        (":doc vec!", "Creates a Vec containing the arguments"),
    ] {
        let answer = result(&mut kernel, line).await;
        let has = |media: &MediaType| matches!(media, MediaType::Plain(text) if text.contains(words));
        assert!(answer.iter().any(has), "{line}: {answer:?}");
        assert!(answer.iter().any(|media| matches!(media, MediaType::Html(_))), "{line}");
    }
    let nothing = ["result 6: No documentation found for `NoSuchThing`\n"];
    assert_eq!(outputs(&mut kernel, ":doc NoSuchThing").await, nothing);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn the_last_error_is_explained() {
    let mut kernel = kernel().await;
    for line in [":explain", ":last_error_json"] {
        let none = "error CommandError: no cell has failed to compile yet";
        assert_eq!(outputs(&mut kernel, line).await, [none]);
    }
    run(&mut kernel, "let x: u8 = \"text\";").await;
    let explained = &outputs(&mut kernel, ":explain").await[0];
    assert!(explained.contains("Expected type did not match the received type."), "{explained}");
    let json = &outputs(&mut kernel, ":last_error_json").await[0];
    let json: serde_json::Value = serde_json::from_str(json.split_once(": ").unwrap().1).unwrap();
    assert_eq!((&json["code"]["code"], &json["message"]), (&"E0308".into(), &"mismatched types".into()));
    let folder = &outputs(&mut kernel, ":last_compile_dir").await[0];
    let folder = PathBuf::from(folder.split_once(": ").unwrap().1.trim_end());
    assert!(fs::read_to_string(folder.join("src/lib.rs")).unwrap().contains("let x: u8 = \"text\";"));
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn timing_says_after_each_cell_how_long_it_took() {
    let mut kernel = kernel().await;
    assert_eq!(outputs(&mut kernel, ":timing").await, ["result 1: Timing: true\n"]);
    let took = regex::Regex::new("^stdout: took [0-9]+\\.[0-9]{2} s\n$").unwrap();
    let messages = outputs(&mut kernel, "1 + 1").await;
    assert!(messages[0] == "result 2: 2" && took.is_match(&messages[1]), "{messages:?}");
    let messages = outputs(&mut kernel, "panic!(\"no\")").await;
    assert!(messages.len() == 2 && messages.iter().any(|message| took.is_match(message)), "{messages:?}");
    assert_eq!(outputs(&mut kernel, ":timing").await, ["result 4: Timing: false\n"]);
    assert_eq!(outputs(&mut kernel, "1 + 1").await, ["result 5: 2"]);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_shell_shows_what_it_prints_and_its_failure_is_one() {
    let mut kernel = kernel().await;
    assert_eq!(outputs(&mut kernel, "!printf 'one\\ntwo ü'").await, ["stdout: one\ntwo ü"]);
    let messages = outputs(&mut kernel, "!echo no >&2; exit 3\n1 + 1").await;
    assert_eq!(messages, ["stderr: no\n", "error CommandError: the command failed (exit status: 3)"]);
    // A program in the background does not hold up the cell.
    assert_eq!(outputs(&mut kernel, "!echo on; sleep 1000 &\n1 + 1").await, ["stdout: on\n", "result 3: 2"]);
    let quit = &outputs(&mut kernel, "!echo ran\n:quit").await;
    assert!(
        quit.len() == 1 && quit[0].starts_with("error CommandError: `:quit` would end the kernel"),
        "{quit:?}"
    );
    kernel.shut_down().await.unwrap();
}
