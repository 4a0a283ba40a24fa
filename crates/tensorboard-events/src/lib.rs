//! Summaries into a TensorBoard event file, and back.
//!
//! This room knows bytes and shapes only, never a tensor. Its layers, each on the one before:
//!
//! | module | knows |
//! | --- | --- |
//! | [`record`] | framing: a length, two checksums, any bytes between |
//! | [`histogram`] | how many of some values lie where |
//! | [`hparams`] | settings, results and end of a training, for comparing runs |
//! | [`graph`] | a model as nodes that take from each other |
//! | [`summary`] | one value under one tag: pictures, Markdown, a number, a histogram, hparams |
//! | `event` | a summary at a step and a wall time, or a graph, as the bytes of one record |
//! | `series` | what a file remembers of its tags, and which steps may follow |
//! | `error` | why a file is not written or a run not resumed |
//! | `sink` | where a file writes to, and how that is truncated |
//! | `lock` | that one process writes a file |
//! | `run_folder` | the name of an event file, and which files of a folder are event files |
//! | [`file`](mod@file) | one event file being written, a whole step at a time |
//! | `wire` | the bytes of one record, as a summary or a graph |
//! | [`read`] | an event file read back, strictly |
//! | `scan` | how much of a file comes before a step, without reading its pictures |
//! | [`inventory`] | what the files of a run hold, and what TensorBoard makes of it |
//! | [`publish`](fn@publish) | the event files of a part of a run become the run's |
//! | [`resume`] | one more event file for a resumed run; the earlier ones truncated |
//!
//! A *run* is a folder, a *tag* names a series of values in it, a *step* is a value's place in
//! the series. Within a tag the steps of a run only go up.
//!
//! Source: TensorBoard's `tensorboard/compat/proto/{event,summary,tensor}.proto`, its
//! `summary/writer/record_writer.py`, and its Rust data server (`tensorboard/data/server`), whose
//! layers these are.

mod durable;
mod error;
mod event;
pub mod file;
pub mod graph;
pub mod histogram;
pub mod hparams;
pub mod inventory;
mod lock;
mod publish;
pub mod read;
pub mod record;
pub mod resume;
mod run_folder;
mod scan;
mod series;
mod sink;
pub mod summary;
mod wire;

pub use error::EventFileError;
pub use file::EventFile;
pub use graph::{Graph, GraphError, GraphNode};
pub use histogram::Histogram;
pub use hparams::{
    Experiment, HparamInfo, HparamKind, HparamValue, Hparams, MetricInfo, SessionEnd, SessionStart,
    SessionStatus,
};
pub use inventory::Inventory;
pub use publish::{PublishError, publish};
pub use read::{Content, Event, EventReader, ReadError, ReadSummary};
pub use run_folder::{event_files, is_event_file};
pub use series::StepError;
pub use sink::EventSink;
pub use summary::{Summary, Value};

#[cfg(test)]
mod tests;
