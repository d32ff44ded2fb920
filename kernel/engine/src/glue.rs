//! Generates the crate of a cell: the items of the session, and a function that takes the variables that the cell uses out of
//! the store, runs the cell's statements, and puts the variables back. All generated code is in this file.

use cell::code::{Code, Place, Role, Source};
use cell::definitions::Definitions;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// The names in generated code, which must not appear in messages.
pub const NAMES: [&str; 7] =
    ["taper_cell", "__cell", "__runtime", "__show_result", "__ShowDebug", "lab::kernel", "evcxr_display"];
/// The start of the error message in which rustc answers a probe. The name of a variable and its type follow.
pub const TYPE_OF: &str = "TAPER_TYPE_OF ";
/// The first line of each crate.
pub const ALLOWED: &str = "#![allow(unused_imports, unused_mut, dead_code, non_snake_case)]\n";
/// The key under which the store keeps tokio's runtime.
const RUNTIME: &str = "the runtime of tokio";

/// A variable of an earlier cell.
#[derive(Clone, Debug)]
pub struct Variable {
    /// The name as it is written in code, such as `r#type`.
    pub name: String,
    /// The type, in a form that any cell can use.
    pub type_name: String,
    pub mutable: bool,
    /// Whether the author wrote out the type. The names in such a type may later come to mean something else.
    pub declared: bool,
}

/// A new variable, which the cell defines.
#[derive(Clone, Debug)]
pub struct New {
    pub name: String,
    /// The type, if it is known in a form that any cell can use.
    pub type_name: Option<String>,
    pub mutable: bool,
    /// The place of its `let` statement.
    pub place: Place,
}

/// How the value of the final expression is shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Show {
    /// In the best form that it has: its own display, or else its `Debug` form.
    Choose,
    /// With its method `evcxr_display`, which may be a trait's.
    Method,
    /// In its `Debug` form. If it has none, rustc's error says why.
    Debug,
    /// With a format string, and with its type in front if `types` is set.
    Format { format: String, types: bool },
}

/// The form in which the errors of `?` are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ErrorFormat {
    #[default]
    Display,
    Debug,
    Pretty,
}

/// How the cell uses tokio's runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Runtime {
    #[default]
    None,
    /// It uses the crate, whose functions expect to be called within a runtime.
    Entered,
    /// It has `.await` at its top level.
    Blocked,
}

/// A cell, with everything that its crate is generated from.
pub struct Glue<'a> {
    pub source: &'a Arc<Source>,
    pub definitions: &'a Definitions,
    /// Attributes of the crate, such as `#![feature(…)]`.
    pub attributes: &'a Code,
    /// The start of the statements, after the commands.
    pub start: usize,
    /// The ranges among the statements that belong at the top of the crate, such as items.
    pub items: &'a [Range<usize>],
    /// The ends of the bare `return`s in the cell's own scope.
    pub returns: &'a [usize],
    /// The final expression.
    pub result: Option<Range<usize>>,
    pub show: Show,
    /// The crates with traits that show types of other crates.
    pub shown: &'a [String],
    pub errors: ErrorFormat,
    pub runtime: Runtime,
    /// The variables of earlier cells that the cell uses.
    pub earlier: &'a [Variable],
    /// The variables of earlier cells that the cell moves, so that they cannot be put back.
    pub moved: &'a BTreeSet<String>,
    pub new: &'a [New],
    /// The new variables that the cell itself moves, so that they cannot be kept.
    pub consumed: &'a BTreeSet<String>,
    /// The new variables that cannot be kept at the bare `return` that ends at this byte.
    pub not_kept_at: &'a BTreeSet<(String, usize)>,
}

