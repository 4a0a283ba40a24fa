//! One optimization step after the other.

use burn::module::Module;
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::divergence::{Divergence, Origin, Symptom};
use super::error::TrainError;
use super::gradients;
use super::network::ready;
use super::noise::GradientNoise;
use super::optimizer::Optimizer;
use super::schedule::{LearningRates, Schedule};
use super::score::Score;
use crate::vgg::Vgg;

/// Hyperparameters of a training.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TrainingSettings {
    pub(crate) optimizer: Optimizer,
    /// L2 penalty (SGD, Adam) or decoupled decay (`AdamW`).
    pub(crate) weight_decay: f32,
    /// The learning rate of every step.
    pub(crate) schedule: Schedule,
    pub(crate) max_gradient_norm: Option<f64>,
    pub(crate) label_smoothing: f32,
    /// The deepest frozen layer of `features`; all before it are frozen too.
    pub(crate) frozen: Option<usize>,
    /// The training stops at a loss above this, in nats.
    pub(crate) max_loss: f64,
    pub(crate) seed: u64,
}

/// A batch of images of one size with their labels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Samples {
    /// Normalized, `[samples, height, width, channels]`.
    pub(crate) pixels: Vec<f32>,
    /// Class indices, `[samples]`.
    pub(crate) labels: Vec<usize>,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Samples {
    fn pixels(&mut self, device: &Device) -> Tensor<4> {
        let points = self.labels.len() * self.height * self.width;
        let channels = self.pixels.len() / points.max(1);
        let shape = [self.labels.len(), self.height, self.width, channels];
        let data = TensorData::new(std::mem::take(&mut self.pixels), shape);
        // [batch, channels, height, width], channels-last in memory: libtorch keeps that through every layer.
        Tensor::from_data(data, device).permute([0, 3, 1, 2])
    }

    fn labels(&self, device: &Device) -> Tensor<1, Int> {
        // Class counts are far below the limit.
        let labels: Vec<i64> = self
            .labels
            .iter()
            .map(|label| i64::try_from(*label).unwrap_or(i64::MAX))
            .collect();
        Tensor::from_data(TensorData::new(labels, [self.labels.len()]), device)
    }
}

/// Metrics of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StepMetrics {
    /// Of the network before the step, in training mode.
    pub(crate) score: Score,
    pub(crate) learning_rate: f64,
    /// Euclidean norm of all gradients, before clipping.
    pub(crate) gradient_norm: f64,
    /// Where the step had several batches.
    pub(crate) noise: Option<GradientNoise>,
}

/// A network under training.
///
/// Dropout uses the device's random number generator, which every step seeds: trainers must not step on
/// one device at the same time.
pub(crate) struct Trainer {
    pub(super) vgg: Vgg,
    pub(super) optimizer: ModuleOptimizer,
    rates: LearningRates,
    loss: CrossEntropyLoss,
    pub(super) settings: TrainingSettings,
    device: Device,
    pub(super) steps: u64,
}

impl Trainer {
    /// A trainer of `vgg`, which must be complete and on `device`, a device with gradients.
    pub(crate) fn new(
        vgg: Vgg,
        settings: TrainingSettings,
        device: &Device,
    ) -> Result<Self, TrainError> {
        if vgg.classifier.is_none() {
            return Err(TrainError::NoClassifier);
        }
        let smoothing = (settings.label_smoothing > 0.0).then_some(settings.label_smoothing);
        Ok(Self {
            vgg: ready(vgg, settings.frozen),
            optimizer: settings.optimizer.start(settings.weight_decay),
            rates: settings.schedule.rates(0)?,
            loss: CrossEntropyLossConfig::new()
                .with_smoothing(smoothing)
                .init(device),
            settings,
            device: device.clone(),
            steps: 0,
        })
    }

