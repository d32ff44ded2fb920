//! The layer of batch normalization.

use crate as ops;
use candle_core::{ModuleT, Result, Tensor, Var, bail};
use candle_nn::{BatchNormConfig, Init, VarBuilder};

/// The layer of [`ops::batch_norm`] for inputs `[batch, channels, …]`. In training it normalizes each batch by itself, and keeps
/// running statistics, by which it normalizes in evaluation.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    mean: Var,
    variance: Var,
    momentum: f64,
    eps: f64,
    relu: bool,
}

impl BatchNorm {
    /// The same layer followed by ReLU, in training in one operation: [`ops::batch_norm_relu`].
    #[must_use]
    pub fn with_relu(self) -> Self {
        Self { relu: true, ..self }
    }

    /// What each channel is multiplied by, `[channels]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// What is added to each channel at the end, `[channels]`.
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }

    /// The running mean of each channel, `[channels]`.
    pub fn running_mean(&self) -> &Tensor {
        &self.mean
    }

    /// The running variance of each channel, `[channels]`.
    pub fn running_variance(&self) -> &Tensor {
        &self.variance
    }

    /// What is added to the variance.
    pub fn eps(&self) -> f64 {
        self.eps
    }

    /// Whether ReLU follows.
    pub fn has_relu(&self) -> bool {
        self.relu
    }

    /// Moves the running statistics towards those of a batch of so many values in a channel. The variance is divided by n - 1, as
    /// in PyTorch.
    fn remember(&self, found: &ops::BatchStatistics, count: usize) -> Result<()> {
        let unbiased = (&found.variance * (count as f64 / (count as f64 - 1.0)))?;
        for (running, found) in [(&self.mean, &found.mean), (&self.variance, &unbiased)] {
            let found = found.to_dtype(running.dtype())?;
            let moved = ((running.as_detached_tensor() * (1.0 - self.momentum))? + (found * self.momentum)?)?;
            running.set(&moved)?;
        }
        Ok(())
    }
}

impl ModuleT for BatchNorm {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        if train {
            let normalize = if self.relu { ops::batch_norm_relu } else { ops::batch_norm };
            let (y, found) = normalize(x, &self.weight, &self.bias, self.eps)?;
            self.remember(&found, x.elem_count() / x.dims()[1])?;
            return Ok(y);
        }
        // Running statistics are variables, so that they are saved, but none that an optimizer may change.
        let (mean, variance) = (self.mean.as_detached_tensor(), self.variance.as_detached_tensor());
        let y = ops::batch_norm_with_statistics(x, &mean, &variance, &self.weight, &self.bias, self.eps)?;
        if self.relu { ops::relu(&y) } else { Ok(y) }
    }
}

/// A layer whose parameters are `weight` and `bias` of `vb`, initially 1 and 0, and whose running statistics are `running_mean` and
/// `running_var`, as PyTorch names them, initially 0 and 1. `config` may be just its `eps`.
///
/// # Errors
/// When `vb` holds tensors of other shapes, or the configuration has no weight and bias, or a momentum that is not in 0 to 1.
pub fn batch_norm(channels: usize, config: impl Into<BatchNormConfig>, vb: VarBuilder) -> Result<BatchNorm> {
    let BatchNormConfig { eps, momentum, affine, .. } = config.into();
    if !affine {
        bail!("batch_norm: expected a configuration with weight and bias");
    }
    if !(0.0..=1.0).contains(&momentum) {
        bail!("batch_norm: expected a momentum in 0 to 1, got {momentum}");
    }
    let tensor = |name: &str, value: f64| vb.get_with_hints(channels, name, Init::Const(value));
    Ok(BatchNorm {
        weight: tensor("weight", 1.0)?,
        bias: tensor("bias", 0.0)?,
        mean: Var::from_tensor(&tensor("running_mean", 0.0)?)?,
        variance: Var::from_tensor(&tensor("running_var", 1.0)?)?,
        momentum,
        eps,
        relu: false,
    })
}
