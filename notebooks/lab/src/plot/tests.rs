//! Drawings of awkward data: all zeros, a single value, numbers as large and as small as possible, 100,000 of them.

use super::{Curve, bars, bars_of_runs, curves, dots, frames, heat, heat_map, maps, matrix, pair};
use crate::display::Display;
use candle_core::{DType, Device, Tensor};

/// An element of a drawing: its name, its attributes as they are written, and its text.
struct Element<'a> {
    name: &'a str,
    attributes: &'a str,
    text: &'a str,
    /// How far the groups around it move it, and how they place texts.
    moved: (f64, f64),
    anchor: &'a str,
}

impl<'a> Element<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let (_, rest) = self.attributes.split_once(&format!(" {name}=\""))?;
        Some(rest.split_once('"').expect("an attribute ends").0)
    }

    /// A coordinate or length, which must be a number.
    fn number(&self, name: &str) -> Option<f64> {
        let text = self.get(name)?;
        Some(text.parse().unwrap_or_else(|_| panic!("{name} of {} is {text}", self.attributes)))
    }

    /// All points that it names.
    fn points(&self) -> Vec<(f64, f64)> {
        let mut points = Vec::new();
        for (x, y) in [("x", "y"), ("x1", "y1"), ("x2", "y2"), ("cx", "cy")] {
            if let (Some(x), Some(y)) = (self.number(x), self.number(y)) {
                points.push((x, y));
                let (width, height) = (self.number("width"), self.number("height"));
                points.extend(width.zip(height).map(|(width, height)| (x + width, y + height)));
            }
        }
        let numbers =
            self.get("points").unwrap_or_default().split([',', ' ']).filter(|text| !text.is_empty());
        let numbers: Vec<f64> =
            numbers.map(|text| text.parse().unwrap_or_else(|_| panic!("{text}"))).collect();
        points.extend(numbers.chunks_exact(2).map(|point| (point[0], point[1])));
        points.iter().map(|(x, y)| (x + self.moved.0, y + self.moved.1)).collect()
    }

    /// From where to where a text goes, if it is not turned. A letter is about half as wide as it is high.
    fn span(&self) -> Option<(f64, f64)> {
        let turned = self.get("transform").is_some();
        let size = self.number("font-size").unwrap_or(13.0);
        let width = 0.5 * size * self.text.chars().count() as f64;
        let start = match self.get("text-anchor").unwrap_or(self.anchor) {
            "middle" => -width / 2.0,
            "end" => -width,
            _ => 0.0,
        };
        let x = self.number("x").filter(|_| self.name == "text" && !turned)? + self.moved.0 + start;
        Some((x, x + width))
    }
}

fn elements(svg: &str) -> Vec<Element<'_>> {
    let (mut elements, mut groups) = (Vec::new(), vec![((0.0, 0.0), "start")]);
    for tag in svg.split('<').skip(1) {
        let (attributes, text) = tag.split_once('>').expect("a tag ends");
        let name = attributes.split([' ', '\n', '/']).next().unwrap_or_default();
        let (moved, anchor) = *groups.last().unwrap();
        if attributes == "/g" {
            groups.pop();
        }
        let element = Element { name, attributes, text: text.trim(), moved, anchor };
        if name == "g" {
            let by = element.get("transform").and_then(|text| text.strip_prefix("translate("));
            let by = by.map_or((0.0, 0.0), |text| {
                let (x, y) = text.trim_end_matches(')').split_once(',').unwrap();
                (x.parse::<f64>().unwrap(), y.parse::<f64>().unwrap())
            });
            groups.push(((moved.0 + by.0, moved.1 + by.1), element.get("text-anchor").unwrap_or(anchor)));
        }
        elements.push(element);
    }
    elements
}

