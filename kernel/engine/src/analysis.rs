//! The analyzer, the process that answers completion and help requests: an evcxr whose rust-analyzer sees std, `lab` and the
//! crates in `lab`'s interface, but none of their hundred dependencies.

use crate::shown_crates::{CRATES, USER_CARGO_HOME, shown_crates};
use anyhow::{Context, Result, anyhow};
use environment::program::this_program;
use environment::session_directory::within;
use environment::toolchain::search_path;
use environment::{Cuda, Environment, OwnVariables, SharedInstall, Toolchain};
use evcxr::{CommandContext, EvalContext};
use regex::{Captures, Regex};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io::{BufRead, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{env, fs, io};

/// A request to the analyzer. `code` starts with the definitions of the session; `position` is in bytes.
#[derive(Debug, Serialize, Deserialize)]
pub enum Query {
    Complete { code: String, position: usize },
    Inspect { code: String, position: usize },
}

/// The analyzer's answer. `start` and `end` are positions in the code, in bytes.
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

/// Answers the questions on standard input until it ends. Works in `folder`, which the kernel removes.
///
/// # Errors
/// When evcxr does not start, or a question cannot be read or answered.
pub fn run(folder: &Path, cuda: bool) -> Result<()> {
    let toolchain = Toolchain::find()?;
    let cuda = cuda.then(|| Cuda::find(true)).transpose()?;
    let environment = Environment::open(&toolchain, cuda.as_ref())?;
    fs::create_dir_all(folder)?;
    let crates = folder.join("crates.json");
    let shown = match SharedInstall::current().and_then(|shared| fs::read_to_string(shared.crates()).ok()) {
        Some(shown) => shown,
        None => serde_json::to_string(&shown_crates(&toolchain, &environment)?)?,
    };
    fs::write(&crates, shown)?;
    // rust-analyzer prefers `$CARGO_HOME/bin/cargo` to any other cargo.
    let home = folder.join("cargo-home");
    let script = format!("#!/bin/sh\nexec '{}' cargo-for-analyzer \"$@\"\n", this_program()?.display());
    fs::create_dir_all(home.join("bin"))?;
    fs::write(home.join("bin/cargo"), script)?;
    fs::set_permissions(home.join("bin/cargo"), fs::Permissions::from_mode(0o700))?;
    let user_home =
        env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
    let user_home = user_home.context("there is no home folder")?;
    let own = [
        ("CARGO_HOME", home.into()),
        (USER_CARGO_HOME, user_home.clone().into()),
        (CRATES, crates.into()),
        ("PATH", search_path(&[])?),
        ("EVCXR_TMPDIR", folder.join("cells").into()),
        ("EVCXR_CONFIG_DIR", folder.into()),
    ];
    // SAFETY: this process has only its main thread: it starts evcxr's threads below, and none before. So no other thread can
    // read the environment meanwhile.
    unsafe { OwnVariables::set(&own) };

    let runner = Command::new(this_program()?);
    let started = within(folder, || EvalContext::with_subprocess_command(runner))?;
    let (context, _) = started.map_err(|error| anyhow!("{error}"))?;
    let mut context = CommandContext::with_eval_context(context);
    let cargo_home = format!(":build_env CARGO_HOME={}", user_home.display());
    context.execute(&cargo_home).map_err(|error| anyhow!("{error}"))?;
    for line in io::stdin().lock().lines() {
        let answer = answer(&mut context, serde_json::from_str(&line?)?);
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

pub(crate) fn answer(context: &mut CommandContext, question: Query) -> Response {
    match question {
        Query::Complete { code, position } => match context.completions(&code, position) {
            Ok(found) => {
                let items = found.completions.into_iter();
                let items =
                    items.map(|item| Item { text: item.code, kind: item.kind.into(), label: item.label });
                Response::Completions {
                    start: found.start_offset,
                    end: found.end_offset,
                    items: items.collect(),
                }
            }
            Err(_) => Response::Nothing,
        },
        Query::Inspect { code, position } => match context.hover_at(&code, position) {
            Ok((text, html)) if text != "No documentation found" => {
                Response::Help { text, html: without_hidden_lines(&html).into_owned() }
            }
            _ => Response::Nothing,
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
