//! One event file being written: whole steps, strictly upwards, errors returned.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::error::EventFileError;
use super::graph::Graph;
use super::lock::lock;
use super::run_folder::Reader;
use super::series::SeriesBook;
use super::sink::EventSink;
use super::summary::Summary;
use super::{event, run_folder};
use crate::durable::sync_folder;

/// TensorBoard's graphs have a step too.
const GRAPH_STEP: i64 = 0;

/// What a new event file knows of the earlier ones of its run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Earlier {
    /// The first step that is done again; `None` for a run that begins.
    pub(super) first_step: Option<i64>,
    /// The first step that is void in TensorBoard, where that is another one.
    pub(super) void_from: Option<i64>,
    /// Who is to read the new one.
    pub(super) reader: Reader,
    /// There is a graph that stays.
    pub(super) graph: bool,
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
        fs::create_dir_all(run_dir)
            .map_err(|error| EventFileError::CreateFolder(run_dir.to_owned(), error))?;
        Self::create_named(run_dir, run_folder::now(), Earlier::default())
    }

    /// Creates the event file of that second, behind the `earlier` ones.
    pub(super) fn create_named(
        run_dir: &Path,
        seconds: u64,
        earlier: Earlier,
    ) -> Result<Self, EventFileError> {
        let (file, path) = run_folder::create_event_file(run_dir, seconds, earlier.reader)
            .map_err(|(path, error)| EventFileError::CreateFile(path, error))?;
        if !lock(&file) {
            return Err(EventFileError::Busy(path));
        }
        if let Err(error) = sync_folder(run_dir) {
            return Err(EventFileError::CreateFile(path, error));
        }
        Self::begin_behind(file, path, wall_time(), earlier).inspect_err(|error| {
            if let EventFileError::Begin(path, _) = error {
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
        Self::begin_behind(sink, path.into(), wall_time(), Earlier::default())
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
            Err(error) => Err(EventFileError::Begin(file.path, error)),
        }
    }

    fn write_beginning(&mut self, wall_time: f64) -> io::Result<()> {
        event::append_file_version(&mut self.buffer, wall_time)?;
        let step = self.earlier.void_from.or(self.earlier.first_step);
        let step = step.unwrap_or(0);
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
    /// usable. When the write fails, the file is truncated to its last whole step where
    /// possible, and refuses all later ones.
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
        graph
            .check()
            .map_err(|error| EventFileError::Graph(self.path.clone(), error))?;
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
        self.sync().map(|()| self.whole)
    }

    /// Waits until every step that was written is on the disk.
    ///
    /// # Errors
    ///
    /// When the system could not put it there.
    pub fn sync(&mut self) -> Result<(), EventFileError> {
        self.sink
            .sync()
            .map_err(|error| EventFileError::Sync(self.path.clone(), error))
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
        match self.sink.truncate(self.whole) {
            Ok(()) => EventFileError::Write { path, step, source },
            Err(truncate) => EventFileError::WriteAndTruncate {
                path,
                step,
                whole: self.whole,
                truncate,
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
