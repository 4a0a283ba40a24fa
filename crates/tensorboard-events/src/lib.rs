#![doc = include_str!("../README.md")]

mod decode;
mod encode;
mod error;
mod file;
mod graph;
mod histogram;
mod hparams;
mod inventory;
mod layout;
mod lengths;
mod read;
mod record;
mod resume;
mod run_folder;
mod scan;
mod series;
mod summary;

pub use error::EventFileError;
pub use file::{EventFile, EventSink, Position};
pub use graph::{Graph, GraphError, GraphNode};
pub use histogram::Histogram;
pub use hparams::{HparamValue, Hparams};
pub use inventory::{FileInventory, Inventory, Place, TagInventory};
pub use layout::{Band, Chart, Layout};
pub use read::{Content, Event, EventReader, ReadError, ReadSummary};
pub use record::{Damage, RecordError};
pub use resume::whole_length;
pub use run_folder::{event_files, host_name, is_event_file, publish, published};
pub use series::StepError;
pub use summary::{Summary, Value};
/// A graph read back: TensorFlow's own message.
pub use tensorboard_proto::graph::GraphDef;

#[cfg(test)]
mod tests;