    /// Continues after `steps` steps; parameters and optimizer state must have been restored.
    pub(super) fn resume_at(&mut self, steps: u64) -> Result<(), TrainError> {
        self.rates = self.settings.schedule.rates(steps)?;
        self.steps = steps;
        Ok(())
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// Counts a step without samples to learn from.
    pub(super) fn skip_step(&mut self) {
        self.rates.next();
        self.steps += 1;
    }

    /// Whether the network is whole: a panic in the middle of an update loses it.
    pub(super) fn is_whole(&self) -> bool {
        self.vgg.classifier.is_some()
    }

    /// The network without gradients and with dropout off. Copies nothing.
    pub(crate) fn network(&self) -> Vgg {
        self.vgg.valid()
    }

    /// One optimization step over `batches`, whose gradients are averaged. `inspect` gets the
    /// network and its gradients before clipping.
    pub(crate) fn step(
        &mut self,
        batches: Vec<Samples>,
        inspect: impl FnOnce(&Vgg, &GradientsParams),
    ) -> Result<StepMetrics, TrainError> {
        // So that a resumed run draws the same dropout masks.
        self.device.seed(step_seed(self.settings.seed, self.steps));
        let mut score = Score::default();
        let (mut gradients, of_batches) = self.gradients(batches, &mut score)?;
        inspect(&self.vgg, &gradients);
        let norm = gradients::total_norm(&self.vgg, &gradients);
        if !norm.is_finite() {
            return Err(self.diverged(Symptom::GradientNorm(norm), None));
        }
        if let Some(max) = self.settings.max_gradient_norm
            && norm > max
        {
            gradients::scale(&self.vgg, &mut gradients, max / norm);
        }
        let learning_rate = self.rates.next();
        // Moved, not cloned: a shared parameter cannot be updated in place.
        let vgg = std::mem::replace(&mut self.vgg, Vgg::empty());
        self.vgg = self.optimizer.step(learning_rate, vgg, gradients);
        self.steps += 1;
        Ok(StepMetrics {
            score,
            learning_rate,
            gradient_norm: norm,
            noise: noise_of(&of_batches, score.samples, norm),
        })
    }

    /// The mean of the batches' gradients, and where there are several, the norm of each.
    fn gradients(
        &mut self,
        batches: Vec<Samples>,
        score: &mut Score,
    ) -> Result<(GradientsParams, Vec<f64>), TrainError> {
        let mut sum = GradientsAccumulator::new();
        let count = batches.len();
        let mut norms = Vec::with_capacity(count);
        for mut samples in batches {
            let x = samples.pixels(&self.device);
            let labels = samples.labels(&self.device);
            let logits = self.vgg.logits(x.clone()).ok_or(TrainError::NoClassifier)?;
            let loss = self.loss.forward(logits.clone(), labels);
            let value = f64::from(loss.clone().into_scalar::<f32>());
            let max = self.settings.max_loss;
            if value.is_nan() || value > max {
                let symptom = Symptom::Loss { value, max };
                return Err(self.diverged(symptom, Some(x)));
            }
            score.add(&Score::of(&to_host(logits), &samples.labels, value));
            #[expect(clippy::cast_precision_loss, reason = "a handful of batches")]
            let part = loss.div_scalar(count as f32);
            let gradients = GradientsParams::from_grads(part.backward(), &self.vgg);
            if count == 1 {
                return Ok((gradients, norms));
            }
            #[expect(clippy::cast_precision_loss, reason = "a handful of batches")]
            norms.push(gradients::total_norm(&self.vgg, &gradients) * count as f64);
            sum.accumulate(&self.vgg, gradients);
        }
        Ok((sum.grads(), norms))
    }

    fn diverged(&self, symptom: Symptom, x: Option<Tensor<4>>) -> TrainError {
        TrainError::Diverged(Divergence {
            step: self.steps + 1,
            symptom,
            origin: Origin::find(&self.vgg, x),
        })
    }
}

/// What the norms of the gradients of equal batches, of `samples` together, and that of their mean say.
#[expect(clippy::cast_precision_loss, reason = "batches are small")]
fn noise_of(norms: &[f64], samples: usize, of_mean: f64) -> Option<GradientNoise> {
    let (count, samples) = (norms.len() as f64, samples as f64);
    let squares = norms.iter().map(|norm| norm * norm).sum::<f64>() / count.max(1.0);
    GradientNoise::of(
        (samples / count.max(1.0), squares),
        (samples, of_mean * of_mean),
    )
}

/// Logits of `samples` by a network without gradients, `[samples, classes]` row-major; `None` without
/// a classifier.
pub(crate) fn logits(network: &Vgg, mut samples: Samples, device: &Device) -> Option<Vec<f32>> {
    network.logits(samples.pixels(device)).map(to_host)
}

fn to_host(logits: Tensor<2>) -> Vec<f32> {
    logits.into_data().iter::<f32>().collect()
}

/// A distinct seed for every step: neighboring seeds and steps must not collide.
fn step_seed(seed: u64, step: u64) -> u64 {
    // The odd constant of SplitMix64, <https://prng.di.unimi.it/splitmix64.c>.
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(32)
        .wrapping_add(step)
}
