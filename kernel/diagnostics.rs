//! What rustc has to say about a cell, drawn as rustc draws it, over the lines of the cells.
//!
//! The compiler of cells leaves its messages in a file (`compile.rs`), in rustc's JSON format,
//! <https://doc.rust-lang.org/rustc/json.html>. They speak of the crate that evcxr made of the cell; what they say of
//! code that nobody wrote is left out.

use crate::compile;
use crate::sources::{Compiled, Place, Source, Sources};
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Patch, Renderer, Snippet};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// A message of rustc, as the notebook shows it.
pub struct Diagnostic {
    /// The message itself, in one line.
    pub message: String,
    /// With its code, labels, notes and help, in colours for terminals.
    pub rendered: String,
    pub is_error: bool,
    /// Whether it says something of a cell, rather than of generated code alone.
    pub is_of_cell: bool,
    /// Whether what it says is about the cell in progress first of all.
    pub is_current: bool,
    /// Whether it says that a crate is missing which the user cannot have asked for.
    pub is_of_environment: bool,
    /// Whether it says that the cell's result cannot be shown.
    pub is_of_showing: bool,
}

/// Forgets the messages of the last compilation.
pub fn clear(crate_folder: &Path) {
    // There are none before the first.
    let _ = std::fs::remove_file(crate_folder.join(compile::DIAGNOSTICS));
}

/// The messages of the last compilation, and where the pieces of cells are in what was compiled.
pub fn read(crate_folder: &Path, sources: &Sources) -> (Vec<Diagnostic>, Compiled) {
    let code = std::fs::read_to_string(crate_folder.join("src/lib.rs")).unwrap_or_default();
    let compiled = sources.compiled(&code);
    let json = std::fs::read_to_string(crate_folder.join(compile::DIAGNOSTICS)).unwrap_or_default();
    let messages = json.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    (messages.filter_map(|message| diagnostic(&message, &compiled, sources)).collect(), compiled)
}

fn diagnostic(json: &Value, compiled: &Compiled, sources: &Sources) -> Option<Diagnostic> {
    let is_error = match json["level"].as_str()? {
        "error" => true,
        "warning" => false,
        _ => return None,
    };
    let spans = Spans::new(json, compiled, is_error);
    let primary_is_generated = spans.marked.iter().all(|marked| !marked.is_primary);
    let borrower = spans.stored.as_deref().filter(|_| BORROWS.contains(&code(json)));
    let message = match borrower {
        Some(name) => format!("`{name}` borrows from another variable, so it cannot outlive the cell"),
        None => own_words(json["message"].as_str()?),
    };
    // What is said of storing a variable that was moved, or in total, is not said to the author of the cell.
    let is_moved = spans.stored.is_some() && matches!(code(json), "E0382" | "E0505");
    let is_summary = json["spans"].as_array().is_none_or(Vec::is_empty) && is_summary(&message);
    if is_moved || is_summary || (!is_error && primary_is_generated) {
        return None;
    }
    let is_of_cell = !spans.marked.is_empty();
    let is_current = spans.marked.first().is_some_and(|marked| sources.is_current(&marked.place));
    let rendered = render(json, &message, is_error, &spans, compiled, borrower);
    let is_of_environment = ["E0460", "E0463"].contains(&code(json)) && message.contains("`lab`");
    let mut macros = json["spans"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|span| span["expansion"]["macro_decl_name"].as_str());
    // Or the macro itself is not to be had, for the user has something else of the name `lab`.
    let is_of_showing =
        message.contains(cell::SHOW_RESULT) || macros.any(|name| name.contains(cell::SHOW_RESULT));
    Some(Diagnostic { message, rendered, is_error, is_of_cell, is_current, is_of_environment, is_of_showing })
}

/// Errors that rustc reports when something is borrowed for longer than it lives.
const BORROWS: [&str; 4] = ["E0597", "E0716", "E0521", "E0515"];

fn code(json: &Value) -> &str {
    json["code"]["code"].as_str().unwrap_or_default()
}

fn is_summary(message: &str) -> bool {
    ["aborting due to", "Some errors have detailed", "For more information about"]
        .iter()
        .any(|start| message.starts_with(start))
}

/// rustc's message without the names of generated code.
fn own_words(message: &str) -> String {
    if message.contains("EvcxrUserCodeError") {
        return "`?` meets an error that cannot be shown: its type does not implement `Display`".into();
    }
    message.replace("`evcxr_variable_store`", "end of the cell")
}

fn speaks_of_generated_code(text: &str) -> bool {
    ["evcxr", "Evcxr", "run_user_code"].iter().any(|name| text.contains(name))
}

/// The parts of cells that a message, or a note to it, points to.
struct Spans {
    marked: Vec<Marked>,
    /// The variable that generated code stores where the message points to, if it does.
    stored: Option<String>,
}

struct Marked {
    place: Place,
    is_primary: bool,
    label: Option<String>,
    replacement: Option<String>,
}

impl Spans {
    fn new(json: &Value, compiled: &Compiled, is_error: bool) -> Self {
        let mut spans = Self { marked: Vec::new(), stored: None };
        for json in json["spans"].as_array().into_iter().flatten() {
            let text = |name: &str| json[name].as_str().map(str::to_owned);
            match place(json, compiled, is_error) {
                Some(place) => spans.marked.push(Marked {
                    place,
                    is_primary: json["is_primary"] == true,
                    label: text("label").filter(|label| !speaks_of_generated_code(label)),
                    replacement: text("suggested_replacement"),
                }),
                None => spans.stored = spans.stored.or_else(|| stored_variable(json)),
            }
        }
        // What stands in the cell nowhere, like the types that it was given, is nothing to point at from aside.
        spans.marked.retain(|marked| {
            marked.is_primary || marked.replacement.is_some() || !marked.place.range.is_empty()
        });
        spans.marked.sort_by_key(|marked| !marked.is_primary);
        spans
    }

