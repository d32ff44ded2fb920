//! The evaluator: compiles each cell together with the parts of the session that it uses, and has evcxr run it in the
//! child process. Only the session's thread uses it.

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
use crate::shown_crates::Crates;
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

/// The settings that a session is started with.
pub struct SessionSetup {
    /// The session's folder.
    pub folder: PathBuf,
    /// The environment variables of this process that user code must not see.
    pub own_variables: OwnVariables,
    /// Whether cells are to compute on a GPU.
    pub cuda: bool,
}

/// What the cells of a session have defined and set.
#[derive(Default)]
struct State {
    definitions: Definitions,
    /// Crate attributes, such as `#![feature(…)]`.
    attributes: BTreeSet<String>,
    /// The variables by name, without `r#`.
    variables: BTreeMap<String, Variable>,
    /// Whether a macro of another crate expands to items, for the macros that rustc has been asked about.
    macros: HashMap<String, bool>,
    /// How results are shown; `None` for the default.
    show: Option<Show>,
    errors: ErrorFormat,
}

/// A session: evcxr with its child, the compiler, and what the cells have defined so far.
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
    /// Locks on the parts of the cache that this session uses, so that they are not removed.
    held: Vec<Hold>,
    /// How often the user has interrupted the current cell.
    interrupts: Arc<AtomicUsize>,
    /// The symbolic link through which the child finds the environment's `lab`.
    lab_link: PathBuf,
    /// Whether any cell has been linked with that `lab`.
    used: bool,
    iopub: IoPub,
    /// The folder that evcxr works in.
    evcxr_folder: PathBuf,
    /// The environment variables of this process that user code and the shell must not see.
    own_variables: OwnVariables,
    sources: Arc<Mutex<Sources>>,
    settings: Settings,
    /// Answers `:doc`; `None` if nothing does.
    pub documentation: Option<Documentation>,
    pub runner: Runner,
}

/// Looks up the documentation of the path or method that the given code ends with: as plain text and as HTML, or nothing.
pub type Documentation = Arc<dyn Fn(String) -> Vec<MediaType> + Send + Sync>;

/// A request for a line of input from the user.
pub struct InputRequest {
    pub prompt: String,
    pub is_password: bool,
}

/// The reply to an [`InputRequest`].
pub enum InputReply {
    Line(String),
    /// There is no answer: the cell reads the end of its input.
    End,
    /// The user has interrupted the cell: its read fails.
    Interrupted,
}

/// Asks the user a question, and waits for the answer.
type Ask<'a> = &'a dyn Fn(InputRequest) -> InputReply;

/// What a cell shows as its result: representations by MIME type.
pub type Data = Map<String, Value>;

/// The outcome of a cell that was run.
#[derive(Default)]
pub struct Ran {
    /// Why it failed, if it did.
    pub failure: Option<ReplyError>,
    /// The answers of its commands.
    pub commands: Data,
    /// What it displayed last, such as the value of its final expression.
    pub result: Option<Data>,
}

const CANDLE_SPINS: &str = "CANDLE_BARRIER_POOL_SPIN_LIMIT";

