//! From tensors and pictures to summaries and PNG files: the work of the rendering threads.

use std::path::{Path, PathBuf};

use burn::tensor::Tensor;

use super::describe::Describer;
use super::error::LoggerError;
use super::maps::MapFloats;
use super::timings::{Stage, StageTimings};
use crate::device::TensorFloats;
use crate::events::Summary;
use crate::png;
use crate::render::{self, Maps, Picture, Range, RenderError, Rendered, Statistics, Style};

/// A value of a step that is ready to be written.
pub(super) struct Piece {
    /// Its place among the step's values.
    pub(super) slot: usize,
    pub(super) summary: Summary,
    /// Values that were NaN or infinite.
    pub(super) non_finite: usize,
    /// How its values are distributed, under the name by which a step's pieces are put together.
    pub(super) statistics: Option<Box<(String, Statistics)>>,
    /// Whether the range of the layer stands in for that of each map, which is one pixel.
    pub(super) one_pixel: bool,
    pub(super) timings: StageTimings,
}

impl Piece {
    /// A value that has no picture's numbers.
    pub(super) fn plain(slot: usize, summary: Summary, timings: StageTimings) -> Self {
        Self {
            slot,
            summary,
            non_finite: 0,
            statistics: None,
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
}

/// How images are made; the same for the whole run.
pub(super) struct Renderer {
    pub(super) maps: Style,
    pub(super) kernels: Style,
    /// Whether the network takes blue first, so that the kernels' channels are reversed.
    pub(super) bgr: bool,
    pub(super) describer: Describer,
}

impl Renderer {
    /// Renders and encodes the grid of `maps`, `[1, channels, height, width]`; `layer` is what their
    /// statistics are filed under.
    pub(super) fn feature_maps(
        &self,
        job: Job,
        layer: String,
        maps: Tensor<4>,
    ) -> Result<Piece, LoggerError> {
        let mut timings = StageTimings::default();
        let [_, channels, height, width] = maps.dims();
        // A map of one pixel has no range of its own: all would be black.
        let one_pixel = height * width == 1 && self.maps.range == Range::Map;
        let style = Style {
            range: if one_pixel {
                Range::Layer
            } else {
                self.maps.range
            },
            ..self.maps
        };
        let values = timings
            .time(Stage::Copy, || MapFloats::new(maps))
            .map_err(|why| copy_error(&job.tag, why))?;
        let rendered = timings
            .time(Stage::Render, || {
                let maps = Maps::of(&values, channels, height, width, values.layout)?;
                render::feature_maps(&maps, &style)
            })
            .map_err(|source| render_error(&job.tag, source))?;
        // Its memory is for the next forward pass.
        drop(values);
        let png = timings.time(Stage::Encode, || encode(&job.tag, &rendered.picture))?;
        if let Some(folder) = &job.folder {
            timings.time(Stage::Write, || {
                write_png(folder, &format!("{}.png", stem(&job.tag)), &png)?;
                write_singles(&folder.join(stem(&job.tag)), &job.tag, &rendered)
            })?;
        }
        let description = if job.describe {
            let describer = &self.describer;
            describer.grid(&job.tag, channels, "feature map", &style, &layer)
        } else {
            String::new()
        };
        let piece = grid(job, description, layer, &rendered, png, timings);
        Ok(Piece { one_pixel, ..piece })
    }

    /// Renders and encodes a grid of convolution kernels, `[kernels, channels, height, width]`; `layer` as
    /// for [`feature_maps`](Self::feature_maps).
    pub(super) fn kernels(
        &self,
        job: Job,
        layer: String,
        kernels: Tensor<4>,
    ) -> Result<Piece, LoggerError> {
        let mut timings = StageTimings::default();
        let shape = kernels.dims();
        let values = timings
            .time(Stage::Copy, || read_all(kernels))
            .map_err(|why| copy_error(&job.tag, why))?;
        let rendered = timings
            .time(Stage::Render, || {
                render::kernels(&values, shape, self.bgr, &self.kernels)
            })
            .map_err(|source| render_error(&job.tag, source))?;
        let png = timings.time(Stage::Encode, || encode(&job.tag, &rendered.picture))?;
        if let Some(folder) = &job.folder {
            let file = format!("kernels_{}.png", stem(&job.tag));
            timings.time(Stage::Write, || write_png(folder, &file, &png))?;
        }
        let description = if job.describe {
            let (describer, style) = (&self.describer, &self.kernels);
            describer.grid(&job.tag, shape[0], "kernel", style, &layer)
        } else {
            String::new()
        };
        Ok(grid(job, description, layer, &rendered, png, timings))
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
        statistics: Some(Box::new((layer, rendered.statistics))),
        ..Piece::plain(job.slot, summary, timings)
    }
}

fn read_all(tensor: Tensor<4>) -> Result<Vec<f32>, String> {
    let floats = TensorFloats::new(tensor)?;
    let mut values = vec![0.0; floats.count()];
    floats.read(0, &mut values)?;
    Ok(values)
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

/// Every map as a file of its own: `FOLDER/05_conv2_1/000.png …`.
fn write_singles(folder: &Path, tag: &str, rendered: &Rendered) -> Result<(), LoggerError> {
    for (index, picture) in rendered.singles().enumerate() {
        write_png(folder, &format!("{index:03}.png"), &encode(tag, &picture)?)?;
    }
    Ok(())
}

fn write_png(folder: &Path, file: &str, bytes: &[u8]) -> Result<(), LoggerError> {
    let path = folder.join(file);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, bytes))
        .map_err(|source| LoggerError::WritePng { path, source })
}
