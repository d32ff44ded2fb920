//! The types of a cell's new variables, from rustc.
//!
//! evcxr stores a variable under its type's name, and asks rust-analyzer for that name: seconds of start-up time
//! and half a gigabyte in every kernel, for a guess. rustc knows: a trait that the variable does not implement
//! makes it say the type, in a path that the cell can use. The cell then gets `let name: Type = name;` behind the
//! definition, on the same line, so that errors keep their places.

use crate::compile;
use cell::Binding;
use cell::annotated::Annotated;
use evcxr::CommandContext;
use std::collections::HashMap;
use std::fmt::Write;

const MARK: &str = "TAPER_TYPE_OF ";
/// Gives the cell's new variables explicit types. Those of a cell that does not compile stay as they are.
/// `insertions` are what is to be inserted besides.
///
/// Fails for a variable whose type has no name, with a message that says what to do instead.
pub fn annotate(
    context: &mut CommandContext,
    cell: &str,
    mut insertions: Vec<(usize, String)>,
) -> Result<Annotated, String> {
    let parsed = cell::parse(cell);
    let annotated = Annotated::new(cell, insertions.clone());
    let untyped: Vec<&Binding> = parsed.bindings.iter().filter(|binding| needs_type(binding)).collect();
    let last = last_of_each_name(&untyped);
    if last.is_empty() {
        return Ok(annotated);
    }
    let probe = probe(&annotated.code, parsed.result.is_some(), &last);
    let Ok(messages) = context.check(&probe) else { return Ok(annotated) };
    let types: HashMap<String, String> =
        messages.iter().filter_map(|error| answer(&error.message())).collect();
    for Binding { name, mutable, end, .. } in last {
        let Some(type_name) = types.get(name) else { continue };
        let type_name = nameable(name, type_name)?;
        let text = format!(" let {}{name}: {type_name} = {name};", if *mutable { "mut " } else { "" });
        insertions.push((*end, text));
    }
    Ok(Annotated::new(cell, insertions))
}

/// Whether the type of a variable has to be found. Of a name in upper case rustc's own lint says that it is a constant's.
fn needs_type(binding: &Binding) -> bool {
    binding.is_initialized && !binding.is_typed && !binding.may_be_constant
}

/// Of variables that shadow each other only the last is kept.
fn last_of_each_name<'a>(bindings: &[&'a Binding]) -> Vec<&'a Binding> {
    let is_last = |(index, binding): &(usize, &&Binding)| {
        bindings[index + 1..].iter().all(|later| later.name != binding.name)
    };
    bindings.iter().enumerate().filter(is_last).map(|(_, binding)| *binding).collect()
}

/// The cell with a question to rustc for each variable behind it. Questions are type errors, and rustc looks at
/// borrows and moves only where there are none, so the variables may have been moved by then.
fn probe(cell: &str, has_result: bool, bindings: &[&Binding]) -> String {
    let mut probe = format!(":build_env {}=1\n{cell}", compile::SPELL_TYPES);
    probe.push_str(if has_result { "\n;" } else { "\n" });
    for Binding { name, .. } in bindings {
        let _ = write!(
            probe,
            "{{ #[diagnostic::on_unimplemented(message = \"{MARK}{name} {{Self}}\")] trait Asked {{}} \
             fn ask<T: Asked + ?Sized>(_: &T) {{}} ask(&{name}); }}"
        );
    }
    probe
}

fn answer(message: &str) -> Option<(String, String)> {
    let (name, type_name) = message.strip_prefix(MARK)?.split_once(' ')?;
    Some((name.to_owned(), type_name.to_owned()))
}

/// The type as a cell can write it.
fn nameable(name: &str, type_name: &str) -> Result<String, String> {
    if type_name.starts_with("{closure@") {
        return Err(format!(
            "`{name}` holds a closure. Its type has no name, so the variable cannot outlive the cell.\n\
             Make it a function (`fn {name}(…) -> … {{ … }}`), or box it: \
             `let {name}: Box<dyn Fn(…) -> …> = Box::new(…);`"
        ));
    }
    if type_name.contains("{closure@") {
        return Err(format!(
            "`{name}` is built on a closure. Its type has no name, so the variable cannot outlive the cell.\n\
             Collect an iterator (`.collect::<Vec<_>>()`), box it (`let {name}: Box<dyn Iterator<Item = …>> = \
             Box::new(…);`), or use it within braces: `{{ … }}`."
        ));
    }
    if type_name.contains("impl ") || type_name.contains("{async ") || type_name.contains("{coroutine") {
        return Err(format!(
            "`{name}` has the type `{type_name}`, which cannot be named, so the variable cannot outlive the cell.\n\
             Collect it (`.collect::<Vec<_>>()`), box it as a `Box<dyn …>`, or use it within braces: `{{ … }}`."
        ));
    }
    // Numbers that nothing pins down fall back to these, and a function item is stored as a pointer to it.
    let type_name = type_name.replace("{integer}", "i32").replace("{float}", "f64");
    Ok(without_function_names(&type_name))
}

/// `fn(i32) -> i32 {double}` as `fn(i32) -> i32`.
fn without_function_names(type_name: &str) -> String {
    let mut rest = type_name;
    let mut result = String::new();
    while let Some((before, after)) = rest.split_once(" {") {
        let Some((_, behind)) = after.split_once('}') else { break };
        result.push_str(before);
        rest = behind;
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rustc_spelling_becomes_rust() {
        assert_eq!(nameable("x", "std::vec::Vec<{integer}>").unwrap(), "std::vec::Vec<i32>");
        assert_eq!(nameable("f", "(fn(f32) -> f32 {double::<f32>}, u8)").unwrap(), "(fn(f32) -> f32, u8)");
        assert!(nameable("f", "{closure@src/lib.rs:1:2: 1:5}").unwrap_err().contains("Box<dyn Fn"));
        assert!(
            nameable("m", "Map<Range<i32>, {closure@src/lib.rs:1:2: 1:5}>").unwrap_err().contains("collect")
        );
        assert!(nameable("i", "impl std::iter::Iterator<Item = i32>").unwrap_err().contains("collect"));
    }
}
