//! Models: operations in the order in which they are computed.

use super::operation::Operation;
use super::value::{Node, Value};
use super::{read, write};
use candle_core::{DType, Module, Result, Tensor, bail};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A network that was read from an ONNX file, or that can be written to one.
#[derive(Clone, Debug)]
pub struct Model {
    pub(super) steps: Vec<Step>,
    pub(super) outputs: Vec<(Port, usize)>,
}

/// An input, a parameter, or an operation on earlier steps.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The name of what it gives, and of an operation itself.
    pub name: String,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Input(Port),
    Constant(Tensor),
    Result { operation: Operation, inputs: Vec<usize> },
}

/// An input or output of a model.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Port {
    pub name: String,
    pub dtype: DType,
    pub dims: Vec<Size>,
}

/// The size of a dimension.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Size {
    Fixed(usize),
    /// Any, as that of a batch.
    Named(String),
}

/// The name of the size of a batch.
const BATCH: &str = "batch";

impl Port {
    fn of(name: &str, value: &Value) -> Self {
        let fixed = value.dims().iter().map(|&size| Size::Fixed(size));
        let dims = std::iter::once(Size::Named(BATCH.into())).chain(fixed).collect();
        Self { name: name.to_owned(), dtype: value.dtype(), dims }
    }

    /// Such as `[batch, 1, 28, 28]`.
    fn shape(&self) -> String {
        format!("[{}]", self.dims.iter().map(Size::to_string).collect::<Vec<_>>().join(", "))
    }

    fn check(&self, tensor: &Tensor) -> Result<()> {
        let fits = |(size, &given): (&Size, &usize)| match size {
            Size::Fixed(size) => *size == given,
            Size::Named(_) => true,
        };
        if self.dims.len() != tensor.rank() || !self.dims.iter().zip(tensor.dims()).all(fits) {
            bail!("{}: expected {}, got {:?}", self.name, self.shape(), tensor.dims());
        }
        if self.dtype != tensor.dtype() {
            bail!("{}: expected {:?}, got {:?}", self.name, self.dtype, tensor.dtype());
        }
        Ok(())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Fixed(size) => size.fmt(f),
            Self::Named(name) => name.fmt(f),
        }
    }
}

impl Model {
    /// The model with these outputs, each under its name.
    ///
    /// # Errors
    /// When there are none, two have the same name, or two different parameters or inputs have.
    pub fn new(outputs: &[(&str, &Value)]) -> Result<Self> {
        if outputs.is_empty() {
            bail!("expected at least one output");
        }
        let mut builder = Builder::default();
        for (name, _) in outputs {
            if !builder.names.insert((*name).to_owned()) {
                bail!("there are two outputs with the name {name}");
            }
        }
        let mut found = Vec::new();
        for &(name, value) in outputs {
            let step = builder.add(value)?;
            let is_taken = found.iter().any(|&(_, other)| other == step);
            let step = if is_taken { builder.copy(step, name) } else { builder.computed(step, name) };
            found.push((Port::of(name, value), step));
        }
        Ok(Self { steps: builder.steps, outputs: found })
    }

    /// Reads a model from an ONNX file.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or has operations or types that [this module](super) does not know. The message names
    /// the file, the operation and its place.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        match read::read(path) {
            Ok(model) => Ok(model),
            Err(error) => bail!("{}: {}", path.display(), crate::nn::first_line(&error)),
        }
    }

    /// Writes the model to an ONNX file, completely or not at all, and creates its folder if need be.
    ///
    /// # Errors
    /// When the file cannot be written, or is larger than the format allows: 2 GiB.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        match write::write(self, path) {
            Ok(()) => Ok(()),
            Err(error) => bail!("cannot write {}: {}", path.display(), crate::nn::first_line(&error)),
        }
    }

    /// The names of the inputs.
    pub fn inputs(&self) -> impl Iterator<Item = &str> {
        self.ports().map(|port| port.name.as_str())
    }

    /// The names of the outputs.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        self.outputs.iter().map(|(port, _)| port.name.as_str())
    }

    /// The parameters by their names, such as `conv1.weight`, which a file of another framework has, too.
    pub fn weights(&self) -> HashMap<String, Tensor> {
        let weight = |step: &Step| match &step.kind {
            Kind::Constant(tensor) => Some((step.name.clone(), tensor.clone())),
            _ => None,
        };
        self.steps.iter().filter_map(weight).collect()
    }

    /// The outputs for inputs that are given by name, computed by [`ops`](crate::ops) on the CPU.
    ///
    /// # Errors
    /// When an input is missing, unknown, or of another shape or type.
    pub fn run(&self, inputs: &[(&str, &Tensor)]) -> Result<Vec<Tensor>> {
        if let Some((name, _)) = inputs.iter().find(|(name, _)| self.inputs().all(|input| input != *name)) {
            bail!("there is no input {name}, but {}", self.inputs().collect::<Vec<_>>().join(", "));
        }
        let mut values: Vec<Option<Tensor>> = vec![None; self.steps.len()];
        let last_uses = self.last_uses();
        for (number, step) in self.steps.iter().enumerate() {
            let value = match &step.kind {
                Kind::Input(port) => {
                    let Some((_, tensor)) = inputs.iter().find(|(name, _)| *name == port.name) else {
                        bail!("the input {} is missing", port.name);
                    };
                    port.check(tensor)?;
                    (*tensor).clone()
                }
                Kind::Constant(tensor) => tensor.clone(),
                Kind::Result { operation, inputs } => {
                    let operands: Vec<&Tensor> =
                        inputs.iter().map(|&input| values[input].as_ref().expect("it is in use")).collect();
                    let value = match operation.compute(&operands) {
                        Ok(value) => value,
                        Err(error) => bail!("{}: {}", step.name, crate::nn::first_line(&error)),
                    };
                    // Their memory serves what follows.
                    inputs
                        .iter()
                        .filter(|&&input| last_uses[input] == number)
                        .for_each(|&input| values[input] = None);
                    value
                }
            };
            values[number] = Some(value);
        }
        Ok(self.outputs.iter().map(|&(_, step)| values[step].clone().expect("it is in use")).collect())
    }

    /// The step that uses the result of each step last. Those that are outputs are in use at the end.
    fn last_uses(&self) -> Vec<usize> {
        let mut last = vec![usize::MAX; self.steps.len()];
        for (number, step) in self.steps.iter().enumerate() {
            if let Kind::Result { inputs, .. } = &step.kind {
                inputs.iter().for_each(|&input| last[input] = number);
            }
        }
        self.outputs.iter().for_each(|&(_, step)| last[step] = usize::MAX);
        last
    }

    pub(super) fn ports(&self) -> impl Iterator<Item = &Port> {
        self.steps.iter().filter_map(|step| match &step.kind {
            Kind::Input(port) => Some(port),
            _ => None,
        })
    }
}

