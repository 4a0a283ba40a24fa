//! Burn's own training loop, `SupervisedTraining`, in TensorBoard: metrics of every batch, and what the layers make of
//! one validation image after every epoch. The network is that of Burn's guide, the pictures are waves of four
//! directions.
//!
//!     cargo run --release --features train --example learner [FOLDER [EPOCH]]
//!
//! With EPOCH the training in FOLDER resumes after the checkpoint of that epoch.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::InMemDataset;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig};
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamConfig;
use burn::optim::lr_scheduler::constant::ConstantLr;
use burn::tensor::activation::relu;
use burn::tensor::{Device, ExecutionError, Int, Tensor, TensorData, TensorReadError};
use burn::train::checkpoint::KeepLastNCheckpoints;
use burn::train::metric::{
    AccuracyInput, AccuracyMetric, Adaptor, ItemLazy, LossInput, LossMetric, Metric,
    MetricMetadata, MetricName, SerializedEntry,
};
use burn::train::{
    ClassificationOutput, InferenceStep, Learner, SupervisedTraining, TrainOutput, TrainStep,
};
use vggscope::logger::FeatureLogger;
use vggscope::logger::learner::LearnerMetrics;

const SIDE: u16 = 28;
const CLASSES: u16 = 4;
const EPOCHS: usize = 4;

/// The network of Burn's guide, smaller.
#[derive(Module, Debug)]
struct Model {
    conv1: Conv2d,
    conv2: Conv2d,
    pool: AdaptiveAvgPool2d,
    linear1: Linear,
    linear2: Linear,
}

impl Model {
    fn new(device: &Device) -> Self {
        Self {
            conv1: Conv2dConfig::new([1, 8], [3, 3]).init(device),
            conv2: Conv2dConfig::new([8, 16], [3, 3]).init(device),
            pool: AdaptiveAvgPool2dConfig::new([4, 4]).init(),
            linear1: LinearConfig::new(16 * 4 * 4, 32).init(device),
            linear2: LinearConfig::new(32, CLASSES.into()).init(device),
        }
    }

    fn forward(&self, batch: Batch) -> Output {
        let conv1 = relu(self.conv1.forward(batch.pictures));
        let conv2 = relu(self.conv2.forward(conv1.clone()));
        let features = self.pool.forward(conv2.clone()).flatten(1, 3);
        let output = self.linear2.forward(relu(self.linear1.forward(features)));
        let loss = CrossEntropyLossConfig::new().init(&output.device());
        let loss = loss.forward(output.clone(), batch.classes.clone());
        let first = |maps: Tensor<4>| maps.slice(0..1);
        Output {
            classified: ClassificationOutput::new(loss, output, batch.classes),
            layers: Layers(vec![("conv1", first(conv1)), ("conv2", first(conv2))]),
        }
    }
}

impl TrainStep for Model {
    type Input = Batch;
    type Output = Output;

    fn step(&self, batch: Batch) -> TrainOutput<Output> {
        let output = self.forward(batch);
        TrainOutput::new(self, output.classified.loss.backward(), output)
    }
}

impl InferenceStep for Model {
    type Input = Batch;
    type Output = Output;

    fn step(&self, batch: Batch) -> Output {
        self.forward(batch)
    }
}

