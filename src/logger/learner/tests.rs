//! A training of Burn, logged by Burn's own logger too.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::InMemDataset;
use burn::module::{Module, Param};
use burn::optim::SgdConfig;
use burn::optim::lr_scheduler::constant::ConstantLr;
use burn::tensor::{Device, Distribution, Tensor};
use burn::train::logger::{FileMetricLogger, TrainingProgressLogger as _};
use burn::train::metric::{LearningRateMetric, LossMetric};
use burn::train::{InferenceStep, Learner, RegressionOutput, TrainOutput, TrainStep};

use super::*;
use tensorboard_events::{Content, EventReader, Inventory, Value, event_files};

const TRAINED: usize = 10;
const VALIDATED: usize = 6;
/// Of a batch size of 4.
const BATCHES: i64 = 3;

#[derive(Module, Debug)]
struct Line {
    weight: Param<Tensor<2>>,
}

#[derive(Clone, Debug)]
struct Batch {
    /// `[batch, 1]`
    x: Tensor<2>,
}

struct Numbers;

impl Batcher<f32, Batch> for Numbers {
    fn batch(&self, numbers: Vec<f32>, device: &Device) -> Batch {
        let x = Tensor::<1>::from_floats(numbers.as_slice(), device);
        Batch {
            x: x.unsqueeze_dim(1),
        }
    }
}

impl Line {
    /// Learns to double.
    fn forward(&self, Batch { x }: Batch) -> RegressionOutput {
        let found = x.clone().matmul(self.weight.val());
        let expected = x * 2.0;
        let loss = (found.clone() - expected.clone()).square().mean();
        RegressionOutput::new(loss, found, expected)
    }
}

impl TrainStep for Line {
    type Input = Batch;
    type Output = RegressionOutput;

