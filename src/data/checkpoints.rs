//! Checkpoint arguments -> checkpoint files in order, each with its step.

mod candidate;
mod error;
mod steps;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use glob::Pattern;
use regex::Regex;
use thiserror::Error;

use super::find::{self, FindError, LeftOut, Wanted};
use super::natural::NaturalKey;
use super::wanted::CHECKPOINTS;
use crate::one_line::listed;
use candidate::{Candidate, NAMED, any_numbered};
pub(crate) use error::CheckpointError;

/// Notes what is left out, if anything is.
fn note_left_out(
    names: impl ExactSizeIterator<Item = impl fmt::Display>,
    why: &str,
    notes: &mut Vec<String>,
) {
    if names.len() > 0 {
        notes.push(format!("left out: {} ({why})", listed(names, ", ", NAMED)));
    }
}

/// Why a text says nothing of where steps come from.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct StepSourceError(String);

/// The last line of a message, of which the others draw where in the expression it is.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

/// Where a checkpoint's step comes from.
#[derive(Debug, Clone, Default)]
pub(crate) enum StepSource {
    #[default]
    Name,
    Index,
    /// What the one group of the expression captures in the file's name, or in its path below the folder given.
    Captured(Regex),
}

impl FromStr for StepSource {
    type Err = StepSourceError;

    fn from_str(text: &str) -> Result<Self, StepSourceError> {
        match text {
            "name" => Ok(Self::Name),
            "index" => Ok(Self::Index),
            expression => match Regex::new(expression) {
                Ok(regex) if regex.captures_len() == 2 => Ok(Self::Captured(regex)),
                Ok(_) => Err(StepSourceError(
                    "expected \"name\", \"index\", or a regular expression with one group that matches the step, as in \
                     'epoch_(\\d+)'"
                        .to_owned(),
                )),
                Err(error) => Err(StepSourceError(format!(
                    "no regular expression: {}",
                    reason(&error)
                ))),
            },
        }
    }
}

impl fmt::Display for StepSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "name",
            Self::Index => "index",
            Self::Captured(regex) => regex.as_str(),
        })
    }
}

/// The default stands for what could not be put into a sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// Where it is, as the arguments lead to it.
    pub(crate) path: PathBuf,
    /// Its path below the folder that all checkpoints have in common.
    pub(crate) name: String,
    /// The step at which its images are written; never negative.
    pub(crate) step: i64,
}

/// Which of the files that are found are the sequence, and at which steps.
#[derive(Debug, Clone)]
pub(crate) struct Selection<'a> {
    pub(crate) step: StepSource,
    pub(crate) exclude: &'a [Pattern],
}

/// Checkpoints by strictly increasing step, and what is to be said of the files that are not among them.
#[derive(Debug)]
pub(crate) struct Sequence {
    pub(crate) checkpoints: Vec<Checkpoint>,
    pub(crate) notes: Vec<String>,
}

/// Lists the checkpoints that the arguments name, as docs/files.md says.
pub(crate) fn list_checkpoints<P: AsRef<Path>>(
    args: &[P],
    selection: &Selection<'_>,
) -> Result<Sequence, CheckpointError> {
    let mut notes = Vec::new();
    let mut paths = each_once(find_all(args, &mut notes)?, &mut notes);
    paths.sort_by_cached_key(|path| NaturalKey::new(path));
    let all = without_excluded(Candidate::all(paths), selection.exclude, &mut notes)?;
    let all = without_states(all, &mut notes);
    let steps = match &selection.step {
        StepSource::Index => (0..).map(Some).take(all.len()).collect(),
        StepSource::Captured(regex) => steps::captured(&all, regex)?,
        StepSource::Name => steps::by_number(&all)?,
    };
    let with_steps = with_steps(all, steps, &mut notes);
    let checkpoints = one_each_step(with_steps, &mut notes)?
        .into_iter()
        .map(|(step, Candidate { path, name, .. })| Checkpoint { path, name, step })
        .collect();
    Ok(Sequence { checkpoints, notes })
}

fn find_all<P: AsRef<Path>>(
    args: &[P],
    notes: &mut Vec<String>,
) -> Result<Vec<PathBuf>, FindError> {
    let wanted = |recursive| Wanted {
        recursive,
        ..CHECKPOINTS
    };
    let mut left_out = LeftOut::default();
    if args.is_empty() {
        return find::find(args, &wanted(false), &mut left_out);
    }
    let mut found = Vec::new();
    for arg in args {
        let arg = std::slice::from_ref(arg);
        found.extend(match find::find(arg, &wanted(false), &mut left_out) {
            Ok(paths) if any_numbered(&paths) => paths,
            _ => find::find(arg, &wanted(true), &mut left_out)?,
        });
    }
    // What else such folders hold goes without saying.
    notes.extend(left_out.of_links());
    let is_file = |path: &PathBuf| path.metadata().map_or(true, |metadata| metadata.is_file());
    // Opening a pipe would wait for a writer.
    let (found, others): (Vec<_>, Vec<_>) = found.into_iter().partition(is_file);
    note_left_out(
        others.iter().map(|path| path.display()),
        "neither a file nor a folder",
        notes,
    );
    Ok(found)
}

