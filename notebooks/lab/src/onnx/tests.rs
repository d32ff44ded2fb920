//! Models that are described, written and read. `tests/onnx.rs` of the repository has them judged by ONNX Runtime.

use super::operation::Operation;
use super::proto::*;
use super::{Layer, Model, Value, input};
use crate::nn::{self, Conv2dConfig, Module, ModuleT, VarBuilder, VarMap};
use crate::{init, ops};
use candle_core::{D, DType, Device, Result, Tensor};
use prost::Message;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, process};

/// A folder for temporary files, which is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        // Tests run at the same time, and some make several.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("lab-onnx-{}-{number}-{name}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn random(seed: u64, shape: &[usize]) -> Tensor {
    init::uniform(shape, -1.0, 1.0, seed, &Device::Cpu).unwrap()
}

fn assert_close(a: &Tensor, b: &Tensor) {
    assert_eq!(a.dims(), b.dims());
    let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
    let difference = difference.to_scalar::<f32>().unwrap();
    assert!(difference < 1e-5, "{difference}");
}

/// The first line of the error.
fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.expect_err("it is an error").to_string().lines().next().unwrap_or_default().to_string()
}

/// The model as it is after it was written and read.
fn read_back(model: &Model) -> Model {
    let folder = Folder::new("read-back");
    // The folder of the file is created.
    let path = folder.0.join("models/model.onnx");
    model.save(&path).unwrap();
    Model::load(&path).unwrap()
}

/// Checks that a model with one input and one output, and what is read of its file, gives the same as a network.
fn check(x: &Tensor, y: &Value, network: impl Fn(&Tensor) -> Result<Tensor>) {
    let model = Model::new(&[("y", y)]).unwrap();
    let expected = network(x).unwrap();
    assert_eq!(y.dims(), &expected.dims()[1..]);
    assert_close(&model.forward(x).unwrap(), &expected);
    let read = read_back(&model);
    assert_close(&read.forward(x).unwrap(), &expected);
    assert_eq!(read.to_string(), model.to_string());
    assert_close(&read_back(&read).forward(x).unwrap(), &expected);
    assert_eq!(read_back(&read).weights().len(), model.weights().len());
}

fn builder(map: &VarMap) -> VarBuilder<'static> {
    VarBuilder::from_varmap(map, DType::F32, &Device::Cpu)
}

#[test]
fn convolutions_and_pools_compute_what_the_layers_do() -> Result<()> {
    let map = VarMap::new();
    let vb = builder(&map);
    let config = Conv2dConfig { stride: 2, padding: 1, dilation: 2, groups: 3, cudnn_fwd_algo: None };
    let conv = nn::conv2d(6, 9, 3, config, vb.pp("conv"))?.with_relu();
    let block = nn::conv_block(9, 4, 3, 2, vb.pp("block"))?;
    let (max, average) = (nn::MaxPool2d::with_padding(3, 2, 1), nn::AvgPool2d::with_padding(3, 2, 1));
    let described = input("x", (6, 41, 37), DType::F32)?;
    let y = described.layer("conv", &conv)?.layer("block", &block)?.layer("max", &max)?;
    let y = y.pad_with_zeros(1, 2, 1)?.layer("average", &average)?.layer("global", &nn::GlobalAvgPool2d)?;
    check(&random(1, &[3, 6, 41, 37]), &y, |x| {
        let x = max.forward(&block.forward(&conv.forward(x)?)?)?.pad_with_zeros(1, 2, 1)?;
        ops::global_avg_pool2d(&average.forward(&x)?)
    });
    Ok(())
}

#[test]
fn norms_compute_what_the_layers_do() -> Result<()> {
    let map = VarMap::new();
    let vb = builder(&map);
    let batch = nn::batch_norm(5, 1e-3, vb.pp("batch"))?.with_relu();
    // Other statistics than those at the beginning.
    for seed in 0..5 {
        batch.forward_t(&(random(seed, &[8, 5, 3, 4]) * 3.0)?, true)?;
    }
    let layer = nn::layer_norm(4, 1e-2, vb.pp("layer"))?;
    let rms = nn::rms_norm(4, 1e-2, vb.pp("rms"))?;
    let without_mean = nn::LayerNormConfig { eps: 1e-2, remove_mean: false, affine: true };
    let other = nn::layer_norm(4, without_mean, vb.pp("other"))?;
    for (seed, name) in (10..).zip(["layer.weight", "layer.bias", "rms.weight", "other.weight", "other.bias"])
    {
        map.data().lock().unwrap()[name].set(&random(seed, &[4]))?;
    }
    let described = input("x", (5, 3, 4), DType::F32)?;
    let y = described.layer("batch", &batch)?.layer("layer", &layer)?.layer("rms", &rms)?;
    check(&random(7, &[6, 5, 3, 4]), &y.layer("other", &other)?, |x| {
        other.forward(&rms.forward(&layer.forward(&batch.forward_t(x, false)?)?)?)
    });
    Ok(())
}

