//! A part of a run that several processes make: `--shard`.
//!
//! It is a run of its own in the run's folder, `RUN/part-3`, which TensorBoard shows as it grows. Nothing but the
//! numbers on the command line connects it with the others, until `merge` joins them.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::error::CheckpointsError;
use crate::data::checkpoints::Checkpoint;
use crate::settings::Shard;
use crate::state::{PartOf, RunFolder};
use crate::weights::sha256;

/// One part of a run: a block of its checkpoints.
pub(super) struct Part {
    pub(super) folder: PathBuf,
    pub(super) block: Range<usize>,
    pub(super) of: PartOf,
}

impl Part {
    pub(super) fn of(
        shard: Shard,
        run: &Path,
        sequence: &[Checkpoint],
    ) -> Result<Self, CheckpointsError> {
        let Shard { index, count } = shard;
        let checkpoints = sequence.len();
        // No part is empty.
        let all = NonZeroUsize::new(checkpoints).ok_or(CheckpointsError::NoneGiven)?;
        let parts = count.min(all);
        if index >= parts.get() {
            return Err(CheckpointsError::EmptyPart { index, checkpoints });
        }
        let at = |part: usize| part * checkpoints / parts;
        Ok(Self {
            folder: RunFolder::part(run, index),
            block: at(index)..at(index + 1),
            of: PartOf {
                index,
                parts: parts.get(),
                checkpoints,
                sequence: hash_of(sequence),
            },
        })
    }

    /// What this part is, and what comes after it, for people.
    pub(super) fn describe(&self, run: &Path) -> Vec<String> {
        let Range { start, end } = self.block;
        let PartOf {
            index,
            parts,
            checkpoints,
            ..
        } = self.of;
        vec![
            format!(
                "part {index}/{parts}: checkpoints {} to {end} of {checkpoints}",
                start + 1
            ),
            format!(
                "once all parts are done:  vggscope merge {}",
                crate::one_line::shell_quoted(run)
            ),
        ]
    }
}

pub(super) fn hash_of(sequence: &[Checkpoint]) -> String {
    let line = |Checkpoint { name, step, .. }: &Checkpoint| format!("{step} {name}\n");
    let lines: String = sequence.iter().map(line).collect();
    // Reading from memory does not fail.
    sha256(&mut lines.as_bytes()).unwrap_or_default()
}
