//! `cargo bench --bench kernel`: taper and the stock kernel, in turn, in one run.
//!
//! Prints Markdown tables of medians, 95th percentiles and ratios. The stock kernel has its own compilation cache on, filled
//! by a first start that does not count; the warm environment of taper is built before. Both get the same cells but for the
//! path of the crates. Nothing is asserted: the machine decides. `ROUNDS` (3) is how often each kernel is started,
//! `REPEATS` (5) how often it runs each kind of cell, `PAUSE` (300) how many milliseconds after the one before. A second table has Python's kernel beside taper, where `PEERS_PYTHON` is
//! a Python with PyTorch, Keras and ipykernel.

mod kernels;
mod measuring;

use anyhow::{Context, Result, ensure};
use jupyter_protocol::{CompleteRequest, InspectRequest, JupyterMessage, JupyterMessageContent};
use kernels::{build_stock, install, pause};
use measuring::{memory, percentile, setting};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use wire::Client;

const FIRST_TENSOR: &str = "use candle_core::{DType, Device, Tensor};
let t = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
println!(\"{t}\");";

/// What the cells below use.
const SETUP: &str = "use plotters::prelude::*;
let rerun = 1;";

const PLOT: &str = "let mut svg = String::new();
{
    let area = SVGBackend::with_string(&mut svg, (400, 300)).into_drawing_area();
    let mut chart = ChartBuilder::on(&area).build_cartesian_2d(0.0..6.3, -1.0..1.0)?;
    chart.draw_series(LineSeries::new((0..NUMBER).map(|i| { let x = i as f64 / 10.0; (x, x.sin()) }), &RED))?;
}
println!(\"EVCXR_BEGIN_CONTENT image/svg+xml\\n{svg}\\nEVCXR_END_CONTENT\");";

/// The kinds of cell, by name. `NUMBER` is another number each time, so that no two cells are the same; but that is what
/// running one again means.
const CELLS: [(&str, &str); 10] = [
    ("arithmetic", "NUMBER + 1"),
    ("`let`", "let a_NUMBER = NUMBER;"),
    ("struct and impl", "struct P { x: f32 }\nimpl P { fn f(&self) -> f32 { NUMBER as f32 * self.x } }"),
    ("closure", "(0..NUMBER).map(|i| i * 2).filter(|i| i % 3 == 0).sum::<i32>()"),
    ("tensor maths", "((&t + NUMBER as f64)? * 2.0)?.sum_all()?.to_scalar::<f32>()?"),
    ("plot", PLOT),
    ("error", "let wrong: i32 = \"NUMBER\";"),
    ("`?`", "let n_NUMBER: i32 = \"NUMBER\".parse()?;"),
    ("print loop", "for i in 0..NUMBER { println!(\"{i}\"); }"),
    ("re-run", "rerun + 1"),
];

/// The same in Python, by the name of the framework.
const PYTHON_FIRST_TENSOR: [(&str, &str); 2] = [
    ("PyTorch", "import torch\nt = torch.zeros((2, 3))\nprint(t)"),
    ("Keras", "import keras\nfrom keras import ops\nt = ops.zeros((2, 3))\nprint(t)"),
];
const PYTHON_CELLS: [(&str, &str, &str); 2] = [
    ("arithmetic", "NUMBER + 1", "NUMBER + 1"),
    ("tensor maths", "((t + NUMBER) * 2).sum().item()", "float(ops.sum((t + NUMBER) * 2))"),
];

/// A kernel, and what its first cells say to have candle and plotters.
struct Kernel {
    program: PathBuf,
    arguments: &'static [&'static str],
    first: &'static str,
    second: &'static str,
}

/// All times in seconds.
#[derive(Default)]
struct Measured {
    kernel_info: Vec<f64>,
    first_tensor: Vec<f64>,
    cells: [Vec<f64>; CELLS.len()],
    /// Of a name that the cell itself defines.
    first_name: Vec<f64>,
    /// Of a method, from that first request on.
    first_completion: Vec<f64>,
    completion: Vec<f64>,
    inspection: Vec<f64>,
    restart: Vec<f64>,
    /// MiB of all its processes, before and after completion.
    memory: Vec<f64>,
    memory_with_completion: Vec<f64>,
}

fn main() -> Result<()> {
    // cargo passes `--bench`, and builds this target for `cargo test` too.
    if !env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    install()?;
    let ours = Kernel {
        program: env!("CARGO_BIN_EXE_taper").into(),
        arguments: &["kernel", "--connection-file"],
        first: ":dep lab = { path = \"lab\" }\nuse lab::candle_core;\n",
        second: "use lab::plotters;\n",
    };
    let stock = Kernel {
        program: build_stock()?,
        arguments: &["--control_file"],
        first: ":cache 4000\n:dep candle-core = \"=0.11.1\"\n",
        second: ":dep plotters = { version = \"0.3\", default-features = false, features = [\"svg_backend\", \"line_series\"] }\n",
    };

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (rounds, repeats) = (setting("ROUNDS", 3)?, setting("REPEATS", 5)?);
    eprintln!("filling the stock kernel's cache");
    let mut before = Measured::default();
    runtime.block_on(measure(&stock, 0, &mut before))?;
    let (mut tapers, mut stocks) = (Measured::default(), Measured::default());
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        runtime.block_on(measure(&ours, repeats, &mut tapers))?;
        runtime.block_on(measure(&stock, repeats, &mut stocks))?;
    }
    print(&tapers, &stocks, rounds, repeats);
    println!(
        "\nBefore that the stock kernel took {:.0} s to its first tensor, with its cache as it was found.",
        before.first_tensor[0]
    );
    if let Some(python) = env::var_os("PEERS_PYTHON") {
        runtime.block_on(beside_python(python.into(), &tapers, rounds, repeats))?;
    }
    Ok(())
}

