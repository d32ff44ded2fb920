//! Shows the value of a cell's final expression.
//!
//! A value that has a method `evcxr_display` is shown by it, also through a pointer; any other value is shown in its `Debug`
//! form. evcxr finds out which it is by compiling the cell once or twice. The kernel replaces the expression by
//! `__show_result!(…);`, which chooses by itself.

use super::{control, flush};
use messages::Event;
use std::cell::{Ref, RefMut};
use std::fmt::Debug;
use std::rc::Rc;
use std::sync::{Arc, MutexGuard, RwLockReadGuard, RwLockWriteGuard};

/// Shows a value by its method `evcxr_display`, or else in its `Debug` form.
#[doc(hidden)]
#[macro_export]
macro_rules! __show_result {
    ($value:expr) => {{
        // A type's own method takes precedence. The trait is declared here so that rustc does not suggest it elsewhere.
        trait __ShowDebug {
            fn evcxr_display(&self)
            where
                Self: ::std::fmt::Debug,
            {
                $crate::kernel::result::show_debug(&self)
            }
        }
        impl<T: ?Sized> __ShowDebug for T {}
        // Such as `panic!()`, which has no value.
        #[allow(unreachable_code)]
        match &$value {
            value => {
                #[allow(unused_imports)]
                use $crate::kernel::result::{Behind, Itself, Value};
                let value = (&Value((&Value((&Value(value)).behind())).behind())).behind();
                value.evcxr_display()
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

/// Shows a value in its `Debug` form.
pub fn show_debug(value: &dyn Debug) {
    show_text(format!("{value:?}"));
}

/// Shows a text as the value of the cell, after what has been printed before. It does not go through the standard output,
/// which a thread of the user's may have locked.
pub fn show_text(text: String) {
    flush::flush();
    control::send(&Event::Result { data: [("text/plain".to_owned(), text.into())].into_iter().collect() });
}

/// The type of a value as `:types` shows it before the value: `: Option<String> = `, without the paths of the names.
pub fn type_name<T: ?Sized>(_: &T) -> String {
    let mut shortened = String::new();
    for part in
        std::any::type_name::<T>().split_inclusive(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
    {
        shortened.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    format!(": {shortened} = ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_shown_without_paths() {
        assert_eq!(type_name(&Some(String::new())), ": Option<String> = ");
        assert_eq!(type_name(&[(1u8, vec![0.5])]), ": [(u8, Vec<f64>); 1] = ");
        assert_eq!(type_name("text"), ": str = ");
    }
}
