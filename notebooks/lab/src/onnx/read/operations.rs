//! From ONNX's operations to those of models.

use super::super::operation::Operation;
use super::attributes::Attributes;
use super::counts;
use candle_core::{Result, Tensor, bail};

/// How many inputs an operation has that are not settings of it, if there are settings among its inputs in ONNX.
pub fn operands(operation: &Operation) -> Option<usize> {
    matches!(
        operation,
        Operation::Identity
            | Operation::Clip { .. }
            | Operation::Reshape { .. }
            | Operation::Pad { .. }
            | Operation::ReduceMean { .. }
    )
    .then_some(1)
}

pub fn operation(attributes: &Attributes, constants: &[Option<&Tensor>]) -> Result<Operation> {
    let eps = || attributes.float("epsilon", 1e-5);
    let unsupported = |what: &str| candle_core::Error::Msg(format!("{what} is not supported"));
    Ok(match attributes.node.op_type.as_str() {
        // In training only.
        "Identity" | "Dropout" => Operation::Identity,
        "Conv" => Operation::Conv {
            stride: attributes.square("strides", 1)?,
            padding: attributes.sides()?,
            dilation: attributes.square("dilations", 1)?,
            groups: usize::try_from(attributes.int("group", 1))
                .map_err(|_| unsupported("a negative group"))?,
        },
        "Gemm" => {
            let is_plain = attributes.int("transA", 0) == 0
                && [attributes.float("alpha", 1.0), attributes.float("beta", 1.0)] == [1.0, 1.0];
            if !is_plain {
                return Err(unsupported("another `alpha`, `beta` or `transA` than 1, 1 and 0"));
            }
            Operation::Gemm
        }
        "MatMul" => Operation::MatMul,
        "BatchNormalization" if attributes.int("training_mode", 0) != 0 => {
            return Err(unsupported("`training_mode`"));
        }
        "BatchNormalization" => Operation::BatchNormalization { eps: eps() },
        "LayerNormalization" if attributes.int("axis", -1) != -1 => {
            return Err(unsupported("another axis than the last"));
        }
        "LayerNormalization" => Operation::LayerNormalization { eps: eps() },
        "MaxPool" => Operation::MaxPool(attributes.window()?),
        "AveragePool" => {
            let window = attributes.window()?;
            if window.padding > 0 && attributes.int("count_include_pad", 0) == 0 {
                return Err(unsupported("padding that does not count"));
            }
            Operation::AveragePool(window)
        }
        "GlobalAveragePool" => Operation::GlobalAveragePool,
        "Relu" => Operation::Relu,
        "Sigmoid" => Operation::Sigmoid,
        "Tanh" => Operation::Tanh,
        "Erf" => Operation::Erf,
        "Sqrt" => Operation::Sqrt,
        "Softmax" if attributes.opset < 13 => return Err(unsupported("the form before version 13")),
        "Softmax" => Operation::Softmax { axis: attributes.int("axis", -1) },
        "Clip" => {
            let limit = |name: &str, input: usize, default: f64| match constants.get(input) {
                None => Ok(attributes.float(name, default)),
                Some(Some(limit)) => first(limit),
                Some(None) => Err(unsupported("a limit that is not constant")),
            };
            Operation::Clip { min: limit("min", 1, f64::MIN)?, max: limit("max", 2, f64::MAX)? }
        }
        "Add" => Operation::Add,
        "Sub" => Operation::Sub,
        "Mul" => Operation::Mul,
        "Div" => Operation::Div,
        "Flatten" => Operation::Flatten { axis: attributes.int("axis", 1) },
        "Reshape" => match constants.get(1) {
            Some(Some(dims)) => Operation::Reshape { dims: dims.to_vec1()? },
            _ => return Err(unsupported("a shape that is not constant")),
        },
        "Transpose" => match attributes.ints("perm").as_deref().and_then(counts) {
            Some(order) => Operation::Transpose { order },
            None => return Err(unsupported("an order that is not said")),
        },
        "Pad" => {
            let given = match constants.get(1) {
                Some(Some(pads)) => Some(pads.to_vec1::<i64>()?),
                _ => attributes.ints("pads"),
            };
            let value = match constants.get(2) {
                None => attributes.float("value", 0.0),
                Some(Some(value)) => first(value)?,
                Some(None) => return Err(unsupported("padding with what is not constant")),
            };
            let is_constant = attributes.text("mode").is_none_or(|mode| mode == "constant");
            match given.as_deref().and_then(counts) {
                Some(counts) if value == 0.0 && is_constant && constants.len() <= 3 => {
                    let (before, after) = counts.split_at(counts.len() / 2);
                    Operation::Pad { zeros: before.iter().copied().zip(after.iter().copied()).collect() }
                }
                _ => return Err(unsupported("padding other than with zeros at constant places")),
            }
        }
        "Concat" => Operation::Concat { axis: attributes.int("axis", 0) },
        "Gather" if attributes.int("axis", 0) != 0 => return Err(unsupported("another axis than the first")),
        "Gather" => Operation::Gather,
        "ReduceMean" => {
            let axes = match constants.get(1) {
                Some(Some(axes)) => Some(axes.to_vec1()?),
                _ => attributes.ints("axes"),
            };
            let Some(axes) = axes else { return Err(unsupported("a mean over axes that are not said")) };
            Operation::ReduceMean { axes, keeps_dims: attributes.int("keepdims", 1) != 0 }
        }
        _ => bail!("this operation is not supported"),
    })
}

/// The number in a tensor of one.
fn first(tensor: &Tensor) -> Result<f64> {
    Ok(f64::from(tensor.flatten_all()?.get(0)?.to_scalar::<f32>()?))
}
