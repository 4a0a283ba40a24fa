//! The images over which representations are compared, and what a network makes of them.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

use super::activity::Activity;
use crate::analysis::probe::{ProbeActivations, ProbeError, ProbeImages};
use crate::analysis::similarity::{Gram, minibatches};
use crate::data::list::ImageFile;
use crate::data::notes::InputNotes;
use crate::data::on_error::OnError;
use crate::data::prepared::prepare_ahead;
use crate::data::transform::Preprocess;
use crate::device::{all_values, guarded};
use crate::network::Layer;
use crate::network::{ForwardPass, Network};
use crate::one_line::one_line;
use crate::settings::Features;
use crate::weights::sha256;

/// Fewer images say nothing about how alike representations are.
const FEWEST: usize = 16;

/// What a network makes of the images: a Gram matrix for each layer, by tag.
pub(crate) type Grams = BTreeMap<String, Gram>;

/// The images, in an order of their own: what a folder sorts together, such as a class, is spread over the
/// minibatches.
pub(crate) struct ComparisonSet {
    images: Vec<ComparisonImage>,
    size: [usize; 2],
    /// How many images each minibatch has.
    pub(crate) sizes: Vec<usize>,
    pub(crate) features: Features,
    /// SHA-256 over the SHA-256 of all images as the network gets them, before normalization, in their order.
    pub(crate) hash: String,
}

/// One of the images.
struct ComparisonImage {
    /// Normalized, `[height, width, channels]`.
    pixels: Vec<f32>,
    /// The number of the probe image that is the same picture: what a network makes of it is known already.
    probe: Option<usize>,
}

