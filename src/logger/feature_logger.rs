//! The logger: its settings, its steps, its end.

use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, LazyLock};
use std::thread::JoinHandle;

use super::channels::Channels;
use super::describe::{Describer, LazyText};
use super::error::LoggerError;
use super::queue::Queue;
use super::ranges::Ranges;
use super::references::{Against, References};
use super::renderer::{RenderOn, Renderer};
use super::step::{Past, Step};
use super::writer::{self, Job, Logged, OnWritten, PendingStep};
use burn::tensor::Tensor;

use feature_grid::{Colormap, Range, Style};
use tensorboard_events::{EventFile, Graph};

/// Writes a TensorBoard run, a step at a time.
///
/// ```
/// # use burn::tensor::{Device, Distribution, Tensor};
/// # let runs = tempfile::tempdir()?;
/// # let folder = runs.path().join("mine");
/// use vggscope::logger::FeatureLogger;
/// use feature_grid::Range;
///
/// let mut logger = FeatureLogger::builder(&folder).range(Range::Layer).max_maps(64).create()?;
/// for n in 0..3 {
///     let maps = Tensor::<4>::random([1, 8, 16, 16], Distribution::Default, &Device::flex());
///     let mut step = logger.step(n)?; // waits while the queue is full
///     step.feature_maps("feature_maps/conv1", maps)?;
///     step.scalar("train/loss", 0.5);
///     step.finish();
/// }
/// let logged = logger.finish()?; // the writer's errors come out here
/// assert_eq!(logged.steps, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FeatureLogger {
    /// `None` once the writer has stopped.
    queue: Option<Queue<Job>>,
    thread: Option<JoinHandle<Result<Logged, LoggerError>>>,
    renderer: Arc<Renderer>,
    png: Option<PathBuf>,
    past: Past,
}

impl FeatureLogger {
    /// A logger for the run in `folder`, usually a folder in the one that TensorBoard is given.
    pub fn builder(folder: impl Into<PathBuf>) -> Builder {
        Builder::new(folder.into())
    }

    /// Sets what the description of `tag` begins with in TensorBoard. Only a tag's first value carries
    /// its description.
    pub fn describe(&mut self, tag: impl Into<String>, heading: impl Into<String>) {
        self.renderer
            .describer
            .set_heading(tag.into(), heading.into());
    }

    /// Opens step `number`, waiting while the writer is behind. Steps are written in the order in which
    /// they are opened; the numbers of a tag must rise.
    ///
    /// # Errors
    ///
    /// The writer has stopped, with the reason.
    pub fn step(&mut self, number: i64) -> Result<Step<'_>, LoggerError> {
        self.open(number, true)
    }

    /// Opens the last step once more, for what is known only after it.
    ///
    /// # Errors
    ///
    /// The writer has stopped, with the reason.
    pub(crate) fn after_step(&mut self, number: i64) -> Result<Step<'_>, LoggerError> {
        self.open(number, false)
    }

    /// The feature maps, or kernels, that those of `tag` are compared with; the tag is that of the maps.
    ///
    /// [`Against::Given`] stands for these at every step. The first step and the step before need be handed over
    /// only where they were logged by an earlier process, which this one resumes.
    pub fn reference(&mut self, tag: impl Into<String>, maps: Tensor<4>, as_what: Against) {
        self.past.references.set(tag.into(), maps, as_what);
    }

    fn open(&mut self, number: i64, counted: bool) -> Result<Step<'_>, LoggerError> {
        let (parts, received) = channel();
        let pending = PendingStep {
            step: number,
            parts: received,
        };
        let step = Job::Step(pending);
        let (size, free) = (self.past.size, self.past.free_memory());
        let sent = (self.queue.as_mut()).is_some_and(|queue| {
            queue.measure(size, free);
            queue.send_step(step)
        });
        if !sent {
            return Err(self.stop_error());
        }
        Ok(Step::new(
            number,
            parts,
            Arc::clone(&self.renderer),
            self.png.clone(),
            &mut self.past,
            counted,
        ))
    }

    /// Waits until every finished step is in the event file, and that on the disk.
    ///
    /// # Errors
    ///
    /// The writer has stopped, with the reason.
    pub fn flush(&mut self) -> Result<(), LoggerError> {
        let (sender, done) = channel();
        let flushed = self
            .queue
            .as_ref()
            .is_some_and(|queue| queue.send(Job::Flush(sender)) && done.recv().is_ok());
        if flushed {
            return Ok(());
        }
        Err(self.stop_error())
    }

    /// Waits until everything is written and closes the event file.
    ///
    /// # Errors
    ///
    /// A step could not be rendered or written; those before it are whole.
    pub fn finish(mut self) -> Result<Logged, LoggerError> {
        self.queue = None;
        self.join().unwrap_or(Err(LoggerError::Stopped))
    }

    /// Why the writer has stopped.
    fn stop_error(&mut self) -> LoggerError {
        self.queue = None;
        match self.join() {
            Some(Err(error)) => error,
            _ => LoggerError::Stopped,
        }
    }

    fn join(&mut self) -> Option<Result<Logged, LoggerError>> {
        let ended = self.thread.take()?.join();
        Some(ended.unwrap_or(Err(LoggerError::Stopped)))
    }
}

