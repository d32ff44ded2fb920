//! The plan by which a cell is compiled.

use crate::diagnostics::Diagnostic;
use crate::glue::{ErrorFormat, Glue, New, Runtime, Show, Variable};
use cell::code::{Code, Place, Source};
use cell::definitions::Definitions;
use jupyter_protocol::Stdio;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use wire::{IoPub, Output};

/// A cell with everything that is needed to generate and compile its crate. [`Glue`] explains the parts.
pub struct Plan {
    pub source: Arc<Source>,
    pub start: usize,
    pub attributes: BTreeSet<String>,
    pub items: Vec<Range<usize>>,
    pub returns: Vec<usize>,
    pub result: Option<Range<usize>>,
    pub show: Show,
    pub shown: Vec<String>,
    pub errors: ErrorFormat,
    pub runtime: Runtime,
    /// The items of the session, including those that this cell defines.
    pub definitions: Definitions,
    /// The identifiers in the cell, from which the definitions that it needs are found.
    pub identifiers: BTreeSet<String>,
    /// Whether the cell is compiled with all definitions, rather than only with those that it reaches by name.
    pub has_all: bool,
    /// The definitions that the cell is compiled with.
    pub reached: Definitions,
    /// The variables that this cell makes unusable by redefining their types.
    pub outdated: Vec<Variable>,
    pub earlier: Vec<Variable>,
    pub moved: BTreeSet<String>,
    pub new: Vec<New>,
    /// The new variables whose types the author has written out.
    pub declared: BTreeSet<String>,
    pub consumed: BTreeSet<String>,
    /// The new variables that cannot be kept at a `return`.
    pub not_kept_at: BTreeSet<(String, usize)>,
    /// Why new variables are not kept for later cells, a line for each: their types cannot be named.
    pub nameless: Vec<String>,
    /// The generated crate.
    pub code: Code,
    pub library: PathBuf,
    pub warnings: Vec<String>,
}

impl Plan {
    pub fn attributes(&self) -> Code {
        let mut code = Code::new();
        self.attributes.iter().for_each(|attribute| _ = code.generate(attribute).generate("\n"));
        code
    }

    /// Finds the definitions that the cell is compiled with.
    pub fn reach(&mut self) {
        self.reached = match self.has_all {
            true => self.definitions.clone(),
            false => self.definitions.reached_from(&self.identifiers, &self.source),
        };
    }

    /// Compiles the cell with all definitions from now on; returns whether these are more than before.
    pub fn reach_all(&mut self) -> bool {
        let before = self.reached.len();
        self.has_all = true;
        self.reach();
        self.reached.len() > before
    }

    pub fn glue<'a>(&'a self, attributes: &'a Code) -> Glue<'a> {
        Glue {
            source: &self.source,
            definitions: &self.reached,
            attributes,
            start: self.start,
            items: &self.items,
            returns: &self.returns,
            result: self.result.clone(),
            show: self.show.clone(),
            shown: &self.shown,
            errors: self.errors,
            runtime: self.runtime,
            earlier: &self.earlier,
            moved: &self.moved,
            new: &self.new,
            consumed: &self.consumed,
            not_kept_at: &self.not_kept_at,
        }
    }

    /// Whether a warning is about a new variable that is unused so far, since later cells may use it.
    pub fn is_for_later(&self, warning: &Diagnostic) -> bool {
        let is_in = |place: &Place| {
            self.new.iter().any(|new| {
                new.place.range.start <= place.range.start && place.range.end <= new.place.range.end
            })
        };
        warning.code == "unused_variables" && warning.places.first().is_some_and(is_in)
    }

    /// Shows the warnings, before the cell runs.
    pub fn announce(&self, iopub: &IoPub) {
        let mut texts: Vec<String> = self.warnings.iter().map(|warning| format!("{warning}\n")).collect();
        texts.extend(self.outdated.iter().map(|Variable { name, .. }| {
            format!("`{name}` is gone: its type was redefined. Run the cell that creates it again.\n")
        }));
        texts.extend(self.nameless.iter().map(|reason| format!("{reason}\n")));
        texts.into_iter().for_each(|text| iopub.output(Output::Stream(Stdio::Stderr, text)));
    }
}