/// Fails unless everything is drawn at places that are numbers, within the drawing, with short labels, in a small file.
/// Returns the labels.
#[track_caller]
fn inspect(case: &str, picture: &Display) -> Vec<String> {
    let svg = picture.content("image/svg+xml").expect("a picture is an SVG file");
    assert!(svg.len() < 300_000, "{case}: {} bytes", svg.len());
    assert!(!svg.contains("NaN") && !svg.contains("inf\""), "{case}: {svg}");
    let elements = elements(svg);
    let size: Vec<f64> =
        elements[0].get("viewBox").unwrap().split(' ').map(|number| number.parse().unwrap()).collect();
    // Half of a line that is on the border lies outside.
    let inside = |value: f64, end: f64| (-2.0..=end + 2.0).contains(&value);
    let mut texts = Vec::new();
    for element in &elements[1..] {
        for (x, y) in element.points() {
            let what = element.attributes;
            assert!(inside(x, size[2]) && inside(y, size[3]), "{case}: ({x}, {y}) of {what} in {size:?}");
        }
        if element.name == "text" {
            let label = element.text;
            assert!(label.chars().count() <= 40, "{case}: a label of {} letters: {label}", label.len());
            if let Some((start, end)) = element.span() {
                assert!(
                    inside(start, size[2]) && inside(end, size[2]),
                    "{case}: {label} from {start} to {end} in {size:?}"
                );
            }
            texts.push(label.to_string());
        }
    }
    let alt = picture.content("text/plain").expect("a picture says what it shows");
    assert!(alt.len() < 1000, "{case}: {} letters: {alt:.300}", alt.len());
    texts
}

/// Values of all sizes, by what they are.
fn values() -> Vec<(&'static str, Vec<f64>)> {
    let wave = (0..100_000).map(|at| (f64::from(at) * 0.01).sin() + 1.0);
    vec![
        ("zeros", vec![0.0; 50]),
        ("negative zero", vec![-0.0, 0.0]),
        ("one value", vec![0.37]),
        ("one zero", vec![0.0]),
        ("the same", vec![123.456; 7]),
        ("almost the same", vec![1.0, 1.0 + 1e-15]),
        ("tiny", vec![1e-30, 3e-30, 2e-30]),
        ("huge", vec![1e30, 3e30, 2e30]),
        ("tiny and huge", vec![1e-30, 1e30]),
        ("the smallest", vec![0.0, 5e-324]),
        ("the largest", vec![f64::MAX, 0.0, f64::MAX]),
        ("whole", vec![1e15, 2e15]),
        ("100,000", wave.collect()),
    ]
}

fn labels_of_chart(name: &str, values: &[f64], curve: fn(&str, &[(f64, f64)]) -> Curve) -> Vec<String> {
    let points: Vec<_> = values.iter().enumerate().map(|(at, y)| (at as f64, *y)).collect();
    let mut texts = Vec::new();
    for points in [points.clone(), points.iter().map(|(x, y)| (*y, *x)).collect()] {
        let drawn = curves("Title", "data", ["x", "y"], &[curve("name", &points)]);
        texts.extend(inspect(name, &drawn.unwrap_or_else(|error| panic!("{name}: {error}"))));
    }
    texts
}

#[test]
fn charts_of_any_values_have_short_labels_within_the_drawing() {
    let signed = values().into_iter().flat_map(|(name, values)| {
        let negative = values.iter().enumerate().map(|(at, value)| if at % 2 == 0 { -value } else { *value });
        [(name, values.clone()), (name, negative.collect())]
    });
    for (name, values) in signed {
        let labels = labels_of_chart(name, &values, Curve::at);
        assert!(labels.len() > 6, "{name}: {labels:?}");
        labels_of_chart(name, &values, Curve::dots);
    }
    let labels = labels_of_chart("zeros", &[0.0; 50], Curve::at);
    assert!(
        ["-1.0", "-0.5", "0", "0.5", "1.0"].iter().all(|tick| labels.contains(&tick.to_string())),
        "{labels:?}"
    );
    let labels = labels_of_chart("huge", &[1e30, 3e30], Curve::at);
    assert!(
        ["1.0e30", "2.0e30", "3.0e30"].iter().all(|tick| labels.contains(&tick.to_string())),
        "{labels:?}"
    );
}

#[test]
fn curves_that_are_not_finite_are_errors_that_name_the_point() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let curve = Curve::at("loss", &[(1.0, 0.5), (2.0, value)]);
        let error = curves("Title", "data", ["x", "y"], &[curve]).unwrap_err().to_string();
        assert_eq!(error, format!("point 1 of the curve \"loss\" is (2.0, {value:?}), not a finite number"));
    }
}

/// The live curves leave out what is not finite.
#[test]
fn pairs_of_charts_draw_what_is_finite() {
    for (name, values) in values() {
        let points: Vec<_> = values.iter().enumerate().map(|(at, y)| (at as f64, *y)).collect();
        let strange = [(0.0, f64::NAN), (1.0, f64::INFINITY), (2.0, f64::NEG_INFINITY)];
        for points in [points.clone(), [&points[..], &strange].concat(), strange.to_vec(), vec![]] {
            let charts = ["loss", "accuracy"].map(|axis| (axis, vec![Curve::at("training", &points)]));
            let end = values.len().max(4) as f64;
            inspect(name, &pair("Title", "what it shows", ("step", 0.0..end), charts).unwrap());
        }
    }
}

