//! What all commands that write a run do at its beginning and at its end.

use std::path::Path;
use std::sync::Arc;

use super::context::Context;
use super::error::RunError;
use super::report::Report;
use crate::device::OpenDevice;
use crate::events::holds_event_files;
use crate::logger::{Builder, FeatureLogger};
use crate::network::Held;
use crate::probe::Capture;
use crate::settings::{OutputSettings, RunSettings};
use crate::terminal::Unit;
use crate::vgg::{self, Kernels};

/// Refuses a folder with event files: TensorBoard shows all of a folder as one run, so a second run there
/// would garble both.
pub(crate) fn refuse_used_folder(
    output: &OutputSettings,
    or: &'static str,
) -> Result<(), RunError> {
    let folder = output.run_folder();
    match holds_event_files(&folder) {
        Ok(None) => Ok(()),
        Ok(Some(file)) => Err(RunError::UsedFolder { folder, file, or }),
        Err(source) => Err(RunError::RunFolder { folder, source }),
    }
}

/// Selects the layers to show, checking that the crop reaches them.
pub(crate) fn open_capture(
    settings: &RunSettings,
    held: Held,
    device: OpenDevice,
) -> Result<Capture, RunError> {
    let arch = held.arch;
    let all = arch.layers();
    let layers = vgg::select_held(
        &all,
        held.depth,
        &arch.to_string(),
        &settings.network.layers,
    )?;
    let deepest = layers.last().map_or(0, |layer| layer.index);
    if let Some(side) = settings.input.preprocess().crop {
        vgg::output_shapes(&all[..=deepest], &[1; 16], [side.get() as usize; 2])?;
    }
    Ok(Capture {
        device,
        arch,
        layers,
        kernels: !settings.pictures.no_kernels,
        is_gray: held.is_gray,
    })
}

/// A logger for the run, which reports each of its `total` steps, of which `done` were written before, on
/// the terminal. `label` says which weights it shows.
pub(crate) fn logger(
    settings: &RunSettings,
    capture: &Capture,
    label: impl FnOnce() -> String + Send + 'static,
    (mut done, total): (u64, u64),
    context: &Context,
) -> Builder {
    let preprocess = settings.input.preprocess().for_network(capture.is_gray);
    let about = move || format!("* input: {preprocess}\n* weights: {}\n", label());
    let terminal = Arc::clone(&context.terminal);
    terminal.begin(done, total, Unit::Steps);
    context.interrupt.steps_begin();
    let builder = FeatureLogger::builder(settings.output.run_folder())
        .style(settings.pictures.style())
        .bgr(preprocess.is_bgr())
        .about(about)
        .timings(settings.output.timings)
        .on_written(move |_, title| {
            done += 1;
            terminal.reached(done, title);
        });
    match &settings.output.png {
        Some(folder) => builder.png(folder),
        None => builder,
    }
}

/// The memory layout in which convolutions are fastest over `images` forward passes. Reordering the kernels
/// costs more than it saves for one or two.
pub(crate) fn kernel_layout(device: &OpenDevice, images: usize) -> Kernels {
    if images > 2 && device.prefers_interleaved() {
        Kernels::Interleaved
    } else {
        Kernels::Planar
    }
}

/// Leaves the resolved configuration in the run's folder.
pub(crate) fn write_config(folder: &Path, toml: &str) -> Result<(), RunError> {
    let path = folder.join("config.toml");
    std::fs::write(&path, toml).map_err(|source| RunError::WriteConfig { path, source })
}

/// The resolved configuration for TensorBoard's Text tab: four spaces make a code block in every dialect
/// of Markdown.
pub(crate) fn as_markdown(toml: &str) -> String {
    toml.lines()
        .fold(String::new(), |text, line| text + "    " + line + "\n")
}

/// Waits for the last step and says what the run came to. What ended the run early, if anything, comes
/// second: without a writer nothing else can go on.
pub(crate) fn conclude(
    logger: FeatureLogger,
    ended: Result<(), RunError>,
    output: &OutputSettings,
    (done, what): (u64, &'static str),
    skipped: Vec<String>,
    context: &Context,
) -> Result<Report, RunError> {
    let written = logger.finish();
    context.terminal.end();
    let outcome = match (written, ended) {
        // The step that failed met the writer's error first.
        (Err(crate::logger::LoggerError::Stopped), Err(error)) => return Err(error),
        (written, ended) => {
            let written = written?;
            ended?;
            written
        }
    };
    let interrupted = context.interrupt.is_requested();
    if outcome.steps + done == 0 && !interrupted {
        return Err(RunError::NothingLeft {
            count: skipped.len(),
            what,
            first: skipped.into_iter().next().unwrap_or_default(),
        });
    }
    Ok(Report {
        run_folder: output.run_folder(),
        logdir: output.logdir.clone(),
        earlier_steps: done,
        timings: output.timings.then(|| outcome.timings.table(outcome.steps)),
        logged: outcome,
        skipped,
        notes: Vec::new(),
        interrupted,
    })
}
