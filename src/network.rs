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
    self, Arch, BuildError, Extent, FoundLayers, Kernels, LayerKind, ParameterSource, Placement,
    SourceError, Vgg,
};
use crate::weights::{Classifier, WeightsError, WeightsFile};

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

/// Loads the VGG of a weights file onto a device, as deep as the file goes, with its classifier if the
/// file has one of torchvision's form.
///
/// Shapes: input `[batch, 3, height, width]`, or 1 in place of 3 for a network of gray images, normalized
/// as the network was trained.
///
/// # Errors
///
/// The file is unreadable or not a VGG's, or a parameter is missing or has a wrong shape.
pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Vgg, NetworkError> {
    let file = WeightsFile::open(path)?;
    let held = held(&file, None)?;
    let arch = held.arch;
    let extent = if fitting_classifier(&file, arch).is_some() {
        Extent::Whole
    } else {
        Extent::Features {
            deepest: held.depth.saturating_sub(1),
        }
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

/// The network that a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) arch: Arch,
    /// How many of its layers are there, from the first.
    pub(crate) depth: usize,
    /// Whether it takes gray images.
    pub(crate) is_gray: bool,
}

impl Held {
    /// All of a network of color images.
    pub(crate) fn whole(arch: Arch) -> Self {
        Self {
            arch,
            depth: arch.layers().len(),
            is_gray: false,
        }
    }
}

/// The network that a file holds, as far as it goes.
///
/// # Errors
///
/// [`NetworkError::OtherArch`], [`NetworkError::Channels`].
pub(crate) fn held(file: &WeightsFile, asked: Option<Arch>) -> Result<Held, NetworkError> {
    let layers = layers_of(file);
    let arch = arch_of(file, &layers, asked)?;
    let channels = layers.channels();
    if channels != 3 && channels != 1 {
        return Err(NetworkError::Channels {
            path: file.path().to_owned(),
            channels,
        });
    }
    Ok(Held {
        arch,
        depth: layers.depth(arch),
        is_gray: channels == 1,
    })
}

/// What a user should know of how a file was read, a line each.
pub(crate) fn notes(file: &WeightsFile, held: Held) -> Vec<String> {
    let name = file.path().display();
    let mut notes = Vec::new();
    let others: Vec<String> = file.others().map(|other| format!("`{other}`")).collect();
    if !others.is_empty() {
        let prefix = file.prefix().trim_end_matches('.');
        let shown = match prefix {
            "" => "the top level".to_owned(),
            prefix => format!("`{prefix}`"),
        };
        notes.push(format!(
            "{name} holds several networks; shown is the one under {shown}, not {}: choose with --weights-key",
            others.join(", ")
        ));
    }
    let layers = held.arch.layers();
    if let Some(layer) = layers.get(..held.depth).and_then(<[_]>::last)
        && held.depth < layers.len()
    {
        notes.push(format!(
            "{name} holds the first layers of a {}, up to {}: --layers all means those",
            held.arch,
            layer.name()
        ));
    }
    let beyond: Vec<String> = layers_of(file)
        .beyond(held.arch)
        .map(|index| index.to_string())
        .collect();
    if !beyond.is_empty() {
        notes.push(format!(
            "{name} goes on after {} (convolutions at {}), as SSD does: those are not shown, and pool3 and pool5 are \
             torchvision's",
            held.arch,
            beyond.join(", ")
        ));
    }
    if held.is_gray {
        notes.push(format!(
            "{name} takes gray images: it is fed luma, normalized by the mean of the three channels' numbers"
        ));
    }
    notes
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
        match held(&file, asked) {
            Ok(held) => Ok(held.arch.to_string()),
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

    fn held_in(name: &str) -> Held {
        let file = WeightsFile::open(fixture("weights").join(name)).unwrap();
        held(&file, None).unwrap()
    }

    #[test]
    fn a_network_is_as_deep_and_as_colored_as_its_file() {
        assert_eq!(held_in("zip.pth"), Held::whole("vgg11".parse().unwrap()));
        let first = held_in("state_dict.pth");
        assert_eq!((first.depth, first.is_gray), (5, false));
        assert!(held_in("gray.pth").is_gray);
        let file = WeightsFile::open(fixture("weights/four_channels.pth")).unwrap();
        let error = held(&file, None).unwrap_err().to_string();
        assert_says(&error, &["four_channels.pth", "4 channels", "3 (color)"]);
    }

    #[test]
    fn what_is_not_shown_is_noted() {
        for (name, parts) in [
            (
                "net_and_ema.pth",
                &["under `net`", "`net_ema.module`", "--weights-key"][..],
            ),
            ("state_dict.pth", &["up to pool1"]),
            ("ssd.pth", &["convolutions at 31, 33", "SSD"]),
            ("gray.pth", &["luma"]),
        ] {
            let file = WeightsFile::open(fixture("weights").join(name)).unwrap();
            let notes = notes(&file, held(&file, None).unwrap());
            assert_says(&notes.join("\n"), parts);
        }
        let file = WeightsFile::open(fixture("weights/zip.pth")).unwrap();
        assert_eq!(notes(&file, held_in("zip.pth")), [""; 0]);
    }

    #[test]
    fn classifiers_of_all_names_are_used_where_they_fit() {
        for name in [
            "zip.pth",
            "caffe_classifier.pth",
            "parallel_features.pth",
            "paper_names.pth",
            "timm.pth",
            "timm.safetensors",
            "module.pth",
        ] {
            let file = WeightsFile::open(fixture("weights").join(name)).unwrap();
            let fitting = fitting_classifier(&file, held_in(name).arch);
            assert_eq!(fitting, Some([[5, 196], [5, 5], [3, 5]]), "{name}");
            let vgg = load(file.path(), &Device::flex()).unwrap();
            assert!(vgg.classifier.is_some(), "{name}");
        }
        let file = WeightsFile::open(fixture("weights/no_bias.pth")).unwrap();
        assert_eq!(fitting_classifier(&file, held_in("no_bias.pth").arch), None);
        let vgg = load(file.path(), &Device::flex()).unwrap();
        assert!(
            matches!(&vgg.features[0], vgg::Feature::Convolution(layer) if layer.bias.is_none())
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
