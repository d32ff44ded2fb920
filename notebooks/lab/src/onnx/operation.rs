//! The operations of a model, and how they are computed.

use crate::ops;
use candle_core::{DType, Module, Result, Tensor, bail};
use candle_nn::{Conv2dConfig, Embedding};

/// An operation as [ONNX](https://onnx.ai/onnx/operators/) has it, for two-dimensional images where it is about images.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    Identity,
    /// Of x, weight `[c_out, c_in / groups, k_h, k_w]` and perhaps a bias `[c_out]`.
    Conv {
        stride: usize,
        padding: Sides,
        dilation: usize,
        groups: usize,
    },
    /// x · weightᵀ + bias, with weight `[m, n]` and bias `[m]`.
    Gemm,
    MatMul,
    /// Of x, weight, bias, mean and variance.
    BatchNormalization {
        eps: f64,
    },
    /// Of x, weight and perhaps a bias, over the last dimension.
    LayerNormalization {
        eps: f64,
    },
    MaxPool(Window),
    /// Padding counts as zeros.
    AveragePool(Window),
    GlobalAveragePool,
    Relu,
    Sigmoid,
    Tanh,
    Erf,
    Sqrt,
    Softmax {
        axis: i64,
    },
    Clip {
        min: f64,
        max: f64,
    },
    Add,
    Sub,
    Mul,
    Div,
    /// To `[product of the dimensions before the axis, product of the rest]`.
    Flatten {
        axis: i64,
    },
    /// 0 stands for the dimension as it is, -1 for what is left.
    Reshape {
        dims: Vec<i64>,
    },
    Transpose {
        order: Vec<usize>,
    },
    /// With so many zeros before and after each dimension.
    Pad {
        zeros: Vec<(usize, usize)>,
    },
    Concat {
        axis: i64,
    },
    /// The rows of the first input that the second one numbers.
    Gather,
    ReduceMean {
        axes: Vec<i64>,
        keeps_dims: bool,
    },
}

/// Rows above and below an image, and columns left and right of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sides {
    pub top: usize,
    pub left: usize,
    pub bottom: usize,
    pub right: usize,
}

impl Sides {
    pub fn all(padding: usize) -> Self {
        Self { top: padding, left: padding, bottom: padding, right: padding }
    }

    /// The padding that is the same on all sides, if it is.
    pub fn same(&self) -> Option<usize> {
        (*self == Self::all(self.top)).then_some(self.top)
    }
}

/// The square windows of a pool, with the same padding on each side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    pub size: usize,
    pub stride: usize,
    pub padding: usize,
}

