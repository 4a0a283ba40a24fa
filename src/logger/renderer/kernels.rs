//! First-layer kernels, and how they changed.

use super::{Job, Piece, Renderer, copy_error, encode, grid, render_error, stem, write_png};
use crate::logger::error::LoggerError;
use crate::logger::timings::{Stage, StageTimings};
use feature_grid::png::Threads;
use feature_grid::{Range, Style};

impl Renderer {
    /// Renders and encodes a grid of convolution kernels, `[kernels, channels, height, width]`, and that of
    /// their change; `layer` as for [`feature_maps`](Self::feature_maps). `read` gets the kernels and those they
    /// are compared with.
    pub(in crate::logger) fn kernels(
        &self,
        mut job: Job,
        layer: String,
        shape: [usize; 4],
        read: impl FnOnce() -> Result<KernelValues, String>,
    ) -> Result<Piece, LoggerError> {
        let mut timings = StageTimings::default();
        let style = self.style(&layer, self.kernels);
        let (values, old) = timings
            .time(Stage::Copy, read)
            .map_err(|why| copy_error(&job.tag, why))?;
        let rendered = timings
            .time(Stage::Render, || {
                feature_grid::kernels(&values, shape, self.bgr, &style)
            })
            .map_err(|source| render_error(&job.tag, source))?;
        let mut change = None;
        if let (Some(pictured), Some(old)) = (job.earlier.pictured.take(), old) {
            let difference: Vec<f32> = values.iter().zip(old).map(|(new, old)| new - old).collect();
            let style = self.style_of_change(&layer, style);
            let style = Style {
                range: match style.range {
                    // Colors have no range by step with 0 in the middle.
                    Range::Map | Range::Layer => around_zero(&difference),
                    fixed @ Range::Fixed(..) => fixed,
                },
                ..style
            };
            let rendered = feature_grid::kernels(&difference, shape, self.bgr, &style)
                .map_err(|source| render_error(&pictured.tag, source))?;
            let (tag, of) = ((pictured.tag, pictured.describe), (shape[0], "kernel"));
            change = Some(self.change(
                tag,
                of,
                &style,
                &rendered,
                job.folder.as_deref(),
                &mut timings,
            )?);
        }
        let png = timings.time(Stage::Encode, || {
            encode(&job.tag, &rendered.picture, Threads::One)
        })?;
        if let Some(folder) = &job.folder {
            let file = format!("kernels_{}.png", stem(&job.tag));
            timings.time(Stage::Write, || write_png(folder, &file, &png))?;
        }
        let description = if job.describe {
            self.describer
                .grid(&job.tag, shape[0], "kernel", &style, &layer)
        } else {
            String::new()
        };
        let mut piece = grid(job, description, layer, &rendered, png, timings);
        piece.summaries.extend(change);
        Ok(piece)
    }
}

/// The range of these values with 0 in the middle.
fn around_zero(values: &[f32]) -> Range {
    let finite = values.iter().copied().filter(|value| value.is_finite());
    let most = finite.fold(0.0, |most: f32, value| most.max(value.abs()));
    Range::around_zero(-most, most)
}

/// The values of kernels, and of those they are compared with.
pub(in crate::logger) type KernelValues = (Vec<f32>, Option<Vec<f32>>);
