//! The logger: its settings, its steps, its end.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::channels::Channels;
use super::comparison::{Against, References};
use super::describe::Describer;
use super::error::LoggerError;
use super::grid_style::{Options, RenderOn};
use super::queue::Queue;
use super::ranges::Ranges;
use super::renderer::{Renderer, threads};
use super::writer::{self, Logged, OnDurable, OnWritten, Order};
use crate::tags::Scalars;
use burn::tensor::Tensor;

use feature_grid::{Range, Style};
use tensorboard_events::{EventFile, Graph, Position};

/// Writes a TensorBoard run, a step at a time.
///
/// ```
/// # use burn::tensor::{Device, Distribution, Tensor};
/// # let runs = tempfile::tempdir()?;
/// # let folder = runs.path().join("mine");
/// use vggscope::logger::FeatureLogger;
/// use feature_grid::Range;
///
/// let logger = FeatureLogger::builder(&folder).range(Range::Layer).max_maps(64).create()?;
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
///
/// # Threads
///
/// [`step`](Self::step), [`flush`](Self::flush), [`finish`](Self::finish) and dropping the logger wait for its own
/// threads only: the one that writes, and those that render, which all loggers of the process share. They may be
/// called from any thread, rayon's too, by as many loggers at once as there are threads. A logger has one step at a
/// time, whichever thread opens it; while it is open, `step` and `flush` return [`LoggerError::StepOpen`].
pub struct FeatureLogger {
    pub(super) renderer: Arc<Renderer>,
    pub(super) png: Option<PathBuf>,
    /// `None` while a step is open, which has it.
    past: Mutex<Option<Past>>,
}

/// What passes from one step to the next.
#[derive(Default)]
pub(super) struct Past {
    /// `None` once the writer has stopped.
    pub(super) writing: Option<Writing>,
    pub(super) described: HashSet<String>,
    pub(super) references: References,
}

pub(super) struct Writing {
    pub(super) queue: Queue<Order>,
    thread: JoinHandle<Result<Logged, LoggerError>>,
}

impl Past {
    /// Waits until everything is written.
    fn end(&mut self) -> Result<Logged, LoggerError> {
        let Writing { queue, thread } = self.writing.take().ok_or(LoggerError::Stopped)?;
        drop(queue);
        thread.join().unwrap_or(Err(LoggerError::Stopped))
    }

    pub(super) fn stop_error(&mut self) -> LoggerError {
        self.end().err().unwrap_or(LoggerError::Stopped)
    }
}

impl Drop for Past {
    fn drop(&mut self) {
        // As documented, dropping loses errors.
        let _ = self.end();
    }
}

impl FeatureLogger {
    /// A logger for the run in `folder`, usually a folder in the one that TensorBoard is given.
    ///
    /// A logger that is dropped without [`finish`](Self::finish) waits until everything is written, and loses errors.
    pub fn builder(folder: impl Into<PathBuf>) -> Builder {
        Builder {
            folder: folder.into(),
            ..Builder::default()
        }
    }

    /// Sets what the description of `tag` begins with in TensorBoard. Only a tag's first value carries
    /// its description.
    pub fn describe(&self, tag: impl Into<String>, heading: impl Into<String>) {
        self.renderer
            .describer
            .set_heading(tag.into(), heading.into());
    }

    /// The feature maps that those of `tag` are compared with; the tag is that of the maps.
    ///
    /// [`Against::Given`] stands for these at every step. The first step and the step before need be handed over
    /// only where they were logged by an earlier process, which this one resumes.
    pub fn reference(&mut self, tag: impl Into<String>, maps: Tensor<4>, as_what: Against) {
        if let Some(past) = &mut *self.past() {
            past.references.set(tag.into(), maps, as_what);
        }
    }

    /// Waits until every finished step is in the event file, and that on the disk.
    ///
    /// # Errors
    ///
    /// The writer has stopped, with the reason; a step is open.
    pub fn flush(&self) -> Result<(), LoggerError> {
        let mut past = self.past().take().ok_or(LoggerError::StepOpen)?;
        let (sender, done) = channel();
        let writing = past.writing.as_ref();
        let is_asked = writing.is_some_and(|writing| writing.queue.send(Order::Flush(sender)));
        let flushed = if is_asked && done.recv().is_ok() {
            Ok(())
        } else {
            Err(past.stop_error())
        };
        self.give_back(past);
        flushed
    }

    /// Waits until everything is written and closes the event file.
    ///
    /// # Errors
    ///
    /// A step could not be rendered or written; those before it are whole.
    pub fn finish(self) -> Result<Logged, LoggerError> {
        let past = self.past().take();
        past.ok_or(LoggerError::StepOpen)?.end()
    }

    pub(super) fn give_back(&self, past: Past) {
        *self.past() = Some(past);
    }

