//! The Python frameworks: the digits they get, the program that starts them, the notebook with and without them.

use crate::interrupt::{KEPT, interrupted};
use crate::models::models;
use crate::run::{notebook, run as run_notebook, text_of};
use crate::shoulders;
use crate::support::{kernel, note, root, run};
use jupyter_protocol::JupyterMessageContent as Content;
use lab::candle_core::{self, DType, Device, Tensor};
use lab::command::stream;
use lab::data::{Dataset, drawn_sized, from_dir};
use lab::scores::Record;
use serde_json::json;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SCRIPTS: [&str; 5] =
    ["keras_sequential", "keras_functional", "pytorch", "tensorflow_native", "tensorflow2"];

/// Those for colour pictures.
const PICTURES: [&str; 2] = ["pictures_pytorch", "pictures_keras"];

/// Those for texts.
const WORDS: [&str; 2] = ["words_pytorch", "words_keras"];

/// Those that fine-tune a pretrained network for pictures.
const SHOULDERS: [&str; 2] = ["shoulders_pytorch", "shoulders_keras"];

/// Those that fine-tune a pretrained encoder.
const MEANING: [&str; 2] = ["meaning_pytorch", "meaning_keras"];

#[test]
fn a_data_set_is_read_as_it_was_written() {
    let drawn = drawn_sized(3, 30, 20).unwrap();
    // A part that neither begins nor ends where the whole does.
    let (_, train) = drawn.train.take(25).split_at(5);
    let digits = Dataset { name: drawn.name, train, test: drawn.test };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/some digits");
    digits.write_idx(&path).unwrap();
    let read = from_dir(&path).unwrap();
    assert_eq!((read.name.as_str(), read.train.len(), read.test.len()), ("digits from some digits", 20, 20));
    assert_eq!((read.train.pixels(), read.train.classes()), (digits.train.pixels(), digits.train.classes()));
    assert_eq!((read.test.pixels(), read.test.classes()), (digits.test.pixels(), digits.test.classes()));

    fs::write(folder.path().join("file"), "").unwrap();
    let error = digits.write_idx(folder.path().join("file")).unwrap_err().to_string();
    assert!(error.contains("file: cannot be written: "), "{error}");
}

#[test]
fn temporary_folders_are_different_and_go_when_they_are_dropped() {
    let digits = drawn_sized(3, 10, 10).unwrap();
    let (one, other) = (digits.to_idx().unwrap(), digits.to_idx().unwrap());
    let (one_path, other_path) = (one.path().to_owned(), other.path().to_owned());
    assert_eq!(fs::read_dir(&one_path).unwrap().count(), 4);
    drop(one);
    assert!(!one_path.exists());
    assert_eq!(from_dir(&other_path).unwrap().train.pixels(), digits.train.pixels());
    drop(other);
    assert!(!other_path.exists());
}

fn shell(code: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", code]);
    command
}

#[test]
fn a_program_that_fails_is_an_error_with_what_it_wrote() {
    stream(&mut shell("echo not shown >&2")).unwrap();
    let error = stream(&mut shell("seq 30 >&2; echo why >&2; exit 3")).unwrap_err();
    let expected: Vec<String> = (12..=30).map(|number| number.to_string()).chain(["why".into()]).collect();
    assert_eq!(error.root_cause().to_string(), expected.join("\n"));
    let text = error.to_string();
    assert!(text.starts_with("`sh -c seq 30") && text.ends_with("failed (exit status: 3)"), "{text}");
    let error = stream(&mut shell("kill -9 $$")).unwrap_err().to_string();
    assert!(error.contains("failed (signal: 9"), "{error}");
    let error = stream(&mut Command::new("/no/such/program")).unwrap_err().to_string();
    assert_eq!(error, "cannot start `/no/such/program`");
}

/// More than a pipe holds, on standard output and standard error at once.
#[test]
fn a_program_that_writes_much_is_not_held_up() {
    stream(&mut shell("seq 100000 >&2 & seq 1000; wait")).unwrap();
}

