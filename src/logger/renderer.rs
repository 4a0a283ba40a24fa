//! From tensors and pictures to summaries and PNG files: the work of the rendering threads.

mod drawn;
mod host;
mod kernels;

use std::path::{Path, PathBuf};

use burn::tensor::Tensor;

use super::channels::Channels;
use super::describe::Describer;
use super::error::LoggerError;
use super::measure::{Measure, MeasureKey};
use super::ranges::Ranges;
use super::timings::{Stage, StageTimings};
use crate::analysis::figure::{frame_tiles, number_tiles};
use crate::device::{Accelerator, accelerator};
use feature_grid::png::{self, Threads};
use feature_grid::{Colormap, Picture, Range, RenderError, Rendered, Style};
use tensorboard_events::Summary;

/// Where maps become grids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RenderOn {
    /// The device where the maps are on an NVIDIA GPU, else the host.
    #[default]
    Auto,
    /// The device that the maps are on, which must be libtorch's.
    Device,
    /// The host, to which the maps are copied.
    Host,
}

/// Values of a step that are ready to be written.
pub(super) struct Piece {
    /// Its place among the step's values.
    pub(super) slot: usize,
    pub(super) summaries: Vec<Summary>,
    /// Values that were NaN or infinite.
    pub(super) non_finite: usize,
    /// What is put together with the step's other pieces.
    pub(super) measures: Vec<(MeasureKey, Measure)>,
    /// Whether the range of the layer stands in for that of each map, which is one pixel.
    pub(super) one_pixel: bool,
    pub(super) timings: StageTimings,
}

impl Piece {
    /// A value that has no picture's numbers.
    pub(super) fn plain(slot: usize, summary: Summary, timings: StageTimings) -> Self {
        Self {
            slot,
            summaries: vec![summary],
            non_finite: 0,
            measures: Vec::new(),
            one_pixel: false,
            timings,
        }
    }
}

/// An image to be made.
pub(super) struct Job {
    pub(super) slot: usize,
    pub(super) tag: String,
    /// The folder for PNG files of this step, if any are written.
    pub(super) folder: Option<PathBuf>,
    /// Whether this is the tag's first value, which carries the description.
    pub(super) describe: bool,
    /// What its values are compared with.
    pub(super) earlier: Earlier,
    /// Channels that are marked as dead.
    pub(super) dead: Vec<usize>,
}

/// The values of earlier steps under the same tag.
#[derive(Default)]
pub(super) struct Earlier {
    /// Those that similarity is measured to, by name.
    pub(super) measured: Vec<(&'static str, Tensor<4>)>,
    /// Those that a picture shows the change from.
    pub(super) pictured: Option<Pictured>,
}

/// A picture of a change to be made.
pub(super) struct Pictured {
    pub(super) tag: String,
    pub(super) describe: bool,
    pub(super) from: Tensor<4>,
}

/// How images are made; the same for the whole run.
pub(super) struct Renderer {
    pub(super) maps: Style,
    pub(super) kernels: Style,
    pub(super) ranges: Ranges,
    pub(super) channels: Channels,
    /// Whether the network takes blue first, so that the kernels' channels are reversed.
    pub(super) bgr: bool,
    pub(super) describer: Describer,
    pub(super) on: RenderOn,
}

/// How a layer is shown.
pub(super) struct Look<'a> {
    /// The channels that were chosen.
    chosen: Option<&'a [usize]>,
    style: Style,
    /// Whether the range of the layer stands in for that of each map, which is one pixel.
    one_pixel: bool,
}

/// The grids of a layer, and what was measured of it.
struct Made {
    rendered: Rendered,
    /// The grid of the change, where one is asked for.
    change: Option<(Rendered, Style)>,
    measures: Vec<(MeasureKey, Measure)>,
    /// Which threads encode the grids.
    threads: Threads,
}

