//! `taper students`: the edition has all exercises and no part of a solution.

use crate::python::{Workplace, say};
use crate::run::notebook;
use crate::support::{root, taper};
use crate::worksheets::{cells, goes_altogether, is_solution, is_test, mark, names, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The students' edition, made once for all tests with the nbgrader in the user's cache.
fn edition() -> &'static Path {
    static EDITION: OnceLock<PathBuf> = OnceLock::new();
    EDITION.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("students");
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let output = students(root(), &folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("19 notebooks without their solutions are in "), "{text}");
        folder
    })
}

/// The command for the course in a folder.
fn students(course: &Path, out: &Path) -> Command {
    let mut command = taper();
    command.arg("students").arg("--out").arg(out).current_dir(course);
    command
}

#[test]
fn what_is_given_stays_and_what_is_marked_becomes_an_empty_place() {
    for name in names() {
        let with = cells(&root().join("notebooks/solutions").join(&name));
        let expected: Vec<Value> = with
            .into_iter()
            .filter(|cell| !goes_altogether(cell))
            .map(|mut cell| {
                if is_solution(&cell) {
                    let is_code = cell["cell_type"] == "code";
                    cell["source"] =
                        json!([if is_code { "// Your code here." } else { "*Your answer here.*" }]);
                }
                if cell["cell_type"] == "code" {
                    (cell["outputs"], cell["execution_count"]) = (json!([]), Value::Null);
                }
                cell
            })
            .collect();
        assert_eq!(cells(&edition().join("notebooks/exercises").join(&name)), expected, "{name}");
    }
}

/// All strings in a notebook, its outputs among them, or the text of another file, as lines.
fn lines(path: &Path) -> BTreeSet<String> {
    let text = match path.extension().is_some_and(|kind| kind == "ipynb") {
        true => strings(&notebook(path)),
        false => String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned(),
    };
    longer_lines(&text).collect()
}

fn strings(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text}\n"),
        Value::Array(values) if values.iter().all(Value::is_string) => format!("{}\n", text(value)),
        Value::Array(values) => values.iter().map(strings).collect(),
        Value::Object(values) => values.values().map(strings).collect(),
        _ => String::new(),
    }
}

/// Lines that say something: not `}` or `} else {`.
fn longer_lines(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(|line| line.trim().to_owned()).filter(|line| line.len() > 8)
}

/// All files in a folder and those within it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Whether it is one of part one's records, which are in no folder of their own.
fn is_score(path: &Path) -> bool {
    path.parent() == Some(Path::new("notebooks/scores")) && path.extension() == Some(OsStr::new("json"))
}

/// A cell's source, and the text that it has shown.
fn said(cell: &Value) -> BTreeSet<String> {
    let outputs = cell["outputs"].as_array().into_iter().flatten();
    let shown = outputs.map(|output| text(&output["text"]) + &text(&output["data"]["text/plain"]) + "\n");
    longer_lines(&(text(&cell["source"]) + "\n" + &shown.collect::<String>())).collect()
}

#[test]
fn no_line_of_a_solution_is_left() {
    let (mut solutions, mut given) = (BTreeSet::new(), BTreeSet::new());
    for name in names() {
        for cell in cells(&root().join("notebooks/solutions").join(&name)) {
            if is_solution(&cell) {
                solutions.append(&mut said(&cell));
            } else {
                assert!(!text(&cell["source"]).to_lowercase().contains("solution"), "{name}: {cell}");
                given.append(&mut said(&cell));
            }
        }
        // What the course itself says may appear.
        cells(&root().join("notebooks").join(&name)).iter().for_each(|cell| given.append(&mut said(cell)));
    }
    let secret: BTreeSet<String> = solutions.difference(&given).cloned().collect();
    let files = files(edition());
    for path in &files {
        let left: Vec<_> = lines(path).intersection(&secret).cloned().collect();
        assert!(left.is_empty(), "{}: {left:?}", path.display());
    }
    // The same search finds every solution in the teachers' notebooks.
    let found: BTreeSet<String> =
        names().iter().flat_map(|name| lines(&root().join("notebooks/solutions").join(name))).collect();
    assert!(found.is_superset(&secret), "{:?}", secret.difference(&found).next());
    say(&format!(
        "{} lines of solutions, none of them in the {} files for students",
        secret.len(),
        files.len()
    ));
    assert!(secret.len() > 500, "{}", secret.len());
}

