//! Many small images in one picture.

use super::svg::{self, FONT, escape};
use crate::display::Display;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

/// Small images of one size in rows, each over its caption. All are in one PNG, transparent between them, where each of
/// their pixels is one pixel; the browser enlarges it.
pub struct Sheet {
    /// Width and height of an image, and of the cell it stands in with its caption, in pixels of the image.
    image: (usize, usize),
    cell: (usize, usize),
    count: usize,
    columns: usize,
    /// CSS pixels between two images, at least.
    gap: usize,
    /// How many CSS pixels a pixel of an image takes.
    zoom: usize,
}

pub struct Caption {
    /// May have several lines.
    pub text: String,
    /// Bold, with a frame around the image.
    pub framed: bool,
}

/// The most images that are shown at once.
pub const MAX: usize = 1_000;

/// CSS pixels: of the title, between images, between images without captions, of a line of a caption, of a letter in it, of the
/// whole, and of the side of an image at most.
const TITLE: usize = 30;
pub const GAP: usize = 8;
const CLOSE: usize = 5;
const LINE: usize = 16;
const LETTER: usize = 7;
const WIDTH: usize = 648;
const LARGEST: usize = 140;

impl Sheet {
    /// In `columns` at most, enlarged `zoom` times.
    pub fn new(image: (usize, usize), zoom: usize, columns: usize, captions: &[Caption]) -> Self {
        let lines = || captions.iter().flat_map(|caption| caption.text.lines());
        let longest = lines().map(|line| line.chars().count()).max().unwrap_or(0);
        let rows = captions.iter().map(|caption| caption.text.lines().count()).max().unwrap_or(0);
        let width = (image.0 + GAP.div_ceil(zoom)).max((longest * LETTER + GAP).div_ceil(zoom));
        let height = image.1 + (rows * LINE + GAP).div_ceil(zoom);
        let columns = columns.clamp(1, captions.len().max(1));
        Self { image, cell: (width, height), count: captions.len(), columns, gap: GAP, zoom }
    }

    /// As large as they fit: eight in a row, or fewer if images or captions are wide, and rows of about equal length.
    pub fn fitting(image: (usize, usize), captions: &[Caption]) -> Self {
        let longest = Self::new((0, 0), 1, 1, captions).cell.0;
        let most = (WIDTH / longest.max(image.0 + GAP)).clamp(1, 8);
        let columns = captions.len().div_ceil(captions.len().div_ceil(most).max(1)).max(1);
        let room = (WIDTH / columns).min(LARGEST + GAP);
        let fits = |&zoom: &usize| (image.0 + GAP.div_ceil(zoom)) * zoom <= room && image.1 * zoom <= LARGEST;
        Self::new(image, (1..=LARGEST).rev().find(fits).unwrap_or(1), columns, captions)
    }

    /// `count` images without captions, close together and as large as they fit into `room`, in CSS pixels. If they do not, the
    /// whole is larger.
    pub fn packed(image: (usize, usize), count: usize, room: (usize, usize)) -> Self {
        let sheet = |zoom: usize, columns: usize| {
            let gap = CLOSE.div_ceil(zoom);
            Self { image, cell: (image.0 + gap, image.1 + gap), count, columns, gap: CLOSE, zoom }
        };
        let fits = |sheet: &Self| {
            let (width, height) = sheet.extent();
            width <= room.0 && height <= room.1
        };
        let of_zoom = |zoom| (1..=count).map(move |columns| sheet(zoom, columns)).find(fits);
        let columns = (count as f64).sqrt().ceil() as usize;
        (1..=LARGEST).rev().find_map(of_zoom).unwrap_or_else(|| sheet(1, columns.max(1)))
    }

    /// Width and height of the whole in CSS pixels, without the title.
    pub fn size(&self) -> (usize, usize) {
        let (width, height) = self.pixels();
        (width * self.zoom, height * self.zoom)
    }

    /// The [`size`](Self::size) without the gaps after the last column and row.
    pub fn extent(&self) -> (usize, usize) {
        let ((width, height), gap) = (self.size(), self.gap.div_ceil(self.zoom) * self.zoom);
        (width - gap, height - gap)
    }

