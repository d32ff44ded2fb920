//! Attention.

mod heads;

use self::heads::Attention;
use super::{check_real, in_f32, rows, softmax};
use crate::check_interrupt;
use candle_core::{D, DType, Result, Tensor, bail};

/// What is added to the scores of tokens that take no part. Not minus infinity: the softmax of nothing else would be NaN.
const EXCLUDED: f64 = -1e30;

/// Scaled dot-product attention: softmax(query · keyᵀ / √size) · value, for `query` `[batch, heads, tokens, size]`, `key`
/// `[batch, heads, others, size]` and `value` `[batch, heads, others, n]`. Gives `[batch, heads, tokens, n]`.
///
/// `mask` says which tokens take part: it is of type `u8`, of a shape that can be broadcast to `[batch, heads, tokens, others]`, and
/// not 0 where a token (row) may look at another (column). A token that may look at none looks at all alike. Vaswani and others,
/// "Attention is all you need", 2017.
///
/// # Errors
/// When shapes, types or devices do not match.
pub fn attention(query: &Tensor, key: &Tensor, value: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    check_interrupt()?;
    check_real("attention", query)?;
    let &[batch, heads, tokens, size] = query.dims() else {
        bail!("attention: expected a query [batch, heads, tokens, size], got {:?}", query.dims());
    };
    let others = key.dims().get(2).copied().unwrap_or(0);
    if key.dims() != [batch, heads, others, size] || size == 0 || others == 0 {
        bail!("attention: expected a key [{batch}, {heads}, others, {size}], got {:?}", key.dims());
    }
    if value.rank() != 4 || value.dims()[..3] != [batch, heads, others] {
        bail!("attention: expected a value [{batch}, {heads}, {others}, n], got {:?}", value.dims());
    }
    for (name, other) in [("key", key), ("value", value)] {
        if other.dtype() != query.dtype() {
            bail!(
                "attention: expected a {name} of {:?} as the query, got {:?}",
                query.dtype(),
                other.dtype()
            );
        }
    }
    let mask = match mask {
        Some(mask) if mask.dtype() != DType::U8 => {
            bail!("attention: expected a mask of U8, got {:?}", mask.dtype())
        }
        Some(mask) => match mask.broadcast_as((batch, heads, tokens, others)) {
            Ok(mask) => Some(mask),
            Err(_) => bail!(
                "attention: expected a mask for [{batch}, {heads}, {tokens}, {others}], got {:?}",
                mask.dims()
            ),
        },
        None => None,
    };
    in_f32(query, |query| {
        let (key, value) = (key.to_dtype(query.dtype())?, value.to_dtype(query.dtype())?);
        let is_empty = [query, &key, &value].iter().any(|tensor| tensor.elem_count() == 0);
        if rows::has_kernel(query) && !is_empty {
            query.apply_op3(&key, &value, Attention { mask })?.transpose(1, 2)
        } else {
            composed(query, &key, &value, mask)
        }
    })
}

/// Composed of candle's operations, for every device.
fn composed(query: &Tensor, key: &Tensor, value: &Tensor, mask: Option<Tensor>) -> Result<Tensor> {
    let query = (query / (query.dim(3)? as f64).sqrt())?.contiguous()?;
    let mut scores = query.matmul(&key.transpose(2, 3)?.contiguous()?)?;
    if let Some(mask) = mask {
        scores = scores.broadcast_add(&(mask.eq(0u8)?.to_dtype(query.dtype())? * EXCLUDED)?)?;
    }
    softmax(&scores, D::Minus1)?.matmul(&value.contiguous()?)
}
