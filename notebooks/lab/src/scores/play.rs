//! The records of agents that learned a game.

use super::{Framework, files, folder, machine};
use crate::{Result, device};
use anyhow::ensure;
use candle_core::Device;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How an agent learned to balance a pole, in one training with one seed.
///
/// ```
/// use lab::candle_core::Device;
/// use lab::scores::{CANDLE, Play};
///
/// let mut play = Play::new(CANDLE, "DQN", 1, &Device::Cpu);
/// (play.steps, play.seconds) = (60_000, 12.0);
/// assert_eq!((play.steps_per_second(), play.solved_at), (5000.0, None));
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Play {
    /// The framework: `candle + lab`, `PyTorch`, …
    pub framework: String,
    /// The way of learning, and what is special in this run.
    pub style: String,
    /// The version of the framework.
    pub version: String,
    /// The device, as [`device::name`] names it.
    pub device: String,
    /// The seed of the initial weights, of the episodes and of what is drawn from the memory.
    pub seed: u64,
    /// The steps of the game in the training.
    pub steps: usize,
    /// The time of the training in seconds, without evaluations.
    pub seconds: f64,
    /// The step of the first evaluation that reached what counts as solved.
    pub solved_at: Option<usize>,
    /// The mean length of 100 episodes that the kept network played without exploring.
    pub mean_of_100: f64,
    /// The processor's model.
    pub cpu: String,
    /// The number of threads that can run at once.
    pub cores: usize,
    /// The date in UTC, `2026-11-20`.
    pub date: String,
}

impl Play {
    /// A record without results; set the other fields afterwards.
    pub fn new(framework: Framework, style: &str, seed: u64, device: &Device) -> Self {
        Self {
            framework: framework.name.into(),
            style: style.into(),
            version: framework.version.into(),
            device: device::name(device),
            seed,
            steps: 0,
            seconds: 0.0,
            solved_at: None,
            mean_of_100: 0.0,
            cpu: machine::cpu(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            date: machine::today(),
        }
    }

    /// The speed of the training.
    pub fn steps_per_second(&self) -> f64 {
        self.steps as f64 / self.seconds
    }

    /// Writes the record into `balance` in [`folder`], in one step. The file is named after framework, style, steps and seed, so it
    /// replaces that of an earlier run of the same training. Returns its path.
    ///
    /// # Errors
    /// When a number is not finite, which JSON cannot hold, or the file cannot be written.
    pub fn save(&self) -> Result<PathBuf> {
        let is_finite = self.seconds.is_finite() && self.mean_of_100.is_finite();
        ensure!(is_finite, "a number of the record is not finite, so it is not kept");
        let [framework, style] = [&self.framework, &self.style].map(|name| files::slug(name));
        let name = format!("{framework}-{style}-{}-seed{}.json", self.steps, self.seed);
        files::write(&folder().join("balance"), &name, self)
    }

    /// All of them in `balance` in [`folder`], ordered by file name; none if there is no such folder.
    ///
    /// # Errors
    /// When a file cannot be read or is damaged.
    pub fn read() -> Result<Vec<Self>> {
        let folder = folder().join("balance");
        if folder.exists() { files::read_all(&folder) } else { Ok(Vec::new()) }
    }
}
