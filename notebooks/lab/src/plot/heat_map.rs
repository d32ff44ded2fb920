//! Matrices whose rows and columns have names.

use super::colormap::Colormap;
use super::maps::{Maps, number, scale};
use super::sheet;
use super::svg::{self, FONT, escape};
use crate::{Result, display::Display};
use anyhow::{bail, ensure};
use candle_core::Tensor;
use std::fmt;

/// The matrix `values` `[rows, columns]` with a name before each row and over each column: how much each word looks at each
/// other, how similar things are, …. Its scale, below, is that of [`maps`](super::maps). `axes` says what rows and columns are,
/// `title` what the values are, `data` the name of the data set.
///
/// # Errors
/// When the tensor has another shape or no values, a value is not finite, or the numbers of names are not those of rows and columns.
pub fn heat_map(
    title: &str,
    data: &str,
    axes: [&str; 2],
    names: [&[impl fmt::Display]; 2],
    values: &Tensor,
) -> Result<Display> {
    let &[rows, columns] = values.dims() else {
        bail!("\"{title}\" shows a matrix [rows, columns], not a tensor {:?}", values.dims());
    };
    ensure!(rows * columns > 0, "\"{title}\": no values in a tensor [{rows}, {columns}]");
    let matrix = Maps::new(title, &values.unsqueeze(0)?)?;
    for (names, n, what) in [(names[0].len(), rows, "rows"), (names[1].len(), columns, "columns")] {
        ensure!(names == n, "{names} names for the {n} {what} of \"{title}\"");
    }
    let names = names.map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>());
    let colormap = Colormap::of(&matrix.values);
    let indices = matrix.values.iter().map(|&value| colormap.index(value)).collect();
    let png = colormap.png((columns as u32, rows as u32, indices))?;

    let title = format!("{title} ({data})");
    let longest = |names: &[String]| names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let (left, top) = (40 + 8 * longest(&names[0]), 60 + 8 * longest(&names[1]));
    let (across, down) = (columns * CELL, rows * CELL);
    let mut body =
        format!("<g font-family=\"{FONT}\" font-size=\"13\" fill=\"currentColor\" text-anchor=\"end\">\n");
    body +=
        &format!("<text x=\"0\" y=\"18\" font-size=\"16\" text-anchor=\"start\">{}</text>\n", escape(&title));
    body += &format!(
        "<text x=\"{}\" y=\"42\" text-anchor=\"middle\">{}</text>\n",
        left + across / 2,
        escape(axes[1])
    );
    let turned = format!("transform=\"translate(14,{}) rotate(-90)\"", top + down / 2);
    body += &format!("<text {turned} text-anchor=\"middle\">{}</text>\n", escape(axes[0]));
    for (at, name) in names[0].iter().enumerate() {
        let y = top + at * CELL + CELL - 5;
        body += &format!("<text x=\"{}\" y=\"{y}\">{}</text>\n", left - 6, escape(name));
    }
    for (at, name) in names[1].iter().enumerate() {
        let x = left + at * CELL + CELL - 5;
        let turned = format!("transform=\"translate({x},{}) rotate(-90)\"", top - 6);
        body += &format!("<text {turned} text-anchor=\"start\">{}</text>\n", escape(name));
    }
    body += "</g>\n";
    body += &sheet::element((left, top), (across, down), &png);
    body += &format!(
        "<rect x=\"{left}\" y=\"{top}\" width=\"{across}\" height=\"{down}\" fill=\"none\" stroke=\"currentColor\" \
         stroke-opacity=\"0.4\"/>\n"
    );
    body += &format!("<g transform=\"translate(0,{})\">{}</g>", top + down + 8, scale(colormap)?);

    let mut largest: Vec<usize> = (0..matrix.values.len()).collect();
    largest.sort_by(|&one, &other| matrix.values[other].total_cmp(&matrix.values[one]));
    let largest = largest.into_iter().take(10).map(|at| {
        format!("{} at {} and {}", number(matrix.values[at]), names[0][at / columns], names[1][at % columns])
    });
    let alt = format!(
        "{title}, {} over {}; the largest: {}",
        axes[0],
        axes[1],
        largest.collect::<Vec<_>>().join("; ")
    );
    let width = (left + across + 2).max(title.chars().count() * 9).max(300);
    Ok(svg::display(width as u32, (width as u32, (top + down + 8 + 30) as u32), &alt, &body))
}

/// The rows, and the columns, of a cell, in CSS pixels.
const CELL: usize = 20;
