//! The convolution for all sorts of sizes, strides, paddings, dilations and groups.

use super::{assert_close, random, tolerance, values, with_gradients};
use crate::nn::{Conv2d, Conv2dConfig, Module};
use crate::{conv2d_relu_with_config, conv2d_with_config};
use candle_core::{DType, Device, Result, Tensor};
use std::env;
use std::process::Command;

/// The sizes and values of a convolution.
struct Naive {
    x: Vec<f64>,
    weight: Vec<f64>,
    /// `[batch, c_in, height, width]`.
    x_size: [usize; 4],
    /// `[c_out, c_in / groups, k_h, k_w]`.
    weight_size: [usize; 4],
    config: Conv2dConfig,
}

impl Naive {
    /// Rows and columns of the result, if the kernel fits.
    fn size(&self) -> Option<[usize; 2]> {
        let Conv2dConfig { padding, stride, dilation, .. } = self.config;
        let outputs = |n: usize, kernel: usize| {
            Some((n + 2 * padding).checked_sub(dilation * (kernel - 1) + 1)? / stride + 1)
        };
        let ([_, _, height, width], [_, _, k_h, k_w]) = (self.x_size, self.weight_size);
        Some([outputs(height, k_h)?, outputs(width, k_w)?])
    }

    /// Calls `f` with the indices into y, x and weight of each product that is summed.
    fn products(&self, mut f: impl FnMut(usize, usize, usize)) {
        let Conv2dConfig { padding, stride, dilation, groups, .. } = self.config;
        let [batch, c_in, height, width] = self.x_size;
        let [c_out, inputs, k_h, k_w] = self.weight_size;
        let [rows, columns] = self.size().unwrap();
        for (n, o, i, j) in (0..batch).flat_map(|n| {
            (0..c_out).flat_map(move |o| (0..rows).flat_map(move |i| (0..columns).map(move |j| (n, o, i, j))))
        }) {
            let group = o / (c_out / groups);
            for (c, u, v) in
                (0..inputs).flat_map(|c| (0..k_h).flat_map(move |u| (0..k_w).map(move |v| (c, u, v))))
            {
                let (row, column) = (i * stride + u * dilation, j * stride + v * dilation);
                let inside = |at: usize, n: usize| (padding..padding + n).contains(&at);
                if inside(row, height) && inside(column, width) {
                    f(
                        ((n * c_out + o) * rows + i) * columns + j,
                        ((n * c_in + group * inputs + c) * height + row - padding) * width + column - padding,
                        ((o * inputs + c) * k_h + u) * k_w + v,
                    );
                }
            }
        }
    }

    fn forward(&self, bias: &[f64]) -> Vec<f64> {
        let area: usize = self.size().unwrap().iter().product();
        let outputs = self.x_size[0] * self.weight_size[0] * area;
        let mut y: Vec<f64> = (0..outputs).map(|at| bias[at / area % bias.len()]).collect();
        self.products(|at, x, weight| y[at] += self.x[x] * self.weight[weight]);
        y
    }

    /// Gradients of x, weight and bias.
    fn backward(&self, dy: &[f64]) -> [Vec<f64>; 3] {
        let area: usize = self.size().unwrap().iter().product();
        let c_out = self.weight_size[0];
        let mut gradients = [vec![0.0; self.x.len()], vec![0.0; self.weight.len()], vec![0.0; c_out]];
        self.products(|at, x, weight| {
            gradients[0][x] += dy[at] * self.weight[weight];
            gradients[1][weight] += dy[at] * self.x[x];
        });
        dy.iter().enumerate().for_each(|(at, dy)| gradients[2][at / area % c_out] += dy);
        gradients
    }
}

/// Compares value and gradients in one type with the naive ones; returns false if the kernel does not fit.
fn check(x_size: [usize; 4], weight_size: [usize; 4], config: Conv2dConfig, dtype: DType) -> Result<bool> {
    check_within(x_size, weight_size, config, dtype, tolerance(dtype))
}

