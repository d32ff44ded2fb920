//! Executed notebooks as web pages that need no network, and an index of them.

use crate::{jupyter, notebook, warm};
use anyhow::{Context, Result};
use nbformat::v4::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Writes a page for each notebook and `index.html`. Without a usable Python it says so and writes none.
pub fn write(folder: &Path, notebooks: &[PathBuf]) -> Result<()> {
    let python = match jupyter::python() {
        Ok(python) => python,
        Err(error) => {
            eprintln!("No HTML was written: {error:#}.");
            return Ok(());
        }
    };
    let mut rows = String::new();
    for path in notebooks {
        let mut nbconvert = Command::new(&python);
        nbconvert.args(["-m", "nbconvert", "--to", "html", "--log-level", "ERROR", "--embed-images"]);
        // Nothing is loaded from elsewhere: the page must open without network.
        nbconvert.args([
            "--HTMLExporter.require_js_url=",
            "--HTMLExporter.mathjax_url=",
            "--HTMLExporter.mermaid_js_url=",
        ]);
        jupyter::step(nbconvert.arg(path))?;
        let page = path.with_extension("html");
        let text = fs::read_to_string(&page).with_context(|| page.display().to_string())?;
        warm::write(&page, &text.replacen("</head>", &format!("{STYLE}</head>"), 1))?;
        let name = page.file_name().unwrap_or_default().to_string_lossy();
        rows.push_str(&format!("<li><a href=\"{}\">{}</a></li>\n", escape(&name), escape(&title(path)?)));
        println!("wrote {} and {}", path.display(), page.display());
    }
    let index = folder.join("index.html");
    warm::write(&index, &INDEX.replace("{rows}", &rows))?;
    println!("wrote {}", index.display());
    Ok(())
}

/// A notebook's first heading.
fn title(path: &Path) -> Result<String> {
    let notebook = notebook::read(path)?;
    let texts = notebook.cells.iter().filter(|cell| matches!(cell, Cell::Markdown { .. }));
    let heading = texts.flat_map(|cell| cell.source()).find_map(|line| line.strip_prefix("# "));
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(heading.map_or(name.into_owned(), |heading| heading.trim().to_owned()))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// nbconvert sets code that is part of an output in the letters of prose.
const STYLE: &str = "<style>.jp-OutputArea-output .highlight pre \
    { font-family: var(--jp-code-font-family); font-size: var(--jp-code-font-size); line-height: var(--jp-code-line-height); }</style>\n";

const INDEX: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Deep learning in Rust notebooks</title>
<style>
:root { color-scheme: light dark; }
body { font: 1.1rem/1.6 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; }
</style>
<h1>Deep learning in Rust notebooks</h1>
<p>Executed on the taper kernel.</p>
<ol>
{rows}</ol>
</html>
"#;
