//! A pad to draw a digit on, in a cell's output and on exported pages, and what a trained network makes of it.
//!
//! ```
//! use lab::candle_core::{DType, Device};
//! use lab::nn::{self, VarBuilder, VarMap};
//!
//! let weights = VarMap::new();
//! let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
//! nn::conv_block(1, 32, 3, 2, vb.pp("conv1"))?;
//! nn::conv_block(32, 64, 3, 2, vb.pp("conv2"))?;
//! nn::linear(1600, 10, vb.pp("dense"))?;
//! let parameters: usize = weights.all_vars().iter().map(|variable| variable.elem_count()).sum();
//! assert_eq!(parameters, 34_826);
//!
//! let pad = lab::draw::pad(&weights)?;
//! assert!(pad.content("text/html").is_some());
//! # Ok::<(), lab::anyhow::Error>(())
//! ```

use crate::data::ways_to_write;
use crate::plot::Colormap;
use crate::{Result, display::Display};
use ::ops::network::PARAMETERS;
use anyhow::{Context, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use candle_core::{DType, Device};
use candle_nn::VarMap;
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

/// A pad for the course's network with these weights. The page itself computes, with the layers of [`nn`](crate::nn)
/// compiled to WebAssembly, and loads nothing. It shows the image that the network sees, the ten probabilities, and the
/// feature maps after both blocks.
///
/// # Errors
/// When the weights are not those of the network (`conv1`, `conv2` and `dense`, each with a `weight` and a `bias`), or are not
/// finite.
pub fn pad(weights: &VarMap) -> Result<Display> {
    let mut samples = ways_to_write();
    for (x, y) in samples.iter_mut().flatten().flatten().flatten() {
        (*x, *y) = ((LEFT + *x * WIDTH).round(), (TOP + *y * HEIGHT).round());
    }
    let samples = serde_json::to_string(&samples)?;
    let colormap = Colormap::Rising { most: 1.0 };
    let colors = (0..=100).flat_map(|percent| colormap.on(percent as f32 / 100.0, [0; 3]));
    let colors: String = colors.map(|part| format!("{part:02x}")).collect();
    let html = format!(
        "<div class=\"lab-pad\" data-weights=\"{}\" data-samples=\"{samples}\" data-colors=\"{colors}\">{FALLBACK}</div>\n\
         <script>\n(() => {{\n{}{}{}{}}})();\n</script>",
        packed(&values(weights)?)?,
        include_str!("draw/module.js"),
        include_str!("draw/network.js"),
        include_str!("draw/board.js"),
        include_str!("draw/pad.js"),
    );
    Ok(Display::html(&html).alt("[a pad to draw a digit on]"))
}

/// Shown where scripts do not run.
const FALLBACK: &str = "Here is a pad to draw a digit on, where scripts may run: in JupyterLab once this notebook is \
                        trusted, and on the page that it is exported to.";

/// The box on the pad into which the sample digits are drawn, in its pixels.
const LEFT: f32 = 80.0;
const TOP: f32 = 45.0;
const WIDTH: f32 = 120.0;
const HEIGHT: f32 = 190.0;

/// The values of the weights, one after the other, in little-endian order.
fn values(weights: &VarMap) -> Result<Vec<u8>> {
    let variables = weights.data().lock().expect("no thread panics while it holds the parameters");
    let others = variables.keys().filter(|name| PARAMETERS.iter().all(|(own, _)| own != name));
    if let Some(name) = others.min() {
        bail!("the network of the pad has no {name}, but these weights do");
    }
    let mut bytes = Vec::new();
    for (name, shape) in PARAMETERS {
        let variable = variables.get(name);
        let variable = variable
            .with_context(|| format!("the pad needs {name} {shape:?}, which these weights have not"))?;
        let given = variable.dims();
        ensure!(given == shape, "the pad needs {name} {shape:?}, not {given:?}");
        let values =
            variable.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        ensure!(
            values.iter().all(|value| value.is_finite()),
            "the pad needs numbers, but {name} has values that are none"
        );
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
    Ok(bytes)
}

fn packed(bytes: &[u8]) -> Result<String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(BASE64.encode(encoder.finish()?))
}