fn check_within(
    x_size: [usize; 4],
    weight_size: [usize; 4],
    config: Conv2dConfig,
    dtype: DType,
    tolerance: f64,
) -> Result<bool> {
    let what = format!("{x_size:?} with {weight_size:?}, {config:?}, {dtype:?}");
    let rounded = |seed, shape: &[usize]| random(seed, shape)?.to_dtype(dtype);
    let inputs = [rounded(1, &x_size)?, rounded(2, &weight_size)?, rounded(3, &weight_size[..1])?];
    let naive = Naive { x: values(&inputs[0]), weight: values(&inputs[1]), x_size, weight_size, config };
    let Some([rows, columns]) = naive.size() else {
        let error = conv2d_with_config(&inputs[0], &inputs[1], None, &config).expect_err(&what).to_string();
        let Conv2dConfig { padding, dilation, .. } = config;
        let [height, width] = [x_size[2] + 2 * padding, x_size[3] + 2 * padding];
        let [_, _, k_h, k_w] = weight_size;
        let expected = format!("conv2d: expected a kernel within {height} x {width}, got {k_h} x {k_w}");
        let dilated = if dilation == 1 { String::new() } else { format!(" with dilation {dilation}") };
        assert_eq!(error.lines().next(), Some(&*(expected + &dilated)), "{what}");
        return Ok(false);
    };
    let y = naive.forward(&values(&inputs[2]));
    let projection = rounded(4, &[x_size[0], weight_size[0], rows, columns])?;
    let dy = values(&projection);
    let positive = y.iter().map(|y| f64::from(u8::from(*y > 0.0)));
    let relu_dy: Vec<f64> = dy.iter().zip(positive).map(|(dy, positive)| dy * positive).collect();
    let relu_y: Vec<f64> = y.iter().map(|y| y.max(0.0)).collect();
    let plain = |at: &[Tensor]| conv2d_with_config(&at[0], &at[1], at.get(2), &config);
    let relu = |at: &[Tensor]| conv2d_relu_with_config(&at[0], &at[1], at.get(2), &config);
    for (f, y, dy) in [(&plain as super::Operation, &y, &dy), (&relu, &relu_y, &relu_dy)] {
        let (output, gradients) = with_gradients(&inputs, &projection, f)?;
        assert_eq!((output.dims(), output.dtype()), (projection.dims(), dtype), "{what}");
        assert_close(&what, &values(&output), y, tolerance);
        for ((name, gradient), expected) in
            ["dx", "dweight", "dbias"].iter().zip(&gradients).zip(naive.backward(dy))
        {
            assert_close(&format!("{what}, {name}"), &values(gradient), &expected, tolerance);
        }
    }
    Ok(true)
}

#[test]
fn values_and_gradients_are_right_for_all_groups_dilations_strides_paddings_and_kernels() -> Result<()> {
    let mut checked = 0;
    for [height, width] in [[4, 5], [5, 5], [7, 6]] {
        for [k_h, k_w] in [[1, 1], [2, 2], [3, 3], [2, 3], [3, 1]] {
            for at in 0..36 {
                let (groups, dilation, stride, padding) =
                    (1 + at % 2, 1 + at / 2 % 2, 1 + at / 4 % 3, at / 12);
                let config = Conv2dConfig { padding, stride, dilation, groups, ..Default::default() };
                for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
                    let weight = [6, 4 / groups, k_h, k_w];
                    checked += usize::from(check([2, 4, height, width], weight, config, dtype)?);
                }
            }
        }
    }
    // All but those where a dilated kernel of 5 rows has only 4 to cover.
    assert_eq!(checked, 4 * (3 * 5 * 36 - 2 * 2 * 3));
    Ok(())
}

/// Each output channel from one input channel: rows longer than vectors, shorter ones, and those that only padding meets.
#[test]
fn depthwise_kernels_are_right_for_all_strides_paddings_and_multipliers() -> Result<()> {
    for [height, width] in [[5, 19], [7, 6], [1, 3]] {
        for (k_h, k_w, dilation) in [(3, 3, 1), (1, 1, 1), (2, 3, 2), (5, 1, 1)] {
            for at in 0..9 {
                let (stride, padding) = (1 + at % 3, at / 3);
                let config = Conv2dConfig { padding, stride, dilation, groups: 3, ..Default::default() };
                for multiplier in [1, 2] {
                    check([9, 3, height, width], [3 * multiplier, 1, k_h, k_w], config, DType::F32)?;
                }
            }
        }
    }
    Ok(())
}

