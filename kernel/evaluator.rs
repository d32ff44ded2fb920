//! evcxr with its child: evaluates cells, for the session's thread alone.

use crate::build_display::BuildDisplay;
use crate::dependencies::Wanted;
use crate::diagnostics::Diagnostic;
use crate::format::Failure;
use crate::iopub::IoPub;
use crate::relay;
use crate::runner::Runner;
use crate::sources::{Source, Sources};
use crate::stdin::Stdin;
use crate::types;
use crate::{child, compile, dependencies, diagnostics, errors};
use anyhow::{Context, Result, anyhow, bail};
use cell::annotated::Annotated;
use cell::impls::Impls;
use environment::{Cuda, Environment, OwnVariables, Toolchain, session_directory as directory};
use evcxr::{CommandContext, CompilationError, Error, EvalCallbacks, EvalContext, EvalOutputs};
use jupyter_protocol::ReplyError;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
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
    /// The link by which the child finds the environment's `lab`.
    lab_link: PathBuf,
    /// Whether there are cells that were linked with it.
    used: bool,
    iopub: IoPub,
    /// Where evcxr writes what it compiles.
    crate_folder: PathBuf,
    sources: Arc<Mutex<Sources>>,
    impls: Impls,
    /// Whether the user has set how evcxr is to show results.
    shows_as_set: bool,
    pub runner: Runner,
}

const CANDLE_SPINS: &str = "CANDLE_BARRIER_POOL_SPIN_LIMIT";

impl Evaluator {
    /// Starts evcxr and its child.
    pub fn start(setting: &Setting, iopub: &IoPub, stdin: &Stdin) -> Result<Self> {
        let toolchain = Toolchain::find()?;
        let cuda = setting.cuda.then(|| Cuda::find(true)).transpose()?;
        let environment = Environment::open(&toolchain, cuda.as_ref())?;
        let lab_link = setting.folder.join(directory::LAB);
        let (kernel_end, child_end) = UnixStream::pair()?;
        relay::keep_across_exec(&child_end)?;
        let crate_folder = setting.folder.join(directory::CELLS);
        let sources = Arc::new(Mutex::new(Sources::default()));
        let progress = relay::start(
            kernel_end,
            iopub.clone(),
            stdin.clone(),
            Arc::clone(&sources),
            crate_folder.clone(),
        );

        let mut command = Command::new(crate::this_program()?);
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
        point(&lab_link, environment.lab_library())?;

        let (context, _) =
            EvalContext::with_subprocess_command(command).map_err(|error| anyhow!("{error}"))?;
        let context = CommandContext::with_eval_context(context);
        let runner = Runner::new(context.process_handle(), progress);
        let impls = Impls::default();
        let mut evaluator = Self {
            context,
            toolchain,
            cuda,
            environment,
            lab_link,
            used: false,
            iopub: iopub.clone(),
            crate_folder,
            sources,
            impls,
            shows_as_set: false,
            runner,
        };
        let programs = format!(
            ":build_env RUSTC_WORKSPACE_WRAPPER={}\n:build_env {}={}",
            setting.rustc.display(),
            compile::CARGO,
            evaluator.toolchain.cargo_path().display()
        );
        let ready = evaluator.context.execute(&programs).and_then(|_| evaluator.link_lab());
        ready.map_err(|error| anyhow!("{error}")).context("the first cell failed")?;
        Ok(evaluator)
    }

    /// Has cells linked with the `lab` of the environment, and runs what comes before the first of them.
    fn link_lab(&mut self) -> Result<(), Error> {
        let flags = self.environment.rustflags();
        self.context.execute(&format!(":build_env CARGO_ENCODED_RUSTFLAGS={flags}"))?;
        self.context.execute(PRELUDE).map(drop)
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
        if let Some(wanted) = &resolved.lab {
            self.use_lab(wanted).map_err(Failed::Dependency)?;
        }
        let code = resolved.code;
        let (commands, rust) = code.split_at(cell::parse(&code).code_start);
        let mut outputs = self.run_commands(commands)?;
        if !rust.is_empty() {
            let source = Source { name: name.to_owned(), code: cell.to_owned() };
            outputs.merge(self.run_rust(source, &(cell::blank(commands) + rust), callbacks)?);
        }
        Ok(outputs)
    }

    fn run_commands(&mut self, commands: &str) -> Result<EvalOutputs, Failed> {
        if commands.trim().is_empty() {
            return Ok(EvalOutputs::new());
        }
        if commands.lines().any(|line| line.trim() == ":quit") {
            return Err(Failed::Quit);
        }
        self.shows_as_set |= [":fmt", ":types"].iter().any(|command| commands.contains(command));
        self.context.execute(commands).map_err(Failed::Evcxr)
    }

