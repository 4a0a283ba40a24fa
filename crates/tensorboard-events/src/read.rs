//! An event file read back, as strictly as TensorBoard's slow loader reads it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use tensorboard_proto::event::{
    self as proto, Event_oneof_what as What, SessionLog_SessionStatus as SessionStatus,
};
use tensorboard_proto::summary::{Summary_Value, Summary_Value_oneof_value as Kind};

use super::event::FILE_VERSION;
use super::graph::Graph;
use super::record::{RecordError, RecordReader};
use super::summary::{HISTOGRAMS, IMAGES, SCALARS, Value};
use super::wire;

/// Why an event file could not be read on. What was read before stays true.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file could not be opened.
    #[error("cannot open the event file `{}`; check that it exists and is readable", .0.display())]
    Open(PathBuf, #[source] io::Error),
    /// A record is damaged or truncated, or the system could not read it.
    #[error(
        "`{}` can be read up to byte {} only; every step before that is whole",
        path.display(),
        source.offset()
    )]
    Record {
        /// The event file.
        path: PathBuf,
        /// The damage.
        source: RecordError,
    },
    /// A whole record does not hold an event.
    #[error("the record at byte {offset} of `{}` is no event; was the file written by another program?", path.display())]
    Malformed {
        /// The event file.
        path: PathBuf,
        /// Where the record begins.
        offset: u64,
        /// What does not fit.
        source: io::Error,
    },
    /// The first event does not say that this is an event file.
    #[error(
        "`{}` begins with {found}, expected the version `{FILE_VERSION}`: it is no event file that this program reads",
        path.display()
    )]
    Version {
        /// The event file.
        path: PathBuf,
        /// What stands there.
        found: String,
    },
    /// TensorBoard's fast loader reads no further than such an event.
    #[error("the event at byte {offset} of `{}` has the wall time {wall_time}, expected seconds since 1970", path.display())]
    WallTime {
        /// The event file.
        path: PathBuf,
        /// Where the record begins.
        offset: u64,
        /// What stands there.
        wall_time: f64,
    },
}

impl ReadError {
    /// Of a file whose first event says this `version`; empty when it says none.
    pub(super) fn version(path: &Path, version: &str) -> Self {
        let found = match version {
            "" => "no version".to_owned(),
            version => format!("the version {version:?}"),
        };
        let path = path.to_owned();
        Self::Version { path, found }
    }
}

/// One record of an event file.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Where the record begins. Units: bytes.
    pub offset: u64,
    /// When it was written. Units: seconds since 1970.
    pub wall_time: f64,
    /// The step of its summaries.
    pub step: i64,
    /// What it says.
    pub content: Content,
}

/// What an [`Event`] says.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// The version of the file format: the first event.
    FileVersion(String),
    /// An attempt at the run begins: what earlier files of the run hold at this event's step and
    /// later is void.
    SessionStart,
    /// The model's graph, or `None` when it is not of a form that this tool writes.
    Graph(Option<Graph>),
    /// Values of some tags.
    Summaries(Vec<ReadSummary>),
    /// Something that this tool does not write.
    Other,
}

/// A summary as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadSummary {
    /// The name of the series.
    pub tag: String,
    /// The plugin that shows the series, by the tag's first value in this file; empty when it
    /// names none.
    pub plugin: String,
    /// Markdown about the series; only on the tag's first value.
    pub description: String,
    /// The value, or `None` when it is not of a form that this tool writes.
    pub value: Option<Value>,
}

impl ReadSummary {
    /// Its pictures, each an encoded file, if it is some.
    #[must_use]
    pub fn into_pictures(self) -> Option<Vec<Vec<u8>>> {
        match self.value {
            Some(Value::Image { pngs, .. }) => Some(pngs),
            _ => None,
        }
    }
}

/// Reads events one after the other; the first error is the last item.
#[derive(Debug)]
pub struct EventReader<R> {
    records: RecordReader<R>,
    path: PathBuf,
    plugins: HashMap<String, String>,
    stopped: bool,
}

impl EventReader<BufReader<File>> {
    /// A reader of the event file at `path`.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let file = File::open(path).map_err(|error| ReadError::Open(path.to_owned(), error))?;
        Ok(Self::new(BufReader::new(file), path))
    }
}

