//! Where the program is, in a form that the kernel can read: it knows what the cells were compiled from.

use crate::display::format::{Frame, Place};
use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::panic::Location;

/// More than this says nothing new, as in a recursion that does not end.
const MAX_FRAMES: usize = 100;

/// The calls that lead here, the innermost first, without those of the platform.
pub fn frames() -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    // SAFETY: `step` gets back the vector that it is given here, which outlives the call.
    unsafe { _Unwind_Backtrace(step, (&raw mut frames).cast()) };
    frames
}

/// A place in the source, with the library that its code is in: the compiler put the location there.
pub fn place(location: &Location) -> Place {
    let library = library(std::ptr::from_ref(location) as usize).map(|(library, _)| library);
    let (line, column) = (location.line(), location.column());
    Place { library, file: location.file().into(), line, column }
}

/// The name of the library that an address belongs to, and the address within it.
fn library(address: usize) -> Option<(String, u64)> {
    let mut info = MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: dladdr takes any address, fills `info` when it returns another number than 0, and its name is a C string
    // that lives as long as the library is loaded: cells are never unloaded.
    let (name, base) = unsafe {
        if libc::dladdr(address as *const c_void, info.as_mut_ptr()) == 0 {
            return None;
        }
        let info = info.assume_init();
        (CStr::from_ptr(info.dli_fname), info.dli_fbase as usize)
    };
    Some((name.to_string_lossy().into_owned(), (address - base) as u64))
}

extern "C" fn step(context: *mut Context, frames: *mut c_void) -> c_int {
    // SAFETY: both come from `frames` above, by way of the unwinder, which gives a context that is valid for this call.
    let (frames, return_address) = unsafe { (&mut *frames.cast::<Vec<Frame>>(), _Unwind_GetIP(context)) };
    // The call itself is before the place where it returns to.
    if let Some((library, offset)) = library(return_address.saturating_sub(1)) {
        frames.push(Frame { library, offset });
    }
    const GO_ON: c_int = 0;
    const STOP: c_int = 5;
    if frames.len() < MAX_FRAMES { GO_ON } else { STOP }
}

#[repr(C)]
struct Context {
    _private: [u8; 0],
}

// The unwinder that std itself is linked with, <https://itanium-cxx-abi.github.io/cxx-abi/abi-eh.html>.
unsafe extern "C" {
    fn _Unwind_Backtrace(step: extern "C" fn(*mut Context, *mut c_void) -> c_int, data: *mut c_void)
    -> c_int;
    fn _Unwind_GetIP(context: *mut Context) -> usize;
}
