//! Errors of weights files.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::dtype::{META, SPARSE};
use crate::one_line::listed;

/// Most names that a message has.
const MOST_NAMES: usize = 16;

/// A weights file that cannot be used: which file, and why.
///
/// Displays as one line, `FILE: REASON`.
#[derive(Debug)]
#[non_exhaustive]
pub struct WeightsError {
    pub path: PathBuf,
    pub kind: WeightsErrorKind,
}

impl WeightsError {
    pub(crate) fn new(path: &Path, kind: WeightsErrorKind) -> Self {
        Self {
            path: path.to_path_buf(),
            kind,
        }
    }
}

impl fmt::Display for WeightsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.kind)
    }
}

impl std::error::Error for WeightsError {
    // The kind is part of the message, so its own source is next in the chain.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.kind)
    }
}

/// What is wrong with a weights file.
///
/// A tensor is always named as the file names it, wrappers and prefixes included.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WeightsErrorKind {
    #[error("cannot be read")]
    Io(#[from] io::Error),
    /// Not weights that a VGG can be built from: what the file is instead.
    #[error("{0}")]
    NotWeights(String),
    /// Another network than a VGG: which.
    #[error("{0}")]
    OtherNetwork(String),
    /// Not a network that `torch.export` wrote: what the file is instead.
    #[error("{0}, expected a program of torch.export (.pt2)")]
    NotProgram(String),
    /// Of another framework: of which, and whether its colors are in the order blue, green, red.
    #[error("{what}")]
    Framework { what: &'static str, is_bgr: bool },
    #[error("is truncated ({0}): the save or download did not finish; repeat it")]
    Truncated(String),
    #[error("is damaged: {0}")]
    Damaged(String),
    /// A format that `torch.save` no longer writes: which.
    #[error(
        "is in a format from before 2017 ({0}); if you trust its source, convert it in Python: `torch.save(torch.load(FILE, weights_only=False), \"weights.pth\")`"
    )]
    TooOld(&'static str),
    #[error(
        "its pickle calls {callable}, which can run commands on this machine; nothing was run and nothing is loaded: take the weights from a source you trust, best as .safetensors"
    )]
    RunsCode { callable: String },
    #[error("holds several networks, under {}", quoted(.0))]
    Ambiguous(Vec<String>),
    #[error("has no network under `{key}`, but under {}", quoted(.found))]
    NoKey {
        key: String,
        /// What stands before the names of each network in the file.
        found: Vec<String>,
    },
    #[error("has no tensor `{name}`{}; {}", nearest(.near), lacking(name))]
    Missing {
        /// The name that was looked for, as the file would spell it.
        name: String,
        near: Vec<String>,
    },
    #[error(
        "tensor `{name}` has shape {found:?}, expected {expected}: these are not the weights of this network"
    )]
    Shape {
        name: String,
        found: Vec<usize>,
        expected: String,
    },
    #[error(
        "tensor `{name}` holds {found}, expected float32, float16, bfloat16 or float64: {}",
        instead(found)
    )]
    NotFloat { name: String, found: String },
    #[error("tensor `{name}` cannot be read")]
    Tensor {
        name: String,
        #[source]
        source: io::Error,
    },
}

/// Names in backquotes; a prefix without its last dot.
fn quoted(names: &[String]) -> String {
    let quote = |name: &String| match name.strip_suffix('.').unwrap_or(name) {
        "" => "the top level".to_owned(),
        name => format!("`{name}`"),
    };
    listed(names.iter().map(quote), ", ", MOST_NAMES)
}

/// How to get numbers in place of what a tensor holds.
pub(super) fn instead(found: &str) -> &'static str {
    match found {
        SPARSE => {
            "in Python, `import torch; torch.save({k: v.to_dense() for k, v in torch.load(FILE).items()}, \"weights.pth\")` \
             makes dense ones of a state dict"
        }
        META => "save the model after its weights are loaded",
        _ => "save the model before it is quantized or converted to that",
    }
}

/// Why a file may lack a tensor of that name.
fn lacking(name: &str) -> &'static str {
    if name.ends_with(".running_mean") {
        "either the parameters were saved alone (model.state_dict() has the statistics of batch norm too), or these are \
         other norms, which vggscope does not run"
    } else {
        "is this the whole network?"
    }
}

fn nearest(near: &[String]) -> String {
    if near.is_empty() {
        return String::new();
    }
    format!(" (nearest in the file: {})", quoted(near))
}
