//! taper: a Jupyter kernel for Rust that starts warm, and the runner of its course.

mod analysis;
mod analyzer;
mod backtrace;
mod build_display;
mod child;
// The tests use more of it than the runner does.
#[expect(dead_code)]
mod client;
mod compile;
mod compiler;
mod cuda;
mod diagnostics;
mod directory;
mod doctor;
mod errors;
mod evaluator;
// What `lab`, and the process that runs the cells, write for the kernel.
#[allow(dead_code, reason = "`lab` writes what the kernel only reads")]
#[path = "../notebooks/lab/src/display/format.rs"]
mod format;
mod gate;
mod glue;
mod history;
mod html;
mod index;
mod input;
mod install;
mod iopub;
mod jupyter;
mod lab;
mod lock_file;
mod maths;
mod message;
mod nbconvert;
mod notebook;
mod output;
mod processes;
mod recorder;
mod relay;
mod replies;
mod run;
mod runner;
mod server;
mod session;
mod shared;
mod sources;
mod stdin;
mod students;
mod toolchain;
mod types;
mod warm;
mod worker;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use directory::SessionDirectory;
use evaluator::Setting;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::time::{Duration, Instant};
use toolchain::OwnVariables;

/// Rust notebooks that start warm: a Jupyter kernel, and a course of deep learning on it.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Register the kernel "Rust (taper)" with Jupyter and build its warm environment
    ///
    /// With --prefix all of it goes below one folder, the program too, for all users of the machine to read.
    /// With --cuda it is "Rust (taper, CUDA)", a kernel next to the other one, with an environment of its own.
    /// The environment is the crate `lab` with candle, plotters, image and all they need, compiled once so that no
    /// notebook has to. That takes some minutes; it can be stopped at any moment and goes on where it was.
    /// The kernel is registered in JUPYTER_DATA_DIR or the first folder of JUPYTER_PATH, if they are set.
    Install(install::Install),
    /// Remove the kernel from Jupyter, and everything that was built for it
    Uninstall(install::Place),
    /// Run notebooks and write them executed, with their HTML and an index page
    ///
    /// Cells run on the taper kernel, each notebook in a kernel of its own. A failing cell ends its notebook, and
    /// the exit code is then 1. The warm environment is built first if it is not there.
    Run(run::Run),
    /// Write notebooks as web pages, as they are, and an index page
    ///
    /// The pages need no network, no server and no Jupyter: open them, send them, put them on the web. `run` writes them
    /// too; this is for notebooks that have been run in JupyterLab.
    Export(html::Export),
    /// Open JupyterLab with the kernel registered
    Lab {
        /// The folder to open
        #[arg(default_value = "notebooks")]
        folder: PathBuf,
        /// Further arguments for JupyterLab
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Make the students' edition of the course: exercises without their solutions
    ///
    /// Takes the notebooks in notebooks/solutions/, and leaves out what is marked there as a solution, by nbgrader, which is
    /// installed for taper alone if you have none. The rest of the course comes along, so the folder can be handed out.
    Students(students::Students),
    /// Check what taper needs, and say how to mend what is not as it should be
    ///
    /// Looks for Rust, a linker, the warm environment, the kernel's registration, Jupyter, the digits, a GPU and space on
    /// the disk. The exit code is 1 if something is missing that taper needs.
    Doctor,
    /// Serve a notebook; Jupyter starts this
    Kernel {
        /// The file in which Jupyter says where to listen
        #[arg(long, value_name = "FILE")]
        connection_file: PathBuf,
        /// Compute on a GPU, with what `taper install --cuda` has built
        #[arg(long)]
        cuda: bool,
    },
    #[command(hide = true)]
    Analyzer {
        folder: PathBuf,
        #[arg(long)]
        cuda: bool,
    },
    #[command(hide = true)]
    CleanUp { folder: PathBuf },
    #[command(hide = true, disable_help_flag = true)]
    CargoForAnalyzer {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    #[command(hide = true)]
    DescribeCells,
    #[command(hide = true, disable_help_flag = true, disable_version_flag = true)]
    CargoOfCells {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    #[command(hide = true, disable_help_flag = true, disable_version_flag = true)]
    RustcOfCells {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

/// How long the end of a session may take.
const CLEAN_UP: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    match run() {
        Ok(code) => code.into(),
        Err(error) => {
            eprintln!("taper: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<u8> {
    // evcxr starts this program again, to run cells.
    if std::env::var_os(child::IS_CHILD).is_some() {
        match std::env::var_os(child::SOCKET) {
            Some(_) => child::run()?,
            None => child::pretend()?,
        }
        return Ok(0);
    }
    // With its `:cache`, evcxr has cargo call this program instead of the compiler.
    let command = std::env::args().nth(1).unwrap_or_default();
    if !["cargo-of-cells", "rustc-of-cells"].contains(&command.as_str()) {
        evcxr::runtime_hook();
    }
    match Arguments::parse().command {
        Command::Install(arguments) => install::install(&arguments)?,
        Command::Uninstall(place) => install::uninstall(&place)?,
        Command::Run(arguments) => return Ok(u8::from(!run::run(&arguments)?)),
        Command::Export(arguments) => html::export(&arguments)?,
        Command::Lab { folder, arguments } => return jupyter::lab(&folder, &arguments),
        Command::Students(arguments) => students::make(&arguments)?,
        Command::Doctor => return Ok(u8::from(!doctor::examine()?)),
        Command::Kernel { connection_file, cuda } => kernel(&connection_file, cuda)?,
        Command::Analyzer { folder, cuda } => analysis::run(&folder, cuda)?,
        Command::CleanUp { folder } => clean_up(&folder),
        Command::CargoForAnalyzer { arguments } => return analysis::cargo(&arguments),
        Command::DescribeCells => compile::describe()?,
        Command::CargoOfCells { arguments } => return compile::cargo(&arguments),
        Command::RustcOfCells { arguments } => return compile::rustc(&arguments),
    }
    Ok(0)
}

fn kernel(connection_file: &Path, cuda: bool) -> Result<()> {
    let connection = std::fs::read_to_string(connection_file)
        .with_context(|| format!("cannot read the connection file {}", connection_file.display()))?;
    let connection = serde_json::from_str(&connection)
        .with_context(|| format!("{} is no connection file", connection_file.display()))?;
    let directory = SessionDirectory::create()?;
    let tools = directory.tools();
    let own = [
        ("CARGO", tools.join("cargo").into()),
        ("RUSTC", tools.join("rustc").into()),
        ("PATH", toolchain::search_path(&[tools.join(toolchain::FIRST_ON_PATH)])?),
        (toolchain::RUSTC, toolchain::shared_rustc()),
        ("EVCXR_TMPDIR", directory.path().join(directory::EVCXR).into()),
        ("EVCXR_CONFIG_DIR", directory.path().into()),
        (compile::PROGRAM, this_program()?.into()),
    ];
    // SAFETY: this process has started no thread yet.
    let own_variables = unsafe { OwnVariables::set(&own) };
    let rustc = tools.join(toolchain::RUSTC_OF_CELLS);
    let setting = Setting { folder: directory.path().to_owned(), rustc, own_variables, cuda };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(server::serve(&connection, setting));
    if served.is_err() {
        directory::remove(directory.path());
        return served;
    }
    become_cleaner(directory.path())
}

/// Ends this process and has its folder removed. The session's thread may still be at work, start compilers and write: it
/// ends when another program, which is this one again, takes the place of this one.
fn become_cleaner(folder: &Path) -> Result<()> {
    Err(process::Command::new(this_program()?).arg("clean-up").arg(folder).exec()).context("cannot clean up")
}

/// This very program, even when its file has been replaced by that of a new version.
fn this_program() -> Result<PathBuf> {
    match cfg!(target_os = "linux") {
        true => Ok(format!("/proc/{}/exe", process::id()).into()),
        false => std::env::current_exe().context("this program does not know its own path"),
    }
}

/// Removes the folder of a session whose process this one was.
fn clean_up(folder: &Path) {
    let start = Instant::now();
    // What has been killed may take a moment to be gone.
    while folder.exists() && start.elapsed() < CLEAN_UP {
        processes::end_descendants(process::id(), &[]);
        directory::remove(folder);
    }
    directory::remove(folder);
}
