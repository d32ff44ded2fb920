//! Every operation and its gradients: against PyTorch's, against differences, and in all sizes and layouts.

use crate::numbers::{
    Case, Operation, TOLERANCE, assert_close, assert_differences, gradients, random, values,
};
use lab::candle_core::{DType, Device, Result, Shape, Tensor};
use lab::candle_nn;
use lab::ops::{
    conv2d, conv2d_relu, conv2d_relu_max_pool2d, cross_entropy, dropout, max_pool2d, max_pool2d_with_stride,
    relu, relu6,
};
use std::env;
use std::process::Command;

#[test]
fn conv2d_is_that_of_pytorch() -> Result<()> {
    for case in Case::all("conv2d") {
        let (stride, padding) = (case.setting(0), case.setting(1));
        case.check(&["x", "weight", "bias"], &|at| conv2d(&at[0], &at[1], at.get(2), stride, padding))?;
    }
    Ok(())
}

#[test]
fn max_pool2d_is_that_of_pytorch() -> Result<()> {
    for case in Case::all("max_pool2d") {
        let (window, stride) = (case.setting(0), case.setting(1));
        case.check(&["x"], &|at| max_pool2d_with_stride(&at[0], window, stride))?;
        if window == stride {
            case.check(&["x"], &|at| max_pool2d(&at[0], window))?;
        }
    }
    Ok(())
}

#[test]
fn relu_and_relu6_are_those_of_pytorch() -> Result<()> {
    Case::all("relu").iter().try_for_each(|case| case.check(&["x"], &|at| relu(&at[0])))?;
    Case::all("relu6").iter().try_for_each(|case| case.check(&["x"], &|at| relu6(&at[0])))
}

#[test]
fn cross_entropy_is_that_of_pytorch() -> Result<()> {
    for case in Case::all("cross_entropy") {
        let labels = case.get("labels").expect("it has labels");
        case.check(&["logits"], &|at| cross_entropy(&at[0], labels))?;
    }
    Ok(())
}

/// Convolution, ReLU and pool one after the other.
fn layered(at: &[Tensor], window: usize) -> Result<Tensor> {
    max_pool2d(&conv2d_relu(&at[0], &at[1], Some(&at[2]), 1, 0)?, window)
}

#[test]
fn the_block_is_that_of_pytorch_fused_and_layered() -> Result<()> {
    for case in Case::all("block") {
        let window = case.setting(0);
        case.check(&["x", "weight", "bias"], &|at| layered(at, window))?;
        case.check(&["x", "weight", "bias"], &|at| {
            conv2d_relu_max_pool2d(&at[0], &at[1], at.get(2), window)
        })?;
    }
    Ok(())
}

/// The course's network, of any size: the images, and weight and bias of each layer.
fn network(at: &[Tensor], labels: &Tensor, fused: bool) -> Result<Tensor> {
    let block = |x: &Tensor, at: &[Tensor]| match fused {
        true => conv2d_relu_max_pool2d(x, &at[0], Some(&at[1]), 2),
        false => layered(&[x.clone(), at[0].clone(), at[1].clone()], 2),
    };
    let x = block(&block(&at[0], &at[1..3])?, &at[3..5])?;
    let logits = x.flatten_from(1)?.matmul(&at[5].t()?)?.broadcast_add(&at[6])?;
    cross_entropy(&logits, labels)
}

#[test]
fn the_network_is_that_of_pytorch() -> Result<()> {
    let names = ["x", "weight1", "bias1", "weight2", "bias2", "weight3", "bias3"];
    for case in Case::all("network") {
        let labels = case.get("labels").expect("it has labels");
        case.check(&names, &|at| network(at, labels, false))?;
        case.check(&names, &|at| network(at, labels, true))?;
    }
    Ok(())
}

