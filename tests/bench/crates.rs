//! `cargo bench --bench crates`: sessions with crates of `:dep` lines, and sessions that have grown, in taper and in the stock
//! kernel, in one run.
//!
//! The stock kernel has its own compilation cache on. The first session of each kernel finds what is compiled already: for the
//! time from nothing, run `taper cache --remove-unused 0` before. Prints Markdown tables of medians and ratios; nothing is
//! asserted. `ROUNDS` (3) is how often each kernel is started after the first session, `REPEATS` (5) how often each cell runs,
//! `PAUSE` (300) how many milliseconds after the one before.
//! `SETS` chooses among the sets by their names, separated by commas.

mod kernels;
mod measuring;

use anyhow::{Result, ensure};
use kernels::{build_stock, install, pause};
use measuring::{memory, percentile, setting};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use wire::Client;

/// A set of crates, and what a session does with them. `NUMBER` is another number each time.
struct Set {
    name: &'static str,
    dependencies: &'static str,
    first: &'static str,
    cell: &'static str,
}

const SETS: [Set; 6] = [
    Set {
        name: "rand + serde_json",
        dependencies: ":dep rand = \"0.9\"\n:dep serde_json = \"1\"\n",
        first: "serde_json::json!({ \"die\": rand::random_range(1..7) })[\"die\"].as_i64() > Some(0)",
        cell: "serde_json::json!({ \"n\": NUMBER + rand::random_range(0..1) }).to_string()",
    },
    Set {
        name: "ndarray",
        dependencies: ":dep ndarray = \"0.16\"\n",
        first: "let a = ndarray::Array2::<f64>::eye(3);\na.sum()",
        cell: "a.dot(&(&a * NUMBER as f64)).sum()",
    },
    Set {
        name: "tokio (full)",
        dependencies: ":dep tokio = { version = \"1\", features = [\"full\"] }\n",
        // The stock kernel does not come back from a task that it has spawned.
        first: "tokio::time::sleep(std::time::Duration::from_millis(1)).await;\n1",
        cell: "tokio::time::sleep(std::time::Duration::from_millis(1)).await;\nNUMBER + 1",
    },
    Set {
        name: "image + plotters",
        dependencies: ":dep image = { version = \"0.25\", default-features = false, features = [\"png\"] }\n\
                       :dep plotters = { version = \"0.3\", default-features = false, features = [\"evcxr\", \"all_series\"] }\n",
        first: "image::GrayImage::new(2, 2).width()",
        cell: "use plotters::prelude::*;\nevcxr_figure((200, 100), |root| {\n    let mut chart = ChartBuilder::on(&root)\
               .build_cartesian_2d(0..10, 0..NUMBER)?;\n    chart.draw_series(LineSeries::new((0..10).map(|x| (x, x)), &RED))?;\n    Ok(())\n})",
    },
    Set {
        name: "nalgebra",
        dependencies: ":dep nalgebra = \"0.34\"\n",
        first: "let m = nalgebra::Matrix2::new(1., 2., 3., 4.);\nm.trace()",
        cell: "(m * NUMBER as f64).determinant()",
    },
    Set {
        name: "polars (lazy, csv)",
        dependencies: ":dep polars = { version = \"0.51\", features = [\"lazy\", \"csv\"] }\n",
        first: "use polars::prelude::*;\nlet df = df!(\"x\" => [1, 2, 3])?;\ndf.height()",
        cell: "df.clone().lazy().select([(col(\"x\") * lit(NUMBER)).sum()]).collect()?.height()",
    },
];

/// How many structs with an `impl` and a function each a session defines, step by step.
const GROWTH: [usize; 5] = [0, 50, 100, 200, 400];
/// How many of them are defined in a cell.
const PER_CELL: usize = 50;
/// How many variables a session has in the end, besides.
const VARIABLES: usize = 200;

struct Kernel {
    program: PathBuf,
    arguments: &'static [&'static str],
    /// What every session begins with.
    setup: &'static str,
}

