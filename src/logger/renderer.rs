//! From tensors and pictures to summaries and PNG files: the work of the rendering threads.

mod kernels;

use std::path::{Path, PathBuf};

use burn::tensor::Tensor;

use super::change::{Change, Difference};
use super::channels::{Channels, chosen_first};
use super::describe::Describer;
use super::error::LoggerError;
use super::maps::MapFloats;
use super::measure::{Measure, MeasureKey};
use super::ranges::Ranges;
use super::timings::{Stage, StageTimings};
use crate::events::Summary;
use crate::figure::{frame_tiles, number_tiles};
use crate::png;
use crate::render::{
    self, Colormap, Floats, Layout, Maps, Picture, Range, RenderError, Rendered, Style,
};

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
}

impl Renderer {
    /// Renders and encodes the grid of `maps`, `[1, channels, height, width]`, and that of their change;
    /// `layer` is what their measures are filed under.
    pub(super) fn feature_maps(
        &self,
        mut job: Job,
        layer: String,
        maps: Tensor<4>,
    ) -> Result<Piece, LoggerError> {
        let mut timings = StageTimings::default();
        let Earlier { measured, pictured } = std::mem::take(&mut job.earlier);
        let shape = maps.dims();
        let [_, channels, height, width] = shape;
        let chosen = self.chosen(&job.tag, &layer, channels)?;
        let in_place = |maps: Tensor<4>| match chosen {
            Some(chosen) => chosen_first(maps, chosen),
            None => maps,
        };
        let mut style = self.style(&layer, self.maps);
        style.max_maps = chosen.map(<[usize]>::len).or(style.max_maps);
        // A map of one pixel has no range of its own: all would be black.
        let one_pixel = height * width == 1 && style.range == Range::Map;
        if one_pixel {
            style.range = Range::Layer;
        }
        let measures = timings
            .time(Stage::Measure, || changes(&layer, &maps, measured))
            .map_err(|why| copy_error(&job.tag, why))?;
        let values = timings
            .time(Stage::Copy, || MapFloats::new(in_place(maps)))
            .map_err(|why| copy_error(&job.tag, why))?;
        let mut rendered = timings
            .time(Stage::Render, || {
                render(&values, shape, values.layout, &style)
            })
            .map_err(|source| render_error(&job.tag, source))?;
        mark(&mut rendered, chosen, &job.dead);
        let mut summaries = Vec::with_capacity(2);
        if let Some(pictured) = pictured {
            let old = MapFloats::in_layout(in_place(pictured.from), values.layout)
                .map_err(|why| copy_error(&pictured.tag, why))?;
            let difference = Difference {
                new: &values,
                old: &old,
            };
            let style = self.style_of_change(&layer, style);
            let rendered = timings
                .time(Stage::Render, || {
                    render(&difference, shape, values.layout, &style)
                })
                .map_err(|source| render_error(&pictured.tag, source))?;
            let (tag, of) = ((pictured.tag, pictured.describe), (channels, "feature map"));
            summaries.push(self.change(
                tag,
                of,
                &style,
                &rendered,
                job.folder.as_deref(),
                &mut timings,
            )?);
        }
        // Its memory is for the next forward pass.
        drop(values);
        let png = timings.time(Stage::Encode, || encode(&job.tag, &rendered.picture))?;
        if let Some(folder) = &job.folder {
            timings.time(Stage::Write, || {
                write_png(folder, &format!("{}.png", stem(&job.tag)), &png)?;
                write_singles(&folder.join(stem(&job.tag)), &job.tag, &rendered, chosen)
            })?;
        }
        let description = if job.describe {
            self.describer
                .grid(&job.tag, channels, "feature map", &style, &layer)
        } else {
            String::new()
        };
        let piece = grid(job, description, layer, &rendered, png, timings);
        Ok(Piece {
            one_pixel,
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
        let png = timings.time(Stage::Encode, || encode(&tag, &rendered.picture))?;
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
            let encoded = pictures.iter().map(|picture| encode(&job.tag, picture));
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

/// Renders values of shape `[1, channels, height, width]`.
fn render(
    values: &dyn Floats,
    [_, channels, height, width]: [usize; 4],
    layout: Layout,
    style: &Style,
) -> Result<Rendered, RenderError> {
    let maps = Maps::of(values, channels, height, width, layout)?;
    render::feature_maps(&maps, style)
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

/// How much `maps` changed from each of the earlier ones.
fn changes(
    layer: &str,
    maps: &Tensor<4>,
    earlier: Vec<(&'static str, Tensor<4>)>,
) -> Result<Vec<(MeasureKey, Measure)>, String> {
    if earlier.is_empty() {
        return Ok(Vec::new());
    }
    let new = MapFloats::new(maps.clone())?;
    let measure = |(name, old)| {
        let old = MapFloats::in_layout(old, new.layout)?;
        let change = Change::between(&new, &old)?;
        Ok(((layer.to_owned(), Some(name)), Measure::Change(change)))
    };
    earlier.into_iter().map(measure).collect()
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

fn encode(tag: &str, picture: &Picture) -> Result<Vec<u8>, LoggerError> {
    png::encode(picture).map_err(|source| LoggerError::Encode {
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
            &encode(tag, &picture)?,
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
