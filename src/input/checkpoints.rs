//! The user's words -> checkpoint files in order, each with its step.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::find::{self, FindError, Wanted};
use super::natural::NaturalKey;
use super::steps::{self, Untold};

/// The endings by which checkpoints are recognised in folders and among a pattern's matches.
pub const CHECKPOINT_EXTENSIONS: &[&str] = &[
    "pth",
    "pt",
    "safetensors",
    "bpk",
    "ckpt",
    "pth.tar",
    "pt.tar",
    "ckpt.tar",
];

/// Where a checkpoint's step comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StepFrom {
    /// The number in the file's name.
    #[default]
    Name,
    /// The place in natural order, from 0.
    Index,
}

/// A checkpoint file and its step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Where it is, as the user's words lead to it.
    pub path: PathBuf,
    /// The step at which its pictures are written; never negative.
    pub step: i64,
}

/// What keeps the user's words from being a sequence of checkpoints.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The words name no files.
    #[error(transparent)]
    Find(#[from] FindError),
    /// A name without a number.
    #[error(
        "{}: no whole number in this name to take the step from; leave the file out, or number the \
         checkpoints in natural order with --step-from index",
        path.display()
    )]
    NoNumber {
        /// The file.
        path: PathBuf,
    },
    /// Names that do not say which of their numbers is the step.
    #[error(
        "{}{}: several numbers in these names could be the step, and none follows 'step', 'iter' or \
         'epoch' in all of them; rename the checkpoints, or number them in natural order with \
         --step-from index",
        first.display(),
        if first == second { String::new() } else { format!(" and {}", second.display()) }
    )]
    Ambiguous {
        /// One of the files.
        first: PathBuf,
        /// Another, or the same where there is only one.
        second: PathBuf,
    },
    /// Names whose counts run in different directions.
    #[error(
        "{} and {}: the first has the smaller step and the later epoch, so the names tell no order; \
         rename the checkpoints, or number them in natural order with --step-from index",
        first.display(),
        second.display()
    )]
    Contradiction {
        /// The file with the smaller step.
        first: PathBuf,
        /// The file with the earlier epoch.
        second: PathBuf,
    },
    /// Two checkpoints of one step; the later one would erase the earlier.
    #[error(
        "{} and {}: both names tell step {step}; leave one out, or number the checkpoints in natural \
         order with --step-from index",
        first.display(),
        second.display()
    )]
    SameStep {
        /// The step.
        step: i64,
        /// One of the files.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A number that is no step.
    #[error(
        "{}: the number in this name is past the largest step, {}; rename the file, or number the \
         checkpoints in natural order with --step-from index",
        path.display(),
        i64::MAX
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}

/// Lists the checkpoints that the words name, by strictly increasing step.
///
/// A file is taken whatever its ending; a folder gives the files in it (not in folders below it)
/// that end in [`CHECKPOINT_EXTENSIONS`] (any case), hidden ones skipped; a word that is no path and
/// holds `*`, `?` or `[` is a pattern. A file that is named more than once is taken once.
///
/// With [`StepFrom::Index`] the steps are 0, 1, 2 … in natural order of the paths (`e2` before
/// `e10`, case ignored, component by component).
///
/// With [`StepFrom::Name`] the step is a whole number in the file's name, without its ending:
/// 1. Numbers with a fraction or a negative power (`loss0.12`, `lr1e-4`) are never a step. `1e3`,
///    `90k` and `2M` are 1000, 90000 and 2000000. The depth in `vgg16` counts only where a name
///    has no other number.
/// 2. Where a word stands before a number in every name (`step`, `iter`, `epoch`, their usual
///    forms, with `_ - = : .` between or nothing), and those numbers differ, that is the step;
///    with several such words the first in this list that tells all checkpoints apart, and then
///    the coarser ones must not run the other way.
/// 3. Else, where every name has one number, that is the step.
/// 4. Else, where the names differ in their numbers only, and in one of them only, that one is.
/// 5. Everything else is an error; so are a name without a number and two checkpoints of one step.
///
/// # Errors
/// [`CheckpointError`], which names the files and the way out.
pub fn list_checkpoints<P: AsRef<Path>>(
    words: &[P],
    step_from: StepFrom,
) -> Result<Vec<Checkpoint>, CheckpointError> {
    let wanted = Wanted {
        noun: "checkpoint",
        extensions: CHECKPOINT_EXTENSIONS,
        recursive: false,
    };
    let mut paths = find::find(words, &wanted)?;
    paths.sort_by_cached_key(|path| NaturalKey::new(path));
    match step_from {
        StepFrom::Index => Ok((0..)
            .zip(paths)
            .map(|(step, path)| Checkpoint { path, step })
            .collect()),
        StepFrom::Name => by_name(paths),
    }
}

fn by_name(paths: Vec<PathBuf>) -> Result<Vec<Checkpoint>, CheckpointError> {
    let names: Vec<String> = paths.iter().map(|path| name_of(path)).collect();
    let steps = steps::steps_from_names(&names).map_err(|untold| explained(&untold, &paths))?;
    let mut checkpoints: Vec<Checkpoint> = paths
        .into_iter()
        .zip(steps)
        .map(|(path, step)| Checkpoint { path, step })
        .collect();
    // Stable, so that of two with one step the first in natural order is named first.
    checkpoints.sort_by_key(|checkpoint| checkpoint.step);
    for pair in checkpoints.windows(2) {
        if let [first, second] = pair
            && first.step == second.step
        {
            return Err(CheckpointError::SameStep {
                step: first.step,
                first: first.path.clone(),
                second: second.path.clone(),
            });
        }
    }
    Ok(checkpoints)
}

/// The file's name without its ending; an ending of digits only is part of the name (`model.3`).
fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let lower = name.to_ascii_lowercase();
    let known = CHECKPOINT_EXTENSIONS
        .iter()
        .filter(|extension| lower.ends_with(&format!(".{extension}")))
        .map(|extension| extension.len() + 1)
        .max();
    let ending = known.or_else(|| {
        let (_, extension) = name.rsplit_once('.')?;
        let is_number = extension.bytes().all(|byte| byte.is_ascii_digit());
        (!is_number).then_some(extension.len() + 1)
    });
    name[..name.len() - ending.unwrap_or(0)].to_owned()
}

fn explained(untold: &Untold, paths: &[PathBuf]) -> CheckpointError {
    let path = |index: usize| paths.get(index).cloned().unwrap_or_default();
    match *untold {
        Untold::NoNumber(index) => CheckpointError::NoNumber { path: path(index) },
        Untold::TooLarge(index) => CheckpointError::TooLarge { path: path(index) },
        Untold::Ambiguous(a, b) => CheckpointError::Ambiguous {
            first: path(a),
            second: path(b),
        },
        Untold::Contradiction(a, b) => CheckpointError::Contradiction {
            first: path(a),
            second: path(b),
        },
    }
}
