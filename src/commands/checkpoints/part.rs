//! A part of a run that several processes make: `--shard`.
//!
//! Each part has a folder below `RUN/parts`, where it is made as a run of its own that TensorBoard does not see. What
//! the parts share lies next to them. Once a part is done, and all before it, its event files are moved to the run;
//! once all are, the rest is merged and `parts` goes.
//!
//! | in `RUN/parts` | what |
//! | --- | --- |
//! | `split.toml` | how many parts, of which checkpoints and probe images |
//! | `calibration.toml` | what the first process found out of the first and the last checkpoint |
//! | `00003/` | the event files, manifest and Gram matrices of a part |
//! | `00003/summary.toml` | what was found out of its weights up to some step, from which the part goes on |
//! | `00003/done` | says that nothing of it is missing |

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::CheckpointsError;
use crate::analysis::Calibration;
use crate::analysis::change::Summary;
use crate::commands::context::Context;
use crate::commands::error::RunError;
use crate::data::checkpoints::Checkpoint;
use crate::logger::LoggerError;
use crate::settings::{CheckpointsSettings, Shard};
use crate::state::{
    MANIFEST, PARTS, RunFolder, StateError, lock_file, read_toml, write_text, write_toml,
};
use tensorboard_events::EventFile;

pub(super) const CALIBRATION: &str = "calibration.toml";
pub(super) const SUMMARY: &str = "summary.toml";
pub(super) const DONE: &str = "done";

/// How often a process that waits for another one looks again.
pub(super) const AGAIN: Duration = Duration::from_millis(200);

/// What a part found out of its weights, where the steps are compared.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PartSummary {
    /// Up to this step.
    pub(super) step: i64,
    pub(super) summary: Summary,
}

/// One part of a run: a block of its checkpoints.
pub(super) struct Part {
    /// The run's folder.
    pub(super) run: PathBuf,
    pub(super) shard: Shard,
    /// Its checkpoints in the sequence.
    pub(super) block: Range<usize>,
    /// How many checkpoints all parts have.
    checkpoints: usize,
}

impl Part {
    /// The part that was asked for; `None` where all checkpoints are to be shown, or the parts are merged already.
    pub(super) fn of(
        settings: &CheckpointsSettings,
        shard: Option<Shard>,
        sequence: &[Checkpoint],
    ) -> Result<Option<Self>, RunError> {
        let run = settings.run.output.run_folder();
        if run.join(MANIFEST).exists() {
            // A process that was killed while it merged; costs only room.
            let _ = fs::remove_dir_all(run.join(PARTS));
            return Ok(None);
        }
        let Some(Shard { index, count }) = shard else {
            return Ok(None);
        };
        let checkpoints = sequence.len();
        // No part is empty.
        let all = NonZeroUsize::new(checkpoints).ok_or(CheckpointsError::NoneGiven)?;
        let count = count.min(all);
        if index >= count.get() {
            return Err(CheckpointsError::EmptyPart { index, checkpoints }.into());
        }
        let at = |part: usize| part * checkpoints / count;
        Ok(Some(Self {
            run,
            shard: Shard { index, count },
            block: at(index)..at(index + 1),
            checkpoints,
        }))
    }

    pub(super) fn folder(&self, part: usize) -> PathBuf {
        self.parts().join(format!("{part:05}"))
    }

    pub(super) fn parts(&self) -> PathBuf {
        self.run.join(PARTS)
    }

    pub(super) fn own(&self) -> PathBuf {
        self.folder(self.shard.index)
    }

    /// The folder of this part, for this process alone.
    pub(super) fn reserve(&self, context: &Context) -> Result<RunFolder, RunError> {
        Ok(RunFolder::reserve_part(self.own(), &context.interrupt)?)
    }

    /// Its event file, written from this step on.
    pub(super) fn events(&self, step: Option<i64>) -> Result<EventFile, LoggerError> {
        Ok(EventFile::resume_part(
            &self.own(),
            step.unwrap_or(i64::MIN),
        )?)
    }

    /// Calls `find` to find out what is shared, unless another process did; the others wait for it meanwhile.
    pub(super) fn calibration(
        &self,
        context: &Context,
        find: impl FnOnce() -> Result<Calibration, RunError>,
    ) -> Result<Calibration, RunError> {
        let parts = self.parts();
        let _turn = self.turn(&parts.join("lock"), context)?;
        let file = parts.join(CALIBRATION);
        if let Some(calibration) = read_toml(&file)? {
            return Ok(calibration);
        }
        let calibration = find()?;
        write_toml(&file, &calibration)?;
        Ok(calibration)
    }

    /// Keeps what was found out up to a step that is in the event file.
    pub(super) fn keep_summary(&self, step: i64, summary: &Summary) -> Result<(), StateError> {
        let summary = summary.clone();
        write_toml(&self.own().join(SUMMARY), &PartSummary { step, summary })
    }

    /// What a part found out so far.
    pub(super) fn summary(&self, part: usize) -> Result<Option<PartSummary>, StateError> {
        read_toml(&self.folder(part).join(SUMMARY))
    }

    /// Says that this part is done.
    pub(super) fn done(&self) -> Result<(), StateError> {
        write_text(&self.own().join(DONE), "")
    }

    /// Whether the parts have become one run.
    pub(super) fn is_merged(&self) -> bool {
        self.run.join(MANIFEST).exists()
    }

    /// The parts that are not done.
    pub(super) fn missing(&self) -> Vec<usize> {
        let is_missing = |part: &usize| !self.folder(*part).join(DONE).exists();
        (0..self.shard.count.get()).filter(is_missing).collect()
    }

    /// Waits until no other process does what only one may.
    pub(super) fn turn(&self, file: &Path, context: &Context) -> Result<File, StateError> {
        let lock = lock_file(file)?;
        let mut said = false;
        loop {
            match lock.try_lock() {
                Err(TryLockError::WouldBlock) => {}
                // Where the file system has no locks, everybody does it.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(lock),
            }
            if context.interrupt.is_requested() {
                return Err(StateError::Busy(self.run.clone()));
            }
            if !said {
                said = true;
                context.terminal.note("waiting for another part of the run");
            }
            thread::sleep(AGAIN);
        }
    }

    /// What this part is, for people.
    pub(super) fn describe(&self) -> String {
        let Range { start, end } = self.block;
        format!(
            "part {}/{}: checkpoints {} to {end} of {}",
            self.shard.index,
            self.shard.count,
            start + 1,
            self.checkpoints
        )
    }
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), StateError> {
    let gone = |error: &io::Error| error.kind() == ErrorKind::NotFound;
    match fs::remove_file(path) {
        Err(source) if !gone(&source) => Err(StateError::Write {
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}
