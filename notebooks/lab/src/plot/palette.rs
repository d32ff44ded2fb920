//! The colours of what has a name in a chart. A framework has the same one in all charts of the course.

use plotters::style::RGBColor;

/// Colours of lines and bars that belong to no framework. Each has a contrast of at least 3:1 to white and to #111111; the first
/// four are from Okabe and Ito's palette, which readers with colour blindness can tell apart.
pub const COLORS: [RGBColor; 6] =
    [BLUE, VERMILLION, GREEN, PURPLE, RGBColor(0x80, 0x80, 0x80), RGBColor(0xb0, 0x86, 0x0b)];

/// Of [Okabe and Ito](https://jfly.uni-koeln.de/color/), 2008.
const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xb2);
const VERMILLION: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
const GREEN: RGBColor = RGBColor(0x00, 0x9e, 0x73);
const PURPLE: RGBColor = RGBColor(0xcc, 0x79, 0xa7);

/// The colour of each framework, by the beginning of its name. candle with `lab` and as shipped are told apart by their lightness. Okabe and Ito's sky blue and yellow, which these have, are too light
/// for white pages, so they are darker here, with the same contrasts as [`COLORS`].
const FRAMEWORKS: [(&str, RGBColor); 6] = [
    ("candle as shipped", RGBColor(0x33, 0x92, 0xff)),
    ("candle", BLUE),
    ("Burn", VERMILLION),
    ("Keras", GREEN),
    ("PyTorch", PURPLE),
    ("TensorFlow", RGBColor(0x6e, 0x61, 0x2c)),
];

/// The colour of each row of a chart: that of its framework or, if it has none, one for all names with the same part before the
/// colon. Where these are more than there are colours, they share one, since colours that repeat would mislead.
pub fn of_rows<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<RGBColor> {
    let others = others(names.clone());
    let mut groups = Vec::new();
    for name in names.clone().filter(|name| framework(name).is_none()) {
        if !groups.contains(&group(name)) {
            groups.push(group(name));
        }
    }
    let other = |name| {
        let place = groups.iter().position(|present| *present == group(name)).unwrap_or(0);
        others[if groups.len() > others.len() { 0 } else { place }]
    };
    names.map(|name| framework(name).unwrap_or_else(|| other(name))).collect()
}

/// The colour of each curve of a chart: that of its framework or, if it has none, the next one. Several curves of a framework have
/// its hue, from dark to light.
pub fn of_curves<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<RGBColor> {
    let mut others = others(names.clone()).into_iter().cycle();
    let known: Vec<RGBColor> = names.clone().filter_map(framework).collect();
    let mut drawn = Vec::new();
    names
        .filter_map(|name| {
            let Some(color) = framework(name) else { return others.next() };
            let count = |colors: &[RGBColor]| colors.iter().filter(|other| **other == color).count();
            let (place, all) = (count(&drawn), count(&known));
            drawn.push(color);
            Some(if all > 1 { shade(color, place as f64 / (all - 1) as f64) } else { color })
        })
        .collect()
}

/// The part of a name before its colon: of `PyTorch: Module` the framework.
fn group(name: &str) -> &str {
    name.split(':').next().unwrap_or(name).trim()
}

/// The framework of a name, whatever its variant: `candle` of `candle as shipped: cropped pools`.
pub fn family(name: &str) -> &str {
    group(name).split(' ').next().unwrap_or(name)
}

/// The colour of the framework that a name begins with, as those of `Burn: Module`, `candle + lab, fused` and `Keras on TensorFlow`
/// do. What follows must show that the framework is meant, and not, for example, its style.
fn framework(name: &str) -> Option<RGBColor> {
    let group = group(name);
    let (_, color) = FRAMEWORKS.iter().find(|(framework, _)| {
        let rest = group.strip_prefix(framework).map(str::trim_start);
        rest.is_some_and(|rest| {
            rest.is_empty() || ["+", ",", "(", "on "].iter().any(|sign| rest.starts_with(sign))
        })
    })?;
    Some(*color)
}

/// The colours that are left for names without a framework.
fn others<'a>(names: impl Iterator<Item = &'a str>) -> Vec<RGBColor> {
    let taken: Vec<RGBColor> = names.filter_map(framework).collect();
    COLORS.into_iter().filter(|color| !taken.contains(color)).collect()
}

/// The color, made darker for a `place` of 0 and lighter for 1, as far as light and dark pages allow.
fn shade(RGBColor(r, g, b): RGBColor, place: f64) -> RGBColor {
    let linear = [r, g, b].map(linear);
    let factor = (DARKEST + place * (LIGHTEST - DARKEST)) / luminance(linear);
    let [r, g, b] = linear.map(|part| {
        let part = (part * factor).min(1.0);
        let part = if part <= 0.0031308 { 12.92 * part } else { 1.055 * part.powf(1.0 / 2.4) - 0.055 };
        (255.0 * part).round() as u8
    });
    RGBColor(r, g, b)
}

/// The luminances that have a contrast of 3:1 to #111111 and to white, with room for rounding.
const DARKEST: f64 = 0.12;
const LIGHTEST: f64 = 0.295;

