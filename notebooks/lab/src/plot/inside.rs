//! A network at one moment of its training: its filters, its norms, and what it makes of one digit.

use super::colormap::Colormap;
use super::frames::norm;
use super::maps::{Maps, number};
use super::sheet::{Sheet, element};
use super::svg::{self, FONT, escape};
use crate::number::significant;
use crate::{Result, display::Display};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

/// What all moments of a training have in common.
pub struct Inside {
    /// The name of the weight that the filters are of.
    pub filters: String,
    /// The names of the weights.
    pub weights: Vec<String>,
    /// The digit, in one map with values from 0 to 1.
    pub digit: Maps,
}

/// One moment.
pub struct Moment {
    /// When it was, in words.
    pub time: String,
    /// The filters of the first layer, if there are any.
    pub filters: Option<Maps>,
    pub norms: Vec<Norms>,
    /// The feature maps of the digit.
    pub maps: Maps,
    /// The probabilities of its classes, 0 to 1.
    pub probabilities: Vec<f64>,
}

/// The norm of a weight and, if it has one, of its gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norms {
    pub weight: f64,
    pub gradient: Option<f64>,
}

impl Norms {
    pub fn new(weight: &[f32], gradient: Option<&[f32]>) -> Self {
        Self { weight: norm(weight), gradient: gradient.map(norm) }
    }
}

/// The scales that moments share, so that they can be compared.
pub struct Scales {
    filters: Colormap,
    maps: Colormap,
    /// The largest norms of each weight, and of its gradient.
    norms: Vec<[f64; 2]>,
}

impl Scales {
    pub fn of<'a>(moments: impl Iterator<Item = &'a Moment> + Clone) -> Self {
        let finite = |maps: &'a Maps| maps.values.iter().copied().filter(|value| value.is_finite());
        let filters: Vec<f32> = moments.clone().flat_map(|at| &at.filters).flat_map(finite).collect();
        let maps: Vec<f32> = moments.clone().flat_map(|at| finite(&at.maps)).collect();
        let mut norms = Vec::new();
        for at in moments {
            norms.resize(at.norms.len().max(norms.len()), [0.0, 0.0]);
            for ([weight, gradient], new) in norms.iter_mut().zip(&at.norms) {
                let most = |old: f64, new: f64| if new.is_finite() { old.max(new) } else { old };
                *weight = most(*weight, new.weight);
                *gradient = most(*gradient, new.gradient.unwrap_or(0.0));
            }
        }
        Self { filters: Colormap::signed(&filters), maps: Colormap::of(&maps), norms }
    }
}

/// CSS pixels: the whole, either half, the height of the maps, of a heading, and of a row.
pub const WIDTH: usize = 720;
const HALF: usize = 354;
const RIGHT: usize = WIDTH - HALF;
const MAPS: usize = 176;
const HEADING: usize = 28;
const ROW: usize = 18;
/// The most rows below a heading.
pub const ROWS: usize = 10;
pub const HEIGHT: usize = 2 * HEADING + MAPS + 12 + ROWS * ROW;

impl Inside {
    /// The moment as a picture of [`WIDTH`] x [`HEIGHT`] CSS pixels.
    pub fn draw(&self, moment: &Moment, scales: &Scales) -> Result<Display> {
        let mut body = format!("<g font-family=\"{FONT}\" font-size=\"13\" fill=\"currentColor\">\n");
        if let Some(filters) = &moment.filters {
            let (_, most) = scales.filters.range();
            let range = format!("{}, ±{}", shorten(&self.filters), number(most));
            body += &heading((0, 0), &format!("Filters: {range}"));
            body += &maps(filters, scales.filters, 0)?;
        }
        let (low, high) = scales.maps.range();
        let range = format!("Feature maps of the digit: {} to {}", number(low), number(high));
        body += &heading((RIGHT, 0), &range);
        body += &maps(&moment.maps, scales.maps, RIGHT)?;
        let below = HEADING + MAPS + 12;
        body += &self.norms(moment, scales, below);
        body += &self.answer(moment, below)?;
        body += "</g>";
        Ok(svg::display(WIDTH as u32, (WIDTH as u32, HEIGHT as u32), &self.alt(moment), &body))
    }

