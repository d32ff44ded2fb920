//! Parses the output of cells into events: text, displays, and questions.
//!
//! Three kinds of output share one pipe, in the order in which they were printed: ordinary text; the requests of `lab`, each a
//! line that carries the session's secret word (see the crate `messages`); and what other crates print by evcxr's convention,
//! which is displays from `EVCXR_BEGIN_CONTENT mime` to `EVCXR_END_CONTENT`, and questions to the user. Any of these may
//! follow text on the same line, so they are searched for everywhere. A display that is still unfinished when the cell is over
//! becomes text.

use messages::Request;
use serde_json::Value;

/// The capacity, in bytes, that the empty buffer may keep.
const SMALL: usize = 1 << 20;

const RECORD: u8 = 0x1e;
const EVCXR: &[u8] = b"EVCXR_";
const BEGIN: &str = "EVCXR_BEGIN_CONTENT ";
const END: &[u8] = b"EVCXR_END_CONTENT\n";
/// The start of the line with which the crate `evcxr_input` asks for a line of input.
pub const QUESTION: &str = "EVCXR_INPUT_REQUEST";

/// A part of a cell's output.
#[derive(Debug, PartialEq)]
pub enum Event {
    Text(String),
    /// A request of `lab`.
    Request(Request),
    /// Content in evcxr's display format: its MIME type and data.
    Content(String, Value),
    /// Content of a JSON type that is not valid JSON: its MIME type and the error.
    Unreadable(String, String),
    /// A question to the user: the whole line, in evcxr's format.
    Question(String),
}

/// Splits the output of one session into events.
pub struct Parser {
    /// The session's secret word, which identifies its requests.
    word: String,
    buffer: Vec<u8>,
    /// The lengths of the prefixes of the buffer that are known to contain no newline, and no end of content. A large picture
    /// arrives in thousands of pieces, and must not be searched from the start each time.
    without_newline: usize,
    without_end: usize,
    text: Utf8,
}

impl Parser {
    /// A parser for the session with this word.
    pub fn new(word: &str) -> Self {
        let (word, text) = (word.to_owned(), Utf8::default());
        Self { word, buffer: Vec::new(), without_newline: 0, without_end: 0, text }
    }

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
                // Not a marker after all: its first byte is text, and the search goes on after it.
                Marker::None if !self.buffer.is_empty() => {
                    let text = self.take(1);
                    push_text(&mut events, text);
                }
                Marker::None | Marker::Unfinished => return events,
            }
        }
    }

    /// Ends the output of a cell: returns the events in what is left in the buffer, since nothing can complete it any more.
    pub fn finish(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        // The last line may lack its newline, as after `print!`.
        if self.buffer.ends_with(END.trim_ascii_end()) {
            events = self.push(b"\n");
        }
        while !self.buffer.is_empty() {
            // What looked like the start of a marker is text, but another marker may follow in it.
            let text = self.take(1);
            push_text(&mut events, text);
            for event in self.push(b"") {
                match event {
                    Event::Text(text) => push_text(&mut events, text),
                    event => events.push(event),
                }
            }
        }
        push_text(&mut events, self.text.finish());
        events
    }

    fn take(&mut self, length: usize) -> String {
        let text = self.text.push(&self.buffer[..length]);
        self.discard(length);
        text
    }

    fn discard(&mut self, length: usize) {
        self.buffer.drain(..length);
        if self.buffer.is_empty() {
            // Release the memory of a large picture.
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
        let length = newline + 1;
        let Ok(line) = std::str::from_utf8(line) else { return Marker::None };
        if let Some(mime) = line.strip_prefix(BEGIN) {
            let mime = mime.trim_end_matches('\r');
            return match is_mime_type(mime) {
                true => self.content(mime.to_owned(), length),
                false => Marker::None,
            };
        }
        if line.starts_with(QUESTION) {
            return Marker::Event(Event::Question(line.to_owned()), length);
        }
        match messages::decode(line, &self.word) {
            Some(request) => Marker::Event(Event::Request(request), length),
            None => Marker::None,
        }
    }

    fn content(&mut self, mime: String, start: usize) -> Marker {
        self.without_end = self.without_end.max(start);
        let Some(end) = find_from(&self.buffer, END, &mut self.without_end) else {
            return Marker::Unfinished;
        };
        let content = String::from_utf8_lossy(&self.buffer[start..end]);
        let content = content.strip_suffix('\n').unwrap_or(&content);
        let event = match is_json(&mime).then(|| serde_json::from_str(content)) {
            Some(Err(error)) => Event::Unreadable(mime, error.to_string()),
            Some(Ok(value)) => Event::Content(mime, value),
            None => Event::Content(mime, Value::String(content.to_owned())),
        };
        Marker::Event(event, end + END.len())
    }
}

enum Marker {
    Event(Event, usize),
    Unfinished,
    None,
}

/// Whether the text is a MIME type such as `text/html`, possibly with parameters.
fn is_mime_type(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c))
    };
    let kind = text.split(';').next().unwrap_or_default();
    kind.split_once('/').is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype))
}

/// Whether Jupyter expects data of this MIME type as JSON, rather than as a string that contains JSON.
fn is_json(mime: &str) -> bool {
    mime == "application/json" || mime.split(';').next().is_some_and(|kind| kind.ends_with("+json"))
}

fn push_text(events: &mut Vec<Event>, text: String) {
    match events.last_mut() {
        _ if text.is_empty() => {}
        Some(Event::Text(last)) => last.push_str(&text),
        _ => events.push(Event::Text(text)),
    }
}

