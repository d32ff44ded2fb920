//! Rows of any serializable type as a table.

use super::Display;
use super::cell::Cell;
use super::ends::Ends;
use super::grid::{Column, Grid};
use super::numbers::aligned;
use super::row::{self, Row};
use crate::table::thousands;
use serde::Serialize;
use std::collections::VecDeque;

/// The most rows that are shown.
const ROWS: usize = 20;
/// The most columns that are shown.
const COLUMNS: usize = 20;
/// The most decimals of a number.
const DECIMALS: usize = 6;

/// A table of structs, or of maps with texts as keys. `None` if there are none, or if the first or last ones are something else.
pub fn of_structs<T: Serialize>(rows: &[T]) -> Option<Display> {
    if rows.is_empty() || is_of_std(std::any::type_name::<T>()) {
        return None;
    }
    of_some(rows.len(), &|at| row::of_struct(&rows[at]))
}

/// Whether the standard library has this type. Its types, such as `Duration`, read better in their `Debug` form than as their parts.
fn is_of_std(type_name: &str) -> bool {
    ["core::", "alloc::", "std::"].iter().any(|start| type_name.starts_with(start))
}

/// A table of the rows at some places. `None` if one of these has none. What depends on the type of the rows is in `row`, because that is
/// compiled with each cell.
fn of_some(total: usize, row: &dyn Fn(usize) -> Option<Row>) -> Option<Display> {
    let ends = Ends::of(total, ROWS);
    let rows: Option<Vec<Row>> = ends.shown.iter().map(|at| row(*at)).collect();
    Some(display(rows?, &ends))
}

/// A table of a list of anything, as [`of_all`].
pub fn of_list<T: Serialize>(rows: &[T]) -> Display {
    let ends = Ends::of(rows.len(), ROWS);
    display(ends.shown.iter().map(|at| row::of_any(&rows[*at])).collect(), &ends)
}

/// A table of anything: the fields of structs and maps are columns, and so are the parts of tuples.
pub fn of_all<T: Serialize>(rows: impl IntoIterator<Item = T>) -> Display {
    let mut rows = rows.into_iter();
    let mut shown: Vec<T> = rows.by_ref().take(ROWS).collect();
    let (first, last) = (ROWS.div_ceil(2), ROWS / 2);
    let mut total = shown.len();
    let mut latest: VecDeque<T> = shown.split_off(first.min(total)).into();
    for row in rows {
        total += 1;
        latest.push_back(row);
        if latest.len() > last {
            latest.pop_front();
        }
    }
    let rows = shown.iter().chain(&latest).map(row::of_any);
    display(rows.collect(), &Ends::of(total, ROWS))
}

/// A table of columns with their names and types. `texts` returns those of a row, one for each column.
pub fn of_columns(
    columns: Vec<(String, String)>,
    rows: usize,
    texts: &dyn Fn(usize) -> Vec<String>,
) -> Display {
    let (rows, shown) = (Ends::of(rows, ROWS), Ends::of(columns.len(), COLUMNS));
    let all: Vec<Vec<String>> = rows.shown.iter().map(|row| texts(*row)).collect();
    let mut grid = Grid {
        columns: Vec::new(),
        rows: vec![Vec::new(); all.len()],
        labels: Vec::new(),
        row_gap: rows.gap,
        column_gap: shown.gap,
    };
    for at in &shown.shown {
        let (name, kind) = columns[*at].clone();
        // `i32`, `u8`, `f64`
        let is_number = kind.starts_with(['i', 'u', 'f']) && kind[1..].parse::<u8>().is_ok();
        let texts = all.iter().map(|row| row.get(*at).cloned().unwrap_or_default()).collect();
        let texts = if is_number { aligned(texts, DECIMALS) } else { texts };
        grid.columns.push(Column { name, kind, is_number });
        grid.rows.iter_mut().zip(texts).for_each(|(row, text)| row.push(text));
    }
    grid.display(&shape(rows.total, columns.len()))
}

