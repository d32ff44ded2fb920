//! The process behind `analyzer.rs`: an evcxr whose rust-analyzer sees std, `lab` and the crates that `lab` is
//! about, but none of the hundred others that they bring along.

use crate::analyzer::{Answer, Item, Question};
use crate::cuda::Cuda;
use crate::directory::within;
use crate::shared::Shared;
use crate::this_program;
use crate::toolchain::{OwnVariables, Toolchain, search_path};
use crate::warm::Environment;
use anyhow::{Context, Result, anyhow};
use evcxr::{CommandContext, EvalContext};
use regex::{Captures, Regex};
use serde_json::Value;
use std::borrow::Cow;
use std::io::{BufRead, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{env, fs, io};

/// The crates that rust-analyzer reads beside std: what notebooks name, and what their signatures are made of.
const SHOWN: [&str; 4] = ["lab", "candle-core", "candle-nn", "half"];
/// Where rust-analyzer's `cargo` finds the description of those crates, and the user's own `CARGO_HOME`.
const CRATES: &str = "TAPER_ANALYZER_CRATES";
const USER_CARGO_HOME: &str = "TAPER_USER_CARGO_HOME";

/// Answers questions from standard input until it ends. Works in `folder`, which is the kernel's to remove.
pub fn run(folder: &Path, cuda: bool) -> Result<()> {
    let toolchain = Toolchain::find()?;
    let cuda = cuda.then(|| Cuda::find(true)).transpose()?;
    let environment = Environment::open(&toolchain, cuda.as_ref())?;
    fs::create_dir_all(folder)?;
    let crates = folder.join("crates.json");
    let shown = match Shared::own().and_then(|shared| fs::read_to_string(shared.crates()).ok()) {
        Some(shown) => shown,
        None => shown_crates(&toolchain, &environment)?.to_string(),
    };
    fs::write(&crates, shown)?;
    // rust-analyzer runs `$CARGO_HOME/bin/cargo` first.
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
    // SAFETY: this process has started no thread yet.
    unsafe { OwnVariables::set(&own) };

    let runner = Command::new(this_program()?);
    let started = within(folder, || EvalContext::with_subprocess_command(runner))?;
    let (context, _) = started.map_err(|error| anyhow!("{error}"))?;
    let mut context = CommandContext::with_eval_context(context);
    let cargo_home = format!(":build_env CARGO_HOME={}", user_home.display());
    context.execute(&cargo_home).map_err(|error| anyhow!("{error}"))?;
    for line in io::stdin().lock().lines() {
        let answer = answer(&mut context, serde_json::from_str(&line?)?);
        println!("{}", serde_json::to_string(&answer)?);
        io::stdout().flush()?;
        give_back_memory();
    }
    Ok(())
}

/// What rust-analyzer has needed while it read its sources is more than what it keeps.
fn give_back_memory() {
    // SAFETY: it touches nothing but memory that nobody uses.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::malloc_trim(0);
    }
}

fn answer(context: &mut CommandContext, question: Question) -> Answer {
    match question {
        Question::Complete { code, position } => match context.completions(&code, position) {
            Ok(found) => {
                let items = found.completions.into_iter();
                let items =
                    items.map(|item| Item { text: item.code, kind: item.kind.into(), label: item.label });
                Answer::Completions {
                    start: found.start_offset,
                    end: found.end_offset,
                    items: items.collect(),
                }
            }
            Err(_) => Answer::Nothing,
        },
        Question::Inspect { code, position } => match context.hover_at(&code, position) {
            Ok((text, html)) if text != "No documentation found" => {
                Answer::Help { text, html: without_hidden_lines(&html).into_owned() }
            }
            _ => Answer::Nothing,
        },
    }
}

/// Documentation without those lines of its examples that are there for the compiler alone,
/// <https://doc.rust-lang.org/rustdoc/write-documentation/documentation-tests.html#hiding-portions-of-the-example>.
fn without_hidden_lines(html: &str) -> Cow<'_, str> {
    static BLOCK: LazyLock<Regex> = LazyLock::new(|| Regex::new("(?s)<pre>.*?</pre>").expect("a pattern"));
    static HIDDEN: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("(?m)(^|<code[^>]*>)#(?: .*)?\n").expect("a pattern"));
    BLOCK.replace_all(html, |block: &Captures| HIDDEN.replace_all(&block[0], "$1").into_owned())
}

