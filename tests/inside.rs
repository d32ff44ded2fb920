//! The pictures of what a network holds, to the pixel, and the notebook that shows them.

use crate::plots::{attributes, check, elements, embedded};
use crate::run::{notebook, run, text_of};
use lab::candle_core::{DType, Device, Tensor};
use lab::data::drawn_sized;
use lab::plot;
use serde_json::Value;

fn tensor(values: &[f32], shape: (usize, usize, usize)) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
}

fn error<T>(result: lab::Result<T>) -> String {
    result.err().expect("nothing to show").to_string()
}

#[test]
fn signed_maps_are_transparent_at_0_and_share_a_scale() {
    let filters = tensor(&[1.0, 0.0, -2.0, 0.5, 4.0, 0.0, 0.0, -4.0], (2, 2, 2));
    let captions = ["a".to_string(), "<b>".to_string()];
    let picture = plot::maps("Filters", "MNIST", &filters, &captions).unwrap();
    let svg = check(&picture, "Filters (MNIST), 2 of 2 x 2, from −4.0 to 4.0: a; &lt;b&gt;");
    let picture = embedded(&svg, 0).to_rgba8();
    // Each value has 49 CSS pixels, and the gap is as wide as one: all maps, and the frame of the first.
    assert_eq!(attributes(&svg, "width")[..2], ["294", "98"]);
    assert_eq!(picture.dimensions(), (6, 3));
    let (orange, blue) = ([0xd5, 0x5e, 0x00], [0x00, 0x72, 0xb2]);
    let color = |[r, g, b]: [u8; 3], opacity| [r, g, b, opacity];
    let expected = [
        ((0, 0), color(orange, 97)),
        ((1, 0), color(orange, 0)),
        ((0, 1), color(blue, 157)),
        ((1, 1), color(orange, 61)),
        ((2, 0), [0; 4]),
        ((3, 0), color(orange, 255)),
        ((4, 1), color(blue, 255)),
    ];
    for ((x, y), color) in expected {
        assert_eq!(picture.get_pixel(x, y).0, color, "({x}, {y})");
    }
    let scale = embedded(&svg, 1).to_rgba8();
    let ends = [0, 50, 100].map(|x| scale.get_pixel(x, 0).0);
    assert_eq!(ends, [color(blue, 255), color(orange, 0), color(orange, 255)]);
    for text in [">−4.0</text>", ">4.0</text>", ">a</text>", ">&lt;b&gt;</text>"] {
        assert!(svg.contains(text), "{text} in {svg}");
    }
}

#[test]
fn maps_without_negative_values_rise_from_dark_to_bright() {
    let features = tensor(&[0.0, 2.0, 4.0, 6.0, 8.0, 0.5], (1, 2, 3));
    let svg = check(
        &plot::maps("After ReLU", "MNIST", &features, &[]).unwrap(),
        "After ReLU (MNIST), 1 of 2 x 3, from 0 to 8.0",
    );
    let picture = embedded(&svg, 0).to_rgba8();
    let row = |y| [0, 1, 2].map(|x| picture.get_pixel(x, y).0);
    let viridis = |color: u32| (color << 8 | 0xff).to_be_bytes();
    assert_eq!(row(0), [viridis(0x440154), viridis(0x3b528b), viridis(0x21918c)]);
    assert_eq!(row(1), [viridis(0x5ec962), viridis(0xfde725), [0x45, 0x16, 0x67, 0xff]]);
    // Nothing but zeros has a colour too.
    let nothing =
        plot::maps("Silent", "MNIST", &Tensor::zeros((1, 1, 1), DType::F32, &Device::Cpu).unwrap(), &[]);
    let svg = check(&nothing.unwrap(), "Silent (MNIST), 1 of 1 x 1, from 0 to 0");
    assert_eq!(embedded(&svg, 0).to_rgba8().get_pixel(0, 0).0, viridis(0x440154));
}

#[test]
fn maps_stand_in_even_rows_that_fit_the_page() {
    for (shape, size) in [
        ((32, 3, 3), [640, 320]),
        ((32, 26, 26), [480, 240]),
        ((64, 5, 5), [624, 624]),
        ((64, 12, 24), [648, 360]),
        ((10, 28, 28), [600, 240]),
        ((1, 400, 300), [308, 408]),
    ] {
        let picture =
            plot::maps("Maps", "MNIST", &Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap(), &[]);
        let picture = picture.unwrap();
        let svg = picture.content("image/svg+xml").unwrap();
        let numbers: [u32; 2] =
            [attributes(svg, "width")[0], attributes(svg, "height")[0]].map(|n| n.parse().unwrap());
        assert_eq!(numbers, size, "{shape:?}");
    }
}

