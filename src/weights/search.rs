//! Finds the networks in a file: chains of convolutions that are a VGG's, whatever they are called, and their batch norms.
//!
//! A checkpoint's tensors are named by the keys that lead to them, so a wrapper (`{"state_dict": {...}}`) and a prefix
//! (`module.features.0.weight`) look alike: both are what the names of a chain have in common.

use std::collections::HashSet;

use super::chain::{ENOUGH, Module, WRAPPERS, blocks, is_container};
use super::entry::Entry;
use super::error::WeightsErrorKind;

/// The wrappers and prefixes that training scripts, `DataParallel` and `torch.compile` add.
pub(super) const USUAL: [&str; 5] = [
    "state_dict",
    "model_state_dict",
    "model",
    "module",
    "_orig_mod",
];

/// Parts of the name of a network that is an average over training steps.
const AVERAGES: [&str; 6] = ["ema", "swa", "avg", "average", "averaged", "shadow"];

/// Most chains of one file that are looked into.
const MOST: usize = 64;

/// Most convolutions of a chain that is looked into: VGG19 has 16, and a decoder may follow.
const LONGEST: usize = 64;

/// What the convolutions of a network show of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Convolutions in each block, as far as they go.
    pub(crate) blocks: Vec<usize>,
    pub(crate) batch_norm: bool,
    /// Input channels of the first convolution.
    pub(crate) channels: usize,
    /// Output channels of each convolution.
    pub(crate) widths: Vec<usize>,
    /// What the convolutions behind the last one that fits are called in the file.
    pub(crate) beyond: Vec<String>,
}

/// Where in a file a network is.
#[derive(Debug)]
pub(super) struct Network {
    /// What its names have in common, with its dot; empty if nothing does.
    pub(super) prefix: String,
    pub(super) layout: Layout,
    /// The file's names of its convolutions and batch norms, and torchvision's.
    pub(super) layers: Vec<(String, String)>,
    /// Whether its names are those of the file behind the prefix, and if so, whether wrappers are among them.
    pub(super) exact: Option<bool>,
    /// Whether layers alone were saved, as in `vgg.features.state_dict()`.
    pub(super) is_bare: bool,
    /// How many of its names are known; of a VGG 1 where they are torchvision's, LPIPS' or the paper's.
    pub(super) known: usize,
    /// The place of its first tensor in the file.
    pub(super) first: usize,
}

impl Network {
    /// torchvision's name for a tensor of the file, if it is one of this network.
    pub(super) fn name(&self, raw: &str) -> Option<String> {
        if let Some(has_wrappers) = self.exact {
            let name = raw.strip_prefix(&self.prefix)?;
            return Some(if has_wrappers {
                name.to_owned()
            } else {
                without_wrappers(name).join(".")
            });
        }
        let parts = self.layers.iter().filter_map(|(stem, layer)| {
            let part = raw.strip_prefix(stem)?.strip_prefix('.')?;
            Some((part, layer))
        });
        // One layer's name may begin with another's.
        if let Some((part, layer)) = parts.min_by_key(|(part, _)| part.len()) {
            return Some(format!("{layer}.{}", without_wrappers(part).join(".")));
        }
        let mut parts = without_wrappers(raw.strip_prefix(&self.prefix)?);
        if parts.first().is_some_and(|part| is_container(part)) {
            parts[0] = "features";
        }
        let name = parts.join(".");
        let stem = name.rsplit_once('.').map_or("", |(stem, _)| stem);
        let is_taken = self.layers.iter().any(|(_, layer)| layer == stem);
        (!self.is_bare && !is_taken).then_some(name)
    }

    /// The file's name for a tensor of the network.
    pub(super) fn raw(&self, name: &str) -> String {
        let (layer, part) = name.rsplit_once('.').unwrap_or((name, ""));
        match self.layers.iter().find(|(_, own)| *own == layer) {
            Some((raw, _)) => format!("{raw}.{part}"),
            None => format!("{}{name}", self.prefix),
        }
    }

