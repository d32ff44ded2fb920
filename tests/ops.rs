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
            // All of it lies where the input is as large as the maxima are in sum.
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
    // The fifth row and column fill no window; 9 stands there to be left out.
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
    let x = Var::from_tensor(&Tensor::ones((1, 1, 2, 2), DType::F32, &Device::Cpu)?)?;
    assert_eq!(gradient(&x, 2)?.flatten_all()?.to_vec1::<f32>()?, [1., 0., 0., 0.]);
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
fn windows_that_fit_nowhere_are_errors() -> Result<()> {
    let x = Tensor::zeros((1, 1, 4, 3), DType::F32, &Device::Cpu)?;
    for window in [0, 4] {
        let error = max_pool2d(&x, window).expect_err("no such window").to_string();
        assert!(error.contains(&format!("{window} x {window}")) && error.contains("4 x 3"), "{error}");
    }
    assert!(max_pool2d(&x.squeeze(0)?, 2).is_err());
    Ok(())
}

#[test]
fn parameters_follow_from_the_seed_within_the_bounds_of_their_layer() -> Result<()> {
    let draw = |seed| -> Result<Vec<Vec<f32>>> {
        let map = VarMap::new();
        let builder = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
        let conv = candle_nn::conv2d(4, 8, 3, Default::default(), builder.pp("conv"))?;
        let dense = candle_nn::linear(100, 10, builder.pp("dense"))?;
        init::seed(&map, seed)?;
        let bias = conv.bias().expect("it has one").clone();
        [conv.weight().clone(), bias, dense.weight().clone()]
            .map(|t| t.flatten_all()?.to_vec1())
            .into_iter()
            .collect()
    };
    let (one, again, other) = (draw(1)?, draw(1)?, draw(2)?);
    assert_eq!(one, again);
    assert!(one.iter().zip(&other).all(|(one, other)| one != other));
    for (values, bound) in one.iter().zip([1.0 / 6.0, 1.0 / 6.0, 0.1]) {
        let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        assert!(largest <= bound && largest > 0.5 * bound, "{largest} for {bound}");
    }
    // Uniform in ±b has a variance of b²/3.
    let variance = one[2].iter().map(|value| value * value).sum::<f32>() / 1000.0;
    assert!((variance * 300.0 - 1.0).abs() < 0.1, "{variance}");
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
    assert!(accuracy(&logits, &labels.narrow(0, 0, 3)?).is_err());
    Ok(())
}

/// The result of an operation, then the gradients of its arguments, for a gradient of the result that differs from
/// value to value. The first argument is not tracked if `of_first` is false; then its gradient is left out.
fn with_gradients(
    operation: impl Fn(&[Tensor]) -> Result<Tensor>,
    arguments: &[Tensor],
    dtype: DType,
    of_first: bool,
) -> Result<Vec<Tensor>> {
    let variables: Vec<Var> =
        arguments.iter().map(|t| Var::from_tensor(&t.to_dtype(dtype)?)).collect::<Result<_>>()?;
    let mut tensors: Vec<Tensor> = variables.iter().map(|variable| variable.as_tensor().clone()).collect();
    if !of_first {
        tensors[0] = tensors[0].detach();
    }
    let result = operation(&tensors)?;
    let ramp = Tensor::arange(0f32, result.elem_count() as f32, result.device())?;
    let ramp = ((ramp * 0.7)?.sin()? + 0.1)?.reshape(result.shape())?.to_dtype(dtype)?;
    let store = (&result * ramp)?.sum_all()?.backward()?;
    let mut results = vec![result];
    for variable in &variables[usize::from(!of_first)..] {
        results.push(store.get(variable).expect("each argument takes part in the sum").clone());
    }
    Ok(results)
}

/// Checks the kernels, which are for `f32`, against candle's own operations, which `f64` is composed from.
fn assert_as_composed(
    case: &str,
    operation: impl Fn(&[Tensor]) -> Result<Tensor>,
    arguments: &[Tensor],
    of_first: bool,
) -> Result<()> {
    let ours = with_gradients(&operation, arguments, DType::F32, of_first)?;
    let theirs = with_gradients(&operation, arguments, DType::F64, of_first)?;
    for (index, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert_eq!(ours.dims(), theirs.dims(), "{case}, result {index}");
        let scale = theirs.abs()?.max_all()?.to_scalar::<f64>()?.max(1e-3);
        let error = (ours.to_dtype(DType::F64)? - theirs)?.abs()?.max_all()?.to_scalar::<f64>()?;
        assert!(error <= 1e-4 * scale, "{case}, result {index}: off by {error} in {scale}");
    }
    Ok(())
}