#[test]
fn maps_that_cannot_be_shown_are_errors() {
    let error = |maps: &Tensor, captions: &[String]| error(plot::maps("Maps", "MNIST", maps, captions));
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    assert_eq!(
        error(&zeros(&[32, 1, 3, 3]), &[]),
        "\"Maps\" shows maps [n, height, width], not a tensor [32, 1, 3, 3]"
    );
    assert_eq!(error(&zeros(&[0, 3, 3]), &[]), "\"Maps\": no values in a tensor [0, 3, 3]");
    assert_eq!(error(&zeros(&[2, 0, 3]), &[]), "\"Maps\": no values in a tensor [2, 0, 3]");
    assert!(error(&zeros(&[1001, 1, 1]), &[]).contains("at most 1000"));
    assert_eq!(error(&zeros(&[2, 3, 3]), &["a".into()]), "1 captions for 2 maps in \"Maps\"");
    let bad = tensor(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, f32::NAN, 7.0], (2, 2, 2));
    assert_eq!(error(&bad, &[]), "map 1 of \"Maps\" is NaN at row 1, column 0, not a finite number");
}

/// A digit of one pixel has an outline of its four sides; the heat is that of signed maps even where none is negative.
#[test]
fn heat_lies_over_the_outline_of_the_digit() {
    let digit = tensor(&[0.1, 0.2, 0.0, 0.2, 0.9, 0.3, 0.0, 0.4, 0.0], (1, 3, 3));
    let warm = tensor(&[0.0, 0.0, 0.0, 0.0, 1.0, 0.5, 0.0, 0.0, 0.0], (1, 3, 3));
    let picture = plot::heat("Looks", "MNIST", &warm, &digit, &[]).unwrap();
    let svg = check(&picture, "Looks (MNIST), 1 of 3 x 3, from 0 to 1.0");
    let mut sides: Vec<&str> = attributes(&svg, "d")[0].split('M').skip(1).collect();
    sides.sort();
    assert_eq!(sides, ["37 37h37", "37 37v37", "37 74h37", "74 37v37"]);
    let picture = embedded(&svg, 0).to_rgba8();
    assert_eq!(picture.get_pixel(1, 1).0, [0xd5, 0x5e, 0x00, 255]);
    assert_eq!(picture.get_pixel(2, 1).0, [0xd5, 0x5e, 0x00, 157]);
    assert_eq!(picture.get_pixel(0, 0).0[3], 0);
    let blank = Tensor::zeros((1, 3, 3), DType::F32, &Device::Cpu).unwrap();
    let svg = check(&plot::heat("Looks", "MNIST", &blank, &blank, &[]).unwrap(), {
        "Looks (MNIST), 1 of 3 x 3, from 0 to 0"
    });
    assert_eq!(attributes(&svg, "d"), [""], "a blank image has no outline");
    let unequal = error(plot::heat("Looks", "MNIST", &warm, &digit.squeeze(0).unwrap(), &[]));
    assert_eq!(unequal, "heat [1, 3, 3] over digits [3, 3] in \"Looks\"");
}

#[test]
fn a_frame_has_the_maps_and_their_norms_in_one_scale() {
    let steps = [tensor(&[3.0, 4.0], (1, 1, 2)), tensor(&[0.0, -10.0], (1, 1, 2))];
    let frames = plot::frames("Filters", &steps).unwrap();
    assert_eq!(frames.len(), 2);
    // Each value is 49 pixels wide; a bar follows 4 pixels below, and 8 are the margin.
    let bar = 8 + 49 + 4 + 2;
    let colors = |frame: usize| [20, 100].map(|x| frames[frame].get_pixel(x, 20).0);
    let part = |color: [u8; 3], share: f32| {
        color.map(|value| (17.0 + share * (f32::from(value) - 17.0)).round() as u8)
    };
    let (orange, blue) = ([0xd5, 0x5e, 0x00], [0x00, 0x72, 0xb2]);
    // The opacity is a byte.
    assert_eq!(colors(0), [part(orange, 110.0 / 255.0), part(orange, 134.0 / 255.0)]);
    assert_eq!(colors(1), [[17; 3], blue]);
    let filled =
        |frame: usize| frames[frame].rows().nth(bar).unwrap().filter(|pixel| pixel.0 == [0xdd; 3]).count();
    assert_eq!((filled(0), filled(1)), (49, 98), "norms of 5 and of 10");

    assert_eq!(error(plot::frames("Filters", &[])), "no steps to draw in \"Filters\"");
    let other = [steps[0].clone(), tensor(&[1.0], (1, 1, 1))];
    assert_eq!(
        error(plot::frames("Filters", &other)),
        "step 1 of \"Filters\" has the shape [1, 1, 1], but the first has [1, 1, 2]"
    );
}

#[test]
fn frames_of_many_values_have_few_colors() {
    let values: Vec<f32> = (0..3000).map(|at| (at as f32 * 0.7).sin()).collect();
    let frames = plot::frames("Filters", &[tensor(&values, (30, 10, 10))]).unwrap();
    let colors: std::collections::HashSet<[u8; 3]> = frames[0].pixels().map(|pixel| pixel.0).collect();
    assert!((150..=256).contains(&colors.len()), "{} colours", colors.len());
}

