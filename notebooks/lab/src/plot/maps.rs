//! Matrices as small images: filters, feature maps and heat maps.

use super::colormap::Colormap;
use super::sheet::{self, Caption, MAX, Sheet};
use super::svg::FONT;
use crate::{Result, display::Display};
use anyhow::{Context, bail, ensure};
use candle_core::{DType, Tensor};

/// The matrices of `maps` `[n, height, width]` as small images, each over its caption: filters, feature maps, …. All have
/// one scale, which is drawn below them. If a value is negative, the scale goes both ways from 0, which is transparent: orange
/// above, blue below; else it goes from dark violet at 0 to yellow. `title` is what they show, `data` the name of the data
/// set, and `captions` has one for each, of one or more lines, or none at all.
///
/// # Errors
/// When the tensor has another shape, no values or more than 1,000 maps, a value is not finite, or the number of captions is
/// neither 0 nor n.
pub fn maps(title: &str, data: &str, maps: &Tensor, captions: &[String]) -> Result<Display> {
    let maps = Maps::new(title, maps)?;
    draw(title, data, &maps, Colormap::of(&maps.values), captions, |_| String::new())
}

/// A heat map over each digit: `heat` and `digits` are `[n, height, width]`. Heat is orange above 0 and blue below, as in
/// [`maps`]. The outline of the digit is drawn around the pixels that are at least half as bright as its brightest.
///
/// # Errors
/// Those of [`maps`], and when the shapes differ.
pub fn heat(title: &str, data: &str, heat: &Tensor, digits: &Tensor, captions: &[String]) -> Result<Display> {
    let shapes = (heat.dims(), digits.dims());
    ensure!(shapes.0 == shapes.1, "heat {:?} over digits {:?} in \"{title}\"", shapes.0, shapes.1);
    let (heat, digits) = (Maps::new(title, heat)?, Maps::new(title, digits)?);
    let outlines = |sheet: &Sheet| {
        let path: String = digits
            .each()
            .enumerate()
            .map(|(at, digit)| outline(digit, digits.size.0, sheet.place(at)))
            .collect();
        format!("<path d=\"{path}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.5\"/>\n")
    };
    draw(title, data, &heat, Colormap::signed(&heat.values), captions, outlines)
}

/// Matrices of one size, with finite values.
pub struct Maps {
    pub values: Vec<f32>,
    /// Width and height of each.
    pub size: (usize, usize),
}

impl Maps {
    pub fn new(title: &str, maps: &Tensor) -> Result<Self> {
        let &[n, height, width] = maps.dims() else {
            bail!("\"{title}\" shows maps [n, height, width], not a tensor {:?}", maps.dims());
        };
        ensure!(n * height * width > 0, "\"{title}\": no values in a tensor {:?}", maps.dims());
        ensure!(n <= MAX, "{n} maps in \"{title}\", but at most {MAX} fit into a picture");
        let numbers = maps.to_dtype(DType::F32).and_then(|maps| maps.flatten_all()?.to_vec1());
        let values: Vec<f32> = numbers.with_context(|| format!("cannot read the maps of \"{title}\""))?;
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let (map, place) = (at / (height * width), at % (height * width));
            let (row, column) = (place / width, place % width);
            bail!(
                "map {map} of \"{title}\" is {} at row {row}, column {column}, not a finite number",
                values[at]
            );
        }
        Ok(Self { values, size: (width, height) })
    }

    pub fn each(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.size.0 * self.size.1)
    }
}

