//! How the grids of a layer are drawn.

use std::path::PathBuf;

use super::channels::Channels;
use super::error::LoggerError;
use super::ranges::Ranges;
use crate::device::{draws, is_asynchronous};
use burn::tensor::Device;
use feature_grid::{Colormap, Range, Style};

/// Kernels are 3 pixels wide; enlarged to this they can be seen.
const KERNEL_TILE: u32 = 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RenderOn {
    /// The device where the maps are on an NVIDIA GPU, else the host.
    #[default]
    Auto,
    /// The device that the maps are on, which must be libtorch's.
    Device,
    /// The host, to which the maps are copied.
    Host,
}

impl RenderOn {
    /// Whether maps on this device are rendered there.
    pub(super) fn is_at(self, device: &Device) -> bool {
        match self {
            Self::Auto => is_asynchronous(device),
            Self::Device => draws(device),
            Self::Host => false,
        }
    }
}

#[derive(Default)]
pub(super) struct Options {
    pub(super) style: Style,
    pub(super) ranges: Ranges,
    pub(super) channels: Channels,
    /// Whether the network takes blue first, so that the kernels' channels are reversed.
    pub(super) bgr: bool,
    pub(super) on: RenderOn,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tiles {
    Maps,
    /// What maps have more than earlier ones.
    Changes,
    Kernels,
}

/// Channels that are framed in grids.
#[derive(Debug, Clone)]
pub(crate) struct Framed {
    pub(crate) channels: Vec<usize>,
    /// What is said of them in descriptions.
    pub(crate) what: String,
}

#[derive(Clone)]
pub(super) struct GridStyle {
    pub(super) tiles: Tiles,
    pub(super) style: Style,
    pub(super) chosen: Option<Vec<usize>>,
    pub(super) framed: Option<Framed>,
    /// Whether the range of the layer stands in for that of each map, which is one pixel.
    pub(super) one_pixel: bool,
}

pub(super) struct Job {
    pub(super) slot: usize,
    pub(super) tag: String,
    pub(super) layer: String,
    pub(super) count: usize,
    pub(super) grid: GridStyle,
    pub(super) folder: Option<PathBuf>,
    pub(super) describe: bool,
}

impl GridStyle {
    pub(super) fn file_prefix(&self) -> &'static str {
        match self.tiles {
            Tiles::Maps => "",
            Tiles::Changes => "change_",
            Tiles::Kernels => "kernels_",
        }
    }
}

impl Options {
    pub(super) fn of_maps(
        &self,
        tag: &str,
        layer: &str,
        [_, channels, height, width]: [usize; 4],
    ) -> Result<GridStyle, LoggerError> {
        let chosen = self.channels.get(layer);
        let mut beyond = chosen.unwrap_or_default().iter();
        if let Some(&channel) = beyond.find(|channel| **channel >= channels) {
            return Err(LoggerError::Channel {
                tag: tag.to_owned(),
                channel,
                channels,
            });
        }
        let mut style = self.style(layer);
        style.max_maps = chosen.map(<[usize]>::len).or(style.max_maps);
        // A map of one pixel has no range of its own: all would be black.
        let one_pixel = height * width == 1 && style.range == Range::Map;
        if one_pixel {
            style.range = Range::Layer;
        }
        Ok(GridStyle {
            tiles: Tiles::Maps,
            style,
            chosen: chosen.map(<[usize]>::to_vec),
            framed: None,
            one_pixel,
        })
    }

    pub(super) fn of_kernels(&self, layer: &str) -> GridStyle {
        GridStyle {
            tiles: Tiles::Kernels,
            style: Style {
                max_maps: None,
                min_tile: Some(KERNEL_TILE),
                ..self.style(layer)
            },
            chosen: None,
            framed: None,
            one_pixel: false,
        }
    }

    /// How changes of a layer are drawn; without a range of the run, by step.
    pub(super) fn of_change(&self, layer: &str, grid: &GridStyle) -> GridStyle {
        let run = self.ranges.get(&format!("change/{layer}"));
        GridStyle {
            tiles: Tiles::Changes,
            style: Style {
                range: run.map_or(Range::Layer, |(low, high)| Range::around_zero(low, high)),
                colormap: Colormap::Diverging,
                ..grid.style
            },
            ..grid.clone()
        }
    }

    fn style(&self, layer: &str) -> Style {
        let style = self.style;
        let Some((low, high)) = self.ranges.get(layer) else {
            return style;
        };
        let range = match style.colormap {
            Colormap::Diverging => Range::around_zero(low, high),
            _ => Range::Fixed(low, high),
        };
        Style { range, ..style }
    }
}
