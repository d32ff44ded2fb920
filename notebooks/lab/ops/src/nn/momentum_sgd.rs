//! Stochastic gradient descent with momentum.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var, bail};
use candle_nn::Optimizer;

/// The settings of [`MomentumSGD`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParamsMomentumSGD {
    /// The learning rate.
    pub lr: f64,
    /// How much of the last step goes on, 0 to 1.
    pub momentum: f64,
    /// Added to the gradient, times the parameter.
    pub weight_decay: f64,
    /// Whether to look ahead by the momentum: Nesterov's form.
    pub nesterov: bool,
}

impl Default for ParamsMomentumSGD {
    fn default() -> Self {
        Self { lr: 0.1, momentum: 0.9, weight_decay: 0.0, nesterov: false }
    }
}

/// Stochastic gradient descent with momentum, as PyTorch's `SGD`. Of each parameter p with gradient g a velocity v is kept, which is
/// g + weight_decay · p at the first step and momentum · v + g + weight_decay · p at later ones; then p -= lr · v, or in Nesterov's
/// form p -= lr · (g + weight_decay · p + momentum · v). candle's own `SGD` has no momentum.
#[derive(Debug)]
pub struct MomentumSGD {
    variables: Vec<(Var, Option<Tensor>)>,
    settings: ParamsMomentumSGD,
}

impl MomentumSGD {
    /// The settings.
    pub fn params(&self) -> &ParamsMomentumSGD {
        &self.settings
    }
}

impl Optimizer for MomentumSGD {
    type Config = ParamsMomentumSGD;

    fn new(variables: Vec<Var>, settings: ParamsMomentumSGD) -> Result<Self> {
        let ParamsMomentumSGD { momentum, nesterov, .. } = settings;
        if !(0.0..1.0).contains(&momentum) {
            bail!("MomentumSGD: expected a momentum of at least 0 and less than 1, got {momentum}");
        }
        if nesterov && momentum == 0.0 {
            bail!("MomentumSGD: expected a momentum above 0 with nesterov");
        }
        let variables = variables.into_iter().filter(|variable| variable.dtype().is_float());
        Ok(Self { variables: variables.map(|variable| (variable, None)).collect(), settings })
    }

    fn step(&mut self, gradients: &GradStore) -> Result<()> {
        let ParamsMomentumSGD { lr, momentum, weight_decay, nesterov } = self.settings;
        for (variable, velocity) in &mut self.variables {
            let Some(gradient) = gradients.get(variable) else { continue };
            let parameter = variable.as_detached_tensor();
            let gradient = gradient.detach();
            let gradient = match weight_decay {
                0.0 => gradient,
                _ => (gradient + (&parameter * weight_decay)?)?,
            };
            let now = match velocity {
                Some(before) => ((&*before * momentum)? + &gradient)?,
                None => gradient.clone(),
            };
            let step = if nesterov { (gradient + (&now * momentum)?)? } else { now.clone() };
            *velocity = Some(now);
            variable.set(&(parameter - (step * lr)?)?)?;
        }
        Ok(())
    }

    fn learning_rate(&self) -> f64 {
        self.settings.lr
    }

    fn set_learning_rate(&mut self, lr: f64) {
        self.settings.lr = lr;
    }
}
