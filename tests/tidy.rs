//! The rules of the house that a program can check.

use crate::support::root;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn files(extension: &str) -> Vec<PathBuf> {
    let mut folders = ["kernel", "notebooks", "tests", "assets"].map(|folder| root().join(folder)).to_vec();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true if ["target", ".ipynb_checkpoints", ".venv"]
                    .iter()
                    .all(|other| !path.ends_with(other)) =>
                {
                    folders.push(path)
                }
                false if path.extension().is_some_and(|kind| kind == extension) => found.push(path),
                _ => {}
            }
        }
    }
    assert!(!found.is_empty(), "no .{extension} files");
    found
}

/// Runs cargo, which must succeed.
fn cargo(arguments: &[&str], variables: &[(&str, &str)]) {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).envs(variables.iter().copied()).current_dir(root());
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "`cargo {}`: {}{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[needs::fmt]
#[test]
fn the_code_is_formatted() {
    cargo(&["fmt", "--all", "--check"], &[]);
}

/// In the profile of the tests: what runs at compile time, procedural macros and build scripts, is then compiled already. Where
/// nothing is checked yet, this and the next test take minutes; both share what they know of the dependencies.
#[needs::clippy]
#[test]
fn clippy_finds_nothing() {
    cargo(&["clippy", "--workspace", "--all-targets", "--release", "--locked", "--", "-Dwarnings"], &[]);
}

#[test]
fn the_documentation_has_no_warnings() {
    let arguments = ["doc", "--workspace", "--no-deps", "--release", "--locked"];
    cargo(&arguments, &[("RUSTDOCFLAGS", "-Dwarnings")]);
}

/// What a machine lacks, the attributes of the crate `needs` say, and nobody else.
#[test]
fn no_test_is_ignored_and_nothing_is_left_to_do() {
    for path in files("rs").into_iter().filter(|path| !path.ends_with("needs/src/lib.rs")) {
        let text = fs::read_to_string(&path).unwrap();
        for mark in [
            concat!("#[ign", "ore"),
            concat!("todo", "!("),
            concat!("unimple", "mented!()"),
            concat!("TO", "DO"),
        ] {
            assert!(!text.contains(mark), "{} holds {mark}", path.display());
        }
    }
}

#[test]
fn notebooks_are_committed_executed_and_clean() {
    for path in files("ipynb") {
        let name = path.display();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.len() < 1_500_000, "{name} has {} bytes", text.len());
        for home in ["/home/", "/root/", "/Users/", "/tmp/"] {
            assert!(!text.contains(home), "{name} holds a path of one machine: {home}");
        }
        let notebook: Value = serde_json::from_str(&text).unwrap();
        let cells = notebook["cells"].as_array().unwrap();
        let code: Vec<&Value> = cells.iter().filter(|cell| cell["cell_type"] == "code").collect();
        for (index, cell) in code.iter().enumerate() {
            assert_eq!(cell["execution_count"], index + 1, "{name}: counts must be 1 to n");
            for output in cell["outputs"].as_array().unwrap() {
                assert_ne!(output["output_type"], "error", "{name}: cell {}", index + 1);
                assert_ne!(output["name"], "stderr", "{name}: cell {} has a warning", index + 1);
            }
        }
        assert!(code.iter().any(|cell| cell["outputs"] != serde_json::json!([])), "{name} has no outputs");
    }
}