impl Renderer {
    /// How the maps of a layer, `[1, channels, height, width]`, are shown.
    pub(super) fn look(
        &self,
        tag: &str,
        layer: &str,
        [_, channels, height, width]: [usize; 4],
    ) -> Result<Look<'_>, LoggerError> {
        let chosen = self.chosen(tag, layer, channels)?;
        let mut style = self.style(layer, self.maps);
        style.max_maps = chosen.map(<[usize]>::len).or(style.max_maps);
        // A map of one pixel has no range of its own: all would be black.
        let one_pixel = height * width == 1 && style.range == Range::Map;
        if one_pixel {
            style.range = Range::Layer;
        }
        Ok(Look {
            chosen,
            style,
            one_pixel,
        })
    }

    /// The device that maps are on, if it draws them.
    pub(super) fn on_device(
        &self,
        tag: &str,
        maps: &Tensor<4>,
    ) -> Result<Option<Box<dyn Accelerator>>, LoggerError> {
        match (self.on, accelerator(&maps.device())) {
            (RenderOn::Host, _) | (RenderOn::Auto, None) => Ok(None),
            (RenderOn::Auto, Some(device)) => Ok(device.is_apart().then_some(device)),
            (RenderOn::Device, Some(device)) => Ok(Some(device)),
            (RenderOn::Device, None) => Err(LoggerError::NoDeviceRenderer {
                tag: tag.to_owned(),
            }),
        }
    }

    /// Encodes what was made of the maps of a layer, of so many `channels`.
    fn grids(
        &self,
        job: Job,
        layer: String,
        channels: usize,
        look: &Look<'_>,
        made: Made,
        mut timings: StageTimings,
    ) -> Result<Piece, LoggerError> {
        let Made {
            mut rendered,
            change,
            measures,
            threads,
        } = made;
        mark(&mut rendered, look.chosen, &job.dead);
        let mut summaries = Vec::with_capacity(1);
        if let (Some(pictured), Some((rendered, style))) = (&job.earlier.pictured, &change) {
            summaries.push(self.change(
                (pictured.tag.clone(), pictured.describe),
                (channels, "feature map"),
                style,
                rendered,
                job.folder.as_deref(),
                &mut timings,
            )?);
        }
        let png = timings.time(Stage::Encode, || {
            encode(&job.tag, &rendered.picture, threads)
        })?;
        if let Some(folder) = &job.folder {
            timings.time(Stage::Write, || {
                write_png(folder, &format!("{}.png", stem(&job.tag)), &png)?;
                write_singles(
                    &folder.join(stem(&job.tag)),
                    &job.tag,
                    &rendered,
                    look.chosen,
                )
            })?;
        }
        let description = if job.describe {
            self.describer
                .grid(&job.tag, channels, "feature map", &look.style, &layer)
        } else {
            String::new()
        };
        let piece = grid(job, description, layer, &rendered, png, timings);
        Ok(Piece {
            one_pixel: look.one_pixel,
            summaries: piece.summaries.into_iter().chain(summaries).collect(),
            measures: piece.measures.into_iter().chain(measures).collect(),
            ..piece
        })
    }

    /// The channels that are shown of a layer, where they were chosen.
    pub(super) fn chosen(
        &self,
        tag: &str,
        layer: &str,
        channels: usize,
    ) -> Result<Option<&[usize]>, LoggerError> {
        let chosen = self.channels.get(layer);
        let beyond = chosen.unwrap_or_default().iter();
        match beyond.copied().find(|channel| *channel >= channels) {
            Some(channel) => Err(LoggerError::Channel {
                tag: tag.to_owned(),
                channel,
                channels,
            }),
            None => Ok(chosen),
        }
    }

    /// The style of a layer, with its range of the run if it has one.
    fn style(&self, layer: &str, style: Style) -> Style {
        let Some((low, high)) = self.ranges.get(layer) else {
            return style;
        };
        let range = match style.colormap {
            Colormap::Diverging => Range::around_zero(low, high),
            _ => Range::Fixed(low, high),
        };
        Style { range, ..style }
    }

    /// The style in which changes of a layer are shown; without a range of the run, by step.
    fn style_of_change(&self, layer: &str, style: Style) -> Style {
        let run = self.ranges.get(&format!("change/{layer}"));
        Style {
            range: run.map_or(Range::Layer, |(low, high)| Range::around_zero(low, high)),
            colormap: Colormap::Diverging,
            ..style
        }
    }

    /// The summary of a change that was rendered.
    fn change(
        &self,
        (tag, describe): (String, bool),
        (count, one): (usize, &str),
        style: &Style,
        rendered: &Rendered,
        folder: Option<&Path>,
        timings: &mut StageTimings,
    ) -> Result<Summary, LoggerError> {
        let png = timings.time(Stage::Encode, || {
            encode(&tag, &rendered.picture, Threads::One)
        })?;
        if let Some(folder) = folder {
            let file = format!("change_{}.png", stem(&tag));
            timings.time(Stage::Write, || write_png(folder, &file, &png))?;
        }
        let description = if describe {
            self.describer.change(&tag, count, one, style)
        } else {
            String::new()
        };
        let Picture { width, height, .. } = rendered.picture;
        Ok(Summary::image(tag, description, width, height, vec![png]))
    }

    /// Encodes pictures of one size that stand side by side under one tag.
    pub(super) fn images(&self, job: Job, pictures: &[Picture]) -> Result<Piece, LoggerError> {
        let mut timings = StageTimings::default();
        let pngs = timings.time(Stage::Encode, || {
            let encoded = pictures
                .iter()
                .map(|picture| encode(&job.tag, picture, Threads::One));
            encoded.collect::<Result<Vec<_>, _>>()
        })?;
        let description = if job.describe {
            self.describer.image(&job.tag)
        } else {
            String::new()
        };
        let (width, height) = pictures
            .first()
            .map_or((0, 0), |picture| (picture.width, picture.height));
        let summary = Summary::image(job.tag, description, width, height, pngs);
        Ok(Piece::plain(job.slot, summary, timings))
    }
}

