//! rustc's diagnostics of a cell, rendered in rustc's style over the lines of the notebook's cells.
//!
//! The messages, in rustc's [JSON format](https://doc.rust-lang.org/rustc/json.html), are about the crate that was generated
//! for the cell. Spans are mapped back to cells, and text about generated code is reworded or left out.

use crate::glue;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Patch, Renderer, Snippet};
use cell::code::{Code, Place, Role, Source};
use serde_json::Value;
use std::sync::Arc;

/// An error or a warning, in the form in which the notebook shows it.
pub struct Diagnostic {
    /// The message itself, in one line.
    pub message: String,
    /// The error code or lint name, such as `E0308`; empty if there is none.
    pub code: String,
    /// The full text with labels, notes and help, with colours for terminals.
    pub rendered: String,
    /// rustc's JSON; empty if the diagnostic is not from rustc.
    pub json: String,
    pub is_error: bool,
    /// The places in cells that it points to, the primary one first.
    pub places: Vec<Place>,
    /// The role of the generated code that it points to, if it points to any.
    pub role: Option<Role>,
    /// Whether it is useful to the author of the cell.
    pub is_shown: bool,
}

impl Diagnostic {
    /// Whether it points into a cell, rather than only to generated code.
    pub fn is_of_cell(&self) -> bool {
        !self.places.is_empty()
    }

    /// Whether its primary place is in this cell.
    pub fn is_about(&self, source: &Arc<Source>) -> bool {
        self.places.first().is_some_and(|place| place.is_of(source))
    }

    /// Whether it says that `lab` cannot be loaded (E0460, E0463), which means that the environment is damaged.
    pub fn is_of_environment(&self) -> bool {
        ["E0460", "E0463"].contains(&self.code.as_str()) && self.message.contains("`lab`")
    }
}

/// Reads rustc's messages about some code.
pub fn read(messages: &str, code: &Code) -> Vec<Diagnostic> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    for diagnostic in messages.filter_map(|message| diagnostic(&message, code)) {
        // rustc reports an error in an import of several names once for each name.
        let is_same = |other: &Diagnostic| other.rendered == diagnostic.rendered;
        if !(diagnostic.is_shown && diagnostics.iter().any(is_same)) {
            diagnostics.push(diagnostic);
        }
    }
    diagnostics
}

/// An error of our own, at a place in a cell.
pub fn at(message: &str, place: &Place) -> Diagnostic {
    let mark = AnnotationKind::Primary.span(place.range.clone());
    let snippet =
        Snippet::source(place.source.code.as_str()).path(place.source.name.as_str()).annotation(mark);
    let rendered =
        Renderer::styled().render(&[Group::with_title(Level::ERROR.primary_title(message)).element(snippet)]);
    Diagnostic {
        message: message.to_owned(),
        code: String::new(),
        rendered,
        json: String::new(),
        is_error: true,
        places: vec![place.clone()],
        role: None,
        is_shown: true,
    }
}

fn diagnostic(json: &Value, crate_code: &Code) -> Option<Diagnostic> {
    let is_error = match json["level"].as_str()? {
        "error" => true,
        "warning" => false,
        _ => return None,
    };
    let spans = Spans::new(json, crate_code, is_error);
    let primary_is_generated = spans.marked.iter().all(|marked| !marked.is_primary);
    let kept = match &spans.role {
        Some(Role::Keep(name) | Role::KeepAtReturn(name, _)) => Some(name.as_str()),
        _ => None,
    };
    let borrower = match code(json) {
        // E0505: a kept variable borrows from one that is moved into the store, because it is to be kept as well.
        "E0505" => spans.outliving.as_deref().or(kept),
        code => kept.filter(|_| BORROWS.contains(&code)),
    };
    let message = match borrower {
        Some(name) => format!("`{name}` borrows from another variable, so it cannot outlive the cell"),
        None => own_words(json["message"].as_str()?, spans.is_at_the_end),
    };
    let is_summary = json["spans"].as_array().is_none_or(Vec::is_empty) && is_summary(&message);
    if is_summary || (!is_error && primary_is_generated) {
        return None;
    }
    // The generated code that keeps or restores variables fails if the cell has moved them. The plan is then changed, and the
    // author of the cell need not know.
    let is_moved = matches!(spans.role, Some(Role::Keep(_) | Role::KeepAtReturn(..) | Role::Restore(_)))
        && MOVES.contains(&code(json));
    let rendered = render(json, &message, is_error, &spans, crate_code, borrower);
    let mut places: Vec<Place> = Vec::new();
    places.extend(spans.marked.iter().map(|marked| marked.place.clone()));
    let is_shown = !is_moved;
    let code = code(json).to_owned();
    let json = json.to_string();
    Some(Diagnostic { message, code, rendered, json, is_error, places, role: spans.role, is_shown })
}

