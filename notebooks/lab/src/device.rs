//! Where tensors live and are computed.

use candle_core::{Device, DeviceLocation};

/// The fastest device there is: the first GPU where `lab` was built with its feature `cuda`, else the CPU.
///
/// A build for CUDA that finds no GPU says so in one line and takes the CPU.
pub fn best() -> Device {
    #[cfg(feature = "cuda")]
    match Device::new_cuda(0) {
        Ok(device) => return device,
        Err(error) => println!("No CUDA device, using the CPU: {error}"),
    }
    Device::Cpu
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
