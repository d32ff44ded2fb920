//! The commands that a cell starts with, such as `:vars`, carried out one after the other.

use super::crates;
use super::{Ask, Data, Evaluator, Failed, Ran};
use crate::diagnostics::{self, Diagnostic};
use crate::glue::{ErrorFormat, Show};
use crate::types;
use crate::{child, errors};
use cell::code::{Code, Place, Source};
use cell::commands::COMMANDS;
use cell::{Command, Commands, Dependency};
use jupyter_protocol::{MediaType, Stdio};
use serde_json::Map;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::mem::take;
use std::process;
use std::sync::Arc;
use wire::Output;

/// What commands have set, and what they have to remember.
#[derive(Default)]
pub struct Settings {
    /// Whether to say of each cell how long it took.
    pub timing: bool,
    /// Whether cargo must do without a network.
    pub offline: bool,
    /// The crates that have been added, as their `:dep` lines would have them today.
    pub dependencies: Vec<Dependency>,
    /// What the next process that runs cells finds in its environment.
    environment: BTreeMap<String, String>,
    linker: Option<String>,
    codegen_backend: Option<String>,
    /// Whether evcxr.toml has been read.
    pub(super) has_config: bool,
    /// Whether it is being carried out, so that none of its commands can begin with it again.
    pub(super) is_loading: bool,
    /// The errors of the last cell that did not compile: their codes, and rustc's JSON.
    errors: Vec<(String, String)>,
}

impl Settings {
    /// Remembers why a cell does not compile.
    pub fn note(&mut self, ran: &Result<Ran, Failed>) {
        if let Err(Failed::Compiler(diagnostics)) = ran {
            let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error);
            self.errors = errors.map(|error| (error.code.clone(), error.json.clone())).collect();
        }
    }
}

/// What a command answers.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Answer {
    text: String,
    html: Option<String>,
}

impl Answer {
    fn line(text: impl Into<String>) -> Self {
        Self { text: text.into() + "\n", html: None }
    }

    /// Adds the answer of the next command.
    fn append(&mut self, next: Self) {
        if self.html.is_some() || next.html.is_some() {
            let html = |answer: &Self| match &answer.html {
                Some(html) => html.clone(),
                None if answer.text.is_empty() => String::new(),
                None => format!("<pre>{}</pre>", escaped(&answer.text)),
            };
            self.html = Some(html(self) + &html(&next));
        }
        if !(self.text.is_empty() || self.text.ends_with('\n')) {
            self.text.push('\n');
        }
        self.text.push_str(&next.text);
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.html.is_none()
    }

    fn into_data(self) -> Data {
        let mut data = Data::new();
        if !self.is_empty() {
            data.insert("text/plain".into(), self.text.into());
        }
        data.extend(self.html.map(|html| ("text/html".into(), html.into())));
        data
    }
}

