//! A run that several processes make, a part each: `--shard`.
//!
//! Each part has a folder below `RUN/parts`, where it is made as a run of its own that TensorBoard does not see. What
//! the parts share lies beside them. Once a part is done, and all before it, its event files are moved to the run;
//! once all are, the rest is [merged](super::merge) and `parts` goes.
//!
//! | in `RUN/parts` | what |
//! | --- | --- |
//! | `split.toml` | how many parts, of which checkpoints and probe images |
//! | `calibration.toml` | what the first process found out of the reference checkpoints |
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

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::manifest::{MANIFEST, Manifest};
use super::open::RunNetwork;
use super::plan::{Plan, check_configuration};
use crate::analysis::Calibration;
use crate::analysis::change::Summary;
use crate::commands::context::Context;
use crate::commands::error::RunError;
use crate::commands::run_folder::{CONFIG, PARTS, RunFolder};
use crate::data::checkpoints::Checkpoint;
use crate::settings::{CheckpointsSettings, Shard};
use crate::weights::sha256;

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

/// One part of a run.
pub(super) struct Split {
    /// The run's folder.
    pub(super) run: PathBuf,
    pub(super) shard: Shard,
    /// Its checkpoints in the sequence.
    block: Range<usize>,
    checkpoints: usize,
}

impl Split {
    /// The part that was asked for; `None` where all checkpoints are to be shown, or the parts are merged already.
    pub(super) fn of(
        settings: &CheckpointsSettings,
        shard: Option<Shard>,
        sequence: &[Checkpoint],
    ) -> Result<Option<Self>, RunError> {
        let run = settings.run.output.run_folder();
        if run.join(MANIFEST).exists() {
            // Whoever merged may have been killed before the last line of it.
            let _ = fs::remove_dir_all(run.join(PARTS));
            return Ok(None);
        }
        let Some(Shard { index, count }) = shard else {
            return Ok(None);
        };
        let all = NonZeroUsize::new(sequence.len()).ok_or(RunError::NoCheckpoint)?;
        // No part is empty.
        let count = count.min(all);
        if index >= count.get() {
            let checkpoints = sequence.len();
            return Err(RunError::EmptyPart { index, checkpoints });
        }
        let at = |part: usize| part * sequence.len() / count;
        Ok(Some(Self {
            run,
            shard: Shard { index, count },
            block: at(index)..at(index + 1),
            checkpoints: sequence.len(),
        }))
    }

    pub(super) fn folder(&self, part: usize) -> PathBuf {
        self.run.join(PARTS).join(format!("{part:05}"))
    }

    fn own(&self) -> PathBuf {
        self.folder(self.shard.index)
    }

    /// The folder of this part, for this process alone.
    pub(super) fn reserve(&self, context: &Context) -> Result<RunFolder, RunError> {
        RunFolder::reserve_part(self.own(), &context.interrupt)
    }

    /// Agrees with the other parts on what is split, and how the run is configured. Where none has a step yet, and
    /// none is at work, this one says it. The file is to be held while this part is at work.
    pub(super) fn agree(
        &self,
        sequence: &[Checkpoint],
        probe_images: String,
        config: &str,
        context: &Context,
    ) -> Result<File, RunError> {
        let line = |Checkpoint { name, step, .. }: &Checkpoint| format!("{step} {name}\n");
        let lines: String = sequence.iter().map(line).collect();
        let terms = Terms {
            parts: self.shard.count.get(),
            checkpoints: sequence.len(),
            sequence: sha256(&mut lines.as_bytes()).unwrap_or_default(),
            probe_images,
        };
        let parts = self.run.join(PARTS);
        let _turn = self.turn(&parts.join("lock"), context)?;
        let alive = open_lock(&parts.join("alive"))?;
        let found: Option<Terms> = read_if_there(&parts.join(SPLIT))?;
        let differs = match &found {
            Some(found) => self.differences(found, &terms, config),
            None => Ok(()),
        };
        let is_free = || !self.has_begun() && alive.try_lock().is_ok();
        if found.is_none() || differs.is_err() {
            if found.is_some() && !is_free() {
                differs?;
            }
            let _ = fs::remove_file(parts.join(CALIBRATION));
            write(&self.run.join(CONFIG), config)?;
            write_toml(&parts.join(SPLIT), &terms)?;
        }
        let _ = alive.unlock();
        // Where the file system has no locks, nobody is known to be at work.
        let _ = alive.try_lock_shared();
        Ok(alive)
    }

    fn differences(&self, found: &Terms, terms: &Terms, config: &str) -> Result<(), RunError> {
        let folder = self.run.clone();
        if found.parts != terms.parts {
            let (expected, found) = (found.parts, terms.parts);
            return Err(RunError::OtherParts {
                folder,
                expected,
                found,
            });
        }
        if (found.checkpoints, &found.sequence) != (terms.checkpoints, &terms.sequence) {
            let (expected, found) = (found.checkpoints, terms.checkpoints);
            return Err(RunError::OtherSequence {
                folder,
                expected,
                found,
            });
        }
        if found.probe_images != terms.probe_images {
            return Err(RunError::OtherProbes(folder));
        }
        check_configuration(&self.run, config)
    }

    /// Whether any part has a step.
    fn has_begun(&self) -> bool {
        let begun = |folder: PathBuf| {
            let manifest = Manifest::read(&folder).ok().flatten();
            manifest.is_some_and(|manifest| !manifest.entries.is_empty())
                || folder.join(DONE).exists()
        };
        let folders = fs::read_dir(self.run.join(PARTS)).into_iter().flatten();
        folders.flatten().map(|entry| entry.path()).any(begun)
    }

