//! Cells with texts inserted, and the way back: what is said of the result is about the cell.

use std::ops::Range;

/// A cell with what evcxr needs besides: types of variables, names of `impl` blocks, imports.
#[derive(Clone, Debug, Default)]
pub struct Annotated {
    pub code: String,
    /// Where in the original something was inserted, and how many bytes; in order.
    insertions: Vec<(usize, usize)>,
}

impl Annotated {
    /// A cell with texts inserted, each in front of a byte of the cell; those for the same place in the order given.
    pub fn new(cell: &str, mut texts: Vec<(usize, String)>) -> Self {
        texts.sort_by_key(|(place, _)| *place);
        let mut annotated = Self { code: String::new(), insertions: Vec::new() };
        let mut done = 0;
        for (place, text) in texts {
            annotated.code.push_str(&cell[done..place]);
            annotated.code.push_str(&text);
            annotated.insertions.push((place, text.len()));
            done = place;
        }
        annotated.code.push_str(&cell[done..]);
        annotated
    }

    /// Whether a piece of the annotated code was inserted as a whole.
    pub fn is_inserted(&self, range: &Range<usize>) -> bool {
        let mut inserted = 0;
        self.insertions.iter().any(|(place, length)| {
            let start = place + inserted;
            inserted += length;
            start <= range.start && range.end <= start + length
        })
    }

    /// The place in the original of a place in the annotated code. What was inserted is where it was inserted.
    pub fn original(&self, position: usize) -> usize {
        let mut inserted = 0;
        for (place, length) in &self.insertions {
            if position <= place + inserted {
                break;
            }
            if position < place + inserted + length {
                return *place;
            }
            inserted += length;
        }
        position - inserted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_annotated_code_lead_back_to_the_cell() {
        let annotated = Annotated::new("let a = 1; a + b", vec![(10, " let a: i32 = a;".into())]);
        assert_eq!(annotated.code, "let a = 1; let a: i32 = a; a + b");
        assert!(annotated.is_inserted(&(11..26)) && !annotated.is_inserted(&(9..26)));
        let place = |text: &str| annotated.original(annotated.code.find(text).unwrap());
        assert_eq!((place("let a = 1"), place("i32"), place("a + b")), (0, 10, 11));
        assert_eq!(annotated.original(annotated.code.len()), "let a = 1; a + b".len());
    }

    #[test]
    fn texts_stand_before_their_places_in_the_order_given() {
        for (cell, texts, code) in [
            ("", &[][..], ""),
            ("", &[(0, "a")], "a"),
            ("xy", &[(0, "a"), (2, "c"), (1, "b")], "axbyc"),
            ("xy", &[(1, "b"), (0, "a"), (1, "c")], "axbcy"),
            ("ü\r\n日", &[(2, "a"), (4, "b")], "üa\r\nb日"),
        ] {
            let texts = texts.iter().map(|(place, text)| (*place, text.to_string())).collect();
            assert_eq!(Annotated::new(cell, texts).code, code);
        }
    }

    #[test]
    fn every_place_of_the_cell_is_found_again_and_no_other() {
        let cell = "let ü = 1;\r\nü + 1";
        let texts = [(0, "//"), (11, " let ü: i32 = ü;"), (11, " x"), (13, "show!("), (cell.len(), ")")];
        let annotated = Annotated::new(cell, texts.map(|(place, text)| (place, text.to_owned())).into());
        // A piece that was not inserted is one character of the cell, and they come in the cell's order.
        let characters = annotated.code.char_indices().map(|(at, c)| (at..at + c.len_utf8(), c));
        let own = characters.filter(|(range, _)| !annotated.is_inserted(range));
        let own: Vec<_> = own.map(|(range, c)| (annotated.original(range.start), c)).collect();
        assert_eq!(own, cell.char_indices().collect::<Vec<_>>());
        for (text, place) in [("//", 0), ("let ü: i32", 11), (" x", 11), ("show!", 13)] {
            let start = annotated.code.find(text).unwrap();
            assert!(annotated.is_inserted(&(start..start + text.len())), "{text}");
            assert_eq!(annotated.original(start + 1), place, "{text}");
        }
    }
}