#[test]
fn rows_of_any_values_have_short_texts_within_the_drawing() {
    for (name, values) in values() {
        let few: Vec<(&str, f64)> = values.iter().take(5).map(|value| ("a name", *value)).collect();
        let texts = inspect(name, &bars("Title", "data", " s", &few).unwrap());
        assert_eq!(texts.len(), 1 + 2 * few.len(), "{name}");
        let runs = [("all", values.clone()), ("the first", vec![values[0]])];
        inspect(name, &bars_of_runs("Title", "data", " s", &runs).unwrap());
        inspect(name, &dots("Title", "data", " %", &runs).unwrap());
        let negative: Vec<f64> = values.iter().map(|value| -value).collect();
        inspect(name, &dots("Title", "data", " %", &[("negative", negative), ("all", values)]).unwrap());
    }
    let texts = |value: f64| {
        inspect("bar", &bars("Title", "data", " s", &[("name", value), ("other", 0.5)]).unwrap())
    };
    for (value, expected) in [
        (0.0, "0 s"),
        (-0.0, "0 s"),
        (1e30, "1.00e30 s"),
        (1e-30, "1.00e-30 s"),
        (0.25, "0.25 s"),
        (98.0, "98.00 s"),
    ] {
        assert!(texts(value).contains(&expected.to_string()), "{expected} in {:?}", texts(value));
    }
    let close = inspect("close", &dots("Title", "data", " MiB", &[("a", vec![1045.0, 1045.3])]).unwrap());
    assert!(close.contains(&"1045 ± 0 MiB".into()), "{close:?}");
    let tiny = inspect("tiny", &dots("Title", "data", " s", &[("a", vec![1e-30, 3e-30])]).unwrap());
    assert!(tiny.contains(&"2.00e-30 ± 1.41e-30 s".into()), "{tiny:?}");
    let zeros = inspect("zeros", &dots("Title", "data", " %", &[("a", vec![0.0, 0.0])]).unwrap());
    assert!(zeros.contains(&"0.0000 ± 0.0000 %".into()) && zeros.contains(&"0.5 %".into()), "{zeros:?}");
}

#[test]
fn rows_that_are_not_finite_are_errors_that_name_them() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = bars("Title", "data", " s", &[("a", value)]).unwrap_err().to_string();
        assert_eq!(error, format!("the bar \"a\" is {value}, not a finite number from 0 up"));
        let error = dots("Title", "data", " s", &[("a", vec![value])]).unwrap_err().to_string();
        assert_eq!(error, format!("a value of the row \"a\" is {value}, not a finite number"));
    }
}

#[test]
fn maps_of_any_values_have_a_short_scale() {
    let tensor = |values: &[f32], shape: (usize, usize, usize)| {
        Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
    };
    for (name, values, ends) in [
        ("zeros", [0.0; 4], ["0", "0"]),
        ("ones", [1.0; 4], ["0", "1.0"]),
        ("tiny", [0.0, 1e-30, 2e-30, 0.0], ["0", "2.0e−30"]),
        ("huge", [0.0, 1e30, 2e30, 1e-30], ["0", "2.0e30"]),
        ("negative zeros", [-0.0; 4], ["0", "0"]),
        ("the largest", [f32::MAX, f32::MIN, 0.0, 1.0], ["−3.4e38", "3.4e38"]),
        ("the smallest", [1e-45, -1e-45, 0.0, 0.0], ["−1.4e−45", "1.4e−45"]),
    ] {
        for (values, shape) in [(&values[..], (1, 2, 2)), (&values, (4, 1, 1)), (&values[..1], (1, 1, 1))] {
            let map = tensor(values, shape);
            let texts = inspect(name, &maps("Title", "data", &map, &[]).unwrap());
            assert!(
                shape.1 == 1 && shape.0 == 1 || ends.iter().all(|end| texts.contains(&end.to_string())),
                "{name}: {texts:?}"
            );
            inspect(name, &heat("Title", "data", &map, &map, &[]).unwrap());
            let frames = frames("Title", &[map.clone(), map.zeros_like().unwrap()]).unwrap();
            // The bar below the first map is as long as its norm is of the longest, which is its own.
            let longest = values.iter().any(|value| *value != 0.0);
            let bar = frames[0].pixels().filter(|pixel| pixel.0 == [0xdd; 3]).count();
            assert_eq!(bar > 0, longest, "{name}, {shape:?}");
            assert_eq!(frames[1].pixels().filter(|pixel| pixel.0 == [0xdd; 3]).count(), 0, "{name}");
        }
    }
    let large = Tensor::ones((10, 100, 100), candle_core::DType::F32, &Device::Cpu).unwrap();
    inspect("100,000", &maps("Title", "data", &large, &[]).unwrap());
    for value in [f32::NAN, f32::INFINITY] {
        let error = maps("Title", "data", &tensor(&[0.0, value], (1, 1, 2)), &[]).unwrap_err().to_string();
        assert_eq!(error, format!("map 0 of \"Title\" is {value} at row 0, column 1, not a finite number"));
    }
}

