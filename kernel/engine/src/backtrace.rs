//! Symbolizes backtraces: maps addresses in libraries to lines of cells, and drops the frames of std and the kernel.

use crate::sources::Sources;
use addr2line::Loader;
use cell::code::Place;
use environment::session_directory as directory;
use messages::Frame;
use std::collections::HashMap;

/// A function call in the backtrace of a failure.
#[derive(Debug)]
pub struct Call {
    /// The name of the function; `None` for closures and the code of a cell itself.
    pub function: Option<String>,
    /// The place in a cell; `None` for calls in libraries.
    pub place: Option<Place>,
}

/// The frames that mean something to the author of a cell, innermost first.
pub fn calls(frames: &[Frame], sources: &Sources) -> Vec<Call> {
    let mut libraries: HashMap<&str, Option<Loader>> = HashMap::new();
    let mut calls = Vec::new();
    for Frame { library, offset } in frames {
        let loader = libraries.entry(library).or_insert_with(|| Loader::new(library).ok());
        let Some(loader) = loader else { continue };
        let address = offset + loader.relative_address_base();
        match sources.has(library) {
            true => calls.extend(in_cell(loader, address, library, sources)),
            false => calls.extend(in_library(loader, address)),
        }
    }
    // The calls outside the cell are the kernel's. Of those inside libraries, only the one that the cell itself made matters.
    let is_of_cell = |call: &Call| call.place.is_some();
    if let (Some(first), Some(last)) = (calls.iter().position(is_of_cell), calls.iter().rposition(is_of_cell))
    {
        calls.truncate(last + 1);
        calls.drain(..first.saturating_sub(1));
    }
    calls
}

/// The calls in a frame of a cell: more than one if the compiler has inlined functions.
fn in_cell(loader: &Loader, address: u64, library: &str, sources: &Sources) -> Vec<Call> {
    let mut calls = Vec::new();
    let Ok(mut frames) = loader.find_frames(address) else { return calls };
    while let Ok(Some(frame)) = frames.next() {
        let location = frame.location.as_ref().filter(|location| location.file.is_some_and(is_of_cells));
        let Some((line, column)) =
            location.and_then(|location| Some((location.line?, location.column.unwrap_or(1))))
        else {
            continue;
        };
        if let Some(place) = sources.place(library, line, column.max(1)) {
            // The debug info names inlined functions only; the name of the enclosing function is in the symbol table.
            let name = match &frame.function {
                Some(function) => function.raw_name().ok().map(|name| name.into_owned()),
                None => loader.find_symbol(address).map(str::to_owned),
            };
            calls.push(Call { function: name.and_then(|name| function(&name)), place: Some(place) });
        }
    }
    calls
}

fn is_of_cells(file: &str) -> bool {
    file.strip_suffix("/src/lib.rs").is_some_and(|folder| folder.ends_with(directory::CELLS))
}

/// The call in a frame of a library, such as `lab` or candle.
fn in_library(loader: &Loader, address: u64) -> Option<Call> {
    let function = function(loader.find_symbol(address)?)?;
    // The functions with which the platform starts programs and threads.
    let is_of_platform = ["main", "_start", "clone3", "start_thread"].contains(&function.as_str())
        || ["__libc_start", "__rust_"].iter().any(|start| function.starts_with(start));
    (!is_of_platform).then_some(Call { function: Some(function), place: None })
}

/// Demangles and shortens the name of a function: `ctx::Net::forward::h0123456789abcdef` becomes `Net::forward`.
fn function(symbol: &str) -> Option<String> {
    // The names in the symbol table are mangled, those in the debug info are not.
    let name = format!("{:#}", rustc_demangle::demangle(symbol));
    let name = name.trim_start_matches("ctx::").replace("<ctx::", "<").replace("::{{closure}}", "");
    // A closure `f::<u8>::{closure#0}` counts as part of `f::<u8>`.
    let name = name.split("::{closure#").next().unwrap_or_default();
    let of_others = [
        "std::",
        "core::",
        "alloc::",
        "<std::",
        "<core::",
        "<alloc::",
        "lab::kernel::",
        "lab::backtrace::",
        "engine::child::",
        "taper::",
        "__rustc::",
    ];
    // The generated function of the cell, the one that shows its result, and closures without an enclosing function.
    let is_generated = name.is_empty()
        || name == "taper_cell"
        || name.starts_with("taper_cell::")
        || name.starts_with("evcxr_display<")
        || name.starts_with('{');
    let is_of_others = of_others.iter().any(|start| name.starts_with(start));
    (!is_generated && !is_of_others).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_have_the_names_that_their_authors_gave() {
        let named = |symbol: &str| function(symbol);
        assert_eq!(named("_ZN3ctx3Net7forward17h0123456789abcdefE"), Some("Net::forward".into()));
        assert_eq!(
            named("_ZN3ctx5train28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE"),
            Some("train".into())
        );
        assert_eq!(named("_ZN3ctx10taper_cell17h0123456789abcdefE"), None);
        assert_eq!(named("_ZN4core9panicking9panic_fmt17h0123456789abcdefE"), None);
        assert_eq!(named("_ZN6engine5child12run_if_meant17h0123456789abcdefE"), None);
        assert_eq!(named("_RNvCs1234_3ctx5train"), Some("train".into()));
        assert_eq!((named("main_loop"), named("__init")), (Some("main_loop".into()), Some("__init".into())));
        assert_eq!(
            (named("pick"), named("{closure#0}"), named("main")),
            (Some("pick".into()), None, Some("main".into()))
        );
    }
}
