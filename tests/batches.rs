//! Batches of a split: what is in them, in which order, and on which device.

use lab::candle_core::{Device, Result};
use lab::data::drawn_sized;

#[test]
fn batches_hold_each_image_once_with_its_label() -> Result<()> {
    let digits = drawn_sized(1, 250, 0).unwrap().train;
    let read = |seed: Option<u64>| -> Result<Vec<(Vec<u8>, u8)>> {
        let batches = match seed {
            Some(seed) => digits.batches(64, seed, &Device::Cpu),
            None => digits.batches_in_order(64, &Device::Cpu),
        };
        assert_eq!(batches.len(), 4);
        let (mut all, mut sizes) = (Vec::new(), Vec::new());
        for batch in batches {
            let (images, labels) = batch?;
            assert_eq!(images.dims()[1..], [1, 28, 28]);
            sizes.push(images.dim(0)?);
            for (image, label) in
                images.flatten_from(1)?.to_vec2::<f32>()?.iter().zip(labels.to_vec1::<u32>()?)
            {
                all.push((image.iter().map(|value| (value * 255.0).round() as u8).collect(), label as u8));
            }
        }
        assert_eq!(sizes, [64, 64, 64, 58]);
        Ok(all)
    };
    let expected: Vec<_> =
        (0..250).map(|index| (digits.image(index).to_vec(), digits.classes()[index])).collect();
    assert_eq!(read(None)?, expected);
    let (one, again, other) = (read(Some(1))?, read(Some(1))?, read(Some(2))?);
    assert!(one == again, "the same seed, the same order");
    assert!(one != other && one != expected, "another seed, another order");
    let sorted = |mut items: Vec<_>| {
        items.sort();
        items
    };
    assert!(sorted(one) == sorted(expected), "each image once");
    Ok(())
}

#[test]
fn a_split_is_cut_as_a_slice_is() {
    let digits = drawn_sized(1, 30, 0).unwrap().train;
    let (first, second) = digits.split_at(20);
    assert_eq!((first.len(), second.len()), (20, 10));
    assert_eq!([first.pixels(), second.pixels()].concat(), digits.pixels());
    assert_eq!([first.classes(), second.classes()].concat(), digits.classes());
    assert_eq!(second.image(3), digits.image(23));
    let (third, fourth) = second.split_at(4);
    assert_eq!((third.classes(), fourth.image(0)), (&digits.classes()[20..24], digits.image(24)));
    assert!(digits.split_at(31).1.is_empty());
}

#[test]
fn batches_put_together_on_the_device_are_the_same() -> Result<()> {
    let digits = drawn_sized(1, 250, 0).unwrap().train.split_at(50).1;
    let batches = || digits.batches(64, 3, &Device::Cpu);
    assert_eq!(batches().on_device(true).len(), 4);
    for (here, there) in batches().zip(batches().on_device(true)) {
        let ((images, labels), (others, other_labels)) = (here?, there?);
        assert_eq!((images.dims(), labels.dims()), (others.dims(), other_labels.dims()));
        assert_eq!(labels.to_vec1::<u32>()?, other_labels.to_vec1::<u32>()?);
        let difference = (images - others)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(difference < 1e-6, "division and multiplication differ by {difference}");
    }
    let mut nothing = digits.batches(0, 1, &Device::Cpu).on_device(true);
    let refused = nothing.next().unwrap().unwrap_err().to_string();
    assert!(refused.starts_with("a batch must hold at least one image"), "{refused}");
    assert!(nothing.next().is_none());
    Ok(())
}

#[test]
fn batches_of_nothing_are_an_error_and_of_too_much_are_one() {
    let digits = drawn_sized(1, 5, 0).unwrap().train;
    let mut batches = digits.batches(0, 1, &Device::Cpu);
    let error = batches.next().expect("an error").expect_err("no images").to_string();
    assert!(error.contains("at least one image"), "{error}");
    assert!(batches.next().is_none());
    assert_eq!(digits.batches(usize::MAX, 1, &Device::Cpu).count(), 1);
    assert_eq!(digits.take(0).batches(2, 1, &Device::Cpu).count(), 0);
}

#[test]
fn take_gives_the_first_images_or_all() -> Result<()> {
    let digits = drawn_sized(1, 5, 0).unwrap().train;
    let three = digits.take(3);
    assert_eq!((three.pixels(), three.classes()), (&digits.pixels()[..3 * 784], &digits.classes()[..3]));
    assert_eq!((digits.take(9).len(), digits.take(9).take(2).len(), three.take(4).len()), (5, 2, 3));
    assert_eq!(three.images(&Device::Cpu)?.dims(), [3, 1, 28, 28]);
    Ok(())
}

#[test]
fn a_data_set_prints_as_one_line() {
    let printed = format!("{:?}", drawn_sized(1, 5, 2).unwrap().test);
    assert_eq!(printed, "Split { name: \"drawn digits, test\", len: 2, .. }");
}
