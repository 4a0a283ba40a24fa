//! Scalars and histograms of a step.

use burn::optim::GradientsParams;

use super::gradients::GradientNoise;
use super::score::Score;
use super::trainer::StepMetrics;
use crate::device::histogram;
use crate::network::vgg::Vgg;
use crate::network::{Network, Parameter, ParameterValue};
use tensorboard_events::Summary;

/// Fewer classes have no meaningful top-5 accuracy.
const TOP_FIVE_MIN_CLASSES: usize = 6;

pub(crate) fn step_scalars(
    metrics: &StepMetrics,
    classes: usize,
    images_per_second: f64,
) -> Vec<Summary> {
    let noise = metrics.noise;
    let scalars = [
        ("learning_rate", Some(metrics.learning_rate)),
        ("gradient_norm", Some(metrics.gradient_norm)),
        ("gradient_signal", noise.map(|noise| noise.signal)),
        ("gradient_variance", noise.map(|noise| noise.variance)),
        ("gradient_noise_scale", noise.and_then(GradientNoise::scale)),
        ("images_per_second", Some(images_per_second)),
    ];
    let scalar = |(name, value): (&str, Option<f64>)| {
        value.map(|value| Summary::scalar(format!("train/{name}"), value))
    };
    let mut summaries = score_scalars("train", &metrics.score, classes);
    summaries.extend(scalars.into_iter().filter_map(scalar));
    summaries
}

pub(crate) fn score_scalars(group: &str, score: &Score, classes: usize) -> Vec<Summary> {
    let mut summaries = vec![
        Summary::scalar(format!("{group}/loss"), score.loss()),
        Summary::scalar(format!("{group}/accuracy"), score.accuracy()),
    ];
    if classes >= TOP_FIVE_MIN_CLASSES {
        summaries.push(Summary::scalar(format!("{group}/top5"), score.top_five()));
    }
    summaries
}

pub(crate) fn histograms(vgg: &Vgg, gradients: &GradientsParams) -> Vec<Summary> {
    let mut summaries = Vec::new();
    for parameter in vgg.parameters().iter() {
        let name = tag(parameter);
        if let Some(gradient) = gradient(parameter, gradients) {
            summaries.push(summary(format!("gradients/{name}"), gradient));
        }
        summaries.push(summary(format!("weights/{name}"), parameter.value.clone()));
    }
    summaries
}

fn summary(tag: String, values: ParameterValue) -> Summary {
    let histogram = match values {
        ParameterValue::Vector(values) => histogram(values),
        ParameterValue::Matrix(values) => histogram(values),
        ParameterValue::Kernels(values) => histogram(values),
    };
    Summary::histogram(tag, histogram)
}

/// The gradient of a parameter, if it has one; of a linear layer as Burn has it, `[inputs, outputs]`.
pub(super) fn gradient(parameter: &Parameter, all: &GradientsParams) -> Option<ParameterValue> {
    let id = parameter.id?;
    match parameter.value {
        ParameterValue::Vector(_) => all.get(id).map(ParameterValue::Vector),
        ParameterValue::Matrix(_) => all.get(id).map(ParameterValue::Matrix),
        ParameterValue::Kernels(_) => all.get(id).map(ParameterValue::Kernels),
    }
}

/// `features.5.weight` -> `05_conv2_1.weight`; the classifier keeps its names.
fn tag(parameter: &Parameter) -> String {
    let name = &parameter.name;
    match (&parameter.layer, name.rsplit_once('.')) {
        (Some(layer), Some((_, part))) => format!("{}.{part}", layer.tag()),
        _ => name.clone(),
    }
}