/// What cargo says of the environment's package, cut down to the crates that are shown.
pub fn shown_crates(toolchain: &Toolchain, environment: &Environment) -> Result<Value> {
    let output = toolchain
        .cargo(environment.package())
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", &toolchain.host])
        .output()?;
    let mut metadata: Value =
        serde_json::from_slice(&output.stdout).context("cargo cannot describe `lab`")?;
    keep_shown(&mut metadata);
    Ok(metadata)
}

fn keep_shown(metadata: &mut Value) {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array_mut().map(std::mem::take).unwrap_or_default();
    let packages: Vec<Value> =
        packages.into_iter().filter(|package| SHOWN.contains(&text(package, "name").as_str())).collect();
    let ids: Vec<String> = packages.iter().map(|package| text(package, "id")).collect();
    metadata["packages"] = packages.into();
    let nodes = metadata["resolve"]["nodes"].as_array_mut().map(std::mem::take).unwrap_or_default();
    let mut nodes: Vec<Value> = nodes.into_iter().filter(|node| ids.contains(&text(node, "id"))).collect();
    for node in &mut nodes {
        if let Some(dependencies) = node["deps"].as_array_mut() {
            dependencies.retain(|dependency| ids.contains(&text(dependency, "pkg")));
        }
        if let Some(dependencies) = node["dependencies"].as_array_mut() {
            dependencies.retain(|id| id.as_str().is_some_and(|id| ids.iter().any(|known| known == id)));
        }
    }
    metadata["resolve"]["nodes"] = nodes.into();
}

/// `cargo` for that rust-analyzer: the real one, but that cells depend on the crates that are shown.
pub fn cargo(arguments: &[String]) -> Result<u8> {
    let mut command = Command::new("cargo");
    command
        .args(arguments)
        .env("CARGO_HOME", env::var_os(USER_CARGO_HOME).context("not started by the analyzer")?);
    let is_cells = arguments.first().is_some_and(|first| first == "metadata")
        && !arguments.iter().any(|argument| argument == "--no-deps" || argument.contains("rustlib"));
    if !is_cells {
        return Ok(command.status()?.code().unwrap_or(1) as u8);
    }
    let output = command.output()?;
    io::stderr().write_all(&output.stderr)?;
    if !output.status.success() {
        return Ok(1);
    }
    let mut metadata: Value = serde_json::from_slice(&output.stdout)?;
    let crates = fs::read(env::var_os(CRATES).context("not started by the analyzer")?)?;
    add_crates(&mut metadata, serde_json::from_slice(&crates)?)
        .context("cargo's description has another form")?;
    println!("{metadata}");
    Ok(0)
}

fn add_crates(metadata: &mut Value, crates: Value) -> Option<()> {
    let lab = crates["packages"].as_array()?.iter().find(|package| package["name"] == "lab")?["id"].clone();
    let root = metadata["resolve"]["root"].clone();
    let known: Vec<Value> =
        metadata["packages"].as_array()?.iter().map(|package| package["id"].clone()).collect();
    for list in ["/packages", "/resolve/nodes"] {
        let new = crates.pointer(list)?.as_array()?.iter().filter(|entry| !known.contains(&entry["id"]));
        let new: Vec<Value> = new.cloned().collect();
        metadata.pointer_mut(list)?.as_array_mut()?.extend(new);
    }
    let nodes = metadata["resolve"]["nodes"].as_array_mut()?;
    let cells = nodes.iter_mut().find(|node| node["id"] == root)?;
    cells["dependencies"].as_array_mut()?.push(lab.clone());
    let kinds = serde_json::json!([{ "kind": null, "target": null }]);
    cells["deps"].as_array_mut()?.push(serde_json::json!({ "name": "lab", "pkg": lab, "dep_kinds": kinds }));
    Some(())
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
