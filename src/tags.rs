//! The groups of tags that a run writes: what stands before the first `/`, or the whole tag.
//!
//! An image's name is a group as well (`NAME/05_conv2_1`), so [`GROUPS`] are names that no image gets.

macro_rules! groups {
    ($($name:ident = $text:literal,)*) => {
        $(pub(crate) const $name: &str = $text;)*
        /// All of them.
        pub(crate) const GROUPS: &[&str] = &[$($name),*];
    };
}

groups! {
    CHANGE = "change",
    CHECKPOINT = "checkpoint",
    COMPARE = "compare",
    CONFIG = "config",
    EVOLUTION = "evolution",
    FEATURE_MAPS = "feature_maps",
    GRADIENTS = "gradients",
    HEALTH = "health",
    IMAGE = "image",
    INPUT = "input",
    KERNELS = "kernels",
    MISCLASSIFIED = "misclassified",
    RANGE = "range",
    SIMILARITY = "similarity",
    SUMMARY = "summary",
    TIMINGS = "timings",
    TRAIN = "train",
    VAL = "val",
    WEIGHT_CHANGE = "weight_change",
    WEIGHTS = "weights",
}
