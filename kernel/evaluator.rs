//! evcxr with its child: evaluates cells, for the session's thread alone.

use crate::annotated::Annotated;
use crate::cuda::Cuda;
use crate::diagnostics::Diagnostic;
use crate::format::Failure;
use crate::impls::Impls;
use crate::iopub::IoPub;
use crate::lab::Lab;
use crate::relay::{self, Progress};
use crate::sources::{Source, Sources};
use crate::toolchain::{OwnVariables, Toolchain};
use crate::types;
use crate::warm::Environment;
use crate::{cell, child, dependencies, diagnostics, directory, errors, processes};
use anyhow::{Context, Result, anyhow};
use evcxr::{CommandContext, CompilationError, Error, EvalCallbacks, EvalContext, EvalOutputs};
use jupyter_protocol::ReplyError;
use rustix::process::Signal;
use serde_json::{Map, Value};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

/// What a session is given.
pub struct Setting {
    /// The session's folder.
    pub folder: PathBuf,
    /// The compiler of cells.
    pub rustc: PathBuf,
    /// What user code must not see of this process's environment.
    pub own_variables: OwnVariables,
    /// Whether cells are to compute on a GPU.
    pub cuda: bool,
}

/// evcxr with its child, and the environment its cells are linked with.
pub struct Evaluator {
    context: CommandContext,
    toolchain: Toolchain,
    cuda: Option<Cuda>,
    environment: Environment,
    /// Leads to the `lab` that a new process for cells is to load.
    lab_link: PathBuf,
    /// Where evcxr writes what it compiles.
    crate_folder: PathBuf,
    sources: Arc<Mutex<Sources>>,
    impls: Impls,
    pub runner: Runner,
    /// A cell has run.
    used: bool,
}

const CANDLE_SPINS: &str = "CANDLE_BARRIER_POOL_SPIN_LIMIT";

impl Evaluator {
    /// Starts evcxr and its child.
    pub fn start(setting: &Setting, iopub: &IoPub) -> Result<Self> {
        let toolchain = Toolchain::find()?;
        let cuda = setting.cuda.then(|| Cuda::find(true)).transpose()?;
        let environment = Environment::open(&toolchain, cuda.as_ref())?;
        let (kernel_end, child_end) = UnixStream::pair()?;
        relay::keep_across_exec(&child_end)?;
        let crate_folder = setting.folder.join(directory::CELLS);
        let sources = Arc::new(Mutex::new(Sources::default()));
        let progress = relay::start(kernel_end, iopub.clone(), Arc::clone(&sources), crate_folder.clone());

        let lab_link = setting.folder.join("liblab");
        link(&lab_link, environment.lab_library())?;
        let mut command = Command::new(std::env::current_exe()?);
        setting.own_variables.restore(&mut command);
        command
            .env(child::SOCKET, child_end.as_raw_fd().to_string())
            .env(child::LAB, &lab_link)
            .env(crate::format::ENV, "1");
        // After each operation candle's threads spin a while in the hope of the next, and keep those of others from the
        // processor: an epoch of the course takes a tenth longer, and twice as long when another kernel works too.
        if std::env::var_os(CANDLE_SPINS).is_none() {
            command.env(CANDLE_SPINS, "1");
        }
        // evcxr starts the child anew after a crash, with the same command: its end of the socket stays open.
        std::mem::forget(child_end);

        let (context, _) =
            EvalContext::with_subprocess_command(command).map_err(|error| anyhow!("{error}"))?;
        let context = CommandContext::with_eval_context(context);
        let runner = Runner { child: context.process_handle(), progress };
        let impls = Impls::default();
        let mut evaluator = Self {
            context,
            toolchain,
            cuda,
            environment,
            lab_link,
            crate_folder,
            sources,
            impls,
            runner,
            used: false,
        };
        let rustc = format!(":build_env RUSTC_WORKSPACE_WRAPPER={}", setting.rustc.display());
        let ready = evaluator.context.execute(&rustc).and_then(|_| evaluator.begin());
        ready.map_err(|error| anyhow!("{error}")).context("the first cell failed")?;
        Ok(evaluator)
    }

    /// What comes before the first cell.
    fn begin(&mut self) -> Result<(), Error> {
        self.link_lab()?;
        self.context.execute(PRELUDE).map(drop)
    }

