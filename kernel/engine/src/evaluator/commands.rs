//! Carries out the commands at the start of a cell, such as `:vars`, in order.

pub(super) mod answer;
mod settings;
mod type_of;

use super::crates;
use super::{Ask, Data, Evaluator, Failed, Ran};
use crate::diagnostics::{self, Diagnostic};
use crate::errors;
use crate::glue::ErrorFormat;
use crate::types;
use answer::{Answer, escaped};
use cell::code::{Place, Source};
use cell::commands::COMMANDS;
use cell::{Command, Commands, Dependency};
use jupyter_protocol::{MediaType, Stdio};
use serde_json::Map;
use settings::{DEFAULT_FORMAT, LINKERS};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::mem::take;
use std::sync::Arc;
use wire::Output;

/// The settings of commands, and the state that they keep between cells.
#[derive(Default)]
pub struct Settings {
    /// Whether to print how long each cell took.
    pub timing: bool,
    /// Whether cargo must not use the network.
    pub offline: bool,
    /// The crates that cells have added; the latest `:dep` line for each crate counts.
    pub dependencies: Vec<Dependency>,
    /// The environment variables that the next child will start with.
    environment: BTreeMap<String, String>,
    linker: Option<String>,
    codegen_backend: Option<String>,
    /// Whether evcxr.toml has been read.
    pub(super) has_config: bool,
    /// Whether evcxr.toml is being loaded, so that a `:load_config` in it does not recurse.
    pub(super) is_loading: bool,
    /// The errors of the last cell that did not compile: the error code, such as `E0308`, and rustc's JSON.
    errors: Vec<(String, String)>,
}

impl Settings {
    /// Remembers the errors of a cell that did not compile.
    pub fn note(&mut self, ran: &Result<Ran, Failed>) {
        if let Err(Failed::Compiler(diagnostics)) = ran {
            let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error);
            self.errors = errors.map(|error| (error.code.clone(), error.json.clone())).collect();
        }
    }
}

/// Why a command was not carried out.
pub(super) enum Stop {
    /// The command asks for something impossible; the reason in one line.
    Refused(String),
    Failed(Failed),
}

impl From<String> for Stop {
    fn from(text: String) -> Self {
        Self::Refused(text)
    }
}

impl From<Failed> for Stop {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

impl From<evcxr::Error> for Stop {
    fn from(error: evcxr::Error) -> Self {
        Self::Failed(error.into())
    }
}

pub(super) type Answered = Result<Answer, Stop>;

impl Evaluator {
    /// Carries out the commands of a cell. If the cell consists of commands only, their answers are its result; otherwise they
    /// are shown before the code runs.
    pub(super) fn run_commands(&mut self, source: &Arc<Source>, ask: Ask) -> Result<Data, Failed> {
        let Commands { commands, code_start } = cell::commands(&source.code);
        check(&commands, source)?;
        let mut answer = Answer::default();
        let done = self.run_each(&commands, source, ask, &mut answer);
        if done.is_err() || code_start < source.code.len() {
            let data = take(&mut answer).into_data();
            if !data.is_empty() {
                let metadata = Map::new();
                self.iopub.output(Output::Display { data, metadata, display_id: None, update: false });
            }
        }
        done.map(|()| answer.into_data())
    }

    fn run_each(
        &mut self,
        commands: &[Command],
        source: &Arc<Source>,
        ask: Ask,
        answer: &mut Answer,
    ) -> Result<(), Failed> {
        // The crates of consecutive `:dep` lines are built together.
        let mut added = Vec::new();
        for command in commands {
            let refused = |text: String| refusal(&text, command, source);
            if let Some(Ok(dependency)) = command.dependency() {
                added.push(crates::resolve(dependency).map_err(refused)?);
                continue;
            }
            self.add(take(&mut added))?;
            match self.run_command(command, source, ask) {
                Ok(next) => answer.append(next),
                Err(Stop::Refused(text)) => return Err(refused(text)),
                Err(Stop::Failed(failed)) => return Err(failed),
            }
        }
        self.add(added)
    }

