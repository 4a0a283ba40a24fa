//! Why TensorBoard does not start.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

#[derive(Debug, Error)]
pub(crate) enum ViewError {
    #[error(
        "TensorBoard is not installed, neither as a program nor as a module of python3: python3 -m pip install tensorboard, then again; or anywhere else: {command}"
    )]
    NotInstalled { command: String },
    #[error(
        "{}: TensorBoard takes several runs only where no path has a comma: rename it, or name the folder that holds \
         them all", .0.display()
    )]
    Comma(PathBuf),
    #[error("cannot start {}", .0.display())]
    Start(PathBuf, #[source] io::Error),
}