/// Random values that are the same in each run, few of them alike.
fn random(shape: &[usize], seed: u32) -> Result<Tensor> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let values = (0..shape.iter().product()).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    });
    Tensor::from_iter(values, &Device::Cpu)?.reshape(shape)
}

#[test]
fn convolutions_are_candles_in_all_sizes() -> Result<()> {
    // Batch, channels in, height, width, channels out, kernel, stride, padding.
    for (index, case) in [
        [1, 1, 5, 5, 1, 3, 1, 0],
        [7, 1, 28, 28, 32, 3, 1, 0],
        [2, 32, 13, 13, 64, 3, 1, 0],
        [128, 2, 6, 7, 5, 3, 1, 1],
        [9, 3, 8, 11, 33, 5, 2, 2],
        [3, 5, 9, 9, 40, 3, 2, 0],
        [2, 4, 7, 10, 6, 3, 3, 1],
        [2, 17, 6, 5, 3, 1, 1, 0],
        [2, 3, 5, 5, 4, 1, 2, 3],
        [2, 2, 4, 4, 3, 4, 1, 0],
        [1, 2, 3, 3, 3, 5, 1, 2],
    ]
    .into_iter()
    .enumerate()
    {
        let [batch, c_in, height, width, c_out, kernel, stride, padding] = case;
        let x = random(&[batch, c_in, height, width], index as u32)?;
        let weight = random(&[c_out, c_in, kernel, kernel], 100)?;
        let bias = random(&[c_out], 200)?;
        for of_first in [true, false] {
            let conv = |t: &[Tensor]| ops::conv2d(&t[0], &t[1], t.get(2), stride, padding);
            let case = format!("{case:?}, gradient of x {of_first}");
            assert_as_composed(&case, conv, &[x.clone(), weight.clone(), bias.clone()], of_first)?;
            assert_as_composed(&format!("{case}, no bias"), conv, &[x.clone(), weight.clone()], of_first)?;
        }
    }
    Ok(())
}

#[test]
fn kernels_need_not_be_square_nor_tensors_contiguous() -> Result<()> {
    let conv = |t: &[Tensor]| {
        ops::conv2d(&t[0].transpose(2, 3)?, &t[1].transpose(0, 1)?, Some(&t[2].narrow(0, 1, 6)?), 1, 1)
    };
    let arguments = [random(&[3, 4, 9, 6], 1)?, random(&[4, 6, 2, 5], 2)?, random(&[8], 3)?];
    assert_as_composed("conv2d", conv, &arguments, true)?;
    let block = |t: &[Tensor]| {
        let bias = t[2].narrow(0, 1, 6)?;
        ops::conv2d_relu_max_pool2d(&t[0].transpose(2, 3)?, &t[1].transpose(0, 1)?, Some(&bias), 2)
    };
    assert_as_composed("block", block, &arguments, true)
}

#[test]
fn the_fused_block_is_its_parts_in_all_sizes() -> Result<()> {
    // Batch, channels in, height, width, channels out, kernel, window.
    for (index, case) in [
        [1, 1, 4, 4, 1, 3, 2],
        [7, 1, 28, 28, 32, 3, 2],
        [2, 32, 13, 13, 64, 3, 2],
        [128, 2, 7, 6, 5, 3, 2],
        [9, 3, 12, 10, 33, 5, 3],
        [3, 16, 9, 9, 40, 2, 1],
        [2, 17, 6, 5, 3, 1, 5],
        [1, 1, 18, 19, 2, 2, 16],
    ]
    .into_iter()
    .enumerate()
    {
        let [batch, c_in, height, width, c_out, kernel, window] = case;
        let x = random(&[batch, c_in, height, width], index as u32)?;
        let weight = random(&[c_out, c_in, kernel, kernel], 100)?;
        let bias = random(&[c_out], 200)?;
        for of_first in [true, false] {
            let block = |t: &[Tensor]| ops::conv2d_relu_max_pool2d(&t[0], &t[1], t.get(2), window);
            let case = format!("{case:?}, gradient of x {of_first}");
            assert_as_composed(&case, block, &[x.clone(), weight.clone(), bias.clone()], of_first)?;
            assert_as_composed(&format!("{case}, no bias"), block, &[x.clone(), weight.clone()], of_first)?;
        }
    }
    Ok(())
}

