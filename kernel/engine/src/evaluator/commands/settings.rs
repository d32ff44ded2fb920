//! The commands that change how cells are compiled, run and shown.

use super::Stop;
use crate::diagnostics::Diagnostic;
use crate::evaluator::{Evaluator, Failed};
use crate::glue::Show;
use crate::{child, diagnostics};
use cell::code::Code;
use std::fs;
use std::process;

/// The default format of results.
pub const DEFAULT_FORMAT: &str = "{:?}";
/// The linkers that users can choose. The first one is the system's default.
pub const LINKERS: [&str; 3] = ["system", "lld", "mold"];
/// Environment variables that users must not set, because cells would no longer compile or link.
const OWN_BUILD_VARIABLES: [&str; 7] = [
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "RUSTC",
    "RUSTC_BOOTSTRAP",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
];

impl Evaluator {
    /// The format of results, and whether their types are shown as well.
    pub(super) fn format(&self) -> (String, bool) {
        match &self.state.show {
            Some(Show::Format { format, types }) => (format.clone(), *types),
            _ => (DEFAULT_FORMAT.into(), false),
        }
    }

    pub(super) fn show_as(&mut self, format: String, types: bool) {
        let is_default = format == DEFAULT_FORMAT && !types;
        self.state.show = (!is_default).then_some(Show::Format { format, types });
    }

    /// Refuses a format that `format!` does not accept.
    pub(super) fn check_format(&self, format: &str) -> Result<(), Stop> {
        let mut code = Code::new();
        code.generate(&format!(
            "pub fn shown(value: &f64) -> String {{ ::std::format!({format:?}, value) }}"
        ));
        let messages = self.compiler.check(&code).map_err(Failed::Kernel)?;
        // A missing trait (E0277) concerns only the `f64` of this check: other types may implement it.
        let is_fault = |error: &Diagnostic| error.is_error && error.code != "E0277";
        match diagnostics::read(&messages, &code).into_iter().find(is_fault) {
            Some(fault) => Err(format!("`{format}` is not a valid format: {}", fault.message).into()),
            None => Ok(()),
        }
    }

    pub(super) fn set_build_variable(&mut self, assignment: &str) -> Result<String, Stop> {
        let (key, value) = variable(assignment)?;
        if OWN_BUILD_VARIABLES.contains(&key) || key.starts_with("TAPER_") {
            return Err(
                format!("`{key}` is reserved by taper, which compiles and links cells with it").into()
            );
        }
        self.context.execute(&format!(":build_env {key}={value}"))?;
        self.compiler.environment.insert(key.to_owned(), value.to_owned());
        Ok(format!("Set {key}={value} for build"))
    }

    pub(super) fn set_variable(&mut self, assignment: &str) -> Result<String, Stop> {
        let (key, value) = variable(assignment)?;
        self.settings.environment.insert(key.to_owned(), value.to_owned());
        let written = serde_json::to_string(&self.settings.environment).map_err(anyhow::Error::from);
        let file = child::environment_file(&self.lab_link);
        let written = written.and_then(|json| Ok(fs::write(&file, json)?));
        written.map_err(Failed::Kernel)?;
        Ok(format!("Set {key}={value} (use :restart command to reload child process)"))
    }

    /// Runs `rustc --explain` for the errors of the last cell that did not compile.
    pub(super) fn explain(&self) -> Result<String, Stop> {
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

    /// Tries to compile with the chosen linker and backend, and uses them from now on if that works.
    pub(super) fn try_flags(&mut self) -> Result<(), Stop> {
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
        // rustc reports a bad option as plain text, because it reads the options before it knows that JSON is wanted.
        let error = error
            .or_else(|| Some(messages.lines().find_map(|line| line.strip_prefix("error: "))?.to_owned()));
        Err(error.unwrap_or_else(|| "it does not work with this compiler".into()).into())
    }

    /// Answers which toolchain is in use, and refuses any other.
    pub(super) fn check_toolchain(&self, wanted: Option<&str>) -> Result<String, Stop> {
        let version = self.toolchain.version.lines().next().unwrap_or_default();
        let Some(wanted) = wanted else { return Ok(format!("Toolchain: {version}")) };
        match self.toolchain.version_of(wanted) {
            Some(other) if other == self.toolchain.version => Ok(format!("Toolchain: {wanted} ({version})")),
            Some(other) => Err(format!(
                "`lab` was compiled by {version}, and cells compiled by {} could not be linked with it",
                other.lines().next().unwrap_or(wanted)
            )
            .into()),
            None => Err(format!("rustup has no toolchain `{wanted}`").into()),
        }
    }
}

/// Splits `name=value`.
fn variable(assignment: &str) -> Result<(&str, &str), Stop> {
    let (key, value) = assignment.split_once('=').unwrap_or((assignment, ""));
    if key.trim().is_empty() || assignment.contains('\0') {
        return Err("a variable needs a name before the `=`".to_owned().into());
    }
    Ok((key, value))
}
