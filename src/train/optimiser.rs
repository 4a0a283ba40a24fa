//! Which optimiser moves the parameters: Burn's own, set as PyTorch has them, and one of ours where
//! speed asks for it.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer, SgdConfig};

use super::sgd::Sgd;

/// PyTorch's `eps`; Burn's own default is a thousand times larger.
const EPSILON: f32 = 1e-8;

/// An optimiser and its own numbers, as `torch.optim` has them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Optimiser {
    /// Stochastic gradient descent; weight decay is added to the gradient.
    Sgd {
        /// Share of the last step's direction that is kept; 0 for none.
        momentum: f64,
        /// Whether momentum looks ahead (Nesterov).
        nesterov: bool,
    },
    /// Adam; weight decay is added to the gradient. Source: <https://arxiv.org/abs/1412.6980>.
    Adam,
    /// Adam with weight decay apart from the gradient. Source: <https://arxiv.org/abs/1711.05101>.
    AdamW,
}

impl Optimiser {
    /// Burn's optimiser with `weight_decay`, nothing remembered yet.
    pub(super) fn start(self, weight_decay: f32) -> ModuleOptimizer {
        let decay = (weight_decay > 0.0).then(|| WeightDecayConfig::new(weight_decay));
        match self {
            Self::Sgd { momentum, nesterov } if momentum > 0.0 => Sgd {
                momentum,
                nesterov,
                weight_decay: f64::from(weight_decay),
            }
            .into(),
            Self::Sgd { .. } => SgdConfig::new().with_weight_decay(decay).init(),
            Self::Adam => AdamConfig::new()
                .with_epsilon(EPSILON)
                .with_weight_decay(decay)
                .init(),
            Self::AdamW => AdamWConfig::new()
                .with_epsilon(EPSILON)
                .with_weight_decay(weight_decay)
                .init(),
        }
    }
}
