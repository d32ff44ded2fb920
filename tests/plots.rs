//! Plots, read as the SVG files that they are.

use lab::display::Display;
use lab::plot::{self, Curve};

/// The names of the elements, after checking that each is closed and that text is escaped.
pub fn elements(svg: &str) -> Vec<&str> {
    let (mut all, mut open) = (Vec::new(), Vec::new());
    for tag in svg.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("a tag ends");
        assert!(!text.contains('>') && tag.matches('"').count() % 2 == 0, "<{tag}>{text}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name.trim()), "{svg}");
            continue;
        }
        let name = tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
        all.push(name);
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} never end");
    all
}

/// The values of an attribute, in order.
pub fn attributes<'a>(svg: &'a str, name: &str) -> Vec<&'a str> {
    svg.split(&format!(" {name}=\"")).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// What every picture must be: well-formed, labelled, in the colours of the page, of any width.
pub fn check(picture: &Display, label: &str) -> String {
    let svg = picture.content("image/svg+xml").expect("a picture is an SVG file");
    elements(svg);
    let html = picture.content("text/html").expect("a picture is an image in HTML");
    assert_eq!(attributes(html, "alt"), [label]);
    assert!(html.starts_with("<img ") && html.contains(" src=\"data:image/svg+xml;base64,"), "{html}");
    assert_eq!(attributes(svg, "role"), ["img"]);
    assert_eq!(attributes(svg, "aria-label"), [label]);
    assert_eq!(attributes(svg, "viewBox").len(), 1);
    assert!(svg.contains("currentColor") && svg.contains("max-width:100%"), "{svg}");
    let fixed = attributes(svg, "fill").iter().any(|fill| ["#010203", "#000000", "#FFFFFF"].contains(fill));
    assert!(!fixed && !svg.contains("#010203"), "{svg}");
    svg.to_string()
}

/// One of the PNG files in a picture.
pub fn embedded(svg: &str, at: usize) -> lab::image::DynamicImage {
    let png = attributes(svg, "href")[at].strip_prefix("data:image/png;base64,").expect("an embedded PNG");
    lab::image::load_from_memory(&base64(png)).unwrap()
}

pub fn base64(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let values = text.bytes().filter_map(|letter| alphabet.iter().position(|&other| other == letter));
    let bits: Vec<usize> = values.flat_map(|value| (0..6).rev().map(move |bit| value >> bit & 1)).collect();
    bits.chunks_exact(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | *bit as u8)).collect()
}

#[test]
fn curves_have_all_their_points_in_place() {
    let curves =
        [Curve::new("falls", &[2.0, 1.0, 0.5]), Curve::at("<rises> & \"more\"", &[(1.0, 0.0), (3.0, 2.0)])];
    let picture = plot::curves("Loss", "drawn digits", ["step", "loss"], &curves).unwrap();
    let label = "Loss (drawn digits), loss over step: falls ends at 0.5000; \
                 &lt;rises&gt; &amp; &quot;more&quot; ends at 2.0000";
    let svg = check(&picture, label);
    let lines: Vec<Vec<(f64, f64)>> = attributes(&svg, "points")
        .iter()
        .map(|points| {
            let numbers = points.split([',', ' ']).filter_map(|number| number.parse().ok());
            let numbers: Vec<f64> = numbers.collect();
            numbers.chunks(2).map(|point| (point[0], point[1])).collect()
        })
        .collect();
    let falls = lines.iter().find(|line| line.len() == 3).expect("a line of three points");
    let near = |a: f64, b: f64| (a - b).abs() <= 2.0;
    assert!(near(falls[1].0 - falls[0].0, falls[2].0 - falls[1].0), "equal steps: {falls:?}");
    assert!(near(falls[1].1 - falls[0].1, 2.0 * (falls[2].1 - falls[1].1)), "half the fall: {falls:?}");
    let rises = lines
        .iter()
        .find(|line| line.len() == 2 && line[0] == (falls[0].0, line[0].1) && line[1].0 == falls[2].0);
    let rises = rises.expect("a line of two points over the same steps");
    assert!(near(rises[1].1, falls[0].1) && rises[0].1 > falls[2].1, "{rises:?} and {falls:?}");
    for text in ["falls", "&lt;rises&gt; &amp; ", "step", "loss", "Loss (drawn digits)"] {
        assert!(svg.contains(text), "{text} in {svg}");
    }
}