    /// Whether the prefix has only parts that wrappers add.
    fn is_usual(&self) -> bool {
        let mut parts = self.prefix.split_terminator('.');
        parts.all(|part| USUAL.contains(&part))
    }

    fn is_average(&self) -> bool {
        let mut words = self.prefix.split(['.', '_', '-']);
        words.any(|word| AVERAGES.contains(&word))
    }
}

/// The networks of a file. `is_sorted`: it has tensors by name, not in the network's order.
pub(super) fn networks(entries: &[Entry], is_sorted: bool) -> Vec<Network> {
    let modules = Modules::of(entries, is_sorted);
    let mut all = modules.networks(&is_image);
    if all.is_empty() {
        all = modules.networks(&|_| true);
        all.retain(|network| network.known > 0);
    }
    all
}

/// The one of these networks that is meant, under `key` if there is one, and the prefixes of the others; `None` where there is
/// none at all.
pub(super) fn pick(
    all: Vec<Network>,
    key: Option<&str>,
) -> Result<Option<(Network, Vec<String>)>, WeightsErrorKind> {
    let under = key.map(|key| format!("{}.", key.trim_end_matches('.')));
    let is_under = |network: &Network| network.prefix.starts_with(under.as_deref().unwrap_or(""));
    let (own, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_under);
    let own = most_known(own);
    let prefixes = |all: Vec<Network>| all.into_iter().map(|network| network.prefix).collect();
    let is_no_average = |network: &Network| !network.is_average();
    let kinds: [&dyn Fn(&Network) -> bool; 3] = [&Network::is_usual, &is_no_average, &|_| true];
    let best = kinds.into_iter().find(|is_best| own.iter().any(is_best));
    let (mut best, rest): (Vec<_>, Vec<_>) = match best {
        Some(is_best) => own.into_iter().partition(is_best),
        None => (Vec::new(), Vec::new()),
    };
    match (best.pop(), best.is_empty(), key) {
        (Some(network), true, _) => Ok(Some((network, prefixes(rest)))),
        (Some(last), ..) => {
            best.push(last);
            best.extend(rest);
            Err(WeightsErrorKind::Ambiguous(prefixes(best)))
        }
        (None, _, Some(key)) if !others.is_empty() => Err(WeightsErrorKind::NoKey {
            key: key.to_owned(),
            found: prefixes(most_known(others)),
        }),
        _ => Ok(None),
    }
}

/// Those of which most is known by name.
fn most_known(mut all: Vec<Network>) -> Vec<Network> {
    let most = all.iter().map(|network| network.known).max();
    all.retain(|network| Some(network.known) == most);
    all
}

/// The parts of a name that no wrapper added.
pub(super) fn without_wrappers(name: &str) -> Vec<&str> {
    let parts = name.split('.').filter(|part| !WRAPPERS.contains(part));
    parts.collect()
}

fn is_image(channels: usize) -> bool {
    channels == 1 || channels == 3
}

struct Modules<'a> {
    entries: &'a [Entry],
    /// In the file's order, or by name.
    convolutions: Vec<Module<'a>>,
    norms: Vec<Module<'a>>,
}

impl<'a> Modules<'a> {
    fn of(entries: &'a [Entry], is_sorted: bool) -> Self {
        let places = || entries.iter().enumerate();
        let mut known = HashSet::new();
        let convolutions = places().filter_map(|(at, entry)| Module::convolution(entry, at));
        let norms = places().filter_map(|(at, entry)| Module::norm(entry, at));
        let mut modules = Self {
            entries,
            convolutions: convolutions.collect(),
            norms: norms.filter(|norm| known.insert(norm.stem)).collect(),
        };
        if is_sorted {
            modules.convolutions.sort_by(|a, b| a.name.cmp(&b.name));
            modules.norms.sort_by(|a, b| a.name.cmp(&b.name));
        }
        modules
    }

