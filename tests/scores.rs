//! Records of scores: they are read as they were written, and damaged ones are named and left alone.

use crate::support::root;
use lab::candle_core::Device;
use lab::data::drawn_sized;
use lab::scores::{self, BURN, CANDLE, Epoch, Record, Speed, Speeds};
use lab::train::Score;
use std::path::Path;
use std::process::Command;

fn record(seed: u64, accuracies: &[f32]) -> Record {
    let digits = drawn_sized(1, 30, 20).unwrap();
    let (train, validation) = digits.train.split_at(27);
    let mut record = Record::new(CANDLE, "Sequential, small", &train, &digits.test, &Device::Cpu);
    let score = |accuracy| Score { loss: 1.5 - accuracy, accuracy };
    record.epochs = accuracies
        .iter()
        .map(|&accuracy| Epoch {
            train: score(accuracy - 0.1),
            validation: Some(score(accuracy - 0.05)),
            test: Some(score(accuracy)),
            seconds: 2.0 + f64::from(accuracy),
        })
        .collect();
    (record.validation_images, record.batch, record.seed, record.parameters) =
        (validation.len(), 8, seed, 34_826);
    record
}

/// The folder comes from an environment variable, so the test is started once more in a process that has it.
fn in_folder(folder: &Path, test: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", test])
        .env("LAB_SCORES", folder)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

fn is_inner() -> bool {
    std::env::var_os("LAB_SCORES").is_some()
}

#[test]
fn records_are_read_as_they_were_written() {
    if !is_inner() {
        let folder = tempfile::tempdir().unwrap();
        in_folder(&folder.path().join("new"), "scores::records_are_read_as_they_were_written");
        return;
    }
    assert!(
        format!("{:#}", scores::read().unwrap_err()).contains("run the notebooks of the frameworks first")
    );
    let mut records = [record(7, &[0.5, 0.75]), record(8, &[0.25, 1.0])];
    let paths = records.each_mut().map(|record| record.save().unwrap());
    let name = paths[0].file_name().unwrap().to_str().unwrap();
    assert_eq!(name, "candle-lab-sequential-small-drawn-digits-30x2-seed7.json");
    assert_eq!(scores::read().unwrap(), records);

    let mut again = record(7, &[0.5, 0.875]);
    assert_eq!(again.save().unwrap(), paths[0]);
    assert_eq!(scores::read().unwrap(), [again.clone(), records[1].clone()]);
    assert_eq!(std::fs::read_dir(scores::folder()).unwrap().count(), 2, "nothing else is left there");

    assert_eq!(again.name(), "candle + lab: Sequential, small");
    assert_eq!(again.test().unwrap(), Score { loss: 0.625, accuracy: 0.875 });
    assert_eq!(again.seconds_per_epoch(), 2.6875);
    assert_eq!((again.data.as_str(), again.train_images, again.test_images), ("drawn digits", 27, 20));
    assert!(again.peak_memory_mib > 1.0 && !again.cpu.is_empty() && again.cores > 0, "{again:?}");
    let today = Command::new("date").args(["-u", "+%F"]).output().unwrap().stdout;
    assert_eq!(again.date, String::from_utf8(today).unwrap().trim());
}

#[test]
fn what_is_no_good_record_is_named_and_left_alone() {
    if !is_inner() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            ("cut.json", r#"{"format": 1, "framework": "candle""#, "it is damaged: EOF while parsing"),
            (
                "newer.json",
                r#"{"format": 2}"#,
                "its format is 2, and this course reads 1; run its notebook again",
            ),
            ("other.json", "[1, 2]", "it is no record of a score"),
            ("short.json", r#"{"format": 1}"#, "it is damaged: missing field `framework`"),
        ];
        for (name, text, _) in &files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        std::fs::write(folder.path().join("notes.txt"), "").unwrap();
        let printed = in_folder(folder.path(), "scores::what_is_no_good_record_is_named_and_left_alone");
        for (name, text, message) in &files {
            assert!(printed.contains(&format!("{name} is left out: {message}")), "{printed}");
            assert_eq!(&std::fs::read_to_string(folder.path().join(name)).unwrap(), text);
        }
        return;
    }
    let mut good = record(7, &[0.5]);
    good.save().unwrap();
    assert_eq!(scores::read().unwrap(), [good]);
}

#[test]
fn a_score_that_is_no_number_is_not_recorded() {
    if !is_inner() {
        let folder = tempfile::tempdir().unwrap();
        in_folder(folder.path(), "scores::a_score_that_is_no_number_is_not_recorded");
        return;
    }
    let mut record = record(7, &[0.5, 0.5]);
    record.epochs[1].train.loss = f32::NAN;
    let error = record.save().unwrap_err().to_string();
    assert_eq!(error, "epoch 2 has a loss that is no finite number, so its score is not recorded");
    record.epochs.clear();
    assert!(record.save().unwrap_err().to_string().starts_with("nothing was trained"));
    assert_eq!(std::fs::read_dir(scores::folder()).unwrap().count(), 0);
}

#[test]
fn speeds_are_read_as_they_were_written() {
    if !is_inner() {
        let folder = tempfile::tempdir().unwrap();
        in_folder(folder.path(), "scores::speeds_are_read_as_they_were_written");
        return;
    }
    assert!(format!("{:#}", Speeds::read().unwrap_err()).contains("`cargo bench --bench training` measures"));
    let speed = Speed {
        name: "PyTorch: channels_last".into(),
        images: 6_000,
        seconds: vec![12.0, 10.0, 11.0],
        processor_seconds: 20.0,
        gflops: 60.0,
        memory_mib: 800.0,
        one_digit_ms: 0.25,
        ten_thousand_digits_s: 1.5,
    };
    assert_eq!(speed.median_seconds(), 11.0);
    let speeds = Speeds {
        cpu: "AMD EPYC".into(),
        vectors: "AVX2".into(),
        threads: 2,
        date: "2026-11-29".into(),
        peak_gflops: 200.0,
        variants: vec![speed],
    };
    let path = speeds.save().unwrap();
    assert!(path.ends_with("speed/amd-epyc-avx2-2-threads.json"), "{path:?}");
    assert_eq!(Speeds::read().unwrap(), [speeds]);
    assert!(scores::read().unwrap().is_empty(), "a speed is no record");

    let mut part = Speeds::read().unwrap().remove(0);
    part.variants[0].gflops = f64::NAN;
    let error = part.save().unwrap_err().to_string();
    assert_eq!(error, "\"PyTorch: channels_last\" was not measured whole, so no speed is kept");

    std::fs::write(&path, "{").unwrap();
    let error = format!("{:#}", Speeds::read().unwrap_err());
    assert!(error.contains("amd-epyc-avx2-2-threads.json is damaged: EOF"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    if !is_inner() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        in_folder(&file, "scores::a_folder_that_cannot_be_made_is_named");
        return;
    }
    let error = format!("{:#}", record(7, &[0.5]).save().unwrap_err());
    assert!(error.starts_with("cannot write ") && error.contains("-seed7.json: "), "{error}");
}

#[test]
fn lines_of_code_are_counted_without_comments() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        scores::lines_of_code(folder.path().join(name))
    };
    let cells = r##"{"cells": [{"cell_type": "markdown", "source": ["# A title\n", "text"]},
        {"cell_type": "code", "source": ["// Why.\n", "let x = 1; // One.\n", "\n", "x + 1"]},
        {"cell_type": "code", "source": "fn f() {\n}"}]}"##;
    assert_eq!(write("n.ipynb", cells).unwrap(), 4);
    assert_eq!(write("p.py", "# Why.\nimport os\n\nprint(1)  # One.\n").unwrap(), 2);
    let error = format!("{:#}", write("m.ipynb", "{}").unwrap_err());
    assert!(error.ends_with("m.ipynb is no notebook: it has no cells"), "{error}");
    let error = format!("{:#}", scores::lines_of_code(folder.path().join("none.py")).unwrap_err());
    assert!(error.starts_with("cannot read ") && error.contains("none.py: "), "{error}");
}

#[test]
fn frameworks_are_those_that_are_compiled() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for (package, framework) in [("candle-core", CANDLE), ("burn", BURN)] {
        let version = format!("name = \"{package}\"\nversion = \"{}\"\n", framework.version);
        assert!(lock.contains(&version), "{version}");
    }
}
