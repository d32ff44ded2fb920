//! Adam in one pass over each parameter.

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, InplaceOp2, Layout, Result, Var, bail};
use candle_nn::{AdamW as OfCandle, Optimizer, ParamsAdamW};
use ops::threads;
use std::sync::{Mutex, PoisonError};

/// How many values a thread updates at once.
const CHUNK: usize = 1 << 14;

/// Adam with decoupled weight decay: candle's `AdamW`, with the same settings and bit by bit the same results. Parameters of `f32` on
/// the CPU are updated in one pass over their values, where candle makes some fifteen tensors for each. In a small network, such as
/// one that plays a game, making those takes longer than computing the gradient.
///
/// ```
/// use lab::candle_core::{Device, Var};
/// use lab::nn::{AdamW, Optimizer, ParamsAdamW};
///
/// let x = Var::new(&[3f32, -2.0], &Device::Cpu)?;
/// let settings = ParamsAdamW { lr: 0.5, weight_decay: 0.0, ..Default::default() };
/// let mut adam = AdamW::new(vec![x.clone()], settings)?;
/// // The first step is as long as the learning rate, whatever the gradient.
/// adam.backward_step(&x.sqr()?.sum_all()?)?;
/// assert_eq!(x.to_vec1::<f32>()?, [2.5, -1.5]);
/// # Ok::<(), lab::anyhow::Error>(())
/// ```
#[derive(Debug)]
pub struct AdamW {
    fast: Vec<(Var, Mutex<Averages>)>,
    /// For the other parameters.
    other: OfCandle,
    steps: i32,
    settings: ParamsAdamW,
}

/// The moving averages of a parameter's gradient and of its square.
#[derive(Debug)]
struct Averages {
    gradient: Vec<f32>,
    square: Vec<f32>,
}

impl AdamW {
    /// The default settings with this learning rate.
    ///
    /// # Errors
    /// When memory is not enough.
    pub fn new_lr(variables: Vec<Var>, learning_rate: f64) -> Result<Self> {
        Self::new(variables, ParamsAdamW { lr: learning_rate, ..Default::default() })
    }

    /// The settings.
    pub fn params(&self) -> &ParamsAdamW {
        &self.settings
    }

    /// Sets them for the next steps.
    pub fn set_params(&mut self, settings: ParamsAdamW) {
        self.other.set_params(settings.clone());
        self.settings = settings;
    }
}

impl Optimizer for AdamW {
    type Config = ParamsAdamW;

    fn new(variables: Vec<Var>, settings: ParamsAdamW) -> Result<Self> {
        let (fast, other) = variables.into_iter().partition(|variable| {
            variable.device().is_cpu() && variable.dtype() == DType::F32 && variable.is_contiguous()
        });
        let with_averages = |variable: Var| {
            let zeros = || vec![0.0; variable.elem_count()];
            let averages = Averages { gradient: zeros(), square: zeros() };
            (variable, Mutex::new(averages))
        };
        let fast: Vec<Var> = fast;
        Ok(Self {
            fast: fast.into_iter().map(with_averages).collect(),
            other: OfCandle::new(other, settings.clone())?,
            steps: 0,
            settings,
        })
    }

    fn step(&mut self, gradients: &GradStore) -> Result<()> {
        self.steps += 1;
        let ParamsAdamW { lr, beta1, beta2, eps, weight_decay } = self.settings;
        let scale = |beta: f64| (1.0 / (1.0 - beta.powi(self.steps))) as f32;
        let (scales, lr_decay) = ([scale(beta1), scale(beta2)], (1.0 - lr * weight_decay) as f32);
        for (variable, averages) in &self.fast {
            let Some(gradient) = gradients.get(variable) else { continue };
            let step = Step {
                averages,
                betas: [beta1 as f32, beta2 as f32],
                rests: [(1.0 - beta1) as f32, (1.0 - beta2) as f32],
                scales,
                eps: eps as f32,
                lr: lr as f32,
                lr_decay,
            };
            variable.as_detached_tensor().inplace_op2(&gradient.contiguous()?, &step)?;
        }
        self.other.step(gradients)
    }

    fn learning_rate(&self) -> f64 {
        self.settings.lr
    }

    fn set_learning_rate(&mut self, lr: f64) {
        self.set_params(ParamsAdamW { lr, ..self.settings.clone() });
    }
}

/// A step of one parameter: the same operations in the same order as candle's, so that they round alike.
struct Step<'a> {
    averages: &'a Mutex<Averages>,
    betas: [f32; 2],
    /// 1 minus those.
    rests: [f32; 2],
    /// What makes up for the averages' start at 0.
    scales: [f32; 2],
    eps: f32,
    lr: f32,
    /// What the decay leaves of a parameter.
    lr_decay: f32,
}

impl InplaceOp2 for Step<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        values: &mut CpuStorage,
        at: &Layout,
        gradient: &CpuStorage,
        from: &Layout,
    ) -> Result<()> {
        let (CpuStorage::F32(values), CpuStorage::F32(gradient)) = (values, gradient) else {
            bail!("adamw: expected a parameter and a gradient of F32");
        };
        let (Some((start, end)), Some((first, last))) = (at.contiguous_offsets(), from.contiguous_offsets())
        else {
            bail!("adamw: expected a contiguous parameter and gradient");
        };
        let (values, gradient) = (&mut values[start..end], &gradient[first..last]);
        let mut averages = self.averages.lock().unwrap_or_else(PoisonError::into_inner);
        let Averages { gradient: means, square: squares } = &mut *averages;
        if [values.len(), means.len()] != [gradient.len(); 2] {
            bail!("adamw: {} values of a gradient for {} of a parameter", gradient.len(), values.len());
        }
        let averages = means.chunks_mut(CHUNK).zip(squares.chunks_mut(CHUNK));
        let chunks = values.chunks_mut(CHUNK).zip(gradient.chunks(CHUNK)).zip(averages);
        if gradient.len() <= CHUNK {
            // Other threads would only be woken.
            chunks.for_each(|((values, gradient), averages)| self.update(values, gradient, averages));
        } else {
            threads::for_each(chunks, |((values, gradient), averages)| {
                self.update(values, gradient, averages)
            });
        }
        Ok(())
    }
}

impl Step<'_> {
    /// Updates some values, and the averages of their gradient and of its square.
    fn update(&self, values: &mut [f32], gradient: &[f32], (means, squares): (&mut [f32], &mut [f32])) {
        let &Self { betas, rests, scales, eps, lr, lr_decay, .. } = self;
        for (((value, g), mean), square) in values.iter_mut().zip(gradient).zip(means).zip(squares) {
            *mean = *mean * betas[0] + g * rests[0];
            *square = *square * betas[1] + g * g * rests[1];
            let step = (*mean * scales[0]) / ((*square * scales[1]).sqrt() + eps);
            *value = *value * lr_decay - step * lr;
        }
    }
}