    /// One snippet for each cell, the one that matters most first.
    fn snippets(&self) -> Vec<Snippet<'_, Annotation<'_>>> {
        let mut sources: Vec<&Arc<Source>> = Vec::new();
        for Marked { place, .. } in &self.marked {
            if !sources.iter().any(|source| Arc::ptr_eq(source, &place.source)) {
                sources.push(&place.source);
            }
        }
        let snippet = |source: &&Arc<Source>| {
            let here = self.marked.iter().filter(|marked| Arc::ptr_eq(&marked.place.source, source));
            let annotations = here.map(|marked| {
                let kind = if marked.is_primary { AnnotationKind::Primary } else { AnnotationKind::Context };
                kind.span(marked.place.range.clone()).label(marked.label.as_deref())
            });
            Snippet::source(source.code.clone()).path(source.name.clone()).annotations(annotations)
        };
        sources.iter().map(snippet).collect()
    }
}

/// The place in a cell of one of rustc's spans, or of the macro call that it stems from.
fn place(span: &Value, compiled: &Compiled, is_error: bool) -> Option<Place> {
    if span["file_name"] != "src/lib.rs" {
        return span["expansion"]["span"]
            .as_object()
            .and_then(|_| place(&span["expansion"]["span"], compiled, is_error));
    }
    let number = |name: &str| span[name].as_u64().map(|number| number as usize);
    let start = (number("line_start")?, number("column_start")?);
    let end = (number("line_end")?, number("column_end")?);
    // Generated code can be at fault for what is shown, but nobody is to be warned of it.
    if is_error { compiled.place_or_result(start, end) } else { compiled.place(start, end) }
}

/// The name in generated code such as `evcxr_variable_store.put_variable::<&str>(stringify!(name), name);`.
fn stored_variable(span: &Value) -> Option<String> {
    let text = span["text"][0]["text"].as_str()?;
    let (_, rest) = text
        .strip_prefix("evcxr_variable_store")
        .and_then(|rest| rest.split_once("(stringify!(").or_else(|| rest.split_once('(')))?;
    Some(rest.split(')').next()?.to_owned())
}

fn render(
    json: &Value,
    message: &str,
    is_error: bool,
    spans: &Spans,
    compiled: &Compiled,
    borrower: Option<&str>,
) -> String {
    let level = if is_error { Level::ERROR } else { Level::WARNING };
    let title = level.primary_title(message);
    let title = if code(json).starts_with('E') { title.id(code(json)) } else { title };
    let group = Group::with_title(title).elements(spans.snippets());
    let empty = Vec::new();
    let children: Vec<_> = json["children"].as_array().unwrap_or(&empty).iter().collect();
    let children: Vec<(&Value, Spans)> =
        children.into_iter().map(|child| (child, Spans::new(child, compiled, is_error))).collect();
    let help = borrower.map(|name| {
        format!(
            "keep data of its own in `{name}`, by `.clone()`, `.to_owned()` or `.to_vec()`, \
             or do all that needs it within braces, `{{ … }}`, in one cell"
        )
    });
    let (mut notes, mut groups) = (Vec::new(), Vec::new());
    for (child, spans) in children.iter().filter(|_| borrower.is_none()) {
        let text = child["message"].as_str().unwrap_or_default();
        let level = if child["level"] == "help" { Level::HELP } else { Level::NOTE };
        if text.is_empty() || speaks_of_generated_code(text) {
            continue;
        }
        // What belongs at the top of the crate has no place of its own in a cell.
        let is_import =
            spans.marked.iter().any(|marked| marked.replacement.as_deref().is_some_and(is_import));
        if spans.marked.is_empty() || is_import {
            notes.push(level.message(text.to_owned() + &suggestions(child)));
        } else if spans.marked.iter().all(|marked| marked.replacement.is_some()) {
            groups.push(Group::with_title(level.secondary_title(text)).element(patched(spans)));
        } else {
            groups.push(Group::with_title(level.secondary_title(text)).elements(spans.snippets()));
        }
    }
    if let Some(help) = &help {
        notes.push(Level::HELP.message(help));
    }
    let mut all = vec![group.elements(notes)];
    all.append(&mut groups);
    Renderer::styled().render(&all)
}

fn is_import(replacement: &str) -> bool {
    replacement.trim_start().starts_with("use ")
}

/// What to write instead, for suggestions that are not about a place in a cell, such as a `use` at the top.
fn suggestions(child: &Value) -> String {
    let replacement = |span: &Value| Some(format!("\n  {}", span["suggested_replacement"].as_str()?.trim()));
    let spans = child["spans"].as_array().into_iter().flatten();
    spans.filter_map(replacement).filter(|text| !speaks_of_generated_code(text)).collect()
}

/// The cell as it would be with a suggestion taken. Of alternatives for the same place it is the first.
fn patched(spans: &Spans) -> Snippet<'_, Patch<'_>> {
    let source = &spans.marked[0].place.source;
    let mut patches: Vec<(std::ops::Range<usize>, &str)> = Vec::new();
    for marked in spans.marked.iter().filter(|marked| Arc::ptr_eq(&marked.place.source, source)) {
        let range = marked.place.range.clone();
        if patches
            .iter()
            .all(|(other, _)| other.end <= range.start || range.end <= other.start && *other != range)
        {
            patches.push((range, marked.replacement.as_deref().unwrap_or_default()));
        }
    }
    let patches = patches.into_iter().map(|(range, text)| Patch::new(range, text));
    Snippet::source(source.code.clone()).path(source.name.clone()).patches(patches)
}
