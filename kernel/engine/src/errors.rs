//! Turns the failures of cells into the errors that the notebook shows.

use crate::backtrace::{self, Call};
use crate::diagnostics::Diagnostic;
use crate::sources::Sources;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use cell::code::Place;
use evcxr::Error;
use jupyter_protocol::ReplyError;
use messages::Failure;
use wire::message;

const RED: &str = "\u{1b}[1;31m";
const RESET: &str = "\u{1b}[0m";

/// An error that is nothing but a name and a text.
pub fn plain(name: &str, text: &str) -> ReplyError {
    let lines = format!("{RED}{name}{RESET}: {text}").lines().map(str::to_owned).collect();
    message::error(name, text, lines)
}

/// The operating system's message when a disk is full (`ENOSPC`).
const FULL: &str = "No space left on device";

/// The disk on which cells are compiled is full.
fn disk_full() -> ReplyError {
    // `taper kernel` sets this variable for evcxr.
    disk_full_at("cells", &std::env::var("EVCXR_TMPDIR").unwrap_or_default())
}

/// The disk with this folder, in which `what` are compiled, is full.
fn disk_full_at(what: &str, folder: &str) -> ReplyError {
    let text = format!("there is no space left on the disk where {what} are compiled ({folder})");
    plain("DiskFull", &format!("{text}. Free some and run the cell again; everything is as it was."))
}

/// The name of the error of a cell that could not be loaded. `lab_not_loaded` sends it.
pub const LOAD_ERROR: &str = "LoadError";

/// An error of the kernel itself.
pub fn from_kernel(error: &anyhow::Error) -> ReplyError {
    let text = format!("{error:#}");
    if text.contains(FULL) { disk_full() } else { plain("KernelError", &text) }
}

/// A crate that cannot be downloaded or built.
pub fn from_dependency(error: &anyhow::Error) -> ReplyError {
    let text = format!("{error:#}");
    if !text.contains(FULL) {
        return plain("DependencyError", &text);
    }
    let folder = environment::cache::environments().unwrap_or_default();
    disk_full_at("crates", &folder.display().to_string())
}

/// The errors of a cell's commands.
pub fn from_commands(faults: &[Diagnostic]) -> ReplyError {
    let message = faults.first().map_or("", |fault| fault.message.as_str());
    message::error("CommandError", message, faults.iter().map(|fault| fault.rendered.clone()).collect())
}

/// Appends lines to an error.
pub fn add_lines(error: &mut ReplyError, lines: Vec<String>) {
    for line in lines {
        error.evalue.push('\n');
        error.evalue.push_str(&line);
        error.traceback.push(line);
    }
}

/// An error of evcxr itself.
pub fn from_evcxr(error: &Error) -> ReplyError {
    match error {
        Error::Message(text) if text.contains(FULL) => disk_full(),
        Error::TypeRedefinedVariablesLost(names) => plain(
            "VariablesLost",
            &format!("their types were redefined, so they are gone: {}", names.join(", ")),
        ),
        Error::CompilationErrors(errors) => {
            let messages: Vec<String> = errors.iter().map(evcxr::CompilationError::message).collect();
            plain("CompileError", &messages.join("\n"))
        }
        Error::SubprocessTerminated(text) | Error::Message(text) => plain("Error", text),
    }
}

/// The errors of a cell that does not compile. `None` if there are none.
pub fn from_compiler(diagnostics: &[Diagnostic]) -> Option<ReplyError> {
    let errors = || diagnostics.iter().filter(|diagnostic| diagnostic.is_error);
    if errors().any(|diagnostic| diagnostic.rendered.contains(FULL)) {
        return Some(disk_full());
    }
    let of_cell: Vec<_> = errors().filter(|diagnostic| diagnostic.is_of_cell()).collect();
    let shown = if of_cell.is_empty() { errors().collect() } else { of_cell };
    let traceback = shown.iter().map(|diagnostic| diagnostic.rendered.clone()).collect();
    Some(message::error("CompileError", &shown.first()?.message, traceback))
}

/// The end of the process that ran the cell. `status` is evcxr's message, and `lost` are the variables that the process held.
pub fn process_ended(status: &str, lost: &[String]) -> ReplyError {
    let status = status.trim().rsplit("Subprocess terminated with status: ").next().unwrap_or_default();
    let signal = |name: &str| status.contains(name);
    let reason = if signal("SIGSEGV") || signal("SIGBUS") {
        "it accessed invalid memory (a segmentation fault), which only `unsafe` code and faulty libraries can do"
    } else if signal("SIGABRT") {
        "it aborted: the stack overflowed, memory ran out, a panic occurred during a panic, or `std::process::abort` was called"
    } else if signal("SIGKILL") {
        "it was killed, perhaps because the machine ran out of memory"
    } else if status.starts_with("exit status") {
        "it called `std::process::exit`"
    } else {
        "another process ended it"
    };
    plain(
        "ProcessEnded",
        &format!("the process that runs the cells has ended ({status}): {reason}.\n{}", gone(lost)),
    )
}

/// The end of a cell that was interrupted, and then ended with `failure`.
pub fn interrupted(failure: &ReplyError) -> ReplyError {
    let gone = failure.traceback.iter().filter(|line| line.contains(" is gone: "));
    let mut text =
        "the cell was interrupted and has ended; the variables of earlier cells are kept".to_owned();
    let gone: Vec<&str> = gone.map(String::as_str).collect();
    if !gone.is_empty() {
        text = format!("the cell was interrupted and has ended.\n{}", gone.join("\n"));
    }
    plain("Interrupted", &text)
}