#[test]
fn a_confusion_has_the_color_of_its_number_and_the_diagonal_none() {
    let counts = [[90, 4, 0], [1, 80, 0], [0, 2, 70]];
    let picture =
        plot::matrix("Confusions", "MNIST", ["label", "prediction"], &["cat", "dog", "<emu>"], &counts);
    let svg = check(&picture.unwrap(), {
        "Confusions (MNIST): 240 of 247 right; 4 of cat taken for dog; 2 of &lt;emu&gt; taken for dog; \
         1 of dog taken for cat"
    });
    assert_eq!(attributes(&svg, "fill-opacity"), ["0.70", "0.25", "0.40"]);
    assert_eq!(elements(&svg).iter().filter(|&&name| name == "rect").count(), 6, "zeros are left out");
    for text in [">90</text>", ">4</text>", ">label</text>", ">prediction</text>", ">&lt;emu&gt;</text>"] {
        assert!(svg.contains(text), "{text} in {svg}");
    }
    let right =
        plot::matrix("None wrong", "MNIST", ["label", "prediction"], &[0, 1], &[[5, 0], [0, 6]]).unwrap();
    assert!(attributes(&check(&right, "None wrong (MNIST): 11 of 11 right"), "fill-opacity").is_empty());
}

#[test]
fn matrices_that_are_not_square_are_errors() {
    let error =
        |names: &[u8], counts: &[Vec<usize>]| error(plot::matrix("M", "MNIST", ["a", "b"], names, counts));
    assert_eq!(error(&[], &[]), "no names for the matrix \"M\"");
    assert_eq!(error(&[0, 1], &[vec![1, 2]]), "1 rows for the 2 names of \"M\"");
    assert_eq!(error(&[0, 1], &[vec![1, 2], vec![1]]), "row 1 of \"M\" has 1 columns for 2 names");
}

#[test]
fn digits_have_captions_of_several_lines() {
    let digits = drawn_sized(0, 0, 5).unwrap().test;
    let captions = ["one\ntwo lines".to_string(), "a & b".to_string()];
    let picture = plot::captioned("Worst", &digits, [4, 2], &captions).unwrap();
    let svg = check(&picture, "Worst (drawn digits, test): one, two lines; a &amp; b");
    // Four times as large; the second starts a cell further.
    let picture = embedded(&svg, 0).to_luma_alpha8();
    for (at, index) in [4, 2].into_iter().enumerate() {
        let middle = picture.get_pixel(at as u32 * 30 + 14, 14).0;
        assert_eq!(middle, [digits.image(index)[14 * 28 + 14], 255]);
    }
    assert!(svg.contains(">two lines</text>") && svg.contains(">a &amp; b</text>"), "{svg}");
    let few = error(plot::captioned("Worst", &digits, [1, 2, 3], &captions));
    assert_eq!(few, "2 captions for 3 images in \"Worst\"");
    assert!(error(plot::captioned("Worst", &digits, [5], &captions[..1])).contains("no image 5"));
}

/// The titles of all pictures of a notebook: what stands for them where they cannot be seen.
fn titles(executed: &Value) -> Vec<String> {
    let outputs = executed["cells"].as_array().unwrap().iter().filter_map(|cell| cell["outputs"].as_array());
    let pictures = outputs.flatten().filter(|output| output["data"]["text/html"].is_array());
    let title = |output: &Value| output["data"]["text/plain"][0].as_str().unwrap_or_default().to_owned();
    pictures.map(title).collect()
}

#[test]
fn the_notebook_shows_the_inside_of_the_network() {
    let out = tempfile::tempdir().unwrap();
    let sizes = ["-p", "TRAIN_IMAGES", "2000", "-p", "TEST_IMAGES", "1000", "-p", "EPOCHS", "1"];
    let arguments = [&["notebooks/11_inside_the_network.ipynb"][..], &sizes].concat();
    let output = run(&arguments, out.path(), &[("TAPER_OFFLINE", "1")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let executed = notebook(&out.path().join("11_inside_the_network.ipynb"));
    let texts: String = executed["cells"].as_array().unwrap().iter().map(text_of).collect();
    assert!(texts.contains("17 snapshots, one every 1 steps"), "{texts}");
    assert!(texts.contains("largest difference 0.0000"), "one by one as in one: {texts}");
    // A look after the first step, and one after the last.
    let player = executed["cells"].as_array().unwrap().iter().any(|cell| {
        let outputs = cell["outputs"].to_string();
        outputs.contains("data-drawings=")
            && outputs.contains("after 1 step: ")
            && outputs.contains("after 16 steps: ")
    });
    assert!(player, "the training can be played back");
    let titles = titles(&executed);
    for expected in [
        "Layer 1 before training",
        "Layer 2 before training",
        "Training",
        "Layer 1 after training",
        "Layer 2 after training",
        "[Four filters of layer 2 during training]",
        "Norms of the weights",
        "The digit",
        "After convolution 1 and ReLU",
        "After pool 1",
        "After convolution 2 and ReLU",
        "After pool 2",
        "Probabilities of the digit",
        "Confusions",
        "The worst mistakes",
        "Fall of the label's probability",
        "Gradient of the label's logit",
        "A ",
        "[a pad to draw a digit on]",
    ] {
        let found = titles.iter().filter(|title| title.starts_with(expected)).count();
        assert!(found > 0, "no \"{expected}\" in {titles:#?}");
    }
}
