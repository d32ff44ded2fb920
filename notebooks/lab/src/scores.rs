//! What trained networks have reached: a record for each run, in a file of its own, from which the results of the course
//! are drawn.
//!
//! ```
//! use lab::candle_core::Device;
//! use lab::scores::{CANDLE, Epoch, Record};
//! use lab::train::Score;
//!
//! let digits = lab::data::drawn_sized(0, 100, 20)?;
//! let mut record = Record::new(CANDLE, "Sequential", &digits.train, &digits.test, &Device::Cpu);
//! let score = |accuracy| Score { loss: 0.5, accuracy };
//! for (accuracy, seconds) in [(0.8, 3.0), (0.9, 1.0)] {
//!     let test = Some(score(accuracy));
//!     record.epochs.push(Epoch { train: score(0.7), validation: None, test, seconds });
//! }
//! assert_eq!(record.test().unwrap().accuracy, 0.9);
//! assert_eq!((record.seconds_per_epoch(), record.train_images), (2.0, 100));
//! # Ok::<(), lab::anyhow::Error>(())
//! ```

mod files;
mod lines;
mod machine;

pub use files::{folder, read};
pub use lines::lines_of_code;

use crate::data::Split;
use crate::device;
use crate::train::Score;
use candle_core::Device;
use serde::{Deserialize, Serialize};

/// A framework, in the version that this crate or the course uses.
#[derive(Clone, Copy, Debug)]
pub struct Framework {
    /// As it calls itself.
    pub name: &'static str,
    /// As Cargo.toml has it.
    pub version: &'static str,
}

/// The candle that this crate re-exports.
pub const CANDLE: Framework = Framework { name: "candle", version: "0.11.1" };

/// The Burn that comes with this crate's feature `burn`.
pub const BURN: Framework = Framework { name: "Burn", version: "0.22.1" };

/// The format of a record, as it is written now.
const FORMAT: u32 = 1;

/// One training, and the test of what came of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Record {
    format: u32,
    /// `candle`, `PyTorch`, …
    pub framework: String,
    /// In which of the framework's styles the network is written: `Sequential`, `functional`, …
    pub style: String,
    /// Of the framework.
    pub version: String,
    /// The name of the data set.
    pub data: String,
    /// Images that were learnt from.
    pub train_images: usize,
    /// Images held back from the training to look at in between.
    pub validation_images: usize,
    /// Images that the score of an epoch was measured on.
    pub test_images: usize,
    /// As [`device::name`] has it.
    pub device: String,
    /// Images of a step.
    pub batch: usize,
    /// What the initial weights and the order of the images follow from.
    pub seed: u64,
    /// Numbers that were learnt.
    pub parameters: usize,
    /// In their order.
    pub epochs: Vec<Epoch>,
    /// The most memory that the process has taken by then, the data included, in MiB; 0 where the system does not tell.
    pub peak_memory_mib: f64,
    /// The processor's model.
    pub cpu: String,
    /// Threads that can run at once.
    pub cores: usize,
    /// `2026-11-20`, in UTC.
    pub date: String,
}

/// One epoch of a [`Record`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Epoch {
    /// Mean over the steps, while the weights changed.
    pub train: Score,
    /// On the images held back, at the end of the epoch.
    pub validation: Option<Score>,
    /// On the test images, at the end of the epoch.
    pub test: Option<Score>,
    /// How long the training took, without validation and test.
    pub seconds: f64,
}

impl Record {
    /// A record of a training on `train` that is tested on `test`; all else that it should tell is set afterwards.
    pub fn new(framework: Framework, style: &str, train: &Split, test: &Split, device: &Device) -> Self {
        let data = train.name().rsplit_once(", ").map_or(train.name(), |(data, _)| data);
        Self {
            format: FORMAT,
            framework: framework.name.into(),
            style: style.into(),
            version: framework.version.into(),
            data: data.into(),
            train_images: train.len(),
            validation_images: 0,
            test_images: test.len(),
            device: device::name(device),
            batch: 0,
            seed: 0,
            parameters: 0,
            epochs: Vec::new(),
            peak_memory_mib: 0.0,
            cpu: machine::cpu(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            date: machine::today(),
        }
    }

    /// The framework and the style, which is how a chart calls it.
    pub fn name(&self) -> String {
        format!("{}: {}", self.framework, self.style)
    }

    /// The score on the test images after the last epoch.
    pub fn test(&self) -> Option<Score> {
        self.epochs.last()?.test
    }

    /// The mean time that an epoch took to train, in seconds.
    pub fn seconds_per_epoch(&self) -> f64 {
        self.epochs.iter().map(|epoch| epoch.seconds).sum::<f64>() / self.epochs.len() as f64
    }
}
