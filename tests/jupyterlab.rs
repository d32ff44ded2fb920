//! The kernel in JupyterLab, in a real browser.

use crate::python::{Workplace, say};
use crate::support::root;
use std::fs;
use std::path::Path;

/// The browser. Only tests that need one may ask.
pub fn chromium() -> &'static Path {
    const PROGRAM: Option<&str> = needs::chromium_program!();
    Path::new(PROGRAM.expect("there is no Chromium: install the package `chromium`, or Chrome"))
}

#[needs::chromium]
#[test]
fn jupyterlab_shows_text_pictures_progress_questions_a_pad_and_errors() {
    let workplace = Workplace::new();
    workplace.write_notebook(
        "live.ipynb",
        &[
            "println!(\"three steps\");\n3 * 2",
            "lab::display::svg(r##\"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"120\" height=\"60\">\n  <circle cx=\"60\" cy=\"30\" r=\"25\" fill=\"#cc3300\"/>\n</svg>\"##);",
            "use lab::display::Display;\nfn wait_for(file: &str) {\n    while !std::path::Path::new(file).exists() {\n        std::thread::yield_now();\n    }\n}\nDisplay::html(\"<b>at first</b>\").show_as(\"live\");\nwait_for(\"go on\");\nDisplay::html(\"<b>later on</b>\").update(\"live\");\nwait_for(\"end\");",
            "let mut name = String::new();\nprintln!(\"EVCXR_INPUT_REQUEST:Who are you?\");\nstd::io::stdin().read_line(&mut name)?;\nprintln!(\"hello {}\", name.trim());",
            "use lab::candle_core::{DType, Device};\nuse lab::nn::{self, VarBuilder, VarMap};\nlet weights = VarMap::new();\n{\n    let layers = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);\n    nn::conv_block(1, 32, 3, 2, layers.pp(\"conv1\"))?;\n    nn::conv_block(32, 64, 3, 2, layers.pp(\"conv2\"))?;\n    nn::linear(1600, 10, layers.pp(\"dense\"))?;\n}\nlab::draw::pad(&weights)?",
            "let numbers = vec![1, 2];\nlet index = numbers.len() + 5;\nnumbers[index]",
        ],
    );
    in_jupyterlab(&workplace, workplace.path(), "live_in_jupyterlab.py");
}

/// What a person does with `01_first_light` and `03_architecture`, for five epochs on 6,000 digits that `lab` draws.
#[needs::chromium]
#[test]
fn the_course_works_in_jupyterlab() {
    let workplace = Workplace::new();
    let notebooks = workplace.path().join("notebooks");
    fs::create_dir(&notebooks).unwrap();
    std::os::unix::fs::symlink(root().join("assets"), workplace.path().join("assets")).unwrap();
    for name in ["01_first_light.ipynb", "03_architecture.ipynb"] {
        let notebook = fs::read_to_string(root().join("notebooks").join(name)).unwrap();
        let small =
            [("60_000;", "6_000;"), ("= 10_000;", "= 1_000;"), ("EPOCHS: usize = 1;", "EPOCHS: usize = 5;")];
        let notebook = small.iter().fold(notebook, |text, (from, to)| text.replace(from, to));
        fs::write(notebooks.join(name), notebook).unwrap();
    }
    in_jupyterlab(&workplace, &notebooks, "course_in_jupyterlab.py");
}

/// Runs a script that uses JupyterLab on a folder, and leaves screenshots.
fn in_jupyterlab(workplace: &Workplace, folder: &Path, script: &str) {
    let screenshots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    fs::create_dir_all(&screenshots).unwrap();
    let script = root().join("tests").join(script);
    let mut command = workplace.command("python");
    command.args([script.as_path(), chromium(), &screenshots]).current_dir(folder);
    let output = command.env("TAPER_OFFLINE", "1").env_remove("MNIST_DIR").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "see {} and\n{text}", screenshots.display());
    say(String::from_utf8_lossy(&output.stdout).trim_end());
}
