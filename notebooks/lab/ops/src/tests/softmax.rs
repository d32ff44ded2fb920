//! Softmax and its logarithm: values, gradients and extreme inputs.

use super::{assert_close, assert_gradients, random, values};
use crate::softmax::{composed_log_softmax, composed_softmax};
use crate::{log_softmax, softmax};
use candle_core::{D, DType, Device, Result, Tensor};

#[test]
fn softmax_divides_exponentials_by_their_sum() -> Result<()> {
    let x = Tensor::new(&[[0f64, 3f64.ln()], [1f64.ln(), 1f64.ln()]], &Device::Cpu)?;
    for dtype in [DType::F32, DType::F64] {
        let y = softmax(&x.to_dtype(dtype)?, D::Minus1)?;
        assert_close("along rows", &values(&y), &[0.25, 0.75, 0.5, 0.5], 1e-6);
        let y = softmax(&x.to_dtype(dtype)?, 0)?;
        assert_close("along columns", &values(&y), &[0.5, 0.75, 0.5, 0.25], 1e-6);
        let y = log_softmax(&x.to_dtype(dtype)?, 1)?;
        let half = 0.5f64.ln();
        assert_close("logarithms", &values(&y), &[0.25f64.ln(), 0.75f64.ln(), half, half], 1e-6);
    }
    Ok(())
}

#[test]
fn differences_agree_with_the_gradients_of_softmax_along_every_dimension() -> Result<()> {
    let x = (random(1, (3, 4, 5))? * 3.0)?;
    for dim in 0..3 {
        let inputs = std::slice::from_ref(&x);
        assert_gradients(&format!("softmax along {dim}"), inputs, &|at| softmax(&at[0], dim))?;
        assert_gradients(&format!("log_softmax along {dim}"), inputs, &|at| log_softmax(&at[0], dim))?;
        let turned = |at: &[Tensor]| softmax(&at[0].transpose(0, 2)?, dim);
        assert_gradients(&format!("softmax of a view along {dim}"), inputs, &turned)?;
    }
    Ok(())
}

/// A GPU uses the composed operations.
#[test]
fn what_is_composed_for_other_devices_is_the_same() -> Result<()> {
    let x = (random(2, (6, 7))? * 3.0)?;
    assert_gradients("softmax", std::slice::from_ref(&x), &|at| {
        super::super::in_f32(&at[0], composed_softmax)
    })?;
    assert_close("softmax", &values(&composed_softmax(&x)?), &values(&softmax(&x, 1)?), 1e-14);
    assert_close("log_softmax", &values(&composed_log_softmax(&x)?), &values(&log_softmax(&x, 1)?), 1e-14);
    let large = Tensor::new(&[1e30f32, 0., -1e30], &Device::Cpu)?;
    assert_eq!(values(&composed_softmax(&large)?), [1.0, 0.0, 0.0]);
    Ok(())
}

#[test]
fn extreme_logits_have_finite_probabilities_and_nan_propagates() -> Result<()> {
    for dtype in [DType::F16, DType::BF16, DType::F32, DType::F64] {
        let row = |row: &[f64]| Tensor::new(row, &Device::Cpu)?.to_dtype(dtype);
        assert_eq!(values(&softmax(&row(&[6e4, 0.0, -6e4])?, 0)?), [1.0, 0.0, 0.0], "{dtype:?}");
        assert_eq!(values(&softmax(&row(&[-6e4, -6e4])?, 0)?), [0.5, 0.5], "{dtype:?}");
        let logarithms = values(&log_softmax(&row(&[500.0, 0.0, f64::NEG_INFINITY])?, 0)?);
        assert_eq!(logarithms, [0.0, -500.0, f64::NEG_INFINITY], "{dtype:?}");
        assert!(values(&softmax(&row(&[0.0, f64::NAN])?, 0)?).iter().all(|p| p.is_nan()), "{dtype:?}");
        assert!(values(&softmax(&row(&[0.0, f64::INFINITY])?, 0)?).iter().any(|p| p.is_nan()), "{dtype:?}");
    }
    for x in [1e30f32, -1e30] {
        assert_eq!(softmax(&Tensor::new(&[x, x], &Device::Cpu)?, 0)?.to_vec1::<f32>()?, [0.5, 0.5]);
    }
    Ok(())
}

#[test]
fn what_has_no_softmax_is_an_error_and_nothing_has_an_empty_one() -> Result<()> {
    let x = Tensor::zeros((2, 0), DType::F32, &Device::Cpu)?;
    assert_eq!(softmax(&x, 1)?.dims(), [2, 0]);
    let message = |result: Result<Tensor>| {
        let error = result.expect_err("it has no softmax").to_string();
        error.lines().next().unwrap_or_default().to_string()
    };
    assert_eq!(message(softmax(&x, 2)), "softmax: dimension index 2 out of range for shape [2, 0]");
    assert_eq!(message(log_softmax(&x, 2)), "log_softmax: dimension index 2 out of range for shape [2, 0]");
    let scalar = Tensor::new(1f32, &Device::Cpu)?;
    assert_eq!(message(softmax(&scalar, D::Minus1)), "softmax: dimension index -1 out of range for shape []");
    let whole = Tensor::new(&[1u32], &Device::Cpu)?;
    assert_eq!(message(softmax(&whole, 0)), "softmax: expected values of F16, BF16, F32 or F64, got U32");
    Ok(())
}
