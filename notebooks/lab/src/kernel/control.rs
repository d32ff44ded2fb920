//! The channel through which this process tells the kernel what happens. No cell prints to it.

use messages::Event;
use std::fs::File;
use std::io::Write;
use std::os::fd::{FromRawFd, RawFd};
use std::sync::Mutex;

static CHANNEL: Mutex<Option<File>> = Mutex::new(None);

/// Sends events to this descriptor from now on.
///
/// # Safety
/// The descriptor must be open, and nothing else may use or close it.
pub unsafe fn open(descriptor: RawFd) {
    // SAFETY: the caller guarantees that the descriptor is open and that nothing else uses or closes it, so the file is its
    // only owner.
    let file = unsafe { File::from_raw_fd(descriptor) };
    *CHANNEL.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(file);
}

/// Sends an event to the kernel. No code of the user's runs while the channel is locked, so nobody waits here for longer than
/// the kernel takes to read.
pub fn send(event: &Event) {
    let line = messages::json(event) + "\n";
    let mut channel = CHANNEL.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(channel) = &mut *channel {
        // When this fails the kernel is gone, so there is nobody to tell.
        let _ = channel.write_all(line.as_bytes());
    }
}
