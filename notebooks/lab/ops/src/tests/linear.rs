//! The linear layer, against candle's products.

use super::{assert_close, assert_gradients, random, tolerance, values, with_gradients};
use crate::linear;
use crate::nn::{self, Module, VarBuilder, VarMap};
use candle_core::{DType, Device, Result, Tensor, Var};

/// Composed of candle's operations, with the bias as the third input if there is one.
fn composed(at: &[Tensor]) -> Result<Tensor> {
    let y = at[0].broadcast_matmul(&at[1].t()?)?;
    at.get(2).map_or(Ok(y.clone()), |bias| y.broadcast_add(bias))
}

#[test]
fn values_and_gradients_are_those_of_products_by_candle() -> Result<()> {
    // The last are computed in parts.
    let shapes = [
        (1, 1, 1),
        (2, 3, 1),
        (1, 17, 5),
        (7, 1, 9),
        (33, 65, 31),
        (1, 300, 500),
        (257, 70, 190),
        (96, 130, 300),
    ];
    for (seed, (rows, n, m)) in (0..).zip(shapes) {
        let inputs = [random(seed, (rows, n))?, random(seed + 50, (m, n))?, random(seed + 90, m)?];
        let projection = random(99, (rows, m))?;
        for count in [2, 3] {
            let exact = inputs[..count].to_vec();
            let (expected, gradients) = with_gradients(&exact, &projection, &composed)?;
            for dtype in [DType::F64, DType::F32] {
                let what = format!("{rows} x {n} to {m}, {count} inputs, {dtype:?}");
                let inputs = exact.iter().map(|input| input.to_dtype(dtype)).collect::<Result<Vec<_>>>()?;
                let (got, got_gradients) =
                    with_gradients(&inputs, &projection, &|at| linear(&at[0], &at[1], at.get(2)))?;
                assert_eq!((got.dims(), got.dtype()), (&[rows, m][..], dtype), "{what}");
                assert_close(&what, &values(&got), &values(&expected), 4.0 * tolerance(dtype));
                for (got, expected) in got_gradients.iter().zip(&gradients) {
                    assert_eq!(got.dims(), expected.dims(), "{what}");
                    assert_close(&what, &values(got), &values(expected), 4.0 * tolerance(dtype));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn an_empty_batch_gives_an_empty_result_and_no_gradient_but_0() -> Result<()> {
    let inputs = [random(1, (0, 3))?, random(2, (2, 3))?, random(3, 2)?];
    let (y, gradients) =
        with_gradients(&inputs, &random(4, (0, 2))?, &|at| linear(&at[0], &at[1], Some(&at[2])))?;
    assert_eq!((y.dims(), gradients[0].dims()), (&[0, 2][..], &[0, 3][..]));
    assert_eq!(values(&gradients[1]), [0.0; 6]);
    assert_eq!(values(&gradients[2]), [0.0; 2]);
    Ok(())
}

#[test]
fn gradients_are_those_of_differences_in_all_types_and_ranks() -> Result<()> {
    for (seed, outer) in [&[][..], &[3], &[2, 3], &[2, 1, 2, 2]].into_iter().enumerate() {
        let inputs = [random(seed as u64, [outer, &[5]].concat())?, random(31, (4, 5))?, random(32, 4)?];
        assert_gradients(&format!("{outer:?}"), &inputs, &|at| linear(&at[0], &at[1], Some(&at[2])))?;
        assert_gradients(&format!("{outer:?} without bias"), &inputs[..2], &|at| {
            linear(&at[0], &at[1], None)
        })?;
    }
    Ok(())
}

#[test]
fn inputs_may_lie_anyhow_and_be_parts_of_others() -> Result<()> {
    let (x, weight, bias) = (random(1, (6, 4, 5))?, random(2, (6, 9))?, random(3, 8)?);
    let (x, weight, bias) =
        (x.transpose(0, 2)?.narrow(1, 1, 3)?, weight.t()?.narrow(0, 2, 4)?, bias.narrow(0, 3, 4)?);
    let expected = linear(&x.contiguous()?, &weight.force_contiguous()?, Some(&bias.force_contiguous()?))?;
    assert_eq!(values(&linear(&x, &weight, Some(&bias))?), values(&expected));
    let of_candle = composed(&[x.contiguous()?, weight, bias])?;
    assert_close("of candle", &values(&expected), &values(&of_candle), 1e-14);
    Ok(())
}

#[test]
fn results_do_not_change_and_only_what_is_tracked_gets_a_gradient() -> Result<()> {
    let [x, weight] =
        [random(1, (150, 200))?, random(2, (130, 200))?].map(|tensor| tensor.to_dtype(DType::F32));
    let (x, weight) = (x?, Var::from_tensor(&weight?)?);
    let run = || -> Result<_> {
        let y = linear(&x, &weight, None)?;
        let gradients = y.sqr()?.sum_all()?.backward()?;
        assert!(gradients.get(&x).is_none());
        Ok((values(&y), values(gradients.get(&weight).expect("it is a variable"))))
    };
    let first = run()?;
    for _ in 0..5 {
        assert_eq!(run()?, first);
    }
    Ok(())
}

#[test]
fn the_layer_has_the_parameters_of_candles() -> Result<()> {
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    let ours = nn::linear(5, 3, vb.pp("dense"))?;
    let theirs = candle_nn::linear(5, 3, vb.pp("dense"))?;
    let x = random(1, (2, 5))?.to_dtype(DType::F32)?;
    assert_close("layer", &values(&ours.forward(&x)?), &values(&theirs.forward(&x)?), 1e-6);
    assert_close("from", &values(&nn::Linear::from(theirs).forward(&x)?), &values(&ours.forward(&x)?), 0.0);
    let without = nn::linear_no_bias(5, 3, vb.pp("other"))?;
    assert!(without.bias().is_none());
    assert_eq!(without.weight().dims(), [3, 5]);
    let mut names: Vec<_> = map.data().lock().unwrap().keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["dense.bias", "dense.weight", "other.weight"]);
    Ok(())
}

#[test]
fn what_does_not_fit_is_an_error() -> Result<()> {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
    let message = |x: &Tensor, weight: &Tensor, bias: Option<&Tensor>| {
        let error = linear(x, weight, bias).expect_err("it does not fit").to_string();
        error.lines().next().unwrap_or_default().to_string()
    };
    let (x, weight, bias) = (zeros(&[2, 5])?, zeros(&[3, 5])?, zeros(&[3])?);
    assert_eq!(message(&zeros(&[2, 4])?, &weight, None), "linear: expected an input [..., 5], got [2, 4]");
    assert_eq!(message(&zeros(&[])?, &weight, None), "linear: expected an input [..., 5], got []");
    assert_eq!(message(&x, &bias, None), "linear: expected a weight [m, n], got [3]");
    assert_eq!(message(&x, &weight, Some(&zeros(&[5])?)), "linear: expected a bias [3], got [5]");
    let wide = bias.to_dtype(DType::F64)?;
    assert_eq!(message(&x, &weight, Some(&wide)), "linear: expected a bias of F32 as the input, got F64");
    let whole = weight.to_dtype(DType::U32)?;
    assert_eq!(message(&x, &whole, None), "linear: expected a weight of F32 as the input, got U32");
    let expected = "linear: expected a floating-point input, got U32";
    assert_eq!(message(&x.to_dtype(DType::U32)?, &whole, None), expected);
    Ok(())
}
