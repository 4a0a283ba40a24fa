//! The learning rate of every step.

use burn::lr_scheduler::LrSchedulerConfig;
use burn::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::lr_scheduler::linear::LinearLrSchedulerConfig;
use burn::lr_scheduler::module_lr_scheduler::{ModuleLrScheduler, ModuleLrSchedulerConfig};
use burn::lr_scheduler::sequential::SequentialLrSchedulerConfig;
use burn::lr_scheduler::step::StepLrSchedulerConfig;

use super::TrainError;

/// The first step of a warm-up has this share of the learning rate, as in torchvision's reference
/// training (`--lr-warmup-decay`).
const WARM_UP_FROM: f64 = 0.01;

/// How the learning rate goes after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decay {
    /// It stays.
    Constant,
    /// It is multiplied by `factor` every `every` steps.
    Step {
        /// Steps between two cuts.
        every: usize,
        /// What the learning rate is multiplied by.
        factor: f64,
    },
    /// Half a cosine, from the learning rate to nothing at the last step.
    Cosine,
}

/// The learning rate over a training run, in optimisation steps.
///
/// Source: PyTorch's `SequentialLR([LinearLR(start_factor=0.01, total_iters=W), …], milestones=[W])`,
/// whose values it has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// The learning rate that the factors are of.
    pub learning_rate: f64,
    /// What follows the warm-up.
    pub decay: Decay,
    /// Steps over which the learning rate rises, from a hundredth.
    pub warm_up: usize,
    /// Steps of the whole run.
    pub steps: usize,
}

impl Schedule {
    /// The learning rates, from that of step `from` (0 is the first step) on.
    ///
    /// # Errors
    ///
    /// Numbers that Burn's schedulers refuse, such as a factor above 1.
    pub fn rates(&self, from: u64) -> Result<Rates, TrainError> {
        let mut factors = self.factors().map_err(TrainError::Schedule)?;
        for _ in 0..from {
            factors.step();
        }
        Ok(Rates {
            learning_rate: self.learning_rate,
            factors,
        })
    }

    /// A schedule around 1: Burn's schedulers take no learning rate above that.
    fn factors(&self) -> Result<ModuleLrScheduler, String> {
        let after = self.steps.saturating_sub(self.warm_up).max(1);
        let decay: LrSchedulerConfig = match self.decay {
            Decay::Constant => LrSchedulerConfig::Constant(1.0),
            Decay::Step { every, factor } => StepLrSchedulerConfig::new(1.0, every)
                .with_gamma(factor)
                .into(),
            Decay::Cosine => CosineAnnealingLrSchedulerConfig::new(1.0, after)
                .with_min_lr(0.0)
                .into(),
        };
        if self.warm_up == 0 {
            return ModuleLrSchedulerConfig::new(decay).init();
        }
        let warm_up = LinearLrSchedulerConfig::new(WARM_UP_FROM, 1.0, self.warm_up);
        SequentialLrSchedulerConfig::new(vec![warm_up.into(), decay], vec![self.warm_up]).init()
    }
}

/// The learning rates of the steps to come.
pub struct Rates {
    learning_rate: f64,
    factors: ModuleLrScheduler,
}

impl Rates {
    /// The next step's learning rate.
    pub(super) fn next(&mut self) -> f64 {
        self.learning_rate * self.factors.step().base()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: Schedule, count: usize) -> Vec<f64> {
        let mut rates = schedule.rates(0).unwrap();
        (0..count).map(|_| rates.next()).collect()
    }

    fn assert_near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }

    // Expected values: torch 2.9.0,
    //   o = SGD([p], lr=0.1); w = LinearLR(o, 0.01, total_iters=4)
    //   s = SequentialLR(o, [w, CosineAnnealingLR(o, 6)], [4]); o.param_groups[0]["lr"] before each step
    #[test]
    fn warm_up_and_cosine_are_torchs() {
        let schedule = Schedule {
            learning_rate: 0.1,
            decay: Decay::Cosine,
            warm_up: 4,
            steps: 10,
        };
        let expected = [
            0.001,
            0.025_75,
            0.050_5,
            0.075_25,
            0.1,
            0.093_301_270_189,
            0.075,
            0.05,
            0.025,
            0.006_698_729_811,
        ];
        assert_near(&rates(schedule, 10), &expected);
        let mut later = schedule.rates(7).unwrap();
        assert_near(&[later.next(), later.next()], &expected[7..9]);
    }

    // torch: StepLR(o, step_size=3, gamma=0.1)
    #[test]
    fn steps_cut_the_learning_rate() {
        let schedule = Schedule {
            learning_rate: 2.0,
            decay: Decay::Step {
                every: 3,
                factor: 0.1,
            },
            warm_up: 0,
            steps: 7,
        };
        assert_near(&rates(schedule, 7), &[2.0, 2.0, 2.0, 0.2, 0.2, 0.2, 0.02]);
    }

    #[test]
    fn a_factor_that_cannot_be_is_an_error() {
        let schedule = Schedule {
            learning_rate: 0.1,
            decay: Decay::Step {
                every: 0,
                factor: 0.1,
            },
            warm_up: 0,
            steps: 7,
        };
        assert!(schedule.rates(0).is_err());
    }
}