/// Says which variables were lost with the process, and what was not lost.
pub fn gone(lost: &[String]) -> String {
    let names: Vec<String> = lost.iter().map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => "No variables were lost; functions, types and `use` lines are still there.".into(),
        1 => format!("The variable {} is gone; functions, types and `use` lines are still there.", names[0]),
        _ => format!(
            "These variables are gone: {}. Functions, types and `use` lines are still there.",
            names.join(", ")
        ),
    }
}

/// A panic or a failed `?`: the message and its causes, the line of the cell, and the backtrace.
pub fn from_failure(failure: &Failure, sources: &Sources) -> ReplyError {
    let calls = backtrace::calls(&failure.frames, sources);
    let in_cell = place_of(failure, sources);
    // A failure inside a crate is shown at the line of the cell that called the crate.
    let elsewhere = failure.location.as_ref().filter(|_| in_cell.is_none()).map(short);
    let place = in_cell.or_else(|| calls.iter().find_map(|call| call.place.clone()));
    let causes = further(&failure.message, &failure.causes);
    let title = match &place {
        Some(place) => draw(failure, place),
        None => format!("{RED}{}{RESET}: {}", failure.name, failure.message),
    };
    let mut lines: Vec<String> = title.lines().map(str::to_owned).collect();
    lines.extend(causes.iter().map(|cause| format!("  caused by: {cause}")));
    lines.extend(elsewhere.map(|location| format!("  at {location}")));
    let is_told = |call: &Call| {
        call.function.is_none() && call.place.as_ref().map(Place::line) == place.as_ref().map(Place::line)
    };
    // A single call at the line that has just been drawn adds nothing.
    if !(calls.len() == 1 && is_told(&calls[0])) {
        lines.extend(listed(&calls));
    }
    let value = std::iter::once(failure.message.clone()).chain(causes).collect::<Vec<_>>().join(": ");
    message::error(&failure.name, &value, lines)
}

/// The text for standard error if the cell goes on after a failure, such as a panic that it has caught.
pub fn without_consequence(failure: &Failure, sources: &Sources) -> String {
    let text = &failure.otherwise;
    match (&failure.location, place_of(failure, sources)) {
        // An error that `?` has converted without ending the cell: it is printed without a place.
        _ if failure.name != "panic" => text.clone(),
        (_, Some(place)) => format!("{text}  at {}, line {}\n", place.source.name, place.line()),
        (Some(location), None) => format!("{text}  at {}\n", short(location)),
        (None, None) => text.clone(),
    }
}

/// The causes that neither the message nor an earlier cause already contains.
fn further(message: &str, causes: &[String]) -> Vec<String> {
    let mut told = message.to_owned();
    let mut further = Vec::new();
    for cause in causes.iter().filter(|cause| !cause.is_empty()) {
        if !told.contains(cause.as_str()) {
            told.push_str(cause);
            further.push(cause.clone());
        }
    }
    further
}

/// The place of a failure, if it is in a cell.
fn place_of(failure: &Failure, sources: &Sources) -> Option<Place> {
    let location = failure.location.as_ref()?;
    sources.place(location.library.as_deref()?, location.line, location.column)
}

/// A location in a crate, without the folder in which this machine keeps the crate.
fn short(location: &messages::Location) -> String {
    let file = location.file.split_once("/registry/src/").and_then(|(_, file)| file.split_once('/'));
    let file = file.map_or(location.file.as_str(), |(_, file)| file);
    let file =
        file.split_once("/library/").filter(|_| file.starts_with("/rustc/")).map_or(file, |(_, file)| file);
    // The path of another crate, such as `lab`, starts at the crate's own folder.
    let folders = file.rsplit_once("/src/").filter(|_| file.starts_with('/'));
    let start = folders.and_then(|(folder, _)| Some(folder.rfind('/')? + 1)).unwrap_or(0);
    let file = &file[start..];
    format!("{file}:{}:{}", location.line, location.column)
}

/// Draws the message over the line of the cell where the failure happened.
fn draw(failure: &Failure, place: &Place) -> String {
    let title = Level::ERROR.with_name(Some(failure.name.as_str())).primary_title(failure.message.as_str());
    let mark = AnnotationKind::Primary.span(place.range.clone());
    let source = Snippet::source(place.source.code.as_str()).path(place.source.name.as_str());
    Renderer::styled().render(&[Group::with_title(title).element(source.annotation(mark))])
}

/// A line for each call. Repeated lines, as in a recursion, are counted.
fn listed(calls: &[Call]) -> Vec<String> {
    let mut lines: Vec<(String, usize)> = Vec::new();
    for Call { function, place } in calls {
        let place = place.as_ref().map(|place| format!("{}, line {}", place.source.name, place.line()));
        let line = match (function, place) {
            (Some(function), Some(place)) => format!("  in {function} ({place})"),
            (Some(function), None) => format!("  in {function}"),
            (None, Some(place)) => format!("  in the cell {place}"),
            (None, None) => continue,
        };
        match lines.last_mut() {
            // Consecutive calls without names are inlined closures of the same line, which count once.
            Some((last, count)) if *last == line => *count += usize::from(function.is_some()),
            _ => lines.push((line, 1)),
        }
    }
    let counted =
        |(line, count): (String, usize)| if count > 1 { format!("{line}, {count} times") } else { line };
    lines.into_iter().map(counted).collect()
}
