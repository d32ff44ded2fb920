//! Batch normalization: what a layer remembers, other devices, and extreme inputs.

use super::{assert_close, assert_gradients, random, values};
use crate::nn::{self, BatchNormConfig, ModuleT, VarBuilder, VarMap};
use crate::{batch_norm, batch_norm_with_statistics};
use candle_core::{DType, Device, Result, Tensor};

#[test]
fn differences_agree_with_the_gradients_of_batch_norm() -> Result<()> {
    let inputs = [random(1, (3, 2, 2, 3))?, random(2, 2)?, random(3, 2)?];
    for eps in [1e-5, 0.5] {
        let train = |at: &[Tensor]| Ok(batch_norm(&at[0], &at[1], &at[2], eps)?.0);
        assert_gradients("batch_norm", &inputs, &train)?;
        // The channels of this view are not contiguous.
        let turned = |at: &[Tensor]| Ok(batch_norm(&at[0].transpose(2, 3)?, &at[1], &at[2], eps)?.0);
        assert_gradients("batch_norm of a view", &inputs, &turned)?;
    }
    let mean = random(4, 2)?;
    let variance = (random(5, 2)? + 1.5)?;
    let evaluate = |at: &[Tensor]| {
        batch_norm_with_statistics(&at[0], &mean.to_dtype(at[0].dtype())?, &variance, &at[1], &at[2], 0.1)
    };
    assert_gradients("with statistics", &inputs, &evaluate)
}

/// The numbers of a channel of two images: 1, 3 and 5, 7, with mean 4 and variance (9 + 1 + 1 + 9) / 4 = 5.
#[test]
fn a_layer_remembers_what_it_has_seen_as_pytorch_does() -> Result<()> {
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    let config = BatchNormConfig { eps: 0.0, momentum: 0.25, ..Default::default() };
    let layer = nn::batch_norm(1, config, vb.pp("norm"))?;
    let names: std::collections::BTreeSet<String> = map.data().lock().unwrap().keys().cloned().collect();
    let expected = ["norm.bias", "norm.running_mean", "norm.running_var", "norm.weight"];
    assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), expected);

    let x = Tensor::new(&[[[1f32, 3.]], [[5., 7.]]], &Device::Cpu)?;
    let root = 5f64.sqrt();
    let normalized = [-3.0 / root, -1.0 / root, 1.0 / root, 3.0 / root];
    assert_close("training", &values(&layer.forward_t(&x, true)?), &normalized, 1e-6);
    // 0.75 · 0 + 0.25 · 4, and 0.75 · 1 + 0.25 · 20 / 3
    let kept = |name: &str| values(map.data().lock().unwrap()[name].as_tensor());
    assert_close("mean", &kept("norm.running_mean"), &[1.0], 1e-6);
    assert_close("variance", &kept("norm.running_var"), &[0.75 + 5.0 / 3.0], 1e-6);
    let scale = 1.0 / (0.75f64 + 5.0 / 3.0).sqrt();
    let evaluated = [0.0, 2.0 * scale, 4.0 * scale, 6.0 * scale];
    assert_close("evaluation", &values(&layer.forward_t(&x, false)?), &evaluated, 1e-6);
    assert_close("nothing is learnt from it", &kept("norm.running_mean"), &[1.0], 1e-6);

    // An optimizer is to leave the running statistics alone.
    for train in [true, false] {
        let gradients = layer.forward_t(&x, train)?.sqr()?.sum_all()?.backward()?;
        let has = |name: &str| gradients.get(map.data().lock().unwrap()[name].as_tensor()).is_some();
        assert!(
            has("norm.weight") && has("norm.bias") && !has("norm.running_mean") && !has("norm.running_var")
        );
    }
    Ok(())
}

/// A GPU uses the composed operations, and so do numbers of `f64`.
#[test]
fn what_is_composed_for_other_devices_is_the_same() -> Result<()> {
    let (x, weight, bias) = (random(1, (4, 3, 5))?, random(2, 3)?, random(3, 3)?);
    let (wide, found) = batch_norm(&x, &weight, &bias, 1e-3)?;
    let narrow = [&x, &weight, &bias].map(|tensor| tensor.to_dtype(DType::F32).unwrap());
    let (y, also_found) = batch_norm(&narrow[0], &narrow[1], &narrow[2], 1e-3)?;
    assert_eq!((y.dtype(), wide.dtype(), found.mean.dims()), (DType::F32, DType::F64, &[3][..]));
    assert_close("values", &values(&y), &values(&wide), 2e-6);
    assert_close("means", &values(&also_found.mean), &values(&found.mean), 2e-6);
    assert_close("variances", &values(&also_found.variance), &values(&found.variance), 2e-6);
    let (mean, variance) = (&found.mean, &found.variance);
    let again = batch_norm_with_statistics(&x, mean, variance, &weight, &bias, 1e-3)?;
    assert_close("with statistics", &values(&again), &values(&wide), 1e-12);
    Ok(())
}

#[test]
fn what_does_not_fit_is_an_error_that_names_it() -> Result<()> {
    let message = |result: Result<Tensor>| {
        result.expect_err("it does not fit").to_string().lines().next().unwrap_or_default().to_string()
    };
    let tensor = |shape: &[usize]| Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap();
    let train = |x: &[usize], weight, bias, eps| {
        message(batch_norm(&tensor(x), &tensor(&[weight]), &tensor(&[bias]), eps).map(|(y, _)| y))
    };
    assert_eq!(train(&[2, 3, 4], 2, 3, 0.1), "batch_norm: expected weight [3], got [2]");
    assert_eq!(train(&[2, 3, 4], 3, 4, 0.1), "batch_norm: expected bias [3], got [4]");
    assert_eq!(train(&[2, 3], 3, 3, -1.0), "batch_norm: expected an eps of at least 0, got -1");
    assert_eq!(
        train(&[1, 3, 1, 1], 3, 3, 0.1),
        "batch_norm: expected at least two values in a channel, got [1, 3, 1, 1]"
    );
    for shape in [&[3][..], &[0, 3]] {
        let expected =
            format!("batch_norm: expected x [batch, channels, …] with at least one value, got {shape:?}");
        assert_eq!(train(shape, 3, 3, 0.1), expected);
    }
    let whole = Tensor::ones((2, 3), DType::U32, &Device::Cpu)?;
    let of_whole = message(batch_norm(&whole, &tensor(&[3]), &tensor(&[3]), 0.1).map(|(y, _)| y));
    assert_eq!(of_whole, "batch_norm: expected values of F16, BF16, F32 or F64, got U32");
    Ok(())
}

#[test]
fn channels_far_from_0_keep_their_variance_and_nan_stays_in_its_channel() -> Result<()> {
    let ones = Tensor::ones(2, DType::F32, &Device::Cpu)?;
    let x = Tensor::new(&[[10_000f32, 1.], [10_001., f32::NAN], [10_002., 3.]], &Device::Cpu)?;
    let (y, found) = batch_norm(&x, &ones, &ones.zeros_like()?, 0.0)?;
    let root = 1.5f64.sqrt();
    let y = values(&y);
    assert_close("far from 0", &[y[0], y[2], y[4]], &[-root, 0.0, root], 1e-4);
    assert!([y[1], y[3], y[5]].iter().all(|y| y.is_nan()), "{y:?}");
    assert!((values(&found.variance)[0] - 2.0 / 3.0).abs() < 1e-6);
    Ok(())
}
