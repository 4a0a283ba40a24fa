//! One event file being written: whole steps, strictly upwards, errors returned.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use protobuf::Message;
use tensorboard_proto::event::Event_oneof_what as What;

use crate::encode;
use crate::error::EventFileError;
use crate::graph::Graph;
use crate::record;
use crate::series::{SeriesBook, StepError};
use crate::summary::Summary;

/// Records that are appended as they are go to the file in blocks of at least so many bytes.
const BLOCK: usize = 1 << 20;

/// TensorBoard's graphs have a step too.
const GRAPH_STEP: i64 = 0;

/// Where an [`EventFile`] writes to: a [`File`], or a stand-in for one that fails on purpose.
pub trait EventSink: Write {
    /// Forgets everything after the first `length` bytes; the next write goes there.
    ///
    /// # Errors
    ///
    /// When the sink cannot be truncated.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Returns when everything written is on the disk.
    ///
    /// # Errors
    ///
    /// When it cannot be put there, late write errors included.
    fn sync(&mut self) -> io::Result<()>;
}

impl EventSink for File {
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::Start(length)).map(drop)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()?;
        #[cfg(unix)]
        if std::os::unix::fs::MetadataExt::nlink(&self.metadata()?) == 0 {
            return Err(io::Error::other("it was deleted while it was written"));
        }
        Ok(())
    }
}

/// A place in the event files of a run: the file's name, and how much of it comes before. Units: bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The file's name in the folder.
    pub file: String,
    /// How much of it comes before.
    pub length: u64,
}

/// The first step of a file that begins a run: it takes any.
pub(crate) const ANY_STEP: i64 = i64::MIN;

/// An event file, written a whole step at a time.
///
/// After a failed write the file ends with its last whole step and takes no more. Dropping it loses nothing that was
/// written; [`close`](Self::close) also says whether it reached the disk.
#[derive(Debug)]
pub struct EventFile<S = File> {
    sink: S,
    path: PathBuf,
    series: SeriesBook,
    /// Whether the run has one already.
    pub(crate) has_graph: bool,
    /// The records of one step, kept between steps so that its memory is used again.
    buffer: Vec<u8>,
    /// Where the last whole step ends.
    whole: u64,
    failed: bool,
    /// Replaced in tests.
    pub(crate) clock: fn() -> f64,
}

impl<S: EventSink> EventFile<S> {
    /// Begins an event file in an empty sink; `path` names it in errors.
    ///
    /// # Errors
    ///
    /// When the sink does not take the first two records.
    pub fn begin(sink: S, path: impl Into<PathBuf>) -> Result<Self, EventFileError> {
        Self::begin_at(sink, path.into(), ANY_STEP, wall_time)
    }

    pub(crate) fn begin_at(
        sink: S,
        path: PathBuf,
        first_step: i64,
        clock: fn() -> f64,
    ) -> Result<Self, EventFileError> {
        let mut file = Self {
            sink,
            path,
            series: SeriesBook::from_step(first_step),
            has_graph: false,
            buffer: Vec::new(),
            whole: 0,
            failed: false,
            clock,
        };
        let now = clock();
        let version = What::file_version(encode::FILE_VERSION.to_owned());
        let session = encode::session_start();
        let void_from = if first_step == ANY_STEP {
            0
        } else {
            first_step
        };
        let begun = encode::append(&mut file.buffer, now, 0, version)
            .and_then(|()| encode::append(&mut file.buffer, now, void_from, session))
            .and_then(|()| file.write_buffer());
        match begun {
            Ok(_) => Ok(file),
            Err(error) => Err(EventFileError::Begin(file.path, error)),
        }
    }

