//! Operations, layers and initial weights, on examples worked out by hand.

use crate::composed::{assert_as_composed, random};
use lab::candle_core::{DType, Device, Result, Tensor, Var};
use lab::candle_nn::{self, VarBuilder, VarMap};
use lab::nn::{self, Module, ModuleT};
use lab::ops::{accuracy, max_pool2d};
use lab::{init, ops};

/// The gradient of the sum of `max_pool2d(x, window)`.
fn gradient(x: &Var, window: usize) -> Result<Tensor> {
    let gradients = max_pool2d(x, window)?.sum_all()?.backward()?;
    Ok(gradients.get(x).expect("x takes part in the sum").clone())
}

/// The sizes that candle's own gradient gets wrong are among them, 11 being the course's second pool.
#[test]
fn each_window_passes_on_its_whole_gradient() -> Result<()> {
    for (dtype, window) in [(DType::F32, 2), (DType::F32, 3), (DType::F64, 2)] {
        for n in window..=33 {
            let x = Var::from_tensor(&Tensor::rand(0.0, 1.0, (1, 1, n, n), &Device::Cpu)?.to_dtype(dtype)?)?;
            let gradient = gradient(&x, window)?;
            let windows = (n / window) * (n / window);
            let sum = gradient.to_dtype(DType::F64)?.sum_all()?.to_scalar::<f64>()?;
            assert_eq!(sum, windows as f64, "{dtype:?}, window {window}, {n} x {n}");
            // The gradient lies at the maxima: there the input has the same sum as the maxima.
            let reached = (gradient * x.as_tensor())?.to_dtype(DType::F64)?.sum_all()?.to_scalar::<f64>()?;
            let maxima = max_pool2d(&x, window)?.to_dtype(DType::F64)?.sum_all()?.to_scalar::<f64>()?;
            assert!(
                (reached - maxima).abs() < 1e-3,
                "{dtype:?}, window {window}, {n} x {n}: {reached}, {maxima}"
            );
        }
    }
    Ok(())
}

#[rustfmt::skip]
#[test]
fn an_example_by_hand() -> Result<()> {
    // The fifth row and column fill no window, so the 9 in them must not appear.
    let x = Tensor::new(&[[[
        [1f32, 2., -1., -2., 9.],
        [  4., 3., -4., -3., 9.],
        [  0., 0.,  5.,  6., 9.],
        [  0., 7.,  8.,  5., 9.],
        [  9., 9.,  9.,  9., 9.],
    ]]], &Device::Cpu)?;
    let x = Var::from_tensor(&x)?;
    let pooled = max_pool2d(&x, 2)?;
    assert_eq!(pooled.squeeze(0)?.to_vec3::<f32>()?, [[[4., -1.], [7., 8.]]]);

    let weights = Tensor::new(&[[[[10f32, 20.], [30., 40.]]]], &Device::Cpu)?;
    let gradients = (pooled * weights)?.sum_all()?.backward()?;
    let gradient = gradients.get(&x).expect("x takes part in the sum").squeeze(0)?;
    assert_eq!(gradient.to_vec3::<f32>()?, [[
        [ 0.,  0., 20., 0., 0.],
        [10.,  0.,  0., 0., 0.],
        [ 0.,  0.,  0., 0., 0.],
        [ 0., 30., 40., 0., 0.],
        [ 0.,  0.,  0., 0., 0.],
    ]]);
    Ok(())
}

#[test]
fn of_equal_values_the_first_gets_the_gradient() -> Result<()> {
    for (values, first) in [([1f32, 1., 1., 1.], 0), ([0., 1., 1., 0.], 1), ([0., 0., 1., 1.], 2)] {
        let mut expected = [0.; 4];
        expected[first] = 1.;
        // One is computed by our kernel, one composed from candle's operations.
        for dtype in [DType::F32, DType::F64] {
            let x = Tensor::new(&values, &Device::Cpu)?.reshape((1, 1, 2, 2))?.to_dtype(dtype)?;
            let gradient = gradient(&Var::from_tensor(&x)?, 2)?.to_dtype(DType::F32)?;
            assert_eq!(gradient.flatten_all()?.to_vec1::<f32>()?, expected, "{values:?} of {dtype:?}");
        }
    }
    Ok(())
}

#[test]
fn forward_is_candles_own_on_several_images_and_channels_in_any_layout() -> Result<()> {
    let x = Tensor::randn(0f32, 1., (3, 4, 9, 11), &Device::Cpu)?;
    for x in [x.clone(), x.transpose(2, 3)?, x.narrow(0, 1, 2)?] {
        let difference = (max_pool2d(&x, 2)? - x.contiguous()?.max_pool2d(2)?)?.abs()?.max_all()?;
        assert_eq!(difference.to_scalar::<f32>()?, 0.0, "{:?}", x.layout());
    }
    Ok(())
}

