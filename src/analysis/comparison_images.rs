//! The images over which representations are compared.

use burn::tensor::Tensor;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use std::fmt::{self, Display};

use super::probe::{ImageLoader, ProbeImages};
use super::similarity::minibatches;
use super::{AnalysisError, ObservedNetwork};
use crate::data::list::ImageFile;
use crate::network::{ForwardPass, Layer};
use crate::weights::sha256;

/// Fewer images say nothing about how alike representations are.
const FEWEST: usize = 16;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Features {
    #[default]
    Flattened,
    MeanPooled,
}

impl Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flattened => "flattened",
            Self::MeanPooled => "mean-pooled",
        })
    }
}

/// The maps of all images are kept up to this, and compared in one batch. Units: bytes.
const WHOLE: usize = 1 << 30;

/// In an order of their own: what a folder sorts together, such as a class, is spread over the minibatches.
pub(crate) struct ComparisonImages {
    images: Vec<ComparisonImage>,
    size: [usize; 2],
    pub(crate) sizes: Vec<usize>,
    pub(crate) features: Features,
    /// SHA-256 over the SHA-256 of all images as the network gets them, before normalization, in their order.
    pub(crate) hash: String,
}

struct ComparisonImage {
    /// Normalized, `[height, width, channels]`.
    pixels: Vec<f32>,
    /// The number of the probe image that is the same picture: what a network makes of it is known already.
    probe: Option<usize>,
}

impl ComparisonImages {
    pub(crate) fn load(
        mut files: Vec<ImageFile>,
        features: Features,
        probes: &ProbeImages,
        loader: &mut ImageLoader<'_>,
    ) -> Result<Self, AnalysisError> {
        files.shuffle(&mut ChaCha8Rng::seed_from_u64(0));
        let (mut images, mut size, mut hashes) = (Vec::new(), None, String::new());
        loader.each(files, FEWEST, |image| {
            let first = *size.get_or_insert(image.size());
            if image.size() != first {
                return Err(AnalysisError::OtherSize {
                    size: image.size(),
                    path: image.path,
                    first,
                });
            }
            hashes += &sha256(&mut &image.picture.pixels[..]).unwrap_or_default();
            images.push(ComparisonImage {
                probe: probes.position(&image),
                pixels: image.pixels,
            });
            Ok(())
        })?;
        let (count, pass) = (images.len(), loader.pass);
        if count < FEWEST {
            let fewest = FEWEST;
            return Err(AnalysisError::TooFew { count, fewest });
        }
        let size = size.unwrap_or_default();
        Ok(Self {
            sizes: match features {
                Features::Flattened if bytes_of_maps(pass, size) * count > WHOLE => {
                    minibatches(count, largest(size))
                }
                Features::Flattened | Features::MeanPooled => vec![count],
            },
            images,
            size,
            features,
            hash: sha256(&mut hashes.as_bytes()).unwrap_or_default(),
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.images.len()
    }

    /// `over 24 comparison images, in one batch`.
    pub(crate) fn over(&self) -> String {
        let count = self.count();
        let how = match self.sizes[..] {
            [_] => "in one batch".to_owned(),
            _ => format!("the mean over {} minibatches", self.sizes.len()),
        };
        format!("over {count} comparison images, {how}")
    }

    pub(crate) fn probes(&self) -> impl Iterator<Item = usize> {
        self.images.iter().filter_map(|image| image.probe)
    }

    /// Runs a network over the images that are no probe images. For each minibatch `take` gets each layer's maps in the
    /// order of its images, those of probe images among them: parts of `[images, channels, height, width]`.
    pub(crate) fn run(
        &self,
        network: &ObservedNetwork<'_>,
        mut take: impl FnMut(&Layer, &[Tensor<4>]) -> Result<(), AnalysisError>,
    ) -> Result<(), AnalysisError> {
        let mut rest = &self.images[..];
        for size in minibatches(self.count(), largest(self.size)) {
            let (batch, after) = rest.split_at(size.min(rest.len()));
            rest = after;
            let new = batch.iter().filter(|image| image.probe.is_none());
            let pixels: Vec<&[f32]> = new.map(|image| image.pixels.as_slice()).collect();
            if pixels.is_empty() {
                for layer in &network.pass.wanted {
                    take(layer, &in_order(batch, layer, None, network))?;
                }
                continue;
            }
            let mut taken = Ok(());
            let take = &mut |layer: &Layer, maps: &Tensor<4>| {
                if taken.is_ok() {
                    taken = take(layer, &in_order(batch, layer, Some(maps), network));
                }
            };
            let (pass, name) = (network.pass, network.name);
            pass.visit(
                pass.device(),
                network.network,
                &pixels,
                self.size,
                name,
                take,
            )?;
            taken?;
        }
        Ok(())
    }
}

/// The maps of a minibatch in its order: from `new` those of the images that are no probe images.
fn in_order(
    batch: &[ComparisonImage],
    layer: &Layer,
    new: Option<&Tensor<4>>,
    network: &ObservedNetwork<'_>,
) -> Vec<Tensor<4>> {
    if let Some(new) = new
        && batch.iter().all(|image| image.probe.is_none())
    {
        return vec![new.clone()];
    }
    let mut next_new = 0..;
    let of_image = |image: &ComparisonImage| {
        if let Some(number) = image.probe {
            // Its batch may have been another device's.
            let maps = network.probes.of_image(number, layer)?;
            return Some(maps.to_device(&network.pass.device().device));
        }
        let at = next_new.next()?;
        Some(new?.clone().narrow(0, at, 1))
    };
    batch.iter().filter_map(of_image).collect()
}

/// What all layers that are shown make of an image. Units: bytes.
fn bytes_of_maps(pass: &ForwardPass, size: [usize; 2]) -> usize {
    let shapes = pass.architecture.output_shapes(&pass.wanted, size);
    let shapes = shapes.unwrap_or_default().into_iter();
    let values: usize = shapes.map(|shape| shape.iter().product::<usize>()).sum();
    values * size_of::<f32>()
}

/// The largest minibatch: 64 images of 224 x 224, fewer larger ones, so that their maps fit into memory.
fn largest([height, width]: [usize; 2]) -> usize {
    (64 * 256 * 256 / (height * width).max(1)).clamp(FEWEST, 64)
}
