//! The course as web pages and slides, made of the notebooks as they are.

use crate::jupyterlab::chromium;
use crate::python::{Workplace, program};
use crate::support::{root, taper};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// `taper export` on the course.
fn export(out: &Path, arguments: &[&str]) {
    let output =
        taper().arg("export").args(arguments).arg("--out").arg(out).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Has a browser read the pages in a folder.
fn read(chromium: &Path, folder: &Path, more: &[&str]) {
    let screenshots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    fs::create_dir_all(&screenshots).unwrap();
    let mut python = program("python");
    python.arg(root().join("tests/pages.py")).args([chromium, folder, &screenshots]).args(more);
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn pages_are_for_everybody_and_need_no_network() {
    let Some(chromium) = chromium("the exported pages") else { return };
    let out = tempfile::tempdir().unwrap();
    export(out.path(), &[]);
    let pages: Vec<_> = fs::read_dir(out.path()).unwrap().map(|page| page.unwrap()).collect();
    assert_eq!(pages.len(), 12, "eleven notebooks and an index");
    for page in pages {
        let size = page.metadata().unwrap().len();
        assert!(size < 2_000_000, "{:?} has {size} bytes", page.path());
    }
    read(&chromium, out.path(), &[]);
}

#[test]
fn plain_pages_of_nbconvert_work_without_network() {
    let Some(chromium) = chromium("nbconvert's pages") else { return };
    let workplace = Workplace::new();
    let notebook = root().join("notebooks/03_architecture.ipynb");
    let arguments = ["--to", "html", "--output-dir", ".", notebook.to_str().unwrap()];
    let (good, text) = workplace.run("jupyter-nbconvert", &arguments);
    assert!(good, "{text}");
    read(&chromium, workplace.path(), &["plain"]);
}

/// How a cell starts a slide, if it does.
fn slide_type(cell: &Value) -> &str {
    cell["metadata"]["slideshow"]["slide_type"].as_str().unwrap_or("-")
}

#[test]
fn slides_follow_the_headings() {
    let out = tempfile::tempdir().unwrap();
    export(out.path(), &["--slides"]);
    for entry in fs::read_dir(root().join("notebooks")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|kind| kind != "ipynb") {
            continue;
        }
        let notebook: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let cells = notebook["cells"].as_array().unwrap();
        for cell in cells {
            let is_heading = cell["cell_type"] == "markdown"
                && cell["source"].as_array().unwrap().iter().any(|line| {
                    let line = line.as_str().unwrap();
                    line.starts_with("# ") || line.starts_with("## ")
                });
            assert_eq!(slide_type(cell) == "slide", is_heading, "{}: {}", path.display(), cell["source"]);
        }
        // reveal.js has a column for each slide, with its subslides below one another.
        let count = |kind: &str| cells.iter().filter(|cell| slide_type(cell) == kind).count();
        let expected = 2 * count("slide") + count("subslide");
        let page = out.path().join(path.file_name().unwrap()).with_extension("slides.html");
        let sections = fs::read_to_string(&page).unwrap().matches("<section").count();
        assert_eq!(sections, expected, "{}", page.display());
    }
}