    /// Has cells linked with the `lab` of the environment.
    fn link_lab(&mut self) -> Result<(), Error> {
        let flags = self.environment.rustflags();
        self.context.execute(&format!(":build_env CARGO_ENCODED_RUSTFLAGS={flags}")).map(drop)
    }

    /// The variables that cells have defined, with their types.
    pub fn variables(&self) -> Vec<(String, String)> {
        let owned = |(name, type_name): (&str, &str)| (name.to_owned(), type_name.to_owned());
        let mut variables: Vec<_> = self.context.variables_and_types().map(owned).collect();
        variables.sort();
        variables
    }

    /// Runs the commands of a cell, then its code. `name` is what errors call the cell.
    pub fn run(
        &mut self,
        name: &str,
        cell: &str,
        callbacks: &mut EvalCallbacks,
    ) -> Result<EvalOutputs, Failed> {
        let resolved = dependencies::resolve(cell, cell::parse(cell).code_start);
        if let Some(folder) = &resolved.lab {
            self.use_lab(folder).map_err(Failed::Dependency)?;
        }
        let code = resolved.code;
        let (commands, rust) = code.split_at(cell::parse(&code).code_start);
        let mut outputs = EvalOutputs::new();
        if !commands.trim().is_empty() {
            let done = self.context.execute(commands);
            outputs.merge(done.map_err(Failed::Evcxr)?);
        }
        if rust.is_empty() {
            return Ok(outputs);
        }
        let rust = dependencies::blank(commands) + rust;
        let parsed = cell::parse(&rust);
        let renamed = self.impls.name(&parsed.items());
        let insertions = [renamed.insertions, parsed.renamed_imports()].concat();
        let annotated = types::annotate(&mut self.context, &rust, insertions).map_err(Failed::Unnameable)?;
        self.used = true;
        diagnostics::clear(&self.crate_folder);
        let source = Source { name: name.to_owned(), code: cell.to_owned() };
        self.sources.lock().unwrap().begin(source, &annotated, &renamed.cut);
        match self.context.execute_with_callbacks(&annotated.code, callbacks) {
            Ok(more) => outputs.merge(more),
            Err(Error::CompilationErrors(errors)) => return Err(self.compile_error(errors, &annotated)),
            Err(error) => return Err(Failed::Evcxr(error)),
        }
        self.sources.lock().unwrap().accept();
        self.impls = renamed.after;
        if self.runner.was_killed() {
            // It was, when the cell had just ended. evcxr notices it, and starts another, when there is something to run.
            return Err(Failed::Evcxr(match self.context.execute("();") {
                Err(error @ Error::SubprocessTerminated(_)) => error,
                _ => Error::SubprocessTerminated(String::new()),
            }));
        }
        Ok(outputs)
    }

    /// What rustc says of a cell that does not compile.
    fn compile_error(&mut self, errors: Vec<CompilationError>, annotated: &Annotated) -> Failed {
        let read = || diagnostics::read(&self.crate_folder, &self.sources.lock().unwrap()).0;
        let diagnostics = read();
        if diagnostics.iter().any(|diagnostic| diagnostic.is_error && diagnostic.is_of_cell) {
            return Failed::Compiler(diagnostics);
        }
        // evcxr compiles `use` declarations in pieces that cannot be found again, but checks them as they stand.
        let checked = self.context.check(&annotated.code).map(|_| read()).unwrap_or_default();
        match checked.iter().any(|diagnostic| diagnostic.is_error) {
            true => Failed::Compiler(checked),
            false if diagnostics.iter().any(|diagnostic| diagnostic.is_error) => {
                Failed::Compiler(diagnostics)
            }
            false => Failed::Evcxr(Error::CompilationErrors(errors)),
        }
    }

    /// How the last cell failed, as the notebook shows it.
    pub fn explain(&self, failure: &Failure) -> ReplyError {
        errors::from_failure(failure, &self.sources.lock().unwrap())
    }