/// The program goes on only when its first line has been seen, so it cannot have been kept back.
#[tokio::test]
async fn lines_are_shown_as_they_come() {
    let mut kernel = kernel().await;
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let code = format!(
        "lab::command::stream(std::process::Command::new(\"sh\").args([\"-c\", \"echo one; \
         while [ ! -e '{}' ]; do sleep 0.1; done; printf two\"]))?;",
        seen.display()
    );
    let mut messages = Vec::new();
    let taken = kernel.run(&code, |message| {
        if let Content::StreamContent(_) = &message.content {
            fs::write(&seen, "")?;
        }
        note(&mut messages, message)
    });
    assert!(taken.await.unwrap());
    assert_eq!(messages, ["busy", "input 1", "stdout: one\ntwo\n", "idle"]);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn the_stop_button_ends_the_program() {
    let mut kernel = kernel().await;
    let folder = tempfile::tempdir().unwrap();
    let id = folder.path().join("id");
    run(&mut kernel, "let kept = 7;").await;
    let code = format!(
        "lab::command::stream(std::process::Command::new(\"sh\").args([\"-c\", \"echo $$ > '{}'; echo running; \
         exec sleep 600\"]))?;",
        id.display()
    );
    assert_eq!(interrupted(&mut kernel, &code, false).await.evalue, KEPT);
    let id = fs::read_to_string(id).unwrap();
    let alive = Command::new("kill").args(["-0", id.trim()]).output().unwrap().status.success();
    assert!(!alive, "{id} goes on");
    assert_eq!(run(&mut kernel, "kept").await[2], "result 3: 7");
    kernel.shut_down().await.unwrap();
}

/// Where no Python is, each framework's place is taken by its shipped record.
#[test]
fn the_notebook_and_its_solutions_run_without_python() {
    let out = tempfile::tempdir().unwrap();
    // The records that come with the course, relative to the notebook.
    let variables = [("TAPER_OFFLINE", "1"), ("PEERS_PYTHON", "/no/such/python"), ("LAB_SCORES", "")];
    let sizes = ["-p", "TRAIN_IMAGES", "640", "-p", "TEST_IMAGES", "100", "-p", "EPOCHS", "1"];
    let text = |name: &str| {
        let output = run_notebook(&[&[name][..], &sizes].concat(), out.path(), &variables);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let executed = notebook(&out.path().join("10_python_peers.ipynb"));
        let cells = executed["cells"].as_array().unwrap().iter().filter(|cell| cell["cell_type"] == "code");
        cells.map(text_of).collect::<String>()
    };
    let shown = text("notebooks/10_python_peers.ipynb");
    for module in ["keras", "torch", "tensorflow"] {
        let line = format!(
            "{module} is not installed. To install it: \
             python3 -m venv peers/.venv && peers/.venv/bin/pip install -r peers/requirements.txt\n"
        );
        assert!(shown.contains(&line), "{shown}");
    }
    assert_eq!(shown.matches("From the records: ").count(), 5, "{shown}");
    let record = "PyTorch: Module, version 2.15.0: test accuracy 98.";
    assert!(shown.contains(record) && shown.contains("on 54000 images of MNIST (seed 42)"), "{shown}");

    let shown = text("notebooks/solutions/10_python_peers.ipynb");
    assert!(shown.contains("PyTorch: Module: 98.") && shown.contains("torch is not installed"), "{shown}");
}

fn script(name: &str) -> PathBuf {
    root().join("notebooks/peers").join(name).with_extension("py")
}

#[test]
fn the_scripts_compile() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("python3")
        .args(["-m", "py_compile"])
        .args(
            SCRIPTS
                .iter()
                .chain(&["course", "meaning", "pictures", "shoulders", "words"])
                .chain(&PICTURES)
                .chain(&WORDS)
                .chain(&MEANING)
                .chain(&SHOULDERS)
                .map(|name| script(name)),
        )
        .env("PYTHONPYCACHEPREFIX", folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Trains with each script, by the Python in PEERS_PYTHON, which must have the versions that requirements.txt pins.
#[needs::peers]
#[needs::time]
#[test]
fn each_framework_trains_and_writes_its_record() {
    let python = std::env::var_os("PEERS_PYTHON").unwrap();
    let files = drawn_sized(5, 640, 200).unwrap().to_idx().unwrap();
    let scores = tempfile::tempdir().unwrap();
    for name in SCRIPTS {
        let mut command = Command::new(&python);
        command.arg(script(name)).arg("--data").arg(files.path()).arg("--scores").arg(scores.path());
        stream(command.args(["--name", "drawn digits", "--epochs", "1", "--seed", "7"])).unwrap();
    }
    let expected = [
        ("keras-sequential", "Keras: Sequential", "keras"),
        ("keras-functional", "Keras: functional", "keras"),
        ("pytorch-module", "PyTorch: Module", "torch"),
        ("tensorflow-native-functions", "TensorFlow: native functions", "tensorflow-cpu"),
        ("tensorflow-keras-layers-own-loop", "TensorFlow: Keras layers, own loop", "tensorflow-cpu"),
    ];
    assert_eq!(fs::read_dir(scores.path()).unwrap().count(), expected.len(), "no partial file remains");
    for (file, name, package) in expected {
        check_record(&scores.path().join(format!("{file}-drawn-digits-640x1-seed7.json")), name, package);
    }
}

/// As [`each_framework_trains_and_writes_its_record`], for the colour pictures.
#[needs::peers]
#[needs::time]
#[test]
fn each_framework_trains_on_colour_pictures() {
    let python = std::env::var_os("PEERS_PYTHON").unwrap();
    let files = lab::data::emoji().unwrap().to_cifar().unwrap();
    let scores = tempfile::tempdir().unwrap();
    for name in PICTURES {
        let mut command = Command::new(&python);
        command.arg(script(name)).arg("--data").arg(files.path()).arg("--scores").arg(scores.path());
        command.args(["--train-images", "320", "--test-images", "100", "--name", "emoji"]);
        stream(command.args(["--epochs", "1", "--seed", "7"])).unwrap();
    }
    for framework in ["pytorch", "keras"] {
        let path = scores.path().join(format!("{framework}-resnet-20-emoji-320x1-seed7.json"));
        let record: Record = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let images = (record.train_images, record.validation_images, record.test_images);
        assert_eq!(images, (288, 32, 100));
        // For nine classes.
        assert_eq!((record.batch, record.parameters), (64, 269_657));
        assert!(record.epochs[0].train.loss.is_finite());
    }
}

/// As [`each_framework_trains_and_writes_its_record`], for texts.
#[needs::peers]
#[needs::time]
#[test]
fn each_framework_trains_on_texts() {
    let python = std::env::var_os("PEERS_PYTHON").unwrap();
    let scores = tempfile::tempdir().unwrap();
    let part = json!({ "tokens": vec![vec![1, 2, 3]; 50], "classes": vec![1; 50] });
    let words = json!({
        "name": "declarations", "vocabulary": 1256, "classes": 64, "train": part, "validation": part, "test": part,
    });
    let data = scores.path().join("words.json");
    fs::write(&data, words.to_string()).unwrap();
    for name in WORDS {
        let mut command = Command::new(&python);
        command.arg(script(name)).arg("--data").arg(&data).arg("--scores").arg(scores.path().join("words"));
        stream(command.args(["--epochs", "2", "--seed", "7"])).unwrap();
    }
    for framework in ["pytorch", "keras"] {
        let path = scores.path().join(format!("words/{framework}-encoder-declarations-100x2-seed7.json"));
        let record: Record = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        // What 15_words counts for its encoder.
        assert_eq!((record.batch, record.parameters), (64, 151_616));
        assert!(record.epochs[1].train.loss < record.epochs[0].train.loss, "{:?}", record.epochs);
    }
}

/// As [`each_framework_trains_and_writes_its_record`], for a pretrained encoder, whose weights all of them read.
#[needs::peers]
#[needs::time]
#[test]
fn each_framework_fine_tunes_a_pretrained_encoder() {
    let python = std::env::var_os("PEERS_PYTHON").unwrap();
    let scores = tempfile::tempdir().unwrap();
    // "a cat", "red bus" and "the moon", as the tokenizer splits them.
    let texts = [[101, 1037, 4937, 102], [101, 2417, 3902, 102], [101, 1996, 4231, 102]];
    let part = json!({ "tokens": (texts.repeat(20)), "classes": ([0, 1, 2].repeat(20)) });
    let head = json!({ "weight": vec![vec![0.01; 384]; 3], "bias": [[0.0, 0.0, 0.0]] });
    let file = json!({
        "name": "names of emoji", "classes": 3, "head": head, "train": part, "validation": part, "test": part,
    });
    let data = scores.path().join("meaning.json");
    fs::write(&data, file.to_string()).unwrap();
    let model = models().join("all-MiniLM-L6-v2");
    for name in MEANING {
        let mut command = Command::new(&python);
        command.arg(script(name)).arg("--data").arg(&data).arg("--model").arg(&model);
        command.arg("--scores").arg(scores.path().join("meaning"));
        stream(command.args(["--epochs", "2", "--seed", "7"])).unwrap();
    }
    let losses = ["pytorch", "keras"].map(|framework| {
        let path =
            scores.path().join(format!("meaning/{framework}-fine-tuned-names-of-emoji-120x2-seed7.json"));
        let record: Record = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        // All of the network but the layer that only BERT's own training needs, and the head.
        assert_eq!((record.batch, record.parameters), (32, 22_565_376 + 3 * 385));
        let last = record.epochs[1].validation.unwrap();
        assert!(last.accuracy == 1.0, "three texts are easily told apart: {:?}", record.epochs);
        last.loss
    });
    assert!((losses[0] - losses[1]).abs() < 0.1, "the same weights, data and rates: {losses:?}");
}

/// As [`each_framework_trains_and_writes_its_record`], for a pretrained network for pictures.
#[needs::peers]
#[needs::time]
#[test]
fn each_framework_fine_tunes_a_network_for_pictures() {
    let python = std::env::var_os("PEERS_PYTHON").unwrap();
    let scores = tempfile::tempdir().unwrap();
    let data = scores.path().join("shoulders.safetensors");
    candle_core::safetensors::save(&squares().unwrap(), &data).unwrap();
    for name in SHOULDERS {
        let mut command = Command::new(&python);
        command.arg(script(name)).arg("--data").arg(&data).arg("--model").arg(models().join(shoulders::FILE));
        command.arg("--scores").arg(scores.path().join("shoulders"));
        stream(command.args(["--side", "64", "--epochs", "2", "--seed", "7"])).unwrap();
    }
    let losses = ["pytorch", "keras"].map(|framework| {
        let path = scores.path().join(format!("shoulders/{framework}-fine-tuned-emoji-192x2-seed7.json"));
        let record: Record = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        // The network without its last layer, and a head for three classes.
        assert_eq!((record.batch, record.parameters), (32, 3_371_008 + 3 * 1281));
        record.epochs.iter().map(|epoch| epoch.train.loss).collect::<Vec<_>>()
    });
    for (one, other) in losses[0].iter().zip(&losses[1]) {
        assert!((one - other).abs() < 0.02, "the same weights, batches and rates: {losses:?}");
    }
}

/// A square on each of 96 pictures, of one of three colors and in any place, in each part.
fn squares() -> candle_core::Result<HashMap<String, Tensor>> {
    const SIDE: usize = 32;
    let classes: Vec<u8> = (0..96).map(|at| at % 3).collect();
    let pixels = classes.iter().enumerate().flat_map(|(at, &class)| {
        let (top, left) = (at % 5 * 4, at % 7 * 3);
        (0..3 * SIDE * SIDE).map(move |pixel| {
            let (channel, row, column) = (pixel / (SIDE * SIDE), pixel / SIDE % SIDE, pixel % SIDE);
            let is_inside = (top..top + 12).contains(&row) && (left..left + 12).contains(&column);
            if is_inside && channel == usize::from(class) { 255u8 } else { 20 }
        })
    });
    let pictures = Tensor::from_iter(pixels, &cpu())?.reshape((96, 3, SIDE, SIDE))?;
    let classes = Tensor::new(classes, &cpu())?;
    let mut file = HashMap::from([
        ("head.weight".to_owned(), Tensor::full(0.01f32, (3, 1280), &cpu())?),
        ("head.bias".to_owned(), Tensor::zeros(3, DType::F32, &cpu())?),
    ]);
    for part in ["train", "validation", "test"] {
        file.insert(format!("{part}.pictures"), pictures.clone());
        file.insert(format!("{part}.classes"), classes.clone());
    }
    Ok(file)
}

fn check_record(path: &Path, name: &str, package: &str) {
    let record: Record = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(record.name(), name);
    let pinned = fs::read_to_string(root().join("notebooks/peers/requirements.txt")).unwrap();
    assert!(pinned.contains(&format!("{package}=={}", record.version)), "{package} {}", record.version);
    let images = (record.train_images, record.validation_images, record.test_images);
    assert_eq!(images, (576, 64, 200));
    assert_eq!((record.batch, record.seed, record.parameters), (128, 7, 34_826));
    assert_eq!((record.data.as_str(), record.epochs.len()), ("drawn digits", 1));
    let (epoch, mine) =
        (&record.epochs[0], Record::new(lab::scores::CANDLE, "", &one().train, &one().test, &cpu()));
    assert_eq!((record.cpu, record.cores, record.device), (mine.cpu, mine.cores, mine.device));
    // Five steps change little: the loss is not far from that of guessing, ln 10.
    for score in [Some(epoch.train), epoch.test, epoch.validation].into_iter().flatten() {
        assert!(
            (2.0..2.5).contains(&score.loss) && (0.0..=0.7).contains(&score.accuracy),
            "{name}: {score:?}"
        );
    }
    assert!(
        epoch.validation.is_some()
            && epoch.test.is_some()
            && epoch.seconds > 0.0
            && record.peak_memory_mib > 100.0
    );
}

fn one() -> Dataset {
    drawn_sized(0, 1, 1).unwrap()
}

fn cpu() -> Device {
    Device::Cpu
}
