//! Names of checkpoints -> their steps.

use regex::Regex;

use super::candidate::{Candidate, NAMED, Number};
use super::error::CheckpointError;
use crate::one_line::listed;

/// What `regex` captures in the file's name, else in its path below the folder given; `None` where it
/// captures no step, which is an error where none has one.
pub(super) fn captured(
    all: &[Candidate],
    regex: &Regex,
) -> Result<Vec<Option<i64>>, CheckpointError> {
    let step = |one: &Candidate| {
        let file = one.path.file_name()?.to_string_lossy();
        let captures = regex
            .captures(&file)
            .or_else(|| regex.captures(&one.name))?;
        let step = captures.get(1)?.as_str().parse().ok()?;
        (step >= 0).then_some(step)
    };
    let steps: Vec<Option<i64>> = all.iter().map(step).collect();
    match (all.first(), steps.iter().any(Option::is_some)) {
        (Some(first), false) => Err(CheckpointError::NoMatch {
            path: first.path.clone(),
            regex: regex.to_string(),
        }),
        _ => Ok(steps),
    }
}

/// The steps by the numbers in the names; `None` where there is none, or where the name says that the
/// file was picked from the others (`best_epoch_3` next to `epoch_4`).
pub(super) fn by_number(all: &[Candidate]) -> Result<Vec<Option<i64>>, CheckpointError> {
    let own = own_numbers(all);
    let of_name = |at: usize| [own[at].as_slice(), &all[at].in_folders].concat();
    let numbered = (0..all.len()).filter(|&at| !of_name(at).is_empty());
    let (picked, sequence): (Vec<_>, Vec<_>) = numbered.partition(|&at| all[at].is_picked());
    // Where all of them were picked, they are the sequence.
    let sequence = if sequence.is_empty() {
        picked
    } else {
        sequence
    };
    if sequence.is_empty() {
        return without_numbers(all);
    }
    // A folder's number counts for files that have none of their own, and where their own are equal.
    let any_own = sequence.iter().any(|&at| !own[at].is_empty());
    let numbers: Vec<(usize, Vec<Number>)> = sequence
        .into_iter()
        .filter(|&at| !any_own || !own[at].is_empty())
        .map(|at| (at, of_name(at)))
        .collect();
    let mut steps = vec![None; all.len()];
    for (at, step) in last_varying(all, &numbers)? {
        steps[at] = Some(step);
    }
    Ok(steps)
}

/// The numbers of each file's own name, without those in what all begin with (`vgg16_`).
fn own_numbers(all: &[Candidate]) -> Vec<Vec<Number>> {
    let sequence = || all.iter().filter(|one| !one.is_picked());
    let common = sequence()
        .map(|one| one.stem.as_str())
        .reduce(common_prefix)
        .unwrap_or_default()
        .trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
        .len();
    let behind = |one: &Candidate| {
        let mut numbers = one.in_stem.clone();
        numbers.retain(|number| one.is_picked() || number.start >= common);
        numbers
    };
    if sequence().any(|one| !behind(one).is_empty()) {
        return all.iter().map(behind).collect();
    }
    all.iter().map(|one| one.in_stem.clone()).collect()
}

fn common_prefix<'a>(a: &'a str, b: &str) -> &'a str {
    let equal = a.char_indices().zip(b.chars()).find(|((_, a), b)| a != b);
    let end = equal.map_or(a.len().min(b.len()), |((at, _), _)| at);
    &a[..end]
}

/// The steps of files without a number: Lightning's versions where all have one, and 0 for a single file.
fn without_numbers(all: &[Candidate]) -> Result<Vec<Option<i64>>, CheckpointError> {
    let versions: Option<Vec<i64>> = all
        .iter()
        .map(|one| one.version.filter(|_| !one.is_picked()))
        .collect();
    match (versions, all) {
        (Some(versions), _) => Ok(versions.into_iter().map(Some).collect()),
        (None, [_]) => Ok(vec![Some(0)]),
        _ => Err(CheckpointError::NoNumber {
            names: listed(all.iter().map(|one| &one.name), ", ", NAMED),
        }),
    }
}

/// The last number that varies from file to file, counted from the name's end; where none varies, the last.
/// If an earlier number varies too and gives another order, that is an error.
fn last_varying(
    all: &[Candidate],
    numbers: &[(usize, Vec<Number>)],
) -> Result<Vec<(usize, i64)>, CheckpointError> {
    let path = |at: usize| all[numbers[at].0].path.clone();
    let common = numbers.iter().map(|(_, of_name)| of_name.len()).min();
    let column = |place: usize| -> Vec<Option<i64>> {
        let values = numbers.iter().map(|(_, of_name)| of_name[place].value);
        values.collect()
    };
    let mut varying = (0..common.unwrap_or(0))
        .map(column)
        .filter(|values| values.windows(2).any(|pair| pair[0] != pair[1]));
    let steps = varying.next().unwrap_or_else(|| column(0));
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    for earlier in varying {
        order.sort_by_key(|&at| (steps[at], earlier[at]));
        let falls = |pair: &&[usize]| {
            steps[pair[0]] != steps[pair[1]] && earlier[pair[0]] > earlier[pair[1]]
        };
        if let Some(pair) = order.windows(2).find(falls) {
            return Err(CheckpointError::Ambiguous {
                first: path(pair[0]),
                second: path(pair[1]),
            });
        }
    }
    let step_of = |(at, step): (usize, Option<i64>)| match step {
        Some(step) => Ok((numbers[at].0, step)),
        None => Err(CheckpointError::OutOfRange { path: path(at) }),
    };
    steps.into_iter().enumerate().map(step_of).collect()
}
