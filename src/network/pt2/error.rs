//! Programs that cannot be shown.

use std::path::PathBuf;

use thiserror::Error;

use crate::device::BackendError;
use crate::one_line::listed;
use crate::weights::WeightsError;

/// What is wrong with the graph of an exported program.
#[derive(Debug, Error)]
pub(crate) enum Pt2Error {
    #[error("its graph is of schema {found}, expected 8{}", by(.torch.as_deref()))]
    Schema { found: u64, torch: Option<String> },
    #[error("its graph cannot be read: {0}")]
    Graph(String),
    #[error("takes {}, expected one image", inputs(.0))]
    Inputs(Vec<String>),
    #[error(
        "its input `{name}` is {found}, expected an image, float32 [batch, 1 or 3, height, width]"
    )]
    NoImage { name: String, found: String },
    #[error("has no layer with maps, [batch, channels, height, width] or tokens in a grid")]
    NoMaps,
    #[error("{layer} needs {operation}, which is not known ({}{})", times(*.count), first_in(.module))]
    Unknown {
        layer: String,
        operation: String,
        module: String,
        count: usize,
        /// The last layer that can be shown without it, if any.
        last: Option<String>,
    },
    #[error("{operation} in {module} works as in a training")]
    Training { operation: String, module: String },
    #[error("{layer} gives {found:?}, its graph says {expected:?}")]
    Shape {
        layer: String,
        found: Vec<usize>,
        /// Of one image: channels, height, width.
        expected: [usize; 3],
    },
    /// What is changed in place may share memory with a value that is used afterwards.
    #[error(
        "{operation} in {module} works in place on what {view} gives, which may be a copy or not: that is not known"
    )]
    InPlace {
        operation: String,
        module: String,
        view: String,
    },
    #[error("{module}: {operation}: {source}")]
    Operation {
        operation: String,
        module: String,
        source: BackendError,
    },
}

#[derive(Debug, Error)]
pub(crate) enum ProgramError {
    #[error("{0}")]
    Weights(#[from] WeightsError),
    #[error("{path}")]
    Graph { path: PathBuf, source: Pt2Error },
}

fn by(torch: Option<&str>) -> String {
    let by = torch.map(|torch| format!(" (written by torch {torch})"));
    by.unwrap_or_default()
}

fn inputs(names: &[String]) -> String {
    match names {
        [] => "no tensor".to_owned(),
        names => format!(
            "{} inputs, {}",
            names.len(),
            listed(names.iter().cloned(), ", ", 8)
        ),
    }
}

fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

fn first_in(module: &str) -> String {
    if module.is_empty() {
        return String::new();
    }
    format!(", first in {module}")
}
