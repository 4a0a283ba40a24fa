//! One optimization step after the other.

use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::module::Module;
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor};

use super::divergence::{Divergence, Origin, Symptom};
use super::error::TrainError;
use super::gradients::{self, GradientNoise};
use super::network::ready;
use super::optimizer::Optimizer;
use super::schedule::Schedule;
use super::score::Score;
use crate::data::labeled::Batch;
use crate::device::{upload, values};
use crate::network::vgg::Vgg;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TrainingSettings {
    pub(crate) optimizer: Optimizer,
    /// L2 penalty (SGD, Adam) or decoupled decay (`AdamW`).
    pub(crate) weight_decay: f32,
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
#[derive(Debug, Clone)]
pub(crate) struct Samples {
    /// Without pixels and pictures once they are uploaded.
    pub(super) batch: Batch,
    uploaded: Option<Uploaded>,
}

#[derive(Debug, Clone)]
pub(super) struct Uploaded {
    /// `[samples, channels, height, width]`.
    pub(super) pixels: Tensor<4>,
    /// `[samples]`.
    pub(super) labels: Tensor<1, Int>,
}

impl From<Batch> for Samples {
    fn from(batch: Batch) -> Self {
        let uploaded = None;
        Self { batch, uploaded }
    }
}

impl Samples {
    fn count(&self) -> usize {
        self.batch.labels.len()
    }

    /// Copies them to `device`, which CUDA does while this thread goes on.
    pub(super) fn upload(&mut self, device: &Device) {
        self.uploaded = Some(self.take(device));
    }

    /// Pixels and labels on `device`, from here on no longer kept.
    pub(super) fn take(&mut self, device: &Device) -> Uploaded {
        if let Some(uploaded) = self.uploaded.take() {
            return uploaded;
        }
        let batch = &mut self.batch;
        // Those are for validation; the memory is for the backward pass.
        batch.pictures.clear();
        let (samples, height, width) = (batch.labels.len(), batch.height, batch.width);
        let channels = batch.pixels.len() / (samples * height * width).max(1);
        let shape = [samples, height, width, channels];
        let pixels = upload(std::mem::take(&mut batch.pixels), shape, device);
        // As floats, so that there is one way to copy.
        let labels = batch.labels.iter().map(|label| *label as f32).collect();
        let labels = upload(labels, [samples], device).int();
        // [batch, channels, height, width], channels-last in memory: libtorch keeps that through every layer.
        Uploaded {
            pixels: pixels.permute([0, 3, 1, 2]),
            labels,
        }
    }
}

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

struct Unread {
    /// `[samples, channels, height, width]`.
    x: Tensor<4>,
    labels: Vec<usize>,
    /// The loss, then the logits row by row: `[1 + samples * classes]`.
    results: Tensor<1>,
}

/// A network under training.
///
/// Dropout uses the device's random number generator, which every step seeds: trainers must not step on
/// one device at the same time.
pub(crate) struct Trainer {
    pub(super) vgg: Vgg,
    pub(super) optimizer: ModuleOptimizer,
    /// What the learning rate is multiplied by at the next steps.
    pub(super) factors: ModuleLrScheduler,
    loss: CrossEntropyLoss,
    pub(super) settings: TrainingSettings,
    pub(super) device: Device,
    pub(super) steps: u64,
    /// Those it has learned from since it was made.
    pub(super) batches: i64,
}

impl Trainer {
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
            factors: settings.schedule.factors(0)?,
            loss: CrossEntropyLossConfig::new()
                .with_smoothing(smoothing)
                .init(device),
            settings,
            device: device.clone(),
            steps: 0,
            batches: 0,
        })
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    pub(super) fn skip_step(&mut self) {
        self.next_rate();
        self.steps += 1;
    }

    fn next_rate(&mut self) -> f64 {
        self.settings.schedule.learning_rate * self.factors.step().base()
    }

    /// Whether the network is whole: a panic in the middle of an update loses it.
    pub(super) fn is_whole(&self) -> bool {
        self.vgg.classifier.is_some()
    }

    /// The network without gradients and with dropout off. Copies nothing.
    pub(crate) fn network(&self) -> Vgg {
        self.vgg.valid()
    }

    /// One optimization step over `batches`, in whose gradient each image weighs the same. `inspect` gets the network and its
    /// gradients before clipping. The loss of a single batch is not read by then, so that the device goes on
    /// meanwhile; it may turn out to end the training.
    pub(crate) fn step(
        &mut self,
        batches: Vec<Samples>,
        inspect: impl FnOnce(&Vgg, &GradientsParams),
    ) -> Result<StepMetrics, TrainError> {
        // So that a resumed run draws the same dropout masks.
        self.device.seed(step_seed(self.settings.seed, self.steps));
        let mut score = Score::default();
        let sizes: Vec<usize> = batches.iter().map(Samples::count).collect();
        let (mut gradients, unread, of_batches) = self.gradients(batches, &mut score)?;
        inspect(&self.vgg, &gradients);
        let norm = self.read(unread, &gradients, &mut score)?;
        if !norm.is_finite() {
            return Err(self.diverged(Symptom::GradientNorm(norm), None));
        }
        if let Some(max) = self.settings.max_gradient_norm
            && norm > max
        {
            gradients::scale(&self.vgg, &mut gradients, max / norm);
        }
        let learning_rate = self.next_rate();
        // Moved, not cloned: a shared parameter cannot be updated in place.
        let lost = Vgg {
            features: Vec::new(),
            classifier: None,
            variant: self.vgg.variant.clone(),
        };
        let vgg = std::mem::replace(&mut self.vgg, lost);
        self.vgg = self.optimizer.step(learning_rate, vgg, gradients);
        self.steps += 1;
        Ok(StepMetrics {
            score,
            learning_rate,
            gradient_norm: norm,
            noise: GradientNoise::of(&of_batches, &sizes, norm),
        })
    }

    /// The mean of the images' gradients. Of a single batch what is unread; of several, the norm of each.
    fn gradients(
        &mut self,
        batches: Vec<Samples>,
        score: &mut Score,
    ) -> Result<(GradientsParams, Option<Unread>, Vec<f64>), TrainError> {
        let mut sum = GradientsAccumulator::new();
        let count = batches.len();
        let images: usize = batches.iter().map(Samples::count).sum();
        let mut norms = Vec::with_capacity(count);
        let mut batches = batches.into_iter();
        while let Some(samples) = batches.next() {
            // The last batch of an epoch may have fewer images.
            let parts = images as f64 / samples.count().max(1) as f64;
            let (gradients, unread) = self.backward(samples, parts)?;
            if count == 1 {
                return Ok((gradients, Some(unread), norms));
            }
            if let Some(next) = batches.as_mut_slice().first_mut() {
                next.upload(&self.device);
            }
            let norm = self.read(Some(unread), &gradients, score)?;
            norms.push(norm * parts);
            sum.accumulate(&self.vgg, gradients);
        }
        Ok((sum.grads(), None, norms))
    }

    /// The gradients of a batch that is one of so many `parts` of a step's images. Nothing is waited for.
    fn backward(
        &mut self,
        mut samples: Samples,
        parts: f64,
    ) -> Result<(GradientsParams, Unread), TrainError> {
        let Uploaded { pixels: x, labels } = samples.take(&self.device);
        self.batches += 1;
        let logits = self.vgg.logits(x.clone()).ok_or(TrainError::NoClassifier)?;
        let loss = self.loss.forward(logits.clone(), labels);
        let logits = logits.inner();
        let all = logits.shape().num_elements();
        let results = vec![loss.clone().inner(), logits.reshape([all])];
        let unread = Unread {
            x,
            labels: samples.batch.labels,
            results: Tensor::cat(results, 0),
        };
        let part = loss.div_scalar(parts);
        let gradients = GradientsParams::from_grads(part.backward(), &self.vgg);
        Ok((gradients, unread))
    }

    /// The norm of all gradients. Adds the score of `batch`, or ends the training at its loss.
    ///
    /// All in a single copy from the device: after each it has nothing to do until more is queued.
    fn read(
        &self,
        batch: Option<Unread>,
        gradients: &GradientsParams,
        score: &mut Score,
    ) -> Result<f64, TrainError> {
        let mut parts = vec![gradients::norms(&self.vgg, gradients)];
        let [count] = parts[0].dims();
        let batch = batch.map(|batch| {
            parts.push(batch.results);
            (batch.x, batch.labels)
        });
        let numbers = values(Tensor::cat(parts, 0)).map_err(|source| TrainError::Backend {
            what: format!("step {}", self.steps + 1),
            source,
        })?;
        let (norms, results) = numbers.split_at(count);
        if let (Some((x, labels)), Some((loss, logits))) = (batch, results.split_first()) {
            let value = f64::from(*loss);
            let max = self.settings.max_loss;
            if value.is_nan() || value > max {
                let symptom = Symptom::Loss { value, max };
                return Err(self.diverged(symptom, Some(x)));
            }
            score.add(&Score::of(logits, &labels, value));
        }
        Ok(gradients::total_norm(norms))
    }

    fn diverged(&self, symptom: Symptom, x: Option<Tensor<4>>) -> TrainError {
        TrainError::Diverged(Divergence {
            step: self.steps + 1,
            symptom,
            origin: Origin::find(&self.vgg, x),
            last_good: None,
        })
    }
}

/// `[samples, classes]` row-major, by a network without gradients; `None` without a classifier.
pub(crate) fn logits(network: &Vgg, mut samples: Samples, device: &Device) -> Option<Vec<f32>> {
    let logits = network.logits(samples.take(device).pixels)?;
    Some(logits.into_data().iter::<f32>().collect())
}

/// A distinct seed for every step: neighboring seeds and steps must not collide.
fn step_seed(seed: u64, step: u64) -> u64 {
    // The odd constant of SplitMix64, <https://prng.di.unimi.it/splitmix64.c>.
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(32)
        .wrapping_add(step)
}
