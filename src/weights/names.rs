//! From the names in a file to torchvision's: wrapper keys, prefixes and other naming schemes.
//!
//! A checkpoint's tensors are named by the keys that lead to them, so a wrapper
//! (`{"state_dict": {...}}`) and a prefix (`module.features.0.weight`) look alike: both are
//! whatever stands before `features.0.weight`.

use super::entry::Entry;

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

/// Parts of the name of a network that is an average over training steps.
const AVERAGES: [&str; 6] = ["ema", "swa", "avg", "average", "averaged", "shadow"];

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

impl Scheme {
    const ALL: [Self; 4] = [Self::Features, Self::Slices, Self::Paper, Self::Bare];

    /// How many parts of a name stand before a layer's index, if this is a layer's name.
    fn before_index(self, first: &str) -> Option<usize> {
        match self {
            Self::Features => matches!(first, "features" | "feature" | "_features").then_some(1),
            Self::Slices => first.strip_prefix("slice").and_then(number).map(|_| 1),
            Self::Paper => PaperName::new(first).map(|_| 0),
            Self::Bare => number(first).map(|_| 0),
        }
    }
}

/// Where in a file the network is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Root {
    /// What stands before the names, with its dot; empty if nothing does.
    pub(super) prefix: String,
    scheme: Scheme,
    /// For the paper's names: the convolutions of each block, and whether there is batch norm.
    blocks: Vec<usize>,
    has_batch_norm: bool,
}

impl Root {
    fn new(entries: &[Entry], prefix: &str, scheme: Scheme) -> Self {
        let mut root = Self {
            prefix: prefix.to_owned(),
            scheme,
            blocks: Vec::new(),
            has_batch_norm: false,
        };
        for entry in entries {
            let rest = entry.name().strip_prefix(prefix);
            let layer = rest.and_then(|rest| PaperName::new(rest.split('.').next()?));
            let Some(layer) = layer else { continue };
            root.has_batch_norm |= !layer.is_convolution;
            if root.blocks.len() < layer.block {
                root.blocks.resize(layer.block, 0);
            }
            let count = &mut root.blocks[layer.block - 1];
            *count = layer.number.max(*count);
        }
        root
    }

    /// torchvision's name for a tensor of the file, if it is one of this network.
    pub(super) fn name(&self, raw: &str) -> Option<String> {
        let rest = raw.strip_prefix(&self.prefix)?;
        let parts = rest.split('.').filter(|part| !WRAPPERS.contains(part));
        let parts: Vec<&str> = parts.collect();
        let first = *parts.first()?;
        let Some(before) = self.scheme.before_index(first) else {
            return (self.scheme != Scheme::Bare).then(|| parts.join("."));
        };
        let paper = PaperName::new(first).filter(|_| self.scheme == Scheme::Paper);
        Some(match paper {
            Some(layer) => format!("features.{}.{}", self.index(&layer), parts[1..].join(".")),
            None => format!("features.{}", parts[before..].join(".")),
        })
    }

