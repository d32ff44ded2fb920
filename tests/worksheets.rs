//! The notebooks with solutions contain the exercises of the course and mark what only teachers get.

use crate::run::notebook;
use crate::support::root;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// The exercises whose code has no result that a test could check: two ways to mend a cell, and trainings that take minutes and
/// need another program.
const BY_HAND: [(&str, usize); 3] =
    [("00_rust_for_python.ipynb", 2), ("10_python_peers.ipynb", 3), ("12_results.ipynb", 1)];

/// The names of the notebooks with solutions.
pub fn names() -> Vec<String> {
    let entries = fs::read_dir(root().join("notebooks/solutions")).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".ipynb")).collect();
    names.sort();
    assert_eq!(names.len(), 19);
    names
}

/// The cells of a notebook.
pub fn cells(path: &Path) -> Vec<Value> {
    notebook(path)["cells"].as_array().unwrap().clone()
}

/// Text as notebooks have it: a list of lines.
pub fn text(value: &Value) -> String {
    value.as_array().into_iter().flatten().map(|line| line.as_str().unwrap()).collect()
}

/// nbgrader's metadata of a cell.
pub fn mark(cell: &Value) -> &Value {
    &cell["metadata"]["nbgrader"]
}

/// Whether a cell is marked as a solution, or a part of one.
pub fn is_solution(cell: &Value) -> bool {
    mark(cell)["solution"] == true
}

/// Whether a cell is a test, which nbgrader runs and grades by itself.
pub fn is_test(cell: &Value) -> bool {
    mark(cell)["grade"] == true && !is_solution(cell)
}

/// Whether students get not even an empty cell for it.
pub fn goes_altogether(cell: &Value) -> bool {
    cell["metadata"]["tags"].as_array().is_some_and(|tags| tags.contains(&"instructor-only".into()))
}

/// Whether the text asks a question; the operator `?` in code does not count.
fn asks(exercise: &str) -> bool {
    exercise.split('`').step_by(2).any(|prose| prose.contains('?'))
}

/// The exercises of one of the course's notebooks, without their numbers.
fn exercises(name: &str) -> Vec<String> {
    let prose: String =
        cells(&root().join("notebooks").join(name)).iter().map(|cell| text(&cell["source"]) + "\n").collect();
    let list = prose.split_once("## Exercises\n\n").unwrap().1.trim();
    let mut exercises: Vec<String> = Vec::new();
    for line in list.lines() {
        match line.split_once(". *(") {
            Some((number, exercise)) if number == (exercises.len() + 1).to_string() => {
                exercises.push(format!("*({exercise}"));
            }
            _ => *exercises.last_mut().unwrap() += &format!("\n{}", line.trim()),
        }
    }
    exercises
}

#[test]
fn each_exercise_of_the_course_is_there_word_for_word_with_its_points() {
    for name in names() {
        let exercises = exercises(&name);
        assert_eq!(exercises.len(), 3, "{name}");
        let cells = cells(&root().join("notebooks/solutions").join(&name));
        for (index, exercise) in exercises.iter().enumerate() {
            let number = index + 1;
            let is_asked = |cell: &&Value| {
                let source = text(&cell["source"]);
                let (heading, text) = source.split_once("\n\n").unwrap_or_default();
                heading.starts_with(&format!("## {number}. ")) && text == exercise
            };
            assert_eq!(cells.iter().filter(is_asked).count(), 1, "{name}: {exercise}");

            // What students get: a place for code and its test, and a place for words where something is asked.
            let places = cells.iter().filter(|cell| !goes_altogether(cell)).filter_map(|cell| {
                let place = mark(cell)["grade_id"].as_str()?.strip_prefix(&format!("exercise-{number}-"))?;
                Some((place.to_owned(), cell))
            });
            let places: Vec<(String, &Value)> = places.collect();
            let minutes: u64 = exercise[2..].split(' ').next().unwrap().parse().unwrap();
            let is_graded_by_hand = BY_HAND.contains(&(name.as_str(), number));
            let for_words = if asks(exercise) { 2 } else { 0 };
            let mut expected = match is_graded_by_hand {
                true => vec![place("code", "code", [true, true, false], Some(minutes - for_words))],
                false => vec![
                    place("code", "code", [false, true, false], None),
                    place("test", "code", [true, false, true], Some(minutes - for_words)),
                ],
            };
            if asks(exercise) {
                expected.push(place("words", "markdown", [true, true, false], Some(for_words)));
            }
            let mut found: Vec<Value> = places.iter().map(|(name, cell)| as_place(name, cell)).collect();
            found.sort_by_key(|place| place["place"].to_string());
            assert_eq!(found, expected, "{name}: {exercise}");
            if !is_graded_by_hand {
                let code = places.iter().position(|(place, _)| place == "code").unwrap();
                assert_eq!(
                    places[code + 1].0,
                    "test",
                    "{name}: the test of {exercise} does not follow its code"
                );
                check_test(&text(&places[code + 1].1["source"]), exercise);
            }
        }
    }
}

/// A place as the test above compares it; `marks` are grade, solution and locked.
fn place(name: &str, kind: &str, marks: [bool; 3], points: Option<u64>) -> Value {
    let [grade, solution, locked] = marks;
    json!({ "place": name, "kind": kind, "grade": grade, "solution": solution, "locked": locked, "points": points })
}

fn as_place(name: &str, cell: &Value) -> Value {
    let mark = mark(cell);
    let marks = ["grade", "solution", "locked"].map(|key| mark[key].as_bool().unwrap());
    place(name, cell["cell_type"].as_str().unwrap(), marks, mark["points"].as_u64())
}

/// A test says first what it needs, by names that the exercise states, and is short enough to be read.
fn check_test(test: &str, exercise: &str) {
    let first = test.lines().next().unwrap();
    assert!(first.starts_with("// Needs the ") && first.ends_with('.'), "{first}");
    let names: Vec<&str> = first.split('`').skip(1).step_by(2).collect();
    assert!(!names.is_empty(), "{first}");
    for name in names {
        let name = name.split('(').next().unwrap();
        let is_stated = exercise.split('`').skip(1).step_by(2).any(|code| {
            let words = code.split(|letter: char| letter != '_' && !letter.is_alphanumeric());
            words.into_iter().any(|word| word == name)
        });
        assert!(is_stated, "the test needs `{name}`, which this exercise does not state: {exercise}");
        assert!(test.lines().skip(1).any(|line| line.contains(name)), "{name}: {test}");
    }
    assert!(test.contains("assert") && test.lines().count() <= 25, "{test}");
}

/// A forgotten mark would leave a solution to students: every unmarked cell among the exercises is on this list.
#[test]
fn hardly_anything_among_the_exercises_is_given() {
    for name in names() {
        let cells = cells(&root().join("notebooks/solutions").join(&name));
        let given = cells.iter().filter(|cell| !is_solution(cell) && !is_test(cell));
        let sources = given.map(|cell| text(&cell["source"]));
        let among = sources.skip_while(|source| !source.starts_with("## 1. "));
        let starts: Vec<String> = among
            .filter(|source| !source.starts_with("## "))
            .map(|source| source.split(['(', '`', ':']).next().unwrap().to_owned())
            .collect();
        let expected: &[&str] = match name.as_str() {
            "03_architecture.ipynb" => &["fn read_frame", "let device", "let test"],
            "10_python_peers.ipynb" => &["fn python", "Without "],
            "11_inside_the_network.ipynb" => &["let digit = test.images"],
            _ => &[],
        };
        assert_eq!(starts, expected, "{name}");
    }
}
