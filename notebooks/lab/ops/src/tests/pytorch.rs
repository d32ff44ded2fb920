//! Values and gradients of the losses and of the operations on rows, against PyTorch's: `tests/make_fixtures.py` of the
//! repository has computed them in `f64`, from inputs that an `f32` holds, and rounded them to `f32`.

use super::{Operation, assert_close, values, with_gradients};
use crate::nn::{
    AvgPool2d, LayerNorm, MaxPool2d, Module, MomentumSGD, Optimizer, ParamsMomentumSGD, RmsNorm,
};
use crate::{
    add_relu, attention, avg_pool2d, avg_pool2d_with_padding, batch_norm, batch_norm_relu,
    batch_norm_with_statistics, binary_cross_entropy_with_logits, cross_entropy,
    cross_entropy_with_smoothing, gelu, layer_norm, log_softmax, max_pool2d_with_padding, rms_norm, softmax,
};
use candle_core::{DType, Device, Result, Tensor, Var, safetensors};
use std::collections::BTreeMap;
use std::path::Path;

/// The relative error that results may have. An operation in `f32` rounds a few times, each time by up to 2^-24 = 6e-8 of a
/// value, and candle sums the gradients of parameters in `f32`. The gradient of a softmax loses most, since it is computed from
/// rounded probabilities, of which some are almost 1: where PyTorch computes these cases in `f32`, it is off by 3e-6. In `f64`
/// the difference is that PyTorch's numbers were rounded to `f32`.
const TOLERANCES: [(DType, f64); 2] = [(DType::F32, 5e-6), (DType::F64, 1e-7)];

/// A case of a fixture: its name, and its tensors by their names.
struct Case {
    name: String,
    tensors: BTreeMap<String, Tensor>,
}

impl Case {
    /// The cases of the fixture of an operation.
    fn all(operation: &str) -> Result<Vec<Case>> {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures");
        let mut cases = BTreeMap::<String, Case>::new();
        for (key, tensor) in
            safetensors::load(fixtures.join(format!("{operation}.safetensors")), &Device::Cpu)?
        {
            let (name, part) = key.split_once('/').expect("the names of a case and of a tensor");
            let new = || Case { name: format!("{operation}, {name}"), tensors: BTreeMap::new() };
            cases.entry(name.into()).or_insert_with(new).tensors.insert(part.into(), tensor);
        }
        assert!(!cases.is_empty(), "{operation}");
        Ok(cases.into_values().collect())
    }

    /// The whole number that the operation is called with, such as a dimension.
    fn setting(&self) -> usize {
        self.settings::<1>()[0]
    }

    /// The whole numbers that the operation is called with.
    fn settings<const N: usize>(&self) -> [usize; N] {
        let settings: Vec<_> =
            values(&self.tensors["settings"]).iter().map(|value| *value as usize).collect();
        settings.try_into().expect("so many settings")
    }

    /// Compares the output of `f`, and the gradients of those of the inputs `names` that the case has, with PyTorch's.
    fn check(&self, names: &[&str], f: Operation) -> Result<()> {
        let names: Vec<_> = names.iter().filter(|name| self.tensors.contains_key(**name)).collect();
        for (dtype, tolerance) in TOLERANCES {
            let inputs = names.iter().map(|name| self.tensors[**name].to_dtype(dtype));
            let inputs = inputs.collect::<Result<Vec<_>>>()?;
            let (output, gradients) = with_gradients(&inputs, &self.tensors["projection"], f)?;
            assert_eq!(output.dtype(), dtype, "{}", self.name);
            let gradients = names.iter().map(|name| format!("d_{name}")).zip(&gradients);
            for (name, got) in [("output".into(), &output)].into_iter().chain(gradients) {
                let (what, expected) = (format!("{}, {dtype:?}, {name}", self.name), &self.tensors[&name]);
                assert_eq!(got.dims(), expected.dims(), "{what}");
                assert_close(&what, &values(got), &values(expected), tolerance);
            }
        }
        Ok(())
    }

