//! A part of a run that several processes make: `--shard`.
//!
//! It is a run of its own in the run's folder, `RUN/part-3`, which TensorBoard shows as it grows. Nothing but the
//! numbers on the command line connects it with the others, until `merge` joins them.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::Path;

use crate::commands::error::CommandError;
use crate::data::checkpoints::Checkpoint;
use crate::one_line::shell_quoted;
use crate::settings::Shard;
use crate::state::PartOf;
use crate::weights::sha256;

/// One part of a run: a block of its checkpoints.
pub(super) fn part_of(
    Shard { index, count }: Shard,
    sequence: &[Checkpoint],
) -> Result<PartOf, CommandError> {
    let checkpoints = sequence.len();
    // No part is empty.
    let all = NonZeroUsize::new(checkpoints).ok_or_else(none_given)?;
    let parts = count.min(all).get();
    if index >= parts {
        return Err(CommandError::nothing_to_do(format!(
            "part {index} has nothing to do: there are {checkpoints} checkpoints, and a part each shows them all"
        )));
    }
    Ok(PartOf {
        index,
        parts,
        checkpoints,
        sequence: hash_of(sequence),
    })
}

/// The places of its checkpoints in the sequence.
pub(super) fn block(part: &PartOf) -> Range<usize> {
    let at = |index: usize| index * part.checkpoints / part.parts;
    at(part.index)..at(part.index + 1)
}

/// What a part is, and what comes after it, for people.
pub(super) fn describe(part: &PartOf, run: &Path) -> Vec<String> {
    let Range { start, end } = block(part);
    let PartOf {
        index,
        parts,
        checkpoints,
        ..
    } = part;
    let start = start + 1;
    vec![
        format!("part {index}/{parts}: checkpoints {start} to {end} of {checkpoints}"),
        format!(
            "once all parts are done:  vggscope merge {}",
            shell_quoted(run)
        ),
    ]
}

pub(super) fn none_given() -> CommandError {
    CommandError::failed("no checkpoint given: name files, a folder or a pattern")
}

/// That a run is split over other checkpoints than there are now.
pub(super) fn other_sequence(run: &Path, expected: usize, found: usize) -> CommandError {
    let run = run.display();
    CommandError::wrong_use(format!(
        "{run} is split over other checkpoints: {expected} when its first part began, and now {found}, or others; name another --run, or show later ones once all parts are done"
    ))
}

pub(super) fn hash_of(sequence: &[Checkpoint]) -> String {
    let line = |Checkpoint { name, step, .. }: &Checkpoint| format!("{step} {name}\n");
    let lines: String = sequence.iter().map(line).collect();
    // Reading from memory does not fail.
    sha256(&mut lines.as_bytes()).unwrap_or_default()
}