/// Prints what taper takes, measured before, beside Python's kernel with each framework.
async fn beside_python(python: PathBuf, ours: &Measured, rounds: usize, repeats: usize) -> Result<()> {
    let mut columns = Vec::new();
    for (framework, (_, first)) in PYTHON_FIRST_TENSOR.iter().enumerate() {
        let (mut starts, mut memories, mut cells) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
        for _ in 0..rounds {
            let start = Instant::now();
            let mut command = Command::new(&python);
            command.args(["-m", "ipykernel_launcher", "-f"]).env("TF_CPP_MIN_LOG_LEVEL", "3");
            let mut client = Client::start(&mut command).await.context("PEERS_PYTHON has no ipykernel")?;
            ensure!(client.run(first, |_| Ok(())).await?, "no first tensor in Python");
            starts.push(start.elapsed().as_secs_f64());
            for number in 1..=repeats {
                for ((_, torch, keras), times) in PYTHON_CELLS.iter().zip(&mut cells) {
                    let code = [torch, keras][framework].replace("NUMBER", &number.to_string());
                    pause().await?;
                    let start = Instant::now();
                    ensure!(client.run(&code, |_| Ok(())).await?, "{code} went wrong");
                    times.push(start.elapsed().as_secs_f64());
                }
            }
            memories.push(memory(client.process().id())?);
            client.shut_down().await?;
        }
        columns.push((starts, cells, memories));
    }
    println!("\n| | taper, candle | Python, PyTorch | Python, Keras on TensorFlow |\n|---|---:|---:|---:|");
    let row = |name: &str, unit: &str, ours: &[f64], theirs: [&[f64]; 2]| {
        let digits = if unit == "MiB" { 0 } else { 3 };
        let [own, torch, keras] = [ours, theirs[0], theirs[1]].map(|values| percentile(values, 50));
        println!("| {name} | {own:.digits$} {unit} | {torch:.digits$} {unit} | {keras:.digits$} {unit} |");
    };
    let [torch, keras] = &columns[..] else { unreachable!("there are two") };
    row("start to first tensor", "s", &ours.first_tensor, [&torch.0, &keras.0]);
    for (index, (name, _, _)) in PYTHON_CELLS.iter().enumerate() {
        let at = CELLS.iter().position(|(cell, _)| cell == name).context("no such cell")?;
        row(name, "s", &ours.cells[at], [&torch.1[index], &keras.1[index]]);
    }
    row("memory", "MiB", &ours.memory, [&torch.2, &keras.2]);
    Ok(())
}

