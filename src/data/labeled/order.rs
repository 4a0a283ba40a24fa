//! Which samples are for validation, and which make which batch.

use std::num::NonZeroUsize;

use rand::seq::SliceRandom;

use super::random::{Purpose, numbers};

/// How the samples are grouped into batches in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Batching {
    pub(crate) batch: NonZeroUsize,
    /// What everything random is drawn from: the order of each epoch, and the augmentation.
    pub(crate) seed: u64,
    /// How many epochs; `u64::MAX` for as long as batches are taken.
    pub(crate) epochs: u64,
}

/// A place in training: the next batch.
///
/// Positions compare in the order of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Position {
    pub(crate) epoch: u64,
    pub(crate) batch: u64,
}

#[derive(Debug, PartialEq)]
pub(super) struct BatchPlan {
    pub(super) at: Position,
    /// Where a run resumes that has trained on it.
    pub(super) after: Position,
    pub(super) samples: Vec<usize>,
}

impl Batching {
    pub(crate) fn batches(&self, samples: usize) -> u64 {
        samples.div_ceil(self.batch.get()) as u64
    }

    /// The order of the samples in an epoch: each of `0..samples` once. It depends on the seed and
    /// the epoch alone.
    pub(crate) fn permutation(&self, samples: usize, epoch: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..samples).collect();
        order.shuffle(&mut numbers(Purpose::Order, self.seed, epoch, 0));
        order
    }

    pub(crate) fn after(&self, samples: usize, position: Position) -> Position {
        let batch = position.batch.saturating_add(1);
        if batch < self.batches(samples) {
            Position { batch, ..position }
        } else {
            Position {
                epoch: position.epoch.saturating_add(1),
                batch: 0,
            }
        }
    }

    pub(super) fn shuffled(
        self,
        samples: usize,
        from: Position,
    ) -> impl Iterator<Item = BatchPlan> {
        (from.epoch..self.epochs).flat_map(move |epoch| {
            let batch = if epoch == from.epoch { from.batch } else { 0 };
            let order = self.permutation(samples, epoch);
            self.of_epoch(order, Position { epoch, batch })
        })
    }

    pub(super) fn in_order(self, samples: usize) -> impl Iterator<Item = BatchPlan> {
        self.of_epoch((0..samples).collect(), Position::default())
    }

    fn of_epoch(self, order: Vec<usize>, from: Position) -> impl Iterator<Item = BatchPlan> {
        (from.batch..self.batches(order.len())).map(move |batch| {
            let at = Position { batch, ..from };
            let place = usize::try_from(batch).unwrap_or(usize::MAX);
            let of_batch = order.chunks(self.batch.get()).nth(place);
            BatchPlan {
                at,
                after: self.after(order.len(), at),
                samples: of_batch.unwrap_or_default().to_vec(),
            }
        })
    }
}

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

    fn plan(batch: usize) -> Batching {
        Batching {
            batch: NonZeroUsize::new(batch).unwrap(),
            seed: 5,
            epochs: 3,
        }
    }

    #[test]
    fn an_epoch_has_each_sample_once_in_an_order_of_its_own() {
        let plan = plan(4);
        let orders: Vec<Vec<usize>> = (0..3).map(|epoch| plan.permutation(50, epoch)).collect();
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..50).collect::<Vec<_>>());
            assert_ne!(*order, sorted);
        }
        assert_ne!(orders[0], orders[1]);
        assert_ne!(orders[1], orders[2]);
        assert_eq!(orders[1], plan.permutation(50, 1));
        assert_ne!(orders[1], Batching { seed: 6, ..plan }.permutation(50, 1));
    }

    #[test]
    fn the_rest_is_a_smaller_batch() {
        let plan = plan(4);
        assert_eq!(plan.batches(10), 3);
        let sizes: Vec<usize> = plan
            .shuffled(10, Position { epoch: 2, batch: 0 })
            .map(|batch| batch.samples.len())
            .collect();
        assert_eq!(sizes, [4, 4, 2]);
        assert_eq!(plan.batches(12), 3);
        assert_eq!(plan.batches(3), 1);
    }

    #[test]
    fn going_on_gives_the_rest_of_the_same_batches() {
        let plan = plan(4);
        let all: Vec<_> = plan.shuffled(10, Position::default()).collect();
        assert_eq!(all.len(), 9);
        assert!(all.is_sorted_by_key(|batch| batch.at));
        for (place, batch) in all.iter().enumerate() {
            let rest: Vec<_> = plan.shuffled(10, batch.at).collect();
            assert_eq!(rest, all[place..]);
            let next = all.get(place + 1).map(|batch| batch.at);
            assert_eq!(next.unwrap_or(Position { epoch: 3, batch: 0 }), batch.after);
        }
    }

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
