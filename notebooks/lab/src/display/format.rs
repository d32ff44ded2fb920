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
    /// Remember this as the reason in case the cell now fails: a panic, or the error that a `?` has met. If it does
    /// not fail, print `otherwise` on the standard error.
    Failure { name: String, message: String, otherwise: String },
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
