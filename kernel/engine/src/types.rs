//! Reads the types of a cell's new variables from rustc's answer to a probe (see `Glue::probe`), and rewrites them so that later
//! cells can name them.

use crate::glue::TYPE_OF;
use cell::code::{Code, Role};
use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

/// A name for the type `!`, which stable Rust accepts only as a return type.
const NEVER: &str = "<fn() -> ! as ::lab::kernel::Returns>::Type";

/// The type in a form for people to read.
pub fn shown(type_name: &str) -> String {
    let mut shown = String::new();
    // Leave out the place of a closure, which is in generated code.
    for part in type_name.replace(NEVER, "!").split_inclusive('}') {
        match part.rsplit_once("closure@") {
            Some((before, _)) => shown.extend([before, "closure}"]),
            None => shown.push_str(part),
        }
    }
    shown
}

/// rustc's answers to a probe.
#[derive(Debug, Default)]
pub struct Answers {
    /// The types in rustc's spelling, by the names of the variables.
    pub types: HashMap<String, String>,
    /// Of the names that may be constants, those that are variables.
    pub variables: BTreeSet<String>,
}

/// Reads the answers in rustc's messages about a probe.
pub fn answers(messages: &str, probe: &Code) -> Answers {
    let mut answers = Answers::default();
    for message in messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let text = message["message"].as_str().unwrap_or_default();
        if let Some((name, type_name)) = text.strip_prefix(TYPE_OF).and_then(|rest| rest.split_once(' ')) {
            answers.types.insert(name.to_owned(), type_name.to_owned());
        }
        // E0434, "can't capture dynamic environment in a fn item": a constant would not be captured.
        if message["code"]["code"] == "E0434" {
            let spans = message["spans"].as_array().into_iter().flatten();
            let bytes =
                spans.filter_map(|span| Some((span["byte_start"].as_u64()?, span["byte_end"].as_u64()?)));
            let roles = bytes.filter_map(|(start, end)| probe.role(start as usize..end as usize));
            answers.variables.extend(roles.filter_map(|(role, _)| match role {
                Role::Keep(name) => Some(name.clone()),
                _ => None,
            }));
        }
    }
    answers
}

/// Rewrites rustc's spelling of a type so that a cell can name it.
///
/// # Errors
/// When the type has no name: says why, and what to do instead.
pub fn nameable(name: &str, type_name: &str) -> Result<String, String> {
    if type_name.starts_with("{async closure@") {
        return Err(format!(
            "`{name}` holds an async closure. Its type has no name, so the variable cannot outlive the cell.\n\
             Make it a function: `async fn {name}(…) -> … {{ … }}`."
        ));
    }
    if type_name.starts_with("{closure@") {
        return Err(format!(
            "`{name}` holds a closure. Its type has no name, so the variable cannot outlive the cell.\n\
             Make it a function (`fn {name}(…) -> … {{ … }}`), or box it: \
             `let {name}: Box<dyn Fn(…) -> …> = Box::new(…);`"
        ));
    }
    if type_name.contains("{async ")
        || type_name.contains("{coroutine")
        || type_name.contains("impl Future<")
        || type_name.contains("Future<Output")
    {
        return Err(format!(
            "`{name}` holds a future. Its type has no name, so the variable cannot outlive the cell.\n\
             Wait for it (`.await`), or box it: \
             `let {name}: std::pin::Pin<Box<dyn Future<Output = …>>> = Box::pin(…);`"
        ));
    }
    if type_name.contains("closure@") {
        return Err(format!(
            "`{name}` is built on a closure. Its type has no name, so the variable cannot outlive the cell.\n\
             Collect an iterator (`.collect::<Vec<_>>()`), box it (`let {name}: Box<dyn Iterator<Item = …>> = \
             Box::new(…);`), or use it within braces: `{{ … }}`."
        ));
    }
    if type_name.contains("impl ") {
        let advice = match type_name.contains("Iterator<") {
            true => {
                "Collect it (`.collect::<Vec<_>>()`), box it as a `Box<dyn Iterator<Item = …>>`".to_owned()
            }
            false => format!("Box it: `let {name}: Box<dyn …> = Box::new(…);`"),
        };
        return Err(format!(
            "`{name}` has the type `{type_name}`, which cannot be named, so the variable cannot outlive the cell.\n\
             {advice}, or use it within braces: `{{ … }}`."
        ));
    }
    // Numeric types that are not inferred fall back to `i32` and `f64`, and function items are stored as function pointers.
    let type_name = type_name.replace("{integer}", "i32").replace("{float}", "f64");
    Ok(with_never(&without_function_names(&type_name)))
}