    /// Writes one step: every summary or none. Returns how many bytes it took.
    ///
    /// When this returns, TensorBoard sees the step.
    ///
    /// # Errors
    ///
    /// When a summary cannot follow what the file holds, nothing is written and the file stays usable. When the write
    /// fails, the file is truncated to its last whole step where possible, and refuses all later ones.
    pub fn write_step(
        &mut self,
        step: i64,
        summaries: Vec<Summary>,
    ) -> Result<u64, EventFileError> {
        let follows = self.series.check(step, &summaries);
        follows.map_err(|source| self.not_written(step, source))?;
        self.write(step, |file| file.append_step(step, summaries))
    }

    /// Writes the model's graph for TensorBoard's Graphs tab. Returns how many bytes it took.
    ///
    /// A run has one graph: where it has one already, in this file or an earlier one, that stays and nothing is
    /// written.
    ///
    /// # Errors
    ///
    /// When the tab could not draw it, nothing is written and the file stays usable. When the write fails, as
    /// [`write_step`](Self::write_step) says.
    pub fn write_graph(&mut self, graph: &Graph) -> Result<u64, EventFileError> {
        let drawn = graph.check();
        drawn.map_err(|error| EventFileError::Graph(self.path.clone(), error))?;
        if self.has_graph {
            return Ok(0);
        }
        let now = (self.clock)();
        let written = self.write(GRAPH_STEP, |file| {
            let graph = What::graph_def(graph.message().write_to_bytes()?);
            encode::append(&mut file.buffer, now, GRAPH_STEP, graph)
        })?;
        self.has_graph = true;
        Ok(written)
    }

    /// The event file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the next step will begin.
    pub fn position(&self) -> Position {
        let name = self.path.file_name().unwrap_or_default();
        Position {
            file: name.to_string_lossy().into_owned(),
            length: self.whole,
        }
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

    fn not_written(&self, step: i64, source: StepError) -> EventFileError {
        let path = self.path.clone();
        EventFileError::Step { path, step, source }
    }

    /// Writes the records that `append` puts into the buffer: all or none, and none after a failure.
    fn write(
        &mut self,
        step: i64,
        append: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> Result<u64, EventFileError> {
        if self.failed {
            return Err(self.not_written(step, StepError::Refused));
        }
        let written = append(self).and_then(|()| self.write_buffer());
        written.map_err(|source| {
            self.failed = true;
            let whole = self.whole;
            let error = match self.sink.truncate(whole) {
                Ok(()) => StepError::Write(source),
                Err(truncate) => StepError::WriteAndTruncate {
                    whole,
                    truncate,
                    source,
                },
            };
            self.not_written(step, error)
        })
    }

    /// Appends the data of a record as it is, once there are enough of them or with [`flush`](Self::flush).
    pub(crate) fn append_record(&mut self, data: &[u8]) -> Result<(), EventFileError> {
        let appended = record::append(&mut self.buffer, |buffer| {
            buffer.extend_from_slice(data);
            Ok(())
        });
        appended.map_err(|error| EventFileError::Begin(self.path.clone(), error))?;
        if self.buffer.len() < BLOCK {
            return Ok(());
        }
        self.flush()
    }

    pub(crate) fn flush(&mut self) -> Result<(), EventFileError> {
        let written = self.write_buffer();
        written.map_err(|error| EventFileError::Begin(self.path.clone(), error))?;
        Ok(())
    }

    fn append_step(&mut self, step: i64, summaries: Vec<Summary>) -> io::Result<()> {
        let size: u64 = summaries.iter().map(Summary::size_hint).sum();
        self.buffer
            .try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX))?;
        let wall_time = (self.clock)();
        for summary in summaries {
            let first = self.series.note(step, &summary);
            let what = encode::summary(summary, first)?;
            encode::append(&mut self.buffer, wall_time, step, what)?;
        }
        Ok(())
    }

    fn write_buffer(&mut self) -> io::Result<u64> {
        self.sink.write_all(&self.buffer)?;
        self.sink.flush()?;
        let length = self.buffer.len() as u64;
        self.buffer.clear();
        self.whole += length;
        Ok(length)
    }
}

/// Seconds since 1970: a finite number whatever the clock says.
pub(crate) fn wall_time() -> f64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}
