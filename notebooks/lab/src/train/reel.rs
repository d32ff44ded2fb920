//! Which moments of a training are kept.

/// The most moments that are kept.
const MOST: usize = 40;

/// Of all moments that it is given, in their order: the last one, and of the others every one, or every second, fourth, …, as
/// many as there is room for.
pub struct Reel<T> {
    /// With their numbers, which count all that were given from 0.
    kept: Vec<(usize, T)>,
    given: usize,
    every: usize,
}

impl<T> Reel<T> {
    pub fn new() -> Self {
        Self { kept: Vec::new(), given: 0, every: 1 }
    }

    pub fn push(&mut self, moment: T) {
        // The one before was perhaps kept as the last one only.
        self.kept.pop_if(|(number, _)| !number.is_multiple_of(self.every));
        let last = self.given;
        self.kept.push((last, moment));
        self.given += 1;
        if self.kept.len() > MOST {
            self.every *= 2;
            let every = self.every;
            self.kept.retain(|(number, _)| number.is_multiple_of(every) || *number == last);
        }
    }

    pub fn moments(&self) -> impl ExactSizeIterator<Item = &T> + Clone {
        self.kept.iter().map(|(_, moment)| moment)
    }

    pub fn last(&self) -> Option<&T> {
        self.moments().last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(count: usize) -> Vec<usize> {
        let mut reel = Reel::new();
        (0..count).for_each(|number| reel.push(number));
        reel.moments().copied().collect()
    }

    #[test]
    fn few_moments_are_all_kept_and_many_at_even_distances() {
        assert!(kept(0).is_empty());
        assert_eq!(kept(40), (0..40).collect::<Vec<_>>());
        assert_eq!(kept(41), (0..41).step_by(2).collect::<Vec<_>>());
        assert_eq!(kept(42), (0..41).step_by(2).chain([41]).collect::<Vec<_>>());
        assert_eq!(kept(43), (0..43).step_by(2).collect::<Vec<_>>());
        assert_eq!(kept(1000), (0..1000).step_by(32).chain([999]).collect::<Vec<_>>());
        for count in 1..500 {
            let kept = kept(count);
            assert!(kept.len() <= MOST && kept[0] == 0 && kept[kept.len() - 1] == count - 1, "{kept:?}");
        }
    }
}
