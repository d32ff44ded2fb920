//! The processor's vector instructions.

use pulp::{Arch, Simd, WithSimd};
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

/// Calls `f`, compiled for the vector instructions of this processor if it is inlined.
///
/// `arch().dispatch(f)` does the same for a closure that gives something away. One that does not is called through another function,
/// in which the compiler puts it without those instructions if it is long.
pub fn vectorized<R>(f: impl FnMut() -> R) -> R {
    arch().dispatch(Inlined(f))
}

struct Inlined<F>(F);

impl<R, F: FnMut() -> R> WithSimd for Inlined<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}
