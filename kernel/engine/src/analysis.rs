//! The analyzer, the process that answers completion and help requests: a rust-analyzer that sees std, `lab` and the crates in
//! its interface, and those of the session's set, but not the hundred crates that these are built on.

pub mod files;
mod host;
mod outline;

use crate::shown_crates::{Crates, shown};
use anyhow::Result;
use environment::Toolchain;
use host::Host;
use regex::{Captures, Regex};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io;
use std::io::{BufRead, Write};
use std::process::Command;
use std::sync::LazyLock;

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
    let library = toolchain.sysroot()?.join("lib/rustlib/src/rust/library");
    let cfg = Command::new(toolchain.rustc_path()).args(["--print", "cfg"]).output()?;
    let mut host = Host::new(&library, &String::from_utf8_lossy(&cfg.stdout));
    for line in io::stdin().lock().lines() {
        let answer = answer(&mut host, &toolchain, serde_json::from_str(&line?)?);
        writeln!(io::stdout(), "{}", serde_json::to_string(&answer)?)?;
        give_back_memory();
    }
    Ok(())
}

/// Returns free memory to the system: rust-analyzer needs more while it loads sources than it keeps afterwards.
fn give_back_memory() {
    // SAFETY: `malloc_trim` has no preconditions, and releases only memory that is not allocated.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::malloc_trim(0);
    }
}

fn answer(host: &mut Host, toolchain: &Toolchain, question: Query) -> Response {
    match question {
        Query::Show(crates) => {
            match shown(toolchain, &crates) {
                Ok((shown, named)) => {
                    host.show(shown, named);
                    host.warm_up();
                }
                Err(error) => tracing::warn!("completion knows no crates: {error:#}"),
            }
            Response::Nothing
        }
        Query::Complete(snippet) => host.complete(&snippet),
        Query::Inspect(snippet) => match host.help(&snippet) {
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
