//! Evaluates cells, for the session's thread alone: each is compiled with what it needs of the session, and run by evcxr
//! in its child.

mod commands;
mod compiling;
mod config;
pub mod crates;
mod failed;
mod plan;
mod planning;
mod running;
mod shell;

pub use failed::Failed;

use crate::child;
use crate::compiler::Compiler;
use crate::glue::{ErrorFormat, Show, Variable};
use crate::relay;
use crate::runner::Runner;
use crate::sources::Sources;
use anyhow::{Context, Result, anyhow};
use cell::code::Source;
use cell::definitions::Definitions;
use commands::Settings;
use environment::program::this_program;
use environment::warm::stored::Hold;
use environment::{Cuda, Environment, Lab, OwnVariables, Toolchain, session_directory as directory};
use evcxr::{CommandContext, EvalContext};
use jupyter_protocol::{MediaType, ReplyError, Stdio};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use wire::{IoPub, Output, Stdin};

/// What a session is given.
pub struct Setting {
    /// The session's folder.
    pub folder: PathBuf,
    /// What user code must not see of this process's environment.
    pub own_variables: OwnVariables,
    /// Whether cells are to compute on a GPU.
    pub cuda: bool,
}

/// What the cells of a session have defined and set.
#[derive(Default)]
struct State {
    definitions: Definitions,
    /// Attributes of the crate.
    attributes: BTreeSet<String>,
    /// By their names without `r#`.
    variables: BTreeMap<String, Variable>,
    /// Which macros of other crates stand for items, as far as rustc has been asked.
    macros: HashMap<String, bool>,
    /// How results are shown, if the user has set it.
    show: Option<Show>,
    errors: ErrorFormat,
    /// Whether a cell has had `.await` at its top level.
    is_async: bool,
}

/// evcxr with its child, and all that a session consists of.
pub struct Evaluator {
    context: CommandContext,
    compiler: Compiler,
    state: State,
    toolchain: Toolchain,
    cuda: Option<Cuda>,
    /// The `lab` of this session.
    lab: Lab,
    /// What cells are linked with.
    environment: Environment,
    /// What must not be removed from the cache as long as this session lives.
    held: Vec<Hold>,
    /// How often the user has interrupted the cell in progress.
    interrupts: Arc<AtomicUsize>,
    /// The link by which the child finds the environment's `lab`.
    lab_link: PathBuf,
    /// Whether there are cells that were linked with it.
    used: bool,
    iopub: IoPub,
    /// Where evcxr works.
    evcxr_folder: PathBuf,
    /// What user code, and the shell, must not see of this process's environment.
    own_variables: OwnVariables,
    sources: Arc<Mutex<Sources>>,
    settings: Settings,
    /// Where `:doc` asks.
    pub documentation: Option<Documentation>,
    pub runner: Runner,
}

/// The documentation of what some code ends in, in plain text and in HTML; nothing if there is none.
pub type Documentation = Arc<dyn Fn(String) -> Vec<MediaType> + Send + Sync>;

/// What a cell asks of the user.
pub struct Question {
    pub prompt: String,
    pub is_password: bool,
}

/// What comes of a question.
pub enum Answer {
    Line(String),
    /// There is none: the cell reads the end of its input.
    End,
    /// The user has interrupted the cell, whose reading fails.
    Interrupted,
}

/// Asks the user, for a cell.
type Ask<'a> = &'a dyn Fn(Question) -> Answer;

/// What a cell shows as its result: representations by MIME type.
pub type Data = Map<String, Value>;

/// What became of a cell that has been run.
#[derive(Default)]
pub struct Ran {
    /// Why it failed, if it did.
    pub failure: Option<ReplyError>,
    /// What its commands have answered.
    pub commands: Data,
    /// What it has shown last.
    pub result: Option<Data>,
}

const CANDLE_SPINS: &str = "CANDLE_BARRIER_POOL_SPIN_LIMIT";

impl Evaluator {
    /// Starts evcxr and its child.
    ///
    /// # Errors
    /// When one of them does not start, or the warm environment is not built.
    pub fn start(
        setting: &Setting,
        iopub: &IoPub,
        stdin: &Stdin,
        interrupts: &Arc<AtomicUsize>,
    ) -> Result<Self> {
        let toolchain = Toolchain::find()?;
        let cuda = setting.cuda.then(|| Cuda::find(true)).transpose()?;
        let environment = Environment::open(&toolchain, cuda.as_ref())?;
        let lab_link = setting.folder.join(directory::LAB);
        let (kernel_end, child_end) = UnixStream::pair()?;
        relay::keep_across_exec(&child_end)?;
        let sources = Arc::new(Mutex::new(Sources::default()));
        let word = uuid::Uuid::new_v4().simple().to_string();
        let progress =
            relay::start(kernel_end, word.clone(), iopub.clone(), stdin.clone(), Arc::clone(&sources));

        let mut command = Command::new(this_program()?);
        setting.own_variables.restore(&mut command);
        command
            .env(child::SOCKET, child_end.as_raw_fd().to_string())
            .env(child::LAB, &lab_link)
            .env(messages::ENV, word);
        // After each operation candle's threads spin a while in the hope of the next, and keep those of others from the
        // processor: an epoch of the course takes a tenth longer, and twice as long when another kernel works too.
        if std::env::var_os(CANDLE_SPINS).is_none() {
            command.env(CANDLE_SPINS, "1");
        }
        // evcxr starts the child anew after a crash, with the same command: its end of the socket stays open.
        std::mem::forget(child_end);
        point(&lab_link, environment.lab_library())?;

        if let Ok(folder) = std::env::current_dir() {
            command.current_dir(folder);
        }
        let started = directory::within(&setting.folder, || EvalContext::with_subprocess_command(command))?;
        let (context, _) = started.map_err(|error| anyhow!("{error}"))?;
        let context = CommandContext::with_eval_context(context);
        let runner = Runner::new(context.process_handle(), progress);
        let compiler = Compiler::new(toolchain.rustc_path().to_owned(), &setting.folder);
        let mut evaluator = Self {
            context,
            compiler,
            state: State::default(),
            toolchain,
            cuda,
            lab: Lab::embedded(),
            held: vec![environment.hold()],
            environment,
            interrupts: Arc::clone(interrupts),
            lab_link,
            used: false,
            iopub: iopub.clone(),
            evcxr_folder: setting.folder.join(directory::EVCXR),
            own_variables: setting.own_variables.clone(),
            sources,
            settings: Settings::default(),
            documentation: None,
            runner,
        };
        evaluator.compiler.flags = evaluator.environment.rustflags();
        evaluator.run_first_cell()?;
        Ok(evaluator)
    }