#[test]
fn the_course_comes_along_without_its_solutions() {
    let within: BTreeSet<PathBuf> =
        files(edition()).iter().map(|path| path.strip_prefix(edition()).unwrap().to_owned()).collect();
    for path in &within {
        if !path.starts_with("notebooks/exercises") {
            assert_eq!(
                fs::read(edition().join(path)).unwrap(),
                fs::read(root().join(path)).unwrap(),
                "{path:?}"
            );
        }
        let folder = path.parent().unwrap().to_str().unwrap();
        let is_known = |known: &str| {
            folder == known || folder.strip_prefix(known).is_some_and(|rest| rest.starts_with('/'))
        };
        let known = ["notebooks/exercises", "notebooks/peers", "notebooks/scores", "assets"];
        assert!(folder == "notebooks" || known.into_iter().any(is_known) && folder != "assets", "{path:?}");
    }
    // What notebooks show and compare, whatever folders there will be.
    for folder in ["assets", "notebooks/scores"] {
        for path in files(&root().join(folder)) {
            let path = path.strip_prefix(root()).unwrap();
            let is_inside = path.parent() != Some(Path::new(folder));
            let is_hidden = path.to_str().unwrap().contains("/.");
            assert_eq!(within.contains(path), is_inside && !is_hidden || is_score(path), "{path:?}");
        }
    }
    for name in names() {
        for folder in ["notebooks", "notebooks/exercises"] {
            assert!(within.contains(&Path::new(folder).join(&name)), "{name}");
        }
    }
    for path in
        ["notebooks/peers/pytorch.py", "notebooks/peers/requirements.txt", "assets/architecture/16.png"]
    {
        assert!(within.contains(Path::new(path)), "{path}");
    }
}

/// The cells of an executed notebook with the grade_id of each, and the error of those that failed.
fn errors(path: &Path) -> Vec<(Value, Option<String>)> {
    let of = |cell: &Value| {
        let outputs = cell["outputs"].as_array().into_iter().flatten();
        let mut errors = outputs.filter(|output| output["output_type"] == "error");
        errors.next().map(|error| error["evalue"].as_str().unwrap().to_owned())
    };
    cells(path).into_iter().map(|cell| (of(&cell), cell)).map(|(error, cell)| (cell, error)).collect()
}

/// Executes a notebook, whatever fails in it, with the digits that `lab` draws.
fn execute(path: &Path, out: &Path) -> PathBuf {
    let place = Workplace::new();
    let mut command = place.command("jupyter");
    command.args(["nbconvert", "--to", "notebook", "--execute", "--allow-errors", "--output-dir"]).arg(out);
    let output = command.arg(path).env("TAPER_OFFLINE", "1").env_remove("MNIST_DIR").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    out.join(path.file_name().unwrap())
}

/// One notebook needs the digits, one the frames of the animation. All that is given runs, and each test says what is missing, by
/// a name that its exercise states.
#[test]
fn the_tests_say_what_is_missing() {
    let out = tempfile::tempdir().unwrap();
    for name in ["00_rust_for_python.ipynb", "02_data.ipynb", "03_architecture.ipynb"] {
        let empty = edition().join("notebooks/exercises").join(name);
        let executed = execute(&empty, out.path());
        let mut exercise = String::new();
        for (cell, error) in errors(&executed) {
            match (is_test(&cell), error) {
                (true, Some(error)) => {
                    let is_missing = |name: &str| {
                        error.starts_with("cannot find ")
                            && error.contains(&format!(" `{name}` in this scope"))
                    };
                    let mut names = exercise.split('`').skip(1).step_by(2);
                    assert!(names.any(is_missing), "{name}: {error}: {exercise}");
                }
                (false, None) if text(&cell["source"]).starts_with("## ") => exercise = text(&cell["source"]),
                (false, None) => {}
                (_, error) => panic!("{name}: {error:?}: {cell}"),
            }
        }
        // nbgrader needs these to grade what has been run.
        let marks = |path: &Path| -> Vec<Value> {
            cells(path).iter().map(mark).filter(|mark| !mark.is_null()).cloned().collect()
        };
        assert_eq!(marks(&executed), marks(&empty), "{name}");
    }
}