impl Operation {
    /// # Errors
    /// When the inputs are not as many as the operation takes, or do not fit together.
    pub fn compute(&self, inputs: &[&Tensor]) -> Result<Tensor> {
        match (self, inputs) {
            (Self::Identity, [x]) => Ok((*x).clone()),
            (&Self::Conv { stride, padding, dilation, groups }, [x, weight, bias @ ..]) => {
                let (x, padding) = match padding.same() {
                    Some(padding) => ((*x).clone(), padding),
                    None => {
                        let x = x.pad_with_zeros(2, padding.top, padding.bottom)?;
                        (x.pad_with_zeros(3, padding.left, padding.right)?, 0)
                    }
                };
                let config = Conv2dConfig { padding, stride, dilation, groups, cudnn_fwd_algo: None };
                ops::conv2d_with_config(&x, weight, bias.first().copied(), &config)
            }
            (Self::Gemm, [x, weight, bias @ ..]) => ops::linear(x, weight, bias.first().copied()),
            (Self::MatMul, [x, y]) => x.broadcast_matmul(y),
            (&Self::BatchNormalization { eps }, [x, weight, bias, mean, variance]) => {
                ops::batch_norm_with_statistics(x, mean, variance, weight, bias, eps)
            }
            (&Self::LayerNormalization { eps }, [x, weight, bias @ ..]) => {
                ops::layer_norm(x, weight, bias.first().copied(), eps)
            }
            (&Self::MaxPool(Window { size, stride, padding }), [x]) => {
                ops::max_pool2d_with_padding(x, size, stride, padding)
            }
            (&Self::AveragePool(Window { size, stride, padding }), [x]) => {
                ops::avg_pool2d_with_padding(x, size, stride, padding)
            }
            (Self::GlobalAveragePool, [x]) => ops::global_avg_pool2d(x)?.unsqueeze(2)?.unsqueeze(3),
            (Self::Relu, [x]) => ops::relu(x),
            (Self::Sigmoid, [x]) => candle_nn::ops::sigmoid(x),
            (Self::Tanh, [x]) => x.tanh(),
            (Self::Erf, [x]) => x.erf(),
            (Self::Sqrt, [x]) => x.sqrt(),
            (&Self::Softmax { axis }, [x]) => ops::softmax(x, dimension(x, axis)?),
            (&Self::Clip { min, max }, [x]) => x.clamp(min, max),
            (Self::Add, [x, y]) => x.broadcast_add(y),
            (Self::Sub, [x, y]) => x.broadcast_sub(y),
            (Self::Mul, [x, y]) => x.broadcast_mul(y),
            (Self::Div, [x, y]) => x.broadcast_div(y),
            (&Self::Flatten { axis }, [x]) => {
                let (before, after) = x.dims().split_at(end(x, axis)?);
                x.reshape((before.iter().product::<usize>(), after.iter().product::<usize>()))
            }
            (Self::Reshape { dims }, [x]) => x.reshape(reshaped(x, dims)?),
            (Self::Transpose { order }, [x]) => x.permute(&order[..])?.contiguous(),
            (Self::Pad { zeros }, [x]) => zeros
                .iter()
                .enumerate()
                .filter(|&(_, &zeros)| zeros != (0, 0))
                .try_fold((*x).clone(), |x, (dim, &(before, after))| x.pad_with_zeros(dim, before, after)),
            (&Self::Concat { axis }, [x, ..]) => Tensor::cat(inputs, dimension(x, axis)?),
            (Self::Gather, [rows, indices]) => {
                // A scalar, or a type that candle does not take for indices, is an error of candle's.
                Embedding::new((*rows).clone(), rows.dim(1)?).forward(indices)
            }
            (Self::ReduceMean { axes, keeps_dims }, [x]) => {
                let axes = axes.iter().map(|&axis| dimension(x, axis)).collect::<Result<Vec<_>>>()?;
                if *keeps_dims { x.mean_keepdim(axes) } else { x.mean(axes) }
            }
            _ => bail!("{self:?} cannot be computed of {} inputs", inputs.len()),
        }
    }
}

/// The dimension that an axis means, which counts from the last one if it is negative.
fn dimension(x: &Tensor, axis: i64) -> Result<usize> {
    match end(x, axis)? {
        dim if dim < x.rank() => Ok(dim),
        _ => bail!("there is no axis {axis} in {:?}", x.dims()),
    }
}

/// The same, where the end of the last dimension is allowed as well.
fn end(x: &Tensor, axis: i64) -> Result<usize> {
    let rank = x.rank() as i64;
    let dim = if axis < 0 { axis + rank } else { axis };
    if !(0..=rank).contains(&dim) {
        bail!("there is no axis {axis} in {:?}", x.dims());
    }
    Ok(dim as usize)
}

fn reshaped(x: &Tensor, dims: &[i64]) -> Result<Vec<usize>> {
    // `None` is what is left.
    let size = |(dim, &size): (usize, &i64)| match size {
        -1 => Some(None),
        0 => x.dims().get(dim).copied().map(Some),
        _ => usize::try_from(size).ok().map(Some),
    };
    let sizes: Option<Vec<Option<usize>>> = dims.iter().enumerate().map(size).collect();
    let sizes = sizes.filter(|sizes| sizes.iter().filter(|size| size.is_none()).count() <= 1);
    let fitting = sizes.and_then(|sizes| {
        let known = sizes.iter().flatten().try_fold(1, |known: usize, &size| known.checked_mul(size))?;
        let rest = x.elem_count().checked_div(known).unwrap_or(0);
        let sizes: Vec<usize> = sizes.into_iter().map(|size| size.unwrap_or(rest)).collect();
        (sizes.iter().product::<usize>() == x.elem_count()).then_some(sizes)
    });
    match fitting {
        Some(sizes) => Ok(sizes),
        None => bail!("{:?} cannot be reshaped to {dims:?}", x.dims()),
    }
}

/// Whether inputs of a model may be of this type.
pub fn is_input(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::I64)
}
