//! Which samples make which batch.

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
    /// The epoch, from 0.
    pub(crate) epoch: u64,
    /// The batch in the epoch, from 0.
    pub(crate) batch: u64,
}

impl Batching {
    /// Batches in each epoch of `samples` samples.
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

    /// The position after that of a batch.
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

    /// All batches from a position on, each with its position and its samples.
    pub(super) fn batches_from(
        self,
        samples: usize,
        from: Position,
    ) -> impl Iterator<Item = (Position, Vec<usize>)> {
        let batches = self.batches(samples);
        (from.epoch..self.epochs).flat_map(move |epoch| {
            let order = self.permutation(samples, epoch);
            let first = if epoch == from.epoch { from.batch } else { 0 };
            (first..batches).map(move |batch| {
                let place = usize::try_from(batch).unwrap_or(usize::MAX);
                let of_batch = order.chunks(self.batch.get()).nth(place);
                let position = Position { epoch, batch };
                (position, of_batch.unwrap_or_default().to_vec())
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            .batches_from(10, Position { epoch: 2, batch: 0 })
            .map(|(_, samples)| samples.len())
            .collect();
        assert_eq!(sizes, [4, 4, 2]);
        assert_eq!(plan.batches(12), 3);
        assert_eq!(plan.batches(3), 1);
    }

    #[test]
    fn going_on_gives_the_rest_of_the_same_batches() {
        let plan = plan(4);
        let all: Vec<_> = plan.batches_from(10, Position::default()).collect();
        assert_eq!(all.len(), 9);
        assert!(all.is_sorted_by_key(|(position, _)| *position));
        for (place, (position, _)) in all.iter().enumerate() {
            let rest: Vec<_> = plan.batches_from(10, *position).collect();
            assert_eq!(rest, all[place..]);
            let after = plan.after(10, *position);
            let next = all.get(place + 1).map(|(position, _)| *position);
            assert_eq!(next.unwrap_or(Position { epoch: 3, batch: 0 }), after);
        }
    }
}
