//! From tensors to summaries: the work of the rendering threads, top to bottom.
//!
//! ```text
//! maps ──> host: copied, range, grid ──┐
//!      └─> device: drawn, copied ──────┴─> tiles marked ──> PNG ──> summary, files, numbers
//! ```

mod drawn;

use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use rayon::ThreadPool;

use super::change::{Difference, compare};
use super::channels::{Channels, chosen_first};
use super::describe::Describer;
use super::error::LoggerError;
use super::maps::MapFloats;
use super::measure::{Measure, MeasureKey};
use super::ranges::Ranges;
use super::timings::{Stage, StageTimings};
use super::writer::Piece;
use crate::analysis::figure::{frame_tiles, number_tiles};
use crate::device::{Accelerator, Arrived, BackendError, accelerator};
use drawn::DrawnMaps;
use feature_grid::png::{self, Threads};
use feature_grid::{Colormap, Floats, Maps, Picture, Range, Rendered, Style};
use tensorboard_events::Summary;

/// Where maps become grids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RenderOn {
    /// The device where the maps are on an NVIDIA GPU, else the host.
    #[default]
    Auto,
    /// The device that the maps are on, which must be libtorch's.
    Device,
    /// The host, to which the maps are copied.
    Host,
}

/// How images are made; the same for the whole run.
pub(super) struct Renderer {
    pub(super) threads: &'static ThreadPool,
    pub(super) maps: Style,
    pub(super) kernels: Style,
    pub(super) ranges: Ranges,
    pub(super) channels: Channels,
    /// Whether the network takes blue first, so that the kernels' channels are reversed.
    pub(super) bgr: bool,
    pub(super) describer: Describer,
    pub(super) on: RenderOn,
}

/// A grid to be made.
pub(super) struct Job {
    pub(super) slot: usize,
    pub(super) tag: String,
    /// What its numbers are filed under.
    pub(super) layer: String,
    pub(super) tiles: Tiles,
    /// How many there are, shown or not.
    pub(super) count: usize,
    pub(super) look: Look,
    /// The folder for PNG files of this step, if any are written.
    pub(super) folder: Option<PathBuf>,
    /// Whether this is the tag's first value, which carries the description.
    pub(super) describe: bool,
    /// What its values are compared with.
    pub(super) earlier: Earlier,
}

/// What a tile of a grid is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tiles {
    Maps,
    Kernels,
}

/// How a layer is shown.
pub(super) struct Look {
    pub(super) style: Style,
    /// The channels that were chosen.
    pub(super) chosen: Option<Vec<usize>>,
    /// Channels that are marked as dead.
    pub(super) dead: Vec<usize>,
    /// Whether the range of the layer stands in for that of each map, which is one pixel.
    pub(super) one_pixel: bool,
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

/// Kernels, and those they are compared with.
pub(super) struct KernelValues {
    pub(super) new: Vec<f32>,
    pub(super) old: Option<Vec<f32>>,
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
    ) -> Result<Look, LoggerError> {
        let chosen = self.channels.get(layer);
        let mut beyond = chosen.unwrap_or_default().iter();
        if let Some(&channel) = beyond.find(|channel| **channel >= channels) {
            return Err(LoggerError::Channel {
                tag: tag.to_owned(),
                channel,
                channels,
            });
        }
        let mut style = self.style(layer, self.maps);
        style.max_maps = chosen.map(<[usize]>::len).or(style.max_maps);
        // A map of one pixel has no range of its own: all would be black.
        let one_pixel = height * width == 1 && style.range == Range::Map;
        if one_pixel {
            style.range = Range::Layer;
        }
        Ok(Look {
            style,
            chosen: chosen.map(<[usize]>::to_vec),
            dead: Vec::new(),
            one_pixel,
        })
    }

