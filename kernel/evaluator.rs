//! Evaluates cells, for the session's thread alone: each is compiled with what it needs of the session, and run by evcxr
//! in its child.

mod commands;
mod config;
pub mod dependencies;
mod failed;
mod plan;
mod shell;

pub use failed::Failed;

use crate::analyzer::Documentation;
use crate::build_display::BuildDisplay;
use crate::compiler::{Compiled, Compiler};
use crate::diagnostics::{Diagnostic, MOVES};
use crate::errors::LOAD_ERROR;
use crate::glue::{ErrorFormat, New, Runtime, Show, Variable, bare};
use crate::relay;
use crate::runner::{Outcome, Runner};
use crate::sources::Sources;
use crate::types::{self, Answers};
use crate::{cargo_for_evcxr, child, diagnostics, errors};
use anyhow::{Context, Result, anyhow, bail};
use cell::code::{Code, Place, Role, Source};
use cell::definitions::Definitions;
use cell::macros::Call;
use cell::{Binding, Cell, Dependency};
use commands::Settings;
use environment::{Cuda, Environment, OwnVariables, Toolchain, session_directory as directory};
use evcxr::{CommandContext, Error, EvalCallbacks, EvalContext, EvalOutputs};
use jupyter_protocol::{ReplyError, Stdio};
use plan::Plan;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use wire::{IoPub, Output, Stdin};

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

/// evcxr with its child, and the environment its cells are linked with.
pub struct Evaluator {
    context: CommandContext,
    compiler: Compiler,
    state: State,
    toolchain: Toolchain,
    cuda: Option<Cuda>,
    environment: Environment,
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

/// What became of a cell that has been run.
#[derive(Default)]
pub struct Ran {
    /// Why it failed, if it did.
    pub failure: Option<ReplyError>,
    /// What its commands have returned.
    pub commands: EvalOutputs,
    /// What it has shown last.
    pub result: Option<Map<String, Value>>,
}

const CANDLE_SPINS: &str = "CANDLE_BARRIER_POOL_SPIN_LIMIT";

/// What cells with `.await` at their top level are linked with, as evcxr has it.
const TOKIO: &str = "tokio = { version = \"1.34.0\", features = [\"rt\", \"rt-multi-thread\"] }";

impl Evaluator {
    /// Starts evcxr and its child.
    pub fn start(setting: &Setting, iopub: &IoPub, stdin: &Stdin) -> Result<Self> {
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

        let mut command = Command::new(crate::this_program()?);
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
            environment,
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
        let programs = format!(
            ":build_env RUSTC_WORKSPACE_WRAPPER={}\n:build_env RUSTC={}\n:build_env {}={}",
            setting.rustc.display(),
            evaluator.toolchain.rustc_path().display(),
            cargo_for_evcxr::CARGO,
            evaluator.toolchain.cargo_path().display()
        );
        evaluator.context.execute(&programs).map_err(|error| anyhow!("{error}"))?;
        evaluator.link_lab()?;
        Ok(evaluator)
    }

