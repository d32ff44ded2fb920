//! `cargo bench --bench class`: a class on one machine, whose kernels share one environment.
//!
//! Prints a Markdown table: one kernel alone, and `LEARNERS` (10) at once, each of which works through the first notebook with
//! 6,000 digits. Nothing is asserted: the machine decides. `ROUNDS` (3) is how often all start, `REPEATS` (3) how often each
//! kind of cell is run, `PAUSE` (10) how many seconds a learner looks at a result, half of it to half as much again.

mod measuring;

use anyhow::{Context, Result, ensure};
use jupyter_protocol::{CompleteRequest, JupyterMessage};
use measuring::{family, memory, percentile, setting};
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::sync::Barrier;
use std::time::{Duration, Instant};
use std::{env, fs, thread};
use wire::Client;

const FIRST_TENSOR: &str = ":dep lab = { path = \"lab\" }
let t = lab::candle_core::Tensor::zeros((2, 3), lab::candle_core::DType::F32, &lab::candle_core::Device::Cpu)?;
println!(\"{t}\");";

/// The kinds of cell, by name. `NUMBER` is another number each time.
const CELLS: [(&str, &str); 3] = [
    ("arithmetic", "NUMBER + 1"),
    ("tensor maths", "((&t + NUMBER as f64)? * 2.0)?.sum_all()?.to_scalar::<f32>()?"),
    ("plot", "plot::images(&train, NUMBER..NUMBER + 10)?"),
];

/// Of the times in /proc, on every machine that Linux runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// What the memory is measured after.
const MOMENTS: [&str; 4] = ["a first cell", "the first tensor", "training", "completion"];

/// Seconds, but for memory, in MiB.
#[derive(Default)]
struct Measured {
    kernel_info: Vec<f64>,
    first_tensor: Vec<f64>,
    /// When cells are run after pauses, and at the same moment.
    paced: [Vec<f64>; CELLS.len()],
    at_once: [Vec<f64>; CELLS.len()],
    /// Of the processor, for a cell.
    processor: [Vec<f64>; CELLS.len()],
    training: Vec<f64>,
    memory: [Vec<f64>; MOMENTS.len()],
}

/// The settings of a class.
struct Class {
    learners: usize,
    repeats: usize,
    pause: f64,
    /// Where all learners wait for each other.
    barrier: Barrier,
}

fn main() -> Result<()> {
    // cargo passes `--bench`, and builds this target for `cargo test` too.
    if !env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jupyter");
    let installed = Command::new(taper()).arg("install").env("JUPYTER_DATA_DIR", data).status()?;
    ensure!(installed.success(), "taper install failed");
    let (learners, rounds, repeats) =
        (setting("LEARNERS", 10)?, setting("ROUNDS", 3)?, setting("REPEATS", 3)?);
    let pause = setting("PAUSE", 10)? as f64;
    let (mut one, mut all) = (Measured::default(), Measured::default());
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        Class::new(1, repeats, 0.0).work(&mut one);
        Class::new(learners, repeats, pause).work(&mut all);
    }
    print(&one, &all, learners);
    println!("\nMedians of {rounds} rounds, with {repeats} cells of each kind and learner.");
    Ok(())
}

fn taper() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_taper"))
}

impl Class {
    fn new(learners: usize, repeats: usize, pause: f64) -> Self {
        Self { learners, repeats, pause, barrier: Barrier::new(learners) }
    }

    /// Has all learners work at once, each in a thread of its own.
    fn work(&self, measured: &mut Measured) {
        thread::scope(|scope| {
            let threads: Vec<_> =
                (0..self.learners).map(|learner| scope.spawn(move || self.learn(learner))).collect();
            for thread in threads {
                match thread.join() {
                    Ok(of_one) => measured.add(of_one),
                    Err(_) => exit(1),
                }
            }
        });
    }

    /// What one learner does. The others would wait for one who fails, so a failure ends the benchmark.
    fn learn(&self, learner: usize) -> Measured {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let learned =
            runtime.context("no runtime").and_then(|runtime| runtime.block_on(self.try_to_learn(learner)));
        learned.unwrap_or_else(|error| {
            eprintln!("learner {learner}: {error:#}");
            exit(1)
        })
    }

    async fn try_to_learn(&self, learner: usize) -> Result<Measured> {
        let mut measured = Measured::default();
        let (mut client, _) = start().await?;
        cell(&mut client, "1 + 1").await?;
        self.note_memory(&mut client, &mut measured.memory[0])?;
        client.shut_down().await?;

        self.barrier.wait();
        let (mut client, begin) = start().await?;
        measured.kernel_info.push(begin.elapsed().as_secs_f64());
        cell(&mut client, FIRST_TENSOR).await?;
        measured.first_tensor.push(begin.elapsed().as_secs_f64());
        self.note_memory(&mut client, &mut measured.memory[1])?;
        let notebook = notebook()?;
        let training = notebook.iter().position(|code| code.contains("Panel::new")).context("no training")?;
        for code in &notebook[..training] {
            cell(&mut client, code).await?;
        }
        self.barrier.wait();
        measured.training.push(cell(&mut client, &notebook[training]).await?);
        self.note_memory(&mut client, &mut measured.memory[2])?;
        for number in 1..=self.repeats {
            for (kind, (_, code)) in CELLS.iter().enumerate() {
                self.barrier.wait();
                measured.at_once[kind].push(cell(&mut client, &numbered(code, 100 + number)).await?);
            }
        }
        self.barrier.wait();
        for number in 1..=self.repeats {
            for (kind, (_, code)) in CELLS.iter().enumerate() {
                self.look_at_result(learner, CELLS.len() * number + kind).await;
                let before = processor_time(client.process().id())?;
                measured.paced[kind].push(cell(&mut client, &numbered(code, number)).await?);
                measured.processor[kind].push(processor_time(client.process().id())? - before);
            }
        }
        let request = CompleteRequest { code: "t.to_sca".into(), cursor_pos: 8 };
        let request = JupyterMessage::new(request, None);
        let id = request.header.msg_id.clone();
        client.shell.send(request).await?;
        client.reply_to(&id).await?;
        self.note_memory(&mut client, &mut measured.memory[3])?;
        client.shut_down().await?;
        Ok(measured)
    }