    pub(super) fn past(&self) -> MutexGuard<'_, Option<Past>> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets up a [`FeatureLogger`].
#[must_use]
#[derive(Default)]
pub struct Builder {
    folder: PathBuf,
    options: Options,
    compare: bool,
    changes: Option<Against>,
    png: Option<PathBuf>,
    about: Option<Box<dyn FnOnce() -> String + Send>>,
    scalars: Scalars,
    timings: bool,
    resume_from: Option<i64>,
    behind: Option<Position>,
    events: Option<EventFile>,
    graph: Option<Graph>,
    on_written: Option<OnWritten>,
    on_durable: Option<OnDurable>,
}

impl Builder {
    /// What black and white stand for; [`Range::Map`] without this call.
    pub fn range(mut self, range: Range) -> Self {
        self.options.style.range = range;
        self
    }

    /// The most maps of a layer to show; all without this call.
    pub fn max_maps(mut self, most: usize) -> Self {
        self.options.style.max_maps = Some(most);
        self
    }

    /// These and how maps are colored and enlarged.
    pub fn style(mut self, style: Style) -> Self {
        self.options.style = style;
        self
    }

    /// The range of each layer at every step, in place of [`range`](Self::range); that of its changes is filed
    /// under `change/LAYER`. The layer is the tag without a leading `feature_maps/`.
    pub fn ranges(mut self, ranges: Ranges) -> Self {
        self.options.ranges = ranges;
        self
    }

    /// The channels of each layer to show, in place of the first ones.
    pub fn channels(mut self, channels: Channels) -> Self {
        self.options.channels = channels;
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

    /// Also writes the change of maps as pictures, `change/LAYER`: this step minus another.
    pub fn changes(mut self, against: Against) -> Self {
        self.changes = Some(against);
        self
    }

    /// The network takes its input channels as blue, green, red: kernels are shown with them reversed.
    pub fn bgr(mut self, bgr: bool) -> Self {
        self.options.bgr = bgr;
        self
    }

    /// Where maps become grids, which are the same everywhere.
    pub(crate) fn render_on(mut self, place: RenderOn) -> Self {
        self.options.on = place;
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
        self.about = Some(Box::new(text));
        self
    }

    pub(crate) fn scalars(mut self, scalars: Scalars) -> Self {
        self.scalars = scalars;
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

    /// Together with [`resume_from`](Self::resume_from): nothing behind this place stays, at whatever step it is.
    pub(crate) fn resume_behind(mut self, last: Position) -> Self {
        self.behind = Some(last);
        self
    }

    /// Writes this event file instead of a new one in the folder.
    pub(crate) fn events(mut self, file: EventFile) -> Self {
        self.events = Some(file);
        self
    }

    /// The network for TensorBoard's Graphs tab. A run has one graph: the first that was written stays.
    pub fn graph(mut self, graph: Graph) -> Self {
        self.graph = Some(graph);
        self
    }

    /// Calls this with the number and title of each step once it is in the file, on the writing thread.
    pub fn on_written(mut self, call: impl FnMut(i64, &str) + Send + 'static) -> Self {
        self.on_written = Some(Box::new(call));
        self
    }

    /// With each step's number and the place behind it, once it is on the disk, after a second at most.
    pub(crate) fn on_durable(mut self, call: impl FnMut(i64, Position) + Send + 'static) -> Self {
        self.on_durable = Some(Box::new(call));
        self
    }

    /// Makes the folder where it is missing, creates an event file in it, and starts the writer.
    ///
    /// # Errors
    ///
    /// The folder or the file cannot be made; with [`resume_from`](Self::resume_from), the earlier event
    /// files cannot be truncated; the graph cannot be drawn; the system has no threads left.
    pub fn create(self) -> Result<FeatureLogger, LoggerError> {
        let threads = threads()?;
        let mut events = match (self.events, self.resume_from) {
            (Some(events), _) => events,
            (None, Some(step)) => match &self.behind {
                Some(last) => EventFile::resume_behind(&self.folder, last, step)?,
                None => EventFile::resume(&self.folder, step)?,
            },
            (None, None) => EventFile::create(&self.folder)?,
        };
        if let Some(graph) = &self.graph {
            events.write_graph(graph)?;
        }
        let (queue, thread) = writer::start(
            events,
            self.on_written,
            self.on_durable,
            self.scalars,
            self.timings,
        );
        let past = Past {
            writing: Some(Writing { queue, thread }),
            described: HashSet::new(),
            references: References {
                measured: self.compare,
                pictured: self.changes,
                ..References::default()
            },
        };
        let about = self.about.unwrap_or_else(|| Box::new(String::new));
        Ok(FeatureLogger {
            renderer: Arc::new(Renderer {
                threads,
                options: self.options,
                describer: Describer {
                    headings: Mutex::default(),
                    about: LazyLock::new(about),
                },
            }),
            png: self.png,
            past: Mutex::new(Some(past)),
        })
    }
}
