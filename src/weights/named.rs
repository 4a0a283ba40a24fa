//! Finds networks of any kind whose names are known, whatever stands before them in a file.

use std::collections::{BTreeMap, HashSet};

use super::chain::WRAPPERS;
use super::entry::Entry;
use super::search::{Layout, Network, USUAL, without_wrappers};

/// Those whose tensors have some of these names.
pub(super) fn networks(entries: &[Entry], names: &HashSet<&str>) -> Vec<Network> {
    let mut all_names = names.iter();
    let has_wrappers = all_names.any(|name| name.split('.').any(|part| WRAPPERS.contains(&part)));
    let mut prefixes: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        let raw = entry.raw_name();
        let ends = raw.match_indices('.').map(|(dot, _)| dot + 1);
        let mut starts = [0].into_iter().chain(ends);
        let is_own = |start: &usize| {
            let name = &raw[*start..];
            names.contains(name)
                || !has_wrappers && names.contains(without_wrappers(name).join(".").as_str())
        };
        if let Some(start) = starts.find(is_own) {
            prefixes.entry(&raw[..start]).or_insert([0, at])[0] += 1;
        }
    }
    let all = prefixes.into_iter();
    all.map(|(prefix, [known, first])| Network {
        prefix: prefix.to_owned(),
        layout: Layout::default(),
        layers: Vec::new(),
        exact: Some(has_wrappers),
        is_bare: false,
        known,
        first,
    })
    .collect()
}

/// The names of a network of any kind: those behind what training scripts put before them, or under `key`, of which most
/// are weights and biases.
pub(super) fn own_names<'a>(entries: &'a [Entry], key: Option<&str>) -> HashSet<&'a str> {
    let key = key.map(|key| format!("{}.", key.trim_end_matches('.')));
    let mut by_prefix: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    for raw in entries.iter().map(Entry::raw_name) {
        let Some(mut name) = raw.strip_prefix(key.as_deref().unwrap_or_default()) else {
            continue;
        };
        while let Some((first, rest)) = name.split_once('.')
            && USUAL.contains(&first)
        {
            name = rest;
        }
        let prefix = &raw[..raw.len() - name.len()];
        by_prefix.entry(prefix).or_default().insert(name);
    }
    let parameters = |names: &HashSet<&str>| {
        let is_one = |name: &&&str| name.ends_with("weight") || name.ends_with("bias");
        names.iter().filter(is_one).count()
    };
    let most = by_prefix.into_values().max_by_key(parameters);
    most.filter(|names| parameters(names) > 0)
        .unwrap_or_default()
}
