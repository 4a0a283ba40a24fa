//! Checkpoint arguments -> checkpoint files in order, each with its step.

use std::path::{Path, PathBuf};

use regex::Regex;
use thiserror::Error;

use super::find::{self, FindError, Wanted};
use super::natural::NaturalKey;

/// The endings by which checkpoints are recognized in folders and among a pattern's matches.
pub(crate) const CHECKPOINT_EXTENSIONS: &[&str] = &[
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StepFrom {
    /// The number in the file's name.
    #[default]
    Name,
    /// The place in natural order, from 0.
    Index,
}

/// A checkpoint file and its step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// Where it is, as the arguments lead to it.
    pub(crate) path: PathBuf,
    /// The step at which its images are written; never negative.
    pub(crate) step: i64,
}

/// What keeps arguments from being a sequence of checkpoints.
#[derive(Debug, Error)]
pub(crate) enum CheckpointError {
    #[error(transparent)]
    Find(#[from] FindError),
    #[error(
        "{}: no whole number in this name to take the step from; leave the file out, capture the step \
         with --step-regex, or number the checkpoints in natural order with --step-from index",
        path.display()
    )]
    NoNumber { path: PathBuf },
    #[error(
        "{}: --step-regex '{regex}' captures no whole number in this name; change the expression, or \
         leave the file out",
        path.display()
    )]
    NoMatch { path: PathBuf, regex: String },
    #[error(
        "{} and {}: two numbers in these names differ and give different orders; capture the step with \
         --step-regex, such as 'epoch(\\d+)', or number the checkpoints in natural order with \
         --step-from index",
        first.display(),
        second.display()
    )]
    Ambiguous {
        /// The file with the smaller last number.
        first: PathBuf,
        /// The file with the smaller earlier number.
        second: PathBuf,
    },
    #[error(
        "{} and {}: both have step {step}; leave one out, capture another number with --step-regex, \
         or number the checkpoints in natural order with --step-from index",
        first.display(),
        second.display()
    )]
    SameStep {
        step: i64,
        first: PathBuf,
        second: PathBuf,
    },
    #[error(
        "{}: the number in this name is larger than the largest step, {}; rename the file, or number \
         the checkpoints in natural order with --step-from index",
        path.display(),
        i64::MAX
    )]
    TooLarge { path: PathBuf },
}

/// Lists the checkpoints that the arguments name, by strictly increasing step.
///
/// A file is taken whatever its ending; a folder gives the files in it (not in folders below it)
/// that end in [`CHECKPOINT_EXTENSIONS`] (any case), hidden ones skipped; an argument that is no path
/// and holds `*`, `?` or `[` is a pattern. A file that is named more than once is taken once.
///
/// With [`StepFrom::Index`] the steps are 0, 1, 2 … in natural order of the paths (`e2` before
/// `e10`, case ignored, component by component).
///
/// With [`StepFrom::Name`] the step is what `step_regex` captures in the file's name. Without an
/// expression it is the last whole number in the name that varies from file to file, counted from the
/// name's end; where none varies, the last. `90k` and `2M` are 90000 and 2000000; numbers with a
/// fraction or a negative power (`loss0.12`, `lr1e-4`) do not count. If an earlier number varies too
/// and gives another order (`epoch1_step50`, `epoch2_step10`), that is an error.
pub(crate) fn list_checkpoints<P: AsRef<Path>>(
    args: &[P],
    step_from: StepFrom,
    step_regex: Option<&Regex>,
) -> Result<Vec<Checkpoint>, CheckpointError> {
    let wanted = Wanted {
        noun: "checkpoint",
        extensions: CHECKPOINT_EXTENSIONS,
        recursive: false,
    };
    let mut paths = find::find(args, &wanted)?;
    paths.sort_by_cached_key(|path| NaturalKey::new(path));
    let steps = match (step_from, step_regex) {
        (StepFrom::Index, _) => (0..).take(paths.len()).collect(),
        (StepFrom::Name, Some(regex)) => captured_steps(&paths, regex)?,
        (StepFrom::Name, None) => last_varying_numbers(&paths)?,
    };
    let checkpoints = paths.into_iter().zip(steps);
    let mut checkpoints: Vec<Checkpoint> = checkpoints
        .map(|(path, step)| Checkpoint { path, step })
        .collect();
    // Stable, so that of two with one step the first in natural order is named first.
    checkpoints.sort_by_key(|checkpoint| checkpoint.step);
    match checkpoints
        .windows(2)
        .find(|pair| pair[0].step == pair[1].step)
    {
        Some(pair) => Err(CheckpointError::SameStep {
            step: pair[0].step,
            first: pair[0].path.clone(),
            second: pair[1].path.clone(),
        }),
        None => Ok(checkpoints),
    }
}

