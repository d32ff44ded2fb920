//! The digits that `lab` draws: the same for the same seed, and like those that people write.

use crate::display::printed;
use lab::data::{Split, drawn_sized};
use sha2::{Digest, Sha256};

fn sha256(split: &Split) -> String {
    let digest = Sha256::new().chain_update(split.pixels()).chain_update(split.classes()).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// This changes only when the digits are meant to change; then the accuracies that the course states change too.
const FIRST_THOUSAND: &str = "6c11cd257be99d68029470fd33e25d9a300dfc4f840d5ec166f72094e553306d";

#[test]
fn the_same_seed_gives_the_same_bytes_forever() {
    assert_eq!(sha256(&drawn_sized(0, 1000, 0).unwrap().train), FIRST_THOUSAND);
}

#[test]
fn the_number_of_threads_does_not_matter() {
    for threads in ["1", "5"] {
        let name = "drawn_digits::the_number_of_threads_does_not_matter";
        let hash = printed(name, &[("RAYON_NUM_THREADS", threads)], || {
            println!("{}", sha256(&drawn_sized(0, 1000, 0).unwrap().train));
        });
        assert_eq!(hash.trim(), FIRST_THOUSAND, "{threads} threads");
    }
}

#[test]
fn an_image_depends_on_seed_part_and_place_only() {
    let (small, large) = (drawn_sized(7, 20, 10).unwrap(), drawn_sized(7, 500, 50).unwrap());
    assert_eq!(small.train.pixels(), large.train.take(20).pixels());
    assert_eq!(small.train.classes(), large.train.take(20).classes());
    assert_eq!(small.test.pixels(), large.test.take(10).pixels());
    assert_ne!(small.train.take(10).pixels(), small.test.pixels());
    assert_ne!(small.train.pixels(), drawn_sized(8, 20, 0).unwrap().train.pixels());
}

#[test]
fn the_ten_digits_are_equally_frequent() {
    let mut counts = [0; 10];
    for &class in drawn_sized(0, 10_000, 0).unwrap().train.classes() {
        counts[usize::from(class)] += 1;
    }
    // Four standard deviations of a binomial distribution with p = 0.1.
    assert!(counts.iter().all(|count| (880..=1120).contains(count)), "{counts:?}");
}

#[test]
fn every_image_is_dark_around_and_bright_within() {
    let digits = drawn_sized(3, 5_000, 0).unwrap().train;
    for index in 0..digits.len() {
        let image = digits.image(index);
        let brightest = image.iter().max().copied().unwrap_or(0);
        assert!(brightest >= 150, "image {index}: brightest pixel {brightest}");
        let inked = image.iter().filter(|&&pixel| pixel > 100).count();
        assert!((15..=350).contains(&inked), "image {index}: {inked} inked pixels");
        let border = (0..28).flat_map(|at| [(0, at), (27, at), (at, 0), (at, 27)]);
        let stained = border.filter(|(row, column)| image[row * 28 + column] > 0).count();
        assert!(stained == 0, "image {index}: {stained} inked pixels at the border");
    }
}

/// Choosing the nearest of ten mean images classifies 82 % of MNIST. The drawn digits must be like that: labels and images
/// belong together, but the means alone do not tell the digits apart.
#[test]
fn means_tell_most_digits_apart_but_far_from_all() {
    let digits = drawn_sized(0, 5_000, 1_000).unwrap();
    let mut sums = vec![[0.0f32; 784]; 10];
    let mut counts = [0.0f32; 10];
    for index in 0..digits.train.len() {
        let class = usize::from(digits.train.classes()[index]);
        counts[class] += 1.0;
        for (sum, &pixel) in sums[class].iter_mut().zip(digits.train.image(index)) {
            *sum += f32::from(pixel);
        }
    }
    let distance = |class: usize, image: &[u8]| -> f32 {
        let means = sums[class].iter().map(|sum| sum / counts[class]);
        means.zip(image).map(|(mean, &pixel)| (mean - f32::from(pixel)).powi(2)).sum()
    };
    let right = (0..digits.test.len()).filter(|&index| {
        let image = digits.test.image(index);
        let nearest = (0..10).min_by(|&a, &b| distance(a, image).total_cmp(&distance(b, image)));
        nearest == Some(usize::from(digits.test.classes()[index]))
    });
    let right = right.count();
    assert!((600..=900).contains(&right), "{right} of 1000");
}
