//! Which VGG a set of tensors is, or what else it looks like.

use std::collections::BTreeSet;

/// The family: name and convolutions in each of the five blocks.
///
/// Source: `torchvision/models/vgg.py`, configurations A, B, D and E of Simonyan and Zisserman.
const FAMILY: [(&str, &str, [usize; 5]); 4] = [
    ("vgg11", "vgg11_bn", [1, 1, 2, 2, 2]),
    ("vgg13", "vgg13_bn", [2, 2, 2, 2, 2]),
    ("vgg16", "vgg16_bn", [2, 2, 3, 3, 3]),
    ("vgg19", "vgg19_bn", [2, 2, 4, 4, 4]),
];

/// How other networks, and VGG in other libraries, name their tensors.
const STRANGERS: [(&str, &str); 16] = [
    (
        "block1_conv1",
        "these are Keras' VGG names (`block1_conv1`), not torchvision's (`features.0`)",
    ),
    (
        "conv1_1.",
        "these are Caffe's VGG names (`conv1_1`), not torchvision's (`features.0`)",
    ),
    ("layer1.0.conv1.", "it looks like a ResNet"),
    ("features.denseblock1.", "it looks like a DenseNet"),
    (
        "features.0.0.weight",
        "it looks like a MobileNet, EfficientNet or ConvNeXt",
    ),
    ("Mixed_5b.", "it looks like an Inception network"),
    ("inception3a.", "it looks like GoogLeNet"),
    ("squeeze.weight", "it looks like a SqueezeNet"),
    ("fire2.", "it looks like a SqueezeNet"),
    ("stages.0.", "it looks like a ConvNeXt"),
    (
        "encoder.layers.encoder_layer_0.",
        "it looks like a vision transformer",
    ),
    ("cls_token", "it looks like a vision transformer"),
    ("attn.", "it looks like a transformer"),
    ("self_attn", "it looks like a transformer"),
    (
        "conv1.weight",
        "it looks like a network whose first layer is `conv1`",
    ),
    ("down1.", "it looks like a U-Net"),
];

/// How many near names are suggested.
const SUGGESTIONS: usize = 3;

/// Edits beyond which a name is not near any more.
const FAR: usize = 4;

/// The layers of a network, as its tensors show them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layers {
    /// Indices in `features` of the convolutions.
    pub(super) convolutions: BTreeSet<usize>,
    /// Whether any layer of `features` is a batch norm.
    has_batch_norm: bool,
    /// Kernel size of `features.0`.
    first_kernel: Option<usize>,
}

impl Layers {
    /// Reads the layers off torchvision-like names and shapes.
    pub(super) fn of<'a>(tensors: impl Iterator<Item = (String, &'a [usize])>) -> Self {
        let mut layers = Self::default();
        for (name, shape) in tensors {
            let index = name
                .strip_prefix("features.")
                .and_then(|rest| rest.strip_suffix(".weight"))
                .and_then(|index| index.parse().ok());
            match (index, shape) {
                (Some(index), &[_, _, kernel, _]) => {
                    layers.convolutions.insert(index);
                    if index == 0 {
                        layers.first_kernel = Some(kernel);
                    }
                }
                (Some(_), &[_]) => layers.has_batch_norm = true,
                _ => {}
            }
        }
        layers
    }

    /// The members of the family that have these layers, all of them or more.
    ///
    /// A file may lack layers that a run does not need, so several can fit; one that has exactly
    /// these is the only answer.
    pub(super) fn architectures(&self) -> Vec<&'static str> {
        if self.convolutions.is_empty() || self.first_kernel.is_some_and(|kernel| kernel != 3) {
            return Vec::new();
        }
        let members = FAMILY.iter().map(|(plain, batch_norm, blocks)| {
            let name = if self.has_batch_norm {
                batch_norm
            } else {
                plain
            };
            (*name, convolutions(blocks, self.has_batch_norm))
        });
        let members: Vec<_> = members
            .filter(|(_, layers)| self.convolutions.is_subset(layers))
            .collect();
        match members
            .iter()
            .find(|(_, layers)| *layers == self.convolutions)
        {
            Some((exact, _)) => vec![*exact],
            None => members.into_iter().map(|(name, _)| name).collect(),
        }
    }

    /// The layers in words, for one that is no VGG.
    pub(super) fn describe(&self) -> String {
        let indices: Vec<String> = self.convolutions.iter().map(usize::to_string).collect();
        let kernel = match self.first_kernel {
            Some(11) => "; its first kernels are 11 x 11, as AlexNet's are".to_owned(),
            Some(kernel) if kernel != 3 => {
                format!("; its first kernels are {kernel} x {kernel}, VGG's are 3 x 3")
            }
            _ => String::new(),
        };
        format!(
            "has convolutions at features {}, as no VGG has{kernel}",
            indices.join(", ")
        )
    }
}