#[test]
fn layers_for_texts_compute_what_they_do() -> Result<()> {
    let map = VarMap::new();
    let vb = builder(&map);
    let embedding = nn::embedding(20, 8, vb.pp("embedding"))?;
    let (first, second) = (nn::linear(8, 6, vb.pp("first"))?, nn::linear_no_bias(6, 8, vb.pp("second"))?);
    let last = nn::linear(5 * 8, 3, vb.pp("last"))?;
    let described = input("tokens", 5, DType::I64)?;
    let x = described.layer("embedding", &embedding)?;
    let y = x.layer("first", &first)?.gelu()?.layer("second", &second)?.add(&x)?.tanh()?;
    let y = y.layer("dropout", &nn::Dropout::new(0.5, 1))?.flatten()?.layer("last", &last)?;
    let tokens = Tensor::new(&[[0i64, 19, 3, 3, 7], [1, 2, 3, 4, 5]], &Device::Cpu)?;
    check(&tokens, &y.sigmoid()?.relu6()?.softmax()?, |tokens| {
        let x = embedding.forward(tokens)?;
        let y = (second.forward(&ops::gelu(&first.forward(&x)?)?)? + x)?.tanh()?;
        ops::softmax(&candle_nn::ops::sigmoid(&last.forward(&y.flatten_from(1)?)?)?, D::Minus1)
    });
    Ok(())
}

#[test]
fn candles_own_layers_have_the_same_form() -> Result<()> {
    let map = VarMap::new();
    let vb = builder(&map);
    let conv = candle_nn::conv2d(2, 4, 3, Default::default(), vb.pp("conv"))?;
    let batch = candle_nn::batch_norm(4, 1e-3, vb.pp("batch"))?;
    let layer = candle_nn::layer_norm(3, 1e-3, vb.pp("layer"))?;
    let linear = candle_nn::linear(4 * 3 * 3, 2, vb.pp("linear"))?;
    let described = input("x", (2, 5, 5), DType::F32)?;
    let y = described.layer("conv", &conv)?.layer("batch", &batch)?.layer("layer", &layer)?.flatten()?;
    let y = y.layer("dropout", &candle_nn::Dropout::new(0.5))?.layer("linear", &linear)?;
    check(&random(1, &[2, 2, 5, 5]), &y, |x| {
        let x = layer.forward(&batch.forward_t(&conv.forward(x)?, false)?)?;
        linear.forward(&x.flatten_from(1)?)
    });
    Ok(())
}

