//! Reads models.

use super::model::{Kind, Model, Port, Size, Step};
use super::operation::{Operation, Sides, Window, is_input};
use super::proto::*;
use candle_core::{DType, Device, Result, Tensor, bail};
use prost::Message;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

/// Where `TensorProto::data_location` says that the numbers are in another file.
const EXTERNAL: i32 = 1;

pub fn read(path: &Path) -> Result<Model> {
    let Ok(message) = ModelProto::decode(&fs::read(path)?[..]) else {
        bail!("is no ONNX file, or is damaged");
    };
    let Some(graph) = message.graph else { bail!("is no ONNX file: it has no network") };
    let opset = message.opset_import.iter().filter(|opset| is_standard(&opset.domain));
    let Some(opset) = opset.map(|opset| opset.version).max() else {
        bail!("does not say for which version of ONNX's operations it is");
    };
    let mut reader = Reader { opset, steps: Vec::new(), known: HashMap::new() };
    let folder = path.parent().unwrap_or(Path::new("."));
    for constant in &graph.initializer {
        reader.push(&constant.name, Kind::Constant(tensor(constant, folder)?));
    }
    // Files of older versions have the parameters among the inputs.
    for input in graph.input.iter().filter(|input| !graph.initializer.iter().any(|c| c.name == input.name)) {
        let port = port(input)?;
        if !is_input(port.dtype) {
            bail!("the input {} is of {:?}, which is not supported", port.name, port.dtype);
        }
        reader.push(&input.name, Kind::Input(port));
    }
    for node in &graph.node {
        if let Err(error) = reader.node(node, folder) {
            let name = if node.name.is_empty() { node.output.join(", ") } else { node.name.clone() };
            bail!("{} ({name}): {}", node.op_type, crate::nn::first_line(&error));
        }
    }
    let output = |output: &ValueInfoProto| Ok((port(output)?, reader.step(&output.name)?));
    let outputs = graph.output.iter().map(output).collect::<Result<Vec<_>>>()?;
    Ok(without_unused(&Model { steps: reader.steps, outputs }))
}

/// The model without the constants that nothing is computed of, which have become settings of operations.
fn without_unused(model: &Model) -> Model {
    let mut is_used = vec![false; model.steps.len()];
    model.outputs.iter().for_each(|&(_, step)| is_used[step] = true);
    for step in &model.steps {
        if let Kind::Result { inputs, .. } = &step.kind {
            inputs.iter().for_each(|&input| is_used[input] = true);
        }
    }
    let is_kept = |step: usize| is_used[step] || !matches!(model.steps[step].kind, Kind::Constant(_));
    let mut places = Vec::new();
    let mut steps: Vec<Step> = Vec::new();
    for (number, step) in model.steps.iter().enumerate() {
        places.push(steps.len());
        if is_kept(number) {
            let mut step = step.clone();
            if let Kind::Result { inputs, .. } = &mut step.kind {
                inputs.iter_mut().for_each(|input| *input = places[*input]);
            }
            steps.push(step);
        }
    }
    let outputs = model.outputs.iter().map(|(port, step)| (port.clone(), places[*step])).collect();
    Model { steps, outputs }
}

