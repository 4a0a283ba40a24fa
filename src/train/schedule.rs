//! The learning rate of every step.

use burn::lr_scheduler::LrSchedulerConfig;
use burn::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::lr_scheduler::linear::LinearLrSchedulerConfig;
use burn::lr_scheduler::module_lr_scheduler::{ModuleLrScheduler, ModuleLrSchedulerConfig};
use burn::lr_scheduler::sequential::SequentialLrSchedulerConfig;
use burn::lr_scheduler::step::StepLrSchedulerConfig;

use super::error::TrainError;
use crate::schedule::Decay;

/// `start_factor` of the linear warm-up, as in torchvision's reference training.
const WARM_UP_START: f64 = 0.01;

/// The learning rate over a training run, in optimization steps.
///
/// Source: PyTorch's `SequentialLR([LinearLR(start_factor=0.01, total_iters=W), …], milestones=[W])`,
/// whose values it has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Schedule {
    pub(crate) learning_rate: f64,
    pub(crate) decay: Decay,
    pub(crate) warm_up: usize,
    pub(crate) steps: usize,
}

impl Schedule {
    /// The factors of the learning rate from step `from` on; 0 is the first.
    pub(super) fn factors(&self, from: u64) -> Result<ModuleLrScheduler, TrainError> {
        let mut factors = self.scheduler().map_err(TrainError::Schedule)?;
        for _ in 0..from {
            factors.step();
        }
        Ok(factors)
    }

    /// The schedule of a base learning rate of 1, the highest that Burn's schedulers accept.
    fn scheduler(&self) -> Result<ModuleLrScheduler, String> {
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
        let warm_up = LinearLrSchedulerConfig::new(WARM_UP_START, 1.0, self.warm_up);
        SequentialLrSchedulerConfig::new(vec![warm_up.into(), decay], vec![self.warm_up]).init()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates_from(schedule: Schedule, from: u64, count: usize) -> Vec<f64> {
        let mut factors = schedule.factors(from).unwrap();
        let rate = |_| schedule.learning_rate * factors.step().base();
        (0..count).map(rate).collect()
    }

    fn rates(schedule: Schedule, count: usize) -> Vec<f64> {
        rates_from(schedule, 0, count)
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
        assert_near(&rates_from(schedule, 7, 2), &expected[7..9]);
    }

    // torch: StepLR(o, step_size=3, gamma=0.1)
    #[test]
    fn step_decay_is_torchs() {
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
    fn an_invalid_decay_is_an_error() {
        let schedule = Schedule {
            learning_rate: 0.1,
            decay: Decay::Step {
                every: 0,
                factor: 0.1,
            },
            warm_up: 0,
            steps: 7,
        };
        assert!(schedule.factors(0).is_err());
    }
}