    /// Changes to the `lab` in a folder, if it is not the one in use: it is being worked on. What is compiled with one
    /// `lab` cannot go on with another, so the session starts anew.
    fn use_lab(&mut self, folder: &Path) -> Result<()> {
        if !dependencies::differs(folder, &self.environment.lab)? {
            return Ok(());
        }
        let lab = Lab::in_folder(folder)?;
        self.environment = Environment::build(&self.toolchain, self.cuda.as_ref(), &lab, &mut |_, _| {})?;
        link(&self.lab_link, self.environment.lab_library())?;
        self.impls = Impls::default();
        let mut ready = self.context.execute(":clear").and_then(|_| self.begin());
        if std::mem::take(&mut self.used) {
            ready = ready.and_then(|()| self.context.execute(ANOTHER_LAB).map(drop));
        }
        ready.map_err(|error| anyhow!("{error}"))
    }
}

const ANOTHER_LAB: &str = r#"println!(
    "`lab` is another one now, so this session has started anew: what earlier cells have defined is gone."
);"#;

/// Makes `link` lead to `target`, in one step.
fn link(link: &Path, target: &Path) -> Result<()> {
    let new = link.with_extension("new");
    std::os::unix::fs::symlink(target, &new)?;
    Ok(std::fs::rename(&new, link)?)
}

/// Runs before the first cell. evcxr reports the error of a failed `?` by `eprintln!("{}", error)`; this macro takes
/// exactly that call, and the one by which evcxr says that a variable is lost, and leaves all others as they are. The `?`
/// makes evcxr expect more of them, which otherwise costs the first cell that has one a second compilation.
const PRELUDE: &str = r#"
macro_rules! eprintln {
    (@ error $error:tt) => { lab::kernel::report_error(&$error) };
    (@ $other:tt $error:tt) => { ::std::eprintln!("{}", $error) };
    ("{}", $error:tt) => { eprintln!(@ $error $error) };
    ("The type of the variable {name} was redefined, so was lost.",) => {};
    ($($arguments:tt)*) => { ::std::eprintln!($($arguments)*) };
}
Ok::<(), String>(())?;
"#;

/// The process that runs the cells, of whichever generation, as other threads may handle it.
#[derive(Clone)]
pub struct Runner {
    child: Arc<Mutex<Child>>,
    progress: Arc<Mutex<Progress>>,
}

impl Runner {
    /// Whether a cell is running, rather than being compiled.
    pub fn is_running(&self) -> bool {
        self.progress.lock().unwrap().running
    }

    pub fn id(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    /// Asks the cell to end: what looks for interrupts does.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// The user has answered the cell's question, or will not.
    pub fn answered(&self) {
        self.progress.lock().unwrap().asking = false;
    }

    /// Ends the process and the programs that cells have started; evcxr starts another one.
    pub fn kill(&self) {
        self.progress.lock().unwrap().killed = true;
        // Stopped, it does not go on when a program that it waits for is ended.
        self.signal(Signal::STOP);
        processes::end_descendants(self.id(), None);
        let _ = self.child.lock().unwrap().kill();
    }

    /// Whether the process that ran the last cell was ended by [`kill`](Self::kill).
    pub fn was_killed(&self) -> bool {
        self.progress.lock().unwrap().killed
    }

    fn signal(&self, signal: Signal) {
        processes::signal(self.id(), signal);
    }

    /// Forgets the last cell.
    pub fn begin(&self) {
        *self.progress.lock().unwrap() = Progress::default();
    }

    /// How the last cell failed, if it did, and what it displayed last.
    pub fn outcome(&self) -> (Option<Failure>, Option<Map<String, Value>>) {
        let mut progress = self.progress.lock().unwrap();
        (progress.failure.take(), progress.result.take())
    }
}

/// Why a cell could not be evaluated.
pub enum Failed {
    Evcxr(Error),
    /// The cell does not compile.
    Compiler(Vec<Diagnostic>),
    /// A new variable has a type that cannot be kept.
    Unnameable(String),
    /// The notebook's `lab` cannot be had.
    Dependency(anyhow::Error),
}

impl Failed {
    /// As the notebook shows it.
    pub fn into_reply(self) -> ReplyError {
        match self {
            Self::Evcxr(error) => errors::from_evcxr(&error),
            Self::Compiler(diagnostics) => errors::from_compiler(&diagnostics)
                .unwrap_or_else(|| errors::plain("CompileError", "the cell does not compile")),
            Self::Unnameable(text) => errors::plain("TypeError", &text),
            Self::Dependency(error) => errors::plain("DependencyError", &format!("{error:#}")),
        }
    }
}