/// Whether operations are those of ONNX itself.
fn is_standard(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

struct Reader {
    /// The version of the operations.
    opset: i64,
    steps: Vec<Step>,
    /// The steps by the names of what they give.
    known: HashMap<String, usize>,
}

impl Reader {
    fn push(&mut self, name: &str, kind: Kind) {
        self.known.insert(name.to_owned(), self.steps.len());
        self.steps.push(Step { name: name.to_owned(), kind });
    }

    fn step(&self, name: &str) -> Result<usize> {
        match self.known.get(name) {
            Some(&step) => Ok(step),
            None => bail!("{name} is computed nowhere before it is needed"),
        }
    }

    fn node(&mut self, node: &NodeProto, folder: &Path) -> Result<()> {
        if !is_standard(&node.domain) {
            bail!("the operations of {} are not supported", node.domain);
        }
        // Some have further outputs that are needed in training only, and may be left out.
        let Some(output) = node.output.first() else { bail!("it has no output") };
        if node.op_type == "Constant" {
            let Some(value) = node.attribute.iter().find_map(|attribute| attribute.t.as_ref()) else {
                bail!("constants other than tensors are not supported");
            };
            self.push(output, Kind::Constant(tensor(value, folder)?));
            return Ok(());
        }
        // An input may be left out, which an empty name says; only at the end, in what is supported here.
        let given = node.input.iter().filter(|name| !name.is_empty());
        let mut inputs = given.map(|name| self.step(name)).collect::<Result<Vec<_>>>()?;
        let attributes = Attributes { node, opset: self.opset };
        let constants: Vec<Option<&Tensor>> = inputs.iter().map(|&input| self.constant(input)).collect();
        let operation = operation(&attributes, &constants)?;
        // What has become a setting of the operation is no input any more.
        inputs.truncate(operands(&operation).unwrap_or(inputs.len()));
        if operation == Operation::Gemm && attributes.int("transB", 0) == 0 {
            let weight = constants.get(1).copied().flatten();
            let Some(weight) = weight else { bail!("a weight that is not constant is not supported") };
            let weight = weight.t()?.contiguous()?;
            let name = format!("{}.transposed", node.input[1]);
            self.push(&name, Kind::Constant(weight));
            inputs[1] = self.step(&name)?;
        }
        self.push(output, Kind::Result { operation, inputs });
        if let (Some(step), false) = (self.steps.last_mut(), node.name.is_empty()) {
            step.name.clone_from(&node.name);
        }
        Ok(())
    }

    fn constant(&self, step: usize) -> Option<&Tensor> {
        match &self.steps[step].kind {
            Kind::Constant(tensor) => Some(tensor),
            _ => None,
        }
    }
}

/// How many inputs an operation has that are not settings of it, if there are settings among its inputs in ONNX.
fn operands(operation: &Operation) -> Option<usize> {
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

fn operation(attributes: &Attributes, constants: &[Option<&Tensor>]) -> Result<Operation> {
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

/// Numbers none of which is negative.
fn counts(numbers: &[i64]) -> Option<Vec<usize>> {
    numbers.iter().map(|&number| usize::try_from(number).ok()).collect()
}

/// The number in a tensor of one.
fn first(tensor: &Tensor) -> Result<f64> {
    Ok(f64::from(tensor.flatten_all()?.get(0)?.to_scalar::<f32>()?))
}

/// The attributes of a node.
struct Attributes<'a> {
    node: &'a NodeProto,
    opset: i64,
}

impl Attributes<'_> {
    fn find(&self, name: &str) -> Option<&AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    fn int(&self, name: &str, default: i64) -> i64 {
        self.find(name).map_or(default, |attribute| attribute.i.unwrap_or_default())
    }

    fn float(&self, name: &str, default: f64) -> f64 {
        self.find(name).map_or(default, |attribute| {
            // As it would be written: 1e-5 in `f32` is 9.99999974e-6 in `f64`.
            attribute.f.unwrap_or_default().to_string().parse().unwrap_or(default)
        })
    }

    fn ints(&self, name: &str) -> Option<Vec<i64>> {
        self.find(name).map(|attribute| attribute.ints.clone())
    }

    fn text(&self, name: &str) -> Option<String> {
        let bytes = self.find(name)?.s.as_ref()?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    /// The number that is given for both rows and columns.
    fn square(&self, name: &str, default: usize) -> Result<usize> {
        match self.ints(name).as_deref() {
            None => Ok(default),
            Some(&[rows, columns]) if rows == columns && rows >= 0 => Ok(rows as usize),
            Some(other) => {
                bail!("{name} of {other:?} is not supported, which is not the same for rows and columns")
            }
        }
    }

    fn sides(&self) -> Result<Sides> {
        if let Some(auto) = self.text("auto_pad").filter(|auto| auto != "NOTSET" && auto != "VALID") {
            bail!("`auto_pad` {auto} is not supported");
        }
        match self.ints("pads").as_deref() {
            None => Ok(Sides::default()),
            Some(&[top, left, bottom, right]) if [top, left, bottom, right].iter().all(|&side| side >= 0) => {
                let [top, left, bottom, right] = [top, left, bottom, right].map(|side| side as usize);
                Ok(Sides { top, left, bottom, right })
            }
            Some(other) => bail!("pads of {other:?} are not supported"),
        }
    }

    fn window(&self) -> Result<Window> {
        let Some(padding) = self.sides()?.same() else {
            bail!("padding that is not the same on all sides is not supported");
        };
        if self.int("ceil_mode", 0) != 0 || self.square("dilations", 1)? != 1 {
            bail!("`ceil_mode` and dilations are not supported");
        }
        Ok(Window { size: self.square("kernel_shape", 1)?, stride: self.square("strides", 1)?, padding })
    }
}

fn port(info: &ValueInfoProto) -> Result<Port> {
    let tensor = info.r#type.as_ref().and_then(|r#type| r#type.tensor_type.as_ref());
    let Some(TensorTypeProto { elem_type, shape: Some(shape) }) = tensor else {
        bail!("{} has no shape", info.name);
    };
    let size = |dimension: &DimensionProto| match &dimension.value {
        Some(Dimension::Size(size)) if *size >= 0 => Size::Fixed(*size as usize),
        Some(Dimension::Name(name)) => Size::Named(name.clone()),
        _ => Size::Named("any".into()),
    };
    Ok(Port {
        name: info.name.clone(),
        dtype: dtype(*elem_type)?,
        dims: shape.dim.iter().map(size).collect(),
    })
}

/// The type in which numbers of an ONNX type are kept.
fn dtype(data_type: i32) -> Result<DType> {
    Ok(match data_type {
        data_type::FLOAT => DType::F32,
        data_type::DOUBLE => DType::F64,
        data_type::FLOAT16 => DType::F16,
        data_type::BFLOAT16 => DType::BF16,
        data_type::INT64 => DType::I64,
        data_type::INT32 => DType::I32,
        data_type::UINT32 => DType::U32,
        data_type::UINT8 => DType::U8,
        _ => bail!("numbers of type {data_type} are not supported"),
    })
}

/// A parameter: floating-point numbers as `F32`, integers as `I64`.
fn tensor(tensor: &TensorProto, folder: &Path) -> Result<Tensor> {
    let fail = |what: &str| candle_core::Error::Msg(format!("the parameter {}: {what}", tensor.name));
    let dims = counts(&tensor.dims).ok_or_else(|| fail("a negative size"))?;
    let dtype = dtype(tensor.data_type).map_err(|error| fail(&error.to_string()))?;
    let count = dims.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
    let bytes =
        count.and_then(|count| count.checked_mul(dtype.size_in_bytes())).ok_or_else(|| fail("too large"))?;
    let external;
    let raw = if tensor.data_location == EXTERNAL {
        external =
            read_external(&tensor.external_data, folder, bytes).map_err(|error| fail(&error.to_string()))?;
        &external
    } else {
        &tensor.raw_data
    };
    let wanted = if dtype.is_float() { DType::F32 } else { DType::I64 };
    let read = if !raw.is_empty() || bytes == 0 {
        if raw.len() != bytes {
            return Err(fail(&format!("{} bytes for {dims:?} of {dtype:?}", raw.len())));
        }
        Tensor::from_raw_buffer(raw, dtype, &dims, &Device::Cpu)
    } else if !tensor.float_data.is_empty() {
        Tensor::from_slice(&tensor.float_data, dims, &Device::Cpu)
    } else if !tensor.double_data.is_empty() {
        Tensor::from_slice(&tensor.double_data, dims, &Device::Cpu)
    } else if !tensor.int64_data.is_empty() {
        Tensor::from_slice(&tensor.int64_data, dims, &Device::Cpu)
    } else if dtype == DType::I32 {
        let wide: Vec<i64> = tensor.int32_data.iter().map(|&value| i64::from(value)).collect();
        Tensor::from_vec(wide, dims, &Device::Cpu)
    } else {
        return Err(fail("no numbers"));
    };
    read.and_then(|read| read.to_dtype(wanted)).map_err(|error| fail(&crate::nn::first_line(&error)))
}

/// The numbers of a parameter that are in a file beside the model.
fn read_external(entries: &[StringStringEntryProto], folder: &Path, bytes: usize) -> Result<Vec<u8>> {
    let entry = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    let Some(location) = entry("location") else { bail!("no file is named for its numbers") };
    let is_beside = Path::new(location).components().all(|part| matches!(part, Component::Normal(_)));
    if !is_beside {
        bail!("its numbers are in {location}, which is not in the folder of the model");
    }
    let offset = entry("offset").map_or(Ok(0), str::parse);
    let Ok(offset) = offset else { bail!("its place in {location} is no number") };
    let mut raw = Vec::new();
    let read = File::open(folder.join(location)).and_then(|mut file| {
        file.seek(SeekFrom::Start(offset))?;
        file.take(bytes as u64).read_to_end(&mut raw)
    });
    match read {
        Ok(_) => Ok(raw),
        Err(error) => bail!("{location}: {error}"),
    }
}
