//! The speed of all variants on one machine, as `cargo bench --bench training` measures it in turn.

use super::{files, folder};
use crate::Result;
use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What was measured on one machine, in one run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Speeds {
    /// The processor's model.
    pub cpu: String,
    /// The widest vectors that were used: `AVX2`, `AVX-512`, or the name of the architecture.
    pub vectors: String,
    /// The number of threads that each variant computed on.
    pub threads: usize,
    /// The date in UTC, `2026-11-20`.
    pub date: String,
    /// The most that this processor was seen to compute, in GFLOP/s.
    pub peak_gflops: f64,
    /// The variants, in the order of the table.
    pub variants: Vec<Speed>,
}

/// One variant of the training. All but the seconds are medians over the rounds.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Speed {
    /// The framework and the variant, such as `PyTorch: channels_last`.
    pub name: String,
    /// The number of images that an epoch was measured with.
    pub images: usize,
    /// The seconds for 60,000 images, scaled up from `images`, one number for each round.
    pub seconds: Vec<f64>,
    /// The seconds of all processors together for 60,000 images.
    pub processor_seconds: f64,
    /// The operations that the variant cannot do without, over the time, in GFLOP/s.
    pub gflops: f64,
    /// The peak memory of the process that trains, in MiB; 0 if the system does not tell.
    pub memory_mib: f64,
    /// The time for one digit, in milliseconds.
    pub one_digit_ms: f64,
    /// The time for 10,000 digits, in batches of 500, in seconds.
    pub ten_thousand_digits_s: f64,
}

impl Speed {
    /// The median over the rounds of the seconds for 60,000 images; of an even number of rounds, the larger of the middle two.
    pub fn median_seconds(&self) -> f64 {
        let mut seconds = self.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

impl Speeds {
    /// Writes the file of this machine and these vectors into `speed` in [`folder`], in one step. Returns its path.
    ///
    /// # Errors
    /// When a number is not finite, which JSON cannot hold, or the file cannot be written.
    pub fn save(&self) -> Result<PathBuf> {
        for speed in &self.variants {
            let numbers = [
                speed.processor_seconds,
                speed.gflops,
                speed.memory_mib,
                speed.one_digit_ms,
                speed.ten_thousand_digits_s,
            ];
            let is_measured = !speed.seconds.is_empty();
            let finite = numbers.iter().chain(&speed.seconds).all(|number| number.is_finite());
            ensure!(is_measured && finite, "\"{}\" was not measured whole, so no speed is kept", speed.name);
        }
        ensure!(self.peak_gflops.is_finite(), "the processor's peak was not measured, so no speed is kept");
        let name = files::slug(&format!("{} {} {} threads", self.cpu, self.vectors, self.threads));
        files::write(&folder().join("speed"), &(name + ".json"), self)
    }

    /// All of them in `speed` in [`folder`], ordered by file name.
    ///
    /// # Errors
    /// When there is no such folder, or a file in it cannot be read or is damaged.
    pub fn read() -> Result<Vec<Speeds>> {
        let folder = folder().join("speed");
        files::read_all(&folder).with_context(|| {
            format!("cannot read the speeds in {}; `cargo bench --bench training` measures", folder.display())
        })
    }
}