    /// Has cells linked with the `lab` of the environment, and runs what comes before the first of them: it has the system
    /// read what every cell needs.
    fn link_lab(&mut self) -> Result<()> {
        let flags = self.environment.rustflags();
        let build_env = format!(":build_env CARGO_ENCODED_RUSTFLAGS={flags}");
        self.context.execute(&build_env).map_err(|error| anyhow!("{error}"))?;
        self.compiler.flags = flags.split('\u{1f}').map(str::to_owned).collect();
        let first = Arc::new(Source { name: String::new(), code: "();".into() });
        let ran = self.run_rust(&first, &mut EvalCallbacks::default());
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
    pub fn run(&mut self, name: &str, cell: &str, callbacks: &mut EvalCallbacks) -> Result<Ran, Failed> {
        self.start_with_config(callbacks);
        let source = Arc::new(Source { name: name.to_owned(), code: cell.to_owned() });
        let ran = self.run_source(&source, callbacks);
        self.settings.note(&ran);
        ran
    }

    fn run_source(&mut self, source: &Arc<Source>, callbacks: &mut EvalCallbacks) -> Result<Ran, Failed> {
        let commands = self.run_commands(source, callbacks)?;
        let mut ran = Ran::default();
        if cell::commands(&source.code).code_start < source.code.len() {
            ran = self.run_rust(source, callbacks)?;
        }
        Ok(Ran { commands, ..ran })
    }

    /// Takes over what cargo has built for evcxr.
    fn link_dependencies(&mut self) -> Result<(), Failed> {
        if let Some(dependencies) =
            cargo_for_evcxr::take_dependencies(&self.evcxr_folder).map_err(Failed::Kernel)?
        {
            self.compiler.dependencies = dependencies;
        }
        Ok(())
    }

    /// Compiles and runs the Rust code of a cell.
    fn run_rust(&mut self, source: &Arc<Source>, callbacks: &mut EvalCallbacks) -> Result<Ran, Failed> {
        self.check_folders()?;
        let parsed = cell::parse(&source.code);
        if parsed.syntax_error.is_some() {
            self.check_syntax(source, &parsed)?;
        }
        loop {
            let plan = self.plan(source, &parsed)?;
            let plan = self.compile(plan)?;
            plan.announce(&self.iopub);
            let outcome = self.load(&plan, callbacks)?;
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

    /// Finds out what is wrong with a cell that does not seem to be Rust. If rustc can read it, it is.
    fn check_syntax(&self, source: &Arc<Source>, parsed: &Cell) -> Result<(), Failed> {
        let place = |range| Place { source: Arc::clone(source), range };
        if let Some(byte) = parsed.unmatched_closing(&source.code) {
            let message = format!("unexpected closing delimiter: `{}`", &source.code[byte..byte + 1]);
            return Err(Failed::Compiler(vec![diagnostics::at(&message, &place(byte..byte + 1))]));
        }
        let mut code = Code::new();
        let end = source.code.trim_end().len();
        code.generate("fn cell() {\n").copy(source, parsed.code_start..source.code.len());
        code.generate_for(Role::End, Some(place(end..end)), "\n}\n");
        let messages = self.compiler.parse(&code).map_err(Failed::Kernel)?;
        let mut diagnostics = diagnostics::read(&messages, &code);
        diagnostics.retain(|diagnostic| diagnostic.is_error);
        if diagnostics.is_empty() { Ok(()) } else { Err(Failed::Compiler(diagnostics)) }
    }

    /// Prepares a cell for being compiled.
    fn plan(&mut self, source: &Arc<Source>, parsed: &Cell) -> Result<Plan, Failed> {
        let macros = self.item_macros(source, parsed)?;
        let change = self.state.definitions.with(parsed, source, &macros);
        let is_outdated = |variable: &&Variable| {
            change.concerns(&variable.type_name)
                || variable.declared && change.concerns_imports(&variable.type_name)
        };
        let outdated: Vec<Variable> = self.state.variables.values().filter(is_outdated).cloned().collect();
        let words = parsed.words(&macros);
        let is_used = |variable: &&Variable| {
            words.contains(bare(&variable.name)) && outdated.iter().all(|other| other.name != variable.name)
        };
        let earlier = self.state.variables.values().filter(is_used).cloned().collect();
        let is_attribute = |piece: &&cell::Piece| piece.is_inner_attribute();
        let attributes = parsed
            .pieces
            .iter()
            .filter(is_attribute)
            .map(|piece| source.code[piece.range.clone()].to_owned());
        let elsewhere = parsed
            .pieces
            .iter()
            .filter(|piece| piece.is_item() || piece.is_inner_attribute() || macros.contains(&piece.range));
        let uses_tokio = self.compiler.links("tokio")
            && (words.contains("tokio") || change.definitions.code().text().contains("tokio"));
        let mut plan = Plan {
            source: Arc::clone(source),
            start: parsed.code_start,
            attributes: self.state.attributes.iter().cloned().chain(attributes).collect(),
            items: elsewhere.map(|piece| piece.range.clone()).collect(),
            returns: cell::bare_returns(parsed),
            result: parsed.result.clone().filter(|result| macros.iter().all(|call| call.end != result.end)),
            show: self.state.show.clone().unwrap_or(Show::Choose),
            errors: self.state.errors,
            runtime: if uses_tokio { Runtime::Entered } else { Runtime::None },
            definitions: change.definitions,
            outdated,
            earlier,
            moved: BTreeSet::new(),
            new: Vec::new(),
            declared: BTreeSet::new(),
            consumed: BTreeSet::new(),
            not_kept_at: BTreeSet::new(),
            nameless: Vec::new(),
            code: Code::new(),
            library: PathBuf::new(),
            warnings: Vec::new(),
        };
        self.find_types(&mut plan, parsed)?;
        Ok(plan)
    }

    /// The macro calls among the statements of a cell that stand for items.
    fn item_macros(&mut self, source: &Arc<Source>, parsed: &Cell) -> Result<Vec<Range<usize>>, Failed> {
        let calls = cell::macros::calls(parsed);
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let definitions = self.state.definitions.with(parsed, source, &[]).definitions;
        let mut found = Vec::new();
        for call in calls {
            let known = definitions.macro_defines_items(call.name()).or_else(|| call.is_known());
            let known = known.or_else(|| self.state.macros.get(&call.path).copied());
            let stands_for_items = match known {
                Some(known) => known,
                None => {
                    let known = self.is_item(source, &definitions, &call)?;
                    *self.state.macros.entry(call.path.clone()).or_insert(known)
                }
            };
            if stands_for_items {
                found.push(call.range);
            }
        }
        Ok(found)
    }

    /// Whether a macro call can stand where only items can.
    fn is_item(&self, source: &Arc<Source>, definitions: &Definitions, call: &Call) -> Result<bool, Failed> {
        let mut code = Code::new();
        code.generate("#![allow(warnings)]\n").append(&definitions.code());
        code.generate("mod taper_cell { use super::*;\n").copy(source, call.range.clone()).generate("\n}\n");
        let checked = self.compiler.check(&code).map_err(Failed::Kernel)?;
        Ok(!diagnostics::read(&checked, &code).iter().any(|diagnostic| diagnostic.is_error))
    }

    /// Finds the types of the new variables, of those that have the same name the last.
    fn find_types(&mut self, plan: &mut Plan, parsed: &Cell) -> Result<(), Failed> {
        let bindings = &parsed.bindings;
        let is_last = |(index, binding): &(usize, &Binding)| {
            bindings[index + 1..].iter().all(|later| later.name != binding.name)
        };
        let last: Vec<&Binding> =
            bindings.iter().enumerate().filter(is_last).map(|(_, binding)| binding).collect();
        let questions: Vec<&str> = last
            .iter()
            .filter(|binding| binding.declared.is_none())
            .map(|binding| binding.name.as_str())
            .collect();
        let doubtful: Vec<&str> = last
            .iter()
            .filter(|binding| binding.may_be_constant)
            .map(|binding| binding.name.as_str())
            .collect();
        let mut answers = Answers::default();
        if !questions.is_empty() || !doubtful.is_empty() {
            let attributes = plan.attributes();
            let probe = plan.glue(&attributes).probe(&questions, &doubtful);
            let messages = self.compiler.probe(&probe).map_err(Failed::Kernel)?;
            answers = types::answers(&messages, &probe);
        }
        for binding in last {
            let Binding { name, mutable, place, declared, may_be_constant, .. } = binding;
            if *may_be_constant && !answers.variables.contains(name) {
                continue;
            }
            let type_name = match (declared, answers.types.get(name)) {
                (Some(declared), _) => Some(declared.clone()),
                (None, Some(spelled)) => match types::nameable(name, spelled) {
                    Ok(type_name) => Some(type_name),
                    // To be used in this very cell is all that it can be there for.
                    Err(reason) if parsed.is_used_after(name, place) => {
                        plan.nameless.extend(reason.lines().next().map(str::to_owned));
                        continue;
                    }
                    Err(reason) => return Err(Failed::Unnameable(reason)),
                },
                (None, None) => None,
            };
            if declared.is_some() {
                plan.declared.insert(name.clone());
            }
            let place = Place { source: Arc::clone(&plan.source), range: place.clone() };
            plan.new.push(New { name: name.clone(), type_name, mutable: *mutable, place });
        }
        Ok(())
    }

    /// Compiles a cell. Of some errors rustc says enough to mend them: then it is compiled again.
    fn compile(&mut self, mut plan: Plan) -> Result<Plan, Failed> {
        loop {
            let attributes = plan.attributes();
            plan.code = plan.glue(&attributes).code();
            let Compiled { library, messages } = self.compiler.build(&plan.code).map_err(Failed::Kernel)?;
            let mut diagnostics = diagnostics::read(&messages, &plan.code);
            if let Some(library) = library {
                plan.library = library;
                diagnostics.retain(|warning| warning.is_about(&plan.source) && !plan.is_for_later(warning));
                plan.warnings = diagnostics.into_iter().map(|warning| warning.rendered).collect();
                return Ok(plan);
            }
            if diagnostics.iter().any(Diagnostic::is_of_environment) {
                return Err(Failed::Environment);
            }
            diagnostics.retain(|diagnostic| diagnostic.is_error);
            // Each change takes something away, so this comes to an end.
            let mut is_mended = false;
            for error in &diagnostics {
                is_mended |= self.mend(&mut plan, error)?;
            }
            if !is_mended {
                diagnostics.retain(|diagnostic| diagnostic.is_shown);
                if diagnostics.is_empty() {
                    let error = anyhow!("the compiler says of this cell: {messages}");
                    return Err(Failed::Kernel(error));
                }
                return Err(Failed::Compiler(diagnostics));
            }
        }
    }

    /// Changes the plan so that an error is gone; returns whether it could.
    fn mend(&mut self, plan: &mut Plan, error: &Diagnostic) -> Result<bool, Failed> {
        let is_move = MOVES.contains(&error.code.as_str());
        Ok(match &error.role {
            Some(Role::Restore(name)) if is_move => plan.moved.insert(name.clone()),
            Some(Role::Keep(name)) if is_move => plan.consumed.insert(name.clone()),
            Some(Role::KeepAtReturn(name, at)) if is_move => plan.not_kept_at.insert((name.clone(), *at)),
            Some(Role::Runtime) if plan.runtime == Runtime::Entered => {
                plan.runtime = Runtime::None;
                true
            }
            Some(Role::Result) if matches!(plan.show, Show::Choose | Show::Method) => {
                // "multiple applicable items": a trait of the user's shows it.
                let is_ambiguous = error.code == "E0034" && plan.show == Show::Choose;
                plan.show = if is_ambiguous { Show::Method } else { Show::Debug };
                true
            }
            // It may show itself in another way, as plots do.
            Some(Role::Result)
                if matches!(plan.show, Show::Format { .. }) && error.message.contains("Debug") =>
            {
                plan.show = Show::Choose;
                true
            }
            _ if error.code == "E0728" && plan.runtime != Runtime::Blocked => {
                self.have_tokio()?;
                plan.runtime = Runtime::Blocked;
                true
            }
            _ if IN_THE_WAY.contains(&error.code.as_str()) => {
                let earlier = error.places.iter().filter(|place| !place.is_of(&plan.source));
                let removed: Vec<bool> = earlier.map(|place| plan.definitions.remove_at(place)).collect();
                removed.contains(&true)
            }
            _ => false,
        })
    }

    /// Sees to it that cells can wait for what is asynchronous.
    fn have_tokio(&mut self) -> Result<(), Failed> {
        if !self.compiler.links("tokio") {
            let tokio = Dependency::parse(TOKIO).map_err(|fault| Failed::Kernel(fault.into()))?;
            self.add(vec![tokio])?;
        }
        self.state.is_async = true;
        Ok(())
    }

    /// Has the child run a compiled cell.
    fn load(&mut self, plan: &Plan, callbacks: &mut EvalCallbacks) -> Result<Outcome, Failed> {
        self.sources.lock().unwrap().loaded(&plan.library, plan.code.lines());
        self.used = true;
        let run = format!(":build_env {}={}\n();", cargo_for_evcxr::LIBRARY, plan.library.display());
        let ended = match self.context.execute_with_callbacks(&run, callbacks) {
            // It was ended when the cell was just over. evcxr notices it, and starts another, when there is something to run.
            Ok(_) if self.runner.was_killed() => match self.context.execute("();") {
                Err(error @ Error::SubprocessTerminated(_)) => error,
                _ => Error::SubprocessTerminated(String::new()),
            },
            Ok(_) => {
                let _ = self.context.execute(&format!(":build_env {}=", cargo_for_evcxr::LIBRARY));
                let outcome = self.runner.outcome();
                // evcxr gives the library another name, in the same folder.
                if Path::new(&outcome.library).parent() != plan.library.parent() {
                    let error = anyhow!("evcxr has run {} in the place of the cell", outcome.library);
                    return Err(Failed::Kernel(error));
                }
                return Ok(outcome);
            }
            Err(error) => error,
        };
        let _ = self.context.execute(&format!(":build_env {}=", cargo_for_evcxr::LIBRARY));
        if matches!(ended, Error::SubprocessTerminated(_)) {
            // What the cell has defined is text, and has not gone with the process.
            self.state.definitions = plan.definitions.clone();
            self.state.attributes = plan.attributes.clone();
        }
        Err(Failed::Evcxr(ended))
    }

    /// Takes note of what a cell that has been run has left.
    fn accept(&mut self, plan: Plan, outcome: Outcome) -> Ran {
        let sources = self.sources.lock().unwrap();
        let mut failure = outcome.failure.map(|failure| errors::from_failure(&failure, &sources));
        drop(sources);
        let is_loaded = failure.as_ref().is_none_or(|failure| failure.ename != LOAD_ERROR);
        if !is_loaded {
            return Ran { failure, ..Ran::default() };
        }
        let variables = &mut self.state.variables;
        for variable in &plan.outdated {
            variables.remove(bare(&variable.name));
        }
        let mut gone = Vec::new();
        for name in &plan.moved {
            variables.remove(bare(name));
            gone.push(format!("`{name}` is gone: the cell had moved it before it failed."));
        }
        for New { name, type_name, mutable, .. } in plan.new {
            let is_kept = outcome.kept.iter().any(|kept| kept == bare(&name));
            if let Some(type_name) = type_name.filter(|_| is_kept) {
                let declared = plan.declared.contains(&name);
                variables.insert(bare(&name).to_owned(), Variable { name, type_name, mutable, declared });
            }
        }
        if let Some(failure) = &mut failure {
            errors::add_lines(failure, gone);
        }
        self.state.definitions = plan.definitions;
        self.state.attributes = plan.attributes;
        Ran { failure, commands: EvalOutputs::new(), result: outcome.result }
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

    /// Changes to the `lab` that a cell asks for, if it is not the one in use: it is being worked on, or has other
    /// features. The process that runs the cells has loaded the one before, and is started anew.
    fn use_lab(&mut self, dependency: &Dependency) -> Result<()> {
        let lab = dependencies::wanted_lab(dependency, Path::new(""))?;
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
        self.context.execute(":restart").map_err(|error| anyhow!("{error}"))?;
        self.link_lab()
    }
}

/// Has a link lead to `target`, wherever it led before.
fn point(link: &Path, target: &Path) -> Result<()> {
    let _ = fs::remove_file(link);
    symlink(target, link).with_context(|| format!("cannot write {}", link.display()))
}

/// Errors that rustc reports when a definition is in the way of another one.
const IN_THE_WAY: [&str; 7] = ["E0119", "E0592", "E0428", "E0255", "E0252", "E0254", "E0260"];