#[test]
fn a_value_that_is_no_number_comes_through() -> Result<()> {
    let x = Tensor::new(&[[[[1f32, f32::NAN], [2., 3.]]]], &Device::Cpu)?;
    assert!(max_pool2d(&x, 2)?.flatten_all()?.to_vec1::<f32>()?[0].is_nan());
    Ok(())
}

#[test]
fn parameters_follow_from_the_seed_within_the_bounds_of_their_layer() -> Result<()> {
    let draw = |seed| -> Result<Vec<Vec<f32>>> {
        let map = VarMap::new();
        let builder = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
        let conv = candle_nn::conv2d(4, 8, 3, Default::default(), builder.pp("conv"))?;
        let dense = candle_nn::linear(100, 10, builder.pp("dense"))?;
        let norm = candle_nn::batch_norm(8, 1e-5, builder.pp("norm"))?;
        init::seed(&map, seed)?;
        for (values, expected) in [(norm.running_mean(), 0.0), (norm.running_var(), 1.0)] {
            assert_eq!(values.to_vec1::<f32>()?, [expected; 8], "no weights of a sum");
        }
        let bias = conv.bias().expect("it has one").clone();
        [conv.weight().clone(), bias, dense.weight().clone()]
            .map(|t| t.flatten_all()?.to_vec1())
            .into_iter()
            .collect()
    };
    let (one, again, other) = (draw(1)?, draw(1)?, draw(2)?);
    assert_eq!(one, again);
    assert!(one[0] != other[0] && one[2] != other[2]);
    assert_eq!(one[1], [0.0; 8], "biases begin at 0");
    for (values, inputs) in [(&one[0], 36.0), (&one[2], 100.0)] {
        let bound = (6.0f32 / inputs).sqrt();
        let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        assert!(largest <= bound && largest > 0.95 * bound, "{largest} for {bound}");
        // Uniform in ±b has a variance of b²/3: 2 / n.
        let variance = values.iter().map(|value| value * value).sum::<f32>() / values.len() as f32;
        assert!((variance * inputs / 2.0 - 1.0).abs() < 0.15, "{variance}");
    }
    Ok(())
}

#[test]
fn dropout_drops_by_seed_scales_the_rest_and_rests_outside_training() -> Result<()> {
    let x = Tensor::ones((100, 100), DType::F32, &Device::Cpu)?;
    let masks = |seed| -> Result<Vec<Vec<f32>>> {
        let dropout = init::Dropout::new(0.2, seed);
        (0..2).map(|_| dropout.forward(&x, true)?.flatten_all()?.to_vec1()).collect()
    };
    let (one, again) = (masks(1)?, masks(1)?);
    assert_eq!(one, again);
    assert_ne!(one[0], one[1], "each call has a mask of its own");
    assert_ne!(one, masks(2)?);
    assert!(one[0].iter().all(|&value| value == 0.0 || value == 1.25));
    let dropped = one[0].iter().filter(|&&value| value == 0.0).count();
    assert!((1800..2200).contains(&dropped), "{dropped} of 10,000 at 20 %");
    let at_rest = init::Dropout::new(0.2, 1).forward(&x, false)?;
    assert_eq!(at_rest.sum_all()?.to_scalar::<f32>()?, 10_000.0);
    Ok(())
}

#[test]
fn accuracy_is_the_part_of_right_predictions() -> Result<()> {
    let logits = Tensor::new(
        &[[0.0f32, 2.0, 1.0], [-1.0, -3.0, -2.0], [0.0, 0.0, 5.0], [9.0, 0.0, 0.0]],
        &Device::Cpu,
    )?;
    let labels = Tensor::new(&[1u32, 0, 0, 0], &Device::Cpu)?;
    assert_eq!(accuracy(&logits, &labels)?, 0.75);
    assert_eq!(accuracy(&logits.narrow(0, 2, 1)?, &labels.narrow(0, 2, 1)?)?, 0.0);
    let error = accuracy(&logits, &labels.narrow(0, 0, 3)?).expect_err("a label is missing").to_string();
    assert_eq!(error.lines().next(), Some("shape mismatch in cmp, lhs: [4], rhs: [3]"));
    Ok(())
}

