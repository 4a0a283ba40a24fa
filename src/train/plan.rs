//! What a training writes, and when.

/// How often something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interval {
    /// Only where it is always done.
    Never,
    /// At the end of every epoch.
    Epoch,
    /// At every step whose number this divides.
    Steps(u64),
}

impl Interval {
    /// Whether it is done at `step`, which ends its epoch or does not.
    pub(super) fn includes(self, step: u64, ends_epoch: bool) -> bool {
        match self {
            Self::Never => false,
            Self::Epoch => ends_epoch,
            Self::Steps(every) => step.is_multiple_of(every),
        }
    }
}

/// What is written of a training. The last step has all of it but histograms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    /// Feature maps of the probe images.
    pub(crate) every: Interval,
    /// Scores on the validation samples.
    pub(crate) validate_every: Interval,
    /// Checkpoints.
    pub(crate) save_every: Interval,
    /// Histograms of weights and gradients.
    pub(crate) histograms_every: Interval,
    /// Newest checkpoints to keep, besides the best; `None` for all.
    pub(crate) keep: Option<usize>,
    /// Most misclassified validation images to show.
    pub(crate) misclassified: usize,
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