/// The feature maps of the first image of a batch, by layer: each `[1, channels, height, width]`.
#[derive(Clone)]
struct Layers(Vec<(&'static str, Tensor<4>)>);

struct Output {
    classified: ClassificationOutput,
    layers: Layers,
}

impl ItemLazy for Output {
    fn sync(self) -> Result<Self, ExecutionError> {
        let layers = self.layers.0.into_iter();
        Ok(Self {
            classified: self.classified.sync()?,
            layers: Layers(
                layers
                    .map(|(name, maps)| (name, maps.without_autodiff()))
                    .collect(),
            ),
        })
    }
}

impl Adaptor<LossInput> for Output {
    fn adapt(&self) -> LossInput {
        self.classified.adapt()
    }
}

impl Adaptor<AccuracyInput> for Output {
    fn adapt(&self) -> AccuracyInput {
        self.classified.adapt()
    }
}

impl Adaptor<Layers> for Output {
    fn adapt(&self) -> Layers {
        self.layers.clone()
    }
}

/// Logs the layers of the first batch of a validation, whose first image is the same every time.
#[derive(Clone)]
struct LayersMetric {
    logger: Arc<FeatureLogger>,
    step: Arc<AtomicI64>,
}

impl LayersMetric {
    fn log(&self, layers: &Layers) -> Result<(), Box<dyn Error>> {
        let mut step = self.logger.step(self.step.load(Relaxed))?;
        for (name, maps) in &layers.0 {
            step.feature_maps(format!("feature_maps/{name}"), maps.clone())?;
        }
        step.finish();
        Ok(())
    }
}

impl Metric for LayersMetric {
    type Input = Layers;

    fn name(&self) -> MetricName {
        Arc::new("Layers".to_owned())
    }

    fn update(
        &mut self,
        layers: &Layers,
        metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        if metadata.iteration == Some(1)
            && let Err(error) = self.log(layers)
        {
            eprintln!("the layers are not logged: {error}");
        }
        Ok(SerializedEntry::not_available(None))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(SerializedEntry::not_available(None))
    }

    fn clear(&mut self) {}
}

/// The number of a picture, which says all about it.
type Number = u16;

#[derive(Clone, Debug)]
struct Batch {
    /// `[batch, 1, SIDE, SIDE]`
    pictures: Tensor<4>,
    /// `[batch]`
    classes: Tensor<1, Int>,
}

struct Waves;

impl Batcher<Number, Batch> for Waves {
    fn batch(&self, numbers: Vec<Number>, device: &Device) -> Batch {
        let side = usize::from(SIDE);
        let shape = [numbers.len(), 1, side, side];
        let pixels: Vec<f32> = numbers.iter().flat_map(|number| wave(*number)).collect();
        let classes: Vec<i32> = numbers
            .iter()
            .map(|number| i32::from(number % CLASSES))
            .collect();
        Batch {
            pictures: Tensor::from_data(TensorData::new(pixels, shape), device),
            classes: Tensor::from_data(classes.as_slice(), device),
        }
    }
}

/// The pixels of a picture: a wave of the direction of its class, with a phase and noise of its own.
fn wave(number: Number) -> impl Iterator<Item = f32> {
    let angle = f32::from(number % CLASSES) * std::f32::consts::PI / f32::from(CLASSES);
    let mut noise = u32::from(number).wrapping_mul(2_654_435_761);
    (0..SIDE * SIDE).map(move |at| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [high, ..] = noise.to_be_bytes();
        let along = f32::from(at % SIDE) * angle.cos() + f32::from(at / SIDE) * angle.sin();
        (along + f32::from(number)).sin() + f32::from(high) / 32.0 - 4.0
    })
}

fn loader(numbers: std::ops::Range<Number>) -> Arc<dyn DataLoader<Batch>> {
    let dataset = InMemDataset::new(numbers.collect());
    DataLoaderBuilder::new(Waves).batch_size(32).build(dataset)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next();
    let folder = PathBuf::from(folder.unwrap_or_else(|| "runs/example-learner".to_owned()));
    let checkpoint: Option<usize> = arguments.next().map(|epoch| epoch.parse()).transpose()?;

    let mut training = SupervisedTraining::new(&folder, loader(0..512), loader(512..640));
    let layers = FeatureLogger::builder(folder.join("layers"));
    let (metrics, layers) = match checkpoint {
        None => (
            LearnerMetrics::create(&folder, training.interrupter())?,
            layers,
        ),
        Some(epoch) => {
            training = training.checkpoint(epoch);
            let metrics = LearnerMetrics::resume(&folder, epoch, training.interrupter())?;
            let next = metrics.step() + 1;
            (metrics, layers.resume_from(next))
        }
    };
    let layers = Arc::new(layers.create()?);
    let progress = metrics.progress();
    let result = training
        .metrics((LossMetric::new(), AccuracyMetric::new()))
        .metric_valid(LayersMetric {
            logger: Arc::clone(&layers),
            step: progress.step(),
        })
        .num_epochs(EPOCHS)
        .with_default_checkpointers()
        .with_checkpointing_strategy(KeepLastNCheckpoints::new(EPOCHS))
        .with_application_logger(None)
        .with_metric_logger(metrics)
        .with_progress_logger(progress)
        .launch(Learner::new(
            Model::new(&Device::flex().autodiff()),
            AdamConfig::new().init(),
            ConstantLr::new(0.003),
        ));
    layers.flush()?;
    if let Some(stop) = result.interrupted {
        return Err(stop.reason.unwrap_or_default().into());
    }
    println!("tensorboard --logdir {}", folder.display());
    Ok(())
}
