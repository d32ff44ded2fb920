//! Where tensors live and are computed.

use candle_core::{Device, DeviceLocation};

/// The fastest device there is: the first GPU where `lab` was built with its feature `cuda`, else the CPU.
///
/// A build for CUDA that finds no GPU, or none that it was compiled for, says so in one line and takes the CPU. For the
/// CPU, from now on this process keeps the memory of tensors that are freed, for those to come.
pub fn best() -> Device {
    #[cfg(feature = "cuda")]
    match first_gpu() {
        Ok(device) => return device,
        // A backtrace may follow.
        Err(error) => println!(
            "No GPU that can be used, so this is the CPU: {}",
            error.to_string().lines().next().unwrap_or_default()
        ),
    }
    keep_freed_memory();
    Device::Cpu
}

/// Otherwise the C library returns large blocks to the system, and each step of a training gets them anew, page by page,
/// set to 0: more than half of the time of the course's network.
fn keep_freed_memory() {
    /// Bytes up to which a block is kept, and up to which blocks are kept in all.
    #[cfg(target_env = "gnu")]
    const KEPT: libc::c_int = 256 << 20;
    #[cfg(target_env = "gnu")]
    // SAFETY: It only sets parameters of the allocator.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, KEPT);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}

/// The same each time: each `Device::new_cuda` loads the functions of the GPU anew.
#[cfg(feature = "cuda")]
fn first_gpu() -> candle_core::Result<Device> {
    static GPU: std::sync::OnceLock<Device> = std::sync::OnceLock::new();
    if let Some(device) = GPU.get() {
        return Ok(device.clone());
    }
    let device = Device::new_cuda(0)?;
    // A kernel has to run: those that were compiled for other GPUs do not.
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
