//! Attention, against candle's products.

use super::{assert_close, assert_gradients, random, tolerance, values, with_gradients};
use crate::{attention, softmax};
use candle_core::{D, DType, Device, Result, Tensor, Var};

/// Composed of candle's operations, without the scores of tokens whose mask is 0.
fn composed(at: &[Tensor], mask: Option<&Tensor>) -> Result<Tensor> {
    let (query, key, value) = (at[0].contiguous()?, at[1].t()?.contiguous()?, at[2].contiguous()?);
    let scores = (query.matmul(&key)? / (query.dim(3)? as f64).sqrt())?;
    let scores = match mask {
        Some(mask) => {
            let excluded = (mask.eq(0u8)?.to_dtype(scores.dtype())? * -1e30)?;
            scores.broadcast_add(&excluded)?
        }
        None => scores,
    };
    softmax(&scores, D::Minus1)?.matmul(&value)
}

/// Query, key and value of `[batch, heads, tokens, others, size, n]`.
fn inputs(seed: u64, [batch, heads, tokens, others, size, n]: [usize; 6]) -> Result<[Tensor; 3]> {
    Ok([
        random(seed, (batch, heads, tokens, size))?,
        random(seed + 50, (batch, heads, others, size))?,
        random(seed + 90, (batch, heads, others, n))?,
    ])
}

/// About three quarters of them are 1.
fn mask(seed: u64, shape: &[usize]) -> Result<Tensor> {
    random(seed, shape)?.gt(-0.5)
}

#[test]
fn values_and_gradients_are_those_of_products_by_candle() -> Result<()> {
    let sizes = [
        [1, 1, 1, 1, 1, 1],
        [2, 3, 1, 5, 4, 2],
        [1, 2, 17, 9, 3, 7],
        [3, 2, 5, 33, 8, 1],
        // In blocks of rows.
        [1, 2, 130, 31, 16, 16],
        [2, 1, 300, 140, 5, 9],
    ];
    for (seed, sizes) in (0..).zip(sizes) {
        let exact = inputs(seed, sizes)?;
        let [batch, heads, tokens, others, _, n] = sizes;
        let projection = random(99, (batch, heads, tokens, n))?;
        for mask in [
            None,
            Some(mask(7, &[batch, heads, tokens, others])?),
            Some(mask(8, &[tokens, others])?),
            Some(mask(9, &[batch, 1, 1, others])?),
            Some(mask(10, &[tokens, 1])?),
        ] {
            let mask = mask.as_ref();
            let (expected, gradients) = with_gradients(&exact, &projection, &|at| composed(at, mask))?;
            for dtype in [DType::F64, DType::F32] {
                let what = format!("{sizes:?}, {:?}, {dtype:?}", mask.map(Tensor::dims));
                let inputs = exact.iter().map(|input| input.to_dtype(dtype)).collect::<Result<Vec<_>>>()?;
                let (got, got_gradients) =
                    with_gradients(&inputs, &projection, &|at| attention(&at[0], &at[1], &at[2], mask))?;
                assert_eq!((got.dims(), got.dtype()), (&[batch, heads, tokens, n][..], dtype), "{what}");
                assert_close(&what, &values(&got), &values(&expected), 4.0 * tolerance(dtype));
                for (got, expected) in got_gradients.iter().zip(&gradients) {
                    assert_eq!(got.dims(), expected.dims(), "{what}");
                    assert_close(&what, &values(got), &values(expected), 8.0 * tolerance(dtype));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn gradients_are_those_of_differences_in_all_types() -> Result<()> {
    let inputs = inputs(1, [2, 2, 3, 4, 3, 2])?;
    assert_gradients("attention", &inputs, &|at| attention(&at[0], &at[1], &at[2], None))?;
    let mask = Tensor::new(&[[1u8, 0, 1, 1], [0, 0, 1, 0], [0, 1, 1, 1]], &Device::Cpu)?;
    assert_gradients("attention with a mask", &inputs, &|at| attention(&at[0], &at[1], &at[2], Some(&mask)))
}

#[test]
fn a_token_that_may_look_at_none_looks_at_all_alike() -> Result<()> {
    let inputs = inputs(2, [1, 1, 2, 5, 3, 2])?;
    let mask = Tensor::zeros((2, 5), DType::U8, &Device::Cpu)?;
    let y = attention(&inputs[0], &inputs[1], &inputs[2], Some(&mask))?;
    let mean = inputs[2].mean_keepdim(2)?.broadcast_as((1, 1, 2, 2))?;
    assert_close("mean", &values(&y), &values(&mean), 1e-14);
    Ok(())
}

#[test]
fn heads_are_read_and_written_where_they_lie() -> Result<()> {
    let tensors = [random(1, (2, 7, 3, 4))?, random(2, (2, 9, 3, 4))?, random(3, (2, 9, 3, 5))?];
    let split = |tensors: &[Tensor]| tensors.iter().map(|x| x.transpose(1, 2)).collect::<Result<Vec<_>>>();
    let projection = random(4, (2, 3, 7, 5))?;
    let of_views = |at: &[Tensor]| {
        let at = split(at)?;
        attention(&at[0], &at[1], &at[2], None)
    };
    let of_copies = |at: &[Tensor]| composed(&split(at)?, None);
    let (y, gradients) = with_gradients(&tensors, &projection, &of_views)?;
    assert!(y.transpose(1, 2)?.is_contiguous());
    let (expected, of_candle) = with_gradients(&tensors, &projection, &of_copies)?;
    assert_close("views", &values(&y), &values(&expected), 1e-13);
    for (got, expected) in gradients.iter().zip(&of_candle) {
        assert_close("gradients of views", &values(got), &values(expected), 1e-13);
    }
    // One key for all tokens, and a part of a tensor.
    let key = tensors[1].narrow(1, 3, 1)?.broadcast_as((2, 9, 3, 4))?;
    let at = split(&[tensors[0].clone(), key, tensors[2].clone()])?;
    let y = attention(&at[0], &at[1], &at[2], None)?;
    assert_close("broadcast", &values(&y), &values(&composed(&at, None)?), 1e-13);
    Ok(())
}

#[test]
fn results_do_not_change() -> Result<()> {
    let inputs = inputs(3, [2, 3, 150, 150, 8, 8])?.map(|input| input.to_dtype(DType::F32));
    let inputs = inputs.into_iter().collect::<Result<Vec<_>>>()?;
    let variables = inputs.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
    let run = || -> Result<_> {
        let y = attention(&variables[0], &variables[1], &variables[2], None)?;
        let gradients = y.sqr()?.sum_all()?.backward()?;
        let of = |variable: &Var| values(gradients.get(variable).expect("it takes part"));
        Ok((values(&y), variables.iter().map(of).collect::<Vec<_>>()))
    };
    let first = run()?;
    for _ in 0..5 {
        assert!(run()? == first);
    }
    Ok(())
}

#[test]
fn nothing_gives_nothing() -> Result<()> {
    for sizes in [[0, 2, 3, 4, 5, 6], [2, 0, 3, 4, 5, 6], [2, 2, 0, 4, 5, 6], [2, 2, 3, 4, 5, 0]] {
        let [query, key, value] = inputs(1, sizes)?;
        let [batch, heads, tokens, _, _, n] = sizes;
        assert_eq!(attention(&query, &key, &value, None)?.dims(), [batch, heads, tokens, n]);
    }
    Ok(())
}
