//! Where tensors live and are computed.

use candle_core::{Device, DeviceLocation};

/// The fastest device there is: the first GPU where `lab` was built with its feature `cuda`, else the CPU.
///
/// A build for CUDA that finds no GPU, or none that it was compiled for, says so in one line and takes the CPU.
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
    Device::Cpu
}

#[cfg(feature = "cuda")]
fn first_gpu() -> candle_core::Result<Device> {
    let device = Device::new_cuda(0)?;
    // A kernel has to run: those that were compiled for other GPUs do not.
    candle_core::Tensor::zeros(1, candle_core::DType::F32, &device)?.affine(1.0, 1.0)?;
    Ok(device)
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