impl Glue<'_> {
    /// The crate to compile and run.
    pub fn code(&self) -> Code {
        let mut code = self.top();
        code.generate("#[unsafe(no_mangle)]\n#[allow(improper_ctypes_definitions)]\n");
        code.generate("pub extern \"C\" fn taper_cell(__cell: &mut ::lab::kernel::variables::Store) {\n");
        if self.has_only_items() {
            code.generate("}\n");
            return code;
        }
        self.check_variables(&mut code);
        self.take_variables(&mut code);
        let error = self.error_type();
        code.generate(&format!(
            "::lab::kernel::run(__cell, |__cell| -> ::std::result::Result<(), {error}> {{\n"
        ));
        if self.runtime != Runtime::None {
            let text = format!(
                "let __runtime = __cell.shared({RUNTIME:?}, || ::tokio::runtime::Runtime::new()\
                 .expect(\"tokio's runtime starts\"));"
            );
            code.generate_for(Role::Runtime, None, &text).generate("\n");
        }
        match self.runtime {
            Runtime::None => {}
            Runtime::Entered => {
                _ = code.generate_for(Role::Runtime, None, "let _entered = __runtime.enter();\n");
            }
            // The runtime of tokio 0.2 itself would have to be mutable.
            Runtime::Blocked => _ = code.generate("__runtime.handle().block_on(async {\n"),
        }
        self.statements(&mut code, false);
        for new in self.new.iter().filter(|new| !self.consumed.contains(&new.name)) {
            self.keep(&mut code, new, Role::Keep(new.name.clone()));
            code.generate("\n");
        }
        code.generate(&format!("::std::result::Result::<(), {error}>::Ok(())\n"));
        if self.runtime == Runtime::Blocked {
            code.generate("})\n");
        }
        code.generate("});\n");
        for Variable { name, .. } in self.earlier.iter().filter(|earlier| !self.moved.contains(&earlier.name))
        {
            let text = format!("__cell.restore({:?}, {name});", bare(name));
            code.generate_for(Role::Restore(name.clone()), None, &text).generate("\n");
        }
        code.generate("}\n");
        code
    }

    /// A crate that makes rustc name the types of new variables in error messages: each variable is used where a trait is
    /// required that it does not implement. For names that may be constants, rustc also answers whether they are variables,
    /// because a nested function cannot use a variable. As all these are type errors, rustc does not get to check borrows and
    /// moves, so it does not matter if the cell has moved the variables.
    pub fn probe(&self, questions: &[&str], perhaps_constant: &[&str]) -> Code {
        let mut code = self.top();
        code.generate("async fn taper_cell(__cell: &mut ::lab::kernel::variables::Store) ");
        code.generate(&format!("-> ::std::result::Result<(), {}> {{\n", self.error_type()));
        self.take_variables(&mut code);
        self.statements(&mut code, true);
        for name in questions {
            code.generate(&format!(
                "{{ #[diagnostic::on_unimplemented(message = \"{TYPE_OF}{name} {{Self}}\")] trait Asked {{}} \
                 fn ask<T: Asked + ?Sized>(_: &T) {{}} ask(&{name}); }}\n"
            ));
        }
        for name in perhaps_constant {
            code.generate("{ fn taper_cell() { let _ = ");
            code.generate_for(Role::Keep((*name).to_owned()), None, name).generate("; } }\n");
        }
        code.generate(&format!("::std::result::Result::<(), {}>::Ok(())\n}}\n", self.error_type()));
        code
    }

    /// The top of the crate: attributes and items.
    fn top(&self) -> Code {
        let mut code = Code::new();
        code.generate(ALLOWED);
        code.append(self.attributes).append(&self.definitions.code());
        code
    }

    /// Whether there is nothing to run.
    fn has_only_items(&self) -> bool {
        let mut statements = Code::new();
        self.statements(&mut statements, true);
        statements.text().chars().all(|c| c.is_whitespace() || c == ';')
    }

    fn error_type(&self) -> &'static str {
        match self.errors {
            ErrorFormat::Display => "::lab::kernel::CellError",
            ErrorFormat::Debug => "::lab::kernel::DebugError",
            ErrorFormat::Pretty => "::lab::kernel::PrettyError",
        }
    }

    /// Returns early, before the cell runs, unless all variables of earlier cells have the expected types.
    fn check_variables(&self, code: &mut Code) {
        let checks = self
            .earlier
            .iter()
            .map(|Variable { name, type_name, .. }| format!("__cell.has::<{type_name}>({:?})", bare(name)));
        let checks: Vec<String> = checks.collect();
        if !checks.is_empty() {
            code.generate(&format!("if !({}) {{ return; }}\n", checks.join(" & ")));
        }
    }

    fn take_variables(&self, code: &mut Code) {
        for Variable { name, type_name, mutable, .. } in self.earlier {
            let mutable = if *mutable { "mut " } else { "" };
            code.generate(&format!(
                "#[allow(unused_variables, non_snake_case)] let {mutable}{name} = __cell.take::<{type_name}>({:?});\n",
                bare(name)
            ));
        }
    }

    fn keep(&self, code: &mut Code, new: &New, role: Role) {
        let type_name = new.type_name.as_ref().map(|name| format!("::<{name}>")).unwrap_or_default();
        let text = format!("__cell.put{type_name}({:?}, {});", bare(&new.name), new.name);
        code.generate_for(role, Some(new.place.clone()), &text);
    }

    /// The statements of the cell, with generated code inserted at `return`s and around the final expression.
    fn statements(&self, code: &mut Code, is_probe: bool) {
        let mut edits: Vec<(usize, Edit)> = Vec::new();
        edits.extend(self.items.iter().map(|range| (range.start, Edit::Skip(range.end))));
        edits.extend(self.returns.iter().map(|end| (*end, Edit::Return)));
        if let Some(result) = &self.result {
            edits.push((result.start, Edit::ResultStart));
            edits.push((result.end, Edit::ResultEnd));
        }
        edits.sort_by_key(|(at, _)| *at);
        let mut at = self.start;
        for (next, edit) in edits {
            if next < at {
                continue;
            }
            code.copy(self.source, at..next);
            at = next;
            match edit {
                Edit::Skip(end) => at = end,
                Edit::Return => {
                    code.generate(" {");
                    for new in self.new.iter().filter(|new| !is_probe && new.place.range.end <= at) {
                        if !self.not_kept_at.contains(&(new.name.clone(), at)) {
                            self.keep(code, new, Role::KeepAtReturn(new.name.clone(), at));
                        }
                    }
                    code.generate(" ::std::result::Result::Ok(()) }");
                }
                Edit::ResultStart if !is_probe => self.show(code, true),
                Edit::ResultEnd if !is_probe => self.show(code, false),
                Edit::ResultStart | Edit::ResultEnd => {}
            }
        }
        code.copy(self.source, at..self.source.code.len());
        // The newline ends a comment on the last line, and the semicolon the final expression.
        code.generate("\n;\n");
    }

    /// The code before or after the final expression that shows its value.
    fn show(&self, code: &mut Code, is_before: bool) {
        let place =
            self.result.as_ref().map(|range| Place { source: Arc::clone(self.source), range: range.clone() });
        let text = match (&self.show, is_before) {
            (Show::Choose, true) => "::lab::__show_result!(".to_owned(),
            (Show::Choose, false) => {
                let shown: String = self.shown.iter().map(|name| format!(", {name}")).collect();
                format!("{shown});")
            }
            (Show::Method, true) => "match &(".to_owned(),
            (Show::Method, false) => ") { __cell => __cell.evcxr_display() };".to_owned(),
            (Show::Debug, true) => "::lab::kernel::result::show_debug(&(".to_owned(),
            (Show::Debug, false) => "));".to_owned(),
            (Show::Format { .. }, true) => "match &(".to_owned(),
            (Show::Format { format, types: false }, false) => {
                format!(
                    ") {{ __cell => ::lab::kernel::result::show_text(::std::format!({format:?}, __cell)) }};"
                )
            }
            (Show::Format { format, types: true }, false) => format!(
                ") {{ __cell => ::lab::kernel::result::show_text(::lab::kernel::result::type_name(__cell) + \
                 &::std::format!({format:?}, __cell)) }};"
            ),
        };
        code.generate_for(Role::Result, place, &text);
    }
}