/// With enough channels to fill vectors, and with more groups.
#[test]
fn dilated_kernels_are_right_where_channels_fill_vectors() -> Result<()> {
    for (channels, groups, c_out) in [(16, 1, 33), (32, 2, 6), (17, 1, 3), (6, 6, 12), (12, 3, 3)] {
        let config = Conv2dConfig { padding: 2, stride: 2, dilation: 3, groups, ..Default::default() };
        for dtype in [DType::F32, DType::F64] {
            assert!(check([3, channels, 9, 8], [c_out, channels / groups, 3, 2], config, dtype)?);
        }
    }
    Ok(())
}

/// Winograd's algorithm: images that fill their last tiles and such that do not, more and fewer channels than a vector has numbers, and
/// batches that are no multiple of the images that are computed together. Its errors are a few times those of the plain sums.
#[test]
fn tiles_give_the_same_results() -> Result<()> {
    for (side, padding) in [([3, 3], 0), ([9, 8], 0), ([4, 4], 1), ([7, 13], 1), ([8, 8], 1), ([5, 6], 2)] {
        for (batch, c_in, c_out) in [(1, 8, 8), (13, 8, 33), (2, 40, 9), (3, 17, 16)] {
            let config = Conv2dConfig { padding, ..Default::default() };
            let (x, weight) = ([batch, c_in, side[0], side[1]], [c_out, c_in, 3, 3]);
            assert!(check_within(x, weight, config, DType::F32, 1e-5)?);
        }
    }
    Ok(())
}

/// In a tile, what is infinite would make all 16 outputs NaN.
#[test]
fn what_is_infinite_or_large_stays_where_it_is() -> Result<()> {
    let (x, weight) =
        (random(1, (3, 8, 12, 12))?.to_dtype(DType::F32)?, random(2, (8, 8, 3, 3))?.to_dtype(DType::F32)?);
    let run = |x: &Tensor, weight: &Tensor| -> Result<Vec<Vec<f64>>> {
        let y = |at: &[Tensor]| conv2d_with_config(&at[0], &at[1], None, &Conv2dConfig::default());
        let ones = Tensor::ones((3, 8, 10, 10), DType::F32, &Device::Cpu)?;
        let (y, gradients) = with_gradients(&[x.clone(), weight.clone()], &ones, &y)?;
        Ok([&y, &gradients[0], &gradients[1]].map(values).to_vec())
    };
    let [y, dx, dweight] = &run(&x, &weight)?[..] else { unreachable!() };
    // The last value of the second image is under the kernel of its last place only.
    for value in [f32::INFINITY, f32::NAN, 1e38] {
        let mut pixels = x.flatten_all()?.to_vec1::<f32>()?;
        pixels[2 * 8 * 144 - 1] = value;
        let [other, other_dx, other_dweight] =
            &run(&Tensor::from_vec(pixels, x.shape(), &Device::Cpu)?, &weight)?[..]
        else {
            unreachable!()
        };
        for (at, (got, expected)) in other.iter().zip(y).enumerate() {
            let meets = at / 800 == 1 && at % 100 == 99;
            assert!(meets || (got - expected).abs() < 1e-5, "{got} for {expected} at {at}, for {value}");
            assert!(!meets || !got.is_finite() || got.abs() > 1e30, "{got} at {at}, for {value}");
        }
        // The gradient of a pixel depends on the weights alone, and that of a weight on the pixels under it.
        assert_close("dx", other_dx, dx, 1e-5);
        for (at, (got, expected)) in other_dweight.iter().zip(dweight).enumerate() {
            let meets = at % 72 == 71;
            assert!(meets || (got - expected).abs() < 1e-3, "{got} for {expected} at {at}, for {value}");
            assert!(!meets || !got.is_finite() || got.abs() > 1e30, "{got} at {at}, for {value}");
        }
    }
    let huge = (weight * 1e38)?;
    let [y, dx, _] = &run(&x, &huge)?[..] else { unreachable!() };
    assert!(
        y.iter().chain(dx).all(|value| !value.is_nan()),
        "large weights give large sums, if need be infinite ones"
    );
    Ok(())
}

