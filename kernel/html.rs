//! Executed notebooks as web pages that need no network, and an index of them.

use crate::jupyter::{self, JUPYTER};
use crate::{notebook, warm};
use anyhow::Result;
use jupyter_protocol::MediaType;
use nbformat::v4::{Cell, Notebook, Output};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Writes a page for each notebook and `index.html`. Without a usable Python it says so and writes none.
pub fn write(folder: &Path, notebooks: &[PathBuf]) -> Result<()> {
    let python = match JUPYTER.python() {
        Ok(python) => python,
        Err(error) => {
            eprintln!("No HTML was written: {error:#}.");
            return Ok(());
        }
    };
    let templates = tempfile::tempdir()?;
    for (name, text) in TEMPLATE {
        warm::write(&templates.path().join("taper").join(name), text)?;
    }
    let (mut rows, mut chart) = (String::new(), String::new());
    for path in notebooks {
        let mut nbconvert = Command::new(&python);
        nbconvert
            .args(["-m", "nbconvert", "--to", "html", "--log-level", "ERROR", "--embed-images"])
            .args(["--template", "taper", "--TemplateExporter.extra_template_basedirs"])
            .arg(templates.path());
        jupyter::step(nbconvert.arg(path))?;
        let page = path.with_extension("html");
        let name = page.file_name().unwrap_or_default().to_string_lossy();
        let notebook = notebook::read(path)?;
        let title =
            title(&notebook).unwrap_or_else(|| path.file_stem().unwrap_or_default().to_string_lossy().into());
        rows.push_str(&format!("<li><a href=\"{}\">{}</a></li>\n", escape(&name), escape(&title)));
        chart.push_str(&score_chart(&notebook).unwrap_or_default());
        println!("wrote {} and {}", path.display(), page.display());
    }
    let index = folder.join("index.html");
    warm::write(&index, &INDEX.replace("{rows}", &rows).replace("{chart}", &chart))?;
    println!("wrote {}", index.display());
    Ok(())
}

/// A notebook's first heading.
fn title(notebook: &Notebook) -> Option<String> {
    let texts = notebook.cells.iter().filter(|cell| matches!(cell, Cell::Markdown { .. }));
    texts
        .flat_map(|cell| cell.source())
        .find_map(|line| line.strip_prefix("# "))
        .map(|title| title.trim().to_owned())
}

/// The picture that a cell tagged `score-chart` has drawn.
fn score_chart(notebook: &Notebook) -> Option<String> {
    let outputs = notebook.cells.iter().find_map(|cell| match cell {
        Cell::Code { outputs, .. } if notebook::has_tag(cell, "score-chart") => Some(outputs),
        _ => None,
    })?;
    outputs.iter().find_map(|output| {
        let data = match output {
            Output::DisplayData(display) => &display.data,
            Output::ExecuteResult(result) => &result.data,
            _ => return None,
        };
        data.content.iter().find_map(|media| match media {
            MediaType::Html(html) => Some(html.clone()),
            _ => None,
        })
    })
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// nbconvert's template of the pages.
const TEMPLATE: [(&str, &str); 2] =
    [("conf.json", include_str!("html/conf.json")), ("index.html.j2", include_str!("html/index.html.j2"))];

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
{chart}
</html>
"#;