/// One of each file's names, a link only where the file itself is not among them.
fn each_once(paths: Vec<PathBuf>, notes: &mut Vec<String>) -> Vec<PathBuf> {
    let mut once: Vec<PathBuf> = Vec::new();
    let mut places = HashMap::new();
    let mut links = Vec::new();
    for path in paths {
        let file = path.canonicalize().unwrap_or_else(|_| path.clone());
        let place = *places.entry(file).or_insert(once.len());
        let Some(taken) = once.get_mut(place) else {
            once.push(path);
            continue;
        };
        let link = if taken.is_symlink() && !path.is_symlink() {
            std::mem::replace(taken, path)
        } else {
            path
        };
        if link.is_symlink() {
            links.push(format!("{} -> {}", link.display(), taken.display()));
        }
    }
    note_left_out(links.iter(), "links to files that are shown", notes);
    once
}

fn without_excluded(
    all: Vec<Candidate>,
    exclude: &[Pattern],
    notes: &mut Vec<String>,
) -> Result<Vec<Candidate>, CheckpointError> {
    let is_out = |one: &Candidate| exclude.iter().any(|pattern| is_excluded(one, pattern));
    let (out, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(is_out);
    let matches_any = |pattern: &&Pattern| out.iter().any(|one| is_excluded(one, pattern));
    for pattern in exclude.iter().filter(|pattern| !matches_any(pattern)) {
        notes.push(format!("excluded: '{pattern}' matches no checkpoint"));
    }
    match out.first() {
        Some(first) if kept.is_empty() => Err(CheckpointError::AllExcluded {
            count: out.len(),
            first: first.path.clone(),
        }),
        _ => Ok(kept),
    }
}

/// Whether a pattern matches the file's name, its path, an end of its path, or a folder that it is in,
/// below the one that all have in common.
fn is_excluded(one: &Candidate, pattern: &Pattern) -> bool {
    let options = glob::MatchOptions {
        require_literal_separator: true,
        ..glob::MatchOptions::new()
    };
    let parts: Vec<_> = one.path.components().collect();
    let mut ends = (0..parts.len()).map(|from| parts[from..].iter().collect::<PathBuf>());
    let mut folders = Path::new(&one.name).ancestors().skip(1);
    ends.any(|end| pattern.matches_path_with(&end, options))
        || folders.any(|folder| pattern.matches_path_with(folder, options))
}

/// Leaves out what holds a training's state without the network, unless there is nothing else.
fn without_states(all: Vec<Candidate>, notes: &mut Vec<String>) -> Vec<Candidate> {
    if all.iter().all(Candidate::is_state) {
        return all;
    }
    let (states, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(Candidate::is_state);
    let names = states.iter().map(|one| &one.name);
    note_left_out(
        names,
        "named as a training's state, without a network",
        notes,
    );
    kept
}

fn with_steps(
    all: Vec<Candidate>,
    steps: Vec<Option<i64>>,
    notes: &mut Vec<String>,
) -> Vec<(i64, Candidate)> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for (step, one) in steps.into_iter().zip(all) {
        match step {
            Some(step) => with.push((step, one)),
            None => without.push(one.name),
        }
    }
    let why = "no step in the name, or the best, last or averaged one by its name; name such a file alone, or take \
               the steps from the order of the files, to show it";
    note_left_out(without.iter(), why, notes);
    with
}

/// By strictly increasing step. Of files with one step that are one checkpoint, one is kept.
fn one_each_step(
    mut all: Vec<(i64, Candidate)>,
    notes: &mut Vec<String>,
) -> Result<Vec<(i64, Candidate)>, CheckpointError> {
    // Stable, so that of two with one step the first in natural order is named first.
    all.sort_by_key(|(step, _)| *step);
    let mut kept: Vec<(i64, Candidate)> = Vec::new();
    for (step, next) in all {
        let Some((_, last)) = kept.last_mut().filter(|(last, _)| *last == step) else {
            kept.push((step, next));
            continue;
        };
        let Some((next_stays, why)) = preferred(last, &next) else {
            return Err(CheckpointError::SameStep {
                step,
                first: last.path.clone(),
                second: next.path,
            });
        };
        let out = if next_stays {
            std::mem::replace(last, next)
        } else {
            next
        };
        let why = format!("step {step} is {}, {why}", last.name);
        note_left_out([out.name].iter(), &why, notes);
    }
    Ok(kept)
}

/// Whether the second of two files with one step is the one to show, and why; `None` where nothing tells.
fn preferred(first: &Candidate, second: &Candidate) -> Option<(bool, &'static str)> {
    let picked = [first.is_picked(), second.is_picked()];
    if picked[0] != picked[1] {
        return Some((picked[0], "which was not picked from the others"));
    }
    if first.path.parent() != second.path.parent() {
        return None;
    }
    if first.stem == second.stem && first.version != second.version {
        return Some((second.version > first.version, "the later version"));
    }
    // transformers before and after its weights became safetensors.
    let is_newer = match [&*first.stem, &*second.stem] {
        ["pytorch_model", "model"] => true,
        ["model", "pytorch_model"] => false,
        _ => return None,
    };
    Some((is_newer, "the same in another format"))
}
