//! Plans how a cell is compiled: checks its syntax, and finds its items and the types of its variables.

use super::plan::Plan;
use super::{Evaluator, Failed};
use crate::diagnostics;
use crate::glue::{New, Runtime, Show, Variable, bare};
use crate::types::{self, Answers};
use cell::code::{Code, Place, Role, Source};
use cell::definitions::{Definitions, words as identifiers_of};
use cell::macros::MacroCall;
use cell::{Binding, Cell};
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// The method with which types display themselves. Generated code calls it, so it counts as an identifier of every cell.
const SHOWN_BY: &str = "evcxr_display";

impl Evaluator {
    /// Reports the syntax errors of a cell that our own parser rejects. If rustc accepts the cell, so do we.
    pub(super) fn check_syntax(&self, source: &Arc<Source>, parsed: &Cell) -> Result<(), Failed> {
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

    /// Plans how a cell is compiled.
    pub(super) fn plan(&mut self, source: &Arc<Source>, parsed: &Cell) -> Result<Plan, Failed> {
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
        let earlier: Vec<Variable> = self.state.variables.values().filter(is_used).cloned().collect();
        let mut identifiers = words.clone();
        identifiers.insert(SHOWN_BY.into());
        earlier
            .iter()
            .for_each(|variable| identifiers.extend(identifiers_of(&variable.type_name).map(str::to_owned)));
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
        let mut plan = Plan {
            source: Arc::clone(source),
            start: parsed.code_start,
            attributes: self.state.attributes.iter().cloned().chain(attributes).collect(),
            items: elsewhere.map(|piece| piece.range.clone()).collect(),
            returns: cell::bare_returns(parsed),
            result: parsed.result.clone().filter(|result| macros.iter().all(|call| call.end != result.end)),
            show: self.state.show.clone().unwrap_or(Show::Choose),
            shown: self.environment.shown().map(str::to_owned).collect(),
            errors: self.state.errors,
            runtime: Runtime::None,
            definitions: change.definitions,
            identifiers,
            has_all: false,
            reached: Definitions::default(),
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
        plan.reach();
        let uses_tokio = words.contains("tokio") || plan.reached.code().text().contains("tokio");
        if self.environment.has("tokio") {
            plan.runtime = match (cell::awaits(parsed), uses_tokio) {
                (true, _) => Runtime::Blocked,
                (false, true) => Runtime::Entered,
                (false, false) => Runtime::None,
            };
        }
        self.find_types(&mut plan, parsed)?;
        Ok(plan)
    }

    /// The macro calls among the statements of a cell that expand to items.
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

    /// Asks rustc whether a macro call expands to items: whether it compiles where only items may stand.
    fn is_item(
        &self,
        source: &Arc<Source>,
        definitions: &Definitions,
        call: &MacroCall,
    ) -> Result<bool, Failed> {
        let mut code = Code::new();
        code.generate("#![allow(warnings)]\n").append(&definitions.code());
        code.generate("mod taper_cell { use super::*;\n").copy(source, call.range.clone()).generate("\n}\n");
        let checked = self.compiler.check(&code).map_err(Failed::Kernel)?;
        Ok(!diagnostics::read(&checked, &code).iter().any(|diagnostic| diagnostic.is_error))
    }

    fn ask_for_types(
        &mut self,
        plan: &Plan,
        questions: &[&str],
        doubtful: &[&str],
    ) -> Result<Answers, Failed> {
        let attributes = plan.attributes();
        let probe = plan.glue(&attributes).probe(questions, doubtful);
        let messages = self.compiler.probe(&probe).map_err(Failed::Kernel)?;
        Ok(types::answers(&messages, &probe))
    }

    /// Finds the types of the new variables. Of variables with the same name, only the last one counts.
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
            answers = self.ask_for_types(plan, &questions, &doubtful)?;
            // The cell may need definitions that it does not name, for example trait implementations.
            let is_answered = |question: &&str| answers.types.contains_key(*question);
            if !questions.iter().all(is_answered) && plan.reach_all() {
                answers = self.ask_for_types(plan, &questions, &doubtful)?;
            }
        }
        let definitions = plan.definitions.code();
        let is_module = |root: &str| definitions.text().contains(&format!("mod {root}"));
        for binding in last {
            let Binding { name, mutable, place, declared, may_be_constant, .. } = binding;
            if *may_be_constant && !answers.variables.contains(name) {
                continue;
            }
            let type_name = match (declared, answers.types.get(name)) {
                (Some(declared), _) => Some(declared.clone()),
                (None, Some(spelled)) => match types::nameable(name, spelled) {
                    Ok(type_name) => Some(type_name),
                    // The variable is used in this cell, so it is useful although later cells will not have it.
                    Err(reason) if parsed.is_used_after(name, place) => {
                        plan.nameless.extend(reason.lines().next().map(str::to_owned));
                        continue;
                    }
                    Err(reason) => return Err(Failed::Unnameable(reason)),
                },
                (None, None) => None,
            };
            self.imply_crates_of(type_name.as_deref().unwrap_or_default(), is_module);
            if declared.is_some() {
                plan.declared.insert(name.clone());
            }
            let place = Place { source: Arc::clone(&plan.source), range: place.clone() };
            plan.new.push(New { name: name.clone(), type_name, mutable: *mutable, place });
        }
        Ok(())
    }
}
