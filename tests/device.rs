//! Choosing a device sets up the allocator for the tensors that follow.

use crate::display::printed;
#[cfg(target_env = "gnu")]
use crate::support::{kernel, output, outputs};
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

/// Of a kernel whose cells use `lab`: within a cell freed memory stays, after it the system has it again.
#[tokio::test]
#[cfg(target_env = "gnu")]
async fn a_cell_gives_freed_memory_back_at_its_end() {
    let mut kernel = kernel().await;
    let resident = "/// In MiB, of pages of 4 KiB.\n\
         fn resident() -> usize {\n\
             let statm = std::fs::read_to_string(\"/proc/self/statm\").unwrap();\n\
             statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() / 256\n\
         }";
    assert_eq!(outputs(&mut kernel, &format!(":dep lab = {{ path = \"lab\" }}\n{resident}")).await, [""; 0]);
    let cell = "lab::device::best();\n\
         let blocks: Vec<Vec<u8>> = (0..20).map(|_| vec![1; 50 << 20]).collect();\n\
         let used = resident();\n\
         drop(blocks);\n\
         println!(\"{} {}\", used > 1000, resident() > 900);";
    assert_eq!(output(&mut kernel, cell).await, "stdout: true true\n");
    assert_eq!(output(&mut kernel, "resident() < 500").await, "result 3: true");
}