/// The start of the first marker, which may be cut off at the end of the buffer; the length of the buffer if there is none.
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

/// Whether more bytes can turn a buffer without a newline into a marker.
fn could_be_marker(buffer: &[u8]) -> bool {
    let markers = [BEGIN, QUESTION, messages::PREFIX];
    markers.iter().any(|marker| {
        let n = marker.len().min(buffer.len());
        n > 0 && buffer[..n] == marker.as_bytes()[..n]
    })
}

/// Finds `needle` after the first `without` bytes, which are known not to contain its start. If it is not found, increases
/// `without` for the next search.
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

/// Decodes UTF-8 in pieces that may be cut anywhere. Invalid bytes become U+FFFD.
#[derive(Default)]
pub struct Utf8 {
    carry: Vec<u8>,
}

impl Utf8 {
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.carry.extend_from_slice(bytes);
        let unfinished = match std::str::from_utf8(&self.carry) {
            Err(error) if error.error_len().is_none() => self.carry.len() - error.valid_up_to(),
            // An earlier error hides whether the end is cut, so check the last character separately.
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

    const WORD: &str = "secret";

    fn parse(pieces: &[&[u8]]) -> Vec<Event> {
        let mut parser = Parser::new(WORD);
        let mut events: Vec<Event> = Vec::new();
        let pushed: Vec<Event> = pieces.iter().flat_map(|piece| parser.push(piece)).collect();
        for event in pushed.into_iter().chain(parser.finish()) {
            match event {
                Event::Text(text) => push_text(&mut events, text),
                event => events.push(event),
            }
        }
        events
    }

    fn text(text: &str) -> Event {
        Event::Text(text.into())
    }

    fn html(content: &str) -> Event {
        Event::Content("text/html".into(), content.into())
    }

    #[test]
    fn a_marker_may_follow_text_on_its_line() {
        let events = parse(&[b"50 %EVCXR_INPUT_REQUEST:name\nafter\n"]);
        assert_eq!(
            events,
            [text("50 %"), Event::Question("EVCXR_INPUT_REQUEST:name".into()), text("after\n")]
        );
    }

    #[test]
    fn every_cut_of_the_stream_gives_the_same_events() {
        let request = Request::ClearOutput { wait: true };
        let stream = [
            "EVCXR EVCXR_X\n\u{1e}héllo",
            &messages::encode(&request, WORD),
            "EVCXR_BEGIN_CONTENT text/html\n<b>\nEVCXR_END\n</b>\nEVCXR_END_CONTENT\nEVCXR_INPUT_REQUEST:\n",
        ]
        .concat();
        let expected = [
            text("EVCXR EVCXR_X\n\u{1e}héllo"),
            Event::Request(request),
            html("<b>\nEVCXR_END\n</b>"),
            Event::Question("EVCXR_INPUT_REQUEST:".into()),
        ];
        for cut in 0..stream.len() {
            let (left, right) = stream.as_bytes().split_at(cut);
            assert_eq!(parse(&[left, right]), expected, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(parse(&bytes), expected, "byte by byte");
    }

    #[test]
    fn a_display_ends_with_the_cell_at_the_latest() {
        let begin = "EVCXR_BEGIN_CONTENT text/html\n<b>\n";
        assert_eq!(parse(&[begin.as_bytes()]), [text(begin)]);
        assert_eq!(parse(&[begin.as_bytes(), b"EVCXR_END_CONTENT"]), [html("<b>")]);
        let question = "EVCXR_INPUT_REQUEST:x\n";
        let expected = [text(begin), Event::Question("EVCXR_INPUT_REQUEST:x".into())];
        assert_eq!(parse(&[begin.as_bytes(), question.as_bytes()]), expected);
    }

    #[test]
    fn what_only_resembles_a_marker_is_text() {
        for line in [
            "EVCXR_BEGIN_CONTENT text/plain is how a display begins\n",
            "EVCXR_BEGIN_CONTENT\n",
            "EVCXR_BEGIN_CONTENT html\n",
            "EVCXR_EXECUTION_COMPLETE\n",
            "EVCXR_PANIC_NOTIFICATION\n",
            "EVCXR_VARIABLE_CHANGED_TYPE:m\n",
            "\u{1e}TAPER other {\"request\":\"clear_output\",\"wait\":true}\n",
            "\u{1e}TAPER secret oops\n",
        ] {
            assert_eq!(parse(&[line.as_bytes(), b"x"]), [text(&format!("{line}x"))], "{line:?}");
        }
    }

    #[test]
    fn content_of_json_types_is_json() {
        let shown = |mime: &str, content: &str| {
            let stream = format!("EVCXR_BEGIN_CONTENT {mime}\n{content}\nEVCXR_END_CONTENT\n");
            parse(&[stream.as_bytes()]).remove(0)
        };
        let json = serde_json::json!({ "a": [1, 2] });
        for mime in ["application/json", "application/vnd.plotly.v1+json"] {
            assert_eq!(shown(mime, "{\"a\":\n[1, 2]}"), Event::Content(mime.into(), json.clone()));
        }
        assert_eq!(shown("text/plain", "[1]"), Event::Content("text/plain".into(), "[1]".into()));
        let error = "EOF while parsing a value at line 1 column 3";
        assert_eq!(
            shown("application/json", "[1,"),
            Event::Unreadable("application/json".into(), error.into())
        );
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced_and_the_rest_is_kept() {
        assert_eq!(parse(&[b"a\xffb\xc3", b"\xa9c"]), [text("a\u{fffd}b\u{e9}c")]);
    }
}
