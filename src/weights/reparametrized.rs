//! Parameters that are stored in parts: pruned, weight-normalized, spectral-normalized.
//!
//! Source: `torch/nn/utils`: `prune.py`, `weight_norm.py`, `spectral_norm.py`, `parametrizations.py`.

use std::collections::HashMap;

use super::entry::{Entry, Stored};

/// How the names of parts end, behind the parameter's own: the original, its mask, the norm of each output; the direction of a
/// weight norm, or the second singular vector of a spectral norm; the first one.
const PARTS: [&str; 5] = ["_orig", "_mask", "_g", "_v", "_u"];

/// The same behind `parametrizations.weight.`, since `PyTorch` 1.9.
const PARAMETRIZED: [(&str, &str); 5] = [
    ("original", "_orig"),
    ("original0", "_g"),
    ("original1", "_v"),
    ("0._u", "_u"),
    ("0._v", "_v"),
];

/// Puts parts together: what is read under the parameter's name is the product. `Err` names a
/// parameter of a layer whose parts are of an unknown kind. What `is_whole` says of a name, it is no part.
pub(super) fn join(entries: &mut [Entry], is_whole: impl Fn(&str) -> bool) -> Result<(), String> {
    let mut parameters: HashMap<String, HashMap<&str, usize>> = HashMap::new();
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
        let (main, stored) = match PARTS.map(|part| parts.get(part).copied()) {
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
fn part(name: &str) -> Option<(String, Option<&'static str>)> {
    if let Some((layer, rest)) = name.split_once(".parametrizations.") {
        let (parameter, rest) = rest.split_once('.')?;
        let part = PARAMETRIZED.iter().find(|(ending, _)| *ending == rest);
        return Some((format!("{layer}.{parameter}"), part.map(|(_, part)| *part)));
    }
    // The low-rank matrices of LoRA, next to its `base_layer`.
    if let Some((layer, _)) = name.split_once(".lora_") {
        return Some((format!("{layer}.weight"), None));
    }
    PARTS.into_iter().find_map(|part| {
        let parameter = name.strip_suffix(part)?;
        let is_parameter = [".weight", ".bias"]
            .iter()
            .any(|own| parameter.ends_with(own));
        is_parameter.then(|| (parameter.to_owned(), Some(part)))
    })
}
