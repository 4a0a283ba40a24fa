//! What all commands that write a run do at its beginning and at its end.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::context::Context;
use super::error::RunError;
use super::report::Report;
use super::run_folder::RunFolder;
use crate::analysis::probe::Capture;
use crate::commands::terminal::Unit;
use crate::device::{DeviceChoice, DeviceError, OpenDevice, Precision, traffic};
use crate::logger::{Builder, FeatureLogger, RenderOn};
use crate::network::Held;
use crate::network::vgg::{self, Extent, Kernels, Placement};
use crate::settings::{ComputeSettings, OutputSettings, RunSettings};

/// A device, and further ones.
pub(crate) type Opened = (OpenDevice, Vec<OpenDevice>);

/// Opens the devices that were asked for.
pub(crate) fn open_devices(
    settings: &ComputeSettings,
    context: &Context,
) -> Result<Opened, RunError> {
    let open = |choice: &DeviceChoice| {
        let device = OpenDevice::open(*choice)?;
        let device = device.computing_in(Precision::of(settings.dtype, settings.tf32));
        if settings.render == RenderOn::Device && !device.draws() {
            return Err(DeviceError::DrawsNot(device.kind));
        }
        Ok(device)
    };
    let first = open(&settings.device.first)?;
    let others: Vec<_> = (settings.device.others.iter().map(open)).collect::<Result<_, _>>()?;
    if settings.tf32 && !first.is_cuda() && !others.iter().any(OpenDevice::is_cuda) {
        let terminal = &context.terminal;
        terminal.note("--tf32 changes nothing: no device of this run is an NVIDIA GPU");
    }
    Ok((first, others))
}

/// Selects the layers to show, checking that the crop reaches them. Devices but the first one share batches of images.
pub(crate) fn open_capture(
    settings: &RunSettings,
    held: Held,
    (device, others): Opened,
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
        others,
        arch,
        layers,
        kernels: !settings.pictures.no_kernels,
        is_gray: held.is_gray,
    })
}

/// A logger for the run in `folder`, which reports each of its `total` steps (0 if nobody knows), of which `done` were written
/// before, on the terminal. `label` says which weights it shows; `written` gets each step that is in the event file.
pub(crate) fn logger(
    settings: &RunSettings,
    capture: &Capture,
    folder: &RunFolder,
    label: impl FnOnce() -> String + Send + 'static,
    (mut done, total): (u64, u64),
    context: &Context,
    mut written: impl FnMut(i64) + Send + 'static,
) -> Builder {
    let terminal = Arc::clone(&context.terminal);
    let unit = match total {
        0 => Unit::OpenSteps,
        _ => Unit::Steps,
    };
    terminal.begin(done, total, unit);
    context.interrupt.steps_begin();
    let used = folder.used();
    quiet_logger(settings, capture, folder, label).on_written(move |step, title| {
        written(step);
        used.store(true, Ordering::Relaxed);
        done += 1;
        terminal.reached(done, title);
    })
}

/// The same without a word on the terminal.
pub(crate) fn quiet_logger(
    settings: &RunSettings,
    capture: &Capture,
    folder: &RunFolder,
    label: impl FnOnce() -> String + Send + 'static,
) -> Builder {
    let preprocess = settings.input.preprocess().for_network(capture.is_gray);
    let numbers = capture.device.numbers();
    let numbers = numbers.map_or_else(String::new, |numbers| format!("* computed in {numbers}\n"));
    let about = move || format!("* input: {preprocess}\n* weights: {}\n{numbers}", label());
    let builder = FeatureLogger::builder(folder.path())
        .style(settings.pictures.style())
        .render_on(settings.compute.render)
        .bgr(preprocess.is_bgr())
        .about(about)
        .timings(settings.output.timings);
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

/// As much of a network as is shown, and where it stands.
pub(crate) fn shown_part(capture: &Capture) -> (Extent, Placement<'_>) {
    let extent = Extent::Features {
        deepest: capture.deepest(),
    };
    let place = Placement {
        device: &capture.device.device,
        kernels: kernel_layout(&capture.device, 1),
    };
    (extent, place)
}

/// The resolved configuration for TensorBoard's Text tab: four spaces make a code block in every dialect
/// of Markdown.
pub(crate) fn as_markdown(toml: &str) -> String {
    toml.lines()
        .fold(String::new(), |text, line| text + "    " + line + "\n")
}

/// Steps that a command was given, as it came to its end.
pub(crate) struct Steps {
    /// Written by an earlier process.
    pub(crate) earlier: u64,
    /// That this process should have written, but for those that were skipped.
    pub(crate) due: u64,
    /// What a step is of.
    pub(crate) of: &'static str,
}

impl Steps {
    /// Those that were written before, and all; 0 where further ones may come.
    pub(crate) fn counts(&self, is_open: bool) -> (u64, u64) {
        let all = if is_open { 0 } else { self.earlier + self.due };
        (self.earlier, all)
    }
}

/// Waits for the last step and says what the run came to. What ended the run early, if anything, comes
/// second: without a writer nothing else can go on.
pub(crate) fn conclude(
    logger: FeatureLogger,
    ended: Result<(), RunError>,
    output: &OutputSettings,
    steps: &Steps,
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
    let interrupted = context.interrupt.signal();
    if interrupted.is_none() {
        if outcome.steps + steps.earlier == 0 && !skipped.is_empty() {
            return Err(RunError::NothingLeft {
                count: skipped.len(),
                what: steps.of,
                first: skipped.into_iter().next().unwrap_or_default(),
            });
        }
        if outcome.steps < steps.due {
            return Err(RunError::StepsMissing {
                folder: output.run_folder(),
                written: outcome.steps,
                due: steps.due,
            });
        }
    }
    Ok(Report {
        run_folder: output.run_folder(),
        logdir: output.logdir.clone(),
        whole: 0,
        earlier_steps: steps.earlier,
        timings: output.timings.then(|| {
            let table = outcome.timings.table(outcome.steps);
            format!("{table}\n{}", traffic().table(outcome.steps))
        }),
        logged: outcome,
        skipped,
        notes: Vec::new(),
        interrupted,
    })
}