impl Evaluator {
    /// Starts evcxr and its child.
    ///
    /// # Errors
    /// When one of them does not start, or the warm environment is not built.
    pub fn start(
        setup: &SessionSetup,
        iopub: &IoPub,
        stdin: &Stdin,
        interrupts: &Arc<AtomicUsize>,
    ) -> Result<Self> {
        let toolchain = Toolchain::find()?;
        let cuda = setup.cuda.then(|| Cuda::find(true)).transpose()?;
        let environment = Environment::open(&toolchain, cuda.as_ref())?;
        let lab_link = setup.folder.join(directory::LAB);
        let (kernel_end, child_end) = UnixStream::pair()?;
        relay::keep_across_exec(&child_end)?;
        let sources = Arc::new(Mutex::new(Sources::default()));
        let word = uuid::Uuid::new_v4().simple().to_string();
        let progress =
            relay::start(kernel_end, word.clone(), iopub.clone(), stdin.clone(), Arc::clone(&sources));

        let mut command = Command::new(this_program()?);
        setup.own_variables.restore(&mut command);
        command
            .env(child::SOCKET, child_end.as_raw_fd().to_string())
            .env(child::LAB, &lab_link)
            .env(messages::ENV, word);
        // After each operation, candle's threads spin for a while in case another one follows, and take the processor from
        // other threads: an epoch of the course takes a tenth longer, and twice as long when another kernel runs as well.
        if std::env::var_os(CANDLE_SPINS).is_none() {
            command.env(CANDLE_SPINS, "1");
        }
        // After a crash, evcxr starts the child again with the same command, so the child's end of the socket stays open here.
        std::mem::forget(child_end);
        point(&lab_link, environment.lab_library())?;

        if let Ok(folder) = std::env::current_dir() {
            command.current_dir(folder);
        }
        let started = directory::within(&setup.folder, || EvalContext::with_subprocess_command(command))?;
        let (context, _) = started.map_err(|error| anyhow!("{error}"))?;
        let context = CommandContext::with_eval_context(context);
        let runner = Runner::new(context.process_handle(), progress);
        let compiler = Compiler::new(&toolchain, &setup.folder)?;
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
            evcxr_folder: setup.folder.join(directory::EVCXR),
            own_variables: setup.own_variables.clone(),
            sources,
            settings: Settings::default(),
            documentation: None,
            runner,
        };
        evaluator.compiler.use_crates_of(&evaluator.environment);
        evaluator.run_first_cell()?;
        Ok(evaluator)
    }

    /// Runs an empty cell, so that the files that every cell needs are in the page cache before the user's first one.
    fn run_first_cell(&mut self) -> Result<()> {
        let first = Arc::new(Source { name: String::new(), code: "();".into() });
        let ran = self.run_rust(&first, &|_| InputReply::End);
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

    /// Forgets the variables after the process that held them has ended; returns their names.
    pub fn forget_variables(&mut self) -> Vec<String> {
        std::mem::take(&mut self.state.variables).into_values().map(|variable| variable.name).collect()
    }

    /// The texts of the items that cells have defined.
    pub fn items(&self) -> Vec<String> {
        self.state.definitions.texts().map(str::to_owned).collect()
    }

    /// What completion shows.
    pub fn crates(&self) -> Crates {
        Crates::of(&self.environment)
    }

    /// The packages that have been compiled for `lab` and the session's crates.
    pub fn compiled(&self) -> Vec<String> {
        self.environment.packages().map(str::to_owned).collect()
    }

    /// Whether `:timing` is on.
    pub fn is_timing(&self) -> bool {
        self.settings.timing
    }

    /// Gets ready for the next cell, so that it takes less time.
    pub fn expect_cell(&mut self) {
        self.compiler.start_ahead();
    }

    /// Frees the memory that getting ready has taken.
    pub fn rest(&mut self) {
        self.compiler.end_ahead();
    }

    /// Runs the commands of a cell, then its code. Errors refer to the cell by `name`.
    ///
    /// # Errors
    /// When the cell did not run, or its process ended before the cell did.
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
            // The crate that defines the variable's type was recompiled, so the value in the store has another type. The cell
            // is planned and compiled again without the variable.
            for name in outcome.lost {
                self.state.variables.remove(&name);
                let text = format!(
                    "`{name}` is gone: its type was recompiled. Run the cell that creates it again.\n"
                );
                self.iopub.output(Output::Stream(Stdio::Stderr, text));
            }
        }
    }

    /// Checks that the environment and the session's folder still exist: both are in the cache, which users may clean up.
    fn check_folders(&self) -> Result<(), Failed> {
        if !self.environment.is_whole() {
            return Err(Failed::Environment);
        }
        if fs::symlink_metadata(&self.lab_link).is_err() {
            return Err(Failed::Folder);
        }
        // A failure shows when evcxr writes to the folder.
        let _ = fs::create_dir_all(self.evcxr_folder.join("src"));
        Ok(())
    }
}

/// Points the symbolic link `link` at `target`, replacing the link if it exists.
fn point(link: &Path, target: &Path) -> Result<()> {
    let _ = fs::remove_file(link);
    symlink(target, link).with_context(|| format!("cannot write {}", link.display()))
}
