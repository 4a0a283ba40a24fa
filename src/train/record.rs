//! Scalars and histograms of a step.

use burn::optim::GradientsParams;

use super::score::Score;
use super::trainer::StepMetrics;
use crate::device::Histograms;
use crate::network::vgg::{Arch, Named, ParameterVisitor, Vgg};
use tensorboard_events::Summary;

/// Fewer classes have no meaningful top-5 accuracy.
const TOP_FIVE_MIN_CLASSES: usize = 6;

/// The scalars of an optimization step.
pub(crate) fn step_scalars(
    metrics: &StepMetrics,
    classes: usize,
    images_per_second: f64,
) -> Vec<Summary> {
    let mut summaries = score_scalars("train", &metrics.score, classes);
    summaries.push(Summary::scalar(
        "train/learning_rate",
        metrics.learning_rate,
    ));
    summaries.push(Summary::scalar(
        "train/gradient_norm",
        metrics.gradient_norm,
    ));
    if let Some(noise) = metrics.noise {
        summaries.push(Summary::scalar("train/gradient_signal", noise.signal));
        summaries.push(Summary::scalar("train/gradient_variance", noise.variance));
        let scale = noise.scale();
        summaries.extend(scale.map(|scale| Summary::scalar("train/gradient_noise_scale", scale)));
    }
    summaries.push(Summary::scalar(
        "train/images_per_second",
        images_per_second,
    ));
    summaries
}

/// Loss, accuracy and top-5 accuracy under `group`.
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

/// Histograms of all parameters and their gradients.
pub(crate) fn histograms(vgg: &Vgg, gradients: &GradientsParams, arch: Arch) -> Vec<Summary> {
    let mut visitor = HistogramVisitor {
        gradients,
        arch,
        tags: Vec::new(),
        histograms: Histograms::default(),
    };
    vgg.each_parameter(&mut visitor);
    let tagged = visitor.tags.into_iter().zip(visitor.histograms.read());
    tagged
        .map(|(tag, histogram)| Summary::histogram(tag, histogram))
        .collect()
}

struct HistogramVisitor<'a> {
    gradients: &'a GradientsParams,
    arch: Arch,
    tags: Vec<String>,
    /// One for each tag.
    histograms: Histograms,
}

impl ParameterVisitor for HistogramVisitor<'_> {
    fn visit<const D: usize>(&mut self, parameter: Named<D>) {
        let name = tag(&parameter.name, self.arch);
        let gradient = parameter.id.and_then(|id| self.gradients.get::<D>(id));
        if let Some(gradient) = gradient {
            self.tags.push(format!("gradients/{name}"));
            self.histograms.add(gradient);
        }
        self.tags.push(format!("weights/{name}"));
        self.histograms.add(parameter.value);
    }
}

/// `features.5.weight` -> `05_conv2_1.weight`; the classifier keeps its names.
fn tag(name: &str, arch: Arch) -> String {
    let layers = arch.layers();
    let mut parts = name.splitn(3, '.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("features"), Some(index), Some(part)) => index
            .parse::<usize>()
            .ok()
            .and_then(|index| layers.get(index))
            .map_or_else(
                || name.to_owned(),
                |layer| format!("{}.{part}", layer.tag()),
            ),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_filed_by_layer() {
        assert_eq!(tag("features.5.weight", Arch::VGG16), "05_conv2_1.weight");
        assert_eq!(tag("classifier.6.bias", Arch::VGG16), "classifier.6.bias");
    }
}
