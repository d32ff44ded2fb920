//! Images of a data set with captions.

use super::sheet::{Caption, MAX, Sheet};
use crate::{Result, data::Split, display::Display};
use anyhow::{bail, ensure};
use candle_core::{DType, Tensor};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

/// The images of `split` at `indices`, each over the name of its class.
///
/// # Errors
/// When there are no indices or more than 1,000, or one is out of range.
pub fn images(split: &Split, indices: impl IntoIterator<Item = usize>) -> Result<Display> {
    let indices = checked(split, indices)?;
    let label = |&index: &usize| Caption { text: name(split, split.classes()[index].into()), framed: false };
    draw(split, &indices, split.name(), indices.iter().map(label).collect(), Sheets::Small)
}

/// The images of `split` at `indices`, each over its prediction; a wrong prediction is framed, and the right label is
/// added. `predicted` has a class for each image of the split, shown or not.
///
/// # Errors
/// As [`images`], and when the number of predictions is not the number of images.
pub fn predictions(
    split: &Split,
    indices: impl IntoIterator<Item = usize>,
    predicted: &[u32],
) -> Result<Display> {
    let (given, images) = (predicted.len(), split.len());
    ensure!(given == images, "{given} predictions for the {images} images of {}", split.name());
    let indices = checked(split, indices)?;
    let caption = |&index: &usize| {
        let (guess, class) = (predicted[index], u32::from(split.classes()[index]));
        let text = match split.shape() {
            _ if guess == class => name(split, class),
            // A digit is short.
            [1, ..] => format!("{}, not {}", name(split, guess), name(split, class)),
            _ => format!("{}\nnot {}", name(split, guess), name(split, class)),
        };
        Caption { text, framed: guess != class }
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
/// As [`images`], and when the number of captions is not the number of indices.
pub fn captioned(
    title: &str,
    split: &Split,
    indices: impl IntoIterator<Item = usize>,
    captions: &[String],
) -> Result<Display> {
    let indices = checked(split, indices)?;
    let (given, shown) = (captions.len(), indices.len());
    ensure!(given == shown, "{given} captions for {shown} images in \"{title}\"");
    let captions = captions.iter().map(|text| Caption { text: text.clone(), framed: false });
    draw(split, &indices, &format!("{title} ({})", split.name()), captions.collect(), Sheets::Large)
}

/// Colour pictures `[n, 3, rows, columns]`, whose values are 0 to 1, close together, or each over its caption if there are any.
/// `title` is what they show, `data` the name of the data set.
///
/// # Errors
/// When the tensor has another shape or no values, there are more than 1,000 pictures, a value is not finite, or the number of captions
/// is neither 0 nor n.
pub fn pictures(title: &str, data: &str, pictures: &Tensor, captions: &[String]) -> Result<Display> {
    let &[n, 3, rows, columns] = pictures.dims() else {
        bail!("\"{title}\" shows pictures [n, 3, rows, columns], not a tensor {:?}", pictures.dims());
    };
    ensure!(n * rows * columns > 0, "\"{title}\": no values in a tensor {:?}", pictures.dims());
    ensure!(n <= MAX, "{n} pictures in \"{title}\", but at most {MAX} fit into a picture");
    let given = captions.len();
    ensure!(given == 0 || given == n, "{given} captions for {n} pictures in \"{title}\"");
    let values: Vec<f32> = pictures.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    ensure!(values.iter().all(|value| value.is_finite()), "\"{title}\": a value is not finite");
    let bytes: Vec<u8> = values.iter().map(|value| (255.0 * value.clamp(0.0, 1.0)).round() as u8).collect();
    let caption = |at: usize| Caption { text: captions.get(at).cloned().unwrap_or_default(), framed: false };
    let captions: Vec<Caption> = (0..n).map(caption).collect();
    let sheet = Sheet::fitting((columns, rows), &captions);
    let images = bytes.chunks(3 * rows * columns).map(|image| colors(image, rows * columns));
    let png = png(sheet.arrange([0; 4], images), ExtendedColorType::Rgba8)?;
    let title = format!("{title} ({data})");
    let list: Vec<String> = captions.iter().map(|caption| caption.text.replace('\n', ", ")).collect();
    let alt = if given == 0 { title.clone() } else { format!("{title}: {}", list.join("; ")) };
    Ok(sheet.display(&title, &alt, &png, &captions, "", ((0, 0), "")))
}

enum Sheets {
    Small,
    Large,
}

fn checked(split: &Split, indices: impl IntoIterator<Item = usize>) -> Result<Vec<usize>> {
    let indices: Vec<usize> = indices.into_iter().collect();
    let (name, shown) = (split.name(), indices.len());
    ensure!(shown > 0, "no images of {name} to show");
    ensure!(shown <= MAX, "{shown} images to show, but at most {MAX} fit into a picture");
    if let Some(index) = indices.iter().find(|&&index| index >= split.len()) {
        bail!("no image {index} in {name}, which has {}", split.len());
    }
    Ok(indices)
}

/// The name of a class, or its number if it has none.
fn name(split: &Split, class: u32) -> String {
    split.class_names().get(class as usize).cloned().unwrap_or_else(|| class.to_string())
}

fn draw(
    split: &Split,
    indices: &[usize],
    title: &str,
    captions: Vec<Caption>,
    sheets: Sheets,
) -> Result<Display> {
    let [channels, rows, columns] = split.shape();
    let size = (columns, rows);
    let sheet = match sheets {
        Sheets::Small => Sheet::new(size, 2, 10, &captions),
        Sheets::Large => Sheet::fitting(size, &captions),
    };
    let images = indices.iter().map(|&index| split.image(index));
    let png = if channels == 1 {
        let grey = |image: &[u8]| image.iter().map(|&value| [value, 255]).collect();
        png(sheet.arrange([0; 2], images.map(grey)), ExtendedColorType::La8)?
    } else {
        let color = |image: &[u8]| colors(image, rows * columns);
        png(sheet.arrange([0; 4], images.map(color)), ExtendedColorType::Rgba8)?
    };
    let list: Vec<String> = captions.iter().map(|caption| caption.text.replace('\n', ", ")).collect();
    let alt = format!("{title}: {}", list.join("; "));
    Ok(sheet.display(title, &alt, &png, &captions, "", ((0, 0), "")))
}

/// The pixels of a picture, of which `image` has the channels one after the other.
fn colors(image: &[u8], area: usize) -> Vec<[u8; 4]> {
    (0..area).map(|at| [image[at], image[area + at], image[2 * area + at], 255]).collect()
}

/// The file of a sheet with so many bytes for each pixel.
fn png<const BYTES: usize>(
    (width, height, pixels): (u32, u32, Vec<[u8; BYTES]>),
    color: ExtendedColorType,
) -> Result<Vec<u8>> {
    let mut png = Vec::new();
    PngEncoder::new(&mut png).write_image(pixels.as_flattened(), width, height, color)?;
    Ok(png)
}
