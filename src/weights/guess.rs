//! What the names in a file suggest: another network, or a misspelled tensor.

/// How other networks, and VGG in other libraries, name their tensors.
const FOREIGN_NAMES: [(&str, &str); 16] = [
    (
        "block1_conv1",
        "Keras' VGG (`block1_conv1`), not torchvision's (`features.0`)",
    ),
    (
        "conv1_1.",
        "Caffe's VGG (`conv1_1`), not torchvision's (`features.0`)",
    ),
    ("layer1.0.conv1.", "a ResNet"),
    ("features.denseblock1.", "a DenseNet"),
    (
        "features.0.0.weight",
        "a MobileNet, EfficientNet or ConvNeXt",
    ),
    ("Mixed_5b.", "an Inception network"),
    ("inception3a.", "GoogLeNet"),
    ("squeeze.weight", "a SqueezeNet"),
    ("fire2.", "a SqueezeNet"),
    ("stages.0.", "a ConvNeXt"),
    ("encoder.layers.encoder_layer_0.", "a vision transformer"),
    ("cls_token", "a vision transformer"),
    ("attn.", "a transformer"),
    ("self_attn", "a transformer"),
    ("conv1.weight", "a network whose first layer is `conv1`"),
    ("down1.", "a U-Net"),
];

const SUGGESTIONS: usize = 3;

/// Edits beyond which a name is not suggested.
const MAX_EDITS: usize = 4;

/// What a file without `features.0.weight` looks like.
pub(super) fn guess<'a>(names: &(impl Iterator<Item = &'a str> + Clone)) -> String {
    let is_in = |name: &str, part: &str| {
        let before = name.find(part).map(|at| name[..at].chars().next_back());
        before.is_some_and(|last| !last.is_some_and(|c| c.is_ascii_alphanumeric()))
    };
    let seen = |part: &str| names.clone().any(|name| is_in(name, part));
    match FOREIGN_NAMES.iter().find(|(part, _)| seen(part)) {
        Some((_, network)) => format!("it looks like {network}"),
        None => "it is another network".to_owned(),
    }
}

/// The names nearest to one that is missing, nearest first.
pub(super) fn nearest<'a>(missing: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut near: Vec<(usize, &str)> = names
        .map(|name| (strsim::damerau_levenshtein(missing, name), name))
        .filter(|(distance, _)| *distance <= MAX_EDITS)
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.truncate(SUGGESTIONS);
    near.into_iter().map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_the_likely_ones() {
        let names = [
            "features.26.weight",
            "features.26.bias",
            "classifier.0.weight",
        ];
        assert_eq!(
            nearest("features.28.weight", names.into_iter()),
            ["features.26.weight"]
        );
    }
}