/// Indices in `features` of the convolutions. Each is followed by a `ReLU`, with a batch norm
/// between them in the `_bn` forms, and each block ends with a pooling layer.
fn convolutions(blocks: &[usize; 5], batch_norm: bool) -> BTreeSet<usize> {
    let step = if batch_norm { 3 } else { 2 };
    let mut indices = BTreeSet::new();
    let mut next = 0;
    for &block in blocks {
        for _ in 0..block {
            indices.insert(next);
            next += step;
        }
        next += 1;
    }
    indices
}

/// What a file without `features.0.weight` looks like.
pub(super) fn guess<'a>(names: &(impl Iterator<Item = &'a str> + Clone)) -> &'static str {
    let seen = |mark: &str| {
        names.clone().any(|name| {
            name.find(mark).is_some_and(|at| {
                at == 0
                    || !name
                        .as_bytes()
                        .get(at - 1)
                        .is_some_and(u8::is_ascii_alphanumeric)
            })
        })
    };
    STRANGERS
        .iter()
        .find(|(mark, _)| seen(mark))
        .map_or("it is another network", |(_, guess)| *guess)
}

/// The names nearest to one that is missing, nearest first.
pub(super) fn nearest<'a>(missing: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut near: Vec<(usize, &str)> = names
        .map(|name| (strsim::damerau_levenshtein(missing, name), name))
        .filter(|(distance, _)| *distance <= FAR)
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.truncate(SUGGESTIONS);
    near.into_iter().map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(convolutions: &[usize], has_batch_norm: bool) -> Layers {
        Layers {
            convolutions: convolutions.iter().copied().collect(),
            has_batch_norm,
            first_kernel: Some(3),
        }
    }

    // torchvision: [i for i, m in enumerate(vggN().features) if isinstance(m, Conv2d)]
    const VGG11: &[usize] = &[0, 3, 6, 8, 11, 13, 16, 18];
    const VGG13: &[usize] = &[0, 2, 5, 7, 10, 12, 15, 17, 20, 22];
    const VGG16: &[usize] = &[0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28];
    const VGG19: &[usize] = &[0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34];
    const VGG11_BN: &[usize] = &[0, 4, 8, 11, 15, 18, 22, 25];
    const VGG13_BN: &[usize] = &[0, 3, 7, 10, 14, 17, 21, 24, 28, 31];
    const VGG16_BN: &[usize] = &[0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40];
    const VGG19_BN: &[usize] = &[0, 3, 7, 10, 14, 17, 20, 23, 27, 30, 33, 36, 40, 43, 46, 49];

    #[test]
    fn every_member_is_recognised() {
        for (name, indices) in [
            ("vgg11", VGG11),
            ("vgg13", VGG13),
            ("vgg16", VGG16),
            ("vgg19", VGG19),
        ] {
            assert_eq!(layers(indices, false).architectures(), [name]);
        }
        for (name, indices) in [
            ("vgg11_bn", VGG11_BN),
            ("vgg13_bn", VGG13_BN),
            ("vgg16_bn", VGG16_BN),
            ("vgg19_bn", VGG19_BN),
        ] {
            assert_eq!(layers(indices, true).architectures(), [name]);
        }
    }

    #[test]
    fn the_first_layers_fit_several() {
        let first = layers(&[0, 2, 5, 7], false);
        assert_eq!(first.architectures(), ["vgg13", "vgg16", "vgg19"]);
        assert_eq!(layers(&VGG16[..9], false).architectures(), ["vgg16"]);
    }

    #[test]
    fn other_networks_fit_none() {
        assert!(layers(&[0, 3, 6, 8, 10], false).architectures().is_empty());
        assert!(layers(&[], false).architectures().is_empty());
        let alexnet = Layers {
            first_kernel: Some(11),
            ..layers(&[0, 3], false)
        };
        assert!(alexnet.architectures().is_empty());
        assert!(alexnet.describe().contains("AlexNet"));
    }

    #[test]
    fn layers_are_read_off_names_and_shapes() {
        let tensors: [(&str, &[usize]); 5] = [
            ("features.0.weight", &[2, 3, 3, 3]),
            ("features.0.bias", &[2]),
            ("features.1.weight", &[2]),
            ("features.3.weight", &[2, 2, 3, 3]),
            ("classifier.0.weight", &[4, 98]),
        ];
        let tensors = tensors
            .iter()
            .map(|(name, shape)| ((*name).to_owned(), *shape));
        assert_eq!(Layers::of(tensors), layers(&[0, 3], true));
    }

    #[test]
    fn near_names_are_the_likely_ones() {
        let names = [
            "features.26.weight",
            "features.26.bias",
            "classifier.0.weight",
        ];
        assert_eq!(
            nearest("features.28.weight", names.into_iter()),
            ["features.26.weight"]
        );
    }
}
