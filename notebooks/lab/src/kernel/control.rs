//! The channel by which this process tells the kernel what happens. Cells print to others.

use crate::display::format::{self, Event};
use std::fs::File;
use std::io::Write;
use std::os::fd::{FromRawFd, RawFd};
use std::sync::Mutex;

static CHANNEL: Mutex<Option<File>> = Mutex::new(None);

/// Has events go to this descriptor.
///
/// # Safety
/// It must be open, and nothing else may use it.
pub unsafe fn open(descriptor: RawFd) {
    // SAFETY: the caller hands the descriptor over, so the file is its only owner.
    let file = unsafe { File::from_raw_fd(descriptor) };
    *CHANNEL.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(file);
}

/// Tells the kernel. No code of the user's runs while the channel is locked, so nobody waits here for longer than the
/// kernel takes to read.
pub fn send(event: &Event) {
    let line = format::json(event) + "\n";
    let mut channel = CHANNEL.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(channel) = &mut *channel {
        // When this fails the kernel is gone, and with it whoever could be told.
        let _ = channel.write_all(line.as_bytes());
    }
}