#[test]
fn differences_agree_with_the_gradients_of_each_operation() -> Result<()> {
    for (stride, padding) in [(1, 0), (1, 1), (2, 1), (3, 2)] {
        let inputs = [random(1, (2, 3, 6, 5))?, random(2, (4, 3, 3, 3))?, random(3, 4)?];
        let what = format!("conv2d, stride {stride}, padding {padding}");
        assert_differences(&what, &inputs, &|at| conv2d(&at[0], &at[1], at.get(2), stride, padding))?;
        assert_differences(&what, &inputs[..2], &|at| conv2d(&at[0], &at[1], None, stride, padding))?;
    }
    for (window, stride) in [(2, 2), (3, 3), (3, 2), (2, 3), (3, 1)] {
        let what = format!("max_pool2d, window {window}, stride {stride}");
        let x = random(4, (2, 3, 7, 6))?;
        assert_differences(&what, &[x], &|at| max_pool2d_with_stride(&at[0], window, stride))?;
    }
    for window in [2, 3] {
        let inputs = [random(5, (2, 2, 7, 8))?, random(6, (3, 2, 3, 3))?, random(7, 3)?];
        assert_differences("block", &inputs, &|at| {
            conv2d_relu_max_pool2d(&at[0], &at[1], at.get(2), window)
        })?;
    }
    assert_differences("relu", &[random(8, (3, 5, 7))?], &|at| relu(&at[0]))?;
    assert_differences("relu6", &[(random(8, (3, 5, 7))? * 5.0)?], &|at| relu6(&at[0]))?;
    assert_differences("dropout", &[random(9, (5, 11))?], &|at| dropout(&at[0], 0.3, 1))?;
    let labels = Tensor::new(&[3u32, 0, 9, 9, 1, 2, 5], &Device::Cpu)?;
    let logits = (random(10, (7, 10))? * 4.0)?;
    assert_differences("cross_entropy", &[logits], &|at| cross_entropy(&at[0], &labels))
}

#[test]
fn differences_agree_with_the_gradients_of_the_network() -> Result<()> {
    let shapes: [&[usize]; 7] = [&[7, 1, 11, 12], &[2, 1, 3, 3], &[2], &[3, 2, 3, 3], &[3], &[4, 3], &[4]];
    let inputs = (10..).zip(shapes).map(|(seed, shape)| random(seed, shape)).collect::<Result<Vec<_>>>()?;
    let labels = Tensor::new(&[3u32, 0, 2, 2, 1, 3, 0], &Device::Cpu)?;
    assert_differences("network", &inputs, &|at| network(at, &labels, false))?;
    assert_differences("fused network", &inputs, &|at| network(at, &labels, true))
}

/// Output and gradients of `f` in `f32` against those of `reference` in `f64`.
fn assert_same(what: &str, inputs: &[Tensor], f: Operation, reference: Operation) -> Result<()> {
    let projection = random(77, reference(inputs)?.dims())?;
    let (expected, expected_gradients) = gradients(inputs, &projection, reference)?;
    let inputs = inputs.iter().map(|input| input.to_dtype(DType::F32)).collect::<Result<Vec<_>>>()?;
    let (output, gradients) = gradients(&inputs, &projection, f)?;
    assert_close(what, &output, &expected);
    for (index, (gradient, expected)) in gradients.iter().zip(&expected_gradients).enumerate() {
        assert_close(&format!("{what}, input {index}"), gradient, expected);
    }
    Ok(())
}

/// Numbers so coarse that sums of their products are exact, so that ties in a pool do not depend on the order of the sums.
fn coarse(seed: u64, shape: impl Into<Shape>) -> Result<Tensor> {
    (random(seed, shape)? * 8.0)?.round()? / 8.0
}

#[test]
fn batches_of_128_in_the_sizes_of_the_course_are_those_of_candle() -> Result<()> {
    for (channels, side, out) in [(1, 28, 32), (32, 13, 64)] {
        let what = format!("{channels} x {side} x {side} to {out}");
        let [x, weight] =
            without_ties([coarse(20, (128, channels, side, side))?, coarse(21, (out, channels, 3, 3))?])?;
        let inputs = [x, weight, coarse(22, out)?];
        let candle = |at: &[Tensor]| -> Result<Tensor> {
            at[0].conv2d(&at[1], 0, 1, 1, 1)?.broadcast_add(&at[2].reshape((1, out, 1, 1))?)
        };
        assert_same(&what, &inputs, &|at| conv2d(&at[0], &at[1], at.get(2), 1, 0), &candle)?;
        // In f64 these two compose candle's operations; that they do it right, other tests show.
        let reference = |at: &[Tensor]| max_pool2d(&relu(&candle(at)?)?, 2);
        assert_same(&what, &inputs, &|at| layered(at, 2), &reference)?;
        assert_same(&what, &inputs, &|at| conv2d_relu_max_pool2d(&at[0], &at[1], at.get(2), 2), &reference)?;
    }
    let labels: Vec<u32> = (0..128).map(|at| at * 7 % 10).collect();
    let labels = Tensor::new(labels, &Device::Cpu)?;
    assert_same(
        "cross_entropy",
        &[(random(23, (128, 10))? * 9.0)?],
        &|at| cross_entropy(&at[0], &labels),
        &|at| candle_nn::loss::cross_entropy(&at[0], &labels),
    )
}

