//! The course's network in a page. It is compiled to WebAssembly, and `pad.js` of `lab` calls it.
//!
//! A page puts bytes where [`room`] says, gives the weights by [`learn`], and what is drawn by [`look`]; the answer then
//! lies where [`answer`] says.

mod form;
mod net;

/// The very layers that notebooks compute with.
#[allow(dead_code, unused_imports, reason = "a page needs a part of them")]
#[path = "../../lab/src"]
mod lab {
    pub mod nn;
    pub mod ops;
    #[path = "draw/parameters.rs"]
    pub mod parameters;
    pub mod random;
}

pub use lab::{nn, ops};
use lab::{parameters, random};
use net::Net;
use std::cell::RefCell;

/// What the functions share. A page has one thread.
#[derive(Default)]
struct State {
    given: Vec<u32>,
    net: Option<Net>,
    answer: Vec<f32>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Where to put so many bytes.
#[unsafe(no_mangle)]
pub extern "C" fn room(bytes: usize) -> *mut u32 {
    STATE.with_borrow_mut(|state| {
        state.given = vec![0; bytes.div_ceil(size_of::<u32>())];
        state.given.as_mut_ptr()
    })
}

/// Takes what was put there for the weights, as numbers of 32 bits; returns whether there are as many as there must be.
#[unsafe(no_mangle)]
pub extern "C" fn learn() -> bool {
    STATE.with_borrow_mut(|state| {
        let weights: Vec<f32> = state.given.iter().map(|bits| f32::from_bits(u32::from_le(*bits))).collect();
        state.net = Net::new(&weights).ok();
        state.net.is_some()
    })
}

/// Takes it for the ink on a pad with rows of `width` pixels, a byte for each; returns how many numbers the answer has,
/// which is 0 where nothing is drawn: the image of 28 x 28 pixels, ten probabilities, the maps after either block.
#[unsafe(no_mangle)]
pub extern "C" fn look(width: usize) -> usize {
    STATE.with_borrow_mut(|state| {
        let ink: Vec<u8> = state.given.iter().flat_map(|four| four.to_le_bytes()).collect();
        let seen = form::form(&ink, width).zip(state.net.as_ref());
        let answer = seen.and_then(|(image, net)| {
            let numbers = net.look(&image).ok()?;
            Some([image, numbers.concat()].concat())
        });
        state.answer = answer.unwrap_or_default();
        state.answer.len()
    })
}

/// Where the numbers of the answer lie.
#[unsafe(no_mangle)]
pub extern "C" fn answer() -> *const f32 {
    STATE.with_borrow(|state| state.answer.as_ptr())
}

/// Nobody interrupts a page.
fn check_interrupt() -> candle_core::Result<()> {
    Ok(())
}
