//! Code that is assembled from pieces of cells and generated text, with a source map from its bytes back to the cells.

use std::ops::Range;
use std::sync::Arc;

/// The source of a cell.
#[derive(Debug)]
pub struct Source {
    /// The name of the cell in messages: its number in brackets.
    pub name: String,
    pub code: String,
}

/// A place in a cell.
#[derive(Clone, Debug)]
pub struct Place {
    pub source: Arc<Source>,
    /// Bytes of the cell's code.
    pub range: Range<usize>,
}

impl Place {
    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.source.code[..self.range.start].matches('\n').count() + 1
    }

    /// Whether it is in this cell, and not just in one with the same text.
    pub fn is_of(&self, source: &Arc<Source>) -> bool {
        Arc::ptr_eq(&self.source, source)
    }
}

/// The purpose of a piece of generated code.
#[derive(Clone, Debug, PartialEq)]
pub enum Role {
    /// Shows the value of the final expression.
    Result,
    /// Keeps the new variable of this name for later cells.
    Keep(String),
    /// Keeps the new variable of this name at a `return` that ends at this byte of the cell.
    KeepAtReturn(String, usize),
    /// Gives back the variable of this name, which belongs to an earlier cell.
    Restore(String),
    /// Starts tokio's runtime.
    Runtime,
    /// Ends the cell.
    End,
}

#[derive(Clone, Debug)]
enum Origin {
    /// Copied from a cell, where it starts at this byte.
    Copy(Arc<Source>, usize),
    /// Generated, with the place in a cell that explains it best, if there is one.
    Generated(Role, Option<Place>),
}

#[derive(Clone, Debug)]
struct Segment {
    start: usize,
    length: usize,
    origin: Origin,
}

impl Segment {
    fn end(&self) -> usize {
        self.start + self.length
    }
}

/// Code with the origin of each of its parts.
#[derive(Clone, Debug, Default)]
pub struct Code {
    text: String,
    /// In order and without overlaps. Text between segments was generated and has no role.
    segments: Vec<Segment>,
}

impl Code {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Appends generated text.
    pub fn generate(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends generated text in which the compiler may find errors. `place` is the place in a cell to which such an error
    /// refers.
    pub fn generate_for(&mut self, role: Role, place: Option<Place>, text: &str) -> &mut Self {
        self.push(text, Origin::Generated(role, place))
    }

    /// Appends a piece of a cell unchanged.
    pub fn copy(&mut self, source: &Arc<Source>, range: Range<usize>) -> &mut Self {
        let start = range.start;
        self.push(&source.code[range], Origin::Copy(Arc::clone(source), start))
    }

    /// Appends other code, with the origins of its parts.
    pub fn append(&mut self, other: &Self) -> &mut Self {
        let offset = self.text.len();
        self.text.push_str(&other.text);
        let moved = |segment: &Segment| Segment { start: segment.start + offset, ..segment.clone() };
        self.segments.extend(other.segments.iter().map(moved));
        self
    }

    fn push(&mut self, text: &str, origin: Origin) -> &mut Self {
        if !text.is_empty() {
            self.segments.push(Segment { start: self.text.len(), length: text.len(), origin });
            self.text.push_str(text);
        }
        self
    }

    /// The segment that contains the start of a range. For an empty range, it may also be the segment that ends there.
    fn segment(&self, range: &Range<usize>) -> Option<&Segment> {
        let index = self.segments.partition_point(|segment| segment.start <= range.start).checked_sub(1)?;
        let segment = &self.segments[index];
        let is_inside = range.start < segment.end() || (range.is_empty() && range.start == segment.end());
        is_inside.then_some(segment)
    }

    /// The place in a cell from which these bytes were copied, or `None` if they start in generated code. A range that starts
    /// in a piece of a cell and ends in generated code is cut off at the end of the piece.
    pub fn place(&self, range: Range<usize>) -> Option<Place> {
        let segment = self.segment(&range)?;
        let Origin::Copy(source, position) = &segment.origin else { return None };
        let original = |byte: usize| position + byte.min(segment.end()) - segment.start;
        let start = original(range.start);
        // If something was inserted into a cell, the end may be in a later piece of the same cell.
        let last =
            self.segment(&(range.end.saturating_sub(1)..range.end)).filter(|_| range.end > range.start);
        let end = match last.map(|last| (&last.origin, last)) {
            Some((Origin::Copy(other, position), last)) if Arc::ptr_eq(other, source) => {
                position + range.end - last.start
            }
            _ => original(range.end),
        };
        let end = floor(&source.code, end.min(source.code.len()));
        let start = floor(&source.code, start);
        Some(Place { source: Arc::clone(source), range: start..end.max(start) })
    }

    /// The role of the generated code at these bytes, and the place in a cell to which an error in it refers.
    pub fn role(&self, range: Range<usize>) -> Option<(&Role, Option<&Place>)> {
        match &self.segment(&range)?.origin {
            Origin::Generated(role, place) => Some((role, place.as_ref())),
            Origin::Copy(..) => None,
        }
    }

    /// The source map by line and column, without the text.
    pub fn lines(&self) -> Lines {
        let (mut line, mut line_start, mut counted) = (1, 0, 0);
        let starts = self.segments.iter().filter_map(|segment| {
            let before = &self.text[counted..segment.start];
            line += before.matches('\n').count();
            line_start = before.rfind('\n').map_or(line_start, |newline| counted + newline + 1);
            counted = segment.start;
            let column = self.text[line_start..segment.start].chars().count() + 1;
            let place = match &segment.origin {
                Origin::Copy(source, start) => {
                    Place { source: Arc::clone(source), range: *start..start + segment.length }
                }
                Origin::Generated(Role::Result, Some(place)) => place.clone(),
                Origin::Generated(..) => return None,
            };
            let is_copy = matches!(segment.origin, Origin::Copy(..));
            Some(Start { line, column, place, is_copy })
        });
        Lines { starts: starts.collect() }
    }
}

/// The last character boundary at or before a byte.
fn floor(text: &str, byte: usize) -> usize {
    (0..=byte).rev().find(|byte| text.is_char_boundary(*byte)).unwrap_or(0)
}

/// A source map from lines and columns of code to places in cells.
#[derive(Debug, Default)]
pub struct Lines {
    starts: Vec<Start>,
}

#[derive(Debug)]
struct Start {
    line: usize,
    /// In characters, counted from 1.
    column: usize,
    place: Place,
    /// Whether the text was copied from the place, rather than generated for it.
    is_copy: bool,
}

impl Lines {
    /// The place in a cell that a line and a column come from. Both count from 1, and columns count characters. Generated
    /// code has no place, except that the code that shows the result has the place of the final expression.
    pub fn place(&self, line: usize, column: usize) -> Option<Place> {
        let after = self.starts.partition_point(|start| (start.line, start.column) <= (line, column));
        let start = &self.starts[after.checked_sub(1)?];
        if !start.is_copy {
            return (start.line == line).then(|| start.place.clone());
        }
        let Place { source, range } = &start.place;
        let text = &source.code[range.clone()];
        let (skipped, column) = match line - start.line {
            0 => (0, column - start.column),
            lines => (text.match_indices('\n').nth(lines - 1)?.0 + 1, column - 1),
        };
        let rest = text[skipped..].split('\n').next()?;
        let byte = rest.char_indices().map(|(byte, _)| byte).chain([rest.len()]).nth(column)?;
        let position = range.start + skipped + byte;
        (position < range.end).then(|| Place { source: Arc::clone(source), range: position..position })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, code: &str) -> Arc<Source> {
        Arc::new(Source { name: name.into(), code: code.into() })
    }