    /// Runs what comes before the first cell: it has the system read what every cell needs.
    fn run_first_cell(&mut self) -> Result<()> {
        let first = Arc::new(Source { name: String::new(), code: "();".into() });
        let ran = self.run_rust(&first, &|_| Answer::End);
        let error = match ran {
            Ok(Ran { failure, .. }) => failure,
            Err(failed) => Some(failed.into_reply()),
        };
        self.used = false;
        error.map_or(Ok(()), |error| Err(anyhow!(error.evalue).context("the first cell failed")))
    }

    /// The variables that cells have defined, with their types.
    pub fn variables(&self) -> Vec<(String, String)> {
        let variables = self.state.variables.values();
        variables.map(|variable| (variable.name.clone(), variable.type_name.clone())).collect()
    }

    /// Forgets the variables, which have gone with their process; returns their names.
    pub fn forget_variables(&mut self) -> Vec<String> {
        std::mem::take(&mut self.state.variables).into_values().map(|variable| variable.name).collect()
    }

    /// The texts of the items that cells have defined.
    pub fn items(&self) -> Vec<String> {
        self.state.definitions.texts().map(str::to_owned).collect()
    }

    /// The crates that cells have added, as commands.
    pub fn dependencies(&self) -> Vec<String> {
        self.settings.dependencies.iter().map(|dependency| format!(":dep {dependency}")).collect()
    }

    /// Whether to say how long cells take.
    pub fn is_timing(&self) -> bool {
        self.settings.timing
    }

    /// Runs the commands of a cell, then its code. `name` is what errors call the cell.
    ///
    /// # Errors
    /// Why it did not run, or did not come to its end.
    pub fn run(&mut self, name: &str, cell: &str, ask: Ask) -> Result<Ran, Failed> {
        self.start_with_config(ask);
        self.follow_sources();
        let source = Arc::new(Source { name: name.to_owned(), code: cell.to_owned() });
        let ran = self.run_source(&source, ask);
        self.settings.note(&ran);
        ran
    }

    fn run_source(&mut self, source: &Arc<Source>, ask: Ask) -> Result<Ran, Failed> {
        let commands = self.run_commands(source, ask)?;
        let mut ran = Ran::default();
        if cell::commands(&source.code).code_start < source.code.len() {
            ran = self.run_rust(source, ask)?;
        }
        Ok(Ran { commands, ..ran })
    }

    /// Compiles and runs the Rust code of a cell.
    fn run_rust(&mut self, source: &Arc<Source>, ask: Ask) -> Result<Ran, Failed> {
        self.check_folders()?;
        let parsed = cell::parse(&source.code);
        if parsed.syntax_error.is_some() {
            self.check_syntax(source, &parsed)?;
        }
        loop {
            let plan = self.plan(source, &parsed)?;
            let plan = self.compile(plan)?;
            plan.announce(&self.iopub);
            let outcome = self.load(&plan, ask)?;
            if outcome.lost.is_empty() {
                return Ok(self.accept(plan, outcome));
            }
            // The crate that the type is from has been compiled anew. Without the variable the cell is another one.
            for name in outcome.lost {
                self.state.variables.remove(&name);
                let text = format!(
                    "`{name}` is gone: its type was compiled anew. Run the cell that makes it again.\n"
                );
                self.iopub.output(Output::Stream(Stdio::Stderr, text));
            }
        }
    }

    /// Sees to it that there is what cells are linked with, and where they are compiled. Whoever cleans up a cache may remove
    /// both.
    fn check_folders(&self) -> Result<(), Failed> {
        if !self.environment.is_whole() {
            return Err(Failed::Environment);
        }
        if fs::symlink_metadata(&self.lab_link).is_err() {
            return Err(Failed::Folder);
        }
        // What is wrong with it shows when it is written to.
        let _ = fs::create_dir_all(self.evcxr_folder.join("src"));
        Ok(())
    }
}

/// Has a link lead to `target`, wherever it led before.
fn point(link: &Path, target: &Path) -> Result<()> {
    let _ = fs::remove_file(link);
    symlink(target, link).with_context(|| format!("cannot write {}", link.display()))
}