/// The relative luminance of linear red, green and blue, [WCAG 2.2](https://www.w3.org/TR/WCAG22/#dfn-relative-luminance).
fn luminance([r, g, b]: [f64; 3]) -> f64 {
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

/// A part of an sRGB colour as a share of the light.
fn linear(part: u8) -> f64 {
    let part = f64::from(part) / 255.0;
    if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 6] = [
        "candle as shipped",
        "candle + lab: Torch style",
        "Burn: Module",
        "Keras on TensorFlow",
        "PyTorch",
        "TensorFlow: native functions",
    ];

    fn rows(names: &[&str]) -> Vec<RGBColor> {
        of_rows(names.iter().copied())
    }

    fn curves(names: &[&str]) -> Vec<RGBColor> {
        of_curves(names.iter().copied())
    }

    #[test]
    fn a_framework_has_one_colour_wherever_it_stands() {
        let all = rows(&NAMES);
        assert_eq!(all, FRAMEWORKS.map(|(_, color)| color));
        assert_eq!(curves(&NAMES), all);
        for (name, color) in NAMES.iter().zip(all) {
            assert_eq!(rows(&["other", name])[1], color, "{name}");
            assert_eq!(curves(&["other", "one more", name])[2], color, "{name}");
        }
        assert_eq!(rows(&["candle: Keras style", "candle: Torch style"]), [BLUE, BLUE]);
    }

    #[test]
    fn other_names_have_the_colours_that_no_framework_has() {
        assert_eq!(rows(&["a: x", "b", "a: y"]), [BLUE, VERMILLION, BLUE]);
        assert_eq!(curves(&["a: x", "b", "a: y"]), [BLUE, VERMILLION, GREEN]);
        assert_eq!(rows(&["a", "candle", "b"]), [VERMILLION, BLUE, GREEN]);
        assert_eq!(rows(&["1", "2", "3", "4", "5", "6", "7"]), [BLUE; 7], "more than there are colours");
        // Styles and words that begin like a framework.
        assert_eq!(rows(&["Keras style", "Burning"]), [BLUE, VERMILLION]);
    }

    #[test]
    fn families_are_frameworks_in_all_variants() {
        let families = NAMES.map(family);
        assert_eq!(families, ["candle", "candle", "Burn", "Keras", "PyTorch", "TensorFlow"]);
    }

    #[test]
    fn curves_of_one_framework_have_its_hue() {
        let light = |RGBColor(r, g, b): RGBColor| luminance([r, g, b].map(linear));
        let shades = curves(&["Burn: a", "Burn: b", "Keras", "Burn: c"]);
        assert_eq!(shades[2], GREEN);
        let burn = [shades[0], shades[1], shades[3]];
        for (shade, expected) in burn.into_iter().zip([0.12, 0.2075, 0.295]) {
            assert!((light(shade) - expected).abs() < 0.003, "{shade:?}: {}", light(shade));
            // Vermillion has no blue, and green to red as 0.112 to 0.665.
            let ratio = linear(shade.1) / linear(shade.0);
            assert!(shade.2 == 0 && (ratio - 0.168).abs() < 0.005, "{shade:?}: {ratio}");
        }
    }

    #[test]
    fn colours_are_visible_on_light_and_dark_pages() {
        let dark = luminance([linear(0x11); 3]);
        for (name, RGBColor(r, g, b)) in FRAMEWORKS {
            let light = luminance([r, g, b].map(linear));
            let contrasts = [1.05 / (light + 0.05), (light + 0.05) / (dark + 0.05)];
            assert!(contrasts.iter().all(|contrast| *contrast >= 3.0), "{name}: {contrasts:?}");
        }
    }

    /// What is seen without the long, the middle or the short cones, after Machado, Oliveira and Fernandes (2009).
    const SEEN: [[[f64; 3]; 3]; 3] = [
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ];

    /// Lightness and the two axes of colour in CIELAB.
    fn lab(rgb: [f64; 3]) -> [f64; 3] {
        let [r, g, b] = rgb.map(|part| part.clamp(0.0, 1.0));
        let x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505;
        let z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089;
        let [x, y, z] = [x, luminance([r, g, b]), z]
            .map(|part: f64| if part > 0.008856 { part.cbrt() } else { 7.787 * part + 16.0 / 116.0 });
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    #[test]
    fn frameworks_are_told_apart_by_readers_with_colour_blindness() {
        for seen in SEEN {
            let colors = FRAMEWORKS.map(|(name, RGBColor(r, g, b))| {
                let rgb = [r, g, b].map(linear);
                (name, lab(seen.map(|row| row.iter().zip(rgb).map(|(share, part)| share * part).sum())))
            });
            for (at, (name, color)) in colors.iter().enumerate() {
                for (other, its) in &colors[..at] {
                    let squares = color.iter().zip(its).map(|(one, other)| (one - other).powi(2));
                    let distance = squares.sum::<f64>().sqrt();
                    // A difference of about 2.3 is just noticeable.
                    assert!(distance > 15.0, "{name} and {other}: {distance:.1}");
                }
            }
        }
    }
}