/// The names with which the paths in a type begin: of crates, or of modules of the session.
pub fn roots(type_name: &str) -> BTreeSet<&str> {
    static ROOT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?:^|[^\w:])([A-Za-z_]\w*)::").expect("a pattern"));
    ROOT.captures_iter(type_name).filter_map(|found| Some(found.get(1)?.as_str())).collect()
}

/// Removes the names of function items: `fn(i32) -> i32 {double}` becomes `fn(i32) -> i32`.
fn without_function_names(type_name: &str) -> String {
    let mut rest = type_name;
    let mut result = String::new();
    while let Some((before, after)) = rest.split_once(" {") {
        let Some((_, later)) = after.split_once('}') else { break };
        result.push_str(before);
        rest = later;
    }
    result + rest
}

/// Replaces `!` with its name, except as a return type. Also replaces `_`, which rustc prints for a type that only falls back
/// to `!`.
fn with_never(type_name: &str) -> String {
    let mut result = String::new();
    let mut previous = ' ';
    for (at, c) in type_name.char_indices() {
        let next = type_name[at + c.len_utf8()..].chars().next().unwrap_or(' ');
        let is_alone = !(is_word(previous) || is_word(next) || previous == '\'');
        match c {
            '!' if !type_name[..at].trim_end().ends_with("->") => result.push_str(NEVER),
            '_' if is_alone => result.push_str(NEVER),
            c => result.push(c),
        }
        previous = c;
    }
    result
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rustc_spelling_becomes_rust() {
        for (spelled, written) in [
            ("std::vec::Vec<{integer}>", "std::vec::Vec<i32>"),
            ("(fn(f32) -> f32 {double::<f32>}, u8)", "(fn(f32) -> f32, u8)"),
            ("fn(u8) -> !", "fn(u8) -> !"),
            ("std::borrow::Cow<'_, str>", "std::borrow::Cow<'_, str>"),
            ("my_type<_x>", "my_type<_x>"),
        ] {
            assert_eq!(nameable("x", spelled).unwrap(), written);
        }
        let handle = format!("std::thread::JoinHandle<{NEVER}>");
        for spelled in ["std::thread::JoinHandle<!>", "std::thread::JoinHandle<_>"] {
            assert_eq!(nameable("h", spelled).unwrap(), handle);
        }
    }

    #[test]
    fn paths_begin_with_crates() {
        let type_name = "ndarray::ArrayBase<ndarray::OwnedRepr<f64>, (std::vec::Vec<u8>, &'a bytes::Bytes)>";
        assert_eq!(roots(type_name).into_iter().collect::<Vec<_>>(), ["bytes", "ndarray", "std"]);
        assert!(roots("(i32, fn() -> u8)").is_empty());
    }

    #[test]
    fn types_are_shown_without_generated_names() {
        for (type_name, text) in [
            (format!("std::result::Result<u8, {NEVER}>"), "std::result::Result<u8, !>"),
            ("Map<Range<i32>, {closure@src/lib.rs:1:2: 1:5}>".to_owned(), "Map<Range<i32>, {closure}>"),
            ("{async closure@src/lib.rs:1:2: 1:5}".to_owned(), "{async closure}"),
        ] {
            assert_eq!(shown(&type_name), text);
        }
    }

    #[test]
    fn types_without_a_name_get_the_right_advice() {
        for (spelled, words) in [
            ("{closure@src/lib.rs:1:2: 1:5}", "Box<dyn Fn"),
            ("{async closure@src/lib.rs:1:2: 1:5}", "async fn x("),
            ("Map<Range<i32>, {closure@src/lib.rs:1:2: 1:5}>", "Collect an iterator"),
            ("impl std::iter::Iterator<Item = i32>", "Collect it"),
            ("impl std::fmt::Display", "Box it"),
            ("{async block@src/lib.rs:1:2: 1:5}", ".await"),
            ("impl std::future::Future<Output = i32>", ".await"),
        ] {
            let error = nameable("x", spelled).unwrap_err();
            assert!(error.contains(words) && error.contains("cannot outlive the cell"), "{error}");
        }
    }
}
