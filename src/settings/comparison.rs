//! What is compared from step to step.

use std::fmt::{self, Display};
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};
use serde::Serialize;

use super::choices::AgainstChoice;
use super::error::SettingsError;
use super::paths::{absolute, make_absolute, path_parser};
use super::text::as_text;

/// What is compared from step to step.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Comparison of the steps")]
pub(crate) struct ComparisonSettings {
    /// Also show the change of maps and kernels: this step minus that of --against
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) change: bool,
    /// What --change shows the difference from: first, previous, or a weights file
    #[arg(long, value_name = "first|previous|FILE", default_value = "first")]
    #[serde(serialize_with = "as_text")]
    pub(crate) against: AgainstChoice,
    /// Unlabeled images over which the similarity of representations (CKA and others) is measured: files, folders
    /// or glob patterns, at least 16; 256 are recommended
    #[arg(long, value_name = "IMAGE", num_args = 1.., value_parser = path_parser())]
    pub(crate) compare_images: Vec<PathBuf>,
    /// What an image is compared by: the layer's maps flattened, or the mean of each map (mean-pooled)
    #[arg(
        long,
        value_enum,
        value_name = "flattened|mean-pooled",
        default_value = "flattened",
        hide_possible_values = true
    )]
    pub(crate) compare_features: Features,
    /// Do not compare the steps: only pictures, without what changed
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) no_comparison: bool,
}

/// What an image is compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Features {
    /// All values of a layer's maps.
    Flattened,
    /// The mean of each map.
    MeanPooled,
}

impl Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flattened => "flattened",
            Self::MeanPooled => "mean-pooled",
        })
    }
}

impl ComparisonSettings {
    /// What must hold between settings.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let excluded = |flag, why| Err(SettingsError::Excluded { flag, why });
        if self.against != AgainstChoice::First && !self.change {
            return excluded("--against", "it says what --change shows: add --change");
        }
        if self.no_comparison && !self.compare_images.is_empty() {
            let why = "--no-comparison compares nothing: leave one of the two out";
            return excluded("--compare-images", why);
        }
        Ok(())
    }

    /// Makes what was typed independent of the place.
    pub(super) fn resolve(&mut self) {
        make_absolute(&mut self.compare_images);
        if let AgainstChoice::File(path) = &mut self.against {
            *path = absolute(path);
        }
    }
}
