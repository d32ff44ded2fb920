//! The layer of dropout.

use crate as ops;
use crate::random::Random;
use candle_core::{ModuleT, Result, Tensor};
use std::sync::atomic::{AtomicU64, Ordering};

/// The layer of [`ops::dropout`], for training only. Its masks follow from the seed and the number of earlier calls; candle's
/// own cannot be seeded on the CPU.
#[derive(Debug)]
pub struct Dropout {
    p: f32,
    seed: u64,
    calls: AtomicU64,
}

impl Dropout {
    /// A layer that drops values with probability `p`, at least 0 and less than 1.
    pub fn new(p: f32, seed: u64) -> Self {
        Self { p, seed, calls: AtomicU64::new(0) }
    }

    /// The probability to drop a value.
    pub fn p(&self) -> f32 {
        self.p
    }

    /// Applies dropout to `x`, of any shape, or returns `x` itself when not in training.
    pub fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        if !training {
            return Ok(x.clone());
        }
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        ops::dropout(x, self.p, Random::new(self.seed, call).next())
    }
}

impl ModuleT for Dropout {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.forward(x, train)
    }
}
