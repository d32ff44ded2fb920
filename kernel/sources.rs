//! Where compiled code comes from: leads from a place in the crate that evcxr made of a cell back to the cell that it
//! was written in.
//!
//! evcxr copies each statement and each item of a cell to a line of its own in its `src/lib.rs`, as it stands, with
//! generated code between them, and repeats the items of earlier cells. So they can be found there again.

use cell::annotated::Annotated;
use cell::cursor;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// A cell as its author knows it.
#[derive(Clone, Debug)]
pub struct Source {
    /// What to call it: its number in brackets.
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
}

/// A piece of a cell that is compiled as it stands.
#[derive(Clone)]
struct Piece {
    source: Arc<Source>,
    annotated: Arc<Annotated>,
    /// Its bytes in the annotated code.
    range: Range<usize>,
    is_item: bool,
}

impl Piece {
    fn text(&self) -> &str {
        &self.annotated.code[self.range.clone()]
    }

    fn is_of(&self, source: &Arc<Source>) -> bool {
        Arc::ptr_eq(&self.source, source)
    }

    /// Where it ends in the cell.
    fn end(&self) -> usize {
        self.annotated.original(self.range.end).min(self.source.code.len())
    }

    /// The byte of the cell at a line and column of this piece, both counted from 1.
    fn original(&self, line: usize, column: usize) -> usize {
        let position = self.range.start + byte(self.text(), line, column);
        self.annotated.original(position).min(self.source.code.len())
    }
}

/// Where the pieces of cells are in one compiled crate.
#[derive(Default)]
pub struct Compiled {
    /// With the line each starts in, and how far it is indented there; in order.
    pieces: Vec<(usize, usize, Piece)>,
    /// The line before the final expression of the cell, where generated code shows it.
    before_result: Option<(usize, Place)>,
}

impl Compiled {
    /// Looks for the pieces: the cell's own statements behind each other, all items anywhere.
    fn find(crate_code: &str, current: &[Piece], has_result: bool, earlier: &[Piece]) -> Self {
        let mut found = Vec::new();
        let body =
            crate_code.find("fn run_user_code_").or_else(|| crate_code.find("fn evcxr_analysis_wrapper"));
        let mut behind = body.unwrap_or(0);
        for piece in current {
            let from = if piece.is_item { 0 } else { behind };
            if let Some(start) = find_line(crate_code, piece.text(), from) {
                found.push((start, piece));
                behind = if piece.is_item { behind } else { start + piece.range.len() };
            }
        }
        for piece in earlier {
            // Of the same text in two cells the later one counts.
            if let Some(start) = find_line(crate_code, piece.text(), 0)
                && found.iter().all(|(other, _)| *other != start)
            {
                found.push((start, piece));
            }
        }
        found.sort_by_key(|(start, _)| *start);
        let (mut line, mut counted) = (1, 0);
        let pieces = found.into_iter().map(|(start, piece)| {
            line += crate_code[counted..start].matches('\n').count();
            counted = start;
            let line_start = crate_code[..start].rfind('\n').map_or(0, |newline| newline + 1);
            (line, start - line_start, piece.clone())
        });
        let pieces: Vec<_> = pieces.collect();
        let result = current.last().filter(|_| has_result);
        let before_result = result.and_then(|result| {
            let (line, ..) = pieces
                .iter()
                .find(|(.., piece)| piece.range == result.range && piece.is_of(&result.source))?;
            let source = Arc::clone(&result.source);
            Some((line - 1, Place { source, range: result.original(1, 1)..result.end() }))
        });
        Self { pieces, before_result }
    }

    /// As [`place`](Self::place); and for the generated code that shows the value of a final expression, that is the
    /// place of the expression.
    pub fn place_or_result(&self, start: (usize, usize), end: (usize, usize)) -> Option<Place> {
        let result = self.before_result.as_ref().filter(|(line, _)| *line == start.0);
        result.map(|(_, place)| place.clone()).or_else(|| self.place(start, end))
    }

    /// The place in a cell of a place in the crate, from one line and column to another, all counted from 1. There is
    /// none for generated code.
    pub fn place(&self, start: (usize, usize), end: (usize, usize)) -> Option<Place> {
        let index = self.pieces.partition_point(|(line, ..)| *line <= start.0).checked_sub(1)?;
        let (first, indent, piece) = &self.pieces[index];
        let lines = piece.text().matches('\n').count();
        if start.0 > first + lines || end.0 > first + lines + 1 {
            return None;
        }
        let original = |(line, column): (usize, usize)| match line - first {
            0 => piece.original(1, column.saturating_sub(*indent).max(1)),
            line => piece.original(line + 1, column),
        };
        let range = original(start)..original(end);
        let range = range.start..range.end.max(range.start);
        Some(Place { source: Arc::clone(&piece.source), range })
    }
}

/// Where `text` stands at the start of a line, but for spaces.
fn find_line(code: &str, text: &str, from: usize) -> Option<usize> {
    let starts_line = |start: &usize| {
        let before = code[..*start].trim_end_matches([' ', '\t']);
        before.is_empty() || before.ends_with('\n')
    };
    let mut found = memchr::memmem::find_iter(&code.as_bytes()[from..], text).map(|start| from + start);
    found.find(|start| !text.is_empty() && starts_line(start))
}

