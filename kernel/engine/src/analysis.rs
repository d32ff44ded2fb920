//! The analyzer, the process that answers completion and help requests: a rust-analyzer that sees std, `lab` and the crates in
//! its interface, and those of the session's set, but not the hundred crates that these are built on.

pub mod files;
mod host;
mod outline;

use crate::shown_crates::{Crates, Named, Shown, shown};
use anyhow::{Result, anyhow};
use environment::Toolchain;
use host::Host;
use regex::{Captures, Regex};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io;
use std::io::{BufRead, Write};
use std::process::Command;
use std::sync::LazyLock;
use std::thread;

/// A request to the analyzer.
#[derive(Debug, Serialize, Deserialize)]
pub enum Query {
    /// Cells can name these crates from now on.
    Show(Crates),
    Complete(Snippet),
    Inspect(Snippet),
}

/// A position in a cell.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Snippet {
    /// The items of the session.
    pub definitions: String,
    /// The variables of the session, as `let` statements.
    pub variables: String,
    /// The cell, without its commands.
    pub code: String,
    /// The byte of `code` that the request is about.
    pub position: usize,
}

/// The analyzer's answer. `start` and `end` are bytes of the snippet's code.
#[derive(Debug, Serialize, Deserialize)]
pub enum Response {
    Completions { start: usize, end: usize, items: Vec<Item> },
    Help { text: String, html: String },
    Nothing,
}

/// One completion.
#[derive(Debug, Serialize, Deserialize)]
pub struct Item {
    pub text: String,
    pub kind: String,
    /// The text with its signature.
    pub label: String,
}

/// Answers the questions on standard input until it ends.
///
/// # Errors
/// When there is no toolchain, or a question cannot be read or answered.
pub fn run() -> Result<()> {
    let toolchain = Toolchain::find()?;
    let task = |line: io::Result<String>| -> Result<Task> {
        Ok(Task::of(serde_json::from_str(&line?)?, &toolchain))
    };
    let mut tasks = io::stdin().lock().lines().map(task);
    // The standard library is read while cargo describes the crates that the first question is about.
    let (host, first) = thread::scope(|scope| {
        let loading = scope.spawn(|| load(&toolchain));
        let first = tasks.next();
        (loading.join(), first)
    });
    let mut host = host.map_err(|_| anyhow!("the standard library cannot be read"))??;
    for task in first.into_iter().chain(tasks) {
        let answer = answer(&mut host, task?);
        writeln!(io::stdout(), "{}", serde_json::to_string(&answer)?)?;
        give_back_memory();
    }
    Ok(())
}

/// rust-analyzer with the standard library.
fn load(toolchain: &Toolchain) -> Result<Host> {
    let library = toolchain.sysroot()?.join("lib/rustlib/src/rust/library");
    let cfg = Command::new(toolchain.rustc_path()).args(["--print", "cfg"]).output()?;
    Ok(Host::new(&library, &String::from_utf8_lossy(&cfg.stdout)))
}

/// A question with what cargo has to say about it.
enum Task {
    Show(Result<(Vec<Shown>, Vec<Named>)>),
    Complete(Snippet),
    Inspect(Snippet),
}

impl Task {
    fn of(question: Query, toolchain: &Toolchain) -> Self {
        match question {
            Query::Show(crates) => Self::Show(shown(toolchain, &crates)),
            Query::Complete(snippet) => Self::Complete(snippet),
            Query::Inspect(snippet) => Self::Inspect(snippet),
        }
    }
}

/// Returns free memory to the system: rust-analyzer needs more while it loads sources than it keeps afterwards.
fn give_back_memory() {
    // SAFETY: `malloc_trim` has no preconditions, and releases only memory that is not allocated.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::malloc_trim(0);
    }
}

fn answer(host: &mut Host, task: Task) -> Response {
    match task {
        Task::Show(Ok((shown, named))) => {
            host.show(shown, named);
            host.warm_up();
            Response::Nothing
        }
        Task::Show(Err(error)) => {
            tracing::warn!("completion knows no crates: {error:#}");
            Response::Nothing
        }
        Task::Complete(snippet) => host.complete(&snippet),
        Task::Inspect(snippet) => match host.help(&snippet) {
            Response::Help { text, html } => {
                Response::Help { text, html: without_hidden_lines(&html).into_owned() }
            }
            other => other,
        },
    }
}

/// Removes the [hidden lines](https://doc.rust-lang.org/rustdoc/write-documentation/documentation-tests.html#hiding-portions-of-the-example)
/// of examples from documentation.
fn without_hidden_lines(html: &str) -> Cow<'_, str> {
    static BLOCK: LazyLock<Regex> = LazyLock::new(|| Regex::new("(?s)<pre>.*?</pre>").expect("a pattern"));
    static HIDDEN: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("(?m)(^|<code[^>]*>)#(?: .*)?\n").expect("a pattern"));
    BLOCK.replace_all(html, |block: &Captures| HIDDEN.replace_all(&block[0], "$1").into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_lines_of_examples_are_left_out() {
        let html =
            "# one\n<pre><code class=\"a\"># use two;\n#[three]\n#\nfour\n# five\n</code></pre>\n# six\n";
        let shown = "# one\n<pre><code class=\"a\">#[three]\nfour\n</code></pre>\n# six\n";
        assert_eq!(without_hidden_lines(html), shown);
    }
}
