//! Values and gradients of the operations, against numbers that were computed in other ways.

mod attention;
mod batch_norm;
mod binary_cross_entropy;
mod candle;
mod conv2d;
mod half;
mod linear;
mod network;
mod norm;
mod optimizers;
mod pools;
mod pytorch;
mod resnet;
mod softmax;

use candle_core::{DType, Device, Result, Shape, Tensor, Var};

/// Numbers in -1 to 1 that follow from `seed`, each of which an `f32` holds exactly.
fn random(seed: u64, shape: impl Into<Shape>) -> Result<Tensor> {
    let shape = shape.into();
    let mut random = crate::random::Random::new(seed, 0);
    let values = (0..shape.elem_count()).map(|_| f64::from(random.between(-1.0, 1.0)));
    Tensor::from_vec(values.collect::<Vec<_>>(), shape, &Device::Cpu)
}

/// All values, as `f64`.
fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Fails where a value differs from the expected one by more than `tolerance` times the expected one, or times the root mean
/// square of all expected values if that is larger.
#[track_caller]
fn assert_close(what: &str, got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let squares: f64 = expected.iter().map(|value| value * value).sum();
    let scale = (squares / expected.len().max(1) as f64).sqrt();
    for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
        let close = (got - expected).abs() <= tolerance * scale.max(expected.abs());
        assert!(close, "{what}: {got} for {expected} at {at}, among numbers of about {scale}");
    }
}

/// The relative error that the result of an operation may have in a type.
fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::BF16 => 8e-3,
        DType::F16 => 1e-3,
        DType::F32 => 2e-6,
        _ => 1e-13,
    }
}

type Operation<'a> = &'a dyn Fn(&[Tensor]) -> Result<Tensor>;

/// The output of `f`, and for each input the gradient of the sum of the output times `projection`.
fn with_gradients(inputs: &[Tensor], projection: &Tensor, f: Operation) -> Result<(Tensor, Vec<Tensor>)> {
    let variables = inputs.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
    let tensors: Vec<Tensor> = variables.iter().map(|variable| variable.as_tensor().clone()).collect();
    let output = f(&tensors)?;
    let gradients = output.mul(&projection.to_dtype(output.dtype())?)?.sum_all()?.backward()?;
    let gradient = |variable: &Var| gradients.get(variable).expect("it takes part in the sum").clone();
    Ok((output, variables.iter().map(gradient).collect()))
}

/// Compares the gradients of `f` in `f64` with finite differences of its values, and the results in other types with those
/// in `f64`.
fn assert_gradients(what: &str, inputs: &[Tensor], f: Operation) -> Result<()> {
    const STEP: f64 = 1e-5;
    let projection = random(99, f(inputs)?.shape())?;
    let sum = |inputs: &[Tensor]| -> Result<f64> { (f(inputs)? * &projection)?.sum_all()?.to_scalar() };
    let (output, gradients) = with_gradients(inputs, &projection, f)?;
    for (index, (input, gradient)) in inputs.iter().zip(&gradients).enumerate() {
        let slope = |at: usize| -> Result<f64> {
            let moved = |by: f64| -> Result<f64> {
                let mut moved = values(input);
                moved[at] += by;
                let mut inputs = inputs.to_vec();
                inputs[index] = Tensor::from_vec(moved, input.shape(), &Device::Cpu)?;
                sum(&inputs)
            };
            Ok((moved(STEP)? - moved(-STEP)?) / (2.0 * STEP))
        };
        let slopes = (0..input.elem_count()).map(slope).collect::<Result<Vec<_>>>()?;
        assert_close(&format!("{what}, differences of input {index}"), &values(gradient), &slopes, 1e-7);
    }
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        let inputs = inputs.iter().map(|input| input.to_dtype(dtype)).collect::<Result<Vec<_>>>()?;
        let (got, got_gradients) = with_gradients(&inputs, &projection, f)?;
        assert_eq!(got.dtype(), dtype, "{what}");
        // Inputs and intermediate results are rounded too.
        let tolerance = 8.0 * tolerance(dtype);
        assert_close(&format!("{what}, {dtype:?}"), &values(&got), &values(&output), tolerance);
        for (index, (got, expected)) in got_gradients.iter().zip(&gradients).enumerate() {
            let what = format!("{what}, {dtype:?}, gradient {index}");
            assert_close(&what, &values(got), &values(expected), tolerance);
        }
    }
    Ok(())
}