/// The errors that rustc reports when a reference outlives what it borrows from.
const BORROWS: [&str; 5] = ["E0597", "E0716", "E0521", "E0515", "E0373"];
/// The errors that rustc reports when a moved or an uninitialized variable is used.
pub const MOVES: [&str; 2] = ["E0382", "E0381"];

fn code(json: &Value) -> &str {
    json["code"]["code"].as_str().unwrap_or_default()
}

fn is_summary(message: &str) -> bool {
    ["aborting due to", "Some errors have detailed", "For more information about"]
        .iter()
        .any(|start| message.starts_with(start))
}

/// Rewords a message of rustc that is about generated code.
fn own_words(message: &str, is_at_the_end: bool) -> String {
    if ["CellError", "DebugError", "PrettyError"].iter().any(|name| message.contains(name)) {
        return match message.contains("CellError") {
            true => "`?` is applied to an error that cannot be shown: its type does not implement `Display`"
                .into(),
            false => {
                "`?` is applied to an error that cannot be shown: its type does not implement `Debug`".into()
            }
        };
    }
    if message == "this file contains an unclosed delimiter" {
        return "this cell contains an unclosed delimiter".into();
    }
    match is_at_the_end {
        true => message.replace("`}`", "the end of the cell").replace("`;`", "the end of the cell"),
        false => message.to_owned(),
    }
}

fn speaks_of_generated_code(text: &str) -> bool {
    glue::NAMES.iter().any(|name| text.contains(name))
        || text.contains("TAPER_")
        || text.contains("CellError")
}

/// The parts of cells that a message, or one of its notes, points to.
struct Spans {
    marked: Vec<Marked>,
    /// The role of the generated code that the message points to, if it points to any.
    role: Option<Role>,
    /// The new variable that would outlive what it borrows from.
    outliving: Option<String>,
    /// Whether it points past the end of the cell.
    is_at_the_end: bool,
}

struct Marked {
    place: Place,
    is_primary: bool,
    label: Option<String>,
    replacement: Option<String>,
}

impl Spans {
    fn new(json: &Value, code: &Code, is_error: bool) -> Self {
        let mut spans = Self { marked: Vec::new(), role: None, outliving: None, is_at_the_end: false };
        for json in json["spans"].as_array().into_iter().flatten() {
            let text = |name: &str| json[name].as_str().map(str::to_owned);
            let Some(bytes) = bytes(json) else { continue };
            let is_primary = json["is_primary"] == true;
            let mut place = code.place(bytes.clone());
            if let Some((role, stands_for)) = code.role(bytes.clone()) {
                // Errors in the code that shows the result, or ends the cell, are shown at the place in the cell that explains
                // them. Warnings there are left out.
                if matches!(role, Role::Result | Role::End) && is_error {
                    place = stands_for.cloned();
                }
                spans.is_at_the_end |= *role == Role::End && is_primary;
                if let Role::Keep(name) | Role::KeepAtReturn(name, _) = role
                    && text("label").is_some_and(|label| label.contains("'static"))
                {
                    spans.outliving = Some(name.clone());
                }
                if spans.role.is_none() {
                    spans.role = Some(role.clone());
                }
            }
            let Some(place) = place else { continue };
            spans.marked.push(Marked {
                place,
                is_primary,
                label: text("label")
                    .map(|label| own_words(&label, spans.is_at_the_end))
                    .filter(|label| !speaks_of_generated_code(label)),
                replacement: text("suggested_replacement"),
            });
        }
        spans.marked.sort_by_key(|marked| !marked.is_primary);
        spans
    }

