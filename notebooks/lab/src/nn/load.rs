//! Loading of weights, all or none.

use candle_core::{Device, Result, Tensor, bail, safetensors};
use candle_nn::VarMap;
use std::path::Path;

/// Sets all variables of `weights` to the tensors of the same names in a safetensors file, such as `VarMap::save` writes.
/// Floating-point numbers of another type are converted. Build the network first, which creates the variables.
///
/// candle's own `VarMap::load` does nothing, without an error, when there are no variables yet; it ignores tensors without a
/// variable; and when a shape is wrong it may already have set other variables. Here each of these is an error.
///
/// # Errors
/// When the file cannot be read, there are no variables, or names, shapes or types of variables and tensors differ. Then no
/// variable has changed.
pub fn load(weights: &VarMap, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let file = path.display();
    let variables = weights.data().lock().expect("no thread panics while it holds the parameters");
    if variables.is_empty() {
        bail!("{file}: there are no variables to load it into: build the network first, from this VarMap");
    }
    let tensors = match safetensors::load(path, &Device::Cpu) {
        Ok(tensors) => tensors,
        Err(error) => bail!("{file}: {}", first_line(&error)),
    };
    let missing = listed(variables.keys().filter(|name| !tensors.contains_key(*name)));
    if !missing.is_empty() {
        bail!("{file}: has no tensor for the variables {missing}");
    }
    let extra = listed(tensors.keys().filter(|name| !variables.contains_key(*name)));
    if !extra.is_empty() {
        bail!("{file}: has tensors that are no variables of this network: {extra}");
    }
    let mut names: Vec<&String> = variables.keys().collect();
    names.sort();
    let convert = |name: &String| -> Result<Tensor> {
        let (variable, tensor) = (&variables[name], &tensors[name]);
        if tensor.dims() != variable.dims() {
            bail!("{file}: {name} is {:?}, but the variable is {:?}", tensor.dims(), variable.dims());
        }
        if tensor.dtype() != variable.dtype() && !(tensor.dtype().is_float() && variable.dtype().is_float()) {
            bail!("{file}: {name} is of {:?}, but the variable is of {:?}", tensor.dtype(), variable.dtype());
        }
        tensor.to_device(variable.device())?.to_dtype(variable.dtype())
    };
    let converted = names.iter().map(|name| convert(name)).collect::<Result<Vec<_>>>()?;
    names.iter().zip(&converted).try_for_each(|(name, tensor)| variables[*name].set(tensor))
}

fn listed<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let mut names: Vec<&str> = names.map(String::as_str).collect();
    names.sort();
    names.join(", ")
}

/// The error without the backtrace that may follow.
pub(crate) fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_string()
}
