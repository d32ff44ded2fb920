//! `cargo bench --bench training`: the course's network on candle as shipped, on `lab` layered and fused, on Burn, PyTorch and
//! Keras, the last two as people write them and as they are fastest, in turn, in one run. Where the processor has AVX-512,
//! everything is measured with AVX2 only as well.
//!
//! Prints Markdown tables of medians. Each measurement has a process of its own, all with the same IDX files and number
//! of threads. Nothing is asserted: the machine decides. What the environment may say:
//!
//! - `ROUNDS` (3), `IMAGES` (60000), `SLOW_IMAGES` (6000: candle as shipped and Burn take their time, which is then scaled up),
//!   `THREADS` (all), `GROWTH=0` to leave out other numbers of images and other batches, and `BURN=0` to leave out Burn, which
//!   takes minutes to compile;
//! - `VARIANTS`, a list with commas, to measure these only;
//! - `PICTURES` (2560), with how many pictures ResNet-20 is measured, or 0 to leave it out;
//! - `GAME_STEPS` (8000), with how many steps of CartPole the agent DQN is measured, or 0 to leave it out; on one thread, as its network is
//!   so small that a second one only costs;
//! - `SENTENCES` (64), with how many sentences an encoder of MiniLM's size is measured, or 0 to leave it out;
//! - `MOBILE_PICTURES` (64), with how many pictures EfficientNet-Lite0 is measured, or 0 to leave it out;
//! - `PYTHON` (`python3`), with torch or without, and `KERAS_PYTHON` (`PYTHON`), with Keras on TensorFlow or without;
//! - `SAVE=1`, to write what was measured to `notebooks/scores/speed`, from where the results notebook draws it;
//! - `MNIST_DIR`, as for the notebooks.
//!
//! All variants hold the images as bytes, compute on the same number of threads, and keep freed memory for what comes next.

mod dqn;
mod encoder;
mod keys;
mod mobile;
mod peak;
mod resnet;
mod tables;
mod variants;

use self::keys::Key;
use anyhow::{Context, Result, ensure};
use lab::data::MnistSource;
use lab::scores::{self, Speed, Speeds};
use serde_json::Value;
use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const BATCH: usize = 128;
/// Of images; what is measured with fewer is scaled up.
const EPOCH: f64 = 60_000.0;
const BATCHES: [usize; 4] = [32, 128, 256, 512];
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/training.py");
const DQN_SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/dqn.py");
const DQN_BATCH: usize = 64;
const ENCODER_SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/encoder.py");
const ENCODER_BATCH: usize = 32;
const MOBILE_SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/mobile.py");
const MOBILE_BATCH: usize = 32;
const RESNET_SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/resnet.py");

/// A variant, as a child process names it, and the tables.
const VARIANTS: [(&str, &str); 10] = [
    ("candle", "candle as shipped"),
    ("layered", "candle + lab: layered"),
    ("fused", "candle + lab: fused"),
    ("burn", "Burn"),
    ("pytorch", "PyTorch: as in the course"),
    ("pytorch-indexed", "PyTorch: batches by indexing"),
    ("pytorch-channels-last", "PyTorch: by indexing, channels_last"),
    ("pytorch-compiled", "PyTorch: the same, torch.compile"),
    ("keras", "Keras: as in the course"),
    ("keras-jit", "Keras: jit_compile"),
];

/// What asks for AVX2 at most: `lab`, PyTorch, oneDNN, which PyTorch and TensorFlow have, and XLA.
const AVX2: [(&str, &str); 4] = [
    ("LAB_CPU_CAPABILITY", "avx2"),
    ("ATEN_CPU_CAPABILITY", "avx2"),
    ("ONEDNN_MAX_CPU_ISA", "AVX2"),
    ("XLA_FLAGS", "--xla_cpu_max_isa=AVX2"),
];

/// What makes the C library keep freed memory in all processes, as `lab::device::best` does.
const ALLOCATOR: [(&str, &str); 2] =
    [("MALLOC_MMAP_THRESHOLD_", "33554432"), ("MALLOC_TRIM_THRESHOLD_", "268435456")];

