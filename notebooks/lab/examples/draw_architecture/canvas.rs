//! What the frames are drawn on.

use crate::colors::{BACKGROUND, Color, INK};
use tiny_skia::{FillRule, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash, Transform};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

pub const WIDTH: u32 = 960;
pub const HEIGHT: u32 = 540;

/// A frame to draw on, in pixels from the top left.
pub struct Canvas {
    pixmap: Pixmap,
}

/// Where a text lies from its point.
#[derive(Clone, Copy)]
pub enum Anchor {
    Left,
    Middle,
    Right,
}

/// How a text looks.
#[derive(Clone, Copy)]
pub struct Style {
    pub size: f32,
    pub bold: bool,
    pub color: Color,
}

pub fn plain(size: f32, color: Color) -> Style {
    Style { size, bold: false, color }
}

pub fn bold(size: f32, color: Color) -> Style {
    Style { size, bold: true, color }
}

impl Canvas {
    pub fn new() -> Self {
        let mut pixmap = Pixmap::new(WIDTH, HEIGHT).expect("the size is not zero");
        pixmap.fill(tiny_skia::Color::from_rgba8(BACKGROUND.0, BACKGROUND.1, BACKGROUND.2, 255));
        Self { pixmap }
    }

    /// The colours of all pixels, row by row.
    pub fn pixels(&self) -> Vec<[u8; 3]> {
        self.pixmap.pixels().iter().map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).collect()
    }

    /// A filled rectangle with sharp edges.
    pub fn rect(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), color: Color) {
        if let Some(rect) = Rect::from_xywh(x, y, width, height) {
            let paint = Paint { anti_alias: false, ..paint(color) };
            self.pixmap.fill_rect(rect, &paint, Transform::identity(), None);
        }
    }

    /// The border of a rectangle, drawn around it.
    pub fn frame(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), line: f32, color: Color) {
        let half = line / 2.0;
        let corners = [
            (x - half, y - half),
            (x + width + half, y - half),
            (x + width + half, y + height + half),
            (x - half, y + height + half),
        ];
        self.outline(&corners, line, color, false);
    }

    pub fn polygon(&mut self, points: &[(f32, f32)], color: Color) {
        if let Some(path) = path(points, true) {
            self.fill(&path, color);
        }
    }

    pub fn outline(&mut self, points: &[(f32, f32)], line: f32, color: Color, dashed: bool) {
        self.stroke(path(points, true), line, color, dashed);
    }

    pub fn line(&mut self, from: (f32, f32), to: (f32, f32), line: f32, color: Color) {
        self.stroke(path(&[from, to], false), line, color, false);
    }

    /// An arrow to the right or downwards, whose tip is `to`.
    pub fn arrow(&mut self, from: (f32, f32), to: (f32, f32), color: Color) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        let (ux, uy) = (dx / length, dy / length);
        let neck = (to.0 - 9.0 * ux, to.1 - 9.0 * uy);
        self.line(from, neck, 2.0, color);
        let wing = |side: f32| (neck.0 - side * uy, neck.1 + side * ux);
        self.polygon(&[to, wing(5.5), wing(-5.5)], color);
    }

    pub fn disc(&mut self, (x, y): (f32, f32), radius: f32, color: Color) {
        if let Some(path) = PathBuilder::from_circle(x, y, radius) {
            self.fill(&path, color);
        }
    }

    /// A text on its baseline.
    pub fn text(&mut self, (x, y): (f32, f32), anchor: Anchor, style: Style, text: &str) {
        let bytes = if style.bold { notosans::BOLD_TTF } else { notosans::REGULAR_TTF };
        let face = Face::parse(bytes, 0).expect("the font is a good one");
        let scale = style.size / f32::from(face.units_per_em());
        let glyphs: Vec<GlyphId> = text
            .chars()
            .map(|letter| face.glyph_index(letter).unwrap_or_else(|| panic!("the font has no {letter:?}")))
            .collect();
        let advance = |glyph: &GlyphId| f32::from(face.glyph_hor_advance(*glyph).unwrap_or(0)) * scale;
        let width: f32 = glyphs.iter().map(advance).sum();
        let mut x = match anchor {
            Anchor::Left => x,
            Anchor::Middle => x - width / 2.0,
            Anchor::Right => x - width,
        };
        let mut outline = Outline { path: PathBuilder::new(), x, y, scale };
        for glyph in &glyphs {
            outline.x = x;
            // A space has no outline.
            face.outline_glyph(*glyph, &mut outline);
            x += advance(glyph);
        }
        if let Some(path) = outline.path.finish() {
            self.fill(&path, style.color);
        }
    }

    /// A text of the usual look below or above something.
    pub fn label(&mut self, at: (f32, f32), text: &str) {
        self.text(at, Anchor::Middle, plain(15.0, INK), text);
    }

    fn fill(&mut self, path: &Path, color: Color) {
        self.pixmap.fill_path(path, &paint(color), FillRule::Winding, Transform::identity(), None);
    }

    fn stroke(&mut self, path: Option<Path>, width: f32, color: Color, dashed: bool) {
        let dash = if dashed { StrokeDash::new(vec![4.0, 3.0], 0.0) } else { None };
        let stroke = Stroke { width, dash, ..Stroke::default() };
        if let Some(path) = path {
            self.pixmap.stroke_path(&path, &paint(color), &stroke, Transform::identity(), None);
        }
    }
}

fn paint(Color(red, green, blue): Color) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(red, green, blue, 255);
    paint
}

fn path(points: &[(f32, f32)], closed: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    let (first, others) = points.split_first()?;
    path.move_to(first.0, first.1);
    others.iter().for_each(|point| path.line_to(point.0, point.1));
    if closed {
        path.close();
    }
    path.finish()
}

/// A glyph's outline, which the font has in its own units and upwards.
struct Outline {
    path: PathBuilder,
    x: f32,
    y: f32,
    scale: f32,
}

impl Outline {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, self.y - y * self.scale)
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
