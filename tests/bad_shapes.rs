//! Operations refuse what they cannot compute, with an error that names the operation, what it expected and what it got.

use lab::candle_core::{DType, Device, Module, Result, Tensor};
use lab::nn::{self, Conv2dConfig, ConvBlock, Dropout, MaxPool2d, VarBuilder, VarMap};
use lab::ops::{
    conv2d, conv2d_relu_max_pool2d, cross_entropy, dropout, max_pool2d, max_pool2d_with_stride, relu, relu6,
};

fn zeros(shape: &[usize], dtype: DType) -> Tensor {
    Tensor::zeros(shape, dtype, &Device::Cpu).unwrap()
}

fn f32(shape: &[usize]) -> Tensor {
    zeros(shape, DType::F32)
}

/// Asserts that the result is an error whose message contains all these words.
#[track_caller]
fn assert_error(result: Result<Tensor>, words: &[&str]) {
    let error = result.expect_err("it cannot be computed").to_string();
    // The lines after the first are the backtrace, if one was requested.
    let message = error.lines().next().unwrap_or_default();
    assert!(words.iter().all(|word| message.contains(word)), "{words:?} in {message}");
}

type Convolution = fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>;

#[test]
fn convolutions_name_what_does_not_fit() {
    let (x, weight, bias) = (f32(&[2, 3, 8, 7]), f32(&[4, 3, 3, 3]), f32(&[4]));
    let plain: Convolution = |x, weight, bias| conv2d(x, weight, Some(bias), 1, 0);
    let block: Convolution = |x, weight, bias| conv2d_relu_max_pool2d(x, weight, Some(bias), 2);
    for (op, run) in [("conv2d", plain), ("conv2d_relu_max_pool2d", block)] {
        assert_error(run(&f32(&[3, 8, 7]), &weight, &bias), &[op, "expected", "[3, 8, 7]"]);
        assert_error(run(&x, &f32(&[4, 27]), &bias), &[op, "expected", "[4, 27]"]);
        assert_error(run(&x, &f32(&[4, 2, 3, 3]), &bias), &[op, "expected", "3", "[4, 2, 3, 3]"]);
        assert_error(run(&x, &weight, &f32(&[5])), &[op, "expected", "[4]", "[5]"]);
        assert_error(run(&x, &weight, &f32(&[1, 4])), &[op, "expected", "[4]", "[1, 4]"]);
        assert_error(run(&x, &f32(&[4, 3, 9, 3]), &bias), &[op, "expected", "8 x 7", "9 x 3"]);
        assert_error(run(&x, &zeros(&[4, 3, 3, 3], DType::F64), &bias), &[op, "expected", "F32", "F64"]);
        assert_error(run(&x, &weight, &zeros(&[4], DType::F64)), &[op, "expected", "F32", "F64"]);
        let whole = [&[2, 3, 8, 7][..], &[4, 3, 3, 3], &[4]].map(|shape| zeros(shape, DType::U32));
        assert_error(run(&whole[0], &whole[1], &whole[2]), &[op, "expected", "U32"]);
        assert_error(run(&f32(&[0, 3, 8, 7]), &weight, &bias), &[op, "expected", "[0, 3, 8, 7]"]);
        assert_error(run(&x, &f32(&[4, 3, 0, 3]), &bias), &[op, "expected", "[4, 3, 0, 3]"]);
    }
    assert_error(conv2d(&x, &weight, None, 0, 0), &["conv2d", "stride", "expected", "0"]);
    assert_error(conv2d(&x, &f32(&[4, 3, 11, 3]), None, 1, 1), &["conv2d", "expected", "10 x 9", "11 x 3"]);
    assert_error(conv2d(&f32(&[2, 3, 0, 7]), &f32(&[4, 3, 1, 1]), None, 1, 1), &["conv2d", "[2, 3, 0, 7]"]);
    for window in [0, 6, usize::MAX] {
        let got = format!("{window} x {window}");
        let result = conv2d_relu_max_pool2d(&x, &weight, None, window);
        assert_error(result, &["conv2d_relu_max_pool2d", "expected", "6 x 5", &got]);
    }
    // Sums of sizes must not overflow.
    let huge = usize::MAX;
    assert_error(conv2d(&x, &weight, None, 1, huge), &["conv2d"]);
    assert!(conv2d(&x, &weight, None, huge, 0).is_ok_and(|y| y.dims() == [2, 4, 1, 1]));
}