/// All values of the convolution are 1 here, or 0, or -1: the first of each window gets the gradient, or none does.
#[test]
fn the_fused_block_treats_ties_and_zeros_as_its_parts_do() -> Result<()> {
    for value in [1.0, 0.0, -1.0] {
        let arguments = [
            Tensor::ones((2, 1, 6, 6), DType::F32, &Device::Cpu)?,
            Tensor::full(value, (3, 1, 1, 1), &Device::Cpu)?.to_dtype(DType::F32)?,
            Tensor::zeros(3, DType::F32, &Device::Cpu)?,
        ];
        let block = |t: &[Tensor]| ops::conv2d_relu_max_pool2d(&t[0], &t[1], Some(&t[2]), 2);
        assert_as_composed(&format!("{value}"), block, &arguments, true)?;
        let dx = &with_gradients(block, &arguments, DType::F32, true)?[1];
        let reached = dx.ne(0f32)?.to_dtype(DType::F32)?.sum_all()?.to_scalar::<f32>()?;
        assert_eq!(reached, if value > 0.0 { 18.0 } else { 0.0 }, "{value}");
    }
    Ok(())
}

#[test]
fn the_fused_block_carries_what_is_no_number() -> Result<()> {
    let x = Tensor::new(&[[[[1f32, f32::NAN], [2., 3.]]]], &Device::Cpu)?;
    let weight = Tensor::ones((1, 1, 1, 1), DType::F32, &Device::Cpu)?;
    let block = |t: &[Tensor]| ops::conv2d_relu_max_pool2d(&t[0], &t[1], None, 2);
    let results = with_gradients(block, &[x, weight], DType::F32, true)?;
    assert!(results[0].flatten_all()?.to_vec1::<f32>()?[0].is_nan());
    assert_eq!(results[1].flatten_all()?.to_vec1::<f32>()?, [0., 0.1, 0., 0.]);
    assert!(results[2].flatten_all()?.to_vec1::<f32>()?[0].is_nan());
    Ok(())
}

#[test]
fn no_gradient_times_infinity_is_no_number() -> Result<()> {
    // ReLU makes 0 of all, so that no place has a gradient. As with PyTorch, 0 times infinity is no number.
    let infinite = Tensor::new(&[[[[f32::INFINITY, 1.], [2., 3.]]]], &Device::Cpu)?;
    let finite = Tensor::new(&[[[[4f32, 1.], [2., 3.]]]], &Device::Cpu)?;
    let layered = |t: &[Tensor]| ops::max_pool2d(&ops::relu(&ops::conv2d(&t[0], &t[1], None, 1, 0)?)?, 2);
    let fused = |t: &[Tensor]| ops::conv2d_relu_max_pool2d(&t[0], &t[1], None, 2);
    for (x, weight, expected) in
        [(&infinite, -1f32, [false, true]), (&finite, f32::NEG_INFINITY, [true, false])]
    {
        let arguments = [x.clone(), Tensor::full(weight, (1, 1, 1, 1), &Device::Cpu)?];
        for results in [
            with_gradients(layered, &arguments, DType::F32, true)?,
            with_gradients(fused, &arguments, DType::F32, true)?,
        ] {
            assert_eq!(results[0].flatten_all()?.to_vec1::<f32>()?, [0.]);
            let values = |of: &Tensor| of.abs()?.flatten_all()?.to_vec1::<f32>();
            let (dx, dweight) = (values(&results[1])?, values(&results[2])?);
            assert_eq!(
                [dx.iter().all(|dx| dx.is_nan()), dweight[0].is_nan()],
                expected,
                "{dx:?} {dweight:?}"
            );
            assert!(expected[0] || dx == [0.; 4], "{dx:?}");
            assert!(expected[1] || dweight == [0.], "{dweight:?}");
        }
    }
    Ok(())
}

