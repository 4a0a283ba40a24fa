//! Figures: rows and columns of colors or small pictures, with their names, at any size.
//!
//! TensorBoard shows a picture at 350 x 210 pixels or so until it is opened: text is as high as can be read there.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "places, parts and colors, all of them small"
)]

mod draw;
mod shapes;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::logger::Step;
use feature_grid::{Colormap, Picture};
use tensorboard_events::Summary;

pub(crate) use plotters::style::text_anchor::HPos;
pub(crate) use shapes::{Line, Place, Shape, picture, scaled};

/// What the tags of the data of figures end with: next to the pictures, and where these differ so do they.
pub(crate) const ENDING: &str = ".figure";

/// What the data of figures are logged under: no plugin of TensorBoard's, so that it shows none.
pub(crate) const PLUGIN: &str = "vggscope";

/// What figures are logged at. Units: pixels.
pub(crate) const SIZE: [u32; 2] = [700, 420];

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) title: String,
    pub(crate) row_axis: String,
    pub(crate) column_axis: String,
    pub(crate) rows: Vec<String>,
    pub(crate) columns: Vec<String>,
    pub(crate) cells: Cells,
    /// Cells with a red frame, counted row by row.
    pub(crate) framed: BTreeSet<usize>,
    /// Text below; long lines are wrapped.
    pub(crate) lines: Vec<String>,
    /// The tag that has those lines too that have no room.
    #[serde(default)]
    pub(crate) all_lines: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Cells {
    Matrix(Matrix),
    Tiles(Tiles),
}

