//! Texts in rows and columns, as HTML and as plain text.

use super::Display;
use crate::plot::escape;
use std::borrow::Cow;

/// The most characters of a text; what is longer is cut.
const TEXT: usize = 50;
/// The most characters of a line of plain text, if columns can be left out for it.
const LINE: usize = 120;
const ELLIPSIS: &str = "…";

/// The style of tables. Colours are mixed from that of the text, so they suit light and dark pages.
const STYLE: &str = "<style>\
.lab-grid{border-collapse:collapse;margin:4px 0;font-size:13px;font-variant-numeric:tabular-nums;color:inherit}\
.lab-grid td,.lab-grid th{padding:3px 10px;border:0;text-align:right;white-space:pre;font-weight:normal;background:none}\
.lab-grid td.t,.lab-grid th.t{text-align:left}\
.lab-grid thead th{font-weight:bold;vertical-align:bottom;border-bottom:1px solid color-mix(in srgb,currentColor 45%,transparent)}\
.lab-grid thead small{font-weight:normal}\
.lab-grid small,.lab-grid tbody th,.lab-caption{opacity:.75}\
.lab-grid tbody tr:nth-child(even){background:color-mix(in srgb,currentColor 6%,transparent)}\
.lab-matrix{border:solid color-mix(in srgb,currentColor 60%,transparent);border-width:0 1px;border-radius:8px}\
.lab-caption{font-size:13px}\
</style>";

/// Texts in rows and columns.
#[derive(Default)]
pub struct Grid {
    /// The columns; none of them has a name if this is a matrix.
    pub columns: Vec<Column>,
    /// The texts, row by row.
    pub rows: Vec<Vec<String>>,
    /// What is in front of each row, such as its number, or nothing at all.
    pub labels: Vec<String>,
    /// How many rows are before those that are left out.
    pub row_gap: Option<usize>,
    /// How many columns are before those that are left out.
    pub column_gap: Option<usize>,
}

/// What all texts of a column have in common.
#[derive(Clone, Default)]
pub struct Column {
    /// The text above it.
    pub name: String,
    /// The type of its values.
    pub kind: String,
    /// Whether they are numbers, which are aligned to the right.
    pub is_number: bool,
}

impl Grid {
    /// The table with a line above it, in HTML and in text.
    pub fn display(&self, caption: &str) -> Display {
        Display::html(&styled(caption, &self.html())).alt(&format!("{caption}\n{}", self.text()))
    }

    /// As one `<table>`, which needs the style of [`styled`].
    pub fn html(&self) -> String {
        let is_matrix = self.is_matrix();
        let class = if is_matrix { "lab-grid lab-matrix" } else { "lab-grid" };
        let gap = "<td>…</td>";
        let mut html = format!("<table class=\"{class}\">");
        if !is_matrix {
            let heads = self.columns.iter().map(|column| {
                let kind = match column.kind.as_str() {
                    "" => String::new(),
                    kind => format!("<br><small>{}</small>", escape(kind)),
                };
                format!("<th scope=\"col\"{}>{}{kind}</th>", column.class(), escape(&shortened(&column.name)))
            });
            let label = if self.labels.is_empty() { "" } else { "<td></td>" };
            html += &format!("<thead><tr>{label}{}</tr></thead>", self.joined(heads, gap));
        }
        html += "<tbody>";
        for (at, row) in self.rows.iter().enumerate() {
            if self.row_gap == Some(at) {
                let label = if self.labels.is_empty() { "" } else { "<th>…</th>" };
                let cells = self.columns.iter().map(|column| format!("<td{}>…</td>", column.class()));
                html += &format!("<tr>{label}{}</tr>", self.joined(cells, gap));
            }
            let label = self.labels.get(at).map(|label| format!("<th scope=\"row\">{}</th>", escape(label)));
            let cells = row.iter().zip(&self.columns);
            let cells = cells
                .map(|(text, column)| format!("<td{}>{}</td>", column.class(), escape(&shortened(text))));
            html += &format!("<tr>{}{}</tr>", label.unwrap_or_default(), self.joined(cells, gap));
        }
        html + "</tbody></table>"
    }

    /// The pieces, with another one where columns are left out.
    fn joined(&self, pieces: impl Iterator<Item = String>, gap: &str) -> String {
        let mut joined = String::new();
        for (at, piece) in pieces.enumerate() {
            if self.column_gap == Some(at) {
                joined += gap;
            }
            joined += &piece;
        }
        joined
    }

