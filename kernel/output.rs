//! What the child printed, turned into events: text, displays, failures, and evcxr's own markers.
//!
//! Cells print four kinds of things on one pipe: ordinary text; `lab`'s requests, a line each (see `format`);
//! evcxr's displays, `EVCXR_BEGIN_CONTENT mime` up to `EVCXR_END_CONTENT`; and lines that are meant for evcxr.
//! Any of them may follow text on its line, so they are searched for everywhere.

use crate::format::{self, Request};
use serde_json::Value;

/// The room, in bytes, that is kept for what comes next.
const SMALL: usize = 1 << 20;

const RECORD: u8 = 0x1e;
const EVCXR: &[u8] = b"EVCXR_";
const BEGIN: &str = "EVCXR_BEGIN_CONTENT ";
const END: &[u8] = b"EVCXR_END_CONTENT\n";
const PANICKED: &str = "EVCXR_PANIC_NOTIFICATION";
pub const RETURNED_ERROR: &str = "EVCXR_ERROR_OCCURRED";
/// A cell asks for a line of input.
const INPUT_REQUEST: &str = "EVCXR_INPUT_REQUEST";
/// A variable cannot be kept, for its type is another one now.
pub const VARIABLE_LOST: &str = "EVCXR_VARIABLE_CHANGED_TYPE:";

/// One thing that the child printed.
#[derive(Debug, PartialEq)]
pub enum Event {
    Text(String),
    /// A request of `lab`.
    Request(Request),
    /// Content in evcxr's display format: MIME type and data.
    Content(String, Value),
    /// The cell in the library of this path starts to run.
    Running(String),
    /// The cell panicked.
    Panicked,
    /// A `?` of the cell met an error.
    ReturnedError,
    /// The cell is done.
    Complete,
    /// This variable is lost.
    VariableLost(String),
    /// A question to the user, as evcxr understands it.
    Question(String),
}

/// Splits the byte stream of one child into events.
#[derive(Default)]
pub struct Parser {
    buffer: Vec<u8>,
    /// How much of the buffer is known to hold no newline, and how much no end of content. A large picture comes
    /// in thousands of pieces, and must not be searched again with each of them.
    without_newline: usize,
    without_end: usize,
    text: Utf8,
}

impl Parser {
    /// Takes the next bytes and returns the events that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.buffer.extend_from_slice(bytes);
        let mut events = Vec::new();
        loop {
            let start = marker_start(&self.buffer);
            if start > 0 {
                let text = self.take(start);
                push_text(&mut events, text);
            }
            match self.marker() {
                Marker::Event(event, length) => {
                    self.discard(length);
                    events.push(event);
                }
                // Not a marker after all: its first byte is text, and the search goes on behind it.
                Marker::None if !self.buffer.is_empty() => {
                    let text = self.take(1);
                    push_text(&mut events, text);
                }
                Marker::None | Marker::Unfinished => return events,
            }
        }
    }

    /// What is left when the child is gone.
    pub fn finish(&mut self) -> Option<Event> {
        let mut text = self.take(self.buffer.len());
        text.push_str(&self.text.finish());
        (!text.is_empty()).then_some(Event::Text(text))
    }

    fn take(&mut self, length: usize) -> String {
        let text = self.text.push(&self.buffer[..length]);
        self.discard(length);
        text
    }

    fn discard(&mut self, length: usize) {
        self.buffer.drain(..length);
        if self.buffer.is_empty() {
            // A large picture has gone through: do not keep its room for good.
            self.buffer.shrink_to(SMALL);
        }
        (self.without_newline, self.without_end) = (0, 0);
    }

    /// Reads the marker that the buffer starts with.
    fn marker(&mut self) -> Marker {
        let Some(newline) = find_from(&self.buffer, b"\n", &mut self.without_newline) else {
            return if could_be_marker(&self.buffer) { Marker::Unfinished } else { Marker::None };
        };
        let line = &self.buffer[..newline];
        if line.starts_with(BEGIN.as_bytes()) {
            let mime = String::from_utf8_lossy(&line[BEGIN.len()..]).into_owned();
            return self.content(mime, newline + 1);
        }
        let length = newline + 1;
        match std::str::from_utf8(line) {
            Ok(crate::child::COMPLETE) => Marker::Event(Event::Complete, length),
            Ok(PANICKED) => Marker::Event(Event::Panicked, length),
            Ok(RETURNED_ERROR) => Marker::Event(Event::ReturnedError, length),
            Ok(line) if line.starts_with(crate::child::RUNNING) => {
                let path = line[crate::child::RUNNING.len()..].to_owned();
                Marker::Event(Event::Running(path), length)
            }
            Ok(line) if line.starts_with(INPUT_REQUEST) => {
                Marker::Event(Event::Question(line.to_owned()), length)
            }
            Ok(line) if line.starts_with(VARIABLE_LOST) => {
                Marker::Event(Event::VariableLost(line[VARIABLE_LOST.len()..].to_owned()), length)
            }
            Ok(line) if line.starts_with(format::PREFIX) => match format::decode(line) {
                Ok(request) => Marker::Event(Event::Request(request), length),
                Err(_) => Marker::None,
            },
            _ => Marker::None,
        }
    }

    fn content(&mut self, mime: String, start: usize) -> Marker {
        self.without_end = self.without_end.max(start);
        let Some(end) = find_from(&self.buffer, END, &mut self.without_end) else {
            return Marker::Unfinished;
        };
        let content = String::from_utf8_lossy(&self.buffer[start..end]);
        let content = content.strip_suffix('\n').unwrap_or(&content).to_owned();
        Marker::Event(Event::Content(mime, Value::String(content)), end + END.len())
    }
}

