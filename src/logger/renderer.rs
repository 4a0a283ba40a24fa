//! From tensors to summaries: the work of the rendering threads, top to bottom.
//!
//! ```text
//! maps ─┬─> host: copied, range, grid ───┬─> tiles marked ──> PNG ──> summary, files, numbers
//!       └─> device: range, grid, copied ─┘
//! ```
//!
//! A change is a grid like any other: of maps minus earlier ones.

use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, LazyLock};

use burn::tensor::Tensor;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use super::channels::chosen_first;
use super::comparison::Difference;
use super::describe::Describer;
use super::error::LoggerError;
use super::grid_style::{GridStyle, Job, Options, Tiles};
use super::piece::{Measure, MeasureKey, Part, Piece};
use super::tiles::{frame_tiles, number_tiles};
use super::timings::{Stage, StageTimings};
use crate::device::{BackendError, PairSums, caught, floats_of_maps, is_asynchronous, layout_of};
use feature_grid::png::{self, Threads};
use feature_grid::{Maps, Picture, Rendered};
use tensorboard_events::Summary;

/// The threads of all loggers of the process together: as many as rayon's global pool has, but none of them: who waits for a logger may be one of those.
static THREADS: LazyLock<Result<ThreadPool, ThreadPoolBuildError>> = LazyLock::new(|| {
    let named = ThreadPoolBuilder::new().thread_name(|number| format!("render-{number}"));
    named.build()
});

pub(super) fn threads() -> Result<&'static ThreadPool, LoggerError> {
    let why = |error: &ThreadPoolBuildError| LoggerError::Threads(error.to_string());
    THREADS.as_ref().map_err(why)
}

pub(super) struct Renderer {
    pub(super) threads: &'static ThreadPool,
    pub(super) options: Options,
    pub(super) describer: Describer,
}

/// The way to a step's place in the file; whoever makes a value has one.
#[derive(Clone)]
pub(super) struct PartSender {
    pub(super) renderer: Arc<Renderer>,
    pub(super) parts: Sender<Part>,
}

impl PartSender {
    pub(super) fn send(&self, part: Part) {
        // The receiver is gone only where the writer has stopped with an error of its own.
        let _ = self.parts.send(part);
    }

    pub(super) fn spawn(
        &self,
        tag: String,
        work: impl FnOnce(&Renderer) -> Result<Piece, LoggerError> + Send + 'static,
    ) {
        let sender = self.clone();
        self.renderer.threads.spawn_fifo(move || {
            let made = caught(|| work(&sender.renderer));
            let made = made.unwrap_or_else(|source| Err(LoggerError::Panicked(tag, source)));
            sender.send(Part::Piece(made));
        });
    }
}

impl Renderer {
    /// The grid of `maps`, `[1, channels, height, width]`, or of what they have more than the `old` ones.
    pub(super) fn maps(
        &self,
        job: Job,
        maps: Tensor<4>,
        old: Option<Tensor<4>>,
    ) -> Result<Piece, LoggerError> {
        let mut timings = StageTimings::default();
        let [_, channels, height, width] = maps.dims();
        let in_place = |maps: Tensor<4>| match &job.grid.chosen {
            Some(chosen) => chosen_first(maps, chosen),
            None => maps,
        };
        let maps = in_place(maps);
        let layout = layout_of(&maps);
        let copied = timings.time(Stage::Copy, || {
            let new = floats_of_maps(maps, layout)?;
            let old = old.map(|old| floats_of_maps(in_place(old), layout));
            Ok((new, old.transpose()?))
        });
        let (new, old) = copied.map_err(|source| LoggerError::Copy(job.tag.clone(), source))?;
        let rendered = timings.time(Stage::Render, || {
            let difference = old.as_deref().map(|old| Difference { new: &*new, old });
            let shape = [channels, height, width];
            let maps = match &difference {
                Some(difference) => Maps::new(difference, shape, layout)?,
                None => Maps::new(&*new, shape, layout)?,
            };
            feature_grid::feature_maps(&maps, &job.grid.style)
        });
        let rendered = rendered.map_err(|source| LoggerError::Render(job.tag.clone(), source))?;
        self.finish(job, rendered, Threads::One, timings)
    }

    /// The same of what the device drew. Values that are not finite are painted by the host.
    pub(super) fn drawn_maps(
        &self,
        job: Job,
        drawn: Option<Rendered>,
        maps: Tensor<4>,
        old: Option<Tensor<4>>,
    ) -> Result<Piece, LoggerError> {
        let threads = if is_asynchronous(&maps.device()) {
            Threads::Idle
        } else {
            Threads::One
        };
        match drawn {
            Some(drawn) => self.finish(job, drawn, threads, StageTimings::default()),
            None => self.maps(job, maps, old),
        }
    }

