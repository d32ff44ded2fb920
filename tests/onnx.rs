//! Models that `lab::onnx` writes, judged by ONNX's own checker and by ONNX Runtime; and a model that PyTorch has written, read by it.

use crate::python::program;
use crate::support::root;
use ::ops::resnet::{Block, ResNet};
use lab::candle_core::{DType, Device, Result, Tensor, safetensors};
use lab::nn::{self, Module, ModuleT, VarBuilder, VarMap};
use lab::onnx::{self, Layer, Value};
use lab::{init, ops};
use serde_json::Value as Json;
use std::path::Path;
use std::process::Stdio;

fn random(seed: u64, shape: &[usize]) -> Tensor {
    init::uniform(shape, -1.0, 1.0, seed, &Device::Cpu).unwrap()
}

fn builder(map: &VarMap) -> VarBuilder<'static> {
    VarBuilder::from_varmap(map, DType::F32, &Device::Cpu)
}

/// Writes a model, an input and what it should make of that.
fn write(folder: &Path, name: &str, output: &Value, x: &Tensor, expected: &Tensor) -> Result<()> {
    onnx::Model::new(&[("output", output)])?.save(folder.join(format!("{name}.onnx")))?;
    x.write_npy(folder.join(format!("{name}.input.npy")))?;
    expected.write_npy(folder.join(format!("{name}.output.npy")))
}

/// The network of the course.
fn digits(folder: &Path) -> Result<()> {
    let map = VarMap::new();
    let vb = builder(&map);
    let (conv1, conv2) =
        (nn::conv_block(1, 32, 3, 2, vb.pp("conv1"))?, nn::conv_block(32, 64, 3, 2, vb.pp("conv2"))?);
    let dense = nn::linear(1600, 10, vb.pp("dense"))?;
    init::seed(&map, 7)?;
    let images = onnx::input("images", (1, 28, 28), DType::F32)?;
    let maps = images.layer("conv1", &conv1)?.layer("conv2", &conv2)?;
    let logits = maps.layer("dropout", &nn::Dropout::new(0.5, 1))?.flatten()?.layer("dense", &dense)?;
    let x = random(1, &[7, 1, 28, 28]);
    let expected = dense.forward(&conv2.forward(&conv1.forward(&x)?)?.flatten_from(1)?)?;
    write(folder, "digits", &logits, &x, &expected)
}

/// A residual block of ResNet-20.
struct Residual<'a>(&'a Block);

impl Layer for Residual<'_> {
    fn apply(&self, name: &str, x: &Value) -> Result<Value> {
        let Block { conv1, norm1, conv2, norm2, stride, new_channels } = self.0;
        let y = x.layer(&format!("{name}.conv1"), conv1)?.layer(&format!("{name}.bn1"), norm1)?;
        let y = y.layer(&format!("{name}.conv2"), conv2)?.layer(&format!("{name}.bn2"), norm2)?;
        let shortcut = match *new_channels {
            0 => x.clone(),
            new => {
                let pool = nn::AvgPool2d::with_padding(1, *stride, 0);
                x.layer(&format!("{name}.shortcut"), &pool)?.pad_with_zeros(1, new / 2, new - new / 2)?
            }
        };
        y.add(&shortcut)?.relu()
    }
}

fn resnet(folder: &Path) -> Result<()> {
    let map = VarMap::new();
    let network = ResNet::new(3, 10, &builder(&map))?;
    init::seed(&map, 7)?;
    // Running statistics other than those at the beginning.
    for seed in 10..13 {
        network.forward_t(&random(seed, &[16, 3, 32, 32]), true)?;
    }
    let images = onnx::input("images", (3, 32, 32), DType::F32)?;
    let mut y = images.layer("conv1", &network.conv)?.layer("bn1", &network.norm)?;
    for (number, block) in network.blocks.iter().enumerate() {
        y = y.layer(&format!("layer{}.{}", number / 3 + 1, number % 3), &Residual(block))?;
    }
    let logits = y.global_avg_pool2d()?.layer("linear", &network.dense)?;
    let x = random(1, &[5, 3, 32, 32]);
    write(folder, "resnet", &logits, &x, &network.forward_t(&x, false)?)
}

/// All other layers, for tokens.
fn tokens(folder: &Path) -> Result<()> {
    let map = VarMap::new();
    let vb = builder(&map);
    let embedding = nn::embedding(50, 12, vb.pp("embedding"))?;
    let (layer, rms) = (nn::layer_norm(12, 1e-5, vb.pp("layer"))?, nn::rms_norm(12, 1e-5, vb.pp("rms"))?);
    let (wide, narrow) = (nn::linear(12, 48, vb.pp("wide"))?, nn::linear_no_bias(48, 12, vb.pp("narrow"))?);
    let last = nn::linear(9 * 12, 4, vb.pp("last"))?;
    let x = onnx::input("tokens", 9, DType::I64)?.layer("embedding", &embedding)?;
    let y = x.layer("layer", &layer)?.layer("wide", &wide)?.gelu()?.layer("narrow", &narrow)?;
    let y = y.add(&x)?.layer("rms", &rms)?.tanh()?.flatten()?.layer("last", &last)?;
    let ids = Tensor::from_vec((0..27).map(|i| i * 7 % 50).collect::<Vec<i64>>(), (3, 9), &Device::Cpu)?;
    let vectors = embedding.forward(&ids)?;
    let hidden = ops::gelu(&wide.forward(&layer.forward(&vectors)?)?)?;
    let sum = rms.forward(&(narrow.forward(&hidden)? + vectors)?)?.tanh()?;
    let expected = ops::softmax(&ops::relu6(&last.forward(&sum.flatten_from(1)?)?)?, 1)?;
    write(folder, "tokens", &y.relu6()?.softmax()?, &ids, &expected)
}

#[test]
fn onnx_runtime_computes_what_the_networks_do() -> Result<()> {
    let folder = tempfile::tempdir()?;
    digits(folder.path())?;
    resnet(folder.path())?;
    tokens(folder.path())?;
    let output = program("python")
        .arg(root().join("tests/judge_onnx.py"))
        .arg(folder.path())
        .stdin(Stdio::null())
        .output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let judged: Vec<Json> = output
        .stdout
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    let names: Vec<&str> = judged.iter().map(|judged| judged["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["digits", "resnet", "tokens"]);
    for (judged, outputs) in judged.iter().zip([10, 10, 4]) {
        assert!(judged["difference"].as_f64().unwrap() < 1e-4, "{judged}");
        assert!(judged["spread"].as_f64().unwrap() > 1e-2, "{judged}");
        assert_eq!(judged["shapes"], serde_json::json!([["batch", outputs]]));
    }
    // The names of most PyTorch versions.
    let weights: Vec<&str> =
        judged[1]["weights"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for name in [
        "conv1.weight",
        "bn1.running_mean",
        "layer1.0.conv1.weight",
        "layer3.2.bn2.running_var",
        "linear.bias",
    ] {
        assert!(weights.contains(&name), "{name} is not in {weights:?}");
    }
    Ok(())
}

#[test]
fn a_model_that_pytorch_has_written_computes_what_it_does_there() -> Result<()> {
    let fixtures = root().join("tests/fixtures");
    let expected = safetensors::load(fixtures.join("exported.safetensors"), &Device::Cpu)?;
    let model = onnx::Model::load(fixtures.join("exported.onnx"))?;
    let logits = model.forward(&expected["images"])?;
    let difference = (logits - &expected["logits"])?.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
    assert!(difference < 1e-5, "{difference}");
    assert_eq!(model.weights()["depthwise.weight"].dims(), [8, 1, 3, 3]);
    Ok(())
}
