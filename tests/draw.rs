//! The pad: what a page makes of a drawing is what `lab` makes of it.

use crate::jupyterlab::chromium;
use crate::plots::{attributes, base64};
use crate::python::program;
use crate::support::root;
use ::ops::network::Network;
use draw::form;
use lab::candle_core::{D, DType, Device, Result, Tensor};
use lab::candle_nn::ops::softmax;
use lab::data::drawn_sized;
use lab::draw::pad;
use lab::nn::{self, Optimizer};
use lab::{init, ops};
use serde::Deserialize;
use std::fs;
use std::path::Path;
use std::process::Command;

fn network(weights: &nn::VarMap) -> Result<Network> {
    Network::new(&nn::VarBuilder::from_varmap(weights, DType::F32, &Device::Cpu), 42)
}

/// Trained on 2,000 digits that `lab` draws, without dropout.
fn trained() -> Result<(nn::VarMap, Network)> {
    let weights = nn::VarMap::new();
    let network = network(&weights)?;
    init::seed(&weights, 42)?;
    let digits = drawn_sized(42, 2_000, 0).unwrap().train;
    let mut adam = nn::AdamW::new(weights.all_vars(), nn::ParamsAdamW { lr: 0.002, ..Default::default() })?;
    for epoch in 0..8 {
        for batch in digits.batches(50, epoch, &Device::Cpu) {
            let (images, labels) = batch?;
            adam.backward_step(&ops::cross_entropy(&network.forward(&images, false)?, &labels)?)?;
        }
    }
    Ok((weights, network))
}

/// A drawing on a pad, and the page's answer.
#[derive(Deserialize)]
struct Seen {
    digit: usize,
    /// A byte for each pixel, in base64.
    ink: String,
    image: Vec<f32>,
    probabilities: Vec<f32>,
    maps: [Vec<f32>; 2],
    /// The text that screen readers announce.
    heard: String,
    /// The numbers that the bars show.
    percents: Vec<String>,
}

fn assert_near(what: &str, page: &[f32], native: &[f32]) {
    assert_eq!(page.len(), native.len(), "{what}");
    for (at, (page, native)) in page.iter().zip(native).enumerate() {
        assert!((page - native).abs() <= 1e-4, "{what}, {at}: {page} in the page, {native} in lab");
    }
}

