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
    let is_last = |at: &usize| head(&entries[*at]).is_some_and(|head| LAST.contains(&head));
    let is_own = |at: &usize| entries[*at].stored != Stored::Part && head(&entries[*at]).is_some();
    let mut at: Vec<usize> = (0..entries.len()).filter(is_own).collect();
    at.sort_by_key(is_last);
    let (weights, others): (Vec<usize>, Vec<usize>) = at
        .into_iter()
        .partition(|&at| entries[at].name().ends_with(".weight") && entries[at].shape().len() > 1);
    if weights.is_empty() {
        return Classifier::None;
    }
    let shapes: Vec<Vec<usize>> = weights.iter().map(|&at| flat(&entries[at])).collect();
    let bias = |&weight: &usize| {
        let bias = format!("{}bias", entries[weight].name().strip_suffix("weight")?);
        let mut others = others.iter().copied();
        others.find(|&at| entries[at].name() == bias)
    };
    let biases: Vec<usize> = weights.iter().filter_map(bias).collect();
    let (Some(three), 3, 3) = (chain(&shapes), biases.len(), others.len()) else {
        return Classifier::Other(shapes);
    };
    for (((weight, bias), name), shape) in weights.into_iter().zip(biases).zip(NAMES).zip(three) {
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

/// The shape of a weight; timm's convolutions over the whole map are linear layers, `[outputs, inputs]`.
fn flat(entry: &Entry) -> Vec<usize> {
    match *entry.shape() {
        [outputs, channels, height, width] if entry.tensor.stride.is_none() => {
            vec![outputs, channels * height * width]
        }
        ref shape => shape.to_vec(),
    }
}

fn chain(shapes: &[Vec<usize>]) -> Option<[[usize; 2]; 3]> {
    let pairs = shapes
        .iter()
        .map(|shape| <[usize; 2]>::try_from(shape.as_slice()));
    let three: Vec<[usize; 2]> = pairs.collect::<Result<_, _>>().ok()?;
    let is_chain = three.is_sorted_by(|[outputs, _], [_, inputs]| outputs == inputs);
    three.try_into().ok().filter(|_| is_chain)
}