    /// Compiles and runs the Rust code of a cell.
    fn run_rust(
        &mut self,
        source: Source,
        code: &str,
        callbacks: &mut EvalCallbacks,
    ) -> Result<EvalOutputs, Failed> {
        self.check_folders()?;
        let parsed = cell::parse(code);
        if let Some((message, place)) = &parsed.syntax_error {
            return Err(self.refuse(source, code, message, *place));
        }
        let renamed = self.impls.name(&parsed.items());
        let mut shown = if self.shows_as_set { Vec::new() } else { parsed.show_result() };
        let outputs = loop {
            let insertions = [renamed.insertions.clone(), parsed.renamed_imports(), shown.clone()].concat();
            let annotated =
                types::annotate(&mut self.context, code, insertions).map_err(Failed::Unnameable)?;
            self.expect(source.clone(), &annotated, &renamed.cut);
            match self.context.execute_with_callbacks(&annotated.code, callbacks) {
                Ok(outputs) => break outputs,
                Err(Error::CompilationErrors(errors)) => {
                    let cannot_show = self.diagnostics().iter().any(|diagnostic| diagnostic.is_of_showing);
                    if !cannot_show || shown.is_empty() {
                        return Err(self.compile_error(errors, &annotated));
                    }
                    // Then evcxr knows how, or says why not.
                    shown.clear();
                }
                Err(error) => return Err(Failed::Evcxr(error)),
            }
        };
        self.sources.lock().unwrap().accept();
        self.used = true;
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
        let _ = fs::create_dir_all(self.crate_folder.join("src"));
        Ok(())
    }

    /// Prepares for what the compiler will have to say of a cell.
    fn expect(&self, source: Source, annotated: &Annotated, cut: &[(String, String)]) {
        diagnostics::clear(&self.crate_folder);
        self.sources.lock().unwrap().begin(source, annotated, cut);
    }

    /// What is wrong with a cell that is no Rust. evcxr passes over much that it does not understand, and would run the
    /// rest.
    fn refuse(&mut self, source: Source, code: &str, message: &str, place: usize) -> Failed {
        let annotated = Annotated::new(code, Vec::new());
        self.expect(source, &annotated, &[]);
        match self.context.check(code) {
            Ok(errors) if errors.is_empty() => {
                Failed::Syntax(message.to_owned(), code[..place].matches('\n').count() + 1)
            }
            Ok(errors) => self.compile_error(errors, &annotated),
            Err(error) => Failed::Evcxr(error),
        }
    }

    fn diagnostics(&self) -> Vec<Diagnostic> {
        diagnostics::read(&self.crate_folder, &self.sources.lock().unwrap()).0
    }

    /// What rustc says of a cell that does not compile.
    fn compile_error(&mut self, errors: Vec<CompilationError>, annotated: &Annotated) -> Failed {
        let diagnostics = self.diagnostics();
        if diagnostics.iter().any(|diagnostic| diagnostic.is_of_environment) {
            return Failed::Environment;
        }
        if diagnostics.iter().any(|diagnostic| diagnostic.is_error && diagnostic.is_of_cell) {
            return Failed::Compiler(diagnostics);
        }
        // evcxr compiles `use` declarations in pieces that cannot be found again, but checks them as they stand.
        let checked = self.context.check(&annotated.code).map(|_| self.diagnostics()).unwrap_or_default();
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

    /// Changes to the `lab` that a cell asks for, if it is not the one in use: it is being worked on, or has other
    /// features. The process that runs the cells has loaded the one before, and is started anew.
    fn use_lab(&mut self, wanted: &Wanted) -> Result<()> {
        let lab = wanted.lab(Path::new(""))?;
        if self.environment.serves(&lab) {
            return Ok(());
        }
        if self.used {
            bail!("cells have used another `lab` already: restart the kernel, and run this cell first");
        }
        let mut display = BuildDisplay::new(&self.iopub, &lab);
        let mut report = |done, total| display.report(done, total);
        self.environment = Environment::build(&self.toolchain, self.cuda.as_ref(), &lab, &mut report)?;
        display.finish();
        point(&self.lab_link, self.environment.lab_library())?;
        self.context.execute(":clear").map_err(|error| anyhow!("{error}"))?;
        self.link_lab().map_err(|error| anyhow!("{error}"))
    }
}

/// Has a link lead to `target`, wherever it led before.
fn point(link: &Path, target: &Path) -> Result<()> {
    let _ = fs::remove_file(link);
    symlink(target, link).with_context(|| format!("cannot write {}", link.display()))
}

/// Runs before the first cell. The `?` makes evcxr expect more of them, which otherwise costs the first cell that has one a
/// second compilation.
const PRELUDE: &str = "Ok::<(), String>(())?;";

/// Why a cell could not be evaluated.
pub enum Failed {
    Evcxr(Error),
    /// The cell does not compile.
    Compiler(Vec<Diagnostic>),
    /// A new variable has a type that cannot be kept.
    Unnameable(String),
    /// A piece of the cell is no Rust: what is wrong, and in which line.
    Syntax(String, usize),
    /// The cell asks for the end of the kernel.
    Quit,
    /// What cells are linked with is not what was built.
    Environment,
    /// The session's folder is gone.
    Folder,
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
            Self::Syntax(message, line) => errors::plain("CompileError", &format!("{message} (line {line})")),
            Self::Quit => errors::plain(
                "CommandError",
                "`:quit` would end the kernel, and with it all variables. Jupyter's menu can do that: Kernel, Shut Down",
            ),
            Self::Environment => errors::plain(
                "KernelError",
                "the warm environment has been removed or damaged: run `taper install`, and then this cell again",
            ),
            Self::Folder => errors::plain(
                "KernelError",
                "the folder of this session has been removed, and no cell can be compiled any more: restart the kernel",
            ),
            Self::Dependency(error) => errors::plain("DependencyError", &format!("{error:#}")),
        }
    }
}
