use super::svg::{self, FONT, escape};
use crate::{Result, data::Split, display::Display};
use anyhow::ensure;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

/// The images of `split` at `indices`, each over its label.
///
/// # Errors
/// When there is no index, or more than 1,000, or one beyond the end.
pub fn digits(split: &Split, indices: impl IntoIterator<Item = usize>) -> Result<Display> {
    grid(split, &indices.into_iter().collect::<Vec<_>>(), None)
}

/// The images of `split` at `indices`, each over what was predicted for it; a wrong prediction is framed, and the
/// right label added. `predicted` has a digit for each image of the split, shown or not.
///
/// # Errors
/// As [`digits`], and when the number of predictions is not the number of images.
pub fn predictions(
    split: &Split,
    indices: impl IntoIterator<Item = usize>,
    predicted: &[u32],
) -> Result<Display> {
    let (given, images) = (predicted.len(), split.len());
    ensure!(given == images, "{given} predictions for the {images} images of {}", split.name());
    grid(split, &indices.into_iter().collect::<Vec<_>>(), Some(predicted))
}

const COLUMNS: usize = 10;
const MAX: usize = 1_000;
/// Width and height of a cell, in pixels of a digit: the image, and below it room for the label.
const CELL: (usize, usize) = (32, 40);
/// CSS pixels for each pixel of a digit.
const ZOOM: usize = 2;
/// Height of the title in CSS pixels.
const TITLE: usize = 30;

fn grid(split: &Split, indices: &[usize], predicted: Option<&[u32]>) -> Result<Display> {
    let (name, shown) = (split.name(), indices.len());
    ensure!(shown > 0, "no digits of {name} to show");
    ensure!(shown <= MAX, "{shown} digits to show, but at most {MAX} fit into a picture");
    if let Some(index) = indices.iter().find(|&&index| index >= split.len()) {
        anyhow::bail!("no image {index} in {name}, which has {}", split.len());
    }
    let labels: Vec<Label> = indices.iter().map(|&index| Label::new(split, index, predicted)).collect();
    let title = match predicted {
        None => name.to_string(),
        Some(_) => format!("{name}: {} of {shown} wrong", labels.iter().filter(|label| label.wrong).count()),
    };

    let columns = COLUMNS.min(shown);
    let size = (columns * CELL.0, shown.div_ceil(columns) * CELL.1);
    let (width, height) = (size.0 * ZOOM, size.1 * ZOOM);
    let mut body = format!(
        "<text x=\"0\" y=\"18\" font-family=\"{FONT}\" font-size=\"16\" fill=\"currentColor\">{}</text>\n\
         <image y=\"{TITLE}\" width=\"{width}\" height=\"{height}\" style=\"image-rendering:pixelated\" \
         href=\"data:image/png;base64,{}\"/>\n\
         <g font-family=\"{FONT}\" font-size=\"13\" fill=\"currentColor\" text-anchor=\"middle\">\n",
        escape(&title),
        BASE64.encode(png(split, indices, columns, size)?)
    );
    for (at, label) in labels.iter().enumerate() {
        let (x, y) = (at % columns * CELL.0 * ZOOM, TITLE + at / columns * CELL.1 * ZOOM);
        let side = Split::SIDE * ZOOM;
        let (middle, baseline) = (x + side / 2, y + side + 15);
        if label.wrong {
            body += &format!(
                "<rect x=\"{x}\" y=\"{y}\" width=\"{side}\" height=\"{side}\" fill=\"none\" stroke=\"#d55e00\" \
                 stroke-width=\"3\"/>\n"
            );
        }
        let weight = if label.wrong { " font-weight=\"bold\"" } else { "" };
        body += &format!("<text x=\"{middle}\" y=\"{baseline}\"{weight}>{}</text>\n", label.text);
    }
    body += "</g>";

    let list: Vec<&str> = labels.iter().map(|label| label.text.as_str()).collect();
    let alt = format!("{title}: {}", list.join("; "));
    // A short row leaves the title more room than its digits need.
    let width = width.max(title.chars().count() * 9) as u32;
    Ok(svg::display(width, (width, (TITLE + height) as u32), &alt, &body))
}

struct Label {
    text: String,
    wrong: bool,
}

impl Label {
    fn new(split: &Split, index: usize, predicted: Option<&[u32]>) -> Self {
        let class = u32::from(split.classes()[index]);
        match predicted.map(|predicted| predicted[index]) {
            Some(guess) if guess != class => Self { text: format!("{guess}, not {class}"), wrong: true },
            _ => Self { text: class.to_string(), wrong: false },
        }
    }
}

/// All images in one PNG, grey with alpha, transparent between them.
fn png(split: &Split, indices: &[usize], columns: usize, (width, height): (usize, usize)) -> Result<Vec<u8>> {
    let mut pixels = vec![0; width * height * 2];
    for (at, &index) in indices.iter().enumerate() {
        let (left, top) = (at % columns * CELL.0, at / columns * CELL.1);
        for (row, values) in split.image(index).chunks(Split::SIDE).enumerate() {
            let start = ((top + row) * width + left) * 2;
            for (pixel, &value) in pixels[start..].chunks_mut(2).zip(values) {
                pixel.copy_from_slice(&[value, 255]);
            }
        }
    }
    let mut png = Vec::new();
    PngEncoder::new(&mut png).write_image(&pixels, width as u32, height as u32, ExtendedColorType::La8)?;
    Ok(png)
}
