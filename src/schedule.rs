//! When something is done, and how a learning rate falls: plain values that settings read and trainings use.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interval {
    /// Only where it is always done.
    Never,
    Epoch,
    /// At every step whose number this divides.
    Steps(u64),
}

impl Interval {
    /// Whether it is done at `step`, which ends its epoch or does not.
    pub(crate) fn includes(self, step: u64, ends_epoch: bool) -> bool {
        match self {
            Self::Never => false,
            Self::Epoch => ends_epoch,
            Self::Steps(every) => step.is_multiple_of(every),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Decay {
    Constant,
    Step { every: usize, factor: f64 },
    Cosine,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_counts_from_the_first_step() {
        assert!(Interval::Steps(10).includes(20, false) && !Interval::Steps(10).includes(21, true));
        assert!(Interval::Epoch.includes(14, true) && !Interval::Epoch.includes(10, false));
        assert!(!Interval::Never.includes(10, true));
    }
}
