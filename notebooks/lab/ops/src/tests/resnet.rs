//! ResNet-20 against PyTorch's, with the same weights on the same batches.

use super::{assert_close, values};
use crate::cross_entropy;
use crate::nn::{ModuleT, MomentumSGD, Optimizer, ParamsMomentumSGD, VarBuilder, VarMap};
use crate::random::Random;
use crate::resnet::ResNet;
use candle_core::{DType, Device, Result, Tensor, safetensors};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

const BATCHES: usize = 12;
const BATCH: usize = 16;
const SIDE: usize = 16;
const CLASSES: usize = 10;

/// The network with initial weights within ±√(6 / n), where n is the number of inputs of a layer.
fn network(dtype: DType) -> Result<(ResNet, VarMap)> {
    let map = VarMap::new();
    let network = ResNet::new(3, CLASSES, &VarBuilder::from_varmap(&map, dtype, &Device::Cpu))?;
    for (stream, (name, variable)) in by_name(&map).into_iter().enumerate() {
        let mut random = Random::new(7, stream as u64);
        let bound = (6.0 / variable.dims()[1..].iter().product::<usize>() as f32).sqrt();
        let values = match variable.rank() {
            1 if name.ends_with("linear.bias") => variable.zeros_like()?,
            1 => continue,
            _ => Tensor::from_iter(
                (0..variable.elem_count()).map(|_| random.between(-bound, bound)),
                &Device::Cpu,
            )?
            .reshape(variable.shape())?,
        };
        map.data().lock().unwrap()[&name].set(&values.to_dtype(dtype)?)?;
    }
    Ok((network, map))
}

fn by_name(map: &VarMap) -> BTreeMap<String, Tensor> {
    map.data().lock().unwrap().iter().map(|(name, value)| (name.clone(), value.as_tensor().clone())).collect()
}

/// Pictures of noise, each a little brighter in the stripe of its class, and the classes.
fn pictures() -> Result<(Tensor, Tensor)> {
    let mut random = Random::new(8, 0);
    let labels: Vec<u32> = (0..BATCHES * BATCH).map(|at| (at * 7 % CLASSES) as u32).collect();
    let mut pictures = Vec::new();
    for label in &labels {
        for pixel in 0..3 * SIDE * SIDE {
            let is_bright = pixel % SIDE * CLASSES / SIDE == *label as usize;
            pictures.push(random.between(-1.0, 1.0) + if is_bright { 0.5 } else { 0.0 });
        }
    }
    let pictures = Tensor::from_vec(pictures, (BATCHES * BATCH, 3, SIDE, SIDE), &Device::Cpu)?;
    Ok((pictures, Tensor::from_vec(labels, BATCHES * BATCH, &Device::Cpu)?))
}

/// The losses of the steps, and then the logits in evaluation of the first batch.
fn train(network: &ResNet, map: &VarMap, dtype: DType) -> Result<(Vec<f64>, Tensor)> {
    let (pictures, labels) = pictures()?;
    let pictures = pictures.to_dtype(dtype)?;
    let settings = ParamsMomentumSGD { lr: 0.002, momentum: 0.9, weight_decay: 1e-4, nesterov: false };
    let mut optimizer = MomentumSGD::new(map.all_vars(), settings)?;
    let mut losses = Vec::new();
    for batch in 0..BATCHES {
        let images = pictures.narrow(0, batch * BATCH, BATCH)?;
        let loss =
            cross_entropy(&network.forward_t(&images, true)?, &labels.narrow(0, batch * BATCH, BATCH)?)?;
        optimizer.backward_step(&loss)?;
        losses.extend(values(&loss));
    }
    Ok((losses, network.forward_t(&pictures.narrow(0, 0, BATCH)?, false)?))
}

/// In `f64`, which is composed of candle's operations, and in `f32`, by the kernels.
#[test]
fn losses_and_running_statistics_of_resnet_20_are_those_of_pytorch() -> Result<()> {
    if let Ok(path) = std::env::var("WRITE_RESNET") {
        let (pictures, labels) = pictures()?;
        let mut tensors: HashMap<String, Tensor> = by_name(&network(DType::F32)?.1).into_iter().collect();
        tensors.extend([("images".to_owned(), pictures), ("labels".to_owned(), labels)]);
        return safetensors::save(&tensors, path);
    }
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/resnet.safetensors");
    let expected = safetensors::load(fixture, &Device::Cpu)?;
    // PyTorch's numbers were rounded to `f32`. In `f32`, each step magnifies what was rounded before: PyTorch's own losses differ from
    // those in `f64` by 2e-4 after so many.
    for (dtype, tolerance, of_statistics) in [(DType::F64, 2e-7, 2e-7), (DType::F32, 1e-3, 3e-3)] {
        let (network, map) = network(dtype)?;
        let trained = by_name(&map).into_iter().filter(|(name, _)| !name.contains("running"));
        assert_eq!(trained.map(|(_, value)| value.elem_count()).sum::<usize>(), 269_722);
        let (losses, logits) = train(&network, &map, dtype)?;
        assert_close(&format!("losses, {dtype:?}"), &losses, &values(&expected["losses"]), tolerance);
        assert!(losses[BATCHES - 1] < losses[0], "it learns: {losses:?}");
        for (name, value) in by_name(&map).iter().filter(|(name, _)| name.contains("running")) {
            assert_close(
                &format!("{name}, {dtype:?}"),
                &values(value),
                &values(&expected[name]),
                of_statistics,
            );
        }
        if dtype == DType::F64 {
            assert_close(
                "logits in evaluation",
                &values(&logits),
                &values(&expected["logits"]),
                10.0 * tolerance,
            );
        }
    }
    Ok(())
}