/// All that a session has compiled.
#[derive(Default)]
pub struct Sources {
    /// The pieces of the cell in progress.
    current: Vec<Piece>,
    /// Whether the last of them is the expression whose value is shown.
    has_result: bool,
    /// The items of earlier cells, the latest first.
    items: Vec<Piece>,
    /// By the file name of the library: evcxr numbers them.
    libraries: HashMap<String, Compiled>,
}

impl Sources {
    /// A cell is about to be compiled. `cut` has items of earlier cells that stand in it again in part: as they were, and as
    /// they are now, at the same length.
    pub fn begin(&mut self, source: Source, annotated: &Annotated, cut: &[(String, String)]) {
        let (source, annotated) = (Arc::new(source), Arc::new(annotated.clone()));
        let parsed = cell::parse(&annotated.code);
        self.has_result = parsed.result.is_some();
        for (before, after) in cut {
            let Some(piece) = self.items.iter().find(|piece| piece.text() == before) else { continue };
            let mut annotated = Annotated::clone(&piece.annotated);
            annotated.code.replace_range(piece.range.clone(), after);
            self.items.insert(0, Piece { annotated: Arc::new(annotated), ..piece.clone() });
        }
        let is_repeated = |piece: &cell::Piece| piece.is_item() && annotated.is_inserted(&piece.range);
        let pieces = parsed.pieces.into_iter().filter(|piece| !is_repeated(piece)).map(|piece| {
            let (source, annotated) = (Arc::clone(&source), Arc::clone(&annotated));
            Piece { source, annotated, is_item: piece.is_item(), range: piece.range }
        });
        self.current = pieces.collect();
    }

    /// The cell in progress has been accepted: its items are part of what is compiled from now on.
    pub fn accept(&mut self) {
        let is_replaced = |old: &Piece| self.current.iter().any(|new| new.text() == old.text());
        self.items.retain(|old| !is_replaced(old));
        self.items.splice(0..0, self.current.iter().filter(|piece| piece.is_item).cloned());
    }

    /// Whether a place is in the cell in progress.
    pub fn is_current(&self, place: &Place) -> bool {
        self.current.iter().any(|piece| piece.is_of(&place.source))
    }

    /// Finds the cells in a crate that has just been compiled or checked.
    pub fn compiled(&self, crate_code: &str) -> Compiled {
        Compiled::find(crate_code, &self.current, self.has_result, &self.items)
    }

    /// Remembers what a library was compiled from.
    pub fn loaded(&mut self, library: &str, compiled: Compiled) {
        self.libraries.insert(file_name(library).to_owned(), compiled);
    }

    /// Whether a library was compiled from cells.
    pub fn has(&self, library: &str) -> bool {
        self.libraries.contains_key(file_name(library))
    }

    /// The place in a cell of a line and column of the crate that a library was compiled from.
    pub fn place(&self, library: &str, line: u32, column: u32) -> Option<Place> {
        let start = (line as usize, column as usize);
        self.libraries.get(file_name(library))?.place_or_result(start, start)
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The byte at a line and column, both counted from 1, columns in characters.
fn byte(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let text = text[start..].lines().next().unwrap_or_default();
    start + cursor::byte_position(text, column - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(sources: &mut Sources, name: &str, code: &str) {
        sources.begin(
            Source { name: name.into(), code: code.into() },
            &Annotated::new(code, Vec::new()),
            &[],
        );
    }

    #[test]
    fn columns_are_characters_and_lines_count_from_one() {
        let cell = "let ü = 1;\nlet ß = ü;\n";
        assert_eq!(&cell[byte(cell, 2, 9)..byte(cell, 2, 10)], "ü");
        assert_eq!(byte(cell, 1, 1), 0);
        assert_eq!(byte(cell, 2, 99), cell.len() - 1);
        assert_eq!(byte(cell, 9, 1), cell.len());
    }

    #[test]
    fn places_lead_back_to_the_cells() {
        let mut sources = Sources::default();
        begin(&mut sources, "[1]", "fn f() {\n    g()\n}\nx");
        sources.accept();
        begin(&mut sources, "[2]", "  x; x;\nf()");
        let code = "struct x;\nfn f() {\n    g()\n}\nfn run_user_code_1(\nexit(\n  x; \nx;\n(\nf()\n).evcxr_display();\n";
        let compiled = sources.compiled(code);
        let at = |line, column| {
            let place = compiled.place((line, column), (line, column + 1))?;
            Some((place.source.name.clone(), place.line(), place.range))
        };
        assert_eq!(at(3, 5), Some(("[1]".into(), 2, 13..14)));
        assert_eq!(at(7, 3), Some(("[2]".into(), 1, 2..3)));
        assert_eq!(at(8, 1), Some(("[2]".into(), 1, 5..6)));
        assert_eq!(at(10, 2), Some(("[2]".into(), 2, 9..10)));
        assert_eq!((at(1, 1), at(5, 1), at(11, 1)), (None, None, None));
    }
}
