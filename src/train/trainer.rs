//! One optimisation step after the other.

use burn::module::Module;
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::network::ready;
use super::optimiser::Optimiser;
use super::schedule::{Rates, Schedule};
use super::score::Score;
use super::trouble::{self, Symptom, Trouble};
use super::{TrainError, gradients};
use crate::vgg::Vgg;

/// How parameters are moved.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimisation {
    /// The rule.
    pub optimiser: Optimiser,
    /// L2 penalty (SGD, Adam) or decoupled decay (`AdamW`).
    pub weight_decay: f32,
    /// The learning rate of every step.
    pub schedule: Schedule,
    /// The longest that all gradients together may be; longer ones are scaled down.
    pub clip_norm: Option<f64>,
    /// Share of the target that is spread over all classes.
    pub label_smoothing: f32,
    /// The deepest layer of `features` whose parameters stay, with all before it.
    pub frozen: Option<usize>,
    /// A loss above this ends the training, in nats.
    pub highest_loss: f64,
    /// Seed of dropout.
    pub seed: u64,
}

/// Samples of one size with their classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// Normalised, `[samples, height, width, 3]`.
    pub pixels: Vec<f32>,
    /// Class of each sample, `[samples]`.
    pub labels: Vec<usize>,
    /// Rows of each sample.
    pub height: usize,
    /// Columns of each sample.
    pub width: usize,
}

impl Samples {
    fn pixels(&mut self, device: &Device) -> Tensor<4> {
        let shape = [self.labels.len(), self.height, self.width, 3];
        let data = TensorData::new(std::mem::take(&mut self.pixels), shape);
        // Only seen as [batch, 3, height, width]: libtorch keeps that order through every layer.
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

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Of the network as it was before the step, in training mode.
    pub score: Score,
    /// The step's learning rate.
    pub learning_rate: f64,
    /// Euclidean norm of all gradients, before clipping.
    pub gradient_norm: f64,
}

/// A network under training.
///
/// Dropout draws from the device's own random numbers, which every step seeds: trainers that step at
/// the same time on one device disturb each other's.
pub struct Trainer {
    pub(super) vgg: Vgg,
    pub(super) optimiser: ModuleOptimizer,
    rates: Rates,
    loss: CrossEntropyLoss,
    pub(super) settings: Optimisation,
    device: Device,
    /// Steps that were taken.
    pub(super) steps: u64,
}

impl Trainer {
    /// Takes over `vgg`, which must be whole and on `device`, a device with gradients.
    ///
    /// # Errors
    ///
    /// A network without classifier; a schedule that cannot be.
    pub fn new(vgg: Vgg, settings: Optimisation, device: &Device) -> Result<Self, TrainError> {
        if vgg.classifier.is_none() {
            return Err(TrainError::NoClassifier);
        }
        let smoothing = (settings.label_smoothing > 0.0).then_some(settings.label_smoothing);
        Ok(Self {
            vgg: ready(vgg, settings.frozen),
            optimiser: settings.optimiser.start(settings.weight_decay),
            rates: settings.schedule.rates(0)?,
            loss: CrossEntropyLossConfig::new()
                .with_smoothing(smoothing)
                .init(device),
            settings,
            device: device.clone(),
            steps: 0,
        })
    }

    /// Goes on from `steps` steps, whose parameters and optimiser state are in place.
    pub(super) fn continue_from(&mut self, steps: u64) -> Result<(), TrainError> {
        self.rates = self.settings.schedule.rates(steps)?;
        self.steps = steps;
        Ok(())
    }

    /// Steps that were taken.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The network as it is, without gradients and with dropout off. Costs nothing.
    #[must_use]
    pub fn network(&self) -> Vgg {
        self.vgg.valid()
    }

    /// One optimisation step over `batches`, whose gradients are averaged. `look` sees the network
    /// and its gradients before they are clipped and used.
    ///
    /// # Errors
    ///
    /// The loss or the gradients are not finite, or the loss is too high: the network stays as it
    /// was. A network without classifier.
    pub fn step(
        &mut self,
        batches: Vec<Samples>,
        look: impl FnOnce(&Vgg, &GradientsParams),
    ) -> Result<Outcome, TrainError> {
        // The same numbers for dropout when a run is continued from here.
        self.device.seed(stream(self.settings.seed, self.steps));
        let mut score = Score::default();
        let mut gradients = self.gradients(batches, &mut score)?;
        look(&self.vgg, &gradients);
        let norm = gradients::total_norm(&self.vgg, &gradients);
        if !norm.is_finite() {
            return Err(self.trouble(Symptom::Gradients(norm), None).into());
        }
        if let Some(longest) = self.settings.clip_norm
            && norm > longest
        {
            gradients::scale(&self.vgg, &mut gradients, longest / norm);
        }
        let learning_rate = self.rates.next();
        // Taken out, not cloned: a parameter that is held twice cannot be changed in place.
        let vgg = std::mem::replace(&mut self.vgg, Vgg::empty());
        self.vgg = self.optimiser.step(learning_rate, vgg, gradients);
        self.steps += 1;
        Ok(Outcome {
            score,
            learning_rate,
            gradient_norm: norm,
        })
    }

    fn gradients(
        &mut self,
        batches: Vec<Samples>,
        score: &mut Score,
    ) -> Result<GradientsParams, TrainError> {
        let mut sum = GradientsAccumulator::new();
        let count = batches.len();
        for mut samples in batches {
            let x = samples.pixels(&self.device);
            let labels = samples.labels(&self.device);
            let logits = self.vgg.logits(x.clone()).ok_or(TrainError::NoClassifier)?;
            let loss = self.loss.forward(logits.clone(), labels);
            let value = f64::from(loss.clone().into_scalar::<f32>());
            let highest = self.settings.highest_loss;
            if value.is_nan() || value > highest {
                let symptom = Symptom::Loss { value, highest };
                return Err(self.trouble(symptom, Some(x)).into());
            }
            score.add(&Score::of(&host(logits), &samples.labels, value));
            #[expect(clippy::cast_precision_loss, reason = "a handful of batches")]
            let share = loss.div_scalar(count as f32);
            let gradients = GradientsParams::from_grads(share.backward(), &self.vgg);
            if count == 1 {
                return Ok(gradients);
            }
            sum.accumulate(&self.vgg, gradients);
        }
        Ok(sum.grads())
    }

    fn trouble(&self, symptom: Symptom, x: Option<Tensor<4>>) -> Trouble {
        Trouble {
            step: self.steps + 1,
            symptom,
            place: trouble::locate(&self.vgg, x),
        }
    }
}

/// Scores of `samples` by a network without gradients, `[samples, classes]` row by row, and their
/// number of classes; `None` without a classifier.
#[must_use]
pub fn logits(network: &Vgg, mut samples: Samples, device: &Device) -> Option<Vec<f32>> {
    network.logits(samples.pixels(device)).map(host)
}

fn host(logits: Tensor<2>) -> Vec<f32> {
    logits.into_data().iter::<f32>().collect()
}

/// A seed of its own for every step: neighbouring seeds and steps must not meet.
fn stream(seed: u64, step: u64) -> u64 {
    // The odd constant of SplitMix64, <https://prng.di.unimi.it/splitmix64.c>.
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(32)
        .wrapping_add(step)
}
