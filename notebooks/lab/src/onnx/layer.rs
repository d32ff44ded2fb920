//! The layers that a model can have.

use super::operation::{Operation, Sides, Window};
use super::value::Value;
use crate::nn;
use candle_core::{Result, Tensor, bail};

/// A layer with a form in ONNX. Layers of your own, such as blocks of others, have one when they say how they are put together:
///
/// ```
/// use lab::candle_core::{DType, Result};
/// use lab::nn::{self, Module, VarBuilder, VarMap};
/// use lab::onnx::{self, Layer, Value};
///
/// struct Block {
///     wide: nn::Linear,
///     narrow: nn::Linear,
/// }
///
/// impl Layer for Block {
///     fn apply(&self, name: &str, x: &Value) -> Result<Value> {
///         let y = x.layer(&format!("{name}.wide"), &self.wide)?.relu()?;
///         y.layer(&format!("{name}.narrow"), &self.narrow)?.add(x)
///     }
/// }
///
/// # let weights = VarMap::new();
/// # let vb = VarBuilder::from_varmap(&weights, DType::F32, &lab::candle_core::Device::Cpu);
/// let block = Block { wide: nn::linear(8, 32, vb.pp("wide"))?, narrow: nn::linear(32, 8, vb.pp("narrow"))? };
/// let x = onnx::input("x", 8, DType::F32)?;
/// assert_eq!(x.layer("block", &block)?.dims(), [8]);
/// # Ok::<(), lab::anyhow::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "the layer `{Self}` has no form in ONNX",
    note = "`lab::nn` and `candle_nn` have layers with one; a layer made of them gets one by implementing `lab::onnx::Layer`"
)]
pub trait Layer {
    /// What the layer of this name makes of `x` when it is not in training.
    ///
    /// # Errors
    /// When `x` does not fit.
    fn apply(&self, name: &str, x: &Value) -> Result<Value>;
}

impl Layer for nn::Conv2d {
    fn apply(&self, name: &str, x: &Value) -> Result<Value> {
        let config = self.config();
        let convolution = Operation::Conv {
            stride: config.stride,
            padding: Sides::all(config.padding),
            dilation: config.dilation,
            groups: config.groups,
        };
        let y = x.with_parameters(name, convolution, &weight_and_bias(self.weight(), self.bias()))?;
        followed_by_relu(y, name, self.has_relu())
    }
}

impl Layer for candle_nn::Conv2d {
    fn apply(&self, name: &str, x: &Value) -> Result<Value> {
        nn::Conv2d::from(self.clone()).apply(name, x)
    }
}

impl Layer for nn::ConvBlock {
    fn apply(&self, name: &str, x: &Value) -> Result<Value> {
        let layer = nn::Conv2d::new(self.weight().clone(), self.bias().cloned(), Default::default());
        let y = layer.with_relu().apply(name, x)?;
        nn::MaxPool2d::new(self.window()).apply(&format!("{name}.pool"), &y)
    }
}

impl Layer for nn::Linear {
    fn apply(&self, name: &str, x: &Value) -> Result<Value> {
        let (weight, bias) = (self.weight(), self.bias());
        if x.dims().len() == 1 {
            return x.with_parameters(name, Operation::Gemm, &weight_and_bias(weight, bias));
        }
        // ONNX's `Gemm` takes matrices only, and its `MatMul` does not transpose.
        let y =
            x.with_parameters(name, Operation::MatMul, &[("weight", Some(&weight.t()?.contiguous()?))])?;
        plus_bias(y, name, bias)
    }
}

impl Layer for candle_nn::Linear {
    fn apply(&self, name: &str, x: &Value) -> Result<Value> {
        nn::Linear::from(self.clone()).apply(name, x)
    }
}

impl Layer for nn::BatchNorm {
    fn apply(&self, name: &str, x: &Value) -> Result<Value> {
        let statistics = [self.running_mean(), self.running_variance()];
        let y = batch_norm(x, name, [self.weight(), self.bias()], statistics, self.eps())?;
        followed_by_relu(y, name, self.has_relu())
    }
}

impl Layer for candle_nn::BatchNorm {
    fn apply(&self, name: &str, x: &Value) -> Result<Value> {
        let Some((weight, bias)) = self.weight_and_bias() else {
            bail!("{name}: expected a batch normalization with weight and bias");
        };
        batch_norm(x, name, [weight, bias], [self.running_mean(), self.running_var()], self.eps())
    }
}

