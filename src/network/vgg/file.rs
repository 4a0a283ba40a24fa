//! A VGG from a weights file: the only module that knows both.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::arch::Arch;
use super::build::{BuildError, Extent, ParameterSource, Placement, SourceError, build};
use super::identify::FoundLayers;
use super::model::Vgg;
use super::variant::Variant;
use crate::network::LayerKind;
use crate::weights::{Classifier, WeightsError, WeightsFile};

/// Weights that do not make the network.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum NetworkError {
    /// The file cannot be used.
    #[error("{0}")]
    Weights(#[from] WeightsError),
    /// The weights belong to another network.
    #[error("{path}: {found}")]
    OtherArch {
        /// The file.
        path: PathBuf,
        /// What the file holds.
        found: String,
        /// A member of the family whose weights they could be.
        fitting: Option<Arch>,
    },
    /// The network does not take pictures.
    #[error(
        "{path}: its first convolution takes {channels} channels; vggscope feeds images of 3 (color) or 1 (gray), and cannot know what the others stand for"
    )]
    Channels {
        /// The file.
        path: PathBuf,
        /// Input channels of the first convolution.
        channels: usize,
    },
    /// A parameter is unavailable.
    #[error("{0}")]
    Parameter(#[from] BuildError),
    /// A parameter of a file has a shape that does not fit its neighbors.
    #[error("{path}")]
    Shape {
        /// The file.
        path: PathBuf,
        /// Which parameter, and both shapes.
        source: BuildError,
    },
}

/// Like [`build`], with the path of the weights in its errors.
pub(crate) fn build_from(
    source: &dyn ParameterSource,
    path: &Path,
    variant: &Variant,
    extent: Extent,
    place: Placement<'_>,
) -> Result<Vgg, NetworkError> {
    build(source, variant, extent, place).map_err(|source| match source {
        // Names the file itself.
        BuildError::Source(_) => NetworkError::Parameter(source),
        BuildError::Shape { .. } => NetworkError::Shape {
            path: path.to_owned(),
            source,
        },
    })
}

impl Variant {
    /// The network that a file holds, as far as it goes; that `asked` for, if the weights can be its.
    ///
    /// # Errors
    ///
    /// [`NetworkError::OtherArch`], [`NetworkError::Channels`].
    pub(crate) fn of(file: &WeightsFile, asked: Option<Arch>) -> Result<Self, NetworkError> {
        let found = layers_of(file);
        let arch = arch_of(file, &found, asked)?;
        let input_channels = found.channels();
        if input_channels != 3 && input_channels != 1 {
            return Err(NetworkError::Channels {
                path: file.path().to_owned(),
                channels: input_channels,
            });
        }
        let depth = found.depth(arch);
        let layers = arch.layers().into_iter().take(depth);
        let convolutions = layers.filter(|layer| layer.kind == LayerKind::Convolution);
        let width = |name: &str| {
            file.get(&format!("{name}.weight"))?
                .shape()
                .first()
                .copied()
        };
        Ok(Self {
            arch,
            depth,
            input_channels,
            widths: convolutions
                .map(|layer| width(layer.torch_name()).unwrap_or_default())
                .collect(),
        })
    }
}

/// The indices of convolutions behind the last layer of `arch`.
pub(crate) fn convolutions_beyond(file: &WeightsFile, arch: Arch) -> Vec<usize> {
    layers_of(file).beyond(arch).collect()
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

/// Channels of the last feature maps.
pub(crate) fn last_width(file: &WeightsFile, arch: Arch) -> Option<usize> {
    let layers = arch.layers();
    let last = layers
        .iter()
        .rfind(|layer| layer.kind == LayerKind::Convolution)?;
    let entry = file.get(&format!("{}.weight", last.torch_name()))?;
    entry.shape().first().copied()
}

fn layers_of(file: &WeightsFile) -> FoundLayers {
    FoundLayers::of(file.entries().map(|entry| (entry.name(), entry.shape())))
}

/// The architecture `asked` for, if the weights can be its; else the one whose weights they are.
///
/// The first layers alone fit several architectures: VGG16 comes first then.
fn arch_of(
    file: &WeightsFile,
    layers: &FoundLayers,
    asked: Option<Arch>,
) -> Result<Arch, NetworkError> {
    let fitting = layers.architectures();
    let wanted = asked.unwrap_or(Arch::VGG16);
    let found = match *fitting.as_slice() {
        _ if fitting.contains(&wanted) => return Ok(wanted),
        [first, ..] if asked.is_none() => return Ok(first),
        [_, ..] => {
            let names: Vec<String> = fitting.iter().map(Arch::to_string).collect();
            format!("these are {} weights, not {wanted}", names.join(" or "))
        }
        [] => layers.to_string(),
    };
    Err(NetworkError::OtherArch {
        path: file.path().to_owned(),
        found,
        fitting: fitting.first().copied(),
    })
}

impl ParameterSource for WeightsFile {
    fn shape(&self, name: &str) -> Result<Vec<usize>, SourceError> {
        Ok(Self::shape(self, name)?.to_vec())
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, SourceError> {
        Ok(Self::read(self, name)?)
    }
}

#[cfg(test)]
mod tests;