/// The table of the rows at these places.
fn display(rows: Vec<Row>, ends: &Ends) -> Display {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in rows.iter().flatten() {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let shown = Ends::of(names.len(), COLUMNS);
    let mut grid = Grid {
        columns: Vec::new(),
        rows: rows.iter().map(|_| Vec::new()).collect(),
        labels: ends.shown.iter().map(usize::to_string).collect(),
        row_gap: ends.gap,
        column_gap: shown.gap,
    };
    let empty = Cell::default();
    for name in shown.shown.iter().map(|at| &names[*at]) {
        let cell = |row: &'_ Row| row.iter().position(|(other, _)| other == name);
        let cells: Vec<&Cell> = rows.iter().map(|row| cell(row).map_or(&empty, |at| &row[at].1)).collect();
        grid.columns.push(column(name, &cells));
        let mut texts: Vec<String> = cells.iter().map(|cell| cell.text.clone()).collect();
        if grid.columns.last().is_some_and(|column| column.is_number) {
            texts = aligned(texts, DECIMALS);
        }
        grid.rows.iter_mut().zip(texts).for_each(|(row, text)| row.push(text));
    }
    grid.display(&shape(ends.total, names.len()))
}

/// `1,000 rows x 4 columns`
fn shape(rows: usize, columns: usize) -> String {
    let counted = |count: usize, what: &str| {
        format!("{} {what}{}", thousands(count), if count == 1 { "" } else { "s" })
    };
    format!("{} x {}", counted(rows, "row"), counted(columns, "column"))
}

fn column(name: &str, cells: &[&Cell]) -> Column {
    let mut kinds: Vec<&str> =
        cells.iter().map(|cell| cell.kind.as_str()).filter(|kind| !kind.is_empty()).collect();
    kinds.dedup();
    let kind = match kinds[..] {
        [kind] if cells.iter().any(|cell| cell.is_optional) => format!("Option<{kind}>"),
        [] if cells.iter().any(|cell| cell.is_optional) => "Option".into(),
        [kind] => kind.into(),
        _ => String::new(),
    };
    let is_number = !kinds.is_empty() && cells.iter().all(|cell| cell.is_number || cell.kind.is_empty());
    Column { name: name.into(), kind, is_number }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    // It has no `Debug` form.
    #[derive(Clone, Serialize)]
    struct Run {
        name: String,
        epochs: u32,
        accuracy: Option<f64>,
    }

    fn runs(count: u32) -> Vec<Run> {
        let run = |epochs| Run {
            name: format!("run {epochs}"),
            epochs,
            accuracy: (epochs > 0).then(|| 0.5 + f64::from(epochs) / 1000.0),
        };
        (0..count).map(run).collect()
    }

    fn text(display: &Display) -> Vec<&str> {
        display.content("text/plain").unwrap().lines().collect()
    }

    #[test]
    fn structs_are_rows_under_names_and_types() {
        let display = of_structs(&runs(2)).unwrap();
        let expected = [
            "2 rows x 3 columns",
            "   name   epochs     accuracy",
            "   str       u32  Option<f64>",
            "0  run 0       0         None",
            "1  run 1       1        0.501",
        ];
        assert_eq!(text(&display), expected);
        let html = display.content("text/html").unwrap();
        assert!(html.contains("<div class=\"lab-caption\">2 rows x 3 columns</div><table"), "{html}");
        assert!(html.contains("<th scope=\"col\">epochs<br><small>u32</small></th>"), "{html}");
        assert!(html.contains("<small>Option&lt;f64&gt;</small>"), "{html}");
    }

    #[test]
    fn of_many_rows_the_first_and_last_are_shown() {
        let shown = |display: &Display| {
            let lines: Vec<&str> = text(display)[3..]
                .iter()
                .map(|line| line.split(' ').find(|word| !word.is_empty()).unwrap())
                .collect();
            lines.join(" ")
        };
        let expected = "0 1 2 3 4 5 6 7 8 9 … 1224 1225 1226 1227 1228 1229 1230 1231 1232 1233";
        let all = runs(1234);
        let (by_slice, by_iterator) = (of_structs(&all).unwrap(), of_all(&all));
        assert_eq!(text(&by_slice)[0], "1,234 rows x 3 columns");
        assert_eq!(shown(&by_slice), expected);
        assert_eq!(text(&by_slice), text(&by_iterator));
        assert_eq!(text(&by_slice)[14].split_whitespace().last(), Some("1.724"));
        assert_eq!(text(&of_all(runs(20))).len(), 23);
        assert_eq!(text(&of_all(runs(21))).len(), 24);
    }

    #[test]
    fn what_is_no_list_of_structs_is_left_to_its_debug_form() {
        assert!(of_structs::<Run>(&[]).is_none());
        assert!(of_structs(&[1, 2]).is_none());
        assert!(of_structs(&["a"]).is_none());
        assert!(of_structs(&[(1, 2)]).is_none());
        assert!(of_structs(&[Duration::from_secs(1)]).is_none());
        assert!(of_structs(&[Some(runs(1).remove(0))]).is_none());
        assert!(of_structs(&[json!({ "a": 1 }), json!(1)]).is_none());
    }

    #[test]
    fn anything_can_be_made_a_table() {
        assert_eq!(
            text(&of_all([1.5, 2.0])),
            ["2 rows x 1 column", "   value", "     f64", "0    1.5", "1    2.0"]
        );
        assert_eq!(
            text(&of_all([json!({ "a": 1 }), json!({ "b": "x" })])).join("|"),
            "2 rows x 2 columns|     a  b|   u64  str|0    1|1       x"
        );
        let pairs = of_all([("a", 1), ("b", 2)]);
        assert_eq!(
            text(&pairs).join("|"),
            "2 rows x 2 columns|   0      1|   str  i32|0  a      1|1  b      2"
        );
        assert_eq!(text(&of_all(Vec::<u8>::new())), ["0 rows x 0 columns"]);
    }

    #[test]
    fn columns_with_types_and_a_function_are_a_table() {
        let columns = [("name", "str"), ("n", "i64"), ("x", "f64")]
            .map(|(name, kind)| (name.to_owned(), kind.to_owned()));
        let texts = |row: usize| {
            vec![format!("<{row}>"), row.to_string(), if row == 1 { "null".into() } else { "0.5".into() }]
        };
        let frame = of_columns(columns.to_vec(), 30, &texts);
        let lines = text(&frame);
        let start = [
            "30 rows x 3 columns",
            "name    n     x",
            "str   i64   f64",
            "<0>     0   0.5",
            "<1>     1  null",
        ];
        assert_eq!((&lines[..5], lines[13], lines[23]), (&start[..], "…       …     …", "<29>   29   0.5"));
        assert!(
            frame
                .content("text/html")
                .unwrap()
                .contains("<tr><td class=\"t\">&lt;29&gt;</td><td>29</td><td>0.5</td></tr>")
        );
    }

    #[test]
    fn of_many_columns_the_first_and_last_are_shown() {
        let row: serde_json::Map<_, _> = (0..50).map(|at| (format!("c{at:02}"), at.into())).collect();
        let display = of_structs(&[row]).unwrap();
        let html = display.content("text/html").unwrap();
        assert_eq!(html.matches("scope=\"col\"").count(), 20);
        assert!(html.contains("c09<br><small>u64</small></th><td>…</td><th scope=\"col\">c40"), "{html}");
        assert_eq!(text(&display)[0], "1 row x 50 columns");
    }
}
