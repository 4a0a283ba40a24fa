//! How much the gradients of batches differ.

/// Estimates of one step, from the gradients of its batches and of all of them together.
///
/// Source: `McCandlish` and others, "An Empirical Model of Large-Batch Training" (2018), appendix A.1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GradientNoise {
    /// The squared norm of the true gradient. An estimate may be below 0.
    pub(crate) signal: f64,
    /// The variance of one sample's gradient, summed over all parameters. An estimate may be below 0.
    pub(crate) variance: f64,
}

/// The mean squared norm of gradients over so many samples each.
#[derive(Debug, Clone, Copy)]
pub(super) struct MeanGradient {
    pub(super) samples: f64,
    pub(super) squared_norm: f64,
}

impl GradientNoise {
    /// From gradients over few samples and over many; `None` where they are as many.
    pub(super) fn of(few: MeanGradient, many: MeanGradient) -> Option<Self> {
        let (small, large) = (few.samples, many.samples);
        (small > 0.0 && large > small).then(|| Self {
            signal: (large * many.squared_norm - small * few.squared_norm) / (large - small),
            variance: (few.squared_norm - many.squared_norm) / (1.0 / small - 1.0 / large),
        })
    }

    /// The batch size above which a larger one gains little; `None` where the estimates of this step are too noisy
    /// to say.
    pub(crate) fn scale(self) -> Option<f64> {
        (self.signal > 0.0 && self.variance > 0.0).then(|| self.variance / self.signal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gradients of a known signal and variance: the mean squared norm over `n` samples is their sum with the
    /// variance divided by `n`.
    #[test]
    fn signal_and_variance_are_found_again() {
        let (signal, variance) = (4.0, 48.0);
        let mean = |samples: f64| MeanGradient {
            samples,
            squared_norm: signal + variance / samples,
        };
        let noise = GradientNoise::of(mean(8.0), mean(32.0)).unwrap();
        assert!((noise.signal - signal).abs() < 1e-12);
        assert!((noise.variance - variance).abs() < 1e-12);
        assert!((noise.scale().unwrap() - 12.0).abs() < 1e-12);
        assert_eq!(GradientNoise::of(mean(8.0), mean(8.0)), None);
        let gradient = |samples, squared_norm| MeanGradient {
            samples,
            squared_norm,
        };
        let negative = GradientNoise::of(gradient(8.0, 1.0), gradient(32.0, 2.0)).unwrap();
        assert_eq!(negative.scale(), None);
    }
}
