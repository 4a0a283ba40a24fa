//! How the weights of the convolutions change from step to step.

use std::collections::BTreeMap;
use std::iter;

use burn::module::Param;
use burn::nn::conv::Conv2d;

use crate::change::{LayerChange, LayerWeights, Summary, nearly_equal};
use crate::device::{all_values, guarded};
use crate::events::Summary as Scalar;
use crate::figure::KernelBars;
use crate::logger::{LoggerError, Step};
use crate::probe::{Capture, ProbeError};
use crate::render::{self, Style};
use crate::vgg::{Feature, Layer, LayerKind, Vgg};

/// Enlarged to this, kernels of 3 x 3 can be seen. Units: pixels.
const KERNEL_TILE: u32 = 24;

/// The weights of the first step and of the last one, and what happened in between.
#[derive(Default)]
pub(super) struct WeightHistory {
    first: Vec<LayerWeights>,
    previous: Vec<LayerWeights>,
    summary: Summary,
}

impl WeightHistory {
    /// Takes the weights before the first step.
    pub(super) fn start_from(&mut self, Snapshot(first): Snapshot) {
        self.first = first;
    }

    /// Takes the weights of a step that was logged before, which the next one changes; `dead` are the channels
    /// that are dead, by layer.
    pub(super) fn resume_from(
        &mut self,
        Snapshot(previous): Snapshot,
        step: i64,
        dead: &BTreeMap<String, Vec<usize>>,
    ) {
        self.summary.add(step, &[], &[], dead);
        if self.first.is_empty() {
            self.first.clone_from(&previous);
        }
        self.previous = previous;
    }

    /// Measures a network; `dead` are the channels that are dead, by layer.
    pub(super) fn measure(
        &mut self,
        capture: &Capture,
        vgg: &Vgg,
        step: &mut Step<'_>,
        is_bgr: bool,
        dead: &BTreeMap<String, Vec<usize>>,
    ) -> Result<(), ProbeError> {
        let Snapshot(now) = Snapshot::of(capture, vgg)?;
        let changes = between(&self.previous, &now);
        let from_first = between(&self.first, &now);
        for (tag, now) in convolutions(capture).zip(&now) {
            #[expect(clippy::cast_precision_loss, reason = "pairs of filters")]
            let pairs = nearly_equal(now).len() as f64;
            step.scalar(format!("health/{tag}/nearly_equal_kernels"), pairs);
        }
        for (name, changes) in [("previous", &changes), ("first", &from_first)] {
            for (tag, change) in convolutions(capture).zip(changes) {
                let value = change.whole.relative;
                step.summary(Scalar::scalar(
                    format!("weight_change/{tag}/to_{name}"),
                    value,
                ));
            }
        }
        let kernels = vgg.kernels().filter(|_| capture.kernels);
        if let (Some(kernels), Some(change)) = (kernels, from_first.first()) {
            let cosines = change.filters.iter().map(|filter| filter.cosine).collect();
            show_kernels(kernels.dims(), now.first(), cosines, is_bgr, step)?;
        }
        let non_finite = now
            .iter()
            .map(|layer| (layer.name.clone(), layer.non_finite()));
        let non_finite: Vec<_> = non_finite.filter(|(_, count)| *count > 0).collect();
        self.summary.add(step.number(), &changes, &non_finite, dead);
        if self.first.is_empty() {
            self.first.clone_from(&now);
        }
        self.previous = now;
        Ok(())
    }

    /// What changed most, and when.
    pub(super) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Takes up what was found out of the steps so far.
    pub(super) fn take_summary(&mut self, summary: Summary) {
        self.summary = summary;
    }
}

/// The tags of the convolutions that a network was built with.
fn convolutions(capture: &Capture) -> impl Iterator<Item = String> {
    let layers = capture.arch.layers().into_iter();
    layers
        .filter(|layer| layer.kind == LayerKind::Convolution)
        .map(Layer::tag)
}

fn between(old: &[LayerWeights], new: &[LayerWeights]) -> Vec<LayerChange> {
    old.iter()
        .zip(new)
        .map(|(old, new)| LayerChange::between(old, new))
        .collect()
}

/// The weights of all convolutions at one moment.
pub(crate) struct Snapshot(Vec<LayerWeights>);

impl Snapshot {
    /// Copies them.
    pub(crate) fn of(capture: &Capture, vgg: &Vgg) -> Result<Self, ProbeError> {
        let layers = capture.arch.layers();
        let convolutions = layers.iter().zip(&vgg.features);
        let convolutions = convolutions.filter_map(|(layer, feature)| match feature {
            Feature::Convolution(convolution) => Some((layer.name(), convolution)),
            _ => None,
        });
        let convolutions: Vec<_> = convolutions.collect();
        let parameters = || {
            let of_layer = |(_, convolution): &(String, &Conv2d)| {
                let bias = convolution.bias.as_ref().map(Param::val);
                iter::once(convolution.weight.val().flatten(0, 3)).chain(bias)
            };
            all_values(convolutions.iter().flat_map(of_layer).collect())
        };
        let read = guarded(parameters).and_then(|result| result);
        let read = read.map_err(|why| ProbeError::Copy {
            layer: "the convolutions".to_owned(),
            why,
        })?;
        let mut read = read.into_iter();
        let of_layer = |(name, convolution): (String, &Conv2d)| LayerWeights {
            name,
            filters: convolution.weight.dims()[0],
            values: read.next().unwrap_or_default(),
            bias: match convolution.bias {
                Some(_) => read.next().unwrap_or_default(),
                None => Vec::new(),
            },
        };
        Ok(Self(convolutions.into_iter().map(of_layer).collect()))
    }

    /// How much one optimization step changed them, relative to their norm.
    pub(crate) fn update_ratios(
        &self,
        capture: &Capture,
        vgg: &Vgg,
    ) -> Result<Vec<Scalar>, ProbeError> {
        let after = Self::of(capture, vgg)?;
        let changes = between(&self.0, &after.0);
        let scalar = |(tag, change): (String, LayerChange)| {
            Scalar::scalar(
                format!("weight_change/{tag}/update_ratio"),
                change.whole.relative,
            )
        };
        Ok(convolutions(capture).zip(changes).map(scalar).collect())
    }
}

/// The first-layer kernels with their cosines to the first step's.
fn show_kernels(
    shape: [usize; 4],
    weights: Option<&LayerWeights>,
    cosines: Vec<f64>,
    is_bgr: bool,
    step: &mut Step<'_>,
) -> Result<(), LoggerError> {
    let style = Style {
        min_tile: Some(KERNEL_TILE),
        ..Style::default()
    };
    let values = weights
        .map(|weights| weights.values.as_slice())
        .unwrap_or_default();
    let tag = "kernels/change";
    let rendered =
        render::kernels(values, shape, is_bgr, &style).map_err(|source| LoggerError::Render {
            tag: tag.to_owned(),
            source,
        })?;
    let bars = KernelBars {
        tiles: rendered.singles().collect(),
        cosines,
    };
    step.describe(tag, "**first-layer kernels**, under each its cosine to itself at the first step: a full green bar is 1, a short red one 0 or less");
    step.image(tag, &bars.picture())
}