#[test]
fn matrices_of_any_counts_fit() {
    for counts in [[[0, 0], [0, 0]], [[1, 0], [0, 1]], [[usize::MAX; 2]; 2], [[0, usize::MAX], [1, 0]]] {
        let texts =
            inspect("matrix", &matrix("Title", "data", ["true", "guess"], &["a", "b"], &counts).unwrap());
        for count in counts.as_flattened().iter().filter(|count| **count > 0) {
            assert!(texts.contains(&count.to_string()), "{texts:?}");
        }
    }
    let one = matrix("Title", "data", ["true", "guess"], &["a"], &[[0usize]]).unwrap();
    assert!(inspect("one", &one).contains(&"0".into()));
    let most = matrix("Title", "data", ["true", "guess"], &["a", "b"], &[[usize::MAX; 2]; 2]).unwrap();
    let alt = most.content("text/plain").unwrap();
    assert!(alt.contains("36893488147419103230 of 73786976294838206460 right"), "{alt}");
}

#[test]
fn heat_maps_name_their_rows_and_columns() {
    let values =
        |values: &[f32], rows| Tensor::new(values, &Device::Cpu).unwrap().reshape((rows, ())).unwrap();
    let (rows, columns) = (["the ", "cat", "<sat>"], ["a", "quite long name"]);
    let names = [rows.map(String::from).to_vec(), columns.map(String::from).to_vec()];
    let draw = |matrix: &Tensor| {
        heat_map("Weights", "data", ["who looks", "at whom"], [&names[0], &names[1]], matrix)
    };
    for (case, numbers) in [
        ("zeros", [0.0; 6]),
        ("signed", [-3.0, 0.0, 1e-30, 2.0, 1.0, 0.5]),
        ("huge", [f32::MAX, 1.0, 0.0, 0.0, 0.0, 0.0]),
    ] {
        let texts = inspect(case, &draw(&values(&numbers, 3)).unwrap());
        for name in ["the", "cat", "&lt;sat&gt;", "a", "quite long name", "who looks", "at whom"] {
            assert!(texts.iter().any(|text| text == name), "{case}: {name} in {texts:?}");
        }
    }
    let alt = draw(&values(&[0.0, 0.25, 0.5, 0.0, 0.0, 1.0], 3)).unwrap();
    let expected = "Weights (data), who looks over at whom; the largest: 1.0 at <sat> and quite long name; 0.50 at cat and a; ";
    assert!(alt.content("text/plain").unwrap().starts_with(expected), "{:?}", alt.content("text/plain"));
}

#[test]
fn heat_maps_that_cannot_be_are_errors() {
    let matrix = Tensor::ones((2, 2), DType::F32, &Device::Cpu).unwrap();
    let fails = |rows: &[&str], matrix: &Tensor| {
        heat_map("Weights", "data", ["row", "column"], [rows, &["a", "b"]], matrix).unwrap_err().to_string()
    };
    assert_eq!(fails(&["a"], &matrix), "1 names for the 2 rows of \"Weights\"");
    let empty = matrix.narrow(0, 0, 0).unwrap();
    assert_eq!(fails(&[], &empty), "\"Weights\": no values in a tensor [0, 2]");
    let vector = matrix.flatten_all().unwrap();
    assert_eq!(fails(&["a", "b"], &vector), "\"Weights\" shows a matrix [rows, columns], not a tensor [4]");
    let infinite = (matrix / 0.0).unwrap();
    assert!(
        fails(&["a", "b"], &infinite).contains("not a finite number"),
        "{}",
        fails(&["a", "b"], &infinite)
    );
}
