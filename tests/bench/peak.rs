//! How many operations per second the processor can do at most: a loop of nothing but fused multiplications and
//! additions of `f32`, on all threads.

use std::hint::black_box;
use std::time::Instant;

/// Multiplications and additions that do not wait for each other, each of a vector: enough to fill the pipelines.
const CHAINS: usize = 12;
const STEPS: usize = 4_000_000;

/// In GFLOP/s, the best of some runs.
pub fn measure() -> f64 {
    let threads = std::env::var("THREADS").ok().and_then(|threads| threads.parse().ok()).unwrap_or(1);
    let run = || {
        let start = Instant::now();
        let operations: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(best)).collect();
            threads.into_iter().map(|thread| thread.join().expect("it cannot panic")).sum()
        });
        operations as f64 / start.elapsed().as_secs_f64() / 1e9
    };
    (0..5).map(|_| run()).fold(0.0, f64::max)
}

/// Runs the widest loop that the processor has, and returns the number of its operations.
fn best() -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the function is compiled for avx512f alone, which this processor has been found to have.
            return unsafe { avx512() };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the function is compiled for avx2 and fma, and this processor has been found to have both.
            return unsafe { fma() };
        }
    }
    chains::<4>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512() -> usize {
    use std::arch::x86_64::*;
    let (factor, term) = (_mm512_set1_ps(black_box(0.5)), _mm512_set1_ps(black_box(1.0)));
    let mut sums = [term; CHAINS];
    for _ in 0..STEPS {
        for sum in &mut sums {
            *sum = _mm512_fmadd_ps(*sum, factor, term);
        }
    }
    black_box(sums.map(|sum| _mm512_reduce_add_ps(sum)));
    2 * 16 * CHAINS * STEPS
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn fma() -> usize {
    chains::<8>()
}

/// Written so that the compiler vectorizes it.
#[inline(always)]
fn chains<const WIDTH: usize>() -> usize {
    let (factor, term) = (black_box(0.5f32), black_box(1f32));
    let mut sums = [[term; WIDTH]; CHAINS];
    for _ in 0..STEPS {
        for sum in sums.as_flattened_mut() {
            *sum = sum.mul_add(factor, term);
        }
    }
    black_box(sums);
    2 * WIDTH * CHAINS * STEPS
}
