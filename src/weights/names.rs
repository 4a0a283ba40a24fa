//! From the names in a file to torchvision's: wrapper keys, prefixes and other naming schemes.
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

/// Modules that wrap another one and may stand anywhere in a name.
const WRAPPERS: [&str; 4] = [
    "module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
];

/// How a weight's name ends: as it is, pruned or spectral-normalized, weight-normalized, parametrized.
const WEIGHTS: [&str; 5] = [
    ".weight",
    ".weight_orig",
    ".weight_v",
    ".parametrizations.weight.original",
    ".parametrizations.weight.original1",
];

/// The fewest convolutions by which a bare list of layers is taken for a VGG's.
const ENOUGH: usize = 4;

/// How a network's layers are named, after its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// `features.0`, `feature.0`, `features.module.0`.
    Features,
    /// `slice1.0`: LPIPS.
    Slices,
    /// `conv1_1`: the paper, Caffe.
    Paper,
    /// `0`: `vgg.features.state_dict()` was saved.
    Bare,
}

/// Where in a file the network is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Root {
    /// What stands before the names, with its dot; empty if nothing does.
    pub(super) prefix: String,
    scheme: Scheme,
    /// For the paper's names: the convolutions of each block, and whether there is batch norm.
    blocks: (Vec<usize>, bool),
}

impl Root {
    /// torchvision's name for a tensor of the file, if it is one of this network.
    pub(super) fn name(&self, raw: &str) -> Option<String> {
        let rest = raw.strip_prefix(&self.prefix)?;
        let parts = rest.split('.').filter(|part| !WRAPPERS.contains(part));
        let parts: Vec<&str> = parts.collect();
        let (first, others) = parts.split_first()?;
        let others = others.join(".");
        match self.scheme {
            Scheme::Features if is_features(first) => Some(format!("features.{others}")),
            Scheme::Slices if slice(first) => Some(format!("features.{others}")),
            Scheme::Paper => match self.paper_index(first) {
                Some(index) => Some(format!("features.{index}.{others}")),
                None => Some(parts.join(".")),
            },
            Scheme::Bare => number(first).map(|_| format!("features.{first}.{others}")),
            Scheme::Features | Scheme::Slices => Some(parts.join(".")),
        }
    }

    /// torchvision's index of `conv3_2` or `bn3_2`.
    fn paper_index(&self, name: &str) -> Option<usize> {
        let (is_convolution, block, number) = paper(name)?;
        let (counts, has_batch_norm) = &self.blocks;
        let layers = if *has_batch_norm { 3 } else { 2 };
        let before: usize = counts.iter().take(block - 1).map(|n| n * layers + 1).sum();
        Some(before + (number - 1) * layers + usize::from(!is_convolution))
    }

    /// The file's name for a tensor of the network.
    pub(super) fn raw(&self, name: &str) -> String {
        let name = match name.strip_prefix("features.") {
            Some(rest) if self.scheme == Scheme::Bare => rest,
            _ => name,
        };
        format!("{}{name}", self.prefix)
    }
}

/// A network in a file, and the prefixes of those beside it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) root: Root,
    pub(super) others: Vec<String>,
}

/// Finds the network, under `key` if there is one: `Ok(None)` if there is none, `Err` with their
/// prefixes if there are several that are as good.
pub(super) fn find(tensors: &[RawTensor], key: Option<&str>) -> Result<Option<Found>, Vec<String>> {
    let schemes = [
        Scheme::Features,
        Scheme::Slices,
        Scheme::Paper,
        Scheme::Bare,
    ];
    let found = schemes.into_iter().find_map(|scheme| {
        let mut prefixes = prefixes(tensors, scheme);
        if let Some(key) = key {
            let key = format!("{}.", key.trim_end_matches('.'));
            prefixes.retain(|prefix| prefix.starts_with(&key));
        }
        (!prefixes.is_empty()).then_some((scheme, prefixes))
    });
    let Some((scheme, all)) = found else {
        return Ok(None);
    };
    let kept = |keep: fn(&str) -> bool| -> Vec<&String> {
        all.iter().filter(|prefix| keep(prefix)).collect()
    };
    let choices = [
        kept(is_usual),
        kept(|prefix| !is_average(prefix)),
        kept(|_| true),
    ];
    let best = choices.into_iter().find(|choice| !choice.is_empty());
    match best.unwrap_or_default().as_slice() {
        [prefix] => Ok(Some(Found {
            root: Root {
                prefix: (*prefix).clone(),
                scheme,
                blocks: blocks(tensors, prefix),
            },
            others: all
                .iter()
                .filter(|other| other != prefix)
                .cloned()
                .collect(),
        })),
        _ => Err(all),
    }
}

