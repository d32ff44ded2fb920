//! Frames played in a cell's output.
//!
//! ```
//! use lab::animate::Player;
//! use lab::image::{Rgb, RgbImage};
//!
//! let frames: Vec<RgbImage> = [0, 100, 200].map(|grey| RgbImage::from_pixel(8, 8, Rgb([grey; 3]))).into();
//! let player = Player::new(&frames, 2.0)?.captions(["dark", "grey", "light"])?;
//! assert_eq!(player.display().content("text/plain"), Some("[animation of 3 frames]"));
//! # Ok::<(), lab::anyhow::Error>(())
//! ```

mod apng;

use crate::{Result, display::Display, plot};
use anyhow::ensure;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use flate2::{Compression, write::GzEncoder};
use image::RgbImage;
use std::io::Write;

/// A player that repeats `frames`: buttons to play, pause and step, a slider and a choice of speeds. At normal speed it shows
/// `frames_per_second`.
///
/// # Errors
/// As [`Player::new`].
pub fn player(frames: &[RgbImage], frames_per_second: f64) -> Result<Display> {
    Ok(Player::new(frames, frames_per_second)?.display())
}

/// Frames to be played, with captions: [`player`] in steps.
///
/// They are one animated PNG, which a page shows as it is where scripts do not run: in a notebook that is not trusted yet, or
/// on GitHub. The script splits it into frames, and replaces it by the player. Readers who prefer less motion see the last
/// frame, or a player that waits to be started.
#[derive(Clone, Debug)]
pub struct Player {
    size: (u32, u32),
    frames: usize,
    content: Content,
    captions: Vec<String>,
    alt: String,
}

#[derive(Clone, Debug)]
enum Content {
    /// An animated PNG, and its last frame.
    Images { animation: Vec<u8>, last: Vec<u8> },
    /// SVG drawings, as a list in JSON, compressed by gzip; the last of them; and how long each is shown.
    Drawings { list: Vec<u8>, last: String, milliseconds: f64 },
}

impl Player {
    /// Plays `frames` in their order.
    ///
    /// # Errors
    /// When there is no frame, one is empty or has another size than the first, or the speed is not 0.1 to 60 frames
    /// a second.
    pub fn new(frames: &[RgbImage], frames_per_second: f64) -> Result<Self> {
        check_speed(frames_per_second)?;
        let (first, last) = (frames.first(), frames.last());
        let (Some(first), Some(last)) = (first, last) else { anyhow::bail!("there are no frames to play") };
        let (width, height) = first.dimensions();
        ensure!(width > 0 && height > 0, "the first frame is empty: it has {width} x {height} pixels");
        for (number, frame) in frames.iter().enumerate() {
            let (w, h) = frame.dimensions();
            ensure!(
                (w, h) == (width, height),
                "frame {} of {} has {w} x {h} pixels, but the first has {width} x {height}: all must have one size",
                number + 1,
                frames.len()
            );
        }
        Ok(Self {
            size: (width, height),
            frames: frames.len(),
            content: Content::Images {
                animation: apng::encode(frames, 1.0 / frames_per_second)?,
                last: apng::encode(std::slice::from_ref(last), 0.0)?,
            },
            captions: Vec::new(),
            alt: format!("animation of {} frames", frames.len()),
        })
    }

    /// Plays SVG drawings, each of `size` CSS pixels, which may follow the light or dark of the page. Where scripts do not run
    /// the last one is shown.
    pub(crate) fn of_drawings(drawings: &[String], size: (u32, u32), frames_per_second: f64) -> Result<Self> {
        check_speed(frames_per_second)?;
        let Some(last) = drawings.last() else { anyhow::bail!("there are no frames to play") };
        // They have much in common, which compression finds.
        let mut list = GzEncoder::new(Vec::new(), Compression::best());
        list.write_all(&serde_json::to_vec(drawings)?)?;
        let milliseconds = 1000.0 / frames_per_second;
        Ok(Self {
            size,
            frames: drawings.len(),
            content: Content::Drawings { list: list.finish()?, last: last.clone(), milliseconds },
            captions: Vec::new(),
            alt: format!("animation of {} frames", drawings.len()),
        })
    }

