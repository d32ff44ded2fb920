//! The whole course, small: every notebook and every solution runs on this kernel, and the scores come together in a chart.

use crate::python::say;
use crate::support::{installed, note, root, taper};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Instant;
use wire::Client;

/// The notebooks of a folder of the repository, in order.
fn notebooks(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|kind| kind == "ipynb")).collect();
    found.sort();
    found
}

/// `taper run` on digits that `lab` draws, 2,000 to train for one epoch. Its scores go to `scores`.
fn run(notebooks: &[PathBuf], out: &Path, scores: &Path) {
    installed();
    let mut command = taper();
    command.arg("run").args(notebooks).arg("--out").arg(out).current_dir(root());
    let parameters =
        [("TRAIN_IMAGES", "2000"), ("TEST_IMAGES", "1000"), ("EPOCHS", "1"), ("DATA", "drawn digits")];
    for (name, value) in parameters {
        command.args(["-p", name, value]);
    }
    command.env("TAPER_OFFLINE", "1").env_remove("MNIST_DIR").env("LAB_SCORES", scores);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The cells of an executed notebook that hold code.
fn code(path: &Path) -> Vec<Value> {
    let notebook: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cells = notebook["cells"].as_array().unwrap().iter();
    cells.filter(|cell| cell["cell_type"] == "code").cloned().collect()
}

#[test]
fn the_course_and_its_solutions_run() {
    let out = tempfile::tempdir().unwrap();
    let scores = out.path().join("scores");
    let paths = notebooks("notebooks");
    run(&paths, out.path(), &scores);
    // They show the scores, too.
    run(&notebooks("notebooks/solutions"), &out.path().join("solutions"), &scores);

    let mut texts = String::new();
    for path in &paths {
        let name = path.file_name().unwrap();
        for (index, cell) in code(&out.path().join(name)).iter().enumerate() {
            assert_eq!(cell["execution_count"], index + 1, "{name:?}");
            assert!(!cell["outputs"].to_string().contains("\"stderr\""), "{name:?}: {cell}");
            texts += &cell["outputs"].to_string();
        }
    }
    for expected in ["label representation: 7", "34826 parameters", "Total params: 34,826", "ConvNet(\\n"] {
        assert!(texts.contains(expected), "{expected} is nowhere");
    }

    let scores: Vec<Value> = std::fs::read_dir(&scores)
        .unwrap()
        .map(|entry| serde_json::from_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap())
        .collect();
    let of = |framework: &str| scores.iter().filter(|score| score["framework"] == framework).count();
    assert_eq!((of("candle"), of("Burn")), (5, 1), "{scores:?}");
    for score in &scores {
        assert_eq!(
            (&score["parameters"], &score["data"]),
            (&34_826.into(), &"drawn digits".into()),
            "{score}"
        );
        let accuracy = score["epochs"][0]["test"]["accuracy"].as_f64().unwrap();
        assert!((0.3..=1.0).contains(&accuracy), "one in ten would be guessing: {score}");
    }

    let index = std::fs::read_to_string(out.path().join("index.html")).unwrap();
    for path in &paths {
        let page = path.with_extension("html");
        assert!(
            index.contains(&format!("<a href=\"{}\">", page.file_name().unwrap().to_str().unwrap())),
            "{index}"
        );
    }
    assert!(index.contains("alt=\"Test accuracy (drawn digits): "), "the score chart: {index}");
}

#[test]
fn each_notebook_has_its_parts_and_its_solutions() {
    let solutions: Vec<_> =
        notebooks("notebooks/solutions").iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    for path in notebooks("notebooks") {
        let notebook: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let name = path.file_name().unwrap().to_owned();
        let cells = notebook["cells"].as_array().unwrap().iter();
        let prose: String = cells
            .filter(|cell| cell["cell_type"] == "markdown")
            .map(|cell| {
                format!(
                    "{}\n",
                    cell["source"].as_array().unwrap().iter().filter_map(Value::as_str).collect::<String>()
                )
            })
            .collect();
        for part in [
            "# ",
            " minutes",
            "You will learn\n",
            "\n## Setup\n",
            "\n## Summary\n",
            "\n## Exercises\n",
            "\n2. ",
        ] {
            assert!(format!("\n{prose}").contains(part), "{name:?} lacks {part:?}");
        }
        assert!(solutions.contains(&name), "{name:?} has no solutions");
    }
}

/// Every notebook runs on the stock kernel too. It compiles candle first, and Burn, for minutes each: only with
/// TAPER_SLOW_TESTS.
#[tokio::test]
async fn the_course_runs_on_the_stock_kernel() {
    if std::env::var_os("TAPER_SLOW_TESTS").is_none() {
        return;
    }
    let scores = tempfile::tempdir().unwrap();
    for path in notebooks("notebooks") {
        let mut kernel = stock(scores.path()).await;
        let start = Instant::now();
        let mut pictures = 0;
        for cell in code(&path) {
            let lines: String = cell["source"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let small = lines
                .replace("60_000", "640")
                .replace("10_000", "200")
                .replace("EPOCHS: usize = 5", "EPOCHS: usize = 1");
            let small = small.replace("DATA: &str = \"MNIST\"", "DATA: &str = \"drawn digits\"");
            let mut messages = Vec::new();
            let good = kernel.run(&small, |message| note(&mut messages, message)).await.unwrap();
            assert!(good, "{}: {small}\n{messages:?}", path.display());
            // There a picture is the result of its cell, or a display.
            let is_shown = |message: &String| message.starts_with("result") || message.starts_with("display");
            pictures += usize::from(messages.iter().any(is_shown));
        }
        kernel.shut_down().await.unwrap();
        let (name, seconds) = (path.file_name().unwrap(), start.elapsed().as_secs());
        say(&format!("{name:?} on the stock kernel: {pictures} cells show something, {seconds} s"));
        assert!(pictures > 0, "{name:?} shows nothing");
    }
    assert_eq!(std::fs::read_dir(scores.path()).unwrap().count(), 6, "a score of each style");
}

/// The stock kernel, with a cache for what it has compiled, of its own.
async fn stock(scores: &Path) -> Client {
    let stock = Path::new(env!("CARGO_BIN_EXE_taper")).with_file_name("examples").join("stock");
    let mut command = std::process::Command::new(stock);
    command.arg("--control_file").current_dir(root().join("notebooks"));
    command.env("TAPER_OFFLINE", "1").env_remove("MNIST_DIR").env("LAB_SCORES", scores);
    // So that only the first notebook has to wait for candle.
    command.env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("stock"));
    // cargo makes libraries of its own build known to tests, another `lab` among them.
    command.env_remove("LD_LIBRARY_PATH").env_remove("DYLD_FALLBACK_LIBRARY_PATH");
    let mut kernel = Client::start(&mut command).await.unwrap();
    assert!(kernel.run(":cache 4000", |_| Ok(())).await.unwrap());
    kernel
}
