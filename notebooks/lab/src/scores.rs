//! The scores of trained networks: a record for each run, in a file of its own, from which the results of the course are
//! drawn.
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
mod play;
mod speed;

pub use files::{folder, read, read_in};
pub use lines::lines_of_code;
pub use machine::{cpu, peak_memory_mib, processor_seconds, today};
pub use play::Play;
pub use speed::{Speed, Speeds};

use crate::data::Examples;
use crate::device;
use crate::train::Score;
use candle_core::Device;
use serde::{Deserialize, Serialize};

/// A framework, in the version that this crate or the course uses.
#[derive(Clone, Copy, Debug)]
pub struct Framework {
    /// The name that it calls itself by, and what else computes for it.
    pub name: &'static str,
    /// The version, as in Cargo.toml.
    pub version: &'static str,
}

/// The candle that this crate re-exports, with the operations of this crate.
pub const CANDLE: Framework = Framework { name: "candle + lab", version: "0.11.1" };

/// The same candle, with its own operations alone.
pub const CANDLE_AS_SHIPPED: Framework = Framework { name: "candle as shipped", ..CANDLE };

/// The Burn that comes with this crate's feature `burn`.
pub const BURN: Framework = Framework { name: "Burn", version: "0.22.1" };

/// The number of the current format of records.
const FORMAT: u32 = 1;

/// A training, and the test of the trained network.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Record {
    format: u32,
    /// The framework: `candle + lab`, `PyTorch`, …
    pub framework: String,
    /// The framework's style in which the network is written: `Sequential`, `functional`, …
    pub style: String,
    /// The version of the framework.
    pub version: String,
    /// The name of the data set.
    pub data: String,
    /// The number of images, or texts, to train on.
    pub train_images: usize,
    /// The number of images, or texts, held back from the training for validation.
    pub validation_images: usize,
    /// The number of images, or texts, that the score of an epoch was measured on.
    pub test_images: usize,
    /// The device, as [`device::name`] names it.
    pub device: String,
    /// The number of images, or texts, in a batch.
    pub batch: usize,
    /// The seed of the initial weights and of the order of the images.
    pub seed: u64,
    /// The number of trained parameters.
    pub parameters: usize,
    /// The epochs, in order.
    pub epochs: Vec<Epoch>,
    /// The peak memory of the process until then, including the data, in MiB; 0 if the system does not tell.
    pub peak_memory_mib: f64,
    /// The processor's model.
    pub cpu: String,
    /// The number of threads that can run at once.
    pub cores: usize,
    /// The date in UTC, `2026-11-20`.
    pub date: String,
}

/// One epoch of a [`Record`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Epoch {
    /// The mean over the steps, while the weights changed.
    pub train: Score,
    /// The score on the validation images, at the end of the epoch.
    pub validation: Option<Score>,
    /// The score on the test images, at the end of the epoch.
    pub test: Option<Score>,
    /// The time of the training in seconds, without validation and test.
    pub seconds: f64,
}

impl Record {
    /// A record of a training on `train` that is tested on `test`. Set the other fields afterwards.
    pub fn new<E: Examples>(framework: Framework, style: &str, train: &E, test: &E, device: &Device) -> Self {
        let data = train.name().rsplit_once(", ").map_or(train.name(), |(data, _)| data);
        Self {
            format: FORMAT,
            framework: framework.name.into(),
            style: style.into(),
            version: framework.version.into(),
            data: data.into(),
            train_images: train.count(),
            validation_images: 0,
            test_images: test.count(),
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

    /// The framework and the style, as charts name it.
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
