//! What can be wrong with a weights file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A weights file that cannot be used: which file, and why.
///
/// Displays as one line, `FILE: PROBLEM`.
#[derive(Debug)]
pub struct WeightsError {
    /// The file, as it was given to [`WeightsFile::open`](super::WeightsFile::open).
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: Problem,
}

impl WeightsError {
    pub(super) fn new(path: &Path, problem: impl Into<Problem>) -> Self {
        Self {
            path: path.to_path_buf(),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for WeightsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.problem)
    }
}

impl std::error::Error for WeightsError {
    // The problem is already in the text above; what caused it is next in the chain.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.problem)
    }
}

/// What is wrong with a weights file, and how to go on.
///
/// A tensor is always named as the file names it, wrappers and prefixes included.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Problem {
    /// The operating system refused.
    #[error("cannot be read")]
    Io(#[source] io::Error),
    /// Not a weights file at all.
    #[error("{0}")]
    NotWeights(String),
    /// The file is shorter than its own header says.
    #[error(
        "ends too early ({0}): it was cut while being written or downloaded; save or download it again"
    )]
    Truncated(String),
    /// The file contradicts itself.
    #[error("is damaged: {0}")]
    Damaged(String),
    /// The pickle names a callable that runs code.
    #[error(
        "its pickle calls {callable}, which can run commands on this machine; nothing was run and nothing is loaded: take the weights from a source you trust, best as .safetensors"
    )]
    RunsCode {
        /// The callable, as `module.name`.
        callable: String,
    },
    /// A whole `torch.nn.Module` where a state dict is expected.
    #[error(
        "{} a whole pickled module ({class}), not a state dict; in Python, `torch.save({}.state_dict(), \"weights.pth\")` saves what vggscope reads",
        if at.is_empty() { "is".to_owned() } else { format!("holds, under `{}`,", at.join(".")) },
        python_value(at)
    )]
    PickledModule {
        /// The keys that lead to it; empty for the file itself.
        at: Vec<String>,
        /// The module's Python class.
        class: String,
    },
    /// A `TorchScript` archive.
    #[error(
        "is a TorchScript archive, not a state dict; in Python, `torch.save(torch.jit.load(FILE).state_dict(), \"weights.pth\")` saves what vggscope reads"
    )]
    TorchScript,
    /// The file holds something, but not tensors under names.
    #[error(
        "holds {0}, not a state dict; in Python, `torch.save(model.state_dict(), \"weights.pth\")` writes one"
    )]
    NoStateDict(String),
    /// The tensors are not torchvision's VGG.
    #[error(
        "has no `features.0.weight`: {guess}; vggscope runs torchvision's VGG (first names in the file: {first})"
    )]
    NotVgg {
        /// What the file looks like instead.
        guess: String,
        /// The first few names.
        first: String,
    },
    /// More than one network fits.
    #[error("holds several networks, under {}; save the one to look at alone, or under `state_dict`", quoted(.0))]
    Ambiguous(Vec<String>),
    /// The weights belong to another member of the family.
    #[error("{found}; {way_out}")]
    OtherArch {
        /// What the file holds.
        found: String,
        /// The flag that helps.
        way_out: String,
    },
    /// A tensor that the run needs is not there.
    #[error("has no tensor `{name}`{}; is this the whole network?", nearest(.near))]
    Missing {
        /// The name that was looked for, as the file would spell it.
        name: String,
        /// The nearest names in the file.
        near: Vec<String>,
    },
    /// A tensor has another shape than the network needs.
    #[error("tensor `{name}` has shape {found:?}, expected {expected:?}")]
    Shape {
        /// The tensor's name in the file.
        name: String,
        /// The shape that the network needs.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A tensor does not hold floating-point numbers.
    #[error(
        "tensor `{name}` holds {found}, expected float32, float16, bfloat16 or float64: save the model before it is quantised"
    )]
    NotFloat {
        /// The tensor's name in the file.
        name: String,
        /// The type in the file.
        found: String,
    },
    /// One tensor's bytes could not be had.
    #[error("tensor `{name}` cannot be read")]
    Tensor {
        /// The tensor's name in the file.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A read that hit the end of the file means that the file was cut; any other is the system's.
pub(super) fn cut_or_io(error: io::Error, what: &str) -> Problem {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        Problem::Truncated(format!("in {what}"))
    } else {
        Problem::Io(error)
    }
}

fn quoted(names: &[String]) -> String {
    let names: Vec<_> = names
        .iter()
        .map(|name| match name.strip_suffix('.').unwrap_or(name) {
            "" => "the top level".to_owned(),
            name => format!("`{name}`"),
        })
        .collect();
    names.join(", ")
}

fn nearest(near: &[String]) -> String {
    if near.is_empty() {
        String::new()
    } else {
        let near: Vec<_> = near.iter().map(|name| format!("`{name}`")).collect();
        format!(" (nearest in the file: {})", near.join(", "))
    }
}

/// The Python expression for what `torch.load` returns under these keys.
fn python_value(keys: &[String]) -> String {
    if keys.is_empty() {
        return "model".to_owned();
    }
    format!("checkpoint[\"{}\"]", keys.join("\"][\""))
}
