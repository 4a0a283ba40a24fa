//! How alike the representations of the comparison images are from step to step.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::comparison_images::{ComparisonImages, Features};
use super::grams::{Grams, GramsWriter};
use super::similarity::{Gram, Labeled, Similarity, heat_map};
use super::{
    AnalysisError, Images, LayerMaps, Moment, ObservedNetwork, Observer, Role, Shared, asking,
    name_of, read_all,
};
use crate::device::BackendError;
use crate::logger::{LoggerError, Step};

#[derive(Default)]
pub(super) struct Representations {
    collector: GramCollector,
    pub(super) writer: Option<GramsWriter>,
    ahead: Option<Arc<Grams>>,
    first: Option<Arc<Grams>>,
    previous: Option<Arc<Grams>>,
    last: Option<Arc<Grams>>,
    columns: BTreeMap<i64, Arc<Grams>>,
}

impl Representations {
    pub(super) fn new(images: Option<&ComparisonImages>) -> Self {
        Self {
            collector: images.map(GramCollector::new).unwrap_or_default(),
            ..Self::default()
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
            at.shared.activations.cka.clear();
            if let Some(writer) = &self.writer {
                writer.write(at.number, &grams)?;
            }
            for (name, reference) in [
                ("first", &self.first),
                ("previous", &self.previous),
                ("last", &self.last),
            ] {
                for (layer, old) in reference.iter().flat_map(|reference| reference.iter()) {
                    let Some(gram) = grams.get(layer) else {
                        continue;
                    };
                    let similarity = Similarity::between(gram, old);
                    if name == "first" {
                        // Features that do not vary have none.
                        let cka = similarity.cka.map_or(f64::NAN, |cka| cka.value);
                        at.shared.activations.cka.insert(layer.clone(), cka);
                    }
                    let ending = format!("_to_{name}");
                    for scalar in similarity.scalars("similarity", layer, &ending) {
                        at.summary(scalar);
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

    /// Heat maps: step x step for each layer, and layer x layer, of the last step and of the last against the first.
    fn draw(&self, step: &mut Step<'_>, shared: &Shared) -> Result<(), LoggerError> {
        let (Some(first), Some(last)) = (&self.first, &self.previous) else {
            return Ok(());
        };
        let over = &shared.over;
        for layer in first.keys() {
            let steps = self.columns.iter().map(|(step, grams)| Labeled {
                label: step.to_string(),
                gram: grams.get(layer),
            });
            let steps: Vec<Labeled<&Gram>> = steps.collect();
            let title = format!("{}: CKA of its steps", name_of(layer));
            let axes = ["step"; 2].map(str::to_owned);
            let heading =
                format!("**{layer}**: debiased linear CKA of all steps with all steps, {over}");
            let tag = format!("similarity/steps/{layer}");
            heat_map(title, axes, &steps, &steps).log(step, tag, heading);
        }
        let now = step.number();
        let earliest = shared.columns.steps().next().unwrap_or(now);
        for (tag, from, grams) in [("layers", now, last), ("layers_to_first", earliest, first)] {
            let axes = [now, from].map(|step| format!("step {step}"));
            // Without a number of a step: the text of the first one stands beside all.
            let other = match tag {
                "layers" => "each other",
                _ => "those at the first step (columns)",
            };
            let heading = format!("Debiased linear CKA of the layers (rows) with {other}, {over}");
            let title = "CKA of layers".to_owned();
            let tag = format!("similarity/{tag}");
            heat_map(title, axes, &layers(last), &layers(grams)).log(step, tag, heading);
        }
        Ok(())
    }
}

fn layers(grams: &Grams) -> Vec<Labeled<&Gram>> {
    let layer = |(layer, gram): (&String, _)| Labeled {
        label: name_of(layer).to_owned(),
        gram: Some(gram),
    };
    grams.iter().map(layer).collect()
}

#[derive(Default)]
pub(crate) struct GramCollector {
    features: Features,
    is_whole: bool,
    layers: BTreeMap<String, Collected>,
}

#[derive(Default)]
struct Collected {
    blocks: Vec<Tensor<1>>,
    features: Vec<Tensor<2>>,
}

impl GramCollector {
    pub(crate) fn new(images: &ComparisonImages) -> Self {
        Self {
            features: images.features,
            is_whole: images.sizes.len() == 1,
            layers: BTreeMap::new(),
        }
    }

    /// Adds the maps of a minibatch, in its order, each `[images, channels, height, width]`.
    pub(crate) fn add(&mut self, tag: &str, maps: &[Tensor<4>]) -> Result<(), AnalysisError> {
        let of_layer = self.layers.entry(tag.to_owned()).or_default();
        let maps = maps.iter().cloned();
        asking(tag, || {
            let features = |maps: Tensor<4>| match self.features {
                // The order of the features does not matter, so they are taken as they lie in memory.
                Features::Flattened => maps.permute([0, 2, 3, 1]).flatten(1, 3),
                Features::MeanPooled => maps.mean_dims(&[2, 3]).flatten(1, 3),
            };
            let features = maps.map(features);
            if self.is_whole {
                of_layer.features.extend(features);
            } else {
                let block = products(&features.collect::<Vec<_>>())?;
                of_layer.blocks.push(block);
            }
            Ok(())
        })
    }

    /// All Gram matrices; a device is asked once.
    pub(crate) fn finish(&mut self) -> Result<Grams, AnalysisError> {
        let mut layers = take(&mut self.layers);
        for (tag, of_layer) in &mut layers {
            if !of_layer.features.is_empty() {
                let block = asking(tag, || products(&take(&mut of_layer.features)))?;
                of_layer.blocks.push(block);
            }
        }
        let blocks = layers.iter().flat_map(|(tag, of_layer)| {
            let blocks = of_layer.blocks.iter().cloned();
            blocks.map(move |block| (tag.as_str(), block))
        });
        let mut read = read_all(blocks)?.into_iter();
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