#[needs::chromium]
#[test]
fn a_page_computes_what_lab_does() {
    let (weights, network) = trained().unwrap();
    let pad = pad(&weights).unwrap();
    let pad = pad.content("text/html").unwrap();
    let page = format!(
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <h1>A page</h1>{pad}<hr>{pad}"
    );
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let [path, answers] = ["pad.html", "pad.json"].map(|name| folder.join(name));
    fs::write(&path, page).unwrap();
    let script = root().join("tests/draw.py");
    let output = program("python").arg(script).args([chromium(), &path, &answers]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let seen: Vec<Seen> = serde_json::from_slice(&fs::read(answers).unwrap()).unwrap();
    assert_eq!(seen.iter().map(|seen| seen.digit).collect::<Vec<_>>(), Vec::from_iter(0..10));
    let mut right = 0;
    for Seen { digit, ink, image, probabilities, maps, heard, percents } in seen {
        let formed = form(&base64(&ink), 280).expect("something is drawn");
        assert_near(&format!("the image of {digit}"), &image, &formed);
        let images = Tensor::new(formed, &Device::Cpu).unwrap().reshape((1, 1, 28, 28)).unwrap();
        let [maps1, maps2] = network.feature_maps(&images).unwrap();
        let logits = network.forward(&images, false).unwrap();
        let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_near(&format!("block 1 of {digit}"), &maps[0], &values(&maps1));
        assert_near(&format!("block 2 of {digit}"), &maps[1], &values(&maps2));
        let native = values(&softmax(&logits, D::Minus1).unwrap());
        assert_near(&format!("the probabilities of {digit}"), &probabilities, &native);
        let best = (0..10).max_by(|&a, &b| native[a].total_cmp(&native[b])).unwrap();
        assert_eq!(heard, format!("The network says {best}, with {}", percents[best]));
        assert_eq!(percents[best], format!("{:.1} %", 100.0 * probabilities[best]));
        right += usize::from(best == digit);
    }
    assert!(right >= 8, "{right} of 10 digits are recognized");
}

/// Rows and columns of the ink of an image, from the first to the last, and its centre of mass.
fn measured(image: &[f32]) -> ([usize; 4], [f32; 2]) {
    let inked: Vec<(usize, usize)> =
        (0..784).filter(|&at| image[at] > 0.0).map(|at| (at / 28, at % 28)).collect();
    let (rows, columns) = (inked.iter().map(|at| at.0), inked.iter().map(|at| at.1));
    let range = [rows.clone().min(), rows.max(), columns.clone().min(), columns.max()].map(Option::unwrap);
    let total: f32 = image.iter().sum();
    let mean =
        |of: fn(usize) -> usize| (0..784).map(|at| image[at] * (of(at) as f32 + 0.5)).sum::<f32>() / total;
    (range, [mean(|at| at / 28), mean(|at| at % 28)])
}

/// Equal within a pixel, as in MNIST.
fn assert_in_the_middle(center: [f32; 2]) {
    assert!(center.iter().all(|at| (13.999..15.0).contains(at)), "the centre of mass is at {center:?}");
}

/// A pad of 280 x 280 with ink where the function says so, by row and column.
fn inked(ink: impl Fn(usize, usize) -> u8) -> Vec<u8> {
    (0..280 * 280).map(|at| ink(at / 280, at % 280)).collect()
}

#[test]
fn drawings_get_the_form_of_mnist() {
    assert_eq!(form(&inked(|_, _| 0), 280), None, "there is no form of nothing");

    // A pad full of ink is a full box of 20 x 20.
    let image = form(&inked(|_, _| 255), 280).unwrap();
    let full = (0..784)
        .map(|at| if (4..24).contains(&(at / 28)) && (4..24).contains(&(at % 28)) { 1.0 } else { 0.0 });
    assert_near("a full pad", &image, &full.collect::<Vec<f32>>());

    // A bar of 30 x 90 in a corner is enlarged: its height to 20 pixels, its width to 6.67, in the middle.
    let image = form(&inked(|row, column| if row < 90 && column < 30 { 255 } else { 0 }), 280).unwrap();
    let (range, center) = measured(&image);
    assert_eq!(range, [4, 23, 11, 17]);
    assert_in_the_middle(center);
    let row = [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0 / 3.0, 0.0];
    assert_near("a row of the bar", &image[14 * 28 + 10..][..9], &row);

    // So is a single pixel, with its grey.
    let image = form(&inked(|row, column| if (row, column) == (279, 3) { 51 } else { 0 }), 280).unwrap();
    assert_eq!(measured(&image).0, [4, 23, 4, 23]);
    assert_near("a grey pixel", &image[14 * 28 + 4..][..20], &[0.2; 20]);

    // An L of 200 x 120, 10 pixels of the pad to one of the image. Its centre of mass is 12.3 pixels below its top, and 3.7
    // to the right of its left side.
    let is_upright = |row, column| (20..220).contains(&row) && (60..100).contains(&column);
    let is_foot = |row, column| (180..220).contains(&row) && (60..180).contains(&column);
    let drawing = inked(|row, column| if is_upright(row, column) || is_foot(row, column) { 255 } else { 0 });
    let (range, center) = measured(&form(&drawing, 280).unwrap());
    assert_in_the_middle(center);
    assert_eq!(range, [2, 21, 11, 22]);
}

/// An image as those of MNIST are, with 20 rows and its centre of mass in the pixel (14, 14), enlarged to the size of the pad.
#[test]
fn what_has_the_form_of_mnist_keeps_it() {
    let grey = |row: usize, column: usize| {
        let is_inside = (4..24).contains(&row) && (7..22).contains(&column);
        if is_inside { 60 + (row * 37 + column * 91) % 100 + 4 * row } else { 0 }
    };
    let enlarged = inked(|row, column| grey(row / 10, column / 10) as u8);
    let image: Vec<f32> = (0..784).map(|at| grey(at / 28, at % 28) as f32 / 255.0).collect();
    assert_in_the_middle(measured(&image).1);
    assert_near("an image of MNIST", &form(&enlarged, 280).unwrap(), &image);
}

#[test]
fn other_weights_are_one_clear_line() {
    let error = |shapes: &[(&str, &[usize])]| {
        let weights = nn::VarMap::new();
        let of = nn::VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
        shapes.iter().for_each(|(name, shape)| drop(of.get(*shape, name).unwrap()));
        pad(&weights).unwrap_err().to_string()
    };
    assert_eq!(error(&[]), "the pad needs conv1.weight [32, 1, 3, 3], which these weights have not");
    assert_eq!(error(&[("conv3.bias", &[7]), ("conv3.weight", &[7, 7])]), {
        "the network of the pad has no conv3.bias, but these weights do"
    });
    let other: [(&str, &[usize]); 2] = [("conv1.weight", &[32, 1, 3, 3]), ("conv1.bias", &[16])];
    assert_eq!(error(&other), "the pad needs conv1.bias [32], not [16]");

    let weights = nn::VarMap::new();
    network(&weights).unwrap();
    let bias = &weights.data().lock().unwrap()["dense.bias"].clone();
    bias.set(&(bias.as_tensor() / 0.0).unwrap()).unwrap();
    let said = pad(&weights).unwrap_err().to_string();
    assert_eq!(said, "the pad needs numbers, but dense.bias has values that are none");
}

#[test]
fn the_page_says_something_where_it_cannot_compute() {
    let weights = nn::VarMap::new();
    network(&weights).unwrap();
    let pad = pad(&weights).unwrap();
    assert_eq!(pad.content("text/plain"), Some("[a pad to draw a digit on]"));
    let html = pad.content("text/html").unwrap();
    let (_, text) = html.split_once("\">").unwrap();
    assert!(text.starts_with("Here is a pad to draw a digit on, where scripts may run"), "{}", &text[..80]);
    assert!(html.len() < 540_000, "{} bytes", html.len());
    assert_eq!(html.matches("</script>").count(), 1);
    // 101 colours of viridis, as in `plot::maps`.
    let colors = attributes(html, "data-colors")[0];
    assert!(colors.len() == 606 && colors.starts_with("440154") && colors.ends_with("fde725"), "{colors}");
}

/// The text that holds the compiled module, and the module.
fn module() -> (String, Vec<u8>) {
    let text = fs::read_to_string(root().join("notebooks/lab/src/draw/module.js")).unwrap();
    let packed = base64(text.split('"').nth(1).unwrap());
    let mut module = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut module).unwrap();
    assert_eq!(module[..8], *b"\0asm\x01\0\0\0");
    (text, module)
}