#[test]
fn relu_has_no_gradient_at_zero_and_lets_through_what_is_no_number() -> Result<()> {
    for dtype in [DType::F32, DType::F64] {
        let x = Tensor::new(&[-1f32, 0., 2., f32::NAN], &Device::Cpu)?;
        let x = Var::from_tensor(&x.to_dtype(dtype)?)?;
        let y = ops::relu(&x)?;
        let gradients = y.sum_all()?.backward()?;
        let gradient = gradients.get(&x).expect("x takes part in the sum").to_dtype(DType::F32)?;
        assert_eq!(gradient.to_vec1::<f32>()?, [0., 0., 1., 1.], "{dtype:?}");
        let y = y.to_dtype(DType::F32)?.to_vec1::<f32>()?;
        assert_eq!(y[..3], [0., 0., 2.]);
        assert!(y[3].is_nan());
    }
    Ok(())
}

#[test]
fn cross_entropy_is_candles_and_by_hand() -> Result<()> {
    let labels = Tensor::new(&[2u32, 0, 1, 1, 9, 5, 3], &Device::Cpu)?;
    let loss = |t: &[Tensor]| ops::cross_entropy(&t[0], &labels);
    assert_as_composed("random", loss, &[(random(&[7, 10], 3)? * 5.0)?], true)?;

    // Two classes whose odds are 3 to 1, and a logit so large that its exponential overflows.
    let logits = Tensor::new(&[[3f32.ln(), 0.], [1000., 0.]], &Device::Cpu)?;
    let labels = Tensor::new(&[1u32, 0], &Device::Cpu)?;
    let x = Var::from_tensor(&logits)?;
    let loss = ops::cross_entropy(&x, &labels)?;
    assert!((loss.to_scalar::<f32>()? - 4f32.ln() / 2.0).abs() < 1e-6);
    let gradients = loss.backward()?;
    let gradient = gradients.get(&x).expect("x takes part in the loss").to_vec2::<f32>()?;
    for (value, expected) in gradient.concat().into_iter().zip([0.375, -0.375, 0., 0.]) {
        assert!((value - expected).abs() < 1e-6, "{gradient:?}");
    }
    Ok(())
}

/// Its gradient is that of the values it lets through.
#[test]
fn dropout_passes_the_gradient_where_it_passes_the_value() -> Result<()> {
    for dtype in [DType::F32, DType::F64] {
        let x = Var::from_tensor(&Tensor::ones((50, 99), dtype, &Device::Cpu)?)?;
        let y = ops::dropout(&x, 0.3, 7)?;
        let gradients = y.sum_all()?.backward()?;
        let values = |of: &Tensor| of.to_dtype(DType::F32)?.to_vec2::<f32>();
        let kept = values(&y)?;
        assert_eq!(values(gradients.get(&x).expect("x takes part in the sum"))?, kept, "{dtype:?}");
        assert_eq!(values(&ops::dropout(&x, 0.3, 7)?)?, kept);
        assert_ne!(values(&ops::dropout(&x, 0.3, 8)?)?, kept);
    }
    Ok(())
}

/// A network of our layers and one of candle's read the same parameters.
#[test]
fn layers_have_candles_parameters() -> Result<()> {
    let map = VarMap::new();
    let builder = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    let config = nn::Conv2dConfig { padding: 1, stride: 2, ..Default::default() };
    let theirs = candle_nn::conv2d(4, 8, 3, config, builder.pp("conv"))?;
    let ours = nn::conv2d(4, 8, 3, config, builder.pp("conv"))?;
    let block = nn::conv_block(4, 8, 3, 2, builder.pp("conv"))?;
    assert_eq!(map.all_vars().len(), 2, "all three have the same weight and bias");

    let x = random(&[3, 4, 11, 9], 5)?;
    let close = |one: Tensor, other: Tensor| -> Result<bool> {
        Ok((one - other)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-5)
    };
    assert!(close(ours.forward(&x)?, theirs.forward(&x)?)?);
    assert!(close(block.forward(&x)?, block.clone().fused(false).forward(&x)?)?);
    let parts = ops::relu(&ops::conv2d(&x, theirs.weight(), theirs.bias(), 1, 0)?)?;
    assert!(close(block.forward(&x)?, nn::MaxPool2d::new(2).forward(&parts)?)?);

    let grouped = nn::Conv2dConfig { groups: 2, dilation: 2, ..Default::default() };
    let theirs = candle_nn::conv2d(4, 8, 3, grouped, builder.pp("grouped"))?;
    let ours = nn::conv2d(4, 8, 3, grouped, builder.pp("grouped"))?;
    assert!(close(ours.forward(&x)?, theirs.forward(&x)?)?);
    let refused = nn::conv2d(3, 8, 3, grouped, builder.pp("none")).unwrap_err().to_string();
    assert!(refused.starts_with("conv2d: expected channels in 2 groups, got 3 to 8"), "{refused}");

    let dropout = nn::Dropout::new(0.5, 1);
    assert_eq!(dropout.forward_t(&x, false)?.id(), x.id());
    Ok(())
}
