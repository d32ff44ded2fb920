//! The notebooks with solutions contain the exercises of the course and mark what only teachers get.

use crate::run::notebook;
use crate::support::root;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The names of the notebooks with solutions.
pub fn names() -> Vec<String> {
    let entries = fs::read_dir(root().join("notebooks/solutions")).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".ipynb")).collect();
    names.sort();
    assert_eq!(names.len(), 13);
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

            // One place for code, one for words where something is asked, and a point for each minute.
            let places = cells.iter().filter(|cell| !goes_altogether(cell)).filter_map(|cell| {
                let place = mark(cell)["grade_id"].as_str()?.strip_prefix(&format!("exercise-{number}-"))?;
                let points = mark(cell)["points"].as_u64().unwrap();
                Some((place.to_owned(), cell["cell_type"].as_str().unwrap().to_owned(), points))
            });
            let places: BTreeSet<_> = places.collect();
            let minutes = exercise[2..].split(' ').next().unwrap().parse().unwrap();
            let place = |name: &str, kind: &str, points: u64| (name.to_owned(), kind.to_owned(), points);
            let expected = match asks(exercise) {
                true => vec![place("code", "code", minutes - 2), place("words", "markdown", 2)],
                false => vec![place("code", "code", minutes)],
            };
            assert_eq!(places.into_iter().collect::<Vec<_>>(), expected, "{name}: {exercise}");
        }
    }
}

/// A forgotten mark would leave a solution to students: every unmarked cell among the exercises is on this list.
#[test]
fn hardly_anything_among_the_exercises_is_given() {
    for name in names() {
        let cells = cells(&root().join("notebooks/solutions").join(&name));
        let sources = cells.iter().filter(|cell| !is_solution(cell)).map(|cell| text(&cell["source"]));
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
