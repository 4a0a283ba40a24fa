//! The optimizer: Burn's own with PyTorch's defaults, or the faster SGD with momentum of `sgd.rs`.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer, SgdConfig};

use super::sgd::Sgd;

/// PyTorch's `eps`; Burn's own default is a thousand times larger.
const EPSILON: f32 = 1e-8;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Optimizer {
    /// Stochastic gradient descent; weight decay is added to the gradient.
    Sgd { momentum: f64, nesterov: bool },
    /// Adam; weight decay is added to the gradient. Source: <https://arxiv.org/abs/1412.6980>.
    Adam,
    /// Adam with decoupled weight decay. Source: <https://arxiv.org/abs/1711.05101>.
    AdamW,
}

impl Optimizer {
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
