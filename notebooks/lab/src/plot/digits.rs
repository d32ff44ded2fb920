//! Digits with captions.

use super::sheet::{Caption, MAX, Sheet};
use crate::{Result, data::Split, display::Display};
use anyhow::ensure;
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

/// The images of `split` at `indices`, each over its label.
///
/// # Errors
/// When there are no indices or more than 1,000, or one is out of range.
pub fn digits(split: &Split, indices: impl IntoIterator<Item = usize>) -> Result<Display> {
    let indices = checked(split, indices)?;
    let label = |&index: &usize| Caption { text: split.classes()[index].to_string(), framed: false };
    draw(split, &indices, split.name(), indices.iter().map(label).collect(), Sheets::Small)
}

/// The images of `split` at `indices`, each over its prediction; a wrong prediction is framed, and the right label is
/// added. `predicted` has a digit for each image of the split, shown or not.
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
    let indices = checked(split, indices)?;
    let caption = |&index: &usize| match (predicted[index], u32::from(split.classes()[index])) {
        (guess, class) if guess != class => Caption { text: format!("{guess}, not {class}"), framed: true },
        (_, class) => Caption { text: class.to_string(), framed: false },
    };
    let captions: Vec<Caption> = indices.iter().map(caption).collect();
    let wrong = captions.iter().filter(|caption| caption.framed).count();
    let title = format!("{}: {wrong} of {} wrong", split.name(), indices.len());
    draw(split, &indices, &title, captions, Sheets::Small)
}

/// The images of `split` at `indices`, as large as they fit, each over a caption of your own, which may have several lines.
/// `title` is what they show.
///
/// # Errors
/// As [`digits`], and when the number of captions is not the number of indices.
pub fn captioned(
    title: &str,
    split: &Split,
    indices: impl IntoIterator<Item = usize>,
    captions: &[String],
) -> Result<Display> {
    let indices = checked(split, indices)?;
    let (given, shown) = (captions.len(), indices.len());
    ensure!(given == shown, "{given} captions for {shown} digits in \"{title}\"");
    let captions = captions.iter().map(|text| Caption { text: text.clone(), framed: false });
    draw(split, &indices, &format!("{title} ({})", split.name()), captions.collect(), Sheets::Large)
}

enum Sheets {
    Small,
    Large,
}

fn checked(split: &Split, indices: impl IntoIterator<Item = usize>) -> Result<Vec<usize>> {
    let indices: Vec<usize> = indices.into_iter().collect();
    let (name, shown) = (split.name(), indices.len());
    ensure!(shown > 0, "no digits of {name} to show");
    ensure!(shown <= MAX, "{shown} digits to show, but at most {MAX} fit into a picture");
    if let Some(index) = indices.iter().find(|&&index| index >= split.len()) {
        anyhow::bail!("no image {index} in {name}, which has {}", split.len());
    }
    Ok(indices)
}

fn draw(
    split: &Split,
    indices: &[usize],
    title: &str,
    captions: Vec<Caption>,
    sheets: Sheets,
) -> Result<Display> {
    let size = (Split::SIDE, Split::SIDE);
    let sheet = match sheets {
        Sheets::Small => Sheet::new(size, 2, 10, &captions),
        Sheets::Large => Sheet::fitting(size, &captions),
    };
    let pixels = |&index: &usize| split.image(index).iter().map(|&value| [value, 255]).collect();
    let (width, height, pixels) = sheet.arrange([0, 0], indices.iter().map(pixels));
    let mut png = Vec::new();
    PngEncoder::new(&mut png).write_image(pixels.as_flattened(), width, height, ExtendedColorType::La8)?;
    let list: Vec<String> = captions.iter().map(|caption| caption.text.replace('\n', ", ")).collect();
    let alt = format!("{title}: {}", list.join("; "));
    Ok(sheet.display(title, &alt, &png, &captions, "", ((0, 0), "")))
}