/// Starts a kernel and adds what it takes, from its start to a restart.
async fn measure(kernel: &Kernel, repeats: usize, measured: &mut Measured) -> Result<()> {
    let start = Instant::now();
    let mut client = kernel.start().await?;
    measured.kernel_info.push(start.elapsed().as_secs_f64());
    ensure!(client.run(&format!("{}{FIRST_TENSOR}", kernel.first), |_| Ok(())).await?, "no first tensor");
    measured.first_tensor.push(start.elapsed().as_secs_f64());
    ensure!(client.run(&format!("{}{SETUP}", kernel.second), |_| Ok(())).await?, "no plotters");
    for number in 1..=repeats {
        for ((name, code), times) in CELLS.iter().zip(&mut measured.cells) {
            let code = code.replace("NUMBER", &(10 * number).to_string());
            pause().await?;
            let start = Instant::now();
            let good = client.run(&code, |_| Ok(())).await?;
            times.push(start.elapsed().as_secs_f64());
            ensure!(good != (*name == "error"), "the cell `{name}` went wrong");
        }
    }
    measured.memory.push(memory(client.process().id())?);
    let complete = || CompleteRequest { code: "t.to_sca".into(), cursor_pos: 8 }.into();
    let inspect =
        || InspectRequest { code: "Tensor::zeros".into(), cursor_pos: 10, detail_level: None }.into();
    let start = Instant::now();
    let name = CompleteRequest { code: "let number = 1; num".into(), cursor_pos: 19 }.into();
    measured.first_name.push(ask(&mut client, name).await?);
    ask(&mut client, complete()).await?;
    measured.first_completion.push(start.elapsed().as_secs_f64());
    for _ in 0..repeats {
        measured.completion.push(ask(&mut client, complete()).await?);
        measured.inspection.push(ask(&mut client, inspect()).await?);
    }
    measured.memory_with_completion.push(memory(client.process().id())?);
    let start = Instant::now();
    client.shut_down().await?;
    let mut client = kernel.start().await?;
    ensure!(client.run("1 + 1", |_| Ok(())).await?, "no cell after a restart");
    measured.restart.push(start.elapsed().as_secs_f64());
    client.shut_down().await?;
    // Let this kernel's last processes end, so that they do not slow down the next one.
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(())
}

impl Kernel {
    async fn start(&self) -> Result<Client> {
        let mut command = Command::new(&self.program);
        let notebooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("notebooks");
        Client::start(command.args(self.arguments).current_dir(notebooks)).await
    }
}

/// Seconds to the reply of a request.
async fn ask(client: &mut Client, content: JupyterMessageContent) -> Result<f64> {
    let start = Instant::now();
    let request = JupyterMessage::new(content, None);
    let id = request.header.msg_id.clone();
    client.shell.send(request).await?;
    client.reply_to(&id).await?;
    Ok(start.elapsed().as_secs_f64())
}

fn print(ours: &Measured, theirs: &Measured, rounds: usize, repeats: usize) {
    println!("| | taper | 95 % | stock | 95 % | taper / stock |");
    println!("|---|---:|---:|---:|---:|---:|");
    let row = |name: &str, unit: &str, ours: &[f64], theirs: &[f64]| {
        let [own, own_95, their, their_95] = [(ours, 50), (ours, 95), (theirs, 50), (theirs, 95)]
            .map(|(times, percent)| percentile(times, percent));
        let digits = if unit == "MiB" { 0 } else { 2 };
        println!(
            "| {name} | {own:.digits$} {unit} | {own_95:.digits$} | {their:.digits$} {unit} | {their_95:.digits$} | {:.2} |",
            own / their
        );
    };
    row("start to kernel_info", "s", &ours.kernel_info, &theirs.kernel_info);
    row("start to first tensor", "s", &ours.first_tensor, &theirs.first_tensor);
    for (((name, _), ours), theirs) in CELLS.iter().zip(&ours.cells).zip(&theirs.cells) {
        row(name, "s", ours, theirs);
    }
    row("first completion of a name", "s", &ours.first_name, &theirs.first_name);
    row("first completion of a method", "s", &ours.first_completion, &theirs.first_completion);
    row("completion", "s", &ours.completion, &theirs.completion);
    row("inspection", "s", &ours.inspection, &theirs.inspection);
    row("restart to the first result", "s", &ours.restart, &theirs.restart);
    row("memory", "MiB", &ours.memory, &theirs.memory);
    row("memory after completion", "MiB", &ours.memory_with_completion, &theirs.memory_with_completion);
    let ratios: Vec<f64> = ours
        .cells
        .iter()
        .zip(&theirs.cells)
        .map(|(ours, theirs)| percentile(ours, 50) / percentile(theirs, 50))
        .collect();
    println!(
        "\nMedians of {rounds} starts, and of {} cells of each kind. Median ratio of all kinds of cells: {:.2}, largest {:.2}.",
        rounds * repeats,
        percentile(&ratios, 50),
        percentile(&ratios, 100)
    );
}