    fn run_command(&mut self, command: &Command, source: &Arc<Source>, ask: Ask) -> Answered {
        let argument = command.argument;
        let given = (!argument.is_empty()).then_some(argument);
        if command.is_shell() {
            return self.run_shell(argument);
        }
        let name = command.specification().and_then(|command| command.alias_of).unwrap_or(command.name);
        Ok(Answer::line(match name {
            ":allow_static_linking" => {
                no_effect(name, "`lab` and the crates of `:dep` lines are shared libraries in any case")
            }
            ":build_env" => self.set_build_variable(argument)?,
            ":cache" | ":clear_cache" | ":sccache" => {
                let text = no_effect(name, "`lab` and its dependencies are compiled once for all sessions");
                self.iopub.output(Output::Stream(Stdio::Stdout, text + "\n"));
                return Ok(Answer::default());
            }
            ":clear" => {
                self.clear()?;
                return Ok(Answer::default());
            }
            ":codegen_backend" => {
                if let Some(backend) = given {
                    let backend = Some(backend.to_owned()).filter(|backend| backend != "default");
                    let before = std::mem::replace(&mut self.settings.codegen_backend, backend);
                    self.try_flags().inspect_err(|_| self.settings.codegen_backend = before)?;
                }
                format!("codegen backend: {}", self.settings.codegen_backend.as_deref().unwrap_or("default"))
            }
            ":doc" => return self.describe(command, source),
            ":edition" => {
                if let Some(edition) = given {
                    edition.clone_into(&mut self.compiler.edition);
                }
                format!("Edition: {}", self.compiler.edition)
            }
            ":efmt" => {
                if let Some(format) = given {
                    self.state.errors = match format {
                        "{:?}" => ErrorFormat::Debug,
                        "{:#?}" => ErrorFormat::Pretty,
                        _ => ErrorFormat::Display,
                    };
                }
                let (format, implemented) = match self.state.errors {
                    ErrorFormat::Display => ("{}", "Display"),
                    ErrorFormat::Debug => ("{:?}", "Debug"),
                    ErrorFormat::Pretty => ("{:#?}", "Debug"),
                };
                format!("Error format: {format} (errors must implement std::fmt::{implemented})")
            }
            ":env" => self.set_variable(argument)?,
            ":explain" => self.explain()?,
            ":fmt" => {
                let (_, types) = self.format();
                let format = given.unwrap_or(DEFAULT_FORMAT);
                self.check_format(format)?;
                self.show_as(format.to_owned(), types);
                format!("Output format: {format}")
            }
            ":help" => return Ok(help()),
            ":internal_debug" => no_effect(
                name,
                "the crate that is generated for a cell is in the folder that `:last_compile_dir` prints",
            ),
            ":last_compile_dir" => self.compiler.folder().display().to_string(),
            ":last_error_json" => {
                let errors = self.settings.errors.iter();
                let lines: Vec<&str> =
                    errors.map(|(_, json)| json.as_str()).filter(|json| !json.is_empty()).collect();
                if lines.is_empty() {
                    return Err("no cell has failed to compile yet".to_owned().into());
                }
                lines.join("\n")
            }
            ":linker" => {
                if let Some(linker) = given {
                    if !LINKERS.contains(&linker) {
                        return Err(
                            format!("a linker is one of {}, not `{linker}`", LINKERS.join(", ")).into()
                        );
                    }
                    let linker = Some(linker.to_owned()).filter(|linker| linker != LINKERS[0]);
                    let before = std::mem::replace(&mut self.settings.linker, linker);
                    self.try_flags().inspect_err(|_| self.settings.linker = before)?;
                }
                format!("linker: {}", self.settings.linker.as_deref().unwrap_or(LINKERS[0]))
            }
            ":load_config" => {
                let text = match self.load_config(ask)? {
                    Some(path) => format!("Loaded {}", path.display()),
                    None => "There is no evcxr.toml, here or in the configuration folder of evcxr".into(),
                };
                if given.is_some() {
                    return Ok(Answer::default());
                }
                text
            }
            ":offline" => {
                self.settings.offline = argument == "1";
                format!("Offline mode: {}", argument == "1")
            }
            ":opt" => {
                let other = if self.compiler.opt_level == "2" { "0" } else { "2" };
                let level = given.unwrap_or(other);
                self.context.execute(&format!(":opt {level}"))?;
                level.clone_into(&mut self.compiler.opt_level);
                format!("Optimization: {level}")
            }
            ":preserve_vars_on_panic" => no_effect(name, "variables are kept in any case"),
            ":restart" => {
                self.context.execute(":restart")?;
                self.used = false;
                let lost = self.forget_variables();
                format!("Child process restarted. {}", errors::gone(&lost))
            }
            ":show_deps" => {
                let mut lines: Vec<String> =
                    self.settings.dependencies.iter().map(Dependency::to_string).collect();
                if lines.is_empty() {
                    return Ok(Answer::default());
                }
                lines.sort();
                lines.join("\n")
            }
            ":time_passes" => {
                no_effect(name, "only a nightly rustc can do this; `:timing` shows how long a cell takes")
            }
            ":timing" => {
                self.settings.timing = !self.settings.timing;
                format!("Timing: {}", self.settings.timing)
            }
            ":toolchain" => self.check_toolchain(given)?,
            ":type" => return self.type_of(command, source),
            ":types" => {
                let (format, types) = self.format();
                self.show_as(format, !types);
                format!("Types: {}", !types)
            }
            ":vars" => return Ok(self.list_variables()),
            ":version" => concat!("taper ", env!("CARGO_PKG_VERSION"), ", on evcxr 0.22.0").into(),
            _ => return Err(format!("`{name}` cannot be carried out here").into()),
        }))
    }

