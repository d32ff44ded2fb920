//! Compiles the plan of a cell to a library. Some compile errors are fixed by changing the plan.

use super::crates::TOKIO;
use super::plan::Plan;
use super::{Evaluator, Failed};
use crate::compiler::Compiled;
use crate::diagnostics::{self, Diagnostic, MOVES};
use crate::glue::{Runtime, Show};
use anyhow::anyhow;
use cell::Dependency;
use cell::code::Role;

/// The errors that rustc reports when a definition conflicts with an earlier one.
const IN_THE_WAY: [&str; 7] = ["E0119", "E0592", "E0428", "E0255", "E0252", "E0254", "E0260"];

/// Errors that more definitions cannot fix: those about types, borrows and moves.
const CERTAIN: [&str; 10] =
    ["E0308", "E0381", "E0382", "E0384", "E0499", "E0502", "E0505", "E0596", "E0597", "E0716"];

impl Evaluator {
    /// Compiles a cell. If an error can be fixed by changing the plan, changes the plan and compiles again.
    pub(super) fn compile(&mut self, mut plan: Plan) -> Result<Plan, Failed> {
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
            let may_lack = |error: &Diagnostic| !CERTAIN.contains(&error.code.as_str());
            if diagnostics.iter().any(may_lack) && plan.reach_all() {
                continue;
            }
            // Each change removes something from the plan, so the loop terminates.
            let mut is_mended = false;
            for error in &diagnostics {
                is_mended |= self.mend(&mut plan, error)?;
            }
            plan.reach();
            if !is_mended {
                diagnostics.retain(|diagnostic| diagnostic.is_shown);
                if diagnostics.is_empty() {
                    let error = anyhow!("the compiler rejects this cell: {messages}");
                    return Err(Failed::Kernel(error));
                }
                return Err(Failed::Compiler(diagnostics));
            }
        }
    }

    /// Changes the plan to avoid an error; returns whether it could.
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
                // E0034, "multiple applicable items": a trait of the user's has `evcxr_display` as well.
                let is_ambiguous = error.code == "E0034" && plan.show == Show::Choose;
                plan.show = if is_ambiguous { Show::Method } else { Show::Debug };
                true
            }
            // The value has no `Debug` form, but may have another one, as plots do.
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

    /// Adds tokio, unless cells already have it, so that they can use `.await`.
    fn have_tokio(&mut self) -> Result<(), Failed> {
        if !self.environment.has("tokio") {
            let tokio = Dependency::parse(TOKIO).map_err(|fault| Failed::Kernel(fault.into()))?;
            self.add(vec![tokio])?;
        }
        Ok(())
    }
}