#[test]
fn pools_name_what_does_not_fit() {
    let x = f32(&[2, 3, 4, 3]);
    for window in [0, 4, usize::MAX] {
        assert_error(max_pool2d(&x, window), &["max_pool2d", "expected", "4 x 3", &format!("{window} x")]);
    }
    assert_error(max_pool2d_with_stride(&x, 2, 0), &["max_pool2d", "stride", "expected", "0"]);
    assert_error(max_pool2d(&f32(&[4, 3]), 2), &["max_pool2d", "expected", "[4, 3]"]);
    assert_error(max_pool2d(&zeros(&[1, 1, 4, 4], DType::U8), 2), &["max_pool2d", "expected", "U8"]);
    for empty in [[0, 3, 4, 4], [2, 0, 4, 4]] {
        assert_error(max_pool2d(&f32(&empty), 2), &["max_pool2d", "expected", &format!("{empty:?}")]);
    }
    assert!(max_pool2d_with_stride(&x, 2, usize::MAX).is_ok_and(|y| y.dims() == [2, 3, 1, 1]));
}

#[test]
fn operations_value_by_value_name_what_does_not_fit() {
    assert_error(relu(&zeros(&[3], DType::U32)), &["relu", "expected", "U32"]);
    assert_error(relu6(&zeros(&[3], DType::U32)), &["relu6", "expected", "U32"]);
    assert_error(dropout(&zeros(&[3], DType::U32), 0.5, 1), &["dropout", "expected", "U32"]);
    for p in [-0.1, 1.0, 1.5, f32::NAN] {
        assert_error(dropout(&f32(&[3]), p, 1), &["dropout", "expected", "less than 1", &p.to_string()]);
    }
    for empty in [&[0][..], &[2, 0]] {
        assert_eq!(relu(&f32(empty)).unwrap().dims(), empty);
        assert_eq!(dropout(&f32(empty), 0.5, 1).unwrap().dims(), empty);
    }
}

#[test]
fn cross_entropy_names_what_does_not_fit() {
    let (logits, labels) = (f32(&[2, 10]), Tensor::new(&[3u32, 9], &Device::Cpu).unwrap());
    let op = "cross_entropy";
    assert_error(cross_entropy(&f32(&[2, 10, 1]), &labels), &[op, "expected", "[2, 10, 1]"]);
    assert_error(cross_entropy(&f32(&[10]), &labels), &[op, "expected", "[10]"]);
    assert_error(cross_entropy(&f32(&[3, 10]), &labels), &[op, "expected", "[3]", "[2]"]);
    assert_error(
        cross_entropy(&logits, &labels.reshape((2, 1)).unwrap()),
        &[op, "expected", "[2]", "[2, 1]"],
    );
    assert_error(cross_entropy(&logits, &f32(&[2])), &[op, "expected", "F32"]);
    assert_error(cross_entropy(&zeros(&[2, 10], DType::U32), &labels), &[op, "expected", "U32"]);
    assert_error(cross_entropy(&f32(&[0, 10]), &zeros(&[0], DType::U32)), &[op, "expected", "[0, 10]"]);
    assert_error(cross_entropy(&f32(&[2, 9]), &labels), &[op, "expected", "9"]);
    let wrong = Tensor::new(&[u32::MAX, 0], &Device::Cpu).unwrap();
    for dtype in [DType::F32, DType::F64] {
        let logits = logits.to_dtype(dtype).unwrap();
        assert_error(cross_entropy(&logits, &wrong), &[op, "expected", "10", &u32::MAX.to_string()]);
    }
}

#[test]
fn layers_pass_on_the_errors_of_their_operations() -> Result<()> {
    let map = VarMap::new();
    let weights = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    let conv = nn::conv2d(3, 4, 3, Conv2dConfig::default(), weights.pp("conv"))?;
    let x = f32(&[2, 5, 8, 8]);
    assert_error(conv.forward(&x), &["conv2d", "expected", "3", "5"]);
    for fused in [false, true] {
        let block = nn::conv_block(3, 4, 3, 2, weights.pp("block"))?.fused(fused);
        assert_error(block.forward(&x), &["conv2d", "expected", "3", "5"]);
        let block = ConvBlock::new(f32(&[4, 5, 3, 3]), None, 7).fused(fused);
        assert_error(block.forward(&x), &["max_pool2d", "expected", "6 x 6", "7 x 7"]);
    }
    assert_error(MaxPool2d::new(9).forward(&x), &["max_pool2d", "expected", "8 x 8", "9 x 9"]);
    assert_error(Dropout::new(1.0, 1).forward(&x, true), &["dropout", "expected", "1"]);
    for (channels, out, groups) in [(0, 4, 1), (3, 4, 2), (3, 3, 0)] {
        let config = Conv2dConfig { groups, ..Default::default() };
        let refused = nn::conv2d(channels, out, 3, config, weights.pp("none"));
        let expected = format!("conv2d: expected channels in {groups} groups, got {channels} to {out}");
        assert!(refused.unwrap_err().to_string().starts_with(&expected));
    }
    Ok(())
}