    /// Notes the memory of a kernel while all others are there, which share some of it.
    fn note_memory(&self, client: &mut Client, memories: &mut Vec<f64>) -> Result<()> {
        self.barrier.wait();
        memories.push(memory(client.process().id())?);
        self.barrier.wait();
        Ok(())
    }

    /// Pauses, each learner differently each time.
    async fn look_at_result(&self, learner: usize, number: usize) {
        let part = ((learner * 31 + number * 17) % 64) as f64 / 63.0;
        tokio::time::sleep(Duration::from_secs_f64(self.pause * (0.5 + part))).await;
    }
}

/// Starts a kernel, and a clock with it.
async fn start() -> Result<(Client, Instant)> {
    let notebooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("notebooks");
    let mut command = Command::new(taper());
    command.args(["kernel", "--connection-file"]).current_dir(&notebooks);
    let begin = Instant::now();
    Ok((Client::start(&mut command).await?, begin))
}

/// Runs a cell; returns how many seconds that took.
async fn cell(client: &mut Client, code: &str) -> Result<f64> {
    let begin = Instant::now();
    ensure!(client.run(code, |_| Ok(())).await?, "this cell went wrong: {code}");
    Ok(begin.elapsed().as_secs_f64())
}

fn numbered(code: &str, number: usize) -> String {
    code.replace("NUMBER", &number.to_string())
}

/// The code cells of the first notebook, with fewer digits.
fn notebook() -> Result<Vec<String>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("notebooks/01_first_light.ipynb");
    let notebook: serde_json::Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    let cells = notebook["cells"].as_array().context("a notebook has cells")?;
    let code = cells.iter().filter(|cell| cell["cell_type"] == "code").map(|cell| {
        let lines = cell["source"].as_array().into_iter().flatten();
        let code: String = lines.filter_map(|line| line.as_str()).collect();
        code.replace("60_000;", "6_000;").replace("10_000;", "1_000;")
    });
    Ok(code.collect())
}

/// Seconds of the processor that a process and its descendants have used, those that have ended too.
fn processor_time(process: u32) -> Result<f64> {
    let ticks = |process: &u32| -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // What follows the name, which may hold anything: <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>.
        let fields: Vec<&str> = status.rsplit_once(')')?.1.split_whitespace().collect();
        Some(fields.get(11..15)?.iter().filter_map(|field| field.parse::<f64>().ok()).sum())
    };
    Ok(family(process)?.iter().filter_map(ticks).sum::<f64>() / TICKS_PER_SECOND)
}

impl Measured {
    fn add(&mut self, mut other: Self) {
        self.kernel_info.append(&mut other.kernel_info);
        self.first_tensor.append(&mut other.first_tensor);
        self.training.append(&mut other.training);
        for (all, of_one) in [
            (&mut self.paced, &mut other.paced),
            (&mut self.at_once, &mut other.at_once),
            (&mut self.processor, &mut other.processor),
        ] {
            all.iter_mut().zip(of_one).for_each(|(all, of_one)| all.append(of_one));
        }
        self.memory.iter_mut().zip(&mut other.memory).for_each(|(all, of_one)| all.append(of_one));
    }
}

fn print(one: &Measured, all: &Measured, learners: usize) {
    println!("| | alone | 95 % | {learners} at once | 95 % |\n|---|---:|---:|---:|---:|");
    let row = |name: &str, unit: &str, one: &[f64], all: &[f64]| {
        let [alone, alone_95, median, most] =
            [(one, 50), (one, 95), (all, 50), (all, 95)].map(|(values, percent)| percentile(values, percent));
        let digits = if unit == "MiB" { 0 } else { 2 };
        println!(
            "| {name} | {alone:.digits$} {unit} | {alone_95:.digits$} | {median:.digits$} {unit} | {most:.digits$} |"
        );
    };
    row("start to kernel_info", "s", &one.kernel_info, &all.kernel_info);
    row("start to first tensor", "s", &one.first_tensor, &all.first_tensor);
    for (when, one, all) in [
        ("after pauses", &one.paced, &all.paced),
        ("at the same moment", &one.at_once, &all.at_once),
        ("time of the processor", &one.processor, &all.processor),
    ] {
        for ((name, _), (one, all)) in CELLS.iter().zip(one.iter().zip(all)) {
            row(&format!("{name}, {when}"), "s", one, all);
        }
    }
    row("training, 6,000 digits", "s", &one.training, &all.training);
    for (moment, (one, all)) in MOMENTS.iter().zip(one.memory.iter().zip(&all.memory)) {
        row(&format!("memory after {moment}"), "MiB", one, all);
    }
}