    /// Sets a line for each frame, shown below it.
    ///
    /// # Errors
    /// When their number is not the number of frames.
    pub fn captions<T: Into<String>>(mut self, captions: impl IntoIterator<Item = T>) -> Result<Self> {
        self.captions = captions.into_iter().map(Into::into).collect();
        let given = self.captions.len();
        ensure!(given == self.frames, "{given} captions for {} frames: give one for each", self.frames);
        Ok(self)
    }

    /// Sets the text that stands for the animation where it cannot be shown or seen.
    pub fn alt(mut self, alt: &str) -> Self {
        self.alt = alt.to_string();
        self
    }

    /// The player, to be shown.
    pub fn display(&self) -> Display {
        let (width, height) = self.size;
        let alt = plot::escape(&self.alt);
        let image = |source: &str| {
            format!(
                "<img alt=\"{alt}\" width=\"{width}\" height=\"{height}\" style=\"max-width:100%;height:auto\" \
                 src=\"{source}\">"
            )
        };
        let (data, still) = match &self.content {
            Content::Images { animation, last } => {
                let (last, image) = (data_uri("png", last), image(&data_uri("png", animation)));
                let source = format!("<source media=\"(prefers-reduced-motion: reduce)\" srcset=\"{last}\">");
                (String::new(), format!("<picture>{source}{image}</picture>"))
            }
            Content::Drawings { list, last, milliseconds } => {
                let list = BASE64.encode(list);
                let data = format!(" data-drawings=\"{list}\" data-milliseconds=\"{milliseconds}\"");
                (data, image(&data_uri("svg+xml", last.as_bytes())))
            }
        };
        let html = format!(
            "<div class=\"lab-player\" data-captions=\"{}\"{data}>{still}</div>\n<script>\n{}</script>",
            plot::escape(&serde_json::Value::from(self.captions.clone()).to_string()),
            include_str!("animate/player.js")
        );
        Display::html(&html).alt(&format!("[{}]", self.alt))
    }

    /// evcxr calls this on the final expression of a cell.
    pub fn evcxr_display(&self) {
        self.display().show();
    }
}

fn check_speed(frames_per_second: f64) -> Result<()> {
    ensure!(
        (0.1..=60.0).contains(&frames_per_second),
        "{frames_per_second} frames per second cannot be played: give a number from 0.1 to 60"
    );
    Ok(())
}

fn data_uri(kind: &str, file: &[u8]) -> String {
    format!("data:image/{kind};base64,{}", BASE64.encode(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read;

    #[test]
    fn drawings_are_packed_whole_and_the_last_one_stands_there() {
        let drawings = ["<svg>1</svg>", "<svg>\"2\"</svg>"].map(String::from);
        let player = Player::of_drawings(&drawings, (40, 30), 4.0).unwrap().alt("two");
        let display = player.display();
        let html = display.content("text/html").unwrap();
        let attribute =
            |name: &str| html.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap();
        let list = BASE64.decode(attribute("data-drawings")).unwrap();
        let mut json = String::new();
        GzDecoder::new(&list[..]).read_to_string(&mut json).unwrap();
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), drawings);
        assert_eq!(
            (attribute("data-milliseconds"), attribute("width"), attribute("height")),
            ("250", "40", "30")
        );
        let last = attribute(" src").strip_prefix("data:image/svg+xml;base64,").unwrap();
        assert_eq!(BASE64.decode(last).unwrap(), drawings[1].as_bytes());
        let none = Player::of_drawings(&[], (40, 30), 4.0).unwrap_err();
        assert_eq!(none.to_string(), "there are no frames to play");
    }
}