enum Edit {
    Skip(usize),
    Return,
    ResultStart,
    ResultEnd,
}

/// The name without the `r#` of a raw identifier.
pub fn bare(name: &str) -> &str {
    name.trim_start_matches("r#")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glue<'a>(source: &'a Arc<Source>, parts: &'a Parts) -> Glue<'a> {
        Glue {
            source,
            definitions: &parts.definitions,
            attributes: &parts.attributes,
            start: 0,
            items: &[],
            returns: &[],
            result: None,
            show: Show::Choose,
            shown: &parts.shown,
            errors: ErrorFormat::Display,
            runtime: Runtime::None,
            earlier: &parts.earlier,
            moved: &parts.moved,
            new: &parts.new,
            consumed: &parts.moved,
            not_kept_at: &parts.not_kept_at,
        }
    }

    #[derive(Default)]
    struct Parts {
        definitions: Definitions,
        attributes: Code,
        earlier: Vec<Variable>,
        shown: Vec<String>,
        moved: BTreeSet<String>,
        new: Vec<New>,
        not_kept_at: BTreeSet<(String, usize)>,
    }

    fn source(code: &str) -> Arc<Source> {
        Arc::new(Source { name: "[1]".into(), code: code.into() })
    }

    #[test]
    fn variables_are_taken_given_back_and_kept() {
        let source = source("let r#type = x + 1;");
        let variable = |name: &str| Variable {
            name: name.into(),
            type_name: "i32".into(),
            mutable: name == "x",
            declared: false,
        };
        let place = Place { source: Arc::clone(&source), range: 0..19 };
        let parts = Parts {
            earlier: vec![variable("x"), variable("y")],
            moved: ["y".to_owned()].into(),
            new: vec![New { name: "r#type".into(), type_name: None, mutable: false, place }],
            ..Parts::default()
        };
        let code = glue(&source, &parts).code();
        let text = code.text();
        assert!(text.contains("if !(__cell.has::<i32>(\"x\") & __cell.has::<i32>(\"y\"))"), "{text}");
        assert!(text.contains("let mut x = __cell.take::<i32>(\"x\");"), "{text}");
        assert!(text.contains("__cell.put(\"type\", r#type);"), "{text}");
        assert!(text.contains("__cell.restore(\"x\", x);") && !text.contains("restore(\"y\""), "{text}");
        let put = text.find("__cell.put").unwrap();
        assert_eq!(code.role(put..put + 1).unwrap().0, &Role::Keep("r#type".into()));
    }

    #[test]
    fn the_result_is_shown_with_the_traits_of_all_sets() {
        let source = source("x");
        let parts = Parts { shown: vec!["shown_a".into(), "shown_b".into()], ..Parts::default() };
        let glue = Glue { result: Some(0..1), ..glue(&source, &parts) };
        let code = glue.code();
        assert!(code.text().contains("::lab::__show_result!(x, shown_a, shown_b);\n"), "{}", code.text());
    }

    #[test]
    fn statements_are_copied_without_items_and_with_what_returns_lack() {
        let source = source("fn f() {} if done { return; } // why\nx // last");
        let parts = Parts::default();
        let mut glue = glue(&source, &parts);
        let (item, returns) = (0..9, [26]);
        (glue.items, glue.returns, glue.result) = (std::slice::from_ref(&item), &returns, Some(37..38));
        let code = glue.code();
        let body = " if done { return { ::std::result::Result::Ok(()) }; } // why\n::lab::__show_result!(x); // last\n;\n";
        assert!(code.text().contains(body), "{}", code.text());
        let shown = code.text().find("::lab::__show").unwrap();
        assert_eq!(code.role(shown..shown + 1).unwrap().1.unwrap().range, 37..38);
    }
}
