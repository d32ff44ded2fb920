//! `cargo bench --bench kernel`: the start of taper and of the stock kernel, in turn, in one run.
//!
//! Prints medians and ratios. The stock kernel gets its own compilation cache, filled by a first start that does not
//! count; the warm environment of taper is built before. Nothing is asserted: the machine decides.

#[path = "../kernel/client.rs"]
#[allow(dead_code)]
mod client;

use anyhow::{Context, Result, ensure};
use client::Client;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const FIRST_TENSOR: &str = "use candle_core::{DType, Device, Tensor};
let t = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
println!(\"{t}\");";
/// What is timed once a kernel is up: name and cell.
const CELLS: [(&str, &str); 5] = [
    ("second tensor", "let u = (&t + 1.0)?;"),
    ("print", "println!(\"{u}\");"),
    ("arithmetic", "1 + 1"),
    ("struct and impl", "struct P { x: f32 } impl P { fn double(&self) -> f32 { 2.0 * self.x } }"),
    ("compile error", "let wrong: i32 = \"text\";"),
];

/// Seconds to the first answer and to the first tensor, for each cell, and MiB of all processes.
struct Measured {
    ready: f64,
    first_tensor: f64,
    cells: Vec<f64>,
    memory: f64,
}

fn main() -> Result<()> {
    // cargo passes `--bench`, and builds this target for `cargo test` too.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let stock = build_stock()?;
    let taper = env!("CARGO_BIN_EXE_taper");
    let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prefix");
    let installed = Command::new(taper).arg("install").arg("--prefix").arg(prefix).status()?;
    ensure!(installed.success(), "taper install failed");

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let start = |program: &str, arguments: &[&str], setup: &str| -> Result<Measured> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("notebooks"));
        runtime.block_on(measure(&mut command, setup))
    };
    let of_taper = || {
        start(
            taper,
            &["kernel", "--connection-file"],
            ":dep lab = { path = \"lab\" }\nuse lab::candle_core;\n",
        )
    };
    let stock = stock.to_str().context("a path that is no text")?;
    let of_stock = || start(stock, &["--control_file"], ":cache 4000\n:dep candle-core = \"=0.11.1\"\n");

    eprintln!("filling the stock kernel's cache");
    let empty = of_stock()?.first_tensor;
    let (mut tapers, mut stocks) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}");
        tapers.push(of_taper()?);
        stocks.push(of_stock()?);
    }
    println!("| median of {ROUNDS} | taper | stock | taper / stock |");
    println!("|---|---:|---:|---:|");
    let row = |name: &str, unit: &str, value: &dyn Fn(&Measured) -> f64| {
        let (ours, theirs) = (median(tapers.iter().map(value)), median(stocks.iter().map(value)));
        println!("| {name} | {ours:.2} {unit} | {theirs:.2} {unit} | {:.2} |", ours / theirs);
    };
    row("start to kernel_info", "s", &|measured| measured.ready);
    row("start to first tensor", "s", &|measured| measured.first_tensor);
    for (index, (name, _)) in CELLS.iter().enumerate() {
        row(name, "s", &|measured| measured.cells[index]);
    }
    row("memory of all its processes", "MiB", &|measured| measured.memory);
    println!("\nThe stock kernel's first tensor with its cache empty: {empty:.0} s.");
    Ok(())
}

/// cargo builds examples for tests, but not for benchmarks.
fn build_stock() -> Result<PathBuf> {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--example", "stock"])
        .status()?;
    ensure!(built.success(), "the stock kernel does not build");
    let program = Path::new(env!("CARGO_BIN_EXE_taper")).with_file_name("examples").join("stock");
    Ok(program)
}

async fn measure(command: &mut Command, setup: &str) -> Result<Measured> {
    let start = Instant::now();
    let mut kernel = Client::start(command).await?;
    let ready = start.elapsed().as_secs_f64();
    let good = kernel.run(&format!("{setup}{FIRST_TENSOR}"), |_| Ok(())).await?;
    ensure!(good, "the first cell failed");
    let first_tensor = start.elapsed().as_secs_f64();
    let mut cells = Vec::new();
    for (_, code) in CELLS {
        let start = Instant::now();
        kernel.run(code, |_| Ok(())).await?;
        cells.push(start.elapsed().as_secs_f64());
    }
    let memory = memory(kernel.process.id())?;
    kernel.shut_down().await?;
    // The next kernel shall not have to share the machine with what this one leaves to do.
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(Measured { ready, first_tensor, cells, memory })
}

/// MiB of a process and its children.
fn memory(process: u32) -> Result<f64> {
    let output =
        Command::new("ps").args(["-A", "-o", "pid=,ppid=,rss="]).output().context("cannot run ps")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows: Vec<Vec<u64>> =
        text.lines().map(|line| line.split_whitespace().filter_map(|n| n.parse().ok()).collect()).collect();
    let id = u64::from(process);
    let ours = rows.iter().filter(|row| row.len() == 3 && (row[0] == id || row[1] == id));
    Ok(ours.map(|row| row[2] as f64 / 1024.0).sum())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
