//! Arrays of any rank, as matrices of which each shows its first and last rows and columns.

use super::Display;
use super::ends::Ends;
use super::grid::{Column, Grid, shortened, styled};
use super::numbers::aligned;
use std::convert::Infallible;

/// The most rows, and the most columns, that are shown of a matrix.
const EDGE: usize = 12;
/// The most matrices that are shown of an array with more than two dimensions.
const MATRICES: usize = 4;
/// The most decimals of a number.
const DECIMALS: usize = 4;

/// Shows an array. `matrix` is called with the index of a matrix, in all dimensions but the last two, and with the rows and columns
/// that are shown of it; it returns their texts. `caption` stands above them in HTML, and `last` is the last line of the text.
///
/// # Errors
/// When `matrix` fails.
pub fn display<E>(
    caption: &str,
    last: &str,
    shape: &[usize],
    mut matrix: impl FnMut(&[usize], &Ends, &Ends) -> Result<Vec<Vec<String>>, E>,
) -> Result<Display, E> {
    let (outer, rows, columns) = match *shape {
        [] => (&[][..], 1, 1),
        [columns] => (&[][..], 1, columns),
        [ref outer @ .., rows, columns] => (outer, rows, columns),
    };
    if shape.contains(&0) {
        return Ok(Display::html(&styled(caption, "")).alt(last));
    }
    let matrices = Ends::of(outer.iter().product(), MATRICES);
    let (rows, columns) = (Ends::of(rows, EDGE), Ends::of(columns, EDGE));
    let mut grids = Vec::new();
    for at in &matrices.shown {
        let index = index_of(*at, outer);
        let texts = matrix(&index, &rows, &columns)?;
        grids.push((index, texts));
    }
    // The numbers of all matrices are written in one way, so that they can be compared.
    let all: Vec<String> = grids.iter().flat_map(|(_, rows)| rows.iter().flatten().cloned()).collect();
    let mut all = aligned(all, DECIMALS).into_iter();
    let (mut html, mut text) = (String::new(), String::new());
    for (number, (index, texts)) in grids.into_iter().enumerate() {
        if matrices.gap == Some(number) {
            html += "<div>…</div>";
            text += "…\n";
        }
        if !index.is_empty() {
            let index: String = index.iter().map(|at| format!("{at}, ")).collect();
            html += &format!("<div class=\"lab-caption\">[{index}.., ..]</div>");
            text += &format!("[{index}.., ..]\n");
        }
        let texts = texts.iter().map(|row| row.iter().filter_map(|_| all.next()).collect());
        let grid = Grid {
            columns: vec![Column { is_number: true, ..Column::default() }; columns.shown.len()],
            rows: texts.collect(),
            labels: Vec::new(),
            row_gap: rows.gap,
            column_gap: columns.gap,
        };
        html += &grid.html();
        text += &(grid.text() + "\n");
    }
    Ok(Display::html(&styled(&shortened(caption), &html)).alt(&(text + last)))
}

/// Shows an array, as [`display`] does. `text` is called with the index of an element, and returns its text.
pub fn of_elements(caption: &str, last: &str, shape: &[usize], text: &dyn Fn(&[usize]) -> String) -> Display {
    let matrix = |outer: &[usize], rows: &Ends, columns: &Ends| {
        let row = |row: &usize| {
            let element = |column: &usize| match shape.len() {
                0 => text(&[]),
                1 => text(&[*column]),
                _ => text(&[outer, &[*row, *column]].concat()),
            };
            columns.shown.iter().map(element).collect()
        };
        Ok::<_, Infallible>(rows.shown.iter().map(row).collect())
    };
    let Ok(display) = display(caption, last, shape, matrix);
    display
}

/// The index in each dimension of what is at a place when all dimensions are run through, the last one fastest.
fn index_of(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|length| {
            let here = at % length;
            at /= length;
            here
        })
        .collect();
    index.reverse();
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of an array.
    fn text(shape: &[usize], value: impl Fn(&[usize]) -> String) -> String {
        of_elements("above", "caption", shape, &value).content("text/plain").unwrap().to_owned()
    }

    fn place(index: &[usize]) -> String {
        index.iter().map(usize::to_string).collect::<Vec<_>>().concat()
    }

    #[test]
    fn arrays_of_all_ranks_are_matrices() {
        assert_eq!(text(&[], |_| "7".into()), "7\ncaption");
        assert_eq!(text(&[3], place), "0  1  2\ncaption");
        assert_eq!(text(&[2, 2], place), "00  01\n10  11\ncaption");
        let expected = "[0, .., ..]\n000  001\n[1, .., ..]\n100  101\ncaption";
        assert_eq!(text(&[2, 1, 2], place), expected);
        let expected = "[0, 0, .., ..]\n0000\n[0, 1, .., ..]\n0100\n…\n[1, 1, .., ..]\n1100\n[1, 2, .., ..]\n1200\ncaption";
        assert_eq!(text(&[2, 3, 1, 1], place), expected);
        assert_eq!(text(&[0, 3], place), "caption");
        assert_eq!(text(&[3, 0], place), "caption");
    }

    #[test]
    fn of_large_arrays_the_edges_are_shown() {
        let shown = text(&[1000, 13], |index| format!("{}.0", index[0]));
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 14);
        assert_eq!(
            lines[5],
            "  5.0    5.0    5.0    5.0    5.0    5.0  …    5.0    5.0    5.0    5.0    5.0    5.0"
        );
        assert!(lines[6].split_whitespace().all(|text| text == "…"), "{}", lines[6]);
        assert!(lines[7].starts_with("994.0  994.0"), "{}", lines[7]);
    }

    #[test]
    fn numbers_of_all_matrices_have_the_same_decimals() {
        let value = |index: &[usize]| if index[0] == 0 { "0.125".into() } else { "NaN".into() };
        assert_eq!(text(&[2, 1, 1], value), "[0, .., ..]\n0.125\n[1, .., ..]\nNaN\ncaption");
        assert_eq!(text(&[2], |index| format!("{:?}", 1.0 + index[0] as f32)), "1.0  2.0\ncaption");
    }
}
