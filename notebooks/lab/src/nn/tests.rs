//! Layers and their parameters.

use super::{AdamW, Optimizer, ParamsAdamW, VarBuilder, VarMap, layer_norm, linear, load};
use crate::init;
use candle_core::{DType, Device, Result, Tensor, Var, safetensors};
use std::collections::HashMap;
use std::path::PathBuf;
use std::{env, fs, process};

/// A file in a folder for temporary ones, which is removed at the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, tensors: &[(&str, Tensor)]) -> Result<Self> {
        let path = env::temp_dir().join(format!("lab-weights-{}-{name}.safetensors", process::id()));
        let tensors: HashMap<&str, Tensor> = tensors.iter().cloned().collect();
        safetensors::save(&tensors, &path)?;
        Ok(Self(path))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // What cannot be removed is left to the system.
        let _ = fs::remove_file(&self.0);
    }
}

/// The map of a dense layer from two values to one, and the layer's values: weight, then bias.
fn network() -> Result<(VarMap, impl Fn() -> Vec<f32>)> {
    let map = VarMap::new();
    let layer = linear(2, 1, VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu).pp("dense"))?;
    let parameters = move || {
        let bias = layer.bias().expect("it has one").to_vec1::<f32>().unwrap();
        [layer.weight().flatten_all().unwrap().to_vec1::<f32>().unwrap(), bias].concat()
    };
    Ok((map, parameters))
}

fn weight() -> Tensor {
    Tensor::new(&[[1f32, 2.]], &Device::Cpu).unwrap()
}

fn bias() -> Tensor {
    Tensor::new(&[3f32], &Device::Cpu).unwrap()
}

fn message(result: Result<()>) -> String {
    let error = result.expect_err("it cannot be loaded").to_string();
    error.lines().next().unwrap_or_default().to_string()
}

#[test]
fn what_was_saved_is_loaded_into_the_layers_that_were_built() -> Result<()> {
    let file = File::new("saved", &[])?;
    let (saved, expected) = network()?;
    saved.save(&file.0)?;
    let (map, parameters) = network()?;
    assert_ne!(parameters(), expected());
    load(&map, &file.0)?;
    assert_eq!(parameters(), expected());

    let doubles =
        [("dense.weight", weight().to_dtype(DType::F64)?), ("dense.bias", bias().to_dtype(DType::F16)?)];
    load(&map, &File::new("doubles", &doubles)?.0)?;
    assert_eq!(parameters(), [1., 2., 3.]);
    Ok(())
}

#[test]
fn weights_that_do_not_fit_are_an_error_in_one_line_and_change_nothing() -> Result<()> {
    let whole = [("dense.weight", weight()), ("dense.bias", bias())];
    let file = File::new("whole", &whole)?;
    let path = file.0.display();
    assert_eq!(
        message(load(&VarMap::new(), &file.0)),
        format!("{path}: there are no variables to load it into: build the network first, from this VarMap")
    );
    let (map, parameters) = network()?;
    let before = parameters();
    let long = Tensor::new(&[[1f32, 2., 3.]], &Device::Cpu)?;
    let cases = [
        ("missing", vec![("dense.bias", bias())], "has no tensor for the variables dense.weight"),
        ("empty", vec![], "has no tensor for the variables dense.bias, dense.weight"),
        (
            "extra",
            [&whole[..], &[("conv.bias", bias()), ("a", bias())]].concat(),
            "has tensors that are no variables of this network: a, conv.bias",
        ),
        (
            "shape",
            vec![("dense.weight", long), ("dense.bias", bias())],
            "dense.weight is [1, 3], but the variable is [1, 2]",
        ),
        (
            "type",
            vec![("dense.weight", weight()), ("dense.bias", bias().to_dtype(DType::U32)?)],
            "dense.bias is of U32, but the variable is of F32",
        ),
    ];
    for (name, tensors, expected) in cases {
        let file = File::new(name, &tensors)?;
        assert_eq!(message(load(&map, &file.0)), format!("{}: {expected}", file.0.display()));
        assert_eq!(parameters(), before, "{name}");
    }
    let gone = env::temp_dir().join("lab-weights-that-are-not-there");
    let message = message(load(&map, &gone));
    assert!(
        message.starts_with(&format!("{}: ", gone.display())) && message.contains("No such file"),
        "{message}"
    );
    Ok(())
}

/// What the documentation of [`load`] says of candle's own.
#[test]
fn candles_own_loads_nothing_into_an_empty_map() -> Result<()> {
    let file = File::new("candle", &[("norm.weight", Tensor::new(&[5f32, 5.], &Device::Cpu)?)])?;
    let mut map = VarMap::new();
    map.load(&file.0)?;
    let layer = layer_norm(2, 1e-5, VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu).pp("norm"))?;
    assert_eq!(layer.weight().to_vec1::<f32>()?, [1., 1.]);
    Ok(())
}

/// Dense layers of `f32`, of which the second gets no gradient, and a variable of `f64`.
fn variables() -> Result<Vec<Var>> {
    let weight = |seed| Var::from_tensor(&init::uniform((3, 4), -1.0, 1.0, seed, &Device::Cpu)?);
    Ok(vec![weight(1)?, weight(2)?, Var::from_tensor(&weight(3)?.to_dtype(DType::F64)?)?])
}

#[test]
fn adamw_gives_the_same_bits_as_that_of_candle() -> Result<()> {
    let settings = ParamsAdamW { lr: 0.01, weight_decay: 0.1, ..Default::default() };
    let (ours, theirs) = (variables()?, variables()?);
    let mut adam = AdamW::new(ours.clone(), settings.clone())?;
    let mut of_candle = candle_nn::AdamW::new(theirs.clone(), settings)?;
    for step in 0..20 {
        for (variables, optimizer) in
            [(&ours, &mut adam as &mut dyn Step), (&theirs, &mut of_candle as &mut dyn Step)]
        {
            // Transposed, so that a gradient is not contiguous.
            let factors = init::uniform((4, 3), -2.0, 2.0, step, &Device::Cpu)?;
            let first = (variables[0].t()? * &factors)?.sqr()?.sum_all()?.to_dtype(DType::F64)?;
            let last = (variables[2].t()? * factors.to_dtype(DType::F64)?)?.sqr()?.sum_all()?;
            optimizer.step(&(first + last)?, if step < 10 { 0.01 } else { 0.003 })?;
        }
        for (ours, theirs) in ours.iter().zip(&theirs) {
            let difference = (ours.as_tensor() - theirs.as_tensor())?.abs()?.to_dtype(DType::F64)?;
            assert_eq!(difference.max_all()?.to_scalar::<f64>()?, 0.0, "step {step}");
        }
    }
    assert_ne!(ours[0].to_vec2::<f32>()?, variables()?[0].to_vec2::<f32>()?);
    assert_eq!(ours[1].to_vec2::<f32>()?, variables()?[1].to_vec2::<f32>()?, "it has no gradient");
    Ok(())
}

/// Both optimizers behind one type.
trait Step {
    fn step(&mut self, loss: &Tensor, lr: f64) -> Result<()>;
}

impl<O: Optimizer> Step for O {
    fn step(&mut self, loss: &Tensor, lr: f64) -> Result<()> {
        self.set_learning_rate(lr);
        self.backward_step(loss)
    }
}
