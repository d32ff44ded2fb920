//! The agent of the notebook 14_balance, for `training.rs`: acting, remembering and learning, without evaluations.

use ::ops::random::Random;
use anyhow::{Result, ensure};
use lab::candle_core::{DType, Device, Module, Tensor};
use lab::candle_nn::{self, Linear, ParamsAdamW, VarBuilder, VarMap, loss};
use lab::nn::Optimizer;
use lab::scores::{peak_memory_mib, processor_seconds};
use lab::{device, init, ops};
use serde_json::{Value, json};
use std::time::Instant;

/// A variant, as a child process names it, and the table.
pub const VARIANTS: [(&str, &str); 4] = [
    ("dqn-candle", "candle as shipped"),
    ("dqn-lab", "candle + lab"),
    ("dqn-pytorch", "PyTorch: as in the course"),
    ("dqn-pytorch-compiled", "PyTorch: the same, torch.compile, fused Adam"),
];

const HIDDEN: usize = 128;
/// The first steps only fill the memory.
const WARM_UP: usize = 1000;
const LEARN_EVERY: usize = 4;
const TARGET_EVERY: usize = 500;

type State = [f64; 4];

fn beginning(random: &mut Random) -> State {
    std::array::from_fn(|_| f64::from(random.between(-0.05, 0.05)))
}

/// CartPole's equations.
fn advance([x, v, angle, w]: State, action: usize) -> State {
    let force = if action == 1 { 10.0 } else { -10.0 };
    let (sin, cos) = angle.sin_cos();
    let a = (force + 0.05 * (w * w) * sin) / 1.1;
    let w_dot = (9.8 * sin - cos * a) / (0.5 * (4.0 / 3.0 - 0.1 * (cos * cos) / 1.1));
    let v_dot = a - 0.05 * w_dot * cos / 1.1;
    [x + 0.02 * v, v + 0.02 * v_dot, angle + 0.02 * w, w + 0.02 * w_dot]
}

fn has_fallen(state: &State) -> bool {
    state[0].abs() > 2.4 || state[2].abs() > 12_f64.to_radians()
}

fn tensor(states: &[State]) -> lab::candle_core::Result<Tensor> {
    let size = [2.4, 2.0, 0.21, 2.0];
    let scaled = states.iter().flat_map(|state| [0, 1, 2, 3].map(|i| (state[i] / size[i]) as f32));
    Tensor::from_iter(scaled, &Device::Cpu)?.reshape((states.len(), 4))
}

struct Net {
    weights: VarMap,
    layers: [Linear; 3],
    shipped: bool,
}

impl Net {
    fn new(shipped: bool) -> Result<Self> {
        let weights = VarMap::new();
        let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
        let layers = [
            candle_nn::linear(4, HIDDEN, vb.pp("1"))?,
            candle_nn::linear(HIDDEN, HIDDEN, vb.pp("2"))?,
            candle_nn::linear(HIDDEN, 2, vb.pp("3"))?,
        ];
        init::seed(&weights, 1)?;
        Ok(Self { weights, layers, shipped })
    }

    fn forward(&self, x: &Tensor) -> lab::candle_core::Result<Tensor> {
        let relu = |x: Tensor| if self.shipped { x.relu() } else { ops::relu(&x) };
        let x = relu(self.layers[0].forward(x)?)?;
        let x = relu(self.layers[1].forward(&x)?)?;
        self.layers[2].forward(&x)
    }
}

/// A step of an optimizer down the gradient of a loss.
type Update = dyn FnMut(&Tensor) -> lab::candle_core::Result<()>;

/// candle's optimizer or that of `lab`.
fn optimizer(net: &Net) -> Result<Box<Update>> {
    let settings = ParamsAdamW { lr: 0.001, weight_decay: 0.0, ..Default::default() };
    let variables = net.weights.all_vars();
    Ok(if net.shipped {
        let mut adam = candle_nn::AdamW::new(variables, settings)?;
        Box::new(move |loss| adam.backward_step(loss))
    } else {
        let mut adam = lab::nn::AdamW::new(variables, settings)?;
        Box::new(move |loss| adam.backward_step(loss))
    })
}

/// Plays so many steps, and learns from every fourth.
pub fn measure(variant: &str, steps: usize, batch: usize) -> Result<Value> {
    // The allocator's setting.
    device::best();
    let shipped = variant == "dqn-candle";
    let (net, target) = (Net::new(shipped)?, Net::new(shipped)?);
    let mut optimizer = optimizer(&net)?;
    let mut random = Random::new(1, 0);
    let mut memory: Vec<(State, u32, State, bool)> = Vec::new();
    let (mut state, mut length) = (beginning(&mut random), 0);
    let (mut start, mut processor) = (Instant::now(), processor_seconds());
    for step in 1..=WARM_UP + steps {
        if step == WARM_UP + 1 {
            (start, processor) = (Instant::now(), processor_seconds());
        }
        // As many random actions as at the end of the notebook's training.
        let action = match random.between(0.0, 1.0) < 0.05 {
            true => random.below(2) as u32,
            false => net.forward(&tensor(&[state])?)?.argmax(1)?.to_vec1::<u32>()?[0],
        };
        let next = advance(state, action as usize);
        memory.push((state, action, next, has_fallen(&next)));
        (state, length) = (next, length + 1);
        if has_fallen(&next) || length == 500 {
            (state, length) = (beginning(&mut random), 0);
        }
        if step > WARM_UP && step % LEARN_EVERY == 0 {
            let drawn: Vec<_> = (0..batch).map(|_| memory[random.below(memory.len())]).collect();
            let part = |of: fn(&(State, u32, State, bool)) -> State| -> Vec<State> {
                drawn.iter().map(of).collect()
            };
            let (states, nexts) = (tensor(&part(|step| step.0))?, tensor(&part(|step| step.2))?);
            let actions = Tensor::from_iter(drawn.iter().map(|step| step.1), &Device::Cpu)?.unsqueeze(1)?;
            let goes_on = drawn.iter().map(|step| if step.3 { 0f32 } else { 1.0 });
            let goes_on = Tensor::from_iter(goes_on, &Device::Cpu)?;
            let following = target.forward(&nexts)?.max(1)?.detach();
            let goals = (((following * &goes_on)? * 0.99)? + (goes_on - 1.0)?)?;
            let values = net.forward(&states)?.gather(&actions, 1)?.squeeze(1)?;
            optimizer(&loss::huber(&values, &goals, 1.0)?)?;
        }
        if step % TARGET_EVERY == 0 {
            let from = net.weights.data().lock().expect("no thread panics with it");
            let to = target.weights.data().lock().expect("no thread panics with it");
            to.iter().try_for_each(|(name, variable)| variable.set(&from[name]))?;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let value = net.forward(&tensor(&[[0.0; 4]])?)?.sum_all()?.to_scalar::<f32>()?;
    ensure!(value.is_finite(), "the training went wrong");
    Ok(json!({
        "seconds": seconds,
        "processor": processor_seconds() - processor,
        "memory": peak_memory_mib(),
    }))
}
