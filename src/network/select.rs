//! Layer selection by name, index or pattern.

use glob::{MatchOptions, Pattern};
use thiserror::Error;

use super::{Architecture, Layer, LayerKind};

#[derive(Debug, Error)]
pub(crate) enum SelectError {
    /// That no layer is called so, and what was meant or is there.
    #[error("{0}")]
    Unknown(String),
    /// A layer that the weights do not reach.
    #[error("layers {list:?}: the weights go up to {last} only")]
    TooDeep { list: String, last: String },
    #[error("the list {0:?} leaves no layer")]
    Empty(String),
}

/// The list that leaves the choice to the network.
const AUTO: &str = "auto";

/// Picks layers from a comma-separated list.
///
/// An item is a layer's name (`conv3_3`), that of its module (`features.14`), an index (`14`), `all`, or
/// a shell pattern of the names (`pool*`, `relu5_?`). An item with `!` in front excludes layers; a list
/// of nothing but those starts from all layers. The order of the items does not matter: layers come
/// in the network's order, each once. Where the weights lack the last layers, patterns mean the others.
pub(crate) fn select(
    architecture: &dyn Architecture,
    list: &str,
) -> Result<Vec<Layer>, SelectError> {
    if list == AUTO {
        return Ok(architecture.default_layers());
    }
    let (held, all) = (architecture.layers(), architecture.all_layers());
    let name = architecture.name();
    select_of(&held, &name, list).map_err(|error| {
        match (select_of(&all, &name, list), held.last()) {
            (Ok(_), Some(deepest)) if held.len() < all.len() => SelectError::TooDeep {
                list: list.to_owned(),
                last: deepest.name().to_owned(),
            },
            _ => error,
        }
    })
}

fn select_of(layers: &[Layer], arch: &str, list: &str) -> Result<Vec<Layer>, SelectError> {
    let items: Vec<&str> = list
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .collect();
    let (excluded, included): (Vec<&str>, Vec<&str>) =
        items.iter().partition(|item| item.starts_with('!'));
    let is_shown = |layer: &Layer| included.is_empty() && layer.kind != LayerKind::View;
    let mut chosen: Vec<bool> = layers.iter().map(is_shown).collect();
    for item in included.iter().chain(&excluded) {
        let (name, wanted) = item
            .strip_prefix('!')
            .map_or((*item, true), |name| (name.trim_start(), false));
        let fits = matcher(name);
        let mut any = false;
        for (layer, chosen) in layers.iter().zip(&mut chosen) {
            if fits(layer) {
                *chosen = wanted;
                any = true;
            }
        }
        if !any {
            return Err(SelectError::Unknown(unknown(layers, arch, name)));
        }
    }
    let picked = layers.iter().zip(chosen);
    let picked = picked.filter_map(|(layer, chosen)| chosen.then_some(layer.clone()));
    let picked: Vec<Layer> = picked.collect();
    if items.is_empty() || picked.is_empty() {
        return Err(SelectError::Empty(list.to_owned()));
    }
    Ok(picked)
}

fn matcher(name: &str) -> impl Fn(&Layer) -> bool {
    let index: Option<usize> = name.parse().ok();
    let pattern = Pattern::new(name).ok();
    let all = name.eq_ignore_ascii_case("all");
    let options = MatchOptions {
        case_sensitive: false,
        ..MatchOptions::default()
    };
    move |layer| {
        all && layer.kind != LayerKind::View
            || index == Some(layer.index)
            || pattern.as_ref().is_some_and(|pattern| {
                let names = [layer.name(), layer.torch_name()];
                names.iter().any(|name| pattern.matches_with(name, options))
            })
    }
}

fn extent(layers: &[Layer]) -> String {
    let ends = [layers.first(), layers.last()];
    let [first, last] = ends.map(|end| end.map_or("", Layer::torch_name));
    format!("{first} to {last}")
}

