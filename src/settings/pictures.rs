//! How feature maps become grids, and how steps are compared.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::choices::{ChangeChoice, CompareBy, MapsChoice, RangeChoice};
use super::error::{SettingsError, exclude};
use super::paths::{absolute, make_absolute};
use super::text::as_text;
use super::values::Size;
use feature_grid::{Colormap, Range, Style};

/// How feature maps become grids.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Pictures")]
pub(crate) struct PictureSettings {
    /// What black and white stand for: map or channel (each map's own minimum and maximum), layer (one range for all
    /// maps of a layer and step), run (one range for a layer at all steps, calibrated before the first),
    /// fixed=LO,HI, or the ranges.toml of another run; in evolution/ each channel has one range at all steps [default: map; of checkpoints: run]
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub(crate) range: Option<RangeChoice>,
    /// Which maps of a layer to show: all, N (the first ones), top:N (those of the largest variance), changed:N
    /// (those that change most over the run), channels such as 3,17,42, or the folder of a run that shows the same
    /// ones; the same at every step
    #[arg(long, value_name = "MAPS", default_value = "all")]
    pub(crate) maps: MapsChoice,
    /// Enlarge maps smaller than this by a whole factor
    #[arg(long, value_name = "PX|off", default_value = "off")]
    pub(crate) min_tile: Size,
    /// Colors: gray, viridis, magma or diverging
    #[arg(long, value_name = "NAME", default_value = "gray")]
    #[serde(serialize_with = "as_text")]
    pub(crate) colormap: Colormap,
    /// Leave out the grid of first-layer kernels
    #[arg(long)]
    pub(crate) no_kernels: bool,
    /// Leave out the pictures of principal components
    // Help is long enough; docs/files.md has it.
    #[arg(long, hide = true)]
    pub(crate) no_pca: bool,
}

impl PictureSettings {
    /// How feature maps are rendered, but for what is calibrated.
    pub(crate) fn style(&self) -> Style {
        Style {
            range: match self.range {
                Some(RangeChoice::By(range)) => range,
                _ => Range::default(),
            },
            max_maps: match self.maps {
                MapsChoice::First(count) => Some(count),
                _ => None,
            },
            min_tile: self.min_tile.0.map(NonZeroU32::get),
            colormap: self.colormap,
        }
    }

    /// Refuses what needs several networks over the same images.
    pub(super) fn check_single_network(&self) -> Result<(), SettingsError> {
        exclude(
            self.range == Some(RangeChoice::Run),
            "--range run",
            "every step shows another image: use --range layer, or the ranges.toml of another run",
        )?;
        exclude(
            matches!(self.maps, MapsChoice::Top(_) | MapsChoice::Changed(_)),
            "--maps",
            "channels are chosen in runs of checkpoints and train: use --maps with the folder of one, a number or a \
             list such as 3,17,42",
        )
    }

    /// The file and the folder of other runs that are shown alike.
    pub(super) fn reads(&self) -> impl Iterator<Item = &Path> {
        let range = match &self.range {
            Some(RangeChoice::File(path)) => Some(&**path),
            _ => None,
        };
        let maps = match &self.maps {
            MapsChoice::Of(path) => Some(&**path),
            _ => None,
        };
        range.into_iter().chain(maps)
    }

    pub(super) fn resolve(&mut self) {
        if let Some(RangeChoice::File(path)) = &mut self.range {
            *path = absolute(path);
        }
        if let MapsChoice::Of(path) = &mut self.maps {
            *path = absolute(path);
        }
    }
}

/// What is compared from step to step.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Comparison of the steps")]
pub(crate) struct ComparisonSettings {
    /// Also show the change of maps: this step minus the first, the previous, or a weights file
    /// [default: off; without a value: first]
    #[arg(
        long,
        value_name = "first|FILE",
        num_args = 0..=1,
        require_equals = true,
        default_value = "off",
        default_missing_value = "first",
        hide_default_value = true
    )]
    pub(crate) change: ChangeChoice,
    /// Images to compare the steps over (CKA and others), unlabeled: files, folders or glob patterns, at least 16; 256
    /// are recommended
    #[arg(long, value_name = "IMAGE", num_args = 1..)]
    pub(crate) compare_images: Vec<PathBuf>,
    /// How the steps are compared: by each layer's maps flattened, by the mean of each map (mean-pooled), or off
    #[arg(
        long,
        value_name = "flattened|mean-pooled|off",
        default_value = "flattened"
    )]
    pub(crate) compare: CompareBy,
}

impl ComparisonSettings {
    pub(crate) fn is_on(&self) -> bool {
        self.compare != CompareBy::Off
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        exclude(
            !self.is_on() && !self.compare_images.is_empty(),
            "--compare-images",
            "--compare off compares nothing: leave one of the two out",
        )
    }

    /// How a number of the summary would be had that these settings do not measure.
    pub(super) fn lacks(&self, name: &str) -> Option<&'static str> {
        match name {
            "procrustes" | "neighbors" => Some("`vggscope compare` measures it of two runs"),
            _ if !self.is_on() => Some("leave --compare off out"),
            "cka" if self.compare_images.is_empty() => {
                Some("name 16 images or more with --compare-images")
            }
            _ => None,
        }
    }

    /// The comparison images and the weights that changes are shown against.
    pub(super) fn reads(&self) -> impl Iterator<Item = &Path> {
        let images = self.compare_images.iter().map(PathBuf::as_path);
        images.chain(self.change.file())
    }

    pub(super) fn resolve(&mut self) {
        make_absolute(&mut self.compare_images);
        if let ChangeChoice::File(path) = &mut self.change {
            *path = absolute(path);
        }
    }
}
