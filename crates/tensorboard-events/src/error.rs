//! Why a step was not written, a run not resumed, or parts not joined.

use std::io;
use std::path::PathBuf;

use crate::graph::GraphError;
use crate::read::ReadError;
use crate::series::StepError;

/// Why a step was not written, a run not resumed, or parts not joined. Each names the folder or the event file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventFileError {
    /// The folder of the run could not be made.
    #[error("cannot create the run folder `{}`", .0.display())]
    CreateFolder(PathBuf, #[source] io::Error),
    /// The event files in a folder could not be found.
    #[error("cannot list the run folder `{}`", .0.display())]
    List(PathBuf, #[source] io::Error),
    /// An event file that the run has already could not be opened for reading and writing.
    #[error("cannot resume: `{}` cannot be opened", .0.display())]
    OpenEarlier(PathBuf, #[source] io::Error),
    /// Another process writes to an event file of the run, so it is not truncated.
    #[error("`{}` is still being written by another process", .0.display())]
    Busy(PathBuf),
    /// An event file that the run has already could not be read, or is by its beginning none: it is not truncated.
    #[error("cannot resume")]
    Earlier(#[source] ReadError),
    /// An event file that the run has already could not be truncated. Those after it may have been.
    #[error(
        "cannot resume: `{}` cannot be truncated to the {length} bytes before the resumed step",
        path.display()
    )]
    Truncate {
        /// The event file.
        path: PathBuf,
        /// How much of it was to stay. Units: bytes.
        length: u64,
        /// What the system said.
        source: io::Error,
    },
    /// No name would come behind that of the last event file that the run has already. Move that file away.
    #[error("TensorBoard would read any new event file before `{}`, not after it", .0.display())]
    NoLaterName(PathBuf),
    /// The event file could not be created.
    #[error("cannot create the event file `{}`", .0.display())]
    CreateFile(PathBuf, #[source] io::Error),
    /// The new event file could not take its first two records, and was removed again.
    #[error("cannot begin the event file `{}`", .0.display())]
    Begin(PathBuf, #[source] io::Error),
    /// The step was not written.
    #[error("cannot write step {step} to `{}`", path.display())]
    Step {
        /// The event file.
        path: PathBuf,
        /// The step that was asked for.
        step: i64,
        /// Why.
        source: StepError,
    },
    /// The graph is not one that TensorBoard can draw. The file is as it was.
    #[error("cannot write the model's graph to `{}`", .0.display())]
    Graph(PathBuf, #[source] GraphError),
    /// Everything was handed to the system, which could not put it all on the disk.
    #[error("`{}` was written but may be incomplete on the disk", .0.display())]
    Sync(PathBuf, #[source] io::Error),
    /// An event file that is joined cannot be read, or is damaged.
    #[error("cannot join `{}`", .0.display())]
    Join(PathBuf, #[source] ReadError),
    /// An event file that was joined could not be renamed.
    #[error("cannot rename `{}`", .0.display())]
    Publish(PathBuf, #[source] io::Error),
}