#[derive(Default)]
struct Measured {
    first: f64,
    later: Vec<f64>,
    cells: Vec<f64>,
}

fn main() -> Result<()> {
    // cargo passes `--bench`, and builds this target for `cargo test` too.
    if !env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    install()?;
    let program = PathBuf::from(env!("CARGO_BIN_EXE_taper"));
    let ours = Kernel { program, arguments: &["kernel", "--connection-file"], setup: "" };
    let stock = Kernel { program: build_stock()?, arguments: &["--control_file"], setup: ":cache 8000\n" };
    let (rounds, repeats) = (setting("ROUNDS", 3)?, setting("REPEATS", 5)?);
    let chosen = env::var("SETS").unwrap_or_default();
    let is_chosen =
        |set: &&Set| chosen.is_empty() || chosen.split(',').any(|name| set.name.starts_with(name));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!(
        "| | first session | stock | later sessions, to the first result | stock | ratio | a cell | stock | ratio |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    for set in SETS.iter().filter(is_chosen) {
        let (mut own, mut theirs) = (Measured::default(), Measured::default());
        for round in 0..=rounds {
            for (kernel, measured) in [(&ours, &mut own), (&stock, &mut theirs)] {
                runtime.block_on(session(kernel, set, round, repeats, measured))?;
            }
        }
        let [later, stocks_later] = [&own.later, &theirs.later].map(|times| percentile(times, 50));
        let [cell, stocks_cell] = [&own.cells, &theirs.cells].map(|times| percentile(times, 50));
        println!(
            "| {} | {:.0} s | {:.0} s | {later:.2} s | {stocks_later:.2} s | {:.2} | {cell:.2} s | {stocks_cell:.2} s | {:.2} |",
            set.name,
            own.first,
            theirs.first,
            later / stocks_later,
            cell / stocks_cell
        );
    }
    let own = runtime.block_on(own_crate(&ours, repeats))?;
    let theirs = runtime.block_on(own_crate(&stock, repeats))?;
    println!(
        "\nA cell that calls a crate of one's own, after a change to its source: {own:.2} s, in the stock kernel {theirs:.2} s ({:.2}).",
        own / theirs
    );
    println!("\n| `NUMBER + 1` after | taper | stock | ratio |\n|---|---:|---:|---:|");
    let grown = [&ours, &stock].map(|kernel| runtime.block_on(growth(kernel, repeats)));
    let [own, theirs] = grown;
    for ((what, own), (_, theirs)) in own?.into_iter().zip(theirs?) {
        println!("| {what} | {own:.2} s | {theirs:.2} s | {:.2} |", own / theirs);
    }
    runtime.block_on(many_cells(&ours, setting("CELLS", 1000)?))
}

/// A session with a set, from its start to a restart; the first one is counted apart.
async fn session(
    kernel: &Kernel,
    set: &Set,
    round: usize,
    repeats: usize,
    measured: &mut Measured,
) -> Result<()> {
    let start = Instant::now();
    let mut client = kernel.start().await?;
    let first = format!("{}{}{}", kernel.setup, set.dependencies, set.first);
    ensure!(client.run(&first, |_| Ok(())).await?, "the first cell with {} went wrong", set.name);
    let taken = start.elapsed().as_secs_f64();
    if round == 0 {
        measured.first = taken;
    } else {
        measured.later.push(taken);
        for number in 1..=repeats {
            let code = set.cell.replace("NUMBER", &(round * 100 + number).to_string());
            measured.cells.push(client.time(&code).await?);
        }
    }
    client.shut_down().await
}