fn captured_steps(paths: &[PathBuf], regex: &Regex) -> Result<Vec<i64>, CheckpointError> {
    let step = |path: &PathBuf| {
        let name = path.file_name()?.to_string_lossy();
        let digits = regex.captures(&name)?.get(1)?.as_str();
        digits.parse().ok().filter(|step| *step >= 0)
    };
    let step_or_error = |path: &PathBuf| {
        step(path).ok_or_else(|| CheckpointError::NoMatch {
            path: path.clone(),
            regex: regex.to_string(),
        })
    };
    paths.iter().map(step_or_error).collect()
}

fn last_varying_numbers(paths: &[PathBuf]) -> Result<Vec<i64>, CheckpointError> {
    let names: Vec<Vec<Option<i64>>> = paths.iter().map(|path| numbers_from_end(path)).collect();
    if let Some(bare) = names.iter().position(Vec::is_empty) {
        let path = paths[bare].clone();
        return Err(CheckpointError::NoNumber { path });
    }
    let common = names.iter().map(Vec::len).min().unwrap_or(0);
    let column = |place: usize| names.iter().map(|n| n[place]).collect::<Vec<_>>();
    let mut varying = (0..common)
        .map(column)
        .filter(|values| values.windows(2).any(|pair| pair[0] != pair[1]));
    let steps = match varying.next() {
        Some(steps) => steps,
        None if common > 0 => column(0),
        None => Vec::new(),
    };
    let mut order: Vec<usize> = (0..paths.len()).collect();
    for earlier in varying {
        order.sort_by_key(|&at| (steps[at], earlier[at]));
        let falls = |pair: &&[usize]| {
            steps[pair[0]] != steps[pair[1]] && earlier[pair[0]] > earlier[pair[1]]
        };
        if let Some(pair) = order.windows(2).find(falls) {
            return Err(CheckpointError::Ambiguous {
                first: paths[pair[0]].clone(),
                second: paths[pair[1]].clone(),
            });
        }
    }
    let steps = steps.into_iter().zip(paths);
    steps
        .map(|(step, path)| step.ok_or_else(|| CheckpointError::TooLarge { path: path.clone() }))
        .collect()
}

/// The whole numbers in a file's name without its ending, last first; `None` where one is past `i64`.
fn numbers_from_end(path: &Path) -> Vec<Option<i64>> {
    let name = stem(path);
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    let mut numbers = Vec::new();
    let mut rest = name.as_str();
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let after = rest[start..].trim_start_matches(is_part);
        let token = rest[start..rest.len() - after.len()].trim_end_matches('.');
        let mut after_unit = after.chars();
        let factor = match after_unit.next() {
            Some('k' | 'K') => 1_000,
            Some('M') => 1_000_000,
            _ => 1,
        };
        let has_unit = !after_unit.as_str().starts_with(char::is_alphanumeric);
        let is_small = after.starts_with("e-");
        rest = if is_small {
            after[2..].trim_start_matches(is_part)
        } else {
            after
        };
        if token.contains('.') || is_small {
            continue;
        }
        let value = token.parse::<i64>().ok();
        let factor = if has_unit { factor } else { 1 };
        numbers.push(value.and_then(|value| value.checked_mul(factor)));
    }
    numbers.reverse();
    numbers
}

/// The file's name without its ending; an ending of digits only is part of the name (`model.3`).
fn stem(path: &Path) -> String {
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
