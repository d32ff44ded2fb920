//! Frames become an animated PNG with a player around it.

use crate::jupyterlab::chromium;
use crate::plots::{attributes, base64};
use crate::python::program;
use crate::support::root;
use lab::animate::{Player, player};
use lab::display::Display;
use lab::image::codecs::png::PngDecoder;
use lab::image::{self, AnimationDecoder, Rgb, RgbImage};
use std::io::Cursor;
use std::path::Path;

/// The file of a data URI in an attribute of the only element that has it.
fn file(display: &Display, attribute: &str) -> Vec<u8> {
    let html = display.content("text/html").expect("a player is HTML");
    let uri = attributes(html, attribute)[0];
    base64(uri.strip_prefix("data:image/png;base64,").expect("an embedded PNG"))
}

/// The data of the chunks of one type.
fn chunks<'a>(file: &'a [u8], wanted: &str) -> Vec<&'a [u8]> {
    let (mut found, mut at) = (Vec::new(), 8);
    while at < file.len() {
        let data = at + 8..at + 8 + u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        if &file[at + 4..at + 8] == wanted.as_bytes() {
            found.push(&file[data.clone()]);
        }
        at = data.end + 4;
    }
    found
}

fn decoded(file: &[u8]) -> Vec<(RgbImage, (u32, u32))> {
    let frames = PngDecoder::new(Cursor::new(file)).unwrap().apng().unwrap().into_frames();
    let frames = frames.map(|frame| frame.unwrap());
    frames
        .map(|frame| {
            let delay = frame.delay().numer_denom_ms();
            (image::DynamicImage::from(frame.into_buffer()).to_rgb8(), delay)
        })
        .collect()
}

/// Frames with a pattern of their own each, in `colors` colours altogether.
fn frames(count: u32, width: u32, height: u32, colors: u32) -> Vec<RgbImage> {
    let color = |n: u32, x: u32, y: u32| {
        let color = (n * 31 + x * 7 + y * width) % colors;
        Rgb([(color % 256) as u8, (color / 256) as u8, 200])
    };
    (0..count).map(|n| RgbImage::from_fn(width, height, |x, y| color(n, x, y))).collect()
}

#[test]
fn every_frame_is_there_in_order_to_the_pixel() {
    for (colors, kind, palette) in [(2, 3, Some(6)), (256, 3, Some(768)), (257, 2, None)] {
        let given = frames(7, 40, 30, colors);
        let file = file(&player(&given, 4.0).unwrap(), "src");
        let header = chunks(&file, "IHDR")[0];
        assert_eq!(header[8..10], [8, kind], "8 bits of an indexed or an RGB image for {colors} colours");
        assert_eq!(chunks(&file, "PLTE").first().map(|palette| palette.len()), palette);
        assert_eq!(chunks(&file, "acTL"), [[0, 0, 0, 7, 0, 0, 0, 0]], "7 frames, repeated without end");
        assert_eq!(chunks(&file, "fcTL").len(), 7);
        let decoded = decoded(&file);
        assert_eq!(decoded.len(), 7);
        for ((frame, delay), given) in decoded.iter().zip(&given) {
            assert!(frame == given && *delay == (250, 1), "{colors} colours, {delay:?}");
        }
    }
}

#[test]
fn every_frame_is_whole() {
    // Two frames alike, which an encoder could join, and two that differ in one pixel.
    let mut given = vec![RgbImage::new(8, 6); 3];
    given[2].put_pixel(3, 3, Rgb([9, 9, 9]));
    let file = file(&player(&given, 10.0).unwrap(), "src");
    for (number, control) in chunks(&file, "fcTL").iter().enumerate() {
        let expected = [0, 0, 0, 8, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 3, 232, 0, 0];
        assert_eq!(control[4..], expected, "8 x 6 at (0, 0) for 100 / 1000 s, frame {number}");
    }
}

