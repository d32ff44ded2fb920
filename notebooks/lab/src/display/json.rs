//! JSON values.

use super::Display;
use crate::table::thousands;
use serde_json::Value;
use std::io::{self, Write};

/// The most bytes of JSON that are shown.
const BYTES: usize = 200_000;

/// Shows a value as JSON, for front ends that can fold it, and as its text. Of a large one only the start of the text is shown.
pub fn display(value: &Value) -> Display {
    let mut text = Start::default();
    // Nothing but the limit can fail: keys are texts, and all is in memory.
    if serde_json::to_writer_pretty(&mut text, value).is_ok() {
        return Display::text(&String::from_utf8_lossy(&text.0)).with("application/json", value.clone());
    }
    // The last character may have been cut.
    let start = String::from_utf8_lossy(&text.0);
    let start = start.trim_end_matches(char::REPLACEMENT_CHARACTER);
    Display::text(&format!("{start}…\n\n(the first {} bytes)", thousands(text.0.len())))
}

/// Keeps the first bytes, and refuses more.
#[derive(Default)]
struct Start(Vec<u8>);

impl Write for Start {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fitting = bytes.len().min(BYTES - self.0.len());
        self.0.extend_from_slice(&bytes[..fitting]);
        if fitting == 0 && !bytes.is_empty() { Err(io::ErrorKind::WriteZero.into()) } else { Ok(fitting) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_is_shown_as_json_and_as_its_text() {
        let value = json!({ "a": [1, null], "b": "é" });
        let display = display(&value);
        let text = "{\n  \"a\": [\n    1,\n    null\n  ],\n  \"b\": \"é\"\n}";
        assert_eq!(display.content("text/plain"), Some(text));
        assert_eq!(display.data["application/json"], value);
    }

    #[test]
    fn of_large_json_the_start_is_shown() {
        let display = display(&json!("é".repeat(1_000_000)));
        let text = display.content("text/plain").unwrap();
        assert!(text.starts_with("\"éé") && text.ends_with("é…\n\n(the first 200,000 bytes)"));
        assert_eq!(text.matches('é').count(), 99_999);
        assert!(!display.data.contains_key("application/json"));
    }
}