    /// How kernels are shown.
    pub(super) fn look_of_kernels(&self, layer: &str) -> Look {
        Look {
            style: self.style(layer, self.kernels),
            chosen: None,
            dead: Vec::new(),
            one_pixel: false,
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

    /// Makes the grid of `maps`, `[1, channels, height, width]`, of what the device drew where it did. Values that
    /// are not finite are painted by the host.
    pub(super) fn feature_maps(
        &self,
        job: Job,
        maps: Tensor<4>,
        drawn: Option<(&DrawnMaps, &Arrived)>,
    ) -> Result<Piece, LoggerError> {
        let mut timings = StageTimings::default();
        let made = match drawn {
            Some((drawn, arrived)) => timings
                .time(Stage::Copy, || drawn.made(&job, arrived))
                .map_err(|error| LoggerError::draw(&job.tag, error))?,
            None => None,
        };
        let made = match made {
            Some(made) => made,
            None => self.on_host(&job, maps, &mut timings)?,
        };
        self.finish(job, made, timings)
    }

    fn on_host(
        &self,
        job: &Job,
        maps: Tensor<4>,
        timings: &mut StageTimings,
    ) -> Result<Made, LoggerError> {
        let copy_error = |source| LoggerError::Copy {
            tag: job.tag.clone(),
            source,
        };
        let [_, channels, height, width] = maps.dims();
        let in_place = |maps: Tensor<4>| match &job.look.chosen {
            Some(chosen) => chosen_first(maps, chosen),
            None => maps,
        };
        let measures = timings
            .time(Stage::Measure, || changes(job, &maps))
            .map_err(copy_error)?;
        let values = timings
            .time(Stage::Copy, || MapFloats::new(in_place(maps)))
            .map_err(copy_error)?;
        let mut render = |values: &dyn Floats, layout, style| {
            timings.time(Stage::Render, || {
                let maps = Maps::new(values, [channels, height, width], layout)?;
                feature_grid::feature_maps(&maps, style)
            })
        };
        let rendered = render(&values, values.layout, &job.look.style)
            .map_err(|source| LoggerError::render(&job.tag, source))?;
        let mut change = None;
        if let Some(pictured) = &job.earlier.pictured {
            let old = MapFloats::in_layout(in_place(pictured.from.clone()), values.layout)
                .map_err(copy_error)?;
            let difference = Difference {
                new: &values,
                old: &old,
            };
            let style = self.style_of_change(&job.layer, job.look.style);
            let rendered = render(&difference, values.layout, &style)
                .map_err(|source| LoggerError::render(&pictured.tag, source))?;
            change = Some((rendered, style));
        }
        Ok(Made {
            rendered,
            change,
            measures,
            threads: Threads::One,
        })
    }

    /// Makes the grid of convolution kernels of a shape, `[kernels, channels, height, width]`, and that of their
    /// change.
    pub(super) fn kernels(
        &self,
        job: Job,
        shape: [usize; 4],
        read: impl FnOnce() -> Result<KernelValues, BackendError>,
    ) -> Result<Piece, LoggerError> {
        let mut timings = StageTimings::default();
        let tag = job.tag.clone();
        let values = timings
            .time(Stage::Copy, read)
            .map_err(|source| LoggerError::Copy { tag, source })?;
        let mut render = |values: &[f32], style, tag: &str| {
            timings
                .time(Stage::Render, || {
                    feature_grid::kernels(values, shape, self.bgr, style)
                })
                .map_err(|source| LoggerError::render(tag, source))
        };
        let rendered = render(&values.new, &job.look.style, &job.tag)?;
        let mut change = None;
        if let (Some(pictured), Some(old)) = (&job.earlier.pictured, values.old) {
            let pairs = values.new.iter().zip(old);
            let difference: Vec<f32> = pairs.map(|(new, old)| new - old).collect();
            let mut style = self.style_of_change(&job.layer, job.look.style);
            if style.range == Range::Layer {
                // Colors have no range by step with 0 in the middle.
                style.range = around_zero(&difference);
            }
            change = Some((render(&difference, &style, &pictured.tag)?, style));
        }
        let made = Made {
            rendered,
            change,
            measures: Vec::new(),
            threads: Threads::One,
        };
        self.finish(job, made, timings)
    }

    /// Marks the tiles, encodes the grid and writes the PNG files.
    fn finish(
        &self,
        job: Job,
        made: Made,
        mut timings: StageTimings,
    ) -> Result<Piece, LoggerError> {
        let mut rendered = made.rendered;
        mark(&mut rendered, &job.look);
        let mut summaries = Vec::with_capacity(2);
        let png = timings.time(Stage::Encode, || {
            encode(&job.tag, &rendered.picture, made.threads)
        })?;
        if let Some(folder) = &job.folder {
            timings.time(Stage::Write, || match job.tiles {
                Tiles::Maps => {
                    write_png(folder, &format!("{}.png", stem(&job.tag)), &png)?;
                    write_singles(folder, &job.tag, &rendered, &job.look)
                }
                Tiles::Kernels => {
                    write_png(folder, &format!("kernels_{}.png", stem(&job.tag)), &png)
                }
            })?;
        }
        let description = if job.describe {
            self.describer.grid(&job)
        } else {
            String::new()
        };
        let image = |tag: &str, description, rendered: &Rendered, png| {
            let Picture { width, height, .. } = rendered.picture;
            Summary::image(tag, description, width, height, vec![png])
        };
        summaries.push(image(&job.tag, description, &rendered, png));
        if let (Some(pictured), Some((rendered, style))) = (&job.earlier.pictured, &made.change) {
            let png = timings.time(Stage::Encode, || {
                encode(&pictured.tag, &rendered.picture, Threads::One)
            })?;
            if let Some(folder) = &job.folder {
                let file = format!("change_{}.png", stem(&pictured.tag));
                timings.time(Stage::Write, || write_png(folder, &file, &png))?;
            }
            let description = if pictured.describe {
                self.describer.change(&pictured.tag, &job, style)
            } else {
                String::new()
            };
            summaries.push(image(&pictured.tag, description, rendered, png));
        }
        let values = Measure::Values(rendered.statistics);
        let mut measures = vec![((job.layer, None), values)];
        measures.extend(made.measures);
        Ok(Piece {
            slot: job.slot,
            summaries,
            non_finite: rendered.non_finite,
            measures,
            one_pixel: job.look.one_pixel,
            timings,
        })
    }

    /// Encodes pictures of one size that stand next to each other under one tag.
    pub(super) fn images(
        &self,
        slot: usize,
        tag: String,
        describe: bool,
        pictures: &[Picture],
    ) -> Result<Piece, LoggerError> {
        let mut timings = StageTimings::default();
        let pngs = timings.time(Stage::Encode, || {
            let encoded = pictures
                .iter()
                .map(|picture| encode(&tag, picture, Threads::One));
            encoded.collect::<Result<Vec<_>, _>>()
        })?;
        let description = if describe {
            self.describer.image(&tag)
        } else {
            String::new()
        };
        let first = pictures.first();
        let (width, height) = first.map_or((0, 0), |first| (first.width, first.height));
        let summary = Summary::image(tag, description, width, height, pngs);
        Ok(Piece::plain(slot, summary, timings))
    }
}

/// How much `maps` changed from each of the earlier ones.
fn changes(job: &Job, maps: &Tensor<4>) -> Result<Vec<(MeasureKey, Measure)>, BackendError> {
    if job.earlier.measured.is_empty() {
        return Ok(Vec::new());
    }
    let new = MapFloats::new(maps.clone())?;
    let measure = |(name, old): &(&'static str, Tensor<4>)| {
        let old = MapFloats::in_layout(old.clone(), new.layout)?;
        let change = Measure::Change(compare(&new, &old)?);
        Ok(((job.layer.clone(), Some(*name)), change))
    };
    job.earlier.measured.iter().map(measure).collect()
}

/// The range of these values with 0 in the middle.
fn around_zero(values: &[f32]) -> Range {
    let finite = values.iter().copied().filter(|value| value.is_finite());
    let most = finite.fold(0.0, |most: f32, value| most.max(value.abs()));
    Range::around_zero(-most, most)
}

/// Writes the numbers of channels that were chosen into their tiles, and frames those that are dead.
fn mark(rendered: &mut Rendered, look: &Look) {
    if look.chosen.is_none() && look.dead.is_empty() {
        return;
    }
    let tiles = rendered.tiles();
    if let Some(chosen) = &look.chosen {
        number_tiles(&mut rendered.picture, &tiles, chosen);
    }
    let place = |channel: &usize| match &look.chosen {
        Some(chosen) => chosen.iter().position(|chosen| chosen == channel),
        None => Some(*channel),
    };
    let framed: Vec<usize> = look.dead.iter().filter_map(place).collect();
    frame_tiles(&mut rendered.picture, &tiles, &framed);
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
    look: &Look,
) -> Result<(), LoggerError> {
    for (index, picture) in rendered.singles().enumerate() {
        let chosen = look.chosen.as_ref();
        let channel = chosen.and_then(|chosen| chosen.get(index));
        let file = format!("{:03}.png", channel.unwrap_or(&index));
        let png = encode(tag, &picture, Threads::One)?;
        write_png(&folder.join(stem(tag)), &file, &png)?;
    }
    Ok(())
}

fn write_png(folder: &Path, file: &str, bytes: &[u8]) -> Result<(), LoggerError> {
    let path = folder.join(file);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, bytes))
        .map_err(|source| LoggerError::WritePng { path, source })
}
