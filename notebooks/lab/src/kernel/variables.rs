//! The variables of a session, from one cell to the next.
//!
//! A cell takes the variables that it names out of the store, and gives them back whether it succeeds or fails. At its end it
//! puts in those that it defines, which replace those of the same name.

use super::{control, quietly};
use messages::Event;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;

/// The values of the variables that no cell is using.
#[derive(Default)]
pub struct Store {
    variables: HashMap<String, Box<dyn Any>>,
    /// Those that the cell in progress has defined.
    new: HashMap<String, Box<dyn Any>>,
}

impl Store {
    /// Whether the variable is there and of this type; tells the kernel if it is not.
    pub fn has<T: 'static>(&self, name: &str) -> bool {
        self.has_of(name, TypeId::of::<T>())
    }

    /// Takes the value out of the store.
    ///
    /// # Panics
    /// If there is none, or it is of another type.
    pub fn take<T: 'static>(&mut self, name: &str) -> T {
        *self.take_boxed(name).downcast().unwrap_or_else(|_| missing(name))
    }

    /// Gives back a value that was taken. It is dropped if the cell has put another one in its place.
    pub fn restore<T: 'static>(&mut self, name: &str, value: T) {
        self.restore_boxed(name, Box::new(value));
    }

    /// Keeps the value of a new variable.
    pub fn put<T: 'static>(&mut self, name: &str, value: T) {
        self.put_boxed(name, Box::new(value));
    }

    /// The value of this name that all cells share, which is created if there is none of this type.
    pub fn shared<T: 'static>(&mut self, name: &str, create: impl FnOnce() -> T) -> Arc<T> {
        if let Some(value) = self.variables.get(name).and_then(|value| value.downcast_ref::<Arc<T>>()) {
            return Arc::clone(value);
        }
        let value = Arc::new(create());
        self.variables.insert(name.to_owned(), Box::new(Arc::clone(&value)));
        value
    }

    /// Keeps what the cell that is over has put in. Returns the names of that.
    pub(super) fn commit(&mut self) -> Vec<String> {
        let new = std::mem::take(&mut self.new);
        let names = new.keys().cloned().collect();
        for (name, value) in new {
            let old = self.variables.insert(name, value);
            quietly(|| drop(old));
        }
        names
    }

    // The parts that do not depend on a type, compiled once.

    fn has_of(&self, name: &str, wanted: TypeId) -> bool {
        let has = self.variables.get(name).is_some_and(|value| (**value).type_id() == wanted);
        if !has {
            control::send(&Event::Lost { name: name.to_owned() });
        }
        has
    }

    fn take_boxed(&mut self, name: &str) -> Box<dyn Any> {
        self.variables.remove(name).unwrap_or_else(|| missing(name))
    }

    fn put_boxed(&mut self, name: &str, value: Box<dyn Any>) {
        self.new.insert(name.to_owned(), value);
    }

    fn restore_boxed(&mut self, name: &str, value: Box<dyn Any>) {
        match self.new.contains_key(name) {
            true => quietly(|| drop(value)),
            false => _ = self.variables.insert(name.to_owned(), value),
        }
    }
}

fn missing(name: &str) -> ! {
    panic!("the variable `{name}` is missing, or of another type")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_was_taken_comes_back_unless_there_is_a_new_one() {
        let mut store = Store::default();
        store.put("x", 1);
        assert_eq!(store.commit(), ["x"]);
        assert!(store.has::<i32>("x") && !store.has::<u8>("x") && !store.has::<i32>("y"));
        let x = store.take::<i32>("x");
        store.restore("x", x + 1);
        assert_eq!((store.commit().len(), store.take::<i32>("x")), (0, 2));
        store.put("x", "new");
        store.restore("x", 2);
        assert_eq!(store.commit(), ["x"]);
        assert_eq!(store.take::<&str>("x"), "new");
    }

    #[test]
    fn the_panic_of_an_old_value_goes_no_further() {
        struct Loud;
        impl Drop for Loud {
            fn drop(&mut self) {
                panic!("as it is dropped");
            }
        }
        let mut store = Store::default();
        store.put("x", Loud);
        store.commit();
        store.put("x", 1);
        store.commit();
        assert_eq!(store.take::<i32>("x"), 1);
    }

    #[test]
    fn what_is_shared_is_made_once_and_anew_for_another_type() {
        let mut store = Store::default();
        let first = store.shared("runtime", || 1);
        assert!(Arc::ptr_eq(&first, &store.shared("runtime", || 2)));
        assert_eq!(*store.shared("runtime", || "other"), "other");
    }
}
