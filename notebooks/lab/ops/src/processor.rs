//! The processor's vector instructions.

use pulp::Arch;
use std::sync::OnceLock;

/// The widest vector instructions of this processor. For tests and measurements, `LAB_CPU_CAPABILITY` set to `default` or
/// `avx2` asks for less, as `ATEN_CPU_CAPABILITY` does in PyTorch.
pub fn arch() -> Arch {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    *ARCH.get_or_init(|| match std::env::var("LAB_CPU_CAPABILITY").as_deref() {
        Ok("default") => Arch::Scalar,
        #[cfg(target_arch = "x86_64")]
        Ok("avx2") => pulp::x86::V3::try_new().map_or(Arch::Scalar, Arch::V3),
        _ => Arch::new(),
    })
}
