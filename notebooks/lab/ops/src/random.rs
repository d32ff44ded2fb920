//! A small generator of random numbers. No update of a crate can change them, so shuffles and drawn digits stay the same.

/// SplitMix64, from Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
pub struct Random(u64);

impl Random {
    /// Each pair of a seed and a stream gives independent numbers.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self(seed);
        Self(random.next().wrapping_add(stream.wrapping_mul(0xd134_2543_de82_ef95)))
    }

    /// The next number, uniform among all of `u64`.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "an iterator would be said to end")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0..n`. Probabilities are off by less than `n` / 2⁶⁴, which no use here can notice.
    #[inline]
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// Uniform in `low..high`.
    #[inline]
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        // The upper 24 bits fill the mantissa of an f32 exactly.
        low + (high - low) * ((self.next() >> 40) as f32 / (1 << 24) as f32)
    }

    /// Approximately normal with mean 0 and standard deviation 1, never beyond ±3.5: the sum of four uniform numbers. It
    /// uses no function whose last bit differs between platforms.
    pub fn normal(&mut self) -> f32 {
        let sum: f32 = (0..4).map(|_| self.between(-1.0, 1.0)).sum();
        sum * 0.866_025_4
    }

    /// Shuffles `items` (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// A random number for each index. None depends on those before, so vectors and threads can draw them independently. This is
/// lowbias32 from Wellons, "Prospecting for hash functions", 2018, with a key before each half.
#[derive(Clone, Copy)]
pub struct Numbers {
    keys: [u32; 2],
}

impl Numbers {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Self {
        let key = Random::new(seed, 0).next();
        Self { keys: [key as u32, (key >> 32) as u32] }
    }

    /// The number at this index, uniform among all of `u32`.
    #[inline(always)]
    pub fn at(self, index: u32) -> u32 {
        let z = index.wrapping_add(self.keys[0]);
        let z = (z ^ (z >> 16)).wrapping_mul(0x21f0_aaad);
        let z = z.wrapping_add(self.keys[1]);
        let z = (z ^ (z >> 15)).wrapping_mul(0x735a_2d97);
        z ^ (z >> 15)
    }
}
