//! What all commands that write a run do at its beginning and at its end.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::context::Context;
use super::error::RunError;
use super::report::Report;
use super::run_folder::RunFolder;
use crate::commands::terminal::Unit;
use crate::device::{DeviceChoice, DeviceError, OpenDevice, Precision, traffic};
use crate::logger::{Builder, FeatureLogger, RenderOn};
use crate::network::vgg::{Extent, Kernels, Placement};
use crate::network::{Architecture, ForwardPass, select};
use crate::settings::{ComputeSettings, OutputSettings, RunSettings};

/// Opens the devices that were asked for.
pub(crate) fn open_devices(
    settings: &ComputeSettings,
    context: &Context,
) -> Result<Vec<OpenDevice>, RunError> {
    let open = |choice: &DeviceChoice| {
        let device = OpenDevice::open(*choice)?;
        let device = device.computing_in(Precision::of(settings.dtype, settings.tf32));
        if settings.render == RenderOn::Device && !device.draws() {
            return Err(DeviceError::DrawsNot(device.kind));
        }
        Ok(device)
    };
    let chosen = std::iter::once(&settings.device.first).chain(&settings.device.others);
    let devices = chosen.map(open).collect::<Result<Vec<_>, _>>()?;
    if settings.tf32 && !devices.iter().any(OpenDevice::is_cuda) {
        let terminal = &context.terminal;
        terminal.note("--tf32 changes nothing: no device of this run is an NVIDIA GPU");
    }
    Ok(devices)
}

/// Selects the layers to show, checking that the crop reaches them. Devices but the first one share batches of images.
pub(crate) fn open_pass(
    settings: &RunSettings,
    architecture: Arc<dyn Architecture>,
    devices: Vec<OpenDevice>,
) -> Result<ForwardPass, RunError> {
    let wanted = select(&*architecture, &settings.network.layers)?;
    let pass = ForwardPass {
        devices,
        architecture,
        wanted,
        kernels: !settings.pictures.no_kernels,
    };
    if let Some(side) = settings.input.preprocess().crop {
        pass.check_size([side.get() as usize; 2])?;
    }
    Ok(pass)
}

/// A logger for the run in `folder`, which reports each of its `total` steps (0 if nobody knows), of which `done` were written
/// before, on the terminal. `label` says which weights it shows; `written` gets each step that is in the event file.
pub(crate) fn logger(
    settings: &RunSettings,
    pass: &ForwardPass,
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
    quiet_logger(settings, pass, folder, label).on_written(move |step, title| {
        written(step);
        used.store(true, Ordering::Relaxed);
        done += 1;
        terminal.reached(done, title);
    })
}

/// The same without a word on the terminal.
pub(crate) fn quiet_logger(
    settings: &RunSettings,
    pass: &ForwardPass,
    folder: &RunFolder,
    label: impl FnOnce() -> String + Send + 'static,
) -> Builder {
    let preprocess = settings.input.preprocess().for_network(pass.is_gray());
    let numbers = pass.device().numbers();
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
pub(crate) fn shown_part(pass: &ForwardPass) -> (Extent, Placement<'_>) {
    let extent = Extent::Features {
        deepest: pass.deepest(),
    };
    let place = Placement {
        device: &pass.device().device,
        kernels: kernel_layout(pass.device(), 1),
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