fn grid(
    job: Job,
    description: String,
    layer: String,
    rendered: &Rendered,
    png: Vec<u8>,
    timings: StageTimings,
) -> Piece {
    let Picture { width, height, .. } = rendered.picture;
    let summary = Summary::image(job.tag, description, width, height, vec![png]);
    Piece {
        non_finite: rendered.non_finite,
        measures: vec![((layer, None), Measure::Values(rendered.statistics))],
        ..Piece::plain(job.slot, summary, timings)
    }
}

/// Writes the numbers of channels that were chosen into their tiles, and frames those that are dead.
fn mark(rendered: &mut Rendered, chosen: Option<&[usize]>, dead: &[usize]) {
    if chosen.is_none() && dead.is_empty() {
        return;
    }
    let tiles = rendered.tiles();
    if let Some(chosen) = chosen {
        number_tiles(&mut rendered.picture, &tiles, chosen);
    }
    let place = |channel: &usize| match chosen {
        Some(chosen) => chosen.iter().position(|chosen| chosen == channel),
        None => Some(*channel),
    };
    let framed: Vec<usize> = dead.iter().filter_map(place).collect();
    frame_tiles(&mut rendered.picture, &tiles, &framed);
}

fn copy_error(tag: &str, why: String) -> LoggerError {
    LoggerError::Copy {
        tag: tag.to_owned(),
        why,
    }
}

fn render_error(tag: &str, source: RenderError) -> LoggerError {
    LoggerError::Render {
        tag: tag.to_owned(),
        source,
    }
}

fn encode(tag: &str, picture: &Picture, threads: Threads) -> Result<Vec<u8>, LoggerError> {
    png::encode(picture, threads).map_err(|source| LoggerError::Encode {
        tag: tag.to_owned(),
        source,
    })
}

/// `05_conv2_1` of `feature_maps/05_conv2_1`.
fn stem(tag: &str) -> &str {
    tag.rsplit('/').next().unwrap_or(tag)
}

/// Every map as a file of its own, by its channel: `FOLDER/05_conv2_1/000.png …`.
fn write_singles(
    folder: &Path,
    tag: &str,
    rendered: &Rendered,
    chosen: Option<&[usize]>,
) -> Result<(), LoggerError> {
    for (index, picture) in rendered.singles().enumerate() {
        let channel = chosen.and_then(|chosen| chosen.get(index));
        let channel = channel.copied().unwrap_or(index);
        write_png(
            folder,
            &format!("{channel:03}.png"),
            &encode(tag, &picture, Threads::One)?,
        )?;
    }
    Ok(())
}

fn write_png(folder: &Path, file: &str, bytes: &[u8]) -> Result<(), LoggerError> {
    let path = folder.join(file);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, bytes))
        .map_err(|source| LoggerError::WritePng { path, source })
}
