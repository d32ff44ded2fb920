//! The command `:type`.

use super::answer::{Answer, escaped};
use super::{Answered, refusal};
use crate::diagnostics::{self, Diagnostic};
use crate::evaluator::{Evaluator, Failed};
use crate::types;
use cell::Command;
use cell::code::Source;
use std::sync::Arc;

impl Evaluator {
    /// The type of a variable, or of any expression.
    pub(super) fn type_of(&mut self, command: &Command, source: &Arc<Source>) -> Answered {
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
        // Errors are drawn over the cell, rather than over the definition that is generated from it.
        let cell = source.code[..asked.end].to_owned();
        let expression = Arc::new(Source { name: source.name.clone(), code: cell });
        let code = format!("let {NAME} = {};", &source.code[asked.clone()]);
        let definition = Arc::new(Source { name: source.name.clone(), code });
        let mut parsed = cell::parse(&definition.code);
        if parsed.syntax_error.is_some() {
            parsed.code_start = asked.start;
            self.check_syntax(&expression, &parsed)?;
            return Err(refusal("this is not an expression", command, source));
        }
        parsed.bindings.clear();
        let mut plan = self.plan(&definition, &parsed)?;
        plan.reach_all();
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
}
