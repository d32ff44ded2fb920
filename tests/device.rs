//! Choosing a device sets up the allocator for the tensors that follow.

use crate::display::printed;
use lab::device;
use std::hint::black_box;

/// How many pages the system has given this process so far.
fn page_faults() -> i64 {
    // SAFETY: `rusage` is plain integers, for which zeros are valid. The pointer is to one of them, which is all that
    // `getrusage` writes, and nothing else uses it meanwhile.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &mut usage), 0);
        usage.ru_minflt
    }
}

#[test]
#[cfg(target_env = "gnu")]
fn memory_that_was_freed_is_there_for_the_next_tensor() {
    const BYTES: usize = 16 << 20;
    let name = "device::memory_that_was_freed_is_there_for_the_next_tensor";
    let printed = printed(name, &[], || {
        device::best();
        let use_memory = || drop(black_box(vec![1u8; BYTES]));
        use_memory();
        let before = page_faults();
        use_memory();
        println!("{}", page_faults() - before);
    });
    let faults: usize = printed.trim().parse().unwrap();
    assert!(faults < BYTES / 4096 / 10, "{faults} pages came from the system again");
}