    /// A row for each weight: its name, and a bar and a number for either norm.
    fn norms(&self, moment: &Moment, scales: &Scales, top: usize) -> String {
        let [weights, gradients] = [104, 236];
        let mut rows = heading((0, top), "Norms")
            + &heading((weights, top), "of weights")
            + &heading((gradients, top), "of gradients");
        for (at, (name, norms)) in self.weights.iter().zip(&moment.norms).take(ROWS).enumerate() {
            let [weight, gradient] = scales.norms[at];
            let top = top + HEADING + ROW * at;
            rows += &format!("<text x=\"0\" y=\"{}\">{}</text>\n", top + 12, escape(&shorten(name)));
            for (left, value, most) in
                [(weights, Some(norms.weight), weight), (gradients, norms.gradient, gradient)]
            {
                let share = value.map_or(0.0, |value| value / most);
                let text = value.map_or("none".into(), |value| significant(value, 3));
                rows += &bar((left, top), 58, share, "currentColor");
                rows += &format!(
                    "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{text}</text>\n",
                    left + 118,
                    top + 12
                );
            }
        }
        rows
    }

    /// The digit, and a bar for the probability of each class.
    fn answer(&self, moment: &Moment, top: usize) -> Result<String> {
        let pixels: Vec<u8> = self.digit.values.iter().map(|value| (255.0 * value).round() as u8).collect();
        let (width, height) = self.digit.size;
        let mut png = Vec::new();
        let encoder = PngEncoder::new(&mut png);
        encoder.write_image(&pixels, width as u32, height as u32, ExtendedColorType::L8)?;
        let mut rows = heading((RIGHT, top), "Probabilities of the digit");
        rows += &element((RIGHT, top + HEADING), (84, 84 * height / width), &png);
        for (class, &probability) in moment.probabilities.iter().take(ROWS).enumerate() {
            let top = top + HEADING + ROW * class;
            let left = RIGHT + 104;
            rows += &format!("<text x=\"{left}\" y=\"{}\">{class}</text>\n", top + 12);
            rows += &bar((left + 20, top), 170, probability, "#009e73");
            let text = format!("{:.1} %", 100.0 * probability);
            rows += &format!("<text x=\"{WIDTH}\" y=\"{}\" text-anchor=\"end\">{text}</text>\n", top + 12);
        }
        Ok(rows)
    }

    /// The numbers of the moment in words.
    fn alt(&self, moment: &Moment) -> String {
        let mut alt = moment.time.clone();
        for (name, norms) in self.weights.iter().zip(&moment.norms).take(ROWS) {
            alt += &format!("; norm of {name} {}", significant(norms.weight, 3));
            if let Some(gradient) = norms.gradient {
                alt += &format!(", of its gradient {}", significant(gradient, 3));
            }
        }
        if let Some(answer) = answer(&moment.probabilities) {
            alt += &format!("; {answer}");
        }
        alt
    }
}

/// `the digit: 3 with 98.2 %`, if there is a largest probability.
pub fn answer(probabilities: &[f64]) -> Option<String> {
    let classes = probabilities.iter().enumerate().filter(|(_, probability)| !probability.is_nan());
    // The first of equal ones.
    let (class, probability) = classes.rev().max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    Some(format!("the digit: {class} with {:.1} %", 100.0 * probability))
}

fn heading((x, y): (usize, usize), text: &str) -> String {
    format!("<text x=\"{x}\" y=\"{}\" font-weight=\"bold\">{}</text>\n", y + 14, escape(text))
}

/// The maps in one of the halves, below its heading.
fn maps(maps: &Maps, colormap: Colormap, left: usize) -> Result<String> {
    let sheet = Sheet::packed(maps.size, maps.each().len(), (HALF, MAPS));
    let indices = maps.each().map(|map| map.iter().map(|&value| colormap.index(value)).collect());
    let png = colormap.png(sheet.arrange(Colormap::BLANK, indices))?;
    // Maps that have no room with a pixel for each value get less.
    let (width, height) = sheet.extent();
    let scale = (HALF as f64 / width as f64).min(MAPS as f64 / height as f64);
    let scale = if scale < 1.0 { format!(" scale({scale:.3})") } else { String::new() };
    let frames = sheet.frames(|_| true, "stroke=\"currentColor\" stroke-opacity=\"0.4\"");
    let image = element((0, 0), sheet.size(), &png);
    Ok(format!("<g transform=\"translate({left},{HEADING}){scale}\">{image}\n{frames}</g>\n"))
}

/// A bar of this share of its track.
fn bar((x, y): (usize, usize), width: usize, share: f64, color: &str) -> String {
    // A share of nothing, or of what is no number, is no bar.
    let filled = if share.is_finite() { width as f64 * share.clamp(0.0, 1.0) } else { 0.0 };
    let y = y + 2;
    format!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"11\" fill=\"currentColor\" fill-opacity=\"0.12\"/>\
         <rect x=\"{x}\" y=\"{y}\" width=\"{filled:.1}\" height=\"11\" fill=\"{color}\" fill-opacity=\"0.8\"/>\n"
    )
}

