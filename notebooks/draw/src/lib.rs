//! The course's network in a page. It is compiled to WebAssembly, and `network.js` of `lab` calls it.
//!
//! The page writes bytes to the address that [`room`] returns. [`learn`] takes them for the weights, [`look`] for a drawing;
//! the result of that starts at the address that [`answer`] returns.

mod form;
mod network;

pub use form::form;

use ops::network::Network;
use std::cell::RefCell;

/// What the functions share. A page has one thread, and so one state.
#[derive(Default)]
struct State {
    given: Vec<u32>,
    network: Option<Network>,
    answer: Vec<f32>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Returns the address of room for so many bytes, until the next call.
#[unsafe(no_mangle)]
pub extern "C" fn room(bytes: usize) -> *mut u32 {
    STATE.with_borrow_mut(|state| {
        state.given = vec![0; bytes.div_ceil(size_of::<u32>())];
        state.given.as_mut_ptr()
    })
}

/// Takes what is in the [`room`] for the weights, as `f32` in little-endian order. Returns whether there are enough of them.
#[unsafe(no_mangle)]
pub extern "C" fn learn() -> bool {
    STATE.with_borrow_mut(|state| {
        let weights: Vec<f32> = state.given.iter().map(|bits| f32::from_bits(u32::from_le(*bits))).collect();
        state.network = network::network(&weights).ok();
        state.network.is_some()
    })
}

/// Takes what is in the [`room`] for the ink on a pad, a byte per pixel, in rows of `width` pixels. Returns how many numbers
/// the answer has: the image of 28 x 28 pixels, the ten probabilities, and the feature maps after each block; 0 if nothing is
/// drawn.
#[unsafe(no_mangle)]
pub extern "C" fn look(width: usize) -> usize {
    STATE.with_borrow_mut(|state| {
        let ink: Vec<u8> = state.given.iter().flat_map(|four| four.to_le_bytes()).collect();
        let seen = form::form(&ink, width).zip(state.network.as_ref());
        let answer = seen.and_then(|(image, network)| {
            let numbers = network::look(network, &image).ok()?;
            Some([image, numbers.concat()].concat())
        });
        state.answer = answer.unwrap_or_default();
        state.answer.len()
    })
}

/// Returns the address of the answer, `f32` by `f32`, until the next call of [`look`].
#[unsafe(no_mangle)]
pub extern "C" fn answer() -> *const f32 {
    STATE.with_borrow(|state| state.answer.as_ptr())
}