    fn pixels(&self) -> (usize, usize) {
        (self.columns * self.cell.0, self.count.div_ceil(self.columns) * self.cell.1)
    }

    /// Left and top of an image in pixels of the images. It stands in the middle of its cell when its caption is wider.
    fn corner(&self, at: usize) -> (usize, usize) {
        let margin = (self.cell.0 - self.image.0 - self.gap.div_ceil(self.zoom)) / 2;
        (at % self.columns * self.cell.0 + margin, at / self.columns * self.cell.1)
    }

    /// Left and top of an image in CSS pixels, without the title, and the size of its pixels.
    pub fn place(&self, at: usize) -> (usize, usize, usize) {
        let (left, top) = self.corner(at);
        (left * self.zoom, top * self.zoom, self.zoom)
    }

    /// A rectangle around each image that `framed` names, with these attributes.
    pub fn frames(&self, framed: impl Fn(usize) -> bool, attributes: &str) -> String {
        let (width, height) = (self.image.0 * self.zoom, self.image.1 * self.zoom);
        let frame = |at| {
            let (x, y, _) = self.place(at);
            format!(
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"none\" {attributes}/>\n"
            )
        };
        (0..self.count).filter(|&at| framed(at)).map(frame).collect()
    }

    /// Width, height and pixels of the file with all images, each given as its pixels, row by row from the top; `blank`
    /// is what lies between them.
    pub fn arrange<P: Copy>(&self, blank: P, images: impl Iterator<Item = Vec<P>>) -> (u32, u32, Vec<P>) {
        let (width, height) = self.pixels();
        let mut pixels = vec![blank; width * height];
        for (at, image) in images.enumerate() {
            let (left, top) = self.corner(at);
            for (row, values) in image.chunks(self.image.0).enumerate() {
                pixels[(top + row) * width + left..][..values.len()].copy_from_slice(values);
            }
        }
        (width as u32, height as u32, pixels)
    }

    /// The picture: `title`, the images of `png`, their captions, `over` them other elements, and below them `footer`, its
    /// width and height in CSS pixels with its elements, which start at 0.
    pub fn display(
        &self,
        title: &str,
        alt: &str,
        png: &[u8],
        captions: &[Caption],
        over: &str,
        footer: ((usize, usize), &str),
    ) -> Display {
        let (width, height) = self.size();
        let mut body = format!(
            "<text x=\"0\" y=\"18\" font-family=\"{FONT}\" font-size=\"16\" fill=\"currentColor\">{}</text>\n\
             <g transform=\"translate(0,{TITLE})\">\n{}\n{over}\
             <g font-family=\"{FONT}\" font-size=\"13\" fill=\"currentColor\" text-anchor=\"middle\">\n",
            escape(title),
            element((0, 0), (width, height), png)
        );
        body += &self.frames(|at| captions[at].framed, "stroke=\"#d55e00\" stroke-width=\"3\"");
        for (at, caption) in captions.iter().enumerate() {
            let (x, y, zoom) = self.place(at);
            let (middle, mut baseline) = (x + self.image.0 * zoom / 2, y + self.image.1 * zoom);
            let weight = if caption.framed { " font-weight=\"bold\"" } else { "" };
            baseline += 15;
            for line in caption.text.lines() {
                body += &format!("<text x=\"{middle}\" y=\"{baseline}\"{weight}>{}</text>\n", escape(line));
                baseline += LINE;
            }
        }
        let bottom = TITLE + height;
        body += &format!("</g>\n</g>\n<g transform=\"translate(0,{bottom})\">{}</g>", footer.1);
        // The title and the footer need more room than a short row of images.
        let width = width.max(title.chars().count() * 9).max(footer.0.0) as u32;
        svg::display(width, (width, (bottom + footer.0.1) as u32), alt, &body)
    }
}

/// The element that shows a PNG file, stretched to this size, without smoothing its pixels.
pub fn element((x, y): (usize, usize), (width, height): (usize, usize), png: &[u8]) -> String {
    format!(
        "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" \
         style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{}\"/>",
        BASE64.encode(png)
    )
}
