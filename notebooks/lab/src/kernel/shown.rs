//! How the value of a cell is shown if its type has no method `evcxr_display` of its own: what other kinds of values than texts
//! look like.
//!
//! Method resolution looks for `evcxr_display` in three steps. First come the type's own method, those of the user's traits, [`Shown`],
//! and the traits of sets; they take `&T`. Then come lists of what has no `Debug` form, [`Listed`], which takes `&&T`; then `Debug`
//! itself, with `&mut &T`.

use super::result::{show, show_debug};
use crate::display;
use candle_core::{Tensor, Var};
use image::{DynamicImage, ImageBuffer, Luma, LumaA, Rgb, Rgba};
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt::Debug;
use std::ops::Deref;

/// What has a better form than that of `Debug`.
pub trait Shown {
    /// Shows it as the value of the cell.
    fn evcxr_display(&self);
}

/// A list of what can be serialized, but has no `Debug` form.
pub trait Listed {
    /// Shows it as the value of the cell.
    fn evcxr_display(&self);
}

/// Lists of structs are tables. Others are shown in their `Debug` form, as ever.
impl<T: Serialize + Debug> Shown for [T] {
    fn evcxr_display(&self) {
        match display::table::of_structs(self) {
            Some(table) => show(table),
            None => show_debug(&self),
        }
    }
}

impl<T: Serialize + Debug> Shown for Vec<T> {
    fn evcxr_display(&self) {
        Shown::evcxr_display(self.as_slice());
    }
}

impl<T: Serialize + Debug, const N: usize> Shown for [T; N] {
    fn evcxr_display(&self) {
        Shown::evcxr_display(self.as_slice());
    }
}

impl<T: Serialize> Listed for &[T] {
    fn evcxr_display(&self) {
        show(display::table::of_list(self));
    }
}

impl<T: Serialize> Listed for &Vec<T> {
    fn evcxr_display(&self) {
        show(display::table::of_list(self));
    }
}

impl<T: Serialize, const N: usize> Listed for &[T; N] {
    fn evcxr_display(&self) {
        show(display::table::of_list(self.as_slice()));
    }
}

impl Shown for Tensor {
    fn evcxr_display(&self) {
        show(display::tensor::of_tensor(self));
    }
}

impl Shown for Var {
    fn evcxr_display(&self) {
        show(display::tensor::of_var(self));
    }
}

impl Shown for Value {
    fn evcxr_display(&self) {
        show(display::json::display(self));
    }
}

impl Shown for Map<String, Value> {
    fn evcxr_display(&self) {
        show(display::json::display(&self.clone().into()));
    }
}

impl Shown for DynamicImage {
    fn evcxr_display(&self) {
        show(display::picture::display(self));
    }
}

macro_rules! images {
    ($($pixel:ident<$part:ident>),*) => {$(
        impl<C: Deref<Target = [$part]>> Shown for ImageBuffer<$pixel<$part>, C> {
            fn evcxr_display(&self) {
                show(display::picture::display(self));
            }
        }
    )*};
}

images!(Rgb<u8>, Rgba<u8>, Luma<u8>, LumaA<u8>, Rgb<u16>, Rgba<u16>, Luma<u16>, LumaA<u16>);

/// Shows an array of a crate that `lab` does not know as the value of the cell. `text` is called with indices, and returns the value
/// there; `caption` stands above the matrices in HTML. The text that goes with them ends with the caption, unless it is given.
pub fn show_array(caption: &str, shape: &[usize], all: Option<String>, text: &dyn Fn(&[usize]) -> String) {
    let array = display::array::of_elements(caption, caption, shape, text);
    show(match all {
        Some(all) => array.alt(&all),
        None => array,
    });
}

/// Shows a table of a crate that `lab` does not know as the value of the cell: columns with their names and types, and a function that
/// returns the texts of a row.
pub fn show_frame(columns: Vec<(String, String)>, rows: usize, texts: &dyn Fn(usize) -> Vec<String>) {
    show(display::table::of_columns(columns, rows, texts));
}

/// The name of a type, without the paths of the names in it.
pub fn short_name<T: ?Sized>() -> String {
    super::result::short_name(std::any::type_name::<T>())
}

pub use super::result::show_text;