impl Drop for FeatureLogger {
    /// Waits until everything is written. Errors are lost here: call [`finish`](Self::finish).
    fn drop(&mut self) {
        self.queue = None;
        self.join();
    }
}

/// What the event files are of.
#[derive(Debug, Clone, Copy)]
enum Target {
    Run,
    Part,
    Supplement { last: i64 },
}

/// Kernels are 3 pixels wide; enlarged to this they can be seen.
const KERNEL_TILE: u32 = 24;

/// Sets up a [`FeatureLogger`].
#[must_use]
pub struct Builder {
    folder: PathBuf,
    style: Style,
    ranges: Ranges,
    channels: Channels,
    compare: bool,
    changes: Option<Against>,
    bgr: bool,
    render_on: RenderOn,
    png: Option<PathBuf>,
    about: LazyText,
    timings: bool,
    resume_from: Option<i64>,
    target: Target,
    graph: Option<Graph>,
    on_written: OnWritten,
}

impl Builder {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            style: Style::default(),
            ranges: Ranges::default(),
            channels: Channels::default(),
            compare: false,
            changes: None,
            bgr: false,
            render_on: RenderOn::Auto,
            png: None,
            about: LazyLock::new(Box::new(String::new)),
            timings: false,
            resume_from: None,
            target: Target::Run,
            graph: None,
            on_written: Box::new(|_, _| ()),
        }
    }

    /// What black and white stand for; [`Range::Map`] without this call.
    pub fn range(mut self, range: Range) -> Self {
        self.style.range = range;
        self
    }

    /// The most maps of a layer to show; all without this call.
    pub fn max_maps(mut self, most: usize) -> Self {
        self.style.max_maps = Some(most);
        self
    }

    /// Enlarges maps smaller than this by a whole factor. Units: pixels.
    pub fn min_tile(mut self, side: u32) -> Self {
        self.style.min_tile = Some(side);
        self
    }

    /// The colors; gray without this call.
    pub fn colormap(mut self, colormap: Colormap) -> Self {
        self.style.colormap = colormap;
        self
    }

    /// All of the above.
    pub fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// The range of each layer at every step, in place of [`range`](Self::range); that of its changes is filed
    /// under `change/LAYER`. The layer is the tag without a leading `feature_maps/`.
    pub fn ranges(mut self, ranges: Ranges) -> Self {
        self.ranges = ranges;
        self
    }

    /// The channels of each layer to show, in place of the first ones.
    pub fn channels(mut self, channels: Channels) -> Self {
        self.channels = channels;
        self
    }

    /// Also writes how alike the feature maps of a layer are to those of the first step and of the step
    /// before, as scalars: `similarity/LAYER/cosine_to_first`, `distance_to_first` (the Euclidean norm of the
    /// difference, divided by that of the earlier maps), `cosine_to_previous` and `distance_to_previous`. The
    /// maps of two steps are kept for that.
    pub fn compare(mut self, compare: bool) -> Self {
        self.compare = compare;
        self
    }

    /// Also writes the change of maps and kernels as pictures, `change/LAYER`: this step minus another.
    pub fn changes(mut self, against: Against) -> Self {
        self.changes = Some(against);
        self
    }

    /// The network takes its input channels as blue, green, red: kernels are shown with them reversed.
    pub fn bgr(mut self, bgr: bool) -> Self {
        self.bgr = bgr;
        self
    }

    /// Where maps become grids; by default where that is fastest. The grids are the same.
    pub fn render_on(mut self, place: RenderOn) -> Self {
        self.render_on = place;
        self
    }

    /// Also writes every grid and every single map as a PNG file into this folder.
    pub fn png(mut self, folder: impl Into<PathBuf>) -> Self {
        self.png = Some(folder.into());
        self
    }

    /// Markdown that ends the description of every image, for example which weights it comes from.
    /// Worked out when it is first needed, on a rendering thread.
    pub fn about(mut self, text: impl FnOnce() -> String + Send + 'static) -> Self {
        self.about = LazyLock::new(Box::new(text));
        self
    }

    /// Also writes where each step's time went, as scalars under `timings/`.
    pub fn timings(mut self, write: bool) -> Self {
        self.timings = write;
        self
    }

    /// Resumes the run in the folder: its event files are truncated before this step, and a new one
    /// follows them.
    pub fn resume_from(mut self, step: i64) -> Self {
        self.resume_from = Some(step);
        self
    }

    /// The network for TensorBoard's Graphs tab. A run has one graph: the first that was written stays.
    pub fn graph(mut self, graph: Graph) -> Self {
        self.graph = Some(graph);
        self
    }

    /// Writes event files that TensorBoard does not see before they are [published](tensorboard_events::publish): the
    /// folder is that of a part of a run.
    pub fn part(mut self) -> Self {
        self.target = Target::Part;
        self
    }

    /// The same for tags that no other part has, behind all parts, of which `last` is the last step.
    pub(crate) fn supplement(mut self, last: i64) -> Self {
        self.target = Target::Supplement { last };
        self
    }

    /// Calls this with the number and title of each step once it is in the file, on the writing thread.
    pub fn on_written(mut self, call: impl FnMut(i64, &str) + Send + 'static) -> Self {
        self.on_written = Box::new(call);
        self
    }

    /// Makes the folder where it is missing, creates an event file in it, and starts the writer.
    ///
    /// # Errors
    ///
    /// The folder or the file cannot be made; with [`resume_from`](Self::resume_from), the earlier event
    /// files cannot be truncated; the graph cannot be drawn.
    pub fn create(self) -> Result<FeatureLogger, LoggerError> {
        let folder = &self.folder;
        let mut events = match (self.target, self.resume_from) {
            (Target::Run, None) => EventFile::create(folder)?,
            (Target::Run, Some(step)) => EventFile::resume(folder, step)?,
            (Target::Part, step) => EventFile::resume_part(folder, step.unwrap_or(i64::MIN))?,
            (Target::Supplement { last }, _) => EventFile::supplement(folder, last)?,
        };
        if let Some(graph) = &self.graph {
            events.write_graph(graph)?;
        }
        let (queue, thread) = writer::start(events, self.on_written, self.timings);
        Ok(FeatureLogger {
            queue: Some(queue),
            thread: Some(thread),
            renderer: Arc::new(Renderer {
                maps: self.style,
                kernels: Style {
                    max_maps: None,
                    min_tile: Some(KERNEL_TILE),
                    ..self.style
                },
                ranges: self.ranges,
                channels: self.channels,
                bgr: self.bgr,
                describer: Describer::new(self.about),
                on: self.render_on,
            }),
            png: self.png,
            past: Past::new(References::new(self.compare, self.changes)),
        })
    }
}
