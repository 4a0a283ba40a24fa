//! One event file being written: whole steps, strictly upwards, errors returned.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::graph::{Graph, GraphError};
use super::lock::lock;
use super::read::ReadError;
use super::resume::Earlier;
use super::series::{SeriesBook, StepError};
use super::sink::EventSink;
use super::summary::Summary;
use super::{event, run_folder};

/// TensorBoard's graphs have a step too.
const GRAPH_STEP: i64 = 0;

/// Why a step was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventFileError {
    /// The folder of the run could not be made. Choose another.
    #[error(
        "cannot make the run folder `{}`; see that its parent can be written to, or choose another with --logdir or --run",
        path.display()
    )]
    CreateFolder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The event files that the run has already could not be found.
    #[error("cannot list the run folder `{}`; see that it can be read", path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An event file that the run has already could not be opened.
    #[error(
        "cannot continue the run: `{}` cannot be opened; see that it is there and can be read and written to",
        path.display()
    )]
    OpenEarlier {
        /// The event file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process writes to an event file of the run, so it is not cut.
    #[error(
        "`{}` is still being written by another process; end that first, or choose another --run",
        path.display()
    )]
    Busy {
        /// The event file.
        path: PathBuf,
    },
    /// An event file that the run has already could not be read.
    #[error("cannot continue the run")]
    Earlier(#[source] ReadError),
    /// A file that is called like an event file is none, so it is not cut.
    #[error("cannot continue the run; move the file away, or go on in a new run (--run)")]
    Foreign(#[source] ReadError),
    /// An event file that the run has already could not be cut. Those after it may have been.
    #[error(
        "cannot continue the run: `{}` cannot be cut back to its first {length} bytes, which come before the step it goes on from; see that the file can be written to, or go on in a new run (--run)",
        path.display()
    )]
    Cut {
        /// The event file.
        path: PathBuf,
        /// How much of it was to stay. Units: bytes.
        length: u64,
        /// What the system said.
        source: io::Error,
    },
    /// No name would come behind those of the event files that the run has already.
    #[error(
        "cannot continue the run: TensorBoard would read a new event file before `{}`, not after it; move that file away, or go on in a new run (--run)",
        path.display()
    )]
    NoLaterName {
        /// The last event file of the run.
        path: PathBuf,
    },
    /// The event file could not be created. Choose another folder.
    #[error(
        "cannot create the event file `{}`; see that the folder can be written to, or choose another with --logdir or --run",
        path.display()
    )]
    CreateFile {
        /// The event file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The new event file could not take its first two records, and was removed again.
    #[error(
        "cannot begin the event file `{}`; make room on that disk, or choose another with --logdir",
        path.display()
    )]
    Begin {
        /// The event file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A step could not be written. The file ends after the step before it and takes no more.
    #[error(
        "cannot write step {step} to `{}`; every step before it is whole and can be looked at: make room on that disk, then go on in a new run (--run)",
        path.display()
    )]
    Write {
        /// The event file.
        path: PathBuf,
        /// The step that is not in the file.
        step: i64,
        /// What the system said.
        source: io::Error,
    },
    /// A step could not be written, and what was written of it could not be cut off. The file
    /// takes no more.
    #[error(
        "cannot write step {step} to `{}`, nor cut off the part that was written ({cut_back}); its first {whole} bytes are whole and can be looked at: make room on that disk, then go on in a new run (--run)",
        path.display()
    )]
    WriteAndCutBack {
        /// The event file.
        path: PathBuf,
        /// The step of which a part may be in the file.
        step: i64,
        /// Where the last whole step ends, in bytes.
        whole: u64,
        /// Why the part could not be cut off.
        cut_back: io::Error,
        /// Why the step could not be written.
        source: io::Error,
    },
    /// An earlier step could not be written, so that no later one may follow it.
    #[error(
        "step {step} cannot follow in `{}`, where an earlier write failed; go on in a new run (--run)",
        path.display()
    )]
    Refused {
        /// The event file.
        path: PathBuf,
        /// The step that was asked for.
        step: i64,
    },
    /// The step does not fit what the file holds. The file is as it was and can go on with others.
    #[error("cannot write step {step} to `{}`", path.display())]
    Step {
        /// The event file.
        path: PathBuf,
        /// The step that was asked for.
        step: i64,
        /// What does not fit.
        source: StepError,
    },
    /// The graph is not one that TensorBoard can draw. The file is as it was.
    #[error("cannot write the model's graph to `{}`", path.display())]
    Graph {
        /// The event file.
        path: PathBuf,
        /// What does not fit.
        source: GraphError,
    },
    /// Everything was handed to the system, which could not put it all on the disk.
    #[error(
        "`{}` was written but may not be whole on the disk; see whether the disk is full or was taken away, then run again in a new run (--run)",
        path.display()
    )]
    Sync {
        /// The event file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// An event file, written a whole step at a time.
///
/// After a failed write the file ends with its last whole step and takes no more. Dropping it
/// loses nothing that was written; [`close`](Self::close) also says whether it reached the disk.
#[derive(Debug)]
pub struct EventFile<S = File> {
    sink: S,
    path: PathBuf,
    series: SeriesBook,
    earlier: Earlier,
    /// The records of one step, kept between steps so that its memory is used again.
    buffer: Vec<u8>,
    /// Where the last whole step ends.
    whole: u64,
    failed: bool,
}

impl EventFile<File> {
    /// Makes `run_dir` when it is missing, and in it a new event file that TensorBoard can read at
    /// once. No file that exists is ever opened. Until the new one is closed or dropped, or its
    /// process ends, [`resume`](Self::resume) in another will not touch it.
    ///
    /// # Errors
    ///
    /// When the folder or the file cannot be made or written to.
    pub fn create(run_dir: &Path) -> Result<Self, EventFileError> {
        fs::create_dir_all(run_dir).map_err(|source| EventFileError::CreateFolder {
            path: run_dir.to_owned(),
            source,
        })?;
        Self::create_named(run_dir, run_folder::now(), Earlier::none())
    }

    /// Creates the event file of that second, behind the `earlier` ones.
    pub(super) fn create_named(
        run_dir: &Path,
        seconds: u64,
        earlier: Earlier,
    ) -> Result<Self, EventFileError> {
        let (file, path) = run_folder::create_event_file(run_dir, seconds)
            .map_err(|(path, source)| EventFileError::CreateFile { path, source })?;
        if lock(&file).is_err() {
            return Err(EventFileError::Busy { path });
        }
        Self::begin_behind(file, path, wall_time(), earlier).inspect_err(|error| {
            if let EventFileError::Begin { path, .. } = error {
                // An event file without events would only make the next run refuse this folder.
                // The error that is on its way says more than a failure of this would.
                let _ = fs::remove_file(path);
            }
        })
    }
}

impl<S: EventSink> EventFile<S> {
    /// Begins an event file in an empty sink; `path` names it in errors.
    ///
    /// # Errors
    ///
    /// When the sink does not take the first two records.
    pub fn begin(sink: S, path: impl Into<PathBuf>) -> Result<Self, EventFileError> {
        Self::begin_behind(sink, path.into(), wall_time(), Earlier::none())
    }

    pub(super) fn begin_behind(
        sink: S,
        path: PathBuf,
        wall_time: f64,
        earlier: Earlier,
    ) -> Result<Self, EventFileError> {
        let mut file = Self {
            sink,
            path,
            series: SeriesBook::from_step(earlier.first_step.unwrap_or(i64::MIN)),
            earlier,
            buffer: Vec::new(),
            whole: 0,
            failed: false,
        };
        match file.write_beginning(wall_time) {
            Ok(()) => Ok(file),
            Err(source) => Err(EventFileError::Begin {
                path: file.path,
                source,
            }),
        }
    }

    fn write_beginning(&mut self, wall_time: f64) -> io::Result<()> {
        event::append_file_version(&mut self.buffer, wall_time)?;
        let step = self.earlier.first_step.unwrap_or(0);
        event::append_session_start(&mut self.buffer, wall_time, step)?;
        self.write_buffer().map(drop)
    }

    /// Writes one step: every summary or none. Returns how many bytes it took.
    ///
    /// When this returns, TensorBoard sees the step.
    ///
    /// # Errors
    ///
    /// When a summary cannot follow what the file holds, nothing is written and the file stays
    /// usable. When the write fails, the file is cut back to its last whole step where possible,
    /// and refuses all later ones.
    pub fn write_step(
        &mut self,
        step: i64,
        summaries: Vec<Summary>,
    ) -> Result<u64, EventFileError> {
        self.write_step_at(step, wall_time(), summaries)
    }

    pub(super) fn write_step_at(
        &mut self,
        step: i64,
        wall_time: f64,
        summaries: Vec<Summary>,
    ) -> Result<u64, EventFileError> {
        self.check(step, &summaries)?;
        self.append_step(step, wall_time, summaries)
            .and_then(|()| self.write_buffer())
            .map_err(|source| self.give_up(step, source))
    }

    /// Writes the model's graph for TensorBoard's Graphs tab. Returns how many bytes it took.
    ///
    /// A run has one graph: where it has one already, in this file or an earlier one, that stays
    /// and nothing is written.
    ///
    /// # Errors
    ///
    /// When the tab could not draw it, nothing is written and the file stays usable. When the
    /// write fails, as [`write_step`](Self::write_step) says.
    pub fn write_graph(&mut self, graph: &Graph) -> Result<u64, EventFileError> {
        self.write_graph_at(wall_time(), graph)
    }

    pub(super) fn write_graph_at(
        &mut self,
        wall_time: f64,
        graph: &Graph,
    ) -> Result<u64, EventFileError> {
        if self.failed {
            return Err(self.refused(GRAPH_STEP));
        }
        graph.check().map_err(|source| EventFileError::Graph {
            path: self.path.clone(),
            source,
        })?;
        if self.earlier.graph {
            return Ok(0);
        }
        self.buffer.clear();
        let written = event::append_graph(&mut self.buffer, wall_time, graph)
            .and_then(|()| self.write_buffer())
            .map_err(|source| self.give_up(GRAPH_STEP, source))?;
        self.earlier.graph = true;
        Ok(written)
    }

    /// The event file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How long the file is. Units: bytes.
    pub fn bytes_written(&self) -> u64 {
        self.whole
    }

    /// Waits until the file is on the disk. Returns how long it is, in bytes.
    ///
    /// # Errors
    ///
    /// When the system could not put it there.
    pub fn close(mut self) -> Result<u64, EventFileError> {
        match self.sink.sync() {
            Ok(()) => Ok(self.whole),
            Err(source) => Err(EventFileError::Sync {
                path: self.path,
                source,
            }),
        }
    }

    fn check(&self, step: i64, summaries: &[Summary]) -> Result<(), EventFileError> {
        if self.failed {
            return Err(self.refused(step));
        }
        self.series
            .check(step, summaries)
            .map_err(|source| EventFileError::Step {
                path: self.path.clone(),
                step,
                source,
            })
    }

    fn refused(&self, step: i64) -> EventFileError {
        let path = self.path.clone();
        EventFileError::Refused { path, step }
    }

    fn append_step(
        &mut self,
        step: i64,
        wall_time: f64,
        summaries: Vec<Summary>,
    ) -> io::Result<()> {
        self.buffer.clear();
        let size: u64 = summaries.iter().map(Summary::size_hint).sum();
        self.buffer
            .try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX))?;
        for summary in summaries {
            let first = self.series.note(step, &summary);
            event::append_summary(&mut self.buffer, wall_time, step, summary, first)?;
        }
        Ok(())
    }

    fn write_buffer(&mut self) -> io::Result<u64> {
        self.sink.write_all(&self.buffer)?;
        self.sink.flush()?;
        let length = self.buffer.len() as u64;
        self.whole += length;
        Ok(length)
    }

    fn give_up(&mut self, step: i64, source: io::Error) -> EventFileError {
        self.failed = true;
        let path = self.path.clone();
        match self.sink.cut_back(self.whole) {
            Ok(()) => EventFileError::Write { path, step, source },
            Err(cut_back) => EventFileError::WriteAndCutBack {
                path,
                step,
                whole: self.whole,
                cut_back,
                source,
            },
        }
    }
}

/// Seconds since 1970: a finite number whatever the clock says.
fn wall_time() -> f64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}
