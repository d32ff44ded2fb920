//! Writes models.

use super::model::{Kind, Model, Port, Size, Step};
use super::operation::{Operation, Sides, Window};
use super::proto::*;
use crate::whole_file;
use candle_core::{DType, Error, Result, Tensor, bail};
use prost::Message;
use std::path::Path;

/// What the files are written for: the first version with `LayerNormalization`, which runtimes have had since 2022.
const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;
/// The limit of protocol buffers.
const MAX_BYTES: usize = i32::MAX as usize;

pub fn write(model: &Model, path: &Path) -> Result<()> {
    let message = model_proto(model)?;
    let bytes = message.encoded_len();
    if bytes > MAX_BYTES {
        bail!("it would have {bytes} bytes, and ONNX files can have {MAX_BYTES}");
    }
    Ok(whole_file::write(path, &message.encode_to_vec())?)
}

fn model_proto(model: &Model) -> Result<ModelProto> {
    let mut graph = GraphProto {
        name: "network".into(),
        input: model.ports().map(value_info).collect::<Result<_>>()?,
        output: model.outputs.iter().map(|(port, _)| value_info(port)).collect::<Result<_>>()?,
        ..GraphProto::default()
    };
    for (number, step) in model.steps.iter().enumerate() {
        match &step.kind {
            Kind::Input(_) => (),
            Kind::Constant(tensor) => graph.initializer.push(tensor_proto(&step.name, tensor)?),
            Kind::Result { operation, inputs } => {
                let mut input: Vec<String> = inputs.iter().map(|&input| value_name(model, input)).collect();
                let settings = settings(operation);
                for (name, tensor) in settings.constants {
                    let name = format!("{}.{name}", step.name);
                    graph.initializer.push(tensor_proto(&name, &tensor?)?);
                    input.push(name);
                }
                graph.node.push(NodeProto {
                    input,
                    output: vec![value_name(model, number)],
                    name: step.name.clone(),
                    op_type: settings.op_type.into(),
                    attribute: settings.attributes,
                    domain: String::new(),
                });
            }
        }
    }
    Ok(ModelProto {
        ir_version: IR_VERSION,
        producer_name: "taper".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
    })
}

/// The name of what a step gives, which is that of an output if it is one.
fn value_name(model: &Model, step: usize) -> String {
    let Step { name, .. } = &model.steps[step];
    let output = model.outputs.iter().find(|&&(_, output)| output == step);
    output.map_or(name, |(port, _)| &port.name).clone()
}

/// ONNX's name of an operation.
pub fn op_type(operation: &Operation) -> &'static str {
    settings(operation).op_type
}

