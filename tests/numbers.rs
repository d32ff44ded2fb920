//! Numbers for the tests of operations: random ones, PyTorch's, gradients, and how far two tensors are apart.

use crate::support::root;
use lab::candle_core::{DType, Device, Result, Shape, Tensor, Var, safetensors};
use std::collections::BTreeMap;

/// The largest relative error that the tests accept.
pub const TOLERANCE: f64 = 1e-4;

/// Numbers in -1 to 1 that follow from `seed`, as `f64`, which an `f32` holds exactly.
pub fn random(seed: u64, shape: impl Into<Shape>) -> Result<Tensor> {
    let shape = shape.into();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let values = (0..shape.elem_count()).map(|_| {
        // A linear congruential generator; its upper bits are good enough.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 23) - 1.0
    });
    Tensor::from_iter(values.collect::<Vec<_>>(), &Device::Cpu)?.reshape(shape)
}

/// All values, as `f64`.
pub fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Fails where a value is further from the expected one than [`TOLERANCE`] times that one, or times the root mean
/// square of all expected values where that is more: what is small among large numbers cannot be exact. Values that are
/// infinite or NaN must be so in both.
#[track_caller]
pub fn assert_close(what: &str, got: &Tensor, expected: &Tensor) {
    assert_eq!(got.dims(), expected.dims(), "{what}");
    let expected = values(expected);
    let finite: Vec<f64> = expected.iter().copied().filter(|value| value.is_finite()).collect();
    let squares: f64 = finite.iter().map(|value| value * value).sum();
    let scale = (squares / finite.len().max(1) as f64).sqrt();
    for (at, (got, expected)) in values(got).into_iter().zip(expected).enumerate() {
        let close = match expected.is_finite() {
            true => (got - expected).abs() <= TOLERANCE * scale.max(expected.abs()),
            false => got == expected || got.is_nan() && expected.is_nan(),
        };
        assert!(close, "{what}: {got} for {expected} at {at}, among numbers of about {scale}");
    }
}

/// An operation: from its inputs to its output.
pub type Operation<'a> = &'a dyn Fn(&[Tensor]) -> Result<Tensor>;

/// The output, and the gradient of the sum of output times `projection` for each input.
pub fn gradients(inputs: &[Tensor], projection: &Tensor, f: Operation) -> Result<(Tensor, Vec<Tensor>)> {
    let variables = inputs.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
    let tensors: Vec<Tensor> = variables.iter().map(|variable| variable.as_tensor().clone()).collect();
    let output = f(&tensors)?;
    let gradients = output.mul(&projection.to_dtype(output.dtype())?)?.sum_all()?.backward()?;
    let gradient = |variable: &Var| gradients.get(variable).expect("it takes part in the sum").clone();
    Ok((output, variables.iter().map(gradient).collect()))
}

/// Compares the gradients of `f`, which must compute in `f64`, with differences of its values.
pub fn assert_differences(what: &str, inputs: &[Tensor], f: Operation) -> Result<()> {
    const STEP: f64 = 1e-5;
    let projection = random(99, f(inputs)?.shape())?;
    let sum =
        |inputs: &[Tensor]| -> Result<f64> { f(inputs)?.mul(&projection)?.sum_all()?.to_scalar::<f64>() };
    let (_, gradients) = gradients(inputs, &projection, f)?;
    for (index, (input, gradient)) in inputs.iter().zip(gradients).enumerate() {
        let mut slopes = Vec::new();
        for at in 0..input.elem_count() {
            let moved = |by: f64| -> Result<f64> {
                let mut values = values(input);
                values[at] += by;
                let mut inputs = inputs.to_vec();
                inputs[index] = Tensor::from_vec(values, input.shape(), &Device::Cpu)?;
                sum(&inputs)
            };
            slopes.push((moved(STEP)? - moved(-STEP)?) / (2.0 * STEP));
        }
        let slopes = Tensor::from_vec(slopes, input.shape(), &Device::Cpu)?;
        assert_close(&format!("{what}, input {index}"), &gradient, &slopes);
    }
    Ok(())
}

/// A case of `tests/make_fixtures.py`: its name, and its tensors by their names.
pub struct Case {
    pub name: String,
    tensors: BTreeMap<String, Tensor>,
}

impl Case {
    /// The cases in a file in `tests/fixtures`.
    pub fn all(file: &str) -> Vec<Case> {
        let path = root().join("tests/fixtures").join(file).with_extension("safetensors");
        let mut cases: BTreeMap<String, Case> = BTreeMap::new();
        for (key, tensor) in safetensors::load(path, &Device::Cpu).unwrap() {
            let (name, part) = key.split_once('/').unwrap();
            let new = || Case { name: name.into(), tensors: BTreeMap::new() };
            cases.entry(name.into()).or_insert_with(new).tensors.insert(part.into(), tensor);
        }
        assert!(!cases.is_empty());
        cases.into_values().collect()
    }

    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Numbers such as the stride.
    pub fn setting(&self, index: usize) -> usize {
        values(&self.tensors["settings"])[index] as usize
    }

    /// Whether `f` and its gradients for the inputs `names`, those of them that the case has, are PyTorch's, in `f32`
    /// as in `f64`.
    pub fn check(&self, names: &[&str], f: Operation) -> Result<()> {
        let names: Vec<_> = names.iter().filter(|name| self.tensors.contains_key(**name)).collect();
        for dtype in [DType::F32, DType::F64] {
            let inputs = names.iter().map(|name| self.tensors[**name].to_dtype(dtype));
            let inputs = inputs.collect::<Result<Vec<_>>>()?;
            let (output, gradients) = gradients(&inputs, &self.tensors["projection"], f)?;
            assert_eq!(output.dtype(), dtype);
            assert_close(&format!("{}, {dtype:?}", self.name), &output, &self.tensors["output"]);
            for (name, gradient) in names.iter().zip(gradients) {
                let Some(expected) = self.get(&format!("d_{name}")) else { continue };
                assert_close(&format!("{}, {dtype:?}, d_{name}", self.name), &gradient, expected);
            }
        }
        Ok(())
    }
}
