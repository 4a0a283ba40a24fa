//! A VGG from a weights file: the only module that knows both.

use std::path::Path;

use super::arch::Arch;
use super::build::ParameterSource;
use super::error::NetworkError;
use super::variant::Variant;
use crate::network::LayerKind;
use crate::weights::{Classifier, WeightsError, WeightsFile};

impl Variant {
    /// The network that a file holds, as far as it goes; that `asked` for, if the weights can be its.
    pub(crate) fn of(file: &WeightsFile, asked: Option<Arch>) -> Result<Self, NetworkError> {
        let layout = file.layout();
        let arch = arch_of(file, asked)?;
        if layout.channels != 3 && layout.channels != 1 {
            return Err(NetworkError::Channels {
                path: file.path().to_owned(),
                channels: layout.channels,
            });
        }
        // All layers before the first convolution that is missing.
        let layers = arch.layers();
        let mut convolutions = (0..)
            .zip(&layers)
            .filter(|(_, layer)| layer.kind == LayerKind::Convolution);
        let missing = convolutions.nth(layout.widths.len());
        Ok(Self {
            arch,
            depth: missing.map_or(layers.len(), |(at, _)| at),
            input_channels: layout.channels,
            widths: layout.widths.clone(),
        })
    }
}

/// The shapes of the file's classifier `[outputs, inputs]`, if it fits behind the feature maps of `arch`,
/// pooled to 7 x 7.
pub(crate) fn fitting_classifier(file: &WeightsFile, arch: Arch) -> Option<[[usize; 2]; 3]> {
    let Classifier::Three(shapes) = file.classifier() else {
        return None;
    };
    let width = last_width(file, arch)?;
    (shapes[0][1] == width * 49).then_some(*shapes)
}

/// The side of the images that a network with the file's classifier was trained on: five times pooled, they have as many
/// positions as its first linear layer takes of each channel. `None` for 7 x 7, to which torchvision pools
/// images of every size, and without a classifier. Units: pixels.
pub(crate) fn input_side(file: &WeightsFile, arch: Arch) -> Option<usize> {
    const POOLED: usize = 32;
    let inputs = match file.classifier() {
        Classifier::None => return None,
        Classifier::Three([first, ..]) => first[1],
        Classifier::Other(shapes) => *shapes.first()?.get(1)?,
    };
    let positions = inputs / last_width(file, arch)?;
    let side = positions.isqrt();
    let is_square = positions > 0 && side * side * last_width(file, arch)? == inputs;
    (is_square && positions != 49).then_some(side * POOLED)
}

/// Channels of the last feature maps, if they are there.
pub(crate) fn last_width(file: &WeightsFile, arch: Arch) -> Option<usize> {
    let widths = &file.layout().widths;
    let count: usize = arch.convolutions().iter().sum();
    widths.last().copied().filter(|_| widths.len() == count)
}

/// The architecture `asked` for, if the weights can be its; else the one whose weights they are.
///
/// The first layers alone fit several architectures: VGG16 comes first then.
fn arch_of(file: &WeightsFile, asked: Option<Arch>) -> Result<Arch, NetworkError> {
    let layout = file.layout();
    let fits = |arch: &Arch| {
        let mut pairs = layout.blocks.iter().zip(arch.convolutions()).rev();
        let last = pairs.next();
        arch.batch_norm() == layout.batch_norm
            && last.is_some_and(|(there, all)| *there <= all)
            && pairs.all(|(there, all)| *there == all)
    };
    let fitting: Vec<Arch> = Arch::all().filter(fits).collect();
    let wanted = asked.unwrap_or(Arch::VGG16);
    match *fitting.as_slice() {
        _ if fitting.contains(&wanted) => Ok(wanted),
        [first, ..] if asked.is_none() => Ok(first),
        _ => Err(NetworkError::OtherArch {
            path: file.path().to_owned(),
            found: fitting,
            wanted,
        }),
    }
}

impl ParameterSource for WeightsFile {
    fn path(&self) -> &Path {
        Self::path(self)
    }

    fn shape(&self, name: &str) -> Result<Vec<usize>, WeightsError> {
        Ok(Self::shape(self, name)?.to_vec())
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        Self::read(self, name)
    }

    fn batches_tracked(&self, norm: &str) -> Result<i64, WeightsError> {
        Self::batches_tracked(self, norm)
    }
}

#[cfg(test)]
mod tests;