struct Bench {
    rounds: usize,
    images: usize,
    slow_images: usize,
    threads: usize,
    variants: Vec<&'static str>,
    /// Of ResNet-20, with how many pictures.
    resnets: Vec<&'static str>,
    pictures: usize,
    /// Of the agent, with how many steps of its game.
    agents: Vec<&'static str>,
    game_steps: usize,
    /// Of the encoder, with how many sentences.
    encoders: Vec<&'static str>,
    sentences: usize,
    /// Of EfficientNet-Lite0, with how many pictures.
    mobiles: Vec<&'static str>,
    mobile_pictures: usize,
    /// Burn's program.
    burn: PathBuf,
    /// Whether to measure with AVX2 only as well.
    has_avx512: bool,
    /// The folder of MNIST's files.
    digits: PathBuf,
    measured: BTreeMap<Key, Vec<Value>>,
    peaks: Vec<f64>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().collect();
    match &arguments[1..] {
        [child, peak] if child == "child" && peak == "peak" => println!("{}", peak::measure()),
        [child, variant, pictures, batch] if child == "child" && variant.starts_with("resnet") => {
            println!("{}", resnet::measure(variant, pictures.parse()?, batch.parse()?)?);
        }
        [child, variant, steps, batch] if child == "child" && variant.starts_with("dqn") => {
            println!("{}", dqn::measure(variant, steps.parse()?, batch.parse()?)?);
        }
        [child, variant, sentences, batch] if child == "child" && variant.starts_with("encoder") => {
            println!("{}", encoder::measure(variant, sentences.parse()?, batch.parse()?)?);
        }
        [child, variant, pictures, batch] if child == "child" && variant.starts_with("mobile") => {
            println!("{}", mobile::measure(variant, pictures.parse()?, batch.parse()?)?);
        }
        [child, variant, images, batch] if child == "child" => {
            println!("{}", variants::measure(variant, images.parse()?, batch.parse()?)?);
        }
        // cargo passes `--bench`, and builds this target for `cargo test` too.
        [.., last] if last == "--bench" => Bench::new()?.run()?,
        _ => {}
    }
    Ok(())
}

fn setting(name: &str, default: usize) -> Result<usize> {
    env::var(name).map_or(Ok(default), |value| value.parse().with_context(|| format!("{name}={value}")))
}

fn python(variant: &str) -> String {
    let python = env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    if variant.starts_with("keras") { env::var("KERAS_PYTHON").unwrap_or(python) } else { python }
}

fn is_python(variant: &str) -> bool {
    ["pytorch", "keras", "resnet-pytorch", "dqn-pytorch", "encoder-pytorch", "mobile-pytorch"]
        .iter()
        .any(|kind| variant.starts_with(kind))
}

/// Whether the Python for a variant has its framework.
fn has_framework(variant: &str) -> bool {
    let module = match variant {
        _ if variant.starts_with("keras") => "tensorflow",
        _ if variant.starts_with("dqn") => "gymnasium",
        _ => "torch",
    };
    let found = format!("import importlib.util as u; exit(u.find_spec('{module}') is None)");
    Command::new(python(variant)).args(["-c", &found]).status().is_ok_and(|status| status.success())
}

/// Compiles Burn's program, which cargo does not do for a benchmark.
fn build_burn() -> Result<PathBuf> {
    let arguments =
        ["build", "--release", "--locked", "-p", "lab", "--example", "burn", "--features", "lab/burn"];
    let built = Command::new(env!("CARGO")).args(arguments).status()?;
    ensure!(built.success(), "Burn's program does not build");
    Ok(PathBuf::from(env!("CARGO_BIN_EXE_taper")).with_file_name("examples").join("burn"))
}

fn has_avx512() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

