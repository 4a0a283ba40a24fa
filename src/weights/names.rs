//! From the names in a file to torchvision's: wrapper keys and prefixes.
//!
//! A checkpoint's tensors are named by the keys that lead to them, so a wrapper
//! (`{"state_dict": {...}}`) and a prefix (`module.features.0.weight`) look alike: both are
//! whatever stands before `features.0.weight`.

use super::tensor::RawTensor;

/// The wrappers and prefixes that training scripts, `DataParallel` and `torch.compile` add.
const USUAL: [&str; 5] = [
    "state_dict",
    "model_state_dict",
    "model",
    "module",
    "_orig_mod",
];

/// The tensor that every torchvision VGG has.
const FIRST: &str = "features.0.weight";

/// The fewest convolutions by which a bare list of layers is taken for a VGG's.
const ENOUGH: usize = 4;

/// Where in a file the network is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Root {
    /// What stands before torchvision's names, with its dot; empty if nothing does.
    pub(super) prefix: String,
    /// Whether the names also lack `features.`: `vgg.features.state_dict()` was saved.
    pub(super) is_bare: bool,
}

impl Root {
    /// torchvision's name for a tensor of the file, if it is one of this network.
    pub(super) fn name(&self, raw: &str) -> Option<String> {
        let rest = raw.strip_prefix(&self.prefix)?;
        if !self.is_bare {
            return Some(rest.to_owned());
        }
        rest.starts_with(|c: char| c.is_ascii_digit())
            .then(|| format!("features.{rest}"))
    }

    /// The file's name for a tensor of the network.
    pub(super) fn raw(&self, name: &str) -> String {
        let name = match name.strip_prefix("features.") {
            Some(rest) if self.is_bare => rest,
            _ => name,
        };
        format!("{}{name}", self.prefix)
    }
}

/// Finds the network: `Ok(None)` if there is none.
pub(super) fn find(tensors: &[RawTensor]) -> Result<Option<Root>, Vec<String>> {
    let mut prefixes = prefixes(tensors, FIRST);
    let is_bare = prefixes.is_empty();
    if is_bare {
        prefixes = prefixes_of_bare(tensors);
    }
    if prefixes.iter().any(|prefix| is_usual(prefix)) {
        prefixes.retain(|prefix| is_usual(prefix));
    }
    match prefixes.as_slice() {
        [] => Ok(None),
        [prefix] => Ok(Some(Root {
            prefix: prefix.clone(),
            is_bare,
        })),
        _ => Err(prefixes),
    }
}

/// What stands before `last` in the names of convolution weights.
fn prefixes(tensors: &[RawTensor], last: &str) -> Vec<String> {
    let kernels = tensors.iter().filter(|tensor| tensor.shape.len() == 4);
    let prefixes = kernels.filter_map(|tensor| tensor.spelled().strip_suffix(last));
    prefixes
        .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
        .map(str::to_owned)
        .collect()
}

/// Prefixes of numbered 3 x 3 convolutions, without `features.` before the number.
fn prefixes_of_bare(tensors: &[RawTensor]) -> Vec<String> {
    let mut prefixes = prefixes(tensors, "0.weight");
    prefixes.retain(|prefix| {
        let is_convolution = |tensor: &&RawTensor| {
            let rest = tensor.spelled().strip_prefix(prefix.as_str());
            let number = rest.and_then(|rest| rest.strip_suffix(".weight"));
            matches!(tensor.shape[..], [_, _, 3, 3])
                && number.is_some_and(|number| number.parse::<usize>().is_ok())
        };
        tensors.iter().filter(is_convolution).count() >= ENOUGH
    });
    prefixes
}

/// Whether a prefix has only usual parts, with or without its last dot.
pub(super) fn is_usual(prefix: &str) -> bool {
    prefix
        .split('.')
        .all(|part| part.is_empty() || USUAL.contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::dtype::DType;
    use crate::weights::location::Location;
    use proptest::prelude::*;

    fn tensors<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<RawTensor> {
        let tensors = names.into_iter().map(|name| RawTensor {
            name: name.to_owned(),
            torch_name: None,
            dtype: DType::F32,
            shape: if name.ends_with("weight") {
                vec![2, 2, 3, 3]
            } else {
                vec![2]
            },
            stride: None,
            location: Location::Missing(String::new()),
        });
        tensors.collect()
    }

    fn prefix(names: &[&str]) -> Result<Option<String>, Vec<String>> {
        find(&tensors(names.iter().copied())).map(|root| root.map(|root| root.prefix))
    }

    #[test]
    fn an_unusual_prefix_is_taken_if_it_is_the_only_one() {
        let names = ["net.features.0.weight", "optimizer.state.0.exp_avg"];
        assert_eq!(prefix(&names), Ok(Some("net.".into())));
        let names = ["state_dict.backbone.features.0.weight"];
        assert_eq!(prefix(&names), Ok(Some("state_dict.backbone.".into())));
    }

    #[test]
    fn the_usual_prefix_wins_over_a_copy() {
        let names = ["model.features.0.weight", "model_ema.features.0.weight"];
        assert_eq!(prefix(&names), Ok(Some("model.".into())));
    }

    #[test]
    fn two_that_are_as_good_are_an_error() {
        let names = ["student.features.0.weight", "teacher.features.0.weight"];
        assert_eq!(
            prefix(&names),
            Err(vec!["student.".into(), "teacher.".into()])
        );
        let names = ["model.features.0.weight", "state_dict.features.0.weight"];
        assert!(prefix(&names).is_err());
    }

    #[test]
    fn part_of_a_word_is_no_prefix() {
        assert_eq!(prefix(&["my_features.0.weight"]), Ok(None));
    }

    #[test]
    fn layers_alone_are_recognized_by_their_numbers() {
        let vgg11 = ["0.weight", "3.weight", "6.weight", "8.weight", "0.bias"];
        let root = find(&tensors(vgg11)).unwrap().unwrap();
        assert!(root.is_bare);
        assert_eq!(root.name("3.weight").unwrap(), "features.3.weight");
        assert_eq!(root.raw("features.3.weight"), "3.weight");
        assert_eq!(root.name("fc.weight"), None);

        let resnet = ["layer1.0.weight", "layer1.1.weight", "layer1.2.weight"];
        assert_eq!(prefix(&resnet), Ok(None));
    }

    proptest! {
        /// Any number of the usual wrappers and prefixes, in any order, comes off again.
        #[test]
        fn usual_prefixes_come_off(parts in proptest::collection::vec(0..USUAL.len(), 0..6)) {
            let wrapped: String = parts.iter().flat_map(|&part| [USUAL[part], "."]).collect();
            let raw = format!("{wrapped}features.0.weight");
            let root = find(&tensors([raw.as_str()])).unwrap().unwrap();
            prop_assert_eq!(root.name(&raw).unwrap(), "features.0.weight");
            prop_assert_eq!(root.raw("features.0.weight"), raw);
            prop_assert!(is_usual(&root.prefix));
        }
    }
}
