//! The norms: values, gradients and extreme inputs.

use super::{assert_close, assert_gradients, random, values};
use crate::nn::{self, LayerNormConfig, Module, VarBuilder, VarMap};
use crate::norm::Norm;
use crate::{layer_norm, rms_norm};
use candle_core::{DType, Device, Result, Tensor};

/// The numbers of PyTorch's documentation of `LayerNorm`: (x - mean) / √(variance + eps), the variance divided by n.
#[test]
fn rows_have_mean_0_and_variance_1_then_weight_and_bias() -> Result<()> {
    for dtype in [DType::F32, DType::F64] {
        let tensor = |values: &[f64]| Tensor::new(values, &Device::Cpu)?.to_dtype(dtype);
        let x = tensor(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 9.0, 8.0, 7.0])?.reshape((1, 3, 3))?;
        let (weight, bias) = (tensor(&[1.0, 2.0, 3.0])?, tensor(&[10.0, 20.0, 30.0])?);
        let y = 1.0 / (2.0f64 / 3.0 + 1e-5).sqrt();
        let row = |y: f64| [10.0 - y, 20.0, 30.0 + 3.0 * y];
        let got = values(&layer_norm(&x, &weight, Some(&bias), 1e-5)?);
        assert_close("layer_norm", &got, &[row(y), row(y), row(-y)].concat(), 1e-6);
        let got = values(&layer_norm(&x, &weight, None, 1e-5)?);
        assert_close("without bias", &got[..3], &[-y, 0.0, 3.0 * y], 1e-6);
        let root = (14.0f64 / 3.0 + 1e-5).sqrt();
        let got = values(&rms_norm(&x, &weight, 1e-5)?);
        assert_close("rms_norm", &got[..3], &[1.0 / root, 4.0 / root, 9.0 / root], 1e-6);
    }
    Ok(())
}

#[test]
fn differences_agree_with_the_gradients_of_norms() -> Result<()> {
    let inputs = [random(1, (3, 2, 7))?, random(2, 7)?, random(3, 7)?];
    for eps in [1e-5, 0.5] {
        assert_gradients("layer_norm", &inputs, &|at| layer_norm(&at[0], &at[1], at.get(2), eps))?;
        assert_gradients("rms_norm", &inputs[..2], &|at| rms_norm(&at[0], &at[1], eps))?;
        // The rows of this view are not contiguous.
        let turned = |at: &[Tensor]| layer_norm(&at[0].transpose(0, 1)?, &at[1], at.get(2), eps);
        assert_gradients("layer_norm of a view", &inputs, &turned)?;
    }
    Ok(())
}

/// A GPU uses the composed operations.
#[test]
fn what_is_composed_for_other_devices_is_the_same() -> Result<()> {
    let (x, ones) = (random(4, (5, 9))?, Tensor::ones(9, DType::F64, &Device::Cpu)?);
    let norm = |op, centered| Norm { op, centered, eps: 0.1 };
    for (centered, expected) in
        [(true, layer_norm(&x, &ones, None, 0.1)?), (false, rms_norm(&x, &ones, 0.1)?)]
    {
        let composed = norm("norm", centered).composed(&x)?;
        assert_close("composed", &values(&composed), &values(&expected), 1e-14);
    }
    assert_gradients("composed", &[x], &|at| super::super::in_f32(&at[0], |x| norm("norm", true).composed(x)))
}