/// Where images have several channels, sums are not exact for every algorithm. So the first channel adds one to four times 1/512 to the four
/// places that a window of 2 x 2 covers, while all others sum to multiples of 1/64: no two sums are nearly equal, and none is nearly 0.
fn without_ties([x, weight]: [Tensor; 2]) -> Result<[Tensor; 2]> {
    let ((batch, channels, height, width), out) = (x.dims4()?, weight.dim(0)?);
    if channels == 1 {
        return Ok([x, weight]);
    }
    let of_pixel = |at: usize| (1 + at / width % 2 * 2 + at % width % 2) as f64 / 512.0;
    let added = Tensor::from_iter((0..height * width).map(of_pixel), &Device::Cpu)?
        .reshape((1, 1, height, width))?
        .repeat((batch, 1, 1, 1))?;
    let centre = Tensor::from_iter((0..9 * out).map(|at| f64::from(u8::from(at % 9 == 4))), &Device::Cpu)?;
    let centre = centre.reshape((out, 1, 3, 3))?;
    let others = |tensor: &Tensor| tensor.narrow(1, 1, channels - 1);
    Ok([Tensor::cat(&[&added, &others(&x)?], 1)?, Tensor::cat(&[&centre, &others(&weight)?], 1)?])
}

/// Around the widths of vectors and the sizes of blocks, where a kernel's ends are.
#[test]
fn any_number_of_channels_and_columns_is_right() -> Result<()> {
    for out in [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65] {
        let channels = out % 5 + 1;
        let (height, width) = (4 + out % 3, 3 + out);
        let x = coarse(30, (2, channels, height, width))?;
        let inputs = [x, coarse(31, (out, channels, 3, 3))?, coarse(32, out)?];
        let what = format!("{channels} x {height} x {width} to {out}");
        let convolve = |at: &[Tensor]| conv2d(&at[0], &at[1], at.get(2), 1, 0);
        assert_same(&what, &inputs, &convolve, &convolve)?;
        let fused = |at: &[Tensor]| conv2d_relu_max_pool2d(&at[0], &at[1], at.get(2), 2);
        if width >= 4 {
            assert_same(&what, &inputs, &fused, &fused)?;
        }
    }
    Ok(())
}

/// The same values with other strides, and with an offset into a larger tensor.
fn laid_out_otherwise(x: &Tensor) -> Result<[Tensor; 3]> {
    let last = x.rank() - 1;
    let transposed = x.transpose(0, last)?.contiguous()?.transpose(0, last)?;
    let around = |axis: usize| -> Result<Tensor> {
        Tensor::cat(&[x, x, x], axis)?.contiguous()?.narrow(axis, x.dim(axis)?, x.dim(axis)?)
    };
    Ok([transposed, around(0)?, around(last)?])
}

