//! A part of a run that several processes make: `--shard`.
//!
//! Each part has a folder below `RUN/parts`, where it is made as a run of its own that TensorBoard does not see. What
//! the parts share lies next to them. Once a part is done, and all before it, its event files are moved to the run;
//! once all are, the rest is [merged](super::merge) and `parts` goes.
//!
//! | in `RUN/parts` | what |
//! | --- | --- |
//! | `split.toml` | how many parts, of which checkpoints and probe images |
//! | `calibration.toml` | what the first process found out of the first and the last checkpoint |
//! | `00003/` | the event files, manifest and Gram matrices of a part |
//! | `00003/summary-120.toml` | what was found out of its weights up to step 120; the part goes on from there |
//! | `00003/done.toml` | says that nothing of it is missing |

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::CheckpointsError;
use super::loading::Loader;
use super::remaining::{Remaining, check_configuration};
use super::setup::CheckpointRun;
use crate::analysis::Calibration;
use crate::analysis::change::Summary;
use crate::commands::context::Context;
use crate::commands::error::RunError;
use crate::data::checkpoints::Checkpoint;
use crate::logger::LoggerError;
use crate::settings::{CheckpointsSettings, Shard};
use crate::state::{
    CONFIG, MANIFEST, Manifest, PARTS, RunFolder, StateError, lock_file, read_toml, write_text,
    write_toml,
};
use crate::weights::sha256;
use tensorboard_events::EventFile;

const SPLIT: &str = "split.toml";
const CALIBRATION: &str = "calibration.toml";
const DONE: &str = "done.toml";

/// How often a process that waits for another one looks again.
pub(super) const AGAIN: Duration = Duration::from_millis(200);

/// How many summaries are kept: more than steps that are measured and not in the event file yet.
const SUMMARIES: usize = 8;

/// What all parts have to agree about.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Terms {
    parts: usize,
    checkpoints: usize,
    /// SHA-256 of their names and steps.
    sequence: String,
    /// SHA-256 of the probe images as the network gets them.
    probe_images: String,
}

/// What a part leaves when it is done.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Done {
    /// What was found out of its weights, where the steps are compared.
    pub(super) summary: Option<Summary>,
}

/// One part of a run: a block of its checkpoints.
pub(super) struct Part {
    /// The run's folder.
    pub(super) run: PathBuf,
    pub(super) shard: Shard,
    /// Its checkpoints in the sequence.
    block: Range<usize>,
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