/// Why no layer is called `item`, and what was probably meant.
fn unknown(layers: &[Layer], arch: &str, item: &str) -> String {
    let lower = paper_name(item);
    let beyond = |there: &str| format!("no layer {item:?}: {arch} has {there}");
    let index = lower.strip_prefix("features.").unwrap_or(&lower);
    if index.parse::<usize>().is_ok() {
        return beyond(&extent(layers));
    }
    let mut heads = CLASSIFIER.split(' ');
    if heads.any(|head| lower.starts_with(head)) {
        return format!(
            "{item:?} is of the classifier, whose layers are not shown: {arch} has {}",
            extent(layers)
        );
    }
    let patterns = ["_*", "*"].map(|end| format!("{lower}{end}"));
    let is_several = |pattern: &String| {
        let fits = matcher(pattern);
        !lower.is_empty() && layers.iter().filter(|layer| fits(layer)).count() > 1
    };
    // A block, or a kind of layers, without a sign that stands for the rest of the name.
    if let Some(pattern) = patterns.into_iter().find(is_several) {
        return format!("no layer {item:?} in {arch}: did you mean '{pattern}'?");
    }
    let meant = nearest(layers, &lower);
    match others_of_kind(layers, &lower) {
        // Keras's name of it, or only the sign between its numbers is missing: `conv33`.
        Some(there) if meant.replace('_', "") != lower.replace('_', "") => beyond(&there),
        _ => format!("no layer {item:?} in {arch}: did you mean {meant}?"),
    }
}

