//! `taper run`: the course's own notebook, parameters, failures.

use crate::support::{installed, root, share_environments, taper};
use serde_json::{Value, json};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Output;

pub fn run(arguments: &[&str], out: &Path, variables: &[(&str, &str)]) -> Output {
    installed();
    let mut command = taper();
    command
        .arg("run")
        .args(arguments)
        .arg("--out")
        .arg(out)
        .current_dir(root())
        // Scores go to a folder of the test, not to the repository's.
        .env("LAB_SCORES", out.join("scores"))
        .envs(variables.iter().copied());
    command.output().unwrap()
}

pub fn notebook(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn text_of(cell: &Value) -> String {
    let texts = cell["outputs"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|output| output["text"].as_array().cloned().unwrap_or_default());
    texts.map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// Writes a notebook with these code cells.
fn write(path: &Path, cells: &[&str]) {
    let cell = |(index, source): (usize, &&str)| {
        let tags = if source.starts_with("const ") { json!(["parameters"]) } else { json!([]) };
        json!({ "cell_type": "code", "id": format!("c{index}"), "metadata": { "tags": tags }, "execution_count": null,
                "source": source, "outputs": [] })
    };
    let cells: Vec<Value> = cells.iter().enumerate().map(cell).collect();
    let notebook = json!({ "cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5 });
    std::fs::write(path, notebook.to_string()).unwrap();
}

/// After five epochs on 2,000 digits, six runs tested at 88.8 to 91.4 %, three on MNIST and three on drawn digits. A
/// network that does not learn guesses one in ten.
#[test]
fn the_first_notebook_learns() {
    let out = tempfile::tempdir().unwrap();
    let sizes = ["-p", "TRAIN_IMAGES", "2000", "-p", "TEST_IMAGES", "1000", "-p", "EPOCHS", "5"];
    let arguments = [&["notebooks/01_first_light.ipynb"][..], &sizes].concat();
    let output = run(&arguments, out.path(), &[("TAPER_OFFLINE", "1")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let executed = notebook(&out.path().join("01_first_light.ipynb"));
    let code: Vec<&Value> =
        executed["cells"].as_array().unwrap().iter().filter(|cell| cell["cell_type"] == "code").collect();
    for (index, cell) in code.iter().enumerate() {
        assert_eq!(cell["execution_count"], index + 1);
    }
    let texts: String = code.iter().map(|cell| text_of(cell)).collect();
    assert!(texts.contains("34826 parameters"), "{texts}");
    let accuracy = texts.split_once("test accuracy ").unwrap().1.split_once(' ').unwrap().0;
    let accuracy: f64 = accuracy.parse().unwrap();
    assert!((80.0..=100.0).contains(&accuracy), "{accuracy} %");
    let pictures = code.iter().filter(|cell| cell["outputs"].to_string().contains("image/svg+xml")).count();
    assert_eq!(pictures, 4, "digits, curves, bars and a mistake");
    let cells = executed["cells"].to_string();
    let panel = cells.split_once("): epoch ").expect("the panel is there").1;
    assert!(panel.starts_with("5/5, step 16/16; "), "its last state is kept: {panel:.100}");

    let page = std::fs::read_to_string(out.path().join("01_first_light.html")).unwrap();
    assert!(page.contains("34826 parameters") && page.contains("src=\"data:image/svg+xml;base64,"));
    let index = std::fs::read_to_string(out.path().join("index.html")).unwrap();
    assert!(index.contains("<a href=\"01_first_light.html\">First light</a>"), "{index}");
}

/// The same network in Burn, and as many digits. A run on drawn digits tested at 90.4 %.
#[test]
fn the_notebook_on_burn_learns() {
    let out = tempfile::tempdir().unwrap();
    let sizes = ["-p", "TRAIN_IMAGES", "2000", "-p", "TEST_IMAGES", "1000", "-p", "EPOCHS", "5"];
    let arguments = [&["notebooks/09_burn.ipynb"][..], &sizes].concat();
    let output = run(&arguments, out.path(), &[("TAPER_OFFLINE", "1")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let executed = notebook(&out.path().join("09_burn.ipynb"));
    let code = executed["cells"].as_array().unwrap().iter().filter(|cell| cell["cell_type"] == "code");
    let texts: String = code.map(text_of).collect();
    assert!(texts.contains("34826 parameters"), "{texts}");
    // Its cell fails if Burn's logits and candle's are more than 1e-4 apart.
    assert!(texts.contains("5000 logits of 500 digits, at most "), "{texts}");
    assert_eq!(texts.matches("Epoch [").count(), 5, "{texts}");
    let accuracy = texts.split_once("test accuracy ").unwrap().1.split_once(' ').unwrap().0;
    let accuracy: f64 = accuracy.parse().unwrap();
    assert!((80.0..=100.0).contains(&accuracy), "{accuracy} %");
}

#[test]
fn parameters_are_set_and_results_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("n.ipynb");
    write(
        &path,
        &["const N: usize = 3;\nconst NAME: &str = \"a\";", "println!(\"{NAME} {}\", N * 2);", "N + 1"],
    );
    let out = folder.path().join("out");
    let output = run(&[path.to_str().unwrap(), "-p", "N", "21", "-p", "NAME", "b c"], &out, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let executed = notebook(&out.join("n.ipynb"));
    assert_eq!(executed["cells"][1]["metadata"]["tags"], json!(["injected-parameters"]));
    assert_eq!(text_of(&executed["cells"][2]), "b c 42\n");
    assert_eq!(executed["cells"][3]["outputs"][0]["data"]["text/plain"], json!(["22"]));
    assert_eq!(executed["metadata"]["kernelspec"]["name"], "taper");

    let output = run(&[path.to_str().unwrap(), "-p", "M", "1"], &out, &[]);
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .contains("there is no parameter M; the parameters are N, NAME")
    );
}

#[test]
fn a_notebook_that_needs_what_is_not_here_keeps_its_outputs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("n.ipynb");
    let file = "use lab::anyhow::Context;\nfn file() -> lab::Result<u32> {\n    \
                Err(lab::Unavailable::new(\"no weights here: set FOLDER\"))?\n}";
    write(
        &path,
        &[
            "const N: usize = 3;",
            ":dep lab = { path = \"lab\" }",
            file,
            "1",
            "file().context(\"cannot begin\")?",
            "2",
        ],
    );
    let mut saved = notebook(&path);
    saved["cells"][3]["outputs"] =
        json!([{ "output_type": "stream", "name": "stdout", "text": ["as it was\n"] }]);
    std::fs::write(&path, saved.to_string()).unwrap();
    std::os::unix::fs::symlink(root().join("notebooks/lab"), folder.path().join("lab")).unwrap();
    let out = folder.path().join("out");
    let output = run(&[path.to_str().unwrap(), "-p", "N", "5"], &out, &[]);
    let (shown, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");
    let line =
        "n.ipynb: cannot begin: no weights here: set FOLDER; its outputs are those that it was saved with\n";
    assert!(shown.contains(line) && !errors.contains("failed"), "{shown}{errors}");
    let kept = notebook(&out.join("n.ipynb"));
    assert_eq!(kept["cells"][0]["source"].to_string(), "[\"const N: usize = 3;\"]", "what was saved, whole");
    assert_eq!(text_of(&kept["cells"][3]), "as it was\n");
    assert!(std::fs::read_to_string(out.join("n.html")).unwrap().contains("as it was"));
}

#[test]
fn notebooks_of_one_name_do_not_replace_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("06_torch_style.ipynb");
    write(&path, &["1 + 1"]);
    let path = path.to_str().unwrap();
    let output = run(&["notebooks/06_torch_style.ipynb", path], folder.path(), &[]);
    let expected = format!("taper: notebooks/06_torch_style.ipynb and {path} have the same name");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.starts_with(&expected), "{errors}");
}

#[test]
fn a_failing_cell_ends_its_notebook() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fails.ipynb");
    write(&path, &["println!(\"first\");", "panic!(\"second\")", "println!(\"third\");"]);
    let output = run(&[path.to_str().unwrap()], folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("cell 2 failed") && errors.contains("second"), "{errors}");
    let executed = notebook(&path);
    assert_eq!(text_of(&executed["cells"][0]), "first\n");
    assert_eq!(executed["cells"][1]["outputs"][0]["evalue"], "second");
    assert_eq!(
        (&executed["cells"][2]["execution_count"], &executed["cells"][2]["outputs"]),
        (&Value::Null, &json!([]))
    );
}

#[test]
fn a_run_that_is_killed_leaves_the_outputs_of_the_cells_that_have_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("killed.ipynb");
    // `taper run` has started the kernel, which has started the process that runs the cells.
    let kill = "let kernel = std::os::unix::process::parent_id().to_string();
let parent = std::process::Command::new(\"ps\").args([\"-o\", \"ppid=\", \"-p\", &kernel]).output()?;
let run = String::from_utf8(parent.stdout)?.trim().to_owned();
std::process::Command::new(\"kill\").args([\"-9\", &run]).status()?; loop {}";
    write(&path, &["let hours = \"hours\";", "println!(\"{hours} of work\");", kill]);
    let out = folder.path().join("out");
    let output = run(&[path.to_str().unwrap()], &out, &[]);
    assert_eq!(output.status.signal(), Some(9));
    let saved = notebook(&out.join("killed.ipynb"));
    assert_eq!(text_of(&saved["cells"][1]), "hours of work\n");
    let counts: Vec<&Value> = (0..3).map(|cell| &saved["cells"][cell]["execution_count"]).collect();
    assert_eq!(counts, [&json!(1), &json!(2), &Value::Null]);
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1, "no temporary file is left");
}

/// One notebook that fails must not cost the others, perhaps after a night of training.
#[test]
fn what_goes_wrong_with_a_notebook_is_no_reason_to_lose_it_or_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["dies", "builds", "works"].map(|name| folder.path().join(name).with_extension("ipynb"));
    // The process that runs the cells was started by the kernel.
    let kill = "let kernel = std::os::unix::process::parent_id().to_string();
std::process::Command::new(\"kill\").args([\"-9\", &kernel]).status()?; loop {}";
    write(&paths[0], &["println!(\"hours of work\");", kill, "println!(\"never\");"]);
    write(&paths[1], &[":dep lab = { path = \"lab\", features = [\"no-such\"] }\n1"]);
    write(&paths[2], &["println!(\"works\");"]);
    let out = folder.path().join("out");
    let output = run(&paths.each_ref().map(|path| path.to_str().unwrap()), &out, &[]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    let about = |path: &Path, what: &str| errors.contains(&format!("{}: {what}", path.display()));
    assert!(about(&paths[0], "cell 2 failed\nthe kernel has died (signal: 9 (SIGKILL))"), "{errors}");
    assert!(about(&paths[1], "error: failed to select a version for `lab`.\n"), "{errors}");
    assert!(
        errors.contains("`lab` does not have that feature") && !errors.contains("required by"),
        "{errors}"
    );
    let executed = notebook(&out.join("dies.ipynb"));
    assert_eq!(text_of(&executed["cells"][0]), "hours of work\n");
    assert_eq!(executed["cells"][2]["execution_count"], Value::Null);
    assert_eq!(text_of(&notebook(&out.join("works.ipynb"))["cells"][0]), "works\n");
    let pages = ["dies.html", "builds.html", "works.html", "index.html"].map(|name| out.join(name).exists());
    assert_eq!(pages, [true, false, true, true]);
}

#[test]
fn a_folder_that_cannot_be_written_to_is_noticed_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("n.ipynb");
    let mark = folder.path().join("has run");
    write(&path, &[&format!("std::fs::write({:?}, \"\")?;", mark.to_str().unwrap())]);
    let output = run(&[path.to_str().unwrap()], &path, &[]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.starts_with("taper: cannot write to "), "{errors}");
    assert!(!mark.exists());
}

#[test]
fn without_python_the_notebook_is_written_and_html_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("n.ipynb");
    write(&path, &["1 + 1"]);
    // A PATH with the programs that Rust needs, and no Python.
    let tools = folder.path().join("tools");
    std::fs::create_dir(&tools).unwrap();
    for name in ["cargo", "rustc", "rustup", "cc", "sh", "ld", "as", "cat", "mv", "sed"] {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join(name))
            .find(|path| path.exists());
        if let Some(found) = found {
            std::os::unix::fs::symlink(found, tools.join(name)).unwrap();
        }
    }
    // The cache must lack the Python environment that another test may have made.
    let cache = folder.path().join("cache");
    share_environments(&cache);
    let variables = [("PATH", tools.to_str().unwrap()), ("TAPER_CACHE", cache.to_str().unwrap())];
    let output = run(&[path.to_str().unwrap()], folder.path(), &variables);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(errors.contains("No HTML was written: Jupyter needs Python 3"), "{errors}");
    assert_eq!(notebook(&path)["cells"][0]["outputs"][0]["data"]["text/plain"], json!(["2"]));
    assert!(!folder.path().join("n.html").exists());
}
