//! An event file read back, as strictly as TensorBoard's slow loader reads it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use tensorboard_proto::event::{
    self as proto, Event_oneof_what as What, SessionLog_SessionStatus as SessionStatus,
};
use tensorboard_proto::graph::GraphDef;
use tensorboard_proto::summary::{Summary_Value, Summary_Value_oneof_value as Kind};

use crate::decode;
use crate::encode::FILE_VERSION;
use crate::lengths;
use crate::record::{Damage, RecordError, RecordReader};
use crate::summary::{HISTOGRAMS, IMAGES, SCALARS, Value};

/// Why an event file could not be read on. What was read before stays true.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file could not be opened.
    #[error("cannot open the event file `{}`", .0.display())]
    Open(PathBuf, #[source] io::Error),
    /// A record is damaged, truncated or no event, or the system could not read it.
    #[error("`{}` {}", path.display(), readable(source.offset))]
    Record {
        /// The event file.
        path: PathBuf,
        /// The damage.
        source: RecordError,
    },
    /// The first event does not say that this is an event file.
    #[error("`{}` begins with {found}, expected the version `{FILE_VERSION}` of an event file", path.display())]
    Version {
        /// The event file.
        path: PathBuf,
        /// What stands there.
        found: String,
    },
}

fn readable(offset: u64) -> String {
    match offset {
        0 => "is no event file, or damaged from its first byte on".to_owned(),
        offset => format!("can be read up to byte {offset} only; every step before that is whole"),
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
    /// An attempt at the run begins: what earlier files of the run hold at this event's step and later is void.
    SessionStart,
    /// The model's graph, or `None` when its bytes say none.
    Graph(Option<GraphDef>),
    /// Values of some tags.
    Summaries(Vec<ReadSummary>),
    /// Something that this crate does not write.
    Other,
}

/// A summary as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadSummary {
    /// The name of the series.
    pub tag: String,
    /// The plugin that shows the series, by the tag's first value in this file; empty when it names none.
    pub plugin: String,
    /// Markdown about the series; only on the tag's first value.
    pub description: String,
    /// The value, or `None` when it is not of a form that this crate writes.
    pub value: Option<Value>,
}

/// Reads events one after the other; the first error is the last item.
#[derive(Debug)]
pub struct EventReader<R> {
    pub(crate) records: RecordReader<R>,
    pub(crate) path: PathBuf,
    plugins: HashMap<String, String>,
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
        self.records.go_to(offset)
    }
}

impl<R: Read> EventReader<R> {
    /// A reader of the bytes of an event file; `path` names it in errors.
    pub fn new(source: R, path: impl Into<PathBuf>) -> Self {
        Self {
            records: RecordReader::new(source),
            path: path.into(),
            plugins: HashMap::new(),
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

    pub(crate) fn damaged(&self, source: RecordError) -> ReadError {
        let path = self.path.clone();
        ReadError::Record { path, source }
    }

    /// The event in the record at `offset`, of which the first says the version.
    pub(crate) fn parse(&self, offset: u64, data: &[u8]) -> Result<proto::Event, ReadError> {
        let event = decode::event(data).map_err(|error| {
            let damage = Damage::Malformed(error.into());
            self.damaged(RecordError { offset, damage })
        })?;
        match event.get_file_version() {
            _ if offset > 0 => Ok(event),
            FILE_VERSION => Ok(event),
            "" => Err(self.foreign("no version")),
            version => Err(self.foreign(&format!("the version {version:?}"))),
        }
    }

    pub(crate) fn foreign(&self, found: &str) -> ReadError {
        let (path, found) = (self.path.clone(), found.to_owned());
        ReadError::Version { path, found }
    }

    fn event(&mut self, offset: u64, data: &[u8]) -> Result<Event, ReadError> {
        let event = self.parse(offset, data)?;
        let wall_time = event.wall_time;
        if !wall_time.is_finite() {
            let damage = Damage::WallTime(wall_time);
            return Err(self.damaged(RecordError { offset, damage }));
        }
        Ok(Event {
            offset,
            wall_time,
            step: event.step,
            content: self.content(event.what),
        })
    }

    fn content(&mut self, what: Option<What>) -> Content {
        match what {
            Some(What::file_version(version)) => Content::FileVersion(version),
            Some(What::session_log(log)) if log.status == SessionStatus::START => {
                Content::SessionStart
            }
            Some(What::graph_def(bytes)) => {
                Content::Graph(lengths::parse(&bytes, &lengths::GRAPH).ok())
            }
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
            .and_then(|value| decode::value(&tag, plugin, value, &data.content));
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
        let offset = self.records.offset();
        let event = match self.records.next()? {
            Ok(data) => self.event(offset, &data),
            Err(error) => Err(self.damaged(error)),
        };
        if event.is_err() {
            self.records.stop();
        }
        Some(event)
    }
}

impl<R: Read> std::iter::FusedIterator for EventReader<R> {}
