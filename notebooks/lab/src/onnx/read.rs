//! Reads models.

mod attributes;
mod operations;
mod tensors;

use super::model::{Kind, Model, Port, Size, Step};
use super::operation::{Operation, is_input};
use super::proto::*;
use attributes::Attributes;
use candle_core::{Result, Tensor, bail};
use operations::{operands, operation};
use prost::Message;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use tensors::{dtype, tensor};

pub fn read(path: &Path) -> Result<Model> {
    let Ok(message) = ModelProto::decode(&fs::read(path)?[..]) else {
        bail!("is no ONNX file, or is damaged");
    };
    let Some(graph) = message.graph else { bail!("is no ONNX file: it has no network") };
    let opset = message.opset_import.iter().filter(|opset| is_standard(&opset.domain));
    let Some(opset) = opset.map(|opset| opset.version).max() else {
        bail!("does not say for which version of ONNX's operations it is");
    };
    let results = graph.node.iter().flat_map(|node| &node.output);
    let others = graph.initializer.iter().map(|constant| &constant.name);
    let names = results.chain(others).chain(graph.input.iter().map(|input| &input.name)).cloned().collect();
    let mut reader = Reader { opset, steps: Vec::new(), known: HashMap::new(), names };
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
    /// The names that no step but the one that has it already may have: of all values, and of operations.
    names: HashSet<String>,
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
        // An input may be left out, which an empty name says.
        let given: Vec<&String> = node.input.iter().filter(|name| !name.is_empty()).collect();
        if given.len() < node.input.len() && node.input[..given.len()].iter().any(String::is_empty) {
            bail!("an input that is left out before others is not supported");
        }
        let mut inputs = given.into_iter().map(|name| self.step(name)).collect::<Result<Vec<_>>>()?;
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
            if self.names.insert(name.clone()) {
                self.push(&name, Kind::Constant(weight));
            }
            inputs[1] = self.step(&name)?;
        }
        self.push(output, Kind::Result { operation, inputs });
        // Operations need not have names, and several may have the same.
        if let Some(step) = self.steps.last_mut()
            && !node.name.is_empty()
            && self.names.insert(node.name.clone())
        {
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

/// Numbers none of which is negative.
fn counts(numbers: &[i64]) -> Option<Vec<usize>> {
    numbers.iter().map(|&number| usize::try_from(number).ok()).collect()
}
