//! A VGG from a weights file: the only module that knows both.
//!
//! ```no_run
//! use burn::tensor::Device;
//!
//! let vgg = vggscope::network::load("vgg16.pth", &Device::flex())?;
//! # Ok::<(), vggscope::network::NetworkError>(())
//! ```

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use thiserror::Error;

use crate::vgg::{
    self, Arch, BuildError, Extent, FoundLayers, Kernels, ParameterSource, Placement, SourceError,
    Vgg,
};
use crate::weights::{WeightsError, WeightsFile};

/// Weights that do not make the network.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The file cannot be used.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The weights belong to another network.
    #[error("{path}: {found}; {remedy}")]
    OtherArch {
        /// The file.
        path: PathBuf,
        /// What the file holds.
        found: String,
        /// How to go on.
        remedy: String,
    },
    /// A parameter is unavailable.
    #[error(transparent)]
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

/// Loads the VGG of a weights file onto a device, with its classifier if the file has one.
///
/// Shapes: input `[batch, 3, height, width]`, normalized as the network was trained.
///
/// # Errors
///
/// The file is unreadable or not a VGG's, or a parameter is missing or has a wrong shape.
pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Vgg, NetworkError> {
    let file = WeightsFile::open(path)?;
    let arch = arch_of(&file, None)?;
    let extent = match file.get("classifier.0.weight") {
        Some(_) => Extent::Whole,
        None => Extent::Features {
            deepest: arch.layers().len() - 1,
        },
    };
    let place = Placement {
        device,
        kernels: Kernels::Planar,
    };
    build(&file, file.path(), arch, extent, place)
}

/// Like [`vgg::build`], with the path of the weights in its errors.
pub(crate) fn build(
    source: &dyn ParameterSource,
    path: &Path,
    arch: Arch,
    extent: Extent,
    place: Placement<'_>,
) -> Result<Vgg, NetworkError> {
    vgg::build(source, arch, extent, place).map_err(|source| match source {
        // Names the file itself.
        BuildError::Source(_) => NetworkError::Parameter(source),
        BuildError::Shape { .. } => NetworkError::Shape {
            path: path.to_owned(),
            source,
        },
    })
}

/// The architecture `asked` for, if the weights can be its; else the one whose weights they are.
///
/// The first layers alone fit several architectures: VGG16 comes first then.
///
/// # Errors
///
/// [`NetworkError::OtherArch`].
pub(crate) fn arch_of(file: &WeightsFile, asked: Option<Arch>) -> Result<Arch, NetworkError> {
    let layers = FoundLayers::of(file.entries().map(|entry| (entry.name(), entry.shape())));
    let fitting = layers.architectures();
    let wanted = asked.unwrap_or(Arch::VGG16);
    let (found, remedy) = match *fitting.as_slice() {
        _ if fitting.contains(&wanted) => return Ok(wanted),
        [first, ..] if asked.is_none() => return Ok(first),
        [first, ..] => {
            let names: Vec<String> = fitting.iter().map(Arch::to_string).collect();
            (
                format!("these are {} weights, not {wanted}", names.join(" or ")),
                format!("use --arch {first}"),
            )
        }
        [] => (
            layers.to_string(),
            "vggscope runs torchvision's VGG11, 13, 16 and 19".to_owned(),
        ),
    };
    Err(NetworkError::OtherArch {
        path: file.path().to_owned(),
        found,
        remedy,
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
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(name)
    }

    fn arch(name: &str, asked: Option<&str>) -> Result<String, String> {
        let file = WeightsFile::open(fixture("weights").join(name)).unwrap();
        let asked = asked.map(|name| name.parse().unwrap());
        match arch_of(&file, asked) {
            Ok(arch) => Ok(arch.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[track_caller]
    fn assert_says(text: &str, parts: &[&str]) {
        for part in parts {
            assert!(text.contains(part), "{part:?} is not in {text:?}");
        }
    }

    #[test]
    fn every_fixture_is_the_network_that_torchvision_saved() {
        #[derive(serde::Deserialize)]
        struct Expected {
            arch: Option<String>,
        }
        let text = std::fs::read_to_string(fixture("weights/expected.json")).unwrap();
        let files: BTreeMap<String, Expected> = serde_json::from_str(&text).unwrap();
        let known: Vec<_> = files
            .iter()
            .filter_map(|(name, expected)| Some((name, expected.arch.as_deref()?)))
            .collect();
        assert!(known.len() >= 4, "{known:?}");
        for (name, expected) in known {
            assert_eq!(arch(name, None).unwrap(), expected, "{name}");
            assert_eq!(arch(name, Some(expected)).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn another_member_of_the_family_is_named() {
        let error = arch("zip.pth", Some("vgg16")).unwrap_err();
        assert_says(
            &error,
            &[
                "zip.pth: these are vgg11 weights, not vgg16",
                "use --arch vgg11",
            ],
        );
        let error = arch("batch_norm.pth", Some("vgg11")).unwrap_err();
        assert_says(&error, &["use --arch vgg11_bn"]);
    }

    #[test]
    fn the_first_layers_alone_can_be_the_asked_networks() {
        for name in ["vgg13", "vgg16", "vgg19"] {
            assert_eq!(arch("state_dict.pth", Some(name)).unwrap(), name);
        }
        assert_eq!(arch("state_dict.pth", None).unwrap(), "vgg16");
        let error = arch("state_dict.pth", Some("vgg11")).unwrap_err();
        assert_says(&error, &["these are vgg13 or vgg16 or vgg19 weights"]);
    }

    #[test]
    fn other_networks_are_recognized() {
        let error = arch("alexnet.pth", Some("vgg16")).unwrap_err();
        assert_says(
            &error,
            &["features 0, 3, 6, 8, 10", "AlexNet", "torchvision's VGG"],
        );
    }

    #[test]
    fn a_file_is_loaded_as_far_as_it_goes() {
        let device = Device::flex();
        let vgg = load(fixture("vgg/vgg16.weights.safetensors"), &device).unwrap();
        assert_eq!(vgg.features.len(), 31);
        assert!(vgg.classifier.is_some());
        let vgg = load(fixture("weights/batch_norm.pth"), &device).unwrap();
        assert!(vgg.classifier.is_none());
    }
}
