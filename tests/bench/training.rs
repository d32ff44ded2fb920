//! `cargo bench --bench training`: the course's network on candle as shipped, on `lab` layered and fused, on PyTorch and
//! on Keras, in turn, in one run.
//!
//! Prints Markdown tables of medians. Each measurement has a process of its own, all with the same IDX files and number
//! of threads. Nothing is asserted: the machine decides. What the environment may say:
//!
//! - `ROUNDS` (3), `IMAGES` (60000), `CANDLE_IMAGES` (6000: candle as shipped takes its time, which is then scaled up),
//!   `THREADS` (all), and `GROWTH=0` to leave out other numbers of images and other batches;
//! - `PYTHON` (`python3`), with torch or without, and `KERAS_PYTHON` (`PYTHON`), with Keras on TensorFlow or without;
//! - `MNIST_DIR`, as for the notebooks.

mod peak;
mod variants;

use anyhow::{Context, Result, ensure};
use lab::data::Source;
use serde_json::Value;
use std::collections::BTreeMap;
use std::env;
use std::fs::read_to_string;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const BATCH: usize = 128;
const BATCHES: [usize; 4] = [32, 128, 256, 512];
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/training.py");

/// A variant with the number of images and the batch.
type Key = (&'static str, usize, usize);

struct Bench {
    rounds: usize,
    images: usize,
    candle_images: usize,
    threads: usize,
    variants: Vec<&'static str>,
    /// The folder of MNIST's files.
    digits: PathBuf,
    measured: BTreeMap<Key, Vec<Value>>,
    peaks: Vec<f64>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().collect();
    match &arguments[1..] {
        [child, peak] if child == "child" && peak == "peak" => println!("{}", peak::measure()),
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
    if variant == "keras" { env::var("KERAS_PYTHON").unwrap_or(python) } else { python }
}

impl Bench {
    fn new() -> Result<Self> {
        let images = setting("IMAGES", 60_000)?;
        let source = Source::from_env();
        ensure!(source.load()?.name == "MNIST", "the benchmark needs MNIST");
        let has = |variant: &str| {
            let module = if variant == "keras" { "tensorflow" } else { "torch" };
            let found = format!("import importlib.util as u; exit(u.find_spec('{module}') is None)");
            Command::new(python(variant)).args(["-c", &found]).status().is_ok_and(|status| status.success())
        };
        let mut variants = vec!["candle", "layered", "fused"];
        variants.extend(["pytorch", "keras"].into_iter().filter(|variant| has(variant)));
        Ok(Self {
            rounds: setting("ROUNDS", 3)?.max(1),
            images,
            candle_images: setting("CANDLE_IMAGES", 6_000)?.min(images),
            threads: setting("THREADS", std::thread::available_parallelism()?.get())?,
            variants,
            digits: source.dir.or(source.cache).context("no folder keeps MNIST")?,
            measured: BTreeMap::new(),
            peaks: Vec::new(),
        })
    }

    fn run(mut self) -> Result<()> {
        let growth = setting("GROWTH", 1)? != 0;
        for round in 1..=self.rounds {
            eprintln!("round {round} of {}", self.rounds);
            self.peaks.push(self.child("peak", &[])?.as_f64().context("no peak")?);
            for variant in self.variants.clone() {
                self.measure(self.main_key(variant))?;
            }
            if growth {
                self.growth_keys().into_iter().try_for_each(|key| self.measure(key))?;
            }
        }
        self.print_head();
        self.print_variants();
        if growth {
            let images: Vec<_> = self.parts().map(|images| (images, BATCH)).into();
            let batches: Vec<_> = BATCHES.map(|batch| (self.images, batch)).into();
            self.print_growth("images", &images, |(images, _)| images);
            self.print_growth("images in a batch", &batches, |(_, batch)| batch);
        }
        Ok(())
    }

    fn main_key(&self, variant: &'static str) -> Key {
        (variant, if variant == "candle" { self.candle_images } else { self.images }, BATCH)
    }

    fn parts(&self) -> [usize; 3] {
        [self.images / 4, self.images / 2, self.images]
    }

    /// The keys that are measured besides the main ones.
    fn growth_keys(&self) -> Vec<Key> {
        let sizes = self.parts().map(|images| (images, BATCH)).into_iter();
        let sizes = sizes.chain(BATCHES.map(|batch| (self.images, batch)));
        let keys = sizes.flat_map(|(images, batch)| {
            self.variants[1..].iter().map(move |&variant| (variant, images, batch))
        });
        keys.filter(|key| *key != self.main_key(key.0)).collect()
    }

    fn measure(&mut self, key: Key) -> Result<()> {
        let (variant, images, batch) = key;
        let measured = self.child(variant, &[images.to_string(), batch.to_string()])?;
        eprintln!("{variant}, {images} images, batch {batch}: {measured}");
        self.measured.entry(key).or_default().push(measured);
        Ok(())
    }

    /// What a process of its own prints last.
    fn child(&self, variant: &str, arguments: &[String]) -> Result<Value> {
        let mut command = match variant {
            "pytorch" | "keras" => {
                let mut command = Command::new(python(variant));
                command.arg(SCRIPT);
                command
            }
            _ => {
                let mut command = Command::new(env::current_exe()?);
                command.arg("child");
                command
            }
        };
        let threads = self.threads.to_string();
        command.arg(variant).args(arguments);
        command.env("MNIST_DIR", &self.digits);
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

    fn print_head(&self) {
        let processor = read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let date = Command::new("date").arg("+%F").output().map(|output| output.stdout).unwrap_or_default();
        println!(
            "{}, {}, {} threads, medians of {}. Measured peak of the processor: {:.0} GFLOP/s.\n",
            String::from_utf8_lossy(&date).trim(),
            processor.map_or(env::consts::ARCH, |(_, name)| name),
            self.threads,
            self.rounds,
            median(self.peaks.clone()).unwrap_or(f64::NAN)
        );
    }

    fn print_variants(&self) {
        let peak = median(self.peaks.clone()).unwrap_or(f64::NAN);
        let pytorch = self.median(self.main_key("pytorch"), "seconds");
        println!(
            "| {} images, batch {BATCH} | s per epoch | PyTorch = 1 | images/s | GFLOP/s (of peak) | peak memory | \
             one digit | 10,000 digits | test accuracy |",
            self.images
        );
        println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
        for &variant in &self.variants {
            let key = self.main_key(variant);
            let of = |name| self.median(key, name).unwrap_or(f64::NAN);
            let seconds = of("seconds") * self.images as f64 / key.1 as f64;
            let rate = self.images as f64 / seconds;
            let flops = rate * variants::operations(variant) / 1e9;
            println!(
                "| {} | {seconds:.2} | {} | {rate:.0} | {flops:.0} ({:.0} %) | {:.0} MiB | {:.2} ms | {:.2} s | {:.1} % |",
                self.label(variant),
                pytorch.map_or("–".into(), |pytorch| format!("{:.2}", seconds / pytorch)),
                100.0 * flops / peak,
                of("memory"),
                of("latency"),
                of("ten_thousand"),
                100.0 * of("accuracy")
            );
        }
        println!(
            "\nThe operations counted are those that a variant cannot do without: of `lab` those backward only"
        );
        println!("where a pool passes a gradient.");
    }

    fn label(&self, variant: &str) -> String {
        match variant {
            "candle" if self.candle_images < self.images => {
                format!("candle as shipped (scaled from {} images)", self.candle_images)
            }
            "candle" => "candle as shipped".into(),
            "layered" | "fused" => format!("`lab`, {variant}"),
            "pytorch" => "PyTorch".into(),
            _ => "Keras on TensorFlow".into(),
        }
    }

    fn print_growth(&self, what: &str, sizes: &[(usize, usize)], number: fn((usize, usize)) -> usize) {
        let numbers: Vec<String> = sizes.iter().map(|size| number(*size).to_string()).collect();
        println!("\n| s per epoch and peak memory, by {what} | {} |", numbers.join(" | "));
        println!("|---|{}", "---:|".repeat(sizes.len()));
        for &variant in &self.variants[1..] {
            let cells = sizes.iter().map(|&(images, batch)| {
                let of = |name| self.median((variant, images, batch), name).unwrap_or(f64::NAN);
                format!("{:.2} s, {:.0} MiB", of("seconds"), of("memory"))
            });
            println!("| {} | {} |", self.label(variant), cells.collect::<Vec<_>>().join(" | "));
        }
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
