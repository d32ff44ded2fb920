//! The devices on which tensors live and are computed.
//!
//! ```
//! use lab::candle_core::{DType, Tensor};
//!
//! let device = lab::device::best();
//! let ones = Tensor::ones((2, 3), DType::F32, &device)?;
//! assert_eq!(ones.sum_all()?.to_scalar::<f32>()?, 6.0);
//! println!("computed on {}", lab::device::name(&device));
//! # Ok::<(), lab::anyhow::Error>(())
//! ```

use candle_core::{Device, DeviceLocation};
#[cfg(target_env = "gnu")]
use std::sync::atomic::{AtomicBool, Ordering};

/// The fastest device there is: the first GPU if `lab` was built with its feature `cuda`, else the CPU.
///
/// A build for CUDA that finds no GPU, or none that it was compiled for, says so in one line and uses the CPU. On the CPU
/// this process from now on keeps the memory of freed tensors for new ones, a notebook until the end of the cell.
pub fn best() -> Device {
    #[cfg(feature = "cuda")]
    match first_gpu() {
        Ok(device) => return device,
        // Without the backtrace that may follow.
        Err(error) => println!(
            "No GPU that can be used, so this is the CPU: {}",
            error.to_string().lines().next().unwrap_or_default()
        ),
    }
    keep_freed_memory();
    Device::Cpu
}

/// Keeps the memory of freed tensors. Otherwise the C library returns it to the system, and each step of a training gets it anew, page
/// by page, set to 0: that takes more than half of the time of the course's network, and of a larger one's when it is only used.
fn keep_freed_memory() {
    #[cfg(target_env = "gnu")]
    {
        keep_blocks(mallopt);
        KEEPS.store(true, Ordering::Relaxed);
    }
}

/// Gives the memory of freed tensors to the system, if it is kept and much: it may be long until somebody runs the next cell.
pub(crate) fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    if KEEPS.load(Ordering::Relaxed) && free_bytes() > MUCH {
        // SAFETY: `malloc_trim` takes no pointers, changes no block in use, and locks the allocator.
        unsafe { libc::malloc_trim(0) };
    }
}

/// Whether the memory of freed tensors is kept.
#[cfg(target_env = "gnu")]
static KEEPS: AtomicBool = AtomicBool::new(false);

/// So many free bytes are given back at the end of a cell.
#[cfg(target_env = "gnu")]
const MUCH: u32 = 256 << 20;

/// How many bytes the allocator has free, modulo 2³²: `mallinfo2`, which knows them all, is missing in older C libraries.
#[cfg(target_env = "gnu")]
fn free_bytes() -> u32 {
    // SAFETY: `mallinfo` takes nothing, and locks the allocator.
    unsafe { libc::mallinfo() }.fordblks as u32
}

/// Sets a parameter of the allocator. Returns whether the allocator accepts the value.
#[cfg(target_env = "gnu")]
fn mallopt(parameter: libc::c_int, bytes: libc::c_int) -> bool {
    // SAFETY: `mallopt` takes no pointers, accepts any numbers and locks the allocator, so it may be called at any time.
    unsafe { libc::mallopt(parameter, bytes) == 1 }
}

/// Makes the allocator keep blocks up to the largest size that `set`, which takes a parameter and bytes, accepts.
///
/// The C library maps blocks of `M_MMAP_THRESHOLD` bytes or more from the system, and unmaps them when they are freed. Up
/// to 32 MiB are documented; newer versions accept more, older ones refuse. Smaller blocks come from the heap, whose end is
/// returned to the system once more than `M_TRIM_THRESHOLD` bytes are free there, which must be more than all tensors of a step. Setting
/// either parameter stops the threshold from growing by itself with the sizes of freed blocks. So if the first is refused, the second
/// must not be set, or all blocks of more than 128 KiB would be mapped for ever.
#[cfg(target_env = "gnu")]
fn keep_blocks(mut set: impl FnMut(libc::c_int, libc::c_int) -> bool) {
    const SIZES: [libc::c_int; 2] = [256 << 20, 32 << 20];
    if SIZES.into_iter().any(|bytes| set(libc::M_MMAP_THRESHOLD, bytes)) {
        // Any size is accepted. If it were refused all the same, the end of the heap would keep its threshold of 128 KiB.
        set(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
    }
}

/// The same device each time, since each `Device::new_cuda` loads the functions of the GPU anew.
#[cfg(feature = "cuda")]
fn first_gpu() -> candle_core::Result<Device> {
    static GPU: std::sync::OnceLock<Device> = std::sync::OnceLock::new();
    if let Some(device) = GPU.get() {
        return Ok(device.clone());
    }
    let device = Device::new_cuda(0)?;
    // A kernel has to run to find out: kernels that were compiled for other GPUs do not.
    candle_core::Tensor::zeros(1, candle_core::DType::F32, &device)?.affine(1.0, 1.0)?;
    Ok(GPU.get_or_init(|| device).clone())
}

/// A name for captions and score records, such as `CPU (2 threads)` or `CUDA:0`.
pub fn name(device: &Device) -> String {
    match device.location() {
        DeviceLocation::Cpu => {
            let threads = candle_core::utils::get_num_threads();
            format!("CPU ({threads} thread{})", if threads == 1 { "" } else { "s" })
        }
        DeviceLocation::Cuda { gpu_id } => format!("CUDA:{gpu_id}"),
        DeviceLocation::Metal { gpu_id } => format!("Metal:{gpu_id}"),
    }
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::*;
    use libc::{M_MMAP_THRESHOLD, M_TRIM_THRESHOLD};

    const MIB: libc::c_int = 1 << 20;

    /// What an allocator that accepts a threshold of up to `most` bytes is asked for, and whether it accepts it.
    fn asked(most: libc::c_int) -> Vec<(libc::c_int, libc::c_int, bool)> {
        let mut asked = Vec::new();
        keep_blocks(|parameter, bytes| {
            let granted = parameter != M_MMAP_THRESHOLD || bytes <= most;
            asked.push((parameter, bytes, granted));
            granted
        });
        asked
    }

    #[test]
    fn the_largest_blocks_that_are_granted_are_kept() {
        let trim = (M_TRIM_THRESHOLD, libc::c_int::MAX, true);
        assert_eq!(asked(libc::c_int::MAX), [(M_MMAP_THRESHOLD, 256 * MIB, true), trim]);
        let refused = (M_MMAP_THRESHOLD, 256 * MIB, false);
        assert_eq!(asked(32 * MIB), [refused, (M_MMAP_THRESHOLD, 32 * MIB, true), trim]);
    }

    /// Setting the other parameter alone would make the allocator map blocks that it would have learnt to keep.
    #[test]
    fn where_no_size_is_granted_the_allocator_is_left_alone() {
        let asked = asked(MIB);
        assert!(
            asked.iter().all(|(parameter, _, granted)| *parameter == M_MMAP_THRESHOLD && !granted),
            "{asked:?}"
        );
    }

    #[test]
    fn this_machine_grants_a_size() {
        keep_blocks(mallopt);
        assert!(mallopt(M_MMAP_THRESHOLD, 32 * MIB));
    }
}