/// How ONNX has an operation.
struct Settings {
    op_type: &'static str,
    attributes: Vec<AttributeProto>,
    /// Further inputs, which are constants.
    constants: Vec<(&'static str, Result<Tensor>)>,
}

fn settings(operation: &Operation) -> Settings {
    let (op_type, attributes) = match operation {
        Operation::Identity => ("Identity", vec![]),
        &Operation::Conv { stride, padding: Sides { top, left, bottom, right }, dilation, groups } => (
            "Conv",
            vec![
                ints("strides", &[stride; 2]),
                ints("pads", &[top, left, bottom, right]),
                ints("dilations", &[dilation; 2]),
                int("group", groups as i64),
            ],
        ),
        Operation::Gemm => ("Gemm", vec![int("transB", 1)]),
        Operation::MatMul => ("MatMul", vec![]),
        &Operation::BatchNormalization { eps } => ("BatchNormalization", vec![float("epsilon", eps)]),
        &Operation::LayerNormalization { eps } => {
            ("LayerNormalization", vec![int("axis", -1), float("epsilon", eps)])
        }
        Operation::MaxPool(window) => ("MaxPool", pool(window)),
        Operation::AveragePool(window) => {
            ("AveragePool", [pool(window), vec![int("count_include_pad", 1)]].concat())
        }
        Operation::GlobalAveragePool => ("GlobalAveragePool", vec![]),
        Operation::Relu => ("Relu", vec![]),
        Operation::Sigmoid => ("Sigmoid", vec![]),
        Operation::Tanh => ("Tanh", vec![]),
        Operation::Erf => ("Erf", vec![]),
        Operation::Sqrt => ("Sqrt", vec![]),
        &Operation::Softmax { axis } => ("Softmax", vec![int("axis", axis)]),
        Operation::Clip { .. } => ("Clip", vec![]),
        Operation::Add => ("Add", vec![]),
        Operation::Sub => ("Sub", vec![]),
        Operation::Mul => ("Mul", vec![]),
        Operation::Div => ("Div", vec![]),
        &Operation::Flatten { axis } => ("Flatten", vec![int("axis", axis)]),
        Operation::Reshape { .. } => ("Reshape", vec![]),
        Operation::Transpose { order } => ("Transpose", vec![ints("perm", order)]),
        Operation::Pad { .. } => ("Pad", vec![]),
        &Operation::Concat { axis } => ("Concat", vec![int("axis", axis)]),
        Operation::Gather => ("Gather", vec![int("axis", 0)]),
        Operation::ReduceMean { axes, keeps_dims } => (
            "ReduceMean",
            vec![
                AttributeProto { ints: axes.clone(), ..attribute("axes", attribute_type::INTS) },
                int("keepdims", i64::from(*keeps_dims)),
            ],
        ),
    };
    let constants = match operation {
        &Operation::Clip { min, max } => vec![("min", number(min)), ("max", number(max))],
        Operation::Reshape { dims } => vec![("shape", list(dims.clone()))],
        Operation::Pad { zeros } => {
            let (before, after) = (zeros.iter().map(|zeros| zeros.0), zeros.iter().map(|zeros| zeros.1));
            vec![("pads", list(before.chain(after).map(|count| count as i64).collect()))]
        }
        _ => vec![],
    };
    Settings { op_type, attributes, constants }
}

fn pool(&Window { size, stride, padding }: &Window) -> Vec<AttributeProto> {
    vec![ints("kernel_shape", &[size; 2]), ints("strides", &[stride; 2]), ints("pads", &[padding; 4])]
}

fn number(number: f64) -> Result<Tensor> {
    Tensor::new(number as f32, &candle_core::Device::Cpu)
}

fn list(numbers: Vec<i64>) -> Result<Tensor> {
    let length = numbers.len();
    Tensor::from_vec(numbers, length, &candle_core::Device::Cpu)
}

fn attribute(name: &str, r#type: i32) -> AttributeProto {
    AttributeProto { name: name.into(), r#type, ..AttributeProto::default() }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute(name, attribute_type::INT) }
}

fn float(name: &str, value: f64) -> AttributeProto {
    AttributeProto { f: Some(value as f32), ..attribute(name, attribute_type::FLOAT) }
}

fn ints(name: &str, values: &[usize]) -> AttributeProto {
    let ints = values.iter().map(|&value| value as i64).collect();
    AttributeProto { ints, ..attribute(name, attribute_type::INTS) }
}

fn value_info(port: &Port) -> Result<ValueInfoProto> {
    let dimension = |size: &Size| match size {
        Size::Fixed(size) => Dimension::Size(*size as i64),
        Size::Named(name) => Dimension::Name(name.clone()),
    };
    let dim = port.dims.iter().map(|size| DimensionProto { value: Some(dimension(size)) }).collect();
    let elem_type = data_type_of(port.dtype)?;
    let tensor_type = TensorTypeProto { elem_type, shape: Some(TensorShapeProto { dim }) };
    Ok(ValueInfoProto { name: port.name.clone(), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) })
}

fn tensor_proto(name: &str, tensor: &Tensor) -> Result<TensorProto> {
    let flat = tensor.flatten_all()?;
    let raw_data = match tensor.dtype() {
        DType::F32 => flat.to_vec1::<f32>()?.into_iter().flat_map(f32::to_le_bytes).collect(),
        DType::I64 => flat.to_vec1::<i64>()?.into_iter().flat_map(i64::to_le_bytes).collect(),
        dtype => return Err(Error::Msg(format!("{name}: numbers of {dtype:?} are not supported"))),
    };
    Ok(TensorProto {
        dims: tensor.dims().iter().map(|&size| size as i64).collect(),
        data_type: data_type_of(tensor.dtype())?,
        name: name.into(),
        raw_data,
        ..TensorProto::default()
    })
}

fn data_type_of(dtype: DType) -> Result<i32> {
    Ok(match dtype {
        DType::F32 => data_type::FLOAT,
        DType::I64 => data_type::INT64,
        _ => bail!("numbers of {dtype:?} are not supported"),
    })
}
