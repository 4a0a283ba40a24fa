//! The scalars that a run writes: when, and what each says.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scalars {
    /// Those that a person looks at.
    Few,
    /// All that are measured.
    #[default]
    All,
    /// One a layer, where every step shows another image.
    #[value(skip)]
    One,
}

impl fmt::Display for Scalars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Few => "few",
            Self::All => "all",
            Self::One => "one",
        })
    }
}

impl Scalars {
    pub(crate) fn include(self, tag: &str, value: f32) -> bool {
        let Some((of, _)) = scalar(tag) else {
            return true;
        };
        match (self, of.written) {
            (_, Written::Where) => value > 0.0,
            (Self::All, _) => true,
            // Kernels have no activations, and their change says more.
            (Self::Few | Self::One, _) if tag.starts_with("range/kernels/") => false,
            (Self::Few, written) => written != Written::OnRequest,
            (Self::One, _) => of.group != "range" || of.name == "max",
        }
    }

    /// Whether a histogram is written: of biases and running statistics, on request.
    pub(crate) fn include_histogram(self, tag: &str) -> bool {
        self == Self::All || tag.ends_with(".weight")
    }
}

/// When a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Always,
    /// At steps where it is above 0.
    Where,
    /// With `--scalars all`.
    OnRequest,
}

/// A scalar `GROUP/…/NAME`.
struct ScalarTag {
    group: &'static str,
    /// All of the name, or with a `_` at its end what it begins with.
    name: &'static str,
    written: Written,
    says: &'static str,
}

fn scalar(tag: &str) -> Option<(&'static ScalarTag, &str)> {
    let (group, rest) = tag.split_once('/')?;
    let name = rest.rsplit('/').next()?;
    let is_of = |of: &str| of == name || of.ends_with('_') && name.starts_with(of);
    let mut of_group = SCALARS.iter().filter(|of| of.group == group);
    Some((of_group.find(|of| is_of(of.name))?, name))
}

/// What TensorBoard says beside a scalar.
pub(crate) fn description(tag: &str) -> String {
    let Some((of, name)) = scalar(tag) else {
        return String::new();
    };
    let (name, end) = match name.strip_suffix("_low") {
        Some(name) => (
            name,
            "The lower end of its 95% interval, over draws of the images. ",
        ),
        None => match name.strip_suffix("_high") {
            Some(name) => (
                name,
                "The upper end of its 95% interval, over draws of the images. ",
            ),
            None => (name, ""),
        },
    };
    let other = match name.split_once("_to_") {
        Some((_, "first")) => " Compared with the first step.",
        Some((_, "last")) => " Compared with the last step.",
        Some((_, "previous")) => " Compared with the step before.",
        Some((_, "reference")) => " Compared with the file of --change.",
        _ => "",
    };
    format!("{end}{}{other}", of.says)
}

const fn row(
    group: &'static str,
    name: &'static str,
    written: Written,
    says: &'static str,
) -> ScalarTag {
    ScalarTag {
        group,
        name,
        written,
        says,
    }
}

use Written::{Always, OnRequest, Where};

const COSINE: &str =
    "The cosine of the layer's feature maps at two steps: 1 where they differ in scale only.";
const DISTANCE: &str = "The norm of the difference of the layer's feature maps at two steps, relative to the earlier ones'.";
const CKA: &str = "Debiased linear CKA of the layer in two networks, over the comparison images, in one batch where all their maps fit 1 GB, else the mean over minibatches: 1 where both tell the images apart in the same way, near 0 where they have nothing in common.";
const PROCRUSTES: &str = "Procrustes similarity of the layer in two networks, over the comparison images: 1 where one is the other, turned and scaled.";
const NEIGHBORS: &str = "The fraction of each comparison image's nearest neighbors that the layer has in common in two networks.";

