//! A cell on its way from its text to a library that can be run.

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

/// A cell on its way from its text to a library that can be run.
pub struct Plan {
    pub source: Arc<Source>,
    pub start: usize,
    pub attributes: BTreeSet<String>,
    pub items: Vec<Range<usize>>,
    pub returns: Vec<usize>,
    pub result: Option<Range<usize>>,
    pub show: Show,
    pub errors: ErrorFormat,
    pub runtime: Runtime,
    /// What will have been defined after it.
    pub definitions: Definitions,
    /// The variables that it makes unusable, by defining their types anew.
    pub outdated: Vec<Variable>,
    pub earlier: Vec<Variable>,
    pub moved: BTreeSet<String>,
    pub new: Vec<New>,
    /// The new variables whose type is as their author wrote it.
    pub declared: BTreeSet<String>,
    pub consumed: BTreeSet<String>,
    /// The new variables that cannot be kept at a `return`.
    pub not_kept_at: BTreeSet<(String, usize)>,
    /// The new variables whose types have no name, with the reason; later cells do not have them.
    pub nameless: Vec<String>,
    /// What has been compiled.
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

    pub fn glue<'a>(&'a self, attributes: &'a Code) -> Glue<'a> {
        Glue {
            source: &self.source,
            definitions: &self.definitions,
            attributes,
            start: self.start,
            items: &self.items,
            returns: &self.returns,
            result: self.result.clone(),
            show: self.show.clone(),
            errors: self.errors,
            runtime: self.runtime,
            earlier: &self.earlier,
            moved: &self.moved,
            new: &self.new,
            consumed: &self.consumed,
            not_kept_at: &self.not_kept_at,
        }
    }

    /// Whether a warning says that a new variable is not used, which later cells may do.
    pub fn is_for_later(&self, warning: &Diagnostic) -> bool {
        let is_in = |place: &Place| {
            self.new.iter().any(|new| {
                new.place.range.start <= place.range.start && place.range.end <= new.place.range.end
            })
        };
        warning.code == "unused_variables" && warning.places.first().is_some_and(is_in)
    }

    /// Shows what there is to say before the cell runs.
    pub fn announce(&self, iopub: &IoPub) {
        let mut texts: Vec<String> = self.warnings.iter().map(|warning| format!("{warning}\n")).collect();
        texts.extend(self.outdated.iter().map(|Variable { name, .. }| {
            format!("`{name}` is gone: its type was redefined. Run the cell that creates it again.\n")
        }));
        texts.extend(self.nameless.iter().map(|reason| format!("{reason}\n")));
        texts.into_iter().for_each(|text| iopub.output(Output::Stream(Stdio::Stderr, text)));
    }
}