#[test]
fn extreme_rows_are_normalized_and_nan_propagates() -> Result<()> {
    let ones = Tensor::ones(2, DType::F32, &Device::Cpu)?;
    // Their squares overflow or underflow in f32.
    for x in [1e30f32, 1e-30] {
        let row = Tensor::new(&[[x, -x]], &Device::Cpu)?;
        assert_close("layer_norm", &values(&layer_norm(&row, &ones, None, 0.0)?), &[1.0, -1.0], 1e-6);
        assert_close("rms_norm", &values(&rms_norm(&row, &ones, 0.0)?), &[1.0, -1.0], 1e-6);
    }
    let flat = Tensor::new(&[[5f32, 5.]], &Device::Cpu)?;
    assert_eq!(values(&layer_norm(&flat, &ones, None, 1e-5)?), [0.0, 0.0]);
    let nan = Tensor::new(&[[f32::NAN, 5.], [1., 3.]], &Device::Cpu)?;
    let y = values(&layer_norm(&nan, &ones, None, 0.0)?);
    assert!(y[0].is_nan() && y[1].is_nan() && y[2..] == [-1.0, 1.0], "{y:?}");
    Ok(())
}

#[test]
fn layers_have_candles_parameters_and_learn() -> Result<()> {
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F64, &Device::Cpu);
    let layer = nn::layer_norm(4, 1e-3, vb.pp("layer"))?;
    let rms = nn::rms_norm(4, 1e-3, vb.pp("rms"))?;
    let bare = nn::layer_norm_no_bias(4, 1e-3, vb.pp("bare"))?;
    let config = LayerNormConfig { eps: 1e-3, remove_mean: false, affine: true };
    let biased = nn::layer_norm(4, config, vb.pp("biased"))?;
    let mut names: Vec<String> = map.data().lock().unwrap().keys().cloned().collect();
    names.sort();
    let expected =
        ["bare.weight", "biased.bias", "biased.weight", "layer.bias", "layer.weight", "rms.weight"];
    assert_eq!(names, expected);
    for (name, value) in [("layer.weight", 1.0), ("layer.bias", 0.0)] {
        assert_eq!(values(map.data().lock().unwrap()[name].as_tensor()), [value; 4]);
    }

    // candle's own, for a view, is composed and correct.
    let x = random(5, (4, 6))?.t()?;
    let theirs = [
        candle_nn::layer_norm(4, 1e-3, vb.pp("layer"))?.forward(&x)?,
        candle_nn::rms_norm(4, 1e-3, vb.pp("rms"))?.forward(&x)?,
        candle_nn::layer_norm_no_bias(4, 1e-3, vb.pp("bare"))?.forward(&x)?,
        candle_nn::layer_norm(4, config, vb.pp("biased"))?.forward(&x)?,
    ];
    let ours = [layer.forward(&x)?, rms.forward(&x)?, bare.forward(&x)?, biased.forward(&x)?];
    // Each reaches its own parameters.
    for ((ours, theirs), parameters) in ours.iter().zip(&theirs).zip([2, 1, 1, 2]) {
        assert_close("layer", &values(ours), &values(theirs), 1e-12);
        let gradients = ours.sqr()?.sum_all()?.backward()?;
        let reached = map.all_vars().iter().filter(|variable| gradients.get(variable).is_some()).count();
        assert_eq!(reached, parameters, "parameters that have a gradient");
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_an_error_that_names_it() -> Result<()> {
    let (x, weight) = (random(1, (2, 3))?, random(2, 3)?);
    let message = |result: Result<Tensor>| {
        let error = result.expect_err("it does not fit").to_string();
        error.lines().next().unwrap_or_default().to_string()
    };
    let short = random(3, 2)?;
    assert_eq!(message(rms_norm(&x, &short, 0.0)), "rms_norm: expected weight [3], got [2]");
    assert_eq!(message(layer_norm(&x, &weight, Some(&short), 0.0)), "layer_norm: expected bias [3], got [2]");
    let narrow = weight.to_dtype(DType::F32)?;
    assert_eq!(message(rms_norm(&x, &narrow, 0.0)), "rms_norm: expected weight of F64 as x, got F32");
    assert_eq!(message(rms_norm(&x, &weight, -1.0)), "rms_norm: expected an eps of at least 0, got -1");
    let empty = "rms_norm: expected x with at least one value in its last dimension, got [2, 0]";
    assert_eq!(message(rms_norm(&x.narrow(1, 0, 0)?, &weight, 0.0)), empty);
    Ok(())
}