/// The committed module was built from the committed sources.
#[test]
fn the_compiled_module_is_up_to_date() {
    let script = root().join("notebooks/draw/build.sh");
    let output = Command::new("sh").arg(&script).arg("digest").output().unwrap();
    let digest = String::from_utf8(output.stdout).unwrap();
    assert_eq!(digest.trim().len(), 64, "{}", String::from_utf8_lossy(&output.stderr));
    let (text, module) = module();
    let line = text.lines().next().unwrap();
    let expected =
        format!("// Made by notebooks/draw/build.sh from sources with the SHA-256 {}.", digest.trim());
    assert_eq!(line, expected, "sources of the module have changed: run `notebooks/draw/build.sh`");
    for home in ["/root/", "/home/", "/Users/", ".cargo", ".rustup"] {
        let found = module.windows(home.len()).any(|window| window == home.as_bytes());
        assert!(!found, "the module holds a path of one machine: {home}");
    }
}

/// A browser without the relaxed vectors of WebAssembly refuses a module that has one of them. Their instructions are 0xfd,
/// then 0x100 to 0x113 in LEB128.
#[test]
fn the_compiled_module_has_no_relaxed_vectors() {
    let (_, module) = module();
    let is_relaxed = |bytes: &&[u8]| matches!(bytes, [0xfd, 0x80..=0x93, 0x02]);
    let found = module.windows(3).filter(is_relaxed).count();
    assert_eq!(found, 0, "instructions with relaxed vectors; look at the features of pulp in build.sh");
}
