//! The course as web pages and slides, made of the notebooks as they are.

use crate::jupyterlab::chromium;
use crate::python::{Workplace, program};
use crate::support::{root, taper};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// `taper export` on the course.
fn export(out: &Path, arguments: &[&str]) {
    let output =
        taper().arg("export").args(arguments).arg("--out").arg(out).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Has a browser read the pages in a folder.
fn read(folder: &Path, more: &[&str]) {
    let screenshots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    fs::create_dir_all(&screenshots).unwrap();
    let mut python = program("python");
    python.arg(root().join("tests/pages.py")).args([chromium(), folder, &screenshots]).args(more);
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[needs::chromium]
#[test]
fn pages_are_for_everybody_and_need_no_network() {
    let out = tempfile::tempdir().unwrap();
    export(out.path(), &[]);
    let pages: Vec<_> = fs::read_dir(out.path()).unwrap().map(|page| page.unwrap()).collect();
    assert_eq!(pages.len(), 20, "nineteen notebooks and an index");
    for page in pages {
        let size = page.metadata().unwrap().len();
        assert!(size < 2_000_000, "{:?} has {size} bytes", page.path());
    }
    read(out.path(), &[]);
}

#[needs::chromium]
#[test]
fn plain_nbconvert_makes_them_too_where_it_is_to() {
    let workplace = Workplace::new();
    let settings = workplace.jupyters("JUPYTER_CONFIG_DIR").join("jupyter_config.json");
    let others = r#"{"NbConvertApp":{"log_level":"ERROR"}}"#;
    fs::write(&settings, others).unwrap();
    let install = || {
        let output = workplace.taper().args(["install", "--pages"]).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let convert = |arguments: &[&str]| {
        let (good, text) = workplace.run("jupyter-nbconvert", arguments);
        assert!(good, "{text}");
    };
    assert_eq!(install(), (true, String::new()));
    let names = ["03_architecture", "07_tensorflow_style", "11_inside_the_network"];
    let notebooks = names.map(|name| root().join("notebooks").join(name).with_extension("ipynb"));
    let [notebooks @ .., last] = &notebooks.map(|path| path.to_string_lossy().into_owned());
    convert(&["--to", "html", "--output-dir", ".", &notebooks[0], &notebooks[1], last]);
    read(workplace.path(), &["plain"]);

    // nbconvert's slides, and pages of notebooks in other languages, are unchanged.
    convert(&["--to", "slides", "--output-dir", ".", last]);
    let page = |name: &str| fs::read_to_string(workplace.path().join(name)).unwrap();
    assert!(page("11_inside_the_network.slides.html").contains("Reveal.initialize"));
    let python =
        fs::read_to_string(last).unwrap().replace(r#""language": "rust""#, r#""language": "python""#);
    fs::write(workplace.path().join("python.ipynb"), python).unwrap();
    convert(&["--to", "html", "python.ipynb"]);
    convert(&["--to", "html", "--template", "lab", "--output", "lab", "python.ipynb"]);
    assert!(page("python.html").contains("mathjax") && page("python.html") == page("lab.html"));

    // With a separate cache, because other tests use the common one.
    let mut uninstall = workplace.taper();
    uninstall.arg("uninstall").env("TAPER_CACHE", workplace.path().join("cache"));
    assert!(uninstall.status().unwrap().success());
    let left: Value = serde_json::from_str(&fs::read_to_string(&settings).unwrap()).unwrap();
    assert_eq!(left, serde_json::from_str::<Value>(others).unwrap());
    fs::write(&settings, r#"{"HTMLExporter":{"template_name":"classic"}}"#).unwrap();
    let (good, text) = install();
    assert!(!good && text.contains("already sets nbconvert's template to \"classic\""), "{text}");
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

/// Writes a notebook with this Markdown.
fn write(path: &Path, markdown: &str) {
    let cell = json!({ "cell_type": "markdown", "id": "a", "metadata": {}, "source": markdown });
    let notebook = json!({ "cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5 });
    fs::write(path, notebook.to_string()).unwrap();
}

#[test]
fn what_cannot_be_shown_is_told_and_no_reason_to_be_without_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).with_extension("ipynb");
    fs::write(path("1 damaged"), "{").unwrap();
    write(&path("2 attachment"), "# Two\n\n![gone](attachment:gone.png)");
    write(&path("3 formula"), "# Three\n\nHalf $a$ and $\\frac{1}$, $b$.");
    fs::create_dir(folder.path().join("pictures")).unwrap();
    fs::copy(root().join("assets/logo-32x32.png"), folder.path().join("pictures/logo.png")).unwrap();
    write(
        &path("4 pictures"),
        "# Four\n\n*Part two: Pictures & more*\n\n![here](pictures/logo.png) ![gone](gone.png)",
    );
    let names = ["1 damaged", "2 attachment", "3 formula", "4 pictures"];
    for (arguments, extension) in [(&[][..], "html"), (&["--slides"], "slides.html")] {
        let out = folder.path().join(extension);
        let mut command = taper();
        command.arg("export").args(arguments).args(names.map(path)).arg("--out").arg(&out);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let errors = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = errors.lines().collect();
        let expected = [
            ("1 damaged", "no page was written: ", "EOF while parsing an object at line 1 column 1"),
            ("3 formula", "cannot convert the formula \\frac{1}, so it stays as TeX: ", "end of input."),
            ("2 attachment", "no page was written: ", "missing attachment: gone.png"),
        ];
        assert_eq!(lines.len(), expected.len(), "{errors}");
        for (line, (name, start, end)) in lines.iter().zip(expected) {
            let start = format!("{}: {start}", path(name).display());
            assert!(line.starts_with(&start) && line.ends_with(end), "{errors}");
        }
        let page =
            |name: &str| fs::read_to_string(out.join(name).with_extension(extension)).unwrap_or_default();
        assert_eq!([page("1 damaged"), page("2 attachment")], [String::new(), String::new()]);
        let formulas = "Half <math><mi>a</mi></math> and $\\frac{1}$, <math><mi>b</mi></math>.";
        assert!(page("3 formula").contains(formulas));
        let page = page("4 pictures");
        assert!(page.contains("src=\"data:image/png;base64,") && page.contains("src=\"gone.png\""));
    }
    let index = fs::read_to_string(folder.path().join("html/index.html")).unwrap();
    assert!(index.contains(">Three</a>") && index.contains(">Four</a>"), "{index}");
    assert!(!index.contains("damaged") && !index.contains("attachment"), "{index}");
    let order =
        [">Three</a>", ">Part two: Pictures &amp; more</th>", ">Four</a>"].map(|text| index.find(text));
    assert!(order.is_sorted() && order[0].is_some(), "{index}");
    assert!(!folder.path().join("slides.html/index.html").exists());
}