    /// One snippet for each cell, the one with the primary span first.
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

/// The byte range of a span in the crate. For a span inside a macro's definition, it is the range of the macro call.
fn bytes(span: &Value) -> Option<std::ops::Range<usize>> {
    if span["file_name"] != crate::compiler::SOURCE {
        return span["expansion"]["span"].as_object().and_then(|_| bytes(&span["expansion"]["span"]));
    }
    let number = |name: &str| span[name].as_u64().map(|number| number as usize);
    Some(number("byte_start")?..number("byte_end")?)
}

/// Renders a message in rustc's style. `borrower` is a variable that would outlive what it borrows from; then our own advice
/// replaces rustc's notes.
fn render(
    json: &Value,
    message: &str,
    is_error: bool,
    spans: &Spans,
    crate_code: &Code,
    borrower: Option<&str>,
) -> String {
    let level = if is_error { Level::ERROR } else { Level::WARNING };
    let title = level.primary_title(message);
    let title = if code(json).starts_with('E') { title.id(code(json)) } else { title };
    let group = Group::with_title(title).elements(spans.snippets());
    let empty = Vec::new();
    let children: Vec<_> = json["children"].as_array().unwrap_or(&empty).iter().collect();
    let children: Vec<(&Value, Spans)> =
        children.into_iter().map(|child| (child, Spans::new(child, crate_code, is_error))).collect();
    let help = borrower.map(|name| {
        format!(
            "store owned data in `{name}`, with `.clone()`, `.to_owned()` or `.to_vec()`, \
             or put everything that uses it within braces, `{{ … }}`, in one cell"
        )
    });
    let (mut notes, mut groups) = (Vec::new(), Vec::new());
    // rustc has a hint for paths, but not for macros.
    let mut missing = unlinked_crate(json).map(dependency_for);
    for (child, spans) in children.iter().filter(|_| borrower.is_none()) {
        let text = child["message"].as_str().unwrap_or_default();
        let hint = missing_crate(text).map(dependency_for);
        if hint.is_some() {
            missing = None;
        }
        let text = hint.unwrap_or_else(|| text.to_owned());
        let level = if child["level"] == "help" { Level::HELP } else { Level::NOTE };
        if text.is_empty() || speaks_of_generated_code(&text) {
            continue;
        }
        // Suggested imports belong at the top of the generated crate, which is not a place in any cell.
        let is_import =
            spans.marked.iter().any(|marked| marked.replacement.as_deref().is_some_and(is_import));
        if spans.marked.is_empty() || is_import {
            notes.push(level.message(text + &suggestions(child)));
        } else if spans.marked.iter().all(|marked| marked.replacement.is_some()) {
            groups.push(Group::with_title(level.secondary_title(text)).element(patched(spans)));
        } else {
            groups.push(Group::with_title(level.secondary_title(text)).elements(spans.snippets()));
        }
    }
    if let Some(help) = missing.as_ref().or(help.as_ref()) {
        notes.push(Level::HELP.message(help));
    }
    let mut all = vec![group.elements(notes)];
    all.append(&mut groups);
    Renderer::styled().render(&all)
}

/// The crate that rustc suspects to be missing, in a hint of its own.
fn missing_crate(text: &str) -> Option<&str> {
    text.split_once("you might be missing a crate named `")?.1.split('`').next()
}

/// The crate that `extern crate` or a path names, if there is none of that name.
fn unlinked_crate(json: &Value) -> Option<&str> {
    if let Some(name) = json["message"].as_str().and_then(|text| text.strip_prefix("can't find crate for `"))
    {
        return name.strip_suffix('`');
    }
    let labels = json["spans"].as_array()?.iter().filter_map(|span| span["label"].as_str());
    let names = labels.filter_map(|label| label.strip_prefix("use of unresolved module or unlinked crate `"));
    names.filter_map(|name| name.strip_suffix('`')).next()
}

/// How a notebook gets a crate.
fn dependency_for(name: &str) -> String {
    format!("if you want the crate `{name}`, begin the cell with the line `:dep {name} = \"*\"`")
}

fn is_import(replacement: &str) -> bool {
    replacement.trim_start().starts_with("use ")
}

/// The code of suggestions that have no place in a cell, such as a `use` at the top of the crate.
fn suggestions(child: &Value) -> String {
    let replacement = |span: &Value| Some(format!("\n  {}", span["suggested_replacement"].as_str()?.trim()));
    let spans = child["spans"].as_array().into_iter().flatten();
    spans.filter_map(replacement).filter(|text| !speaks_of_generated_code(text)).collect()
}

/// The cell with a suggestion applied. Of several alternatives for the same place, the first is used.
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
