//! PCA pictures: the first three principal components of a layer's maps as red, green and blue.
//!
//! The basis of a layer is made once, before the first step, and is the same at every one: so are the colors. Each
//! position of a map is a sample and its values in all channels are the features, as in
//! `sklearn.decomposition.PCA(3).fit(maps.reshape(channels, -1).T)`.

mod basis;
mod eigen;
mod file;

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use rayon::prelude::*;

use self::basis::{Basis, Moments};
use super::{AnalysisError, asking, averaged};
use crate::network::{Activations, Layer};
use feature_grid::{self as render, Picture, Range, Style};

pub(crate) use file::BASES;

/// Larger ones are averaged down to this: all pictures may take but a fiftieth of the grids. Units: pixels.
const MOST: usize = 56;

/// Smaller pictures are enlarged by a whole number until their smaller side has this. Units: pixels.
const FEWEST: u32 = 170;

#[derive(Debug)]
pub(crate) struct Bases {
    layers: BTreeMap<String, Basis>,
    /// What they were made from: `the checkpoints at steps 1 and 12, 3 probe images`.
    from: String,
}

impl Bases {
    /// Those of these maps together, each `[1, channels, height, width]`; `from` says what they are.
    pub(crate) fn of<'a>(
        maps: impl Iterator<Item = (&'a Layer, Tensor<4>)>,
        from: String,
    ) -> Result<Self, AnalysisError> {
        let mut layers: BTreeMap<String, Vec<Tensor<2>>> = BTreeMap::new();
        for (layer, maps) in maps {
            layers.entry(layer.tag()).or_default().push(rows(maps));
        }
        let moments = |(tag, all): (&String, &Vec<Tensor<2>>)| {
            let moments = asking(tag, || Moments::of(all))?;
            Ok((tag.clone(), moments))
        };
        let moments: Result<Vec<_>, AnalysisError> = layers.iter().map(moments).collect();
        let bases = moments?.into_par_iter();
        let bases = bases.map(|(tag, moments)| (tag, moments.basis()));
        let mut bases: BTreeMap<String, Basis> = bases.collect();
        for (tag, basis) in &mut bases {
            asking(tag, || basis.set_ranges(&layers[tag]))?;
        }
        Ok(Self {
            layers: bases,
            from,
        })
    }

    pub(crate) fn fit<'a>(&self, layers: impl IntoIterator<Item = (&'a Layer, usize)>) -> bool {
        let mut layers = layers.into_iter();
        layers.all(|(layer, channels)| {
            let basis = self.layers.get(&layer.tag());
            basis.is_some_and(|basis| basis.channels() == channels)
        })
    }

    pub(crate) fn heading(&self, layer: &Layer) -> String {
        let [red, green, blue] = match self.layers.get(&layer.tag()) {
            Some(basis) => basis.explained.map(|fraction| fraction * 100.0),
            None => [0.0; 3],
        };
        format!(
            "**{}** (`{}`): its first three principal components as red ({red:.1}% of the variance), green ({green:.1}%) \
             and blue ({blue:.1}%)\n\n* equal colors are equal features, at every step and in every run with these bases: \
             {}, kept in `{BASES}`\n* each color goes from the 0.1 to the 99.9 percentile there; a component that does not \
             exist is 0; NaN is magenta\n* maps of more than {MOST} pixels are averaged down to at most so many",
            layer.name(),
            layer.torch_name(),
            self.from,
        )
    }

    /// What is shown of the image at `at` in a batch, in the order of the layers.
    pub(crate) fn of_image(
        &self,
        batch: &Activations,
        at: usize,
    ) -> Result<Vec<Components>, AnalysisError> {
        let mut all = Vec::new();
        for (layer, maps) in batch.of_image(at) {
            let tag = layer.tag();
            if let Some(basis) = self.layers.get(&tag) {
                all.push(Components {
                    layer: layer.clone(),
                    planes: asking(&tag, || Ok(planes(basis, maps)))?,
                    offsets: basis.offsets(),
                });
            }
        }
        Ok(all)
    }
}

pub(crate) struct Components {
    pub(crate) layer: Layer,
    /// `[1, 3, height, width]`, but for what is the same everywhere.
    pub(crate) planes: Tensor<4>,
    offsets: [f32; 3],
}

impl Components {
    pub(crate) fn painter(
        &self,
    ) -> impl Fn(Vec<f32>) -> Result<Picture, render::RenderError> + Send + use<> {
        let (shape, offsets) = (self.planes.dims(), self.offsets);
        move |values| picture(values, shape, offsets)
    }
}

/// `[1, channels, height, width]` as `[channels, positions]`: in both orders of memory without a copy.
fn rows(maps: Tensor<4>) -> Tensor<2> {
    let [_, channels, height, width] = maps.dims();
    maps.reshape([channels, height * width])
}

/// The components of maps, `[1, 3, height, width]`, but for what is the same everywhere. Averaging afterwards is the
/// same as before, and there is less to average.
fn planes(basis: &Basis, maps: Tensor<4>) -> Tensor<4> {
    let [.., height, width] = maps.dims();
    let weights = basis.weights(&maps.device());
    let planes = weights.matmul(rows(maps)).reshape([1, 3, height, width]);
    averaged(planes, MOST)
}

fn picture(
    mut values: Vec<f32>,
    shape: [usize; 4],
    offsets: [f32; 3],
) -> Result<Picture, render::RenderError> {
    let area = shape[2] * shape[3];
    for (plane, offset) in values.chunks_mut(area).zip(offsets) {
        for value in plane {
            *value += offset;
        }
    }
    let style = Style {
        range: Range::Fixed(0.0, 1.0),
        min_tile: Some(FEWEST),
        ..Style::default()
    };
    // Three channels are colors, as those of a kernel are.
    let rendered = render::kernels(&values, shape, false, &style)?;
    let first = rendered.singles().next();
    first.ok_or_else(|| render::RenderError::Shape {
        shape: shape.to_vec(),
    })
}

#[cfg(test)]
mod tests;