// A table.
#[rustfmt::skip]
const SCALARS: &[ScalarTag] = &[
    row("range", "min", Always, "The layer's smallest value."),
    row("range", "max", Always, "The layer's largest value."),
    row("range", "mean", OnRequest, "The mean of the layer's values."),
    row("range", "std", OnRequest, "The standard deviation of the layer's values."),
    row("range", "zeros", OnRequest, "The fraction of the layer's values that are 0."),
    row("range", "nan", Where, "How many of the layer's values are NaN, at the steps where any is."),
    row("range", "infinite", Where, "How many of the layer's values are infinite, at the steps where any is."),
    row("range", "clipped", OnRequest, "The fraction of the layer's values outside the range of its pictures."),
    row("similarity", "cosine_to_first", Always, COSINE),
    row("similarity", "cosine_to_", OnRequest, COSINE),
    row("similarity", "distance_to_", OnRequest, DISTANCE),
    row("similarity", "cka_to_previous", OnRequest, CKA),
    row("similarity", "cka_to_", Always, CKA),
    row("similarity", "procrustes_to_", OnRequest, PROCRUSTES),
    row("similarity", "neighbors_to_", OnRequest, NEIGHBORS),
    row("intervals", "cka_to_first_", Always, CKA),
    row("intervals", "cka_to_", OnRequest, CKA),
    row("intervals", "procrustes_to_", OnRequest, PROCRUSTES),
    row("intervals", "neighbors_to_", OnRequest, NEIGHBORS),
    row("intervals", "cka_", Always, CKA),
    row("intervals", "procrustes_", Always, PROCRUSTES),
    row("intervals", "neighbors_", Always, NEIGHBORS),
    row("compare", "cka", Always, CKA),
    row("compare", "procrustes", Always, PROCRUSTES),
    row("compare", "neighbors", Always, NEIGHBORS),
    row("weight_change", "to_previous", Always, "The norm of the change of the layer's weights from the step before, relative to theirs there."),
    row("weight_change", "to_first", OnRequest, "The norm of the change of the layer's weights from the first step, relative to theirs there."),
    row("weight_change", "update_ratio", Always, "The norm of one optimization step's change of the layer's weights, relative to theirs: near 1e-3 as a rule of thumb."),
    row("health", "dead", Always, "The fraction of the layer's channels that are never above 0 after ReLU, over at least 64 probe and comparison images."),
    row("health", "inactive", Always, "The fraction of the layer's channels that are never above 0 after ReLU, over the probe and comparison images: fewer than the 64 that it takes to call them dead."),
    row("health", "dormant", OnRequest, "The fraction of the layer's channels whose mean activation is at most 2.5% of the layer's."),
    row("health", "on_rate", OnRequest, "The fraction of the layer's values that are above 0 after ReLU."),
    row("health", "nearly_equal_kernels", OnRequest, "How many pairs of the layer's kernels have a cosine above 0.99."),
    row("train", "loss", Always, "The mean cross-entropy of the step's training images."),
    row("train", "accuracy", Always, "The fraction of the step's training images whose class was right."),
    row("train", "top5", Always, "The fraction of the step's training images whose class was among the five most likely."),
    row("train", "learning_rate", Always, "The learning rate of the step."),
    row("train", "gradient_norm", Always, "The norm of the gradient over all parameters, before it is clipped."),
    row("train", "gradient_signal", Always, "The squared norm of the true gradient, estimated without bias; may be averaged over steps."),
    row("train", "gradient_variance", Always, "The variance of the gradient of one image, estimated without bias; may be averaged over steps."),
    row("train", "gradient_noise_scale", Always, "The batch size above which a larger one gains little (McCandlish and others, 2018)."),
    row("train", "images_per_second", Always, "Training images a second, reading them included."),
    row("val", "loss", Always, "The mean cross-entropy of the validation images."),
    row("val", "accuracy", Always, "The fraction of the validation images whose class was right."),
    row("val", "top5", Always, "The fraction of the validation images whose class was among the five most likely."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_told_apart_by_group_and_name() {
        let few = |tag| Scalars::Few.include(tag, 0.0);
        assert!(few("similarity/05_conv2_1/cka_to_last"));
        assert!(!few("similarity/05_conv2_1/cka_to_previous"));
        assert!(few("intervals/05_conv2_1/cka_to_first_low"));
        assert!(!few("intervals/05_conv2_1/cka_to_last_low"));
        assert!(few("intervals/05_conv2_1/cka_low") && few("anything/else"));
        assert!(few("range/05_conv2_1/max") && !few("range/kernels/00_conv1_1/max"));
        assert!(Scalars::Few.include_histogram("weights/00_conv1_1.weight"));
        assert!(!Scalars::Few.include_histogram("weights/00_conv1_1.bias"));
        assert!(Scalars::All.include_histogram("weights/00_conv1_1.bias"));
        assert!(!few("range/05_conv2_1/nan") && !Scalars::All.include("range/a/nan", 0.0));
        assert!(Scalars::Few.include("range/05_conv2_1/nan", 3.0));
        assert!(
            Scalars::One.include("range/a/max", 0.0)
                && !Scalars::One.include("range/a/min", 0.0)
                && !Scalars::One.include("range/kernels/a/max", 0.0)
        );
    }

    #[test]
    fn a_description_says_what_a_scalar_is_compared_with() {
        let low = description("intervals/05_conv2_1/cka_to_first_low");
        assert!(
            low.starts_with("The lower end of its 95% interval"),
            "{low}"
        );
        assert!(low.ends_with("Compared with the first step."), "{low}");
        assert_eq!(description("mine/loss"), "");
    }
}
