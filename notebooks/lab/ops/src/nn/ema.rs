//! Averages of parameters over a training.

use candle_core::{Result, Tensor, Var, bail};

/// The exponential moving average of variables, which often does better than their last values: after each step
/// average = decay · average + (1 - decay) · value. Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992.
#[derive(Debug)]
pub struct Ema {
    variables: Vec<(Var, Tensor)>,
    decay: f64,
}

impl Ema {
    /// Starts with the values that the variables have now.
    ///
    /// # Errors
    /// When `decay` is not in 0 to 1, or memory is not enough.
    pub fn new(variables: Vec<Var>, decay: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&decay) {
            bail!("Ema: expected a decay in 0 to 1, got {decay}");
        }
        let with_average = |variable: Var| Ok((variable.clone(), variable.as_detached_tensor().copy()?));
        let variables = variables.into_iter().filter(|variable| variable.dtype().is_float());
        Ok(Self { variables: variables.map(with_average).collect::<Result<_>>()?, decay })
    }

    /// Moves the averages towards the values that the variables have now. Call it after each step of the optimizer.
    ///
    /// # Errors
    /// When memory is not enough.
    pub fn update(&mut self) -> Result<()> {
        for (variable, average) in &mut self.variables {
            *average = ((&*average * self.decay)? + (variable.as_detached_tensor() * (1.0 - self.decay))?)?;
        }
        Ok(())
    }

    /// Exchanges the values of the variables and their averages: once before an evaluation, and once after it.
    ///
    /// # Errors
    /// When memory is not enough.
    pub fn swap(&mut self) -> Result<()> {
        for (variable, average) in &mut self.variables {
            let value = variable.as_detached_tensor().copy()?;
            variable.set(average)?;
            *average = value;
        }
        Ok(())
    }
}