/// Why a command was not carried out.
pub(super) enum Stop {
    /// It asks for what cannot be; one line of text.
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
    /// Carries out the commands of a cell. What they answer is the result of a cell that has nothing else; otherwise it is
    /// shown before the rest runs.
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
        // Crates that follow each other are built together.
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
                no_effect(name, "`lab` is a shared library, and other crates are linked into each cell")
            }
            ":build_env" => self.set_build_variable(argument)?,
            ":cache" | ":clear_cache" | ":sccache" => {
                let text = no_effect(name, "`lab` and all it brings is compiled once for all sessions");
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
                "the crate that is made of a cell is in the folder that `:last_compile_dir` names",
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
                no_effect(name, "rustc tells it to nightly users only; `:timing` says how long a cell takes")
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

    /// Forgets what cells have defined, and the crates that they have added. What is compiled stays.
    fn clear(&mut self) -> Result<(), Stop> {
        self.context.execute(":clear")?;
        self.state = super::State::default();
        self.unlink_crates().map_err(Failed::Dependency)?;
        self.used = false;
        Ok(())
    }

    /// The format of results, and whether their types are shown.
    fn format(&self) -> (String, bool) {
        match &self.state.show {
            Some(Show::Format { format, types }) => (format.clone(), *types),
            _ => (DEFAULT_FORMAT.into(), false),
        }
    }

    fn show_as(&mut self, format: String, types: bool) {
        let is_default = format == DEFAULT_FORMAT && !types;
        self.state.show = (!is_default).then_some(Show::Format { format, types });
    }

    /// Refuses what `format!` does not take.
    fn check_format(&self, format: &str) -> Result<(), Stop> {
        let mut code = Code::new();
        code.generate(&format!(
            "pub fn shown(value: &f64) -> String {{ ::std::format!({format:?}, value) }}"
        ));
        let messages = self.compiler.check(&code).map_err(Failed::Kernel)?;
        // That numbers with a point cannot be shown so says nothing of other types.
        let is_fault = |error: &Diagnostic| error.is_error && error.code != "E0277";
        match diagnostics::read(&messages, &code).into_iter().find(is_fault) {
            Some(fault) => Err(format!("`{format}` is no format for a value: {}", fault.message).into()),
            None => Ok(()),
        }
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

    /// The type of a variable, or of any expression.
    fn type_of(&mut self, command: &Command, source: &Arc<Source>) -> Answered {
        let asked = command.argument;
        let variable = self.state.variables.values().find(|variable| variable.name == asked);
        let type_name = match variable {
            Some(variable) => variable.type_name.clone(),
            None => self.type_of_expression(command, source)?,
        };
        let text = format!("{asked}: {}", types::shown(&type_name));
        let html = Some(format!("<div>{}</div>", escaped(&text)));
        Ok(Answer { text, html })
    }

    fn type_of_expression(&mut self, command: &Command, source: &Arc<Source>) -> Result<String, Failed> {
        const NAME: &str = "value";
        let asked = command.argument_range();
        // What is wrong with it is said of the cell as it stands.
        let cell = source.code[..asked.end].to_owned();
        let expression = Arc::new(Source { name: source.name.clone(), code: cell });
        let code = format!("let {NAME} = {};", &source.code[asked.clone()]);
        let definition = Arc::new(Source { name: source.name.clone(), code });
        let mut parsed = cell::parse(&definition.code);
        if parsed.syntax_error.is_some() {
            parsed.code_start = asked.start;
            self.check_syntax(&expression, &parsed)?;
            return Err(refusal("this is no expression", command, source));
        }
        parsed.bindings.clear();
        let mut plan = self.plan(&definition, &parsed)?;
        let attributes = plan.attributes();
        let probe = plan.glue(&attributes).probe(&[NAME], &[]);
        let messages = self.compiler.probe(&probe).map_err(Failed::Kernel)?;
        let is_fault = |error: &Diagnostic| error.is_error && error.is_of_cell();
        if let Some(type_name) = types::answers(&messages, &probe).types.remove(NAME)
            && !diagnostics::read(&messages, &probe).iter().any(is_fault)
        {
            return Ok(types::nameable(NAME, &type_name).unwrap_or(type_name));
        }
        (plan.source, plan.start, plan.items) = (expression, asked.start, Vec::new());
        let code = plan.glue(&attributes).probe(&[], &[]);
        let messages = self.compiler.check(&code).map_err(Failed::Kernel)?;
        let mut errors = diagnostics::read(&messages, &code);
        errors.retain(is_fault);
        if errors.is_empty() {
            return Err(refusal("this has no type", command, source));
        }
        Err(Failed::Compiler(errors))
    }

    /// Documentation, as Shift-Tab shows it.
    fn describe(&self, command: &Command, source: &Arc<Source>) -> Answered {
        // The commands before it may have added the crate that it is about.
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

    fn set_build_variable(&mut self, assignment: &str) -> Result<String, Stop> {
        let (key, value) = variable(assignment)?;
        if OWN_BUILD_VARIABLES.contains(&key) || key.starts_with("TAPER_") {
            return Err(format!("`{key}` is taper's own: what cells are linked with depends on it").into());
        }
        self.context.execute(&format!(":build_env {key}={value}"))?;
        self.compiler.environment.insert(key.to_owned(), value.to_owned());
        Ok(format!("Set {key}={value} for build"))
    }

    fn set_variable(&mut self, assignment: &str) -> Result<String, Stop> {
        let (key, value) = variable(assignment)?;
        self.settings.environment.insert(key.to_owned(), value.to_owned());
        let written = serde_json::to_string(&self.settings.environment).map_err(anyhow::Error::from);
        let file = child::environment_file(&self.lab_link);
        let written = written.and_then(|json| Ok(fs::write(&file, json)?));
        written.map_err(Failed::Kernel)?;
        Ok(format!("Set {key}={value} (use :restart command to reload child process)"))
    }

    /// rustc's explanations of the last errors.
    fn explain(&self) -> Result<String, Stop> {
        let mut codes: Vec<&str> = self.settings.errors.iter().map(|(code, _)| code.as_str()).collect();
        codes.dedup();
        codes.retain(|code| code.starts_with('E'));
        if self.settings.errors.is_empty() {
            return Err("no cell has failed to compile yet".to_owned().into());
        }
        if codes.is_empty() {
            return Err("rustc has no explanation of the last error".to_owned().into());
        }
        let mut text = String::new();
        for code in codes {
            let rustc = process::Command::new(&self.compiler.rustc).args(["--explain", code]).output();
            let rustc = rustc.map_err(|error| Failed::Kernel(error.into()))?;
            text.push_str(&String::from_utf8_lossy(&rustc.stdout));
        }
        Ok(text.trim_end().to_owned())
    }

    /// Compiles with the linker and the backend that have been set, and takes them over if that works.
    fn try_flags(&mut self) -> Result<(), Stop> {
        let linker = self.settings.linker.iter().map(|linker| format!("-Clink-arg=-fuse-ld={linker}"));
        let backend =
            self.settings.codegen_backend.iter().map(|backend| format!("-Zcodegen-backend={backend}"));
        let before = std::mem::replace(&mut self.compiler.chosen, linker.chain(backend).collect());
        let code = Code::new();
        let built = self.compiler.build(&code);
        if matches!(&built, Ok(built) if built.library.is_some()) {
            return Ok(());
        }
        self.compiler.chosen = before;
        let messages = built.map_err(Failed::Kernel)?.messages;
        let error = diagnostics::read(&messages, &code).into_iter().find(|diagnostic| diagnostic.is_error);
        let error = error.map(|error| error.message);
        // Options are read before there is anything to say in JSON.
        let error = error
            .or_else(|| Some(messages.lines().find_map(|line| line.strip_prefix("error: "))?.to_owned()));
        Err(error.unwrap_or_else(|| "it does not work with this compiler".into()).into())
    }

    /// Says which toolchain is in use, and refuses others.
    fn check_toolchain(&self, wanted: Option<&str>) -> Result<String, Stop> {
        let version = self.toolchain.version.lines().next().unwrap_or_default();
        let Some(wanted) = wanted else { return Ok(format!("Toolchain: {version}")) };
        match self.toolchain.version_of(wanted) {
            Some(other) if other == self.toolchain.version => Ok(format!("Toolchain: {wanted} ({version})")),
            Some(other) => Err(format!(
                "`lab` was compiled by {version}, and cells of {} could not be linked with it",
                other.lines().next().unwrap_or(wanted)
            )
            .into()),
            None => Err(format!("rustup has no toolchain `{wanted}`").into()),
        }
    }

    /// Shows a line on the standard error.
    pub(super) fn warn(&self, text: &str) {
        self.iopub.output(Output::Stream(Stdio::Stderr, format!("{text}\n")));
    }
}

const DEFAULT_FORMAT: &str = "{:?}";
/// The first is that of the system.
const LINKERS: [&str; 3] = ["system", "lld", "mold"];
/// Variables by which cells are compiled in the way that they have to be.
const OWN_BUILD_VARIABLES: [&str; 7] = [
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "RUSTC",
    "RUSTC_BOOTSTRAP",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
];

fn no_effect(name: &str, reason: &str) -> String {
    format!("`{name}` has no effect here: {reason}")
}

/// Refuses a cell if there is a fault in one of its commands.
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

/// What is wrong with a command, drawn over its argument.
pub(super) fn refusal(text: &str, command: &Command, source: &Arc<Source>) -> Failed {
    let range = if command.argument.is_empty() { command.range.clone() } else { command.argument_range() };
    Failed::Command(vec![diagnostics::at(text, &Place { source: Arc::clone(source), range })])
}

/// The name and the value in `name=value`.
fn variable(assignment: &str) -> Result<(&str, &str), Stop> {
    let (key, value) = assignment.split_once('=').unwrap_or((assignment, ""));
    if key.trim().is_empty() || assignment.contains('\0') {
        return Err("a variable needs a name before the `=`".to_owned().into());
    }
    Ok((key, value))
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

/// Text as HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_several_commands_are_whole_in_each_form() {
        let mut answer = Answer::default();
        answer.append(Answer::line("Timing: true"));
        assert_eq!(answer, Answer { text: "Timing: true\n".into(), html: None });
        answer.append(Answer { text: "x: i32".into(), html: Some("<table></table>".into()) });
        answer.append(Answer::line("a < b"));
        let html = "<pre>Timing: true\n</pre><table></table><pre>a &lt; b\n</pre>";
        assert_eq!(answer, Answer { text: "Timing: true\nx: i32\na < b\n".into(), html: Some(html.into()) });
    }
}
