//! What a command has besides its settings, and everything that a run has.

use std::path::PathBuf;
use std::sync::Arc;

use super::error::{CommandError, RunError};
use super::report::Report;
use crate::analysis::probe::{ImageLoader, ProbeImages};
use crate::analysis::{ComparisonImages, Features};
use crate::commands::remedy::explain;
use crate::commands::terminal::{Terminal, Unit};
use crate::data::list::{ImageFile, list_images};
use crate::data::notes::InputNotes;
use crate::data::on_error::OnError;
use crate::data::transform::Preprocess;
use crate::device::{OpenDevice, traffic};
use crate::interrupt::Interrupt;
use crate::logger::{Builder, FeatureLogger, LoggerError, RenderOn};
use crate::network::{Architecture, ForwardPass, Kernels, Placement, select};
use crate::settings::{CompareBy, ComparisonSettings, FolderSettings, RunSettings};
use crate::state::{RunFolder, StateError};

/// What a command has besides its settings.
pub(crate) struct Context {
    pub(crate) terminal: Arc<Terminal>,
    pub(crate) interrupt: Interrupt,
}

impl Context {
    pub(crate) fn quiet(&self) -> Self {
        Self {
            terminal: Arc::new(Terminal::new(true)),
            interrupt: self.interrupt.clone(),
        }
    }
}

/// The folder of a new run: the one that `output` names, or one that is named by `command` and the time.
pub(crate) fn reserve(
    output: &mut FolderSettings,
    command: &str,
    context: &Context,
) -> Result<RunFolder, StateError> {
    if output.run.is_some() {
        return RunFolder::reserve(output.run_folder(), &context.interrupt);
    }
    let folder = RunFolder::reserve_new(&output.logdir, command, &context.interrupt)?;
    output.run = folder.path().file_name().map(PathBuf::from);
    Ok(folder)
}

/// Everything that a run of a network has.
pub(crate) struct RunContext<'a> {
    pub(crate) context: &'a Context,
    pub(crate) settings: &'a RunSettings,
    pub(crate) folder: RunFolder,
    pub(crate) pass: ForwardPass,
    pub(crate) preprocess: Preprocess,
    /// What there is to say of the images.
    pub(crate) notes: InputNotes,
    /// What was left out, each with its reason.
    pub(crate) skipped: Vec<String>,
}

impl<'a> RunContext<'a> {
    /// Selects the layers to show of a network, checking that the crop reaches them.
    pub(crate) fn new(
        settings: &'a RunSettings,
        folder: RunFolder,
        devices: Vec<OpenDevice>,
        architecture: Arc<dyn Architecture>,
        notes: InputNotes,
        context: &'a Context,
    ) -> Result<Self, RunError> {
        if !folder.is_locked() {
            context.terminal.note(&format!(
                "the file system of {} has no locks: no other process may log to it",
                folder.path().display()
            ));
        }
        let wanted = select(&*architecture, &settings.network.layers)?;
        let mut pass = ForwardPass {
            devices,
            architecture,
            wanted,
            kernels: !settings.pictures.no_kernels,
            batch: settings.compute.batch.map_or(1, usize::from),
        };
        let preprocess = settings.input.preprocess().for_network(pass.is_gray());
        if let (Some(side), Some(crop)) = (preprocess.resize, preprocess.crop)
            && side < crop.shorter_side()
        {
            let ([height, width], fills) = (crop.sides(), crop.shorter_side());
            context.terminal.note(&format!(
                "images are {side} pixels on the shorter side, and padded with black to the crop of {height} x {width}: \
                 --resize {fills} or more fills it"
            ));
        }
        if let Some(crop) = preprocess.crop {
            let size = crop.sides();
            pass.check_size(size)?;
            if settings.compute.batch.is_none() {
                pass.batch = pass.images_at_once(size);
            }
        }
        Ok(Self {
            context,
            settings,
            folder,
            pass,
            preprocess,
            notes,
            skipped: Vec::new(),
        })
    }

