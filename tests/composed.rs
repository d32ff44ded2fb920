//! The kernels, which are for `f32` on the CPU, against the same operations composed from candle's, in all sizes.

use lab::candle_core::{DType, Device, Result, Tensor, Var};
use lab::ops;

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
pub fn assert_as_composed(
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
pub fn random(shape: &[usize], seed: u32) -> Result<Tensor> {
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

/// The sums are taken in the same order, so nothing differs.
#[test]
fn a_convolution_with_its_relu_is_the_two_bit_for_bit() -> Result<()> {
    for (index, (shape, channels, stride, padding)) in
        [([2, 1, 28, 28], 32, 1, 0), ([3, 5, 9, 8], 33, 2, 1), ([9, 16, 6, 7], 3, 1, 2)]
            .into_iter()
            .enumerate()
    {
        let weight = random(&[channels, shape[1], 3, 3], 100)?;
        let arguments = [random(&shape, index as u32)?, weight, random(&[channels], 200)?];
        let both = |t: &[Tensor]| ops::conv2d_relu(&t[0], &t[1], t.get(2), stride, padding);
        let parts = |t: &[Tensor]| ops::relu(&ops::conv2d(&t[0], &t[1], t.get(2), stride, padding)?);
        for of_first in [true, false] {
            assert_as_composed(&format!("{shape:?}"), both, &arguments, of_first)?;
            let both = with_gradients(both, &arguments, DType::F32, of_first)?;
            let parts = with_gradients(parts, &arguments, DType::F32, of_first)?;
            for (both, parts) in both.iter().zip(&parts) {
                let values = |of: &Tensor| of.flatten_all()?.to_vec1::<f32>();
                assert_eq!(values(both)?, values(parts)?, "{shape:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_convolution_with_its_relu_lets_through_what_is_no_number() -> Result<()> {
    let x = Tensor::new(&[[[[1f32, f32::NAN], [-2., 0.]]]], &Device::Cpu)?;
    let weight = Tensor::ones((1, 1, 1, 1), DType::F32, &Device::Cpu)?;
    let both = |t: &[Tensor]| ops::conv2d_relu(&t[0], &t[1], None, 1, 0);
    let parts = |t: &[Tensor]| ops::relu(&ops::conv2d(&t[0], &t[1], None, 1, 0)?);
    let results = with_gradients(both, &[x.clone(), weight.clone()], DType::F32, true)?;
    let expected = with_gradients(parts, &[x, weight], DType::F32, true)?;
    for (result, expected) in results.iter().zip(&expected) {
        let bits = |of: &Tensor| -> Result<Vec<Option<u32>>> {
            let values = of.flatten_all()?.to_vec1::<f32>()?;
            Ok(values.into_iter().map(|value| (!value.is_nan()).then_some(value.to_bits())).collect())
        };
        assert_eq!(bits(result)?, bits(expected)?);
    }
    assert!(results[0].flatten_all()?.to_vec1::<f32>()?[1].is_nan());
    Ok(())
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

/// All values of the convolution are 1, 0 or -1, so each window has ties: the first value gets the gradient, or none does.
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
    // ReLU turns everything into 0, so no position has a gradient. As in PyTorch, 0 times infinity is NaN.
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

/// Equal bit for bit: threads share the work differently each time, but sums are always taken in the same order.
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
