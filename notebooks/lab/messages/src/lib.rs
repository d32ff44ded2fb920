//! The messages of the process that runs the cells to the kernel.
//!
//! Displays must stay in order with the text that cells print, so a [`Request`] is written to the standard output, marked
//! with a secret word that is new in each session. Everything else is an [`Event`], on a channel of its own that no cell prints
//! to. `lab` writes both, and the kernel reads them.
//!
//! ```
//! use messages::{Request, decode, encode};
//!
//! let line = encode(&Request::ClearOutput { wait: true }, "word");
//! assert_eq!(line, "\u{1e}TAPER word {\"request\":\"clear_output\",\"wait\":true}\n");
//! assert_eq!(decode(&line, "word"), Some(Request::ClearOutput { wait: true }));
//! assert_eq!(decode(&line, "another"), None);
//! ```

#![deny(missing_docs)]

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The environment variable that holds the session's word. It is set when the kernel understands these lines.
pub const ENV: &str = "TAPER_DISPLAY";

/// The start of a request, before the session's word. It may follow other text on the same line; a newline ends the request.
pub const PREFIX: &str = "\u{1e}TAPER ";

/// A request to change what the cell shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// Show `data`, one representation per MIME type, or with `update` replace what was shown as `display_id`.
    Display {
        /// The representations, by MIME type.
        data: Map<String, Value>,
        /// Jupyter's metadata, by MIME type.
        #[serde(default)]
        metadata: Map<String, Value>,
        /// The id under which it is shown, if it may be replaced.
        #[serde(default)]
        display_id: Option<String>,
        /// Whether it replaces what was shown under the id.
        #[serde(default)]
        update: bool,
    },
    /// Empty the cell's output.
    ClearOutput {
        /// Whether to wait for the next output, and empty it only then.
        wait: bool,
    },
}

/// What happens to a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The cell starts to run: from here on an interrupt concerns the cell, no longer the compiler.
    Running {
        /// The path of the library that was compiled from the cell.
        library: String,
    },
    /// A panic or an error. If the cell fails next, this is the reason.
    Failure(Failure),
    /// The cell panicked.
    Panicked,
    /// A `?` of the cell met an error.
    ReturnedError,
    /// The variable of an earlier cell does not have the type that the cell expects; the cell has not run.
    Lost {
        /// The name of the variable.
        name: String,
    },
    /// The value of the cell, unless something else is printed after it.
    Result {
        /// Its representations, by MIME type.
        data: Map<String, Value>,
    },
    /// The cell waits for a line of input.
    Question,
    /// The cell is done.
    Complete {
        /// The names of the variables that it has left.
        kept: Vec<String>,
    },
}

/// The name of a [`Failure`] for which a notebook cannot be blamed: it needs what this machine does not have.
pub const UNAVAILABLE: &str = "Unavailable";

/// A panic, or the error that a `?` has met.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of error it is, such as `panic`.
    pub name: String,
    /// Its message.
    pub message: String,
    /// The errors that caused it, the nearest first.
    pub causes: Vec<String>,
    /// Where it happened.
    pub location: Option<Location>,
    /// The calls that led there, the innermost first.
    pub frames: Vec<Frame>,
    /// The text for the standard error if the cell does not fail.
    pub otherwise: String,
}

/// A location in a source file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Location {
    /// The path of the library that was compiled from it.
    pub library: Option<String>,
    /// The path of the file.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
    /// The column in characters, counted from 1.
    pub column: u32,
}

/// An instruction in a library.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// The path of the library.
    pub library: String,
    /// The offset of the instruction from the address at which the library is loaded, in bytes.
    pub offset: u64,
}

/// The request as one line, with its prefix, the session's word and its newline.
pub fn encode(request: &Request, word: &str) -> String {
    // JSON escapes every control character, so the line holds neither a newline nor a second prefix.
    format!("{PREFIX}{word} {}\n", json(request))
}

/// Reads what [`encode`] wrote, from the prefix on, with or without the newline. Returns none if it is not from this session.
pub fn decode(line: &str, word: &str) -> Option<Request> {
    let json = line.strip_prefix(PREFIX)?.strip_prefix(word)?.strip_prefix(' ')?;
    serde_json::from_str(json).ok()
}

/// A message as JSON on one line, without a newline.
pub fn json(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("strings, numbers, booleans and JSON values always serialize")
}