    pub(super) fn kernels(
        &self,
        job: Job,
        shape: [usize; 4],
        values: &[f32],
    ) -> Result<Piece, LoggerError> {
        let style = &job.grid.style;
        let mut timings = StageTimings::default();
        let rendered = timings.time(Stage::Render, || {
            feature_grid::kernels(values, shape, self.options.bgr, style)
        });
        let rendered = rendered.map_err(|source| LoggerError::Render(job.tag.clone(), source))?;
        self.finish(job, rendered, Threads::One, timings)
    }

    fn finish(
        &self,
        job: Job,
        mut rendered: Rendered,
        threads: Threads,
        mut timings: StageTimings,
    ) -> Result<Piece, LoggerError> {
        let is_change = job.grid.tiles == Tiles::Changes;
        if !is_change {
            mark(&mut rendered, &job.grid);
        }
        let png = timings.time(Stage::Encode, || {
            encode(&job.tag, &rendered.picture, threads)
        })?;
        if let Some(folder) = &job.folder {
            timings.time(Stage::Write, || {
                let prefix = job.grid.file_prefix();
                write_png(folder, &format!("{prefix}{}.png", stem(&job.tag)), &png)?;
                if prefix.is_empty() {
                    return write_singles(folder, &job.tag, &rendered, &job.grid);
                }
                Ok::<_, LoggerError>(())
            })?;
        }
        let description = if job.describe {
            self.describer.grid(&job)
        } else {
            String::new()
        };
        let Picture { width, height, .. } = rendered.picture;
        let summary = Summary::image(job.tag, description, width, height, vec![png]);
        let piece = Piece {
            slot: job.slot,
            summary: Some(summary),
            timings,
            ..Piece::default()
        };
        if is_change {
            return Ok(piece);
        }
        let key = MeasureKey {
            layer: job.layer,
            reference: None,
        };
        Ok(Piece {
            non_finite: rendered.non_finite,
            measure: Some((key, Measure::Values(rendered.statistics))),
            one_pixel: job.grid.one_pixel,
            ..piece
        })
    }

    pub(super) fn image(
        &self,
        slot: usize,
        tag: String,
        describe: bool,
        picture: &Picture,
    ) -> Result<Piece, LoggerError> {
        let mut timings = StageTimings::default();
        let png = timings.time(Stage::Encode, || encode(&tag, picture, Threads::One))?;
        let description = if describe {
            self.describer.image(&tag)
        } else {
            String::new()
        };
        let Picture { width, height, .. } = *picture;
        let summary = Summary::image(tag, description, width, height, vec![png]);
        Ok(Piece {
            slot,
            summary: Some(summary),
            timings,
            ..Piece::default()
        })
    }
}

pub(super) fn change(
    slot: usize,
    tag: &str,
    key: MeasureKey,
    maps: Tensor<4>,
    old: Tensor<4>,
) -> Result<Piece, LoggerError> {
    let mut timings = StageTimings::default();
    let sums = timings.time(Stage::Measure, || {
        let layout = layout_of(&maps);
        let new = floats_of_maps(maps, layout)?;
        let old = floats_of_maps(old, layout)?;
        Ok::<_, BackendError>(PairSums::of_floats(&*old, &*new)?)
    });
    let sums = sums.map_err(|source| LoggerError::Copy(tag.to_owned(), source))?;
    Ok(Piece {
        timings,
        ..changed(slot, key, sums)
    })
}

pub(super) fn changed(slot: usize, key: MeasureKey, sums: PairSums) -> Piece {
    Piece {
        slot,
        measure: Some((key, Measure::Change(sums))),
        ..Piece::default()
    }
}

/// Writes the numbers of channels that were chosen into their tiles, and frames those that are to be.
fn mark(rendered: &mut Rendered, grid: &GridStyle) {
    let framed = grid.framed.iter().flat_map(|framed| &framed.channels);
    if grid.chosen.is_none() && framed.clone().next().is_none() {
        return;
    }
    let tiles = rendered.tiles();
    if let Some(chosen) = &grid.chosen {
        number_tiles(&mut rendered.picture, &tiles, chosen);
    }
    let place = |channel: &usize| match &grid.chosen {
        Some(chosen) => chosen.iter().position(|chosen| chosen == channel),
        None => Some(*channel),
    };
    let framed: Vec<usize> = framed.filter_map(place).collect();
    frame_tiles(&mut rendered.picture, &tiles, &framed);
}

fn encode(tag: &str, picture: &Picture, threads: Threads) -> Result<Vec<u8>, LoggerError> {
    png::encode(picture, threads).map_err(|source| LoggerError::Encode(tag.to_owned(), source))
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
    grid: &GridStyle,
) -> Result<(), LoggerError> {
    for (index, picture) in rendered.singles().enumerate() {
        let chosen = grid.chosen.as_ref();
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
        .map_err(|source| LoggerError::WritePng(path, source))
}
