//! `--every N`: which checkpoints of a sequence are passed over.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use crate::data::checkpoints::Checkpoint;
use crate::state::State;

/// Takes every Nth of the checkpoints that come in the order of their steps. A run that is resumed counts on from its
/// last step, so that its steps stay evenly spaced whatever came late, or is gone.
pub(super) struct EveryNth {
    every: usize,
    /// The steps that the run has, or knows to be unreadable.
    known: BTreeSet<i64>,
    /// How many came from the first one on, or from the last known one on.
    count: usize,
}

impl EveryNth {
    pub(super) fn new(every: NonZeroUsize, earlier: Option<&State>) -> Self {
        let known: BTreeSet<i64> = earlier.into_iter().flat_map(State::steps).collect();
        Self {
            every: every.get(),
            count: usize::from(!known.is_empty()),
            known,
        }
    }

    /// Whether the next checkpoint is passed over.
    pub(super) fn passes(&self, step: i64) -> bool {
        let is_new = self.is_new(step);
        let is_due = is_new && self.count.is_multiple_of(self.every);
        // Without --every the run says which ones came late.
        self.every > 1 && !is_due && !self.knows(step)
    }

    pub(super) fn knows(&self, step: i64) -> bool {
        self.known.contains(&step)
    }

    pub(super) fn advance(&mut self, step: i64) {
        self.count += usize::from(self.is_new(step));
    }

    fn is_new(&self, step: i64) -> bool {
        self.known.last().is_none_or(|last| step > *last)
    }

    pub(super) fn of(mut self, mut sequence: Vec<Checkpoint>) -> Vec<Checkpoint> {
        sequence.retain(|file| {
            let is_passed = self.passes(file.step);
            self.advance(file.step);
            !is_passed
        });
        sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps of these that are taken by a run that knows those.
    fn taken(every: usize, known: &[i64], steps: &[i64]) -> Vec<i64> {
        let mut nth = EveryNth::new(NonZeroUsize::new(every).unwrap(), None);
        nth.count = usize::from(!known.is_empty());
        nth.known.extend(known);
        let file = |&step| Checkpoint {
            step,
            ..Checkpoint::default()
        };
        let taken = nth.of(steps.iter().map(file).collect());
        taken.iter().map(|file| file.step).collect()
    }

    #[test]
    fn a_resumed_run_counts_on_from_its_last_step() {
        assert_eq!(taken(2, &[], &[10, 20, 30, 40, 50]), [10, 30, 50]);
        let known = [10, 30];
        assert_eq!(taken(2, &known, &[10, 20, 30, 40, 50]), [10, 30, 50]);
        // Files that come late, and files that are gone.
        assert_eq!(taken(2, &known, &[5, 10, 15, 30, 40, 50]), [10, 30, 50]);
        assert_eq!(taken(2, &known, &[40, 45, 50]), [45]);
        assert_eq!(taken(3, &known, &[30, 40, 50, 60, 70]), [30, 60]);
        // All of them: the run says what came late.
        assert_eq!(taken(1, &known, &[10, 20, 30, 40]), [10, 20, 30, 40]);
    }
}