#[test]
fn the_layout_of_the_inputs_does_not_matter() -> Result<()> {
    let labels = Tensor::new(&[2u32, 0, 1], &Device::Cpu)?;
    let (x, weight) = (random(40, (3, 2, 8, 7))?, random(41, (5, 2, 3, 3))?);
    let (bias, logits) = (random(42, 5)?, random(43, (3, 4))?);
    let cases: [(&str, Vec<Tensor>, Operation); 7] = [
        ("conv2d", vec![x.clone(), weight.clone(), bias.clone()], &|at| {
            conv2d(&at[0], &at[1], at.get(2), 1, 0)
        }),
        ("conv2d, stride 2", vec![x.clone(), weight.clone(), bias.clone()], &|at| {
            conv2d(&at[0], &at[1], at.get(2), 2, 1)
        }),
        ("block", vec![x.clone(), weight, bias], &|at| conv2d_relu_max_pool2d(&at[0], &at[1], at.get(2), 2)),
        ("max_pool2d", vec![x.clone()], &|at| max_pool2d(&at[0], 2)),
        ("relu", vec![x.clone()], &|at| relu(&at[0])),
        ("relu6", vec![(x * 5.0)?], &|at| relu6(&at[0])),
        ("cross_entropy", vec![logits], &|at| cross_entropy(&at[0], &labels)),
    ];
    for (what, inputs, f) in cases {
        for dtype in [DType::F32, DType::F64] {
            let inputs = inputs.iter().map(|input| input.to_dtype(dtype)).collect::<Result<Vec<_>>>()?;
            let projection = random(44, f(&inputs)?.dims())?;
            let (expected, expected_gradients) = gradients(&inputs, &projection, f)?;
            for layout in 0..3 {
                let otherwise = |at: &[Tensor]| {
                    let at = at.iter().map(|x| Ok(laid_out_otherwise(x)?[layout].clone()));
                    f(&at.collect::<Result<Vec<_>>>()?)
                };
                let (output, gradients) = gradients(&inputs, &projection, &otherwise)?;
                assert_close(what, &output, &expected);
                for (gradient, expected) in gradients.iter().zip(&expected_gradients) {
                    assert_close(what, gradient, expected);
                }
            }
        }
    }
    Ok(())
}

#[test]
fn each_window_of_two_passes_on_one_gradient() -> Result<()> {
    for n in 2..=33 {
        let x = random(n as u64, (1, 1, n, n))?.to_dtype(DType::F32)?;
        let windows = ((n / 2) * (n / 2)) as f64;
        let ones = Tensor::ones((1, 1, n / 2, n / 2), DType::F32, &Device::Cpu)?;
        let (_, gradients) = gradients(&[x], &ones, &|at| max_pool2d(&at[0], 2))?;
        assert_eq!(values(&gradients[0]).iter().sum::<f64>(), windows, "{n} x {n}");
    }
    Ok(())
}

#[test]
fn dropout_passes_gradients_where_it_passes_values() -> Result<()> {
    for dtype in [DType::F32, DType::F64] {
        let ones = Tensor::ones((128, 1600), dtype, &Device::Cpu)?;
        let projection = random(50, (128, 1600))?;
        let (mask, gradients) =
            gradients(std::slice::from_ref(&ones), &projection, &|at| dropout(&at[0], 0.2, 7))?;
        let kept = values(&mask).iter().filter(|&&value| value != 0.0).count();
        assert!((0.79..0.81).contains(&(kept as f64 / 204_800.0)), "{kept} of 204,800 at 20 %");
        assert!(values(&mask).iter().all(|value| *value == 0.0 || (value - 1.25).abs() < TOLERANCE));
        assert_close("dropout", &gradients[0], &(mask.to_dtype(DType::F64)? * projection)?);
        assert_eq!(values(&dropout(&ones, 0.2, 7)?), values(&mask), "the same seed, the same mask");
        assert_ne!(values(&dropout(&ones, 0.2, 8)?), values(&mask));
        assert_eq!(values(&dropout(&ones, 0.0, 7)?), values(&ones));
        // As in PyTorch, what is no number remains so even where it is dropped: 0 times NaN is NaN.
        let nothing = (ones * f64::NAN)?;
        assert!(values(&dropout(&nothing, 0.5, 7)?).iter().all(|value| value.is_nan()));
    }
    Ok(())
}

/// The vectors of other machines, as far as this one has them.
#[test]
fn narrower_vectors_give_the_same_results() {
    for capability in ["default", "avx2"] {
        let mut tests = Command::new(env::current_exe().unwrap());
        tests.args(["--exact", "--test-threads", "2"]).env("LAB_CPU_CAPABILITY", capability);
        tests.args([
            "gradients::conv2d_is_that_of_pytorch",
            "gradients::max_pool2d_is_that_of_pytorch",
            "gradients::the_block_is_that_of_pytorch_fused_and_layered",
            "gradients::the_network_is_that_of_pytorch",
            "gradients::any_number_of_channels_and_columns_is_right",
            "gradients::dropout_passes_gradients_where_it_passes_values",
            "composed::convolutions_are_candles_in_all_sizes",
            "composed::a_convolution_with_its_relu_is_the_two_bit_for_bit",
            "composed::the_fused_block_is_its_parts_in_all_sizes",
        ]);
        let output = tests.output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains("9 passed"), "{capability}: {printed}");
    }
}
