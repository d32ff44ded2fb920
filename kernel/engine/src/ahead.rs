//! Compilers that are started ahead of their cell. By the time it comes they have read what all crates of the session are made of,
//! which takes half of the time of a short cell, and wait for its text on their standard input.
//!
//! The text becomes part of a crate that is there before it, as `include!` does it. That differs from a crate of its own in a few
//! rules about macros and imports, all of which make rustc refuse what it would have accepted. So what is refused for a reason of
//! that kind has to be compiled again in the ordinary way.

use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// What includes the text, as rustc names it in messages and in compiled code.
const INCLUDED: &str = "/dev/stdin";

/// A compiler that may be waiting for a cell.
#[derive(Default)]
pub struct Ahead {
    waiting: Option<(Order, Child)>,
}

/// How a cell is to be compiled.
#[derive(Debug, PartialEq)]
struct Order {
    /// The crate without the cell.
    before: String,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, Option<OsString>)>,
}

impl Order {
    fn new(before: &str, command: &Command) -> Self {
        Self {
            before: before.to_owned(),
            arguments: command.get_args().map(OsString::from).collect(),
            variables: command
                .get_envs()
                .map(|(key, value)| (key.into(), value.map(OsString::from)))
                .collect(),
        }
    }
}

impl Ahead {
    /// Starts the compiler for the next cell, unless it waits already. It writes the crate `before` the cell to the file `source`; the
    /// cell takes the place of the file `stands_for`. `command` is rustc without a source.
    ///
    /// # Errors
    /// When the file cannot be written, or rustc cannot be started.
    pub fn start(
        &mut self,
        before: &str,
        mut command: Command,
        source: &Path,
        stands_for: &str,
    ) -> io::Result<()> {
        let order = Order::new(before, &command);
        if self.is_waiting_with(&order) {
            return Ok(());
        }
        self.end();
        fs::write(source, format!("{before}include!({INCLUDED:?});\n"))?;
        command.arg(source).arg(format!("--remap-path-prefix={INCLUDED}={stands_for}"));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        self.waiting = Some((order, child));
        Ok(())
    }

    /// Compiles the text, if a compiler waits that was started for the same `before` and `command`. `None` if there is none, or if
    /// the outcome is in doubt.
    pub fn compile(&mut self, before: &str, command: &Command, text: &str) -> Option<Output> {
        if !self.is_waiting_with(&Order::new(before, command)) {
            return None;
        }
        let (_, mut child) = self.waiting.take()?;
        let is_sent = child.stdin.take()?.write_all(text.as_bytes()).is_ok();
        let output = child.wait_with_output().ok()?;
        // It may have been ended with the cell before, and have died only now.
        (is_sent && !is_doubtful(&output)).then_some(output)
    }

