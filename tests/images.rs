//! Images of a data set in the output, read as the SVG files that they are.

use crate::plots::{check, elements, embedded};
use lab::data::drawn_sized;
use lab::display::Display;
use lab::plot;

#[test]
fn digits_stand_over_their_labels() {
    let digits = drawn_sized(0, 12, 0).unwrap().train;
    let classes: Vec<String> = digits.classes().iter().map(u8::to_string).collect();
    let picture = plot::images(&digits, 0..12).unwrap();
    let label = format!("drawn digits, training: {}", classes.join("; "));
    let svg = check(&picture, &label);
    assert_eq!(picture.content("text/plain"), Some(label.as_str()));
    let texts: Vec<&str> =
        svg.split("</text>").filter_map(|part| part.rsplit('>').next()).take(13).map(str::trim).collect();
    assert_eq!(texts[0], "drawn digits, training");
    assert_eq!(texts[1..], classes);
}

#[test]
fn digits_are_the_pixels_of_their_images() {
    let digits = drawn_sized(0, 12, 0).unwrap().train;
    let svg = check(&plot::images(&digits, [3, 11]).unwrap(), &{
        format!("drawn digits, training: {}; {}", digits.classes()[3], digits.classes()[11])
    });
    let picture = embedded(&svg, 0).to_luma_alpha8();
    for (at, index) in [3, 11].into_iter().enumerate() {
        for (place, &value) in digits.image(index).iter().enumerate() {
            let (x, y) = (at * 32 + place % 28, place / 28);
            assert_eq!(picture.get_pixel(x as u32, y as u32).0, [value, 255], "image {index}, ({x}, {y})");
        }
    }
    assert_eq!(picture.get_pixel(28, 0).0, [0, 0], "between the images the page shows");
}

#[test]
fn wrong_predictions_stand_out() {
    let digits = drawn_sized(0, 0, 20).unwrap().test;
    let mut predicted: Vec<u32> = digits.classes().iter().map(|&class| u32::from(class)).collect();
    let right = digits.classes()[5];
    predicted[5] = u32::from((right + 1) % 10);
    let wrong = format!("{}, not {right}", predicted[5]);
    let label = format!("drawn digits, test: 1 of 2 wrong: {wrong}; {}", predicted[6]);
    let svg = check(&plot::predictions(&digits, [5, 6], &predicted).unwrap(), &label);
    assert_eq!(elements(&svg).iter().filter(|&&name| name == "rect").count(), 1, "one frame");
    assert!(svg.contains(&format!("font-weight=\"bold\">{wrong}</text>")), "{svg}");
}

#[test]
fn digits_that_are_not_there_are_errors() {
    let digits = drawn_sized(0, 3, 0).unwrap().train;
    let error = |result: lab::Result<Display>| result.expect_err("nothing to show").to_string();
    assert_eq!(error(plot::images(&digits, 2..4)), "no image 3 in drawn digits, training, which has 3");
    assert_eq!(error(plot::images(&digits, [])), "no images of drawn digits, training to show");
    assert!(error(plot::images(&digits, vec![0; 1001])).contains("at most 1000"));
    let unequal = error(plot::predictions(&digits, [0], &[1, 2]));
    assert_eq!(unequal, "2 predictions for the 3 images of drawn digits, training");
}