impl Bench {
    fn new() -> Result<Self> {
        let images = setting("IMAGES", 60_000)?;
        let source = MnistSource::from_env();
        ensure!(source.load()?.name == "MNIST", "the benchmark needs MNIST");
        let wanted = env::var("VARIANTS").ok();
        let is_wanted =
            |name: &str| wanted.as_ref().is_none_or(|wanted| wanted.split(',').any(|one| one == name));
        let is_there = |name: &str| match name {
            "burn" => setting("BURN", 1).is_ok_and(|burn| burn != 0),
            _ => !is_python(name) || has_framework(name),
        };
        let chosen = |variants: &[(&'static str, &str)]| -> Vec<&'static str> {
            let names = variants.iter().map(|(name, _)| *name);
            names.filter(|name| is_wanted(name) && is_there(name)).collect()
        };
        let pictures = setting("PICTURES", 2_560)?;
        let variants = chosen(&VARIANTS);
        let resnets = if pictures > 0 { chosen(&resnet::VARIANTS) } else { Vec::new() };
        let game_steps = setting("GAME_STEPS", 8_000)?;
        let agents = if game_steps > 0 { chosen(&dqn::VARIANTS) } else { Vec::new() };
        let sentences = setting("SENTENCES", 64)?;
        let encoders = if sentences > 0 { chosen(&encoder::VARIANTS) } else { Vec::new() };
        let mobile_pictures = setting("MOBILE_PICTURES", 64)?;
        let mobiles = if mobile_pictures > 0 { chosen(&mobile::VARIANTS) } else { Vec::new() };
        let burn = if variants.contains(&"burn") { build_burn()? } else { PathBuf::new() };
        Ok(Self {
            rounds: setting("ROUNDS", 3)?.max(1),
            images,
            slow_images: setting("SLOW_IMAGES", 6_000)?.min(images),
            threads: setting("THREADS", std::thread::available_parallelism()?.get())?,
            variants,
            resnets,
            pictures,
            agents,
            game_steps,
            encoders,
            sentences,
            mobiles,
            mobile_pictures,
            burn,
            has_avx512: has_avx512(),
            digits: source.dir.or(source.cache).context("no folder keeps MNIST")?,
            measured: BTreeMap::new(),
            peaks: Vec::new(),
        })
    }

    fn run(mut self) -> Result<()> {
        let growth = setting("GROWTH", 1)? != 0;
        for round in 1..=self.rounds {
            eprintln!("round {round} of {}", self.rounds);
            self.peaks.push(self.child("peak", &[], false)?.as_f64().context("no peak")?);
            let keys = self.capabilities().iter().flat_map(|&avx2| self.main_keys(avx2));
            let resnets = self.capabilities().iter().flat_map(|&avx2| self.resnet_keys(avx2));
            let growth = if growth { self.growth_keys() } else { Vec::new() };
            let agents = self.capabilities().iter().flat_map(|&avx2| self.agent_keys(avx2));
            let encoders = self.capabilities().iter().flat_map(|&avx2| self.encoder_keys(avx2));
            let mobiles = self.capabilities().iter().flat_map(|&avx2| self.mobile_keys(avx2));
            let keys = keys.chain(resnets).chain(agents).chain(encoders).chain(mobiles).chain(growth);
            let keys: Vec<Key> = keys.collect();
            keys.into_iter().for_each(|key| self.measure(key));
        }
        self.print_head();
        for &avx2 in self.capabilities() {
            let speeds = self.speeds(avx2);
            self.print_variants(&speeds);
            self.print_resnets(&speeds, avx2);
            self.print_agents(avx2);
            self.print_encoders(&speeds, avx2);
            self.print_mobiles(&speeds, avx2);
            if setting("SAVE", 0)? != 0 {
                // Next to the notebooks, where `lab::scores` finds their folder.
                env::set_current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("notebooks"))?;
                eprintln!("written to {}", speeds.save()?.display());
            }
        }
        if growth {
            let images: Vec<_> = self.parts().map(|images| (images, BATCH)).into();
            let batches: Vec<_> = BATCHES.map(|batch| (self.images, batch)).into();
            self.print_growth("images", &images, |(images, _)| images);
            self.print_growth("images in a batch", &batches, |(_, batch)| batch);
        }
        Ok(())
    }

    /// What fails is not in the tables: torch.compile, for one, may go wrong where a processor is told to be an older one.
    fn measure(&mut self, key: Key) {
        let Key { variant, images, batch, avx2 } = key;
        let only = if avx2 { ", AVX2 only" } else { "" };
        match self.child(variant, &[images.to_string(), batch.to_string()], avx2) {
            Ok(measured) => {
                eprintln!("{variant}{only}, {images} images, batch {batch}: {measured}");
                self.measured.entry(key).or_default().push(measured);
            }
            Err(error) => eprintln!("{variant}{only}, {images} images, batch {batch}: {error}"),
        }
    }

    /// What a process of its own prints last.
    fn child(&self, variant: &str, arguments: &[String], avx2: bool) -> Result<Value> {
        let (program, first) = match variant {
            "burn" => (self.burn.clone(), vec![]),
            _ if variant.starts_with("resnet-pytorch") => {
                (python(variant).into(), vec![RESNET_SCRIPT, variant])
            }
            _ if variant.starts_with("encoder-pytorch") => {
                (python(variant).into(), vec![ENCODER_SCRIPT, variant])
            }
            _ if variant.starts_with("mobile-pytorch") => {
                (python(variant).into(), vec![MOBILE_SCRIPT, variant])
            }
            _ if variant.starts_with("dqn-pytorch") => (python(variant).into(), vec![DQN_SCRIPT, variant]),
            _ if is_python(variant) => (python(variant).into(), vec![SCRIPT, variant]),
            _ => (env::current_exe()?, vec!["child", variant]),
        };
        let threads = if variant.starts_with("dqn") { 1 } else { self.threads }.to_string();
        let mut command = Command::new(program);
        command.args(first).args(arguments).envs(AVX2.iter().copied().filter(|_| avx2));
        command.env("MNIST_DIR", &self.digits).envs(ALLOCATOR);
        // As in the kernel.
        command.env("CANDLE_BARRIER_POOL_SPIN_LIMIT", "1");
        command.env("RAYON_NUM_THREADS", &threads).env("THREADS", &threads);
        let output = command.stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "{variant} failed");
        let text = String::from_utf8(output.stdout)?;
        Ok(serde_json::from_str(text.lines().last().context("no result")?)?)
    }

