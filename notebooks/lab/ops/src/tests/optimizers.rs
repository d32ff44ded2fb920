//! What goes with an optimizer: clipping, and averages.

use super::{assert_close, values};
use crate::nn::{Ema, MomentumSGD, Optimizer, ParamsMomentumSGD, clip_gradients};
use candle_core::{Device, Result, Tensor, Var};

#[test]
fn gradients_are_clipped_together_and_only_if_they_are_large() -> Result<()> {
    let (a, b) = (Var::new(&[1f32, 2.], &Device::Cpu)?, Var::new(&[3f32], &Device::Cpu)?);
    let unused = Var::new(&[5f32], &Device::Cpu)?;
    let variables = [a.clone(), b.clone(), unused];
    // The gradients of a² / 2 + 2b are a and 2, with a norm of √(1 + 4 + 4).
    let loss = || ((a.sqr()?.sum_all()? / 2.0)? + (b.as_tensor() * 2.0)?.sum_all()?)?.backward();
    for (largest, scale) in [(1.5, 0.5), (4.0, 1.0)] {
        let mut gradients = loss()?;
        assert!((clip_gradients(&mut gradients, &variables, largest)? - 3.0).abs() < 1e-6);
        let of = |variable: &Var| values(gradients.get(variable).expect("it takes part"));
        assert_close("a", &of(&a), &[scale, 2.0 * scale], 1e-6);
        assert_close("b", &of(&b), &[2.0 * scale], 1e-6);
    }
    Ok(())
}

#[test]
fn averages_follow_the_values_and_can_take_their_place() -> Result<()> {
    let a = Var::new(&[1f64], &Device::Cpu)?;
    let mut ema = Ema::new(vec![a.clone()], 0.75)?;
    for value in [2f64, 4.] {
        a.set(&Tensor::new(&[value], &Device::Cpu)?)?;
        ema.update()?;
    }
    ema.swap()?;
    // 0.75 · (0.75 · 1 + 0.25 · 2) + 0.25 · 4
    assert_eq!(values(&a), [1.9375]);
    ema.swap()?;
    assert_eq!(values(&a), [4.0]);
    assert!(Ema::new(vec![a], 1.5).unwrap_err().to_string().contains("expected a decay in 0 to 1, got 1.5"));
    Ok(())
}

#[test]
fn settings_that_mean_nothing_are_errors() {
    let message = |settings| MomentumSGD::new(Vec::new(), settings).unwrap_err().to_string();
    let usual = ParamsMomentumSGD::default();
    let expected = "MomentumSGD: expected a momentum of at least 0 and less than 1, got 1";
    assert!(message(ParamsMomentumSGD { momentum: 1.0, ..usual }).starts_with(expected));
    let expected = "MomentumSGD: expected a momentum above 0 with nesterov";
    assert!(message(ParamsMomentumSGD { momentum: 0.0, nesterov: true, ..usual }).starts_with(expected));
}
