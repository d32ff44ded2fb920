//! Tables as text, for notebooks to print.
//!
//! ```
//! use lab::table::{text, thousands};
//!
//! let table = text(["layer", "parameters"], [["dense".to_string(), thousands(16_010)]]);
//! assert_eq!(table.lines().nth(3), Some("│ dense │     16,010 │"));
//! ```

/// A table with lines around its cells. All columns but the first are aligned to the right, so columns of numbers should come
/// last.
pub fn text<const N: usize>(headers: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = rows.into_iter().collect();
    let headers = headers.map(String::from);
    let width = |column: usize| {
        let cells = rows.iter().chain([&headers]).map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let rule = |left: &str, between: &str, right: &str, line: &str| {
        let lines = widths.map(|width| line.repeat(width + 2));
        format!("{left}{}{right}\n", lines.join(between))
    };
    let row = |cells: &[String; N], bar: &str| {
        let padded: [String; N] = std::array::from_fn(|column| match column {
            0 => format!(" {:<1$} ", cells[column], widths[column]),
            _ => format!(" {:>1$} ", cells[column], widths[column]),
        });
        format!("{bar}{}{bar}\n", padded.join(bar))
    };
    let body: Vec<String> = rows.iter().map(|cells| row(cells, "│")).collect();
    [
        rule("┏", "┳", "┓", "━"),
        row(&headers, "┃"),
        rule("┡", "╇", "┩", "━"),
        body.join(&rule("├", "┼", "┤", "─")),
        rule("└", "┴", "┘", "─"),
    ]
    .concat()
}

/// The number with commas between thousands: `34,826`.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    String::from_utf8_lossy(&groups.join(&b","[..])).into_owned()
}