    /// Compares each value of the output of `f` for `x` with PyTorch's, however small it is among the others: it may differ by a
    /// fraction of itself, and by `least`.
    fn check_each_value(&self, least: f64, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<()> {
        for (dtype, tolerance) in TOLERANCES {
            let got = values(&f(&self.tensors["x"].to_dtype(dtype)?)?);
            for (at, (got, expected)) in got.iter().zip(values(&self.tensors["output"])).enumerate() {
                let close = (got - expected).abs() <= tolerance * expected.abs() + least;
                assert!(close, "{}, {dtype:?}: {got:e} for {expected:e} at {at}", self.name);
            }
        }
        Ok(())
    }
}

#[test]
fn softmax_is_that_of_pytorch_down_to_the_smallest_probabilities() -> Result<()> {
    for case in Case::all("softmax")? {
        let dim = case.setting();
        case.check(&["x"], &|at| softmax(&at[0], dim))?;
        // The smallest numbers that an f32 holds lie this far apart.
        case.check_each_value(f64::from(f32::from_bits(1)), |x| softmax(x, dim))?;
    }
    Ok(())
}

#[test]
fn log_softmax_is_that_of_pytorch_in_each_value() -> Result<()> {
    for case in Case::all("log_softmax")? {
        let dim = case.setting();
        case.check(&["x"], &|at| log_softmax(&at[0], dim))?;
        // The logarithm of almost 1 is the difference of numbers up to 2e4, which an f64 rounds by less than this.
        case.check_each_value(1e-11, |x| log_softmax(x, dim))?;
    }
    Ok(())
}

#[test]
fn cross_entropy_of_extreme_logits_is_that_of_pytorch() -> Result<()> {
    for case in Case::all("cross_entropy_of_extremes")? {
        case.check(&["logits"], &|at| cross_entropy(&at[0], &case.tensors["labels"]))?;
    }
    Ok(())
}

#[test]
fn binary_cross_entropy_is_that_of_pytorch() -> Result<()> {
    for case in Case::all("binary_cross_entropy")? {
        case.check(&["logits", "targets"], &|at| binary_cross_entropy_with_logits(&at[0], &at[1]))?;
    }
    Ok(())
}

/// The weight of a norm, which is 1 where PyTorch has none.
fn weight(at: &[Tensor]) -> Result<Tensor> {
    match at.get(1) {
        Some(weight) => Ok(weight.clone()),
        None => Tensor::ones(at[0].dims()[at[0].rank() - 1], at[0].dtype(), &Device::Cpu),
    }
}

#[test]
fn norms_and_their_layers_are_those_of_pytorch() -> Result<()> {
    let names = ["x", "weight", "bias"];
    for case in Case::all("layer_norm")? {
        let eps = 10f64.powi(-(case.setting() as i32));
        case.check(&names, &|at| layer_norm(&at[0], &weight(at)?, at.get(2), eps))?;
        case.check(&names, &|at| LayerNorm::new(weight(at)?, at.get(2).cloned(), eps).forward(&at[0]))?;
    }
    for case in Case::all("rms_norm")? {
        let eps = 10f64.powi(-(case.setting() as i32));
        case.check(&names, &|at| rms_norm(&at[0], &weight(at)?, eps))?;
        case.check(&names, &|at| RmsNorm::new(weight(at)?, eps).forward(&at[0]))?;
    }
    Ok(())
}

#[test]
fn pools_of_padded_images_are_those_of_pytorch() -> Result<()> {
    for case in Case::all("max_pool2d_with_padding")? {
        let [window, stride, padding] = case.settings();
        case.check(&["x"], &|at| max_pool2d_with_padding(&at[0], window, stride, padding))?;
        case.check(&["x"], &|at| MaxPool2d::with_padding(window, stride, padding).forward(&at[0]))?;
    }
    for case in Case::all("avg_pool2d")? {
        let [window, stride, padding] = case.settings();
        case.check(&["x"], &|at| avg_pool2d_with_padding(&at[0], window, stride, padding))?;
        case.check(&["x"], &|at| AvgPool2d::with_padding(window, stride, padding).forward(&at[0]))?;
        if (stride, padding) == (window, 0) {
            case.check(&["x"], &|at| avg_pool2d(&at[0], window))?;
        }
    }
    Ok(())
}

#[test]
fn batch_norm_is_that_of_pytorch_in_training_and_evaluation() -> Result<()> {
    for case in Case::all("batch_norm")? {
        let eps = 10f64.powi(-(case.setting() as i32));
        case.check(&["x", "weight", "bias"], &|at| Ok(batch_norm(&at[0], &at[1], &at[2], eps)?.0))?;
    }
    for case in Case::all("batch_norm_relu")? {
        let eps = 10f64.powi(-(case.setting() as i32));
        case.check(&["x", "weight", "bias"], &|at| Ok(batch_norm_relu(&at[0], &at[1], &at[2], eps)?.0))?;
    }
    for case in Case::all("batch_norm_with_statistics")? {
        case.check(&["x", "mean", "variance", "weight", "bias"], &|at| {
            batch_norm_with_statistics(&at[0], &at[1], &at[2], &at[3], &at[4], 1e-5)
        })?;
    }
    Ok(())
}

#[test]
fn the_sum_of_a_residual_block_is_that_of_pytorch() -> Result<()> {
    Case::all("add_relu")?
        .iter()
        .try_for_each(|case| case.check(&["x", "shortcut"], &|at| add_relu(&at[0], &at[1])))
}

#[test]
fn cross_entropy_of_smoothed_labels_is_that_of_pytorch() -> Result<()> {
    for case in Case::all("cross_entropy_with_smoothing")? {
        let smoothing = case.setting() as f64 / 100.0;
        let labels = &case.tensors["labels"];
        case.check(&["logits"], &|at| cross_entropy_with_smoothing(&at[0], labels, smoothing))?;
    }
    Ok(())
}

#[test]
fn steps_with_momentum_are_those_of_pytorch() -> Result<()> {
    for case in Case::all("sgd")? {
        let [lr, momentum, weight_decay, nesterov] =
            case.settings::<4>().map(|setting| setting as f64 / 1000.0);
        let nesterov = nesterov > 0.0;
        for (dtype, tolerance) in TOLERANCES {
            let parameter = Var::from_tensor(&case.tensors["start"].to_dtype(dtype)?)?;
            let settings = ParamsMomentumSGD { lr, momentum, weight_decay, nesterov };
            let mut optimizer = MomentumSGD::new(vec![parameter.clone()], settings)?;
            for step in 0..10 {
                let gradient = case.tensors["gradients"].get(step)?.to_dtype(dtype)?;
                // The gradient of the sum of parameter · gradient.
                optimizer.step(&(parameter.as_tensor() * &gradient)?.sum_all()?.backward()?)?;
                let what = format!("{}, {dtype:?}, step {step}", case.name);
                let expected = values(&case.tensors["output"].get(step)?);
                assert_close(&what, &values(&parameter), &expected, tolerance);
            }
        }
    }
    Ok(())
}

#[test]
fn gelu_is_that_of_pytorch() -> Result<()> {
    Case::all("gelu")?.iter().try_for_each(|case| case.check(&["x"], &|at| gelu(&at[0])))
}

#[test]
fn attention_is_that_of_pytorch_with_and_without_a_mask() -> Result<()> {
    for case in Case::all("attention")? {
        let mask = case.tensors.get("labels").map(|mask| mask.to_dtype(DType::U8)).transpose()?;
        case.check(&["query", "key", "value"], &|at| attention(&at[0], &at[1], &at[2], mask.as_ref()))?;
    }
    Ok(())
}