    /// What this part lacks. Its steps are compared with the run's first one and with the one before.
    pub(super) fn plan(
        &self,
        sequence: &[Checkpoint],
        settings: &CheckpointsSettings,
        (probe_images, network): (String, RunNetwork),
        context: &Context,
    ) -> Result<(Manifest, Plan), RunError> {
        let folder = self.own();
        let block = sequence.get(self.block.clone()).unwrap_or_default();
        let mut manifest = Manifest::read(&folder)?;
        if settings.comparison.is_on() {
            self.cut_back(manifest.as_mut());
        }
        let manifest = manifest.filter(|manifest| !manifest.entries.is_empty());
        let is_new = manifest.is_none();
        let manifest = manifest.unwrap_or_else(|| Manifest::new(&folder, probe_images, network));
        let mut plan = if is_new {
            Plan::all(block.to_vec())
        } else {
            Plan::continued(block.to_vec(), &manifest)
        };
        for note in &plan.notes {
            context.terminal.note(note);
        }
        if plan.due.is_empty() {
            self.done()?;
            let steps = manifest.entries.len();
            return Err(RunError::NothingNew { folder, steps });
        }
        plan.follow_on(sequence.get(..self.block.start).unwrap_or_default());
        Ok((manifest, plan))
    }

    /// Cuts what was done back to the last summary, behind which something would be missing in the end, and forgets the
    /// later ones: they are of steps that are made again.
    fn cut_back(&self, manifest: Option<&mut Manifest>) {
        let steps = self.summaries();
        let last = manifest.and_then(|Manifest { entries, .. }| {
            let mut steps = steps.iter().rev().copied();
            let last = steps.find(|step| entries.contains_key(step));
            entries.retain(|step, _| last.is_some_and(|last| *step <= last));
            last
        });
        for later in steps.iter().filter(|step| Some(**step) > last) {
            let _ = fs::remove_file(self.summary_file(*later));
        }
    }

    /// Calls `find` to find out what is shared, unless another process did; the others wait for it meanwhile.
    pub(super) fn calibration(
        &self,
        context: &Context,
        find: impl FnOnce() -> Result<Calibration, RunError>,
    ) -> Result<Calibration, RunError> {
        let parts = self.run.join(PARTS);
        let _turn = self.turn(&parts.join("lock"), context)?;
        let file = parts.join(CALIBRATION);
        if let Some(calibration) = read_if_there(&file)? {
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
    pub(super) fn keep_summary(&self, step: i64, summary: &Summary) -> Result<(), RunError> {
        write_toml(&self.summary_file(step), summary)?;
        let steps = self.summaries();
        for old in steps.iter().rev().skip(SUMMARIES) {
            let _ = fs::remove_file(self.summary_file(*old));
        }
        Ok(())
    }

    /// What was found out so far.
    pub(super) fn summary(&self) -> Result<Option<Summary>, RunError> {
        match self.summaries().last() {
            Some(step) => read_if_there(&self.summary_file(*step)),
            None => Ok(None),
        }
    }

    /// Says that this part is done.
    pub(super) fn done(&self) -> Result<(), RunError> {
        let summary = self.summary()?;
        write_toml(&self.own().join(DONE), &Done { summary })
    }

    /// What each part left, in order, up to the first that is not done.
    pub(super) fn done_parts(&self) -> Result<Vec<Done>, RunError> {
        let read = |part| read_if_there(&self.folder(part).join(DONE));
        let all = (0..self.shard.count.get()).map_while(|part| read(part).transpose());
        all.collect()
    }

    /// Whether the parts have become one run.
    pub(super) fn is_merged(&self) -> bool {
        self.run.join(MANIFEST).exists()
    }

    /// Says that the run is whole.
    pub(super) fn nothing_new(&self) -> Result<RunError, RunError> {
        let manifest = Manifest::read(&self.run)?;
        Ok(RunError::NothingNew {
            folder: self.run.clone(),
            steps: manifest.map_or(0, |manifest| manifest.entries.len()),
        })
    }

    /// The parts that are not done.
    pub(super) fn missing(&self) -> Vec<usize> {
        let is_missing = |part: &usize| !self.folder(*part).join(DONE).exists();
        (0..self.shard.count.get()).filter(is_missing).collect()
    }

    /// Waits until no other process does what only one may.
    pub(super) fn turn(&self, file: &Path, context: &Context) -> Result<File, RunError> {
        let lock = open_lock(file)?;
        let mut said = false;
        loop {
            match lock.try_lock() {
                Err(TryLockError::WouldBlock) => {}
                // Where the file system has no locks, everybody does it.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(lock),
            }
            if context.interrupt.is_requested() {
                return Err(RunError::BusyFolder(self.run.clone()));
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

fn open_lock(file: &Path) -> Result<File, RunError> {
    let opened = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(file);
    opened.map_err(|source| failed(file, source))
}

fn read_if_there<T: DeserializeOwned>(file: &Path) -> Result<Option<T>, RunError> {
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|source| failed(file, source))?,
    };
    let parsed = toml::from_str(&text);
    parsed.map(Some).map_err(|error| RunError::Part {
        file: file.to_owned(),
        why: error.message().to_owned(),
    })
}

fn write_toml(file: &Path, value: &impl Serialize) -> Result<(), RunError> {
    write(file, &toml::to_string(value)?)
}

/// Whoever reads it, or is killed here, finds the old one or the new one.
fn write(file: &Path, text: &str) -> Result<(), RunError> {
    let new = file.with_extension(format!("{}.new", std::process::id()));
    let written = fs::write(&new, text).and_then(|()| fs::rename(&new, file));
    written.map_err(|source| failed(file, source))
}

fn failed(file: &Path, source: io::Error) -> RunError {
    RunError::WriteConfig {
        path: file.to_owned(),
        source,
    }
}