#[test]
fn curves_of_one_point_or_one_value_are_drawn_too() {
    for values in [vec![1.0], vec![0.0; 40], vec![f32::MAX, f32::MIN]] {
        let picture =
            plot::curves("Loss", "MNIST", ["step", "loss"], &[Curve::new("flat", &values)]).unwrap();
        elements(picture.content("image/svg+xml").unwrap());
    }
}

/// WCAG's contrast, 3:1 being what it asks of graphics.
#[test]
fn colors_are_visible_on_light_and_on_dark() {
    let curves: Vec<Curve> = (0..6).map(|at| Curve::new(&at.to_string(), &[at as f32, 1.0])).collect();
    let picture = plot::curves("Loss", "MNIST", ["step", "loss"], &curves).unwrap();
    let svg = picture.content("image/svg+xml").unwrap();
    let mut colors: Vec<_> =
        attributes(svg, "stroke").into_iter().filter_map(|color| color.strip_prefix('#')).collect();
    colors.sort();
    colors.dedup();
    assert_eq!(colors.len(), 6, "{colors:?}");
    // White exported pages do not tell pictures that they are white.
    assert!(svg.contains("(prefers-color-scheme:dark){svg{color:#eee;background:#111}}"), "{svg:.600}");
    let luminance = |color: &str| -> f64 {
        let channel = |at: usize| f64::from(u8::from_str_radix(&color[at..at + 2], 16).unwrap()) / 255.0;
        let linear =
            |value: f64| if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
        0.2126 * linear(channel(0)) + 0.7152 * linear(channel(2)) + 0.0722 * linear(channel(4))
    };
    for color in colors {
        let (on_white, on_dark) =
            (1.05 / (luminance(color) + 0.05), (luminance(color) + 0.05) / (luminance("111111") + 0.05));
        assert!(on_white >= 3.0 && on_dark >= 3.0, "#{color}: {on_white:.2} on white, {on_dark:.2} on dark");
    }
}

#[test]
fn curves_that_are_none_are_errors() {
    let error = |curves: &[Curve]| {
        plot::curves("Loss", "MNIST", ["step", "loss"], curves).expect_err("nothing to draw").to_string()
    };
    assert_eq!(error(&[]), "no curves to draw in \"Loss\"");
    assert_eq!(error(&[Curve::new("a", &[])]), "the curve \"a\" has no points");
    let not_a_number = error(&[Curve::new("a", &[1.0, f32::NAN])]);
    assert_eq!(not_a_number, "point 1 of the curve \"a\" is (2.0, NaN), not a finite number");
    assert!(error(&[Curve::at("a", &[(f64::INFINITY, 0.0)])]).contains("point 0"));
}

#[test]
fn bars_are_as_long_as_their_values_say() {
    let picture =
        plot::bars("Time", "MNIST", " s", &[("candle", 98.0), ("burn", 49.0), ("none", 0.0)]).unwrap();
    let svg = check(&picture, "Time (MNIST): candle 98 s; burn 49 s; none 0 s");
    let bars =
        svg.split("<rect").skip(1).filter_map(|bar| attributes(bar, "width").first()?.parse::<f64>().ok());
    let bars: Vec<f64> = bars.collect();
    assert!(bars[0] > 500.0 && (bars[1] * 2.0 - bars[0]).abs() <= 1.0 && bars[2] == 0.0, "{bars:?}");
    for text in ["98 s", "candle", "Time (MNIST)"] {
        assert!(svg.contains(text), "{text} in {svg}");
    }
}

#[test]
fn dots_in_a_chart_are_not_joined() {
    let (line, dots) =
        (Curve::at("line", &[(0.0, 0.0), (4.0, 8.0)]), Curve::dots("dots", &[(1.0, 2.0), (3.0, 6.0)]));
    let picture = plot::curves("Both", "MNIST", ["x", "y"], &[line, dots]).unwrap();
    let svg = check(&picture, "Both (MNIST), y over x: line ends at 8.0000; dots ends at 6.0000");
    let filled: Vec<&str> =
        svg.split("<circle").skip(1).filter(|dot| attributes(dot, "fill")[0] != "none").collect();
    assert_eq!(filled.len(), 2);
    assert_eq!(svg.matches("#D55E00").count(), 3, "two dots and the legend: {svg}");
}

