//! The fully connected layers, which libraries and years name differently.

use super::entry::{Entry, Stored};

/// What a file has behind its feature maps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Classifier {
    None,
    /// Three linear layers, under torchvision's names: `[outputs, inputs]` of each.
    Three([[usize; 2]; 3]),
    /// Something else: the shapes of its weights.
    Other(Vec<Vec<usize>>),
}

/// How the names begin: torchvision, Caffe (`fc6`), timm (`pre_logits.fc1`, `head.fc`),
/// pretrainedmodels (`linear0`, `last_linear`).
const HEADS: [&str; 6] = [
    "classifier",
    "fc",
    "pre_logits",
    "linear",
    "head",
    "last_linear",
];

/// Those that come last, wherever the file has them.
const LAST: [&str; 2] = ["head", "last_linear"];

/// torchvision's names of the three layers.
const NAMES: [&str; 3] = ["classifier.0", "classifier.3", "classifier.6"];

/// Finds the classifier, and gives its layers torchvision's names where it has torchvision's form:
/// three linear layers with biases, each of which takes what the one before gives.
pub(super) fn find(entries: &mut [Entry]) -> Classifier {
    let mut at: Vec<usize> = (0..entries.len())
        .filter(|&at| entries[at].stored != Stored::Part)
        .filter(|&at| head(&entries[at]).is_some())
        .collect();
    at.sort_by_key(|&at| head(&entries[at]).is_some_and(|head| LAST.contains(&head)));
    let (weights, others): (Vec<usize>, Vec<usize>) = at
        .into_iter()
        .partition(|&at| entries[at].name().ends_with(".weight") && entries[at].shape().len() > 1);
    if weights.is_empty() {
        return Classifier::None;
    }
    let shapes: Vec<Vec<usize>> = weights
        .iter()
        .map(|&at| flat(&entries[at]).map_or(entries[at].shape().to_vec(), Vec::from))
        .collect();
    let (Some(three), true) = (chain(&shapes), others.len() == 3) else {
        return Classifier::Other(shapes);
    };
    let stems: Vec<String> = weights
        .iter()
        .map(|&at| entries[at].name().trim_end_matches("weight").to_owned())
        .collect();
    let biases: Vec<usize> = stems
        .iter()
        .filter_map(|stem| {
            let bias = format!("{stem}bias");
            others
                .iter()
                .copied()
                .find(|&at| entries[at].name() == bias)
        })
        .collect();
    if biases.len() != 3 {
        return Classifier::Other(shapes);
    }
    for (((&weight, &bias), name), shape) in weights.iter().zip(&biases).zip(NAMES).zip(three) {
        entries[weight].tensor.shape = shape.to_vec();
        entries[weight].name = Some(format!("{name}.weight"));
        entries[bias].name = Some(format!("{name}.bias"));
    }
    Classifier::Three(three)
}

/// How the name of an entry of the classifier begins.
fn head(entry: &Entry) -> Option<&str> {
    let first = entry.name.as_deref()?.split('.').next()?;
    let word = first.trim_end_matches(|c: char| c.is_ascii_digit());
    HEADS.contains(&word).then_some(word)
}

/// `[outputs, inputs]`; timm's convolutions over the whole map are linear layers.
fn flat(entry: &Entry) -> Option<[usize; 2]> {
    match *entry.shape() {
        [outputs, inputs] => Some([outputs, inputs]),
        [outputs, channels, height, width] if entry.tensor.stride.is_none() => {
            Some([outputs, channels * height * width])
        }
        _ => None,
    }
}

fn chain(shapes: &[Vec<usize>]) -> Option<[[usize; 2]; 3]> {
    let [a, b, c] = shapes else { return None };
    let pair = |shape: &Vec<usize>| <[usize; 2]>::try_from(shape.as_slice()).ok();
    let (a, b, c) = (pair(a)?, pair(b)?, pair(c)?);
    (a[0] == b[1] && b[0] == c[1]).then_some([a, b, c])
}
