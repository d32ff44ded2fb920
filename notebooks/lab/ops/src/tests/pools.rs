//! The pools: gradients, the mean of all pixels, and what does not fit.

use super::{assert_close, assert_gradients, random, values};
use crate::nn::{GlobalAvgPool2d, Module};
use crate::{add_relu, avg_pool2d_with_padding, global_avg_pool2d, max_pool2d_with_padding};
use candle_core::{Device, Result, Tensor};

#[test]
fn differences_agree_with_the_gradients_of_pools_and_sums() -> Result<()> {
    let x = random(1, (2, 2, 5, 6))?;
    for (window, stride, padding) in [(2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 1)] {
        let what = format!("window {window}, stride {stride}, padding {padding}");
        let average = |at: &[Tensor]| avg_pool2d_with_padding(&at[0], window, stride, padding);
        assert_gradients(&format!("average, {what}"), std::slice::from_ref(&x), &average)?;
    }
    assert_gradients("mean of all pixels", std::slice::from_ref(&x), &|at| global_avg_pool2d(&at[0]))?;
    assert_gradients("sum", &[x, random(2, (2, 2, 5, 6))?], &|at| add_relu(&at[0], &at[1]))
}

#[test]
fn padding_is_never_the_largest_value_and_counts_as_zero_in_means() -> Result<()> {
    let x = Tensor::new(&[[[[-4f32, -3.], [-2., -1.]]]], &Device::Cpu)?;
    assert_eq!(values(&max_pool2d_with_padding(&x, 2, 2, 1)?), [-4.0, -3.0, -2.0, -1.0]);
    assert_eq!(values(&avg_pool2d_with_padding(&x, 2, 2, 1)?), [-1.0, -0.75, -0.5, -0.25]);
    assert_close("mean", &values(&GlobalAvgPool2d.forward(&x)?), &[-2.5], 1e-7);
    Ok(())
}

#[test]
fn what_does_not_fit_is_an_error_that_names_it() -> Result<()> {
    let message = |result: Result<Tensor>| {
        result.expect_err("it does not fit").to_string().lines().next().unwrap_or_default().to_string()
    };
    let x = random(1, (1, 2, 3, 4))?;
    let average = |window, stride, padding| message(avg_pool2d_with_padding(&x, window, stride, padding));
    assert_eq!(average(4, 1, 0), "avg_pool2d: expected a window within 3 x 4, got 4 x 4");
    assert_eq!(average(0, 1, 0), "avg_pool2d: expected a window within 3 x 4, got 0 x 0");
    assert_eq!(average(2, 0, 0), "avg_pool2d: expected a stride of at least 1, got 0");
    assert_eq!(average(3, 1, 2), "avg_pool2d: expected a padding of at most half the window of 3, got 2");
    let flat = x.flatten_from(2)?;
    assert_eq!(
        message(max_pool2d_with_padding(&flat, 2, 2, 0)),
        "max_pool2d: expected x [batch, channels, height, width], got [1, 2, 12]"
    );
    assert_eq!(
        message(global_avg_pool2d(&flat)),
        "global_avg_pool2d: expected x [batch, channels, height, width] with at least one pixel, got [1, 2, 12]"
    );
    assert_eq!(
        message(add_relu(&x, &flat)),
        "add_relu: expected a shortcut [1, 2, 3, 4] as x, got [1, 2, 12]"
    );
    Ok(())
}