#[test]
fn bars_of_several_runs_end_at_the_mean_and_tell_the_spread() {
    let runs = [("a: x", vec![98.0, 99.0, 100.0]), ("b", vec![50.0]), ("a: y", vec![100.0, 100.0])];
    let picture = plot::bars_of_runs("Score", "MNIST", " %", &runs).unwrap();
    let label = "Score (MNIST), ± one standard deviation of 2 to 3 seeds: \
                 a: x 99.00 ± 1.00 %; b 50.00 %; a: y 100.0 ± 0.0 %";
    let svg = check(&picture, label);
    assert!(svg.contains(">\n± one standard deviation of 2 to 3 seeds\n<"), "the caption: {svg}");
    let bars: Vec<&str> = svg.split("<rect").skip(1).collect();
    let width = |bar: &str| attributes(bar, "width")[0].parse::<f64>().unwrap();
    assert_eq!(bars.len(), 3);
    assert!((width(bars[0]) / width(bars[2]) - 0.99).abs() < 0.005, "{svg}");
    assert!((width(bars[1]) / width(bars[2]) - 0.5).abs() < 0.005, "{svg}");
    let color = |bar: &str| attributes(bar, "fill")[0].to_string();
    assert!(
        color(bars[0]) == color(bars[2]) && color(bars[0]) != color(bars[1]),
        "by what stands before the colon"
    );
}

#[test]
fn dots_lie_where_their_values_are() {
    let runs = [("a", vec![98.0, 99.0]), ("b", vec![98.5])];
    let svg = check(&plot::dots("Score", "MNIST", " %", &runs).unwrap(), {
        "Score (MNIST), ± one standard deviation of 2 seeds: a 98.50 ± 0.71 %; b 98.50 %"
    });
    let places: Vec<f64> = attributes(&svg, "cx").iter().map(|x| x.parse().unwrap()).collect();
    assert_eq!(places.len(), 3);
    assert!(
        (places[2] - (places[0] + places[1]) / 2.0).abs() <= 1.0 && places[1] > places[0] + 100.0,
        "{places:?}"
    );
    for tick in ["98.0 %", "98.5 %", "99.0 %"] {
        assert!(svg.contains(&format!(">\n{tick}\n<")), "no {tick} in {svg}");
    }
    let error = |runs: &[(&str, Vec<f64>)]| plot::dots("Score", "MNIST", " %", runs).unwrap_err().to_string();
    assert_eq!(error(&[]), "no dots to draw in \"Score\"");
    assert_eq!(error(&[("a", vec![])]), "the row \"a\" has no values");
    assert_eq!(error(&[("a", vec![f64::NAN])]), "a value of the row \"a\" is NaN, not a finite number");
    // Equal values share a dot in the middle of an axis around them.
    let svg = check(&plot::dots("Score", "MNIST", " %", &[("a", vec![0.0, 0.0])]).unwrap(), {
        "Score (MNIST), ± one standard deviation of 2 seeds: a 0.0000 ± 0.0000 %"
    });
    assert_eq!(attributes(&svg, "cx").len(), 1);
    for tick in ["-1.0 %", "0 %", "1.0 %"] {
        assert!(svg.contains(&format!(">\n{tick}\n<")), "no {tick} in {svg}");
    }
}

/// The length of an error bar and where its middle is, by the numbers of its points.
fn error_bars(svg: &str) -> Vec<(f64, f64)> {
    let points = attributes(svg, "points").into_iter().map(|points| {
        let numbers = points.split([' ', ',']).filter_map(|number| number.parse().ok());
        numbers.collect::<Vec<f64>>()
    });
    // The only lines that go from left to right.
    let lines = points
        .filter(|points| matches!(points[..], [left, top, right, bottom] if left < right && top == bottom));
    lines.map(|points| (points[2] - points[0], (points[2] + points[0]) / 2.0)).collect()
}