    /// The median of what a measurement calls `name`.
    fn median(&self, key: Key, name: &str) -> Option<f64> {
        median(self.measured.get(&key)?.iter().filter_map(|measured| measured[name].as_f64()).collect())
    }

    /// What was measured, with AVX2 only or with all that the processor has.
    fn speeds(&self, avx2: bool) -> Speeds {
        let variants = self.with_numbers(self.main_keys(avx2)).into_iter().map(|key| self.speed(key));
        let vectors = match (env::consts::ARCH, self.has_avx512 && !avx2) {
            ("x86_64", true) => "AVX-512",
            ("x86_64", false) => "AVX2",
            (other, _) => other,
        };
        Speeds {
            cpu: scores::cpu(),
            vectors: vectors.into(),
            threads: self.threads,
            date: scores::today(),
            peak_gflops: median(self.peaks.clone()).unwrap_or(f64::NAN),
            variants: variants.collect(),
        }
    }

    fn speed(&self, key: Key) -> Speed {
        let scale = EPOCH / key.images as f64;
        let rounds = self.measured.get(&key).map_or(&[][..], Vec::as_slice);
        let number = |name| self.median(key, name).unwrap_or(f64::NAN);
        Speed {
            name: self.label(key.variant).into(),
            images: key.images,
            seconds: rounds.iter().filter_map(|round| Some(scale * round["seconds"].as_f64()?)).collect(),
            processor_seconds: scale * number("processor"),
            gflops: key.images as f64 / number("seconds") * variants::operations(key.variant) / 1e9,
            memory_mib: self.median(key, "memory").unwrap_or(0.0),
            one_digit_ms: number("latency"),
            ten_thousand_digits_s: number("ten_thousand"),
        }
    }

    fn label(&self, variant: &'static str) -> &'static str {
        VARIANTS.iter().find(|(name, _)| *name == variant).map_or(variant, |(_, label)| label)
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
