//! The course on the kernel that evcxr comes with: slower and without live display, but with the same results.

use crate::course::{code, notebooks};
use crate::models::models;
use crate::python::say;
use crate::support::{kernel_command, note, root, stock};
use jupyter_protocol::{JupyterMessageContent as Content, Media, MediaType};
use lab::data::drawn_sized;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use wire::Client;

/// The stock kernel. It compiles candle in the first cell, and keeps what it has compiled for the next test.
async fn caching_stock(command: &mut Command) -> Client {
    command.env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("stock"));
    let mut kernel = Client::start(command).await.unwrap();
    assert!(kernel.run(":cache 4000", |_| Ok(())).await.unwrap());
    kernel
}

/// The lines of a cell.
fn source(cell: &Value) -> String {
    cell["source"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

/// What a cell shows: the text that it prints, and all representations of its pictures and its result.
async fn shown(kernel: &mut Client, code: &str) -> (String, Vec<Vec<MediaType>>) {
    let (mut text, mut pictures) = (String::new(), Vec::new());
    let mut errors = Vec::new();
    let good = kernel.run(code, |message| {
        match &message.content {
            Content::StreamContent(stream) => text += &stream.text,
            Content::DisplayData(display) => pictures.push(sorted(&display.data)),
            Content::ExecuteResult(result) => pictures.push(sorted(&result.data)),
            Content::ErrorOutput(error) => errors.push(error.evalue.clone()),
            _ => {}
        }
        Ok(())
    });
    assert!(good.await.unwrap(), "{code}: {errors:?}");
    // The stock kernel shows the value of a loop at the end of a cell.
    pictures.retain(|media| media[..] != [MediaType::Plain("()".into())]);
    (text, pictures)
}

/// The representations of something in an order that does not depend on the kernel.
fn sorted(media: &Media) -> Vec<MediaType> {
    let mut content = media.content.clone();
    content.sort_by(|one, other| one.mime_type().cmp(other.mime_type()));
    content
}

#[tokio::test]
async fn a_notebook_shows_the_same_on_the_stock_kernel() {
    let digits = drawn_sized(5, 640, 200).unwrap().to_idx().unwrap();
    let (mut ours, mut theirs) = (kernel_command(), stock());
    for command in [&mut ours, &mut theirs] {
        command.env("MNIST_DIR", digits.path());
    }
    let mut ours = Client::start(&mut ours).await.unwrap();
    let mut theirs = caching_stock(&mut theirs).await;
    // What this notebook computes takes no time, so that only the compiler's matters.
    assert!(theirs.run(":opt 0", |_| Ok(())).await.unwrap());
    let mut texts = String::new();
    let mut pictures = 0;
    for cell in code(&root().join("notebooks/02_data.ipynb")) {
        let source = source(&cell);
        let expected = shown(&mut ours, &source).await;
        assert_eq!(shown(&mut theirs, &source).await, expected, "{source}");
        texts += &expected.0;
        pictures += expected.1.len();
    }
    for line in [
        "640 images to train, 200 to test\n",
        "5 batches to train, 2 to test\n",
        "all 784 values are the same\n",
    ] {
        assert!(texts.contains(line), "{line} is not in {texts}");
    }
    assert_eq!(pictures, 3);
    ours.shut_down().await.unwrap();
    theirs.shut_down().await.unwrap();
}

/// All notebooks, which train, and one of which has Burn compiled, for minutes each.
#[needs::time]
#[tokio::test]
async fn the_course_runs_on_the_stock_kernel() {
    let scores = tempfile::tempdir().unwrap();
    for path in notebooks("notebooks") {
        let mut command = stock();
        command.env("TAPER_OFFLINE", "1").env_remove("MNIST_DIR").env("LAB_SCORES", scores.path());
        command.env("TAPER_MODELS", models());
        let mut kernel = caching_stock(&mut command).await;
        let start = Instant::now();
        let mut pictures = 0;
        for cell in code(&path) {
            let small = source(&cell)
                .replace("60_000", "640")
                .replace("50_000", "320")
                .replace("10_000", "200")
                .replace("5_000", "320")
                .replace("2_000", "200")
                .replace("PICTURE_SIDE: usize = 96", "PICTURE_SIDE: usize = 32")
                .replace("SEEDS: u64 = 5", "SEEDS: u64 = 2")
                .replace("EPOCHS: usize = 3;", "EPOCHS: usize = 1;")
                .replace("EPOCHS: usize = 4", "EPOCHS: usize = 1")
                .replace("EPOCHS: usize = 30", "EPOCHS: usize = 1")
                .replace("EPOCHS: usize = 5", "EPOCHS: usize = 1")
                .replace("EPOCHS: usize = 15", "EPOCHS: usize = 1");
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
    assert_eq!(
        std::fs::read_dir(scores.path()).unwrap().count(),
        11,
        "a score of each style, and folders with those of pictures, the game, words, meaning and shoulders"
    );
}
