//! Completion and help: what is known without the analyzer, when it starts, and what it sees.

use crate::support::{
    completions, kernel, kernel_command, kernel_in, run, tiny_crate, users_folder, wait_until,
};
use environment::processes::descendants;
use jupyter_protocol::{ExecuteRequest, JupyterMessage};
use serde_json::json;
use std::fs;
use std::process::Command;
use wire::Client;
use wire::raw::{ask, read, send};

/// The processes of the kernel's analyzer.
fn analyzers(kernel: u32) -> Vec<u32> {
    let started = descendants(kernel, &[]);
    let is_analyzer = |id: &u32| {
        let arguments = Command::new("ps").args(["-o", "args=", "-p", &id.to_string()]).output().unwrap();
        String::from_utf8_lossy(&arguments.stdout).trim().ends_with(" analyzer")
    };
    started.into_iter().filter(is_analyzer).collect()
}

/// What Shift-Tab shows at the end of the code.
async fn help(kernel: &mut Client, code: &str) -> String {
    let request = json!({ "code": code, "cursor_pos": code.chars().count(), "detail_level": 0 });
    let reply = ask(kernel, "inspect_request", request).await;
    reply["data"]["text/plain"].as_str().unwrap_or_default().to_owned()
}

/// Runs a cell as JupyterLab does, which says which cell it is.
async fn run_cell(kernel: &mut Client, id: &str, code: &str) {
    let mut request = JupyterMessage::new(ExecuteRequest::new(code.to_owned()), None);
    request.metadata = json!({ "cellId": id });
    let request_id = request.header.msg_id.clone();
    kernel.shell.send(request).await.unwrap();
    kernel.until_idle(&request_id, |_| Ok(())).await.unwrap();
}

fn signal(process: u32, name: &str) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
}

#[tokio::test]
async fn a_kernel_that_nobody_types_in_has_no_analyzer() {
    let mut kernel = kernel().await;
    let process = kernel.process().id();
    for code in ["let x = 1;", "x + 1", "let x = 2;"] {
        run(&mut kernel, code).await;
    }
    for (kind, content) in [
        ("kernel_info_request", json!({})),
        ("comm_info_request", json!({})),
        ("history_request", json!({ "hist_access_type": "tail", "n": 4, "output": false })),
    ] {
        ask(&mut kernel, kind, content).await;
    }
    run_cell(&mut kernel, "one", "1").await;
    run_cell(&mut kernel, "two", "2").await;
    run_cell(&mut kernel, "one", "1").await;
    assert_eq!(analyzers(process), [0; 0]);
    // Commands need no analysis.
    assert_eq!(completions(&mut kernel, ":clear_").await, [":clear_cache"]);
    assert!(completions(&mut kernel, ":dep candle-c").await.contains(&"candle-core".to_owned()));
    assert_eq!(analyzers(process), [0; 0]);
    // A cell that is run again with other code has been edited.
    run_cell(&mut kernel, "one", "3").await;
    wait_until("the analyzer has not started", || analyzers(process).len() == 1).await;
    kernel.shut_down().await.unwrap();
}

/// Jupyter's server names the notebook, and JupyterLab's first completion then need not wait.
#[tokio::test]
async fn the_analyzer_starts_with_the_first_cell_that_the_notebook_does_not_have_yet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Untitled.ipynb");
    let saved = json!({ "cells": [{
        "cell_type": "code", "id": "one", "metadata": {}, "execution_count": null, "outputs": [], "source": ["1 + 1"],
    }], "metadata": {}, "nbformat": 4, "nbformat_minor": 5 });
    fs::write(&path, saved.to_string()).unwrap();
    let mut kernel = Client::start(kernel_command().env("JPY_SESSION_NAME", &path)).await.unwrap();
    let process = kernel.process().id();
    run_cell(&mut kernel, "one", "1 + 1").await;
    run_cell(&mut kernel, "one", "1 + 1").await;
    assert_eq!(analyzers(process), [0; 0]);
    run_cell(&mut kernel, "two", "2 + 2").await;
    wait_until("the analyzer has not started", || analyzers(process).len() == 1).await;
    kernel.shut_down().await.unwrap();
}

