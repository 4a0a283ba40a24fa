//! How alike the representations of the comparison images are from step to step.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::comparison_images::Features;
use super::figure::HeatMap;
use super::grams::{Grams, GramsWriter};
use super::similarity::{Gram, Similarity, cka};
use super::{AnalysisError, Images, LayerMaps, Moment, ObservedNetwork, Observer, Role, Shared};
use crate::device::{BackendError, all_values, caught};
use crate::logger::{LoggerError, Step};
use tensorboard_events::Summary;

/// Compares the representations of each step with those of the first, the previous and the last one.
pub(super) struct Representations {
    collector: GramCollector,
    /// Keeps those of each step for later.
    pub(super) writer: Option<GramsWriter>,
    ahead: Option<Arc<Grams>>,
    first: Option<Arc<Grams>>,
    previous: Option<Arc<Grams>>,
    last: Option<Arc<Grams>>,
    columns: BTreeMap<i64, Arc<Grams>>,
}

impl Representations {
    pub(super) fn new(features: Features) -> Self {
        Self {
            collector: GramCollector::new(features),
            writer: None,
            ahead: None,
            first: None,
            previous: None,
            last: None,
            columns: BTreeMap::new(),
        }
    }
}

impl Observer for Representations {
    fn activations(
        &mut self,
        _: &Moment<'_, '_>,
        maps: &LayerMaps<'_>,
    ) -> Result<(), AnalysisError> {
        if maps.images != Images::Comparison {
            return Ok(());
        }
        self.collector.add(&maps.layer.tag(), maps.parts)
    }

    fn weights(
        &mut self,
        at: &mut Moment<'_, '_>,
        _: &ObservedNetwork<'_>,
    ) -> Result<(), AnalysisError> {
        let grams = Arc::new(self.collector.finish()?);
        if at.role == Role::Last {
            self.last = Some(Arc::clone(&grams));
        }
        let grams = at.collected(grams, &mut self.ahead);
        let Some(grams) = grams.filter(|grams| !grams.is_empty()) else {
            return Ok(());
        };
        if at.role == Role::Logged {
            if let Some(writer) = &self.writer {
                writer.write(at.number, &grams)?;
            }
            for (name, reference) in [
                ("first", &self.first),
                ("previous", &self.previous),
                ("last", &self.last),
            ] {
                let reference = reference.iter().flat_map(|reference| reference.iter());
                for (layer, old) in reference {
                    let Some(gram) = grams.get(layer) else {
                        continue;
                    };
                    for (measure, end, value) in Similarity::between(gram, old).numbers() {
                        let tag = format!("similarity/{layer}/{measure}_to_{name}{end}");
                        at.summary(Summary::scalar(tag, value));
                    }
                }
            }
        }
        if at.has_column {
            let columns = &at.shared.columns;
            columns.keep(&mut self.columns, at.number, Arc::clone(&grams));
        }
        self.first.get_or_insert_with(|| Arc::clone(&grams));
        self.previous = Some(grams);
        Ok(())
    }

    /// Heat maps: step x step for each layer, and layer x layer, the last step against the first.
    fn draw(&self, step: &mut Step<'_>, shared: &Shared) -> Result<(), LoggerError> {
        let (Some(first), Some(last)) = (&self.first, &self.previous) else {
            return Ok(());
        };
        let labels = shared.columns.labels();
        for layer in first.keys() {
            let grams = || self.columns.values().map(|grams| grams.get(layer));
            let values = grams().flat_map(|row| grams().map(move |column| alike(row, column)));
            let map = HeatMap::of_similarity(
                layer.clone(),
                labels.clone(),
                labels.clone(),
                values.collect(),
            );
            let tag = format!("similarity/steps/{layer}");
            let over = &shared.over;
            let heading =
                format!("**{layer}**: debiased linear CKA of all steps with all steps, {over}");
            step.describe(&tag, heading);
            step.image(tag, &map.picture())?;
        }
        let rows = last.values();
        let values = rows.flat_map(|row| {
            let columns = first.values();
            columns.map(|column| alike(Some(row), Some(column)))
        });
        let layers: Vec<String> = first.keys().cloned().collect();
        let title = "last x first".to_owned();
        let map = HeatMap::of_similarity(title, layers.clone(), layers, values.collect());
        let heading = format!(
            "Debiased linear CKA of the layers at the last step (rows) with those at the first (columns), {}",
            shared.over
        );
        step.describe("similarity/layers", heading);
        step.image("similarity/layers", &map.picture())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "for a color")]