impl Layer for nn::LayerNorm {
    fn apply(&self, name: &str, x: &Value) -> Result<Value> {
        let eps = self.eps();
        if self.remove_mean() {
            let parameters = weight_and_bias(self.weight(), self.bias());
            return x.with_parameters(name, Operation::LayerNormalization { eps }, &parameters);
        }
        let y = nn::RmsNorm::new(self.weight().clone(), eps).apply(name, x)?;
        plus_bias(y, name, self.bias())
    }
}

impl Layer for candle_nn::LayerNorm {
    fn apply(&self, name: &str, x: &Value) -> Result<Value> {
        nn::LayerNorm::from(self.clone()).apply(name, x)
    }
}

/// Composed, as it is no operation of ONNX before version 23: x / √(mean of x² + eps) · weight.
impl Layer for nn::RmsNorm {
    fn apply(&self, name: &str, x: &Value) -> Result<Value> {
        let named = |part: &str| format!("{name}.{part}");
        let squares = x.with(&named("squares"), Operation::Mul, x)?;
        let mean = Operation::ReduceMean { axes: vec![-1], keeps_dims: true };
        let mean = squares.operation(&named("mean"), mean)?;
        let root = mean.with_number(&named("eps"), Operation::Add, self.eps())?;
        let root = root.operation(&named("root"), Operation::Sqrt)?;
        let y = x.with(&named("normalized"), Operation::Div, &root)?;
        y.with_parameters(name, Operation::Mul, &[("weight", Some(self.weight()))])
    }
}

impl Layer for candle_nn::RmsNorm {
    fn apply(&self, name: &str, x: &Value) -> Result<Value> {
        nn::RmsNorm::from(self.clone()).apply(name, x)
    }
}

impl Layer for nn::Embedding {
    fn apply(&self, name: &str, x: &Value) -> Result<Value> {
        let rows = Value::constant(&format!("{name}.weight"), self.embeddings())?;
        Value::result(name, Operation::Gather, vec![rows, x.clone()])
    }
}

impl Layer for nn::MaxPool2d {
    fn apply(&self, name: &str, x: &Value) -> Result<Value> {
        let window = Window { size: self.window(), stride: self.stride(), padding: self.padding() };
        x.operation(name, Operation::MaxPool(window))
    }
}

impl Layer for nn::AvgPool2d {
    fn apply(&self, name: &str, x: &Value) -> Result<Value> {
        let window = Window { size: self.window(), stride: self.stride(), padding: self.padding() };
        x.operation(name, Operation::AveragePool(window))
    }
}

impl Layer for nn::GlobalAvgPool2d {
    fn apply(&self, _name: &str, x: &Value) -> Result<Value> {
        x.global_avg_pool2d()
    }
}

/// Nothing, as a model is not in training.
impl Layer for nn::Dropout {
    fn apply(&self, _name: &str, x: &Value) -> Result<Value> {
        Ok(x.clone())
    }
}

/// Nothing, as a model is not in training.
impl Layer for candle_nn::Dropout {
    fn apply(&self, _name: &str, x: &Value) -> Result<Value> {
        Ok(x.clone())
    }
}

fn weight_and_bias<'a>(
    weight: &'a Tensor,
    bias: Option<&'a Tensor>,
) -> [(&'static str, Option<&'a Tensor>); 2] {
    [("weight", Some(weight)), ("bias", bias)]
}

fn batch_norm(
    x: &Value,
    name: &str,
    [weight, bias]: [&Tensor; 2],
    [mean, variance]: [&Tensor; 2],
    eps: f64,
) -> Result<Value> {
    let [weight, bias] = weight_and_bias(weight, Some(bias));
    let parameters = [weight, bias, ("running_mean", Some(mean)), ("running_var", Some(variance))];
    x.with_parameters(name, Operation::BatchNormalization { eps }, &parameters)
}

fn plus_bias(y: Value, name: &str, bias: Option<&Tensor>) -> Result<Value> {
    let Some(bias) = bias else { return Ok(y) };
    let bias = Value::constant(&format!("{name}.bias"), bias)?;
    y.with(&format!("{name}.sum"), Operation::Add, &bias)
}

fn followed_by_relu(y: Value, name: &str, has_relu: bool) -> Result<Value> {
    if has_relu { y.operation(&format!("{name}.relu"), Operation::Relu) } else { Ok(y) }
}