impl<R: Read + Seek> EventReader<R> {
    /// Goes to the record that begins at `offset`.
    ///
    /// # Errors
    ///
    /// When the source cannot be sought.
    pub fn go_to(&mut self, offset: u64) -> io::Result<()> {
        self.stopped = false;
        self.records.go_to(offset)
    }

    /// Goes on behind data that did not match its checksum, as the fast loader does.
    pub(super) fn go_on_unchecked(&mut self) -> io::Result<()> {
        self.stopped = false;
        self.records.go_on_unchecked()
    }
}

impl<R: Read> EventReader<R> {
    /// A reader of the bytes of an event file; `path` names it in errors.
    pub fn new(source: R, path: impl Into<PathBuf>) -> Self {
        Self {
            records: RecordReader::new(source),
            path: path.into(),
            plugins: HashMap::new(),
            stopped: false,
        }
    }

    /// Says which plugin shows a tag, as its first value does, which this reader may not come by.
    pub fn set_plugin(&mut self, tag: impl Into<String>, plugin: impl Into<String>) {
        self.plugins.insert(tag.into(), plugin.into());
    }

    /// Where the last whole record ends. Units: bytes.
    pub fn offset(&self) -> u64 {
        self.records.offset()
    }

    fn event(
        &mut self,
        offset: u64,
        record: Result<Vec<u8>, RecordError>,
    ) -> Result<Event, ReadError> {
        let data = record.map_err(|source| ReadError::Record {
            path: self.path.clone(),
            source,
        })?;
        let event = wire::event(&data).map_err(|error| ReadError::Malformed {
            path: self.path.clone(),
            offset,
            source: error.into(),
        })?;
        if !event.wall_time.is_finite() {
            return Err(ReadError::WallTime {
                path: self.path.clone(),
                offset,
                wall_time: event.wall_time,
            });
        }
        if offset == 0 {
            self.check_version(&event)?;
        }
        Ok(Event {
            offset,
            wall_time: event.wall_time,
            step: event.step,
            content: self.content(event.what),
        })
    }

    fn check_version(&self, event: &proto::Event) -> Result<(), ReadError> {
        match event.get_file_version() {
            FILE_VERSION => Ok(()),
            found => Err(ReadError::version(&self.path, found)),
        }
    }

    fn content(&mut self, what: Option<What>) -> Content {
        match what {
            Some(What::file_version(version)) => Content::FileVersion(version),
            Some(What::session_log(log)) if log.status == SessionStatus::START => {
                Content::SessionStart
            }
            Some(What::graph_def(bytes)) => Content::Graph(wire::graph(&bytes)),
            Some(What::summary(summary)) if !summary.value.is_empty() => {
                let values = summary.value.into_iter();
                Content::Summaries(values.map(|value| self.summary(value)).collect())
            }
            _ => Content::Other,
        }
    }

    fn summary(&mut self, message: Summary_Value) -> ReadSummary {
        let metadata = message.metadata.into_option().unwrap_or_default();
        let data = metadata.plugin_data.into_option().unwrap_or_default();
        let tag = message.tag;
        let plugin = self.plugins.entry(tag.clone()).or_insert_with(|| {
            // Without a tensor no plugin need be named; source: `tensorboard/data_compat.py`.
            match message.value {
                Some(Kind::simple_value(_)) => SCALARS.to_owned(),
                Some(Kind::histo(_)) => HISTOGRAMS.to_owned(),
                Some(Kind::image(_)) => IMAGES.to_owned(),
                Some(Kind::audio(_)) => "audio".to_owned(),
                _ => data.plugin_name,
            }
        });
        let value = message
            .value
            .and_then(|value| wire::value(&tag, plugin, value, &data.content));
        ReadSummary {
            plugin: plugin.clone(),
            description: metadata.summary_description,
            value,
            tag,
        }
    }
}

impl<R: Read> Iterator for EventReader<R> {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.stopped {
            return None;
        }
        let offset = self.records.offset();
        let event = self.records.next().map(|record| self.event(offset, record));
        self.stopped = !matches!(event, Some(Ok(_)));
        event
    }
}

impl<R: Read> std::iter::FusedIterator for EventReader<R> {}
