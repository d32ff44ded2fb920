//! What the documentation says about candle's own operations. If one of these tests fails, candle has fixed the fault: then the
//! documentation and the report in tests/ are out of date.

use super::{assert_close, values};
use candle_core::{D, DType, Device, Module, Result, Tensor, Var};
use candle_nn::{LayerNorm, RmsNorm, loss, ops};

fn variable() -> Result<Var> {
    Var::from_tensor(&Tensor::new(&[[1f32, 2., 4.]], &Device::Cpu)?)
}

#[test]
fn norms_and_softmax_last_dim_give_no_gradient() -> Result<()> {
    let (x, ones) = (variable()?, Var::ones(3, DType::F32, &Device::Cpu)?);
    let zeros = Var::zeros(3, DType::F32, &Device::Cpu)?;
    let results = [
        LayerNorm::new(ones.as_tensor().clone(), zeros.as_tensor().clone(), 1e-5).forward(&x)?,
        RmsNorm::new(ones.as_tensor().clone(), 1e-5).forward(&x)?,
        ops::softmax_last_dim(&x)?,
    ];
    for y in results {
        let gradients = y.sqr()?.sum_all()?.backward()?;
        assert!(gradients.get(&x).is_none() && gradients.get(&ones).is_none());
    }
    // The slower softmax has one: for the sum of squares of its values p it is 2p (p - Σ p²).
    let gradients = ops::softmax(&x, D::Minus1)?.sqr()?.sum_all()?.backward()?;
    let exponentials = [1f64, 2.0, 4.0].map(f64::exp);
    let p = exponentials.map(|exponential| exponential / exponentials.iter().sum::<f64>());
    let squares: f64 = p.iter().map(|p| p * p).sum();
    let gradient = gradients.get(&x).expect("x takes part in the sum");
    assert_close("its gradient", &values(gradient), &p.map(|p| 2.0 * p * (p - squares)), 1e-5);
    Ok(())
}

#[test]
fn rotary_embeddings_give_no_gradient() -> Result<()> {
    let x = Var::ones((1, 1, 1, 2), DType::F32, &Device::Cpu)?;
    let half = Tensor::full(0.5f32, (1, 1), &Device::Cpu)?;
    let y = candle_nn::rotary_emb::rope(&x, &half, &half)?;
    assert!(y.sum_all()?.backward()?.get(&x).is_none());
    Ok(())
}

#[test]
fn binary_cross_entropy_with_logit_is_nan_for_large_logits() -> Result<()> {
    for (logit, target) in [(20f32, 1f32), (-200., 0.)] {
        let x = Tensor::new(&[logit], &Device::Cpu)?;
        let loss = loss::binary_cross_entropy_with_logit(&x, &Tensor::new(&[target], &Device::Cpu)?)?;
        assert!(loss.to_scalar::<f32>()?.is_nan(), "{logit}");
    }
    Ok(())
}

#[test]
fn cross_entropy_sums_half_precision_in_half_precision() -> Result<()> {
    let logits = Tensor::zeros((1, 4096), DType::F16, &Device::Cpu)?;
    let loss = loss::cross_entropy(&logits, &Tensor::zeros(1, DType::U32, &Device::Cpu)?)?;
    assert_eq!(loss.to_dtype(DType::F32)?.to_scalar::<f32>()?, 7.625);
    Ok(())
}

#[test]
fn the_gradient_of_conv2d_is_an_error_where_strides_leave_a_column_over() -> Result<()> {
    let x = Var::ones((1, 1, 4, 5), DType::F32, &Device::Cpu)?;
    let weight = Tensor::ones((1, 1, 2, 2), DType::F32, &Device::Cpu)?;
    let error = x.conv2d(&weight, 0, 2, 1, 1)?.sum_all()?.backward().unwrap_err().to_string();
    assert!(error.contains("shape mismatch in add"), "{error}");
    Ok(())
}
