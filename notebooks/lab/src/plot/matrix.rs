//! Confusion matrices.

use super::svg::{self, FONT, escape};
use crate::{Result, display::Display};
use anyhow::ensure;
use std::fmt;

/// A confusion matrix: `counts[row][column]` is the number of examples of class `names[row]` that were predicted as
/// `names[column]`. `axes` says what rows and columns are, `title` what is counted, `data` the name of the data set. The more
/// frequent a mistake, the more orange; the correct predictions, on the diagonal, are framed but not coloured, since their
/// numbers would outshine the others.
///
/// # Errors
/// When there are no names, or not a row and a column for each.
pub fn matrix(
    title: &str,
    data: &str,
    axes: [&str; 2],
    names: &[impl fmt::Display],
    counts: &[impl AsRef<[usize]>],
) -> Result<Display> {
    let n = names.len();
    ensure!(n > 0, "no names for the matrix \"{title}\"");
    ensure!(counts.len() == n, "{} rows for the {n} names of \"{title}\"", counts.len());
    for (row, counts) in counts.iter().enumerate() {
        let columns = counts.as_ref().len();
        ensure!(columns == n, "row {row} of \"{title}\" has {columns} columns for {n} names");
    }
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let cells = || (0..n).flat_map(|row| (0..n).map(move |column| (row, column)));
    let count = |(row, column): (usize, usize)| counts[row].as_ref()[column];
    let mistakes = || cells().filter(|&(row, column)| row != column);
    let most = mistakes().map(count).max().unwrap_or(0);
    let sum =
        |cells: &mut dyn Iterator<Item = (usize, usize)>| cells.map(|cell| count(cell) as u128).sum::<u128>();
    let (right, all) = (sum(&mut (0..n).map(|at| (at, at))), sum(&mut cells()));

    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let left = 40 + 8 * longest;
    let digits = cells().map(count).max().unwrap_or(0).max(1).ilog10() as usize + 1;
    let cell = (8 * longest + 14).max(9 * digits + 10).max(46);
    let (width, height) = (left + n * cell + 2, TOP + n * ROW);
    let mut body =
        format!("<g font-family=\"{FONT}\" font-size=\"14\" fill=\"currentColor\" text-anchor=\"middle\">\n");
    let title = format!("{title} ({data})");
    body +=
        &format!("<text x=\"0\" y=\"18\" font-size=\"16\" text-anchor=\"start\">{}</text>\n", escape(&title));
    let middle = (left + n * cell / 2, TOP + n * ROW / 2);
    body += &format!("<text x=\"{}\" y=\"48\">{}</text>\n", middle.0, escape(axes[1]));
    let turned = format!("transform=\"translate(14,{}) rotate(-90)\"", middle.1);
    body += &format!("<text {turned}>{}</text>\n", escape(axes[0]));
    for (at, name) in names.iter().enumerate() {
        let (x, y) = (left + at * cell + cell / 2, TOP + at * ROW + 20);
        let name = escape(name);
        body += &format!("<text x=\"{x}\" y=\"{}\" font-weight=\"bold\">{name}</text>\n", TOP - 8);
        body += &format!(
            "<text x=\"{}\" y=\"{y}\" font-weight=\"bold\" text-anchor=\"end\">{name}</text>\n",
            left - 8
        );
    }
    for (row, column) in cells() {
        let count = count((row, column));
        let (x, y) = (left + column * cell, TOP + row * ROW);
        let style = match (row == column, count) {
            (true, _) => "fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.5\"".to_string(),
            (false, 0) => continue,
            // Up to an opacity at which the number is still readable on light and on dark pages.
            (false, _) => {
                format!("fill=\"#d55e00\" fill-opacity=\"{:.2}\"", 0.1 + 0.6 * count as f64 / most as f64)
            }
        };
        let (inner, lower) = (cell - 2, ROW - 2);
        let (middle, baseline) = (x + cell / 2, y + 20);
        body +=
            &format!("<rect x=\"{}\" y=\"{}\" width=\"{inner}\" height=\"{lower}\" {style}/>", x + 1, y + 1);
        body += &format!("<text x=\"{middle}\" y=\"{baseline}\">{count}</text>\n");
    }
    body += "</g>";

    let mut list: Vec<(usize, String)> = mistakes()
        .filter(|&place| count(place) > 0)
        .map(|(row, column)| {
            let count = count((row, column));
            (count, format!("{count} of {} taken for {}", names[row], names[column]))
        })
        .collect();
    list.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let list: Vec<String> = list.into_iter().map(|(_, text)| text).collect();
    let alt = format!("{title}: {right} of {all} right; {}", list.join("; "));
    let width = width.max(title.chars().count() * 9) as u32;
    Ok(svg::display(width, (width, height as u32), alt.trim_end_matches("; "), &body))
}

/// In CSS pixels: the height of a row, and that of what is above the first.
const ROW: usize = 30;
const TOP: usize = 84;