#[test]
fn files_have_the_names_of_the_layers_and_any_size_of_batch() -> Result<()> {
    struct Block(nn::Linear);
    impl Layer for Block {
        fn apply(&self, name: &str, x: &Value) -> Result<Value> {
            x.layer(&format!("{name}.dense"), &self.0)?.relu()
        }
    }
    let map = VarMap::new();
    let block = Block(nn::linear(3, 3, builder(&map))?);
    let x = input("x", 3, DType::F32)?;
    // The same block twice has its weights in the file once.
    let y = x.layer("block", &block)?.layer("block", &block)?;
    let model = Model::new(&[("y", &y), ("again", &y), ("x again", &x)])?;
    let folder = Folder::new("names");
    let path = folder.0.join("model.onnx");
    model.save(&path)?;
    let file = ModelProto::decode(&fs::read(&path)?[..]).unwrap();
    let graph = file.graph.unwrap();
    let nodes: Vec<_> = graph.node.iter().map(|node| (node.name.as_str(), node.output[0].as_str())).collect();
    let expected = [
        ("block.dense", "block.dense"),
        ("relu", "relu"),
        ("block.dense_1", "block.dense_1"),
        ("relu_1", "y"),
        ("again.copy", "again"),
        ("x again.copy", "x again"),
    ];
    assert_eq!(nodes, expected);
    let weights: Vec<_> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(weights, ["block.dense.weight", "block.dense.bias"]);
    let shape = graph.output[0].r#type.clone().unwrap().tensor_type.unwrap().shape.unwrap();
    let sizes: Vec<_> = shape.dim.into_iter().map(|dim| dim.value.unwrap()).collect();
    assert!(sizes == [Dimension::Name("batch".into()), Dimension::Size(3)]);

    let read = Model::load(&path)?;
    let lines = [
        "input x: F32 [batch, 3]",
        "block.dense = Gemm(x, block.dense.weight [3, 3], block.dense.bias [3])",
        "relu = Relu(block.dense)",
        "block.dense_1 = Gemm(relu, block.dense.weight [3, 3], block.dense.bias [3])",
        "relu_1 = Relu(block.dense_1)",
        "again.copy = Identity(relu_1)",
        "x again.copy = Identity(x)",
        "output y: F32 [batch, 3] = relu_1",
        "output again: F32 [batch, 3] = again.copy",
        "output x again: F32 [batch, 3] = x again.copy",
    ];
    assert_eq!(model.to_string().lines().collect::<Vec<_>>(), lines);
    assert_eq!(read.to_string(), model.to_string());
    assert_eq!(read.inputs().collect::<Vec<_>>(), ["x"]);
    assert_eq!(read.outputs().collect::<Vec<_>>(), ["y", "again", "x again"]);
    assert_close(&read.weights()["block.dense.weight"], block.0.weight());
    for batch in [1, 4] {
        let x = random(batch as u64, &[batch, 3]);
        let expected = ops::relu(&block.0.forward(&ops::relu(&block.0.forward(&x)?)?)?)?;
        let outputs = read.run(&[("x", &x)])?;
        assert_close(&outputs[0], &expected);
        assert_close(&outputs[1], &expected);
        assert_close(&outputs[2], &x);
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_named_where_it_is_described() -> Result<()> {
    let map = VarMap::new();
    let vb = builder(&map);
    let conv = nn::conv2d(3, 4, 3, Default::default(), vb.pp("conv"))?;
    let x = input("images", (1, 28, 28), DType::F32)?;
    assert_eq!(
        message(x.layer("conv1", &conv)),
        "conv1: conv2d: expected weight for the 1 channels of x, got 3 in [4, 3, 3, 3]"
    );
    assert_eq!(
        message(input("images", 3, DType::U8)),
        "images: expected numbers of F32 or indices of I64, got U8"
    );
    assert_eq!(message(Model::new(&[])), "expected at least one output");
    assert_eq!(message(Model::new(&[("y", &x), ("y", &x)])), "there are two outputs with the name y");
    let (one, two) = (nn::linear(28, 28, vb.pp("one"))?, nn::linear(28, 28, vb.pp("two"))?);
    let twice = x.layer("dense", &one)?.layer("dense", &two)?;
    assert_eq!(
        message(Model::new(&[("y", &twice)])),
        "two different inputs, parameters or outputs have the name dense.weight"
    );
    let model = Model::new(&[("y", &x.layer("dense", &one)?)])?;
    let images = random(1, &[2, 1, 28, 28]);
    assert_eq!(message(model.run(&[])), "the input images is missing");
    assert_eq!(
        message(model.run(&[("images", &images), ("labels", &images)])),
        "there is no input labels, but images"
    );
    assert_eq!(
        message(model.forward(&images.narrow(3, 0, 27)?)),
        "images: expected [batch, 1, 28, 28], got [2, 1, 28, 27]"
    );
    assert_eq!(message(model.forward(&images.to_dtype(DType::F64)?)), "images: expected F32, got F64");
    Ok(())
}

/// The message for a file with this model.
fn refused(change: impl FnOnce(&mut ModelProto)) -> String {
    let map = VarMap::new();
    let conv = nn::conv2d(1, 2, 3, Default::default(), builder(&map).pp("conv")).unwrap();
    let y = input("x", (1, 5, 5), DType::F32).unwrap().layer("conv", &conv).unwrap().relu().unwrap();
    let folder = Folder::new("refused");
    let path = folder.0.join("model.onnx");
    Model::new(&[("y", &y)]).unwrap().save(&path).unwrap();
    let mut file = ModelProto::decode(&fs::read(&path).unwrap()[..]).unwrap();
    change(&mut file);
    fs::write(&path, file.encode_to_vec()).unwrap();
    let message = message(Model::load(&path));
    message.strip_prefix(&format!("{}: ", path.display())).expect("it names the file").to_owned()
}

fn graph(file: &mut ModelProto) -> &mut GraphProto {
    file.graph.as_mut().unwrap()
}

#[test]
fn files_that_cannot_be_read_are_refused_in_one_line() {
    let external = |location: &str| {
        let entry = StringStringEntryProto { key: "location".into(), value: location.into() };
        move |file: &mut ModelProto| {
            let tensor = &mut graph(file).initializer[0];
            (tensor.data_location, tensor.external_data) = (1, vec![entry]);
        }
    };
    let cases = [
        (refused(|file| file.graph = None), "is no ONNX file: it has no network"),
        (
            refused(|file| file.opset_import.clear()),
            "does not say for which version of ONNX's operations it is",
        ),
        (
            refused(|file| graph(file).node[1].op_type = "LSTM".into()),
            "LSTM (relu): this operation is not supported",
        ),
        (
            refused(|file| graph(file).node[1].domain = "com.microsoft".into()),
            "Relu (relu): the operations of com.microsoft are not supported",
        ),
        (
            refused(|file| graph(file).node[0].attribute[0].ints = vec![1, 2]),
            "Conv (conv): strides of [1, 2] is not supported, which is not the same for rows and columns",
        ),
        (
            refused(|file| graph(file).node[0].input[0] = "z".into()),
            "Conv (conv): z is computed nowhere before it is needed",
        ),
        (
            refused(|file| graph(file).initializer[0].dims[0] = 7),
            "the parameter conv.weight: 72 bytes for [7, 1, 3, 3] of F32",
        ),
        (
            refused(|file| graph(file).initializer[0].dims = vec![1 << 40, 1 << 40]),
            "the parameter conv.weight: too large",
        ),
        (
            refused(|file| graph(file).initializer[0].dims[0] = -2),
            "the parameter conv.weight: a negative size",
        ),
        (
            refused(|file| graph(file).initializer[0].data_type = 8),
            "the parameter conv.weight: numbers of type 8 are not supported",
        ),
        (
            refused(external("../secret")),
            "the parameter conv.weight: its numbers are in ../secret, which is not in the folder of the model",
        ),
        (
            refused(external("missing.data")),
            "the parameter conv.weight: missing.data: No such file or directory (os error 2)",
        ),
    ];
    for (refused, expected) in cases {
        assert_eq!(refused, expected);
    }
    let folder = Folder::new("none");
    let path = folder.0.join("model.onnx");
    let missing = message(Model::load(&path));
    assert_eq!(missing, format!("{}: No such file or directory (os error 2)", path.display()));
    fs::write(&path, "no model").unwrap();
    assert_eq!(message(Model::load(&path)), format!("{}: is no ONNX file, or is damaged", path.display()));
}

#[test]
fn numbers_may_be_in_another_file() -> Result<()> {
    let folder = Folder::new("external");
    let path = folder.0.join("model.onnx");
    let map = VarMap::new();
    let dense = nn::linear(3, 2, builder(&map))?;
    let y = input("x", 3, DType::F32)?.layer("dense", &dense)?;
    Model::new(&[("y", &y)])?.save(&path)?;
    let mut file = ModelProto::decode(&fs::read(&path)?[..]).unwrap();
    let weight = &mut graph(&mut file).initializer[0];
    let entry = |key: &str, value: &str| StringStringEntryProto { key: key.into(), value: value.into() };
    weight.external_data = vec![entry("location", "model.data"), entry("offset", "5")];
    weight.data_location = 1;
    fs::write(folder.0.join("model.data"), [&[9; 5], &weight.raw_data[..]].concat())?;
    weight.raw_data.clear();
    fs::write(&path, file.encode_to_vec())?;
    let x = random(1, &[4, 3]);
    assert_close(&Model::load(&path)?.forward(&x)?, &dense.forward(&x)?);
    // One that is too short.
    fs::write(folder.0.join("model.data"), [1; 20])?;
    let expected = "the parameter dense.weight: 15 bytes for [2, 3] of F32";
    assert_eq!(message(Model::load(&path)), format!("{}: {expected}", path.display()));
    Ok(())
}

/// The file of a model, changed, and read.
fn read_changed(y: &Value, change: impl FnOnce(&mut GraphProto)) -> Result<Model> {
    let folder = Folder::new("changed");
    let path = folder.0.join("model.onnx");
    Model::new(&[("y", y)])?.save(&path)?;
    let mut file = ModelProto::decode(&fs::read(&path)?[..]).unwrap();
    change(graph(&mut file));
    fs::write(&path, file.encode_to_vec())?;
    Model::load(&path)
}

#[test]
fn operations_of_one_name_are_written_again_under_several() -> Result<()> {
    let map = VarMap::new();
    let dense = nn::linear(3, 3, builder(&map).pp("dense"))?;
    let y = input("x", 3, DType::F32)?.layer("dense", &dense)?.tanh()?.layer("dense", &dense)?;
    let x = random(1, &[4, 3]);
    let expected = dense.forward(&dense.forward(&x)?.tanh()?)?;
    for name in ["same", "x", "dense.weight", "tanh", ""] {
        let read = read_changed(&y, |graph| graph.node.iter_mut().for_each(|node| node.name = name.into()))?;
        assert_close(&read.forward(&x)?, &expected);
        assert_close(&read_back(&read).forward(&x)?, &expected);
        let mut names: Vec<_> = read.steps.iter().map(|step| step.name.clone()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), read.steps.len(), "{names:?}");
    }
    Ok(())
}

#[test]
fn a_product_with_a_weight_that_is_not_transposed_is_one() -> Result<()> {
    let map = VarMap::new();
    let dense = nn::linear(3, 3, builder(&map).pp("dense"))?;
    let y = input("x", 3, DType::F32)?.layer("dense", &dense)?.layer("dense", &dense)?;
    let read = read_changed(&y, |graph| graph.node.iter_mut().for_each(|node| node.attribute.clear()))?;
    let other = nn::Linear::new(dense.weight().t()?.contiguous()?, dense.bias().cloned());
    let x = random(1, &[4, 3]);
    let expected = other.forward(&other.forward(&x)?)?;
    assert_close(&read.forward(&x)?, &expected);
    assert_close(&read_back(&read).forward(&x)?, &expected);
    Ok(())
}

#[test]
fn an_input_that_is_left_out_is_not_mistaken_for_another() -> Result<()> {
    let y = input("x", 3, DType::F32)?.relu6()?;
    let x = (random(1, &[4, 3]) * 10.0)?;
    let read = read_changed(&y, |graph| graph.node[0].input[2].clear())?;
    assert_close(&read.forward(&x)?, &ops::relu(&x)?);
    let refused = message(read_changed(&y, |graph| graph.node[0].input[1].clear()));
    assert!(
        refused.ends_with("Clip (relu6): an input that is left out before others is not supported"),
        "{refused}"
    );
    Ok(())
}

#[test]
fn shapes_follow_the_rules_of_onnx() -> Result<()> {
    let x = random(1, &[2, 3, 4]);
    let reshaped = |dims: &[i64]| Operation::Reshape { dims: dims.to_vec() }.compute(&[&x]);
    assert_eq!(reshaped(&[0, -1])?.dims(), [2, 12]);
    assert_eq!(reshaped(&[-1])?.dims(), [24]);
    assert_eq!(reshaped(&[0, 0, 2, 2])?.dims(), [2, 3, 2, 2]);
    for dims in [&[-1, -1][..], &[5, -1], &[24, 2], &[i64::MAX, 4, -1], &[0, 0, 0, 0]] {
        assert_eq!(message(reshaped(dims)), format!("[2, 3, 4] cannot be reshaped to {dims:?}"));
    }
    let flat = |axis| Operation::Flatten { axis }.compute(&[&x]);
    assert_eq!(
        (flat(0)?.dims(), flat(2)?.dims(), flat(-1)?.dims()),
        (&[1, 24][..], &[6, 4][..], &[6, 4][..])
    );
    assert_eq!(message(flat(4)), "there is no axis 4 in [2, 3, 4]");
    Ok(())
}
