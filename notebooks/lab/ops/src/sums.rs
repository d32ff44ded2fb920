//! Sums of many values.

/// How many sums are made side by side, so that the compiler uses vector instructions and rounding errors do not add up.
const LANES: usize = 16;

/// The sum of what `f` makes of the values of each place in the `inputs`, which have the same length.
#[inline(always)]
pub fn sum<const N: usize>(inputs: [&[f32]; N], f: impl Fn([f32; N]) -> f32) -> f64 {
    let [sum] = sums(
        inputs,
        #[inline(always)]
        |values| [f(values)],
    );
    sum
}

/// The same for several sums at once.
#[inline(always)]
pub fn sums<const N: usize, const M: usize>(
    inputs: [&[f32]; N],
    f: impl Fn([f32; N]) -> [f32; M],
) -> [f64; M] {
    let len = inputs[0].len();
    let inputs = inputs.map(|input| &input[..len]);
    let whole = len / LANES * LANES;
    let mut sums = [[0.0f32; LANES]; M];
    for at in (0..whole).step_by(LANES) {
        let chunks = inputs.map(|input| &input[at..at + LANES]);
        for lane in 0..LANES {
            let values = f(chunks.map(|chunk| chunk[lane]));
            for (sums, value) in sums.iter_mut().zip(values) {
                sums[lane] += value;
            }
        }
    }
    let mut totals = sums.map(|sums| sums.into_iter().map(f64::from).sum::<f64>());
    for at in whole..len {
        let values = f(inputs.map(|input| input[at]));
        totals.iter_mut().zip(values).for_each(|(total, value)| *total += f64::from(value));
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::{sum, sums};

    #[test]
    fn every_place_counts_once() {
        for len in [0, 1, 15, 16, 17, 48, 50] {
            let values: Vec<f32> = (0..len).map(|at| at as f32).collect();
            let squares = (0..len).map(|at| (at * at) as f64).sum::<f64>();
            assert_eq!(sum([&values, &values], |[a, b]| a * b), squares, "{len}");
            assert_eq!(sums([&values], |[a]| [1.0, a * a]), [f64::from(len), squares], "{len}");
        }
    }
}