fn draw(
    title: &str,
    data: &str,
    maps: &Maps,
    colormap: Colormap,
    captions: &[String],
    over: impl Fn(&Sheet) -> String,
) -> Result<Display> {
    let (given, shown, (width, height)) = (captions.len(), maps.each().len(), maps.size);
    ensure!(given == 0 || given == shown, "{given} captions for {shown} maps in \"{title}\"");
    let text = |at: usize| captions.get(at).cloned().unwrap_or_default();
    let captions: Vec<Caption> = (0..shown).map(|at| Caption { text: text(at), framed: false }).collect();

    let sheet = Sheet::fitting(maps.size, &captions);
    let indices = maps.each().map(|map| map.iter().map(|&value| colormap.index(value)).collect());
    let png = colormap.png(sheet.arrange(Colormap::BLANK, indices))?;
    let over = sheet.frames(|_| true, "stroke=\"currentColor\" stroke-opacity=\"0.4\"") + &over(&sheet);

    let title = format!("{title} ({data})");
    let (low, high) = maps
        .values
        .iter()
        .fold((f32::MAX, f32::MIN), |(low, high), &value| (low.min(value), high.max(value)));
    let list: Vec<String> = captions.iter().map(|caption| caption.text.replace('\n', ", ")).collect();
    let list = if given == 0 { String::new() } else { format!(": {}", list.join("; ")) };
    let alt =
        format!("{title}, {shown} of {height} x {width}, from {} to {}{list}", number(low), number(high));
    Ok(sheet.display(&title, &alt, &png, &captions, &over, ((300, 30), &scale(colormap)?)))
}

/// The scale: the colours of the colormap between the values of its ends, in 300 x 30 CSS pixels.
pub fn scale(colormap: Colormap) -> Result<String> {
    const STEPS: usize = 101;
    const WIDTH: usize = 180;
    let (low, high) = colormap.range();
    let share = |at| at as f32 / (STEPS - 1) as f32;
    // Not by their difference, which may be infinite.
    let value = |at| low * (1.0 - share(at)) + high * share(at);
    let indices = (0..STEPS).map(|at| colormap.index(value(at))).collect();
    let png = colormap.png((STEPS as u32, 1, indices))?;
    let left = 60;
    let bar = sheet::element((left, 8), (WIDTH, 12), &png);
    let texts = [("end", left - 8, low), ("start", left + WIDTH + 8, high)].map(|(anchor, x, value)| {
        let text = number(value);
        format!("<text x=\"{x}\" y=\"19\" text-anchor=\"{anchor}\">{text}</text>")
    });
    Ok(format!(
        "{bar}<rect x=\"{left}\" y=\"8\" width=\"{WIDTH}\" height=\"12\" fill=\"none\" stroke=\"currentColor\" \
         stroke-opacity=\"0.4\"/><g font-family=\"{FONT}\" font-size=\"13\" fill=\"currentColor\">{}</g>",
        texts.concat()
    ))
}

/// The number with two significant digits and a true minus sign.
pub fn number(value: f32) -> String {
    let decimals = match value.abs() {
        0.0 => return "0".into(),
        size if size >= 1e5 => return format!("{value:.1e}").replace('-', "−"),
        value if value >= 10.0 => 0,
        value if value >= 1.0 => 1,
        value if value >= 0.1 => 2,
        value if value >= 0.01 => 3,
        _ => return format!("{value:.1e}").replace('-', "−"),
    };
    format!("{value:.decimals$}").replace('-', "−")
}

/// The outline of the pixels that are at least half as bright as the brightest of `image`, as a path.
fn outline(image: &[f32], width: usize, (left, top, zoom): (usize, usize, usize)) -> String {
    let height = image.len() / width;
    let brightest = image.iter().fold(0.0, |most: f32, &value| most.max(value));
    let inside = |x: usize, y: usize| x < width && y < height && image[y * width + x] >= brightest / 2.0;
    if brightest <= 0.0 {
        return String::new();
    }
    let mut path = String::new();
    for y in 0..=height {
        for x in 0..=width {
            let here = inside(x, y);
            let (left, top) = (left + x * zoom, top + y * zoom);
            if here != inside(x, y.wrapping_sub(1)) {
                path += &format!("M{left} {top}h{zoom}");
            }
            if here != inside(x.wrapping_sub(1), y) {
                path += &format!("M{left} {top}v{zoom}");
            }
        }
    }
    path
}
