//! Which VGG a set of named tensors is.

use std::collections::BTreeSet;
use std::fmt;

use super::arch::Arch;
use crate::network::LayerKind;

/// The layers of a network, as the names and shapes of its tensors show them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FoundLayers {
    convolutions: BTreeSet<usize>,
    has_batch_norm: bool,
    /// Kernel size of `features.0`.
    first_kernel: Option<usize>,
    /// Input channels of `features.0`.
    channels: Option<usize>,
}

impl FoundLayers {
    /// Collects the layers of tensors with torchvision's names.
    pub(crate) fn of<'a>(tensors: impl Iterator<Item = (&'a str, &'a [usize])>) -> Self {
        let mut layers = Self::default();
        for (name, shape) in tensors {
            let rest = name.strip_prefix("features.");
            let index = rest.and_then(|rest| rest.strip_suffix(".weight")?.parse().ok());
            match (index, shape) {
                (Some(index), &[_, channels, kernel, _]) => {
                    layers.convolutions.insert(index);
                    if index == 0 {
                        layers.first_kernel = Some(kernel);
                        layers.channels = Some(channels);
                    }
                }
                (Some(_), &[_]) => layers.has_batch_norm = true,
                _ => {}
            }
        }
        layers
    }

    /// The networks that have these layers, all of them or more.
    ///
    /// A file may lack layers that a run does not need, so several can fit; one that has exactly
    /// these is the only answer. Further convolutions may follow the last layer, as in SSD.
    pub(crate) fn architectures(&self) -> Vec<Arch> {
        if self.convolutions.is_empty() || self.first_kernel.is_some_and(|kernel| kernel != 3) {
            return Vec::new();
        }
        let mut fitting: Vec<Arch> = Arch::all()
            .filter(|arch| arch.batch_norm() == self.has_batch_norm)
            .filter(|&arch| {
                let own = self.own(arch);
                let goes_on = own.len() < self.convolutions.len();
                let all = convolutions(arch);
                own.is_subset(&all) && (!goes_on || own == all)
            })
            .collect();
        let is_exact = |arch: &Arch| convolutions(*arch) == self.own(*arch);
        if let Some(exact) = fitting.iter().copied().find(is_exact) {
            fitting = vec![exact];
        }
        fitting
    }

    /// Input channels; 3 where `features.0` is missing.
    pub(crate) fn channels(&self) -> usize {
        self.channels.unwrap_or(3)
    }

    /// How many of the layers of `arch` are there: all before the first convolution that is missing.
    /// Where others follow that one, it is a gap, and the network is whole.
    pub(crate) fn depth(&self, arch: Arch) -> usize {
        let is_there = |index: &usize| self.convolutions.contains(index);
        let all = convolutions(arch);
        let missing = all.iter().find(|index| !is_there(index));
        match missing {
            Some(&first) if !all.range(first..).any(is_there) => first,
            _ => arch.layers().len(),
        }
    }

    /// The indices of convolutions behind the last layer of `arch`.
    pub(crate) fn beyond(&self, arch: Arch) -> impl Iterator<Item = usize> {
        self.convolutions.range(arch.layers().len()..).copied()
    }

    fn own(&self, arch: Arch) -> BTreeSet<usize> {
        let end = arch.layers().len();
        self.convolutions.range(..end).copied().collect()
    }
}

/// Describes layers that are not a VGG's.
impl fmt::Display for FoundLayers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indices: Vec<String> = self.convolutions.iter().map(usize::to_string).collect();
        let indices = indices.join(", ");
        write!(f, "has convolutions at features {indices}, as no VGG has")?;
        match self.first_kernel {
            Some(11) => f.write_str("; its first kernels are 11 x 11, as AlexNet's are"),
            Some(3) | None => Ok(()),
            Some(size) => write!(
                f,
                "; its first kernels are {size} x {size}, VGG's are 3 x 3"
            ),
        }
    }
}

fn convolutions(arch: Arch) -> BTreeSet<usize> {
    let layers = arch.layers().into_iter();
    layers
        .filter(|layer| layer.kind == LayerKind::Convolution)
        .map(|layer| layer.index)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(convolutions: &[usize], has_batch_norm: bool) -> FoundLayers {
        FoundLayers {
            convolutions: convolutions.iter().copied().collect(),
            has_batch_norm,
            first_kernel: Some(3),
            channels: Some(3),
        }
    }

    fn names(layers: &FoundLayers) -> Vec<String> {
        let found = layers.architectures();
        found.iter().map(Arch::to_string).collect()
    }

    // torchvision: [i for i, m in enumerate(vggN().features) if isinstance(m, Conv2d)]
    const VGG16: &[usize] = &[0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28];
    const VGG11_BN: &[usize] = &[0, 4, 8, 11, 15, 18, 22, 25];

    #[test]
    fn every_member_is_recognized() {
        for arch in Arch::all() {
            let found = FoundLayers {
                convolutions: convolutions(arch),
                ..layers(&[], arch.batch_norm())
            };
            assert_eq!(found.architectures(), [arch]);
        }
        assert_eq!(names(&layers(VGG16, false)), ["vgg16"]);
        assert_eq!(names(&layers(VGG11_BN, true)), ["vgg11_bn"]);
    }

    #[test]
    fn the_first_layers_fit_several() {
        let first = layers(&[0, 2, 5, 7], false);
        assert_eq!(names(&first), ["vgg13", "vgg16", "vgg19"]);
        assert_eq!(names(&layers(&VGG16[..9], false)), ["vgg16"]);
    }

    #[test]
    fn ssds_further_convolutions_come_after_vgg16() {
        let mut ssd = VGG16.to_vec();
        ssd.extend([31, 33]);
        assert_eq!(names(&layers(&ssd, false)), ["vgg16"]);
        let beyond: Vec<usize> = layers(&ssd, false).beyond(Arch::VGG16).collect();
        assert_eq!(beyond, [31, 33]);
    }

    #[test]
    fn layers_are_there_up_to_the_first_that_is_missing_at_the_end() {
        let depth = |convolutions: &[usize]| layers(convolutions, false).depth(Arch::VGG16);
        assert_eq!(depth(&[0]), 2);
        assert_eq!(depth(&[0, 2]), 5);
        assert_eq!(depth(VGG16), 31);
        // A gap: what is missing is named when it is looked for.
        assert_eq!(depth(&[0, 2, 7]), 31);
    }

    #[test]
    fn other_networks_fit_none() {
        assert!(names(&layers(&[0, 3, 6, 8, 10], false)).is_empty());
        assert!(names(&layers(&[], false)).is_empty());
        let alexnet = FoundLayers {
            first_kernel: Some(11),
            ..layers(&[0, 3], false)
        };
        assert!(names(&alexnet).is_empty());
        assert!(alexnet.to_string().contains("AlexNet"));
    }

    #[test]
    fn layers_are_found_by_names_and_shapes() {
        let tensors: [(&str, &[usize]); 5] = [
            ("features.0.weight", &[2, 3, 3, 3]),
            ("features.0.bias", &[2]),
            ("features.1.weight", &[2]),
            ("features.3.weight", &[2, 2, 3, 3]),
            ("classifier.0.weight", &[4, 98]),
        ];
        assert_eq!(FoundLayers::of(tensors.into_iter()), layers(&[0, 3], true));
    }
}