#[test]
fn error_bars_are_one_standard_deviation_long_on_either_side_of_the_mean() {
    // The standard deviations, divided by n - 1, are 1 and 2.
    let runs = [("a", vec![9.0, 10.0, 11.0]), ("b", vec![18.0, 20.0, 22.0]), ("c", vec![5.0])];
    let picture = plot::bars_of_runs("Time", "MNIST", " s", &runs).unwrap();
    let svg = picture.content("image/svg+xml").unwrap();
    let bars = svg.split("<rect").skip(1);
    let bars: Vec<[f64; 2]> =
        bars.map(|bar| ["x", "width"].map(|name| attributes(bar, name)[0].parse().unwrap())).collect();
    let lines = error_bars(svg);
    assert_eq!((bars.len(), lines.len()), (3, 2), "a bar of one value has no error bar");
    for ((length, middle), [start, width]) in lines.into_iter().zip(bars) {
        assert!((middle - (start + width)).abs() <= 1.0, "{middle}, {start} + {width}");
        // A tenth of the bar on either side.
        assert!((length - 0.2 * width).abs() <= 2.0, "{length}, {width}");
    }
    let picture = plot::dots("Time", "MNIST", " s", &runs).unwrap();
    let svg = picture.content("image/svg+xml").unwrap();
    let (dots, lines) = (attributes(svg, "cx"), error_bars(svg));
    let dots: Vec<f64> = dots.into_iter().map(|x| x.parse().unwrap()).collect();
    assert_eq!((dots.len(), lines.len()), (7, 2));
    for ((length, middle), dots) in lines.into_iter().zip(dots.chunks(3)) {
        assert!((middle - dots[1]).abs() <= 1.0 && (length - (dots[2] - dots[0])).abs() <= 2.0, "{dots:?}");
    }
}

#[test]
fn errors_are_what_accuracies_lack_and_stand_by_framework() {
    let accuracies = [
        ("TensorFlow 2: own loop", vec![98.5]),
        ("Burn: Module", vec![98.0, 99.5]),
        ("TensorFlow: functions", vec![99.25]),
    ];
    let svg = check(&plot::errors("Test error", "MNIST", &accuracies).unwrap(), {
        "Test error (MNIST), ± one standard deviation of 2 seeds: \
         TensorFlow 2: own loop 1.50 %; TensorFlow: functions 0.75 %; Burn: Module 1.25 ± 1.06 %"
    });
    let dots: Vec<[f64; 2]> = svg
        .split("<circle")
        .skip(1)
        .map(|dot| ["cx", "cy"].map(|name| attributes(dot, name)[0].parse().unwrap()))
        .collect();
    let [first, second, low, high] = dots[..] else { panic!("{dots:?}") };
    // Of 1.5, 0.75, 2 and 0.5 %.
    let scale = (low[0] - high[0]) / 1.5;
    assert!((first[0] - high[0] - scale).abs() <= 1.0 && (second[0] - high[0] - 0.25 * scale).abs() <= 1.0);
    assert!(low[1] - second[1] > 60.0 && second[1] - first[1] == 60.0, "room between frameworks: {dots:?}");
    let error = |value: f64| plot::errors("Error", "MNIST", &[("a", vec![value])]).unwrap_err().to_string();
    assert_eq!(error(100.5), "an accuracy of the row \"a\" is 100.5, not a percentage from 0 to 100");
    assert_eq!(error(f64::NAN), "a value of the row \"a\" is NaN, not a finite number");
}

#[test]
fn a_framework_has_the_same_colour_in_every_chart() {
    let colors = |picture: Display| {
        let svg = picture.content("image/svg+xml").unwrap().to_string();
        ["#D55E00", "#CC79A7"].map(|color| svg.contains(color))
    };
    let runs = [("Burn: Module", vec![98.0]), ("PyTorch: Module", vec![98.5])];
    for runs in [&runs[..], &runs[..1], &runs[1..]] {
        let has = ["Burn", "PyTorch"].map(|name| runs.iter().any(|(other, _)| other.starts_with(name)));
        let curves: Vec<Curve> = runs.iter().map(|(name, _)| Curve::new(name, &[1.0, 2.0])).collect();
        assert_eq!(colors(plot::bars_of_runs("Score", "MNIST", " %", runs).unwrap()), has);
        assert_eq!(colors(plot::dots("Score", "MNIST", " %", runs).unwrap()), has);
        assert_eq!(colors(plot::errors("Score", "MNIST", runs).unwrap()), has);
        assert_eq!(colors(plot::curves("Score", "MNIST", ["x", "y"], &curves).unwrap()), has);
    }
}

