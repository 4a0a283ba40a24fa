//! Parameters that are stored in parts: pruned, weight-normalized, spectral-normalized.
//!
//! Source: `torch/nn/utils`: `prune.py`, `weight_norm.py`, `spectral_norm.py`, `parametrizations.py`.

use std::collections::HashMap;

use super::entry::{Entry, Stored};

/// What a part is of its parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Original,
    Mask,
    Norm,
    /// The direction of a weight norm, or the second singular vector of a spectral norm.
    V,
    U,
}

/// How the names of parts end, in place of a parameter's own name: `weight_orig`.
const PARTS: [(&str, Part); 5] = [
    ("_orig", Part::Original),
    ("_mask", Part::Mask),
    ("_g", Part::Norm),
    ("_v", Part::V),
    ("_u", Part::U),
];

/// The same behind `parametrizations.weight.`, since `PyTorch` 1.9.
const PARAMETRIZED: [(&str, Part); 5] = [
    ("original", Part::Original),
    ("original0", Part::Norm),
    ("original1", Part::V),
    ("0._u", Part::U),
    ("0._v", Part::V),
];

/// Puts parts together: what is read under the parameter's name is the product. `Err` names a
/// parameter of a layer whose parts are of an unknown kind. What `is_whole` says of a name, it is no part.
pub(super) fn join(entries: &mut [Entry], is_whole: impl Fn(&str) -> bool) -> Result<(), String> {
    let mut parameters: HashMap<String, HashMap<Part, usize>> = HashMap::new();
    for (at, entry) in entries.iter_mut().enumerate() {
        let name = entry.name.as_deref().filter(|name| !is_whole(name));
        let Some((parameter, part)) = name.and_then(part) else {
            continue;
        };
        entry.stored = Stored::Part;
        entry.name = Some(parameter.clone());
        let parts = parameters.entry(parameter).or_default();
        parts.extend(part.map(|part| (part, at)));
    }
    for (name, parts) in parameters {
        let at = |part| parts.get(&part).copied();
        let (main, stored) =
            match [Part::Original, Part::Mask, Part::Norm, Part::V, Part::U].map(at) {
                [Some(main), _, _, Some(v), Some(u)] => (main, Stored::Spectral { u, v }),
                [Some(main), Some(mask), _, None, _] => (main, Stored::Masked { mask }),
                [None, _, Some(norm), Some(main), _] => (main, Stored::Direction { norm }),
                _ if name.starts_with("features.") => return Err(name),
                // Another network's, which nobody asked for.
                _ => continue,
            };
        entries[main].stored = stored;
    }
    Ok(())
}

/// The parameter that a name is a part of, and which.
fn part(name: &str) -> Option<(String, Option<Part>)> {
    if let Some((layer, rest)) = name.split_once(".parametrizations.") {
        let (parameter, rest) = rest.split_once('.')?;
        let part = PARAMETRIZED.iter().find(|(ending, _)| *ending == rest);
        return Some((format!("{layer}.{parameter}"), part.map(|(_, part)| *part)));
    }
    // The low-rank matrices of LoRA, next to its `base_layer`.
    if let Some((layer, _)) = name.split_once(".lora_") {
        return Some((format!("{layer}.weight"), None));
    }
    PARTS.iter().find_map(|(ending, part)| {
        let parameter = name.strip_suffix(ending)?;
        let is_parameter = [".weight", ".bias"]
            .iter()
            .any(|own| parameter.ends_with(own));
        is_parameter.then(|| (parameter.to_owned(), Some(*part)))
    })
}