/// A name by its end, which tells weights of one network apart.
fn shorten(name: &str) -> String {
    const LETTERS: usize = 14;
    match name.chars().count() {
        ..=LETTERS => name.to_string(),
        count => format!("…{}", name.chars().skip(count + 1 - LETTERS).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(filters: &[f32], maps: &[f32], norms: [Norms; 2]) -> Moment {
        let map = |values: &[f32]| Maps { values: values.into(), size: (2, 1) };
        let filters = Some(map(filters));
        Moment {
            time: "after 1 step".into(),
            filters,
            norms: norms.into(),
            maps: map(maps),
            probabilities: vec![0.75, 0.25],
        }
    }

    fn inside() -> Inside {
        let weights = ["conv1.weight", "features.norm2.bias"].map(String::from).into();
        Inside {
            filters: "conv1.weight".into(),
            weights,
            digit: Maps { values: vec![0.0, 1.0], size: (2, 1) },
        }
    }

    fn widths(svg: &str) -> Vec<&str> {
        let bars = svg.split("fill-opacity=\"0.8\"").map(|bar| bar.rsplit("width=\"").next().unwrap());
        let widths: Vec<&str> = bars.map(|bar| bar.split('"').next().unwrap()).collect();
        widths[..widths.len() - 1].to_vec()
    }

    #[test]
    fn bars_are_shares_of_the_largest_of_all_moments() {
        let norms = |weight, gradient| Norms { weight, gradient };
        let first = moment(&[1.0, -2.0], &[0.0, 3.0], [norms(4.0, Some(0.5)), norms(0.0, None)]);
        let second = moment(&[1.0, 0.5], &[0.0, 6.0], [norms(8.0, Some(0.25)), norms(f64::NAN, None)]);
        let scales = Scales::of([&first, &second].into_iter());
        let drawing = inside().draw(&first, &scales).unwrap();
        let svg = drawing.content("image/svg+xml").unwrap();
        // Half of 58, all of 58, and nothing; three quarters and a quarter of 170.
        assert_eq!(widths(svg), ["29.0", "58.0", "0.0", "0.0", "127.5", "42.5"]);
        for text in [
            ">Filters: conv1.weight, ±2.0<",
            ">Feature maps of the digit: 0 to 6.0<",
            ">4.000<",
            ">0.500<",
            ">none<",
            ">…es.norm2.bias<",
            ">75.0 %<",
            ">25.0 %<",
        ] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
        let alt = "after 1 step; norm of conv1.weight 4.000, of its gradient 0.500; norm of features.norm2.bias 0.000; \
                   the digit: 0 with 75.0 %";
        assert_eq!(drawing.content("text/plain"), Some(alt));
        let drawing = inside().draw(&second, &scales).unwrap();
        let svg = drawing.content("image/svg+xml").unwrap();
        assert_eq!(widths(svg)[..4], ["58.0", "29.0", "0.0", "0.0"]);
        assert!(svg.contains(">NaN<"), "{svg}");
    }

    #[test]
    fn values_that_are_no_numbers_have_no_scale_and_do_not_stop_the_drawing() {
        let norms = [Norms { weight: f64::INFINITY, gradient: Some(f64::NAN) }; 2];
        let bad = moment(&[f32::NAN, f32::INFINITY], &[f32::NAN, f32::NAN], norms);
        let mut nothing = moment(&[0.5, -1.0], &[0.0, 0.0], [Norms { weight: 0.0, gradient: None }; 2]);
        nothing.probabilities = vec![f64::NAN; 2];
        let scales = Scales::of([&bad, &nothing].into_iter());
        for moment in [&bad, &nothing] {
            let drawing = inside().draw(moment, &scales).unwrap();
            assert!(drawing.content("image/svg+xml").unwrap().contains(">Filters: conv1.weight, ±1.0<"));
        }
        assert_eq!(answer(&nothing.probabilities), None);
        assert_eq!(answer(&[0.2, 0.4, 0.4]).unwrap(), "the digit: 1 with 40.0 %");
    }

    #[test]
    fn maps_are_as_large_as_they_fit() {
        for (size, count, expected) in [
            ((3, 3), 32, (341, 165)),
            ((13, 13), 32, (354, 174)),
            ((5, 5), 64, (325, 175)),
            ((28, 28), 10, (304, 118)),
            ((1000, 1000), 4, (2005, 2005)),
        ] {
            assert_eq!(Sheet::packed(size, count, (HALF, MAPS)).extent(), expected, "{count} of {size:?}");
        }
    }
}
