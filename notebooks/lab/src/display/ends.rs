//! The first and last of many.

/// The places that are shown of a row or a column: all, or only the first and the last.
pub struct Ends {
    /// How many there are.
    pub total: usize,
    /// The places that are shown.
    pub shown: Vec<usize>,
    /// How many of these are before the gap, if some are left out.
    pub gap: Option<usize>,
}

impl Ends {
    /// All places if there are `most` at most, or else the first and last half of `most`.
    pub fn of(total: usize, most: usize) -> Self {
        if total <= most {
            return Self { total, shown: (0..total).collect(), gap: None };
        }
        let (first, last) = (most.div_ceil(2), most / 2);
        Self { total, shown: (0..first).chain(total - last..total).collect(), gap: Some(first) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_last_places_are_shown() {
        let ends = |total, most| {
            let ends = Ends::of(total, most);
            (ends.shown, ends.gap)
        };
        assert_eq!(ends(3, 3), (vec![0, 1, 2], None));
        assert_eq!(ends(9, 3), (vec![0, 1, 8], Some(2)));
        assert_eq!(ends(5, 4), (vec![0, 1, 3, 4], Some(2)));
        assert_eq!(ends(0, 3), (vec![], None));
    }
}