/// A kernel that is spread by inserting zeros would multiply them with infinity.
#[test]
fn what_a_dilated_kernel_passes_over_does_not_count() -> Result<()> {
    for dtype in [DType::F32, DType::F64] {
        let infinity = f32::INFINITY;
        let x = Tensor::new(&[[[[1f32, infinity, 2.], [infinity; 3], [3., infinity, 4.]]]], &Device::Cpu)?;
        let weight = Tensor::ones((1, 1, 2, 2), dtype, &Device::Cpu)?;
        let config = Conv2dConfig { dilation: 2, ..Default::default() };
        let y = conv2d_with_config(&x.to_dtype(dtype)?, &weight, None, &config)?;
        assert_eq!(values(&y), [10.], "{dtype:?}");
    }
    Ok(())
}

/// The layer in which the fault of candle was found: a stride of 2 leaves one column of five over.
#[test]
fn a_layer_in_groups_learns_at_every_stride() -> Result<()> {
    let x = random(1, (1, 4, 4, 5))?.to_dtype(DType::F32)?;
    let weight = random(2, (6, 2, 2, 2))?.to_dtype(DType::F32)?;
    let config = Conv2dConfig { stride: 2, groups: 2, ..Default::default() };
    let ones = Tensor::ones((1, 6, 2, 2), DType::F32, &Device::Cpu)?;
    let layer = |at: &[Tensor]| Conv2d::new(at[1].clone(), None, config).forward(&at[0]);
    let (_, gradients) = with_gradients(&[x.clone(), weight], &ones, &layer)?;
    // Each output passes 1 to each value under its kernel, so the gradient of a weight is the sum of what it was multiplied by.
    let (x, dweight) = (values(&x), values(&gradients[1]));
    assert!((dweight[0] - (x[0] + x[2] + x[10] + x[12])).abs() < 1e-6, "{dweight:?}");
    // The last column is under no kernel.
    assert_eq!(values(&gradients[0].narrow(3, 4, 1)?), [0.; 16]);
    Ok(())
}

#[test]
fn what_does_not_fit_is_an_error_that_names_it() -> Result<()> {
    let (x, weight) = (random(1, (1, 4, 4, 5))?, random(2, (6, 2, 2, 2))?);
    let message = |groups, dilation| {
        let config = Conv2dConfig { groups, dilation, ..Default::default() };
        let error = conv2d_with_config(&x, &weight, None, &config).expect_err("it does not fit").to_string();
        error.lines().next().unwrap_or_default().to_string()
    };
    assert_eq!(message(0, 1), "conv2d: expected channels in 0 groups, got 4 to 6");
    assert_eq!(message(3, 1), "conv2d: expected channels in 3 groups, got 4 to 6");
    assert_eq!(message(1, 1), "conv2d: expected weight for the 4 channels of x, got 2 in [6, 2, 2, 2]");
    assert_eq!(message(2, 0), "conv2d: expected a dilation of at least 1, got 0");
    assert_eq!(message(2, 4), "conv2d: expected a kernel within 4 x 5, got 2 x 2 with dilation 4");
    let huge = usize::MAX;
    assert_eq!(
        message(2, huge),
        format!("conv2d: expected a kernel within 4 x 5, got 2 x 2 with dilation {huge}")
    );
    Ok(())
}

/// The vector instructions of other processors, as far as this one has them.
#[test]
fn narrower_vectors_give_the_same_results() {
    for capability in ["default", "avx2"] {
        let mut tests = Command::new(env::current_exe().unwrap());
        tests.arg("--exact").env("LAB_CPU_CAPABILITY", capability).args([
            "tests::conv2d::values_and_gradients_are_right_for_all_groups_dilations_strides_paddings_and_kernels",
            "tests::conv2d::dilated_kernels_are_right_where_channels_fill_vectors",
            "tests::conv2d::what_a_dilated_kernel_passes_over_does_not_count",
            "tests::conv2d::tiles_give_the_same_results",
            "tests::conv2d::what_is_infinite_or_large_stays_where_it_is",
        ]);
        let printed = String::from_utf8_lossy(&tests.output().unwrap().stdout).into_owned();
        assert!(printed.contains("5 passed"), "{capability}: {printed}");
    }
}