    /// The networks whose first convolution takes such a number of channels: of convolutions that differ in the numbers of
    /// their names only, else of all in a row.
    fn networks(&self, is_first: &dyn Fn(usize) -> bool) -> Vec<Network> {
        let in_order: Vec<&Module> = self.convolutions.iter().collect();
        let mut by_name = in_order.clone();
        by_name.sort_by(|a, b| a.name.cmp(&b.name));
        let is_start = |chain: &&[&Module]| {
            chain.len() <= LONGEST
                && chain[0].is_3x3()
                && is_first(chain[0].takes())
                && (chain.len() >= ENOUGH || chain[0].is_named_first())
        };
        let alike = by_name.chunk_by(|a, b| a.name.words == b.name.words);
        let alike = alike.flat_map(|alike| {
            let chains = alike.chunk_by(|a, b| a.leads_to(b)).filter(is_start);
            chains.map(move |chain| {
                let start = alike.partition_point(|module| module.name < chain[0].name);
                let end = start + chain.len();
                // What follows in the same list, up to the next network's beginning.
                let is_next = |module: &&Module| {
                    is_image(module.takes()) && module.is_3x3() || module.is_named_first()
                };
                let rest = alike[end..].split(is_next).next().unwrap_or_default();
                // torchvision's names say that it goes on, whatever shapes say: those are checked with the others.
                let is_own = |module: &&&Module| module.is_3x3() && chain[0].is_named_first();
                let own = rest.iter().take(LONGEST).take_while(is_own).count();
                (&alike[start..end + own], &rest[own..])
            })
        });
        let alike = alike
            .take(MOST)
            .filter_map(|(chain, rest)| self.network(chain, rest));
        let in_a_row = in_order.chunk_by(|a, b| a.leads_to(b)).filter(is_start);
        let in_a_row = in_a_row
            .take(MOST)
            .filter_map(|chain| self.network(chain, &[]));
        let (mut whole, parts): (Vec<_>, Vec<_>) = alike.partition(|(_, is_whole)| *is_whole);
        let in_a_row = in_a_row.filter(|(_, is_whole)| *is_whole);
        whole.sort_by_key(|(network, _)| network.first);
        let mut networks: Vec<Network> = Vec::new();
        for (network, _) in whole.into_iter().chain(in_a_row).chain(parts) {
            // Two names of the same tensors, as TernausNet has them, are one network.
            let location = |network: &Network| &self.entries[network.first].tensor.location;
            let is_same = |other: &Network| {
                other.first == network.first || location(other).is_same(location(&network))
            };
            if !networks.iter().any(is_same) {
                networks.push(network);
            }
        }
        networks.sort_by_key(|network| network.first);
        networks
    }

    /// The network of a chain, if it is one, and whether it has all of its convolutions.
    fn network(&self, chain: &[&Module], rest: &[&Module]) -> Option<(Network, bool)> {
        let first = chain[0];
        let names: Vec<&str> = chain.iter().map(|module| module.stem).collect();
        let prefix = common(&names);
        let is_bare = first.stem[prefix.len()..].starts_with(|c: char| c.is_ascii_digit());
        // `convs.0` and `norms.0` are next to each other.
        let around = prefix.trim_end_matches('.').rsplit_once('.');
        let around = if is_bare {
            around.map_or("", |(around, _)| around)
        } else {
            &prefix
        };
        let norms = self.norms_of(chain, around)?;
        let mut shown = chain;
        if !norms.is_empty() {
            shown = &chain[..norms.len()];
        }
        let (blocks, is_whole) = blocks(shown, !norms.is_empty())?;
        if !is_whole && (!rest.is_empty() || self.is_mixed(chain)) {
            return None;
        }
        let count: usize = blocks.iter().sum();
        let step = if norms.is_empty() { 2 } else { 3 };
        let poolings = (0..)
            .zip(&blocks)
            .flat_map(|(block, &count)| std::iter::repeat_n(block, count));
        let mut layers = Vec::new();
        for (at, pooling) in poolings.enumerate() {
            let index = at * step + pooling;
            layers.push((shown[at].stem.to_owned(), format!("features.{index}")));
            if let Some(norm) = norms.get(at) {
                layers.push((norm.stem.to_owned(), format!("features.{}", index + 1)));
            }
        }
        let beyond = chain[count..].iter().chain(rest);
        let network = Network {
            layout: Layout {
                blocks,
                batch_norm: !norms.is_empty(),
                channels: first.takes(),
                widths: shown[..count].iter().map(|module| module.gives()).collect(),
                beyond: beyond
                    .map(|module| module.stem.strip_prefix(&prefix).unwrap_or(module.stem))
                    .map(str::to_owned)
                    .collect(),
            },
            exact: None,
            is_bare,
            known: first.is_named_first().into(),
            first: first.at,
            layers,
            prefix,
        };
        Some((network, is_whole))
    }

