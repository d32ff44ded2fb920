//! Gradients that are kept from growing too large.

use candle_core::backprop::GradStore;
use candle_core::{DType, Result, Var};

/// Scales the gradients of `variables` so that their norm, √ of the sum of all their squares, is at most `largest`; returns the norm
/// that they had. As PyTorch's `clip_grad_norm_`. Pascanu and others, "On the difficulty of training recurrent neural networks", 2013.
///
/// # Errors
/// When the gradients lie on different devices.
pub fn clip_gradients(gradients: &mut GradStore, variables: &[Var], largest: f64) -> Result<f64> {
    let mut squares = 0.0;
    for gradient in variables.iter().filter_map(|variable| gradients.get(variable)) {
        squares += gradient.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
    }
    let norm = squares.sqrt();
    // PyTorch adds this, so that a norm of 0 is no special case.
    let scale = largest / (norm + 1e-6);
    if scale < 1.0 {
        for variable in variables {
            if let Some(gradient) = gradients.remove(variable) {
                gradients.insert(variable, (gradient * scale)?);
            }
        }
    }
    Ok(norm)
}