#[test]
fn a_single_frame_is_an_ordinary_image() {
    let given = frames(1, 5, 4, 20);
    let player = player(&given, 60.0).unwrap();
    let file = file(&player, "src");
    assert!(chunks(&file, "acTL").is_empty() && chunks(&file, "fcTL").is_empty());
    assert_eq!(image::load_from_memory(&file).unwrap().to_rgb8(), given[0]);
}

#[test]
fn the_page_has_words_and_a_still_for_everyone() {
    let given = frames(3, 8, 6, 20);
    let player = Player::new(&given, 0.1).unwrap();
    let html = player.display().content("text/html").unwrap().to_string();
    assert_eq!(attributes(&html, "alt"), ["animation of 3 frames"]);
    assert_eq!(attributes(&html, "data-captions"), ["[]"]);

    let player = player.alt("<b> & \"q\"").captions(["one", "</script> \"2\"", "3 < 4"]).unwrap();
    let display = player.display();
    assert_eq!(display.content("text/plain"), Some("[<b> & \"q\"]"));
    let html = display.content("text/html").unwrap();
    assert_eq!(attributes(html, "alt"), ["&lt;b&gt; &amp; &quot;q&quot;"]);
    assert_eq!(attributes(html, "width"), ["8"]);
    assert_eq!(attributes(html, "height"), ["6"]);
    let captions = "[&quot;one&quot;,&quot;&lt;/script&gt; \\&quot;2\\&quot;&quot;,&quot;3 &lt; 4&quot;]";
    assert_eq!(attributes(html, "data-captions"), [captions]);
    assert_eq!(html.matches("</script>").count(), 1);
    assert_eq!(attributes(html, "media"), ["(prefers-reduced-motion: reduce)"]);
    let still = file(&display, "srcset");
    assert_eq!(image::load_from_memory(&still).unwrap().to_rgb8(), given[2]);
}

#[test]
fn what_cannot_be_played_is_said() {
    let error = |frames: &[RgbImage], speed: f64| player(frames, speed).unwrap_err().to_string();
    assert_eq!(error(&[], 2.0), "there are no frames to play");
    let mut odd = frames(5, 8, 6, 20);
    odd[3] = RgbImage::new(8, 7);
    let expected = "frame 4 of 5 has 8 x 7 pixels, but the first has 8 x 6: all must have one size";
    assert_eq!(error(&odd, 2.0), expected);
    assert_eq!(error(&[RgbImage::new(0, 7)], 2.0), "the first frame is empty: it has 0 x 7 pixels");
    for (speed, said) in [(0.0, "0"), (-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf"), (61.0, "61")] {
        let expected = format!("{said} frames per second cannot be played: give a number from 0.1 to 60");
        assert_eq!(error(&frames(2, 8, 6, 20), speed), expected);
    }
    let player = Player::new(&frames(3, 8, 6, 20), 2.0).unwrap();
    let error = player.captions(["one", "two"]).unwrap_err().to_string();
    assert_eq!(error, "2 captions for 3 frames: give one for each");
}

#[needs::chromium]
#[test]
fn it_plays_in_a_browser() {
    let colors = |count: u8| -> Vec<RgbImage> {
        (0..count).map(|n| RgbImage::from_pixel(40, 30, Rgb([40 * n, 100, 0]))).collect()
    };
    let upper = Player::new(&colors(5), 2.0).unwrap().alt("five colours");
    let upper = upper.captions(["a", "b", "c", "d", "e"]).unwrap().display();
    let lower = Player::new(&colors(3), 4.0).unwrap().alt("three colours").display();
    let [upper, lower] = [&upper, &lower].map(|player| player.content("text/html").unwrap());
    let page = format!(
        "<!doctype html><meta charset=\"utf-8\">{upper}<div style=\"height:2000px\"></div>{lower}\
         <div style=\"height:2000px\"></div>"
    );
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("player.html");
    std::fs::write(&path, page).unwrap();
    let output =
        program("python").arg(root().join("tests/player.py")).args([chromium(), &path]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