    /// Forgets what cells have defined and the crates that they have added. The compiled crates stay in the cache.
    fn clear(&mut self) -> Result<(), Stop> {
        self.context.execute(":clear")?;
        self.state = super::State::default();
        self.unlink_crates().map_err(Failed::Dependency)?;
        self.used = false;
        Ok(())
    }

    fn list_variables(&self) -> Answer {
        let mut text = String::new();
        let mut html = "<table><tr><th>Variable</th><th>Type</th></tr>".to_owned();
        for (name, type_name) in self.variables() {
            let type_name = types::shown(&type_name);
            _ = writeln!(text, "{name}: {type_name}");
            _ = write!(html, "<tr><td>{}</td><td>{}</td></tr>", escaped(&name), escaped(&type_name));
        }
        html.push_str("</table>");
        Answer { text, html: Some(html) }
    }

    /// Shows the same documentation as Shift-Tab.
    fn describe(&self, command: &Command, source: &Arc<Source>) -> Answered {
        // With the commands before it, which may add the crate whose documentation is wanted.
        let code = source.code[..command.range.start].to_owned() + command.argument;
        let help = self.documentation.as_ref().map(|documentation| documentation(code)).unwrap_or_default();
        let (mut text, mut html) = (format!("No documentation found for `{}`\n", command.argument), None);
        for media in help {
            match media {
                MediaType::Plain(plain) => text = plain,
                MediaType::Html(page) => html = Some(page),
                _ => {}
            }
        }
        Ok(Answer { text, html })
    }

    /// Prints a line to the cell's standard error.
    pub(super) fn warn(&self, text: &str) {
        self.iopub.output(Output::Stream(Stdio::Stderr, format!("{text}\n")));
    }
}

fn no_effect(name: &str, reason: &str) -> String {
    format!("`{name}` has no effect here: {reason}")
}

/// Refuses a cell if any of its commands is malformed, and stops at `:quit`.
fn check(commands: &[Command], source: &Arc<Source>) -> Result<(), Failed> {
    let place = |range| Place { source: Arc::clone(source), range };
    let faults = commands.iter().filter_map(Command::fault);
    let faults: Vec<Diagnostic> =
        faults.map(|fault| diagnostics::at(&fault.message, &place(fault.range))).collect();
    if !faults.is_empty() {
        return Err(Failed::Command(faults));
    }
    match commands.iter().any(|command| command.name == ":quit") {
        true => Err(Failed::Quit),
        false => Ok(()),
    }
}

/// An error that points to the argument of a command.
pub(super) fn refusal(text: &str, command: &Command, source: &Arc<Source>) -> Failed {
    let range = if command.argument.is_empty() { command.range.clone() } else { command.argument_range() };
    Failed::Command(vec![diagnostics::at(text, &Place { source: Arc::clone(source), range })])
}

fn help() -> Answer {
    let (mut text, mut html) = (String::new(), "<table>".to_owned());
    for command in COMMANDS {
        _ = writeln!(text, "{:<17} {}", command.name, command.help);
        _ = write!(html, "<tr><td>{}</td><td>{}</td></tr>", command.name, escaped(command.help));
    }
    html.push_str("</table>");
    Answer { text, html: Some(html) }
}