enum Marker {
    Event(Event, usize),
    Unfinished,
    None,
}

fn push_text(events: &mut Vec<Event>, text: String) {
    match events.last_mut() {
        _ if text.is_empty() => {}
        Some(Event::Text(last)) => last.push_str(&text),
        _ => events.push(Event::Text(text)),
    }
}

/// Where the first marker starts, or could start at the very end; the length of the buffer if there is none.
fn marker_start(buffer: &[u8]) -> usize {
    let record = buffer.iter().position(|&byte| byte == RECORD).unwrap_or(buffer.len());
    let before = &buffer[..record];
    if let Some(position) = find(before, EVCXR) {
        return position;
    }
    if record < buffer.len() {
        return record;
    }
    (1..EVCXR.len()).rev().find(|&n| buffer.ends_with(&EVCXR[..n])).map_or(buffer.len(), |n| buffer.len() - n)
}

/// Whether a buffer without newline can still become a marker.
fn could_be_marker(buffer: &[u8]) -> bool {
    let markers = [
        crate::child::RUNNING,
        crate::child::COMPLETE,
        PANICKED,
        RETURNED_ERROR,
        BEGIN,
        INPUT_REQUEST,
        VARIABLE_LOST,
        format::PREFIX,
    ];
    markers.iter().any(|marker| {
        let n = marker.len().min(buffer.len());
        n > 0 && buffer[..n] == marker.as_bytes()[..n]
    })
}

/// Finds `needle` beyond what is known to be without it, and remembers what was searched in vain.
fn find_from(haystack: &[u8], needle: &[u8], without: &mut usize) -> Option<usize> {
    match find(&haystack[*without..], needle) {
        Some(position) => Some(*without + position),
        None => {
            *without = (*without).max((haystack.len() + 1).saturating_sub(needle.len()));
            None
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

/// Decodes UTF-8 that may be cut anywhere; bytes that are not UTF-8 become U+FFFD.
#[derive(Default)]
pub struct Utf8 {
    carry: Vec<u8>,
}

impl Utf8 {
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.carry.extend_from_slice(bytes);
        let unfinished = match std::str::from_utf8(&self.carry) {
            Err(error) if error.error_len().is_none() => self.carry.len() - error.valid_up_to(),
            // An error further up says nothing about the end: look at the last character alone.
            Err(_) => unfinished_tail(&self.carry),
            Ok(_) => 0,
        };
        let rest = self.carry.split_off(self.carry.len() - unfinished);
        let text = String::from_utf8_lossy(&self.carry).into_owned();
        self.carry = rest;
        text
    }

    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.carry)).into_owned()
    }
}

fn unfinished_tail(bytes: &[u8]) -> usize {
    let start = bytes.iter().rposition(|byte| byte & 0xc0 != 0x80).unwrap_or(bytes.len());
    match std::str::from_utf8(&bytes[start..]) {
        Err(error) if error.error_len().is_none() => bytes.len() - start,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pieces: &[&[u8]]) -> Vec<Event> {
        let mut parser = Parser::default();
        let mut events: Vec<Event> = Vec::new();
        for event in pieces.iter().flat_map(|piece| parser.push(piece)).collect::<Vec<_>>() {
            match event {
                Event::Text(text) => push_text(&mut events, text),
                event => events.push(event),
            }
        }
        events.extend(parser.finish());
        events
    }

    fn text(text: &str) -> Event {
        Event::Text(text.into())
    }

    #[test]
    fn a_marker_may_follow_text_on_its_line() {
        let events = parse(&[b"50 %EVCXR_PANIC_NOTIFICATION\nEVCXR_EXECUTION_COMPLETE\n"]);
        assert_eq!(events, [text("50 %"), Event::Panicked, Event::Complete]);
    }

    #[test]
    fn every_cut_of_the_stream_gives_the_same_events() {
        let request = Request::ClearOutput { wait: true };
        let stream = [
            "EVCXR EVCXR_X\n\u{1e}héllo",
            &format::encode(&request),
            "EVCXR_BEGIN_CONTENT text/html\n<b>\nEVCXR_END\n</b>\nEVCXR_END_CONTENT\nEVCXR_EXECUTION_COMPLETE\n",
        ]
        .concat();
        let expected = [
            text("EVCXR EVCXR_X\n\u{1e}héllo"),
            Event::Request(request),
            Event::Content("text/html".into(), "<b>\nEVCXR_END\n</b>".into()),
            Event::Complete,
        ];
        for cut in 0..stream.len() {
            let (left, right) = stream.as_bytes().split_at(cut);
            assert_eq!(parse(&[left, right]), expected, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(parse(&bytes), expected, "byte by byte");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced_and_the_rest_is_kept() {
        assert_eq!(parse(&[b"a\xffb\xc3", b"\xa9c"]), [text("a\u{fffd}b\u{e9}c")]);
    }

    #[test]
    fn a_request_that_is_not_json_stays_text() {
        assert_eq!(parse(&[b"\x1eTAPER oops\nx"]), [text("\u{1e}TAPER oops\nx")]);
    }
}
