//! The whole course, small: every notebook and every solution runs on this kernel, and the scores come together in a chart.

use crate::models::models;
use crate::support::{self, installed, kernel_command, root, taper};
use serde_json::Value;
use std::path::{Path, PathBuf};
use wire::Client;

/// The notebooks of a folder of the repository, in order.
pub fn notebooks(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|kind| kind == "ipynb")).collect();
    found.sort();
    found
}

/// `taper run` with little of all data, on digits that `lab` draws, for one epoch. Its scores go to `scores`.
fn run(notebooks: &[PathBuf], out: &Path, scores: &Path, more: &[(&str, &str)]) {
    installed();
    let mut command = taper();
    command.arg("run").args(notebooks).arg("--out").arg(out).current_dir(root());
    let parameters = [
        ("TRAIN_IMAGES", "2000"),
        ("TEST_IMAGES", "1000"),
        ("EPOCHS", "1"),
        ("DATA", "drawn digits"),
        ("MERGES", "50"),
        ("NAMES", "400"),
        ("PICTURE_SIDE", "32"),
        ("KNOWN_PICTURES", "300"),
    ];
    for (name, value) in parameters.iter().chain(more) {
        command.args(["-p", name, value]);
    }
    command
        .env("TAPER_OFFLINE", "1")
        .env_remove("MNIST_DIR")
        .env("LAB_SCORES", scores)
        .env("TAPER_MODELS", models());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The cells of a notebook that hold code.
pub fn code(path: &Path) -> Vec<Value> {
    let notebook: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cells = notebook["cells"].as_array().unwrap().iter();
    cells.filter(|cell| cell["cell_type"] == "code").cloned().collect()
}

/// A kernel that has run the cells of a notebook, in the notebook's folder, up to the one that contains `last`.
pub async fn after(notebook: &str, last: &str) -> Client {
    let folder = root().join("notebooks");
    let mut command = kernel_command();
    command.current_dir(&folder).env("TAPER_MODELS", models());
    let mut kernel = Client::start(&mut command).await.unwrap();
    for cell in code(&folder.join(notebook).with_extension("ipynb")) {
        let lines = cell["source"].as_array().unwrap().iter();
        let source: String = lines.map(|line| line.as_str().unwrap()).collect();
        let messages = support::run(&mut kernel, &source).await;
        assert!(!messages.iter().any(|message| message.starts_with("error")), "{source}: {messages:?}");
        if source.contains(last) {
            return kernel;
        }
    }
    panic!("no cell of {notebook} contains {last}")
}

/// The JSON files of a folder.
fn records(folder: &Path) -> Vec<Value> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.is_file());
    files.map(|path| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()).collect()
}

#[test]
fn the_course_and_its_solutions_run() {
    let out = tempfile::tempdir().unwrap();
    let scores = out.path().join("scores");
    let paths = notebooks("notebooks");
    run(&paths, out.path(), &scores, &[("GAME_STEPS", "2000"), ("SEEDS", "2")]);
    // They show the scores, too.
    run(&notebooks("notebooks/solutions"), &out.path().join("solutions"), &scores, &[]);

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

    let plays = records(&scores.join("balance"));
    assert_eq!(plays.len(), 2, "a record of each seed");
    assert!(
        plays.iter().all(|play| play["steps"] == 2000 && play["framework"] == "candle + lab"),
        "{plays:?}"
    );
    let pictures = records(&scores.join("colour"));
    assert_eq!(pictures.len(), 4, "with all parts, and without each of three");
    assert!(pictures.iter().all(|record| record["data"] == "emoji"), "{pictures:?}");
    let words = records(&scores.join("words"));
    assert_eq!(words.len(), 2, "the encoder and the bag of tokens");
    assert!(words.iter().all(|record| record["data"] == "declarations"), "{words:?}");
    let names = records(&scores.join("meaning"));
    assert_eq!(names.len(), 2, "fine-tuned, and from nothing");
    // After one epoch, of nine groups.
    let accuracy = |style: &str| {
        let record = names.iter().find(|record| record["style"] == style).unwrap();
        record["epochs"][0]["test"]["accuracy"].as_f64().unwrap()
    };
    assert!(accuracy("fine-tuned") > 0.5 && accuracy("fine-tuned") > accuracy("from nothing"), "{names:?}");
    let drawn = records(&scores.join("shoulders"));
    assert_eq!(drawn.len(), 2, "fine-tuned, and from nothing");
    assert!(drawn.iter().all(|record| record["data"] == "emoji"), "{drawn:?}");
    let scores = records(&scores);
    let of = |framework: &str| scores.iter().filter(|score| score["framework"] == framework).count();
    assert_eq!((of("candle + lab"), of("Burn")), (5, 1), "{scores:?}");
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
    assert!(index.contains("alt=\"Test error (drawn digits): "), "the score chart: {index}");
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