    /// torchvision's index of a layer.
    fn index(&self, layer: &PaperName) -> usize {
        let in_block = if self.has_batch_norm { 3 } else { 2 };
        let blocks = self.blocks.iter().take(layer.block - 1);
        let before: usize = blocks.map(|count| count * in_block + 1).sum();
        before + (layer.number - 1) * in_block + usize::from(!layer.is_convolution)
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
pub(super) fn find(entries: &[Entry], key: Option<&str>) -> Result<Option<Found>, Vec<String>> {
    let key = key.map(|key| format!("{}.", key.trim_end_matches('.')));
    let key = key.unwrap_or_default();
    let found = Scheme::ALL.into_iter().find_map(|scheme| {
        let mut prefixes = prefixes(entries, scheme);
        prefixes.retain(|prefix| prefix.starts_with(&key));
        (!prefixes.is_empty()).then_some((scheme, prefixes))
    });
    let Some((scheme, mut all)) = found else {
        return Ok(None);
    };
    let is_usual = |prefix: &&String| is_usual(prefix);
    let is_average = |prefix: &&String| {
        let mut words = prefix.split(['.', '_', '-']);
        words.any(|word| AVERAGES.contains(&word))
    };
    let mut best: Vec<&String> = all.iter().filter(is_usual).collect();
    if best.is_empty() {
        best = all.iter().filter(|prefix| !is_average(prefix)).collect();
    }
    if best.is_empty() {
        best = all.iter().collect();
    }
    let [prefix] = best[..] else {
        return Err(all);
    };
    let root = Root::new(entries, prefix, scheme);
    all.retain(|other| *other != root.prefix);
    Ok(Some(Found { root, others: all }))
}

/// What stands before the first convolution in the names of a scheme, each once.
fn prefixes(entries: &[Entry], scheme: Scheme) -> Vec<String> {
    let mut prefixes: Vec<String> = Vec::new();
    for entry in entries {
        let prefix = kernels(entry).and_then(|stem| prefix(stem, scheme));
        if let Some(prefix) = prefix
            && !prefixes.contains(&prefix)
            && (scheme != Scheme::Bare || is_chain(entries, &prefix))
        {
            prefixes.push(prefix);
        }
    }
    prefixes
}

/// The layer's name, if this is the weight of a convolution.
fn kernels(entry: &Entry) -> Option<&str> {
    let stem = |ending: &&str| entry.name().strip_suffix(*ending);
    WEIGHTS
        .iter()
        .find_map(stem)
        .filter(|_| entry.shape().len() == 4)
}

/// What stands before `stem` in a scheme's names, if it is the first convolution.
fn prefix(stem: &str, scheme: Scheme) -> Option<String> {
    let parts: Vec<&str> = stem.split('.').collect();
    let first = (0..parts.len()).rev().find(|&at| {
        let rest = parts[at..].iter().filter(|part| !WRAPPERS.contains(part));
        let rest: Vec<&str> = rest.copied().collect();
        match scheme.before_index(parts[at]) {
            Some(_) if scheme == Scheme::Paper => rest == ["conv1_1"],
            Some(before) => rest[before..] == ["0"],
            None => false,
        }
    })?;
    Some(parts[..first].iter().flat_map(|part| [part, "."]).collect())
}

/// Whether numbered 3 x 3 convolutions stand under a prefix, each of which takes what the one before
/// gives; SSD's `loc` and `extras` are numbered too.
fn is_chain(entries: &[Entry], prefix: &str) -> bool {
    let mut convolutions: Vec<[usize; 3]> = entries
        .iter()
        .filter_map(|entry| {
            let index = number(kernels(entry)?.strip_prefix(prefix)?)?;
            match *entry.shape() {
                [out, input, 3, 3] => Some([index, input, out]),
                _ => None,
            }
        })
        .collect();
    convolutions.sort_unstable();
    let first = convolutions.get(..ENOUGH).unwrap_or_default();
    first.first().is_some_and(|[index, ..]| *index == 0)
        && first.is_sorted_by(|[_, _, out], [_, input, _]| out == input)
}

/// `conv3_2` or `bn3_2`: the second of block 3, both counted from 1.
struct PaperName {
    is_convolution: bool,
    block: usize,
    number: usize,
}

impl PaperName {
    fn new(name: &str) -> Option<Self> {
        let convolution = name.strip_prefix("conv");
        let (block, place) = convolution.or(name.strip_prefix("bn"))?.split_once('_')?;
        let layer = Self {
            is_convolution: convolution.is_some(),
            block: number(block)?,
            number: number(place)?,
        };
        ((1..=5).contains(&layer.block) && (1..=4).contains(&layer.number)).then_some(layer)
    }
}

fn number(text: &str) -> Option<usize> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

/// Whether a prefix has only usual parts, with or without its last dot.
fn is_usual(prefix: &str) -> bool {
    let mut parts = prefix.split('.').filter(|part| !part.is_empty());
    parts.all(|part| USUAL.contains(&part))
}

#[cfg(test)]
#[path = "tests/names.rs"]
mod tests;
