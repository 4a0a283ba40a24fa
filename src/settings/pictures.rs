//! How feature maps become grids.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use serde::Serialize;

use super::choices::{MapsChoice, RangeChoice};
use super::error::SettingsError;
use super::paths::{absolute, path_parser};
use super::text::{as_optional_text, as_text};
use super::values::{Count, Size};
use feature_grid::{Colormap, Range, Style};

/// How feature maps become grids.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Pictures")]
pub(crate) struct PictureSettings {
    /// What black and white stand for: map (each map's own minimum and maximum), layer (one range for all
    /// maps of a layer and step), run (one range for a layer at all steps, calibrated before the first) or
    /// fixed=LO,HI [default: map; of checkpoints: run]
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    #[serde(
        serialize_with = "as_optional_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) range: Option<RangeChoice>,
    /// The ranges of another run: its ranges.toml
    #[arg(long, value_name = "FILE", value_parser = path_parser())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ranges: Option<PathBuf>,
    /// Which maps of a layer to show: all, first:N, top:N (those of the largest variance), changed:N (those that
    /// change most over the run) or channels such as 3,17,42; the same ones at every step
    #[arg(
        long,
        value_name = "MAPS",
        default_value = "all",
        overrides_with = "max_maps"
    )]
    #[serde(serialize_with = "as_text")]
    maps: MapsChoice,
    /// Short for --maps first:N
    #[arg(long, value_name = "N|all", overrides_with = "maps")]
    #[serde(skip)]
    max_maps: Option<Count>,
    /// Show the channels that another run shows: its folder
    #[arg(long, value_name = "RUN", value_parser = path_parser())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) maps_from: Option<PathBuf>,
    /// Enlarge maps smaller than this by a whole factor
    #[arg(long, value_name = "PX|off", default_value = "off")]
    #[serde(serialize_with = "as_text")]
    pub(crate) min_tile: Size,
    /// gray, viridis, magma or diverging
    #[arg(long, value_name = "NAME", default_value = "gray")]
    #[serde(serialize_with = "as_text")]
    pub(crate) colormap: Colormap,
    /// Leave out the grid of first-layer kernels
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) no_kernels: bool,
}

impl PictureSettings {
    /// How feature maps are rendered, but for what is calibrated.
    pub(crate) fn style(&self) -> Style {
        Style {
            range: match self.range {
                Some(RangeChoice::By(range)) => range,
                Some(RangeChoice::Run) | None => Range::default(),
            },
            max_maps: match self.maps() {
                MapsChoice::First(count) => count.number(),
                _ => None,
            },
            min_tile: self.min_tile.number(),
            colormap: self.colormap,
        }
    }

    /// Refuses what needs several networks over the same images.
    pub(super) fn check_single_network(&self) -> Result<(), SettingsError> {
        let excluded = |flag, why| Err(SettingsError::Excluded { flag, why });
        if self.range == Some(RangeChoice::Run) {
            return excluded(
                "--range run",
                "every step shows another image: use --range layer, or --ranges with the ranges.toml of another run",
            );
        }
        if matches!(self.maps(), MapsChoice::Top(_) | MapsChoice::Changed(_)) {
            return excluded(
                "--maps",
                "channels are chosen in runs of checkpoints and train: use --maps-from with the folder of one, first:N or \
                 a list such as 3,17,42",
            );
        }
        Ok(())
    }

    /// Which maps are shown.
    pub(crate) fn maps(&self) -> MapsChoice {
        match self.max_maps {
            Some(count) => MapsChoice::First(count),
            None => self.maps.clone(),
        }
    }

    /// Makes what was typed independent of the place.
    pub(super) fn resolve(&mut self) {
        self.maps = self.maps();
        self.max_maps = None;
        self.ranges = self.ranges.as_deref().map(absolute);
        self.maps_from = self.maps_from.as_deref().map(absolute);
    }
}
