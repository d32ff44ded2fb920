//! What the process that runs the cells says to the kernel.
//!
//! What is shown must keep its place among the text that cells print, so it travels on the standard output, marked by a
//! word that is new in each session. Everything else is an [`Event`], on a channel of its own that no cell prints to. The
//! kernel includes this very file: one definition serves both sides, and it needs nothing but `serde`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Is set in the environment of cells when the kernel understands these lines, to the session's word.
pub const ENV: &str = "TAPER_DISPLAY";

/// What a request starts with, before the session's word. It may follow other text on its line; a newline ends it.
pub const PREFIX: &str = "\u{1e}TAPER ";

/// Something to show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// Show `data`, one representation per MIME type, or with `update` replace what was shown as `display_id`.
    Display {
        data: Map<String, Value>,
        #[serde(default)]
        metadata: Map<String, Value>,
        #[serde(default)]
        display_id: Option<String>,
        #[serde(default)]
        update: bool,
    },
    /// Empty the cell's output, with `wait` only when the next output comes.
    ClearOutput { wait: bool },
}

/// What happens to a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The cell in the library of this path starts to run: from here on an interrupt concerns the cell, no longer the
    /// compiler.
    Running { library: String },
    /// The reason in case the cell now fails.
    Failure(Failure),
    /// The cell panicked.
    Panicked,
    /// A `?` of the cell met an error.
    ReturnedError,
    /// The variable of an earlier cell is not what the cell takes it for; the cell has not run.
    Lost { name: String },
    /// The value of the cell, unless something else is printed after it.
    Result { data: Map<String, Value> },
    /// The cell waits for a line of input.
    Question,
    /// The cell is done, and these are the variables that it has left.
    Complete { kept: Vec<String> },
}

/// A panic, or the error that a `?` has met.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    pub name: String,
    pub message: String,
    /// What has led to it, the nearest first.
    pub causes: Vec<String>,
    /// Where it happened.
    pub place: Option<Place>,
    /// The calls that led there, the innermost first.
    pub frames: Vec<Frame>,
    /// What to print on the standard error if the cell does not fail.
    pub otherwise: String,
}

/// A place in a source file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The path of the library that was compiled from it.
    pub library: Option<String>,
    pub file: String,
    /// Both counted from 1, the column in characters.
    pub line: u32,
    pub column: u32,
}

/// An instruction of a library: its path, and the distance from where it is loaded in bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    pub library: String,
    pub offset: u64,
}

/// The request as one line, with its prefix, the session's word and its newline.
pub fn encode(request: &Request, word: &str) -> String {
    // JSON escapes every control character, so the line holds neither a newline nor a second prefix.
    format!("{PREFIX}{word} {}\n", json(request))
}

/// Reads what [`encode`] wrote, from the prefix on, with or without the newline; none if it is not from this session.
pub fn decode(line: &str, word: &str) -> Option<Request> {
    let json = line.strip_prefix(PREFIX)?.strip_prefix(word)?.strip_prefix(' ')?;
    serde_json::from_str(json).ok()
}

/// Something to send, as JSON in one line, without a newline.
pub fn json(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("strings, numbers, booleans and JSON values always serialize")
}
