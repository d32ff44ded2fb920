//! The lines on standard output that ask the kernel to show something.
//!
//! The kernel includes this very file: one definition serves both sides, and it needs nothing but `serde`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Is set in the environment of cells when the kernel understands these lines.
pub const ENV: &str = "TAPER_DISPLAY";

/// What a request starts with. It may follow other text on its line; a newline ends it.
pub const PREFIX: &str = "\u{1e}TAPER ";

/// What the kernel is asked to do.
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
    /// Remember this as the reason in case the cell now fails.
    Failure(Failure),
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

/// The request as one line, with its prefix and its newline.
pub fn encode(request: &Request) -> String {
    // JSON escapes every control character, so the line holds neither a newline nor a second prefix.
    let json = serde_json::to_string(request).expect("strings, booleans and JSON values always serialize");
    format!("{PREFIX}{json}\n")
}

/// Reads what [`encode`] wrote, from the prefix on, with or without the newline.
pub fn decode(line: &str) -> Result<Request, serde_json::Error> {
    serde_json::from_str(line.strip_prefix(PREFIX).unwrap_or(line))
}