fn alike(one: Option<&Gram>, two: Option<&Gram>) -> f32 {
    let value = one.zip(two).and_then(|(one, two)| cka(one, two));
    value.map_or(f32::NAN, |value| value as f32)
}

/// Makes Gram matrices of the comparison images, a minibatch after the other.
pub(crate) struct GramCollector {
    features: Features,
    layers: BTreeMap<String, Collected>,
}

/// What is known of a layer while the minibatches pass.
#[derive(Default)]
struct Collected {
    /// The products of each minibatch, which may be on a device.
    blocks: Vec<Tensor<1>>,
    means: Vec<Tensor<2>>,
}

impl GramCollector {
    pub(crate) fn new(features: Features) -> Self {
        Self {
            features,
            layers: BTreeMap::new(),
        }
    }

    /// Adds the maps of a minibatch, in its order, each `[images, channels, height, width]`.
    pub(crate) fn add(&mut self, tag: &str, maps: &[Tensor<4>]) -> Result<(), AnalysisError> {
        let of_layer = self.layers.entry(tag.to_owned()).or_default();
        let maps = maps.iter().cloned();
        let added = match self.features {
            // The order of the features does not matter, so they are taken as they lie in memory.
            Features::Flattened => caught(|| {
                let rows = maps.map(|maps| maps.permute([0, 2, 3, 1]).flatten(1, 3));
                of_layer.blocks.push(products(&rows.collect::<Vec<_>>())?);
                Ok(())
            }),
            Features::MeanPooled => caught(|| {
                let means = maps.map(|maps| maps.mean_dims(&[2, 3]).flatten(1, 3));
                of_layer.means.extend(means);
                Ok(())
            }),
        };
        let added = added.and_then(|result| result);
        added.map_err(|why| AnalysisError::copy(tag, why))
    }

    /// All Gram matrices; a device is asked once.
    pub(crate) fn finish(&mut self) -> Result<Grams, AnalysisError> {
        let mut layers = take(&mut self.layers);
        let Some(first) = layers.keys().next().cloned() else {
            return Ok(Grams::new());
        };
        let mut read = || {
            for of_layer in layers.values_mut().filter(|layer| !layer.means.is_empty()) {
                of_layer.blocks.push(products(&of_layer.means)?);
            }
            let blocks = layers.values().flat_map(|of_layer| &of_layer.blocks);
            all_values(blocks.cloned().collect())
        };
        let read = caught(&mut read).and_then(|result| result);
        let mut read = read
            .map_err(|why| AnalysisError::copy(first, why))?
            .into_iter();
        let gram = |(tag, of_layer): (String, Collected)| {
            (tag, Gram::new(read.by_ref().take(of_layer.blocks.len())))
        };
        Ok(layers.into_iter().map(gram).collect())
    }
}

/// Features of all images that are copied at a time, where images do not lie together: they fit the cache, and
/// memory that is used again.
const PIECE: usize = 1 << 15;

/// The products of all images with all images, row by row. The parts are `[images, features]`.
fn products(parts: &[Tensor<2>]) -> Result<Tensor<1>, BackendError> {
    let product = |features: Tensor<2>| features.clone().matmul(features.transpose());
    if let [all] = parts {
        return Ok(product(all.clone()).flatten(0, 1));
    }
    let count = parts.first().map_or(0, |part| part.dims()[1]);
    let piece = |at: usize| {
        let length = PIECE.min(count - at);
        let part = |part: &Tensor<2>| part.clone().narrow(1, at, length);
        product(Tensor::cat(parts.iter().map(part).collect(), 0))
    };
    let pieces = (0..count).step_by(PIECE).map(piece);
    let sum = pieces.reduce(|sum, piece| sum + piece);
    Ok(sum
        .ok_or_else(|| BackendError::of("no features"))?
        .flatten(0, 1))
}
