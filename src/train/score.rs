//! Loss, accuracy and top-5 accuracy of logits.

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Score {
    pub(crate) samples: usize,
    loss: f64,
    /// Samples whose class is the first with the highest logit.
    correct: u32,
    top_five: u32,
}

impl Score {
    /// The score of a batch with a known mean loss.
    ///
    /// Shapes: `logits` `[samples, classes]`, row-major; `labels` `[samples]`.
    pub(crate) fn of(logits: &[f32], labels: &[usize], mean_loss: f64) -> Self {
        let classes = logits.len() / labels.len().max(1);
        let mut score = Self {
            samples: labels.len(),
            loss: mean_loss * labels.len() as f64,
            ..Self::default()
        };
        for (row, label) in logits.chunks_exact(classes.max(1)).zip(labels) {
            let rank = rank(row, *label);
            score.correct += u32::from(rank == 0);
            score.top_five += u32::from(rank < 5);
        }
        score
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.samples += other.samples;
        self.loss += other.loss;
        self.correct += other.correct;
        self.top_five += other.top_five;
    }

    /// Mean cross-entropy, in nats.
    pub(crate) fn loss(&self) -> f64 {
        self.mean(self.loss)
    }

    /// Fraction of samples whose class has the highest logit, from 0 to 1.
    pub(crate) fn accuracy(&self) -> f64 {
        self.mean(f64::from(self.correct))
    }

    /// Fraction of samples whose class is among the five highest logits, from 0 to 1.
    pub(crate) fn top_five(&self) -> f64 {
        self.mean(f64::from(self.top_five))
    }

    fn mean(&self, sum: f64) -> f64 {
        let samples = self.samples.max(1) as f64;
        sum / samples
    }
}

/// The place of `label` by falling logits, of equal ones the first first. As torch has it, NaN is above all
/// numbers; but a label whose own logit is NaN ranks last.
fn rank(row: &[f32], label: usize) -> usize {
    let Some(own) = row.get(label).filter(|own| !own.is_nan()) else {
        return row.len();
    };
    let before = |&(place, other): &(usize, &f32)| {
        other.is_nan() || other > own || (other >= own && place < label)
    };
    row.iter().enumerate().filter(before).count()
}

/// The first class with the highest logit, as torch's `argmax` has it on a CPU: NaN is above all numbers.
pub(super) fn predicted(row: &[f32]) -> usize {
    let higher = |best: usize, (place, logit): (usize, &f32)| {
        let above = *logit > row[best] || (logit.is_nan() && !row[best].is_nan());
        if above { place } else { best }
    };
    row.iter().enumerate().fold(0, higher)
}

/// Cross-entropy of one sample, in nats: `log(sum(exp(row))) - row[label]`.
pub(crate) fn cross_entropy(row: &[f32], label: usize) -> f64 {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = row
        .iter()
        .map(|score| f64::from(score - highest).exp())
        .sum();
    let own = row.get(label).copied().unwrap_or(f32::NAN);
    sum.ln() - f64::from(own - highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    // torch: F.cross_entropy(tensor([[1., 2., 3.]]), tensor([0])) is 2.4076059.
    #[test]
    fn cross_entropy_is_torchs() {
        assert!((cross_entropy(&[1.0, 2.0, 3.0], 0) - 2.407_605_9).abs() < 1e-6);
        assert!(cross_entropy(&[f32::NAN, 1.0], 0).is_nan());
        assert!((cross_entropy(&[1e4, -1e4], 0)).abs() < 1e-9);
    }

    #[test]
    fn means_are_over_samples_whatever_the_batches() {
        let mut score = Score::of(&[3.0, 1.0, 2.0, 0.0, 1.0, 2.0], &[0, 1], 0.5);
        score.add(&Score::of(&[1.0, 2.0, 3.0], &[2], 2.0));
        assert_eq!(score.samples, 3);
        assert!((score.loss() - 1.0).abs() < 1e-12);
        assert!((score.accuracy() - 2.0 / 3.0).abs() < 1e-12);
        assert!((score.top_five() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn top_five_counts_five() {
        let row = [6.0, 5.0, 4.0, 3.0, 2.0, 1.0];
        let score = |label| Score::of(&row, &[label], 0.0).top_five();
        assert!(score(4) > 0.5 && score(5) < 0.5);
        assert!(Score::of(&[f32::NAN, 1.0], &[0], 0.0).accuracy() < 0.5);
    }

    // torch 2.9's argmax on these rows. Its topk takes any of equal logits; here the first ones count.
    #[test]
    fn of_equal_logits_the_first_is_the_highest() {
        let right = |row: &[f32]| -> Vec<usize> {
            let is_right = |&label: &usize| Score::of(row, &[label], 0.0).correct == 1;
            (0..row.len()).filter(is_right).collect()
        };
        assert_eq!(right(&[0.0; 7]), [0]);
        assert_eq!(right(&[1.0, 2.0, 2.0]), [1]);
        let in_five = |label| Score::of(&[0.0; 7], &[label], 0.0).top_five;
        assert_eq!([0, 1, 2, 3, 4, 5, 6].map(in_five), [1, 1, 1, 1, 1, 0, 0]);
        for (row, first) in [
            (&[0.0; 7][..], 0),
            (&[1.0, 2.0, 2.0], 1),
            (&[f32::NAN, 1.0], 0),
            (&[1.0, f32::NAN, f32::NAN], 1),
        ] {
            assert_eq!(predicted(row), first);
        }
        assert!(right(&[f32::NAN, 1.0]).is_empty());
    }
}