/// What a cell takes that calls a small crate of the user's, whose source has changed since the last one.
async fn own_crate(kernel: &Kernel, repeats: usize) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let write = |number: usize| {
        let source = format!("/// The number.\npub fn number() -> usize {{\n    {number}\n}}\n");
        fs::write(folder.path().join("src/lib.rs"), source)
    };
    fs::create_dir(folder.path().join("src"))?;
    fs::write(
        folder.path().join("Cargo.toml"),
        "[package]\nname = \"own\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    )?;
    write(0)?;
    let mut client = kernel.start().await?;
    client
        .time(&format!("{}:dep own = {{ path = {:?} }}\nown::number()", kernel.setup, folder.path()))
        .await?;
    let mut times = Vec::new();
    for number in 1..=repeats {
        write(number)?;
        times.push(client.time(&format!("assert_eq!(own::number(), {number})")).await?);
    }
    client.shut_down().await?;
    Ok(percentile(&times, 50))
}

/// What a small cell takes in a session that grows.
async fn growth(kernel: &Kernel, repeats: usize) -> Result<Vec<(String, f64)>> {
    let mut client = kernel.start().await?;
    let mut rows = Vec::new();
    let mut defined = 0;
    for items in GROWTH {
        while defined < items {
            let cell: String = (defined..defined + PER_CELL)
                .map(|n| {
                    format!(
                        "#[derive(Debug, Clone)]\npub struct S{n} {{ x: f64 }}\nimpl S{n} {{ pub fn get(&self) -> f64 {{ self.x }} }}\n\
                         pub fn make_{n}() -> S{n} {{ S{n} {{ x: {n}.0 }} }}\n"
                    )
                })
                .collect();
            client.time(&cell).await?;
            defined += PER_CELL;
        }
        rows.push((
            format!("{items} structs with an impl and a function"),
            small_cell(&mut client, repeats).await?,
        ));
    }
    for first in (0..VARIABLES).step_by(PER_CELL) {
        let cell: String = (first..first + PER_CELL).map(|n| format!("let v{n} = make_{n}();\n")).collect();
        client.time(&cell).await?;
    }
    rows.push((format!("{VARIABLES} variables besides"), small_cell(&mut client, repeats).await?));
    client.shut_down().await?;
    Ok(rows)
}

async fn small_cell(client: &mut Client, repeats: usize) -> Result<f64> {
    let mut times = Vec::new();
    for number in 0..repeats {
        times.push(client.time(&format!("{number} + 1")).await?);
    }
    Ok(percentile(&times, 50))
}

/// Whether the last cells of a long session take longer than the first, and what each leaves in memory.
async fn many_cells(kernel: &Kernel, cells: usize) -> Result<()> {
    let mut client = kernel.start().await?;
    let mut times = Vec::new();
    let mut before = 0.;
    let tenth = (cells / 10).max(1);
    for number in 0..cells {
        times.push(client.time(&format!("let n = {number};\nn + 1")).await?);
        if number + 1 == tenth {
            pause().await?;
            before = memory(client.process().id())?;
        }
    }
    pause().await?;
    let after = memory(client.process().id())?;
    let [first, last] = [&times[..tenth], &times[cells - tenth..]].map(|times| percentile(times, 50));
    println!(
        "\nOf {cells} cells in one session of taper the first {tenth} took {first:.2} s each, the last {last:.2} s; each left \
         {:.0} KiB in memory.",
        (after - before) * 1024. / (cells - tenth).max(1) as f64
    );
    client.shut_down().await
}

/// Times cells.
trait Time {
    /// Seconds that a cell takes, which comes after a pause.
    async fn time(&mut self, code: &str) -> Result<f64>;
}

impl Time for Client {
    async fn time(&mut self, code: &str) -> Result<f64> {
        pause().await?;
        let start = Instant::now();
        let good = self.run(code, |_| Ok(())).await?;
        ensure!(good, "this cell went wrong: {code}");
        Ok(start.elapsed().as_secs_f64())
    }
}

impl Kernel {
    async fn start(&self) -> Result<Client> {
        let mut command = Command::new(&self.program);
        let notebooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("notebooks");
        Client::start(command.args(self.arguments).current_dir(notebooks)).await
    }
}