/// Which layers there are of the block that a name has too high a number in, or of its kind: `conv1_1 to conv5_3`.
fn others_of_kind(layers: &[Layer], wrong: &str) -> Option<String> {
    let kind = wrong.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_');
    let numbered = |before: &str| {
        let is_one = |name: &&str| {
            let number = name.strip_prefix(before);
            number.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let mut names = layers.iter().map(Layer::name).filter(is_one);
        let first = names.next()?;
        Some(match names.next_back() {
            Some(last) => format!("{first} to {last}"),
            None => format!("only {first} of {before}*"),
        })
    };
    let is_numbered = !kind.is_empty() && kind != wrong;
    let block = wrong.rfind('_').map(|end| &wrong[..=end]);
    let found = block.and_then(numbered).or_else(|| numbered(kind));
    found.filter(|_| is_numbered)
}

/// How the names of what stands behind the feature maps begin, in torchvision, Caffe, Keras and timm.
const CLASSIFIER: &str =
    "fc classifier linear dense head last_linear pre_logits avgpool flatten softmax predictions";

/// The name in lower case, Keras's `block3_conv2` as the paper's `conv3_2`.
fn paper_name(item: &str) -> String {
    let lower = item.to_ascii_lowercase();
    let keras = lower.strip_prefix("block").map(|rest| {
        let (block, layer) = rest.split_once('_').unwrap_or((rest, "conv"));
        match layer.strip_prefix("conv") {
            Some("") => format!("conv{block}"),
            Some(number) => format!("conv{block}_{number}"),
            None => format!("{layer}{block}"),
        }
    });
    keras.unwrap_or(lower)
}

/// The name of the layer that `wrong`, in lower case, was probably meant to be.
fn nearest(layers: &[Layer], wrong: &str) -> String {
    let near = |a: &&str, b: &&str| {
        let edits = |name: &str| strsim::osa_distance(name, wrong);
        let similarity = |name: &str| strsim::jaro_winkler(name, wrong);
        // Fewest edits; among equals, the most similar beginning.
        (edits(a).cmp(&edits(b))).then(similarity(b).total_cmp(&similarity(a)))
    };
    let own = layers
        .iter()
        .flat_map(|layer| [layer.name(), layer.torch_name()]);
    // Modules that hold layers have names too: `layer1` of `layer1.0.conv1`.
    let around = own.clone().flat_map(|name| {
        let ends = name.match_indices('.');
        ends.map(|(end, _)| &name[..end])
    });
    match own.clone().chain(around).min_by(near) {
        Some(layer) if own.clone().any(|own| own == layer) => layer.to_owned(),
        Some(module) => format!("'{module}.*'"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::vgg::{Arch, Variant};

    fn picked(list: &str) -> Vec<usize> {
        select(&Variant::published(Arch::VGG16), list)
            .unwrap()
            .iter()
            .map(|layer| layer.index)
            .collect()
    }

    fn error(list: &str) -> String {
        select(&Variant::published(Arch::VGG16), list)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_three_names_of_a_layer_pick_the_same_one() {
        for name in ["conv3_3", "features.14", "14", "Conv3_3", " conv3_3 "] {
            assert_eq!(picked(name), [14], "{name}");
        }
    }

    #[test]
    fn patterns_pick_kinds_and_blocks() {
        assert_eq!(picked("pool*"), [4, 9, 16, 23, 30]);
        assert_eq!(picked("relu5_?"), [25, 27, 29]);
        assert_eq!(picked("all").len(), 31);
        assert_eq!(picked("features.*").len(), 31);
    }

    #[test]
    fn layers_come_once_and_in_the_networks_order() {
        assert_eq!(picked("pool5,conv1_1,0,conv1_1"), [0, 30]);
    }

    #[test]
    fn an_exclamation_mark_excludes_wherever_it_stands() {
        assert_eq!(picked("!relu*,conv1_*,relu1_1"), [0, 2]);
        assert_eq!(picked("!relu*,!conv*"), [4, 9, 16, 23, 30]);
    }

    #[test]
    fn a_wrong_name_proposes_the_nearest() {
        assert!(error("covn1_1").contains("did you mean conv1_1"));
        assert!(error("features.31").contains("features.3"));
        assert!(error("!rleu*").contains("did you mean relu"));
        assert!(error("[").contains("no layer"));
    }

    #[test]
    fn blocks_classifiers_and_indices_are_told_apart() {
        for (item, said) in [
            ("conv1", "did you mean 'conv1_*'?"),
            ("RELU5", "did you mean 'relu5_*'?"),
            ("pool", "did you mean 'pool*'?"),
            ("block3", "did you mean 'conv3_*'?"),
            ("block2_conv1", "did you mean conv2_1?"),
            ("block4_pool", "did you mean pool4?"),
            ("features.99", "vgg16 has features.0 to features.30"),
            ("31", "vgg16 has features.0 to features.30"),
            ("!99", "vgg16 has features.0 to features.30"),
            ("features.31", "vgg16 has features.0 to features.30"),
            ("conv6_1", "vgg16 has conv1_1 to conv5_3"),
            ("conv6", "vgg16 has conv1_1 to conv5_3"),
            ("conv0_1", "vgg16 has conv1_1 to conv5_3"),
            ("block6_conv1", "vgg16 has conv1_1 to conv5_3"),
            ("conv3_4", "vgg16 has conv3_1 to conv3_3"),
            ("conv3_9", "vgg16 has conv3_1 to conv3_3"),
            ("block3_conv9", "vgg16 has conv3_1 to conv3_3"),
            ("relu6_1", "vgg16 has relu1_1 to relu5_3"),
            ("pool6", "vgg16 has pool1 to pool5"),
            ("pool5_1", "vgg16 has pool1 to pool5"),
            ("conv53", "did you mean conv5_3?"),
            ("cov3_1", "did you mean conv3_1?"),
            ("bn1_1", "did you mean conv1_1?"),
        ] {
            assert!(error(item).ends_with(said), "{}", error(item));
        }
        let vgg11 = select(&Variant::published("vgg11".parse().unwrap()), "conv1_2").unwrap_err();
        let text = "no layer \"conv1_2\": vgg11 has only conv1_1 of conv1_*";
        assert_eq!(vgg11.to_string(), text);
        for item in [
            "fc1",
            "fc6",
            "FC8",
            "classifier.0",
            "classifier",
            "linear0",
            "dense_1",
            "head.fc",
            "avgpool",
        ] {
            let text = error(item);
            assert!(
                text.contains("layers are not shown: vgg16 has features.0 to"),
                "{text}"
            );
        }
    }

    #[test]
    fn nothing_left_is_an_error() {
        assert!(error("conv1_1,!all").contains("leaves no layer"));
        assert!(error("").contains("leaves no layer"));
    }
}