impl ComparisonSet {
    /// Reads the images that `flag` names. One that cannot be read ends the run or goes to `skipped`.
    pub(crate) fn load(
        (mut files, flag): (Vec<ImageFile>, &'static str),
        features: Features,
        preprocess: &Preprocess,
        on_error: OnError,
        (pass, probes): (&ForwardPass, &ProbeImages),
        notes: &InputNotes,
        skipped: &mut Vec<String>,
    ) -> Result<Self, ProbeError> {
        files.shuffle(&mut ChaCha8Rng::seed_from_u64(0));
        let mut images = Vec::new();
        let mut size = None;
        let mut hashes = String::new();
        for image in prepare_ahead(files, *preprocess, FEWEST) {
            let checked = image.map_err(ProbeError::from).and_then(|image| {
                pass.check_image(&image)?;
                let first = *size.get_or_insert(image.size());
                if image.size() == first {
                    return Ok(image);
                }
                Err(ProbeError::OtherSize {
                    path: image.path.clone(),
                    size: image.size(),
                    first,
                })
            });
            let image = match checked {
                Err(error) if on_error == OnError::Skip => {
                    skipped.push(one_line(&error));
                    continue;
                }
                checked => checked?,
            };
            notes.add(&image.path, image.oddities);
            hashes += &sha256(&mut &image.picture.pixels[..]).unwrap_or_default();
            images.push(ComparisonImage {
                probe: probes.position(&image),
                pixels: image.pixels,
            });
        }
        if images.len() < FEWEST {
            return Err(ProbeError::TooFew {
                flag,
                count: images.len(),
                fewest: FEWEST,
            });
        }
        let size = size.unwrap_or_default();
        Ok(Self {
            sizes: match features {
                Features::Flattened => minibatches(images.len(), largest(size)),
                Features::MeanPooled => vec![images.len()],
            },
            images,
            size,
            features,
            hash: sha256(&mut hashes.as_bytes()).unwrap_or_default(),
        })
    }

    /// How many images there are.
    pub(crate) fn count(&self) -> usize {
        self.images.len()
    }

    /// Runs a network over the images that are no probe images, of which it has `seen` those; `what` names it in
    /// errors.
    pub(crate) fn run(
        &self,
        pass: &ForwardPass,
        network: &dyn Network,
        seen: &ProbeActivations,
        what: &str,
        activity: &mut Activity,
    ) -> Result<Grams, ProbeError> {
        let mut collected: BTreeMap<String, Collected> = BTreeMap::new();
        let mut rest = &self.images[..];
        for size in minibatches(self.count(), largest(self.size)) {
            let (batch, after) = rest.split_at(size.min(rest.len()));
            rest = after;
            let mut take = |layer: &Layer, new: Option<&Tensor<4>>| {
                let maps = in_order(batch, layer, new, (seen, pass));
                for maps in &maps {
                    activity.add(pass, layer, maps)?;
                }
                let of_layer = collected.entry(layer.tag()).or_default();
                of_layer
                    .add(self.features, maps)
                    .map_err(|why| copy_error(layer, why))
            };
            let unseen = batch.iter().filter(|image| image.probe.is_none());
            let pixels: Vec<&[f32]> = unseen.map(|image| image.pixels.as_slice()).collect();
            if pixels.is_empty() {
                for layer in &pass.wanted {
                    take(layer, None)?;
                }
            } else {
                let mut taken = Ok(());
                pass.visit(network, &pixels, self.size, what, &mut |layer, maps| {
                    if taken.is_ok() {
                        taken = take(layer, Some(maps));
                    }
                })?;
                taken?;
            }
        }
        activity.settle()?;
        for (tag, of_layer) in &mut collected {
            if !of_layer.means.is_empty() {
                let means = std::mem::take(&mut of_layer.means);
                let block = gram(&means).map_err(|why| ProbeError::Copy {
                    layer: tag.clone(),
                    why,
                })?;
                of_layer.blocks.push((self.count(), block));
            }
        }
        read(collected)
    }
}

/// What is known of a layer while the minibatches pass.
#[derive(Default)]
struct Collected {
    /// How many images each has, and its products, which may be on a device.
    blocks: Vec<(usize, Tensor<1>)>,
    means: Vec<Tensor<2>>,
}

impl Collected {
    /// Adds the maps of a minibatch, in its order.
    fn add(&mut self, features: Features, maps: Vec<Tensor<4>>) -> Result<(), String> {
        match features {
            Features::Flattened => {
                let size = maps.iter().map(|maps| maps.dims()[0]).sum();
                let rows: Vec<_> = maps.into_iter().map(flattened).collect();
                self.blocks.push((size, gram(&rows)?));
            }
            Features::MeanPooled => {
                let mean = |maps: Tensor<4>| maps.mean_dims(&[2, 3]).flatten::<2>(1, 3);
                let means = guarded(|| maps.into_iter().map(mean).collect::<Vec<_>>())?;
                self.means.extend(means);
            }
        }
        Ok(())
    }
}

/// Reads all blocks; a device is asked once.
fn read(collected: BTreeMap<String, Collected>) -> Result<Grams, ProbeError> {
    let Some(first) = collected.keys().next().cloned() else {
        return Ok(Grams::new());
    };
    let blocks = collected.values().flat_map(|of_layer| &of_layer.blocks);
    let blocks = blocks.map(|(_, products)| products.clone()).collect();
    let read = guarded(|| all_values(blocks)).and_then(|result| result);
    let read = read.map_err(|why| ProbeError::Copy { layer: first, why })?;
    let mut read = read.into_iter();
    let gram = |(tag, of_layer): (String, Collected)| {
        let sizes = of_layer.blocks.into_iter().map(|(size, _)| size);
        (tag, Gram::new(sizes.zip(&mut read).collect()))
    };
    Ok(collected.into_iter().map(gram).collect())
}

/// The maps of a minibatch in its order, each `[images, channels, height, width]`: from `new`, those of the images
/// that are no probe images, and from those that were `seen`.
fn in_order(
    batch: &[ComparisonImage],
    layer: &Layer,
    new: Option<&Tensor<4>>,
    (seen, pass): (&ProbeActivations, &ForwardPass),
) -> Vec<Tensor<4>> {
    if let Some(new) = new
        && batch.iter().all(|image| image.probe.is_none())
    {
        return vec![new.clone()];
    }
    let mut next_new = 0..;
    let of_image = |image: &ComparisonImage| match image.probe {
        // Its batch may have been another device's.
        Some(number) => {
            let maps = seen.of_image(number, layer);
            maps.map(|maps| maps.to_device(&pass.device().device))
        }
        None => new
            .zip(next_new.next())
            .map(|(new, at)| new.clone().narrow(0, at, 1)),
    };
    batch.iter().filter_map(of_image).collect()
}

/// The largest minibatch: 64 images of 224 x 224, fewer larger ones, so that their maps fit into memory.
fn largest([height, width]: [usize; 2]) -> usize {
    (64 * 256 * 256 / (height * width).max(1)).clamp(FEWEST, 64)
}

/// `[batch, channels, height, width]` as `[batch, features]`. The order of the features does not matter, so
/// they are taken as they lie in memory.
fn flattened(maps: Tensor<4>) -> Tensor<2> {
    maps.permute([0, 2, 3, 1]).flatten(1, 3)
}

/// Features of all images that are copied at a time, where images do not lie together: they fit the cache, and
/// memory that is used again.
const PIECE: usize = 1 << 15;

/// The products of all images with all images, row by row. The parts are `[images, features]`.
fn gram(parts: &[Tensor<2>]) -> Result<Tensor<1>, String> {
    let product = |features: Tensor<2>| features.clone().matmul(features.transpose());
    let all = || {
        let whole = match parts {
            [all] => product(all.clone()),
            parts => {
                let count = parts.first().map_or(0, |part| part.dims()[1]);
                let piece = |at: usize| {
                    let length = PIECE.min(count - at);
                    let part = |part: &Tensor<2>| part.clone().narrow(1, at, length);
                    product(Tensor::cat(parts.iter().map(part).collect(), 0))
                };
                let pieces = (0..count).step_by(PIECE).map(piece);
                pieces
                    .reduce(|sum, piece| sum + piece)
                    .ok_or("no features")?
            }
        };
        Ok(whole.flatten(0, 1))
    };
    guarded(all).and_then(|result| result)
}

fn copy_error(layer: &Layer, why: String) -> ProbeError {
    ProbeError::Copy {
        layer: layer.tag(),
        why,
    }
}