/// What stands before the first convolution in the names of a scheme, each once.
fn prefixes(tensors: &[RawTensor], scheme: Scheme) -> Vec<String> {
    let mut prefixes: Vec<String> = Vec::new();
    for tensor in tensors {
        let prefix = kernels(tensor).and_then(|stem| prefix(stem, scheme));
        if let Some(prefix) = prefix
            && !prefixes.contains(&prefix)
            && (scheme != Scheme::Bare || is_chain(tensors, &prefix))
        {
            prefixes.push(prefix);
        }
    }
    prefixes
}

/// The layer's name, if this is the weight of a convolution.
fn kernels(tensor: &RawTensor) -> Option<&str> {
    let stem = |ending: &&str| tensor.spelled().strip_suffix(*ending);
    WEIGHTS
        .iter()
        .find_map(stem)
        .filter(|_| tensor.shape.len() == 4)
}

/// What stands before `stem` in a scheme's names, if it is the first convolution.
fn prefix(stem: &str, scheme: Scheme) -> Option<String> {
    let mut parts: Vec<&str> = stem.split('.').collect();
    match scheme {
        Scheme::Paper => parts.pop().filter(|last| *last == "conv1_1")?,
        _ => parts.pop().filter(|last| *last == "0")?,
    };
    if scheme == Scheme::Features {
        while parts.last().is_some_and(|last| WRAPPERS.contains(last)) {
            parts.pop();
        }
    }
    match scheme {
        Scheme::Features => _ = parts.pop().filter(|last| is_features(last))?,
        Scheme::Slices => _ = parts.pop().filter(|last| slice(last))?,
        Scheme::Paper | Scheme::Bare => {}
    }
    Some(parts.iter().flat_map(|part| [part, "."]).collect())
}

/// Whether numbered 3 x 3 convolutions stand under a prefix, each of which takes what the one before
/// gives; SSD's `loc` and `extras` are numbered too.
fn is_chain(tensors: &[RawTensor], prefix: &str) -> bool {
    let mut convolutions: Vec<(usize, usize, usize)> = tensors
        .iter()
        .filter_map(|tensor| {
            let index = number(kernels(tensor)?.strip_prefix(prefix)?)?;
            match tensor.shape[..] {
                [out, input, 3, 3] => Some((index, input, out)),
                _ => None,
            }
        })
        .collect();
    convolutions.sort_unstable();
    let mut first = convolutions.iter().take(ENOUGH).peekable();
    first.peek().is_some_and(|(index, ..)| *index == 0)
        && convolutions.len() >= ENOUGH
        && first.is_sorted_by(|(_, _, out), (_, input, _)| out == input)
}

/// The convolutions of each block under a prefix in the paper's names, and whether there is batch norm.
fn blocks(tensors: &[RawTensor], prefix: &str) -> (Vec<usize>, bool) {
    let (mut counts, mut has_batch_norm) = (Vec::new(), false);
    for tensor in tensors {
        let rest = tensor.spelled().strip_prefix(prefix);
        let layer = rest.and_then(|rest| paper(rest.split('.').next()?));
        let Some((is_convolution, block, number)) = layer else {
            continue;
        };
        has_batch_norm |= !is_convolution;
        if counts.len() < block {
            counts.resize(block, 0);
        }
        counts[block - 1] = number.max(counts[block - 1]);
    }
    (counts, has_batch_norm)
}

/// `conv3_2` or `bn3_2`: whether it is a convolution, its block, its number in that, from 1.
fn paper(name: &str) -> Option<(bool, usize, usize)> {
    let (is_convolution, rest) = match (name.strip_prefix("conv"), name.strip_prefix("bn")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return None,
    };
    let (block, place) = rest.split_once('_')?;
    let (block, place) = (number(block)?, number(place)?);
    ((1..=5).contains(&block) && (1..=4).contains(&place)).then_some((is_convolution, block, place))
}

fn is_features(part: &str) -> bool {
    matches!(part, "features" | "feature" | "_features")
}

fn slice(part: &str) -> bool {
    part.strip_prefix("slice").and_then(number).is_some()
}

fn number(text: &str) -> Option<usize> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

/// Whether a prefix has only usual parts, with or without its last dot.
fn is_usual(prefix: &str) -> bool {
    prefix
        .split('.')
        .all(|part| part.is_empty() || USUAL.contains(&part))
}

/// Whether a prefix says that what stands there is an average over training steps.
fn is_average(prefix: &str) -> bool {
    let mut words = prefix.split(['.', '_', '-']);
    words.any(|word| {
        matches!(
            word,
            "ema" | "swa" | "avg" | "average" | "averaged" | "shadow"
        )
    })
}

#[cfg(test)]
#[path = "tests/names.rs"]
mod tests;
