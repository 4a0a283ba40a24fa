//! The VGG family as torchvision lays it out: which layer stands at which index.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::network::{Layer, LayerKind};
use crate::weights::BLOCKS;

/// Output channels of the convolutions of each block, and of the classifier's layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) widths: [usize; 5],
    pub(crate) hidden: usize,
    pub(crate) classes: usize,
}

impl Sizes {
    pub(crate) const PUBLISHED: Self = Self {
        widths: [64, 128, 256, 512, 512],
        hidden: 4096,
        classes: 1000,
    };
}

/// One network of the family: how many convolutions a block has, and whether each is followed by
/// batch normalization.
///
/// Source: Simonyan and Zisserman, <https://arxiv.org/abs/1409.1556>, table 1 (A, B, D, E), and
/// `torchvision.models.vgg`, whose indices and state-dict names are kept exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arch {
    depth: u8,
    batch_norm: bool,
}

/// A network name that is not one of the family's.
#[derive(Debug, Error)]
#[error(
    "unknown network {0:?}: expected vgg11, vgg13, vgg16 or vgg19, each also with _bn (as in vgg16_bn)"
)]
pub(crate) struct UnknownArch(String);

impl Arch {
    pub(crate) const VGG16: Self = Self {
        depth: 16,
        batch_norm: false,
    };

    /// Every network of the family, plain ones first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let of = |batch_norm| BLOCKS.map(|(depth, _)| Self { depth, batch_norm });
        [false, true].into_iter().flat_map(of)
    }

    pub(crate) const fn batch_norm(self) -> bool {
        self.batch_norm
    }

    pub(crate) fn convolutions(self) -> [usize; 5] {
        let found = BLOCKS.iter().find(|(depth, _)| *depth == self.depth);
        found.map_or([0; 5], |&(_, blocks)| blocks)
    }

    /// The layers of `features`, in the order of their torchvision index, under the paper's names: `conv3_3`,
    /// `relu3_3`, `pool3` (and `bn3_3`, which the paper does not have).
    pub(crate) fn layers(self) -> Vec<Layer> {
        let mut layers = Vec::new();
        let mut push = |kind, name: &str| {
            let index = layers.len();
            layers.push(Layer::new(index, kind, name, &format!("features.{index}")));
        };
        for (block, count) in (1..).zip(self.convolutions()) {
            for number in 1..=count {
                push(LayerKind::Convolution, &format!("conv{block}_{number}"));
                if self.batch_norm {
                    push(LayerKind::BatchNorm, &format!("bn{block}_{number}"));
                }
                push(LayerKind::Relu, &format!("relu{block}_{number}"));
            }
            push(LayerKind::MaxPool, &format!("pool{block}"));
        }
        layers
    }

    /// Something of each block, repeated for each of its convolutions.
    pub(crate) fn by_convolution<T: Copy>(self, of_block: [T; 5]) -> impl Iterator<Item = T> {
        let blocks = self.convolutions().into_iter().zip(of_block);
        blocks.flat_map(|(count, of_block)| std::iter::repeat_n(of_block, count))
    }
}

impl FromStr for Arch {
    type Err = UnknownArch;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::all()
            .find(|arch| arch.to_string().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownArch(name.to_owned()))
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = if self.batch_norm { "_bn" } else { "" };
        write!(f, "vgg{}{suffix}", self.depth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Convolution indices of `torchvision.models.vgg*().features`, printed by torchvision 0.24.
    #[test]
    fn convolutions_stand_where_torchvision_has_them() {
        let expected: [(&str, &[usize]); 8] = [
            ("vgg11", &[0, 3, 6, 8, 11, 13, 16, 18]),
            ("vgg13", &[0, 2, 5, 7, 10, 12, 15, 17, 20, 22]),
            ("vgg16", &[0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]),
            (
                "vgg19",
                &[0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34],
            ),
            ("vgg11_bn", &[0, 4, 8, 11, 15, 18, 22, 25]),
            ("vgg13_bn", &[0, 3, 7, 10, 14, 17, 21, 24, 28, 31]),
            (
                "vgg16_bn",
                &[0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40],
            ),
            (
                "vgg19_bn",
                &[0, 3, 7, 10, 14, 17, 20, 23, 27, 30, 33, 36, 40, 43, 46, 49],
            ),
        ];
        for (name, indices) in expected {
            let arch: Arch = name.parse().unwrap();
            let found: Vec<usize> = arch
                .layers()
                .iter()
                .filter(|layer| layer.kind == LayerKind::Convolution)
                .map(|layer| layer.index)
                .collect();
            assert_eq!(found, indices, "{name}");
            assert_eq!(arch.to_string(), name);
        }
    }

    #[test]
    fn vgg16_layers_have_the_papers_names() {
        let layers = Arch::VGG16.layers();
        assert_eq!(layers.len(), 31);
        let named = |index: usize| layers[index].name();
        assert_eq!(named(0), "conv1_1");
        assert_eq!(named(4), "pool1");
        assert_eq!(named(14), "conv3_3");
        assert_eq!(named(29), "relu5_3");
        assert_eq!(named(30), "pool5");
        assert_eq!(layers[5].tag(), "05_conv2_1");
        assert_eq!(layers[14].torch_name(), "features.14");
    }

    #[test]
    fn an_unknown_network_is_an_error_that_lists_the_known_ones() {
        let error = "resnet50".parse::<Arch>().unwrap_err().to_string();
        assert!(
            error.contains("resnet50") && error.contains("vgg16_bn"),
            "{error}"
        );
    }
}
