//! What `training.rs` measures: each variant, with so many images, in batches of such a size, with or without AVX-512.

use super::{BATCH, BATCHES, Bench, DQN_BATCH, ENCODER_BATCH, MOBILE_BATCH};

/// One thing to measure.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub variant: &'static str,
    pub images: usize,
    pub batch: usize,
    /// Without AVX-512, although the processor has it.
    pub avx2: bool,
}

impl Bench {
    /// Whether to measure with AVX2 only: no, and yes.
    pub fn capabilities(&self) -> &'static [bool] {
        if self.has_avx512 { &[false, true] } else { &[false] }
    }

    pub fn main_keys(&self, avx2: bool) -> Vec<Key> {
        self.variants.iter().map(|variant| self.main_key(variant, avx2)).collect()
    }

    pub fn main_key(&self, variant: &'static str, avx2: bool) -> Key {
        let images = if ["candle", "burn"].contains(&variant) { self.slow_images } else { self.images };
        Key { variant, images, batch: BATCH, avx2 }
    }

    pub fn resnet_keys(&self, avx2: bool) -> Vec<Key> {
        keys(&self.resnets, self.pictures, BATCH, avx2)
    }

    pub fn agent_keys(&self, avx2: bool) -> Vec<Key> {
        keys(&self.agents, self.game_steps, DQN_BATCH, avx2)
    }

    pub fn encoder_keys(&self, avx2: bool) -> Vec<Key> {
        keys(&self.encoders, self.sentences, ENCODER_BATCH, avx2)
    }

    pub fn mobile_keys(&self, avx2: bool) -> Vec<Key> {
        let mut keys = keys(&self.mobiles, self.mobile_pictures, MOBILE_BATCH, avx2);
        // Which takes half a minute for a step.
        keys.iter_mut().filter(|key| key.variant == "mobile-candle").for_each(|key| key.images = 1);
        keys
    }

    /// The variants whose growth is measured: the fastest of `lab`, and those that people write.
    pub fn growing(&self) -> impl Iterator<Item = &'static str> {
        let growing = ["layered", "fused", "pytorch", "keras"];
        self.variants.iter().copied().filter(move |variant| growing.contains(variant))
    }

    pub fn parts(&self) -> [usize; 3] {
        [self.images / 4, self.images / 2, self.images]
    }

    /// The keys that are measured besides the main ones.
    pub fn growth_keys(&self) -> Vec<Key> {
        let sizes = self.parts().map(|images| (images, BATCH)).into_iter();
        let sizes = sizes.chain(BATCHES.map(|batch| (self.images, batch)));
        let keys = sizes.flat_map(|(images, batch)| {
            self.growing().map(move |variant| Key { variant, images, batch, avx2: false })
        });
        keys.filter(|key| *key != self.main_key(key.variant, false)).collect()
    }

    /// Those of the keys that have a number.
    pub fn with_numbers(&self, mut keys: Vec<Key>) -> Vec<Key> {
        keys.retain(|key| self.measured.contains_key(key));
        keys
    }
}

/// Each of the variants, with so many images.
fn keys(variants: &[&'static str], images: usize, batch: usize, avx2: bool) -> Vec<Key> {
    variants.iter().map(|variant| Key { variant, images, batch, avx2 }).collect()
}
