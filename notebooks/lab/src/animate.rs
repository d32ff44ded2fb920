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
use image::RgbImage;

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
    /// The animated PNG and its last frame.
    animation: Vec<u8>,
    last: Vec<u8>,
    captions: Vec<String>,
    alt: String,
}

impl Player {
    /// Plays `frames` in their order.
    ///
    /// # Errors
    /// When there is no frame, one is empty or has another size than the first, or the speed is not 0.1 to 60 frames
    /// a second.
    pub fn new(frames: &[RgbImage], frames_per_second: f64) -> Result<Self> {
        ensure!(
            (0.1..=60.0).contains(&frames_per_second),
            "{frames_per_second} frames per second cannot be played: give a number from 0.1 to 60"
        );
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
            animation: apng::encode(frames, 1.0 / frames_per_second)?,
            last: apng::encode(std::slice::from_ref(last), 0.0)?,
            captions: Vec::new(),
            alt: format!("animation of {} frames", frames.len()),
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
        let html = format!(
            "<div class=\"lab-player\" data-captions=\"{}\"><picture>\
             <source media=\"(prefers-reduced-motion: reduce)\" srcset=\"{}\">\
             <img alt=\"{alt}\" width=\"{width}\" height=\"{height}\" style=\"max-width:100%;height:auto\" src=\"{}\">\
             </picture></div>\n<script>\n{}</script>",
            plot::escape(&serde_json::Value::from(self.captions.clone()).to_string()),
            data_uri(&self.last),
            data_uri(&self.animation),
            include_str!("animate/player.js")
        );
        Display::html(&html).alt(&format!("[{}]", self.alt))
    }

    /// evcxr calls this on the final expression of a cell.
    pub fn evcxr_display(&self) {
        self.display().show();
    }
}

fn data_uri(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", BASE64.encode(png))
}