    /// Ends the compiler that waits, if there is one.
    pub fn end(&mut self) {
        if let Some((_, mut child)) = self.waiting.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Whether a compiler waits with this order. Interrupting a cell ends all compilers.
    fn is_waiting_with(&mut self, order: &Order) -> bool {
        let waiting = self.waiting.as_mut().filter(|(waiting, _)| waiting == order);
        waiting.is_some_and(|(_, child)| child.try_wait().is_ok_and(|status| status.is_none()))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.end();
    }
}

/// The errors of name resolution before all macros are expanded, which is where an included text may fare otherwise.
const EARLY: [&str; 7] = [
    "E0432",
    "E0433",
    "E0463",
    "E0466",
    "E0469",
    "E0659",
    "macro_expanded_macro_exports_accessed_by_absolute_paths",
];

/// Whether rustc might have accepted the code if it had not been included, or might have said something else.
fn is_doubtful(output: &Output) -> bool {
    let messages = String::from_utf8_lossy(&output.stderr);
    let errors = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    // Those without a place in the text are a summary, or about the machine, such as a folder that was removed meanwhile.
    let is_in_text = |error: &Value| error["spans"].as_array().is_some_and(|spans| !spans.is_empty());
    let mut errors = errors.filter(|message| message["level"] == "error" && is_in_text(message)).peekable();
    let is_early = |error: &Value| error["code"]["code"].as_str().is_none_or(|code| EARLY.contains(&code));
    // With unstable options, rustc advises what only unstable Rust allows.
    let is_unstable =
        |error: &Value| error["rendered"].as_str().is_some_and(|text| text.contains("#![feature("));
    let is_other = |error: Value| is_early(&error) || is_unstable(&error);
    !output.status.success() && (errors.peek().is_none() || errors.any(is_other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::Toolchain;

    const BEFORE: &str = "#![allow(dead_code)]\n";

    /// rustc in a folder, which checks a crate.
    fn rustc(folder: &Path, edition: &str) -> Command {
        let mut command = Command::new(Toolchain::find().unwrap().rustc_path());
        command.current_dir(folder).args([
            "--crate-type",
            "lib",
            "--emit",
            "metadata",
            "--error-format=json",
        ]);
        command.arg(format!("--edition={edition}"));
        command
    }

    /// The outcome of a text for which a compiler has been started.
    fn compile(text: &str) -> Option<Output> {
        let folder = tempfile::tempdir().unwrap();
        let mut ahead = Ahead::default();
        let source = folder.path().join("ahead.rs");
        ahead.start(BEFORE, rustc(folder.path(), "2024"), &source, "src/lib.rs").unwrap();
        ahead.compile(BEFORE, &rustc(folder.path(), "2024"), text)
    }

    #[test]
    fn a_text_is_compiled_as_if_it_stood_in_its_file() {
        let output = compile("fn f() -> u8 { 1 }\nfn unused() -> u8 { f() }").unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let output = compile("fn f() -> u8 {\n    \"text\"\n}").unwrap();
        let messages = String::from_utf8(output.stderr).unwrap();
        let error: Value = serde_json::from_str(messages.lines().next().unwrap()).unwrap();
        let span = error["spans"].as_array().unwrap().iter().find(|span| span["is_primary"] == true).unwrap();
        assert_eq!((&error["code"]["code"], &span["file_name"]), (&"E0308".into(), &"src/lib.rs".into()));
        assert_eq!((&span["byte_start"], &span["line_start"]), (&19.into(), &2.into()));
    }

    #[test]
    fn what_only_an_included_text_may_not_do_is_left_in_doubt() {
        let exported = "#[macro_export] macro_rules! one { () => { 1 } }\nfn f() -> u8 { crate::one!() }";
        let shadowing = "extern crate alloc as core;";
        for text in [exported, shadowing, "use std::no_such_thing;", "fn f() { no_such_macro!() }", "fn"] {
            assert!(compile(text).is_none(), "{text}");
        }
        assert!(compile("fn f() -> u8 { no_such_value }").is_some());
    }

    #[test]
    fn what_is_not_about_the_text_is_left_in_doubt() {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        std::fs::create_dir(&work).unwrap();
        let mut ahead = Ahead::default();
        ahead.start(BEFORE, rustc(&work, "2024"), &folder.path().join("ahead.rs"), "src/lib.rs").unwrap();
        std::fs::remove_dir_all(&work).unwrap();
        assert!(ahead.compile(BEFORE, &rustc(&work, "2024"), "fn f() -> u8 { 1 }").is_none());
    }

    #[test]
    fn a_compiler_serves_one_cell_with_the_order_that_it_was_started_for() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("ahead.rs");
        let mut ahead = Ahead::default();
        assert!(ahead.compile(BEFORE, &rustc(folder.path(), "2024"), "").is_none(), "none was started");
        let start = |ahead: &mut Ahead, edition| {
            ahead.start(BEFORE, rustc(folder.path(), edition), &source, "src/lib.rs").unwrap();
            ahead.waiting.as_ref().unwrap().1.id()
        };
        let first = start(&mut ahead, "2021");
        assert_eq!(start(&mut ahead, "2021"), first, "it still waits");
        assert!(ahead.compile(BEFORE, &rustc(folder.path(), "2024"), "").is_none());
        assert!(ahead.compile("", &rustc(folder.path(), "2021"), "").is_none());
        let second = start(&mut ahead, "2024");
        assert_ne!(second, first);
        assert!(ahead.compile(BEFORE, &rustc(folder.path(), "2024"), "").unwrap().status.success());
        assert!(ahead.compile(BEFORE, &rustc(folder.path(), "2024"), "").is_none(), "it has served");
        // As when a cell is interrupted.
        start(&mut ahead, "2024");
        ahead.waiting.as_mut().unwrap().1.kill().unwrap();
        assert!(ahead.compile(BEFORE, &rustc(folder.path(), "2024"), "").is_none(), "dead or about to die");
    }
}