    fn step(&self, batch: Batch) -> TrainOutput<RegressionOutput> {
        let output = self.forward(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Line {
    type Input = Batch;
    type Output = RegressionOutput;

    fn step(&self, batch: Batch) -> RegressionOutput {
        self.forward(batch)
    }
}

fn loader(count: usize) -> Arc<dyn DataLoader<Batch>> {
    let numbers = (0_u8..).take(count).map(f32::from).collect();
    let loader = DataLoaderBuilder::new(Numbers).batch_size(4);
    loader.build(InMemDataset::new(numbers))
}

fn learner() -> Learner<Line> {
    let device = Device::flex().autodiff();
    let weight = Tensor::random([1, 1], Distribution::Default, &device);
    let line = Line {
        weight: Param::from_tensor(weight),
    };
    Learner::new(line, SgdConfig::new().init(), ConstantLr::new(0.001))
}

fn training(folder: &Path, epochs: usize) -> burn::train::SupervisedTraining<Line> {
    burn::train::SupervisedTraining::new(folder, loader(TRAINED), loader(VALIDATED))
        .num_epochs(epochs)
        .metrics((LossMetric::new(),))
        .metric_train_numeric(LearningRateMetric::new())
        .with_application_logger(None)
}

/// The scalars of a run, by tag: steps and values.
fn scalars(folder: &Path) -> BTreeMap<String, Vec<(i64, f32)>> {
    let mut found: BTreeMap<String, Vec<(i64, f32)>> = BTreeMap::new();
    for file in event_files(folder).unwrap() {
        for event in EventReader::open(&file).unwrap().map(Result::unwrap) {
            let Content::Summaries(values) = event.content else {
                continue;
            };
            for summary in values {
                if let Some(Value::Scalar(value)) = summary.value {
                    found
                        .entry(summary.tag)
                        .or_default()
                        .push((event.step, value));
                }
            }
        }
    }
    found
}

/// What Burn's own logger wrote of a metric in an epoch: the batches, then the whole.
fn of_burn(folder: &Path, split: &str, metric: &str, epoch: usize) -> (Vec<f32>, f32) {
    let path = folder.join(format!("{split}/epoch-{epoch}/{metric}.log"));
    let lines = std::fs::read_to_string(path).unwrap();
    let entries = lines
        .lines()
        .map(|line| NumericEntry::deserialize(line).unwrap());
    let mut values: Vec<f32> = entries.map(|entry| as_float(entry.current())).collect();
    let whole = values.pop().unwrap();
    (values, whole)
}

/// As an event file has it.
#[expect(clippy::cast_possible_truncation, reason = "event files have float32")]
fn as_float(value: f64) -> f32 {
    value as f32
}

#[test]
fn scalars_are_the_metrics_of_the_learner_at_their_steps() {
    let folder = tempfile::tempdir().unwrap();
    let (run, logs) = (folder.path().join("run"), folder.path().join("logs"));
    let training = training(&logs, 3);
    let metrics = LearnerMetrics::create(&run, training.interrupter()).unwrap();
    let progress = metrics.progress();
    let counted = progress.step();
    let result = training
        .with_metric_logger(metrics)
        .with_metric_logger(FileMetricLogger::new(&logs))
        .with_progress_logger(progress)
        .launch(learner());
    assert_eq!(result.interrupted, None);
    assert_eq!(
        counted.load(std::sync::atomic::Ordering::Relaxed),
        3 * BATCHES
    );

    let found = scalars(&run);
    let steps = 1..=3 * BATCHES;
    for (metric, file) in [("Loss", "Loss"), ("Learning Rate", "Learning_Rate")] {
        let mut batches = Vec::new();
        let mut wholes = Vec::new();
        for epoch in 1..=3 {
            let (values, whole) = of_burn(&logs, "train", file, epoch);
            batches.extend(values);
            wholes.push(whole);
        }
        let batches: Vec<_> = steps.clone().zip(batches).collect();
        assert_eq!(batches.len(), 9);
        assert_eq!(found[&format!("train/{metric}")], batches);
        let wholes: Vec<_> = [3, 6, 9].into_iter().zip(wholes).collect();
        assert_eq!(found[&format!("train/{metric}/epoch")], wholes);
    }
    let validated = [1, 2, 3].map(|epoch| of_burn(&logs, "valid", "Loss", epoch).1);
    let validated: Vec<_> = [3, 6, 9].into_iter().zip(validated).collect();
    assert_eq!(found["valid/Loss"], validated);
    assert_eq!(found["epoch"], [(3, 1.0), (6, 2.0), (9, 3.0)]);
    let speeds = &found["train/items_per_second"];
    assert!(speeds.iter().map(|(step, _)| *step).eq(steps));
    assert!(speeds.iter().all(|(_, speed)| *speed > 0.0));
    assert_eq!(found.len(), 7);
}

#[test]
fn a_resumed_training_goes_on_after_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (run, saved) = (folder.path().join("run"), folder.path().join("saved"));
    let begun = training(&saved, 3);
    let metrics = LearnerMetrics::create(&run, begun.interrupter()).unwrap();
    // Which checkpoints stay is chosen by the loss of the validation, which the logger remembers.
    let begun = begun.with_default_checkpointers();
    begun.with_metric_logger(metrics).launch(learner());
    let before = scalars(&run);

    let resumed = training(&saved, 4).checkpoint(2);
    let mut metrics = LearnerMetrics::resume(&run, 2, resumed.interrupter()).unwrap();
    assert_eq!(metrics.step(), 2 * BATCHES);
    for (split, tag) in [
        (Split::Train, "train/Loss/epoch"),
        (Split::Valid, "valid/Loss"),
    ] {
        for epoch in 1..=3 {
            let whole = metrics.read_numeric("Loss", epoch, &split).unwrap();
            let whole: Vec<_> = whole
                .iter()
                .map(|entry| as_float(entry.current()))
                .collect();
            let written = before[tag].get(epoch - 1).filter(|_| epoch < 3);
            assert_eq!(whole, Vec::from_iter(written.map(|(_, value)| *value)));
        }
    }
    let resumed = resumed.with_default_checkpointers();
    let result = resumed.with_metric_logger(metrics).launch(learner());
    assert_eq!(result.interrupted, None);

    let after = scalars(&run);
    for (tag, steps) in [
        ("train/Loss", (1..=12).collect::<Vec<_>>()),
        ("train/Loss/epoch", vec![3, 6, 9, 12]),
        ("valid/Loss", vec![3, 6, 9, 12]),
        ("epoch", vec![3, 6, 9, 12]),
    ] {
        assert!(after[tag].iter().map(|(step, _)| *step).eq(steps), "{tag}");
        let kept = before[tag].iter().take_while(|(step, _)| *step <= 6);
        assert!(
            kept.eq(after[tag].iter().take_while(|(step, _)| *step <= 6)),
            "{tag}"
        );
    }
    let inventory = Inventory::of(&event_files(&run).unwrap());
    assert!(inventory.is_whole());
    assert_eq!(
        inventory.tags["train/Loss"].slow,
        (1..=12).collect::<Vec<_>>()
    );
}

#[test]
fn an_epoch_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = LearnerMetrics::create(folder.path(), Interrupter::new()).unwrap();
    drop(metrics);
    let error = LearnerMetrics::resume(folder.path(), 2, Interrupter::new())
        .err()
        .unwrap();
    let expected = "the event files end with epoch 0, expected epoch 2, that of the checkpoint";
    assert!(error.to_string().ends_with(expected), "{error}");
}

#[test]
fn what_cannot_be_written_stops_the_training() {
    let folder = tempfile::tempdir().unwrap();
    let interrupter = Interrupter::new();
    let mut metrics = LearnerMetrics::create(folder.path(), interrupter.clone()).unwrap();
    let epoch = |number| EpochSummary::new(number, Split::Valid);
    metrics.log_epoch_summary(epoch(1));
    assert!(!interrupter.should_stop());
    // At the same step: TensorBoard would drop it.
    metrics.log_epoch_summary(epoch(2));
    let reason = interrupter.get_message().unwrap();
    assert!(
        reason.contains("tag `epoch` is at step 0 already"),
        "{reason}"
    );
}

#[test]
fn only_batches_of_the_training_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = LearnerMetrics::create(folder.path(), Interrupter::new()).unwrap();
    let mut progress = metrics.progress();
    for split in ["train", "valid", "train"] {
        progress.start_split(split, 8);
        progress.update_split(4);
        progress.update_split(8);
    }
    let steps: Vec<i64> = metrics.speeds.try_iter().map(|speed| speed.step).collect();
    assert_eq!(steps, [1, 2, 3, 4]);
}
