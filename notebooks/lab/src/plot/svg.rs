//! SVG drawings.

use crate::{Result, display::Display};
use anyhow::anyhow;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Stands for the text colour of the page, which plotters cannot name.
pub const INK: RGBColor = RGBColor(1, 2, 3);

pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A drawing by plotters of `width` x `height` CSS pixels. `draw` has twice as many, since plotters puts everything on whole
/// pixels.
pub fn draw(
    (width, height): (u32, u32),
    title: &str,
    alt: &str,
    draw: impl FnOnce(&Area) -> Result<()>,
) -> Result<Display> {
    let size = (2 * width, 2 * height);
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    // A letter is a little wider than half its height; a long title gets smaller letters.
    let fits = size.0 as usize * 9 / 5 / title.chars().count().max(1);
    let top = text(fits.clamp(16, 34) as u32, HPos::Center, VPos::Top);
    area.draw_text(title, &top, (size.0 as i32 / 2, 10)).map_err(drawing_error)?;
    draw(&area)?;
    area.present().map_err(drawing_error)?;
    drop(area);
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let body = body
        .replace("\"#010203\"", "\"currentColor\"")
        .replace("font-family=\"sans-serif\"", &format!("font-family=\"{FONT}\""));
    Ok(display(width, size, alt, body.trim_end().trim_end_matches("</svg>")))
}

/// The fonts to try in turn.
pub const FONT: &str = "system-ui,sans-serif";

/// Text of `size` pixels of the drawing in the colour of the page.
pub fn text(size: u32, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    // plotters makes text 1.24 times smaller than it is told.
    let font = ("sans-serif", f64::from(size) * 1.24).into_font();
    font.color(&INK).pos(Pos::new(horizontal, vertical))
}

/// An error of plotters, whose own type borrows from the drawing.
pub fn drawing_error(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}

/// Wraps the elements of an SVG drawing whose coordinates span `size`, to be shown `width` CSS pixels wide, or
/// narrower on a narrow page. `alt` describes it to those who cannot see it.
///
/// It is shown as an image, not as a part of the page: notebooks that are not trusted yet may show images, and the text of an
/// image follows the theme of the page around it (`color-scheme`) all the same. Exported pages are white without declaring it:
/// there the image follows the reader's system, so it brings its own dark background.
///
/// Where it is shown much smaller than it was drawn, as on the index page of the course, it leaves out its texts, which would be too
/// small to read, and its lines stay as wide as they are.
pub fn display(width: u32, (right, bottom): (u32, u32), alt: &str, body: &str) -> Display {
    let label = escape(alt);
    let small = if width >= 2 * SMALL {
        format!(
            "@media(max-width:{SMALL}px){{text{{display:none}}polyline{{vector-effect:non-scaling-stroke}}}}"
        )
    } else {
        String::new()
    };
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {right} {bottom}\" role=\"img\" \
         aria-label=\"{label}\" style=\"width:{width}px;max-width:100%;height:auto\">\
         <style>svg{{color:#111}}@media(prefers-color-scheme:dark){{svg{{color:#eee;background:#111}}}}{small}</style>\n{}\n</svg>",
        body.trim()
    );
    // With a height the page reserves the space while it loads the image, so nothing below jumps.
    let height = width * bottom / right.max(1);
    let image = format!(
        "<img alt=\"{label}\" width=\"{width}\" height=\"{height}\" style=\"max-width:100%;height:auto\" \
         src=\"data:image/svg+xml;base64,{}\">",
        BASE64.encode(&svg)
    );
    Display::svg(&svg).with("text/html", image).alt(alt)
}

/// The width in CSS pixels up to which a picture that is at least twice as wide is shown as a thumbnail.
const SMALL: u32 = 256;

/// The text, escaped for an element or an attribute.
pub fn escape(text: &str) -> String {
    let legal: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    legal.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wide_pictures_lose_their_texts_when_they_are_small() {
        let loses = |width| {
            let picture = display(width, (10, 10), "what it shows", "<text>a</text>");
            picture.content("image/svg+xml").unwrap().contains("@media(max-width:256px){text{display:none}")
        };
        assert!(!loses(200) && !loses(511), "they are read at this size");
        assert!(loses(512) && loses(640));
    }
}