    fn loader(&mut self) -> ImageLoader<'_> {
        ImageLoader {
            preprocess: self.preprocess,
            on_error: self.settings.output.on_error,
            pass: &self.pass,
            notes: &self.notes,
            skipped: &mut self.skipped,
            explain,
        }
    }

    pub(crate) fn probes(&mut self, files: &[ImageFile]) -> Result<ProbeImages, RunError> {
        let batch = self.pass.batch;
        Ok(ProbeImages::load(files, batch, &mut self.loader())?)
    }

    /// The comparison images, if there are any.
    pub(crate) fn comparison_images(
        &mut self,
        comparison: &ComparisonSettings,
        probes: &ProbeImages,
    ) -> Result<Option<ComparisonImages>, RunError> {
        if comparison.compare_images.is_empty() {
            return Ok(None);
        }
        let files = list_images(&comparison.compare_images, &self.notes)?;
        let features = match comparison.compare {
            CompareBy::MeanPooled => Features::MeanPooled,
            CompareBy::Flattened | CompareBy::Off => Features::Flattened,
        };
        let images = ComparisonImages::load(files, features, probes, &mut self.loader())?;
        Ok(Some(images))
    }

    /// A logger for the run's folder, which says nothing on the terminal. `label` says which weights it shows.
    pub(crate) fn quiet_logger(&self, label: impl FnOnce() -> String + Send + 'static) -> Builder {
        let (settings, preprocess) = (self.settings, self.preprocess);
        let numbers = self.pass.device().numbers();
        let numbers =
            numbers.map_or_else(String::new, |numbers| format!("* computed in {numbers}\n"));
        let about = move || format!("* input: {preprocess}\n* weights: {}\n{numbers}", label());
        let builder = FeatureLogger::builder(self.folder.path())
            .style(settings.pictures.style())
            .render_on(render_place().unwrap_or_default())
            .bgr(preprocess.is_bgr())
            .about(about)
            .scalars(settings.output.scalars)
            .timings(settings.output.timings);
        match &settings.output.png {
            Some(folder) => builder.png(folder),
            None => builder,
        }
    }

    pub(crate) fn logger(
        &self,
        label: impl FnOnce() -> String + Send + 'static,
        steps: &Steps,
    ) -> Builder {
        let on_written = report_steps(&self.folder, steps, self.context);
        self.quiet_logger(label).on_written(on_written)
    }

    /// Leaves an image out where that is asked for; else its error ends the run.
    pub(crate) fn skip(&mut self, error: RunError) -> Result<(), RunError> {
        match self.settings.output.on_error {
            OnError::Skip => self.skipped.push(explain(&*error)),
            OnError::Stop => return Err(error),
        }
        Ok(())
    }

    pub(crate) fn conclude(
        self,
        logger: FeatureLogger,
        ended: Result<(), RunError>,
        steps: &Steps,
    ) -> Result<Report, RunError> {
        let output = &self.settings.output;
        let run_folder = self.folder.path().to_owned();
        let folder = &output.folder;
        let report = conclude(logger, ended, folder, steps, self.skipped, self.context)?;
        let timings = output.timings.then(|| {
            let steps = report.logged.steps;
            let table = report.logged.timings.table(steps);
            format!("{table}\n{}", traffic(steps))
        });
        Ok(Report {
            run_folder,
            timings,
            ..report.with(self.notes.lines())
        })
    }
}

/// Where feature maps become grids. Tests set it to compare the two places, which give the same grids.
pub(super) fn render_place() -> Result<RenderOn, CommandError> {
    match std::env::var("VGGSCOPE_RENDER").as_deref() {
        Err(_) | Ok("auto") => Ok(RenderOn::Auto),
        Ok("device") => Ok(RenderOn::Device),
        Ok("host") => Ok(RenderOn::Host),
        Ok(other) => Err(CommandError::failed(format!(
            "VGGSCOPE_RENDER is {other:?}, expected auto, device or host"
        ))),
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

/// Where a network is put so that `images` go through it.
pub(crate) fn placement(pass: &ForwardPass, images: usize) -> Placement<'_> {
    Placement {
        device: &pass.device().device,
        kernels: kernel_layout(pass.device(), images),
    }
}

/// Steps that a command was given, as it came to its end.
pub(crate) struct Steps {
    /// Written by an earlier process.
    pub(crate) earlier: u64,
    /// That this process should have written, but for those that were skipped.
    pub(crate) due: u64,
    pub(crate) of: &'static str,
    pub(crate) is_open: bool,
}

impl Steps {
    pub(crate) fn all(count: u64, of: &'static str) -> Self {
        Self {
            earlier: 0,
            due: count,
            of,
            is_open: false,
        }
    }
}

pub(crate) fn report_steps(
    folder: &RunFolder,
    steps: &Steps,
    context: &Context,
) -> impl FnMut(i64, &str) + Send + 'static {
    let terminal = Arc::clone(&context.terminal);
    let (mut done, used) = (steps.earlier, folder.used());
    let (total, unit) = if steps.is_open {
        (0, Unit::OpenSteps)
    } else {
        (steps.earlier + steps.due, Unit::Steps)
    };
    terminal.begin(done, total, unit);
    context.interrupt.steps_begin();
    move |_, title| {
        used();
        done += 1;
        terminal.reached(done, title);
    }
}

/// Waits for the last step and says what the run came to. What ended the run early, if anything, comes
/// second: without a writer nothing else can go on.
pub(crate) fn conclude(
    logger: FeatureLogger,
    ended: Result<(), RunError>,
    output: &FolderSettings,
    steps: &Steps,
    skipped: Vec<String>,
    context: &Context,
) -> Result<Report, RunError> {
    let finished = logger.finish();
    context.terminal.end();
    let outcome = match (finished, ended) {
        // The step that failed met the writer's error first.
        (Err(LoggerError::Stopped), Err(error)) => return Err(error),
        (finished, ended) => {
            let written = finished?;
            ended?;
            written
        }
    };
    let interrupted = context.interrupt.signal();
    if interrupted.is_none() {
        if outcome.steps + steps.earlier == 0 && !skipped.is_empty() {
            return Err(CommandError::nothing_left(skipped.len(), steps.of, &skipped[0]).into());
        }
        if outcome.steps < steps.due {
            return Err(CommandError::failed(format!(
                "{} has {} of {} steps, and no error was reported: please report it with the command you ran",
                output.run_folder().display(),
                outcome.steps,
                steps.due
            ))
            .into());
        }
    }
    Ok(Report {
        run_folder: output.run_folder(),
        logdir: output.logdir.clone(),
        earlier_steps: steps.earlier,
        logged: outcome,
        skipped,
        interrupted,
        ..Report::default()
    })
}

/// The resolved configuration for TensorBoard's Text tab: four spaces make a code block in every dialect
/// of Markdown.
pub(crate) fn as_markdown(toml: &str) -> String {
    toml.lines()
        .fold(String::new(), |text, line| text + "    " + line + "\n")
}