    /// Whether there are convolutions of another kind next to a chain, as in `SqueezeNet`.
    fn is_mixed(&self, chain: &[&Module]) -> bool {
        let [first, ..] = chain else { return false };
        let container = first.parent();
        let is_inside = |module: &&Module| {
            let inner = module.stem.strip_prefix(container);
            inner.is_some_and(|inner| inner.starts_with('.'))
                && module.name.words != first.name.words
        };
        let is_layers = container.rsplit('.').next().is_some_and(is_container);
        is_layers && self.convolutions.iter().any(|module| is_inside(&module))
    }

    /// The batch norms behind the convolutions of a chain, those of the first ones, or none; `None` if there are some
    /// that belong to no convolution.
    fn norms_of(&self, chain: &[&Module], prefix: &str) -> Option<Vec<&Module<'a>>> {
        let (first, last) = (chain[0], chain[chain.len() - 1]);
        let own = self
            .norms
            .iter()
            .filter(|norm| norm.stem.starts_with(prefix));
        let mut by_name: Vec<&Module> = own.clone().collect();
        by_name.sort_by(|a, b| a.name.cmp(&b.name));
        let in_a_row: Vec<&Module> = own.clone().filter(|norm| norm.at > first.at).collect();
        let lists = by_name.chunk_by(|a, b| a.name.words == b.name.words);
        let fitting = lists.chain([&in_a_row[..]]).filter(|list| {
            let mut pairs = chain.iter().zip(*list);
            let has_its_width = pairs.clone().all(|(own, norm)| norm.shape == [own.gives()]);
            let is_near = pairs.all(|(own, norm)| own.parent() == norm.parent());
            has_its_width && (is_near || list.len() == chain.len())
        });
        let best = fitting.max_by_key(|list| list.len().min(chain.len()));
        if let Some(best) = best.filter(|best| !best.is_empty()) {
            return Some(best.iter().copied().take(chain.len()).collect());
        }
        let is_between = |norm: &Module| {
            let is_near = chain.iter().any(|own| own.parent() == norm.parent());
            (first.at..last.at).contains(&norm.at) && is_near || norm.name.words == first.name.words
        };
        own.clone().all(|norm| !is_between(norm)).then(Vec::new)
    }
}

/// What stands before the names of layers: the parts that they have in common, without that of the module that has them.
fn common(names: &[&str]) -> String {
    let first: Vec<&str> = names[0].split('.').collect();
    let count = |name: &&str| {
        let alike = name.split('.').zip(&first);
        alike.take_while(|(part, own)| part == *own).count()
    };
    let end = names.iter().map(count).min().unwrap_or_default();
    let mut parts = &first[..end.min(first.len() - 1)];
    let is_wrapper = |part: &&&str| WRAPPERS.contains(*part);
    let wrappers = parts.iter().rev().take_while(is_wrapper).count();
    if let [before @ .., container] = &parts[..parts.len() - wrappers]
        && is_container(container)
    {
        parts = before;
    }
    parts.iter().flat_map(|part| [part, "."]).collect()
}

#[cfg(test)]
#[path = "tests/search.rs"]
mod tests;