    fn own(&self) -> PathBuf {
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

    /// Agrees with the other parts on what is split, and how the run is configured. Where none has a step yet, and
    /// none is at work, this one says it. The file is to be held while this part is at work.
    pub(super) fn agree(&self, run: &CheckpointRun<'_>) -> Result<File, RunError> {
        let line = |Checkpoint { name, step, .. }: &Checkpoint| format!("{step} {name}\n");
        let lines: String = run.sequence.iter().map(line).collect();
        let terms = Terms {
            parts: self.shard.count.get(),
            checkpoints: run.sequence.len(),
            sequence: sha256(&mut lines.as_bytes()).unwrap_or_default(),
            probe_images: run.probes.hash(),
        };
        let parts = self.parts();
        let _turn = self.turn(&parts.join("lock"), run.context.context)?;
        let alive = lock_file(&parts.join("alive"))?;
        let found: Option<Terms> = read_toml(&parts.join(SPLIT))?;
        let agreed = found.map(|found| self.compare(&found, &terms, &run.config));
        match agreed {
            Some(Ok(())) => {}
            Some(Err(differs)) if self.has_begun() || alive.try_lock().is_err() => {
                return Err(differs);
            }
            _ => {
                remove(&parts.join(CALIBRATION))?;
                write_text(&self.run.join(CONFIG), &run.config)?;
                write_toml(&parts.join(SPLIT), &terms)?;
            }
        }
        // Where the file system has no locks, nobody is known to be at work.
        let _ = alive.unlock();
        let _ = alive.try_lock_shared();
        Ok(alive)
    }

    fn compare(&self, found: &Terms, terms: &Terms, config: &str) -> Result<(), RunError> {
        let folder = self.run.clone();
        let differs = if found.parts != terms.parts {
            CheckpointsError::OtherParts {
                folder,
                expected: found.parts,
                found: terms.parts,
            }
        } else if (found.checkpoints, &found.sequence) != (terms.checkpoints, &terms.sequence) {
            CheckpointsError::OtherSequence {
                folder,
                expected: found.checkpoints,
                found: terms.checkpoints,
            }
        } else if found.probe_images != terms.probe_images {
            CheckpointsError::OtherProbes(folder)
        } else {
            return check_configuration(&self.run, config);
        };
        Err(differs.into())
    }

    /// Whether any part has a step, or may have one.
    fn has_begun(&self) -> bool {
        let begun = |folder: PathBuf| {
            let has_step =
                |manifest: Option<Manifest>| manifest.is_some_and(|m| m.last().is_some());
            Manifest::read(&folder).map_or(true, has_step) || folder.join(DONE).exists()
        };
        let folders = fs::read_dir(self.parts()).into_iter().flatten();
        folders.flatten().map(|entry| entry.path()).any(begun)
    }

    /// The part's manifest, and what it lacks. Its steps are compared with the run's first one and with the one before.
    pub(super) fn remaining(
        &self,
        run: &CheckpointRun<'_>,
        loader: &Loader,
    ) -> Result<(Manifest, Remaining), RunError> {
        let folder = self.own();
        let mut manifest = Manifest::read(&folder)?;
        if run.settings.comparison.is_on() {
            self.cut_back(manifest.as_mut())?;
        }
        let manifest = manifest.filter(|manifest| manifest.last().is_some());
        let manifest = manifest
            .unwrap_or_else(|| Manifest::new(run.probes.hash(), loader.network_shown().clone()));
        let (before, from) = run.sequence.split_at(self.block.start);
        let block = &from[..self.block.len()];
        let mut remaining = Remaining::of(block, &manifest, run.terminal());
        if remaining.due.is_empty() {
            self.done()?;
            let steps = manifest.shown().count();
            return Err(CheckpointsError::NothingNew { folder, steps }.into());
        }
        remaining.follow_on(before);
        Ok((manifest, remaining))
    }

    /// Cuts what was done back to the last summary, after which something would be missing in the end, and forgets the
    /// later ones: they are of steps that are made again.
    fn cut_back(&self, manifest: Option<&mut Manifest>) -> Result<(), StateError> {
        let steps = self.summaries();
        let last = manifest.and_then(|manifest| {
            let is_shown = |step: &i64| manifest.get(*step).is_some_and(|entry| !entry.left_out);
            let last = steps.iter().copied().rev().find(is_shown);
            manifest.cut_after(last);
            last
        });
        let mut later = steps.iter().filter(|step| Some(**step) > last);
        later.try_for_each(|step| remove(&self.summary_file(*step)))
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

    fn summary_file(&self, step: i64) -> PathBuf {
        self.own().join(format!("summary-{step}.toml"))
    }

    /// The steps of which there is a summary, in order.
    fn summaries(&self) -> Vec<i64> {
        let step = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            let step = name.strip_prefix("summary-")?.strip_suffix(".toml")?;
            step.parse().ok()
        };
        let entries = fs::read_dir(self.own()).into_iter().flatten().flatten();
        let mut steps: Vec<i64> = entries.filter_map(step).collect();
        steps.sort_unstable();
        steps
    }

    /// Keeps what was found out up to a step, and forgets what is older than the last few.
    pub(super) fn keep_summary(&self, step: i64, summary: &Summary) -> Result<(), StateError> {
        write_toml(&self.summary_file(step), summary)?;
        let steps = self.summaries();
        let mut old = steps.iter().rev().skip(SUMMARIES);
        old.try_for_each(|step| remove(&self.summary_file(*step)))
    }

    /// What was found out so far.
    pub(super) fn summary(&self) -> Result<Option<Summary>, StateError> {
        match self.summaries().last() {
            Some(step) => read_toml(&self.summary_file(*step)),
            None => Ok(None),
        }
    }

    /// Says that this part is done.
    pub(super) fn done(&self) -> Result<(), StateError> {
        let summary = self.summary()?;
        write_toml(&self.own().join(DONE), &Done { summary })
    }

    /// What each part left, in order, up to the first that is not done.
    pub(super) fn done_parts(&self) -> Result<Vec<Done>, StateError> {
        let read = |part| read_toml(&self.folder(part).join(DONE));
        let all = (0..self.shard.count.get()).map_while(|part| read(part).transpose());
        all.collect()
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
fn remove(path: &Path) -> Result<(), StateError> {
    let gone = |error: &io::Error| error.kind() == ErrorKind::NotFound;
    match fs::remove_file(path) {
        Err(source) if !gone(&source) => Err(StateError::Write {
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}
