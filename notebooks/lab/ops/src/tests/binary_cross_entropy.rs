//! Binary cross-entropy: values, gradients and large logits.

use super::{assert_close, assert_gradients, random, values, with_gradients};
use crate::binary_cross_entropy::composed;
use crate::binary_cross_entropy_with_logits;
use candle_core::{DType, Device, Result, Tensor};

#[test]
fn it_is_the_mean_of_minus_the_logarithms_of_the_probabilities() -> Result<()> {
    // Odds of 3 to 1 and even odds; targets that are right, wrong, and half right.
    let logits = Tensor::new(&[3f64.ln(), 3f64.ln(), 0.0], &Device::Cpu)?;
    let expected = -(0.75f64.ln() + 0.25f64.ln() + 0.5f64.ln()) / 3.0;
    let targets = Tensor::new(&[1f64, 0.0, 0.5], &Device::Cpu)?;
    for dtype in [DType::F32, DType::F64] {
        let loss = binary_cross_entropy_with_logits(&logits.to_dtype(dtype)?, &targets)?;
        assert_eq!((loss.rank(), loss.dtype()), (0, dtype));
        assert_close("loss", &values(&loss), &[expected], 1e-6);
    }
    let whole = Tensor::new(&[1u8, 0, 1], &Device::Cpu)?;
    let expected = -(0.75f64.ln() + 0.25f64.ln() + 0.5f64.ln()) / 3.0;
    assert_close("bytes", &values(&binary_cross_entropy_with_logits(&logits, &whole)?), &[expected], 1e-12);
    Ok(())
}

#[test]
fn differences_agree_with_its_gradients() -> Result<()> {
    let targets = ((random(2, (3, 5))? + 1.0)? / 2.0)?;
    let inputs = [(random(1, (3, 5))? * 4.0)?, targets];
    assert_gradients("loss", &inputs, &|at| binary_cross_entropy_with_logits(&at[0], &at[1]))?;
    // A GPU uses the composed operation.
    let f = |at: &[Tensor]| super::super::in_f32(&at[0], |x| composed(x, &at[1].to_dtype(x.dtype())?));
    assert_gradients("composed loss", &inputs, &f)
}

/// At 0 neither the absolute value nor ReLU, of which other implementations are composed, has a derivative.
#[test]
fn gradients_are_the_probability_less_the_target() -> Result<()> {
    let kernel = |at: &[Tensor]| binary_cross_entropy_with_logits(&at[0], &at[1]);
    let composed = |at: &[Tensor]| composed(&at[0], &at[1]);
    for dtype in [DType::F32, DType::F64] {
        for f in [&kernel as super::Operation, &composed] {
            for (logit, target, expected) in
                [(0.0, 1.0, -0.5), (0.0, 0.0, 0.5), (1e30, 0.0, 1.0), (-1e30, 0.0, 0.0), (-1e30, 1.0, -1.0)]
            {
                let inputs = [logit, target].map(|value: f64| {
                    Tensor::new(&[value], &Device::Cpu).and_then(|tensor| tensor.to_dtype(dtype)).unwrap()
                });
                let one = Tensor::ones((), dtype, &Device::Cpu)?;
                let (_, gradients) = with_gradients(&inputs, &one, f)?;
                assert_eq!(values(&gradients[0]), [expected], "{logit} for {target}");
            }
        }
    }
    Ok(())
}

#[test]
fn large_logits_cost_what_they_are_off_and_nan_propagates() -> Result<()> {
    for dtype in [DType::F16, DType::BF16, DType::F32, DType::F64] {
        let loss = |logit: f64, target: f64| -> Result<f64> {
            let logits = Tensor::new(&[logit], &Device::Cpu)?.to_dtype(dtype)?;
            let loss = binary_cross_entropy_with_logits(&logits, &Tensor::new(&[target], &Device::Cpu)?)?;
            Ok(values(&loss)[0])
        };
        assert_eq!([loss(2048.0, 0.0)?, loss(2048.0, 1.0)?], [2048.0, 0.0], "{dtype:?}");
        assert_eq!([loss(-2048.0, 0.0)?, loss(-2048.0, 1.0)?], [0.0, 2048.0], "{dtype:?}");
        assert!(loss(f64::NAN, 1.0)?.is_nan() && loss(1.0, f64::NAN)?.is_nan(), "{dtype:?}");
    }
    // So small that a probability rounded to 1 would lose it.
    let logits = Tensor::new(&[30f32], &Device::Cpu)?;
    let loss = binary_cross_entropy_with_logits(&logits, &Tensor::new(&[1f32], &Device::Cpu)?)?;
    assert_close("loss", &values(&loss), &[(-30f64).exp()], 1e-6);
    Ok(())
}

#[test]
fn what_does_not_fit_is_an_error_that_names_it() -> Result<()> {
    let message = |logits: &Tensor, targets: &Tensor| {
        let error =
            binary_cross_entropy_with_logits(logits, targets).expect_err("it does not fit").to_string();
        error.lines().next().unwrap_or_default().replace("binary_cross_entropy_with_logits: ", "")
    };
    let x = random(1, (2, 3))?;
    assert_eq!(message(&x, &random(2, (3, 2))?), "expected targets [2, 3] as logits, got [3, 2]");
    let empty = x.narrow(0, 0, 0)?;
    assert_eq!(message(&empty, &empty), "expected at least one value, got [0, 3]");
    let whole = x.to_dtype(DType::U32)?;
    assert_eq!(message(&whole, &whole), "expected values of F16, BF16, F32 or F64, got U32");
    Ok(())
}