#[test]
fn windows_may_overlap_or_leave_gaps() -> Result<()> {
    for (window, stride) in [(3, 1), (3, 2), (2, 3), (2, 1), (1, 2)] {
        let pool = |t: &[Tensor]| ops::max_pool2d_with_stride(&t[0], window, stride);
        assert_as_composed(&format!("{window}, {stride}"), pool, &[random(&[3, 5, 9, 8], 7)?], true)?;
        let ones = Tensor::ones((1, 2, 7, 9), DType::F32, &Device::Cpu)?;
        assert_as_composed(&format!("{window}, {stride}, ties"), pool, &[ones], true)?;
    }
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
        let gradient = gradients.get(&x).expect("x takes part in the sum");
        assert_eq!(gradient.to_vec2::<f32>().ok(), y.to_vec2::<f32>().ok());
        let (y, again) = (y.to_dtype(DType::F32)?, ops::dropout(&x, 0.3, 7)?.to_dtype(DType::F32)?);
        assert_eq!(y.to_vec2::<f32>()?, again.to_vec2::<f32>()?);
        assert_ne!(y.to_vec2::<f32>()?, ops::dropout(&x, 0.3, 8)?.to_dtype(DType::F32)?.to_vec2::<f32>()?);
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_an_error_that_names_the_operation() -> Result<()> {
    let cpu = &Device::Cpu;
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, cpu);
    let (x, weight, bias) = (zeros(&[2, 3, 8, 8])?, zeros(&[4, 3, 3, 3])?, zeros(&[4])?);
    let labels = Tensor::zeros(2, DType::U32, cpu)?;
    let same_type = ops::conv2d(&x.to_dtype(DType::U8)?, &weight.to_dtype(DType::U8)?, None, 1, 0);
    for (what, operation, result) in [
        ("rank of x", "conv2d", ops::conv2d(&zeros(&[3, 8, 8])?, &weight, None, 1, 0)),
        ("rank of weight", "conv2d", ops::conv2d(&x, &bias, None, 1, 0)),
        ("channels", "conv2d", ops::conv2d(&x, &zeros(&[4, 2, 3, 3])?, None, 1, 0)),
        ("bias", "conv2d", ops::conv2d(&x, &weight, Some(&zeros(&[3])?), 1, 0)),
        ("stride", "conv2d", ops::conv2d(&x, &weight, Some(&bias), 0, 0)),
        ("kernel", "conv2d", ops::conv2d(&x, &zeros(&[4, 3, 9, 3])?, None, 1, 0)),
        ("type", "conv2d", ops::conv2d(&x, &weight.to_dtype(DType::F64)?, None, 1, 0)),
        ("integers", "conv2d", same_type),
        ("no images", "conv2d", ops::conv2d(&zeros(&[0, 3, 8, 8])?, &weight, None, 1, 0)),
        ("window", "conv2d_relu_max_pool2d", ops::conv2d_relu_max_pool2d(&x, &weight, None, 7)),
        ("no window", "conv2d_relu_max_pool2d", ops::conv2d_relu_max_pool2d(&x, &weight, None, 0)),
        ("stride", "max_pool2d", ops::max_pool2d_with_stride(&x, 2, 0)),
        ("integers", "max_pool2d", ops::max_pool2d(&x.to_dtype(DType::U8)?, 2)),
        ("integers", "relu", ops::relu(&labels)),
        ("probability", "dropout", ops::dropout(&x, 1.0, 0)),
        ("probability", "dropout", ops::dropout(&x, f32::NAN, 0)),
        ("rank", "cross_entropy", ops::cross_entropy(&bias, &labels)),
        ("batch", "cross_entropy", ops::cross_entropy(&zeros(&[3, 10])?, &labels)),
        ("labels", "cross_entropy", ops::cross_entropy(&zeros(&[2, 10])?, &zeros(&[2])?)),
        ("label", "cross_entropy", ops::cross_entropy(&zeros(&[2, 10])?, &(labels.clone() + 10.0)?)),
        ("no images", "cross_entropy", ops::cross_entropy(&zeros(&[0, 10])?, &labels.narrow(0, 0, 0)?)),
    ] {
        let Err(error) = result else { panic!("{operation}, {what}: no error") };
        let error = error.to_string();
        assert!(error.starts_with(&format!("{operation}: expected ")), "{what}: {error}");
        assert!(error.contains("got "), "{what}: {error}");
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
    assert!(nn::conv2d(3, 8, 3, grouped, builder.pp("none")).is_err());

    let dropout = nn::Dropout::new(0.5, 1);
    assert_eq!(dropout.forward_t(&x, false)?.id(), x.id());
    Ok(())
}

/// Bit for bit: threads share the work in another way each time, but add up in one order.
#[test]
fn gradients_are_the_same_each_time() -> Result<()> {
    let arguments = [random(&[37, 3, 12, 12], 1)?, random(&[20, 3, 3, 3], 2)?, random(&[20], 3)?];
    let gradients = || -> Result<Vec<Vec<f32>>> {
        let block = |t: &[Tensor]| ops::conv2d_relu_max_pool2d(&t[0], &t[1], Some(&t[2]), 2);
        let conv = |t: &[Tensor]| ops::conv2d(&t[0], &t[1], Some(&t[2]), 1, 1);
        let mut results = with_gradients(block, &arguments, DType::F32, true)?;
        results.extend(with_gradients(conv, &arguments, DType::F32, true)?);
        results.into_iter().map(|tensor| tensor.flatten_all()?.to_vec1()).collect()
    };
    let first = gradients()?;
    for _ in 0..10 {
        assert_eq!(gradients()?, first);
    }
    Ok(())
}