    /// As lines of text whose columns are aligned.
    pub fn text(&self) -> String {
        let is_matrix = self.is_matrix();
        let mut columns: Vec<Vec<Cow<str>>> = Vec::new();
        let mut is_right = Vec::new();
        if !self.labels.is_empty() {
            let head: &[&str] = if is_matrix { &[] } else { &["", ""] };
            columns.push(self.column(head, self.labels.iter().map(|label| label.as_str().into())));
            is_right.push(true);
        }
        let fixed = columns.len();
        for (at, column) in self.columns.iter().enumerate() {
            let head: &[&str] = if is_matrix { &[] } else { &[&column.name, &column.kind] };
            columns.push(self.column(head, self.rows.iter().map(|row| shortened(&row[at]))));
            is_right.push(column.is_number);
        }
        let mut gap = self.column_gap.map(|gap| gap + fixed);
        let width =
            |column: &Vec<Cow<str>>| column.iter().map(|text| text.chars().count()).max().unwrap_or(0);
        let mut widths: Vec<usize> = columns.iter().map(width).collect();
        // Columns in the middle are left out until the lines are short enough.
        while widths.iter().map(|width| width + 2).sum::<usize>() > LINE && columns.len() > fixed + 2 {
            let before = gap.unwrap_or_else(|| fixed + (columns.len() - fixed).div_ceil(2));
            let out = if before - fixed > columns.len() - before { before - 1 } else { before };
            columns.remove(out);
            widths.remove(out);
            is_right.remove(out);
            gap = Some(if out < before { out } else { before });
        }
        let lines = columns.first().map_or(0, Vec::len);
        let line = |at: usize| {
            let mut line = String::new();
            for (number, column) in columns.iter().enumerate() {
                if gap == Some(number) {
                    line += ELLIPSIS;
                    line += "  ";
                }
                let (text, width) = (&column[at], widths[number]);
                line +=
                    &if is_right[number] { format!("{text:>width$}  ") } else { format!("{text:<width$}  ") };
            }
            line.trim_end().to_owned()
        };
        (0..lines).map(line).collect::<Vec<_>>().join("\n")
    }

    /// The lines of a column: what is above it, its texts, and an ellipsis where rows are left out.
    fn column<'a>(&self, head: &[&'a str], texts: impl Iterator<Item = Cow<'a, str>>) -> Vec<Cow<'a, str>> {
        let mut lines: Vec<Cow<'a, str>> = head.iter().map(|text| shortened(text)).collect();
        lines.extend(texts);
        if let Some(gap) = self.row_gap {
            lines.insert(head.len() + gap, ELLIPSIS.into());
        }
        lines
    }

    fn is_matrix(&self) -> bool {
        self.columns.iter().all(|column| column.name.is_empty())
    }
}

impl Column {
    fn class(&self) -> &'static str {
        if self.is_number { "" } else { " class=\"t\"" }
    }
}

/// The style that tables share, with a line of text and other HTML after it.
pub fn styled(caption: &str, html: &str) -> String {
    format!("{STYLE}<div class=\"lab-caption\">{}</div>{html}", escape(caption))
}

/// A text on one line, cut where it is long.
pub fn shortened(text: &str) -> Cow<'_, str> {
    if text.chars().nth(TEXT).is_none() && !text.contains(char::is_control) {
        return text.into();
    }
    let mut short = String::new();
    for character in text.chars().take(TEXT) {
        match character.is_control() {
            true => short.extend(character.escape_default()),
            false => short.push(character),
        }
    }
    if text.chars().nth(TEXT).is_some() {
        short += ELLIPSIS;
    }
    short.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: &str, is_number: bool) -> Column {
        Column { name: name.into(), kind: kind.into(), is_number }
    }

    fn table() -> Grid {
        Grid {
            columns: vec![column("name", "str", false), column("n", "i32", true)],
            rows: [["Ada", "7"], ["<b>", "-12"]].map(|row| row.map(str::to_owned).to_vec()).to_vec(),
            labels: vec!["0".into(), "99".into()],
            row_gap: Some(1),
            column_gap: None,
        }
    }

    #[test]
    fn numbers_are_right_and_words_left_under_names_and_types() {
        let expected = "    name    n\n    str   i32\n 0  Ada     7\n …  …       …\n99  <b>   -12";
        assert_eq!(table().text(), expected);
    }

    #[test]
    fn html_has_the_same_and_is_escaped() {
        let expected = "<table class=\"lab-grid\"><thead><tr><td></td>\
            <th scope=\"col\" class=\"t\">name<br><small>str</small></th>\
            <th scope=\"col\">n<br><small>i32</small></th></tr></thead><tbody>\
            <tr><th scope=\"row\">0</th><td class=\"t\">Ada</td><td>7</td></tr>\
            <tr><th>…</th><td class=\"t\">…</td><td>…</td></tr>\
            <tr><th scope=\"row\">99</th><td class=\"t\">&lt;b&gt;</td><td>-12</td></tr></tbody></table>";
        assert_eq!(table().html(), expected);
    }

    #[test]
    fn long_texts_are_cut_and_stay_on_their_line() {
        assert_eq!(shortened("two\nlines\t\u{1b}[31m"), "two\\nlines\\t\\u{1b}[31m");
        assert_eq!(shortened(&"é".repeat(50)), "é".repeat(50));
        assert_eq!(shortened(&"é".repeat(51)), "é".repeat(50) + "…");
    }

    #[test]
    fn columns_in_the_middle_are_left_out_of_long_lines() {
        let columns: Vec<Column> = (0..8).map(|at| column(&format!("column {at}"), "", true)).collect();
        let rows = vec![(0..8).map(|at| format!("{at:020}")).collect()];
        let text = Grid { columns, rows, ..Grid::default() }.text();
        let heads: Vec<&str> =
            text.lines().next().unwrap().split("  ").filter(|word| !word.is_empty()).collect();
        assert_eq!(
            heads.iter().map(|head| head.trim()).collect::<Vec<_>>(),
            ["column 0", "column 1", "column 2", "…", "column 6", "column 7"]
        );
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    }
}