#[test]
fn names_that_do_not_fit_into_a_row_of_the_legend_go_into_another() {
    let names = ["all parts", "without shortcuts", "without batch norm", "without augmentation"];
    let curves = names.map(|name| Curve::new(name, &[2.0, 1.0]));
    let picture = plot::curves_logarithmic("Loss", "MNIST", ["epoch", "loss"], &curves).unwrap();
    let svg = picture.content("image/svg+xml").unwrap();
    let place = |name: &str| {
        let before = svg.split(&format!("{name}\n</text>")).next().unwrap();
        let tag = before.rsplit("<text ").next().unwrap();
        let number = |key: &str| -> i32 {
            tag.split(&format!("{key}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
        };
        (number("x"), number("y"))
    };
    let places = names.map(place);
    assert!(
        places[..3].iter().all(|(_, y)| *y == places[0].1) && places[3].1 == places[0].1 + 50,
        "{places:?}"
    );
    // The picture is 1,280 units wide, and a letter about 15.
    for (name, (x, _)) in names.iter().zip(places) {
        assert!(x >= 0 && x + 15 * name.len() as i32 <= 1280, "{name} at {x}");
    }
}

#[test]
fn equal_ratios_are_equal_distances_on_a_logarithmic_axis() {
    let falls = [Curve::new("loss", &[10.0, 0.1, 0.001])];
    let picture = plot::curves_logarithmic("Loss", "MNIST", ["step", "loss"], &falls).unwrap();
    let svg = check(&picture, "Loss (MNIST), loss over step: loss ends at 0.0010");
    let line = attributes(&svg, "points").into_iter().find(|points| points.split_whitespace().count() == 3);
    let heights: Vec<f64> = line
        .expect("a line of three points")
        .split_whitespace()
        .map(|point| point.split_once(',').unwrap().1.parse().unwrap())
        .collect();
    let steps = [heights[1] - heights[0], heights[2] - heights[1]];
    assert!(steps[0] > 100.0 && (steps[0] - steps[1]).abs() <= 2.0, "{heights:?}");
    for tick in ["0.001", "0.01", "0.1", "1", "10"] {
        assert!(svg.contains(&format!(">\n{tick}\n<")), "no {tick} in {svg}");
    }
    let zero = [Curve::new("loss", &[1.0, 0.0])];
    let error = plot::curves_logarithmic("Loss", "MNIST", ["step", "loss"], &zero).unwrap_err().to_string();
    assert_eq!(error, "point 1 of the curve \"loss\" is 0, which has no place on a logarithmic axis");
}

#[test]
fn contour_lines_lie_under_the_curves() {
    let bowl = |x: f64, y: f64| x * x + y * y;
    let path = [Curve::at("path", &[(-1.0, 0.5), (0.0, 0.25), (2.0, 0.0)])];
    let map = |ranges| plot::contours("Bowl", ["x", "y"], ranges, bowl, &path);
    let picture = map([-1.0..1.0, -1.0..1.0]).unwrap();
    let label = "Bowl, y over x, contour lines: path ends at (2.0000, 0.0000)";
    let svg = check(&picture, label);
    let lines: Vec<usize> =
        attributes(&svg, "points").iter().map(|points| points.split_whitespace().count()).collect();
    assert_eq!(lines.iter().filter(|&&points| points == 3).count(), 1, "the path: {lines:?}");
    assert!(lines.iter().filter(|&&points| points > 20).count() >= 9, "nine levels: {lines:?}");
    assert_eq!(attributes(&svg, "cx").len(), 3, "a dot for each point of the path");
    assert!(svg.len() < 100_000, "{} bytes", svg.len());
    assert!(
        map([1.0..f64::NAN, -1.0..1.0])
            .unwrap_err()
            .to_string()
            .contains("must each go from a number to a larger one")
    );
    let pole = plot::contours("Pole", ["x", "y"], [0.0..1.0, 0.0..1.0], |x, y| 1.0 / (x + y), &[]);
    assert!(pole.unwrap_err().to_string().contains("\"Pole\" is not finite everywhere"));
}

#[test]
fn bars_that_cannot_be_are_errors() {
    let error =
        |values: &[(&str, f64)]| plot::bars("Time", "MNIST", " s", values).expect_err("no bars").to_string();
    assert_eq!(error(&[]), "no bars to draw in \"Time\"");
    for value in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(error(&[("good", 1.0), ("bad", value)]).contains("the bar \"bad\" is"), "{value}");
    }
}

#[test]
fn a_long_name_leaves_room_for_its_bar() {
    let long = format!("{} rest", "ä".repeat(40));
    let picture = plot::bars("Time", "MNIST", " s", &[(&long, 1.0)]).unwrap();
    let svg = check(&picture, &format!("Time (MNIST): {long} 1 s"));
    assert!(svg.contains(&format!("{}…\n", "ä".repeat(40))), "{svg}");
}