impl Default for Cells {
    fn default() -> Self {
        Self::Matrix(Matrix::default())
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Matrix {
    /// Row by row; NaN is no value.
    #[serde(skip)]
    pub(crate) values: Vec<f32>,
    /// What the values are, and their unit: it stands beside the colors.
    pub(crate) measure: String,
    pub(crate) scale: Scale,
    #[serde(with = "ColormapName")]
    pub(crate) colormap: Colormap,
    pub(crate) has_numbers: bool,
    /// What is written into cells at any rate.
    pub(crate) notes: BTreeMap<usize, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Colormap", rename_all = "lowercase")]
enum ColormapName {
    Gray,
    Viridis,
    Magma,
    Diverging,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tiles {
    #[serde(skip)]
    pub(crate) pictures: Vec<Picture>,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// A bar under each that is as long as this fraction of it, green at 1, red at 0 and below.
    pub(crate) bars: Vec<f32>,
    pub(crate) names: Vec<String>,
}

impl Tiles {
    /// Of pictures of the size of the first, where there is one.
    pub(crate) fn new<'a>(pictures: impl IntoIterator<Item = &'a Picture>) -> Self {
        let in_color = |picture: &Picture| scaled(picture, [picture.width, picture.height]);
        let pictures: Vec<Picture> = pictures.into_iter().map(in_color).collect();
        let size = pictures.first().map(|first| (first.width, first.height));
        let (width, height) = size.unwrap_or_default();
        Self {
            pictures,
            width,
            height,
            ..Self::default()
        }
    }

    fn stack(&self) -> Picture {
        let pixels: Vec<u8> = (self.pictures.iter())
            .flat_map(|picture| picture.pixels.iter().copied())
            .collect();
        Picture::rgb(self.width, self.height * self.pictures.len() as u32, pixels)
    }
}

/// The values of the first and the last color; those beyond have the colors of the ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Scale {
    Linear { low: f32, high: f32 },
    Log { low: f32, high: f32 },
}

impl Default for Scale {
    fn default() -> Self {
        Self::Linear {
            low: 0.0,
            high: 1.0,
        }
    }
}

impl Scale {
    /// Where between the ends a value is, from 0 to 1.
    fn part(self, value: f32) -> f32 {
        let part = match self {
            Self::Linear { low, high } => (value - low) / (high - low),
            Self::Log { low, high } => (value / low).ln() / (high / low).ln(),
        };
        part.clamp(0.0, 1.0)
    }

    /// Values worth naming: few round ones.
    fn ticks(self) -> Vec<f32> {
        match self {
            Self::Linear { low, high } => (0_u8..=5)
                .map(|n| low + (high - low) * (f32::from(n) / 5.0))
                .collect(),
            Self::Log { low, high } => {
                let (first, last) = (low.log10() - 1e-4, high.log10() + 1e-4);
                let powers = first.ceil() as i32..=last.floor() as i32;
                powers.map(|n| 10_f64.powi(n) as f32).collect()
            }
        }
    }

    /// A value with as many digits as can be told apart on the scale.
    fn number(self, value: f32) -> String {
        let finest = match self {
            Self::Linear { low, high } => (high - low) / 200.0,
            Self::Log { .. } => value.abs() / 30.0,
        };
        let digits = (-finest.log10().floor()).clamp(0.0, 9.0) as usize;
        let mut text = format!("{value:.digits$}");
        if digits > 0 {
            let end = text.trim_end_matches('0').trim_end_matches('.').len();
            text.truncate(end);
        }
        if text == "-0" { "0".to_owned() } else { text }
    }
}

impl Matrix {
    /// From the lowest to the highest of its values: numbers tell these apart.
    fn own_scale(&self) -> Scale {
        match (self.scale, bounds(self.values.iter().copied())) {
            // Four digits: rounding of single precision is no finding.
            (Scale::Linear { .. }, Some([low, high])) if low < high => Scale::Linear {
                low: low.min(high - 0.02),
                high,
            },
            (scale, _) => scale,
        }
    }

    fn color(&self, value: f32) -> [u8; 3] {
        self.part_color(self.scale.part(value))
    }

    fn part_color(&self, part: f32) -> [u8; 3] {
        self.colormap.palette()[usize::from((part * 255.0) as u8)]
    }
}

impl Figure {
    pub(crate) fn picture(&self, width: u32, height: u32) -> Picture {
        let (width, height) = (width.max(1), height.max(1));
        picture(&draw::shapes(self, width, height), width, height)
    }

    pub(crate) fn svg(&self, width: u32, height: u32) -> String {
        shapes::svg(&draw::shapes(self, width, height), width, height)
    }

    pub(crate) fn log(
        &self,
        step: &mut Step<'_>,
        tag: impl Into<String>,
        heading: impl Into<String>,
    ) {
        let tag = tag.into();
        step.describe(&*tag, heading);
        let [width, height] = SIZE;
        step.summary(Summary::data(
            format!("{tag}{ENDING}"),
            PLUGIN,
            self.to_data(),
        ));
        step.image(tag, self.picture(width, height));
    }

    /// Its names as JSON, then its values as little-endian `f32`, or its tiles as a PNG, one below the other.
    fn to_data(&self) -> Vec<Vec<u8>> {
        // Names and numbers are always JSON, and a stack of tiles fits a picture.
        let names = serde_json::to_vec(self).unwrap_or_default();
        let values = match &self.cells {
            Cells::Matrix(matrix) => matrix
                .values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            Cells::Tiles(tiles) => tiles.stack().to_png().unwrap_or_default(),
        };
        vec![names, values]
    }

    pub(crate) fn from_data(data: &[Vec<u8>]) -> Option<Self> {
        let [names, values] = data else { return None };
        let mut figure: Self = serde_json::from_slice(names).ok()?;
        match &mut figure.cells {
            Cells::Matrix(matrix) => {
                let (numbers, rest) = values.as_chunks();
                matrix.values = numbers.iter().copied().map(f32::from_le_bytes).collect();
                rest.is_empty().then_some(())?;
            }
            Cells::Tiles(tiles) => {
                let stack = image::load_from_memory(values).ok()?.into_rgb8();
                let tile = |pixels: &[u8]| Picture::rgb(tiles.width, tiles.height, pixels.to_vec());
                let size = 3 * tiles.width as usize * tiles.height as usize;
                tiles.pictures = stack.chunks_exact(size.max(1)).map(tile).collect();
            }
        }
        Some(figure)
    }
}

/// The lowest and the highest of the values that are finite.
pub(crate) fn bounds(values: impl Iterator<Item = f32>) -> Option<[f32; 2]> {
    let finite = values.filter(|value| value.is_finite());
    let ends = finite.map(|value| [value; 2]);
    ends.reduce(|[low, high], [value, _]| [low.min(value), high.max(value)])
}

/// At most `most` of the numbers below `count`, evenly taken, the first and the last among them.
pub(crate) fn evenly(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    if most < 2 {
        return (0..most).collect();
    }
    // Rounded to the nearest.
    let place = |n: usize| (2 * n * (count - 1) + most - 1) / (2 * (most - 1));
    (0..most).map(place).collect()
}

#[cfg(test)]
mod tests;