/// Who opens a new notebook is about to type.
#[tokio::test]
async fn the_analyzer_starts_with_a_notebook_that_has_no_code_yet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Untitled.ipynb");
    let empty = json!({ "cell_type": "code", "id": "one", "metadata": {}, "execution_count": null, "outputs": [], "source": [] });
    let notebook = json!({ "cells": [empty], "metadata": {}, "nbformat": 4, "nbformat_minor": 5 });
    fs::write(&path, notebook.to_string()).unwrap();
    let mut kernel = Client::start(kernel_command().env("JPY_SESSION_NAME", &path)).await.unwrap();
    let process = kernel.process().id();
    wait_until("the analyzer has not started", || analyzers(process).len() == 1).await;
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn the_session_is_completed_while_the_analyzer_is_busy_and_a_newer_request_goes_first() {
    let mut kernel = kernel().await;
    let process = kernel.process().id();
    let cell = "struct Point { x: f32 } impl Point { fn norm(&self) -> f32 { self.x } }\nlet point = Point { x: 1. };";
    run(&mut kernel, cell).await;
    assert!(help(&mut kernel, "Vec::new").await.contains("Constructs a new, empty"));
    let [analyzer] = analyzers(process)[..] else { panic!("there is one analyzer") };
    signal(analyzer, "-STOP");
    assert_eq!(completions(&mut kernel, "1 + poi").await, ["point"]);
    assert_eq!(completions(&mut kernel, "point.").await, ["x", "norm"]);
    // There is nothing to say of the first without the analyzer, so it would wait.
    let request = |code: &str| json!({ "code": code, "cursor_pos": code.len() });
    send(&mut kernel.shell, "complete_request", request("5u8.is_pow")).await;
    let second = send(&mut kernel.shell, "complete_request", request("let p = Poi")).await;
    let replies = [read(&mut kernel.shell).await, read(&mut kernel.shell).await];
    for reply in replies {
        let expected = if reply.parent == second { json!(["Point"]) } else { json!([]) };
        assert_eq!(reply.content["matches"], expected);
    }
    signal(analyzer, "-CONT");
    assert_eq!(completions(&mut kernel, "5u8.is_pow").await, ["is_power_of_two()"]);
    assert_eq!(completions(&mut kernel, "point.nor").await, ["norm()"]);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn crates_of_the_set_are_completed_and_helped_with_as_those_of_lab() {
    let tiny = tiny_crate(
        "/// Doubles a pear.\npub fn double(pears: u8) -> u8 { pears * 2 }\npub struct Pear { pub weight: u8 }\n\
         impl Pear { pub fn is_heavy(&self) -> bool { self.weight > 100 } }",
    );
    let mut kernel = kernel().await;
    assert!(help(&mut kernel, "Vec::new").await.contains("Constructs a new, empty"));
    assert_eq!(completions(&mut kernel, "tiny::dou").await, [""; 0]);
    // The crates come while the analyzer runs.
    let cell = format!(
        ":dep tiny = {{ path = \"{}\" }}\n:dep itoa = \"1\"\nlet pear = tiny::Pear {{ weight: 1 }};",
        tiny.path().display()
    );
    run(&mut kernel, &cell).await;
    assert_eq!(completions(&mut kernel, "tiny::dou").await, ["double(pears)"]);
    assert_eq!(completions(&mut kernel, "pear.is_h").await, ["is_heavy()"]);
    assert_eq!(completions(&mut kernel, "use itoa::Buf").await, ["Buffer"]);
    assert_eq!(completions(&mut kernel, "itoa::Buffer::new().form").await, ["format(i)"]);
    assert!(help(&mut kernel, "tiny::double").await.contains("Doubles a pear."));
    assert!(help(&mut kernel, "itoa::Buffer::new").await.contains("This is a cheap operation"));
    // `lab` is still there, and a crate that only `lab` uses is not.
    assert_eq!(completions(&mut kernel, "lab::nn::Drop").await, ["Dropout"]);
    assert_eq!(completions(&mut kernel, "plotters::").await, [""; 0]);

    let changed = "/// Halves a pear.\npub fn halve(pears: u8) -> u8 { pears / 2 }\npub mod trees;";
    fs::write(tiny.path().join("src/trees.rs"), "/// Grows.\npub fn grow() {}").unwrap();
    fs::write(tiny.path().join("src/lib.rs"), changed).unwrap();
    assert!(help(&mut kernel, "tiny::halve").await.contains("Halves a pear."));
    assert_eq!(completions(&mut kernel, "tiny::dou").await, [""; 0]);
    assert!(help(&mut kernel, "tiny::trees::grow").await.contains("Grows."));
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_crate_that_lab_brings_is_completed_when_it_is_asked_for() {
    let folder = users_folder();
    let mut kernel = kernel_in(folder.path()).await;
    run(&mut kernel, ":dep serde_json\nlet value = serde_json::json!({});").await;
    assert_eq!(completions(&mut kernel, "serde_json::to_string_pre").await, ["to_string_pretty(&value)"]);
    assert_eq!(completions(&mut kernel, "value.as_obj").await, ["as_object()", "as_object_mut()"]);
    let [name] = &completions(&mut kernel, "use serde_js").await[..] else {
        panic!("there is one crate of this name")
    };
    // rust-analyzer goes on to what is in the crate.
    assert_eq!(name.trim_end_matches(':'), "serde_json");
    kernel.shut_down().await.unwrap();
}
