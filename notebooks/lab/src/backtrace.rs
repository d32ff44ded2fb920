//! Where the program is, in a form that the kernel can resolve: it knows what the cells were compiled from.

use messages::{Frame, Location};
use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::panic;

/// The most frames: more say nothing new, as in an endless recursion.
const MAX_FRAMES: usize = 100;

/// The calls that led here, the innermost first, without those of the platform.
pub fn frames() -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    // SAFETY: the unwinder calls `step` during this call only, on this thread, and hands it this pointer. It is that of a
    // vector which outlives the call and is not used otherwise meanwhile.
    unsafe { _Unwind_Backtrace(step, (&raw mut frames).cast()) };
    frames
}

/// A location in the source, with the library that was compiled from it: the compiler has put the location there.
pub fn location(location: &panic::Location) -> Location {
    let library = library(std::ptr::from_ref(location) as usize).map(|(library, _)| library);
    let (line, column) = (location.line(), location.column());
    Location { library, file: location.file().into(), line, column }
}

/// The name of the library that an address belongs to, and the address within it.
fn library(address: usize) -> Option<(String, u64)> {
    let mut info = MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: `dladdr` takes any address, and has filled `info` if it does not return 0. The name is then a C string that
    // lives as long as the library is loaded, and cells are never unloaded.
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
    // SAFETY: `frames` is the pointer that the function of the same name gave to the unwinder, to a vector that nothing else
    // uses while the unwinder runs; the unwinder gives a context that is valid during this call.
    let (frames, return_address) = unsafe { (&mut *frames.cast::<Vec<Frame>>(), _Unwind_GetIP(context)) };
    // The call itself is just before the address to which it returns.
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