/// The folder of the programs of nbgrader that `taper students` uses.
fn nbgrader() -> PathBuf {
    edition();
    let requirements = fs::read(root().join("notebooks/solutions/requirements.txt")).unwrap();
    let digest = environment::files::digest([&requirements[..]]);
    let own = environment::cache::cache().unwrap().join(format!("python-{digest}/bin"));
    if own.exists() {
        return own;
    }
    let code = "import os, sys; print(os.path.dirname(sys.executable))";
    let output = Command::new("python3").args(["-c", code]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().into()
}

/// A notebook as students hand it in who have copied all code of the solutions into its places.
fn filled(empty: &Path, solved: &[Value]) -> Value {
    let mut notebook = notebook(empty);
    for cell in notebook["cells"].as_array_mut().unwrap() {
        let id = mark(cell)["grade_id"].as_str().unwrap_or_default();
        let Some(exercise) = id.strip_suffix("-code") else { continue };
        let is_part = |other: &&Value| {
            let id = mark(other)["grade_id"].as_str().unwrap_or_default();
            is_solution(other) && other["cell_type"] == "code" && id.starts_with(&format!("{exercise}-"))
        };
        let parts: Vec<String> = solved.iter().filter(is_part).map(|cell| text(&cell["source"])).collect();
        cell["source"] = json!([parts.join("\n\n")]);
    }
    notebook
}

/// Prints the points of each cell, those that nbgrader has given by itself and the most that it has, as JSON.
const POINTS: &str = r#"
import json
from nbgrader.api import Gradebook
with Gradebook("sqlite:///gradebook.db") as book:
    points = {}
    for submission in book.assignment_submissions("exercises"):
        grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
        points[submission.student.id] = {g.name: [g.auto_score, g.max_score] for g in grades if not g.name.startswith("solutions")}
print(json.dumps(points))
"#;

/// A course of nbgrader with one notebook: two of its exercises have a test, and the code of the second is graded by hand.
#[test]
fn nbgrader_gives_all_points_to_the_solutions_and_none_to_empty_places() {
    const NAME: &str = "00_rust_for_python.ipynb";
    let (place, programs) = (Workplace::new(), nbgrader());
    let source = root().join("notebooks/solutions");
    let file = |folder: &str| {
        fs::create_dir_all(place.path().join(folder)).unwrap();
        place.path().join(folder).join(NAME)
    };
    fs::copy(source.join(NAME), file("source/exercises")).unwrap();
    fs::copy(source.join("nbgrader_config.py"), place.path().join("nbgrader_config.py")).unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let run = |program: &str, arguments: &[&str]| {
        let mut command = place.command(programs.join(program).to_str().unwrap());
        let output = command.args(arguments).env("PATH", &path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run("nbgrader", &["generate_assignment", "exercises"]);
    let released = place.path().join("release/exercises").join(NAME);
    fs::copy(&released, file("submitted/empty/exercises")).unwrap();
    let solved = filled(&released, &cells(&source.join(NAME)));
    fs::write(file("submitted/solved/exercises"), solved.to_string()).unwrap();
    run("nbgrader", &["autograde", "exercises"]);

    let points: Value = serde_json::from_str(&run("python", &["-c", POINTS])).unwrap();
    let by_hand = |solved: Value| {
        json!({ "exercise-1-test": solved[0], "exercise-2-code": solved[1], "exercise-2-words": [0.0, 2.0],
                "exercise-3-test": solved[2] })
    };
    assert_eq!(points["empty"], by_hand(json!([[0.0, 5.0], [0.0, 8.0], [0.0, 10.0]])));
    assert_eq!(points["solved"], by_hand(json!([[5.0, 5.0], [null, 8.0], [10.0, 10.0]])));
}

/// A notebook with one cell of code.
fn worksheet(metadata: &Value) -> String {
    let cell = json!({ "cell_type": "code", "id": "a", "metadata": metadata, "execution_count": null,
        "source": ["1 + 1"], "outputs": [] });
    let kernelspec = json!({ "name": "taper", "display_name": "Rust (taper)", "language": "rust" });
    json!({ "cells": [cell], "metadata": { "kernelspec": kernelspec }, "nbformat": 4, "nbformat_minor": 5 })
        .to_string()
}

#[test]
fn what_cannot_be_done_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let (course, cache) = (folder.path().join("course"), folder.path().join("cache"));
    let path = course.join("notebooks/solutions/n.ipynb");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let refused = |command: &mut Command, expected: &str| {
        let output = command.env("TAPER_CACHE", &cache).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.starts_with(&format!("taper: {expected}")), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    };
    let out = folder.path().join("out");
    refused(&mut students(folder.path(), &out), "there is no folder notebooks/solutions/ here: ");
    fs::write(&path, "no notebook").unwrap();
    refused(&mut students(&course, &out), "notebooks/solutions/n.ipynb is not a notebook: ");
    fs::write(&path, worksheet(&json!({}))).unwrap();
    refused(
        &mut students(&course, &out),
        "notebooks/solutions/n.ipynb has no cell that is marked as a solution: students would get all of it",
    );
    assert!(!out.exists());

    let mark =
        json!({ "grade": false, "grade_id": "a", "locked": false, "schema_version": 3, "solution": true });
    fs::write(&path, worksheet(&json!({ "nbgrader": mark }))).unwrap();
    refused(&mut students(&course, &path.join("out")), "cannot create ");
    refused(
        &mut students(&course, &course),
        &format!("{} is not empty: remove it, or name", course.display()),
    );

    // Without Python; then with one that has no nbgrader and no network.
    let tools = folder.path().join("tools");
    fs::create_dir(&tools).unwrap();
    refused(students(&course, &out).env("PATH", &tools), "nbgrader needs Python 3 with the module venv ");
    let python = tools.join("python3");
    let path = std::env::var("PATH").unwrap();
    let script = format!("#!/bin/sh\nPATH='{path}'\n[ \"$1\" != -c ] && exec python3 \"$@\"\n");
    fs::write(&python, script).unwrap();
    fs::set_permissions(&python, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    refused(
        students(&course, &out).env("PATH", &tools).env("PIP_NO_INDEX", "1"),
        "pip could not install nbgrader, for which it needs the network: ERROR: ",
    );
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
}
