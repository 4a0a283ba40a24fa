//! Which of a class's images are for validation.

use rand::seq::SliceRandom;

use super::random::{Purpose, numbers};

/// How one folder of classes is split into training and validation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Split {
    /// The fraction of each class that is for validation, between 0 and 1.
    pub(crate) fraction: f64,
    /// What chooses the images, apart from their number.
    pub(crate) seed: u64,
}

impl Split {
    /// For each of the `count` images of a class, whether it is for validation.
    ///
    /// The rounded fraction is, but at least one image of two or more, and never all: a single image
    /// is for training.
    pub(super) fn choose(&self, class: usize, count: usize) -> Vec<bool> {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a fraction of a number of files"
        )]
        let share = (count as f64 * self.fraction).round() as usize;
        let most = count.saturating_sub(1);
        let share = share.clamp(most.min(1), most);
        let mut chosen: Vec<bool> = (0..count).map(|place| place < share).collect();
        chosen.shuffle(&mut numbers(Purpose::Split, self.seed, 0, class));
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn share(fraction: f64, count: usize) -> usize {
        let split = Split { fraction, seed: 3 };
        split.choose(0, count).iter().filter(|&&v| v).count()
    }

    #[test]
    fn the_rounded_share_with_one_for_each_side() {
        let shares = [1, 2, 3, 14, 15, 24, 25, 100].map(|count| share(0.1, count));
        assert_eq!(shares, [0, 1, 1, 1, 2, 2, 3, 10]);
        assert_eq!([1, 2, 3].map(|count| share(0.99, count)), [0, 1, 2]);
    }

    #[test]
    fn the_seed_and_the_class_choose() {
        let choose = |seed, class| {
            Split {
                fraction: 0.5,
                seed,
            }
            .choose(class, 40)
        };
        assert_eq!(choose(1, 0), choose(1, 0));
        assert_ne!(choose(1, 0), choose(2, 0));
        assert_ne!(choose(1, 0), choose(1, 1));
    }

    proptest! {
        #[test]
        fn both_sides_get_something(fraction in 0.0..=1.0_f64, count in 2..500_usize) {
            let share = share(fraction, count);
            prop_assert!(0 < share && share < count);
        }
    }
}
