//! Shows the value of a cell's final expression.
//!
//! A value that has a method `evcxr_display` is shown by it, also through a pointer. Some others have a form that `lab` knows, or a
//! set ([`shown`](super::shown)). Any other value is shown in its `Debug` form. evcxr finds out which it is by compiling the cell
//! once or twice. The kernel replaces the expression by `__show_result!(…);`, which chooses by itself.

use super::{control, flush};
use crate::display::Display;
use messages::Event;
use std::cell::{Ref, RefMut};
use std::fmt::{self, Debug, Write};
use std::rc::Rc;
use std::sync::{Arc, MutexGuard, RwLockReadGuard, RwLockWriteGuard};

/// Shows a value by its method `evcxr_display`, by a trait that knows it, or else in its `Debug` form. After the value come the crates
/// that have such traits besides `lab`.
#[doc(hidden)]
#[macro_export]
macro_rules! __show_result {
    ($value:expr $(, $shown:ident)*) => {{
        // The last in the order of method resolution, because it takes `&mut &T` where the others take `&T` or `&&T`. The trait is
        // declared here so that rustc does not suggest it elsewhere.
        trait __ShowDebug {
            fn evcxr_display(&mut self)
            where
                Self: ::std::fmt::Debug;
        }
        impl<T: ?Sized> __ShowDebug for &T {
            fn evcxr_display(&mut self)
            where
                Self: ::std::fmt::Debug,
            {
                $crate::kernel::result::show_debug(&*self)
            }
        }
        // Such as `panic!()`, which has no value.
        #[allow(unreachable_code)]
        match &$value {
            value => {
                #[allow(unused_imports)]
                use $crate::kernel::result::{Behind, Itself, Value};
                #[allow(unused_imports)]
                use $crate::kernel::shown::{Listed as _, Shown as _};
                $(
                    #[allow(unused_imports)]
                    use ::$shown::Shown as _;
                )*
                (&Value((&Value((&Value(value)).behind())).behind())).behind().evcxr_display()
            }
        };
    }};
}

/// A value that may be a pointer. Method resolution chooses [`Behind`] for pointers and [`Itself`] for all others, because
/// the method of the first needs one reference less.
pub struct Value<'a, T: ?Sized>(pub &'a T);

/// What a pointer points to.
pub trait Behind<'a> {
    /// The type of what it points to.
    type Target: ?Sized;
    /// What it points to.
    fn behind(&self) -> &'a Self::Target;
}

/// A value that is not a pointer.
pub trait Itself<'a> {
    /// Its own type.
    type Target: ?Sized;
    /// The value itself.
    fn behind(&self) -> &'a Self::Target;
}

macro_rules! pointers {
    ($($pointer:ty),*) => {$(
        impl<'a, T: ?Sized> Behind<'a> for Value<'a, $pointer> {
            type Target = T;
            fn behind(&self) -> &'a T {
                &**self.0
            }
        }
    )*};
}

pointers!(
    &T,
    &mut T,
    Box<T>,
    Rc<T>,
    Arc<T>,
    Ref<'_, T>,
    RefMut<'_, T>,
    MutexGuard<'_, T>,
    RwLockReadGuard<'_, T>,
    RwLockWriteGuard<'_, T>
);

impl<'a, T: ?Sized> Itself<'a> for &Value<'a, T> {
    type Target = T;
    fn behind(&self) -> &'a T {
        self.0
    }
}

/// Shows a value in its `Debug` form. Of a huge one only the start is shown, which front ends can bear.
pub fn show_debug(value: &dyn Debug) {
    show_text(start_of(value));
}

/// The most bytes of a `Debug` form.
const LONGEST: usize = 1 << 20;

fn start_of(value: &dyn Debug) -> String {
    let mut start = Start(String::new());
    match write!(start, "{value:?}") {
        Err(_) if start.0.len() >= LONGEST => {
            start.0 + "… (cut: the whole is longer than 1 MiB, and can be printed)"
        }
        _ => start.0,
    }
}

/// Keeps the first texts, and refuses more.
struct Start(String);

impl Write for Start {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut end = text.len().min(LONGEST.saturating_sub(self.0.len()));
        while !text.is_char_boundary(end) {
            end += 1;
        }
        self.0.push_str(&text[..end]);
        if end < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Shows a text as the value of the cell.
pub fn show_text(text: String) {
    show(Display::text(&text));
}

/// Shows something as the value of the cell, after what has been printed before. It does not go through the standard output,
/// which a thread of the user's may have locked.
pub fn show(display: Display) {
    flush::flush();
    control::send(&Event::Result { data: display.into_data() });
}

/// The type of a value as `:types` shows it before the value: `: Option<String> = `, without the paths of the names.
pub fn type_name<T: ?Sized>(_: &T) -> String {
    format!(": {} = ", short_name(std::any::type_name::<T>()))
}

/// The name of a type without the paths of the names in it.
pub fn short_name(name: &str) -> String {
    let parts = name.split_inclusive(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    parts.map(|part| part.rsplit("::").next().unwrap_or(part)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_huge_value_the_start_is_shown() {
        assert_eq!(start_of(&vec![1; 3]), "[1, 1, 1]");
        let text = "é".repeat(LONGEST / 2 - 1);
        assert_eq!(start_of(&text).chars().count(), LONGEST / 2 + 1, "it fits");
        let start = start_of(&vec![7u8; 10_000_000]);
        let shown =
            start.strip_suffix("… (cut: the whole is longer than 1 MiB, and can be printed)").unwrap();
        assert!(shown.starts_with("[7, 7, 7") && shown.len() == LONGEST);
    }

    #[test]
    fn types_are_shown_without_paths() {
        assert_eq!(type_name(&Some(String::new())), ": Option<String> = ");
        assert_eq!(type_name(&[(1u8, vec![0.5])]), ": [(u8, Vec<f64>); 1] = ");
        assert_eq!(type_name("text"), ": str = ");
    }
}
