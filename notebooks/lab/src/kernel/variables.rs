//! The variables of a session, from one cell to the next.
//!
//! evcxr writes a module with these names into every cell (evcxr 0.22, `evcxr_internal_runtime.rs`), where it takes longer to
//! compile than most cells do. The taper kernel has the cells use this one.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;

/// Printed, with a variable's name behind it, when its type is another one now.
pub const VARIABLE_CHANGED_TYPE: &str = "EVCXR_VARIABLE_CHANGED_TYPE:";
/// Printed when a `?` has met an error.
pub const USER_ERROR_OCCURRED: &str = "EVCXR_ERROR_OCCURRED";

/// The values of the variables that no cell uses just now.
#[derive(Default)]
pub struct VariableStore {
    variables: HashMap<String, Box<dyn Any>>,
}

/// An empty store. Cells hand it on to each other, and it is never freed.
pub fn create_variable_store() -> *mut VariableStore {
    Box::into_raw(Box::default())
}

impl VariableStore {
    /// Keeps a value, in place of the one before.
    pub fn put_variable<T: 'static>(&mut self, name: &str, value: T) {
        self.put(name, Box::new(value));
    }

    /// Whether the variable is of this type, if there is one; says so to evcxr if it is not.
    pub fn check_variable<T: 'static>(&mut self, name: &str) -> bool {
        self.check(name, TypeId::of::<T>())
    }

    /// The value, which is no longer kept.
    ///
    /// # Panics
    /// If there is none, or it is of another type.
    pub fn take_variable<T: 'static>(&mut self, name: &str) -> T {
        *self.take(name).downcast().unwrap_or_else(|_| changed(name))
    }

    /// The value of this name, which is made if there is none.
    ///
    /// # Panics
    /// If it is of another type.
    pub fn lazy_arc<T: 'static, F: FnOnce() -> T>(&mut self, name: &str, create: F) -> Arc<T> {
        let value = self.variables.entry(name.to_owned()).or_insert_with(|| Box::new(Arc::new(create())));
        Arc::clone(value.downcast_ref().unwrap_or_else(|| changed(name)))
    }

    // What does not depend on a type is compiled here, once.

    fn put(&mut self, name: &str, value: Box<dyn Any>) {
        self.variables.insert(name.to_owned(), value);
    }

    fn check(&self, name: &str, wanted: TypeId) -> bool {
        let is_wanted = self.variables.get(name).is_none_or(|value| (**value).type_id() == wanted);
        if !is_wanted {
            println!("{VARIABLE_CHANGED_TYPE}{name}");
        }
        is_wanted
    }

    fn take(&mut self, name: &str) -> Box<dyn Any> {
        self.variables.remove(name).unwrap_or_else(|| panic!("the variable `{name}` is missing"))
    }
}

fn changed(name: &str) -> ! {
    panic!("the variable `{name}` is of another type now")
}
