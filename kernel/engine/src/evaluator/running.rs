//! Runs a compiled cell, and records its outcome: variables, definitions, and a result or a failure.

use super::plan::Plan;
use super::{Ask, Data, Evaluator, Failed, InputReply, InputRequest, Ran};
use crate::errors::{self, LOAD_ERROR};
use crate::glue::{New, Variable, bare};
use crate::runner::Outcome;
use crate::{cargo_for_evcxr, input};
use anyhow::anyhow;
use evcxr::{Error, EvalCallbacks};
use std::path::Path;

impl Evaluator {
    /// Has the child load and run a compiled cell.
    pub(super) fn load(&mut self, plan: &Plan, ask: Ask) -> Result<Outcome, Failed> {
        self.sources.lock().unwrap().loaded(&plan.library, plan.code.lines());
        self.used = true;
        let run = format!(":build_env {}={}\n();", cargo_for_evcxr::LIBRARY, plan.library.display());
        let mut callbacks = EvalCallbacks {
            input_reader: &|request| match ask(InputRequest {
                prompt: request.prompt,
                is_password: request.is_password,
            }) {
                InputReply::Line(line) => line,
                InputReply::End => input::END.into(),
                InputReply::Interrupted => input::INTERRUPTED.into(),
            },
        };
        let ended = match self.context.execute_with_callbacks(&run, &mut callbacks) {
            // The child was killed just after the cell had completed. evcxr notices only when it runs something, so run an empty
            // cell: it fails, and evcxr starts another child.
            Ok(_) if self.runner.was_killed() => match self.context.execute("();") {
                Err(error @ Error::SubprocessTerminated(_)) => error,
                _ => Error::SubprocessTerminated(String::new()),
            },
            Ok(_) => {
                let _ = self.context.execute(&format!(":build_env {}=", cargo_for_evcxr::LIBRARY));
                let outcome = self.runner.outcome();
                // evcxr renames the library, but leaves it in its folder.
                if Path::new(&outcome.library).parent() != plan.library.parent() {
                    let error = anyhow!("evcxr has run {} instead of the cell", outcome.library);
                    return Err(Failed::Kernel(error));
                }
                return Ok(outcome);
            }
            Err(error) => error,
        };
        let _ = self.context.execute(&format!(":build_env {}=", cargo_for_evcxr::LIBRARY));
        if matches!(ended, Error::SubprocessTerminated(_)) {
            // Definitions are kept as text, so they survive the child.
            self.state.definitions = plan.definitions.clone();
            self.state.attributes = plan.attributes.clone();
        }
        Err(ended.into())
    }

    /// Records the outcome of a cell: its variables, definitions, and result or failure.
    pub(super) fn accept(&mut self, plan: Plan, outcome: Outcome) -> Ran {
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
        Ran { failure, commands: Data::new(), result: outcome.result }
    }
}
