//! Half precision: sums are made in `f32`.

use super::{assert_close, random, values, with_gradients};
use crate::{
    accuracy, conv2d, conv2d_relu_max_pool2d, cross_entropy, layer_norm, max_pool2d_with_stride, rms_norm,
    softmax,
};
use candle_core::{DType, Device, Result, Tensor};

const HALVES: [(DType, f64); 2] = [(DType::F16, 1e-3), (DType::BF16, 8e-3)];

#[test]
fn sums_of_half_precision_are_made_in_f32() -> Result<()> {
    for (dtype, tolerance) in HALVES {
        // Sums of ones, or of equal parts, stop growing at 2048 in f16 and at 256 in bf16.
        let zeros = Tensor::zeros((3, 4096), dtype, &Device::Cpu)?;
        let labels = Tensor::new(&[0u32, 7, 4095], &Device::Cpu)?;
        let loss = |at: &[Tensor]| cross_entropy(&at[0], &labels);
        let one = Tensor::ones((), dtype, &Device::Cpu)?;
        let (loss, gradients) = with_gradients(std::slice::from_ref(&zeros), &one, &loss)?;
        assert_eq!(loss.dtype(), dtype);
        assert_close("cross-entropy", &values(&loss), &[4096f64.ln()], tolerance);
        let gradient = values(&gradients[0]);
        let at_labels = [gradient[0], gradient[4096 + 7], gradient[2 * 4096 + 4095]];
        assert_close("its gradient", &at_labels, &[(1.0 / 4096.0 - 1.0) / 3.0; 3], tolerance);
        assert_close("softmax", &values(&softmax(&zeros, 1)?), &[1.0 / 4096.0; 3 * 4096], tolerance);

        let ones = |n: usize| Tensor::ones(n, dtype, &Device::Cpu);
        // Half of the values are 3, the others 1.
        let x = Tensor::from_iter((0..8192).map(|at| 1.0 + 2.0 * f64::from(at % 2)), &Device::Cpu)?;
        let x = x.to_dtype(dtype)?.reshape((1, 8192))?;
        let normalized = layer_norm(&x, &ones(8192)?, Some(&ones(8192)?), 0.0)?;
        assert_close("layer_norm", &values(&normalized)[..4], &[0.0, 2.0, 0.0, 2.0], tolerance);
        let normalized = rms_norm(&x, &ones(8192)?, 0.0)?;
        let (low, high) = (1.0 / 5f64.sqrt(), 3.0 / 5f64.sqrt());
        assert_close("rms_norm", &values(&normalized)[..2], &[low, high], tolerance);

        // Over 4,096 channels, and for the bias over 4,096 places.
        let image = Tensor::ones((1, 4096, 1, 1), dtype, &Device::Cpu)?;
        let y = conv2d(&image, &Tensor::ones((1, 4096, 1, 1), dtype, &Device::Cpu)?, None, 1, 0)?;
        assert_eq!(values(&y), [4096.0], "{dtype:?}");
        let inputs =
            [Tensor::ones((1, 1, 64, 64), dtype, &Device::Cpu)?, ones(1)?.reshape((1, 1, 1, 1))?, ones(1)?];
        let dy = Tensor::ones((1, 1, 64, 64), dtype, &Device::Cpu)?;
        let convolution = |at: &[Tensor]| conv2d(&at[0], &at[1], at.get(2), 1, 0);
        let block = |at: &[Tensor]| conv2d_relu_max_pool2d(&at[0], &at[1], at.get(2), 1);
        for f in [&convolution as super::Operation, &block] {
            let (_, gradients) = with_gradients(&inputs, &dy, f)?;
            assert_eq!([values(&gradients[1]), values(&gradients[2])].concat(), [4096.0; 2], "{dtype:?}");
        }

        // The largest value is in all 24 x 24 windows that cover it: more than bf16 can count.
        let mut image = vec![0.0; 47 * 47];
        image[23 * 47 + 23] = 1.0;
        let image = Tensor::from_vec(image, (1, 1, 47, 47), &Device::Cpu)?.to_dtype(dtype)?;
        let dy = Tensor::ones((1, 1, 24, 24), dtype, &Device::Cpu)?;
        let (_, gradients) = with_gradients(&[image], &dy, &|at| max_pool2d_with_stride(&at[0], 24, 1))?;
        assert_eq!(values(&gradients[0])[23 * 47 + 23], 576.0, "{dtype:?}");
    }
    Ok(())
}

/// A count of correct predictions in half precision would stop at 2048 or 256, and in `f32` at 2²⁴.
#[test]
fn the_accuracy_of_large_batches_is_exact() -> Result<()> {
    let n = 10_000;
    let logits = Tensor::from_iter((0..n).flat_map(|at| [0.5f32, (at % 4) as f32]), &Device::Cpu)?;
    let (logits, labels) = (logits.reshape((n, 2))?, Tensor::ones(n, DType::U32, &Device::Cpu)?);
    for dtype in [DType::F16, DType::BF16, DType::F32, DType::F64] {
        assert_eq!(accuracy(&logits.to_dtype(dtype)?, &labels)?, 0.75, "{dtype:?}");
    }
    let n = (1 << 24) + 4;
    let (logits, labels) =
        (Tensor::zeros((n, 1), DType::F16, &Device::Cpu)?, Tensor::zeros(n, DType::U32, &Device::Cpu)?);
    assert_eq!(accuracy(&logits, &labels)?, 1.0);
    Ok(())
}

#[test]
fn cross_entropy_of_half_precision_is_that_of_its_values() -> Result<()> {
    let labels = Tensor::from_iter((0..128u32).map(|at| at * 7 % 100), &Device::Cpu)?;
    for (dtype, tolerance) in HALVES {
        let logits = (random(1, (128, 100))? * 9.0)?.to_dtype(dtype)?;
        let expected = cross_entropy(&logits.to_dtype(DType::F64)?, &labels)?;
        let loss = cross_entropy(&logits, &labels)?;
        assert_close("loss", &values(&loss), &values(&expected), tolerance);
    }
    Ok(())
}