    #[test]
    fn places_lead_back_to_the_cells_and_generated_code_has_none() {
        let (one, two) = (source("[1]", "fn ü() {\n    g()\n}"), source("[2]", "let a = ü();\na + b"));
        let mut code = Code::new();
        code.generate("#![allow(dead_code)]\n").copy(&one, 0..one.code.len()).generate("\nfn run() { ");
        code.copy(&two, 0..13).generate(" show!(");
        let place = Place { source: Arc::clone(&two), range: 14..19 };
        code.generate_for(Role::Result, Some(place), "display(");
        code.copy(&two, 14..19).generate(")) }");
        let at = |text: &str| {
            let start = code.text().find(text).unwrap();
            code.place(start..start + text.len()).map(|place| (place.source.name.clone(), place.range))
        };
        assert_eq!(at("g()"), Some(("[1]".into(), 14..17)));
        assert_eq!(at("ü();"), Some(("[2]".into(), 8..13)));
        assert_eq!(at("a + b"), Some(("[2]".into(), 14..19)));
        assert_eq!(at("b))"), Some(("[2]".into(), 18..19)), "it is cut off at the end of the piece");
        assert_eq!((at("allow"), at("run"), at("show")), (None, None, None));
        let display = code.text().find("display").unwrap();
        assert_eq!(code.role(display..display + 1).map(|(role, _)| role), Some(&Role::Result));

        let lines = code.lines();
        let at = |line, column| {
            lines
                .place(line, column)
                .map(|place| (place.source.name.clone(), place.line(), place.range.start))
        };
        assert_eq!(at(3, 5), Some(("[1]".into(), 2, 14)));
        assert_eq!(at(2, 4), Some(("[1]".into(), 1, 3)), "columns are characters");
        assert_eq!(at(5, 20), Some(("[2]".into(), 1, 8)));
        let (shown, column) = (5, code.text().lines().nth(4).unwrap().find("display").unwrap());
        assert_eq!(at(shown, column), Some(("[2]".into(), 2, 14)));
        assert_eq!((at(1, 4), at(5, 1), at(9, 1)), (None, None, None));
    }

    #[test]
    fn a_span_may_lie_across_an_insertion() {
        let cell = source("[1]", "return; x");
        let mut code = Code::new();
        code.copy(&cell, 0..6).generate(" Ok(())").copy(&cell, 6..9);
        assert_eq!(code.text(), "return Ok(()); x");
        assert_eq!(code.place(0..14).unwrap().range, 0..7);
        assert_eq!(code.place(6..13).map(|place| place.range), None);
        assert_eq!(code.place(6..6).unwrap().range, 6..6);
    }
}