/// A line for each input, operation and output, in the order in which they are computed.
impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let operand = |&step: &usize| match &self.steps[step] {
            Step { name, kind: Kind::Constant(tensor) } => format!("{name} {:?}", tensor.dims()),
            Step { name, .. } => name.clone(),
        };
        for step in &self.steps {
            match &step.kind {
                Kind::Input(port) => writeln!(f, "input {}: {:?} {}", port.name, port.dtype, port.shape())?,
                Kind::Constant(_) => (),
                Kind::Result { operation, inputs } => {
                    let inputs = inputs.iter().map(operand).collect::<Vec<_>>().join(", ");
                    writeln!(f, "{} = {}({inputs})", step.name, write::op_type(operation))?;
                }
            }
        }
        let line = |(port, step): &(Port, usize)| {
            format!("output {}: {:?} {} = {}", port.name, port.dtype, port.shape(), self.steps[*step].name)
        };
        f.write_str(&self.outputs.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

/// For models with one input and one output.
impl Module for Model {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let inputs: Vec<&str> = self.inputs().collect();
        let &[input] = &inputs[..] else {
            bail!("expected a model with one input, but it has {}: use `run`", inputs.join(", "));
        };
        let mut outputs = self.run(&[(input, x)])?;
        match (outputs.pop(), outputs.is_empty()) {
            (Some(output), true) => Ok(output),
            _ => bail!("expected a model with one output, but it has {}: use `run`", self.outputs.len()),
        }
    }
}

/// Brings values in an order.
#[derive(Default)]
struct Builder {
    steps: Vec<Step>,
    /// The steps of the nodes that have one already.
    known: HashMap<*const Node, usize>,
    names: HashSet<String>,
}

impl Builder {
    fn add(&mut self, value: &Value) -> Result<usize> {
        let node = Arc::as_ptr(value.node());
        if let Some(&step) = self.known.get(&node) {
            return Ok(step);
        }
        let step = match &**value.node() {
            Node::Input { name } => {
                let name = self.only(name)?;
                Step { kind: Kind::Input(Port::of(&name, value)), name }
            }
            Node::Constant { name, tensor } => match self.same(name, tensor) {
                Some(step) => return Ok(step),
                None => Step { name: self.only(name)?, kind: Kind::Constant(tensor.clone()) },
            },
            Node::Result { name, operation, inputs } => {
                let inputs = inputs.iter().map(|input| self.add(input)).collect::<Result<_>>()?;
                let kind = Kind::Result { operation: operation.clone(), inputs };
                Step { name: self.another(name), kind }
            }
        };
        self.steps.push(step);
        self.known.insert(node, self.steps.len() - 1);
        Ok(self.steps.len() - 1)
    }

    /// The step of a parameter of the same name and value, if there is one: a layer may be used twice.
    fn same(&self, name: &str, tensor: &Tensor) -> Option<usize> {
        let is_same = |step: &Step| match &step.kind {
            Kind::Constant(other) => step.name == name && are_equal(other, tensor),
            _ => false,
        };
        self.steps.iter().position(is_same)
    }

    /// The name of an input or a parameter, which is kept as it is.
    fn only(&mut self, name: &str) -> Result<String> {
        if !self.names.insert(name.to_owned()) {
            bail!("two different inputs, parameters or outputs have the name {name}");
        }
        Ok(name.to_owned())
    }

    /// The name of an operation, with a number if there is another one.
    fn another(&mut self, name: &str) -> String {
        let numbered = (1..).map(|number| format!("{name}_{number}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        names.find(|name| self.names.insert(name.clone())).expect("there are names without end")
    }

    /// The step, or a copy of it if nothing is computed there.
    fn computed(&mut self, step: usize, name: &str) -> usize {
        if matches!(self.steps[step].kind, Kind::Result { .. }) { step } else { self.copy(step, name) }
    }

    /// A step that gives the same.
    fn copy(&mut self, step: usize, name: &str) -> usize {
        let kind = Kind::Result { operation: Operation::Identity, inputs: vec![step] };
        let name = self.another(&format!("{name}.copy"));
        self.steps.push(Step { name, kind });
        self.steps.len() - 1
    }
}

fn are_equal(a: &Tensor, b: &Tensor) -> bool {
    let equal = || a.eq(b)?.to_dtype(DType::U32)?.sum_all()?.to_scalar::<u32>();
    a.dims() == b.dims()
        && a.dtype() == b.dtype()
        && (a.id() == b.id() || equal().is_ok_and(|count| count as usize == a.elem_count()))
}
