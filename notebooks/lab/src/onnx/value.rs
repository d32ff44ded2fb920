//! What a model is described by before it is one: values that layers make of values.

use super::layer::Layer;
use super::operation::{Operation, is_input};
use candle_core::{DType, Device, Result, Shape, Tensor, bail};
use std::f64::consts::FRAC_1_SQRT_2;
use std::sync::Arc;

/// An input of a model, or what layers make of it. Each has the shape that a batch of a single example has: what does not fit is an
/// error where it is described.
#[derive(Clone, Debug)]
pub struct Value {
    node: Arc<Node>,
    dims: Vec<usize>,
    dtype: DType,
}

/// Where a value comes from. Names need not be unique.
#[derive(Debug)]
pub(super) enum Node {
    Input { name: String },
    Constant { name: String, tensor: Tensor },
    Result { name: String, operation: Operation, inputs: Vec<Value> },
}

/// An input of a model, in batches of any size. `shape` is that of one example. `F32` is the type of images and other numbers, `I64`
/// that of indices, such as the tokens of a text.
///
/// # Errors
/// When it is of another type.
pub fn input(name: &str, shape: impl Into<Shape>, dtype: DType) -> Result<Value> {
    if !is_input(dtype) {
        bail!("{name}: expected numbers of F32 or indices of I64, got {dtype:?}");
    }
    let dims = [&[1], shape.into().dims()].concat();
    Ok(Value { node: Arc::new(Node::Input { name: name.to_owned() }), dims, dtype })
}

impl Value {
    /// The shape of one example.
    pub fn dims(&self) -> &[usize] {
        &self.dims[1..]
    }

    /// What a layer makes of this. `name` is that of the layer: its parameters are `name.weight` and so on, as with
    /// [`VarBuilder::pp`](candle_nn::VarBuilder::pp).
    ///
    /// # Errors
    /// When the layer does not fit, or does something for which this module has no operation.
    pub fn layer(&self, name: &str, layer: &(impl Layer + ?Sized)) -> Result<Self> {
        layer.apply(name, self)
    }

    /// As [`ops::relu`](crate::ops::relu).
    ///
    /// # Errors
    /// When this is no floating-point number; so in the other methods.
    pub fn relu(&self) -> Result<Self> {
        self.operation("relu", Operation::Relu)
    }

    /// As [`ops::relu6`](crate::ops::relu6).
    pub fn relu6(&self) -> Result<Self> {
        self.operation("relu6", Operation::Clip { min: 0.0, max: 6.0 })
    }

    /// As [`ops::gelu`](crate::ops::gelu), which ONNX composes of other operations.
    pub fn gelu(&self) -> Result<Self> {
        let scaled = self.with_number("gelu.scaled", Operation::Mul, FRAC_1_SQRT_2)?;
        let erf = scaled.operation("gelu.erf", Operation::Erf)?;
        let sum = erf.with_number("gelu.sum", Operation::Add, 1.0)?;
        let product = sum.with("gelu.product", Operation::Mul, self)?;
        product.with_number("gelu", Operation::Mul, 0.5)
    }

    /// 1 / (1 + exp(-x)).
    pub fn sigmoid(&self) -> Result<Self> {
        self.operation("sigmoid", Operation::Sigmoid)
    }

    /// The hyperbolic tangent.
    pub fn tanh(&self) -> Result<Self> {
        self.operation("tanh", Operation::Tanh)
    }

    /// As [`ops::softmax`](crate::ops::softmax) over the last dimension.
    pub fn softmax(&self) -> Result<Self> {
        self.operation("softmax", Operation::Softmax { axis: -1 })
    }

    /// All values of an example in one row.
    pub fn flatten(&self) -> Result<Self> {
        self.operation("flatten", Operation::Flatten { axis: 1 })
    }

    /// As [`ops::global_avg_pool2d`](crate::ops::global_avg_pool2d).
    pub fn global_avg_pool2d(&self) -> Result<Self> {
        self.operation("global_avg_pool2d", Operation::GlobalAveragePool)?.flatten()
    }

    /// The sum of this and another value, whose shapes may differ where one of them is 1.
    pub fn add(&self, other: &Self) -> Result<Self> {
        self.with("add", Operation::Add, other)
    }

    /// With zeros before and after a dimension of the batch, which is dimension 0 itself.
    pub fn pad_with_zeros(&self, dim: usize, before: usize, after: usize) -> Result<Self> {
        let mut zeros = vec![(0, 0); self.dims.len()];
        match zeros.get_mut(dim) {
            Some(zeros) if dim > 0 => *zeros = (before, after),
            _ => bail!("pad_with_zeros: expected a dimension in 1 to {}, got {dim}", self.dims.len() - 1),
        }
        self.operation("pad_with_zeros", Operation::Pad { zeros })
    }

    pub(super) fn operation(&self, name: &str, operation: Operation) -> Result<Self> {
        Self::result(name, operation, vec![self.clone()])
    }

    /// The result of an operation on this and parameters with the names that are theirs within the layer.
    pub(super) fn with_parameters(
        &self,
        name: &str,
        operation: Operation,
        parameters: &[(&str, Option<&Tensor>)],
    ) -> Result<Self> {
        let given = parameters.iter().filter_map(|(parameter, tensor)| Some((parameter, (*tensor)?)));
        let constants =
            given.map(|(parameter, tensor)| Self::constant(&format!("{name}.{parameter}"), tensor));
        let inputs = std::iter::once(Ok(self.clone())).chain(constants).collect::<Result<_>>()?;
        Self::result(name, operation, inputs)
    }

    pub(super) fn with(&self, name: &str, operation: Operation, other: &Self) -> Result<Self> {
        Self::result(name, operation, vec![self.clone(), other.clone()])
    }

    pub(super) fn with_number(&self, name: &str, operation: Operation, number: f64) -> Result<Self> {
        let number = Tensor::new(number as f32, &Device::Cpu)?;
        self.with(name, operation, &Self::constant(&format!("{name}.number"), &number)?)
    }

    pub(super) fn constant(name: &str, tensor: &Tensor) -> Result<Self> {
        let tensor = tensor.detach().to_device(&Device::Cpu)?;
        let tensor = if tensor.dtype().is_float() { tensor.to_dtype(DType::F32)? } else { tensor };
        let (dims, dtype) = (tensor.dims().to_vec(), tensor.dtype());
        Ok(Self { node: Arc::new(Node::Constant { name: name.to_owned(), tensor }), dims, dtype })
    }

    /// The result of an operation, which is tried on zeros to see whether it fits.
    pub(super) fn result(name: &str, operation: Operation, inputs: Vec<Self>) -> Result<Self> {
        let examples = inputs.iter().map(Self::example).collect::<Result<Vec<_>>>()?;
        let tried = match operation.compute(&examples.iter().collect::<Vec<_>>()) {
            Ok(tried) => tried,
            Err(error) => bail!("{name}: {}", crate::nn::first_line(&error)),
        };
        let node = Node::Result { name: name.to_owned(), operation, inputs };
        Ok(Self { node: Arc::new(node), dims: tried.dims().to_vec(), dtype: tried.dtype() })
    }

    fn example(&self) -> Result<Tensor> {
        match &*self.node {
            Node::Constant { tensor, .. } => Ok(tensor.clone()),
            _ => Tensor::zeros(&self.dims[..], self.dtype, &Device::Cpu),
        }
    }

    pub(super) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    pub(super) fn dtype(&self) -> DType {
        self.dtype
    }
}
